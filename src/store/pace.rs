//! What was claimed and may not leave yet goes back, with the moment when it may and the reason.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::{Claimed, Connection, Error, Store};
use crate::model::{Timestamp, Wait};

/// A delivery that has to wait, and what for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PutBack {
    pub delivery: i64,
    pub due_at: Timestamp,
    pub wait: Wait,
    pub hold: Option<i64>,
    /// Whether `due_at` was set aside for it, so that it need not ask again.
    pub has_slot: bool,
}

impl PutBack {
    #[must_use]
    pub fn until(claimed: &Claimed, due_at: Timestamp, wait: Wait) -> Self {
        Self {
            delivery: claimed.delivery,
            due_at,
            wait,
            hold: None,
            has_slot: false,
        }
    }
}

impl Store {
    /// Puts back what a worker has claimed and not begun, all in one statement. The time until then is
    /// not counted against the letters.
    ///
    /// # Errors
    /// The database's; then the worker still holds them all.
    pub async fn put_back(
        &self,
        worker: &str,
        waiting: &[PutBack],
        now: Timestamp,
    ) -> Result<u64, Error> {
        if waiting.is_empty() {
            return Ok(0);
        }
        let mut tx = self.begin().await?;
        let removed = self.removed_holds(&mut tx, waiting).await?;
        // Numbers and our own words: there is nothing in it that would have to be bound.
        let mut rows = String::new();
        for one in waiting {
            let comma = if rows.is_empty() { "" } else { ", " };
            let is_free = one.hold.is_some_and(|hold| removed.contains(&hold));
            let _ = write!(
                rows,
                "{comma}({}, {}, '{}', {}, {})",
                one.delivery,
                if is_free { now.0 } else { one.due_at.0 },
                one.wait.as_str(),
                one.hold.unwrap_or(0),
                i64::from(one.has_slot),
            );
        }
        let sql = format!(
            "UPDATE delivery
             SET state = CASE WHEN (SELECT state FROM campaign WHERE id = campaign_id) = 'cancelled'
                              THEN 'cancelled' ELSE 'scheduled' END,
                 due_at = back.column2, waits = back.column3, hold_id = NULLIF(back.column4, 0),
                 slot_at = CASE WHEN back.column5 = 1 THEN back.column2 END,
                 waited = waited + (back.column2 - $2), worker = '', lease_until = NULL
             FROM (VALUES {rows}) AS back
             WHERE id = back.column1 AND state = 'leased' AND worker = $1"
        );
        let put = sqlx::query(sqlx::AssertSqlSafe(sql))
            .persistent(false)
            .bind(worker)
            .bind(now.0)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(put.rows_affected())
    }

    /// Which of the holds were removed since they were read. Until the transaction ends nobody removes
    /// another: what it put back would wait for ever.
    async fn removed_holds(
        &self,
        tx: &mut Connection,
        waiting: &[PutBack],
    ) -> Result<Vec<i64>, Error> {
        let holds: BTreeSet<i64> = waiting.iter().filter_map(|one| one.hold).collect();
        let sql = format!(
            "SELECT removed_at FROM hold WHERE id = $1{}",
            self.engine.for_update()
        );
        let mut removed = Vec::new();
        for hold in holds {
            let at: Option<i64> = sqlx::query_scalar(sqlx::AssertSqlSafe(sql.clone()))
                .bind(hold)
                .fetch_one(&mut *tx)
                .await?;
            removed.extend(at.map(|_| hold));
        }
        Ok(removed)
    }
}
