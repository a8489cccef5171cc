//! Suspects on their way: waiting for resolve, placed under a finding, listed in a letter.

use serde::Deserialize;
use sqlx::{AssertSqlSafe, Row};

use super::{Error, SampleKey, Store};
use crate::model::{Address, AddressRange, Sighting, Terminal, Timestamp, Verdict};

const ROWS: usize = 1_000;

/// A suspect that resolve has not placed yet.
#[derive(Clone, Copy, Debug)]
pub struct Waiting {
    pub id: i64,
    pub range: AddressRange,
}

/// Where a suspect belongs, whole or in pieces.
#[derive(Clone, Copy, Debug)]
pub struct Piece {
    pub suspect: i64,
    pub range: AddressRange,
    pub finding: i64,
}

/// One line of evidence, as a letter or a list shows it.
#[derive(Clone, Debug)]
pub struct SuspectRow {
    pub id: i64,
    pub finding: i64,
    pub feed: String,
    pub line: i64,
    pub range: AddressRange,
    pub seen_at: Option<Timestamp>,
    /// The first time, where the feed told one before the last.
    pub seen_from: Option<Timestamp>,
    pub class: String,
    pub source: String,
    pub evidence: String,
    pub port: Option<u16>,
    pub terminal: Terminal,
    pub sample: Option<SampleKey>,
    /// In a reminder; the store does not know it.
    pub sighting: Option<Sighting>,
    /// In a reminder: since when the first campaign told that it is seen. This row does not know it.
    pub told_from: Option<Timestamp>,
}

impl SuspectRow {
    /// Since when the address is seen, as far as this row says.
    #[must_use]
    pub fn first_seen(&self) -> Option<Timestamp> {
        let known = [self.told_from, self.seen_from, self.seen_at];
        known.into_iter().flatten().min()
    }
}

impl Store {
    /// How many suspects, or addressees of an advisory, wait for resolve.
    ///
    /// # Errors
    /// The database's.
    pub async fn count_waiting(&self, campaign: i64) -> Result<u64, Error> {
        let count: i64 = sqlx::query_scalar(
            "SELECT (SELECT COUNT(*) FROM suspect
                     WHERE campaign_id = $1 AND finding_id IS NULL AND cut_at IS NULL)
                  + (SELECT COUNT(*) FROM addressee WHERE campaign_id = $1 AND finding_id IS NULL)",
        )
        .bind(campaign)
        .fetch_one(&self.read)
        .await?;
        Ok(count.unsigned_abs())
    }

    /// The next suspects that wait, in address order, behind `after`.
    ///
    /// # Errors
    /// The database's.
    pub async fn waiting(
        &self,
        campaign: i64,
        after: Option<Waiting>,
        limit: i64,
    ) -> Result<Vec<Waiting>, Error> {
        let sql = "SELECT id, first, last FROM suspect
                   WHERE campaign_id = $1 AND finding_id IS NULL AND cut_at IS NULL AND (first, id) > ($2, $3)
                   ORDER BY first, id LIMIT +$4";
        self.page_of_suspects(sql, campaign, after, limit).await
    }

    /// All suspects as they were told, pieces left out, in address order behind `after`.
    ///
    /// # Errors
    /// The database's.
    pub async fn whole_suspects(
        &self,
        campaign: i64,
        after: Option<Waiting>,
        limit: i64,
    ) -> Result<Vec<Waiting>, Error> {
        let sql = "SELECT id, first, last FROM suspect
                   WHERE campaign_id = $1 AND cut_from IS NULL AND (first, id) > ($2, $3)
                   ORDER BY first, id LIMIT +$4";
        self.page_of_suspects(sql, campaign, after, limit).await
    }

    async fn page_of_suspects(
        &self,
        sql: &'static str,
        campaign: i64,
        after: Option<Waiting>,
        limit: i64,
    ) -> Result<Vec<Waiting>, Error> {
        let (first, id) = after.map_or((vec![], 0), |w| (w.range.to_bytes().0.to_vec(), w.id));
        let hex = |column| self.engine.hex(column);
        let columns = format!("id, {}, {}", hex("first"), hex("last"));
        let text: String = sqlx::query_scalar(AssertSqlSafe(self.engine.as_json(&columns, sql)))
            .bind(campaign)
            .bind(first)
            .bind(id)
            .bind(limit)
            .fetch_one(&self.read)
            .await?;
        let rows: Vec<(i64, &str, &str)> = parse_json(&text)?;
        rows.into_iter()
            .map(|(id, first, last)| {
                Ok(Waiting {
                    id,
                    range: range_of_hex(first, last)?,
                })
            })
            .collect()
    }

    /// Puts suspects under their findings, in one transaction: `whole` as they are, `cut` as
    /// pieces that stand for a range over several networks.
    ///
    /// # Errors
    /// [`Error::Refused`] when the campaign's resolving is not `worker`'s any more; the database's.
    /// Then none is placed.
    pub async fn place(
        &self,
        (campaign, worker): (i64, &str),
        whole: &[Piece],
        cut: &[Piece],
        now: Timestamp,
    ) -> Result<(), Error> {
        let mut tx = self.begin().await?;
        self.resolves(&mut tx, campaign, worker).await?;
        for chunk in whole.chunks(ROWS) {
            let sql = format!(
                "UPDATE suspect SET finding_id = placed.column2
                 FROM (VALUES {}) AS placed
                 WHERE suspect.id = placed.column1",
                self.engine.rows("", 2, chunk.len())
            );
            let mut update = sqlx::query(AssertSqlSafe(sql));
            for piece in chunk {
                update = update.bind(piece.suspect).bind(piece.finding);
            }
            update.execute(&mut *tx).await?;
        }
        for piece in cut {
            let (first, last) = piece.range.to_bytes();
            // A piece is no observation of its own: its fingerprint is its origin's id, turned so
            // that it cannot meet a whole suspect's by design of either.
            sqlx::query(
                "INSERT INTO suspect (campaign_id, import_id, line, first, last, fingerprint, seen_at, seen_from,
                                      class, source, evidence, port, terminal, finding_id, cut_from)
                 SELECT campaign_id, import_id, line, $2, $3, -id, seen_at, seen_from,
                        class, source, evidence, port, terminal, $4, id
                 FROM suspect WHERE id = $1",
            )
            .bind(piece.suspect)
            .bind(first.to_vec())
            .bind(last.to_vec())
            .bind(piece.finding)
            .execute(&mut *tx)
            .await?;
            sqlx::query("UPDATE suspect SET cut_at = $2 WHERE id = $1")
                .bind(piece.suspect)
                .bind(now.0)
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Takes back what resolve did, so that it can be done anew; `only_open` spares what has found
    /// its contact.
    ///
    /// # Errors
    /// [`Error::Refused`] when the campaign's resolving is not `worker`'s; the database's.
    pub async fn forget_findings(
        &self,
        (campaign, worker): (i64, &str),
        only_open: bool,
    ) -> Result<(), Error> {
        let spared = if only_open { "matched" } else { "" };
        let mut tx = self.begin().await?;
        self.resolves(&mut tx, campaign, worker).await?;
        // A cut range is taken back as a whole, and only when one of its pieces is. `> 0` is IS NOT
        // NULL in words that lead both engines to the index of the pieces, which are few.
        for sql in [
            "UPDATE suspect SET cut_at = NULL
             WHERE cut_at IS NOT NULL AND id IN (
                 SELECT cut_from FROM suspect AS piece
                 WHERE cut_from > 0 AND EXISTS (
                     SELECT 1 FROM finding
                     WHERE finding.id = piece.finding_id AND campaign_id = $1 AND verdict <> $2))",
            "DELETE FROM suspect
             WHERE cut_from > 0 AND $2 = $2 AND EXISTS (
                 SELECT 1 FROM suspect AS whole
                 WHERE whole.id = suspect.cut_from AND whole.campaign_id = $1 AND whole.cut_at IS NULL)",
            "UPDATE suspect SET finding_id = NULL
             WHERE finding_id IN (SELECT id FROM finding WHERE campaign_id = $1 AND verdict <> $2)",
            "UPDATE addressee SET finding_id = NULL
             WHERE finding_id IN (SELECT id FROM finding WHERE campaign_id = $1 AND verdict <> $2)",
            "DELETE FROM finding WHERE campaign_id = $1 AND verdict <> $2",
        ] {
            sqlx::query(sql)
                .bind(campaign)
                .bind(spared)
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Notes that resolve has gone over all suspects.
    ///
    /// # Errors
    /// [`Error::Refused`] when the campaign's resolving is not `worker`'s any more; the database's.
    pub async fn mark_resolved(
        &self,
        (campaign, worker): (i64, &str),
        now: Timestamp,
    ) -> Result<(), Error> {
        let mut tx = self.begin().await?;
        self.resolves(&mut tx, campaign, worker).await?;
        sqlx::query("UPDATE campaign SET resolved_at = $2 WHERE id = $1")
            .bind(campaign)
            .bind(now.0)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// The observations that concern one mailbox, ordered by network and address, behind `after`.
    ///
    /// # Errors
    /// The database's.
    pub async fn evidence(
        &self,
        campaign: i64,
        mailbox: &str,
        after: Option<&SuspectRow>,
        limit: i64,
    ) -> Result<Vec<SuspectRow>, Error> {
        let (finding, first, id) = after.map_or((0, vec![], 0), |row| {
            (row.finding, row.range.to_bytes().0.to_vec(), row.id)
        });
        let rows = sqlx::query(
            "SELECT suspect.id, finding_id, feed, line, first, last, seen_at, seen_from, class, source, evidence,
                    port, terminal, suspect_id, size
             FROM suspect JOIN import ON import.id = import_id LEFT JOIN sample ON suspect_id = COALESCE(cut_from, suspect.id)
             WHERE finding_id IN (SELECT id FROM finding
                                  WHERE campaign_id = $1 AND mailbox = $2 AND verdict = 'matched')
               AND (finding_id, first, suspect.id) > ($3, $4, $5)
             ORDER BY finding_id, first, suspect.id LIMIT +$6",
        )
        .bind(campaign)
        .bind(mailbox)
        .bind(finding)
        .bind(first)
        .bind(id)
        .bind(limit)
        .fetch_all(&self.read)
        .await?;
        rows.iter().map(suspect_row).collect()
    }

    /// A page of the suspects that no letter speaks of, each with its verdict and reason.
    ///
    /// # Errors
    /// The database's.
    pub async fn unplaced(
        &self,
        campaign: i64,
        after: i64,
        limit: i64,
    ) -> Result<Vec<(SuspectRow, String, String)>, Error> {
        let rows = sqlx::query(
            "SELECT suspect.id, COALESCE(finding_id, 0) AS finding_id, feed, line, first, last, seen_at,
                    seen_from, class, source, evidence, port, terminal, suspect_id, size,
                    COALESCE(verdict, 'waiting') AS verdict,
                    COALESCE(reason, 'not resolved yet') AS reason
             FROM suspect JOIN import ON import.id = import_id
                  LEFT JOIN finding ON finding.id = finding_id LEFT JOIN sample ON suspect_id = COALESCE(cut_from, suspect.id)
             WHERE suspect.campaign_id = $1 AND cut_at IS NULL AND suspect.id > $2
               AND (finding_id IS NULL OR verdict <> $3)
             ORDER BY suspect.id LIMIT +$4",
        )
        .bind(campaign)
        .bind(after)
        .bind(Verdict::WORDS[0])
        .bind(limit)
        .fetch_all(&self.read)
        .await?;
        rows.iter()
            .map(|row| {
                Ok((
                    suspect_row(row)?,
                    row.try_get("verdict")?,
                    row.try_get("reason")?,
                ))
            })
            .collect()
    }
}

fn suspect_row(row: &sqlx::any::AnyRow) -> Result<SuspectRow, Error> {
    let first: Vec<u8> = row.try_get("first")?;
    let last: Vec<u8> = row.try_get("last")?;
    let terminal: String = row.try_get("terminal")?;
    Ok(SuspectRow {
        id: row.try_get("id")?,
        finding: row.try_get("finding_id")?,
        feed: row.try_get("feed")?,
        line: row.try_get("line")?,
        range: range(&first, &last)?,
        seen_at: row.try_get::<Option<i64>, _>("seen_at")?.map(Timestamp),
        seen_from: row.try_get::<Option<i64>, _>("seen_from")?.map(Timestamp),
        class: row.try_get("class")?,
        source: row.try_get("source")?,
        evidence: row.try_get("evidence")?,
        port: row
            .try_get::<Option<i64>, _>("port")?
            .and_then(|port| u16::try_from(port).ok()),
        terminal: Terminal::from_text(&terminal).unwrap_or_default(),
        sample: SampleKey::of(row)?,
        sighting: None,
        told_from: None,
    })
}

/// Rows that came as one text.
///
/// # Errors
/// When a value is not of its column's kind: somebody else wrote into the database.
pub(super) fn parse_json<'t, Row: Deserialize<'t>>(text: &'t str) -> Result<Vec<Row>, Error> {
    serde_json::from_str(text).map_err(|error| Error::Database(error.to_string()))
}

/// [`range`] of what came as hexadecimal digits.
pub(super) fn range_of_hex(first: &str, last: &str) -> Result<AddressRange, Error> {
    let address = |digits: &str| {
        let number = u128::from_str_radix(digits, 16).ok();
        let whole = number.filter(|_| digits.len() == 32);
        whole.map_or_else(|| Err(not_an_address()), |number| Ok(Address(number)))
    };
    AddressRange::new(address(first)?, address(last)?)
        .map_err(|error| Error::Database(error.to_string()))
}

fn not_an_address() -> Error {
    Error::Database("an address that is not 16 bytes long".to_owned())
}

/// # Errors
/// When the two are not 16 bytes each, in order: somebody else wrote into the database.
pub(super) fn range(first: &[u8], last: &[u8]) -> Result<AddressRange, Error> {
    let address = |bytes: &[u8]| {
        let bytes: [u8; 16] = bytes.try_into().map_err(|_| not_an_address())?;
        Ok::<_, Error>(Address(u128::from_be_bytes(bytes)))
    };
    AddressRange::new(address(first)?, address(last)?)
        .map_err(|error| Error::Database(error.to_string()))
}
