//! The next batch, taken from the queue while the last letters of the one before leave.

use super::brake::Brake;
use super::pace::{self, Group};
use super::turns::Sending;
use super::{Done, Error};
use crate::model::{Campaign, Span, Timestamp};
use crate::store::Claimed;

/// A campaign's turn: after that, the batch at hand is its last. Other campaigns wait, and where a batch takes
/// longer, the moment between two of them is nothing; but what is taken ahead is lost with the worker.
const TURN: Span = Span(2_000);

/// The next batches of a campaign's turn.
pub(super) struct Ahead<'a> {
    sending: &'a Sending<'a>,
    campaign: &'a Campaign,
    brake: &'a mut Brake,
    until: Timestamp,
    taken: Done,
}

impl<'a> Ahead<'a> {
    /// `None` where letters need seats: those are counted for one batch.
    pub(super) fn of(
        sending: &'a Sending<'a>,
        campaign: &'a Campaign,
        brake: &'a mut Brake,
    ) -> Option<Self> {
        (!sending.has_seats()).then(|| Self {
            sending,
            campaign,
            brake,
            until: sending.work().clock.now().plus(TURN),
            taken: Done::default(),
        })
    }

    /// So few letters wait for a connection that it is time for the next.
    pub(super) fn few(&self) -> usize {
        self.sending.work().settings.batch / 4
    }

    /// What may leave next; `None` when it is not to be taken yet, or there is nothing.
    ///
    /// # Errors
    /// [`Error::Braked`], [`Error::Relay`]; the database's.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<Claimed>>, Error> {
        let work = self.sending.work();
        let now = work.clock.now();
        let may_go_on = self.brake.is_past_beginning() && now < self.until;
        if work.progress.is_stopped() || !may_go_on {
            return Ok(None);
        }
        if let Some(why) = self.brake.pull(work.store, self.campaign, now).await? {
            return Err(Error::Braked(why));
        }
        let claimed = self.sending.claim(self.campaign).await?;
        if claimed.is_empty() {
            return Ok(None);
        }
        let n = claimed.len() as u64;
        self.taken.claimed += n;
        let groups = pace::admit(work, claimed, work.clock.now()).await?;
        let letters = groups.into_iter().flat_map(|Group { letters, .. }| letters);
        let letters: Vec<Claimed> = letters.collect();
        self.taken.kept_back += n - letters.len() as u64;
        Ok(Some(letters))
    }

    /// What was taken, and kept back of it.
    pub(super) fn taken(&self) -> Done {
        self.taken
    }
}
