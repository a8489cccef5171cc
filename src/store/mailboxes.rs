//! How far mailboxes have been read.

use super::{Error, Store};

impl Store {
    /// The number up to which all of a mailbox is kept; 0 where nothing is, or where its numbers are not
    /// those of then.
    ///
    /// # Errors
    /// The database's.
    pub async fn read_up_to(&self, mailbox: &str, validity: u32) -> Result<u32, Error> {
        let last: Option<i64> =
            sqlx::query_scalar("SELECT last_uid FROM mailbox WHERE name = $1 AND validity = $2")
                .bind(mailbox)
                .bind(i64::from(validity))
                .fetch_optional(&self.read)
                .await?;
        Ok(last.and_then(|uid| u32::try_from(uid).ok()).unwrap_or(0))
    }

    /// All of a mailbox up to this number is kept.
    ///
    /// # Errors
    /// The database's.
    pub async fn put_read_up_to(
        &self,
        mailbox: &str,
        validity: u32,
        uid: u32,
    ) -> Result<(), Error> {
        sqlx::query(
            "INSERT INTO mailbox (name, validity, last_uid) VALUES ($1, $2, $3)
             ON CONFLICT (name) DO UPDATE SET validity = excluded.validity, last_uid = excluded.last_uid",
        )
        .bind(mailbox)
        .bind(i64::from(validity))
        .bind(i64::from(uid))
        .execute(&self.write)
        .await?;
        Ok(())
    }
}
