//! How hard each registry has been asked: remembered over restarts, shared by all workers.

use sqlx::Row;

use super::{Error, Store};
use crate::model::{Limits, Permit, Question, Span, Timestamp};

const DAY: i64 = 86_400_000;

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
    /// Asks for leave to put a question to a registry. The slot that is granted comes back by
    /// [`end_question`](Self::end_question), or by itself when the lease ends.
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
            let until = Timestamp(until);
            return Ok(Permit::Closed { until, why });
        }
        if limits.a_day > 0 && asked >= i64::from(limits.a_day) {
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
        let under_way: Vec<(i64, i64, String)> =
            sqlx::query_as("SELECT slot, block, worker FROM question WHERE registry = $1")
                .bind(registry)
                .fetch_all(&mut *tx)
                .await?;
        // A redirect may lead back to where one has a slot already.
        let own = under_way.iter().find(|(_, _, holder)| holder == worker);
        let free = (0..i64::from(limits.at_once.max(1)))
            .find(|slot| under_way.iter().all(|(used, ..)| used != slot));
        let is_taken = under_way.iter().any(|(_, asked, _)| *asked == block);
        let slot = own.map(|(slot, ..)| *slot).or(free.filter(|_| !is_taken));
        let Some(slot) = slot else {
            tx.commit().await?;
            return Ok(Permit::Busy);
        };
        // A moment far ahead was written by a clock that has been set back since.
        if next_at > now.0 && next_at <= now.plus(limits.every).0 {
            tx.commit().await?;
            return Ok(Permit::Wait {
                until: Timestamp(next_at),
            });
        }
        sqlx::query(
            "INSERT INTO question (registry, slot, block, worker, lease_until) VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (registry, slot) DO NOTHING",
        )
        .bind(registry)
        .bind(slot)
        .bind(block)
        .bind(worker)
        .bind(lease_until.0)
        .execute(&mut *tx)
        .await?;
        // What is held on the way here is held on, until the way ends.
        sqlx::query("UPDATE question SET lease_until = $2 WHERE worker = $1")
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
        Ok(Permit::Granted { slot })
    }

    /// Gives a slot back, unless somebody else has it by now.
    ///
    /// # Errors
    /// The database's.
    pub async fn end_question(&self, registry: &str, slot: i64, worker: &str) -> Result<(), Error> {
        sqlx::query("DELETE FROM question WHERE registry = $1 AND slot = $2 AND worker = $3")
            .bind(registry)
            .bind(slot)
            .bind(worker)
            .execute(&self.write)
            .await?;
        Ok(())
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

    /// Gives back all slots of one who is known to be dead.
    ///
    /// # Errors
    /// The database's.
    pub async fn end_questions_of(&self, worker: &str) -> Result<u64, Error> {
        let ended = sqlx::query("DELETE FROM question WHERE worker = $1")
            .bind(worker)
            .execute(&self.write)
            .await?;
        Ok(ended.rows_affected())
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
