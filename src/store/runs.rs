//! Runs of schedules: claimed once for a due time, held by a lease, and kept with their sheets.

use serde_json::json;
use sqlx::Row;
use sqlx::any::AnyRow;

use super::audit::Entry;
use super::campaigns::{insert_campaign, unknown_word};
use super::{Error, Store};
use crate::model::{NewCampaign, Occasion, Run, RunSheet, RunState, RunStep, SheetMail, Timestamp};

/// A claim on a due time of a schedule.
#[derive(Clone, Debug)]
pub struct Claim<'a> {
    pub schedule: i64,
    pub occasion: Occasion,
    pub due_at: Timestamp,
    pub worker: &'a str,
    pub lease_until: Timestamp,
    /// Due times before it that it stands for.
    pub missed: u64,
}

impl Store {
    /// Claims a due time; `None` where somebody has, where another run of the schedule is under way, or where it
    /// was paused or removed meanwhile.
    ///
    /// # Errors
    /// The database's.
    pub async fn claim_run(&self, claim: &Claim<'_>, now: Timestamp) -> Result<Option<Run>, Error> {
        let sheet = RunSheet {
            missed: claim.missed,
            ..RunSheet::default()
        };
        let mut tx = self.begin().await?;
        let id: Option<i64> = sqlx::query_scalar(
            "INSERT INTO schedule_run (schedule_id, occasion, due_at, state, step, worker, lease_until, began_at,
                                       taken_over, told, sheet, mail, mail_told)
             SELECT id, $2, $3, 'under-way', 'intake', $4, $5, $6, 0, '', $7, 'none', ''
             FROM schedule WHERE id = $1 AND paused_at IS NULL AND removed_at IS NULL
             ON CONFLICT DO NOTHING RETURNING id",
        )
        .bind(claim.schedule)
        .bind(claim.occasion.to_string())
        .bind(claim.due_at.0)
        .bind(claim.worker)
        .bind(claim.lease_until.0)
        .bind(now.0)
        .bind(sheet_text(&sheet)?)
        .fetch_optional(&mut *tx)
        .await?;
        if claim.occasion == Occasion::Feed {
            // While another run is under way, nobody has seen to it yet.
            sqlx::query(
                "UPDATE schedule SET seen_to = $2
                 WHERE id = $1 AND seen_to < $2 AND EXISTS (
                     SELECT 1 FROM schedule_run WHERE schedule_id = $1 AND occasion = '' AND due_at = $2)",
            )
                .bind(claim.schedule)
                .bind(claim.due_at.0)
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
        match id {
            Some(id) => self.run(id).await.map(Some),
            None => Ok(None),
        }
    }

    /// Runs that nobody is at any more: under way, their leases run out.
    ///
    /// # Errors
    /// The database's.
    pub async fn abandoned_runs(&self, now: Timestamp) -> Result<Vec<Run>, Error> {
        let rows = sqlx::query(
            "SELECT * FROM schedule_run WHERE ended_at IS NULL AND lease_until <= $1 ORDER BY id",
        )
        .bind(now.0)
        .fetch_all(&self.read)
        .await?;
        rows.iter().map(run).collect()
    }

    /// Takes up a run where its last worker left it; `false` when somebody else was first.
    ///
    /// # Errors
    /// The database's.
    pub async fn take_up_run(
        &self,
        one: &Run,
        worker: &str,
        now: Timestamp,
        lease_until: Timestamp,
    ) -> Result<bool, Error> {
        let taken = sqlx::query(
            "UPDATE schedule_run SET worker = $3, lease_until = $5, taken_over = taken_over + 1
             WHERE id = $1 AND worker = $2 AND lease_until <= $4 AND ended_at IS NULL",
        )
        .bind(one.id)
        .bind(one.worker.as_str())
        .bind(worker)
        .bind(now.0)
        .bind(lease_until.0)
        .execute(&self.write)
        .await?;
        Ok(taken.rows_affected() == 1)
    }

    /// Renews the lease, or with a time that is over gives it back; `false` when it is somebody else's by
    /// now.
    ///
    /// # Errors
    /// The database's.
    pub async fn hold_run(
        &self,
        run: i64,
        worker: &str,
        lease_until: Timestamp,
    ) -> Result<bool, Error> {
        let held = sqlx::query(
            "UPDATE schedule_run SET lease_until = $3 WHERE id = $1 AND worker = $2 AND ended_at IS NULL",
        )
        .bind(run)
        .bind(worker)
        .bind(lease_until.0)
        .execute(&self.write)
        .await?;
        Ok(held.rows_affected() == 1)
    }

    /// The workers that have runs under way.
    ///
    /// # Errors
    /// The database's.
    pub async fn runners(&self) -> Result<Vec<(i64, String)>, Error> {
        Ok(
            sqlx::query_as(
                "SELECT id, worker FROM schedule_run WHERE ended_at IS NULL ORDER BY id",
            )
            .fetch_all(&self.read)
            .await?,
        )
    }

    /// Begins a run's campaign, once: the two are written down together.
    ///
    /// # Errors
    /// [`Error::Taken`] when a campaign of that name is there that is not the run's; [`Error::Refused`]
    /// when the run is somebody else's by now.
    pub async fn begin_run_campaign(
        &self,
        one: &Run,
        new: &NewCampaign,
        by: &str,
        now: Timestamp,
    ) -> Result<i64, Error> {
        let mut tx = self.act(by, now).await?;
        let id = insert_campaign(&mut tx, new, by, now).await?;
        let linked = sqlx::query(
            "UPDATE schedule_run SET campaign_id = $3
             WHERE id = $1 AND worker = $2 AND ended_at IS NULL AND campaign_id IS NULL",
        )
        .bind(one.id)
        .bind(one.worker.as_str())
        .bind(id)
        .execute(&mut *tx)
        .await?;
        if linked.rows_affected() == 0 {
            return Err(taken_over());
        }
        let entry = Entry::new("campaign new", &new.name)
            .after(json!({ "kind": new.kind(), "letter": new.letter, "run": one.id }));
        tx.written(entry).await?;
        Ok(id)
    }

    /// Writes down how far a run is; ended where it says when.
    ///
    /// # Errors
    /// [`Error::Refused`] when the run is somebody else's by now.
    pub async fn put_run(&self, one: &Run) -> Result<(), Error> {
        let put = sqlx::query(
            "UPDATE schedule_run SET state = $3, step = $4, ended_at = $5, told = $6, sheet = $7, mail = $8
             WHERE id = $1 AND worker = $2 AND ended_at IS NULL",
        )
        .bind(one.id)
        .bind(one.worker.as_str())
        .bind(one.state.as_str())
        .bind(one.step.as_str())
        .bind(one.ended_at.map(|at| at.0))
        .bind(one.told.as_str())
        .bind(sheet_text(&one.sheet)?)
        .bind(one.mail.as_str())
        .execute(&self.write)
        .await?;
        match put.rows_affected() {
            0 => Err(taken_over()),
            _ => Ok(()),
        }
    }

    /// # Errors
    /// [`Error::NotFound`].
    pub async fn run(&self, id: i64) -> Result<Run, Error> {
        let row = sqlx::query("SELECT * FROM schedule_run WHERE id = $1")
            .bind(id)
            .fetch_optional(&self.write)
            .await?;
        row.map_or_else(
            || Err(Error::not_found("run", id.to_string())),
            |row| run(&row),
        )
    }

    /// A schedule's runs, the newest first, below the number `before`.
    ///
    /// # Errors
    /// The database's.
    pub async fn runs(&self, schedule: i64, before: i64, most: i64) -> Result<Vec<Run>, Error> {
        let rows = sqlx::query(
            "SELECT * FROM schedule_run WHERE schedule_id = $1 AND id < $2 ORDER BY id DESC LIMIT +$3",
        )
        .bind(schedule)
        .bind(before)
        .bind(most)
        .fetch_all(&self.read)
        .await?;
        rows.iter().map(run).collect()
    }

    /// The campaigns that schedules have begun and that are being sent, the oldest first; of one schedule,
    /// or of all.
    ///
    /// # Errors
    /// The database's.
    pub async fn scheduled_campaigns(&self, schedule: Option<i64>) -> Result<Vec<String>, Error> {
        Ok(sqlx::query_scalar(
            "SELECT name FROM campaign
             WHERE state = 'approved' AND EXISTS (
                 SELECT 1 FROM schedule_run
                 WHERE campaign_id = campaign.id AND ($1 = 0 OR schedule_id = $1))
             ORDER BY id",
        )
        .bind(schedule.unwrap_or(0))
        .fetch_all(&self.read)
        .await?)
    }

    /// Runs whose sheets are still to be mailed.
    ///
    /// # Errors
    /// The database's.
    pub async fn unmailed_runs(&self) -> Result<Vec<Run>, Error> {
        let rows = sqlx::query("SELECT * FROM schedule_run WHERE mail = 'due' ORDER BY id")
            .fetch_all(&self.read)
            .await?;
        rows.iter().map(run).collect()
    }

    /// Takes it upon oneself to mail a run's sheet; `false` while somebody else has.
    ///
    /// # Errors
    /// The database's.
    pub async fn claim_sheet(
        &self,
        run: i64,
        worker: &str,
        now: Timestamp,
        lease_until: Timestamp,
    ) -> Result<bool, Error> {
        // The lease of a run that has ended is free for this.
        let claimed = sqlx::query(
            "UPDATE schedule_run SET worker = $2, lease_until = $4
             WHERE id = $1 AND mail = 'due' AND ended_at IS NOT NULL AND (worker = $2 OR lease_until <= $3)",
        )
        .bind(run)
        .bind(worker)
        .bind(now.0)
        .bind(lease_until.0)
        .execute(&self.write)
        .await?;
        Ok(claimed.rows_affected() == 1)
    }

    /// Notes that a run's sheet was mailed, or why it could not be.
    ///
    /// # Errors
    /// The database's.
    pub async fn note_sheet_mail(
        &self,
        run: i64,
        mail: SheetMail,
        told: &str,
    ) -> Result<(), Error> {
        sqlx::query("UPDATE schedule_run SET mail = $2, mail_told = $3 WHERE id = $1")
            .bind(run)
            .bind(mail.as_str())
            .bind(told)
            .execute(&self.write)
            .await?;
        Ok(())
    }
}

pub(super) fn taken_over() -> Error {
    Error::Refused(
        "this process was silent for so long that another one has taken over the run".to_owned(),
    )
}

fn sheet_text(sheet: &RunSheet) -> Result<String, Error> {
    serde_json::to_string(sheet).map_err(|error| Error::Database(error.to_string()))
}

fn run(row: &AnyRow) -> Result<Run, Error> {
    let text = |column: &str| row.try_get::<String, _>(column);
    let [occasion, state, step, mail, sheet] = [
        text("occasion")?,
        text("state")?,
        text("step")?,
        text("mail")?,
        text("sheet")?,
    ];
    Ok(Run {
        id: row.try_get("id")?,
        schedule: row.try_get("schedule_id")?,
        due_at: Timestamp(row.try_get("due_at")?),
        occasion: Occasion::from_text(&occasion)
            .ok_or_else(|| unknown_word("occasion", &occasion))?,
        state: RunState::from_text(&state).ok_or_else(|| unknown_word("run's state", &state))?,
        step: RunStep::from_text(&step).ok_or_else(|| unknown_word("run's step", &step))?,
        worker: text("worker")?,
        began_at: Timestamp(row.try_get("began_at")?),
        ended_at: row.try_get::<Option<i64>, _>("ended_at")?.map(Timestamp),
        taken_over: row.try_get("taken_over")?,
        campaign: row.try_get("campaign_id")?,
        told: text("told")?,
        sheet: serde_json::from_str(&sheet).map_err(|error| Error::Database(error.to_string()))?,
        mail: SheetMail::from_text(&mail).ok_or_else(|| unknown_word("sheet's mail", &mail))?,
        mail_told: text("mail_told")?,
    })
}
