//! Text from outside, made safe to show: in a spreadsheet's cell, on a line of a letter or a log.

use std::borrow::Cow;

/// A cell that no spreadsheet takes for a formula: one that begins like a formula gets an
/// apostrophe in front. CSV is opened with a double click; `=HYPERLINK(…)` in a feed's comment
/// must stay text (OWASP, "CSV Injection", which also names the full-width signs).
#[must_use]
pub fn neutral_cell(text: &str) -> Cow<'_, str> {
    match text.chars().next() {
        Some('=' | '+' | '-' | '@' | '\t' | '\r' | '\n' | '＝' | '＋' | '－' | '＠') => {
            Cow::Owned(format!("'{text}"))
        }
        _ => Cow::Borrowed(text),
    }
}

/// One line of plain text of at most `limit` characters: control, line-breaking and
/// direction-changing characters become spaces, so that no feed can write a header, a second line
/// or text that reads backwards.
#[must_use]
pub fn plain_text(text: &str, limit: usize) -> String {
    let text = text.trim();
    if text.len() <= limit && text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return text.to_owned();
    }
    let plain: String = text
        .chars()
        .take(limit)
        .map(|c| if is_unfit(c) { ' ' } else { c })
        .collect();
    plain.trim().to_owned()
}

/// Controls (C0, DEL, C1), line and paragraph separators, and the bidirectional controls of
/// Unicode Annex 9.
fn is_unfit(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}'
            | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_begins_like_a_formula() {
        for (text, cell) in [
            ("=1+1", "'=1+1"),
            ("+81 3", "'+81 3"),
            ("-", "'-"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "'\t=1"),
            ("\r=1", "'\r=1"),
            ("＝1", "'＝1"),
            ("a=1", "a=1"),
            ("", ""),
        ] {
            assert_eq!(neutral_cell(text), cell);
        }
    }

    #[test]
    fn plain_text_is_one_line_that_reads_forwards() {
        for (text, limit, plain) in [
            ("  spam ", 64, "spam"),
            ("a\r\nBcc: b", 64, "a  Bcc: b"),
            ("a\u{2028}b\0c\u{1b}[31m", 64, "a b c [31m"),
            ("a\u{202e}b\u{2066}c\u{200f}", 64, "a b c"),
            ("日本語", 2, "日本"),
            ("abcdef", 3, "abc"),
            ("\u{202e}", 8, ""),
        ] {
            assert_eq!(plain_text(text, limit), plain, "{text:?}");
        }
    }
}
