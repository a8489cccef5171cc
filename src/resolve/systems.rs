//! What is known about the AS that a network is reached by: the rung above the largest range.

use super::lookup;
use super::source::{Says, Sources, Spot};
use super::told::is_enough;
use crate::config::SourceName;
use crate::model::{AnswerOutcome, Mailbox, Rung, Via};
use crate::store::StoredSystem;

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

    /// What each source says about an AS itself; `system` is what the table has of it.
    pub(super) fn ask_about_as(
        &self,
        asn: u32,
        system: Option<&StoredSystem>,
    ) -> Vec<(SourceName, Says)> {
        let mut says = Vec::new();
        for source in &self.order {
            let one = match source {
                SourceName::Overrides => self.overrides.ask_about_as(asn),
                SourceName::Table => in_table(system),
                live => {
                    let mut answers = self.told.about(asn);
                    let answer = answers.find(|answer| answer.source == live.as_str());
                    answer.map_or(Says::Unasked, lookup::about_as)
                }
            };
            let one = if self.order.contains(&SourceName::Overrides) {
                self.overrides.redirect(one)
            } else {
                one
            };
            let is_enough = matches!(one, Says::Whom(_) | Says::Never(_) | Says::Form { .. });
            says.push((*source, one));
            if is_enough {
                break;
            }
        }
        says
    }

    pub(super) fn country_of_as(&self, asn: u32, system: Option<&StoredSystem>) -> String {
        let table = system.map(|one| one.system.country.as_str());
        let told = self.told.about(asn).map(|answer| answer.country.as_str());
        let mut countries = table.into_iter().chain(told);
        let country = countries.find(|country| !country.is_empty());
        country.unwrap_or_default().to_owned()
    }
}

fn in_table(system: Option<&StoredSystem>) -> Says {
    let Some(one) = system else {
        return Says::Nobody("the table does not know it".to_owned());
    };
    let rung = |mailbox: &Mailbox| Rung {
        via: Via::As,
        mailbox: mailbox.clone(),
        locale: String::new(),
        format: None,
        answers_for: format!("AS{}", one.system.asn),
        reason: format!(
            "contact of AS{}, by {} of {}",
            one.system.asn,
            one.source,
            one.told_at.date()
        ),
    };
    match one.system.contacts.as_slice() {
        [] => Says::Nobody("the table has no contact of it".to_owned()),
        contacts => Says::Whom(contacts.iter().map(rung).collect()),
    }
}
