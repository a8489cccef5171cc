//! Attempts: each is written down as begun before SMTP talks, and as finished after.

use sqlx::Row;

use super::campaigns::unknown_word;
use super::findings::parse_mailbox;
use super::{Connection, Error, Store};
use crate::model::{
    Attempt, Delivery, DeliveryState, Mailbox, Outcome, OutcomeKind, Step, Timestamp, Wait,
};

/// What a connection has to write down before it goes on.
#[derive(Clone, Debug)]
pub enum Fact {
    /// SMTP is about to talk; the lease runs anew from here.
    Begin {
        delivery: i64,
        worker: String,
        at: Timestamp,
        lease_until: Timestamp,
    },
    /// It has talked.
    Finish {
        delivery: i64,
        number: i64,
        worker: String,
        at: Timestamp,
        outcome: Outcome,
        state: DeliveryState,
        due_at: Option<Timestamp>,
    },
}

/// What became of a fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Granted {
    /// The attempt of this number may begin.
    Begun(i64),
    Recorded,
    /// The lease is lost, or the campaign is paused or cancelled: do not send.
    NotOurs,
}

impl Store {
    /// Writes down what several connections have to say, in one transaction: one commit serves
    /// them all, and each goes on only when it is through.
    ///
    /// # Errors
    /// The database's; then none is written down.
    pub async fn record(&self, facts: &[Fact]) -> Result<Vec<Granted>, Error> {
        let mut tx = self.begin().await?;
        let mut granted = Vec::with_capacity(facts.len());
        for fact in facts {
            granted.push(match fact {
                Fact::Begin {
                    delivery,
                    worker,
                    at,
                    lease_until,
                } => begin_attempt(&mut tx, *delivery, worker, *at, *lease_until).await?,
                Fact::Finish {
                    delivery,
                    number,
                    worker,
                    at,
                    outcome,
                    state,
                    due_at,
                } => {
                    finish_attempt(&mut tx, *delivery, *number, *at, outcome).await?;
                    finish_delivery(
                        &mut tx,
                        *delivery,
                        worker,
                        *at,
                        outcome.kind,
                        *state,
                        *due_at,
                    )
                    .await?
                }
            });
        }
        tx.commit().await?;
        Ok(granted)
    }

    /// A letter's delivery and all its attempts, if it is in the queue.
    ///
    /// # Errors
    /// The database's.
    pub async fn delivery_of(
        &self,
        letter: i64,
    ) -> Result<Option<(Delivery, Vec<Attempt>)>, Error> {
        let row = sqlx::query(
            "SELECT id, letter_id, campaign_id, recipient, state, attempts, queued_at, due_at, waits, hold_id
             FROM delivery WHERE letter_id = $1",
        )
        .bind(letter)
        .fetch_optional(&self.read)
        .await?;
        let Some(row) = row else {
            return Ok(None);
        };
        let state: String = row.try_get("state")?;
        let recipient: String = row.try_get("recipient")?;
        let waits: String = row.try_get("waits")?;
        let delivery = Delivery {
            id: row.try_get("id")?,
            letter: row.try_get("letter_id")?,
            campaign: row.try_get("campaign_id")?,
            recipient: parse_mailbox(&recipient)?,
            state: DeliveryState::from_text(&state)
                .ok_or_else(|| unknown_word("delivery state", &state))?,
            attempts: row.try_get("attempts")?,
            queued_at: Timestamp(row.try_get("queued_at")?),
            due_at: Timestamp(row.try_get("due_at")?),
            waits: Wait::from_text(&waits),
            hold: row.try_get("hold_id")?,
        };
        let rows = sqlx::query(
            "SELECT number, worker, began_at, finished_at, outcome, relay, sent_to, step, code, enhanced, reply
             FROM attempt WHERE delivery_id = $1 ORDER BY number",
        )
        .bind(delivery.id)
        .fetch_all(&self.read)
        .await?;
        let attempts = rows.iter().map(attempt).collect::<Result<_, Error>>()?;
        Ok(Some((delivery, attempts)))
    }
}

async fn begin_attempt(
    tx: &mut Connection,
    delivery: i64,
    worker: &str,
    at: Timestamp,
    lease_until: Timestamp,
) -> Result<Granted, Error> {
    let number: Option<i64> = sqlx::query_scalar(
        "INSERT INTO attempt (delivery_id, number, worker, began_at, relay, sent_to, step, code, enhanced, reply)
         SELECT delivery.id,
                COALESCE((SELECT MAX(number) FROM attempt WHERE delivery_id = delivery.id), 0) + 1,
                $2, $3, '', '', '', 0, '', ''
         FROM delivery JOIN campaign ON campaign.id = campaign_id
         WHERE delivery.id = $1 AND worker = $2 AND delivery.state = 'leased' AND campaign.state = 'approved'
         RETURNING number",
    )
    .bind(delivery)
    .bind(worker)
    .bind(at.0)
    .fetch_optional(&mut *tx)
    .await?;
    let Some(number) = number else {
        return Ok(Granted::NotOurs);
    };
    sqlx::query("UPDATE delivery SET lease_until = $2 WHERE id = $1")
        .bind(delivery)
        .bind(lease_until.0)
        .execute(tx)
        .await?;
    Ok(Granted::Begun(number))
}

async fn finish_attempt(
    tx: &mut Connection,
    delivery: i64,
    number: i64,
    at: Timestamp,
    outcome: &Outcome,
) -> Result<(), Error> {
    sqlx::query(
        "UPDATE attempt
         SET finished_at = $3, outcome = $4, relay = $5, step = $6, code = $7, enhanced = $8, reply = $9, sent_to = $10
         WHERE delivery_id = $1 AND number = $2 AND (finished_at IS NULL OR $4 = 'accepted')",
    )
    .bind(delivery)
    .bind(number)
    .bind(at.0)
    .bind(outcome.kind.as_str())
    .bind(outcome.relay.as_str())
    .bind(outcome.step.as_str())
    .bind(outcome.code)
    .bind(outcome.enhanced.as_str())
    .bind(outcome.reply.replace('\0', "\u{fffd}"))
    .bind(outcome.sent_to.as_ref().map_or("", Mailbox::as_str).to_owned())
    .execute(tx)
    .await?;
    Ok(())
}

/// A worker whose lease is lost may no longer say that a letter failed, for another has it in
/// hand; that it was accepted is a fact whoever reports it and whatever was thought meanwhile. It
/// is taken out of another worker's hand, too: what that one has not begun would be a double.
async fn finish_delivery(
    tx: &mut Connection,
    delivery: i64,
    worker: &str,
    at: Timestamp,
    kind: OutcomeKind,
    state: DeliveryState,
    due_at: Option<Timestamp>,
) -> Result<Granted, Error> {
    let counts = i64::from(kind != OutcomeKind::Relay);
    let finished = sqlx::query(
        "UPDATE delivery
         SET state = CASE WHEN $3 = 'scheduled' AND (SELECT state FROM campaign WHERE id = campaign_id) = 'cancelled'
                          THEN 'cancelled' ELSE $3 END,
             attempts = attempts + $4, lapses = 0, due_at = COALESCE($5, due_at),
             worker = '', lease_until = NULL, ended_at = $6
         WHERE id = $1 AND ((state = 'leased' AND worker = $2)
                            OR ($3 = 'accepted' AND state <> 'accepted'))",
    )
    .bind(delivery)
    .bind(worker)
    .bind(state.as_str())
    .bind(counts)
    .bind(due_at.map(|at| at.0))
    .bind((!state.is_open()).then_some(at.0))
    .execute(tx)
    .await?;
    Ok(if finished.rows_affected() == 1 {
        Granted::Recorded
    } else {
        Granted::NotOurs
    })
}

fn attempt(row: &sqlx::any::AnyRow) -> Result<Attempt, Error> {
    let outcome: Option<String> = row.try_get("outcome")?;
    let step: String = row.try_get("step")?;
    let outcome = match outcome {
        None => None,
        Some(word) => Some(Outcome {
            kind: OutcomeKind::from_text(&word).ok_or_else(|| unknown_word("outcome", &word))?,
            relay: row.try_get("relay")?,
            sent_to: match row.try_get::<String, _>("sent_to")?.as_str() {
                "" => None,
                mailbox => Some(parse_mailbox(mailbox)?),
            },
            step: Step::from_text(&step).ok_or_else(|| unknown_word("step", &step))?,
            code: row.try_get("code")?,
            enhanced: row.try_get("enhanced")?,
            reply: row.try_get("reply")?,
        }),
    };
    Ok(Attempt {
        number: row.try_get("number")?,
        worker: row.try_get("worker")?,
        began_at: Timestamp(row.try_get("began_at")?),
        finished_at: row.try_get::<Option<i64>, _>("finished_at")?.map(Timestamp),
        outcome,
    })
}
