//! The stages that run by themselves, until somebody ends them.

mod event;
mod life;

use std::collections::HashMap;
use std::time::Duration;

use crate::model::{Campaign, Clock, Progress};
use crate::retry::{Pauses, rest};
use crate::send::{self, Courier};
use crate::store::{self, Store};
pub use event::Event;

/// How often the queue is looked at while there is nothing to do.
const LOOK: Duration = Duration::from_secs(1);

/// Waits between looks at a database or relay in trouble.
const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);

/// One worker of the sending stage; any number of them share one database.
pub struct Sender<'a> {
    pub store: &'a Store,
    pub courier: &'a Courier,
    pub settings: &'a send::Settings,
    pub clock: &'a Clock,
    /// Stopped, it ends after the letters in hand.
    pub progress: &'a Progress,
    pub tell: &'a (dyn Fn(Event) + Sync),
}

impl Sender<'_> {
    /// Sends what is due of all campaigns that are approved, and waits for more.
    ///
    /// # Errors
    /// What waiting does not heal.
    pub async fn run(&self) -> Result<(), send::Error> {
        (self.tell)(Event::Started {
            worker: self.settings.worker.clone(),
        });
        let (worked, ()) = tokio::join!(self.work(), life::watch(self));
        // Where the database is away, the others find out by themselves.
        let _ = self.store.dismiss(&self.settings.worker).await;
        worked
    }

    async fn work(&self) -> Result<(), send::Error> {
        let mut pauses = Pauses::growing(SHORTEST, LONGEST);
        let mut refusals = HashMap::new();
        let mut trouble = String::new();
        while !self.progress.is_stopped() {
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
                    self.progress.stop();
                    return Err(error);
                }
            };
            rest(self.progress, pause).await;
        }
        Ok(())
    }

    /// All that is due at this moment; how many letters were accepted.
    async fn round(&self, refusals: &mut HashMap<i64, String>) -> Result<u64, send::Error> {
        let now = self.clock.now();
        if let Some(folder) = &self.settings.journal {
            let results = send::replay(self.store, folder).await?;
            if results > 0 {
                (self.tell)(Event::Replayed { results });
            }
        }
        self.store
            .rescue(now, !self.settings.resend_uncertain)
            .await?;
        self.store.promote(now).await?;
        let due = self.store.campaigns_due().await?;
        let mut accepted = 0;
        refusals.retain(|id, _| due.iter().any(|campaign| campaign.id == *id));
        for campaign in &due {
            match self.drain(campaign).await {
                // The other campaigns go on.
                Err(error) if is_for_staff(&error) => {
                    let told = error.to_string();
                    if refusals.get(&campaign.id) != Some(&told) {
                        (self.tell)(Event::Refused {
                            campaign: campaign.name.clone(),
                            told: told.clone(),
                        });
                        refusals.insert(campaign.id, told);
                    }
                }
                sent => accepted += sent?,
            }
        }
        Ok(accepted)
    }

    async fn drain(&self, campaign: &Campaign) -> Result<u64, send::Error> {
        let done = send::drain(
            self.store,
            self.courier,
            self.settings,
            campaign,
            self.clock,
            self.progress,
        )
        .await?;
        if done.claimed > 0 {
            (self.tell)(Event::Sent {
                campaign: campaign.name.clone(),
                done,
            });
        }
        Ok(done.accepted)
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
