//! What each source says about a spot, out of memory: overrides, table, and the registries' answers.

use std::collections::{BTreeSet, HashMap};

use super::atlas::{self, Entry, Table};
use super::csirt::Csirts;
use super::ladder::{Judged, Suppressed, judge};
use super::rules::Overrides;
use super::told::{LIVE, Told};
use crate::config::{self, RungName, SourceName};
use crate::model::{
    AddressRange, Answer, AnswerOutcome, Mailbox, Override, Rung, Tier, Timestamp, Via,
};
use crate::store::{Error, Store, StoredSystem};

/// AS numbers asked for at a time.
const SYSTEMS: usize = 500;

/// The ordered list of sources, as they are at one moment.
#[derive(Debug)]
pub(super) struct Sources {
    pub(super) order: Vec<SourceName>,
    ladder: Vec<RungName>,
    table: Table,
    pub(super) overrides: Overrides,
    pub(super) told: Told,
    /// The AS that networks are reached by, where the table has a contact of theirs.
    pub(super) systems: HashMap<u32, StoredSystem>,
    csirts: Csirts,
    suppressed: Suppressed,
}

/// What one source says about one spot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Says {
    /// These, best first; never empty.
    Whom(Vec<Rung>),
    /// These, unless another source knows somebody who answers for abuse.
    Perhaps(Vec<Rung>),
    /// Staff said so.
    Never(String),
    /// By this web form, not by mail.
    Form { url: String, reason: String },
    /// It knows, and there is nobody.
    Nobody(String),
    /// It could not be asked now.
    Later { until: Timestamp, why: String },
    /// It has not been asked.
    Unasked,
    /// It does not speak about this.
    Silent(String),
}

/// A piece of a suspect range that lies in one network, under one override at most, and in one
/// answer of each registry at most.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Spot {
    pub(super) network: Option<usize>,
    pub(super) rule: Option<usize>,
    pub(super) answers: [Option<usize>; LIVE.len()],
}

impl Sources {
    /// `since`: what registries answered before counts as not asked.
    pub(super) async fn read(
        store: &Store,
        settings: &config::Resolve,
        csirts: Csirts,
        now: Timestamp,
        since: Option<Timestamp>,
    ) -> Result<Self, Error> {
        let order = &settings.sources;
        let overrides = if order.contains(&SourceName::Overrides) {
            store.overrides(now).await?
        } else {
            Vec::new()
        };
        let told = if order.iter().any(|source| LIVE.contains(source)) {
            Told::read(store, now, since).await?
        } else {
            Told::default()
        };
        let table = Table::read(store).await?;
        let climbs = settings.ladder.contains(&RungName::As);
        let mut systems = HashMap::new();
        if climbs && order.contains(&SourceName::Table) {
            let numbers: BTreeSet<u32> = table.origins().chain(told.origins()).collect();
            for chunk in Vec::from_iter(numbers).chunks(SYSTEMS) {
                let found = store.systems(chunk).await?.into_iter();
                systems.extend(found.map(|one| (one.system.asn, one)));
            }
        }
        Ok(Self {
            order: order.clone(),
            ladder: settings.ladder.clone(),
            systems,
            table,
            overrides: Overrides::new(overrides),
            told,
            csirts,
            suppressed: Suppressed::new(store.suppressions(now).await?),
        })
    }

    /// Whom to write to, out of what all say, past those who are not written to any more.
    pub(super) fn judge(&self, says: &[(SourceName, Says)], last_resorts: Vec<Rung>) -> Judged {
        judge(says, last_resorts).past(&self.suppressed)
    }

    /// Cuts a range wherever another network, override or answer begins.
    pub(super) fn spots(&self, range: AddressRange) -> Vec<(AddressRange, Spot)> {
        let mut spots = Vec::new();
        for (piece, network) in self.table.pieces(range) {
            for (piece, prefix) in self.overrides.prefixes.pieces(piece) {
                let rule = prefix.map(|prefix| self.overrides.prefix_rules[prefix]);
                let spot = Spot {
                    network,
                    rule,
                    ..Spot::default()
                };
                spots.push((piece, spot));
            }
        }
        for layer in (0..LIVE.len()).filter(|layer| !self.told.is_empty(*layer)) {
            let cut = |(piece, spot): &(AddressRange, Spot)| {
                let spot = *spot;
                let pieces = self.told.segments(layer).pieces(*piece);
                let pieces = pieces.map(move |(piece, range)| {
                    let mut spot = spot;
                    spot.answers[layer] = range.map(|range| self.told.place(layer, range));
                    (piece, spot)
                });
                pieces.collect::<Vec<_>>()
            };
            spots = spots.iter().flat_map(cut).collect();
        }
        spots
    }

    /// What makes two spots of a campaign the same finding.
    pub(super) fn key(&self, spot: Spot) -> String {
        let network = self.chain(spot).first().map_or(0, |one| one.id);
        let rule = self.rule(spot).map_or(0, |rule| rule.id);
        let mut key = format!("{network}/{rule}");
        for answer in self.answers(spot) {
            key.push_str(&format!("/{}{}", &answer.1.source[..1], answer.0));
        }
        key
    }

    /// The network at a spot and those around it, from the inside out.
    pub(super) fn chain(&self, spot: Spot) -> Vec<Entry<'_>> {
        let chain = spot.network.map(|network| self.table.chain(network));
        chain.into_iter().flatten().collect()
    }

    fn rule(&self, spot: Spot) -> Option<&Override> {
        spot.rule.map(|rule| &self.overrides.rules[rule])
    }

    /// The registries' answers about a spot, each with its id.
    fn answers(&self, spot: Spot) -> impl Iterator<Item = (i64, &Answer)> {
        spot.answers.into_iter().flatten().map(|place| {
            let stored = self.told.answer(place);
            (stored.id, &stored.answer)
        })
    }

    /// All handles that a network carries, the nearest first.
    fn handles(&self, spot: Spot) -> impl Iterator<Item = &str> {
        let mut table = self.chain(spot).into_iter().map(|one| one.handle);
        let answers = self.answers(spot);
        let answers = answers.flat_map(|(_, answer)| answer.handles.iter().map(String::as_str));
        let inner = table.next();
        inner.into_iter().chain(answers).chain(table)
    }

    /// ISO 3166-1 alpha-2 in capitals, or empty.
    pub(super) fn country(&self, spot: Spot) -> String {
        let answers = self
            .answers(spot)
            .map(|(_, answer)| answer.country.as_str());
        let table = self.chain(spot).into_iter();
        let table = table.map(|one| one.country);
        let mut all = table.chain(answers).filter(|country| !country.is_empty());
        all.next().unwrap_or_default().to_owned()
    }

    pub(super) fn origin(&self, spot: Spot) -> Option<u32> {
        let chain = self.chain(spot);
        let table = chain.iter().find_map(|one| one.asn);
        table.or_else(|| self.answers(spot).find_map(|(_, answer)| answer.origin))
    }

    /// Each source with what it says, in order, up to the first that is enough.
    pub(super) fn ask(&self, spot: Spot) -> Vec<(SourceName, Says)> {
        let chain = self.chain(spot);
        let mut says = Vec::new();
        let mut decided = false;
        for source in &self.order {
            let one = match LIVE.iter().position(|live| live == source) {
                Some(layer) => self.answered(spot, layer),
                None if *source == SourceName::Overrides => {
                    decided = true;
                    let handles = self.handles(spot);
                    self.overrides.ask(&chain, handles, self.rule(spot))
                }
                None => self.table_says(&chain),
            };
            // Staff's word about a domain goes before whoever else names a mailbox there.
            let one = if decided && *source != SourceName::Overrides {
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

    fn answered(&self, spot: Spot, layer: usize) -> Says {
        let Some(place) = spot.answers[layer] else {
            return Says::Unasked;
        };
        let answer = &self.told.answer(place).answer;
        match &answer.outcome {
            AnswerOutcome::Contact(tier, mailboxes) => {
                let inner = self.chain(spot).first().map(|one| one.range);
                let range = answer.range();
                let is_own =
                    inner.is_none_or(|inner| range.is_none_or(|told| inner.contains(told)));
                let via = if is_own { Via::Own } else { Via::Parent };
                let rungs = mailboxes
                    .iter()
                    .map(|mailbox| self.rung(via, mailbox, answer));
                match tier {
                    Tier::Contact | Tier::None => Says::Perhaps(rungs.collect()),
                    Tier::Explicit | Tier::Remarks => Says::Whom(rungs.collect()),
                }
            }
            AnswerOutcome::Form(url) => Says::Form {
                url: url.clone(),
                reason: answer.reason.clone(),
            },
            AnswerOutcome::None => Says::Nobody(answer.reason.clone()),
            AnswerOutcome::Fault => Says::Later {
                until: answer.counts_until,
                why: answer.reason.clone(),
            },
        }
    }

    fn rung(&self, via: Via, mailbox: &Mailbox, answer: &Answer) -> Rung {
        let of = match (answer.range(), answer.name.as_str()) {
            (Some(range), "") => range.to_string(),
            (Some(range), name) => format!("{range} ({name})"),
            (None, name) => name.to_owned(),
        };
        Rung {
            via,
            mailbox: mailbox.clone(),
            locale: String::new(),
            format: None,
            answers_for: match (via, answer.range()) {
                (Via::Parent, Some(range)) => range.to_string(),
                _ => String::new(),
            },
            reason: format!("{} of {}, for {of}", answer.reason, answer.asked_at.date()),
        }
    }

    fn table_says(&self, chain: &[Entry<'_>]) -> Says {
        let Some(innermost) = chain.first() else {
            return Says::Nobody("no network in the table holds this address".to_owned());
        };
        let may_climb = self.ladder.contains(&RungName::Parent);
        let reach = atlas::reach(chain);
        let rungs: Vec<Rung> = reach
            .iter()
            .enumerate()
            .filter(|(rung, _)| *rung == 0 || may_climb)
            .flat_map(|(_, one)| atlas::rungs(one, innermost))
            .collect();
        if !rungs.is_empty() {
            return Says::Whom(rungs);
        }
        Says::Nobody(match reach.len() {
            within if within < chain.len() => format!(
                "{} has no contact, and the ranges around it do not answer for it: \
                 it is an end user's own, or mirrored from elsewhere",
                atlas::describe(&chain[within - 1])
            ),
            1 => format!("{} has no contact", atlas::describe(innermost)),
            _ => format!(
                "neither {} nor the ranges around it have a contact",
                atlas::describe(innermost)
            ),
        })
    }

    /// Who is left when a network names nobody: its AS, and its country's CSIRT.
    pub(super) fn last_resorts(&self, spot: Spot) -> Vec<Rung> {
        let mut rungs = Vec::new();
        for name in &self.ladder {
            match name {
                RungName::Parent => {}
                RungName::As => rungs.extend(self.of_as(spot)),
                RungName::Csirt => rungs.extend(self.csirts.rung(&self.country(spot))),
            }
        }
        if self.order.contains(&SourceName::Overrides) {
            rungs = self.overrides.redirected(rungs);
        }
        rungs
    }

    /// The same for what is known by its country alone.
    pub(super) fn last_resorts_in(&self, country: &str) -> Vec<Rung> {
        let csirt = self.ladder.contains(&RungName::Csirt);
        let rungs: Vec<Rung> = (csirt.then(|| self.csirts.rung(country)).into_iter())
            .flatten()
            .collect();
        match self.order.contains(&SourceName::Overrides) {
            true => self.overrides.redirected(rungs),
            false => rungs,
        }
    }

    pub(super) fn table(&self) -> &Table {
        &self.table
    }

    pub(super) fn climbs_to_as(&self) -> bool {
        self.ladder.contains(&RungName::As)
    }
}
