//! What the connections have done, written down before each of them goes on.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use crate::retry;
use crate::store::{Error, Fact, Granted, Store};

/// Facts in one transaction at most.
const FACTS: usize = 50;

/// How long results are held in hand while the database cannot be written to.
const PATIENCE: Duration = Duration::from_secs(60);

type Entry = (Vec<Fact>, oneshot::Sender<Vec<Granted>>);

/// One connection's way to the ledger.
#[derive(Clone, Debug)]
pub(super) struct Ledger(mpsc::Sender<Entry>);

/// The ledger is closed, for the database cannot be written to: nothing more may be sent.
#[derive(Debug)]
pub(super) struct Closed;

impl Ledger {
    /// A ledger, and the other end that [`keep`] works at.
    pub(super) fn open() -> (Self, mpsc::Receiver<Entry>) {
        let (sender, receiver) = mpsc::channel(FACTS);
        (Self(sender), receiver)
    }

    /// Returns when the facts are committed.
    pub(super) async fn write(&self, facts: Vec<Fact>) -> Result<Vec<Granted>, Closed> {
        let (granted, answer) = oneshot::channel();
        self.0.send((facts, granted)).await.map_err(|_| Closed)?;
        answer.await.map_err(|_| Closed)
    }
}

/// Commits what all connections have to say, as many as wait at a time in one transaction: one
/// fsync serves them all. Ends when the last [`Ledger`] is dropped.
///
/// # Errors
/// The database's, once patience is at its end; those who wait for an answer then get none.
pub(super) async fn keep(store: &Store, mut entries: mpsc::Receiver<Entry>) -> Result<(), Error> {
    while let Some(first) = entries.recv().await {
        let mut batch = vec![first];
        while batch.iter().map(|(facts, _)| facts.len()).sum::<usize>() < FACTS {
            match entries.try_recv() {
                Ok(entry) => batch.push(entry),
                Err(_) => break,
            }
        }
        let facts: Vec<Fact> = batch
            .iter()
            .flat_map(|(facts, _)| facts.iter().cloned())
            .collect();
        let mut granted = retry::patiently(PATIENCE, Error::is_passing, || store.record(&facts))
            .await?
            .into_iter();
        for (facts, answer) in batch {
            // Nobody waits any more when the sending task was ended; the fact stands all the same.
            let _ = answer.send(granted.by_ref().take(facts.len()).collect());
        }
    }
    Ok(())
}
