//! The local table: networks, and the mailboxes that answer for them.

use sqlx::{AssertSqlSafe, Row};

use super::findings::parse_mailbox;
use super::suspects::range;
use super::{Error, Store};
use crate::model::{Network, Timestamp};

const ROWS: usize = 500;

/// A network with its key and its origin.
#[derive(Clone, Debug)]
pub struct StoredNetwork {
    pub id: i64,
    pub network: Network,
    pub source: String,
    pub told_at: Timestamp,
    /// The ranges around it do not answer for it.
    pub ends_ladder: bool,
}

/// One loading of a table.
#[derive(Clone, Debug, serde::Serialize)]
pub struct TableLoad {
    pub name: String,
    pub loaded_by: String,
    pub loaded_at: Timestamp,
    pub networks: i64,
    pub refused: i64,
}

impl Store {
    /// Adds networks, or renews those of the same range, with their contacts, in one transaction.
    /// No range may occur twice.
    ///
    /// # Errors
    /// The database's.
    pub async fn put_networks(
        &self,
        networks: &[Network],
        source: &str,
        now: Timestamp,
    ) -> Result<(), Error> {
        let mut tx = self.begin().await?;
        for chunk in networks.chunks(ROWS) {
            let sql = format!(
                "INSERT INTO network (told_at, source, first, last, name, holder, country, asn, handle, registry, locale)
                 VALUES {}
                 ON CONFLICT (first, last) DO UPDATE
                 SET source = excluded.source, told_at = excluded.told_at, name = excluded.name,
                     holder = excluded.holder, country = excluded.country, asn = excluded.asn,
                     handle = excluded.handle, registry = excluded.registry, locale = excluded.locale,
                     teller = excluded.teller
                 RETURNING id, first, last",
                self.engine.rows(&now.0.to_string(), 10, chunk.len())
            );
            let mut insert = sqlx::query_as::<_, (i64, Vec<u8>, Vec<u8>)>(AssertSqlSafe(sql));
            for network in chunk {
                let (first, last) = network.range.to_bytes();
                insert = insert
                    .bind(source)
                    .bind(first.to_vec())
                    .bind(last.to_vec())
                    .bind(network.name.as_str())
                    .bind(network.holder.as_str())
                    .bind(network.country.as_str())
                    .bind(network.asn.map(i64::from))
                    .bind(network.handle.as_str())
                    .bind(network.registry.as_str())
                    .bind(network.locale.as_str());
            }
            let ids: std::collections::HashMap<_, _> = insert
                .fetch_all(&mut *tx)
                .await?
                .into_iter()
                .map(|(id, first, last)| ((first, last), id))
                .collect();
            let sql = format!(
                "DELETE FROM contact WHERE network_id IN (VALUES {})",
                self.engine.rows("", 1, ids.len())
            );
            let mut delete = sqlx::query(AssertSqlSafe(sql));
            for id in ids.values() {
                delete = delete.bind(*id);
            }
            delete.execute(&mut *tx).await?;
            let mut contacts = Vec::new();
            for network in chunk {
                let (first, last) = network.range.to_bytes();
                let Some(id) = ids.get(&(first.to_vec(), last.to_vec())) else {
                    continue;
                };
                contacts.extend(
                    network
                        .contacts
                        .iter()
                        .enumerate()
                        .map(|(rank, mailbox)| (*id, rank as i64, mailbox)),
                );
            }
            for chunk in contacts.chunks(ROWS) {
                let sql = format!(
                    "INSERT INTO contact (network_id, rank, mailbox) VALUES {}",
                    self.engine.rows("", 3, chunk.len())
                );
                let mut insert = sqlx::query(AssertSqlSafe(sql));
                for (id, rank, mailbox) in chunk {
                    insert = insert.bind(*id).bind(*rank).bind(mailbox.as_str());
                }
                insert.execute(&mut *tx).await?;
            }
        }
        tx.commit().await?;
        Ok(())
    }

    /// Notes that a table was loaded: from then on resolve's earlier answers are out of date.
    ///
    /// # Errors
    /// The database's.
    pub async fn add_table_load(&self, load: &TableLoad) -> Result<(), Error> {
        sqlx::query(
            "INSERT INTO table_load (name, loaded_by, loaded_at, networks, refused)
             VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(load.name.as_str())
        .bind(load.loaded_by.as_str())
        .bind(load.loaded_at.0)
        .bind(load.networks)
        .bind(load.refused)
        .execute(&self.write)
        .await?;
        Ok(())
    }

    /// # Errors
    /// The database's.
    pub async fn table_loads(&self) -> Result<Vec<TableLoad>, Error> {
        let rows: Vec<(String, String, i64, i64, i64)> = sqlx::query_as(
            "SELECT name, loaded_by, loaded_at, networks, refused FROM table_load ORDER BY id",
        )
        .fetch_all(&self.read)
        .await?;
        Ok(rows
            .into_iter()
            .map(|(name, loaded_by, at, networks, refused)| TableLoad {
                name,
                loaded_by,
                loaded_at: Timestamp(at),
                networks,
                refused,
            })
            .collect())
    }

    /// A page of all networks with their contacts, by id, behind `after`.
    ///
    /// # Errors
    /// The database's.
    pub async fn networks(&self, after: i64, limit: i64) -> Result<Vec<StoredNetwork>, Error> {
        let found = sqlx::query(
            "SELECT id, first, last, name, holder, country, asn, handle, registry, locale, source, told_at,
                    ends_ladder
             FROM network WHERE id > $1 ORDER BY id LIMIT $2",
        )
        .bind(after)
        .bind(limit)
        .fetch_all(&self.read)
        .await?;
        let mut networks = found
            .iter()
            .map(network)
            .collect::<Result<Vec<_>, Error>>()?;
        let (Some(head), Some(tail)) = (
            networks.first().map(|n| n.id),
            networks.last().map(|n| n.id),
        ) else {
            return Ok(networks);
        };
        let contacts: Vec<(i64, String)> = sqlx::query_as(
            "SELECT network_id, mailbox FROM contact
             WHERE network_id BETWEEN $1 AND $2 ORDER BY network_id, rank",
        )
        .bind(head)
        .bind(tail)
        .fetch_all(&self.read)
        .await?;
        for (id, mailbox) in contacts {
            if let Ok(place) = networks.binary_search_by_key(&id, |network| network.id) {
                networks[place]
                    .network
                    .contacts
                    .push(parse_mailbox(&mailbox)?);
            }
        }
        Ok(networks)
    }

    /// The networks under a mailbox's findings, each behind its finding, without contacts.
    ///
    /// # Errors
    /// The database's.
    pub async fn networks_of(
        &self,
        campaign: i64,
        mailbox: &str,
    ) -> Result<Vec<(i64, Network)>, Error> {
        let rows = sqlx::query(
            "SELECT finding.id AS finding_id, network.id, first, last, name, holder, network.country, asn, handle,
                    registry, network.locale, source, told_at, ends_ladder
             FROM finding JOIN network ON network.id = network_id
             WHERE campaign_id = $1 AND mailbox = $2 AND verdict = 'matched'
             ORDER BY finding.id",
        )
        .bind(campaign)
        .bind(mailbox)
        .fetch_all(&self.read)
        .await?;
        rows.iter()
            .map(|row| Ok((row.try_get("finding_id")?, network(row)?.network)))
            .collect()
    }
}

fn network(row: &sqlx::any::AnyRow) -> Result<StoredNetwork, Error> {
    let first: Vec<u8> = row.try_get("first")?;
    let last: Vec<u8> = row.try_get("last")?;
    Ok(StoredNetwork {
        id: row.try_get("id")?,
        network: Network {
            range: range(&first, &last)?,
            name: row.try_get("name")?,
            holder: row.try_get("holder")?,
            country: row.try_get("country")?,
            asn: row
                .try_get::<Option<i64>, _>("asn")?
                .and_then(|asn| u32::try_from(asn).ok()),
            handle: row.try_get("handle")?,
            registry: row.try_get("registry")?,
            locale: row.try_get("locale")?,
            contacts: Vec::new(),
        },
        source: row.try_get("source")?,
        told_at: Timestamp(row.try_get("told_at")?),
        ends_ladder: row.try_get::<i64, _>("ends_ladder")? > 0,
    })
}
