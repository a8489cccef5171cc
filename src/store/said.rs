//! What connections say at a time, as the statements that write it down.

use std::collections::HashSet;

use sqlx::{AssertSqlSafe, Connection as _};

use super::engine::Engine;
use super::overview::{self, Ended};
use super::together::{Statement, Value, carry_out};
use super::{Connection, Error, Fact, Finish};
use crate::model::{Mailbox, OutcomeKind, Timestamp};

pub(super) struct Said<'a> {
    finishes: Vec<&'a Finish>,
    begins: Vec<Begin<'a>>,
}

struct Begin<'a> {
    delivery: i64,
    number: i64,
    worker: &'a str,
    at: Timestamp,
    lease_until: Option<Timestamp>,
}

impl<'a> Said<'a> {
    pub(super) fn of(facts: &'a [Fact]) -> Self {
        let begins = facts.iter().filter_map(|fact| match fact {
            Fact::Begin {
                delivery,
                number,
                worker,
                at,
                lease_until,
            } => Some(Begin {
                delivery: *delivery,
                number: *number,
                worker,
                at: *at,
                lease_until: *lease_until,
            }),
            Fact::Finish(_) => None,
        });
        Self {
            finishes: facts.iter().filter_map(Fact::finish).collect(),
            begins: begins.collect(),
        }
    }

    /// Whether all of it could be written down, as it nearly always can; else none of it is.
    pub(super) async fn record_all(
        &self,
        engine: Engine,
        connection: &mut Connection,
    ) -> Result<bool, Error> {
        let mut statements = Vec::new();
        let mut wanted = Vec::new();
        let mut ask = |statement: Statement, rows: usize| {
            statements.push(statement);
            wanted.push(rows as u64);
        };
        let (finishes, begins) = (self.finishes.len(), self.begins.len());
        if finishes > 0 {
            ask(finish_attempts(engine, &self.finishes), finishes);
            ask(finish_deliveries(engine, &self.finishes), finishes);
        }
        if begins > 0 {
            ask(begin_attempts(engine, &self.begins), begins);
        }
        let renewed: Vec<_> = self.begins.iter().filter_map(renewed).collect();
        if !renewed.is_empty() {
            ask(renew_leases(engine, &renewed), renewed.len());
        }
        if let Some(first) = self.finishes.first() {
            let mut ended = Ended::default();
            for finish in &self.finishes {
                let outcome = finish.outcome.kind.as_str().to_owned();
                *ended.entry(outcome).or_default() += 1;
            }
            if let Some(count) = overview::count(engine, &first.worker, &ended) {
                ask(count, ended.len());
            }
        }
        let mut tx = connection.begin_with(engine.begin()).await?;
        let all = carry_out(engine, &mut tx, statements).await? == wanted;
        if all {
            tx.commit().await?;
        } else {
            tx.rollback().await?;
        }
        Ok(all)
    }

    /// The deliveries whose end could be written down, and those of which an attempt may begin.
    pub(super) async fn record_each(
        &self,
        engine: Engine,
        connection: &mut Connection,
    ) -> Result<(HashSet<i64>, HashSet<i64>), Error> {
        let mut tx = connection.begin_with(engine.begin()).await?;
        let mut finished = HashSet::new();
        let mut ended = Ended::default();
        if !self.finishes.is_empty() {
            ended = self.count_fresh(engine, &mut tx).await?;
            let deliveries = finish_deliveries(engine, &self.finishes);
            finished = ids(deliveries.returning("delivery.id", &mut tx).await?);
        }
        let mut begun = HashSet::new();
        if !self.begins.is_empty() {
            let attempts = begin_attempts(engine, &self.begins);
            begun = ids(attempts.returning("delivery_id", &mut tx).await?);
            begun.extend(self.begun_before(engine, &mut tx).await?);
        }
        let began = self
            .begins
            .iter()
            .filter(|one| begun.contains(&one.delivery));
        let renewed: Vec<_> = began.filter_map(renewed).collect();
        let mut last = Vec::new();
        if !renewed.is_empty() {
            last.push(renew_leases(engine, &renewed));
        }
        if let Some(first) = self.finishes.first() {
            last.extend(overview::count(engine, &first.worker, &ended));
        }
        carry_out(engine, &mut tx, last).await?;
        tx.commit().await?;
        Ok((finished, begun))
    }

    /// Where the answer to a commit is lost with the connection, the same is said once more: what was
    /// begun then is not begun again.
    async fn begun_before(
        &self,
        engine: Engine,
        tx: &mut Connection,
    ) -> Result<Vec<i64>, sqlx::Error> {
        let open = format!(
            "SELECT delivery_id
             FROM (VALUES {}) AS told CROSS JOIN attempt JOIN delivery ON delivery.id = delivery_id
                  JOIN campaign ON campaign.id = campaign_id
             WHERE delivery_id = told.column1 AND number = told.column2 AND attempt.worker = told.column3
               AND began_at = told.column4 AND finished_at IS NULL AND delivery.worker = attempt.worker
               AND delivery.state = 'leased' AND campaign.state = 'approved'",
            engine.rows("", 4, self.begins.len())
        );
        let mut query = sqlx::query_scalar(AssertSqlSafe(open));
        for begin in &self.begins {
            query = query
                .bind(begin.delivery)
                .bind(begin.number)
                .bind(begin.worker)
                .bind(begin.at.0);
        }
        query.fetch_all(tx).await
    }

    /// Ends attempts, and tells how many ended how that had not ended before.
    async fn count_fresh(&self, engine: Engine, tx: &mut Connection) -> Result<Ended, Error> {
        let attempts = finish_attempts(engine, &self.finishes);
        let columns = "attempt.delivery_id, attempt.outcome";
        let fresh: Vec<(i64, String)> = attempts.returning(columns, tx).await?;
        let mut ended = Ended::default();
        for (_, outcome) in &fresh {
            *ended.entry(outcome.clone()).or_default() += 1;
        }
        for finish in &self.finishes {
            let is_fresh = fresh.iter().any(|(one, _)| *one == finish.delivery);
            if !is_fresh && finish.outcome.kind == OutcomeKind::Accepted {
                accept_after_all(tx, finish, &mut ended).await?;
            }
        }
        Ok(ended)
    }
}

fn ids(rows: Vec<(i64,)>) -> HashSet<i64> {
    rows.into_iter().map(|(id,)| id).collect()
}

/// The delivery, and until when its lease runs anew.
fn renewed(begin: &Begin<'_>) -> Option<(i64, Timestamp)> {
    begin.lease_until.map(|until| (begin.delivery, until))
}

fn finish_attempts(engine: Engine, finishes: &[&Finish]) -> Statement {
    let sql = format!(
        "UPDATE attempt
         SET finished_at = told.column3, outcome = told.column4, relay = told.column5,
             step = told.column6, code = told.column7, enhanced = told.column8,
             reply = told.column9, sent_to = told.column10
         FROM (VALUES {}) AS told
         WHERE attempt.delivery_id = told.column1 AND attempt.number = told.column2
           AND attempt.finished_at IS NULL",
        engine.rows("", 10, finishes.len())
    );
    let values = finishes.iter().flat_map(|finish| {
        let outcome = &finish.outcome;
        [
            finish.delivery.into(),
            finish.number.into(),
            finish.at.0.into(),
            outcome.kind.as_str().into(),
            outcome.relay.as_str().into(),
            outcome.step.as_str().into(),
            outcome.code.into(),
            outcome.enhanced.as_str().into(),
            Value::Text(outcome.reply.replace('\0', "\u{fffd}")),
            outcome.sent_to.as_ref().map_or("", Mailbox::as_str).into(),
        ]
    });
    let values = values.collect();
    Statement { sql, values }
}

/// A worker whose lease is lost may no longer say that a letter failed, for another has it in hand; that
/// it was accepted is a fact whoever reports it and whatever was thought meanwhile. It is taken out of
/// another worker's hand, too: what that one has not begun would be a double.
fn finish_deliveries(engine: Engine, finishes: &[&Finish]) -> Statement {
    let sql = format!(
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
                OR (told.column3 = 'accepted' AND delivery.state <> 'accepted'))",
        engine.rows("", 6, finishes.len())
    );
    let values = finishes.iter().flat_map(|finish| {
        [
            finish.delivery.into(),
            finish.worker.as_str().into(),
            finish.state.as_str().into(),
            i64::from(finish.outcome.kind != OutcomeKind::Relay).into(),
            finish.due_at.map(|at| at.0).into(),
            (!finish.state.is_open()).then_some(finish.at.0).into(),
        ]
    });
    let values = values.collect();
    Statement { sql, values }
}

fn begin_attempts(engine: Engine, begins: &[Begin<'_>]) -> Statement {
    let sql = format!(
        "INSERT INTO attempt (delivery_id, number, worker, began_at, relay, sent_to, step, code, enhanced, reply)
         SELECT delivery.id, told.column2, told.column3, told.column4, '', '', '', 0, '', ''
         FROM (VALUES {}) AS told CROSS JOIN delivery JOIN campaign ON campaign.id = campaign_id
         WHERE delivery.id = told.column1 AND delivery.worker = told.column3
           AND delivery.state = 'leased' AND campaign.state = 'approved'
           AND NOT EXISTS (SELECT 1 FROM attempt AS other
                           WHERE other.delivery_id = delivery.id AND other.number >= told.column2)",
        engine.rows("", 4, begins.len())
    );
    let values = begins.iter().flat_map(|begin| {
        [
            begin.delivery.into(),
            begin.number.into(),
            begin.worker.into(),
            begin.at.0.into(),
        ]
    });
    let values = values.collect();
    Statement { sql, values }
}

fn renew_leases(engine: Engine, renewed: &[(i64, Timestamp)]) -> Statement {
    let sql = format!(
        "UPDATE delivery SET lease_until = told.column2
         FROM (VALUES {}) AS told WHERE delivery.id = told.column1",
        engine.rows("", 2, renewed.len())
    );
    let values = renewed
        .iter()
        .flat_map(|(delivery, until)| [(*delivery).into(), until.0.into()]);
    let values = values.collect();
    Statement { sql, values }
}

/// That a letter was accepted goes before whatever was thought of the attempt meanwhile.
async fn accept_after_all(
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
