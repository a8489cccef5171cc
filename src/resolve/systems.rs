//! What is known about the AS that a network is reached by: the rung above the largest range.

use super::lookup;
use super::source::{Says, Sources, Spot};
use super::told::{LIVE, is_enough};
use crate::config::SourceName;
use crate::model::{AnswerOutcome, Rung, Via};

impl Sources {
    pub(super) fn of_as(&self, spot: Spot) -> Vec<Rung> {
        let Some(asn) = self.origin(spot) else {
            return Vec::new();
        };
        let table = self.systems.get(&asn).into_iter().flat_map(|one| {
            one.system.contacts.iter().map(move |mailbox| Rung {
                via: Via::As,
                mailbox: mailbox.clone(),
                locale: String::new(),
                format: None,
                answers_for: format!("AS{asn}"),
                reason: format!(
                    "contact of AS{asn}, for its network names none; by {} of {}",
                    one.source,
                    one.told_at.date()
                ),
            })
        });
        let told = self
            .told
            .about(asn)
            .filter_map(|answer| match &answer.outcome {
                AnswerOutcome::Contact(_, mailboxes) => Some((answer, mailboxes)),
                _ => None,
            });
        let rungs = told.flat_map(|(answer, mailboxes)| {
            mailboxes.iter().map(move |mailbox| Rung {
                via: Via::As,
                mailbox: mailbox.clone(),
                locale: String::new(),
                format: None,
                answers_for: format!("AS{asn}"),
                reason: format!(
                    "contact of AS{asn}, for its network names none; {} of {}",
                    answer.reason,
                    answer.asked_at.date()
                ),
            })
        });
        table.chain(rungs).collect()
    }

    /// Whether an AS has been asked about: all live sources that can be have answered, or one has
    /// named who is enough.
    pub(super) fn is_as_known(&self, asn: u32) -> bool {
        let told = |source: &SourceName| {
            self.told
                .about(asn)
                .any(|answer| answer.source == source.as_str())
        };
        let asks = [SourceName::Rdap, SourceName::Whois];
        let mut asked = asks.iter().filter(|source| self.order.contains(source));
        let is_in_table = || {
            let system = self.systems.get(&asn);
            system.is_some_and(|one| !one.system.contacts.is_empty())
        };
        is_in_table() || self.told.about(asn).any(is_enough) || asked.all(told)
    }

    /// What each source says about an AS itself.
    pub(super) fn ask_about_as(&self, asn: u32) -> Vec<(SourceName, Says)> {
        let order = self.order.iter().filter(|source| LIVE.contains(source));
        let says = order.map(|source| {
            let name = source.as_str();
            let answer = self.told.about(asn).find(|answer| answer.source == name);
            (*source, answer.map_or(Says::Unasked, lookup::about_as))
        });
        says.collect()
    }

    pub(super) fn country_of_as(&self, asn: u32) -> String {
        let mut countries = self.told.about(asn).map(|answer| answer.country.as_str());
        let country = countries.find(|country| !country.is_empty());
        country.unwrap_or_default().to_owned()
    }
}
