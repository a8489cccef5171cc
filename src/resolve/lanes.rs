//! Asks about many networks at once: a lane for each registry, as wide and as fast as it allows, and
//! no two questions that one answer could serve.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::JoinSet;

use super::desk::{Desk, Inquiry};
use super::told::is_enough;
use crate::config::SourceName;
use crate::model::{Address, AddressRange, Answer, Progress, Span, Subject, Timestamp, block_of};
use crate::store::Error;

/// What has not been answered in this run, and until when it need not be tried again.
#[derive(Debug, Default)]
pub(super) struct Unheard {
    /// Registries that are closed: whole lanes that were given up.
    closed: BTreeMap<String, (Timestamp, String)>,
    /// Single subjects whose way led to a closed registry, each with its lane.
    single: BTreeMap<Key, (String, (Timestamp, String))>,
    pub(super) questions: u64,
}

/// Where a subject lies, comparable with others.
type Key = (u32, u128);

fn key(subject: Subject) -> Key {
    match subject {
        Subject::As(asn) => (asn, 0),
        Subject::Range(range) => (0, range.first().0),
    }
}

impl Unheard {
    /// Until when, and why, nothing is known about a subject that would begin at `lane`.
    pub(super) fn of(&self, subject: Subject, lane: &str) -> Option<&(Timestamp, String)> {
        self.single
            .get(&key(subject))
            .map(|(_, reason)| reason)
            .or_else(|| self.closed.get(lane))
    }

    /// Until when, and why, a lane stays unasked: the lane itself, or the first of its subjects.
    pub(super) fn in_lane(&self, lane: &str) -> Option<(Timestamp, String)> {
        let of_lane =
            |(name, reason): &(String, (Timestamp, String))| (name == lane).then(|| reason.clone());
        let single = self
            .single
            .values()
            .filter_map(of_lane)
            .min_by_key(|(until, _)| *until);
        self.closed.get(lane).cloned().or(single)
    }

    pub(super) fn extend(&mut self, later: Self) {
        self.closed.extend(later.closed);
        self.single.extend(later.single);
    }
}

/// Subjects that wait, by the registry that they begin at, and there by block.
#[derive(Debug, Default)]
pub(super) struct Pending {
    lanes: BTreeMap<String, BTreeMap<i64, VecDeque<Subject>>>,
    len: u64,
}

impl Pending {
    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Adds a subject; they are to come in the order of their addresses.
    pub(super) fn add(&mut self, subject: Subject, lane: &str) {
        if !self.lanes.contains_key(lane) {
            self.lanes.insert(lane.to_owned(), BTreeMap::new());
        }
        let Some(blocks) = self.lanes.get_mut(lane) else {
            return;
        };
        let block = blocks.entry(block_of(subject)).or_default();
        if block.back() != Some(&subject) {
            block.push_back(subject);
            self.len += 1;
        }
    }
}

/// Asks about all that waits, source by source, until each subject has an answer that is enough, all
/// sources have answered, or the registry is closed for longer than `patience`.
///
/// # Errors
/// The database's.
pub(super) async fn ask_all(
    desk: &Arc<Desk>,
    sources: &[SourceName],
    pending: Pending,
    patience: Span,
    progress: &Arc<Progress>,
) -> Result<Unheard, Error> {
    let total = pending.len();
    let round = Arc::new(Round {
        desk: Arc::clone(desk),
        sources: sources.to_vec(),
        give_up: desk.now().plus(patience),
        known: Mutex::default(),
        unheard: Mutex::default(),
        progress: Arc::clone(progress),
        tally: Mutex::new(Tally {
            waiting: total,
            ..Tally::default()
        }),
    });
    let mut tasks = JoinSet::new();
    for (name, blocks) in pending.lanes {
        let lane = Arc::new(Lane {
            blocks: Mutex::new(blocks.into_values().collect()),
            name,
        });
        let blocks = lane
            .blocks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .len();
        for _ in 0..desk.at_once(&lane.name).min(blocks) {
            let (round, lane) = (Arc::clone(&round), Arc::clone(&lane));
            tasks.spawn(async move { round.work(&lane).await });
        }
    }
    let mut outcome = Ok(());
    while let Some(ended) = tasks.join_next().await {
        let ended = ended.unwrap_or_else(|panic| Err(Error::Database(format!("asking: {panic}"))));
        // One that cannot go on ends the others at their next step.
        if ended.is_err() {
            progress.stop();
        }
        outcome = outcome.and(ended);
    }
    outcome?;
    let mut unheard = round.unheard.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(std::mem::take(&mut *unheard))
}

struct Lane {
    name: String,
    /// A block belongs to one task at a time: questions in one block might be about one network.
    blocks: Mutex<VecDeque<VecDeque<Subject>>>,
}

struct Round {
    desk: Arc<Desk>,
    sources: Vec<SourceName>,
    give_up: Timestamp,
    known: Mutex<Known>,
    unheard: Mutex<Unheard>,
    progress: Arc<Progress>,
    tally: Mutex<Tally>,
}

/// What a line of progress says.
#[derive(Debug, Default)]
struct Tally {
    /// Subjects that nothing is known about yet.
    waiting: u64,
    settled: u64,
    questions: u64,
}

enum Settled {
    /// As far as this address, everything is known.
    UpTo(Address),
    Later {
        until: Timestamp,
        why: String,
        is_lane_closed: bool,
    },
}

impl Round {
    async fn work(&self, lane: &Lane) -> Result<(), Error> {
        loop {
            let block = lane
                .blocks
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .pop_front();
            let Some(mut block) = block else {
                return Ok(());
            };
            while let Some(subject) = block.pop_front() {
                if self.progress.is_stopped() {
                    return Ok(());
                }
                match self.settle(subject, &lane.name).await? {
                    Settled::UpTo(address) => {
                        if let Some(rest) = behind(subject, address) {
                            block.push_front(rest);
                        } else {
                            self.settled(&lane.name);
                        }
                    }
                    Settled::Later {
                        until,
                        why,
                        is_lane_closed: true,
                    } => {
                        lane.blocks
                            .lock()
                            .unwrap_or_else(PoisonError::into_inner)
                            .clear();
                        let mut unheard =
                            self.unheard.lock().unwrap_or_else(PoisonError::into_inner);
                        unheard.closed.insert(lane.name.clone(), (until, why));
                        return Ok(());
                    }
                    Settled::Later { until, why, .. } => {
                        let mut unheard =
                            self.unheard.lock().unwrap_or_else(PoisonError::into_inner);
                        unheard
                            .single
                            .insert(key(subject), (lane.name.clone(), (until, why)));
                        drop(unheard);
                        self.settled(&lane.name);
                    }
                }
            }
        }
    }

    /// Asks the sources about a subject's first address, one after the other, until one is enough.
    async fn settle(&self, subject: Subject, lane: &str) -> Result<Settled, Error> {
        let mut known_to = Address(u128::MAX);
        let mut later: Option<(Timestamp, String)> = None;
        let mut is_lane_closed = true;
        for source in &self.sources {
            let known = self
                .known
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .find(*source, subject);
            let answer = match known {
                Some(answer) => answer,
                None => match self.ask(*source, subject).await? {
                    Inquiry::Known(answer) => {
                        let answer = *answer;
                        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
                        known.add(*source, answer.clone());
                        answer
                    }
                    Inquiry::Later {
                        registry,
                        until,
                        why,
                    } => {
                        is_lane_closed &= registry == lane && until > self.give_up;
                        if later.as_ref().is_none_or(|(earliest, _)| until < *earliest) {
                            later = Some((until, why));
                        }
                        continue;
                    }
                    Inquiry::Nobody => continue,
                },
            };
            is_lane_closed = false;
            if let Some(range) = answer.range() {
                known_to = known_to.min(range.last());
            }
            if is_enough(&answer) {
                return Ok(Settled::UpTo(known_to));
            }
        }
        Ok(match later {
            Some((until, why)) => Settled::Later {
                until,
                why,
                is_lane_closed,
            },
            None => Settled::UpTo(known_to),
        })
    }

    async fn ask(&self, source: SourceName, subject: Subject) -> Result<Inquiry, Error> {
        let asked = match subject {
            Subject::Range(range) => Subject::Range(AddressRange::single(range.first())),
            Subject::As(_) => subject,
        };
        let mut heard = Vec::new();
        let inquiry = self
            .desk
            .ask(source, asked, self.give_up, &mut heard, &self.progress)
            .await?;
        let mut unheard = self.unheard.lock().unwrap_or_else(PoisonError::into_inner);
        unheard.questions += heard.len() as u64;
        drop(unheard);
        self.tally
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .questions += heard.len() as u64;
        Ok(inquiry)
    }

    /// Says how far it has come, and how long it may take: as many questions as so far for each
    /// subject, at the pace that the registry allows.
    fn settled(&self, lane: &str) {
        let mut tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        tally.waiting = tally.waiting.saturating_sub(1);
        tally.settled += 1;
        let to_ask = (tally.waiting * tally.questions).div_ceil(tally.settled.max(1));
        let every = self.desk.every(lane);
        let left = Span(every.0 * to_ask as i64);
        self.progress.add(1);
        self.progress.note(format!(
            "{} questions asked, about {to_ask} to come, {lane} at one in {} ms: up to {left}",
            tally.questions, every.0
        ));
    }
}

/// What of a subject lies behind an address.
fn behind(subject: Subject, address: Address) -> Option<Subject> {
    let Subject::Range(range) = subject else {
        return None;
    };
    let first = Address(address.0.checked_add(1)?);
    let rest = AddressRange::new(first, range.last()).ok()?;
    Some(Subject::Range(rest))
}

/// By first address, and among equals the widest first.
type ByAddress = BTreeMap<(u128, std::cmp::Reverse<u128>), Answer>;

/// The answers of this round, found without the database.
#[derive(Debug, Default)]
struct Known {
    /// By source, then by first address; inner networks stand behind those around them.
    answers: Vec<(SourceName, ByAddress)>,
}

impl Known {
    fn add(&mut self, source: SourceName, answer: Answer) {
        let Some(range) = answer.range() else {
            return;
        };
        let place = (range.first().0, std::cmp::Reverse(range.last().0));
        match self.answers.iter_mut().find(|(one, _)| *one == source) {
            Some((_, answers)) => drop(answers.insert(place, answer)),
            None => self
                .answers
                .push((source, BTreeMap::from([(place, answer)]))),
        }
    }

    /// The innermost answer around a subject's first address.
    fn find(&self, source: SourceName, subject: Subject) -> Option<Answer> {
        let Subject::Range(range) = subject else {
            return None;
        };
        let first = range.first();
        let (_, answers) = self.answers.iter().find(|(one, _)| *one == source)?;
        let before = answers.range(..=(first.0, std::cmp::Reverse(0))).rev();
        let same_block = |answer: &&Answer| block_of(answer.subject) == block_of(subject);
        let mut near = before.map(|(_, answer)| answer).take_while(same_block);
        near.find(|answer| answer.range().is_some_and(|range| range.last() >= first))
            .cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::AnswerOutcome;

    fn answer(range: &str) -> Answer {
        Answer {
            source: "rdap".to_owned(),
            subject: range.parse().unwrap(),
            server: String::new(),
            outcome: AnswerOutcome::None,
            name: range.to_owned(),
            holder: String::new(),
            country: String::new(),
            origin: None,
            registry: String::new(),
            handles: Vec::new(),
            reason: String::new(),
            asked_at: Timestamp(0),
            counts_until: Timestamp(1),
        }
    }

    #[test]
    fn the_innermost_answer_is_found() {
        let mut known = Known::default();
        for range in [
            "198.51.0.0/16",
            "198.51.100.0/24",
            "198.51.100.64/26",
            "203.0.113.0/24",
        ] {
            known.add(SourceName::Rdap, answer(range));
        }
        for (asked, found) in [
            ("198.51.100.70", Some("198.51.100.64/26")),
            ("198.51.100.7", Some("198.51.100.0/24")),
            ("198.51.100.200", Some("198.51.100.0/24")),
            ("198.51.7.1", Some("198.51.0.0/16")),
            ("198.52.0.1", None),
            ("203.0.113.9", Some("203.0.113.0/24")),
            ("2001:db8::1", None),
        ] {
            let answer = known.find(SourceName::Rdap, asked.parse().unwrap());
            assert_eq!(
                answer.map(|answer| answer.name).as_deref(),
                found,
                "{asked}"
            );
        }
        assert!(
            known
                .find(SourceName::Whois, "198.51.7.1".parse().unwrap())
                .is_none()
        );
    }

    #[test]
    fn what_lies_behind_an_answer_is_asked_about() {
        let rest = |range: &str, to: &str| {
            behind(range.parse().unwrap(), to.parse().unwrap()).map(|rest| rest.to_string())
        };
        assert_eq!(
            rest("192.0.2.0/24", "192.0.2.127").as_deref(),
            Some("192.0.2.128/25")
        );
        assert_eq!(rest("192.0.2.0/24", "192.0.2.255"), None);
        assert_eq!(rest("AS64500", "192.0.2.255"), None);
    }
}
