//! The message that a suspect sent, where the feed gives one.

use super::notes::Noted;
use crate::model::has_header;
use crate::sheet::Record;

/// Bytes kept of one message: headers and the beginning of the body tell an abuse desk all it needs.
const LONGEST: usize = 64 * 1024;

/// The row's message with CRLF at each end of a line; what is no text is taken out.
pub(super) fn of(record: &Record<'_>, noted: &mut Noted) -> Option<String> {
    let (_, text) = record.get_said("sample", |text| !super::rows::is_nothing(text))?;
    let kept = kept(text);
    noted.is_headless = !has_header(&kept);
    Some(kept)
}

fn kept(text: &str) -> String {
    let mut kept = String::with_capacity(text.len().min(LONGEST) + 64);
    for line in text.split('\n') {
        let line = line.strip_suffix('\r').unwrap_or(line);
        // A bare CR ends a line for some readers, and NUL a text.
        let is_text = |c: &char| *c == '\t' || !c.is_control();
        kept.extend(line.chars().filter(is_text));
        if kept.len() > LONGEST {
            break;
        }
        kept.push_str("\r\n");
    }
    kept.truncate(kept.floor_char_boundary(LONGEST));
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_alike_and_hold_text() {
        assert_eq!(
            kept("From: a\nTo: b\r\n\n\tx\0y\rz\u{1b}[31m"),
            "From: a\r\nTo: b\r\n\r\n\txyz[31m\r\n"
        );
    }

    #[test]
    fn a_long_message_is_cut_between_two_characters() {
        let long = kept(&format!("a: b\n\n{}", "語".repeat(60_000)));
        assert!(long.len() <= LONGEST && long.len() > LONGEST - 3);
        assert!(kept(&"x\n".repeat(60_000)).len() <= LONGEST);
    }
}
