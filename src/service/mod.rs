//! The stages that run by themselves, until somebody ends them.

mod drain;
mod event;
mod life;
mod schedule;
mod track;

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use crate::model::{Campaign, Span, Timestamp};
use crate::retry::{Pauses, rest};
use crate::send::{self, Sending, UnderWay, Work};
use crate::store;
pub use drain::within_grace;
pub use event::Event;
pub use life::Life;
pub use schedule::Scheduler;
pub use track::Tracker;

/// How often the queue is looked at while there is nothing to do.
const LOOK: Duration = Duration::from_secs(1);

/// When it is looked again whether staff have seen to a campaign: that reads all its letters' digests.
const AGAIN: Span = Span(60_000);

/// Waits between looks at a database or relay in trouble.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);

/// One worker of the sending stage; any number of them share one database.
pub struct Sender<'a> {
    pub work: Work<'a>,
    pub tell: &'a (dyn Fn(Event) + Sync),
}

impl Sender<'_> {
    /// Sends what is due of all campaigns that are approved, a batch of each in its turn, and waits for more.
    ///
    /// # Errors
    /// What waiting does not heal.
    pub async fn run(&self) -> Result<(), send::Error> {
        (self.tell)(Event::Started {
            worker: self.work.settings.worker.clone(),
        });
        let life = Life {
            store: self.work.store,
            worker: &self.work.settings.worker,
            lease: self.work.settings.lease,
            clock: self.work.clock,
            tell: self.tell,
        };
        life.beside(self.work()).await
    }

    async fn work(&self) -> Result<(), send::Error> {
        let mut pauses = Pauses::growing(SHORTEST, LONGEST);
        let mut refusals = Refusals::new();
        let mut trouble = String::new();
        while !self.work.progress.is_stopped() {
            let pause = match self.round(&mut refusals).await {
                Ok(accepted) => {
                    pauses.reset();
                    // Nothing was due is no sign that a relay is well again.
                    if accepted > 0 {
                        trouble.clear();
                    }
                    LOOK
                }
                Err(error) if passes(&error) => {
                    let told = error.to_string();
                    if trouble != told {
                        (self.tell)(Event::Trouble { told: told.clone() });
                        trouble = told;
                    }
                    pauses.take()
                }
                Err(error) => {
                    self.work.progress.stop();
                    return Err(error);
                }
            };
            rest(self.work.progress, pause).await;
        }
        Ok(())
    }

    /// All that is due, and comes due meanwhile; how many letters were accepted.
    async fn round(&self, refusals: &mut Refusals) -> Result<u64, send::Error> {
        let now = self.work.clock.now();
        if let Some(folder) = &self.work.settings.journal {
            let results = send::replay(self.work.store, folder).await?;
            if results > 0 {
                (self.tell)(Event::Replayed { results });
            }
        }
        self.work
            .store
            .rescue(now, !self.work.settings.resend_uncertain)
            .await?;
        self.work.store.promote(now).await?;
        let mut round = Round {
            sender: self,
            refusals,
            under_way: VecDeque::new(),
            accepted: 0,
        };
        let ended = round.go().await;
        while round.leave().is_some() {}
        ended?;
        self.work.store.settle().await?;
        Ok(round.accepted)
    }
}

/// What staff were told of each campaign that they must see to, and when.
type Refusals = HashMap<i64, (String, Timestamp)>;

/// Campaigns that take turns, a batch each or what leaves within a moment, so that a large one does not keep
/// a small one waiting.
struct Round<'a> {
    sender: &'a Sender<'a>,
    refusals: &'a mut Refusals,
    /// The first one has the next turn.
    under_way: VecDeque<UnderWay>,
    accepted: u64,
}

impl Round<'_> {
    /// Connections stay open from one turn to the next.
    async fn go(&mut self) -> Result<(), send::Error> {
        let Work {
            store, progress, ..
        } = self.sender.work;
        let mut sending = None;
        while !progress.is_stopped() {
            self.take_up().await?;
            let Some(one) = self.under_way.front_mut() else {
                break;
            };
            let sending = match &sending {
                Some(sending) => sending,
                None => sending.insert(Sending::open(&self.sender.work)?),
            };
            match sending.turn(one).await {
                Ok(true) => self.under_way.rotate_left(1),
                Ok(false) => {
                    store.settle().await?;
                    self.leave();
                }
                // The other campaigns go on.
                Err(error) if is_for_staff(&error) => {
                    if let Some(one) = self.leave() {
                        self.refuse(one.campaign(), &error);
                    }
                }
                Err(error) => return Err(error),
            }
        }
        if let Some(sending) = sending {
            sending.close().await;
        }
        Ok(())
    }

    /// Campaigns that have come due take their places behind the others.
    async fn take_up(&mut self) -> Result<(), send::Error> {
        let work = &self.sender.work;
        let now = work.clock.now();
        let due = work.store.campaigns_due().await?;
        self.refusals
            .retain(|id, _| due.iter().any(|campaign| campaign.id == *id));
        for campaign in &due {
            let is_under_way = |one: &UnderWay| one.campaign().id == campaign.id;
            let refused = self.refusals.get(&campaign.id);
            if self.under_way.iter().any(is_under_way)
                || refused.is_some_and(|(_, at)| now.since(*at) < AGAIN)
            {
                continue;
            }
            match UnderWay::take_up(work, campaign).await {
                Ok(one) => self.under_way.push_back(one),
                Err(error) if is_for_staff(&error) => self.refuse(campaign, &error),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// The campaign whose turn it is leaves the round; what was sent of it is told.
    fn leave(&mut self) -> Option<UnderWay> {
        let one = self.under_way.pop_front()?;
        let done = one.done();
        self.accepted += done.accepted;
        if done.claimed > 0 {
            (self.sender.tell)(Event::Sent {
                campaign: one.campaign().name.clone(),
                done,
            });
        }
        Some(one)
    }

    fn refuse(&mut self, campaign: &Campaign, error: &send::Error) {
        let told = error.to_string();
        let refusal = (told.clone(), self.sender.work.clock.now());
        let before = self.refusals.insert(campaign.id, refusal);
        if before.is_none_or(|(before, _)| before != told) {
            (self.sender.tell)(Event::Refused {
                campaign: campaign.name.clone(),
                told,
            });
        }
    }
}

/// Whether waiting may heal it.
fn passes(error: &send::Error) -> bool {
    match error {
        send::Error::Store(error) => error.is_passing(),
        // Somebody may change what is wrong at the relay itself, and it is probed once in five minutes.
        send::Error::Relay(_) => true,
        _ => false,
    }
}

/// Whether it is one campaign's alone, and for staff to decide.
fn is_for_staff(error: &send::Error) -> bool {
    matches!(
        error,
        send::Error::Store(store::Error::Refused(_)) | send::Error::Braked(_) | send::Error::Key(_)
    )
}
