//! How hard each registry has been asked: remembered over restarts, shared by all workers.

use sqlx::Row;

use super::{Error, Store};
use crate::model::{Limits, Permit, Question, Span, Timestamp};

const DAY: i64 = 86_400_000;

/// How far clocks of two machines may lie apart, and a wait for the database's lock with them.
const CLOCKS: Span = Span(60_000);

/// One registry's state, for those who watch.
#[derive(Clone, Debug, serde::Serialize)]
pub struct RegistryLine {
    pub name: String,
    pub asked_today: i64,
    pub closed_until: Option<Timestamp>,
    pub closed_why: String,
    pub faults: i64,
}

impl Store {
    /// Asks for leave to put a question to a registry. What is granted comes back by
    /// [`end_questions`](Self::end_questions), or by itself when the lease ends, which every call
    /// begins anew.
    ///
    /// # Errors
    /// The database's.
    pub async fn begin_question(
        &self,
        question: Question<'_>,
        limits: Limits,
        now: Timestamp,
    ) -> Result<Permit, Error> {
        let Question {
            registry,
            gate,
            block,
            worker,
            lease_until,
        } = question;
        let mut tx = self.begin().await?;
        // What is held on the way here is held on, until the way ends.
        sqlx::query("UPDATE question SET lease_until = $2 WHERE worker = $1")
            .bind(worker)
            .bind(lease_until.0)
            .execute(&mut *tx)
            .await?;
        sqlx::query(
            "INSERT INTO registry (name, next_at, day, asked, closed_why, faults)
             VALUES ($1, 0, 0, 0, '', 0) ON CONFLICT (name) DO NOTHING",
        )
        .bind(registry)
        .execute(&mut *tx)
        .await?;
        let lock = format!(
            "SELECT next_at, day, asked FROM registry WHERE name = $1{}",
            self.engine.for_update()
        );
        let row = sqlx::query(sqlx::AssertSqlSafe(lock))
            .bind(registry)
            .fetch_one(&mut *tx)
            .await?;
        let next_at: i64 = row.try_get("next_at")?;
        let today = now.0.div_euclid(DAY);
        let asked: i64 = match row.try_get::<i64, _>("day")? {
            day if day == today => row.try_get("asked")?,
            _ => 0,
        };
        let closed: Option<(i64, String)> = sqlx::query_as(
            "SELECT closed_until, closed_why FROM registry WHERE name = $1 AND closed_until > $2",
        )
        .bind(gate)
        .bind(now.0)
        .fetch_optional(&mut *tx)
        .await?;
        if let Some((until, why)) = closed {
            tx.commit().await?;
            let until = Timestamp(until);
            return Ok(Permit::Closed { until, why });
        }
        if limits.a_day > 0 && asked >= i64::from(limits.a_day) {
            tx.commit().await?;
            return Ok(Permit::Closed {
                until: Timestamp((today + 1) * DAY),
                why: format!("{registry} has been asked {asked} times today, as often as it may"),
            });
        }
        sqlx::query("DELETE FROM question WHERE registry = $1 AND lease_until <= $2")
            .bind(registry)
            .bind(now.0)
            .execute(&mut *tx)
            .await?;
        let others: Vec<(Option<i64>, Option<i64>)> =
            sqlx::query_as("SELECT slot, block FROM question WHERE registry = $1 AND worker <> $2")
                .bind(registry)
                .bind(worker)
                .fetch_all(&mut *tx)
                .await?;
        let slot = (0..i64::from(limits.at_once.max(1)))
            .find(|slot| others.iter().all(|(used, _)| *used != Some(*slot)));
        let is_taken = block.is_some() && others.iter().any(|(_, asked)| *asked == block);
        let Some(slot) = slot.filter(|_| !is_taken) else {
            tx.commit().await?;
            return Ok(Permit::Busy);
        };
        // A moment far ahead was written by a clock that has been set back since; one a little ahead,
        // by whoever came first while this one waited for the lock.
        if next_at > now.0 && next_at <= now.plus(limits.every).plus(CLOCKS).0 {
            tx.commit().await?;
            return Ok(Permit::Wait {
                until: Timestamp(next_at),
            });
        }
        sqlx::query(
            "INSERT INTO question (registry, slot, block, worker, lease_until) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (registry, worker) DO UPDATE SET slot = excluded.slot",
        )
        .bind(registry)
        .bind(slot)
        .bind(block)
        .bind(worker)
        .bind(lease_until.0)
        .execute(&mut *tx)
        .await?;
        sqlx::query("UPDATE registry SET next_at = $2, day = $3, asked = $4 WHERE name = $1")
            .bind(registry)
            .bind(now.plus(limits.every).0)
            .bind(today)
            .bind(asked + 1)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(Permit::Granted)
    }

    /// Gives the slots of a question back that goes on to another registry; its block stays held.
    ///
    /// # Errors
    /// The database's.
    pub async fn send_question_on(&self, worker: &str) -> Result<(), Error> {
        sqlx::query("UPDATE question SET slot = NULL WHERE worker = $1")
            .bind(worker)
            .execute(&self.write)
            .await?;
        Ok(())
    }

    /// Ends what a worker asks: the way of a question is over, or the worker is known to be dead.
    ///
    /// # Errors
    /// The database's.
    pub async fn end_questions(&self, worker: &str) -> Result<u64, Error> {
        let ended = sqlx::query("DELETE FROM question WHERE worker = $1")
            .bind(worker)
            .execute(&self.write)
            .await?;
        Ok(ended.rows_affected())
    }

    /// Who has questions under way, as they named themselves.
    ///
    /// # Errors
    /// The database's.
    pub async fn askers(&self) -> Result<Vec<String>, Error> {
        Ok(sqlx::query_scalar("SELECT DISTINCT worker FROM question")
            .fetch_all(&self.read)
            .await?)
    }

    /// Notes a good answer.
    ///
    /// # Errors
    /// The database's.
    pub async fn registry_answered(&self, gate: &str) -> Result<(), Error> {
        sqlx::query("UPDATE registry SET faults = 0 WHERE name = $1 AND faults > 0")
            .bind(gate)
            .execute(&self.write)
            .await?;
        Ok(())
    }

    /// Notes a limit or a fault, and returns how many there have been in a row.
    ///
    /// # Errors
    /// The database's.
    pub async fn registry_failed(&self, gate: &str) -> Result<i64, Error> {
        let faults = sqlx::query_scalar(
            "INSERT INTO registry (name, next_at, day, asked, closed_why, faults)
             VALUES ($1, 0, 0, 0, '', 1)
             ON CONFLICT (name) DO UPDATE SET faults = registry.faults + 1 RETURNING faults",
        )
        .bind(gate)
        .fetch_one(&self.write)
        .await?;
        Ok(faults)
    }

    /// Stays away from a registry until then.
    ///
    /// # Errors
    /// The database's.
    pub async fn close_registry(
        &self,
        gate: &str,
        now: Timestamp,
        wait: Span,
        why: &str,
    ) -> Result<Timestamp, Error> {
        let until = now.plus(wait);
        sqlx::query("UPDATE registry SET closed_until = $2, closed_why = $3 WHERE name = $1")
            .bind(gate)
            .bind(until.0)
            .bind(why)
            .execute(&self.write)
            .await?;
        Ok(until)
    }

    /// All registries that have been asked, by name.
    ///
    /// # Errors
    /// The database's.
    pub async fn registries(&self, now: Timestamp) -> Result<Vec<RegistryLine>, Error> {
        let rows = sqlx::query(
            "SELECT name, CASE WHEN day = $1 THEN asked ELSE 0 END AS asked,
                    CASE WHEN closed_until > $2 THEN closed_until END AS closed_until, closed_why, faults
             FROM registry ORDER BY name",
        )
        .bind(now.0.div_euclid(DAY))
        .bind(now.0)
        .fetch_all(&self.read)
        .await?;
        rows.iter()
            .map(|row| {
                let closed_until: Option<i64> = row.try_get("closed_until")?;
                Ok(RegistryLine {
                    name: row.try_get("name")?,
                    asked_today: row.try_get("asked")?,
                    closed_until: closed_until.map(Timestamp),
                    closed_why: match closed_until {
                        Some(_) => row.try_get("closed_why")?,
                        None => String::new(),
                    },
                    faults: row.try_get("faults")?,
                })
            })
            .collect()
    }
}
