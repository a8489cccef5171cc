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

/// One line of plain text of at most `limit` characters: control and line-breaking characters become
/// spaces and invisible ones go, so that no feed can write a header, a second line, text that reads
/// backwards, or two names that look alike.
#[must_use]
pub fn plain_text(text: &str, limit: usize) -> String {
    let text = text.trim();
    if text.len() <= limit && text.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return text.to_owned();
    }
    let mut before = ' ';
    let mut signs = text.chars().peekable();
    let mut plain = String::new();
    let mut room = limit;
    while let Some(c) = signs.next() {
        let joins = matches!(c, '\u{200c}' | '\u{200d}')
            && is_joining(before)
            && signs.peek().is_some_and(|next| is_joining(*next));
        before = c;
        if is_invisible(c) && !joins {
            continue;
        }
        if room == 0 {
            break;
        }
        room -= 1;
        plain.push(if is_break(c) { ' ' } else { c });
    }
    plain.trim().to_owned()
}

/// Controls (C0, DEL, C1), line and paragraph separators.
fn is_break(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}')
}

/// The general category Cf of Unicode 16, with the bidirectional controls of Annex 9, but for the
/// signs in it that are seen (Prepended_Concatenation_Mark).
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
        | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0001}' | '\u{e0020}'..='\u{e007f}')
}

/// Letters of Arabic and its kin and of India's scripts: between them a joiner or a non-joiner makes
/// another word.
fn is_joining(c: char) -> bool {
    matches!(c, '\u{620}'..='\u{6ff}' | '\u{700}'..='\u{8ff}' | '\u{900}'..='\u{dff}'
        | '\u{fb50}'..='\u{fdff}' | '\u{fe70}'..='\u{fefc}')
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
            ("a\u{202e}b\u{2066}c\u{200f}", 64, "abc"),
            ("pay\u{200b}pal\u{2060}\u{feff}\u{ad}", 64, "paypal"),
            ("a\u{200d}b\u{200c}c", 64, "abc"),
            ("می\u{200c}خواهم", 64, "می\u{200c}خواهم"),
            ("क्\u{200d}ष", 64, "क्\u{200d}ष"),
            ("\u{200b}\u{200b}abc", 2, "ab"),
            ("日本語", 2, "日本"),
            ("abcdef", 3, "abc"),
            ("\u{202e}", 8, ""),
        ] {
            assert_eq!(plain_text(text, limit), plain, "{text:?}");
        }
    }
}
