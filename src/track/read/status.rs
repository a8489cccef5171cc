//! Status codes as servers write them (RFC 3463), and the replies they stand in.

/// `5.1.1`, verbatim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Code(String);

impl Code {
    /// The first in a text: `5.1.1`, `#5.1.1`, `550-5.1.1`, `5.1.1 (bad address)`, but no address or version.
    /// One that tells of success only where no other stands: a dialogue ends with what went wrong.
    pub(super) fn find(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let mut success = None;
        let mut at = 0;
        while at + 5 <= bytes.len() {
            let may_begin = at == 0
                || !(bytes[at - 1].is_ascii_alphanumeric()
                    || matches!(bytes[at - 1], b'.' | b'@' | b'_' | b'/'));
            if may_begin
                && matches!(bytes[at], b'2' | b'4' | b'5')
                && bytes[at + 1] == b'.'
                && let Some(len) = Self::len(&bytes[at..])
            {
                let code = Self(text[at..at + len].to_owned());
                if code.class() != 2 {
                    return Some(code);
                }
                success.get_or_insert(code);
            }
            at += 1;
        }
        success
    }

    /// One that stands where a reply has it: at its beginning, or behind its number.
    pub(super) fn of_reply(said: &str) -> Option<Self> {
        let code = Self::find(said)?;
        let before = said[..said.find(code.as_str())?].trim_end_matches(['-', ' ', ':', '(']);
        let number = before
            .rsplit(|c: char| !c.is_ascii_digit())
            .next()
            .unwrap_or_default();
        let is_reply = number.len() == 3 && before.len() < 400;
        (is_reply || before.is_empty()).then_some(code)
    }

    fn len(bytes: &[u8]) -> Option<usize> {
        let digits = |from: usize| {
            bytes[from..]
                .iter()
                .take_while(|byte| byte.is_ascii_digit())
                .count()
        };
        let subject = digits(2);
        let detail_at = 2 + subject + 1;
        if !(1..=3).contains(&subject) || bytes.get(detail_at - 1) != Some(&b'.') {
            return None;
        }
        let detail = digits(detail_at);
        let end = detail_at + detail;
        let goes_on = match (bytes.get(end), bytes.get(end + 1)) {
            (Some(b'.'), Some(next)) => next.is_ascii_alphanumeric(),
            (Some(next), _) => next.is_ascii_alphanumeric() || *next == b'_' || *next == b'@',
            _ => false,
        };
        ((1..=3).contains(&detail) && !goes_on).then_some(end)
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// 2, 4 or 5.
    pub(super) fn class(&self) -> u8 {
        self.0.as_bytes()[0] - b'0'
    }

    /// `5.0.0` tells no more than that it failed.
    pub(super) fn is_bare(&self) -> bool {
        self.0.ends_with(".0.0")
    }
}

/// The number of an SMTP reply, where a text has one: `550`, `552-`.
pub(super) fn reply(text: &str) -> Option<u16> {
    let bytes = text.as_bytes();
    for (at, window) in bytes.windows(3).enumerate() {
        let is_code = matches!(window[0], b'4' | b'5')
            && matches!(window[1], b'0'..=b'7')
            && window[2].is_ascii_digit();
        let may_begin = at == 0
            || matches!(
                bytes[at - 1],
                b' ' | b':'
                    | b'('
                    | b'\t'
                    | b'\n'
                    | b'<'
                    | b'>'
                    | b'"'
                    | b'\''
                    | b'['
                    | b'#'
                    | b'='
            );
        let may_end = bytes.get(at + 3).is_none_or(|next| {
            matches!(
                next,
                b' ' | b'-' | b':' | b'\n' | b'#' | b')' | b'.' | b',' | b'\'' | b'"' | b']'
            )
        });
        if is_code && may_begin && may_end {
            return text[at..at + 3].parse().ok();
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_told_from_other_numbers() {
        for (text, expected) in [
            ("550 5.1.1 unknown", "5.1.1"),
            ("550-5.7.26 This", "5.7.26"),
            ("(#5.7.17)", "5.7.17"),
            ("5.1.1 (bad destination)", "5.1.1"),
            ("rejected: 5.7.606.", "5.7.606"),
            ("250 2.1.0 Ok, RCPT To, 451 4.7.1 later", "4.7.1"),
            ("250 2.1.5 Ok, 250 2.0.0 queued", "2.1.5"),
            ("192.0.2.5.1.1", ""),
            ("host 5.1.1.7", ""),
            ("version 5.5.1a", ""),
            ("4.10", ""),
        ] {
            assert_eq!(
                Code::find(text).map_or(String::new(), |code| code.0),
                expected,
                "{text}"
            );
        }
        assert!(Code::of_reply("smtp; 550-5.7.26 x").is_some());
        assert!(Code::of_reply("550 sorry, no mailbox here by that name. (#5.7.17)").is_none());
        assert_eq!(reply("said: 552-too large"), Some(552));
        assert_eq!(reply("port 5500"), None);
    }
}
