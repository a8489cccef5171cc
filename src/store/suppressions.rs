//! Addresses that nothing is written to, and the letters that are left out for it.

use std::collections::HashMap;

use serde_json::json;
use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row};

use super::audit::Entry;
use super::campaigns::unknown_word;
use super::findings::parse_mailbox;
use super::readings::clean;
use super::{Connection, Error, Judgement, Store};
use crate::model::{Mailbox, Suppression, SuppressionCause, Timestamp};

const COLUMNS: &str =
    "id, address, cause, reason, incoming_id, added_by, added_at, approved_by, expires_at";

impl Store {
    /// Adds one (its `id` is not looked at); where the address has one already for the same cause that
    /// lasts as long, that stands. Gives back its number.
    ///
    /// # Errors
    /// The database's.
    pub async fn suppress(&self, new: &Suppression) -> Result<i64, Error> {
        let mut tx = self.act(&new.by, new.at).await?;
        let id = add(&mut tx, new).await?;
        let entry = Entry::new("suppression add", new.address.base().as_str());
        tx.written(entry.after(Suppression { id, ..new.clone() }))
            .await?;
        Ok(id)
    }

    /// Those that hold or are proposed, the newest first.
    ///
    /// # Errors
    /// The database's.
    pub async fn suppressions(&self, now: Timestamp) -> Result<Vec<Suppression>, Error> {
        let sql = format!(
            "SELECT {COLUMNS} FROM suppression
             WHERE removed_at IS NULL AND (expires_at IS NULL OR expires_at > $1) ORDER BY id DESC"
        );
        let rows = sqlx::query(AssertSqlSafe(sql))
            .bind(now.0)
            .fetch_all(&self.read);
        rows.await?.iter().map(suppression).collect()
    }

    /// Which of these addresses nothing may be written to, each with its suppression.
    ///
    /// # Errors
    /// The database's.
    pub async fn suppressed(
        &self,
        mailboxes: &[Mailbox],
        now: Timestamp,
    ) -> Result<HashMap<Mailbox, Suppression>, Error> {
        let mut held: HashMap<Mailbox, Suppression> = HashMap::new();
        for chunk in mailboxes.chunks(500) {
            let sql = format!(
                "SELECT {COLUMNS} FROM suppression
                 WHERE removed_at IS NULL AND approved_by IS NOT NULL AND address IN (VALUES {}) ORDER BY id",
                self.engine.rows("", 1, chunk.len())
            );
            let query = chunk
                .iter()
                .fold(sqlx::query(AssertSqlSafe(sql)), |query, mailbox| {
                    query.bind(mailbox.base().as_str().to_owned())
                });
            for row in &query.fetch_all(&self.read).await? {
                let one = suppression(row)?;
                if one.until.is_none_or(|until| until > now) {
                    held.insert(one.address.clone(), one);
                }
            }
        }
        let of = |mailbox: &Mailbox| Some((mailbox.clone(), held.get(&mailbox.base())?.clone()));
        Ok(mailboxes.iter().filter_map(of).collect())
    }

    /// Makes a proposed one hold.
    ///
    /// # Errors
    /// [`Error::NotFound`] where none of this number is proposed; [`Error::Refused`] to who proposed it.
    pub async fn approve_suppression(
        &self,
        id: i64,
        by: &str,
        now: Timestamp,
    ) -> Result<Suppression, Error> {
        let mut tx = self.act(by, now).await?;
        let known = one(&mut tx, id, "approved_by IS NULL").await?;
        if known.by == by {
            return Err(Error::Forbidden(format!(
                "{by} proposed it: somebody else has to approve it"
            )));
        }
        sqlx::query("UPDATE suppression SET approved_by = $2 WHERE id = $1")
            .bind(id)
            .bind(by)
            .execute(&mut *tx)
            .await?;
        let entry = Entry::new("suppression approve", known.address.as_str()).before(&known);
        tx.written(entry.after(json!({ "approved_by": by })))
            .await?;
        Ok(known)
    }

    /// Takes one away: it stays on record.
    ///
    /// # Errors
    /// [`Error::NotFound`] where none of this number holds or is proposed.
    pub async fn remove_suppression(
        &self,
        id: i64,
        by: &str,
        now: Timestamp,
    ) -> Result<Suppression, Error> {
        let mut tx = self.act(by, now).await?;
        let known = one(&mut tx, id, "1 = 1").await?;
        sqlx::query("UPDATE suppression SET removed_by = $2, removed_at = $3 WHERE id = $1")
            .bind(id)
            .bind(by)
            .bind(now.0)
            .execute(&mut *tx)
            .await?;
        let entry = Entry::new("suppression remove", known.address.as_str()).before(&known);
        tx.written(entry).await?;
        Ok(known)
    }

    /// Ends letters that a worker has claimed and not begun, for nothing is written to their addresses.
    ///
    /// # Errors
    /// The database's; then the worker still holds them.
    pub async fn leave_out(
        &self,
        worker: &str,
        letters: &[(i64, i64)],
        now: Timestamp,
    ) -> Result<(), Error> {
        let mut tx = self.begin().await?;
        for (delivery, suppression) in letters {
            sqlx::query(
                "UPDATE delivery
                 SET state = 'cancelled', suppression_id = $3, worker = '', lease_until = NULL, ended_at = $4
                 WHERE id = $1 AND worker = $2 AND state = 'leased'",
            )
            .bind(*delivery)
            .bind(worker)
            .bind(*suppression)
            .bind(now.0)
            .execute(&mut *tx)
            .await?;
        }
        Ok(tx.commit().await?)
    }
}

async fn one(tx: &mut Connection, id: i64, which: &str) -> Result<Suppression, Error> {
    let sql = format!(
        "SELECT {COLUMNS} FROM suppression WHERE id = $1 AND removed_at IS NULL AND {which}"
    );
    let row = sqlx::query(AssertSqlSafe(sql)).bind(id).fetch_optional(tx);
    let row = row.await?;
    let row = row.ok_or_else(|| Error::not_found("suppression", id.to_string()))?;
    suppression(&row)
}

/// Its id, address and cause; when it was removed, and by whom.
type Followed = (i64, String, String, Option<i64>, Option<String>);

/// What follows from a message stands in place of what followed from it before. What staff have removed the
/// rules do not make anew.
pub(super) async fn follow(tx: &mut Connection, judgement: &Judgement<'_>) -> Result<(), Error> {
    let before: Vec<Followed> = sqlx::query_as(
        "SELECT id, address, cause, removed_at, removed_by FROM suppression WHERE incoming_id = $1 ORDER BY id",
    )
    .bind(judgement.incoming)
    .fetch_all(&mut *tx)
    .await?;
    let is_of = |one: &Suppression, address: &str, cause: &str| {
        one.address.base().as_str() == address && one.cause.as_str() == cause
    };
    for (id, address, cause, removed_at, _) in &before {
        let mut follow = judgement.suppress.iter();
        if removed_at.is_none() && !follow.any(|one| is_of(one, address, cause)) {
            sqlx::query(
                "UPDATE suppression SET removed_by = $2, removed_at = $3
                 WHERE id = $1 AND (cause IN ('dead', 'complaint') OR approved_by IS NULL)",
            )
            .bind(*id)
            .bind(judgement.by)
            .bind(judgement.at.0)
            .execute(&mut *tx)
            .await?;
        }
    }
    for one in judgement.suppress {
        let is_removed = |by: &Option<String>| by.as_ref().is_some_and(|by| !by.is_empty());
        let was_removed = before
            .iter()
            .any(|(_, address, cause, _, by)| is_of(one, address, cause) && is_removed(by));
        if !was_removed || !judgement.by.is_empty() {
            add(tx, one).await?;
        }
    }
    Ok(())
}

/// # Errors
/// The database's.
async fn add(tx: &mut Connection, new: &Suppression) -> Result<i64, Error> {
    let address = new.address.base();
    let lasting: Option<i64> = sqlx::query_scalar(
        "SELECT MAX(id) FROM suppression
         WHERE removed_at IS NULL AND address = $1 AND cause = $4
           AND (approved_by IS NOT NULL OR $2 = 0) AND (expires_at IS NULL OR expires_at >= $3)",
    )
    .bind(address.as_str().to_owned())
    .bind(i64::from(new.approved_by.is_some()))
    .bind(new.until.map_or(i64::MAX, |until| until.0))
    .bind(new.cause.as_str())
    .fetch_one(&mut *tx)
    .await?;
    if let Some(id) = lasting {
        return Ok(id);
    }
    let id = sqlx::query_scalar(
        "INSERT INTO suppression (address, cause, reason, incoming_id, added_by, added_at, approved_by, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id",
    )
    .bind(address.as_str().to_owned())
    .bind(new.cause.as_str())
    .bind(clean(&new.reason))
    .bind(new.incoming)
    .bind(new.by.as_str())
    .bind(new.at.0)
    .bind(new.approved_by.as_deref())
    .bind(new.until.map(|until| until.0))
    .fetch_one(tx)
    .await?;
    Ok(id)
}

fn suppression(row: &AnyRow) -> Result<Suppression, Error> {
    let cause: String = row.try_get("cause")?;
    Ok(Suppression {
        id: row.try_get("id")?,
        address: parse_mailbox(row.try_get("address")?)?,
        cause: SuppressionCause::from_text(&cause).ok_or_else(|| unknown_word("cause", &cause))?,
        reason: row.try_get("reason")?,
        incoming: row.try_get("incoming_id")?,
        by: row.try_get("added_by")?,
        at: Timestamp(row.try_get("added_at")?),
        approved_by: row.try_get("approved_by")?,
        until: row.try_get::<Option<i64>, _>("expires_at")?.map(Timestamp),
    })
}
