//! The second notice: which addresses of the first letter are seen again, which are new, which gone.
//!
//! An address is compared with all that the first campaign told, not only with what it told this
//! mailbox: an override may have moved the contact since. So a contact that took over gets a reminder
//! that names its predecessor's ticket. Whom nobody told anything gets the notice, as the first letter
//! that it is; in a campaign of its own it would come a second person's approval later.

use super::occasion::Occasion;
use super::{Composition, Error};
use crate::model::{AddressRange, CampaignState, Mailbox, Sighting};
use crate::store::{self, FirstLetter, Store, SuspectRow};

/// Ranges compared at a time.
const PAGE: i64 = 1_000;

/// The letter for those whom the first campaign did not reach.
pub(super) const NOTICE: &str = "notice";

/// What a reminder compares with.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// The first campaign.
    first: i64,
    /// What it told that is more than one address, merged and in order.
    told: Vec<AddressRange>,
    /// The same of what is seen now.
    seen: Vec<AddressRange>,
}

impl Memory {
    /// # Errors
    /// [`store::Error::Refused`] when the first campaign was never approved: nobody has been told.
    pub(super) async fn read(
        store: &Store,
        campaign: i64,
        first: i64,
    ) -> Result<Self, store::Error> {
        let before = store.campaign_of(first).await?;
        if matches!(
            before.state,
            CampaignState::Draft | CampaignState::Submitted
        ) {
            return Err(store::Error::Refused(format!(
                "\"{0}\" is {1}: there is nobody to be reminded before its letters are sent; see lapwing status {0}",
                before.name, before.state
            )));
        }
        Ok(Self {
            first,
            told: wide(store, first, true).await?,
            seen: wide(store, campaign, false).await?,
        })
    }
}

async fn wide(store: &Store, campaign: i64, told: bool) -> Result<Vec<AddressRange>, store::Error> {
    let (mut ranges, mut after) = (Vec::new(), 0);
    loop {
        let page = store.wide_ranges(campaign, told, after, PAGE).await?;
        let Some((last, _)) = page.last() else {
            break;
        };
        after = *last;
        ranges.extend(page.into_iter().map(|(_, range)| range));
    }
    Ok(merged(ranges))
}

/// The same addresses in as few ranges as may be, in order.
fn merged(mut ranges: Vec<AddressRange>) -> Vec<AddressRange> {
    ranges.sort_by_key(|range| (range.first(), range.last()));
    let mut merged: Vec<AddressRange> = Vec::new();
    for range in ranges {
        match merged.last_mut() {
            Some(last) if last.overlaps(range) => {
                let end = last.last().max(range.last());
                *last = AddressRange::new(last.first(), end).unwrap_or(*last);
            }
            _ => merged.push(range),
        }
    }
    merged
}

fn touches(merged: &[AddressRange], range: AddressRange) -> bool {
    let behind = merged.partition_point(|one| one.first() <= range.last());
    behind
        .checked_sub(1)
        .is_some_and(|place| merged[place].overlaps(range))
}

impl Composition<'_> {
    /// What a reminder tells its mailbox besides the observations; `None` for one whom the first
    /// campaign told nothing.
    pub(super) async fn recall(
        &self,
        memory: &Memory,
        to: &Mailbox,
    ) -> Result<Option<Occasion>, Error> {
        let (store, mailbox) = (self.work.store, to.as_str());
        let mut first = store.first_letter(memory.first, mailbox).await?;
        let (mut still, mut fresh) = (0, 0);
        let mut after = None;
        loop {
            let page = store
                .ranges_of(self.campaign.id, mailbox, after, PAGE)
                .await?;
            let Some(last) = page.last() else {
                break;
            };
            after = Some(*last);
            let told = self.were_told(memory, &page).await?;
            let again = told.iter().filter(|told| **told).count() as u64;
            still += again;
            fresh += page.len() as u64 - again;
            if again > 0 && first.is_none() {
                first = self.predecessor(memory, &page).await?;
            }
        }
        let Some(first) = first else {
            return Ok(None);
        };
        Ok(Some(Occasion {
            gone: self.gone(memory, &first, to).await?,
            first_ticket: first.ticket,
            first_sent_on: first.dated_at.date(),
            still,
            fresh,
            ..Occasion::default()
        }))
    }

    /// Whose letter of the first campaign spoke of one of these ranges.
    async fn predecessor(
        &self,
        memory: &Memory,
        ranges: &[AddressRange],
    ) -> Result<Option<FirstLetter>, Error> {
        let store = self.work.store;
        let told = store.told_about(memory.first, ranges).await?;
        let Some(told) = told else {
            return Ok(None);
        };
        Ok(store.first_letter(memory.first, told.as_str()).await?)
    }

    /// How many ranges the first letter spoke of that nobody has seen now. What it told somebody else
    /// is not this mailbox's business, but where it lies in networks that are now.
    async fn gone(
        &self,
        memory: &Memory,
        first: &FirstLetter,
        mailbox: &Mailbox,
    ) -> Result<u64, Error> {
        let store = self.work.store;
        let within = if first.mailbox == *mailbox {
            None
        } else {
            let networks = store
                .networks_of(self.campaign.id, mailbox.as_str())
                .await?;
            Some(merged(
                networks.into_iter().map(|(_, one)| one.range).collect(),
            ))
        };
        let (mut gone, mut after) = (0, None);
        loop {
            let told = first.mailbox.as_str();
            let page = store.ranges_of(memory.first, told, after, PAGE).await?;
            let Some(last) = page.last() else {
                break;
            };
            after = Some(*last);
            let seen = store.met(self.campaign.id, &page, false).await?;
            let is_gone = |range: &AddressRange, seen: bool| {
                let is_ours = within.as_ref().is_none_or(|ours| touches(ours, *range));
                is_ours && !seen && !touches(&memory.seen, *range)
            };
            gone += page
                .iter()
                .zip(seen)
                .filter(|(range, seen)| is_gone(range, *seen))
                .count() as u64;
        }
        Ok(gone)
    }

    async fn were_told(
        &self,
        memory: &Memory,
        ranges: &[AddressRange],
    ) -> Result<Vec<bool>, store::Error> {
        let met = self.work.store.met(memory.first, ranges, true).await?;
        let told = ranges.iter().zip(met);
        Ok(told
            .map(|(range, met)| met || touches(&memory.told, *range))
            .collect())
    }

    /// Says of each row whether the first campaign told of its address.
    pub(super) async fn mark(&self, rows: &mut [SuspectRow]) -> Result<(), Error> {
        let Some(memory) = &self.memory else {
            return Ok(());
        };
        let ranges: Vec<AddressRange> = rows.iter().map(|row| row.range).collect();
        let told = self.were_told(memory, &ranges).await?;
        for (row, told) in rows.iter_mut().zip(told) {
            row.sighting = Some(if told { Sighting::Still } else { Sighting::New });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranges(text: &str) -> Vec<AddressRange> {
        text.split(' ').map(|one| one.parse().unwrap()).collect()
    }

    #[test]
    fn ranges_that_overlap_become_one_and_are_found() {
        let merged = merged(ranges(
            "203.0.113.0/28 192.0.2.0/25 192.0.2.64-192.0.2.200 2001:db8::/32",
        ));
        let shown: Vec<String> = merged.iter().map(ToString::to_string).collect();
        assert_eq!(
            shown,
            ["192.0.2.0-192.0.2.200", "203.0.113.0/28", "2001:db8::/32"]
        );
        for (text, found) in [
            ("192.0.2.200", true),
            ("192.0.2.201", false),
            ("192.0.2.0/24", true),
            ("198.51.100.1", false),
            ("203.0.113.15", true),
            ("2001:db8::7", true),
            ("2001:db9::7", false),
        ] {
            assert_eq!(touches(&merged, text.parse().unwrap()), found, "{text}");
        }
    }
}
