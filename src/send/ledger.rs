//! What the connections have done, written down before each of them goes on.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout_at;

use super::journal::Journal;
use crate::model::Progress;
use crate::retry;
use crate::store::{Error, Fact, Finish, Granted, Pen, Store};

/// Facts in one transaction at most.
const FACTS: usize = 50;

/// How long others in this process wait at most before they may write, too.
const TURN: Duration = Duration::from_millis(50);

/// How long others are waited for at most, before what is at hand is committed: no longer than a relay that
/// writes to a disk itself takes for a letter.
const GATHER: Duration = Duration::from_millis(8);

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
/// The database's, once patience is at its end, or nobody wants to wait; those who wait for an answer
/// then get none, and what they have to say of letters that are out stands in the journal.
pub(super) async fn keep(
    store: Store,
    journal: Option<Arc<Journal>>,
    progress: Arc<Progress>,
    mut entries: mpsc::Receiver<Entry>,
) -> Result<(), Error> {
    let pen = Pen::of(store);
    let mut taken_up = Instant::now();
    let mut wait = Duration::ZERO;
    while let Some(first) = next(&mut entries, &pen, &mut taken_up).await {
        let (batch, latest) = gather(&mut entries, first, wait.min(GATHER)).await;
        let facts: Vec<Fact> = batch
            .iter()
            .flat_map(|(facts, _)| facts.iter().cloned())
            .collect();
        let may_wait = |error: &Error| error.is_passing() && !progress.is_stopped();
        let began = Instant::now();
        let recorded = retry::patiently(PATIENCE, may_wait, || pen.record(&facts)).await;
        wait = began.elapsed().max(latest * 2);
        let mut granted = match recorded {
            Ok(granted) => granted.into_iter(),
            Err(error) => {
                drop(batch);
                return Err(put_by(journal.as_deref(), facts, entries, error).await);
            }
        };
        for (facts, answer) in batch {
            // Nobody waits any more when the sending task was ended; the fact stands all the same.
            let _ = answer.send(granted.by_ref().take(facts.len()).collect());
        }
    }
    Ok(())
}

/// What is written down together, and when the last of it came. As long as a commit takes, or twice as long as
/// the last one let us wait the time before, it is worth waiting for others who may come: each commit less leaves
/// the processor to the relay, where that is on the same machine. Who does not come for long is not waited for,
/// and where all have spoken, nobody can.
async fn gather(
    entries: &mut mpsc::Receiver<Entry>,
    first: Entry,
    wait: Duration,
) -> (Vec<Entry>, Duration) {
    let began = Instant::now();
    let mut latest = Duration::ZERO;
    let mut facts = first.0.len();
    let mut batch = vec![first];
    // One sender is nobody's: the lanes have copies of it.
    while facts < FACTS && batch.len() + 1 < entries.sender_strong_count() {
        let Ok(Some(entry)) = timeout_at((began + wait).into(), entries.recv()).await else {
            break;
        };
        latest = began.elapsed();
        facts += entry.0.len();
        batch.push(entry);
    }
    (batch, latest)
}

/// The next that has something to say. While nobody has, and after each [`TURN`], others may write.
async fn next(
    entries: &mut mpsc::Receiver<Entry>,
    pen: &Pen,
    taken_up: &mut Instant,
) -> Option<Entry> {
    if taken_up.elapsed() < TURN
        && let Ok(entry) = entries.try_recv()
    {
        return Some(entry);
    }
    pen.rest().await;
    let entry = entries.recv().await;
    *taken_up = Instant::now();
    entry
}

/// Keeps what the database did not take, and what comes of the letters that are still in hand.
async fn put_by(
    journal: Option<&Journal>,
    mut facts: Vec<Fact>,
    mut entries: mpsc::Receiver<Entry>,
    error: Error,
) -> Error {
    let mut lost = 0;
    let mut why = String::new();
    let mut kept = 0;
    loop {
        let finishes: Vec<&Finish> = facts.iter().filter_map(Fact::finish).collect();
        let written = match journal {
            _ if finishes.is_empty() => Ok(()),
            Some(journal) => journal.keep(&finishes).map_err(|error| error.to_string()),
            None => Err("there is no journal".to_owned()),
        };
        match written {
            Ok(()) => kept += finishes.len(),
            Err(problem) => {
                lost += finishes.len();
                why = problem;
            }
        }
        match entries.recv().await {
            // Without an answer its connection ends.
            Some((more, _)) => facts = more,
            None => break,
        }
    }
    let place = journal.map_or_else(String::new, |journal| journal.path().display().to_string());
    let more = match (kept, lost) {
        (0, 0) => return error,
        (_, 0) => format!(
            "what came of {kept} letters stands in {place}, and the next run writes it down"
        ),
        _ => format!(
            "what came of {lost} letters could not be kept either ({why}): they are uncertain"
        ),
    };
    match error {
        Error::Unavailable(told) => Error::Unavailable(format!("{told}; {more}")),
        other => Error::Database(format!("{other}; {more}")),
    }
}
