//! The dated roll of those who sign.

use std::collections::BTreeMap;

use sqlx::Row;
use sqlx::any::AnyRow;

use super::audit::Entry;
use super::{Connection, Error, Store};
use crate::model::{Signatory, Timestamp};

impl Store {
    /// Adds signatories, or renews those of the same name, country and framework.
    ///
    /// # Errors
    /// The database's.
    pub async fn put_signatories(
        &self,
        roll: &[Signatory],
        by: &str,
        now: Timestamp,
    ) -> Result<(), Error> {
        let mut tx = self.act(by, now).await?;
        let known = roll_of(&mut tx).await?;
        for one in roll {
            let id: i64 = sqlx::query_scalar(
                "INSERT INTO signatory (agency, local_name, country, framework, mailbox, signs_from, signs_until,
                                        position)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
                 ON CONFLICT (agency, country, framework) DO UPDATE
                 SET local_name = excluded.local_name, mailbox = excluded.mailbox,
                     signs_from = excluded.signs_from, signs_until = excluded.signs_until,
                     position = excluded.position
                 RETURNING id",
            )
            .bind(one.agency.as_str())
            .bind(one.local_name.as_str())
            .bind(one.country.as_str())
            .bind(one.framework.as_str())
            .bind(one.mailbox.as_ref().map_or("", |mailbox| mailbox.as_str()))
            .bind(one.from.map(|at| at.0))
            .bind(one.until.map(|at| at.0))
            .bind(one.position.unwrap_or(UNPLACED))
            .fetch_one(&mut *tx)
            .await?;
            sqlx::query("DELETE FROM signatory_name WHERE signatory_id = $1")
                .bind(id)
                .execute(&mut *tx)
                .await?;
            for (locale, name) in &one.names {
                sqlx::query(
                    "INSERT INTO signatory_name (signatory_id, locale, name) VALUES ($1, $2, $3)",
                )
                .bind(id)
                .bind(locale.as_str())
                .bind(name.as_str())
                .execute(&mut *tx)
                .await?;
            }
        }
        let same = |a: &Signatory, b: &Signatory| {
            (&a.agency, &a.country, &a.framework) == (&b.agency, &b.country, &b.framework)
        };
        let changed: Vec<&Signatory> = roll.iter().filter(|one| !known.contains(one)).collect();
        let before = known.iter();
        let before: Vec<_> = before
            .filter(|old| changed.iter().any(|new| same(new, old)))
            .collect();
        let entry = Entry::new("signatory import", "roll");
        tx.written(entry.before(before).after(changed)).await
    }

    /// The whole roll, past and future members included, in its order.
    ///
    /// # Errors
    /// The database's.
    pub async fn signatories(&self) -> Result<Vec<Signatory>, Error> {
        let mut connection = self.read.acquire().await?;
        roll_of(&mut connection).await
    }

    /// The digest of the roll that a campaign's letters were written under; `None` while there are no
    /// letters.
    ///
    /// # Errors
    /// The database's.
    pub async fn composed_roll(&self, campaign: i64) -> Result<Option<String>, Error> {
        let digest = sqlx::query_scalar(
            "SELECT roll_digest FROM campaign WHERE id = $1 AND composed_at IS NOT NULL",
        )
        .bind(campaign)
        .fetch_optional(&self.read)
        .await?;
        Ok(digest.flatten())
    }
}

/// Stands for no place in the roll; those that are given begin at 1.
const UNPLACED: i64 = 0;

async fn roll_of(connection: &mut Connection) -> Result<Vec<Signatory>, Error> {
    let mut names: BTreeMap<i64, BTreeMap<String, String>> = BTreeMap::new();
    let told: Vec<(i64, String, String)> =
        sqlx::query_as("SELECT signatory_id, locale, name FROM signatory_name")
            .fetch_all(&mut *connection)
            .await?;
    for (id, locale, name) in told {
        names.entry(id).or_default().insert(locale, name);
    }
    let rows = sqlx::query(
        "SELECT id, agency, local_name, country, framework, mailbox, signs_from, signs_until, position
         FROM signatory
         ORDER BY CASE position WHEN 0 THEN 1 ELSE 0 END, position, country, agency, id",
    )
    .fetch_all(connection)
    .await?;
    rows.iter()
        .map(|row| signatory(row, names.remove(&row.try_get("id")?)))
        .collect()
}

fn signatory(row: &AnyRow, names: Option<BTreeMap<String, String>>) -> Result<Signatory, Error> {
    let mailbox: String = row.try_get("mailbox")?;
    Ok(Signatory {
        agency: row.try_get("agency")?,
        local_name: row.try_get("local_name")?,
        names: names.unwrap_or_default(),
        country: row.try_get("country")?,
        framework: row.try_get("framework")?,
        mailbox: mailbox.parse().ok(),
        from: row.try_get::<Option<i64>, _>("signs_from")?.map(Timestamp),
        until: row.try_get::<Option<i64>, _>("signs_until")?.map(Timestamp),
        position: Some(row.try_get("position")?).filter(|place| *place != UNPLACED),
    })
}
