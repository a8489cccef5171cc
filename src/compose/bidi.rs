//! Text that runs from right to left, and values that do not: each reads in its own direction.
//!
//! A value from outside is isolated (UAX #9, FSI and PDI; `<bdi>` in HTML), so that an address or a
//! ticket in Arabic text keeps its order, and an Arabic name in English text leaves the rest its own.
//! Plain text has no base direction: each of its lines gets one from its first strong character, so a
//! line that would get the wrong one begins with a mark that nobody sees.

use std::borrow::Cow;

use super::layout::{escape, plain};
use crate::templates::MARKS;

/// First strong isolate, and its end.
const ISOLATE: [char; 2] = ['\u{2068}', '\u{2069}'];
const LEFT_TO_RIGHT_MARK: char = '\u{200e}';
const RIGHT_TO_LEFT_MARK: char = '\u{200f}';

/// The base direction of a language.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    LeftToRight,
    RightToLeft,
}

impl Direction {
    /// As HTML and the words of a language call it.
    pub(super) fn of(dir: &str) -> Self {
        match dir {
            "rtl" => Self::RightToLeft,
            _ => Self::LeftToRight,
        }
    }

    /// Whether there may be anything to do for a text at all.
    fn is_mixed(self, text: &str) -> bool {
        self == Self::RightToLeft || has_right_to_left(text)
    }

    /// Whether a value would disturb what stands around it, or be disturbed. The number behind `AS`
    /// belongs to it.
    fn isolates(self, value: &str, before: Option<char>) -> bool {
        match self {
            Self::LeftToRight => has_right_to_left(value),
            Self::RightToLeft => {
                let mut strong = value.chars().filter(|c| c.is_alphanumeric());
                let first = strong.next();
                let ends_alike = [first, strong.next_back().or(first)]
                    .iter()
                    .all(|c| c.is_some_and(is_right_to_left));
                let goes_on = before.is_some_and(|c| c.is_ascii_alphabetic());
                let is_number = value.bytes().all(|byte| byte.is_ascii_digit());
                let stays = value.is_empty() || ends_alike || (is_number && goes_on);
                !stays
            }
        }
    }
}

/// [Marked](MARKS) text with the values isolated where they need it.
pub(super) fn in_text(marked: &str, direction: Direction) -> Cow<'_, str> {
    if !direction.is_mixed(marked) {
        return plain(marked);
    }
    set(marked, direction, str::to_owned, isolated_in_text).into()
}

fn isolated_in_text(value: &str) -> String {
    let [begin, end] = ISOLATE;
    format!("{begin}{value}{end}")
}

/// The same, escaped.
pub(super) fn in_html(marked: &str, direction: Direction) -> Cow<'_, str> {
    if !direction.is_mixed(marked) {
        return match plain(marked) {
            Cow::Borrowed(text) => escape(text),
            Cow::Owned(text) => escape(&text).into_owned().into(),
        };
    }
    let escaped = |text: &str| escape(text).into_owned();
    set(marked, direction, escaped, isolated_in_html).into()
}

/// A value without letters, as `/24`, has no direction of its own, and would take that of the text.
fn isolated_in_html(value: &str) -> String {
    let dir = match has_right_to_left(value) {
        true => "",
        false => " dir=\"ltr\"",
    };
    format!("<bdi{dir}>{}</bdi>", escape(value))
}

/// A table's cell is a value of its own.
pub(super) fn cell_in_text(cell: &str, direction: Direction) -> Cow<'_, str> {
    if !direction.isolates(cell, None) {
        return cell.into();
    }
    isolated_in_text(cell).into()
}

pub(super) fn cell_in_html(cell: &str, direction: Direction) -> Cow<'_, str> {
    if !direction.isolates(cell, None) {
        return escape(cell);
    }
    isolated_in_html(cell).into()
}

/// A paragraph of right-to-left text that is not in a right-to-left script says so in HTML.
pub(super) fn attribute(marked: &str, direction: Direction) -> &'static str {
    let is_foreign = direction == Direction::RightToLeft
        && own_direction(marked, MARKS) == Some(Direction::LeftToRight);
    if is_foreign { " dir=\"ltr\"" } else { "" }
}

/// The lines behind `from` as a reader's program will show them: each a paragraph with its own base
/// direction, and no isolate open beyond its end.
pub(super) fn set_lines(text: &mut String, from: usize, direction: Direction) {
    if direction.is_mixed(&text[from..]) {
        let set = lines(&text[from..], direction);
        text.truncate(from);
        text.push_str(&set);
    }
}

fn lines(text: &str, direction: Direction) -> String {
    let mut open = false;
    let line = |line: &str| {
        let mut whole = String::with_capacity(line.len() + 8);
        let body = line.trim_start_matches(' ');
        let indent = &line[..line.len() - body.len()];
        let is_rtl = own_direction(line, ISOLATE) != Some(Direction::LeftToRight);
        if direction == Direction::RightToLeft && is_rtl && !body.is_empty() {
            whole.push(RIGHT_TO_LEFT_MARK);
        }
        whole.push_str(indent);
        if open {
            whole.push(ISOLATE[0]);
        }
        whole.push_str(body);
        let last = line.chars().rev().find(|c| ISOLATE.contains(c));
        open = last.map_or(open, |last| last == ISOLATE[0]);
        if open {
            whole.push(ISOLATE[1]);
        }
        whole
    };
    let lines: Vec<String> = text.split('\n').map(line).collect();
    lines.join("\n")
}

/// What stands behind `from` is a line of columns, which stand from left to right in every language, one
/// above the other.
pub(super) fn set_columns(text: &mut String, from: usize) {
    if has_right_to_left(&text[from..]) {
        text.insert(from, LEFT_TO_RIGHT_MARK);
    }
}

fn set(
    marked: &str,
    direction: Direction,
    text: impl Fn(&str) -> String,
    isolated: impl Fn(&str) -> String,
) -> String {
    let [begin, end] = MARKS;
    let mut pieces = marked.split(begin);
    let mut whole = text(&pieces.next().unwrap_or_default().replace(end, ""));
    for piece in pieces {
        let (value, rest) = piece.split_once(end).unwrap_or((piece, ""));
        if direction.isolates(value, whole.chars().next_back()) {
            whole.push_str(&isolated(value));
        } else {
            whole.push_str(&text(value));
        }
        whole.push_str(&text(&rest.replace(end, "")));
    }
    whole
}

/// The direction that a line's letters give it, those between `isolates` left out: right to left
/// where there is one such letter, none where there is no letter.
fn own_direction(line: &str, isolates: [char; 2]) -> Option<Direction> {
    let mut inside = false;
    let mut found = None;
    for c in line.chars() {
        inside = (inside || c == isolates[0]) && c != isolates[1];
        if inside {
            continue;
        }
        if is_right_to_left(c) {
            return Some(Direction::RightToLeft);
        }
        if c.is_alphabetic() {
            found = Some(Direction::LeftToRight);
        }
    }
    found
}

fn has_right_to_left(text: &str) -> bool {
    // None of these letters begins with a lower byte; most texts have none at all.
    !text.is_ascii() && text.bytes().any(|byte| byte >= 0xd6) && text.chars().any(is_right_to_left)
}

/// Hebrew, Arabic and their kin, with their presentation forms.
fn is_right_to_left(c: char) -> bool {
    matches!(c, '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{fefc}'
        | '\u{10800}'..='\u{10fff}' | '\u{1e800}'..='\u{1efff}')
}

#[cfg(test)]
mod tests {
    use super::Direction::{LeftToRight, RightToLeft};
    use super::*;

    fn mark(value: &str) -> String {
        let [begin, end] = MARKS;
        format!("{begin}{value}{end}")
    }

    #[test]
    fn values_keep_to_themselves_where_they_would_be_turned() {
        for (value, direction, isolated) in [
            ("192.0.2.0/24", RightToLeft, true),
            ("2026-11-01", RightToLeft, true),
            ("LW-000042-5", RightToLeft, true),
            ("/24", RightToLeft, true),
            ("64500", RightToLeft, true),
            ("شركة مثال", RightToLeft, false),
            ("شركة Example", RightToLeft, true),
            ("", RightToLeft, false),
            ("192.0.2.0/24", LeftToRight, false),
            ("さくら", LeftToRight, false),
            ("שירות", LeftToRight, true),
        ] {
            let marked = format!("a {} b", mark(value));
            let text = in_text(&marked, direction);
            assert_eq!(text.contains(ISOLATE), isolated, "{value}");
            let html = in_html(&marked, direction);
            assert_eq!(html.contains("<bdi"), isolated, "{value}");
            assert!(!text.contains(MARKS) && !html.contains(MARKS));
        }
        let number = format!("نص AS{} ({})", mark("64500"), mark("12"));
        assert_eq!(
            in_text(&number, RightToLeft),
            "نص AS64500 (\u{2068}12\u{2069})"
        );
        let block = mark("/24");
        let html = in_html(&block, RightToLeft);
        assert_eq!(html, "<bdi dir=\"ltr\">/24</bdi>");
        let marked = mark("<b>שלום</b>");
        let html = in_html(&marked, LeftToRight);
        assert_eq!(html, "<bdi>&lt;b&gt;שלום&lt;/b&gt;</bdi>");
    }

    #[test]
    fn each_line_has_the_direction_of_its_words() {
        let [fsi, pdi] = ISOLATE;
        for (line, direction, set) in [
            ("abc", LeftToRight, "abc".to_owned()),
            ("نص", RightToLeft, "\u{200f}نص".to_owned()),
            (
                "RFC 6561: نص",
                RightToLeft,
                "\u{200f}RFC 6561: نص".to_owned(),
            ),
            ("---", RightToLeft, "\u{200f}---".to_owned()),
            (
                "In English below.",
                RightToLeft,
                "In English below.".to_owned(),
            ),
            ("", RightToLeft, String::new()),
            // A value that was wrapped is closed and opened again.
            (
                "  نص \u{2068}Example\n  Ltd.\u{2069} نص",
                RightToLeft,
                format!("\u{200f}  نص {fsi}Example{pdi}\n\u{200f}  {fsi}Ltd.{pdi} نص"),
            ),
        ] {
            assert_eq!(lines(line, direction), set);
        }
    }
}
