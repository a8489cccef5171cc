//! Deeds: whatever somebody decides is written down in the transaction that does it, or is not done.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;
use sqlx::any::AnyRow;
use sqlx::{Any, Row, Transaction};

use super::readings::clean;
use super::{Connection, Error, Store};
use crate::model::{AuditEnd, AuditRow, Origin, Progress, Timestamp};

/// Rows of the trail that are read at once.
const PAGE: i64 = 1_000;

/// A decision that is being carried out. It ends by [`written`](Self::written) and in no other way, so that none
/// is forgotten; dropped before that, nothing of it has happened.
pub(super) struct Deed {
    tx: Transaction<'static, Any>,
    by: String,
    at: Timestamp,
    from: Arc<Origin>,
}

/// What a deed was.
pub(super) struct Entry {
    action: String,
    about: String,
    before: Value,
    after: Value,
}

impl Entry {
    /// `campaign pause`, `trial`. There was nothing before, and there is nothing after, unless it is said.
    pub(super) fn new(action: impl Into<String>, about: impl Into<String>) -> Self {
        Self {
            action: action.into(),
            about: about.into(),
            before: Value::Null,
            after: Value::Null,
        }
    }

    /// No secret, and nothing of what a letter says.
    pub(super) fn before(self, before: impl Serialize) -> Self {
        let before = serde_json::to_value(before).unwrap_or_default();
        Self { before, ..self }
    }

    /// The same.
    pub(super) fn after(self, after: impl Serialize) -> Self {
        let after = serde_json::to_value(after).unwrap_or_default();
        Self { after, ..self }
    }
}

impl Deref for Deed {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.tx
    }
}

impl DerefMut for Deed {
    fn deref_mut(&mut self) -> &mut Connection {
        &mut self.tx
    }
}

impl Deed {
    /// Writes down what was done, and commits it.
    ///
    /// # Errors
    /// The database's; then nothing was done.
    pub(super) async fn written(mut self, entry: Entry) -> Result<(), Error> {
        // From here on until the commit nobody else adds to the chain: this is the last thing that a deed
        // locks, so that no two wait for each other.
        let (number, previous): (i64, String) = sqlx::query_as(
            "UPDATE audit_end SET number = number + 1 WHERE id = 1 RETURNING number, digest",
        )
        .fetch_one(&mut *self.tx)
        .await?;
        let mut row = AuditRow {
            number,
            at: self.at,
            by: clean(&self.by),
            from: Origin::clone(&self.from),
            action: entry.action,
            about: clean(&entry.about),
            before: entry.before.to_string(),
            after: entry.after.to_string(),
            previous,
            digest: String::new(),
        };
        row.digest = row.worked_out();
        sqlx::query(
            "INSERT INTO audit (number, done_at, done_by, host, os_user, via, action, about, was, became,
                                previous, digest)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        )
        .bind(row.number)
        .bind(row.at.0)
        .bind(row.by)
        .bind(row.from.host)
        .bind(row.from.user)
        .bind(row.from.via)
        .bind(row.action)
        .bind(row.about)
        .bind(row.before)
        .bind(row.after)
        .bind(row.previous)
        .bind(row.digest.as_str())
        .execute(&mut *self.tx)
        .await?;
        sqlx::query("UPDATE audit_end SET digest = $1 WHERE id = 1")
            .bind(row.digest.as_str())
            .execute(&mut *self.tx)
            .await?;
        Ok(self.tx.commit().await?)
    }

    /// Commits what needed no decision: nothing was there to decide on.
    ///
    /// # Errors
    /// The database's; then nothing was done.
    pub(super) async fn nothing_decided(self) -> Result<(), Error> {
        Ok(self.tx.commit().await?)
    }
}

/// Which rows of the trail to list.
#[derive(Clone, Debug, Default)]
pub struct AuditFilter {
    pub by: Option<String>,
    /// What it begins with: `campaign` finds `campaign approve`.
    pub action: Option<String>,
    pub about: Option<String>,
    pub since: Option<Timestamp>,
}

/// What following the whole chain found.
#[derive(Clone, Debug, Serialize)]
pub struct AuditVerified {
    /// The last row that holds.
    #[serde(flatten)]
    pub end: AuditEnd,
    /// The first thing that is wrong; none where all is as it was written.
    pub broken: Option<String>,
}

impl Store {
    /// The same database for somebody who acts from there: what they decide is written down with it.
    #[must_use]
    pub fn acting_from(mut self, from: Origin) -> Self {
        self.from = Arc::new(Origin {
            host: clean(&from.host),
            user: clean(&from.user),
            via: clean(&from.via),
        });
        self
    }

    /// Begins a decision. Every method that is told who decides begins with this instead of `begin`.
    pub(super) async fn act(&self, by: &str, at: Timestamp) -> Result<Deed, Error> {
        Ok(Deed {
            tx: self.begin().await?,
            by: by.to_owned(),
            at,
            from: Arc::clone(&self.from),
        })
    }

    /// A page of the trail, the oldest first, behind the number `after`.
    ///
    /// # Errors
    /// The database's.
    pub async fn audit(
        &self,
        filter: &AuditFilter,
        after: i64,
        most: i64,
    ) -> Result<Vec<AuditRow>, Error> {
        let rows = sqlx::query(
            "SELECT * FROM audit
             WHERE number > $1 AND ($2 = '' OR done_by = $2)
               AND ($3 = '' OR action = $3 OR SUBSTR(action, 1, LENGTH($3) + 1) = $3 || ' ')
               AND ($4 = '' OR about = $4) AND done_at >= $5
             ORDER BY number LIMIT +$6",
        )
        .bind(after)
        .bind(filter.by.as_deref().unwrap_or_default())
        .bind(filter.action.as_deref().unwrap_or_default())
        .bind(filter.about.as_deref().unwrap_or_default())
        .bind(filter.since.map_or(i64::MIN, |since| since.0))
        .bind(most)
        .fetch_all(&self.read)
        .await?;
        rows.iter().map(audit_row).collect()
    }

    /// How far the trail goes, as the database says without looking at it.
    ///
    /// # Errors
    /// The database's.
    pub async fn audit_end(&self) -> Result<AuditEnd, Error> {
        let (number, digest) = sqlx::query_as("SELECT number, digest FROM audit_end WHERE id = 1")
            .fetch_one(&self.read)
            .await?;
        Ok(AuditEnd { number, digest })
    }

    /// Follows the trail from its beginning. With `expect`, a digest that was written down elsewhere, it is also
    /// broken where no row bears it any more: its end was cut off, or all of it written anew.
    ///
    /// # Errors
    /// The database's.
    pub async fn verify_audit(
        &self,
        expect: Option<&str>,
        progress: &Progress,
    ) -> Result<AuditVerified, Error> {
        // Asked first: rows that are added meanwhile are none too many.
        let known = self.audit_end().await?;
        let mut end = AuditEnd::default();
        let mut is_met = expect.is_none_or(|digest| end.digest == digest);
        let broken = loop {
            let page = self
                .audit(&AuditFilter::default(), end.number, PAGE)
                .await?;
            if page.is_empty() {
                break None;
            }
            progress.add(page.len() as u64);
            let mut rows = page.iter();
            let broken = rows.find_map(|row| {
                let broken = end.follow(row).err();
                is_met |= expect == Some(end.digest.as_str());
                broken
            });
            if broken.is_some() {
                break broken;
            }
        };
        let broken = broken.or_else(|| {
            let last = end.number;
            if last < known.number {
                return Some(format!(
                    "the end was cut off: row {last} is the last, and there were {} rows",
                    known.number
                ));
            }
            (!is_met).then(|| {
                format!(
                    "no row bears the digest that was expected: the end was cut off behind row {last}, or all was \
                     written anew, or the database is an older copy"
                )
            })
        });
        Ok(AuditVerified { end, broken })
    }
}

fn audit_row(row: &AnyRow) -> Result<AuditRow, Error> {
    Ok(AuditRow {
        number: row.try_get("number")?,
        at: Timestamp(row.try_get("done_at")?),
        by: row.try_get("done_by")?,
        from: Origin {
            host: row.try_get("host")?,
            user: row.try_get("os_user")?,
            via: row.try_get("via")?,
        },
        action: row.try_get("action")?,
        about: row.try_get("about")?,
        before: row.try_get("was")?,
        after: row.try_get("became")?,
        previous: row.try_get("previous")?,
        digest: row.try_get("digest")?,
    })
}
