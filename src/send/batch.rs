//! A batch of deliveries, and what is taken ahead, worked off over several connections side by side.

use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinError;
use tokio::time::timeout;
use tracing::info;

use super::ahead::Ahead;
use super::courier::Way;
use super::journal::Journal;
use super::ledger::{self, Closed, Ledger};
use super::pace::Group;
use super::ready::{self, Built, Shelf};
use super::schedule::Tried;
use super::{Done, Error, Settings, Trouble, Work};
use crate::model::{DeliveryState, Letter, Outcome, OutcomeKind, Span, Step, Timestamp, masked};
use crate::store::{Claimed, Fact, Finish, Granted};

/// A claim's lease is longer than the setting by this part of it: a letter that is begun within that
/// needs no new one.
const SPARE: i64 = 10;

/// When the lease ends of what is claimed now.
pub(super) fn lease_until(settings: &Settings, now: Timestamp) -> Timestamp {
    let Span(lease) = settings.lease;
    now.plus(Span(lease + lease / SPARE))
}

/// How long the result of a letter is held back for the beginning of the next.
const HOLD: Duration = Duration::from_millis(8);

/// Sends letters that may leave now, and what comes `ahead` of their end, over so many connections as they
/// have leave for. What is not begun is still the worker's afterwards; what was is added to `done`, also
/// where it ends with an error.
pub(super) async fn work_off(
    work: &Work<'_>,
    journal: Option<&Arc<Journal>>,
    group: Group,
    ahead: Option<&mut Ahead<'_>>,
    done: &mut Done,
) -> Result<(), Error> {
    let Group {
        connections,
        letters,
    } = group;
    let (ledger, entries) = Ledger::open();
    let (shelf, supply) = ready::shelf();
    let (claims, claimed) = mpsc::channel(1);
    let run = Run {
        work,
        waiting: AtomicUsize::new(letters.len()),
        few: ahead.as_ref().map_or(0, |ahead| ahead.few()),
        is_open: AtomicBool::new(true),
        fewer: Notify::new(),
        shelf,
        done: Mutex::default(),
        trouble: Mutex::new(None),
    };
    let lanes = async {
        let lanes = (0..connections).map(|_| run.lane(ledger.clone()));
        lanes.collect::<FuturesUnordered<_>>().collect::<()>().await;
        run.shelf.close().await;
        run.close();
        drop(ledger);
    };
    let feed = run.feed(letters, ahead, claims);
    // Each a task of its own: what is read, and what is committed, does not wait while others talk.
    let store = work.store.clone();
    let building = tokio::spawn(supply.build(store, work.settings.signing.clone(), claimed));
    let build = async {
        if let Err(error) = ended(building.await) {
            run.stop(error.into());
        }
    };
    let (store, progress) = (work.store.clone(), Arc::clone(work.progress));
    let keep = tokio::spawn(ledger::keep(store, journal.cloned(), progress, entries));
    let ((), (), (), kept) = tokio::join!(feed, lanes, build, keep);
    done.add(run.done.into_inner().unwrap_or_default());
    ended(kept)?;
    match run.trouble.into_inner() {
        Ok(Some(error)) => Err(error),
        _ => Ok(()),
    }
}

/// What a task came to; its panic is ours.
fn ended<T>(task: Result<T, JoinError>) -> T {
    task.unwrap_or_else(|error| resume_unwind(error.into_panic()))
}

/// One batch under way.
struct Run<'a> {
    work: &'a Work<'a>,
    /// Letters that nobody has taken yet.
    waiting: AtomicUsize,
    /// When no more than so many wait, it is time for the next.
    few: usize,
    fewer: Notify,
    /// Whether more may come.
    is_open: AtomicBool,
    shelf: Shelf,
    done: Mutex<Done>,
    /// The first thing for which all lanes stop.
    trouble: Mutex<Option<Error>>,
}

/// One connection's work, and what it still has to write down: the end of its last letter, which
/// is committed together with the beginning of the next.
struct Lane<'a> {
    ledger: Ledger,
    way: Option<Way<'a>>,
    ended: Option<Fact>,
}

impl<'a> Run<'a> {
    /// Hands `letters` to the builder, and after them what is `ahead`, each time that few are waiting.
    async fn feed(
        &self,
        mut letters: Vec<Claimed>,
        mut ahead: Option<&mut Ahead<'_>>,
        claims: mpsc::Sender<Vec<Claimed>>,
    ) {
        // Nobody takes them any more where it has ended.
        while claims.send(letters).await.is_ok() {
            let Some(ahead) = ahead.as_mut() else {
                break;
            };
            while self.is_open() && self.waiting.load(Ordering::Relaxed) > self.few {
                self.fewer.notified().await;
            }
            if !self.is_open() || self.is_over() {
                break;
            }
            match ahead.next().await {
                Ok(Some(next)) => letters = next,
                Ok(None) => break,
                Err(error) => {
                    self.stop(error);
                    break;
                }
            }
            self.waiting.fetch_add(letters.len(), Ordering::Relaxed);
        }
        self.close();
    }

    fn is_open(&self) -> bool {
        self.is_open.load(Ordering::Relaxed)
    }

    /// No more letters come, or nobody takes them.
    fn close(&self) {
        self.is_open.store(false, Ordering::Relaxed);
        self.fewer.notify_one();
    }

    /// Letter after letter, the result of each committed before the next one talks. It stops
    /// between letters, never inside one.
    async fn lane(&self, ledger: Ledger) {
        let mut lane = Lane {
            ledger,
            way: None,
            ended: None,
        };
        while !self.is_over() {
            if lane.way.is_none() {
                // Connecting may take long; what has ended must not wait for it.
                if lane.write(None).await.is_err() {
                    return;
                }
                match self.open().await {
                    Some(way) => lane.way = Some(way),
                    None => break,
                }
            }
            let next = match timeout(HOLD, self.shelf.take()).await {
                Ok(next) => next,
                Err(_) if lane.write(None).await.is_err() => return,
                Err(_) => self.shelf.take().await,
            };
            let Some((claimed, built)) = next else {
                break;
            };
            if self.waiting.fetch_sub(1, Ordering::Relaxed) <= self.few + 1 {
                self.fewer.notify_one();
            }
            if self.letter(&mut lane, &claimed, built).await.is_err() {
                return;
            }
        }
        // Nothing more can be done about it: the ledger says why it closed.
        let _ = lane.write(None).await;
        if let Some(way) = lane.way {
            way.rest(self.work.clock.now());
        }
    }

    /// A way out; `None` where there is none, or nothing left to go out.
    async fn open(&self) -> Option<Way<'a>> {
        loop {
            let entry = match self.work.courier.enter(self.work.clock.now()).await {
                Ok(entry) => entry,
                Err(trouble) => {
                    self.stop(trouble.into());
                    return None;
                }
            };
            if self.is_over() {
                return None;
            }
            match entry.open(self.work.clock.now()).await {
                Ok(way) => return Some(way),
                // Others carry on, and as many at once may be too many.
                Err(refused) if !refused.is_alone => return None,
                Err(refused) if refused.is_final => {
                    self.stop(refused.trouble.into());
                    return None;
                }
                Err(_) => {}
            }
        }
    }

    /// One letter; `Err` when the lane has to end.
    async fn letter(
        &self,
        lane: &mut Lane<'a>,
        claimed: &Claimed,
        built: Result<Built, String>,
    ) -> Result<(), Closed> {
        let at = self.work.clock.now();
        let lease = self.work.settings.lease;
        let is_spent = claimed.lease_until.since(at) < lease;
        let begin = Fact::Begin {
            delivery: claimed.delivery,
            number: claimed.next,
            worker: self.work.settings.worker.clone(),
            at,
            lease_until: is_spent.then(|| at.plus(lease)),
        };
        // Not ours any more: its lease is lost, or the campaign was paused or cancelled meanwhile.
        if lane.write(Some(begin)).await? != Granted::Begun {
            return Ok(());
        }
        let tied = built.as_ref().ok().map(|built| &built.letter).map(tie);
        let outcome = match (built, lane.way.take()) {
            (Ok(Built { letter, message }), Some(way)) => {
                // The letter's own recipient was approved; the queue's copy is for lists.
                let to = self
                    .work
                    .settings
                    .redirect_to
                    .as_ref()
                    .unwrap_or(&letter.recipient);
                let (outcome, again) = way.send(&letter, to, message, self.work.clock).await;
                lane.way = again;
                outcome
            }
            (Err(reason), way) => {
                lane.way = way;
                failure(reason)
            }
            (Ok(_), None) => failure("there was no way to send it".to_owned()),
        };
        if outcome.kind == OutcomeKind::Relay && outcome.step == Step::Connect {
            // Only a folder fails so late at this: every further letter would be told the same.
            let trouble = Trouble::told_by(&outcome, false);
            self.stop(trouble.into());
        }
        log(claimed, &outcome, tied.unwrap_or_default());
        lane.ended = Some(self.end(claimed, outcome));
        Ok(())
    }

    /// There is nothing more to do, or to be done.
    fn is_over(&self) -> bool {
        let trouble = self.trouble.lock();
        self.work.progress.is_stopped()
            || trouble.map_or(true, |trouble| trouble.is_some())
            || self.waiting.load(Ordering::Relaxed) == 0 && !self.is_open()
    }

    fn stop(&self, error: Error) {
        if let Ok(mut trouble) = self.trouble.lock() {
            trouble.get_or_insert(error);
        }
    }

    /// What the outcome makes of the delivery.
    fn end(&self, claimed: &Claimed, outcome: Outcome) -> Fact {
        let at = self.work.clock.now();
        let kind = outcome.kind;
        let attempts = claimed.attempts + i64::from(kind != OutcomeKind::Relay);
        let again = self.work.settings.schedule.next(Tried {
            kind,
            reply: &outcome.reply,
            delivery: claimed.delivery,
            attempts,
            queued_at: claimed.patient_from,
            at,
        });
        let (state, due_at) =
            DeliveryState::after(kind, again, self.work.settings.resend_uncertain);
        if let Ok(mut done) = self.done.lock() {
            done.count(kind, state);
        }
        self.work.progress.add(1);
        Fact::Finish(Finish {
            delivery: claimed.delivery,
            number: claimed.next,
            worker: self.work.settings.worker.clone(),
            at,
            outcome,
            state,
            due_at,
        })
    }
}

impl Lane<'_> {
    /// Commits the end of the last letter and, with it, the beginning of the next.
    async fn write(&mut self, begin: Option<Fact>) -> Result<Granted, Closed> {
        let facts: Vec<Fact> = self.ended.take().into_iter().chain(begin).collect();
        if facts.is_empty() {
            return Ok(Granted::Recorded);
        }
        let granted = self.ledger.write(facts).await?;
        Ok(granted.last().copied().unwrap_or(Granted::NotOurs))
    }
}

/// What a line of the log is found by in the database: ticket and Message-ID.
fn tie(letter: &Letter) -> (String, String) {
    (letter.ticket.clone(), letter.message_id.clone())
}

/// A line for each attempt; `claimed` has whom the letter was written to.
fn log(claimed: &Claimed, outcome: &Outcome, (ticket, message_id): (String, String)) {
    let (delivery, to) = (claimed.delivery, masked(&claimed.recipient));
    let (kind, reply) = (outcome.kind.as_str(), masked(&outcome.reply));
    let ends = match outcome.kind {
        OutcomeKind::Accepted => format!("{kind} by {}", outcome.relay),
        _ => format!("{kind} at {}: {reply}", outcome.step.as_str()),
    };
    info!(
        event = "attempt",
        delivery,
        attempt = claimed.next,
        ticket,
        message_id,
        to,
        outcome = kind,
        step = outcome.step.as_str(),
        code = outcome.code,
        relay = outcome.relay,
        reply,
        "{ticket} to {to}: {ends}"
    );
}

fn failure(reason: String) -> Outcome {
    Outcome {
        kind: OutcomeKind::Failed,
        relay: String::new(),
        sent_to: None,
        step: Step::Build,
        code: 0,
        enhanced: String::new(),
        reply: reason,
    }
}
