//! A file cut into messages: an mbox at its `From ` lines, anything else is one.

use std::io::{self, BufRead, Read as _};

use crate::model::KEPT;

/// Longer lines come in several pieces.
const LONGEST_LINE: u64 = 64 * 1024;

const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

pub(super) struct Stream {
    input: Box<dyn BufRead>,
    may_be_mbox: bool,
    is_mbox: bool,
    /// Of what is read next, counted from 1.
    line: u64,
    buffer: Vec<u8>,
    /// Whether the next thing in the buffer begins a line.
    at_line_start: bool,
    is_begun: bool,
    is_over: bool,
}

/// One message's bytes.
pub(super) struct Piece {
    /// At most [`KEPT`] of them.
    pub(super) kept: Vec<u8>,
    pub(super) size: u64,
    pub(super) line: u64,
}

impl Piece {
    fn add(&mut self, bytes: &[u8]) {
        let room = KEPT - self.kept.len();
        self.kept.extend_from_slice(&bytes[..room.min(bytes.len())]);
        self.size += bytes.len() as u64;
    }
}

impl Stream {
    pub(super) fn new(input: Box<dyn BufRead>, may_be_mbox: bool) -> Self {
        Self {
            input,
            may_be_mbox,
            is_mbox: false,
            line: 1,
            buffer: Vec::new(),
            at_line_start: true,
            is_begun: false,
            is_over: false,
        }
    }

    /// The next message, empty ones too; `None` at the end.
    pub(super) fn next(&mut self) -> io::Result<Option<Piece>> {
        if self.is_over {
            return Ok(None);
        }
        let mut piece = Piece {
            kept: Vec::new(),
            size: 0,
            line: self.line,
        };
        // An mbox has an empty line behind each message that is none of it.
        let mut held_back = Vec::new();
        loop {
            let begins_line = self.at_line_start;
            if !self.read()? {
                self.is_over = true;
                break;
            }
            let is_first = !std::mem::replace(&mut self.is_begun, true);
            if is_first && self.buffer.starts_with(b"From ") {
                // Some write such a line above a message that is alone in its file, too.
                self.is_mbox = self.may_be_mbox;
                piece.line = self.line;
                continue;
            }
            if self.is_mbox && begins_line && is_separator(&self.buffer) {
                break;
            }
            piece.add(&held_back);
            held_back.clear();
            let mut bytes = self.buffer.as_slice();
            if self.is_mbox && begins_line {
                bytes = unquoted(bytes);
                if matches!(bytes, b"\n" | b"\r\n") {
                    held_back.extend_from_slice(bytes);
                    continue;
                }
            }
            piece.add(bytes);
        }
        Ok(Some(piece))
    }

    /// The next line or piece of one; whether there was any.
    fn read(&mut self) -> io::Result<bool> {
        self.buffer.clear();
        let mut limited = self.input.by_ref().take(LONGEST_LINE);
        let n = limited.read_until(b'\n', &mut self.buffer)?;
        self.at_line_start = self.buffer.ends_with(b"\n");
        self.line += u64::from(self.at_line_start);
        Ok(n > 0)
    }
}

/// `From SENDER Mon Mar  1 09:00:00 2004`, with whatever else. A sentence may begin with `From`, too, and
/// not all who write an mbox quote it.
fn is_separator(line: &[u8]) -> bool {
    let Some(rest) = line.strip_prefix(b"From ") else {
        return false;
    };
    let Ok(rest) = str::from_utf8(&rest[..rest.len().min(1_000)]) else {
        return false;
    };
    let mut words = rest.split_ascii_whitespace();
    let is_weekday = |word: &str| WEEKDAYS.contains(&word.trim_end_matches(','));
    if !words.any(is_weekday) {
        return false;
    }
    let is_number = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit());
    let is_time = |word: &str| word.contains(':') && word.split(':').all(is_number);
    let is_year = |word: &str| word.len() == 4 && is_number(word);
    let date: Vec<&str> = words.collect();
    let has = |is: &dyn Fn(&str) -> bool| date.iter().any(|word| is(word));
    has(&|word| MONTHS.contains(&word)) && has(&is_time) && has(&is_year)
}

/// mboxrd: of `>From`, `>>From` and so on, one `>` is quoting.
fn unquoted(line: &[u8]) -> &[u8] {
    let quotes = line.iter().take_while(|byte| **byte == b'>').count();
    if quotes > 0 && line[quotes..].starts_with(b"From ") {
        &line[1..]
    } else {
        line
    }
}

#[cfg(test)]
mod tests {
    use super::is_separator;

    #[test]
    fn a_line_that_begins_a_message_has_a_date() {
        for (line, begins) in [
            ("From MAILER-DAEMON Tue Mar 02 09:06:12 2004", true),
            ("From MAILER-DAEMON  Mon Feb  9 22:06:12 2026\r\n", true),
            ("From a@b.example Wed Mar  7 11:06 GMT 2007\n", true),
            ("From - Sat, 06 Dec 2025 13:14:15 +0100", true),
            ("From Monday on, all mail is answered", false),
            ("From Tue to Fri we are away until May 2026", false),
            ("From: desk@isp.example", false),
            ("From ", false),
            ("From 10:30 on", false),
        ] {
            assert_eq!(is_separator(line.as_bytes()), begins, "{line}");
        }
    }
}
