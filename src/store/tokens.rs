//! The keys that tokens are written and read with.

use serde_json::json;

use super::audit::Entry;
use super::secrets::new_key;
use super::{Error, Store};
use crate::model::{Purpose, Span, TOKEN_KEYS, Timestamp, TokenKey, TokenKeys};

/// Its number and value, when it ends, and for how long reports are waited for.
type Row = (i64, Vec<u8>, Option<i64>, Option<i64>);

impl Store {
    /// The keys that tokens are read with at this moment, the one in use first; none before the first
    /// letter is frozen.
    ///
    /// # Errors
    /// The database's.
    pub async fn token_keys(&self, now: Timestamp) -> Result<TokenKeys, Error> {
        let rows: Vec<Row> = sqlx::query_as(
            "SELECT id, value, expires_at, read_for FROM token_key
             ORDER BY CASE WHEN expires_at IS NULL THEN 0 ELSE 1 END, made_at DESC, id",
        )
        .fetch_all(&self.write)
        .await?;
        let mut keys = Vec::new();
        for (id, value, expires_at, read_for) in rows {
            let key = TokenKey { id, value };
            let is_over = expires_at.is_some_and(|end| end <= now.0);
            if !is_over || self.is_still_read(&key, read_for.unwrap_or(0), now).await? {
                keys.push(key);
            }
        }
        Ok(TokenKeys(keys))
    }

    /// Whether reports may still come to letters that bear a key whose time seemed over: they may have been
    /// sent long after they were written. Looked at once for each time that it seems so.
    async fn is_still_read(
        &self,
        key: &TokenKey,
        read_for: i64,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let bears = format!("{}{}%", Purpose::Message.prefix(), key.sign());
        let mut tx = self.begin().await?;
        let last_sent: Option<i64> = sqlx::query_scalar(
            "SELECT MAX(CASE WHEN campaign.state IN ('settled', 'cancelled') THEN delivery.ended_at ELSE $2 END)
             FROM letter JOIN campaign ON campaign.id = letter.campaign_id
                  LEFT JOIN delivery ON delivery.letter_id = letter.id
             WHERE message_id LIKE $1",
        )
        .bind(bears)
        .bind(now.0)
        .fetch_one(&mut *tx)
        .await?;
        let end = last_sent.map_or(0, |last| last.saturating_add(read_for));
        let is_read = end > now.0;
        let sql = match is_read {
            true => "UPDATE token_key SET expires_at = $2 WHERE id = $1",
            false => "DELETE FROM token_key WHERE id = $1 AND expires_at <= $2",
        };
        sqlx::query(sql)
            .bind(key.id)
            .bind(if is_read { end } else { now.0 })
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(is_read)
    }

    /// The same, with a key made where none is in use.
    ///
    /// # Errors
    /// The database's, or when the system gives no random bytes.
    pub async fn token_keys_to_write(&self, now: Timestamp) -> Result<TokenKeys, Error> {
        let keys = self.token_keys(now).await?;
        if !keys.0.is_empty() {
            return Ok(keys);
        }
        // Two may make the first at once: whose comes first is everybody's.
        sqlx::query(
            "INSERT INTO token_key (id, value, made_at) VALUES (0, $1, $2) ON CONFLICT (id) DO NOTHING",
        )
        .bind(new_key()?)
        .bind(now.0)
        .execute(&self.write)
        .await?;
        self.token_keys(now).await
    }

    /// Makes a new key, with which tokens are written from now on; the one before it is read with for so
    /// long after the last letter that bears it. Gives back its number.
    ///
    /// # Errors
    /// [`Error::Refused`] while all numbers are in use; the database's, or when the system gives no random
    /// bytes.
    pub async fn rotate_token_key(
        &self,
        by: &str,
        now: Timestamp,
        read_for: Span,
    ) -> Result<i64, Error> {
        // Takes away those that nothing is read with any more.
        self.token_keys(now).await?;
        let made = new_key()?;
        let mut tx = self.act(by, now).await?;
        let known: Vec<i64> = sqlx::query_scalar("SELECT id FROM token_key")
            .fetch_all(&mut *tx)
            .await?;
        let free = (0..TOKEN_KEYS).find(|id| !known.contains(id));
        let id = free.ok_or_else(|| {
            Error::Refused(format!(
                "{TOKEN_KEYS} keys are still read with; the first that expires makes room"
            ))
        })?;
        let before: Option<i64> = sqlx::query_scalar(
            "UPDATE token_key SET expires_at = $1, read_for = $2 WHERE expires_at IS NULL RETURNING id",
        )
        .bind(now.plus(read_for).0)
        .bind(read_for.0)
        .fetch_optional(&mut *tx)
        .await?;
        sqlx::query("INSERT INTO token_key (id, value, made_at) VALUES ($1, $2, $3)")
            .bind(id)
            .bind(made)
            .bind(now.0)
            .execute(&mut *tx)
            .await?;
        let entry = Entry::new("key rotate", "token key")
            .before(json!({ "key": before }))
            .after(json!({ "key": id, "before_read_for": read_for.to_string() }));
        tx.written(entry).await?;
        Ok(id)
    }
}
