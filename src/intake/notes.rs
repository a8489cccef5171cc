//! What was taken otherwise than a feed told it: counted, with the first line, for those who import it.

use serde::Serialize;

use crate::model::plain_text;

/// What a value that was cut ends with, within its limit.
const SIGN: &str = " […]";

/// How often, and in which line first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    pub count: u64,
    pub line: Option<u64>,
}

/// Of all suspects of a feed so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Notes {
    /// How many came with a time that named no zone, and was taken as local in the zone of the reading.
    pub zoneless: u64,
    /// Values longer than is kept.
    pub cut: Tally,
    /// Samples without header, which are no messages.
    pub headless: Tally,
}

/// Of one row.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Noted {
    pub(super) is_zoneless: bool,
    pub(super) cut: u64,
    pub(super) is_headless: bool,
}

impl Notes {
    pub(super) fn add(&mut self, line: u64, noted: Noted) {
        self.zoneless += u64::from(noted.is_zoneless);
        for (tally, count) in [
            (&mut self.cut, noted.cut),
            (&mut self.headless, u64::from(noted.is_headless)),
        ] {
            tally.count += count;
            if count > 0 {
                tally.line.get_or_insert(line);
            }
        }
    }
}

impl Noted {
    /// One line of plain text of at most `limit` characters; what is cut leaves a sign.
    pub(super) fn line(&mut self, text: &str, limit: usize) -> String {
        let mut plain = plain_text(text, limit + 1);
        if plain.chars().nth(limit).is_none() {
            return plain;
        }
        self.cut += 1;
        let room = limit.saturating_sub(SIGN.chars().count());
        let end = plain.char_indices().nth(room).map_or(0, |(at, _)| at);
        plain.truncate(end);
        plain.truncate(plain.trim_end().len());
        plain + SIGN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_leaves_a_sign_within_the_limit() {
        for (text, limit, kept, cut) in [
            ("日本語のメール", 7, "日本語のメール", 0),
            ("日本語のメールです", 7, "日本語 […]", 1),
            ("  spam  ", 4, "spam", 0),
            ("one two three", 8, "one […]", 1),
            ("as it came […]", 14, "as it came […]", 0),
        ] {
            let mut noted = Noted::default();
            assert_eq!(noted.line(text, limit), kept);
            assert_eq!(noted.cut, cut, "{text}");
        }
    }

    #[test]
    fn the_first_line_stands_for_all() {
        let mut notes = Notes::default();
        for (line, cut) in [(1, 0), (4, 2), (7, 1)] {
            let row = Noted {
                cut,
                ..Noted::default()
            };
            notes.add(line, row);
        }
        let (count, line) = (3, Some(4));
        assert_eq!(notes.cut, Tally { count, line });
        assert_eq!(notes.headless, Tally::default());
    }
}
