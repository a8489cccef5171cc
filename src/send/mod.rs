//! Stage 5. Deliveries in, attempts out.

mod courier;
mod ledger;
mod message;
mod relay;
mod schedule;
mod tls;

use std::collections::VecDeque;
use std::sync::Mutex;

use serde::Serialize;

use crate::config::{Config, OnUncertain};
use crate::model::{
    Campaign, CampaignState, Clock, DeliveryState, Letter, Mailbox, Outcome, OutcomeKind, Progress,
    Span, Step, digest_of_set,
};
use crate::store::{self, Claimed, Fact, Granted, Store};
pub use courier::Courier;
use courier::Way;
use ledger::Ledger;
pub use relay::Trouble;
pub use schedule::Schedule;

/// How deliveries are worked off.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Who this worker is, in leases and attempts.
    pub worker: String,
    pub connections: usize,
    pub batch: usize,
    pub lease: Span,
    pub schedule: Schedule,
    /// Whether a letter cut off after the dot is sent again.
    pub resend_uncertain: bool,
    pub redirect_to: Option<Mailbox>,
}

impl Settings {
    /// # Errors
    /// The key that is wrong and why.
    pub fn from_config(config: &Config, worker: &str) -> Result<Self, String> {
        Ok(Self {
            worker: worker.to_owned(),
            connections: config.send.connections,
            batch: config.send.batch,
            lease: config.send.lease,
            schedule: Schedule {
                waits: config.send.retry.clone(),
                give_up: config.send.give_up,
                relay_pause: config.send.relay_pause,
            },
            resend_uncertain: config.send.on_uncertain == OnUncertain::Resend,
            redirect_to: config.send.redirect_to()?,
        })
    }
}

/// What a run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Done {
    /// Deliveries taken from the queue.
    pub claimed: u64,
    pub accepted: u64,
    pub deferred: u64,
    pub refused: u64,
    pub uncertain: u64,
    pub failed: u64,
    /// Attempts that came to nothing for the relay's sake.
    pub relay: u64,
}

impl Done {
    fn count(&mut self, kind: OutcomeKind) {
        *match kind {
            OutcomeKind::Accepted => &mut self.accepted,
            OutcomeKind::Deferred => &mut self.deferred,
            OutcomeKind::Refused => &mut self.refused,
            OutcomeKind::Uncertain => &mut self.uncertain,
            OutcomeKind::Failed => &mut self.failed,
            OutcomeKind::Relay => &mut self.relay,
        } += 1;
    }

    fn add(&mut self, other: Self) {
        self.claimed += other.claimed;
        self.accepted += other.accepted;
        self.deferred += other.deferred;
        self.refused += other.refused;
        self.uncertain += other.uncertain;
        self.failed += other.failed;
        self.relay += other.relay;
    }
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The letters not yet begun are back in the queue.
    #[error(transparent)]
    Relay(#[from] Trouble),
}

/// Sends what is due of a campaign, batch after batch, until nothing is due any more or `progress`
/// is stopped.
///
/// # Errors
/// [`store::Error::Refused`] when the campaign is not approved, or its letters are not those that
/// were; [`Error::Relay`]; the database's.
pub async fn drain(
    store: &Store,
    courier: &Courier,
    settings: &Settings,
    campaign: &Campaign,
    clock: &Clock,
    progress: &Progress,
) -> Result<Done, Error> {
    let mut done = Done::default();
    while !progress.is_stopped() {
        let batch = run_once(store, courier, settings, campaign, clock, progress).await;
        done.add(*batch.as_ref().unwrap_or(&Done::default()));
        if batch?.claimed == 0 {
            break;
        }
    }
    courier.close().await;
    store.settle().await?;
    Ok(done)
}

/// Takes one batch from the queue and sends it over several connections.
///
/// # Errors
/// As [`drain`].
pub async fn run_once(
    store: &Store,
    courier: &Courier,
    settings: &Settings,
    campaign: &Campaign,
    clock: &Clock,
    progress: &Progress,
) -> Result<Done, Error> {
    check_approval(store, campaign).await?;
    store
        .rescue(clock.now(), !settings.resend_uncertain)
        .await?;
    store.promote(clock.now()).await?;
    let lease_until = clock.now().plus(settings.lease);
    let batch = store
        .claim(campaign.id, &settings.worker, settings.batch, lease_until)
        .await?;
    let claimed = batch.len() as u64;
    if batch.is_empty() {
        return Ok(Done::default());
    }
    let (ledger, entries) = Ledger::open();
    let run = Run {
        store,
        courier,
        settings,
        clock,
        progress,
        waiting: Mutex::new(batch.into()),
        done: Mutex::new(Done {
            claimed,
            ..Done::default()
        }),
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

/// What leaves must be what was approved: the set's digest, as the letters now stand in the store.
/// Each letter is held against its own digest before it is sent.
async fn check_approval(store: &Store, campaign: &Campaign) -> Result<(), store::Error> {
    let state = store.campaign(&campaign.name).await?.state;
    let name = &campaign.name;
    match state {
        CampaignState::Approved => {}
        CampaignState::Draft | CampaignState::Submitted => {
            return Err(store::Error::Refused(format!(
                "\"{name}\" is {state}: nothing leaves before a second person approves it (lapwing campaign approve {name} --as SOMEBODY)"
            )));
        }
        CampaignState::Paused => {
            return Err(store::Error::Refused(format!(
                "\"{name}\" is paused; go on with `lapwing campaign resume {name}`"
            )));
        }
        CampaignState::Cancelled | CampaignState::Settled => {
            return Err(store::Error::Refused(format!(
                "\"{name}\" is {state}: there is nothing to send"
            )));
        }
    }
    let approved = store.approved_digest(campaign.id).await?;
    let digests = store.letter_digests(campaign.id).await?;
    if approved.as_deref() != Some(digest_of_set(digests.iter().map(String::as_str)).as_str()) {
        return Err(store::Error::Refused(format!(
            "the letters of \"{name}\" are not those that were approved; nothing is sent"
        )));
    }
    Ok(())
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
