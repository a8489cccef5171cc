//! The keys that tokens are written and read with.

use serde_json::json;

use super::audit::Entry;
use super::secrets::new_key;
use super::{Error, Store};
use crate::model::{TOKEN_KEYS, Timestamp, TokenKey, TokenKeys};

impl Store {
    /// The keys that tokens are read with at this moment, the one in use first; none before the first
    /// letter is frozen.
    ///
    /// # Errors
    /// The database's.
    pub async fn token_keys(&self, now: Timestamp) -> Result<TokenKeys, Error> {
        let rows: Vec<(i64, Vec<u8>)> = sqlx::query_as(
            "SELECT id, value FROM token_key WHERE expires_at IS NULL OR expires_at > $1
             ORDER BY CASE WHEN expires_at IS NULL THEN 0 ELSE 1 END, made_at DESC, id",
        )
        .bind(now.0)
        .fetch_all(&self.write)
        .await?;
        let key = |(id, value)| TokenKey { id, value };
        Ok(TokenKeys(rows.into_iter().map(key).collect()))
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

    /// Makes a new key, with which tokens are written from now on; the one before it is read with until
    /// `until`. Gives back its number.
    ///
    /// # Errors
    /// [`Error::Refused`] while all numbers are in use; the database's, or when the system gives no random
    /// bytes.
    pub async fn rotate_token_key(
        &self,
        by: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<i64, Error> {
        let made = new_key()?;
        let mut tx = self.act(by, now).await?;
        sqlx::query("DELETE FROM token_key WHERE expires_at <= $1")
            .bind(now.0)
            .execute(&mut *tx)
            .await?;
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
            "UPDATE token_key SET expires_at = $1 WHERE expires_at IS NULL RETURNING id",
        )
        .bind(until.0)
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
            .after(json!({ "key": id, "before_read_until": until }));
        tx.written(entry).await?;
        Ok(id)
    }
}
