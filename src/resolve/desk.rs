//! Puts one question to one source: leave first, then over all servers that it leads to, and the
//! answer is kept.

use std::time::Duration;

use super::answer::{Contact, Reply, Status};
use super::dns::Dns;
use super::rdap::{Exchange, Rdap};
use super::registries::Registries;
use super::walk::Walk;
use super::whois::Whois;
use crate::config::{self, SourceName};
use crate::model::{
    Address, AddressRange, Answer, AnswerOutcome, Clock, Mailbox, Permit, Progress, Span, Subject,
    Tier, Timestamp, Use, block_of, use_of,
};
use crate::retry;
use crate::store::{Error, Store};

/// Redirects after the first server.
const HOPS: usize = 5;

/// Faults in a row after which a registry is left alone for a while.
const FAULTS: i64 = 3;

/// The first time away after a limit that names no time; it doubles up to the longest.
const AWAY: Span = Span(120_000);
const LONGEST_AWAY: Span = Span(3_600_000);
/// LACNIC blocks for about five minutes and counts from the last question.
const LACNIC_AWAY: Span = Span(360_000);

const DAY: i64 = 86_400_000;

/// Everything that is needed to ask; one for each process, shared by its questions.
pub(super) struct Desk {
    store: Store,
    settings: config::Resolve,
    registries: Registries,
    rdap: Rdap,
    whois: Whois,
    dns: Option<Dns>,
    allow_documentation: bool,
    clock: Clock,
    /// Names this process in the leases of its questions.
    worker: String,
    /// Answers that were remembered from before this moment count as none.
    asks_anew_since: Option<Timestamp>,
}

/// What came of asking.
#[derive(Clone, Debug)]
pub(super) enum Inquiry {
    /// This counts, asked for now or remembered.
    Known(Answer),
    Later {
        registry: String,
        until: Timestamp,
        why: String,
    },
    /// The source has nobody to ask about this.
    Nobody,
}

/// One exchange with a server, for those who want to see what was said.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Heard {
    pub source: SourceName,
    pub server: String,
    pub question: String,
    pub raw: String,
}

/// A question under way: the slots it holds, and what it has heard.
struct Errand<'a> {
    source: SourceName,
    /// Who holds the leases.
    name: String,
    block: i64,
    /// How long it may wait for leave.
    patience: Timestamp,
    held: Vec<(String, i64)>,
    heard: &'a mut Vec<Heard>,
    progress: &'a Progress,
}

/// How a way over several servers ended.
enum End {
    Reply {
        reply: Reply,
        server: String,
        registry: String,
    },
    Closed {
        registry: String,
        until: Timestamp,
        why: String,
    },
    /// Somebody else has asked in the meantime.
    Known(Answer),
    Nobody,
}

impl Desk {
    /// # Errors
    /// When a client cannot be set up, in words.
    pub(super) fn new(
        store: &Store,
        settings: &config::Resolve,
        allow_documentation: bool,
        clock: Clock,
        worker: &str,
    ) -> Result<Self, String> {
        let registries = Registries::new(&settings.registry);
        let dns = if settings.sources.contains(&SourceName::Dns) {
            Some(Dns::new(&settings.dns)?)
        } else {
            None
        };
        Ok(Self {
            store: store.clone(),
            settings: settings.clone(),
            rdap: Rdap::new(settings)?,
            whois: Whois::new(settings, registries.clone())?,
            dns,
            registries,
            allow_documentation,
            clock,
            worker: worker.to_owned(),
            asks_anew_since: None,
        })
    }

    /// Lets nothing count that was answered before.
    pub(super) fn ask_anew(&mut self, since: Timestamp) {
        self.asks_anew_since = Some(since);
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// What is wrong with the files that the settings name.
    pub(super) fn complaints(&self) -> &[String] {
        self.rdap.complaints()
    }

    /// Whether somebody can answer for an address at all.
    pub(super) fn may_ask(&self, address: Address) -> bool {
        match use_of(address) {
            Use::Public => true,
            Use::Documentation => self.allow_documentation,
            Use::Special => false,
        }
    }

    /// The registry that a question about `subject` begins at.
    pub(super) fn lane(&self, subject: Subject) -> String {
        self.rdap
            .begin(subject)
            .and_then(|url| {
                let port = url.port_or_known_default()?;
                Some(self.registries.of(url.host_str()?, port))
            })
            .unwrap_or_else(|| "iana".to_owned())
    }

    /// How many questions of a lane may be under way.
    pub(super) fn at_once(&self, lane: &str) -> usize {
        self.registries.limits(lane).at_once as usize
    }

    pub(super) fn every(&self, lane: &str) -> Span {
        self.registries.limits(lane).every
    }

    /// Puts a question, unless the answer is known, and keeps the answer. Waits for leave up to
    /// `patience`.
    ///
    /// # Errors
    /// The database's. What goes wrong with a server is an [`Inquiry`].
    pub(super) async fn ask(
        &self,
        source: SourceName,
        subject: Subject,
        patience: Timestamp,
        heard: &mut Vec<Heard>,
        progress: &Progress,
    ) -> Result<Inquiry, Error> {
        let mut errand = Errand {
            source,
            name: format!("{}/{source:?}/{subject}", self.worker),
            block: block_of(subject),
            patience,
            held: Vec::new(),
            heard,
            progress,
        };
        let end = match source {
            SourceName::Rdap => self.over_rdap(&mut errand, subject).await,
            SourceName::Whois => self.over_whois(&mut errand, subject).await,
            SourceName::Dns => self.over_dns(&mut errand, subject).await,
            SourceName::Overrides | SourceName::Table => Ok(End::Nobody),
        };
        let inquiry = match end {
            Ok(End::Known(answer)) => Ok(Inquiry::Known(answer)),
            Ok(End::Closed {
                registry,
                until,
                why,
            }) => Ok(Inquiry::Later {
                registry,
                until,
                why,
            }),
            Ok(End::Nobody) => Ok(Inquiry::Nobody),
            Ok(End::Reply {
                reply,
                server,
                registry,
            }) => self.keep(source, subject, reply, &server, &registry).await,
            Err(error) => Err(error),
        };
        for (registry, slot) in &errand.held {
            self.store
                .end_question(registry, *slot, &errand.name)
                .await?;
        }
        inquiry
    }

    async fn over_rdap(&self, errand: &mut Errand<'_>, subject: Subject) -> Result<End, Error> {
        let Some(mut url) = self.rdap.begin(subject) else {
            return Ok(End::Nobody);
        };
        let mut asked = Vec::new();
        loop {
            let host = url.host_str().unwrap_or_default().to_owned();
            let registry = self
                .registries
                .of(&host, url.port_or_known_default().unwrap_or(443));
            if let Some(end) = self.enter(errand, &registry, subject).await? {
                return Ok(end);
            }
            let exchange = self.rdap.exchange(&url, subject, self.now()).await;
            asked.push(url.clone());
            let (reply, raw) = match exchange {
                Exchange::Moved(next) => {
                    errand.hear(&host, url.as_str(), format!("moved to {next}"));
                    if !asked.contains(&next) && asked.len() <= HOPS {
                        url = next;
                        continue;
                    }
                    let words = "each server refers to another".to_owned();
                    let status = Status::Broken { words };
                    (
                        Reply {
                            status,
                            ..Reply::default()
                        },
                        String::new(),
                    )
                }
                Exchange::Told { reply, raw } => (reply, raw),
            };
            errand.hear(&host, url.as_str(), raw);
            return Ok(End::Reply {
                reply,
                server: host,
                registry,
            });
        }
    }

    async fn over_whois(&self, errand: &mut Errand<'_>, subject: Subject) -> Result<End, Error> {
        let lane = self.lane(subject);
        let mut walk = Walk::begin(&self.registries, self.whois.reach(), Some(&lane), subject);
        let mut last = None;
        while let Some(step) = walk.step() {
            match self.enter(errand, &step.registry, subject).await? {
                None => {}
                // A referral that may not be followed now leaves the question open.
                Some(End::Closed { until, why, .. }) if last.is_some() => {
                    let wait = Some(until.since(self.now()));
                    let status = Status::Later { wait, words: why };
                    walk.told(Reply {
                        status,
                        ..Reply::default()
                    });
                    continue;
                }
                Some(end) => return Ok(end),
            }
            let (reply, raw) = self.whois.exchange(&step.server, &step.line, subject).await;
            errand.hear(&step.server.host, &step.line, raw);
            walk.told(reply);
            last = Some(step);
        }
        let Some(step) = last else {
            return Ok(End::Nobody);
        };
        Ok(End::Reply {
            reply: walk.best(),
            server: step.server.host,
            registry: step.registry,
        })
    }

    async fn over_dns(&self, errand: &mut Errand<'_>, subject: Subject) -> Result<End, Error> {
        let Some(dns) = &self.dns else {
            return Ok(End::Nobody);
        };
        if let Some(end) = self.enter(errand, "dns", subject).await? {
            return Ok(end);
        }
        let told = dns.ask(subject).await;
        errand.hear("dns", &subject.to_string(), told.raw);
        let reply = told.reply;
        Ok(End::Reply {
            reply,
            server: "dns".to_owned(),
            registry: "dns".to_owned(),
        })
    }

    /// Waits for leave to ask a registry. `None` is leave; else it ends here. Before each try it looks
    /// whether somebody else has the answer by now: that is how no network is asked about twice.
    async fn enter(
        &self,
        errand: &mut Errand<'_>,
        registry: &str,
        subject: Subject,
    ) -> Result<Option<End>, Error> {
        let limits = self.registries.limits(registry);
        let closed = |until, why| End::Closed {
            registry: registry.to_owned(),
            until,
            why,
        };
        let lease = Span(
            2 * self
                .settings
                .rdap
                .timeout
                .0
                .max(self.settings.whois.timeout.0)
                + 5_000,
        );
        loop {
            if errand.progress.is_stopped() {
                let why = "asking was stopped".to_owned();
                return Ok(Some(closed(self.now(), why)));
            }
            let attempt = || async {
                if let Some(answer) = self.remembered(errand.source, subject).await? {
                    return Ok(Err(answer));
                }
                let now = self.now();
                let permit = self.store.begin_question(
                    registry,
                    limits,
                    errand.block,
                    &errand.name,
                    now,
                    now.plus(lease),
                );
                match permit.await? {
                    Permit::Busy => Err(Wait::Busy),
                    permit => Ok(Ok(permit)),
                }
            };
            let is_busy = |wait: &Wait| matches!(wait, Wait::Busy);
            let permit = match retry::patiently(Duration::from_secs(5), is_busy, attempt).await {
                Ok(Err(answer)) => return Ok(Some(End::Known(answer))),
                Ok(Ok(permit)) => permit,
                Err(Wait::Store(error)) => return Err(error),
                Err(Wait::Busy) if self.now() < errand.patience => continue,
                Err(Wait::Busy) => {
                    let until = self.now().plus(lease);
                    let why = format!("{registry} is being asked by others");
                    return Ok(Some(closed(until, why)));
                }
            };
            let until = match permit {
                Permit::Granted { slot } => {
                    if !errand
                        .held
                        .iter()
                        .any(|held| held.0 == registry && held.1 == slot)
                    {
                        errand.held.push((registry.to_owned(), slot));
                    }
                    // It may have come between the look and the leave.
                    let known = self.remembered(errand.source, subject).await?;
                    return Ok(known.map(End::Known));
                }
                Permit::Closed { until, why } if until > errand.patience => {
                    return Ok(Some(closed(until, why)));
                }
                Permit::Wait { until } | Permit::Closed { until, .. } => until,
                Permit::Busy => continue,
            };
            self.sleep_until(until, errand.progress).await;
        }
    }

    /// Sleeps in short pieces, so that a stop is heard.
    async fn sleep_until(&self, until: Timestamp, progress: &Progress) {
        const PIECE: Duration = Duration::from_millis(200);
        loop {
            let left = until.since(self.now()).to_std();
            if left.is_zero() || progress.is_stopped() {
                return;
            }
            tokio::time::sleep(left.min(PIECE)).await;
        }
    }

    /// The answer of a source about a subject that counts now: of the narrowest network, if several
    /// have been told.
    pub(super) async fn remembered(
        &self,
        source: SourceName,
        subject: Subject,
    ) -> Result<Option<Answer>, Error> {
        let now = self.now();
        let (stored, range) = match subject {
            Subject::As(asn) => (self.store.answers_about(asn, now).await?, None),
            Subject::Range(range) => {
                let (first, block) = (range.first(), block_around(range.first(), BLOCK));
                let around = self.store.answers_around(first, block.first(), now);
                (around.await?, Some(range))
            }
        };
        let first = range.map(|range| AddressRange::single(range.first()));
        let counts = |answer: &Answer| {
            answer.source == source.as_str()
                && self
                    .asks_anew_since
                    .is_none_or(|since| answer.asked_at >= since)
                && first.is_none_or(|first| answer.range().is_some_and(|told| told.contains(first)))
        };
        let answers = stored.into_iter().map(|one| one.answer).filter(counts);
        Ok(answers.min_by_key(|answer| {
            answer
                .range()
                .map_or(0, |range| range.last().0 - range.first().0)
        }))
    }

    /// Keeps what a reply says, for as long as it counts.
    async fn keep(
        &self,
        source: SourceName,
        subject: Subject,
        reply: Reply,
        server: &str,
        registry: &str,
    ) -> Result<Inquiry, Error> {
        let now = self.now();
        match &reply.status {
            Status::Later { wait, words } => {
                let faults = self.store.registry_failed(registry).await?;
                let why = format!("{server}: {words}");
                let wait = wait.unwrap_or_else(|| time_away(registry, words, faults, now));
                let until = self.store.close_registry(registry, now, wait, &why).await?;
                return Ok(Inquiry::Later {
                    registry: registry.to_owned(),
                    until,
                    why,
                });
            }
            Status::Broken { words } => {
                let faults = self.store.registry_failed(registry).await?;
                if faults >= FAULTS {
                    let wait = doubled(faults - FAULTS);
                    self.store
                        .close_registry(registry, now, wait, words)
                        .await?;
                }
            }
            Status::Found | Status::NotFound => self.store.registry_answered(registry).await?,
        }
        let answer = self.answer(source, subject, reply, server, now);
        self.store.put_answer(&answer).await?;
        Ok(Inquiry::Known(answer))
    }

    fn answer(
        &self,
        source: SourceName,
        asked: Subject,
        reply: Reply,
        server: &str,
        now: Timestamp,
    ) -> Answer {
        // An answer that reaches beyond a block is a registry's whole stock, not a network.
        let is_network = |told: &AddressRange| match asked {
            Subject::Range(asked) => {
                told.contains(AddressRange::single(asked.first()))
                    && block_around(asked.first(), BLOCK).contains(*told)
            }
            Subject::As(_) => false,
        };
        let range = reply
            .range
            .filter(is_network)
            .filter(|_| reply.status == Status::Found);
        let subject = match (asked, range) {
            (Subject::As(asn), _) => Subject::As(asn),
            (_, Some(range)) => Subject::Range(range),
            (Subject::Range(asked), None) => Subject::Range(block_around(asked.first(), SMALL)),
        };
        // A zone has contacts for an address and names no network: they count for what is around it.
        let is_told =
            range.is_some() || source == SourceName::Dns || matches!(asked, Subject::As(_));
        let (outcome, reason, counts_for) = self.outcome(&reply, server, is_told);
        // Not shorter than after a fault, or a run would ask again what it has just been told.
        let kept_for = reply.keep.map(|keep| keep.max(self.settings.fault_for));
        let counts_for = kept_for.map_or(counts_for, |keep| keep.min(counts_for));
        Answer {
            source: source.as_str().to_owned(),
            subject,
            server: server.to_owned(),
            outcome,
            name: reply.name,
            holder: reply.holder,
            country: reply.country,
            origin: reply.asn,
            registry: reply.registry,
            handles: reply.handles,
            reason,
            asked_at: now,
            counts_until: now.plus(counts_for),
        }
    }

    /// What a reply comes to, in words and as a fact, and how long that counts.
    fn outcome(&self, reply: &Reply, server: &str, is_told: bool) -> (AnswerOutcome, String, Span) {
        let settings = &self.settings;
        let tier = |contact: &Contact| contact.tier;
        let tier = reply.contacts.first().map_or(Tier::None, tier);
        match &reply.status {
            Status::Broken { words } | Status::Later { words, .. } => (
                AnswerOutcome::Fault,
                format!("{server}: {words}"),
                settings.fault_for,
            ),
            Status::Found if is_told && tier != Tier::None => {
                let mailboxes: Vec<Mailbox> = reply
                    .contacts
                    .iter()
                    .map(|contact| contact.mailbox.clone())
                    .collect();
                let how = match tier {
                    Tier::Explicit => "abuse contact",
                    Tier::Remarks => "address for abuse in a remark",
                    Tier::Contact | Tier::None => "technical contact",
                };
                let doubt = match reply.contacts.first().is_some_and(|first| first.doubtful) {
                    true => ", which the registry could not validate",
                    false => "",
                };
                let reason = format!("{how} by {server}{doubt}");
                (
                    AnswerOutcome::Contact(tier, mailboxes),
                    reason,
                    settings.explicit_for,
                )
            }
            Status::Found if is_told && reply.form.is_some() => {
                let form = reply.form.clone().unwrap_or_default();
                let reason = format!("{server} names a web form and no mailbox: {form}");
                (AnswerOutcome::Form(form), reason, settings.explicit_for)
            }
            Status::Found if is_told => {
                let reason = format!("{server} names no contact");
                (AnswerOutcome::None, reason, settings.none_for)
            }
            Status::Found | Status::NotFound => {
                let reason = format!("{server} knows no network there");
                (AnswerOutcome::None, reason, settings.none_for)
            }
        }
    }
}

impl Errand<'_> {
    fn hear(&mut self, server: &str, question: &str, raw: String) {
        self.heard.push(Heard {
            source: self.source,
            server: server.to_owned(),
            question: question.to_owned(),
            raw,
        });
    }
}

enum Wait {
    Busy,
    Store(Error),
}

impl From<Error> for Wait {
    fn from(error: Error) -> Self {
        Self::Store(error)
    }
}

/// Prefix lengths, IPv4's and IPv6's.
type Lengths = (u32, u32);
/// As [`block_of`] has it.
const BLOCK: Lengths = (8, 16);
/// What *nothing there* is taken to speak of: hardly anything smaller is registered on its own.
const SMALL: Lengths = (24, 48);

/// The CIDR block of a length around an address.
fn block_around(address: Address, (ipv4, ipv6): Lengths) -> AddressRange {
    let host_bits = if address.is_ipv4() {
        32 - ipv4
    } else {
        128 - ipv6
    };
    let span = (1_u128 << host_bits) - 1;
    let ends = (Address(address.0 & !span), Address(address.0 | span));
    AddressRange::new(ends.0, ends.1).unwrap_or_else(|_| AddressRange::single(address))
}

/// How long to stay away from a registry that has said so without saying how long.
fn time_away(registry: &str, words: &str, faults: i64, now: Timestamp) -> Span {
    // RIPE's family counts by the day: 201 lasts until it is over.
    if words.to_ascii_lowercase().contains("error:201") {
        let midnight = (now.0.div_euclid(DAY) + 1) * DAY;
        return Span(midnight - now.0 + 60_000 * (1 + now.0 % 10));
    }
    let away = doubled(faults - 1);
    match registry {
        "lacnic" | "nicbr" => away.max(LACNIC_AWAY),
        _ => away,
    }
}

fn doubled(times: i64) -> Span {
    let times = times.clamp(0, 10) as u32;
    Span(AWAY.0 << times).min(LONGEST_AWAY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_away_grows_and_ends() {
        let now = Timestamp(1_794_816_000_000 + 3_600_000);
        for (registry, words, faults, away) in [
            ("arin", "slow down", 1, "2 min"),
            ("arin", "slow down", 2, "4 min"),
            ("arin", "slow down", 99, "60 min"),
            ("lacnic", "rate limit", 1, "6 min"),
            ("lacnic", "rate limit", 4, "16 min"),
            ("ripe", "%ERROR:201: access denied", 1, "15 h"),
            ("ripe", "error:201: access denied", 1, "15 h"),
        ] {
            assert_eq!(time_away(registry, words, faults, now).to_string(), away);
        }
    }

    #[test]
    fn blocks_stay_within_their_family() {
        let around = |text: &str, lengths| block_around(text.parse().unwrap(), lengths).to_string();
        assert_eq!(around("198.51.100.7", SMALL), "198.51.100.0/24");
        assert_eq!(around("198.51.100.7", BLOCK), "198.0.0.0/8");
        assert_eq!(around("2001:db8::1", SMALL), "2001:db8::/48");
        assert_eq!(around("2001:db8::1", BLOCK), "2001::/16");
    }
}
