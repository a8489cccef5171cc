//! What was claimed and may not leave yet goes back, with the moment when it may and the reason.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::{Claimed, Connection, Error, Store};
use crate::model::{SlotOf, Span, Timestamp, Wait};

/// A delivery that has to wait, and what for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PutBack {
    pub delivery: i64,
    pub due_at: Timestamp,
    pub wait: Wait,
    pub hold: Option<i64>,
    /// Whether `due_at` was set aside for it, so that it need not ask again.
    pub slot: Option<SlotOf>,
}

impl PutBack {
    #[must_use]
    pub fn until(claimed: &Claimed, due_at: Timestamp, wait: Wait) -> Self {
        Self {
            delivery: claimed.delivery,
            due_at,
            wait,
            hold: None,
            slot: None,
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
                "{comma}({}, {}, '{}', {}, '{}')",
                one.delivery,
                if is_free { now.0 } else { one.due_at.0 },
                one.wait.as_str(),
                one.hold.unwrap_or(0),
                one.slot.map_or("", SlotOf::as_str),
            );
        }
        let sql = format!(
            "UPDATE delivery
             SET state = CASE WHEN (SELECT state FROM campaign WHERE id = campaign_id) = 'cancelled'
                              THEN 'cancelled' ELSE 'scheduled' END,
                 due_at = back.column2, waits = back.column3, hold_id = NULLIF(back.column4, 0),
                 slot_at = CASE WHEN back.column5 <> '' THEN back.column2 END, slot_of = back.column5,
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

    /// Sets moments aside for up to `wanted` letters of a pace, one after the other and none behind
    /// `latest`. Whoever else asks, in whatever process, gets those behind them.
    ///
    /// # Errors
    /// The database's.
    pub async fn reserve(
        &self,
        pace: &str,
        wanted: usize,
        every: Span,
        now: Timestamp,
        latest: Timestamp,
    ) -> Result<Vec<Timestamp>, Error> {
        let mut tx = self.begin().await?;
        let first = self.lock_pace(&mut tx, pace).await?.max(now.0);
        let slots = (0_i64..)
            .map(|n| first.saturating_add(every.0.saturating_mul(n)))
            .take(wanted)
            .take_while(|slot| *slot <= latest.0);
        let slots: Vec<Timestamp> = slots.map(Timestamp).collect();
        if let Some(last) = slots.last() {
            sqlx::query("UPDATE pace SET next_at = $2 WHERE name = $1")
                .bind(pace)
                .bind(last.plus(every).0)
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
        Ok(slots)
    }

    /// Gives a worker leave to have up to `wanted` letters of a pace in hand at once, of `most` for all
    /// workers together, until [`leave_seats`](Self::leave_seats) or until it holds no letter any more.
    ///
    /// # Errors
    /// The database's.
    pub async fn take_seats(
        &self,
        pace: &str,
        worker: &str,
        wanted: usize,
        most: usize,
    ) -> Result<usize, Error> {
        let mut tx = self.begin().await?;
        self.lock_pace(&mut tx, pace).await?;
        sqlx::query(
            "DELETE FROM seat
             WHERE name = $1
               AND (worker = $2 OR NOT EXISTS (
                    SELECT 1 FROM delivery WHERE state = 'leased' AND delivery.worker = seat.worker))",
        )
        .bind(pace)
        .bind(worker)
        .execute(&mut *tx)
        .await?;
        let taken: Vec<i64> = sqlx::query_scalar("SELECT place FROM seat WHERE name = $1")
            .bind(pace)
            .fetch_all(&mut *tx)
            .await?;
        let free = most.saturating_sub(taken.len()).min(wanted);
        let places: Vec<i64> = (0..)
            .filter(|place| !taken.contains(place))
            .take(free)
            .collect();
        for place in &places {
            sqlx::query("INSERT INTO seat (name, place, worker) VALUES ($1, $2, $3)")
                .bind(pace)
                .bind(*place)
                .bind(worker)
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
        Ok(places.len())
    }

    /// A worker has nothing in hand any more.
    ///
    /// # Errors
    /// The database's.
    pub async fn leave_seats(&self, worker: &str) -> Result<(), Error> {
        sqlx::query("DELETE FROM seat WHERE worker = $1")
            .bind(worker)
            .execute(&self.write)
            .await?;
        Ok(())
    }

    /// The next moment up to `latest` that was set aside for a letter of a campaign.
    ///
    /// # Errors
    /// The database's.
    pub async fn next_slot(
        &self,
        campaign: i64,
        latest: Timestamp,
    ) -> Result<Option<Timestamp>, Error> {
        let slot: Option<i64> = sqlx::query_scalar(
            "SELECT due_at FROM delivery
             WHERE state = 'scheduled' AND due_at <= $2 AND campaign_id = $1 AND slot_at = due_at
             ORDER BY due_at LIMIT 1",
        )
        .bind(campaign)
        .bind(latest.0)
        .fetch_optional(&self.read)
        .await?;
        Ok(slot.map(Timestamp))
    }

    /// When letters to an address were tried after `since`, in order, over all campaigns; what did not get
    /// as far as the other side is not counted.
    ///
    /// # Errors
    /// The database's.
    pub async fn tries_of(&self, address: &str, since: Timestamp) -> Result<Vec<Timestamp>, Error> {
        let times: Vec<i64> = sqlx::query_scalar(
            "SELECT began_at
             FROM letter JOIN delivery ON letter_id = letter.id JOIN attempt ON delivery_id = delivery.id
             WHERE letter.recipient = $1 AND began_at > $2
               AND (outcome IS NULL OR outcome NOT IN ('relay', 'failed'))
             ORDER BY began_at",
        )
        .bind(address)
        .bind(since.0)
        .fetch_all(&self.read)
        .await?;
        Ok(times.into_iter().map(Timestamp).collect())
    }

    /// How many letters to an address other workers hold and have not begun.
    ///
    /// # Errors
    /// The database's.
    pub async fn held_elsewhere(&self, address: &str, worker: &str) -> Result<usize, Error> {
        let count: i64 = sqlx::query_scalar(
            "SELECT COUNT(*) FROM delivery
             WHERE state = 'leased' AND recipient = $1 AND worker <> $2
               AND NOT EXISTS (SELECT 1 FROM attempt WHERE delivery_id = delivery.id AND finished_at IS NULL)",
        )
        .bind(address)
        .bind(worker)
        .fetch_one(&self.read)
        .await?;
        Ok(usize::try_from(count).unwrap_or(0))
    }

    /// Nobody else sets moments aside or takes seats in it until the transaction ends. Gives back the first
    /// moment that is free.
    async fn lock_pace(&self, tx: &mut Connection, pace: &str) -> Result<i64, Error> {
        sqlx::query(
            "INSERT INTO pace (name, next_at) VALUES ($1, 0) ON CONFLICT (name) DO NOTHING",
        )
        .bind(pace)
        .execute(&mut *tx)
        .await?;
        let sql = format!(
            "SELECT next_at FROM pace WHERE name = $1{}",
            self.engine.for_update()
        );
        Ok(sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
            .bind(pace)
            .fetch_one(tx)
            .await?)
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
