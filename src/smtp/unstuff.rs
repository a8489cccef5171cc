//! The text behind DATA: dots taken out (RFC 5321 4.5.2), the end found, as much kept as is wished.

/// A letter's text on its way in, in pieces of any size.
pub(super) struct Unstuff {
    text: Text,
    most: usize,
    place: Place,
}

/// What came before the final dot.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Text {
    /// As much of it as was to be kept.
    pub(crate) kept: Vec<u8>,
    /// Bytes of all of it.
    pub(crate) size: u64,
}

impl Text {
    pub(crate) fn is_whole(&self) -> bool {
        self.kept.len() as u64 == self.size
    }
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
    /// Keeps `most` bytes of a text of any length.
    pub(super) fn new(most: usize) -> Self {
        let text = Text {
            kept: Vec::new(),
            size: 0,
        };
        Self {
            text,
            most,
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
        let room = self.most - self.text.kept.len();
        self.text
            .kept
            .extend_from_slice(&bytes[..room.min(bytes.len())]);
        self.text.size += bytes.len() as u64;
    }

    pub(super) fn is_complete(&self) -> bool {
        self.place == Place::End
    }

    pub(super) fn finish(self) -> Text {
        self.text
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
                let text = text.finish();
                assert!(text.is_whole());
                assert_eq!(String::from_utf8(text.kept).unwrap(), meant, "by {size}");
            }
        }
    }

    #[test]
    fn of_what_is_too_long_the_beginning_is_kept_and_the_end_is_found() {
        for (most, kept) in [(7, "Hello\r\n"), (6, "Hello\r"), (0, "")] {
            let mut text = Unstuff::new(most);
            assert_eq!(text.take(b"Hello\r\n.\r\nRSET"), 10);
            assert!(text.is_complete());
            let text = text.finish();
            assert_eq!((text.kept.as_slice(), text.size), (kept.as_bytes(), 7));
            assert_eq!(text.is_whole(), most == 7);
        }
    }
}
