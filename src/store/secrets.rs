//! Keys that this installation made for itself.

use super::{Error, Store};

impl Store {
    /// The key of this name, made of chance when it is first asked for.
    ///
    /// # Errors
    /// The database's, or when the system gives no random bytes.
    pub async fn secret(&self, name: &str) -> Result<Vec<u8>, Error> {
        if let Some(known) = self.known_secret(name).await? {
            return Ok(known);
        }
        let made = new_key()?;
        // Two may make one at once: whose comes first is everybody's.
        sqlx::query(
            "INSERT INTO secret (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING",
        )
        .bind(name)
        .bind(made)
        .execute(&self.write)
        .await?;
        let known = self.known_secret(name).await?;
        known.ok_or_else(|| Error::not_found("secret", name))
    }

    /// The key of this name, where it was asked for before.
    ///
    /// # Errors
    /// The database's.
    pub async fn known_secret(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        let value = sqlx::query_scalar("SELECT value FROM secret WHERE name = $1")
            .bind(name)
            .fetch_optional(&self.write)
            .await?;
        Ok(value)
    }
}

/// # Errors
/// When the system gives no random bytes.
pub(super) fn new_key() -> Result<Vec<u8>, Error> {
    let mut made = vec![0; 32];
    getrandom::fill(&mut made)
        .map_err(|error| Error::Unavailable(format!("no random bytes: {error}")))?;
    Ok(made)
}
