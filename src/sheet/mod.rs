//! A delimited text read by line, its columns known by their meaning: CSV, TSV, JSON and bare
//! lists alike, however long and however broken.
//!
//! A row that cannot be read becomes a [`Refusal`] with its line, and the rest goes on. Memory stays
//! at a few blocks of [`LONGEST_ROW`] whatever comes. (The `csv` crate reads whole files well, but
//! lets one unbalanced quote swallow the rest of a file, and keeps no row as it came.)

use std::io::{Cursor, Read};

use crate::model::{Refusal, plain_text};

mod open;
pub use open::{Opened, Text, open, unwrap};

mod charset;
pub use charset::Charset;

mod format;
pub use format::Format;
use format::{Layout, Shape};

mod header;

mod columns;
pub use columns::{Columns, Mapping, Meaning, Plan};

mod lines;

mod objects;

mod record;
pub use record::Record;

mod rows;
use rows::{Piece, Source};

mod sample;
use sample::Sample;

/// Bytes of the longest row that is read: a whole message of 64 KiB may stand in it, escaped.
pub const LONGEST_ROW: usize = 192 * 1024;

/// Bytes of the longest line of a text that is no table.
pub const LONGEST_LINE: usize = 64 * 1024;

/// Bytes of a row that a refusal keeps.
pub const LONGEST_RAW: usize = 4 * 1024;

/// Why a text cannot be read as the table that is wanted.
#[derive(Debug, thiserror::Error)]
pub enum SheetError {
    #[error("cannot read {name}: {error}")]
    Unreadable { name: String, error: std::io::Error },
    #[error("{name} is {what}: save it as CSV, or unpack it, and try again")]
    Foreign { name: String, what: &'static str },
    #[error(
        "the first {} KiB of {name} hold no row that can be read: see whether it is a table of text",
        LONGEST_ROW / 1024
    )]
    Shapeless { name: String },
    #[error("no column holds the {key}; there are: {columns}. Name one with --map {key}={guess}")]
    NoColumn {
        key: &'static str,
        columns: String,
        guess: String,
    },
    #[error(
        "there is no header, and several columns may hold the {key}: {columns}. \
         Name one with --map {key}=col1"
    )]
    Ambiguous { key: &'static str, columns: String },
    #[error("--map names \"{key}\", which is none of: {keys}")]
    NoSuchMeaning { key: String, keys: String },
    #[error("--map names the column \"{column}\", but there are: {columns}")]
    NoSuchColumn { column: String, columns: String },
}

/// A table being read.
pub struct Sheet {
    rows: Reader,
    columns: Columns,
    /// The row as it came, undecoded.
    bytes: Vec<u8>,
    /// The row's text, and behind it what had to be written anew.
    text: String,
    raw_len: usize,
    /// Where each column's value stands in `text`.
    cells: Vec<(usize, usize)>,
    line: u64,
    /// The last remark; some feeds hide their header in the one before the first row.
    remark: String,
    /// Whether a row was met; before it more counts as a remark than behind.
    begun: bool,
    header_ahead: bool,
    fault: Option<std::io::Error>,
    cut_off: bool,
}

enum Reader {
    Cells(rows::Rows, u8),
    Lines(rows::Rows),
    ObjectLines(rows::Rows),
    Objects(objects::Objects),
}

/// What a row turned out to hold.
enum Held {
    Cells,
    Nothing,
    Comment,
    Broken(String),
}

impl Sheet {
    /// Begins to read a table; `name` is what messages call it, and its ending helps to tell the
    /// format, where none is given.
    ///
    /// # Errors
    /// When the text cannot be read at all, or its columns do not give what the plan requires.
    pub fn read(
        mut input: Text,
        name: &str,
        format: Option<Format>,
        plan: &'static Plan,
        map: &[Mapping],
    ) -> Result<Self, SheetError> {
        let mut head = Vec::new();
        let begun = input
            .by_ref()
            .take(LONGEST_ROW as u64)
            .read_to_end(&mut head);
        let fault = match begun {
            Err(error) if head.is_empty() => {
                let name = name.to_owned();
                return Err(SheetError::Unreadable { name, error });
            }
            begun => begun.err(),
        };
        if let Some(what) = format::foreign(&head) {
            let name = name.to_owned();
            return Err(SheetError::Foreign { name, what });
        }
        let shape = format::shape(&head, name, format);
        if fault.is_some() {
            // The whole rows before the fault count; half a row could be another address.
            let whole = head.iter().rposition(|byte| *byte == shape.line_end);
            head.truncate(whole.map_or(0, |end| end + 1));
            input = Box::new(std::io::empty());
        }
        let sample = Sample::of(&head, shape, plan);
        if sample.is_empty() && head.len() == LONGEST_ROW {
            let name = name.to_owned();
            return Err(SheetError::Shapeless { name });
        }
        let (columns, header_ahead) = sample.columns(plan, map)?;
        let mut sheet = Self::over(Cursor::new(head).chain(input), shape, columns);
        sheet.header_ahead = header_ahead;
        sheet.fault = fault;
        Ok(sheet)
    }

    fn over(source: Source, shape: Shape, columns: Columns) -> Self {
        let lines = |source, quoted_by| rows::Rows::new(source, shape.line_end, quoted_by);
        let rows = match shape.layout {
            Layout::Cells(sign) => Reader::Cells(lines(source, Some(sign)), sign),
            Layout::Lines => Reader::Lines(lines(source, None)),
            Layout::ObjectLines => Reader::ObjectLines(lines(source, None)),
            Layout::Objects => Reader::Objects(objects::Objects::new(source)),
        };
        Self {
            rows,
            columns,
            bytes: Vec::new(),
            text: String::new(),
            raw_len: 0,
            cells: Vec::new(),
            line: 0,
            remark: String::new(),
            begun: false,
            header_ahead: false,
            fault: None,
            cut_off: false,
        }
    }

    /// The next row, or why it cannot be read.
    pub fn next_row(&mut self) -> Option<Result<Record<'_>, Refusal>> {
        match self.advance()? {
            Ok(()) => Some(Ok(Record { sheet: self })),
            Err(refusal) => Some(Err(refusal)),
        }
    }

    #[must_use]
    pub fn columns(&self) -> &Columns {
        &self.columns
    }

    fn advance(&mut self) -> Option<Result<(), Refusal>> {
        while !self.cut_off {
            let read = match &mut self.rows {
                Reader::Cells(rows, _) | Reader::Lines(rows) | Reader::ObjectLines(rows) => {
                    rows.next(&mut self.bytes)
                }
                Reader::Objects(objects) => objects.next(&mut self.bytes),
            };
            let read = match (read, self.fault.take()) {
                (Ok(None), Some(fault)) => Err(fault),
                (read, fault) => {
                    self.fault = fault;
                    read
                }
            };
            let (line, piece) = match read {
                Ok(None) => return None,
                Ok(Some(found)) => found,
                Err(error) => {
                    self.cut_off = true;
                    (self.line + 1, unreadable(&error))
                }
            };
            self.line = line;
            self.decode();
            let held = match piece {
                Piece::Row => self.hold(),
                Piece::Bad { reason, remedy } => {
                    return Some(Err(self.refusal(None, "", &reason, remedy)));
                }
            };
            match held {
                Held::Nothing => {}
                Held::Comment => {
                    self.text.truncate(self.raw_len);
                    self.remark.clone_from(&self.text);
                }
                Held::Cells => {
                    self.begun = true;
                    if !std::mem::take(&mut self.header_ahead) {
                        return Some(Ok(()));
                    }
                }
                Held::Broken(reason) => {
                    let remedy = "write one JSON object a line: {\"ip\": \"192.0.2.1\", …}";
                    return Some(Err(self.refusal(None, "", &reason, remedy)));
                }
            }
        }
        None
    }

    fn decode(&mut self) {
        self.text.clear();
        charset::decode(&self.bytes, &mut self.text);
        self.raw_len = self.text.len();
    }

    /// Finds the cells of the row in `text`.
    fn hold(&mut self) -> Held {
        let is_comment = self.is_comment();
        match &self.rows {
            Reader::Cells(_, sign) => {
                let named = (self.line == 1).then(|| format::named_delimiter(&self.bytes));
                if named.flatten() == Some(*sign) {
                    return Held::Nothing;
                }
                rows::cells(&mut self.text, *sign, &mut self.cells);
                // Behind the first row only a remark without cells: `#7,192.0.2.1` is a row.
                if is_comment && (!self.begun || self.cells.len() == 1) {
                    return Held::Comment;
                }
            }
            Reader::Lines(_) if is_comment => return Held::Comment,
            Reader::Lines(_) => {
                let is_value = |word: &str| self.columns.is_bare(word);
                lines::cells(&self.text, &mut self.cells, is_value);
            }
            Reader::ObjectLines(_) | Reader::Objects(_) => return self.hold_object(),
        }
        let is_blank = |(from, to): &(usize, usize)| self.text[*from..*to].trim().is_empty();
        if self.cells.iter().all(is_blank) {
            return Held::Nothing;
        }
        Held::Cells
    }

    /// `#` begins a remark; so does `;`, unless it may be an empty first cell.
    fn is_comment(&self) -> bool {
        match (&self.rows, self.text.trim_start()) {
            (_, text) if text.starts_with('#') => true,
            (Reader::Cells(_, b';'), text) => !self.begun && text.starts_with("; "),
            (Reader::Cells(..), text) => !self.begun && text.starts_with(';'),
            (_, text) => text.starts_with(';'),
        }
    }

    fn hold_object(&mut self) -> Held {
        self.cells.clear();
        if self.text.trim().is_empty() {
            return Held::Nothing;
        }
        let object = match objects::parse(&self.text) {
            Ok(object) => object,
            Err(reason) => return Held::Broken(reason),
        };
        let (columns, cells, text) = (&mut self.columns, &mut self.cells, &mut self.text);
        let mut near = 0;
        objects::flatten(&object, &mut |path, value| {
            let Some(place) = columns.place(path, near) else {
                return;
            };
            near = place + 1;
            if cells.len() <= place {
                cells.resize(place + 1, (0, 0));
            }
            let begin = text.len();
            text.push_str(value);
            cells[place] = (begin, text.len());
        });
        Held::Cells
    }

    fn cells(&self) -> impl Iterator<Item = String> {
        (0..self.cells.len()).map(|place| self.cell(place).to_owned())
    }

    fn cell(&self, place: usize) -> &str {
        match self.cells.get(place) {
            Some((from, to)) => self.text[*from..*to].trim(),
            None => "",
        }
    }

    fn refusal(&self, place: Option<usize>, value: &str, reason: &str, remedy: &str) -> Refusal {
        let raw = &self.text[..self.raw_len];
        // What is all of the row need not be shown beside it again.
        let value = if value == raw.trim() { "" } else { value };
        Refusal {
            line: self.line,
            column: place.map_or_else(String::new, |n| plain_text(self.columns.name(n), 64)),
            value: plain_text(value, 200),
            reason: plain_text(reason, 300),
            remedy: remedy.to_owned(),
            raw: raw[..raw.floor_char_boundary(LONGEST_RAW)].to_owned(),
        }
    }
}

fn unreadable(error: &std::io::Error) -> Piece {
    Piece::bad(
        format!("the file cannot be read beyond this line: {error}"),
        "get the file again and import it again; what was read before counts once",
    )
}
