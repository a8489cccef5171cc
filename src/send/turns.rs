//! Campaigns under way: one batch of each in its turn, or of one alone until nothing is due.

use std::path::PathBuf;
use std::sync::Arc;

use super::ahead::Ahead;
use super::brake::Brake;
use super::journal::Journal;
use super::{Done, Error, Settings, Work, batch, check_approval, pace};
use crate::metrics::{Stage, timed};
use crate::model::Campaign;
use crate::store::Claimed;

/// What stays open from one batch to the next, whichever campaign's they are.
pub struct Sending<'a> {
    work: &'a Work<'a>,
    journal: Option<Arc<Journal>>,
}

/// A campaign that is being sent.
pub struct UnderWay {
    campaign: Campaign,
    brake: Brake,
    done: Done,
}

/// Sends what is due of a campaign, batch after batch, until nothing is due any more, nor will be in a
/// moment by its pace, or the progress is stopped. What was sent is added to `done`, also where it ends
/// with an error.
///
/// # Errors
/// [`store::Error::Refused`](crate::store::Error::Refused) when the campaign is not approved, its letters
/// are not those that were, or want another key than the one at hand; [`Error::Braked`]; [`Error::Relay`];
/// [`Error::Key`]; [`Error::Journal`]; the database's.
pub async fn drain(work: &Work<'_>, campaign: &Campaign, done: &mut Done) -> Result<(), Error> {
    let mut one = UnderWay::take_up(work, campaign).await?;
    let sending = Sending::open(work)?;
    let ended = until_nothing_is_due(&sending, &mut one).await;
    done.add(one.done);
    ended?;
    sending.close().await;
    work.store.settle().await?;
    Ok(())
}

async fn until_nothing_is_due(sending: &Sending<'_>, one: &mut UnderWay) -> Result<(), Error> {
    let work = sending.work;
    while !work.progress.is_stopped() {
        if !sending.turn(one).await? && !pace::wait_for_turn(work, one.campaign.id).await? {
            break;
        }
    }
    Ok(())
}

/// Takes one batch from the queue and sends it over several connections. Only what was approved is
/// in the queue, and each letter is held against its digest before it leaves; that the set as a
/// whole is the approved one, [`drain`] has checked.
///
/// # Errors
/// As [`drain`].
pub async fn run_once(work: &Work<'_>, campaign: &Campaign) -> Result<Done, Error> {
    let mut done = Done::default();
    let sending = Sending::open(work)?;
    sending.batch(campaign, None, &mut done).await?;
    Ok(done)
}

impl UnderWay {
    /// Looks once whether the campaign may be sent: it is approved, its letters are those that were, and
    /// the key at hand is theirs.
    ///
    /// # Errors
    /// As [`drain`].
    pub async fn take_up(work: &Work<'_>, campaign: &Campaign) -> Result<Self, Error> {
        let Work { store, clock, .. } = *work;
        check_approval(store, campaign).await?;
        let signing = &work.settings.signing;
        signing.check(store, campaign, clock.now()).await?;
        Ok(Self {
            campaign: campaign.clone(),
            brake: Brake::default(),
            done: Done::default(),
        })
    }

    #[must_use]
    pub fn campaign(&self) -> &Campaign {
        &self.campaign
    }

    /// What all its batches came to.
    #[must_use]
    pub fn done(&self) -> Done {
        self.done
    }
}

impl<'a> Sending<'a> {
    /// # Errors
    /// [`Error::Journal`].
    pub fn open(work: &'a Work<'a>) -> Result<Self, Error> {
        let journal = open_journal(work.settings)?;
        Ok(Self { work, journal })
    }

    /// One batch of a campaign, or several as long as they leave fast, and whether it may go on; `false` when
    /// nothing of it was due.
    ///
    /// # Errors
    /// As [`drain`]; what was sent before is in its counts.
    pub async fn turn(&self, one: &mut UnderWay) -> Result<bool, Error> {
        let Work { store, clock, .. } = *self.work;
        let UnderWay {
            campaign,
            brake,
            done,
        } = one;
        let ahead = Ahead::of(self, campaign, brake);
        if self.batch(campaign, ahead, done).await? == 0 {
            return Ok(false);
        }
        match brake.pull(store, campaign, clock.now()).await? {
            Some(why) => Err(Error::Braked(why)),
            None => Ok(true),
        }
    }

    /// Says goodbye on the connections that are at rest.
    pub async fn close(self) {
        self.work.courier.close().await;
    }

    pub(super) fn work(&self) -> &'a Work<'a> {
        self.work
    }

    /// Whether letters need a seat before they leave, from the relay or their provider.
    pub(super) fn has_seats(&self) -> bool {
        self.work.settings.pacing.has_seats() || self.work.courier.has_seats()
    }

    /// What is due of a campaign, up to a batch of it.
    pub(super) async fn claim(&self, campaign: &Campaign) -> Result<Vec<Claimed>, Error> {
        let Work {
            store,
            courier,
            settings,
            clock,
            ..
        } = *self.work;
        if let Some(trouble) = courier.shut(clock.now()) {
            return Err(trouble.into());
        }
        store
            .rescue(clock.now(), !settings.resend_uncertain)
            .await?;
        store.promote(clock.now()).await?;
        let lease_until = batch::lease_until(settings, clock.now());
        Ok(store
            .claim(campaign.id, &settings.worker, settings.batch, lease_until)
            .await?)
    }

    /// How many letters were claimed; what came of them is added to `done`.
    async fn batch(
        &self,
        campaign: &Campaign,
        mut ahead: Option<Ahead<'_>>,
        done: &mut Done,
    ) -> Result<u64, Error> {
        let Work {
            store,
            courier,
            settings,
            ..
        } = *self.work;
        let claimed = self.claim(campaign).await?;
        if claimed.is_empty() {
            return Ok(0);
        }
        let _timed = timed(Stage::Send);
        let mut batch = Done {
            claimed: claimed.len() as u64,
            ..Done::default()
        };
        let sent = self
            .admit_and_send(claimed, ahead.as_mut(), &mut batch)
            .await;
        if let Some(ahead) = ahead {
            batch.add(ahead.taken());
        }
        done.add(batch);
        // What was claimed and not begun goes back, whatever happened.
        let released = match sent.is_ok() && batch.is_whole() {
            true => Ok(0),
            false => store.release(&settings.worker).await,
        };
        if courier.has_seats() {
            // A connection at rest would be one more than the relay takes.
            courier.close().await;
        }
        if self.has_seats() {
            store.leave_seats(&settings.worker).await?;
        }
        sent?;
        released?;
        Ok(batch.claimed)
    }

    async fn admit_and_send(
        &self,
        claimed: Vec<Claimed>,
        mut ahead: Option<&mut Ahead<'_>>,
        done: &mut Done,
    ) -> Result<(), Error> {
        let groups = pace::admit(self.work, claimed, self.work.clock.now()).await?;
        let admitted: usize = groups.iter().map(|group| group.letters.len()).sum();
        done.kept_back = done.claimed - admitted as u64;
        let journal = self.journal.as_ref();
        for group in groups {
            batch::work_off(self.work, journal, group, ahead.as_deref_mut(), done).await?;
        }
        Ok(())
    }
}

fn open_journal(settings: &Settings) -> Result<Option<Arc<Journal>>, Error> {
    let open = |folder: &PathBuf| {
        Journal::open(folder, &settings.worker).map(Arc::new).map_err(|error| {
            Error::Journal(format!(
                "{}: {error}: results that the database cannot take could not be kept; name another folder by send.journal, or none",
                folder.display()
            ))
        })
    };
    settings.journal.as_ref().map(open).transpose()
}
