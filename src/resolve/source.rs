//! The sources of contacts, asked in order; each says found, none, or later.

use super::rules::Overrides;
use super::segments::Segments;
use crate::config::SourceName;
use crate::model::{AddressRange, Override, Timestamp, Verdict, Via};
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
        let mut decided = false;
        for source in &self.order {
            let answer = match source {
                SourceName::Overrides => {
                    decided = true;
                    self.overrides.ask(&chain, self.rule(spot))
                }
                // Staff's word about a domain goes before whoever else names a mailbox there.
                SourceName::Table if decided => self.overrides.redirect(ask_table(&chain)),
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
    let found = chain
        .iter()
        .enumerate()
        .find_map(|(rung, one)| Some((rung, one, one.network.contacts.first()?)));
    let Some((rung, one, mailbox)) = found else {
        return Answer::None(match chain.len() {
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
    let answers_for = match via {
        Via::Own => String::new(),
        _ => one.network.range.to_string(),
    };
    Answer::Found(
        Verdict::Matched {
            mailbox: mailbox.clone(),
            via,
            locale: one.network.locale.clone(),
            format: None,
            answers_for,
        },
        format!("{reason}, by {} of {}", one.source, one.told_at.date()),
    )
}

pub(super) fn describe(one: &StoredNetwork) -> String {
    match one.network.name.as_str() {
        "" => one.network.range.to_string(),
        name => format!("{} ({name})", one.network.range),
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
