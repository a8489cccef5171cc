//! Why a letter comes to its mailbox: one reason for all networks that share it.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use super::evidence::NetworkWords;
use crate::model::{Finding, Mailbox, Verdict, Via};

/// Networks that a reason names.
const NAMED: usize = 4;
/// Larger ranges, or AS, that a letter tells apart; a desk that answers for more knows them.
const TOLD: usize = 4;

/// By what right a finding's mailbox is the one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Way {
    pub(super) via: Via,
    pub(super) answers_for: String,
    pub(super) country: String,
    /// Who goes before it and is not reached.
    pub(super) past: String,
}

impl Way {
    pub(super) fn of(finding: &Finding) -> Option<Self> {
        let Verdict::Matched {
            via, answers_for, ..
        } = &finding.verdict
        else {
            return None;
        };
        Some(Self {
            via: *via,
            answers_for: answers_for.clone(),
            // Only a CSIRT answers for a country; for others it would tell equal reasons apart.
            country: match via {
                Via::Csirt => finding.country.clone(),
                _ => String::new(),
            },
            past: named(finding.passed.iter().map(Mailbox::as_str)),
        })
    }

    /// The mailbox is that of the networks' own holder, as far as anybody knows.
    pub(super) fn is_holders(&self) -> bool {
        matches!(self.via, Via::Own | Via::Override)
    }
}

/// A reason as the templates see it: exactly one of the first five is true.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Reason {
    own: bool,
    parent: bool,
    origin_as: bool,
    csirt: bool,
    named: bool,
    /// The larger range, or the AS; empty where there are too many to tell them apart.
    answers_for: String,
    /// Of the networks, where a CSIRT answers for them.
    country: String,
    /// Some of them, in the order of the rows; empty where none is known.
    networks: String,
    /// How many there are beyond those.
    more: usize,
    /// It is about a single network.
    one: bool,
    /// The mailboxes that go before this one and that our letters do not reach; empty where there is none.
    past: String,
}

impl Reason {
    pub(super) fn is_own(&self) -> bool {
        self.own
    }

    pub(super) fn is_csirt(&self) -> bool {
        self.csirt
    }
}

/// The reasons of one letter, in the order of the ladder.
pub(super) fn reasons(
    findings: &[i64],
    ways: &HashMap<i64, Way>,
    networks: &HashMap<i64, NetworkWords>,
) -> Vec<Reason> {
    // Those of which no network is known are a reason of their own.
    let mut by_way: Groups<'_> = BTreeMap::new();
    for finding in findings {
        let Some(way) = ways.get(finding).cloned() else {
            continue;
        };
        let network = networks.get(finding);
        let range = network.map_or("", |network| network.range.as_str());
        let ranges = by_way.entry((way, range.is_empty())).or_default();
        if !range.is_empty() && !ranges.contains(&range) {
            ranges.push(range);
        }
    }
    for via in [Via::Parent, Via::As] {
        melt(&mut by_way, |way| way.via == via && way.past.is_empty());
    }
    melt(&mut by_way, |way| !way.past.is_empty());
    let reason = |((way, _), ranges): ((Way, bool), Vec<&str>)| Reason {
        own: way.via == Via::Own,
        past: way.past,
        parent: way.via == Via::Parent,
        origin_as: way.via == Via::As,
        csirt: way.via == Via::Csirt,
        named: way.via == Via::Override,
        answers_for: way.answers_for,
        country: way.country,
        networks: named(ranges.iter().copied()),
        more: ranges.len().saturating_sub(NAMED),
        one: ranges.len() == 1,
    };
    by_way.into_iter().map(reason).collect()
}

/// The ranges of each way, those of which no network is known apart.
type Groups<'a> = BTreeMap<(Way, bool), Vec<&'a str>>;

/// Makes one group of all that came by one kind of way, where they are too many to be told apart.
fn melt(groups: &mut Groups<'_>, is_of: impl Fn(&Way) -> bool) {
    if groups.keys().filter(|(way, _)| is_of(way)).count() <= TOLD {
        return;
    }
    let (mut ways, mut all) = (Vec::new(), Vec::new());
    for ((way, _), ranges) in groups.extract_if(.., |(way, _), _| is_of(way)) {
        ways.push(way);
        all.extend(ranges);
    }
    let Some(first) = ways.first() else {
        return;
    };
    let past = ways.iter().flat_map(|way| way.past.split(", "));
    let way = Way {
        via: first.via,
        answers_for: String::new(),
        country: String::new(),
        past: named(past.filter(|one| !one.is_empty())),
    };
    groups.insert((way, all.is_empty()), all);
}

/// As many as a sentence bears.
fn named<'a>(all: impl Iterator<Item = &'a str>) -> String {
    all.take(NAMED).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(ways: &[(Via, &str)]) -> Vec<String> {
        let (mut by_finding, mut networks, mut findings) =
            (HashMap::new(), HashMap::new(), Vec::new());
        for (id, (via, answers_for)) in (1..).zip(ways) {
            let way = Way {
                via: *via,
                answers_for: (*answers_for).to_owned(),
                country: String::new(),
                past: String::new(),
            };
            by_finding.insert(id, way);
            let network = NetworkWords {
                range: format!("192.0.2.{id}"),
                ..NetworkWords::default()
            };
            networks.insert(id, network);
            findings.push(id);
        }
        reasons(&findings, &by_finding, &networks)
            .iter()
            .map(|one| {
                let kinds = [one.own, one.parent, one.origin_as, one.csirt, one.named];
                assert_eq!(kinds.iter().filter(|is| **is).count(), 1);
                format!("{} {} +{}", one.answers_for, one.networks, one.more)
            })
            .collect()
    }

    #[test]
    fn networks_with_the_same_reason_share_it() {
        let ways = [
            (Via::Override, ""),
            (Via::Parent, "192.0.2.0/24"),
            (Via::Own, ""),
            (Via::Parent, "192.0.2.0/24"),
            (Via::As, "AS64500"),
        ];
        assert_eq!(
            told(&ways),
            [
                " 192.0.2.3 +0",
                "192.0.2.0/24 192.0.2.2, 192.0.2.4 +0",
                "AS64500 192.0.2.5 +0",
                " 192.0.2.1 +0",
            ]
        );
    }

    #[test]
    fn a_desk_of_many_as_is_not_told_each_of_them() {
        let origins = [
            "AS64496", "AS64497", "AS64498", "AS64499", "AS64500", "AS64501",
        ];
        let origins = origins.map(|origin| (Via::As, origin));
        assert_eq!(
            told(&origins),
            [" 192.0.2.1, 192.0.2.2, 192.0.2.3, 192.0.2.4 +2"]
        );
        assert_eq!(told(&origins[..4]).len(), 4);
    }
}
