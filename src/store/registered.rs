//! Networks as registries' files tell them, put beside what others told of the same ranges.

use std::collections::HashMap;

use sqlx::any::AnyArguments;
use sqlx::query::Query;
use sqlx::{Any, AssertSqlSafe, Transaction};

use super::{Error, Store};
use crate::model::{Mailbox, Registered, Teller, Timestamp};

type Insert<'q> = Query<'q, Any, AnyArguments>;

/// Rows of one statement: SQLite takes 32,766 values.
pub(super) const ROWS: usize = 500;

impl Store {
    /// Adds networks, or brings those of the same range up to date, in one transaction. No range may
    /// occur twice.
    ///
    /// What the same teller said before is replaced. What another one said stays where this one
    /// knows nothing: an empty name, holder or country empties none, a row without contact takes
    /// away no contact, and statistics only fill what is empty. A row with contacts replaces those
    /// there are, whoever told them; what shall hold against every registry is an override.
    ///
    /// # Errors
    /// The database's.
    pub async fn put_registered(
        &self,
        networks: &[Registered],
        teller: Teller,
        source: &str,
        now: Timestamp,
    ) -> Result<(), Error> {
        let mut tx = self.begin().await?;
        let (with, without): (Vec<&Registered>, Vec<&Registered>) = networks
            .iter()
            .partition(|one| !one.network.contacts.is_empty());
        for (rows, has_contact) in [(with, true), (without, false)] {
            for chunk in rows.chunks(ROWS) {
                self.put_rows(&mut tx, chunk, has_contact, (teller, source), now)
                    .await?;
            }
        }
        tx.commit().await?;
        Ok(())
    }

    async fn put_rows(
        &self,
        tx: &mut Transaction<'static, Any>,
        rows: &[&Registered],
        has_contact: bool,
        (teller, source): (Teller, &str),
        now: Timestamp,
    ) -> Result<(), Error> {
        let table = Renewed {
            table: "network",
            key: "id",
            contacts: "contact",
            contact_key: "network_id",
            told: &["name", "holder", "country", "handle", "registry", "locale"],
        };
        let columns = "teller, told_at, source, first, last, name, holder, country, asn, handle, registry, locale,
                       ends_ladder";
        let places = self.engine.rows(&lead(teller, now), 11, rows.len());
        // Most loadings meet no row that is there: to ask for nothing back is twice as fast.
        if !has_contact {
            let sql = format!(
                "INSERT INTO network ({columns}) VALUES {places} ON CONFLICT (first, last) DO NOTHING"
            );
            let insert = bind(sqlx::query(AssertSqlSafe(sql)), rows, source);
            if insert.execute(&mut **tx).await?.rows_affected() == rows.len() as u64 {
                return Ok(());
            }
        }
        let mut renewal = table.renewal(teller, has_contact);
        let same = table.same(teller);
        renewal.push_str(&format!(
            ", asn = CASE WHEN {same} THEN excluded.asn ELSE COALESCE(network.asn, excluded.asn) END"
        ));
        // Only the registry's database knows maintainers.
        if teller == Teller::Database {
            renewal.push_str(", ends_ladder = excluded.ends_ladder");
        }
        let sql = format!(
            "INSERT INTO network ({columns}) VALUES {places}
             ON CONFLICT (first, last) DO UPDATE SET {renewal}
             RETURNING id, first, last, teller"
        );
        let insert = bind(sqlx::query(AssertSqlSafe(sql)), rows, source);
        let mut put: Vec<(i64, Vec<u8>, Vec<u8>, String)> = Vec::with_capacity(rows.len());
        for row in insert.fetch_all(&mut **tx).await? {
            put.push(<_ as sqlx::FromRow<'_, _>>::from_row(&row)?);
        }
        let taken = put
            .iter()
            .filter(|(_, _, _, told)| told == teller.as_str())
            .map(|(id, ..)| *id)
            .collect::<Vec<_>>();
        let mut contacts: Vec<(i64, &[Mailbox])> = Vec::new();
        if has_contact {
            let ids: HashMap<_, _> = put
                .into_iter()
                .map(|(id, first, last, _)| ((first, last), id))
                .collect();
            contacts.extend(rows.iter().filter_map(|one| {
                let (first, last) = one.network.range.to_bytes();
                let id = ids.get(&(first.to_vec(), last.to_vec()))?;
                Some((*id, one.network.contacts.as_slice()))
            }));
        }
        table.put_contacts(self, tx, &taken, &contacts).await
    }
}

/// The values of each row, in the order of its columns.
fn bind<'q>(mut insert: Insert<'q>, rows: &[&'q Registered], source: &'q str) -> Insert<'q> {
    for one in rows {
        let network = &one.network;
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
            .bind(network.locale.as_str())
            .bind(i64::from(one.ends_ladder));
    }
    insert
}

/// What stands in front of every row: who told it, when.
pub(super) fn lead(teller: Teller, now: Timestamp) -> String {
    format!("'{}', {}", teller.as_str(), now.0)
}

/// A table whose rows several tell, and the table of their contacts.
pub(super) struct Renewed {
    pub(super) table: &'static str,
    pub(super) key: &'static str,
    pub(super) contacts: &'static str,
    pub(super) contact_key: &'static str,
    /// The columns of text that each teller fills as far as it knows.
    pub(super) told: &'static [&'static str],
}

impl Renewed {
    /// Whether the row that is there was told by the same: of two databases, each its own registry's.
    pub(super) fn same(&self, teller: Teller) -> String {
        let (table, told) = (self.table, teller.as_str());
        match teller {
            Teller::Database => {
                format!("({table}.teller = '{told}' AND {table}.registry = excluded.registry)")
            }
            Teller::Statistics | Teller::Table => format!("{table}.teller = '{told}'"),
        }
    }

    /// The assignments that bring a row up to date. A row becomes the newer teller's, with source
    /// and time, unless that would put its name under somebody else's contacts.
    pub(super) fn renewal(&self, teller: Teller, has_contact: bool) -> String {
        let Self {
            table,
            key,
            contacts,
            contact_key,
            ..
        } = self;
        let same = self.same(teller);
        let takes = match (teller, has_contact) {
            (Teller::Statistics, _) => same.clone(),
            (_, true) => "1 = 1".to_owned(),
            (_, false) => format!(
                "({same} OR NOT EXISTS (SELECT 1 FROM {contacts} WHERE {contact_key} = {table}.{key}))"
            ),
        };
        let whose = ["teller", "source", "told_at"].into_iter().map(|column| {
            format!("{column} = CASE WHEN {takes} THEN excluded.{column} ELSE {table}.{column} END")
        });
        let told = self.told.iter().map(|column| {
            format!(
                "{column} = CASE WHEN {same} THEN excluded.{column}
                     WHEN {takes} THEN COALESCE(NULLIF(excluded.{column}, ''), {table}.{column})
                     ELSE COALESCE(NULLIF({table}.{column}, ''), excluded.{column}) END"
            )
        });
        whose.chain(told).collect::<Vec<_>>().join(", ")
    }

    /// Replaces the contacts of the rows `taken` by `contacts`.
    pub(super) async fn put_contacts(
        &self,
        store: &Store,
        tx: &mut Transaction<'static, Any>,
        taken: &[i64],
        contacts: &[(i64, &[Mailbox])],
    ) -> Result<(), Error> {
        let (table, key) = (self.contacts, self.contact_key);
        for chunk in taken.chunks(ROWS) {
            let sql = format!(
                "DELETE FROM {table} WHERE {key} IN (VALUES {})",
                store.engine.rows("", 1, chunk.len())
            );
            let mut delete = sqlx::query(AssertSqlSafe(sql));
            for id in chunk {
                delete = delete.bind(*id);
            }
            delete.execute(&mut **tx).await?;
        }
        let ranked: Vec<(i64, i64, &Mailbox)> = contacts
            .iter()
            .flat_map(|(id, mailboxes)| (0..).zip(*mailboxes).map(|(rank, one)| (*id, rank, one)))
            .collect();
        for chunk in ranked.chunks(ROWS) {
            let sql = format!(
                "INSERT INTO {table} ({key}, rank, mailbox) VALUES {}",
                store.engine.rows("", 3, chunk.len())
            );
            let mut insert = sqlx::query(AssertSqlSafe(sql));
            for (id, rank, mailbox) in chunk {
                insert = insert.bind(*id).bind(*rank).bind(mailbox.as_str());
            }
            insert.execute(&mut **tx).await?;
        }
        Ok(())
    }
}
