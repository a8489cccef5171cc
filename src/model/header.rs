//! The header of a message, as far as its lines tell (RFC 5322 2.2).

/// The name of the field that a line begins; `None` for a line that begins none.
#[must_use]
pub fn field_name(line: &str) -> Option<&str> {
    let (name, _) = line.split_once(':')?;
    let name = name.trim_end();
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic());
    is_name.then_some(name)
}

/// Whether a text begins with a header. A line `From …` before it is what mailboxes part messages by.
#[must_use]
pub fn has_header(message: &str) -> bool {
    let mut lines = message.lines();
    let first = lines.next().unwrap_or_default();
    let begins = field_name(first).is_some();
    begins || (first.starts_with("From ") && lines.next().and_then(field_name).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_begins_with_a_field() {
        for (text, has) in [
            ("Received: from x\r\n\r\nBody", true),
            ("Subject : x", true),
            ("From spam@example Mon Nov  2\r\nTo: a", true),
            ("From spam@example\r\nBuy now", false),
            ("Buy now: cheap", false),
            ("\r\nFrom: a", false),
            (" folded: x\r\nFrom: a", false),
            ("", false),
        ] {
            assert_eq!(has_header(text), has, "{text:?}");
        }
    }
}
