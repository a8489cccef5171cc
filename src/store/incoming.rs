//! What came back, as it came: kept before anything else is done with it.

use sqlx::Row;
use sqlx::any::AnyRow;

use super::campaigns::unknown_word;
use super::{Error, Store};
use crate::model::{Arrived, Timestamp, WayIn};

/// A message under its number.
#[derive(Clone, Debug)]
pub struct Kept {
    pub id: i64,
    pub arrived: Arrived,
}

impl Store {
    /// Keeps a message; once it is committed, whoever handed it over may forget it. Gives back its number,
    /// and whether it was not known before.
    ///
    /// # Errors
    /// The database's; then nothing is kept, and it has to be handed over again.
    pub async fn put_incoming(&self, arrived: &Arrived) -> Result<(i64, bool), Error> {
        let digest = arrived.digest();
        let mut tx = self.begin().await?;
        let new: Option<i64> = sqlx::query_scalar(
            "INSERT INTO incoming (digest, came_at, via, envelope_from, envelope_to, size, message)
             VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (digest) DO NOTHING RETURNING id",
        )
        .bind(digest.as_str())
        .bind(arrived.came_at.0)
        .bind(arrived.via.as_str())
        .bind(arrived.envelope_from.as_deref())
        .bind(arrived.envelope_to.as_str())
        .bind(arrived.size.cast_signed())
        .bind(arrived.message.as_slice())
        .fetch_optional(&mut *tx)
        .await?;
        let id = match new {
            Some(id) => id,
            None => {
                sqlx::query_scalar("SELECT id FROM incoming WHERE digest = $1")
                    .bind(digest.as_str())
                    .fetch_one(&mut *tx)
                    .await?
            }
        };
        tx.commit().await?;
        Ok((id, new.is_some()))
    }

    /// Messages that nobody has read, in the order in which they came, behind the number `after`.
    ///
    /// # Errors
    /// The database's.
    pub async fn unread(&self, after: i64, most: i64) -> Result<Vec<Kept>, Error> {
        let rows = sqlx::query(
            "SELECT * FROM incoming WHERE read_at IS NULL AND id > $1 ORDER BY id LIMIT +$2",
        )
        .bind(after)
        .bind(most)
        .fetch_all(&self.read)
        .await?;
        rows.iter().map(kept).collect()
    }

    /// Puts all messages back to be read that are still there, but those of which somebody has said what they
    /// are.
    ///
    /// # Errors
    /// The database's.
    pub async fn read_anew(&self) -> Result<u64, Error> {
        let put_back = sqlx::query(
            "UPDATE incoming SET read_at = NULL
             WHERE gone_at IS NULL
               AND NOT EXISTS (SELECT 1 FROM reading WHERE incoming_id = incoming.id AND classed_by <> '')",
        )
        .execute(&self.write)
        .await?;
        Ok(put_back.rows_affected())
    }

    /// One message as it came.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Refused`] when it was taken away.
    pub async fn incoming(&self, id: i64) -> Result<Kept, Error> {
        let row = sqlx::query("SELECT * FROM incoming WHERE id = $1")
            .bind(id)
            .fetch_optional(&self.read)
            .await?;
        let row = row.ok_or_else(|| Error::not_found("message", id.to_string()))?;
        if let Some(at) = row.try_get::<Option<i64>, _>("gone_at")? {
            return Err(Error::Refused(format!(
                "message {id} was removed at {}, as keep.incoming says; what was made of it stays: lapwing reply show {id}",
                Timestamp(at)
            )));
        }
        kept(&row)
    }
}

fn kept(row: &AnyRow) -> Result<Kept, Error> {
    let via: String = row.try_get("via")?;
    let size: i64 = row.try_get("size")?;
    Ok(Kept {
        id: row.try_get("id")?,
        arrived: Arrived {
            via: WayIn::from_text(&via).ok_or_else(|| unknown_word("way in", &via))?,
            came_at: Timestamp(row.try_get("came_at")?),
            envelope_from: row.try_get("envelope_from")?,
            envelope_to: row.try_get("envelope_to")?,
            size: size.unsigned_abs(),
            message: row.try_get("message")?,
        },
    })
}
