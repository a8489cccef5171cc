//! From bytes to text that people can read: charsets, named or guessed, and pages without their markup.

use std::borrow::Cow;
use std::sync::LazyLock;

use aho_corasick::AhoCorasick;
use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use mail_parser::decoders::charsets::map::charset_decoder;
use mail_parser::decoders::html::html_to_text;

/// Bytes that a charset is guessed from.
const GUESSED: usize = 4096;

/// By its charset; where it names none, or a wrong one, by what the bytes look like.
pub(super) fn into_text<'a>(bytes: Cow<'a, [u8]>, charset: Option<&str>) -> Cow<'a, str> {
    into_text_from(bytes, charset, None)
}

/// A country (`cn`) helps to guess.
pub(super) fn into_text_from<'a>(
    bytes: Cow<'a, [u8]>,
    charset: Option<&str>,
    country: Option<&str>,
) -> Cow<'a, str> {
    let is_seven_bit = bytes.is_ascii();
    let escapes =
        is_seven_bit && bytes.contains(&0x1b) && bytes.windows(2).any(|pair| pair == b"\x1b$");
    let label = match charset {
        _ if escapes => "iso-2022-jp",
        Some(label) if is_seven_bit && !label.starts_with("utf-7") && !label.starts_with("hz") => {
            ""
        }
        Some(label) => label,
        None => "",
    };
    if !is_seven_bit && std::str::from_utf8(&bytes).is_ok() || label.is_empty() && is_seven_bit {
        return match bytes {
            Cow::Borrowed(bytes) => String::from_utf8_lossy(bytes),
            Cow::Owned(bytes) => Cow::Owned(
                String::from_utf8(bytes)
                    .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()),
            ),
        };
    }
    let guessed = || {
        let mut detector = EncodingDetector::new(Iso2022JpDetection::Allow);
        // What is plain says nothing, and stands first.
        let telling = bytes
            .split_inclusive(|byte| *byte == b'\n')
            .filter(|line| !line.is_ascii());
        let mut left = GUESSED;
        for line in telling {
            let line = &line[..line.len().min(left)];
            detector.feed(line, false);
            left -= line.len();
        }
        detector.feed(&[], true);
        charset_decoder(
            detector
                .guess(country.map(str::as_bytes), Utf8Detection::Allow)
                .name()
                .to_ascii_lowercase()
                .as_bytes(),
        )
    };
    match charset_decoder(label.as_bytes()).or_else(guessed) {
        Some(decode) => Cow::Owned(decode(&bytes)),
        None => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
    }
}

/// Tags that end a line for whoever reads the page.
static LINE_TAGS: LazyLock<Option<AhoCorasick>> = LazyLock::new(|| {
    AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .build(ENDS_LINE)
        .ok()
});

/// The last of them begins one, too.
const ENDS_LINE: [&str; 16] = [
    "</div>", "</tr>", "</li>", "</h1>", "</h2>", "</h3>", "</h4>", "</h5>", "</h6>", "</pre>",
    "<pre>", "</td>", "</th>", "</dt>", "</dd>", "<hr",
];

/// RFC 2045 6.7, and what stands there without being encoded stays as it is.
pub(super) fn quoted_printable(bytes: &[u8]) -> Vec<u8> {
    let digit = |at: usize| {
        bytes
            .get(at)
            .and_then(|byte| char::from(*byte).to_digit(16))
    };
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let blanks = || {
            let rest = &bytes[at + 1..];
            rest.iter()
                .take_while(|byte| matches!(byte, b' ' | b'\t'))
                .count()
        };
        match (byte, digit(at + 1), digit(at + 2)) {
            (b'=', Some(high), Some(low)) => {
                plain.push((high * 16 + low) as u8);
                at += 3;
            }
            (b'=', ..) if bytes.get(at + 1 + blanks()) == Some(&b'\n') => at += 2 + blanks(),
            (byte, ..) => {
                plain.push(*byte);
                at += 1;
            }
        }
    }
    plain
}

pub(super) fn page_text(page: &str) -> String {
    match &*LINE_TAGS {
        Some(tags) => {
            let mut breaks = ["<br>"; ENDS_LINE.len()];
            breaks[ENDS_LINE.len() - 1] = "<br><hr";
            let broken = tags.replace_all(page, &breaks);
            html_to_text(&broken)
        }
        None => html_to_text(page),
    }
}

pub(super) fn looks_like_page(text: &str) -> bool {
    let start = text.trim_start().as_bytes();
    [&b"<html"[..], b"<!doctype html"].iter().any(|mark| {
        start
            .get(..mark.len())
            .is_some_and(|s| s.eq_ignore_ascii_case(mark))
    })
}
