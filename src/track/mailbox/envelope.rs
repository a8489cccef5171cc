//! What the last mail server wrote down of the envelope, at the head of a message that lies in a file.

use crate::model::{field_name, token_in};

/// Longer ones are nobody's.
const LONGEST_ADDRESS: usize = 1_000;

/// Addresses of one field that are looked at.
const MOST: usize = 50;

/// Whether it begins with header fields, as a message does.
pub(super) fn has_fields(message: &[u8]) -> bool {
    fields(message).next().is_some()
}

/// From whom it came, if anybody has told it, and for whom it was, empty where nobody has. Of several
/// recipients, as a forward leaves them, the one counts that is a letter's own mailbox, else the first.
///
/// Many a mailbox keeps no envelope. What a message says of itself in `To` counts then only where it bears a
/// token, which proves itself.
pub(in crate::track) fn told(message: &[u8]) -> (Option<String>, String) {
    let (mut from, mut to, mut said) = (None, Vec::new(), Vec::new());
    for (name, value) in fields(message) {
        match name.as_str() {
            "return-path" if from.is_none() => from = Some(address(&value)),
            "delivered-to" | "x-original-to" | "envelope-to" => to.push(address(&value)),
            "to" | "cc" => said.extend(value.split(',').take(MOST).map(address)),
            _ => {}
        }
    }
    let bears_token = |address: &String| token_in(address).is_some();
    let of_letter = to.iter().position(bears_token);
    let to = match of_letter {
        Some(at) => to.into_iter().nth(at),
        None => said.into_iter().find(bears_token).or(to.into_iter().next()),
    };
    (from, to.unwrap_or_default())
}

/// Names in lower case with their unfolded values (RFC 5322 2.2), to the first empty line.
fn fields(message: &[u8]) -> impl Iterator<Item = (String, String)> {
    let mut lines = message
        .split(|byte| *byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        // Somebody may have pasted it.
        .skip_while(|line| line.is_empty())
        .take_while(|line| !line.is_empty())
        .peekable();
    std::iter::from_fn(move || {
        loop {
            let line = lines.next()?;
            let Some((name, value)) = field(line) else {
                continue;
            };
            let mut value = String::from_utf8_lossy(value).into_owned();
            while let Some(folded) =
                lines.next_if(|line| line.starts_with(b" ") || line.starts_with(b"\t"))
            {
                value.push_str(&String::from_utf8_lossy(folded));
            }
            return Some((name, value));
        }
    })
}

fn field(line: &[u8]) -> Option<(String, &[u8])> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let name = field_name(str::from_utf8(&line[..=colon]).ok()?)?;
    Some((name.to_ascii_lowercase(), &line[colon + 1..]))
}

fn address(value: &str) -> String {
    let inside = value
        .split_once('<')
        .and_then(|(_, rest)| rest.rsplit_once('>'))
        .map(|(inside, _)| inside);
    let address = match inside {
        Some(inside) => inside.trim(),
        None => value.split_whitespace().next().unwrap_or_default(),
    };
    let is_one = address.len() <= LONGEST_ADDRESS && !address.contains(char::is_control);
    if is_one {
        address.to_owned()
    } else {
        String::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_envelope_is_told_by_the_last_mail_server() {
        let token = "b-baaaaaaaaaabk27777777777777777@bounces.example";
        for (message, from, to) in [
            (
                "Return-Path: <>\nDelivered-To: a@b.example\n\nx",
                Some(""),
                "a@b.example",
            ),
            (
                "Return-path: <d@isp.example> (by mx)\r\nX-Original-To:\r\n\ta@b.example\r\nDelivered-To: c@b.example\r\n\r\n",
                Some("d@isp.example"),
                "a@b.example",
            ),
            (
                &format!("Delivered-To: box@b.example\nX-Original-To: {token}\n\n"),
                None,
                token,
            ),
            (
                &format!("Delivered-To: box@b.example\nTo: a@b.example,\n \"B\" <{token}>\n\n"),
                None,
                token,
            ),
            ("To: a@b.example\n\n", None, ""),
            ("Subject: a\n\nReturn-Path: <x@y.example>\n", None, ""),
            (
                "\n\nReturn-Path: d@isp.example\n",
                Some("d@isp.example"),
                "",
            ),
            ("Return-Path: <a\0b@isp.example>\n\n", Some(""), ""),
        ] {
            assert_eq!(
                told(message.as_bytes()),
                (from.map(str::to_owned), to.to_owned()),
                "{message}"
            );
        }
    }

    #[test]
    fn what_is_no_message_has_no_fields() {
        for (text, is_message) in [
            ("Subject: a\n", true),
            ("\r\nSubject: a\r\n", true),
            ("eturn-Path: <>\n", true),
            ("PK\u{3}\u{4}", false),
            ("Dear all,\n\nSubject: a\n", false),
            ("", false),
        ] {
            assert_eq!(has_fields(text.as_bytes()), is_message, "{text:?}");
        }
    }
}
