//! Who resolves a campaign at present: one at a time, by a lease that its holder renews.

use super::audit::Entry;
use super::{Connection, Error, Store};
use crate::model::{Campaign, Timestamp};

impl Store {
    /// Takes the resolving of a campaign, if nobody has it or its holder's lease has run out.
    ///
    /// # Errors
    /// [`Error::Refused`] while somebody else is at it: who, since when, and what to do.
    pub async fn begin_resolving(
        &self,
        campaign: &Campaign,
        worker: &str,
        by: &str,
        now: Timestamp,
        lease_until: Timestamp,
    ) -> Result<(), Error> {
        let mut tx = self.act(by, now).await?;
        let taken = sqlx::query(
            "INSERT INTO resolving (campaign_id, worker, begun_by, began_at, lease_until)
             VALUES ($1, $2, $3, $4, $5)
             ON CONFLICT (campaign_id) DO UPDATE
             SET worker = excluded.worker, begun_by = excluded.begun_by, began_at = excluded.began_at,
                 lease_until = excluded.lease_until
             WHERE resolving.lease_until <= excluded.began_at OR resolving.worker = excluded.worker",
        )
        .bind(campaign.id)
        .bind(worker)
        .bind(by)
        .bind(now.0)
        .bind(lease_until.0)
        .execute(&mut *tx)
        .await?;
        if taken.rows_affected() == 0 {
            let (holder, who, since, until): (String, String, i64, i64) = sqlx::query_as(
                "SELECT worker, begun_by, began_at, lease_until FROM resolving WHERE campaign_id = $1",
            )
            .bind(campaign.id)
            .fetch_one(&mut *tx)
            .await?;
            return Err(Error::Refused(format!(
                "\"{name}\" is being resolved by {who} since {since} ({process}): wait until that has ended, \
                 and see how far it is: lapwing status {name}; should it be dead, its place is free at {until}",
                name = campaign.name,
                since = Timestamp(since),
                process = place_of(&holder),
                until = Timestamp(until),
            )));
        }
        tx.written(Entry::new("resolve", campaign.name.as_str()))
            .await
    }

    /// Renews the lease; `false` when it is somebody else's by now.
    ///
    /// # Errors
    /// The database's.
    pub async fn hold_resolving(
        &self,
        campaign: i64,
        worker: &str,
        lease_until: Timestamp,
    ) -> Result<bool, Error> {
        let held = sqlx::query(
            "UPDATE resolving SET lease_until = $3 WHERE campaign_id = $1 AND worker = $2",
        )
        .bind(campaign)
        .bind(worker)
        .bind(lease_until.0)
        .execute(&self.write)
        .await?;
        Ok(held.rows_affected() > 0)
    }

    /// Gives the campaign back.
    ///
    /// # Errors
    /// [`Error::Refused`] when it is somebody else's by now; the database's.
    pub async fn end_resolving(&self, campaign: i64, worker: &str) -> Result<(), Error> {
        let ended = sqlx::query("DELETE FROM resolving WHERE campaign_id = $1 AND worker = $2")
            .bind(campaign)
            .bind(worker)
            .execute(&self.write)
            .await?;
        if ended.rows_affected() == 0 {
            return Err(taken_over());
        }
        Ok(())
    }

    /// The worker that has a campaign's resolving, its lease run out or not.
    ///
    /// # Errors
    /// The database's.
    pub async fn resolver(&self, campaign: i64) -> Result<Option<String>, Error> {
        Ok(
            sqlx::query_scalar("SELECT worker FROM resolving WHERE campaign_id = $1")
                .bind(campaign)
                .fetch_optional(&self.read)
                .await?,
        )
    }

    /// Sees to it that what is about to be written is written by whom the campaign's resolving
    /// belongs to, until the transaction ends.
    ///
    /// # Errors
    /// [`Error::Refused`] for one whose lease ran out and was taken.
    pub(super) async fn resolves(
        &self,
        tx: &mut Connection,
        campaign: i64,
        worker: &str,
    ) -> Result<(), Error> {
        let sql = format!(
            "SELECT worker FROM resolving WHERE campaign_id = $1{}",
            self.engine.for_update()
        );
        let holder: Option<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
            .bind(campaign)
            .fetch_optional(tx)
            .await?;
        if holder.as_deref() == Some(worker) {
            return Ok(());
        }
        Err(taken_over())
    }
}

fn taken_over() -> Error {
    Error::Refused(
        "this process was silent for so long that another one has taken over the resolving; \
         the answers that it got stay"
            .to_owned(),
    )
}

/// `process 4711 on mail`, out of a worker's name `mail/4711/…`.
fn place_of(worker: &str) -> String {
    let mut parts = worker.split('/');
    match (parts.next(), parts.next()) {
        (Some(host), Some(process)) => format!("process {process} on {host}"),
        _ => worker.to_owned(),
    }
}
