//! Stage 5. Deliveries in, attempts out.

mod ahead;
mod answer;
mod bare;
mod batch;
mod body;
mod brake;
mod breaker;
mod courier;
mod dialogue;
mod folder;
mod journal;
mod knock;
mod ledger;
mod message;
mod notify;
mod pace;
mod ready;
mod relay;
mod schedule;
mod signing;
mod tls;
mod turns;
mod window;
mod wire;
mod zones;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use serde::Serialize;

use crate::config::{Config, OnUncertain};
use crate::model::{
    Campaign, CampaignState, Clock, DeliveryState, Letter, Mailbox, OutcomeKind, Progress, Span,
    digest_of_set,
};
use crate::openpgp;
use crate::store::{self, Store};
pub use bare::send_bare;
pub use courier::Courier;
pub use folder::file_name;
pub use journal::replay;
pub use knock::{Knocked, knock};
pub use notify::{Note, notify};
pub use pace::Pacing;
pub use ready::Built;
pub use relay::Trouble;
pub use schedule::Schedule;
pub use signing::{Signing, check_signers};
pub use turns::{Sending, UnderWay, drain, run_once};
pub use window::Window;

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
    /// Where results are kept that the database cannot take; `None`: nowhere.
    pub journal: Option<PathBuf>,
    pub signing: Signing,
    /// What letters wait for before they leave; nothing, as shipped.
    pub pacing: Pacing,
    /// Whether a run stays for a letter whose turn comes in a moment; not where other campaigns would wait
    /// meanwhile.
    pub stays: bool,
}

impl Settings {
    /// Without a key to sign with: whoever sends unlocks it.
    ///
    /// # Errors
    /// The setting that is wrong and why.
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
            journal: Some(config.send.journal.clone()).filter(|path| !path.as_os_str().is_empty()),
            signing: Signing {
                signer: None,
                required: config.sign.required,
            },
            pacing: Pacing::from_config(config)?,
            stays: true,
        })
    }
}

/// What a run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Done {
    /// Deliveries taken from the queue.
    pub claimed: u64,
    /// Those of them that were put back, for it was not their turn yet.
    pub kept_back: u64,
    pub accepted: u64,
    pub deferred: u64,
    pub refused: u64,
    /// Deferred once more, and the time was up.
    pub expired: u64,
    pub uncertain: u64,
    pub failed: u64,
    /// Attempts that came to nothing for the relay's sake.
    pub relay: u64,
}

impl Done {
    fn count(&mut self, kind: OutcomeKind, state: DeliveryState) {
        *match kind {
            _ if state == DeliveryState::Expired => &mut self.expired,
            OutcomeKind::Accepted => &mut self.accepted,
            OutcomeKind::Deferred => &mut self.deferred,
            OutcomeKind::Refused => &mut self.refused,
            OutcomeKind::Uncertain => &mut self.uncertain,
            OutcomeKind::Failed => &mut self.failed,
            OutcomeKind::Relay => &mut self.relay,
        } += 1;
    }

    /// Letters that were begun.
    #[must_use]
    pub fn tried(&self) -> u64 {
        self.accepted
            + self.deferred
            + self.refused
            + self.expired
            + self.uncertain
            + self.failed
            + self.relay
    }

    /// All that was claimed was tried or put back.
    fn is_whole(&self) -> bool {
        self.tried() + self.kept_back == self.claimed
    }

    /// Adds another run's counts.
    pub fn add(&mut self, other: Self) {
        self.claimed += other.claimed;
        self.kept_back += other.kept_back;
        self.accepted += other.accepted;
        self.deferred += other.deferred;
        self.refused += other.refused;
        self.expired += other.expired;
        self.uncertain += other.uncertain;
        self.failed += other.failed;
        self.relay += other.relay;
    }
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} accepted", self.accepted)?;
        for (n, what) in [
            (self.deferred, "deferred"),
            (self.refused, "refused"),
            (self.expired, "given up, for their time is up"),
            (self.uncertain, "cut off after the message was handed over"),
            (self.failed, "could not be built"),
            (self.relay, "held up by the relay"),
            (self.kept_back, "kept back until it is their turn"),
        ] {
            if n > 0 {
                write!(f, ", {n} {what}")?;
            }
        }
        Ok(())
    }
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The letters not yet begun are back in the queue.
    #[error(transparent)]
    Relay(#[from] Trouble),
    /// The campaign was paused for what went wrong, with the reason.
    #[error("paused, for {0}: look at them, and go on with `lapwing campaign resume`")]
    Braked(String),
    /// There is no room for the journal.
    #[error("{0}")]
    Journal(String),
    /// The key that must sign has come to its end.
    #[error(transparent)]
    Key(#[from] openpgp::Error),
}

/// What letters are sent with.
#[derive(Clone, Copy, Debug)]
pub struct Work<'a> {
    pub store: &'a Store,
    pub courier: &'a Courier,
    pub settings: &'a Settings,
    pub clock: &'a Clock,
    /// Stopped, it ends after the letters in hand.
    pub progress: &'a Arc<Progress>,
}

/// What leaves must be what was approved: the set's digest, as the letters now stand in the store.
/// Each letter is held against its own digest before it is sent.
///
/// # Errors
/// [`store::Error::Refused`] when it is not so, or the campaign is not being sent; the database's.
pub async fn check_approval(store: &Store, campaign: &Campaign) -> Result<(), store::Error> {
    let Campaign {
        state, restored_at, ..
    } = store.campaign(&campaign.name).await?;
    let name = &campaign.name;
    match state {
        CampaignState::Approved => {
            if let Some(at) = restored_at {
                return Err(store::Error::Refused(format!(
                    "\"{name}\" is held: it was restored from a backup at {at}, and what was sent after the backup \
                     was taken is not known. Look into the mail server's log; then lapwing restore --release \
                     --campaign {name}"
                )));
            }
        }
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

/// A letter as the bytes that would leave, without its signature: that is for letters that were
/// approved.
///
/// # Errors
/// In words, when it cannot be built.
pub fn message(letter: &Letter) -> Result<Vec<u8>, String> {
    message::build(letter, None)
}
