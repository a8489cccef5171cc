//! Rows and suspects that no letter speaks of, written out with their reasons, whatever their number.

use std::io::Write;

use crate::model::neutral_cell;
use crate::store::{Error as StoreError, Store};

/// Rows read from the store at a time.
const PAGE: i64 = 1_000;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("cannot write: {0}")]
    Write(#[from] csv::Error),
}

/// A campaign's refused rows as CSV, each with reason, remedy and the row as it came, to be mended
/// and imported again. Returns how many.
///
/// # Errors
/// The database's, or the writer's.
pub async fn refused(store: &Store, campaign: i64, out: impl Write) -> Result<i64, Error> {
    let mut out = csv::Writer::from_writer(out);
    out.write_record(["feed", "line", "column", "value", "reason", "remedy", "raw"])?;
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
                feed,
                &line,
                &refusal.column,
                &refusal.value,
                &refusal.reason,
                &refusal.remedy,
                &refusal.raw,
            ];
            write(&mut out, &cells.map(String::as_str))?;
        }
    }
    out.flush().map_err(csv::Error::from)?;
    Ok(rows)
}

/// A campaign's suspects that are in no letter as CSV, each with verdict and reason. Returns how
/// many.
///
/// # Errors
/// The database's, or the writer's.
pub async fn unplaced(store: &Store, campaign: i64, out: impl Write) -> Result<i64, Error> {
    let mut out = csv::Writer::from_writer(out);
    out.write_record([
        "feed", "line", "address", "seen", "class", "source", "evidence", "port", "terminal",
        "verdict", "reason",
    ])?;
    let (mut after, mut rows) = (0, 0);
    loop {
        let page = store.unplaced(campaign, after, PAGE).await?;
        let Some((last, ..)) = page.last() else {
            break;
        };
        after = last.id;
        rows += page.len() as i64;
        for (row, verdict, reason) in &page {
            let seen = row.seen_at.map(|at| at.to_string()).unwrap_or_default();
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
            ];
            write(&mut out, &cells)?;
        }
    }
    out.flush().map_err(csv::Error::from)?;
    Ok(rows)
}

fn write(out: &mut csv::Writer<impl Write>, cells: &[&str]) -> csv::Result<()> {
    out.write_record(cells.iter().map(|cell| neutral_cell(cell).into_owned()))
}
