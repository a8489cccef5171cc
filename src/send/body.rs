//! Texts and files as bodies of short lines in seven bits, as RFC 2045 has them.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lettre::message::header::{ContentTransferEncoding, ContentType};
use lettre::message::{Body, SinglePart};
use memchr::{memchr, memchr_iter};

/// The longest encoded line (RFC 2045 6.7 and 6.8), without its end.
const ENCODED: usize = 76;

const CRLF: &[u8] = b"\r\n";

/// Quoted-printable reads well in the raw for Latin scripts; for others base64 is half as long.
pub(super) fn text_part(text: &str, media_type: ContentType) -> Result<SinglePart, String> {
    let text = match memchr(b'\r', text.as_bytes()) {
        Some(_) => Cow::Owned(text.replace("\r\n", "\n").replace('\r', "")),
        None => Cow::Borrowed(text),
    };
    let text = text.as_bytes();
    let foreign = text.iter().filter(|byte| !byte.is_ascii()).count();
    let body = if foreign * 6 > text.len() {
        base64(&with_crlf(text))
    } else {
        let kept = quoted_printable(text)?;
        Body::dangerous_pre_encoded(kept, ContentTransferEncoding::QuotedPrintable)
    };
    Ok(SinglePart::builder().header(media_type).body(body))
}

/// In one go: the library does it line by line, which takes twice as long.
pub(super) fn base64(bytes: &[u8]) -> Body {
    let whole = STANDARD.encode(bytes);
    let mut kept = Vec::with_capacity(whole.len() + whole.len() / ENCODED * CRLF.len());
    for (number, line) in whole.as_bytes().chunks(ENCODED).enumerate() {
        if number > 0 {
            kept.extend_from_slice(CRLF);
        }
        kept.extend_from_slice(line);
    }
    Body::dangerous_pre_encoded(kept, ContentTransferEncoding::Base64)
}

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut begin = 0;
    let ends = memchr_iter(b'\n', text).chain([text.len()]);
    ends.map(move |end| {
        let line = &text[begin..end];
        begin = end + 1;
        line
    })
}

fn with_crlf(text: &[u8]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(text.len() + text.len() / 16);
    for (number, line) in lines(text).enumerate() {
        if number > 0 {
            kept.extend_from_slice(CRLF);
        }
        kept.extend_from_slice(line);
    }
    kept
}

/// The library takes ten times as long for a line that needs no soft line break.
fn quoted_printable(text: &[u8]) -> Result<Vec<u8>, String> {
    let mut kept = Vec::with_capacity(text.len() + text.len() / 8);
    for (number, line) in lines(text).enumerate() {
        if number > 0 {
            kept.extend_from_slice(CRLF);
        }
        let begin = kept.len();
        if !fits(line, &mut kept) {
            kept.truncate(begin);
            let encoding = ContentTransferEncoding::QuotedPrintable;
            let line = Body::new_with_encoding(line.to_vec(), encoding)
                .map_err(|_| "a body cannot be encoded".to_owned())?;
            without_from(&line.into_vec(), &mut kept);
        }
    }
    Ok(kept)
}

const FROM: &[u8] = b"From ";

/// In capitals (RFC 2045 6.7, rule 1).
const DIGITS: &[u8; 16] = b"0123456789ABCDEF";

/// Adds the line as quoted-printable has it (RFC 2045 6.7); false where it is too long for one, or ends or
/// begins as none may.
fn fits(line: &[u8], kept: &mut Vec<u8>) -> bool {
    let begin = kept.len();
    let may_stand = !matches!(line.last(), Some(b' ' | b'\t')) && !line.starts_with(FROM);
    if line.len() > ENCODED || !may_stand {
        return false;
    }
    let is_plain = |byte: u8| matches!(byte, b'\t' | b' '..=b'~') && byte != b'=';
    // Without a way out in the middle, many bytes are looked at in one step.
    if line.iter().fold(true, |all, byte| all & is_plain(*byte)) {
        kept.extend_from_slice(line);
        return true;
    }
    for byte in line {
        if is_plain(*byte) {
            kept.push(*byte);
        } else {
            let (high, low) = (usize::from(byte >> 4), usize::from(byte & 15));
            kept.extend([b'=', DIGITS[high], DIGITS[low]]);
        }
    }
    kept.len() - begin <= ENCODED
}

/// Mailboxes of old put `>` before a line that begins with `From `, and so break the signature over it
/// (RFC 3156 3). A soft line break after the word, unlike an escape, makes no line longer.
fn without_from(encoded: &[u8], kept: &mut Vec<u8>) {
    for line in encoded.split_inclusive(|byte| *byte == b'\n') {
        match line.strip_prefix(FROM) {
            Some(rest) => {
                kept.extend_from_slice(b"From=\r\n ");
                kept.extend_from_slice(rest);
            }
            None => kept.extend_from_slice(line),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_stay_are_encoded_as_the_library_would() {
        let long = "word ".repeat(40);
        for text in [
            "",
            "plain\n\n  indented, with = and \u{e4}\nends in a space \nand\ta tab\t\n.\n",
            &format!("{}\n{}\n{}", "a".repeat(76), "a".repeat(77), long),
            &format!("{}\u{e4}{}\n", "b".repeat(75), "c".repeat(80)),
        ] {
            let whole = text.replace('\n', "\r\n").into_bytes();
            let whole = as_the_library(whole, ContentTransferEncoding::QuotedPrintable);
            let kept = String::from_utf8(quoted_printable(text.as_bytes()).unwrap()).unwrap();
            assert_eq!(kept, whole);
        }
        let kept = quoted_printable(b"From x\nFrom\nfrom From y").unwrap();
        assert_eq!(kept, b"From=\r\n x\r\nFrom\r\nfrom From y");
    }

    #[test]
    fn files_are_encoded_as_the_library_would() {
        let bytes: Vec<u8> = (0..=255).cycle().take(1_000).collect();
        for length in [0, 1, 2, 3, 56, 57, 58, 114, 115, 1_000] {
            let kept = base64(&bytes[..length]).into_vec();
            let whole = as_the_library(bytes[..length].to_vec(), ContentTransferEncoding::Base64);
            assert_eq!(String::from_utf8(kept).unwrap(), whole, "{length}");
        }
    }

    #[test]
    fn line_ends_are_those_of_mail() {
        for (text, kept) in [
            ("", ""),
            ("a", "a"),
            ("a\n", "a\r\n"),
            ("\na\n\nb", "\r\na\r\n\r\nb"),
        ] {
            assert_eq!(with_crlf(text.as_bytes()), kept.as_bytes());
        }
    }

    fn as_the_library(bytes: Vec<u8>, encoding: ContentTransferEncoding) -> String {
        let whole = Body::new_with_encoding(bytes, encoding).unwrap();
        String::from_utf8(whole.into_vec()).unwrap()
    }
}
