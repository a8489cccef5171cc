//! The local table: networks, and the mailboxes that answer for them.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::json;
use sqlx::{AssertSqlSafe, Row};

use super::audit::Entry;
use super::findings::parse_mailbox;
use super::suspects::{parse_json, range, range_of_hex};
use super::{Error, Store};
use crate::model::{AddressRange, Network, Timestamp};

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

/// What deciding needs of a network, for as long as its page is at hand.
#[derive(Clone, Debug)]
pub struct Outline<'p> {
    pub id: i64,
    pub range: AddressRange,
    pub name: &'p str,
    pub country: &'p str,
    pub asn: Option<u32>,
    pub handle: &'p str,
    pub locale: &'p str,
    pub source: &'p str,
    pub told_at: Timestamp,
    /// The ranges around it do not answer for it.
    pub ends_ladder: bool,
    /// Mailboxes, best first.
    pub contacts: Vec<&'p str>,
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
        let mut tx = self.act(&load.loaded_by, load.loaded_at).await?;
        sqlx::query(
            "INSERT INTO table_load (name, loaded_by, loaded_at, networks, refused)
             VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(load.name.as_str())
        .bind(load.loaded_by.as_str())
        .bind(load.loaded_at.0)
        .bind(load.networks)
        .bind(load.refused)
        .execute(&mut *tx)
        .await?;
        let entry = Entry::new("table load", load.name.as_str())
            .after(json!({ "networks": load.networks, "refused": load.refused }));
        tx.written(entry).await
    }

    /// Says that a table is about to be loaded: a loading that breaks off has changed contacts as well.
    ///
    /// # Errors
    /// The database's.
    pub async fn begin_table_load(
        &self,
        name: &str,
        by: &str,
        now: Timestamp,
    ) -> Result<(), Error> {
        let tx = self.act(by, now).await?;
        tx.written(Entry::new("table begin", name)).await
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

    /// Shows a page of all networks, by id, behind `after`, without what only people read; returns
    /// the last one's id.
    ///
    /// # Errors
    /// The database's, and those of `each`.
    pub async fn outlines(
        &self,
        after: i64,
        limit: i64,
        mut each: impl FnMut(Outline<'_>) -> Result<(), Error>,
    ) -> Result<Option<i64>, Error> {
        let columns = format!(
            "id, {}, {}, name, country, asn, handle, locale, source, told_at, ends_ladder",
            self.engine.hex("first"),
            self.engine.hex("last")
        );
        let page = "SELECT * FROM network WHERE id > $1 ORDER BY id LIMIT +$2";
        let text: String = sqlx::query_scalar(AssertSqlSafe(self.engine.as_json(&columns, page)))
            .bind(after)
            .bind(limit)
            .fetch_one(&self.read)
            .await?;
        let rows: Vec<OutlineRow<'_>> = parse_json(&text)?;
        let (Some(first), Some(last)) = (rows.first(), rows.last()) else {
            return Ok(None);
        };
        let page = "SELECT network_id, mailbox FROM contact
                    WHERE network_id BETWEEN $1 AND $2 ORDER BY network_id, rank";
        let sql = self.engine.as_json("network_id, mailbox", page);
        let text: String = sqlx::query_scalar(AssertSqlSafe(sql))
            .bind(first.0)
            .bind(last.0)
            .fetch_one(&self.read)
            .await?;
        let contacts: Vec<(i64, &str)> = parse_json(&text)?;
        let mut contacts = contacts.into_iter().peekable();
        for row in &rows {
            let mut outline = row.outline()?;
            // Of a network that was not there yet when its page was read.
            while contacts.next_if(|(id, _)| *id < row.0).is_some() {}
            while let Some((_, mailbox)) = contacts.next_if(|(id, _)| *id == row.0) {
                outline.contacts.push(mailbox);
            }
            each(outline)?;
        }
        Ok(Some(last.0))
    }

    /// The networks of these ids, as many as there are, by id, each with its contacts.
    ///
    /// # Errors
    /// The database's.
    pub async fn networks(&self, ids: &[i64]) -> Result<Vec<StoredNetwork>, Error> {
        let mut networks = Vec::with_capacity(ids.len());
        for chunk in ids.chunks(ROWS) {
            let places = self.engine.rows("", 1, chunk.len());
            let sql = format!(
                "SELECT id, first, last, name, holder, country, asn, handle, registry, locale, source, told_at,
                        ends_ladder
                 FROM network WHERE id IN (VALUES {places})"
            );
            let mut query = sqlx::query(AssertSqlSafe(sql));
            for id in chunk {
                query = query.bind(*id);
            }
            for row in query.fetch_all(&self.read).await? {
                networks.push(network(&row)?);
            }
            let sql = format!(
                "SELECT network_id, mailbox FROM contact WHERE network_id IN (VALUES {places})
                 ORDER BY network_id, rank"
            );
            let mut query = sqlx::query_as::<_, (i64, String)>(AssertSqlSafe(sql));
            for id in chunk {
                query = query.bind(*id);
            }
            networks.sort_by_key(|one: &StoredNetwork| one.id);
            for (id, mailbox) in query.fetch_all(&self.read).await? {
                if let Ok(place) = networks.binary_search_by_key(&id, |one| one.id) {
                    let contacts = &mut networks[place].network.contacts;
                    contacts.push(parse_mailbox(&mailbox)?);
                }
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

/// A row of [`Store::outlines`], as JSON.
#[derive(Deserialize)]
struct OutlineRow<'a>(
    i64,
    &'a str,
    &'a str,
    #[serde(borrow)] Cow<'a, str>,
    #[serde(borrow)] Cow<'a, str>,
    Option<i64>,
    #[serde(borrow)] Cow<'a, str>,
    #[serde(borrow)] Cow<'a, str>,
    #[serde(borrow)] Cow<'a, str>,
    i64,
    i64,
);

impl OutlineRow<'_> {
    fn outline(&self) -> Result<Outline<'_>, Error> {
        let Self(id, first, last, name, country, asn, handle, locale, source, told_at, ends) = self;
        Ok(Outline {
            id: *id,
            range: range_of_hex(first, last)?,
            name,
            country,
            asn: asn.and_then(|asn| u32::try_from(asn).ok()),
            handle,
            locale,
            source,
            told_at: Timestamp(*told_at),
            ends_ladder: *ends > 0,
            contacts: Vec::new(),
        })
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
