//! Addresses of people as logs may show them.

use super::plain_text;

/// The longest line of a log, in characters; what servers answer has no end of its own.
const LONGEST: usize = 1_000;

/// One line in which each mailbox has lost all of its name but the first character: `a…@isp.example`.
#[must_use]
pub fn masked(text: &str) -> String {
    let text = plain_text(text, LONGEST);
    let mut shown = String::with_capacity(text.len());
    let mut pieces = text.split('@').peekable();
    while let Some(piece) = pieces.next() {
        let is_mailbox = pieces
            .peek()
            .is_some_and(|domain| domain.starts_with(|c: char| c.is_alphanumeric() || c == '['));
        let name = match is_mailbox {
            true => piece.trim_end_matches(may_stand_in_name).len(),
            false => piece.len(),
        };
        let (before, name) = piece.split_at(name);
        shown.push_str(before);
        if let Some(first) = name.chars().next() {
            shown.push(first);
            shown.push('…');
        }
        if pieces.peek().is_some() {
            shown.push('@');
        }
    }
    shown
}

/// RFC 5322 3.2.3, and letters of all languages (RFC 6531); `=` and `/` lead it in more often.
fn may_stand_in_name(c: char) -> bool {
    c.is_alphanumeric() || "!#$%&'*+-?^_`{|}~.".contains(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_mailbox_shows_its_name() {
        for (text, shown) in [
            ("abuse@isp.example", "a…@isp.example"),
            (
                "550 5.1.1 <first.last+x@isp.example>: unknown",
                "550 5.1.1 <f…@isp.example>: unknown",
            ),
            (
                "to=a@b.example, cc=乙甲@丙.example",
                "to=a…@b.example, cc=乙…@丙.example",
            ),
            ("a@b@c.example", "a…@b…@c.example"),
            ("3 letters @ 9:00 sharp", "3 letters @ 9:00 sharp"),
            ("at @ and @", "at @ and @"),
            ("no address", "no address"),
            ("two\nlines", "two lines"),
        ] {
            assert_eq!(masked(text), shown);
        }
    }
}
