//! Stage 5. Deliveries in, attempts out.

mod answer;
mod batch;
mod brake;
mod breaker;
mod courier;
mod dialogue;
mod folder;
mod journal;
mod knock;
mod ledger;
mod message;
mod pace;
mod ready;
mod relay;
mod schedule;
mod signing;
mod tls;
mod window;
mod wire;
mod zones;

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

use crate::config::{Config, OnUncertain};
use crate::model::{
    Campaign, CampaignState, Clock, DeliveryState, Letter, Mailbox, OutcomeKind, Progress, Span,
    digest_of_set,
};
use crate::openpgp;
use crate::store::{self, Store};
use brake::Brake;
pub use courier::Courier;
pub use folder::file_name;
use journal::Journal;
pub use journal::replay;
pub use knock::{Knocked, knock};
pub use pace::Pacing;
pub use relay::Trouble;
pub use schedule::Schedule;
pub use signing::{Signing, check_signers};
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

impl Settings {
    fn open_journal(&self) -> Result<Option<Journal>, Error> {
        let open = |folder: &PathBuf| {
            Journal::open(folder, &self.worker).map_err(|error| {
                Error::Journal(format!(
                    "{}: {error}: results that the database cannot take could not be kept; name another folder by send.journal, or none",
                    folder.display()
                ))
            })
        };
        self.journal.as_ref().map(open).transpose()
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

    /// Deliveries that an attempt was made for.
    fn ended(&self) -> u64 {
        self.accepted
            + self.deferred
            + self.refused
            + self.expired
            + self.uncertain
            + self.failed
            + self.relay
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

/// Sends what is due of a campaign, batch after batch, until nothing is due any more, nor will be in a
/// moment by its pace, or `progress` is stopped.
///
/// # Errors
/// [`store::Error::Refused`] when the campaign is not approved, its letters are not those that
/// were, or want another key than the one at hand; [`Error::Braked`]; [`Error::Relay`]; [`Error::Key`];
/// the database's.
pub async fn drain(
    store: &Store,
    courier: &Courier,
    settings: &Settings,
    campaign: &Campaign,
    clock: &Clock,
    progress: &Progress,
) -> Result<Done, Error> {
    check_approval(store, campaign).await?;
    settings.signing.check(store, campaign, clock.now()).await?;
    let journal = settings.open_journal()?;
    let mut done = Done::default();
    let mut brake = Brake::default();
    while !progress.is_stopped() {
        let batch = turn(
            store,
            courier,
            settings,
            campaign,
            clock,
            progress,
            journal.as_ref(),
        )
        .await;
        done.add(*batch.as_ref().unwrap_or(&Done::default()));
        if batch?.claimed == 0 {
            let more = pace::wait_for_turn(store, courier, settings, campaign.id, clock, progress);
            if more.await? {
                continue;
            }
            break;
        }
        if let Some(why) = brake.pull(store, campaign, clock.now()).await? {
            return Err(Error::Braked(why));
        }
    }
    courier.close().await;
    store.settle().await?;
    Ok(done)
}

/// Takes one batch from the queue and sends it over several connections. Only what was approved is
/// in the queue, and each letter is held against its digest before it leaves; that the set as a
/// whole is the approved one, [`drain`] has checked.
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
    let journal = settings.open_journal()?;
    turn(
        store,
        courier,
        settings,
        campaign,
        clock,
        progress,
        journal.as_ref(),
    )
    .await
}

async fn turn(
    store: &Store,
    courier: &Courier,
    settings: &Settings,
    campaign: &Campaign,
    clock: &Clock,
    progress: &Progress,
    journal: Option<&Journal>,
) -> Result<Done, Error> {
    if let Some(trouble) = courier.shut(clock.now()) {
        return Err(trouble.into());
    }
    store
        .rescue(clock.now(), !settings.resend_uncertain)
        .await?;
    store.promote(clock.now()).await?;
    let lease_until = batch::lease_until(settings, clock.now());
    let claimed = store
        .claim(campaign.id, &settings.worker, settings.batch, lease_until)
        .await?;
    let mut done = Done {
        claimed: claimed.len() as u64,
        ..Done::default()
    };
    if claimed.is_empty() {
        return Ok(done);
    }
    let claimed_at = clock.now();
    let groups = match pace::admit(store, courier, settings, claimed, claimed_at).await {
        Ok(groups) => groups,
        Err(error) => {
            store.release(&settings.worker).await?;
            return Err(error.into());
        }
    };
    let admitted: usize = groups.iter().map(|group| group.letters.len()).sum();
    done.kept_back = done.claimed - admitted as u64;
    done.claimed = done.kept_back;
    let mut sent = Ok(());
    for group in groups {
        let batch = batch::Batch {
            connections: group.connections,
            claimed_at,
            claimed: group.letters,
        };
        match batch::work_off(store, courier, settings, clock, progress, journal, batch).await {
            Ok(more) => done.add(more),
            Err(error) => {
                // What the groups behind it hold goes back, too.
                store.release(&settings.worker).await?;
                sent = Err(error);
                break;
            }
        }
    }
    if courier.has_seats() {
        // A connection at rest would be one more than the relay takes.
        courier.close().await;
    }
    if settings.pacing.has_seats() || courier.has_seats() {
        store.leave_seats(&settings.worker).await?;
    }
    sent.map(|()| done)
}

/// What leaves must be what was approved: the set's digest, as the letters now stand in the store.
/// Each letter is held against its own digest before it is sent.
///
/// # Errors
/// [`store::Error::Refused`] when it is not so, or the campaign is not being sent; the database's.
pub async fn check_approval(store: &Store, campaign: &Campaign) -> Result<(), store::Error> {
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

/// A letter as the bytes that would leave, without its signature: that is for letters that were
/// approved.
///
/// # Errors
/// In words, when it cannot be built.
pub fn message(letter: &Letter) -> Result<Vec<u8>, String> {
    message::build(letter, None)
}
