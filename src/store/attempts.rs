//! A letter's delivery and its attempts, as they are shown.

use sqlx::Row;

use super::campaigns::unknown_word;
use super::findings::parse_mailbox;
use super::{Error, Store};
use crate::model::{
    Answered, Attempt, Delivery, DeliveryState, Fate, Outcome, OutcomeKind, Step, Timestamp, Wait,
};

impl Store {
    /// A letter's delivery and all its attempts, if it is in the queue.
    ///
    /// # Errors
    /// The database's.
    pub async fn delivery_of(
        &self,
        letter: i64,
    ) -> Result<Option<(Delivery, Vec<Attempt>)>, Error> {
        let row = sqlx::query(
            "SELECT id, letter_id, campaign_id, recipient, state, attempts, queued_at, due_at, waits, hold_id, fate,
                    answered, suppression_id
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
            fate: Fate::from_text(row.try_get("fate")?).unwrap_or_default(),
            answered: Answered::from_text(row.try_get("answered")?).unwrap_or_default(),
            suppression: row.try_get("suppression_id")?,
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
