//! What a recipient of a spam may be recognised by in it, and the text without that.

use super::hidden;

pub(super) const WITHHELD: &str = "[withheld: it names a recipient]";

/// One form of one recipient, in lower case.
#[derive(Clone, Debug)]
pub(super) struct Trace {
    pub(super) text: String,
    pub(super) replacement: String,
    pub(super) kind: Kind,
}

/// In the order in which they are replaced: a name is a piece of many addresses, and an address of which a
/// piece is gone would not be found any more where it is hidden.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Address,
    LocalPart,
    Name,
}

impl Kind {
    /// It counts only where no letter or digit stands beside it.
    fn is_word(self) -> bool {
        self != Self::Address
    }
}

impl Trace {
    /// Where it stands in a text in lower case.
    fn places<'t>(&'t self, lower: &'t str) -> impl Iterator<Item = usize> + 't {
        let places = lower.match_indices(&self.text).map(|(at, _)| at);
        places.filter(|at| {
            let end = at + self.text.len();
            let beside = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
            !self.kind.is_word()
                || !(beside(lower[..*at].chars().next_back())
                    || beside(lower[end..].chars().next()))
        })
    }

    pub(super) fn is_in(&self, lower: &str) -> bool {
        self.places(lower).next().is_some()
    }
}

/// The text with every trace replaced, and with what hides one withheld. Traces are in the order of their
/// kinds.
pub(super) fn without(text: &str, traces: &[Trace]) -> String {
    if traces.is_empty() {
        return text.to_owned();
    }
    let mut plain = hidden::withhold_base64(text, traces, WITHHELD);
    for alike in traces.chunk_by(|a, b| a.kind == b.kind) {
        plain = replaced(&plain, alike);
        if hidden::is_hidden_in(&plain, alike) {
            return format!("{WITHHELD}\r\n");
        }
    }
    plain
}

fn replaced(text: &str, traces: &[Trace]) -> String {
    let lower = text.to_ascii_lowercase();
    let mut found: Vec<(usize, &Trace)> = traces
        .iter()
        .flat_map(|trace| trace.places(&lower).map(move |at| (at, trace)))
        .collect();
    found.sort_by_key(|(at, trace)| (*at, std::cmp::Reverse(trace.text.len())));
    let mut plain = String::with_capacity(text.len());
    let mut done = 0;
    for (at, trace) in found {
        if at >= done {
            plain.push_str(&text[done..at]);
            plain.push_str(&trace.replacement);
            done = at + trace.text.len();
        }
    }
    plain.push_str(&text[done..]);
    plain
}
