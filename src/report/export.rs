//! Rows and suspects that no letter speaks of, written out with their reasons, whatever their number.

use std::io::Write;

use crate::model::{Timestamp, neutral_cell};
use crate::store::{Error as StoreError, Store};

/// Rows read from the store at a time.
const PAGE: i64 = 1_000;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("cannot write: {0}")]
    Write(#[from] std::io::Error),
    #[error("cannot write: {0}")]
    Csv(csv::Error),
}

/// What was wrong with the pipe or the disk is not left inside: somebody acts on it.
impl From<csv::Error> for Error {
    fn from(error: csv::Error) -> Self {
        if !error.is_io_error() {
            return Self::Csv(error);
        }
        match error.into_kind() {
            csv::ErrorKind::Io(error) => Self::Write(error),
            other => Self::Write(std::io::Error::other(format!("{other:?}"))),
        }
    }
}

/// How rows are written out.
pub enum Sheet<W: Write> {
    Csv(Box<csv::Writer<W>>),
    /// One object a line.
    Json(W),
}

impl<W: Write> Sheet<W> {
    #[must_use]
    pub fn new(out: W, json: bool) -> Self {
        if json {
            Self::Json(out)
        } else {
            Self::Csv(Box::new(csv::Writer::from_writer(out)))
        }
    }

    fn header(&mut self, names: &[&str]) -> Result<(), Error> {
        if let Self::Csv(out) = self {
            out.write_record(names)?;
        }
        Ok(())
    }

    fn row(&mut self, names: &[&str], cells: &[&str]) -> Result<(), Error> {
        match self {
            Self::Csv(out) => {
                out.write_record(cells.iter().map(|cell| neutral_cell(cell).into_owned()))?
            }
            Self::Json(out) => {
                let row: serde_json::Map<String, serde_json::Value> = names
                    .iter()
                    .zip(cells)
                    .map(|(name, cell)| ((*name).to_owned(), (*cell).into()))
                    .collect();
                writeln!(out, "{}", serde_json::Value::Object(row))?;
            }
        }
        Ok(())
    }

    fn end(self) -> Result<(), Error> {
        match self {
            Self::Csv(mut out) => out.flush()?,
            Self::Json(mut out) => out.flush()?,
        }
        Ok(())
    }
}

const REFUSED: [&str; 7] = ["feed", "line", "column", "value", "reason", "remedy", "raw"];

/// A campaign's refused rows, each with reason, remedy and the row as it came, to be mended and
/// imported again. Returns how many.
///
/// # Errors
/// The database's, or the writer's.
pub async fn refused<W: Write>(
    store: &Store,
    campaign: i64,
    mut out: Sheet<W>,
) -> Result<i64, Error> {
    out.header(&REFUSED)?;
    let (mut after, mut rows) = (0, 0);
    loop {
        let page = store.refusals(campaign, after, PAGE).await?;
        let Some((last, ..)) = page.last() else {
            break;
        };
        after = *last;
        rows += page.len() as i64;
        for (_, feed, refusal) in &page {
            let line = refusal.line.to_string();
            let cells = [
                feed.as_str(),
                &line,
                &refusal.column,
                &refusal.value,
                &refusal.reason,
                &refusal.remedy,
                &refusal.raw,
            ];
            out.row(&REFUSED, &cells)?;
        }
    }
    out.end()?;
    Ok(rows)
}

const UNPLACED: [&str; 12] = [
    "feed",
    "line",
    "address",
    "seen",
    "class",
    "source",
    "evidence",
    "port",
    "terminal",
    "verdict",
    "reason",
    "seen_from",
];

/// A campaign's suspects that are in no letter, each with verdict and reason. Returns how many.
///
/// # Errors
/// The database's, or the writer's.
pub async fn unplaced<W: Write>(
    store: &Store,
    campaign: i64,
    mut out: Sheet<W>,
) -> Result<i64, Error> {
    out.header(&UNPLACED)?;
    let (mut after, mut rows) = (0, 0);
    loop {
        let page = store.unplaced(campaign, after, PAGE).await?;
        let Some((last, ..)) = page.last() else {
            break;
        };
        after = last.id;
        rows += page.len() as i64;
        for (row, verdict, reason) in &page {
            let moment = |at: Option<Timestamp>| at.map(|at| at.to_string()).unwrap_or_default();
            let (seen, from) = (moment(row.seen_at), moment(row.seen_from));
            let port = row.port.map(|port| port.to_string()).unwrap_or_default();
            let (line, address) = (row.line.to_string(), row.range.to_string());
            let cells = [
                row.feed.as_str(),
                &line,
                &address,
                &seen,
                &row.class,
                &row.source,
                &row.evidence,
                &port,
                row.terminal.as_str(),
                verdict,
                reason,
                &from,
            ];
            out.row(&UNPLACED, &cells)?;
        }
    }
    out.end()?;
    Ok(rows)
}

const UNPLACED_OPERATORS: [&str; 8] = [
    "feed", "line", "operator", "mailbox", "holder", "country", "verdict", "reason",
];

/// An advisory's addressees that no letter goes to, each with verdict and reason. Returns how many.
///
/// # Errors
/// The database's, or the writer's.
pub async fn unplaced_operators<W: Write>(
    store: &Store,
    campaign: i64,
    mut out: Sheet<W>,
) -> Result<i64, Error> {
    out.header(&UNPLACED_OPERATORS)?;
    let (mut after, mut rows) = (0, 0);
    loop {
        let page = store.unplaced_addressees(campaign, after, PAGE).await?;
        let Some((last, ..)) = page.last() else {
            break;
        };
        after = last.id;
        rows += page.len() as i64;
        for (row, verdict, reason) in &page {
            let one = &row.addressee;
            let (line, known_by) = (row.line.to_string(), one.known_by.to_string());
            let cells = [
                row.feed.as_str(),
                &line,
                &known_by,
                one.mailbox.as_ref().map_or("", |mailbox| mailbox.as_str()),
                &one.holder,
                &one.country,
                verdict,
                reason,
            ];
            out.row(&UNPLACED_OPERATORS, &cells)?;
        }
    }
    out.end()?;
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_refused_row_is_a_formula() {
        let mut out = Vec::new();
        let mut sheet = Sheet::new(&mut out, false);
        sheet.header(&REFUSED).unwrap();
        let cells = [
            "feed.csv",
            "3",
            "ip",
            "=cmd|'/c calc'!A1",
            "\"=cmd\" is not an address",
            "write 192.0.2.1",
            "@x,\"y",
        ];
        sheet.row(&REFUSED, &cells).unwrap();
        sheet.end().unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "feed,line,column,value,reason,remedy,raw\n\
             feed.csv,3,ip,'=cmd|'/c calc'!A1,\"\"\"=cmd\"\" is not an address\",write 192.0.2.1,\"'@x,\"\"y\"\n"
        );
    }
}
