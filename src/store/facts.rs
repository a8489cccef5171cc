//! What connections write down: each attempt as begun before SMTP talks, and as finished after.

use std::collections::{HashMap, HashSet};

use sqlx::pool::PoolConnection;
use sqlx::{Any, AssertSqlSafe, Connection as _};
use tokio::sync::Mutex;

use super::overview::{self, Ended};
use super::{Connection, Error, Store};
use crate::model::{DeliveryState, Mailbox, Outcome, OutcomeKind, Timestamp};

/// What a connection has to write down before it goes on.
#[derive(Clone, Debug)]
pub enum Fact {
    /// SMTP is about to talk.
    Begin {
        delivery: i64,
        worker: String,
        at: Timestamp,
        /// The lease runs anew from here; `None` where it has long to run.
        lease_until: Option<Timestamp>,
    },
    /// It has talked.
    Finish(Finish),
}

impl Fact {
    #[must_use]
    pub fn finish(&self) -> Option<&Finish> {
        match self {
            Self::Finish(finish) => Some(finish),
            Self::Begin { .. } => None,
        }
    }
}

/// What came of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finish {
    pub delivery: i64,
    pub number: i64,
    pub worker: String,
    pub at: Timestamp,
    pub outcome: Outcome,
    pub state: DeliveryState,
    pub due_at: Option<Timestamp>,
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

/// Writes facts by one connection that it keeps in hand: whenever one is taken from the pool or given back,
/// the pool asks whether it still answers, which takes as long as a fact or two.
#[derive(Debug)]
pub struct Pen {
    store: Store,
    held: Mutex<Option<PoolConnection<Any>>>,
}

impl Pen {
    #[must_use]
    pub fn of(store: Store) -> Self {
        let held = Mutex::default();
        Self { store, held }
    }

    /// As [`Store::record`]; the connection is kept until [`Pen::rest`].
    ///
    /// # Errors
    /// As [`Store::record`].
    pub async fn record(&self, facts: &[Fact]) -> Result<Vec<Granted>, Error> {
        let mut held = self.held.lock().await;
        let mut connection = match held.take() {
            Some(connection) => connection,
            None => self.store.write.acquire().await?,
        };
        let granted = self.store.record_on(&mut connection, facts).await?;
        *held = Some(connection);
        Ok(granted)
    }

    /// Lets others write who wait for the connection.
    pub async fn rest(&self) {
        *self.held.lock().await = None;
    }
}

/// Delivery, worker, when, and until when the lease then runs.
type Begin<'a> = (i64, &'a str, i64, Option<Timestamp>);

impl Store {
    /// Writes down what several connections have to say, in one transaction: one commit serves
    /// them all, and each goes on only when it is through. No two may speak of one delivery.
    ///
    /// # Errors
    /// The database's; then none is written down.
    pub async fn record(&self, facts: &[Fact]) -> Result<Vec<Granted>, Error> {
        let mut connection = self.write.acquire().await?;
        self.record_on(&mut connection, facts).await
    }

    async fn record_on(
        &self,
        connection: &mut Connection,
        facts: &[Fact],
    ) -> Result<Vec<Granted>, Error> {
        let finishes: Vec<&Finish> = facts.iter().filter_map(Fact::finish).collect();
        let mut tx = connection.begin_with(self.engine.begin()).await?;
        let mut finished = HashSet::new();
        let mut ended = Ended::default();
        if !finishes.is_empty() {
            ended = self.finish_attempts(&mut tx, &finishes).await?;
            finished = self.finish_deliveries(&mut tx, &finishes).await?;
        }
        let begun = self.begin_attempts(&mut tx, facts).await?;
        if let Some(first) = finishes.first() {
            overview::count(&mut tx, self.engine, &first.worker, &ended).await?;
        }
        tx.commit().await?;
        let granted = |fact: &Fact| match fact {
            Fact::Finish(finish) if finished.contains(&finish.delivery) => Granted::Recorded,
            Fact::Finish(_) => Granted::NotOurs,
            Fact::Begin { delivery, .. } => begun
                .get(delivery)
                .map_or(Granted::NotOurs, |number| Granted::Begun(*number)),
        };
        Ok(facts.iter().map(granted).collect())
    }

    /// The numbers of the attempts that may begin, by their deliveries.
    async fn begin_attempts(
        &self,
        tx: &mut Connection,
        facts: &[Fact],
    ) -> Result<HashMap<i64, i64>, Error> {
        let begins = facts.iter().filter_map(|fact| match fact {
            Fact::Begin {
                delivery,
                worker,
                at,
                lease_until,
            } => Some((*delivery, worker.as_str(), at.0, *lease_until)),
            Fact::Finish(_) => None,
        });
        let begins: Vec<Begin<'_>> = begins.collect();
        if begins.is_empty() {
            return Ok(HashMap::new());
        }
        let begun = format!(
            "INSERT INTO attempt (delivery_id, number, worker, began_at, relay, sent_to, step, code, enhanced, reply)
             SELECT delivery.id,
                    COALESCE((SELECT MAX(number) FROM attempt WHERE delivery_id = delivery.id), 0) + 1,
                    told.column2, told.column3, '', '', '', 0, '', ''
             FROM (VALUES {}) AS told CROSS JOIN delivery JOIN campaign ON campaign.id = campaign_id
             WHERE delivery.id = told.column1 AND delivery.worker = told.column2
               AND delivery.state = 'leased' AND campaign.state = 'approved'
               AND NOT EXISTS (SELECT 1 FROM attempt AS open
                               WHERE open.delivery_id = delivery.id AND open.worker = delivery.worker
                                 AND open.finished_at IS NULL)
             RETURNING delivery_id, number",
            self.engine.rows("", 3, begins.len())
        );
        let mut begun = numbers(tx, begun, &begins).await?;
        if begun.len() < begins.len() {
            begun.extend(self.begun_before(tx, &begins).await?);
        }
        for (delivery, .., lease_until) in begins {
            let Some(lease_until) = lease_until.filter(|_| begun.contains_key(&delivery)) else {
                continue;
            };
            sqlx::query("UPDATE delivery SET lease_until = $2 WHERE id = $1")
                .bind(delivery)
                .bind(lease_until.0)
                .execute(&mut *tx)
                .await?;
        }
        Ok(begun)
    }

    /// Where the answer to a commit is lost with the connection, the same is said once more: what was
    /// begun then is not begun again.
    async fn begun_before(
        &self,
        tx: &mut Connection,
        begins: &[Begin<'_>],
    ) -> Result<HashMap<i64, i64>, Error> {
        let open = format!(
            "SELECT delivery_id, number
             FROM (VALUES {}) AS told CROSS JOIN attempt JOIN delivery ON delivery.id = delivery_id
                  JOIN campaign ON campaign.id = campaign_id
             WHERE delivery_id = told.column1 AND attempt.worker = told.column2
               AND began_at = told.column3 AND finished_at IS NULL AND delivery.worker = attempt.worker
               AND delivery.state = 'leased' AND campaign.state = 'approved'",
            self.engine.rows("", 3, begins.len())
        );
        numbers(tx, open, begins).await
    }

    /// What is new of it: how many attempts ended how that had not ended before.
    async fn finish_attempts(
        &self,
        tx: &mut Connection,
        finishes: &[&Finish],
    ) -> Result<Ended, Error> {
        let finished = format!(
            "UPDATE attempt
             SET finished_at = told.column3, outcome = told.column4, relay = told.column5,
                 step = told.column6, code = told.column7, enhanced = told.column8,
                 reply = told.column9, sent_to = told.column10
             FROM (VALUES {}) AS told
             WHERE attempt.delivery_id = told.column1 AND attempt.number = told.column2
               AND attempt.finished_at IS NULL
             RETURNING attempt.delivery_id, attempt.outcome",
            self.engine.rows("", 10, finishes.len())
        );
        let mut query = sqlx::query_as(AssertSqlSafe(finished));
        for Finish {
            delivery,
            number,
            at,
            outcome,
            ..
        } in finishes
        {
            query = query
                .bind(*delivery)
                .bind(*number)
                .bind(at.0)
                .bind(outcome.kind.as_str())
                .bind(outcome.relay.as_str())
                .bind(outcome.step.as_str())
                .bind(outcome.code)
                .bind(outcome.enhanced.as_str())
                .bind(outcome.reply.replace('\0', "\u{fffd}"))
                .bind(outcome.sent_to.as_ref().map_or("", Mailbox::as_str));
        }
        let fresh: Vec<(i64, String)> = query.fetch_all(&mut *tx).await?;
        let mut ended = Ended::default();
        for (_, outcome) in &fresh {
            *ended.entry(outcome.clone()).or_default() += 1;
        }
        for finish in finishes {
            let is_fresh = fresh.iter().any(|(one, _)| *one == finish.delivery);
            if !is_fresh && finish.outcome.kind == OutcomeKind::Accepted {
                self.accept_after_all(tx, finish, &mut ended).await?;
            }
        }
        Ok(ended)
    }

    /// That a letter was accepted goes before whatever was thought of the attempt meanwhile.
    async fn accept_after_all(
        &self,
        tx: &mut Connection,
        finish: &Finish,
        ended: &mut Ended,
    ) -> Result<(), Error> {
        let thought: Option<(String,)> = sqlx::query_as(
            "SELECT outcome FROM attempt
             WHERE delivery_id = $1 AND number = $2 AND outcome <> 'accepted'",
        )
        .bind(finish.delivery)
        .bind(finish.number)
        .fetch_optional(&mut *tx)
        .await?;
        let Some((thought,)) = thought else {
            return Ok(());
        };
        let outcome = &finish.outcome;
        sqlx::query(
            "UPDATE attempt
             SET finished_at = $3, outcome = 'accepted', relay = $4, step = $5, code = $6, enhanced = $7,
                 reply = $8, sent_to = $9
             WHERE delivery_id = $1 AND number = $2",
        )
        .bind(finish.delivery)
        .bind(finish.number)
        .bind(finish.at.0)
        .bind(outcome.relay.as_str())
        .bind(outcome.step.as_str())
        .bind(outcome.code)
        .bind(outcome.enhanced.as_str())
        .bind(outcome.reply.replace('\0', "\u{fffd}"))
        .bind(outcome.sent_to.as_ref().map_or("", Mailbox::as_str))
        .execute(&mut *tx)
        .await?;
        *ended.entry(thought).or_default() -= 1;
        *ended.entry("accepted".to_owned()).or_default() += 1;
        Ok(())
    }

    /// The deliveries that it could be written down of. A worker whose lease is lost may no longer
    /// say that a letter failed, for another has it in hand; that it was accepted is a fact whoever
    /// reports it and whatever was thought meanwhile. It is taken out of another worker's hand, too:
    /// what that one has not begun would be a double.
    async fn finish_deliveries(
        &self,
        tx: &mut Connection,
        finishes: &[&Finish],
    ) -> Result<HashSet<i64>, Error> {
        let finished = format!(
            "UPDATE delivery
             SET state = CASE WHEN told.column3 = 'scheduled'
                                   AND (SELECT state FROM campaign WHERE id = campaign_id) = 'cancelled'
                              THEN 'cancelled' ELSE told.column3 END,
                 attempts = attempts + told.column4, lapses = 0,
                 due_at = COALESCE(CAST(told.column5 AS BIGINT), due_at),
                 worker = '', lease_until = NULL, ended_at = CAST(told.column6 AS BIGINT)
             FROM (VALUES {}) AS told
             WHERE delivery.id = told.column1
               AND ((delivery.state = 'leased' AND delivery.worker = told.column2)
                    OR (told.column3 = 'accepted' AND delivery.state <> 'accepted'))
             RETURNING delivery.id",
            self.engine.rows("", 6, finishes.len())
        );
        let mut query = sqlx::query_scalar(AssertSqlSafe(finished));
        for finish in finishes {
            query = query
                .bind(finish.delivery)
                .bind(finish.worker.as_str())
                .bind(finish.state.as_str())
                .bind(i64::from(finish.outcome.kind != OutcomeKind::Relay))
                .bind(finish.due_at.map(|at| at.0))
                .bind((!finish.state.is_open()).then_some(finish.at.0));
        }
        Ok(query.fetch_all(tx).await?.into_iter().collect())
    }
}

/// The numbers of attempts by their deliveries, as a query over three values of each begin tells them.
async fn numbers(
    tx: &mut Connection,
    sql: String,
    begins: &[Begin<'_>],
) -> Result<HashMap<i64, i64>, Error> {
    let mut query = sqlx::query_as(AssertSqlSafe(sql));
    for (delivery, worker, at, _) in begins {
        query = query.bind(*delivery).bind(*worker).bind(*at);
    }
    let told: Vec<(i64, i64)> = query.fetch_all(tx).await?;
    Ok(HashMap::from_iter(told))
}
