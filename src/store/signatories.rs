//! The dated roll of those who sign.

use super::{Error, Store};
use crate::model::{Signatory, Timestamp};

impl Store {
    /// Adds signatories, or renews those of the same name, country and framework.
    ///
    /// # Errors
    /// The database's.
    pub async fn put_signatories(&self, roll: &[Signatory]) -> Result<(), Error> {
        let mut tx = self.begin().await?;
        for one in roll {
            sqlx::query(
                "INSERT INTO signatory (agency, local_name, country, framework, signs_from, signs_until, position)
                 VALUES ($1, $2, $3, $4, $5, $6, $7)
                 ON CONFLICT (agency, country, framework) DO UPDATE
                 SET local_name = excluded.local_name, signs_from = excluded.signs_from,
                     signs_until = excluded.signs_until, position = excluded.position",
            )
            .bind(one.agency.as_str())
            .bind(one.local_name.as_str())
            .bind(one.country.as_str())
            .bind(one.framework.as_str())
            .bind(one.from.map(|at| at.0))
            .bind(one.until.map(|at| at.0))
            .bind(one.position)
            .execute(&mut *tx)
            .await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// The whole roll, past and future members included, in its order.
    ///
    /// # Errors
    /// The database's.
    pub async fn signatories(&self) -> Result<Vec<Signatory>, Error> {
        type Columns = (
            String,
            String,
            String,
            String,
            Option<i64>,
            Option<i64>,
            i64,
        );
        let rows: Vec<Columns> = sqlx::query_as(
            "SELECT agency, local_name, country, framework, signs_from, signs_until, position
             FROM signatory ORDER BY position, id",
        )
        .fetch_all(&self.read)
        .await?;
        Ok(rows
            .into_iter()
            .map(
                |(agency, local_name, country, framework, from, until, position)| Signatory {
                    agency,
                    local_name,
                    country,
                    framework,
                    from: from.map(Timestamp),
                    until: until.map(Timestamp),
                    position,
                },
            )
            .collect())
    }
}
