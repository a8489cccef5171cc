//! Autonomous systems, and the mailboxes that answer for them.

use sqlx::{AssertSqlSafe, Row};

use super::findings::parse_mailbox;
use super::registered::{ROWS, Renewed, lead};
use super::{Error, Store};
use crate::model::{AutonomousSystem, Mailbox, Teller, Timestamp};

/// A system with its origin.
#[derive(Clone, Debug)]
pub struct StoredSystem {
    pub system: AutonomousSystem,
    pub source: String,
    pub told_at: Timestamp,
}

impl Store {
    /// Adds systems, or brings those of the same number up to date, by the rules of
    /// [`put_registered`](Self::put_registered), in one transaction. No number may occur twice.
    ///
    /// # Errors
    /// The database's.
    pub async fn put_systems(
        &self,
        systems: &[AutonomousSystem],
        teller: Teller,
        source: &str,
        now: Timestamp,
    ) -> Result<(), Error> {
        let table = Renewed {
            table: "autonomous_system",
            key: "asn",
            contacts: "system_contact",
            contact_key: "asn",
            told: &["name", "holder", "country", "handle", "registry"],
        };
        let mut tx = self.begin().await?;
        let (with, without): (Vec<&AutonomousSystem>, Vec<&AutonomousSystem>) =
            systems.iter().partition(|one| !one.contacts.is_empty());
        for (rows, has_contact) in [(with, true), (without, false)] {
            for chunk in rows.chunks(ROWS) {
                let sql = format!(
                    "INSERT INTO autonomous_system (teller, told_at, source, asn, name, holder, country, handle, registry)
                     VALUES {}
                     ON CONFLICT (asn) DO UPDATE SET {}
                     RETURNING asn, teller",
                    self.engine.rows(&lead(teller, now), 7, chunk.len()),
                    table.renewal(teller, has_contact)
                );
                let mut insert = sqlx::query_as::<_, (i64, String)>(AssertSqlSafe(sql));
                for one in chunk {
                    insert = insert
                        .bind(source)
                        .bind(i64::from(one.asn))
                        .bind(one.name.as_str())
                        .bind(one.holder.as_str())
                        .bind(one.country.as_str())
                        .bind(one.handle.as_str())
                        .bind(one.registry.as_str());
                }
                let put = insert.fetch_all(&mut *tx).await?;
                let taken: Vec<i64> = put
                    .into_iter()
                    .filter(|(_, told)| told == teller.as_str())
                    .map(|(asn, _)| asn)
                    .collect();
                let contacts: Vec<(i64, &[Mailbox])> = chunk
                    .iter()
                    .map(|one| (i64::from(one.asn), one.contacts.as_slice()))
                    .collect();
                table.put_contacts(self, &mut tx, &taken, &contacts).await?;
            }
        }
        tx.commit().await?;
        Ok(())
    }

    /// Those of the systems asked for that are known, by number.
    ///
    /// # Errors
    /// The database's.
    pub async fn systems(&self, numbers: &[u32]) -> Result<Vec<StoredSystem>, Error> {
        let mut numbers = numbers.to_vec();
        numbers.sort_unstable();
        numbers.dedup();
        let mut found: Vec<StoredSystem> = Vec::new();
        for chunk in numbers.chunks(ROWS) {
            let places = self.engine.rows("", 1, chunk.len());
            let sql = format!(
                "SELECT asn, name, holder, country, handle, registry, source, told_at
                 FROM autonomous_system WHERE asn IN (VALUES {places})"
            );
            let mut select = sqlx::query(AssertSqlSafe(sql));
            for number in chunk {
                select = select.bind(i64::from(*number));
            }
            for row in select.fetch_all(&self.read).await? {
                found.push(system(&row)?);
            }
        }
        found.sort_by_key(|one| one.system.asn);
        for chunk in numbers.chunks(ROWS) {
            let sql = format!(
                "SELECT asn, mailbox FROM system_contact WHERE asn IN (VALUES {}) ORDER BY asn, rank",
                self.engine.rows("", 1, chunk.len())
            );
            let mut select = sqlx::query_as::<_, (i64, String)>(AssertSqlSafe(sql));
            for number in chunk {
                select = select.bind(i64::from(*number));
            }
            for (asn, mailbox) in select.fetch_all(&self.read).await? {
                let place = found.binary_search_by_key(&asn, |one| i64::from(one.system.asn));
                if let Ok(place) = place {
                    found[place].system.contacts.push(parse_mailbox(&mailbox)?);
                }
            }
        }
        Ok(found)
    }
}

fn system(row: &sqlx::any::AnyRow) -> Result<StoredSystem, Error> {
    let asn: i64 = row.try_get("asn")?;
    Ok(StoredSystem {
        system: AutonomousSystem {
            asn: u32::try_from(asn)
                .map_err(|_| Error::Database(format!("{asn} is no AS number")))?,
            name: row.try_get("name")?,
            holder: row.try_get("holder")?,
            country: row.try_get("country")?,
            handle: row.try_get("handle")?,
            registry: row.try_get("registry")?,
            contacts: Vec::new(),
        },
        source: row.try_get("source")?,
        told_at: Timestamp(row.try_get("told_at")?),
    })
}
