//! What feeds have given, by its bytes, and how a run's list and letters stand beside earlier ones.

use sqlx::AssertSqlSafe;

use super::{Error, Store};
use crate::model::{Run, Timestamp};

impl Store {
    /// Whether a feed's file was taken before, by its bytes: by which run, and whether it was moved out of
    /// the way since.
    ///
    /// # Errors
    /// The database's.
    pub async fn taken_file(
        &self,
        schedule: i64,
        digest: &str,
    ) -> Result<Option<(i64, bool)>, Error> {
        let row: Option<(i64, Option<i64>)> = sqlx::query_as(
            "SELECT run_id, moved_at FROM taken_file WHERE schedule_id = $1 AND digest = $2",
        )
        .bind(schedule)
        .bind(digest)
        .fetch_optional(&self.write)
        .await?;
        Ok(row.map(|(run, moved)| (run, moved.is_some())))
    }

    /// Notes that a file was taken, all of it; what is known already stays.
    ///
    /// # Errors
    /// The database's.
    pub async fn take_file(
        &self,
        one: &Run,
        (digest, name, size): (&str, &str, i64),
        now: Timestamp,
    ) -> Result<(), Error> {
        sqlx::query(
            "INSERT INTO taken_file (schedule_id, digest, name, size, run_id, taken_at)
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (schedule_id, digest) DO NOTHING",
        )
        .bind(one.schedule)
        .bind(digest)
        .bind(name)
        .bind(size)
        .bind(one.id)
        .bind(now.0)
        .execute(&self.write)
        .await?;
        Ok(())
    }

    /// Notes that it is out of the way.
    ///
    /// # Errors
    /// The database's.
    pub async fn move_file(
        &self,
        schedule: i64,
        digest: &str,
        now: Timestamp,
    ) -> Result<(), Error> {
        sqlx::query(
            "UPDATE taken_file SET moved_at = COALESCE(moved_at, $3) WHERE schedule_id = $1 AND digest = $2",
        )
        .bind(schedule)
        .bind(digest)
        .bind(now.0)
        .execute(&self.write)
        .await?;
        Ok(())
    }

    /// How many letters of a campaign are in which language.
    ///
    /// # Errors
    /// The database's.
    pub async fn letters_by_language(&self, campaign: i64) -> Result<Vec<(String, i64)>, Error> {
        Ok(sqlx::query_as(
            "SELECT locale, COUNT(*) FROM letter WHERE campaign_id = $1 GROUP BY locale ORDER BY 2 DESC, 1",
        )
        .bind(campaign)
        .fetch_all(&self.read)
        .await?)
    }

    /// How many contacts of a campaign no earlier one has written to.
    ///
    /// # Errors
    /// The database's.
    pub async fn count_new_contacts(&self, campaign: i64) -> Result<i64, Error> {
        Ok(sqlx::query_scalar(
            "SELECT COUNT(*) FROM notice
             WHERE campaign_id = $1 AND round > 0 AND NOT EXISTS (
                 SELECT 1 FROM notice AS before JOIN letter ON letter.notice_id = before.id
                               JOIN delivery ON delivery.letter_id = letter.id
                 WHERE before.mailbox = notice.mailbox AND before.campaign_id <> $1 AND before.round > 0
                   AND delivery.state IN ('ready', 'scheduled', 'leased', 'accepted', 'uncertain'))",
        )
        .bind(campaign)
        .fetch_one(&self.read)
        .await?)
    }

    /// How many addresses and ranges of a campaign another one has not, and how many it has.
    ///
    /// # Errors
    /// The database's.
    pub async fn compare(&self, campaign: i64, other: i64) -> Result<(i64, i64), Error> {
        let counted = "SELECT COUNT(*) FROM (
                 SELECT DISTINCT first, last FROM suspect WHERE campaign_id = $1 AND cut_from IS NULL) AS ours";
        let all: i64 = sqlx::query_scalar(counted)
            .bind(campaign)
            .fetch_one(&self.read)
            .await?;
        let both: i64 = sqlx::query_scalar(AssertSqlSafe(format!(
            "{counted} WHERE EXISTS (
                 SELECT 1 FROM suspect WHERE campaign_id = $2 AND cut_from IS NULL
                   AND suspect.first = ours.first AND suspect.last = ours.last)"
        )))
        .bind(campaign)
        .bind(other)
        .fetch_one(&self.read)
        .await?;
        Ok((all - both, both))
    }
}
