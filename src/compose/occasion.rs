//! What one kind of letter tells and the others do not.

use serde::Serialize;

use super::reminder::NOTICE;
use super::{Composition, Error};
use crate::model::{CampaignKind, Mailbox};

/// What one kind of letter tells and the others do not; there for all, so that templates may share
/// their parts.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Occasion {
    /// In an advisory: what of the recipient's it is about, the first of them.
    pub(super) subjects: Vec<String>,
    pub(super) more_subjects: i64,
    /// The names that the list gives to those whom its mailbox answers for, two at most.
    #[serde(skip)]
    pub(super) holders: Vec<String>,
    /// In a reminder: the first letter, and its day.
    pub(super) first_ticket: String,
    pub(super) first_sent_on: String,
    /// Addresses of the first letter that were seen again, addresses that are new, and those of the
    /// first letter that were not seen.
    pub(super) still: u64,
    pub(super) fresh: u64,
    pub(super) gone: u64,
    /// In a copy to an agency: its name, the codes of its countries (a name would have to be in the
    /// letter's language), and what was written to operators there.
    pub(super) recipient_agency: String,
    pub(super) countries: String,
    pub(super) operators: u64,
    pub(super) letters: i64,
}

impl Composition<'_> {
    /// Which letter a mailbox gets, and what it tells besides the observations.
    pub(super) async fn occasion(
        &mut self,
        mailbox: &Mailbox,
    ) -> Result<(String, Occasion), Error> {
        let own = self.campaign.letter.clone();
        if self.campaign.kind == CampaignKind::Advisory {
            return Ok((own, self.subjects(mailbox).await?));
        }
        let Some(memory) = &self.memory else {
            return Ok((own, Occasion::default()));
        };
        match self.recall(memory, mailbox).await? {
            Some(occasion) => Ok((own, occasion)),
            None => {
                self.done.first_notices += 1;
                Ok((NOTICE.to_owned(), Occasion::default()))
            }
        }
    }
}
