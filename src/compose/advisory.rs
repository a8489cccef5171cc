//! The general letter to an operator: no observations, but what of its the letter is about.

use super::reasons::Way;
use super::write::Occasion;
use super::{Composition, Draft, Error, letter_error};
use crate::model::{Letter, Mailbox, Notice};
use crate::templates;

/// Networks and AS named in a letter.
const NAMED: i64 = 12;

impl Draft {
    /// The list's own name for the operator, where there is but one and the mailbox is its own; else
    /// the `holder` of its networks.
    pub(super) fn listed_holder(&self, holder: String) -> String {
        match self.occasion.holders.as_slice() {
            [one] if one.is_empty() => holder,
            [one] if self.ways.values().all(Way::is_holders) => one.clone(),
            _ => String::new(),
        }
    }
}

impl Composition<'_> {
    /// What a mailbox answers for.
    pub(super) async fn subjects(&self, mailbox: &Mailbox) -> Result<Occasion, Error> {
        let (store, id) = (self.work.store, self.campaign.id);
        let named = store.addressees_of(id, mailbox.as_str(), NAMED).await?;
        let (holders, all) = store.holders_of(id, mailbox.as_str()).await?;
        let subjects = named.iter().filter_map(|one| one.known_by.subject());
        let subjects: Vec<String> = subjects.map(|one| one.to_string()).collect();
        Ok(Occasion {
            more_subjects: all - subjects.len() as i64,
            subjects,
            holders,
            ..Occasion::default()
        })
    }

    /// Keeps the letter, which stands for all addressees of its mailbox.
    pub(super) async fn keep_advisory(
        &mut self,
        notice: &Notice,
        number: i64,
        letter: Result<Letter, templates::Error>,
    ) -> Result<(), Error> {
        let mut letter = letter.map_err(|cause| {
            letter_error(&notice.mailbox, &notice.country, &notice.locale, cause)
        })?;
        letter.rows = notice.suspects;
        self.done.letters += 1;
        self.done.notices += 1;
        self.done.suspects += notice.suspects.unsigned_abs();
        self.keep(number, letter).await
    }
}
