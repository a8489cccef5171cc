//! Whose letter a message is about, and how surely that is known.

use crate::model::{FoundBy, LetterNumber, Purpose, Reading, TokenKeys, is_ticket, typed_ticket};
use crate::store::{Addressed, Error, Store};

/// Ids of a thread that are looked at.
const THREAD: usize = 50;

/// Whose it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) by: FoundBy,
    pub(super) letter: Option<Addressed>,
    /// Why what it says counts for nothing.
    pub(super) untrue: String,
    /// The report gives back this very letter.
    pub(super) is_returned: bool,
}

/// What it is found with.
pub(super) struct Finder<'a> {
    pub(super) store: &'a Store,
    pub(super) keys: &'a TokenKeys,
    pub(super) ticket_prefix: &'a str,
}

impl Finder<'_> {
    /// By the first of address, ENVID, thread and ticket that names a letter.
    ///
    /// # Errors
    /// The database's.
    pub(super) async fn find(&self, to: &str, reading: &Reading) -> Result<Found, Error> {
        let mut found = Found::default();
        let envid = reading.envelope_id.as_deref().unwrap_or_default();
        for (by, text) in [(FoundBy::Token, to), (FoundBy::Envid, envid)] {
            match self.number(Purpose::Envelope, text) {
                Some(Ok(number)) => {
                    self.take(&mut found, by, number).await?;
                    break;
                }
                Some(Err(why)) => found.untrue = why,
                None => {}
            }
        }
        // An address for answers is in every letter that is forwarded: it proves no report.
        if found.letter.is_none()
            && found.untrue.is_empty()
            && let Some(told) = self.number(Purpose::Reply, to)
        {
            match told {
                Ok(number) => self.take(&mut found, FoundBy::MessageId, number).await?,
                Err(why) => found.untrue = why,
            }
        }
        let returned = self.of_ids(reading.message_id.iter());
        if let (Some(letter), Some(returned)) = (&found.letter, returned) {
            match self.store.addressed(returned).await? {
                Some(other) if other.letter == letter.letter => found.is_returned = true,
                _ => "it gives back another letter than the one it was sent for"
                    .clone_into(&mut found.untrue),
            }
        }
        if found.letter.is_some() || !found.untrue.is_empty() {
            return Ok(found);
        }
        let thread = reading
            .in_reply_to
            .iter()
            .chain(&reading.references)
            .take(THREAD);
        if let Some(number) = returned.or_else(|| self.of_ids(thread)) {
            self.take(&mut found, FoundBy::MessageId, number).await?;
        }
        if found.letter.is_none()
            && let Some(ticket) = self.ticket_in(&reading.subject)
            && let Some(number) = self.store.number_under(&ticket).await?
        {
            self.take(&mut found, FoundBy::Ticket, number).await?;
        }
        Ok(found)
    }

    async fn take(
        &self,
        found: &mut Found,
        by: FoundBy,
        number: LetterNumber,
    ) -> Result<(), Error> {
        found.letter = self.store.addressed(number).await?;
        match found.letter {
            Some(_) => found.by = by,
            None => "its letter was written anew since".clone_into(&mut found.untrue),
        }
        Ok(())
    }

    /// The letter that a word of ours names, or why it does not; `None` where it is no such word.
    fn number(&self, purpose: Purpose, text: &str) -> Option<Result<LetterNumber, String>> {
        let told = self.keys.letter_in(purpose, text)?;
        Some(told.map_err(|why| format!("{}…: {why}", text.chars().take(8).collect::<String>())))
    }

    fn of_ids<'a>(&self, mut ids: impl Iterator<Item = &'a String>) -> Option<LetterNumber> {
        ids.find_map(|id| self.keys.letter_in(Purpose::Message, id)?.ok())
    }

    /// Many desks open a case of their own and keep nothing but the subject.
    fn ticket_in(&self, subject: &str) -> Option<String> {
        let words = subject.split(|c: char| !c.is_alphanumeric() && c != '-');
        words
            .map(|word| typed_ticket(word, self.ticket_prefix))
            .find(|word| is_ticket(word))
    }
}
