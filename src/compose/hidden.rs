//! Recipients in the parts of a message that are encoded: found, though not read.

use base64::Engine;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::trace::Trace;

/// As base64 stands in mail and in links: with padding or without, cut anywhere.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The shortest line that counts as one of a body in base64, and the shortest word in a link.
const LINE: usize = 20;
const WORD: usize = 8;

/// Puts `withheld` where something in base64 has a trace in it: whole bodies as well as single words,
/// such as the parameters of links.
pub(super) fn withhold_base64(text: &str, traces: &[Trace], withheld: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut block = String::new();
    for line in text.split_inclusive("\r\n") {
        let bare = line.trim_end();
        let is_last = !block.is_empty() && !bare.is_empty();
        let is_block = (bare.len() >= LINE || is_last) && bare.bytes().all(is_sign);
        if is_block {
            block.push_str(line);
            continue;
        }
        keep_block(&mut kept, &mut block, traces, withheld);
        keep_words(&mut kept, line, traces, withheld);
    }
    keep_block(&mut kept, &mut block, traces, withheld);
    kept
}

/// Whether a trace shows when the text is read as quoted-printable, as percent-encoding or as HTML.
pub(super) fn is_hidden_in(text: &str, traces: &[Trace]) -> bool {
    let quoted = text.replace("=\r\n", "");
    [
        (text.contains('='), escaped(&quoted, b'=')),
        (text.contains('%'), escaped(text, b'%')),
        (text.contains("&#"), entities(text)),
    ]
    .into_iter()
    .filter(|(may_be, _)| *may_be)
    .any(|(_, read)| has_trace(&read, traces))
}

fn has_trace(text: &str, traces: &[Trace]) -> bool {
    let lower = text.to_ascii_lowercase();
    traces.iter().any(|trace| trace.is_in(&lower))
}

fn is_sign(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+/=-_".contains(&byte)
}

fn keep_block(kept: &mut String, block: &mut String, traces: &[Trace], withheld: &str) {
    if is_told_in(block, traces) {
        kept.push_str(withheld);
        kept.push_str("\r\n");
    } else {
        kept.push_str(block);
    }
    block.clear();
}

fn keep_words(kept: &mut String, line: &str, traces: &[Trace], withheld: &str) {
    let is_inside = |c: char| c.is_ascii() && is_sign(c as u8) && c != '=';
    let mut rest = line;
    while let Some(begin) = rest.find(is_inside) {
        let (before, word) = rest.split_at(begin);
        let end = word.find(|c| !is_inside(c)).unwrap_or(word.len());
        let (word, behind) = word.split_at(end);
        kept.push_str(before);
        let is_told = word.len() >= WORD && is_told_in(word, traces);
        kept.push_str(if is_told { withheld } else { word });
        rest = behind;
    }
    kept.push_str(rest);
}

/// Whether a trace shows when this is read as base64; also in a charset of two bytes a character.
fn is_told_in(encoded: &str, traces: &[Trace]) -> bool {
    let mut signs: Vec<u8> = encoded
        .bytes()
        .filter(|byte| is_sign(*byte) && *byte != b'=')
        .map(|byte| match byte {
            b'-' => b'+',
            b'_' => b'/',
            other => other,
        })
        .collect();
    // A single sign left over says nothing, and may be half of what was cut off.
    if signs.len() % 4 == 1 {
        signs.pop();
    }
    let Ok(mut bytes) = BASE64.decode(&signs) else {
        return false;
    };
    bytes.retain(|byte| *byte != 0);
    let read = String::from_utf8_lossy(&bytes);
    has_trace(&read, traces)
}

/// What `=41` or `%41` stand for; bytes beyond ASCII become a sign that is no letter.
fn escaped(text: &str, lead: u8) -> String {
    let bytes = text.as_bytes();
    let digit = |at: usize| bytes.get(at).and_then(|byte| (*byte as char).to_digit(16));
    let mut read = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match (*byte == lead, digit(at + 1), digit(at + 2)) {
            (true, Some(high), Some(low)) => {
                read.push((high * 16 + low) as u8);
                at += 3;
            }
            _ => {
                read.push(*byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&read).into_owned()
}

/// What `&#65;` and `&#x41;` stand for.
fn entities(text: &str) -> String {
    let mut read = String::with_capacity(text.len());
    let mut pieces = text.split("&#");
    read.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        let number = piece.split(';').next().unwrap_or_default();
        let parsed = match number.strip_prefix(['x', 'X']) {
            Some(digits) => u32::from_str_radix(digits, 16),
            None => number.parse(),
        };
        match parsed.ok().and_then(char::from_u32) {
            Some(c) => {
                read.push(c);
                read.push_str(piece.get(number.len() + 1..).unwrap_or_default());
            }
            None => {
                read.push_str("&#");
                read.push_str(piece);
            }
        }
    }
    read
}
