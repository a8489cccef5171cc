//! Whom a campaign's terms spare: who was told of all this lately, and of whom too little is known.

use std::collections::{HashSet, VecDeque};

use super::{Composition, Error, PAGE};
use crate::model::{Address, AddressRange, Mailbox, Span, Timestamp};
use crate::store::Store;

const DAY: i64 = 86_400_000;

/// Ranges compared at a time.
const RANGES: i64 = 1_000;

impl Composition<'_> {
    /// Leaves out whom the terms spare, each with the reason: their suspects are withheld. In a trial they
    /// are only known.
    pub(super) async fn spare(&mut self) -> Result<HashSet<Mailbox>, Error> {
        let terms = &self.campaign.terms;
        let mut spared = HashSet::new();
        if terms.least <= 1 && terms.again_after <= 0 {
            return Ok(spared);
        }
        let store = self.work.store;
        let mut after = String::new();
        loop {
            let page = store.mailboxes(self.campaign.id, &after, PAGE).await?;
            let Some(last) = page.last() else {
                return Ok(spared);
            };
            last.as_str().clone_into(&mut after);
            for mailbox in page {
                let Some(reason) = self.why_spared(&mailbox).await? else {
                    continue;
                };
                if !self.work.dry_run {
                    store.withhold(self.campaign.id, &mailbox, &reason).await?;
                }
                spared.insert(mailbox);
            }
        }
    }

    async fn why_spared(&self, mailbox: &Mailbox) -> Result<Option<String>, Error> {
        let (store, terms) = (self.work.store, &self.campaign.terms);
        if terms.least > 1 {
            let findings = store.findings_of(self.campaign.id, mailbox).await?;
            let known: i64 = findings.iter().map(|(_, suspects)| suspects).sum();
            if known < terms.least {
                return Ok(Some(format!(
                    "{mailbox} is told of {} observations or more at a time, and there are fewer",
                    terms.least
                )));
            }
        }
        if terms.again_after <= 0 {
            return Ok(None);
        }
        let quiet = Span(terms.again_after.saturating_mul(DAY));
        let since = self.now.minus(quiet);
        let told = store.told_lately(self.campaign.id, mailbox, since).await?;
        let Some((told_at, ticket)) = told else {
            return Ok(None);
        };
        if !self.is_all_told(mailbox, since).await? {
            return Ok(None);
        }
        Ok(Some(format!(
            "{mailbox} was told of all this, last on {} ({ticket}): again from {} on, or when there are new addresses",
            told_at.date(),
            told_at.plus(quiet).date()
        )))
    }

    /// Whether each address of the mailbox was told to it since then, by itself or in ranges around it.
    async fn is_all_told(&self, mailbox: &Mailbox, since: Timestamp) -> Result<bool, Error> {
        let store = self.work.store;
        let mut told = Told {
            store,
            campaign: self.campaign.id,
            mailbox,
            since,
            page: VecDeque::new(),
            after: None,
            covered: None,
        };
        let mut after = None;
        loop {
            let page = store
                .ranges_of(self.campaign.id, mailbox.as_str(), after, RANGES)
                .await?;
            let Some(last) = page.last() else {
                return Ok(true);
            };
            after = Some(*last);
            for range in page {
                if !told.covers(range).await? {
                    return Ok(false);
                }
            }
        }
    }
}

/// What a mailbox was told, walked through in order.
struct Told<'a> {
    store: &'a Store,
    campaign: i64,
    mailbox: &'a Mailbox,
    since: Timestamp,
    page: VecDeque<AddressRange>,
    after: Option<AddressRange>,
    /// The addresses without a gap that were come to last.
    covered: Option<(Address, Address)>,
}

impl Told<'_> {
    /// Asked in order, and no more after the first that is not covered.
    async fn covers(&mut self, range: AddressRange) -> Result<bool, Error> {
        loop {
            if let Some((first, last)) = self.covered
                && first <= range.first()
                && range.last() <= last
            {
                return Ok(true);
            }
            let Some(next) = self.next().await? else {
                return Ok(false);
            };
            if next.first() > range.last() {
                return Ok(false);
            }
            self.covered = Some(match self.covered {
                Some((first, last)) if next.first().0 <= last.0.saturating_add(1) => {
                    (first, last.max(next.last()))
                }
                _ => (next.first(), next.last()),
            });
        }
    }

    async fn next(&mut self) -> Result<Option<AddressRange>, Error> {
        if self.page.is_empty() {
            let page = self
                .store
                .ranges_told(self.campaign, self.mailbox, self.since, self.after, RANGES)
                .await?;
            self.after = page.last().copied().or(self.after);
            self.page = page.into();
        }
        Ok(self.page.pop_front())
    }
}
