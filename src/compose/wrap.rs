//! Lines broken to the width of plain text, in any script.

use std::sync::LazyLock;

use icu_segmenter::options::LineBreakOptions;
use icu_segmenter::{LineSegmenter, LineSegmenterBorrowed};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The width of the plain text, in columns: of the 78 that a mail should have (RFC 5322 2.1.1), as many
/// as quoted-printable carries without a break of its own (RFC 2045 6.7).
pub(super) const WIDTH: usize = 76;

/// Chinese, Japanese and Thai have no spaces between their words. For Thai it has a dictionary.
static SEGMENTER: LazyLock<LineSegmenterBorrowed<'static>> =
    LazyLock::new(|| LineSegmenter::new_dictionary(LineBreakOptions::default()));

/// Columns up to which a mailbox or URL stands whole, beyond the width: cut in two it would be read wrongly.
const LONGEST_ADDRESS: usize = 200;

/// Bytes of a line, whatever stands in it: a mail has room for 998 (RFC 5322 2.1.1), and marks of
/// direction come on top.
const LONGEST_LINE: usize = 800;

/// Adds a paragraph to `text`, the first line led by `first`, the others by `then`. Breaks inside a word
/// only where no line has room for it.
pub(super) fn wrap(text: &mut String, line: &str, first: &str, then: &str) {
    let line = line.trim_end_matches(' ');
    text.push_str(first);
    // No character takes more columns than bytes.
    if first.len() + line.len() <= WIDTH {
        text.push_str(line);
        return;
    }
    let mut used = first.width();
    let mut begun = text.len();
    let mut is_fresh = true;
    let mut put = |piece: &str| {
        let word = piece.trim_end_matches(' ');
        let width = columns(word);
        let is_full = |used: usize, bytes: usize, width: usize, len: usize| {
            used + width > WIDTH || bytes + len > LONGEST_LINE
        };
        let next_line = |text: &mut String| {
            text.truncate(text.trim_end_matches(' ').len());
            text.push('\n');
            text.push_str(then);
            (then.width(), text.len())
        };
        if !is_fresh && is_full(used, text.len() - begun, width, word.len()) {
            (used, begun) = next_line(text);
        }
        if is_full(used, text.len() - begun, width, word.len()) && !stands_whole(word, width) {
            for sign in word.chars() {
                let width = sign.width().unwrap_or_default();
                if is_full(used, text.len() - begun, width, sign.len_utf8()) {
                    (used, begun) = next_line(text);
                }
                text.push(sign);
                used += width;
            }
        } else {
            text.push_str(word);
            used += width;
        }
        let spaces = &piece[word.len()..];
        text.push_str(spaces);
        used += spaces.len();
        is_fresh = false;
    };
    if line.chars().any(is_written_without_spaces) {
        let mut from = 0;
        for to in SEGMENTER.segment_str(line) {
            if to > from && may_break(line, to) {
                put(&line[from..to]);
                from = to;
            }
        }
    } else {
        line.split_inclusive(' ').for_each(put);
    }
}

/// A mailbox or URL of a length that somebody may still copy.
fn stands_whole(word: &str, width: usize) -> bool {
    let is_url = word.contains("https://") || word.contains("http://");
    width <= LONGEST_ADDRESS && word.len() <= LONGEST_LINE && (is_url || word.contains('@'))
}

/// Adds markup with line breaks for spaces, so that a mail shows it raw as it is written here. Not for
/// what is preformatted.
pub(super) fn fold(html: &mut String, markup: &str) {
    // Of the line so far: its width, its last space, and the width up to behind that.
    let (mut used, mut space, mut behind) = (0, None, 0);
    let mut from = 0;
    let mut is_in_tag = false;
    for (at, byte) in markup.bytes().enumerate() {
        used += if byte.is_ascii() && byte != b'=' {
            1
        } else {
            3
        };
        match byte {
            b'<' => is_in_tag = true,
            b'>' => is_in_tag = false,
            b' ' if !is_in_tag => (space, behind) = (Some(at), used),
            _ => {}
        }
        if used > WIDTH
            && let Some(at) = space.take()
        {
            html.push_str(&markup[from..at]);
            html.push('\n');
            from = at + 1;
            used -= behind;
        }
    }
    html.push_str(&markup[from..]);
}

/// Columns on a terminal: combining marks take none, ideographs two.
pub(super) fn columns(word: &str) -> usize {
    if word.is_ascii() {
        return word.len();
    }
    word.chars().filter_map(UnicodeWidthChar::width).sum()
}

/// Latin words keep together, whatever stands in them: hyphens, slashes, dots.
fn may_break(line: &str, at: usize) -> bool {
    let before = line[..at].chars().next_back();
    let behind = line[at..].chars().next();
    match (before, behind) {
        (Some(before), Some(behind)) => before == ' ' || !before.is_ascii() || !behind.is_ascii(),
        _ => true,
    }
}

/// Korean is not among them: it breaks at its spaces.
fn is_written_without_spaces(c: char) -> bool {
    matches!(
        u32::from(c),
        // Thai, Lao; Burmese; Khmer; CJK with its punctuation and kana; wide forms; the planes beyond.
        0x0E00..=0x0EFF | 0x1000..=0x109F | 0x1780..=0x17FF | 0x2E80..=0x30FF | 0x3100..=0x312F
            | 0x31A0..=0xA4CF | 0xF900..=0xFAFF | 0xFF00..=0xFF60 | 0x20000..=0x3FFFF
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrapped(line: &str) -> Vec<String> {
        let mut text = String::new();
        wrap(&mut text, line, "- ", "  ");
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn lines_are_full_and_no_word_is_cut() {
        let words = "word and another-one 192.0.2.0/24 ";
        let lines = wrapped(&words.repeat(9));
        assert!(lines[0].starts_with("- word") && lines[1].starts_with("  "));
        for line in &lines {
            assert!(line.width() <= WIDTH, "{line}");
            assert!(!line.ends_with(' '), "{line:?}");
            for word in line.split_whitespace() {
                assert!(words.contains(word) || word == "-", "{word}");
            }
        }
        let all: Vec<&str> = lines
            .iter()
            .flat_map(|line| line.split_whitespace())
            .collect();
        assert_eq!(all.len(), 1 + 4 * 9);
        assert!(
            lines[..lines.len() - 1]
                .iter()
                .all(|line| line.width() > 60)
        );
    }

    #[test]
    fn a_word_longer_than_the_line_is_broken_unless_it_is_an_address() {
        let room = WIDTH - 2;
        let long = "x".repeat(2 * room + 10);
        let full = format!("  {}", "x".repeat(room));
        let rest = format!("  {} there", "x".repeat(10));
        let lines = wrapped(&format!("see {long} there"));
        assert_eq!(lines, ["- see", &full, &full, &rest]);
        for address in [
            format!("<{}@isp.example>", "x".repeat(150)),
            format!("(https://isp.example/{}).", "x".repeat(150)),
        ] {
            let lines = wrapped(&format!("see {address} there"));
            assert_eq!(lines, ["- see", &format!("  {address}"), "  there"]);
        }
        // None is so long.
        let lines = wrapped(&format!("{}@isp.example", "x".repeat(1_000)));
        assert!(lines.iter().all(|line| line.width() <= WIDTH), "{lines:?}");
        assert_eq!(wrapped(&long)[0].width(), WIDTH);
    }

    #[test]
    fn no_line_is_longer_than_a_mail_carries() {
        let marks = "e".to_owned() + &"\u{301}".repeat(1_000);
        let words = "e\u{301}\u{301}\u{301}\u{301} ".repeat(3) + &marks;
        let thai = "ก".to_owned() + &"\u{0e48}".repeat(1_000);
        let wide = "語".repeat(600);
        for text in [marks, words, thai, wide] {
            let lines = wrapped(&text);
            assert!(lines.iter().all(|line| line.len() <= LONGEST_LINE + 8));
            let back: String = lines.iter().map(|line| &line[2..]).collect();
            assert_eq!(back.replace(' ', ""), text.replace(' ', ""));
        }
    }

    #[test]
    fn scripts_without_spaces_break_between_their_words() {
        let japanese = "利用者が気付かないうちに不正プログラムに感染した可能性があります（abuse@isp.example）。";
        let thai = "เครื่องเหล่านี้อาจติดมัลแวร์โดยที่ผู้ใช้ไม่รู้ตัวและกำลังส่งสแปมออกไปยังผู้อื่น";
        let chinese = "这些计算机可能在用户不知情的情况下受到感染，并正在发送垃圾邮件。";
        for text in [japanese, thai, chinese] {
            let whole = text.repeat(4);
            let lines = wrapped(&whole);
            assert!(lines.len() > 1);
            for line in &lines {
                assert!(line.width() <= WIDTH, "{} {line}", line.width());
                let first = line.trim_start_matches(['-', ' ']).chars().next();
                // Kinsoku, and no mark without its letter.
                assert!(!first.is_some_and(|c| "。，、）่้์ิี".contains(c)), "{line}");
            }
            let back: String = lines.iter().map(|line| &line[2..]).collect();
            assert_eq!(back, whole);
        }
        let all = wrapped(&japanese.repeat(4)).join("\n");
        assert_eq!(all.matches("abuse@isp.example").count(), 4);
    }

    #[test]
    fn korean_breaks_at_its_spaces() {
        let text =
            "이용자가 모르는 사이에 감염된 단말에서 스팸이 발송되고 있을 가능성이 있습니다. ";
        for line in wrapped(&text.repeat(3)) {
            assert!(line.width() <= WIDTH);
            for word in line.split_whitespace() {
                assert!(text.contains(word) || word == "-", "{word}");
            }
        }
    }

    /// Bytes of a word in quoted-printable.
    fn carried(word: &str) -> usize {
        let escaped = word
            .bytes()
            .filter(|byte| !byte.is_ascii() || *byte == b'=');
        word.len() + 2 * escaped.count()
    }

    fn folded(markup: &str) -> String {
        let mut html = String::new();
        fold(&mut html, markup);
        html
    }

    #[test]
    fn markup_is_broken_at_its_spaces_alone() {
        let short = "<p>a = b</p>";
        assert_eq!(folded(short), short);
        let long = format!("<td>{}</td> <td>ä=</td>", "word ".repeat(40));
        let lines: Vec<String> = folded(&long).lines().map(str::to_owned).collect();
        assert!(lines.len() > 2);
        assert!(lines.iter().all(|line| carried(line) <= WIDTH), "{lines:?}");
        assert_eq!(lines.join(" "), long);
        let address = format!("<li value=\"2\">{}</li>", "x".repeat(90));
        assert_eq!(folded(&address), address);
    }

    #[test]
    fn a_no_break_space_does_not_break() {
        let lines = wrapped(&"Attention\u{a0}: ".repeat(20));
        assert!(lines.iter().all(|line| line.ends_with(':')));
    }
}
