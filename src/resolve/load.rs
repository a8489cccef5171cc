//! A table of networks into the store, chunk by chunk.

use std::collections::HashMap;

use serde::Serialize;

use super::table::{Row, Rows};
use crate::model::{AddressRange, Network, Progress, Refusal, Timestamp};
use crate::store::{Error, Store, TableLoad};

/// Networks stored in one transaction.
const CHUNK: usize = 5_000;

/// Refusals handed back; a table is mended at its origin, not row by row.
const SHOWN: usize = 1_000;

#[derive(Clone, Debug, Default, Serialize)]
pub struct TableDone {
    pub networks: u64,
    pub with_contact: u64,
    pub refused: u64,
    pub refusals: Vec<Refusal>,
}

/// Loads a table; a network of a range that is there already is renewed with its contacts. Of a
/// range that the table names twice, the last row counts. Without a store nothing is kept.
///
/// # Errors
/// The database's. Chunks stored by then stay, and loading again finds them.
pub async fn load_table(
    store: Option<&Store>,
    mut rows: Rows,
    name: &str,
    by: &str,
    now: Timestamp,
    progress: &Progress,
) -> Result<TableDone, Error> {
    let mut done = TableDone::default();
    while !progress.is_stopped() {
        let mut chunk: HashMap<AddressRange, Network> = HashMap::new();
        let mut read = 0;
        for row in rows.by_ref().take(CHUNK) {
            read += 1;
            match row {
                Row::Network { network, .. } => {
                    done.networks += 1;
                    done.with_contact += u64::from(!network.contacts.is_empty());
                    chunk.insert(network.range, network);
                }
                Row::Refused(refusal) => {
                    done.refused += 1;
                    if done.refusals.len() < SHOWN {
                        done.refusals.push(refusal);
                    }
                }
            }
        }
        if read == 0 {
            break;
        }
        if let Some(store) = store {
            let mut networks: Vec<Network> = chunk.into_values().collect();
            networks.sort_by_key(|network| network.range);
            store.put_networks(&networks, name, now).await?;
        }
        progress.add(read);
    }
    if let Some(store) = store {
        let load = TableLoad {
            name: name.to_owned(),
            loaded_by: by.to_owned(),
            loaded_at: now,
            networks: done.networks as i64,
            refused: done.refused as i64,
        };
        store.add_table_load(&load).await?;
    }
    Ok(done)
}
