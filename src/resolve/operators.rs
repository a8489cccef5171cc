//! One way over the operators of an advisory's list that wait: each is one finding.
//!
//! A prefix is asked about as a whole: the letter is for who runs it, not for the customers within.

use std::collections::{HashMap, HashSet};

use super::answer::is_placeholder;
use super::atlas::{self, Entry, Table};
use super::ladder::Judged;
use super::lanes::Pending;
use super::pass::Pass;
use super::segments::Segments;
use super::source::{Says, Sources, Spot};
use super::told::LIVE;
use super::{Done, Error, PAGE, Work};
use crate::config::SourceName;
use crate::model::{
    AddressRange, Addressee, Campaign, Finding, KnownBy, Mailbox, OverrideSubject, Progress, Rung,
    Subject, Verdict, Via,
};
use crate::store::{self, StoredAddressee, StoredSystem};

type Systems = HashMap<u32, StoredSystem>;

/// The largest network with a contact that the table says an AS announces.
type Origins = HashMap<u32, usize>;

impl Pass<'_> {
    pub(super) async fn run_over_operators(
        &self,
        done: &mut Done,
        progress: &Progress,
    ) -> Result<Pending, Error> {
        let store = self.work.store;
        progress.reach(0);
        progress.note(String::new());
        progress.expect(store.count_waiting(self.campaign).await?);
        let resolver = (self.campaign, self.work.worker);
        let origins = self.sources.table().largest_of_origins();
        let mut pending = Pending::default();
        let mut asked = HashSet::new();
        let mut last: Option<StoredAddressee> = None;
        while !progress.is_stopped() {
            let page = store.waiting_addressees(self.campaign, false, last.as_ref(), PAGE);
            let page = page.await?;
            if page.is_empty() {
                break;
            }
            let systems = systems_of(self.work, &page).await?;
            let (mut ready, mut findings) = (Vec::new(), Vec::new());
            for one in &page {
                match self.look_at(&one.addressee, &systems, &origins) {
                    Ok(finding) => {
                        // No network's key begins so.
                        let key = format!("@{}", one.addressee.known_by);
                        ready.push((one.id, key.clone()));
                        findings.push((key, finding));
                    }
                    Err(Subject::As(asn)) if !asked.insert(asn) => {}
                    Err(subject) => pending.add(subject, &self.lane(subject)),
                }
            }
            let ids = store.put_findings(resolver, &findings).await?;
            let place = |(id, key): &(i64, String)| Some((*id, *ids.get(key)?));
            let places: Vec<(i64, i64)> = ready.iter().filter_map(place).collect();
            store.place_addressees(resolver, &places).await?;
            done.suspects += places.len() as u64;
            progress.add(page.len() as u64);
            last = page.into_iter().next_back();
        }
        if !pending.is_empty() {
            progress.reach(0);
            progress.expect(pending.len());
        }
        Ok(pending)
    }

    /// What is found for one operator, or what has to be asked about first.
    fn look_at(
        &self,
        one: &Addressee,
        systems: &Systems,
        origins: &Origins,
    ) -> Result<Finding, Subject> {
        let finding = match (&one.known_by, &one.mailbox) {
            (KnownBy::Mailbox(mailbox), _) => self
                .sources
                .of_mailbox(mailbox)
                .finding(None, String::new()),
            (KnownBy::Range(range), Some(mailbox)) => {
                self.sources.named(self.sources.around(*range), mailbox)
            }
            (KnownBy::As(asn), Some(mailbox)) => {
                let country = self.sources.country_of_as(*asn, systems.get(asn));
                self.sources
                    .named_for_as(*asn, mailbox)
                    .finding(None, country)
            }
            (KnownBy::Range(range), None) => {
                let spot = self.sources.around(*range);
                let ((spot, lane), asks) = self.place(*range, spot, self.wants(spot));
                match asks {
                    Some(subject) => return Err(subject),
                    None => self.finding(spot, lane.as_deref()),
                }
            }
            (KnownBy::As(asn), None) => self.of_as(*asn, systems.get(asn), origins)?,
        };
        Ok(as_listed(finding, one))
    }

    fn of_as(
        &self,
        asn: u32,
        system: Option<&StoredSystem>,
        origins: &Origins,
    ) -> Result<Finding, Subject> {
        let subject = Subject::As(asn);
        let mut says = self.sources.ask_about_as(asn, system);
        let is_open = says.iter().any(|(_, one)| *one == Says::Unasked);
        if is_open && self.desk.is_some() {
            let lane = self.lane(subject);
            if self.asks && self.unheard.of(subject, &lane).is_none() {
                return Err(subject);
            }
            for (_, one) in says.iter_mut().filter(|(_, one)| *one == Says::Unasked) {
                *one = self.not_yet(&lane);
            }
        }
        let (country, resorts) = self.sources.resorts_of_as(asn, system, origins);
        let mut judged = self.sources.judge(&says, resorts);
        judged.rungs.iter_mut().for_each(as_own);
        if let (Verdict::Matched { .. }, Some(rung)) = (&judged.verdict, judged.rungs.first()) {
            judged.verdict = rung.matched();
        }
        Ok(judged.finding(None, country))
    }
}

impl Sources {
    /// The innermost network, override and answers that hold all of a range. Where no answer holds
    /// all of it, that about its beginning counts: registries answer a prefix as a whole.
    pub(super) fn around(&self, range: AddressRange) -> Spot {
        let prefixes = &self.overrides.prefixes;
        let rules = &self.overrides.prefix_rules;
        let rule = holding(prefixes, range, |place| {
            match self.overrides.rules[rules[place]].subject {
                OverrideSubject::Prefix(prefix) => Some(prefix),
                _ => None,
            }
        });
        let mut spot = Spot {
            network: self.table().around(range),
            rule: rule.map(|place| rules[place]),
            ..Spot::default()
        };
        for layer in 0..LIVE.len() {
            let segments = self.told.segments(layer);
            let answer = |place| {
                self.told
                    .answer(self.told.place(layer, place))
                    .answer
                    .range()
            };
            let place = holding(segments, range, answer).or_else(|| segments.find(range.first()));
            spot.answers[layer] = place.map(|place| self.told.place(layer, place));
        }
        spot
    }

    /// An AS's country, and who is left when nobody knows a contact of its own: that of its largest
    /// network, and its country's CSIRT.
    fn resorts_of_as(
        &self,
        asn: u32,
        system: Option<&StoredSystem>,
        origins: &Origins,
    ) -> (String, Vec<Rung>) {
        let network = origins.get(&asn).map(|place| self.table().entry(*place));
        let mut country = self.country_of_as(asn, system);
        if let Some(network) = network.filter(|_| country.is_empty()) {
            network.country.clone_into(&mut country);
        }
        let rung = |network: Entry<'_>| {
            let mailbox = network.contacts().next()?.clone();
            Some(Rung {
                via: Via::As,
                mailbox,
                locale: network.locale.to_owned(),
                format: None,
                answers_for: format!("AS{asn}"),
                reason: format!(
                    "contact of {}, the largest network that the table says AS{asn} announces",
                    atlas::describe(&network)
                ),
            })
        };
        let mut resorts: Vec<Rung> = network.and_then(rung).into_iter().collect();
        if self.order.contains(&SourceName::Overrides) {
            resorts = self.overrides.redirected(resorts);
        }
        resorts.extend(self.last_resorts_in(&country));
        (country, resorts)
    }

    /// A mailbox stands for itself, unless staff decided otherwise about its domain.
    fn of_mailbox(&self, mailbox: &Mailbox) -> Judged {
        let says = if is_placeholder(mailbox) {
            Says::Nobody(format!(
                "{mailbox} is a registry's, and answers for no operator"
            ))
        } else {
            let whom = Says::Whom(vec![Rung {
                via: Via::Own,
                mailbox: mailbox.clone(),
                locale: String::new(),
                format: None,
                answers_for: String::new(),
                reason: "named by the list of operators".to_owned(),
            }]);
            match self.order.contains(&SourceName::Overrides) {
                true => self.overrides.redirect(whom),
                false => whom,
            }
        };
        self.judge(&[(SourceName::Overrides, says)], Vec::new())
    }

    /// What the list names for a network goes behind what staff decided about it.
    fn named(&self, spot: Spot, mailbox: &Mailbox) -> Finding {
        let network = self.chain(spot).first().map(|one| one.id);
        let says = self.ask(spot);
        let judged = self.decided(says, mailbox);
        judged.finding(network, self.country(spot))
    }

    fn named_for_as(&self, asn: u32, mailbox: &Mailbox) -> Judged {
        self.decided(self.ask_about_as(asn, None), mailbox)
    }

    fn decided(&self, says: Vec<(SourceName, Says)>, mailbox: &Mailbox) -> Judged {
        let mut overrides = says
            .into_iter()
            .filter(|(source, _)| *source == SourceName::Overrides);
        match overrides.next() {
            Some(decided @ (_, Says::Whom(_) | Says::Never(_))) => {
                self.judge(&[decided], Vec::new())
            }
            _ => self.of_mailbox(mailbox),
        }
    }
}

impl Table {
    /// By the number of the AS; as many entries as there are AS, not as there are networks.
    fn largest_of_origins(&self) -> Origins {
        let mut largest: Origins = HashMap::new();
        let width = |place: usize| {
            let range = self.entry(place).range;
            range.last().0 - range.first().0
        };
        for place in 0..self.len() {
            let one = self.entry(place);
            let Some(asn) = one.asn.filter(|_| one.contacts().next().is_some()) else {
                continue;
            };
            let known = largest.entry(asn).or_insert(place);
            if width(place) > width(*known) {
                *known = place;
            }
        }
        largest
    }

    /// The innermost network that holds all of a range.
    fn around(&self, range: AddressRange) -> Option<usize> {
        holding(self.segments(), range, |place| {
            Some(self.entry(place).range)
        })
    }
}

/// The innermost of the segments' ranges that holds all of `range`.
fn holding(
    segments: &Segments,
    range: AddressRange,
    range_of: impl Fn(usize) -> Option<AddressRange>,
) -> Option<usize> {
    let innermost = segments.find(range.first())?;
    segments
        .chain(innermost)
        .find(|place| range_of(*place).is_some_and(|whole| whole.contains(range)))
}

/// What answers for an AS answers for the operator itself, and not, as with a network, in its stead.
fn as_own(rung: &mut Rung) {
    if rung.via == Via::As {
        rung.via = Via::Own;
        rung.answers_for.clear();
    }
}

/// The list's own word on country and language goes first: who wrote it knows its operators.
fn as_listed(mut finding: Finding, one: &Addressee) -> Finding {
    if !one.country.is_empty() {
        finding.country.clone_from(&one.country);
    }
    if let Verdict::Matched { locale, .. } = &mut finding.verdict
        && locale.is_empty()
    {
        locale.clone_from(&one.locale);
    }
    finding
}

/// What the table knows of the page's AS.
async fn systems_of(work: &Work<'_>, page: &[StoredAddressee]) -> Result<Systems, store::Error> {
    let numbers = page.iter().filter_map(|one| match one.addressee.known_by {
        KnownBy::As(asn) => Some(asn),
        _ => None,
    });
    let numbers: Vec<u32> = numbers.collect();
    let found = work.store.systems(&numbers).await?.into_iter();
    Ok(found.map(|one| (one.system.asn, one)).collect())
}

/// The verdict that each operator of a list would get if nobody were asked; `to ask` are those that
/// need a registry.
pub(super) async fn foresee(
    work: &Work<'_>,
    campaign: &Campaign,
    sources: &Sources,
    progress: &Progress,
    mut count: impl FnMut(&'static str),
) -> Result<(), Error> {
    let origins = sources.table().largest_of_origins();
    let mut last: Option<StoredAddressee> = None;
    loop {
        let page = work
            .store
            .waiting_addressees(campaign.id, true, last.as_ref(), PAGE);
        let page = page.await?;
        if page.is_empty() {
            return Ok(());
        }
        let systems = systems_of(work, &page).await?;
        for StoredAddressee { addressee: one, .. } in &page {
            let verdict = match (&one.known_by, &one.mailbox) {
                (KnownBy::Mailbox(mailbox), _) => sources.of_mailbox(mailbox).verdict,
                (KnownBy::Range(range), Some(mailbox)) => {
                    sources.named(sources.around(*range), mailbox).verdict
                }
                (KnownBy::As(asn), Some(mailbox)) => sources.named_for_as(*asn, mailbox).verdict,
                (known_by, None) => {
                    let (says, resorts) = match known_by {
                        KnownBy::Range(range) => {
                            let spot = sources.around(*range);
                            (sources.ask(spot), sources.last_resorts(spot))
                        }
                        KnownBy::As(asn) => {
                            let says = sources.ask_about_as(*asn, systems.get(asn));
                            let (_, resorts) =
                                sources.resorts_of_as(*asn, systems.get(asn), &origins);
                            (says, resorts)
                        }
                        KnownBy::Mailbox(_) => continue,
                    };
                    if says.iter().any(|(_, one)| *one == Says::Unasked) {
                        count("to ask");
                        continue;
                    }
                    sources.judge(&says, resorts).verdict
                }
            };
            count(verdict.as_str());
        }
        progress.add(page.len() as u64);
        last = page.into_iter().next_back();
    }
}
