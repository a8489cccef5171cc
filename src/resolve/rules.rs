//! The overrides that hold, ready to be asked: which one speaks about a network, and what it says.

use std::collections::HashMap;

use super::atlas::Entry;
use super::segments::Segments;
use super::source::Says;
use crate::model::{Mailbox, Override, OverrideSubject, Rung, Via};

/// What staff decided, by what it speaks about.
#[derive(Debug, Default)]
pub(super) struct Overrides {
    pub(super) rules: Vec<Override>,
    pub(super) prefixes: Segments,
    /// Which rule each prefix belongs to.
    pub(super) prefix_rules: Vec<usize>,
    by_asn: HashMap<u32, usize>,
    by_handle: HashMap<String, usize>,
    by_domain: HashMap<String, usize>,
}

impl Overrides {
    pub(super) fn new(rules: Vec<Override>) -> Self {
        let mut overrides = Self::default();
        let mut prefixes = Vec::new();
        for (place, rule) in rules.iter().enumerate() {
            match &rule.subject {
                OverrideSubject::Prefix(range) => {
                    prefixes.push(*range);
                    overrides.prefix_rules.push(place);
                }
                OverrideSubject::Asn(asn) => {
                    overrides.by_asn.insert(*asn, place);
                }
                OverrideSubject::Handle(handle) => {
                    overrides
                        .by_handle
                        .insert(handle.to_ascii_lowercase(), place);
                }
                OverrideSubject::Domain(domain) => {
                    overrides.by_domain.insert(domain.clone(), place);
                }
            }
        }
        overrides.prefixes = Segments::build(prefixes);
        overrides.rules = rules;
        overrides
    }

    /// A prefix goes before a handle, a handle before the domain of the contact that the networks
    /// name, a domain before an AS, and the nearer network before the larger one. `handles` are those
    /// that registries told, nearest first.
    pub(super) fn ask<'h>(
        &self,
        chain: &[Entry<'_>],
        handles: impl Iterator<Item = &'h str>,
        prefix: Option<&Override>,
    ) -> Says {
        let by_handle = || self.of_handles(handles);
        let by_domain = || self.of_domain(chain.iter().find_map(|one| one.contacts().next())?);
        let by_asn = || chain.iter().find_map(|one| self.of_asn(one.asn?));
        let rule = prefix.or_else(by_handle).or_else(by_domain).or_else(by_asn);
        match rule.map(|rule| say(rule, "")) {
            None => Says::Silent("no override speaks of it".to_owned()),
            Some(Ok(rung)) => Says::Whom(vec![rung]),
            Some(Err(never)) => Says::Never(never),
        }
    }

    /// What staff decided about an AS itself.
    pub(super) fn ask_about_as(&self, asn: u32) -> Says {
        match self.of_asn(asn).map(|rule| say(rule, "")) {
            None => Says::Silent("no override speaks of it".to_owned()),
            Some(Ok(rung)) => Says::Whom(vec![rung]),
            Some(Err(never)) => Says::Never(never),
        }
    }

    /// What another source says, unless staff decided otherwise about the domains of its mailboxes.
    pub(super) fn redirect(&self, says: Says) -> Says {
        let redirected = |rungs: Vec<Rung>, wrap: fn(Vec<Rung>) -> Says| {
            let first = rungs.first().map(|rung| self.instead_of(rung));
            match (first, self.redirected(rungs)) {
                (Some(Some(Err(never))), _) => Says::Never(never),
                (_, rungs) => wrap(rungs),
            }
        };
        match says {
            Says::Whom(rungs) => redirected(rungs, Says::Whom),
            Says::Perhaps(rungs) => redirected(rungs, Says::Perhaps),
            other => other,
        }
    }

    /// The rungs with those replaced, or left out, about whose domains staff decided.
    pub(super) fn redirected(&self, rungs: Vec<Rung>) -> Vec<Rung> {
        let decided = |rung: Rung| match self.instead_of(&rung) {
            None => Some(rung),
            Some(decided) => decided.ok(),
        };
        rungs.into_iter().filter_map(decided).collect()
    }

    fn instead_of(&self, rung: &Rung) -> Option<Result<Rung, String>> {
        let rule = self.of_domain(&rung.mailbox)?;
        Some(say(rule, &rung.reason))
    }

    /// A network may carry several handles: its own, its holder's, those of its abuse contacts. The
    /// first that an override names counts.
    fn of_handles<'h>(&self, handles: impl IntoIterator<Item = &'h str>) -> Option<&Override> {
        let mut handles = handles.into_iter();
        handles.find_map(|handle| self.rule(self.by_handle.get(&handle.to_ascii_lowercase())))
    }

    /// The override of the mailbox's domain, else of the nearest domain above it.
    fn of_domain(&self, mailbox: &Mailbox) -> Option<&Override> {
        let mut above = std::iter::successors(Some(mailbox.domain()), |domain| {
            Some(domain.split_once('.')?.1)
        });
        above.find_map(|domain| self.rule(self.by_domain.get(domain)))
    }

    fn of_asn(&self, asn: u32) -> Option<&Override> {
        self.rule(self.by_asn.get(&asn))
    }

    fn rule(&self, place: Option<&usize>) -> Option<&Override> {
        self.rules.get(*place?)
    }
}

/// Whom one override names, or why nobody is written to; `instead_of` says what it stands in for,
/// where that is known.
fn say(rule: &Override, instead_of: &str) -> Result<Rung, String> {
    let mut reason = format!(
        "override {} for {} by {}",
        rule.id, rule.subject, rule.owner
    );
    if !rule.reason.is_empty() {
        reason = format!("{reason}: {}", rule.reason);
    }
    if !instead_of.is_empty() {
        reason = format!("{reason}; instead of the {instead_of}");
    }
    match &rule.mailbox {
        None => Err(reason),
        Some(mailbox) => Ok(Rung {
            via: Via::Override,
            mailbox: mailbox.clone(),
            locale: rule.locale.clone(),
            format: rule.format,
            answers_for: String::new(),
            reason,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;

    fn overrides(subjects: &[&str]) -> Overrides {
        let rules = subjects.iter().zip(1..).map(|(subject, id)| Override {
            id,
            subject: subject.parse().unwrap(),
            mailbox: None,
            locale: String::new(),
            format: None,
            reason: String::new(),
            owner: "a.smith".to_owned(),
            created_at: Timestamp(0),
            expires_at: None,
        });
        Overrides::new(rules.collect())
    }

    #[test]
    fn a_domain_reaches_itself_and_below_the_nearest_first() {
        let overrides = overrides(&["isp.example", "desk.isp.example", "other.example"]);
        for (mailbox, id) in [
            ("abuse@isp.example", Some(1)),
            ("abuse@mail.isp.example", Some(1)),
            ("abuse@desk.isp.example", Some(2)),
            ("abuse@a.b.desk.isp.example", Some(2)),
            ("abuse@notisp.example", None),
            ("abuse@example.test", None),
        ] {
            let found = overrides.of_domain(&mailbox.parse().unwrap());
            assert_eq!(found.map(|rule| rule.id), id, "{mailbox}");
        }
    }

    #[test]
    fn any_handle_of_a_network_will_do_the_first_before_the_others() {
        let overrides = overrides(&["ORG-EX1-TEST", "AR1-TEST"]);
        for (handles, id) in [
            (&["NET-1-TEST", "org-ex1-test", "AR1-TEST"][..], Some(1)),
            (&["NET-1-TEST", "AR1-TEST"], Some(2)),
            (&["NET-1-TEST", ""], None),
            (&[], None),
        ] {
            let found = overrides.of_handles(handles.iter().copied());
            assert_eq!(found.map(|rule| rule.id), id, "{handles:?}");
        }
    }

    #[test]
    fn what_another_source_found_at_a_domain_is_replaced() {
        let overrides = overrides(&["isp.example"]);
        let found = |mailbox: &str| {
            Says::Whom(vec![Rung {
                via: Via::As,
                mailbox: mailbox.parse().unwrap(),
                locale: String::new(),
                format: None,
                answers_for: "AS64500".to_owned(),
                reason: "contact of AS64500".to_owned(),
            }])
        };
        let reason = "override 1 for @isp.example by a.smith; instead of the contact of AS64500";
        assert_eq!(
            overrides.redirect(found("abuse@isp.example")),
            Says::Never(reason.to_owned())
        );
        let other = found("abuse@other.example");
        assert_eq!(overrides.redirect(other.clone()), other);
    }
}
