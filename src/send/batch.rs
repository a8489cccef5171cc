//! One batch of deliveries, worked off over several connections side by side.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;

use super::courier::{Courier, Way};
use super::journal::Journal;
use super::ledger::{self, Closed, Ledger};
use super::ready::{self, Built, Shelf};
use super::schedule::Tried;
use super::{Done, Error, Settings, Trouble};
use crate::model::{Clock, DeliveryState, Outcome, OutcomeKind, Progress, Span, Step, Timestamp};
use crate::store::{Claimed, Fact, Finish, Granted, Store};

/// A claim's lease is longer than the setting by this part of it: a letter that is begun within that
/// needs no new one.
const SPARE: i64 = 10;

/// When the lease ends of what is claimed now.
pub(super) fn lease_until(settings: &Settings, now: Timestamp) -> Timestamp {
    now.plus(settings.lease).plus(spare(settings))
}

fn spare(settings: &Settings) -> Span {
    Span(settings.lease.0 / SPARE)
}

/// Letters that leave together.
pub(super) struct Batch {
    /// At once.
    pub(super) connections: usize,
    pub(super) claimed_at: Timestamp,
    pub(super) claimed: Vec<Claimed>,
}

pub(super) async fn work_off(
    store: &Store,
    courier: &Courier,
    settings: &Settings,
    clock: &Clock,
    progress: &Progress,
    journal: Option<&Journal>,
    batch: Batch,
) -> Result<Done, Error> {
    let claimed = batch.claimed;
    let (ledger, entries) = Ledger::open();
    let (shelf, supply) = ready::shelf();
    let done = Done {
        claimed: claimed.len() as u64,
        ..Done::default()
    };
    let run = Run {
        courier,
        settings,
        clock,
        progress,
        claimed_at: batch.claimed_at,
        waiting: AtomicUsize::new(claimed.len()),
        shelf,
        done: Mutex::new(done),
        trouble: Mutex::new(None),
    };
    let lanes = async {
        let lanes = (0..batch.connections).map(|_| run.lane(ledger.clone()));
        lanes.collect::<FuturesUnordered<_>>().collect::<()>().await;
        run.shelf.close().await;
        drop(ledger);
    };
    let build = async {
        if let Err(error) = supply.build(store, &settings.signing, claimed).await {
            run.stop(error.into());
        }
    };
    let ((), (), kept) = tokio::join!(
        lanes,
        build,
        ledger::keep(store, journal, progress, entries)
    );
    let done = run.done.into_inner().unwrap_or_default();
    // What was claimed and not begun goes back, whatever happened.
    let released = if done.ended() == done.claimed && kept.is_ok() {
        Ok(0)
    } else {
        store.release(&settings.worker).await
    };
    kept?;
    released?;
    if let Some(error) = run.trouble.into_inner().ok().flatten() {
        return Err(error);
    }
    Ok(done)
}

/// One batch under way.
struct Run<'a> {
    courier: &'a Courier,
    settings: &'a Settings,
    clock: &'a Clock,
    progress: &'a Progress,
    /// From when on the leases run.
    claimed_at: Timestamp,
    /// Letters that nobody has taken yet.
    waiting: AtomicUsize,
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
            let Some((claimed, built)) = self.shelf.take().await else {
                break;
            };
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            if self.letter(&mut lane, &claimed, built).await.is_err() {
                return;
            }
        }
        // Nothing more can be done about it: the ledger says why it closed.
        let _ = lane.write(None).await;
        if let Some(way) = lane.way {
            way.rest(self.clock.now());
        }
    }

    /// A way out; `None` where there is none, or nothing left to go out.
    async fn open(&self) -> Option<Way<'a>> {
        loop {
            let entry = match self.courier.enter(self.clock.now()).await {
                Ok(entry) => entry,
                Err(trouble) => {
                    self.stop(trouble.into());
                    return None;
                }
            };
            if self.is_over() {
                return None;
            }
            match entry.open(self.clock.now()).await {
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
        let at = self.clock.now();
        let is_spent = at.since(self.claimed_at) > spare(self.settings);
        let begin = Fact::Begin {
            delivery: claimed.delivery,
            worker: self.settings.worker.clone(),
            at,
            lease_until: is_spent.then(|| at.plus(self.settings.lease)),
        };
        // Not ours any more: its lease is lost, or the campaign was paused or cancelled meanwhile.
        let Granted::Begun(number) = lane.write(Some(begin)).await? else {
            return Ok(());
        };
        let outcome = match (built, lane.way.take()) {
            (Ok(Built { letter, message }), Some(way)) => {
                // The letter's own recipient was approved; the queue's copy is for lists.
                let to = self
                    .settings
                    .redirect_to
                    .as_ref()
                    .unwrap_or(&letter.recipient);
                let (outcome, again) = way.send(&letter, to, message, self.clock).await;
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
        lane.ended = Some(self.end(claimed, number, outcome));
        Ok(())
    }

    /// There is nothing more to do, or to be done.
    fn is_over(&self) -> bool {
        let trouble = self.trouble.lock();
        self.progress.is_stopped()
            || trouble.map_or(true, |trouble| trouble.is_some())
            || self.waiting.load(Ordering::Relaxed) == 0
    }

    fn stop(&self, error: Error) {
        if let Ok(mut trouble) = self.trouble.lock() {
            trouble.get_or_insert(error);
        }
    }

    /// What the outcome makes of the delivery.
    fn end(&self, claimed: &Claimed, number: i64, outcome: Outcome) -> Fact {
        let at = self.clock.now();
        let kind = outcome.kind;
        let attempts = claimed.attempts + i64::from(kind != OutcomeKind::Relay);
        let again = self.settings.schedule.next(Tried {
            kind,
            reply: &outcome.reply,
            delivery: claimed.delivery,
            attempts,
            queued_at: claimed.patient_from,
            at,
        });
        let (state, due_at) = DeliveryState::after(kind, again, self.settings.resend_uncertain);
        if let Ok(mut done) = self.done.lock() {
            done.count(kind, state);
        }
        self.progress.add(1);
        Fact::Finish(Finish {
            delivery: claimed.delivery,
            number,
            worker: self.settings.worker.clone(),
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
