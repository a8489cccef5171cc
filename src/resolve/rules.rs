//! The overrides that hold, ready to be asked: which one speaks about a network, and what it says.

use std::collections::HashMap;

use super::segments::Segments;
use super::source::Says;
use crate::model::{Override, OverrideSubject, Rung, Via};
use crate::store::StoredNetwork;

/// What staff decided, by what it speaks about.
#[derive(Debug, Default)]
pub(super) struct Overrides {
    pub(super) rules: Vec<Override>,
    pub(super) prefixes: Segments,
    /// Which rule each prefix belongs to.
    pub(super) prefix_rules: Vec<usize>,
    by_asn: HashMap<u32, usize>,
    by_handle: HashMap<String, usize>,
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
            }
        }
        overrides.prefixes = Segments::build(&prefixes);
        overrides.rules = rules;
        overrides
    }

    /// A prefix goes before a handle, a handle before an AS, and the nearer network before the
    /// larger one.
    pub(super) fn ask(&self, chain: &[&StoredNetwork], prefix: Option<&Override>) -> Says {
        let by_handle = || {
            chain
                .iter()
                .find_map(|one| self.by_handle.get(&one.network.handle.to_ascii_lowercase()))
        };
        let by_asn = || {
            chain
                .iter()
                .find_map(|one| self.by_asn.get(&one.network.asn?))
        };
        let rule = prefix.or_else(|| by_handle().or_else(by_asn).map(|place| &self.rules[*place]));
        let Some(rule) = rule else {
            return Says::Silent("no override speaks of it".to_owned());
        };
        let mut reason = format!(
            "override {} for {} by {}",
            rule.id, rule.subject, rule.owner
        );
        if !rule.reason.is_empty() {
            reason = format!("{reason}: {}", rule.reason);
        }
        match &rule.mailbox {
            None => Says::Never(reason),
            Some(mailbox) => Says::Whom(vec![Rung {
                via: Via::Override,
                mailbox: mailbox.clone(),
                locale: rule.locale.clone(),
                reason,
            }]),
        }
    }
}
