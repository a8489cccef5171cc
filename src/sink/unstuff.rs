//! The text behind DATA: dots taken out (RFC 5321 4.5.2), the end found, the size kept in bounds.

/// A letter's text on its way in, in pieces of any size.
pub(super) struct Unstuff {
    text: Vec<u8>,
    most: usize,
    is_too_long: bool,
    place: Place,
}

/// Where the next byte stands. Only CR LF ends a line: a server that takes a bare LF for a line end
/// lets two letters be smuggled in as one (CVE-2023-51764).
#[derive(Clone, Copy, PartialEq)]
enum Place {
    LineStart,
    InLine,
    AfterCr,
    AfterDot,
    AfterDotCr,
    End,
}

impl Unstuff {
    /// For a text of `most` bytes at most; of a longer one nothing is kept.
    pub(super) fn new(most: usize) -> Self {
        Self {
            text: Vec::new(),
            most,
            is_too_long: false,
            place: Place::LineStart,
        }
    }

    /// Takes from `bytes` what belongs to the text and says how much that was: all, unless the
    /// final dot is among them.
    pub(super) fn take(&mut self, bytes: &[u8]) -> usize {
        let mut at = 0;
        while self.place != Place::End
            && let Some(&byte) = bytes.get(at)
        {
            if self.place == Place::InLine {
                let rest = &bytes[at..];
                let run = rest.iter().position(|b| *b == b'\r').unwrap_or(rest.len());
                if run > 0 {
                    self.keep(&rest[..run]);
                    at += run;
                    continue;
                }
            }
            self.step(byte);
            at += 1;
        }
        at
    }

    fn step(&mut self, byte: u8) {
        self.place = match (self.place, byte) {
            (Place::LineStart, b'.') => Place::AfterDot,
            (Place::AfterDot, b'\r') => Place::AfterDotCr,
            (Place::AfterDotCr, b'\n') => Place::End,
            (Place::AfterDotCr, _) => {
                // It was no end: the dot was stuffing, and the CR it was held back with belongs to the text.
                self.keep(b"\r");
                self.place = Place::AfterCr;
                return self.step(byte);
            }
            (Place::AfterCr, b'\n') => {
                self.keep(b"\n");
                Place::LineStart
            }
            (_, b'\r') => {
                self.keep(b"\r");
                Place::AfterCr
            }
            (_, byte) => {
                self.keep(&[byte]);
                Place::InLine
            }
        };
    }

    fn keep(&mut self, bytes: &[u8]) {
        if self.is_too_long || self.text.len() + bytes.len() > self.most {
            self.is_too_long = true;
            self.text = Vec::new();
        } else {
            self.text.extend_from_slice(bytes);
        }
    }

    pub(super) fn is_complete(&self) -> bool {
        self.place == Place::End
    }

    /// The text, or `None` when it was longer than allowed.
    pub(super) fn finish(self) -> Option<Vec<u8>> {
        (!self.is_too_long).then_some(self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CASES: [(&str, &str); 14] = [
        (".\r\n", ""),
        ("\r\n.\r\n", "\r\n"),
        ("Hello\r\n.\r\n", "Hello\r\n"),
        ("..\r\n.\r\n", ".\r\n"),
        ("...\r\n.\r\n", "..\r\n"),
        ("a\r\n..\r\nb\r\n.\r\n", "a\r\n.\r\nb\r\n"),
        (".lone\r\n.\r\n", "lone\r\n"),
        ("a.\r\n.\r\n", "a.\r\n"),
        ("a\n.\nb\r\n.\r\n", "a\n.\nb\r\n"),
        ("a\n.\r\nb\r\n.\r\n", "a\n.\r\nb\r\n"),
        ("a\r\n.\nb\r\n.\r\n", "a\r\n\nb\r\n"),
        ("a\r.\r\nb\r\n.\r\n", "a\r.\r\nb\r\n"),
        (".\rx\r\n.\r\n", "\rx\r\n"),
        (".\r\r\n.\r\n", "\r\r\n"),
    ];

    #[test]
    fn dots_are_taken_out_however_the_text_is_cut() {
        for (sent, meant) in CASES {
            let stream = [sent.as_bytes(), b"QUIT\r\n"].concat();
            for size in 1..=stream.len() {
                let mut text = Unstuff::new(1_000);
                let used: usize = stream.chunks(size).map(|part| text.take(part)).sum();
                assert!(text.is_complete(), "{sent:?} by {size}");
                assert_eq!(used, sent.len(), "{sent:?} by {size}");
                let kept = text.finish().unwrap();
                assert_eq!(String::from_utf8(kept).unwrap(), meant, "by {size}");
            }
        }
    }

    #[test]
    fn what_is_too_long_is_not_kept_but_its_end_is_found() {
        for (most, fits) in [(7, true), (6, false), (0, false)] {
            let mut text = Unstuff::new(most);
            assert_eq!(text.take(b"Hello\r\n.\r\nRSET"), 10);
            assert!(text.is_complete());
            assert_eq!(text.finish().is_some(), fits, "{most}");
        }
    }
}
