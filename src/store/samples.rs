//! The messages that suspects sent, as their feeds told them.

use sqlx::Row;
use sqlx::any::AnyRow;

use super::{Connection, Error, Store};
use crate::model::Suspect;

/// Where a row's message is kept, and how long it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SampleKey {
    /// The suspect's; that of the whole where the row is a piece.
    pub suspect: i64,
    /// In bytes.
    pub size: usize,
}

impl SampleKey {
    /// # Errors
    /// When a value is not of its column's kind.
    pub(super) fn of(row: &AnyRow) -> Result<Option<Self>, Error> {
        let suspect: Option<i64> = row.try_get("suspect_id")?;
        let size: Option<i64> = row.try_get("size")?;
        let size = usize::try_from(size.unwrap_or(0)).unwrap_or(0);
        Ok(suspect.map(|suspect| Self { suspect, size }))
    }
}

impl Store {
    /// The message kept under a row's [`SampleKey`].
    ///
    /// # Errors
    /// The database's.
    pub async fn sample(&self, key: SampleKey) -> Result<String, Error> {
        let content = sqlx::query_scalar("SELECT content FROM sample WHERE suspect_id = $1")
            .bind(key.suspect)
            .fetch_one(&self.read)
            .await?;
        Ok(content)
    }
}

/// Keeps the messages of suspects that are stored already. The first one told stays, also when the
/// observation was known before without one.
///
/// # Errors
/// The database's.
pub(super) async fn add(
    tx: &mut Connection,
    campaign: i64,
    suspects: &[(u64, Suspect)],
) -> Result<(), Error> {
    for (_, suspect) in suspects {
        let Some(sample) = &suspect.sample else {
            continue;
        };
        sqlx::query(
            "INSERT INTO sample (suspect_id, size, content)
             SELECT id, $4, $5 FROM suspect WHERE campaign_id = $1 AND first = $2 AND fingerprint = $3
             ON CONFLICT (suspect_id) DO NOTHING",
        )
        .bind(campaign)
        .bind(suspect.range.to_bytes().0.to_vec())
        .bind(suspect.fingerprint())
        .bind(sample.len() as i64)
        .bind(sample.as_str())
        .execute(&mut *tx)
        .await?;
    }
    Ok(())
}
