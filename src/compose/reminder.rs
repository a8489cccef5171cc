//! The second notice: which addresses of the first letter are seen again, which are new, which gone.
//!
//! An address is compared with all that the first campaign told, not only with what it told this
//! mailbox: an override may have moved the contact since. So a contact that took over gets a reminder
//! that names its predecessor's ticket. Whom nobody told anything gets the notice, as the first letter
//! that it is; in a campaign of its own it would come a second person's approval later.
//!
//! A feed may tell a whole range where the first letter had single addresses of it, and the other way
//! round. What is counted, and marked in the list, are the addresses and ranges as each was told, by
//! one rule for both: it is *still* seen when each of its addresses stood in the first letter, whether
//! one by one, in a range around them, or in several that together cover it; else it is *new*, for it
//! names machines that nobody was told of. Of the first letter, that is *gone* of which no address is
//! seen now, neither by itself nor within a range. So an address that was told, and now lies in a wider
//! range, is not gone, and not counted a second time: that range is new.

use std::iter::once;

use super::occasion::Occasion;
use super::{Composition, Error};
use crate::model::{Address, AddressRange, CampaignState, Mailbox, Sighting};
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

/// How much of a range the first campaign told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Nothing,
    Part,
    Whole,
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

/// What of a range lies in none of the merged ones, in order.
fn gaps(merged: &[AddressRange], range: AddressRange) -> impl Iterator<Item = AddressRange> {
    let from = merged.partition_point(|one| one.last() < range.first());
    let inside = merged[from..]
        .iter()
        .take_while(move |one| one.first() <= range.last());
    let mut open = Some(range.first());
    inside.map(Some).chain(once(None)).filter_map(move |one| {
        let begin = open?;
        let Some(one) = one else {
            return AddressRange::new(begin, range.last()).ok();
        };
        let behind = one.last().0.checked_add(1).map(Address);
        open = behind.filter(|behind| *behind <= range.last());
        let end = Address(one.first().0.checked_sub(1)?);
        AddressRange::new(begin, end).ok()
    })
}

/// The first of the addresses that were told together with this one, where it lies in a merged range.
fn begin_around(merged: &[AddressRange], address: Address) -> Address {
    let behind = merged.partition_point(|one| one.first() <= address);
    let around = behind.checked_sub(1).map(|place| merged[place]);
    let around = around.filter(|one| address <= one.last());
    around.map_or(address, AddressRange::first)
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
            let again = told.iter().filter(|told| **told == Told::Whole).count() as u64;
            still += again;
            fresh += page.len() as u64 - again;
            if first.is_none() {
                let known = page.iter().zip(told);
                let known = known.filter(|(_, told)| *told != Told::Nothing);
                let known: Vec<AddressRange> = known.map(|(range, _)| *range).collect();
                first = self.predecessor(memory, &known).await?;
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
        let around = |range: &AddressRange| (begin_around(&memory.told, range.first()), *range);
        let ranges: Vec<(Address, AddressRange)> = ranges.iter().map(around).collect();
        let told = store.told_about(memory.first, &ranges).await?;
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

    /// How much of each range the first campaign told.
    async fn were_told(
        &self,
        memory: &Memory,
        ranges: &[AddressRange],
    ) -> Result<Vec<Told>, store::Error> {
        let store = self.work.store;
        let mut some: Vec<bool> = (ranges.iter())
            .map(|range| touches(&memory.told, *range))
            .collect();
        let mut all = vec![true; ranges.len()];
        // What begins in a gap is one address: whatever is more than one is in the memory.
        let mut open = ranges
            .iter()
            .enumerate()
            .flat_map(|(place, range)| gaps(&memory.told, *range).map(move |gap| (place, gap)));
        loop {
            let page = open.by_ref().take(PAGE as usize);
            let (single, wide): (Vec<_>, Vec<_>) = page.partition(|(_, gap)| gap.is_single());
            if single.is_empty() && wide.is_empty() {
                break;
            }
            let asked: Vec<AddressRange> = single.iter().map(|(_, gap)| *gap).collect();
            let met = store.met(memory.first, &asked, true).await?;
            for ((place, _), met) in single.into_iter().zip(met) {
                some[place] |= met;
                all[place] &= met;
            }
            let asked: Vec<AddressRange> = wide.iter().map(|(_, gap)| *gap).collect();
            let counts = store.count_told(memory.first, &asked).await?;
            for ((place, gap), count) in wide.into_iter().zip(counts) {
                some[place] |= count > 0;
                all[place] &= u128::from(count) > gap.last().0 - gap.first().0;
            }
        }
        let told = all.into_iter().zip(some).map(|told| match told {
            (true, _) => Told::Whole,
            (false, true) => Told::Part,
            (false, false) => Told::Nothing,
        });
        Ok(told.collect())
    }

    /// Says of each row whether the first campaign told of its
    /// addresses, and since when that campaign had seen them.
    pub(super) async fn mark(&self, rows: &mut [SuspectRow]) -> Result<(), Error> {
        let Some(memory) = &self.memory else {
            return Ok(());
        };
        let mut ranges: Vec<AddressRange> = rows.iter().map(|row| row.range).collect();
        ranges.sort_unstable();
        ranges.dedup();
        let told = self.were_told(memory, &ranges).await?;
        let since = self.work.store.told_since(memory.first, &ranges).await?;
        for row in rows {
            let Ok(place) = ranges.binary_search(&row.range) else {
                continue;
            };
            row.sighting = Some(match told[place] {
                Told::Whole => Sighting::Still,
                Told::Part | Told::Nothing => Sighting::New,
            });
            row.told_from = since[place];
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

    fn shown(ranges: impl IntoIterator<Item = AddressRange>) -> Vec<String> {
        ranges.into_iter().map(|one| one.to_string()).collect()
    }

    #[test]
    fn what_was_not_told_of_a_range_are_the_gaps_between_what_was() {
        let told = merged(ranges(
            "192.0.2.0/28 192.0.2.16/28 192.0.2.64/26 203.0.113.0/24 2001:db8::/33",
        ));
        for (range, open) in [
            ("192.0.2.0/27", vec![]),
            ("192.0.2.7", vec![]),
            ("192.0.2.40", vec!["192.0.2.40"]),
            ("192.0.2.0/25", vec!["192.0.2.32/27"]),
            (
                "192.0.2.48-192.0.2.200",
                vec!["192.0.2.48/28", "192.0.2.128-192.0.2.200"],
            ),
            ("198.51.100.0/24", vec!["198.51.100.0/24"]),
            ("203.0.113.255", vec![]),
            ("2001:db8::/32", vec!["2001:db8:8000::/33"]),
        ] {
            let found: Vec<String> = shown(gaps(&told, range.parse().unwrap()));
            let found: Vec<&str> = found.iter().map(String::as_str).collect();
            assert_eq!(found, open, "{range}");
        }
    }

    #[test]
    fn who_was_told_of_an_address_is_looked_for_from_where_its_block_begins() {
        let told = merged(ranges("192.0.2.64/28 192.0.2.72/28 203.0.113.0/24"));
        for (address, begin) in [
            ("192.0.2.75", "192.0.2.64"),
            ("192.0.2.64", "192.0.2.64"),
            ("192.0.2.96", "192.0.2.96"),
            ("192.0.2.1", "192.0.2.1"),
        ] {
            let found = begin_around(&told, address.parse().unwrap());
            assert_eq!(found.to_string(), begin, "{address}");
        }
    }

    #[test]
    fn ranges_that_overlap_become_one_and_are_found() {
        let merged = merged(ranges(
            "203.0.113.0/28 192.0.2.0/25 192.0.2.64-192.0.2.200 2001:db8::/32",
        ));
        assert_eq!(
            shown(merged.iter().copied()),
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
