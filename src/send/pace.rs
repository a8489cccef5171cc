//! Whether what was claimed may leave now; what may not goes back, with the moment when it may.
//!
//! Moments and seats stand in the store, so that they hold over all workers. A letter asks once: it goes
//! back with the moment that was set aside for it, and leaves when that has come.

use std::collections::{BTreeMap, HashMap};

use super::relay::RelayPace;
use super::{Settings, Window, Work};
use crate::config::{Config, Pace};
use crate::model::{Domain, FOREVER, Hold, HoldSubject, Mailbox, SlotOf, Span, Timestamp, Wait};
use crate::retry;
use crate::store::{self, Claimed, PutBack, Store, StoredExchangers};

/// How long a moment counts after it has passed. What is later asks anew: all that a pause or a stopped
/// worker has let pass must not leave at once.
const LATE: Span = Span(30_000);

/// Moments are set aside no further ahead, so that a campaign that is cancelled does not leave the others
/// waiting for moments that nobody uses.
const AHEAD: Span = Span(3_600_000);

/// A moment no further ahead is waited for in hand, over the connections that are open: whoever sends five
/// letters a second does not end after each.
const NEAR: Span = Span(2_000);

/// When it is looked again for a free seat.
const SEAT: Span = Span(5_000);

const HOUR: Span = Span(3_600_000);

/// When it is looked again whether other workers have sent what they hold for an address.
const ELSEWHERE: Span = Span(60_000);

/// What the settings ask of letters before they leave.
#[derive(Clone, Debug, Default)]
pub struct Pacing {
    pub window: Option<Window>,
    /// Letters to one address within an hour; 0: no end.
    pub per_address_hour: usize,
    /// By name.
    pub paces: Vec<(String, Pace)>,
}

impl Pacing {
    /// # Errors
    /// The setting that is wrong and why.
    pub fn from_config(config: &Config) -> Result<Self, String> {
        let paces = config.pace.iter();
        let paces = paces.filter(|(_, pace)| !pace.is_for_nobody());
        Ok(Self {
            window: config.send.window.open_hours()?.map(Window::new),
            per_address_hour: config.send.per_address_hour as usize,
            paces: paces
                .map(|(name, pace)| (format!("pace:{name}"), pace.clone()))
                .collect(),
        })
    }

    /// Whether letters need a seat before they leave.
    pub(super) fn has_seats(&self) -> bool {
        self.paces.iter().any(|(_, pace)| pace.connections > 0)
    }

    fn knows_by_mx(&self) -> bool {
        self.paces.iter().any(|(_, pace)| !pace.mx.is_empty())
    }

    /// The pace of a recipient: of those that name its domain the one with the longest, else of those that
    /// name one of the hosts that take its mail.
    fn of(&self, recipient: &str, hosts: &[String]) -> Option<usize> {
        let by_domain = self.nearest(|pace| &pace.domains, &[recipient]);
        by_domain.or_else(|| self.nearest(|pace| &pace.mx, hosts))
    }

    /// Of the paces that cover one of the names the one with the longest domain.
    fn nearest(
        &self,
        covering: fn(&Pace) -> &[Domain],
        names: &[impl AsRef<str>],
    ) -> Option<usize> {
        let paces = self.paces.iter().enumerate();
        let covers = paces.filter_map(|(place, (_, pace))| {
            let covers = |domain: &&Domain| names.iter().any(|name| domain.covers(name.as_ref()));
            let domains = covering(pace).iter().filter(covers);
            Some((domains.map(|domain| domain.name().len()).max()?, place))
        });
        covers.max().map(|(_, place)| place)
    }
}

/// Letters that leave over so many connections at once.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) connections: usize,
    pub(super) letters: Vec<Claimed>,
}

/// Those of the claimed letters that may leave now; the others are back in the queue. Where nothing
/// paces, holds or limits, all may, in one group.
///
/// # Errors
/// The database's; then the worker may still hold them all.
pub(super) async fn admit(
    work: &Work<'_>,
    claimed: Vec<Claimed>,
    now: Timestamp,
) -> Result<Vec<Group>, store::Error> {
    let (store, settings) = (work.store, work.settings);
    let mut exchangers = HashMap::new();
    if settings.pacing.knows_by_mx() {
        let domains: Vec<&str> = claimed.iter().map(|one| domain(&one.recipient)).collect();
        exchangers = store.exchangers(&domains).await?;
    }
    let mut gate = Gate {
        store,
        settings,
        now,
        exchangers,
        back: Vec::new(),
    };
    let claimed = gate.leave_out(claimed).await?;
    let claimed = gate.hold(claimed).await?;
    let claimed = gate.keep_hours(claimed);
    let claimed = gate.cap(claimed).await?;
    let claimed = gate.pace(claimed).await?;
    let relay = work.courier.first(now);
    let claimed = gate.pace_relay(claimed, relay.as_ref()).await?;
    let groups = gate.seat(claimed, relay.as_ref()).await?;
    store.put_back(&settings.worker, &gate.back, now).await?;
    Ok(groups)
}

/// Waits for a letter whose moment is near; `false` where there is none, or the work is to stop.
///
/// # Errors
/// The database's.
pub(super) async fn wait_for_turn(work: &Work<'_>, campaign: i64) -> Result<bool, store::Error> {
    let (settings, clock) = (work.settings, work.clock);
    let now = clock.now();
    let relay = work.courier.first(now);
    let is_paced =
        !settings.pacing.paces.is_empty() || relay.is_some_and(|relay| relay.every.0 > 0);
    if !settings.stays || !is_paced {
        return Ok(false);
    }
    let Some(slot) = work.store.next_slot(campaign, now.plus(NEAR)).await? else {
        return Ok(false);
    };
    retry::rest(work.progress, slot.since(clock.now()).to_std()).await;
    Ok(!work.progress.is_stopped())
}

/// What a batch passes before it leaves, and who is sent back.
struct Gate<'a> {
    store: &'a Store,
    settings: &'a Settings,
    now: Timestamp,
    /// By domain; empty where no pace is known by them.
    exchangers: HashMap<String, StoredExchangers>,
    back: Vec<PutBack>,
}

impl Gate<'_> {
    fn turn_back(&mut self, one: &Claimed, due_at: Timestamp, wait: Wait) {
        self.back.push(PutBack::until(one, due_at, wait));
    }

    /// What goes to an address that nothing is written to ends here.
    async fn leave_out(&mut self, mut claimed: Vec<Claimed>) -> Result<Vec<Claimed>, store::Error> {
        let to = claimed.iter().filter_map(|one| one.recipient.parse().ok());
        let to: Vec<Mailbox> = to.collect();
        let suppressed = self.store.suppressed(&to, self.now).await?;
        if suppressed.is_empty() {
            return Ok(claimed);
        }
        let why = |one: &Claimed| {
            suppressed
                .get(&one.recipient.parse().ok()?)
                .map(|why| why.id)
        };
        let out = claimed
            .iter()
            .filter_map(|one| Some((one.delivery, why(one)?)));
        let out: Vec<(i64, i64)> = out.collect();
        self.store
            .leave_out(&self.settings.worker, &out, self.now)
            .await?;
        claimed.retain(|one| why(one).is_none());
        Ok(claimed)
    }

    fn pace_of(&self, one: &Claimed) -> Option<usize> {
        let exchangers = self.exchangers.get(domain(&one.recipient));
        let hosts = exchangers.map_or(&[][..], |told| &told.hosts);
        self.settings.pacing.of(&one.recipient, hosts)
    }

    /// Of several holds the one that lasts longest counts.
    async fn hold(&mut self, mut claimed: Vec<Claimed>) -> Result<Vec<Claimed>, store::Error> {
        let holds = self.store.open_holds(self.now).await?;
        let mut lasting: Vec<(Timestamp, &Hold, Vec<i64>)> = Vec::with_capacity(holds.len());
        for hold in &holds {
            let letters = match &hold.subject {
                HoldSubject::Ticket(ticket) => self.store.letters_of_ticket(ticket).await?,
                HoldSubject::Domain(_) | HoldSubject::Address(_) => Vec::new(),
            };
            lasting.push((hold.until.unwrap_or(FOREVER), hold, letters));
        }
        lasting.sort_by_key(|(until, _, _)| std::cmp::Reverse(*until));
        claimed.retain(|one| {
            let held = lasting
                .iter()
                .find(|(_, hold, letters)| match &hold.subject {
                    HoldSubject::Ticket(_) => letters.contains(&one.letter),
                    HoldSubject::Domain(domain) => domain.covers(&one.recipient),
                    HoldSubject::Address(mailbox) => mailbox.as_str() == one.recipient,
                });
            if let Some((until, hold, _)) = held {
                self.back.push(PutBack {
                    hold: Some(hold.id),
                    ..PutBack::until(one, *until, Wait::Hold)
                });
            }
            held.is_none()
        });
        Ok(claimed)
    }

    fn keep_hours(&mut self, mut claimed: Vec<Claimed>) -> Vec<Claimed> {
        if let Some(window) = &self.settings.pacing.window {
            claimed.retain(|one| {
                let opens_at = window.opens(&one.country, self.now);
                if opens_at > self.now {
                    self.back.push(PutBack::until(one, opens_at, Wait::Window));
                }
                opens_at <= self.now
            });
        }
        claimed
    }

    async fn cap(&mut self, claimed: Vec<Claimed>) -> Result<Vec<Claimed>, store::Error> {
        let most = self.settings.pacing.per_address_hour;
        if most == 0 {
            return Ok(claimed);
        }
        let mut known: BTreeMap<String, (Vec<Timestamp>, usize)> = BTreeMap::new();
        let mut passed = Vec::with_capacity(claimed.len());
        for one in claimed {
            if !known.contains_key(&one.recipient) {
                let worker = &self.settings.worker;
                let tries = self.store.tries_of(&one.recipient, self.now.minus(HOUR));
                let elsewhere = self.store.held_elsewhere(&one.recipient, worker);
                known.insert(one.recipient.clone(), (tries.await?, elsewhere.await?));
            }
            let Some((times, elsewhere)) = known.get_mut(&one.recipient) else {
                continue;
            };
            if times.len() + *elsewhere < most {
                times.push(self.now);
                passed.push(one);
            } else if times.len() < most {
                self.turn_back(&one, self.now.plus(ELSEWHERE), Wait::Cap);
            } else {
                // An hour after the one that it would be one too many with; and the next after that.
                let due_at = times[times.len() - most].plus(HOUR);
                times.push(due_at);
                self.turn_back(&one, due_at, Wait::Cap);
            }
        }
        Ok(passed)
    }

    async fn pace(&mut self, claimed: Vec<Claimed>) -> Result<Vec<Claimed>, store::Error> {
        let pacing = &self.settings.pacing;
        let mut passed = Vec::with_capacity(claimed.len());
        let mut paced: BTreeMap<usize, Vec<Claimed>> = BTreeMap::new();
        for one in claimed {
            let has_slot = self.has_slot(&one, &SlotOf::ALL);
            match self.pace_of(&one) {
                Some(place) if pacing.paces[place].1.every.0 > 0 && !has_slot => {
                    paced.entry(place).or_default().push(one);
                }
                _ => passed.push(one),
            }
        }
        for (place, letters) in paced {
            let (name, pace) = &pacing.paces[place];
            let letters = self.reserve(name, pace.every, SlotOf::Provider, letters);
            passed.extend(letters.await?);
        }
        Ok(passed)
    }

    async fn pace_relay(
        &mut self,
        claimed: Vec<Claimed>,
        relay: Option<&RelayPace>,
    ) -> Result<Vec<Claimed>, store::Error> {
        let Some(relay) = relay.filter(|relay| relay.every.0 > 0) else {
            return Ok(claimed);
        };
        let (mut passed, asking): (Vec<_>, Vec<_>) = claimed
            .into_iter()
            .partition(|one| self.has_slot(one, &[SlotOf::Relay]));
        let asking = self.reserve(&relay.name, relay.every, SlotOf::Relay, asking);
        passed.extend(asking.await?);
        Ok(passed)
    }

    fn has_slot(&self, one: &Claimed, of: &[SlotOf]) -> bool {
        one.slot.is_some_and(|(slot, whose)| {
            of.contains(&whose) && slot <= self.now && self.now.since(slot) <= LATE
        })
    }

    async fn reserve(
        &mut self,
        name: &str,
        every: Span,
        of: SlotOf,
        letters: Vec<Claimed>,
    ) -> Result<Vec<Claimed>, store::Error> {
        let latest = self.now.plus(AHEAD);
        let slots = self
            .store
            .reserve(name, letters.len(), every, self.now, latest);
        let mut slots = slots.await?.into_iter();
        let mut passed = Vec::new();
        for one in letters {
            match slots.next() {
                Some(slot) if slot <= self.now => passed.push(one),
                Some(slot) => self.back.push(PutBack {
                    slot: Some(of),
                    ..PutBack::until(&one, slot, Wait::Pace)
                }),
                None => self.turn_back(&one, latest, Wait::Pace),
            }
        }
        Ok(passed)
    }

    /// Those of one provider leave together, over no more connections than it has seats left.
    async fn seat(
        &mut self,
        claimed: Vec<Claimed>,
        relay: Option<&RelayPace>,
    ) -> Result<Vec<Group>, store::Error> {
        let (store, settings) = (self.store, self.settings);
        let worker = settings.worker.as_str();
        let mut most = settings.connections;
        if let Some(relay) = relay.filter(|relay| relay.connections > 0 && !claimed.is_empty()) {
            let wanted = most.min(claimed.len());
            most = store
                .take_seats(&relay.name, worker, wanted, relay.connections)
                .await?;
        }
        let mut groups: BTreeMap<Option<usize>, Vec<Claimed>> = BTreeMap::new();
        for one in claimed {
            let place = self.pace_of(&one);
            let place = place.filter(|place| settings.pacing.paces[*place].1.connections > 0);
            groups.entry(place).or_default().push(one);
        }
        let mut seated = Vec::new();
        for (place, letters) in groups {
            let mut connections = most;
            if let Some(place) = place.filter(|_| most > 0) {
                let (name, pace) = &settings.pacing.paces[place];
                let wanted = most.min(letters.len());
                connections = store
                    .take_seats(name, worker, wanted, pace.connections)
                    .await?;
            }
            if connections > 0 {
                seated.push(Group {
                    connections,
                    letters,
                });
                continue;
            }
            for one in &letters {
                self.turn_back(one, self.now.plus(SEAT), Wait::Pace);
            }
        }
        Ok(seated)
    }
}

fn domain(recipient: &str) -> &str {
    recipient.rsplit('@').next().unwrap_or_default()
}
