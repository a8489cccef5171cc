//! One way over the suspects that wait: who is known to answer is placed, the rest is gathered.

use std::collections::{HashMap, HashSet};

use super::desk::Desk;
use super::lanes::{Pending, Unheard};
use super::source::{Says, Sources, Spot};
use super::{Done, Error, PAGE, Work};
use crate::config::SourceName;
use crate::model::{AddressRange, Finding, Progress, Subject};
use crate::store::Piece;

/// One way over the suspects that wait: those about whom all is known are placed, the others are
/// gathered to be asked about.
pub(super) struct Pass<'a> {
    pub(super) work: &'a Work<'a>,
    pub(super) campaign: i64,
    pub(super) sources: &'a Sources,
    pub(super) desk: Option<&'a Desk>,
    /// Whether there will be asking after it; else what is not known is deferred.
    pub(super) asks: bool,
    pub(super) unheard: &'a Unheard,
}

/// A spot and, where nothing was heard about it, the lane that it waits in.
type Place = (Spot, Option<String>);

impl Pass<'_> {
    pub(super) async fn run(&self, done: &mut Done, progress: &Progress) -> Result<Pending, Error> {
        let store = self.work.store;
        progress.reach(0);
        progress.note(String::new());
        progress.expect(store.count_waiting(self.campaign).await?);
        let mut known: HashMap<Place, i64> = HashMap::new();
        let mut wants: HashMap<Spot, Wants> = HashMap::new();
        let mut pending = Pending::default();
        let mut systems = HashSet::new();
        let mut page = store.waiting(self.campaign, None, PAGE).await?;
        while let Some(last) = page.last().copied() {
            if progress.is_stopped() {
                break;
            }
            let mut ready = Vec::new();
            for suspect in &page {
                let mut is_ready = true;
                let mut places = Vec::new();
                for (range, spot) in self.sources.spots(suspect.range) {
                    let wants = wants.entry(spot).or_insert_with(|| self.wants(spot));
                    let (place, asks) = self.place(range, spot, *wants);
                    match asks {
                        Some(Subject::As(asn)) if !systems.insert(asn) => is_ready = false,
                        Some(subject) => {
                            is_ready = false;
                            pending.add(subject, &self.lane(subject));
                        }
                        None => {}
                    }
                    places.push((range, place));
                }
                if is_ready {
                    ready.push((suspect.id, places));
                }
            }
            let places = ready
                .iter()
                .flat_map(|(_, places)| places.iter().map(|(_, place)| place));
            self.learn(places, &mut known).await?;
            let (mut whole, mut cut) = (Vec::new(), Vec::new());
            for (suspect, places) in &ready {
                let pieces = places.iter().filter_map(|(range, place)| {
                    Some(Piece {
                        suspect: *suspect,
                        range: *range,
                        finding: *known.get(place)?,
                    })
                });
                if places.len() == 1 {
                    whole.extend(pieces);
                } else {
                    done.cut += 1;
                    cut.extend(pieces);
                }
            }
            done.suspects += ready.len() as u64;
            done.pieces += cut.len() as u64;
            let resolver = (self.campaign, self.work.worker);
            // The next suspects are read while these are placed: they lie behind, untouched.
            let (placed, next) = tokio::join!(
                store.place(resolver, &whole, &cut, self.work.clock.now()),
                store.waiting(self.campaign, Some(last), PAGE),
            );
            placed?;
            progress.add(page.len() as u64);
            page = next?;
        }
        // What is asked about is counted anew; without that, the bar stays where it is: full.
        if !pending.is_empty() {
            progress.reach(0);
            progress.expect(pending.len());
        }
        Ok(pending)
    }

    /// What is missing before a spot can be judged.
    pub(super) fn wants(&self, spot: Spot) -> Wants {
        if self.desk.is_none() {
            return Wants::Nothing;
        }
        let says = self.sources.ask(spot);
        if says.iter().any(|(_, one)| *one == Says::Unasked) {
            return Wants::Answers;
        }
        let is_over = says
            .iter()
            .any(|(_, one)| !matches!(one, Says::Nobody(_) | Says::Silent(_)));
        match self
            .sources
            .origin(spot)
            .filter(|_| !is_over && self.sources.climbs_to_as())
        {
            Some(asn) if !self.sources.is_as_known(asn) => Wants::As(asn),
            _ => Wants::Nothing,
        }
    }

    /// Where a piece belongs, or what has to be asked about it first.
    pub(super) fn place(
        &self,
        range: AddressRange,
        spot: Spot,
        wants: Wants,
    ) -> (Place, Option<Subject>) {
        let subject = match wants {
            Wants::Nothing => return ((spot, None), None),
            Wants::Answers => Subject::Range(range),
            Wants::As(asn) => Subject::As(asn),
        };
        let may_ask = self.desk.is_some_and(|desk| desk.may_ask(range.first()));
        if !may_ask {
            return ((spot, None), None);
        }
        let lane = self.lane(subject);
        if self.asks && self.unheard.of(subject, &lane).is_none() {
            return ((spot, None), Some(subject));
        }
        ((spot, Some(lane)), None)
    }

    pub(super) fn lane(&self, subject: Subject) -> String {
        self.desk.map(|desk| desk.lane(subject)).unwrap_or_default()
    }

    /// Judges the places that have not come up before, and writes the findings down.
    async fn learn(
        &self,
        places: impl Iterator<Item = &Place>,
        known: &mut HashMap<Place, i64>,
    ) -> Result<(), Error> {
        let mut new: HashMap<String, Vec<Place>> = HashMap::new();
        let mut findings = Vec::new();
        let mut seen = HashSet::new();
        for place in places {
            if known.contains_key(place) || !seen.insert(place) {
                continue;
            }
            let (spot, lane) = place;
            let mut subject = self.sources.key(*spot);
            if let Some(lane) = lane {
                subject.push_str(&format!("/{lane}"));
            }
            let same = new.entry(subject.clone()).or_default();
            same.push(place.clone());
            if same.len() == 1 {
                findings.push((subject, self.finding(*spot, lane.as_deref())));
            }
        }
        let ids = self
            .work
            .store
            .put_findings((self.campaign, self.work.worker), &findings)
            .await?;
        for (subject, id) in ids {
            for place in new.remove(&subject).unwrap_or_default() {
                known.insert(place, id);
            }
        }
        Ok(())
    }

    pub(super) fn finding(&self, spot: Spot, lane: Option<&str>) -> Finding {
        let says = self.heard(spot, lane);
        let resorts = self.sources.last_resorts(spot);
        let judged = self.sources.judge(&says, resorts);
        let network = self.sources.chain(spot).first().map(|one| one.id);
        judged.finding(network, self.sources.country(spot))
    }

    /// What the sources say, with a reason for those that could not be asked.
    fn heard(&self, spot: Spot, lane: Option<&str>) -> Vec<(SourceName, Says)> {
        let mut says = self.sources.ask(spot);
        for (_, one) in &mut says {
            if *one != Says::Unasked {
                continue;
            }
            *one = match lane {
                Some(lane) => self.not_yet(lane),
                None => Says::Silent("it is not asked about such addresses".to_owned()),
            };
        }
        // The AS could not be asked yet, so it is too early for the country's CSIRT.
        if lane.is_some()
            && !says
                .iter()
                .any(|(_, one)| matches!(one, Says::Later { .. }))
        {
            says.push((SourceName::Rdap, self.not_yet(lane.unwrap_or_default())));
        }
        says
    }

    pub(super) fn not_yet(&self, lane: &str) -> Says {
        let now = self.work.clock.now();
        let (until, why) = self.unheard.in_lane(lane).unwrap_or_else(|| {
            let until = now.plus(self.work.settings.fault_for);
            (until, format!("{lane} has not been asked yet"))
        });
        Says::Later { until, why }
    }
}

/// What a spot lacks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wants {
    Nothing,
    Answers,
    As(u32),
}
