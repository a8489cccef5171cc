//! Which workers are there, by their own signs of life, and what there is for them to do.

use sqlx::AssertSqlSafe;

use super::campaigns::{COLUMNS, campaign};
use super::{Error, Store};
use crate::model::Campaign;

impl Store {
    /// One more sign of life.
    ///
    /// # Errors
    /// The database's.
    pub async fn beat(&self, worker: &str) -> Result<(), Error> {
        sqlx::query(
            "INSERT INTO worker (name, beats) VALUES ($1, 1)
             ON CONFLICT (name) DO UPDATE SET beats = worker.beats + 1",
        )
        .bind(worker)
        .execute(&self.write)
        .await?;
        Ok(())
    }

    /// The workers that have said they live and not that they end, with how often they did.
    ///
    /// # Errors
    /// The database's.
    pub async fn beats(&self) -> Result<Vec<(String, i64)>, Error> {
        Ok(
            sqlx::query_as("SELECT name, beats FROM worker ORDER BY name")
                .fetch_all(&self.read)
                .await?,
        )
    }

    /// A worker ends, or was found to have vanished. Whether it was there.
    ///
    /// # Errors
    /// The database's.
    pub async fn dismiss(&self, worker: &str) -> Result<bool, Error> {
        let gone = sqlx::query("DELETE FROM worker WHERE name = $1")
            .bind(worker)
            .execute(&self.write)
            .await?;
        Ok(gone.rows_affected() == 1)
    }

    /// The campaigns that have letters to be sent now, the oldest first.
    ///
    /// # Errors
    /// The database's.
    pub async fn campaigns_due(&self) -> Result<Vec<Campaign>, Error> {
        let rows = sqlx::query(AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM campaign
             WHERE state = 'approved'
               AND EXISTS (SELECT 1 FROM delivery WHERE campaign_id = campaign.id AND state = 'ready')
             ORDER BY id"
        )))
        .fetch_all(&self.read)
        .await?;
        rows.iter().map(campaign).collect()
    }
}
