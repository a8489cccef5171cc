//! Letters that ended badly are tried once more, because somebody has seen to the cause.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::json;
use sqlx::Row;

use super::audit::Entry;
use super::campaigns::set_state;
use super::decisions::add_decision;
use super::{Connection, Error, Store};
use crate::model::{CampaignState, Cause, Decision, DeliveryState, Timestamp};

/// Deliveries looked at in one go.
const PAGE: i64 = 500;

/// Which letters are tried again.
#[derive(Clone, Debug)]
pub struct Retry {
    pub states: Vec<DeliveryState>,
    /// Any of them; empty: whatever it was.
    pub causes: Vec<Cause>,
}

/// How many letters ended so, by the last thing that was said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct EndedFor {
    pub state: DeliveryState,
    pub code: i64,
    pub enhanced: String,
    /// What one of them was told.
    pub reply: String,
    pub letters: u64,
}

/// What is tried again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Retried {
    pub letters: u64,
    /// The most frequent first.
    pub causes: Vec<EndedFor>,
    /// Left alone, for they may have arrived: an attempt was cut off after the message was handed over.
    pub doubtful: u64,
}

impl Store {
    /// Puts letters that have ended back into the queue, as new ones: attempts stay on record, their
    /// number and the time to give up begin anew. What may have arrived is left alone unless `uncertain` is
    /// among the states. A settled campaign opens again. With `is_trial` nothing is changed.
    ///
    /// # Errors
    /// [`Error::Refused`] when the campaign is not being sent.
    pub async fn retry(
        &self,
        campaign: &str,
        which: &Retry,
        decision: &Decision,
        is_trial: bool,
    ) -> Result<Retried, Error> {
        let mut tx = self.act(&decision.by, decision.at).await?;
        let (id, state) = self.lock_campaign(&mut tx, campaign).await?;
        if !matches!(
            state,
            CampaignState::Approved | CampaignState::Paused | CampaignState::Settled
        ) {
            return Err(Error::Refused(format!(
                "\"{campaign}\" is {state}: only letters of a campaign that was approved and not cancelled are tried again"
            )));
        }
        let thinning: Option<i64> =
            sqlx::query_scalar("SELECT thinning_at FROM campaign WHERE id = $1")
                .bind(id)
                .fetch_one(&mut *tx)
                .await?;
        if let Some(at) = thinning {
            return Err(Error::Refused(format!(
                "the evidence of \"{campaign}\" was removed at {}: its letters are no longer what was approved; make a new \
                 campaign",
                Timestamp(at)
            )));
        }
        let may_double = which.states.contains(&DeliveryState::Uncertain);
        let mut retried = Retried::default();
        let mut causes: BTreeMap<(&str, i64, String), EndedFor> = BTreeMap::new();
        for state in &which.states {
            let mut after = 0;
            loop {
                let page = ended(&mut tx, id, *state, after).await?;
                let Some(last) = page.last() else {
                    break;
                };
                after = last.delivery;
                let mut again = Vec::new();
                for one in page {
                    if !is_meant(which, &one) {
                        continue;
                    }
                    if one.is_doubtful && !may_double {
                        retried.doubtful += 1;
                        continue;
                    }
                    again.push(one.delivery);
                    let key = (state.as_str(), one.code, one.enhanced.clone());
                    let cause = causes.entry(key).or_insert(EndedFor {
                        state: *state,
                        code: one.code,
                        enhanced: one.enhanced,
                        reply: one.reply,
                        letters: 0,
                    });
                    cause.letters += 1;
                }
                retried.letters += again.len() as u64;
                if !is_trial {
                    enqueue_again(&mut tx, &again, decision).await?;
                }
            }
        }
        retried.causes = causes.into_values().collect();
        retried
            .causes
            .sort_by_key(|one| std::cmp::Reverse(one.letters));
        if is_trial || retried.letters == 0 {
            return Ok(retried);
        }
        if state == CampaignState::Settled {
            set_state(&mut tx, id, CampaignState::Approved).await?;
        }
        let told = match retried.letters {
            1 => "1 letter is tried again".to_owned(),
            n => format!("{n} letters are tried again"),
        };
        let reason = match decision.reason.as_str() {
            "" => told,
            why => format!("{told}: {why}"),
        };
        let decision = Decision {
            reason,
            ..decision.clone()
        };
        add_decision(&mut tx, id, &decision).await?;
        let entry = Entry::new("campaign retry", campaign)
            .before(json!({ "state": state }))
            .after(json!({
                "letters": retried.letters, "states": which.states, "causes": which.causes.len(),
                "reason": decision.reason,
            }));
        tx.written(entry).await?;
        Ok(retried)
    }
}

/// A delivery that has ended, and the last thing that was said to it.
struct Ended {
    delivery: i64,
    code: i64,
    enhanced: String,
    reply: String,
    is_doubtful: bool,
}

fn is_meant(which: &Retry, one: &Ended) -> bool {
    let mut causes = which.causes.iter();
    which.causes.is_empty()
        || causes.any(|cause| cause.matches(one.code, &one.enhanced, &one.reply))
}

async fn ended(
    tx: &mut Connection,
    campaign: i64,
    state: DeliveryState,
    after: i64,
) -> Result<Vec<Ended>, Error> {
    let rows = sqlx::query(
        "SELECT delivery.id, COALESCE(code, 0) AS code, COALESCE(enhanced, '') AS enhanced,
                COALESCE(reply, 'no attempt was made') AS reply,
                (SELECT COUNT(*) FROM attempt AS doubt
                 WHERE doubt.delivery_id = delivery.id AND doubt.outcome = 'uncertain') AS doubts
         FROM delivery LEFT JOIN attempt ON delivery_id = delivery.id
              AND number = (SELECT MAX(number) FROM attempt AS made WHERE made.delivery_id = delivery.id)
         WHERE campaign_id = $1 AND state = $2 AND delivery.id > $3
           AND (SELECT COUNT(*) FROM attempt AS taken
                WHERE taken.delivery_id = delivery.id AND taken.outcome = 'accepted') <= sent_again
         ORDER BY delivery.id LIMIT +$4",
    )
    .bind(campaign)
    .bind(state.as_str())
    .bind(after)
    .bind(PAGE)
    .fetch_all(tx)
    .await?;
    rows.iter()
        .map(|row| {
            Ok(Ended {
                delivery: row.try_get("id")?,
                code: row.try_get("code")?,
                enhanced: row.try_get("enhanced")?,
                reply: row.try_get("reply")?,
                is_doubtful: row.try_get::<i64, _>("doubts")? > 0,
            })
        })
        .collect()
}

async fn enqueue_again(
    tx: &mut Connection,
    deliveries: &[i64],
    decision: &Decision,
) -> Result<(), Error> {
    for delivery in deliveries {
        sqlx::query(
            "UPDATE delivery
             SET state = 'ready', attempts = 0, lapses = 0, due_at = $2, waited = $2 - queued_at, waits = '',
                 hold_id = NULL, slot_at = NULL, ended_at = NULL
             WHERE id = $1",
        )
        .bind(*delivery)
        .bind(decision.at.0)
        .execute(&mut *tx)
        .await?;
    }
    Ok(())
}
