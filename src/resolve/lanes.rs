//! Asks about many networks at once: a lane for each registry, as wide and as fast as it allows, and
//! no two questions that one answer could serve.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::JoinSet;

use super::desk::{Desk, Inquiry};
use super::keep::{SMALL, block_around};
use super::learnt::Learnt;
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
    /// Where a source could not answer: who is near is not asked about in vain once more.
    put_off: Arc<Learnt<PutOff>>,
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
/// sources have answered, or the registry is closed for longer than `patience`. `before`: what could
/// not be heard in the rounds before.
///
/// # Errors
/// The database's.
pub(super) async fn ask_all(
    desk: &Arc<Desk>,
    sources: &[SourceName],
    pending: Pending,
    before: &Unheard,
    patience: Span,
    progress: &Arc<Progress>,
) -> Result<Unheard, Error> {
    let waiting = |blocks: &BTreeMap<i64, VecDeque<Subject>>| {
        blocks.values().map(VecDeque::len).sum::<usize>() as u64
    };
    let lanes = pending.lanes.iter();
    let waiting = lanes
        .map(|(lane, blocks)| (lane.clone(), waiting(blocks)))
        .collect();
    let round = Arc::new(Round {
        desk: Arc::clone(desk),
        sources: sources.to_vec(),
        give_up: desk.now().plus(patience),
        known: Learnt::default(),
        put_off: Arc::clone(&before.put_off),
        unheard: Mutex::default(),
        progress: Arc::clone(progress),
        tally: Mutex::new(Tally {
            waiting,
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
    known: Learnt<Answer>,
    put_off: Arc<Learnt<PutOff>>,
    unheard: Mutex<Unheard>,
    progress: Arc<Progress>,
    tally: Mutex<Tally>,
}

/// What a line of progress says.
#[derive(Debug, Default)]
struct Tally {
    /// Subjects that nothing is known about yet, by lane.
    waiting: BTreeMap<String, u64>,
    settled: u64,
    questions: u64,
}

/// A registry that a way led to, and that is closed.
#[derive(Clone, Debug)]
struct PutOff {
    registry: String,
    until: Timestamp,
    why: String,
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
                        drop(unheard);
                        let mut tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
                        tally.waiting.remove(&lane.name);
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
        let mut later: Vec<(SourceName, PutOff)> = Vec::new();
        let mut is_lane_closed = true;
        for source in &self.sources {
            let answer = match self.inquire(*source, subject).await? {
                Inquiry::Known(answer) => answer,
                Inquiry::Later {
                    registry,
                    until,
                    why,
                } => {
                    is_lane_closed &= registry == lane && until > self.give_up;
                    let put_off = PutOff {
                        registry,
                        until,
                        why,
                    };
                    later.push((*source, put_off));
                    continue;
                }
                Inquiry::Nobody => continue,
            };
            is_lane_closed = false;
            if let Some(range) = answer.range() {
                known_to = known_to.min(range.last());
            }
            if is_enough(&answer) {
                // It is one network for the others, too.
                for (source, put_off) in later {
                    self.put_off.add(source, answer.range(), put_off);
                }
                return Ok(Settled::UpTo(known_to));
            }
        }
        let earliest = later.into_iter().min_by_key(|(_, one)| one.until);
        Ok(match earliest {
            Some((_, PutOff { until, why, .. })) => Settled::Later {
                until,
                why,
                is_lane_closed,
            },
            None => Settled::UpTo(known_to),
        })
    }

    /// What a source says; it is asked only where this round has not done so.
    async fn inquire(&self, source: SourceName, subject: Subject) -> Result<Inquiry, Error> {
        if let Some(answer) = self.known.find(source, subject) {
            return Ok(Inquiry::Known(Box::new(answer)));
        }
        if let Some(put_off) = self.put_off.find(source, subject) {
            return Ok(Inquiry::Later {
                registry: put_off.registry,
                until: put_off.until,
                why: put_off.why,
            });
        }
        let inquiry = self.ask(source, subject).await?;
        match &inquiry {
            Inquiry::Known(answer) => self.known.add(source, answer.range(), *answer.clone()),
            Inquiry::Later {
                registry,
                until,
                why,
            } => {
                let near = match subject {
                    Subject::Range(range) => Some(block_around(range.first(), SMALL)),
                    Subject::As(_) => None,
                };
                let put_off = PutOff {
                    registry: registry.clone(),
                    until: *until,
                    why: why.clone(),
                };
                self.put_off.add(source, near, put_off);
            }
            Inquiry::Nobody => {}
        }
        Ok(inquiry)
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

    /// Says how far it has come and how long it may take, at the pace of the slowest registry: if each
    /// subject costs as much as those before, and at most, if none shares its network with another.
    fn settled(&self, lane: &str) {
        let mut tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        tally.settled += 1;
        if let Some(waiting) = tally.waiting.get_mut(lane) {
            *waiting = waiting.saturating_sub(1);
        }
        let to_ask = |waiting: u64| (waiting * tally.questions).div_ceil(tally.settled);
        let time = |cost: &dyn Fn(u64) -> u64| {
            let lanes = tally.waiting.iter();
            let times =
                lanes.map(|(lane, waiting)| self.desk.every(lane).0 * cost(*waiting) as i64);
            Span(times.max().unwrap_or_default())
        };
        let waiting: u64 = tally.waiting.values().sum();
        self.progress.add(1);
        self.progress.note(format!(
            "{} questions asked, about {} to come: {} to {}",
            tally.questions,
            to_ask(waiting),
            time(&to_ask),
            time(&|waiting| waiting)
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

#[cfg(test)]
mod tests {
    use super::*;

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
