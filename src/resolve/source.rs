//! The sources of contacts, asked in order; each says found, none, or later.

use std::collections::HashMap;

use super::segments::Segments;
use crate::config::SourceName;
use crate::model::{AddressRange, Override, OverrideSubject, Timestamp, Verdict, Via};
use crate::store::{Error, Store, StoredNetwork};

/// Networks read from the store at a time.
const PAGE: i64 = 5_000;

/// The ordered list of sources. A source that asks registries live takes its place in it; what
/// comes behind [`Answer::Later`] is still asked, but *none* from it counts no more as none.
#[derive(Debug)]
pub(super) struct Sources {
    order: Vec<SourceName>,
    table: Table,
    overrides: Overrides,
}

/// What one source says about one network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Found(Verdict, String),
    None(String),
    /// It could not be asked now.
    #[allow(dead_code, reason = "the sources that are here are always at hand")]
    Later(Timestamp, String),
}

/// A piece of a suspect range that lies in one network and under one override at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Spot {
    pub(super) network: Option<usize>,
    pub(super) rule: Option<usize>,
}

impl Sources {
    pub(super) async fn read(
        store: &Store,
        order: &[SourceName],
        now: Timestamp,
    ) -> Result<Self, Error> {
        let overrides = if order.contains(&SourceName::Overrides) {
            store.overrides(now).await?
        } else {
            Vec::new()
        };
        Ok(Self {
            order: order.to_vec(),
            table: Table::read(store).await?,
            overrides: Overrides::new(overrides),
        })
    }

    /// Cuts a range wherever another network or another override begins.
    pub(super) fn spots(&self, range: AddressRange) -> Vec<(AddressRange, Spot)> {
        let mut spots = Vec::new();
        for (piece, network) in self.table.segments.pieces(range) {
            for (piece, prefix) in self.overrides.prefixes.pieces(piece) {
                let rule = prefix.map(|prefix| self.overrides.prefix_rules[prefix]);
                spots.push((piece, Spot { network, rule }));
            }
        }
        spots
    }

    /// The network at a spot and those around it, from the inside out.
    pub(super) fn chain(&self, spot: Spot) -> Vec<&StoredNetwork> {
        let ids = spot
            .network
            .map(|network| self.table.segments.chain(network));
        ids.into_iter()
            .flatten()
            .map(|id| &self.table.networks[id])
            .collect()
    }

    pub(super) fn rule(&self, spot: Spot) -> Option<&Override> {
        spot.rule.map(|rule| &self.overrides.rules[rule])
    }

    /// Each source with its answer, in order, up to the first that found something.
    pub(super) fn ask(&self, spot: Spot) -> Vec<(SourceName, Answer)> {
        let chain = self.chain(spot);
        let mut answers = Vec::new();
        for source in &self.order {
            let answer = match source {
                SourceName::Overrides => self.overrides.ask(&chain, self.rule(spot)),
                SourceName::Table => ask_table(&chain),
                SourceName::Rdap | SourceName::Whois | SourceName::Dns => continue,
            };
            let found = matches!(answer, Answer::Found(..));
            answers.push((*source, answer));
            if found {
                break;
            }
        }
        answers
    }
}

/// One verdict out of all answers: what was found; else later, if any said so; else nothing.
pub(super) fn weigh(answers: Vec<(SourceName, Answer)>) -> (Verdict, String) {
    let mut later: Option<(Timestamp, String)> = None;
    let mut none = "no source is switched on".to_owned();
    for (_, answer) in answers {
        match answer {
            Answer::Found(verdict, reason) => return (verdict, reason),
            Answer::None(reason) => none = reason,
            Answer::Later(until, reason) if later.as_ref().is_none_or(|(at, _)| until < *at) => {
                later = Some((until, reason));
            }
            Answer::Later(..) => {}
        }
    }
    match later {
        Some((until, reason)) => (Verdict::Deferred { until }, reason),
        None => (Verdict::Unresolved, none),
    }
}

/// The local table in memory.
#[derive(Debug)]
struct Table {
    networks: Vec<StoredNetwork>,
    segments: Segments,
}

impl Table {
    async fn read(store: &Store) -> Result<Self, Error> {
        let mut networks: Vec<StoredNetwork> = Vec::new();
        loop {
            let page = store
                .networks(networks.last().map_or(0, |last| last.id), PAGE)
                .await?;
            if page.is_empty() {
                break;
            }
            networks.extend(page);
        }
        let ranges: Vec<AddressRange> = networks.iter().map(|one| one.network.range).collect();
        let segments = Segments::build(&ranges);
        Ok(Self { networks, segments })
    }
}

fn ask_table(chain: &[&StoredNetwork]) -> Answer {
    let Some(innermost) = chain.first() else {
        return Answer::None("no network in the table holds this address".to_owned());
    };
    let rungs = rungs(chain);
    let found = rungs
        .iter()
        .enumerate()
        .find_map(|(rung, one)| Some((rung, one, one.network.contacts.first()?)));
    let Some((rung, one, mailbox)) = found else {
        return Answer::None(match rungs.len() {
            reach if reach < chain.len() => format!(
                "{} has no contact, and the ranges around it do not answer for it: \
                 it is an end user's own, or mirrored from elsewhere",
                describe(chain[reach - 1])
            ),
            1 => format!("{} has no contact", describe(innermost)),
            _ => format!(
                "neither {} nor the ranges around it have a contact",
                describe(innermost)
            ),
        });
    };
    let (via, reason) = match rung {
        0 => (Via::Own, format!("contact of {}", describe(one))),
        _ => (
            Via::Parent,
            format!(
                "contact of {}, for {} inside it has none",
                describe(one),
                describe(innermost)
            ),
        ),
    };
    let locale = one.network.locale.clone();
    Answer::Found(
        Verdict::Matched {
            mailbox: mailbox.clone(),
            via,
            locale,
        },
        format!("{reason}, by {} of {}", one.source, one.told_at.date()),
    )
}

/// The networks that may answer for the innermost, itself the first: up to the first one whose
/// surroundings do not answer for it.
fn rungs<'a, 'b>(chain: &'a [&'b StoredNetwork]) -> &'a [&'b StoredNetwork] {
    let reach = chain.iter().position(|one| one.ends_ladder);
    &chain[..reach.map_or(chain.len(), |last| last + 1)]
}

pub(super) fn describe(one: &StoredNetwork) -> String {
    match one.network.name.as_str() {
        "" => one.network.range.to_string(),
        name => format!("{} ({name})", one.network.range),
    }
}

/// What staff decided, by what it speaks about.
#[derive(Debug, Default)]
struct Overrides {
    rules: Vec<Override>,
    prefixes: Segments,
    /// Which rule each prefix belongs to.
    prefix_rules: Vec<usize>,
    by_asn: HashMap<u32, usize>,
    by_handle: HashMap<String, usize>,
}

impl Overrides {
    fn new(rules: Vec<Override>) -> Self {
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
    fn ask(&self, chain: &[&StoredNetwork], prefix: Option<&Override>) -> Answer {
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
            return Answer::None("no override speaks of it".to_owned());
        };
        let mut reason = format!(
            "override {} for {} by {}",
            rule.id, rule.subject, rule.owner
        );
        if !rule.reason.is_empty() {
            reason = format!("{reason}: {}", rule.reason);
        }
        match &rule.mailbox {
            None => Answer::Found(Verdict::Withheld, reason),
            Some(mailbox) => Answer::Found(
                Verdict::Matched {
                    mailbox: mailbox.clone(),
                    via: Via::Override,
                    locale: rule.locale.clone(),
                },
                reason,
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn later_is_not_none() {
        let none = || (SourceName::Table, Answer::None("none".to_owned()));
        let later = |at| {
            (
                SourceName::Table,
                Answer::Later(Timestamp(at), "limit".to_owned()),
            )
        };
        let found = || {
            (
                SourceName::Overrides,
                Answer::Found(Verdict::Withheld, "never".to_owned()),
            )
        };
        for (answers, verdict) in [
            (vec![], Verdict::Unresolved),
            (vec![none(), none()], Verdict::Unresolved),
            (
                vec![later(7), none()],
                Verdict::Deferred {
                    until: Timestamp(7),
                },
            ),
            (
                vec![none(), later(9), later(7)],
                Verdict::Deferred {
                    until: Timestamp(7),
                },
            ),
            (vec![later(7), found()], Verdict::Withheld),
        ] {
            assert_eq!(weigh(answers).0, verdict);
        }
    }
}
