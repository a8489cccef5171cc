//! One batch of deliveries, worked off over several connections side by side.

use std::collections::VecDeque;
use std::sync::Mutex;

use super::courier::{Courier, Way};
use super::ledger::{self, Closed, Ledger};
use super::schedule::Tried;
use super::{Done, Error, Settings, Trouble};
use crate::model::{Clock, DeliveryState, Letter, Outcome, OutcomeKind, Progress, Step};
use crate::store::{self, Claimed, Fact, Granted, Store};

pub(super) async fn work_off(
    store: &Store,
    courier: &Courier,
    settings: &Settings,
    clock: &Clock,
    progress: &Progress,
    claimed: Vec<Claimed>,
) -> Result<Done, Error> {
    let (ledger, entries) = Ledger::open();
    let run = Run {
        store,
        courier,
        settings,
        clock,
        progress,
        waiting: Mutex::new(claimed.into()),
        done: Mutex::default(),
        trouble: Mutex::new(None),
    };
    let lanes = async {
        let lanes = (0..settings.connections).map(|_| run.lane(ledger.clone()));
        join_all(lanes.collect()).await;
        drop(ledger);
    };
    let ((), kept) = tokio::join!(lanes, ledger::keep(store, entries));
    // What was claimed and not begun goes back, whatever happened.
    let released = store.release(&settings.worker).await;
    kept?;
    released?;
    if let Some(error) = run.trouble.into_inner().ok().flatten() {
        return Err(error);
    }
    Ok(run.done.into_inner().unwrap_or_default())
}

/// One batch under way.
struct Run<'a> {
    store: &'a Store,
    courier: &'a Courier,
    settings: &'a Settings,
    clock: &'a Clock,
    progress: &'a Progress,
    waiting: Mutex<VecDeque<Claimed>>,
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
            let Some(claimed) = self.next() else {
                break;
            };
            if self.letter(&mut lane, &claimed).await.is_err() {
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
    async fn letter(&self, lane: &mut Lane<'a>, claimed: &Claimed) -> Result<(), Closed> {
        let built = match self.build(claimed).await {
            Ok(built) => built,
            Err(error) => {
                self.stop(error.into());
                return Ok(());
            }
        };
        let at = self.clock.now();
        let begin = Fact::Begin {
            delivery: claimed.delivery,
            worker: self.settings.worker.clone(),
            at,
            lease_until: at.plus(self.settings.lease),
        };
        // Not ours any more: its lease is lost, or the campaign was paused or cancelled meanwhile.
        let Granted::Begun(number) = lane.write(Some(begin)).await? else {
            return Ok(());
        };
        let outcome = match (built, lane.way.take()) {
            (Ok((letter, message)), Some(way)) => {
                // The letter's own recipient was approved; the queue's copy is for lists.
                let to = self
                    .settings
                    .redirect_to
                    .as_ref()
                    .unwrap_or(&letter.recipient);
                let (outcome, again) = way.send(&letter, to, &message, self.clock).await;
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
        let waiting = self.waiting.lock();
        self.progress.is_stopped()
            || trouble.map_or(true, |trouble| trouble.is_some())
            || waiting.map_or(true, |waiting| waiting.is_empty())
    }

    fn next(&self) -> Option<Claimed> {
        if self.is_over() {
            return None;
        }
        self.waiting.lock().ok()?.pop_front()
    }

    fn stop(&self, error: Error) {
        if let Ok(mut trouble) = self.trouble.lock() {
            trouble.get_or_insert(error);
        }
    }

    /// The letter and its bytes; `Err` inside when it is not fit to be sent.
    async fn build(
        &self,
        claimed: &Claimed,
    ) -> Result<Result<(Letter, Vec<u8>), String>, store::Error> {
        let (letter, digest) = self.store.letter(claimed.letter).await?;
        if letter.digest() != digest {
            return Ok(Err(
                "the letter was changed after it was approved".to_owned()
            ));
        }
        // A letter that makes the builder panic must not take the others with it.
        let signing = self.settings.signing.clone();
        let built = tokio::task::spawn_blocking(move || {
            signing.message(&letter).map(|bytes| (letter, bytes))
        })
        .await;
        Ok(built.unwrap_or_else(|_| Err("the message could not be built".to_owned())))
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
        Fact::Finish {
            delivery: claimed.delivery,
            number,
            worker: self.settings.worker.clone(),
            at,
            outcome,
            state,
            due_at,
        }
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

/// Runs futures of one kind side by side on this task until all have ended.
async fn join_all<F: Future<Output = ()>>(futures: Vec<F>) {
    let mut running: Vec<_> = futures
        .into_iter()
        .map(|future| Some(Box::pin(future)))
        .collect();
    std::future::poll_fn(|context| {
        let mut open = false;
        for place in &mut running {
            if let Some(future) = place {
                match future.as_mut().poll(context) {
                    std::task::Poll::Ready(()) => *place = None,
                    std::task::Poll::Pending => open = true,
                }
            }
        }
        if open {
            std::task::Poll::Pending
        } else {
            std::task::Poll::Ready(())
        }
    })
    .await;
}
