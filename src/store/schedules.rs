//! Schedules, and the standing approvals of what their runs write.

use serde_json::{Value, json};
use sqlx::Row;
use sqlx::any::AnyRow;

use super::audit::Entry;
use super::{Connection, Error, Store};
use crate::model::{Paused, Plan, Schedule, Span, Standing, Timestamp};

impl Store {
    /// Adds a schedule (its `id` is not looked at); what was due before `created_at` is none of its.
    ///
    /// # Errors
    /// [`Error::Taken`] when there is one of that name.
    pub async fn add_schedule(&self, new: &Schedule) -> Result<(), Error> {
        let mut deed = self.act(&new.author, new.created_at).await?;
        let added = sqlx::query(
            "INSERT INTO schedule (name, cron, zone, feed, letter, policy, max_lateness, author, created_at,
                                   changed_at, seen_to, paused_by, paused_for, etag, modified)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, $9, '', '', '', '')
             ON CONFLICT DO NOTHING",
        )
        .bind(new.name.as_str())
        .bind(new.plan.cron())
        .bind(new.plan.zone())
        .bind(new.feed.to_string())
        .bind(new.letter.as_str())
        .bind(policy_text(new)?)
        .bind(new.max_lateness.0)
        .bind(new.author.as_str())
        .bind(new.created_at.0)
        .execute(&mut *deed)
        .await?;
        if added.rows_affected() == 0 {
            return Err(Error::Taken {
                what: "schedule",
                name: new.name.clone(),
            });
        }
        deed.written(Entry::new("schedule add", &new.name).after(facts(new)))
            .await
    }

    /// # Errors
    /// [`Error::NotFound`].
    pub async fn schedule(&self, name: &str) -> Result<Schedule, Error> {
        let row = sqlx::query("SELECT * FROM schedule WHERE name = $1 AND removed_at IS NULL")
            .bind(name)
            .fetch_optional(&self.read)
            .await?;
        row.map_or_else(
            || Err(Error::not_found("schedule", name)),
            |row| schedule(&row),
        )
    }

    /// One of them, also when it was removed.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn schedule_of(&self, id: i64) -> Result<Schedule, Error> {
        let row = sqlx::query("SELECT * FROM schedule WHERE id = $1")
            .bind(id)
            .fetch_optional(&self.read)
            .await?;
        row.map_or_else(
            || Err(Error::not_found("schedule", id.to_string())),
            |row| schedule(&row),
        )
    }

    /// All that were not removed, by name.
    ///
    /// # Errors
    /// The database's.
    pub async fn schedules(&self) -> Result<Vec<Schedule>, Error> {
        let rows = sqlx::query("SELECT * FROM schedule WHERE removed_at IS NULL ORDER BY name")
            .fetch_all(&self.read)
            .await?;
        rows.iter().map(schedule).collect()
    }

    /// Writes down what a schedule is from `changed_at` on; its standing approval was for another. Whether
    /// there was one.
    ///
    /// # Errors
    /// [`Error::NotFound`] when it has been removed.
    pub async fn change_schedule(&self, new: &Schedule) -> Result<bool, Error> {
        let before = self.schedule_of(new.id).await?;
        let mut tx = self.act(&new.author, new.changed_at).await?;
        let changed = sqlx::query(
            "UPDATE schedule
             SET cron = $2, zone = $3, letter = $5, policy = $6, max_lateness = $7, author = $8, changed_at = $9,
                 seen_to = CASE WHEN cron = $2 AND zone = $3 THEN seen_to ELSE $9 END,
                 etag = CASE WHEN feed = $4 THEN etag ELSE '' END,
                 modified = CASE WHEN feed = $4 THEN modified ELSE '' END, feed = $4
             WHERE id = $1 AND removed_at IS NULL",
        )
        .bind(new.id)
        .bind(new.plan.cron())
        .bind(new.plan.zone())
        .bind(new.feed.to_string())
        .bind(new.letter.as_str())
        .bind(policy_text(new)?)
        .bind(new.max_lateness.0)
        .bind(new.author.as_str())
        .bind(new.changed_at.0)
        .execute(&mut *tx)
        .await?;
        if changed.rows_affected() == 0 {
            return Err(Error::not_found("schedule", new.name.as_str()));
        }
        let why = format!("changed by {}", new.author);
        let ended = end_standing(&mut tx, new.id, &why, new.changed_at).await?;
        let entry = Entry::new("schedule change", &new.name);
        tx.written(entry.before(facts(&before)).after(facts(new)))
            .await?;
        Ok(ended)
    }

    /// Begins nothing of a schedule any more.
    ///
    /// # Errors
    /// [`Error::Refused`] when it is paused already.
    pub async fn pause_schedule(&self, one: &Schedule, paused: &Paused) -> Result<(), Error> {
        let mut deed = self.act(&paused.by, paused.at).await?;
        let done = sqlx::query(
            "UPDATE schedule SET paused_at = $2, paused_by = $3, paused_for = $4
             WHERE id = $1 AND paused_at IS NULL AND removed_at IS NULL",
        )
        .bind(one.id)
        .bind(paused.at.0)
        .bind(paused.by.as_str())
        .bind(paused.reason.as_str())
        .execute(&mut *deed)
        .await?;
        expect_one(done.rows_affected(), one, "paused already")?;
        let entry = Entry::new("schedule pause", &one.name);
        deed.written(entry.after(json!({ "reason": paused.reason })))
            .await
    }

    /// Goes on with a paused schedule; what fell due meanwhile stays undone.
    ///
    /// # Errors
    /// [`Error::Refused`] when it is not paused.
    pub async fn resume_schedule(
        &self,
        one: &Schedule,
        by: &str,
        now: Timestamp,
    ) -> Result<(), Error> {
        let mut deed = self.act(by, now).await?;
        let done = sqlx::query(
            "UPDATE schedule SET paused_at = NULL, paused_by = '', paused_for = '', seen_to = $2
             WHERE id = $1 AND paused_at IS NOT NULL AND removed_at IS NULL",
        )
        .bind(one.id)
        .bind(now.0)
        .execute(&mut *deed)
        .await?;
        expect_one(done.rows_affected(), one, "not paused")?;
        deed.written(Entry::new("schedule resume", &one.name)).await
    }

    /// Ends a schedule for good; its runs stay.
    ///
    /// # Errors
    /// [`Error::Refused`] when somebody else was first, or a run of it is under way.
    pub async fn remove_schedule(
        &self,
        one: &Schedule,
        by: &str,
        now: Timestamp,
    ) -> Result<(), Error> {
        let mut tx = self.act(by, now).await?;
        let done = sqlx::query(
            "UPDATE schedule SET removed_at = $2, removed_by = $3 WHERE id = $1 AND removed_at IS NULL",
        )
        .bind(one.id)
        .bind(now.0)
        .bind(by)
        .execute(&mut *tx)
        .await?;
        expect_one(done.rows_affected(), one, "removed already")?;
        let open: i64 = sqlx::query_scalar(
            "SELECT COUNT(*) FROM schedule_run WHERE schedule_id = $1 AND ended_at IS NULL",
        )
        .bind(one.id)
        .fetch_one(&mut *tx)
        .await?;
        if open > 0 {
            return Err(Error::Refused(format!(
                "a run of \"{0}\" is under way: pause it (lapwing schedule pause {0}), and remove it when that has ended",
                one.name
            )));
        }
        end_standing(&mut tx, one.id, "the schedule was removed", now).await?;
        tx.written(Entry::new("schedule remove", &one.name)).await
    }

    /// Keeps what a feed's server said of what it gave.
    ///
    /// # Errors
    /// The database's.
    pub async fn keep_validators(
        &self,
        schedule: i64,
        etag: &str,
        modified: &str,
    ) -> Result<(), Error> {
        sqlx::query("UPDATE schedule SET etag = $2, modified = $3 WHERE id = $1")
            .bind(schedule)
            .bind(etag)
            .bind(modified)
            .execute(&self.write)
            .await?;
        Ok(())
    }

    /// Gives a standing approval (its `id` is not looked at) for the schedule as it stands here; one that
    /// there was ends.
    ///
    /// # Errors
    /// [`Error::Refused`] when the schedule was changed meanwhile: it was not this that was looked at.
    pub async fn give_standing(&self, one: &Schedule, new: &Standing) -> Result<(), Error> {
        let mut tx = self.act(&new.by, new.at).await?;
        let sql = format!(
            "SELECT changed_at FROM schedule WHERE id = $1 AND removed_at IS NULL{}",
            self.engine.for_update()
        );
        let changed_at: Option<i64> = sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
            .bind(one.id)
            .fetch_optional(&mut *tx)
            .await?;
        if changed_at != Some(one.changed_at.0) {
            return Err(Error::Refused(format!(
                "\"{0}\" was changed meanwhile; look at it again: lapwing schedule show {0}",
                one.name
            )));
        }
        end_standing(&mut tx, one.id, "another was given", new.at).await?;
        sqlx::query(
            "INSERT INTO standing (schedule_id, given_by, given_at, reason, most_letters, most_new, templates,
                                   unreviewed, expires_at, ended_for)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, '')",
        )
        .bind(one.id)
        .bind(new.by.as_str())
        .bind(new.at.0)
        .bind(new.reason.as_str())
        .bind(new.most_letters)
        .bind(new.most_new)
        .bind(new.templates.as_str())
        .bind(new.unreviewed.join(","))
        .bind(new.expires_at.0)
        .execute(&mut *tx)
        .await?;
        let entry = Entry::new("schedule approve", &one.name).after(json!({
            "most_letters": new.most_letters, "most_new": new.most_new, "templates": new.templates,
            "unreviewed": new.unreviewed, "until": new.expires_at, "reason": new.reason,
        }));
        tx.written(entry).await
    }

    /// Takes a standing approval back: from now on runs wait for a person. Whether there was one.
    ///
    /// # Errors
    /// The database's.
    pub async fn end_standing(
        &self,
        one: &Schedule,
        why: &str,
        by: &str,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let mut deed = self.act(by, now).await?;
        let had = end_standing(&mut deed, one.id, why, now).await?;
        if !had {
            deed.nothing_decided().await?;
            return Ok(false);
        }
        let entry = Entry::new("schedule approve", &one.name);
        deed.written(entry.after(json!({ "ended": why }))).await?;
        Ok(true)
    }

    /// The standing approval that a schedule has, expired or not.
    ///
    /// # Errors
    /// The database's.
    pub async fn standing(&self, schedule: i64) -> Result<Option<Standing>, Error> {
        let row = sqlx::query("SELECT * FROM standing WHERE schedule_id = $1 AND ended_at IS NULL")
            .bind(schedule)
            .fetch_optional(&self.read)
            .await?;
        row.map(|row| {
            let unreviewed: String = row.try_get("unreviewed")?;
            let unreviewed = unreviewed.split(',').filter(|one| !one.is_empty());
            Ok(Standing {
                id: row.try_get("id")?,
                by: row.try_get("given_by")?,
                at: Timestamp(row.try_get("given_at")?),
                reason: row.try_get("reason")?,
                most_letters: row.try_get("most_letters")?,
                most_new: row.try_get("most_new")?,
                templates: row.try_get("templates")?,
                unreviewed: unreviewed.map(str::to_owned).collect(),
                expires_at: Timestamp(row.try_get("expires_at")?),
            })
        })
        .transpose()
    }
}

async fn end_standing(
    connection: &mut Connection,
    schedule: i64,
    why: &str,
    now: Timestamp,
) -> Result<bool, Error> {
    let ended = sqlx::query(
        "UPDATE standing SET ended_at = $2, ended_for = $3 WHERE schedule_id = $1 AND ended_at IS NULL",
    )
    .bind(schedule)
    .bind(now.0)
    .bind(why)
    .execute(connection)
    .await?;
    Ok(ended.rows_affected() > 0)
}

fn expect_one(rows: u64, one: &Schedule, how: &str) -> Result<(), Error> {
    match rows {
        0 => Err(Error::Refused(format!(
            "\"{0}\" is {how}; see lapwing schedule show {0}",
            one.name
        ))),
        _ => Ok(()),
    }
}

/// What can be changed of a schedule, as the trail of decisions keeps it: without what may be a secret in a
/// feed's address.
fn facts(one: &Schedule) -> Value {
    let feed = one.feed.to_string();
    let feed = feed.split('?').next().unwrap_or_default();
    let feed = feed.rsplit('@').next().unwrap_or_default();
    json!({
        "cron": one.plan.cron(), "zone": one.plan.zone(), "feed": feed, "letter": one.letter,
        "policy": one.policy, "max_lateness": one.max_lateness,
    })
}

fn policy_text(one: &Schedule) -> Result<String, Error> {
    serde_json::to_string(&one.policy).map_err(|error| Error::Database(error.to_string()))
}

fn schedule(row: &AnyRow) -> Result<Schedule, Error> {
    let [cron, zone, feed, policy] =
        ["cron", "zone", "feed", "policy"].map(|column| row.try_get::<String, _>(column));
    let paused_at: Option<i64> = row.try_get("paused_at")?;
    let paused = match paused_at {
        Some(at) => Some(Paused {
            at: Timestamp(at),
            by: row.try_get("paused_by")?,
            reason: row.try_get("paused_for")?,
        }),
        None => None,
    };
    Ok(Schedule {
        id: row.try_get("id")?,
        name: row.try_get("name")?,
        plan: Plan::new(&cron?, &zone?).map_err(Error::Database)?,
        feed: feed?.parse().map_err(Error::Database)?,
        letter: row.try_get("letter")?,
        policy: serde_json::from_str(&policy?)
            .map_err(|error| Error::Database(error.to_string()))?,
        max_lateness: Span(row.try_get("max_lateness")?),
        author: row.try_get("author")?,
        created_at: Timestamp(row.try_get("created_at")?),
        changed_at: Timestamp(row.try_get("changed_at")?),
        paused,
        seen_to: Timestamp(row.try_get("seen_to")?),
        etag: row.try_get("etag")?,
        modified: row.try_get("modified")?,
    })
}
