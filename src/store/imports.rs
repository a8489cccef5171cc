//! Readings of feeds: the rows that are suspects, and those that are not.

use serde_json::json;
use sqlx::AssertSqlSafe;

use super::audit::Entry;
use super::campaigns::name_of;
use super::{Connection, Error, Store, samples};
use crate::model::{Refusal, Suspect, Timestamp};

/// Rows of one INSERT; with eleven values a row well below SQLite's 32,766 parameters.
const ROWS: usize = 1_000;

/// What became of a feed's rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct ImportCounts {
    pub rows: i64,
    /// Suspects that were not known before.
    pub fresh: i64,
    /// The same observation as one that is known.
    pub repeated: i64,
    pub refused: i64,
}

impl Store {
    /// # Errors
    /// The database's.
    pub async fn begin_import(
        &self,
        campaign: i64,
        feed: &str,
        by: &str,
        now: Timestamp,
    ) -> Result<i64, Error> {
        self.begin_reading(("import", campaign), feed, by, now)
            .await
    }

    /// The same for operators that are drawn from the table, and not read from a feed.
    ///
    /// # Errors
    /// The database's.
    pub async fn begin_drawing(
        &self,
        campaign: i64,
        feed: &str,
        by: &str,
        now: Timestamp,
    ) -> Result<i64, Error> {
        self.begin_reading(("campaign draw", campaign), feed, by, now)
            .await
    }

    async fn begin_reading(
        &self,
        (action, campaign): (&str, i64),
        feed: &str,
        by: &str,
        now: Timestamp,
    ) -> Result<i64, Error> {
        let mut tx = self.act(by, now).await?;
        let id: i64 = sqlx::query_scalar(
            "INSERT INTO import (campaign_id, feed, imported_by, began_at, row_count, fresh, repeated, refused)
             VALUES ($1, $2, $3, $4, 0, 0, 0, 0)
             RETURNING id",
        )
        .bind(campaign)
        .bind(feed)
        .bind(by)
        .bind(now.0)
        .fetch_one(&mut *tx)
        .await?;
        let name = name_of(&mut tx, campaign).await?;
        let entry = Entry::new(action, name).after(json!({ "import": id, "feed": feed }));
        tx.written(entry).await?;
        Ok(id)
    }

    /// Adds a chunk of a feed in one transaction, so that rows and counts never part. `suspects`
    /// (with the line of each) must be sorted by first address and hold no observation twice;
    /// `rows` counts all rows that the chunk was read from. Returns how many suspects were new.
    ///
    /// # Errors
    /// The database's; then nothing of the chunk is stored.
    pub async fn add_to_import(
        &self,
        campaign: i64,
        import: i64,
        suspects: &[(u64, Suspect)],
        refusals: &[Refusal],
        row_count: u64,
    ) -> Result<u64, Error> {
        let mut tx = self.begin().await?;
        let mut fresh = 0;
        for chunk in suspects.chunks(ROWS) {
            let sql = format!(
                "INSERT INTO suspect (campaign_id, import_id, line, first, last, fingerprint, seen_at, seen_from,
                                      class, source, evidence, port, terminal)
                 VALUES {} ON CONFLICT (campaign_id, first, fingerprint) DO NOTHING",
                self.engine.rows(&format!("{campaign}, {import}"), 11, chunk.len())
            );
            let mut insert = sqlx::query(AssertSqlSafe(sql));
            for (line, suspect) in chunk {
                let (first, last) = suspect.range.to_bytes();
                insert = insert
                    .bind(*line as i64)
                    .bind(first.to_vec())
                    .bind(last.to_vec())
                    .bind(suspect.fingerprint())
                    .bind(suspect.seen_at.map(|t| t.0))
                    .bind(suspect.seen_from.map(|t| t.0))
                    .bind(suspect.class.as_str())
                    .bind(suspect.source.as_str())
                    .bind(suspect.evidence.as_str())
                    .bind(suspect.port.map(i64::from))
                    .bind(suspect.terminal.as_str());
            }
            let added = insert.execute(&mut *tx).await?.rows_affected();
            if added < chunk.len() as u64 {
                self.begin_earlier(&mut tx, campaign, chunk).await?;
            }
            fresh += added;
        }
        samples::add(&mut tx, campaign, suspects).await?;
        self.note_rows(&mut tx, import, refusals, row_count, fresh)
            .await?;
        tx.commit().await?;
        Ok(fresh)
    }

    /// Of an observation told again, the earliest of its beginnings stays: which feed came first says
    /// nothing of since when a machine is seen.
    async fn begin_earlier(
        &self,
        tx: &mut Connection,
        campaign: i64,
        suspects: &[(u64, Suspect)],
    ) -> Result<(), Error> {
        let begun = suspects
            .iter()
            .filter_map(|(_, one)| Some((one, one.seen_from?)));
        let begun: Vec<(&Suspect, Timestamp)> = begun.collect();
        if begun.is_empty() {
            return Ok(());
        }
        let sql = format!(
            "UPDATE suspect SET seen_from = told.column3
             FROM (VALUES {}) AS told
             WHERE campaign_id = {campaign} AND first = told.column1 AND fingerprint = told.column2
               AND told.column3 < COALESCE(seen_from, seen_at)",
            self.engine.rows("", 3, begun.len())
        );
        let mut update = sqlx::query(AssertSqlSafe(sql));
        for (suspect, from) in begun {
            let (first, _) = suspect.range.to_bytes();
            update = update
                .bind(first.to_vec())
                .bind(suspect.fingerprint())
                .bind(from.0);
        }
        if update.execute(&mut *tx).await?.rows_affected() > 0 {
            // Pieces are few, and copies of what was told. The sign before the campaign leads SQLite to
            // their index instead of through all of its suspects.
            sqlx::query(
                "UPDATE suspect SET seen_from = (SELECT seen_from FROM suspect AS whole
                                                 WHERE whole.id = suspect.cut_from)
                 WHERE +campaign_id = $1 AND cut_from > 0",
            )
            .bind(campaign)
            .execute(tx)
            .await?;
        }
        Ok(())
    }

    /// Keeps a chunk's refusals, and counts its rows, `fresh` of them new.
    pub(super) async fn note_rows(
        &self,
        tx: &mut Connection,
        import: i64,
        refusals: &[Refusal],
        row_count: u64,
        fresh: u64,
    ) -> Result<(), Error> {
        for chunk in refusals.chunks(ROWS) {
            let sql = format!(
                "INSERT INTO refusal (import_id, line, field, value, reason, remedy, raw) VALUES {}",
                self.engine.rows(&import.to_string(), 6, chunk.len())
            );
            let mut insert = sqlx::query(AssertSqlSafe(sql));
            for refusal in chunk {
                insert = insert
                    .bind(refusal.line as i64)
                    .bind(without_nul(&refusal.column))
                    .bind(without_nul(&refusal.value))
                    .bind(without_nul(&refusal.reason))
                    .bind(refusal.remedy.as_str())
                    .bind(without_nul(&refusal.raw));
            }
            insert.execute(&mut *tx).await?;
        }
        let refused = refusals.len() as u64;
        sqlx::query(
            "UPDATE import SET row_count = row_count + $2, fresh = fresh + $3,
                               repeated = repeated + $4, refused = refused + $5
             WHERE id = $1",
        )
        .bind(import)
        .bind(row_count as i64)
        .bind(fresh as i64)
        .bind((row_count - refused - fresh) as i64)
        .bind(refused as i64)
        .execute(tx)
        .await?;
        Ok(())
    }

    /// What a reading has brought; `None` for one that was stopped before its feed's end.
    ///
    /// # Errors
    /// The database's.
    pub async fn finish_import(
        &self,
        import: i64,
        finished_at: Option<Timestamp>,
    ) -> Result<ImportCounts, Error> {
        let (row_count, fresh, repeated, refused) = sqlx::query_as(
            "UPDATE import SET finished_at = $2 WHERE id = $1
             RETURNING row_count, fresh, repeated, refused",
        )
        .bind(import)
        .bind(finished_at.map(|at| at.0))
        .fetch_one(&self.write)
        .await?;
        Ok(ImportCounts {
            rows: row_count,
            fresh,
            repeated,
            refused,
        })
    }

    /// A page of a campaign's refused rows, with the feed each came from and the key to go on after.
    ///
    /// # Errors
    /// The database's.
    pub async fn refusals(
        &self,
        campaign: i64,
        after: i64,
        limit: i64,
    ) -> Result<Vec<(i64, String, Refusal)>, Error> {
        type Columns = (i64, String, i64, String, String, String, String, String);
        let rows: Vec<Columns> = sqlx::query_as(
            "SELECT refusal.id, feed, line, field, value, reason, remedy, raw
             FROM refusal JOIN import ON import.id = import_id
             WHERE campaign_id = $1 AND refusal.id > $2
             ORDER BY refusal.id LIMIT +$3",
        )
        .bind(campaign)
        .bind(after)
        .bind(limit)
        .fetch_all(&self.read)
        .await?;
        Ok(rows
            .into_iter()
            .map(|(id, feed, line, column, value, reason, remedy, raw)| {
                let line = line.unsigned_abs();
                (
                    id,
                    feed,
                    Refusal {
                        line,
                        column,
                        value,
                        reason,
                        remedy,
                        raw,
                    },
                )
            })
            .collect())
    }
}

/// PostgreSQL's TEXT cannot hold NUL.
fn without_nul(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

/// An import of what is here already, told by other campaigns; [`end_copy`] says how much it was.
pub(super) async fn begin_copy(
    tx: &mut Connection,
    campaign: i64,
    feed: &str,
    (by, now): (&str, Timestamp),
) -> Result<i64, Error> {
    let id = sqlx::query_scalar(
        "INSERT INTO import (campaign_id, feed, imported_by, began_at, finished_at, row_count, fresh, repeated,
                             refused)
         VALUES ($1, $2, $3, $4, $4, 0, 0, 0, 0) RETURNING id",
    )
    .bind(campaign)
    .bind(feed)
    .bind(by)
    .bind(now.0)
    .fetch_one(tx)
    .await?;
    Ok(id)
}

pub(super) async fn end_copy(tx: &mut Connection, import: i64, rows: i64) -> Result<(), Error> {
    sqlx::query("UPDATE import SET row_count = $2, fresh = $2 WHERE id = $1")
        .bind(import)
        .bind(rows)
        .execute(tx)
        .await?;
    Ok(())
}
