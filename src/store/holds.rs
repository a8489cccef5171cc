//! Holds, and what they keep in the queue.

use serde_json::json;
use sqlx::Row;
use sqlx::any::AnyRow;

use super::audit::Entry;
use super::campaigns::unknown_word;
use super::{Connection, Error, Store};
use crate::model::{FOREVER, Hold, HoldSubject, Timestamp};

const OPEN: &str = "removed_at IS NULL AND (expires_at IS NULL OR expires_at > $1)";

impl Store {
    /// Adds a hold (its `id` is not looked at), and takes back what could leave at once: what is
    /// ready, and what a worker has claimed and not begun. What waits for another reason is looked at
    /// when it comes due. Gives back the hold's number and how many letters it keeps.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a ticket that no letter has.
    pub async fn add_hold(&self, new: &Hold) -> Result<(i64, u64), Error> {
        let mut tx = self.act(&new.by, new.at).await?;
        self.expect_ticket(&mut tx, &new.subject).await?;
        let subject = subject_text(&new.subject);
        let id: i64 = sqlx::query_scalar(
            "INSERT INTO hold (kind, subject, reason, held_by, held_at, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6) RETURNING id",
        )
        .bind(new.subject.kind())
        .bind(subject.as_str())
        .bind(new.reason.as_str())
        .bind(new.by.as_str())
        .bind(new.at.0)
        .bind(new.until.map(|at| at.0))
        .fetch_one(&mut *tx)
        .await?;
        let until = new.until.unwrap_or(FOREVER);
        let (place, patterns) = place_of(&new.subject);
        let sql = format!(
            "UPDATE delivery
             SET state = 'scheduled', waits = 'hold', hold_id = $1, due_at = $2, waited = waited + ($2 - $3),
                 slot_at = NULL, worker = '', lease_until = NULL
             WHERE state IN ('ready', 'leased') AND {place}
               AND NOT EXISTS (SELECT 1 FROM attempt WHERE delivery_id = delivery.id AND finished_at IS NULL)
               AND NOT EXISTS (SELECT 1 FROM campaign WHERE id = campaign_id AND state = 'cancelled')"
        );
        let kept = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(id)
            .bind(until.0)
            .bind(new.at.0)
            .bind(patterns.0)
            .bind(patterns.1)
            .execute(&mut *tx)
            .await?;
        let kept = kept.rows_affected();
        let entry = Entry::new("hold add", subject.as_str()).after(json!({
            "hold": id, "reason": new.reason, "until": new.until, "kept": kept,
        }));
        tx.written(entry).await?;
        Ok((id, kept))
    }

    /// How many letters a hold would keep now, as [`add_hold`](Self::add_hold) would.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a ticket that no letter has.
    pub async fn foresee_hold(&self, subject: &HoldSubject) -> Result<u64, Error> {
        let mut connection = self.read.acquire().await?;
        self.expect_ticket(&mut connection, subject).await?;
        let (place, patterns) = place_of(subject);
        let place = place.replace("$4", "$1").replace("$5", "$2");
        let sql = format!(
            "SELECT COUNT(*) FROM delivery
             WHERE state IN ('ready', 'leased') AND {place}
               AND NOT EXISTS (SELECT 1 FROM attempt WHERE delivery_id = delivery.id AND finished_at IS NULL)"
        );
        let count: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
            .bind(patterns.0)
            .bind(patterns.1)
            .fetch_one(&mut *connection)
            .await?;
        Ok(count.unsigned_abs())
    }

    /// The holds that hold at `now`, with how many letters each keeps.
    ///
    /// # Errors
    /// The database's.
    pub async fn holds(&self, now: Timestamp) -> Result<Vec<(Hold, i64)>, Error> {
        let sql = format!(
            "SELECT id, kind, subject, reason, held_by, held_at, expires_at,
                    (SELECT COUNT(*) FROM delivery WHERE hold_id = hold.id AND state = 'scheduled') AS kept
             FROM hold WHERE {OPEN} ORDER BY id"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(now.0)
            .fetch_all(&self.read)
            .await?;
        rows.iter()
            .map(|row| Ok((hold(row)?, row.try_get("kept")?)))
            .collect()
    }

    /// The same without counting: it is asked before every batch.
    ///
    /// # Errors
    /// The database's.
    pub async fn open_holds(&self, now: Timestamp) -> Result<Vec<Hold>, Error> {
        let sql = format!(
            "SELECT id, kind, subject, reason, held_by, held_at, expires_at
             FROM hold WHERE {OPEN} ORDER BY id"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(now.0)
            .fetch_all(&self.read)
            .await?;
        rows.iter().map(hold).collect()
    }

    /// One hold, whether it still holds or not.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn hold(&self, id: i64) -> Result<Hold, Error> {
        let row = sqlx::query(
            "SELECT id, kind, subject, reason, held_by, held_at, expires_at FROM hold WHERE id = $1",
        )
        .bind(id)
        .fetch_optional(&self.read)
        .await?;
        row.map_or_else(
            || Err(Error::not_found("hold", id.to_string())),
            |row| hold(&row),
        )
    }

    /// Ends a hold; what it kept may leave at once, and has lost none of its time. Gives back how many
    /// letters that are.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is none that holds.
    pub async fn remove_hold(&self, id: i64, by: &str, now: Timestamp) -> Result<u64, Error> {
        let mut tx = self.act(by, now).await?;
        let removed = sqlx::query(
            "UPDATE hold SET removed_at = $2, removed_by = $3
             WHERE id = $1 AND removed_at IS NULL AND (expires_at IS NULL OR expires_at > $2)
             RETURNING id, kind, subject, reason, held_by, held_at, expires_at",
        )
        .bind(id)
        .bind(now.0)
        .bind(by)
        .fetch_optional(&mut *tx)
        .await?;
        let removed = removed.ok_or_else(|| Error::not_found("hold", id.to_string()))?;
        let removed = hold(&removed)?;
        let freed = sqlx::query(
            "UPDATE delivery
             SET state = 'ready', waits = '', hold_id = NULL, due_at = $2,
                 waited = waited - CASE WHEN due_at > $2 THEN due_at - $2 ELSE 0 END
             WHERE hold_id = $1 AND state = 'scheduled'",
        )
        .bind(id)
        .bind(now.0)
        .execute(&mut *tx)
        .await?;
        let freed = freed.rows_affected();
        let entry = Entry::new("hold remove", subject_text(&removed.subject))
            .before(&removed)
            .after(json!({ "freed": freed }));
        tx.written(entry).await?;
        Ok(freed)
    }

    /// Which of the letters bear one of the tickets.
    ///
    /// # Errors
    /// The database's.
    pub async fn letters_of_ticket(&self, ticket: &str) -> Result<Vec<i64>, Error> {
        Ok(
            sqlx::query_scalar("SELECT id FROM letter WHERE ticket = $1")
                .bind(ticket)
                .fetch_all(&self.read)
                .await?,
        )
    }

    async fn expect_ticket(
        &self,
        connection: &mut Connection,
        subject: &HoldSubject,
    ) -> Result<(), Error> {
        let HoldSubject::Ticket(ticket) = subject else {
            return Ok(());
        };
        let known: Option<i64> =
            sqlx::query_scalar("SELECT id FROM letter WHERE ticket = $1 LIMIT 1")
                .bind(ticket.as_str())
                .fetch_optional(connection)
                .await?;
        known.map_or_else(
            || Err(Error::not_found("letter", ticket.as_str())),
            |_| Ok(()),
        )
    }
}

/// Which deliveries a hold is about: a condition over $4 and $5, and what they stand for. A domain has no
/// sign that LIKE would take for its own.
fn place_of(subject: &HoldSubject) -> (&'static str, (String, String)) {
    match subject {
        HoldSubject::Ticket(ticket) => (
            "letter_id IN (SELECT id FROM letter WHERE ticket IN ($4, $5))",
            (ticket.clone(), ticket.clone()),
        ),
        HoldSubject::Address(mailbox) => (
            "recipient IN ($4, $5)",
            (mailbox.as_str().to_owned(), mailbox.as_str().to_owned()),
        ),
        HoldSubject::Domain(domain) => {
            let below = format!("%.{}", domain.name());
            let itself = match domain.is_below() {
                true => below.clone(),
                false => format!("%@{}", domain.name()),
            };
            ("(recipient LIKE $4 OR recipient LIKE $5)", (itself, below))
        }
    }
}

fn subject_text(subject: &HoldSubject) -> String {
    match subject {
        HoldSubject::Ticket(ticket) => ticket.clone(),
        HoldSubject::Domain(domain) => domain.to_string(),
        HoldSubject::Address(mailbox) => mailbox.as_str().to_owned(),
    }
}

fn hold(row: &AnyRow) -> Result<Hold, Error> {
    let kind: String = row.try_get("kind")?;
    let subject: String = row.try_get("subject")?;
    Ok(Hold {
        id: row.try_get("id")?,
        subject: HoldSubject::from_text(&kind, &subject)
            .ok_or_else(|| unknown_word("hold", &subject))?,
        reason: row.try_get("reason")?,
        by: row.try_get("held_by")?,
        at: Timestamp(row.try_get("held_at")?),
        until: row.try_get::<Option<i64>, _>("expires_at")?.map(Timestamp),
    })
}
