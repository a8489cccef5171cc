//! Networks and systems into the store, in sorted chunks, whatever kind of file tells them.

use serde::Serialize;

use super::held::Held;
use super::table::{Row, Rows};
use crate::model::{AutonomousSystem, Network, Progress, Refusal, Registered, Teller, Timestamp};
use crate::store::{Error, Store, TableLoad};

/// Systems held at once; there are some 120,000 in the world.
const SYSTEMS: usize = 200_000;

/// Networks stored in one transaction; each costs a wait for the disk.
const CHUNK: usize = 20_000;

/// Rows of a table between two looks at whether to stop.
const ROWS: usize = 5_000;

/// Refusals handed back; a table is mended at its origin, not row by row.
const SHOWN: usize = 1_000;

/// What loading one file did.
#[derive(Clone, Debug, Default, Serialize)]
pub struct TableDone {
    pub name: String,
    pub networks: u64,
    pub with_contact: u64,
    pub systems: u64,
    /// Roles, organisations and incident teams that networks may refer to.
    pub references: u64,
    /// Networks and systems that refer to objects that no file held.
    pub lacking: u64,
    /// What is given to nobody, or held by another registry.
    pub passed: u64,
    pub refused: u64,
    pub refusals: Vec<Refusal>,
}

impl TableDone {
    pub(super) fn of(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ..Self::default()
        }
    }

    pub(super) fn refuse(&mut self, refusal: Refusal) {
        self.refused += 1;
        if self.refusals.len() < SHOWN {
            self.refusals.push(refusal);
        }
    }
}

/// Where what a file tells goes to.
#[derive(Clone, Copy)]
pub(super) struct Destination<'a> {
    /// Without one nothing is kept.
    pub(super) store: Option<&'a Store>,
    pub(super) by: &'a str,
    pub(super) now: Timestamp,
    pub(super) progress: &'a Progress,
}

/// Networks and systems of one file, not yet stored.
pub(super) struct Batch<'a> {
    to: Destination<'a>,
    teller: Teller,
    networks: Held,
    systems: Vec<AutonomousSystem>,
    /// Whether it is written down that somebody loads it.
    is_begun: bool,
    pub(super) done: TableDone,
}

impl<'a> Batch<'a> {
    pub(super) fn new(to: Destination<'a>, teller: Teller, done: TableDone) -> Self {
        Self {
            to,
            teller,
            networks: Held::default(),
            systems: Vec::new(),
            is_begun: false,
            done,
        }
    }

    pub(super) fn add(&mut self, one: Registered) {
        self.done.networks += 1;
        self.done.with_contact += u64::from(!one.network.contacts.is_empty());
        if self.to.store.is_some() {
            self.networks.push(&one);
        }
    }

    pub(super) fn add_system(&mut self, one: AutonomousSystem) {
        self.done.systems += 1;
        if self.to.store.is_some() {
            self.systems.push(one);
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.networks.is_full() || self.systems.len() >= SYSTEMS
    }

    /// Stores what it holds, or as much of it as there is time for; of what was told twice, the last
    /// counts.
    ///
    /// # Errors
    /// The database's. Chunks stored by then stay, and loading again finds them.
    pub(super) async fn store(&mut self) -> Result<(), Error> {
        let Some(store) = self.to.store else {
            return Ok(());
        };
        if !self.is_begun {
            store
                .begin_table_load(&self.done.name, self.to.by, self.to.now)
                .await?;
            self.is_begun = true;
        }
        self.networks.sort();
        for chunk in self.networks.pieces(CHUNK) {
            store
                .put_registered(&chunk, self.teller, &self.done.name, self.to.now)
                .await?;
            if self.to.progress.is_stopped() {
                break;
            }
        }
        self.networks.clear();
        // A stable sort keeps the last behind; turned round, it is the one that is kept.
        self.systems.reverse();
        self.systems.sort_by_key(|one| one.asn);
        self.systems.dedup_by_key(|one| one.asn);
        for chunk in self.systems.chunks(CHUNK) {
            store
                .put_systems(chunk, self.teller, &self.done.name, self.to.now)
                .await?;
        }
        self.systems.clear();
        Ok(())
    }

    /// Stores the rest, and notes that the file was loaded.
    ///
    /// # Errors
    /// The database's.
    pub(super) async fn finish(mut self) -> Result<TableDone, Error> {
        self.store().await?;
        // A database is read twice.
        self.done.refusals.sort_by_key(|refusal| refusal.line);
        if let Some(store) = self.to.store {
            let load = TableLoad {
                name: self.done.name.clone(),
                loaded_by: self.to.by.to_owned(),
                loaded_at: self.to.now,
                networks: self.done.networks as i64,
                refused: self.done.refused as i64,
            };
            store.add_table_load(&load).await?;
        }
        Ok(self.done)
    }
}

/// Loads a table; a network of a range that is there already is renewed with its contacts. Of a
/// range that the table names twice, the last row counts. Without a store nothing is kept.
///
/// # Errors
/// The database's. Chunks stored by then stay, and loading again finds them.
pub async fn load_table(
    store: Option<&Store>,
    rows: Rows,
    name: &str,
    by: &str,
    now: Timestamp,
    progress: &Progress,
) -> Result<TableDone, Error> {
    let to = Destination {
        store,
        by,
        now,
        progress,
    };
    load_rows(to, rows, name, |read| progress.add(read)).await
}

/// As [`load_table`]; `tell` hears of every so many rows read.
pub(super) async fn load_rows(
    to: Destination<'_>,
    mut rows: Rows,
    name: &str,
    tell: impl Fn(u64),
) -> Result<TableDone, Error> {
    let mut batch = Batch::new(to, Teller::Table, TableDone::of(name));
    while !to.progress.is_stopped() {
        let mut read = 0;
        for row in rows.by_ref().take(ROWS) {
            read += 1;
            match row {
                Row::Network { network, .. } => batch.add(alone(network)),
                Row::Refused(refusal) => batch.done.refuse(refusal),
            }
        }
        if read == 0 {
            break;
        }
        if batch.is_full() {
            batch.store().await?;
        }
        tell(read);
    }
    batch.finish().await
}

/// A network of which nothing is known about who maintains it.
pub(super) fn alone(network: Network) -> Registered {
    Registered {
        network,
        ends_ladder: false,
    }
}
