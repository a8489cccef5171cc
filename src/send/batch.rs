//! One batch of deliveries, worked off over several connections side by side.

use std::collections::VecDeque;
use std::sync::Mutex;

use super::courier::{Courier, Way};
use super::ledger::{self, Ledger};
use super::{Done, Error, Settings, Trouble, message};
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
    let done = Done {
        claimed: claimed.len() as u64,
        ..Done::default()
    };
    let run = Run {
        store,
        courier,
        settings,
        clock,
        progress,
        waiting: Mutex::new(claimed.into()),
        done: Mutex::new(done),
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

impl Run<'_> {
    /// One connection's work: letter after letter, the result of each committed before the next
    /// is begun. It stops between letters, never inside one.
    async fn lane(&self, ledger: Ledger) {
        let mut way: Option<Way<'_>> = None;
        while let Some(claimed) = self.next() {
            let (letter, message) = match self.build(&claimed).await {
                Ok(Ok(built)) => built,
                Ok(Err(reason)) => {
                    let outcome = failure(reason);
                    if self
                        .attempt_without_sending(&ledger, &claimed, outcome)
                        .await
                        .is_err()
                    {
                        break;
                    }
                    continue;
                }
                Err(error) => {
                    self.stop(error.into());
                    break;
                }
            };
            let out = match way.take() {
                Some(out) => out,
                None => match self.courier.ready().await {
                    Ok(out) => out,
                    Err(trouble) => {
                        self.stop(trouble.into());
                        break;
                    }
                },
            };
            match self
                .attempt(&ledger, &claimed, &letter, &message, out)
                .await
            {
                Ok(again) => way = again,
                Err(ledger::Closed) => break,
            }
        }
        if let Some(way) = way {
            way.rest();
        }
    }

    fn next(&self) -> Option<Claimed> {
        let stopped = self.progress.is_stopped()
            || self
                .trouble
                .lock()
                .map_or(true, |trouble| trouble.is_some());
        if stopped {
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
        let built = tokio::task::spawn_blocking(move || {
            message::build(&letter).map(|bytes| (letter, bytes))
        })
        .await;
        Ok(built.unwrap_or_else(|_| Err("the message could not be built".to_owned())))
    }

    async fn attempt<'w>(
        &self,
        ledger: &Ledger,
        claimed: &Claimed,
        letter: &Letter,
        message: &[u8],
        way: Way<'w>,
    ) -> Result<Option<Way<'w>>, ledger::Closed> {
        let Some(number) = self.begin(ledger, claimed).await? else {
            return Ok(Some(way));
        };
        let to = self
            .settings
            .redirect_to
            .as_ref()
            .unwrap_or(&claimed.recipient);
        let (outcome, again) = way.send(letter, to, message).await;
        if outcome.step == Step::Mail && outcome.kind == OutcomeKind::Relay && outcome.code >= 500 {
            // We may not speak there at all: every further letter would be told the same.
            let cause = format!("{} {}", outcome.code, outcome.reply);
            self.stop(
                Trouble {
                    relay: outcome.relay.clone(),
                    step: Step::Login,
                    cause,
                }
                .into(),
            );
        }
        self.finish(ledger, claimed, number, outcome).await?;
        Ok(again)
    }

    async fn attempt_without_sending(
        &self,
        ledger: &Ledger,
        claimed: &Claimed,
        outcome: Outcome,
    ) -> Result<(), ledger::Closed> {
        match self.begin(ledger, claimed).await? {
            Some(number) => self.finish(ledger, claimed, number, outcome).await,
            None => Ok(()),
        }
    }

    /// `None` when the delivery is no longer ours to send: its lease is lost, or the campaign was
    /// paused or cancelled meanwhile.
    async fn begin(
        &self,
        ledger: &Ledger,
        claimed: &Claimed,
    ) -> Result<Option<i64>, ledger::Closed> {
        let at = self.clock.now();
        let begin = Fact::Begin {
            delivery: claimed.delivery,
            worker: self.settings.worker.clone(),
            at,
            lease_until: at.plus(self.settings.lease),
        };
        Ok(ledger
            .write(vec![begin])
            .await?
            .into_iter()
            .find_map(|granted| match granted {
                Granted::Begun(number) => Some(number),
                Granted::Recorded | Granted::NotOurs => None,
            }))
    }

    async fn finish(
        &self,
        ledger: &Ledger,
        claimed: &Claimed,
        number: i64,
        outcome: Outcome,
    ) -> Result<(), ledger::Closed> {
        let at = self.clock.now();
        let kind = outcome.kind;
        let attempts = claimed.attempts + i64::from(kind != OutcomeKind::Relay);
        let again =
            self.settings
                .schedule
                .next(kind, claimed.delivery, attempts, claimed.queued_at, at);
        let (state, due_at) = DeliveryState::after(kind, again, self.settings.resend_uncertain);
        let finish = Fact::Finish {
            delivery: claimed.delivery,
            number,
            worker: self.settings.worker.clone(),
            at,
            outcome,
            state,
            due_at,
        };
        ledger.write(vec![finish]).await?;
        if let Ok(mut done) = self.done.lock() {
            done.count(kind);
        }
        self.progress.add(1);
        Ok(())
    }
}

fn failure(reason: String) -> Outcome {
    Outcome {
        kind: OutcomeKind::Failed,
        relay: String::new(),
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
