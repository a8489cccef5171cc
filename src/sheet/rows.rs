//! Cuts text into rows: physical lines, joined where a quoted cell of a CSV file (RFC 4180) runs
//! over several of them.

use std::io::{self, BufRead, Chain, Cursor, Read};

use super::{LONGEST_ROW, Text};

/// A row's bytes lie in the buffer that the caller gave; this says what they are.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Row,
    Bad {
        reason: String,
        remedy: &'static str,
    },
}

impl Piece {
    pub(super) fn bad(reason: impl Into<String>, remedy: &'static str) -> Self {
        Self::Bad {
            reason: reason.into(),
            remedy,
        }
    }
}

/// What has been looked at already, and the rest behind it.
pub(super) type Source = Chain<Cursor<Vec<u8>>, Text>;

pub(super) struct Rows<R = Source> {
    input: R,
    line_end: u8,
    /// The delimiter, where cells may be quoted.
    quoted_by: Option<u8>,
    /// Lines that were joined in vain, to be read again one by one.
    again: Vec<u8>,
    again_at: usize,
    /// The number of the line read last.
    line: u64,
    /// Up to this line a row ends with its line: an open quote was followed so far already, and
    /// following each of a million open quotes for 64 KiB would take a day.
    single_up_to: u64,
}

impl<R: BufRead> Rows<R> {
    pub(super) fn new(input: R, line_end: u8, quoted_by: Option<u8>) -> Self {
        Self {
            input,
            line_end,
            quoted_by,
            again: Vec::new(),
            again_at: 0,
            line: 0,
            single_up_to: 0,
        }
    }

    /// The next row into `row`, without its line end, and the number of its first line.
    pub(super) fn next(&mut self, row: &mut Vec<u8>) -> io::Result<Option<(u64, Piece)>> {
        row.clear();
        if !self.read_line(row)? {
            return Ok(None);
        }
        let line = self.line;
        let piece = if row.len() > LONGEST_ROW {
            if row.last() != Some(&self.line_end) {
                self.skip_line()?;
            }
            Piece::bad(
                format!("the row is longer than {} KiB", LONGEST_ROW / 1024),
                "shorten it, or see whether a line break is missing",
            )
        } else {
            self.join(row)?
        };
        while let [.., b'\r' | b'\n'] = row.as_slice() {
            row.pop();
        }
        if piece == Piece::Row && row.contains(&0) {
            let piece = Piece::bad("the row holds a NUL byte", "write the file as plain text");
            return Ok(Some((line, piece)));
        }
        Ok(Some((line, piece)))
    }

    /// Adds lines until every quote is closed. Where that never happens, only the first line is
    /// bad; what was added to it is read again.
    fn join(&mut self, row: &mut Vec<u8>) -> io::Result<Piece> {
        let Some(delimiter) = self.quoted_by.filter(|_| row.contains(&b'"')) else {
            return Ok(Piece::Row);
        };
        let (first_line, first_len) = (self.line, row.len());
        let mut quotes = Quotes::default();
        let mut seen = 0;
        loop {
            let state = quotes.follow(&row[seen..], delimiter);
            seen = row.len();
            match state {
                Followed::Closed if seen <= LONGEST_ROW => return Ok(Piece::Row),
                Followed::Open
                    if self.line >= self.single_up_to
                        && seen <= LONGEST_ROW
                        && self.read_line(row)? => {}
                Followed::Open | Followed::Closed => {
                    self.single_up_to = self.single_up_to.max(self.line);
                    break;
                }
                // The line that shows the quote to be stray may well be sound itself.
                Followed::Stray => {
                    self.single_up_to = self.single_up_to.max(self.line - 1);
                    break;
                }
            }
        }
        self.again.splice(..self.again_at, row.drain(first_len..));
        self.again_at = 0;
        self.line = first_line;
        Ok(Piece::bad(
            "a quote that is opened in this line is never closed",
            "close it; a quote inside a quoted cell is written twice",
        ))
    }

    /// Adds one line, or as much of it as a row may hold and a byte. False at the end.
    fn read_line(&mut self, row: &mut Vec<u8>) -> io::Result<bool> {
        let before = row.len();
        let limit = (LONGEST_ROW + 1).saturating_sub(before).max(1);
        let again = &self.again[self.again_at..];
        if !again.is_empty() {
            let again = &again[..again.len().min(limit)];
            let end = again.iter().position(|byte| *byte == self.line_end);
            row.extend_from_slice(&again[..end.map_or(again.len(), |at| at + 1)]);
            self.again_at += row.len() - before;
        }
        let taken = row.len() - before;
        if taken < limit && (taken == 0 || row.last() != Some(&self.line_end)) {
            let mut rest = self.input.by_ref().take((limit - taken) as u64);
            rest.read_until(self.line_end, row)?;
        }
        self.line += u64::from(row.len() > before);
        Ok(row.len() > before)
    }

    fn skip_line(&mut self) -> io::Result<()> {
        let mut dropped = Vec::new();
        loop {
            let line = self.line;
            let more = self.read_line(&mut dropped)?;
            self.line = line;
            if !more || dropped.last() == Some(&self.line_end) {
                return Ok(());
            }
            dropped.clear();
        }
    }
}

enum Followed {
    Closed,
    Open,
    Stray,
}

/// Where in a row of delimited text one stands.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Start,
    Bare,
    Quoted,
    /// Behind a quote in a quoted cell: the end of the cell, or the first half of a quote.
    Behind,
    /// Behind the quote that ends a cell, and blanks.
    Done,
}

#[derive(Default)]
struct Quotes {
    place: Place,
}

impl Quotes {
    /// Follows one more line. A quote that closes a cell begun in an earlier line and has text
    /// right behind it opened one: the earlier one was stray. Inside one line such text is taken
    /// as it stands, for people write `"a "b" c"`.
    fn follow(&mut self, line: &[u8], delimiter: u8) -> Followed {
        let mut from_before = self.place == Place::Quoted;
        for byte in line {
            self.place = match (self.place, *byte) {
                (Place::Quoted, b'"') => Place::Behind,
                (Place::Quoted, _) => Place::Quoted,
                (Place::Behind, b'"') => Place::Quoted,
                (_, byte) if byte == delimiter => Place::Start,
                (Place::Start, b'"') => Place::Quoted,
                (Place::Start, b' ') => Place::Start,
                (Place::Behind | Place::Done, b' ' | b'\r' | b'\n') => Place::Done,
                (Place::Behind | Place::Done, _) if from_before => return Followed::Stray,
                _ => Place::Bare,
            };
            from_before &= !matches!(self.place, Place::Start | Place::Bare);
        }
        match self.place {
            Place::Quoted => Followed::Open,
            _ => Followed::Closed,
        }
    }
}

/// Where the cells of a row stand in `text`. A cell that held escaped quotes is written again
/// behind the row.
pub(super) fn cells(text: &mut String, delimiter: u8, spans: &mut Vec<(usize, usize)>) {
    spans.clear();
    let end = text.len();
    let mut at = 0;
    while at <= end {
        let rest = &text.as_bytes()[at..end];
        let lead = rest.iter().take_while(|byte| **byte == b' ').count();
        let (span, stop) = if rest.get(lead) == Some(&b'"') {
            quoted_cell(text, at + lead + 1, end, delimiter)
        } else {
            let len = rest.iter().position(|byte| *byte == delimiter);
            let stop = at + len.unwrap_or(rest.len());
            ((at, stop), stop)
        };
        spans.push(span);
        at = stop + 1;
    }
}

/// The cell whose opening quote stands before `at`, and where it ends.
fn quoted_cell(text: &mut String, at: usize, end: usize, delimiter: u8) -> ((usize, usize), usize) {
    let next = |from: usize, sign: u8| {
        let found = text.as_bytes()[from..end].iter().position(|b| *b == sign);
        found.map_or(end, |n| from + n)
    };
    let mut pieces = vec![];
    let mut from = at;
    let (close, stop) = loop {
        let quote = next(from, b'"');
        if text.as_bytes().get(quote + 1).filter(|_| quote + 1 < end) != Some(&b'"') {
            let behind = (quote + 1).min(end);
            break (quote, next(behind, delimiter));
        }
        pieces.push((from, quote + 1));
        from = quote + 2;
    };
    let tail = (close + 1).min(stop);
    let is_bare = text[tail..stop].bytes().all(|byte| byte == b' ');
    if pieces.is_empty() && is_bare {
        return ((at, close), stop);
    }
    pieces.push((from, close));
    if !is_bare {
        pieces.push((tail, stop));
    }
    let begin = text.len();
    for (from, to) in pieces {
        text.extend_from_within(from..to);
    }
    ((begin, text.len()), stop)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The number, length and soundness of every row.
    fn told(text: &str) -> Vec<(u64, usize, bool)> {
        let mut rows = Rows::new(text.as_bytes(), b'\n', Some(b','));
        let (mut row, mut told) = (Vec::new(), Vec::new());
        while let Some((line, piece)) = rows.next(&mut row).unwrap() {
            told.push((line, row.len(), piece == Piece::Row));
        }
        told
    }

    #[test]
    fn a_row_as_long_as_may_be_is_read_and_a_longer_one_costs_no_other() {
        for (len, is_row) in [
            (LONGEST_ROW - 1, true),
            (LONGEST_ROW, false),
            (LONGEST_ROW + 1, false),
            (3 * LONGEST_ROW, false),
        ] {
            let text = format!("a\n{}\nb\n", "x".repeat(len));
            let lines: Vec<_> = told(&text).iter().map(|row| (row.0, row.2)).collect();
            assert_eq!(lines, [(1, true), (2, is_row), (3, true)], "{len}");
        }
    }

    #[test]
    fn a_quote_that_closes_beyond_the_longest_row_joins_nothing() {
        for len in [
            LONGEST_ROW - 8,
            LONGEST_ROW - 3,
            LONGEST_ROW,
            LONGEST_ROW + 9,
        ] {
            let text = format!("a,\"\n{}\"\nb\n", "x".repeat(len));
            let rows = told(&text);
            match len {
                len if len < LONGEST_ROW - 4 => assert_eq!(rows.len(), 2, "{len}"),
                _ => assert_eq!((rows.len(), rows[0].2), (3, false), "{len}"),
            }
            assert_eq!(rows.last(), Some(&(3, 1, true)));
        }
    }

    #[test]
    fn cells_are_cut_as_they_were_quoted() {
        for (row, expected) in [
            ("", vec![""]),
            ("a,,b", vec!["a", "", "b"]),
            ("a,", vec!["a", ""]),
            ("\"a,b\",c", vec!["a,b", "c"]),
            ("\"a\"\"b\",\"\"", vec!["a\"b", ""]),
            ("\"\"\"\"", vec!["\""]),
            (" \"a,b\" ,c", vec!["a,b", "c"]),
            ("a\"b,c", vec!["a\"b", "c"]),
            ("\"a\" \"b\",c", vec!["a \"b\"", "c"]),
            ("\"open", vec!["open"]),
            ("\"", vec![""]),
            ("\"日本\"\"語\",é", vec!["日本\"語", "é"]),
        ] {
            let (mut text, mut spans) = (row.to_owned(), Vec::new());
            cells(&mut text, b',', &mut spans);
            let found: Vec<&str> = spans.iter().map(|span| &text[span.0..span.1]).collect();
            assert_eq!(found, expected, "{row}");
        }
    }
}
