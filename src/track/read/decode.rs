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
        detector.feed(&bytes[..bytes.len().min(GUESSED)], true);
        charset_decoder(
            detector
                .guess(None, Utf8Detection::Allow)
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
    let tags = [
        "</div>", "</tr>", "</li>", "</h1>", "</h2>", "</h3>", "</h4>", "</pre>", "<pre>", "</td>",
        "<hr",
    ];
    AhoCorasick::builder()
        .ascii_case_insensitive(true)
        .build(tags)
        .ok()
});

pub(super) fn page_text(page: &str) -> String {
    match &*LINE_TAGS {
        Some(tags) => {
            let broken = tags.replace_all(
                page,
                &["<br>"; 10]
                    .iter()
                    .copied()
                    .chain(["<br><hr"])
                    .collect::<Vec<_>>(),
            );
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
