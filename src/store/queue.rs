//! The queue: deliveries are handed out under a lease, and come back when it ends.

use sqlx::Row;

use super::overview::{self, Ended};
use super::together::carry_out;
use super::{Error, Store};
use crate::model::{DeliveryState, SlotOf, Timestamp};

/// A delivery that was handed to a worker.
#[derive(Clone, Debug)]
pub struct Claimed {
    pub delivery: i64,
    pub letter: i64,
    pub recipient: String,
    pub country: String,
    pub attempts: i64,
    /// The number of its next attempt; those that came to nothing for the relay's sake count here.
    pub next: i64,
    /// When its time to be tried began: with the queue, or later where we let it wait.
    pub patient_from: Timestamp,
    /// The moment that was set aside for it, if it waited for that last.
    pub slot: Option<(Timestamp, SlotOf)>,
    pub lease_until: Timestamp,
}

/// What a lease without a result weighs against a delivery: most where its attempt was begun. Else it is
/// one of the hundreds that its worker held; but it may be the very one that kills workers as they build
/// it, so that it weighs something.
const BEGUN: i64 = 10;
const CLAIMED: i64 = 1;

/// The weight from which on a delivery is taken for one that kills workers.
const LETHAL: i64 = 3 * BEGUN;

impl Store {
    /// Hands out up to `limit` deliveries of a campaign until `lease_until`.
    ///
    /// # Errors
    /// The database's.
    pub async fn claim(
        &self,
        campaign: i64,
        worker: &str,
        limit: usize,
        lease_until: Timestamp,
    ) -> Result<Vec<Claimed>, Error> {
        let rows = sqlx::query(self.engine.claim())
            .bind(campaign)
            .bind(limit as i64)
            .bind(worker)
            .bind(lease_until.0)
            .fetch_all(&self.write)
            .await?;
        let mut claimed = rows
            .iter()
            .map(|row| {
                let due_at: i64 = row.try_get("due_at")?;
                let slot_at: Option<i64> = row.try_get("slot_at")?;
                let slot_of: String = row.try_get("slot_of")?;
                Ok(Claimed {
                    delivery: row.try_get("id")?,
                    letter: row.try_get("letter_id")?,
                    recipient: row.try_get("recipient")?,
                    country: row.try_get("country")?,
                    attempts: row.try_get("attempts")?,
                    next: row.try_get("next")?,
                    patient_from: Timestamp(row.try_get("patient_from")?),
                    slot: slot_at
                        .filter(|slot| *slot == due_at)
                        .and_then(|slot| Some((Timestamp(slot), SlotOf::from_text(&slot_of)?))),
                    lease_until,
                })
            })
            .collect::<Result<Vec<_>, Error>>()?;
        claimed.sort_by_key(|one| one.delivery);
        Ok(claimed)
    }

    /// Makes what is due ready again.
    ///
    /// # Errors
    /// The database's.
    pub async fn promote(&self, now: Timestamp) -> Result<u64, Error> {
        let promoted = sqlx::query(
            "UPDATE delivery SET state = 'ready', waits = '', hold_id = NULL
             WHERE state = 'scheduled' AND due_at <= $1",
        )
        .bind(now.0)
        .execute(&self.write)
        .await?;
        Ok(promoted.rows_affected())
    }

    /// Takes back deliveries of workers that have vanished; those of a cancelled campaign end. An
    /// attempt that was begun may have been accepted: it is marked uncertain, and with `hold` its
    /// delivery waits for a person.
    ///
    /// # Errors
    /// The database's.
    pub async fn rescue(&self, now: Timestamp, hold: bool) -> Result<u64, Error> {
        let lapsed: Vec<(i64, i64, i64, String)> = sqlx::query_as(
            "SELECT delivery.id, lapses,
                    (SELECT COUNT(*) FROM attempt WHERE delivery_id = delivery.id AND finished_at IS NULL),
                    campaign.state
             FROM delivery JOIN campaign ON campaign.id = campaign_id
             WHERE delivery.state = 'leased' AND lease_until < $1",
        )
        .bind(now.0)
        .fetch_all(&self.read)
        .await?;
        let mut rescued = 0;
        for (delivery, lapses, begun, campaign) in lapsed {
            let lapses = lapses + if begun > 0 { BEGUN } else { CLAIMED };
            let state = match begun {
                _ if lapses >= LETHAL => DeliveryState::Failed,
                1.. if hold => DeliveryState::Uncertain,
                _ if campaign == "cancelled" => DeliveryState::Cancelled,
                _ => DeliveryState::Ready,
            };
            let mut tx = self.begin().await?;
            let taken = sqlx::query(
                "UPDATE delivery
                 SET state = $3, lapses = $5, worker = '', lease_until = NULL, ended_at = $4
                 WHERE id = $1 AND state = 'leased' AND lease_until < $2",
            )
            .bind(delivery)
            .bind(now.0)
            .bind(state.as_str())
            .bind((!state.is_open()).then_some(now.0))
            .bind(lapses)
            .execute(&mut *tx)
            .await?;
            // Another worker may have been here first.
            if taken.rows_affected() == 1 {
                let cut_off = sqlx::query(
                    "UPDATE attempt
                     SET finished_at = $2, outcome = 'uncertain', step = 'dot',
                         reply = 'the worker vanished before the answer was written down'
                     WHERE delivery_id = $1 AND finished_at IS NULL",
                )
                .bind(delivery)
                .bind(now.0)
                .execute(&mut *tx)
                .await?;
                let n = cut_off.rows_affected() as i64;
                let ended = Ended::from([("uncertain".to_owned(), n)]);
                let count = overview::count(self.engine, "", &ended);
                carry_out(self.engine, &mut tx, Vec::from_iter(count)).await?;
                rescued += 1;
            }
            tx.commit().await?;
        }
        Ok(rescued)
    }

    /// The workers that hold deliveries of a campaign.
    ///
    /// # Errors
    /// The database's.
    pub async fn holders(&self, campaign: i64) -> Result<Vec<String>, Error> {
        Ok(sqlx::query_scalar(
            "SELECT DISTINCT worker FROM delivery WHERE campaign_id = $1 AND state = 'leased'",
        )
        .bind(campaign)
        .fetch_all(&self.read)
        .await?)
    }

    /// Ends the leases of a worker that is known to be dead, so that the next rescue takes them.
    ///
    /// # Errors
    /// The database's.
    pub async fn end_leases(&self, worker: &str, now: Timestamp) -> Result<u64, Error> {
        let ended = sqlx::query(
            "UPDATE delivery SET lease_until = $2 WHERE state = 'leased' AND worker = $1",
        )
        .bind(worker)
        .bind(now.0 - 1)
        .execute(&self.write)
        .await?;
        Ok(ended.rows_affected())
    }

    /// Gives back what a worker has claimed and not begun.
    ///
    /// # Errors
    /// The database's.
    pub async fn release(&self, worker: &str) -> Result<u64, Error> {
        let released = sqlx::query(
            "UPDATE delivery
             SET state = CASE WHEN (SELECT state FROM campaign WHERE id = campaign_id) = 'cancelled'
                              THEN 'cancelled' ELSE 'ready' END,
                 worker = '', lease_until = NULL
             WHERE state = 'leased' AND worker = $1
               AND NOT EXISTS (SELECT 1 FROM attempt WHERE delivery_id = delivery.id AND finished_at IS NULL)",
        )
        .bind(worker)
        .execute(&self.write)
        .await?;
        Ok(released.rows_affected())
    }
}
