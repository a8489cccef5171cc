//! Puts one question to one source: leave first, then over all servers that it leads to, and the
//! answer is kept.

use std::time::Duration;

use super::dns::Dns;
use super::keep::{BLOCK, Given, block_around, gate};
use super::rdap::Rdap;
use super::registries::Registries;
use super::whois::Whois;
use crate::config::{self, SourceName};
use crate::model::{
    Address, AddressRange, Answer, Clock, Permit, Progress, Question, Span, Subject, Timestamp,
    Use, block_of, use_of,
};
use crate::retry;
use crate::store::{Error, Store};

/// Everything that is needed to ask; one for each process, shared by its questions.
pub(super) struct Desk {
    pub(super) store: Store,
    pub(super) settings: config::Resolve,
    pub(super) registries: Registries,
    pub(super) rdap: Rdap,
    pub(super) whois: Whois,
    pub(super) dns: Option<Dns>,
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
    Known(Box<Answer>),
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
pub(super) struct Errand<'a> {
    pub(super) source: SourceName,
    /// Who holds the leases.
    name: String,
    block: i64,
    /// How long it may wait for leave.
    patience: Timestamp,
    is_under_way: bool,
    heard: &'a mut Vec<Heard>,
    progress: &'a Progress,
}

/// How a way over several servers ended.
pub(super) enum End {
    Given(Box<Given>),
    Closed {
        registry: String,
        until: Timestamp,
        why: String,
    },
    /// Somebody else has asked in the meantime.
    Known(Box<Answer>),
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
            is_under_way: false,
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
            Ok(End::Given(given)) => self.keep(*given).await,
            Err(error) => Err(error),
        };
        if errand.is_under_way {
            self.store.end_questions(&errand.name).await?;
        }
        inquiry
    }

    /// Waits for leave to ask a registry. `None` is leave; else it ends here. Before each try it looks
    /// whether somebody else has the answer by now: that is how no network is asked about twice.
    pub(super) async fn enter(
        &self,
        errand: &mut Errand<'_>,
        registry: &str,
        subject: Subject,
    ) -> Result<Option<End>, Error> {
        let limits = self.registries.limits(registry);
        let gate = gate(registry, errand.source);
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
        if errand.is_under_way {
            self.store.send_question_on(&errand.name).await?;
        }
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
                let question = Question {
                    registry,
                    gate: &gate,
                    block: (!errand.is_under_way).then_some(errand.block),
                    worker: &errand.name,
                    lease_until: now.plus(lease),
                };
                let permit = self.store.begin_question(question, limits, now);
                match permit.await? {
                    Permit::Busy => Err(Wait::Busy),
                    permit => Ok(Ok(permit)),
                }
            };
            let is_busy = |wait: &Wait| matches!(wait, Wait::Busy);
            let permit = match retry::patiently(Duration::from_secs(5), is_busy, attempt).await {
                Ok(Err(answer)) => return Ok(Some(End::Known(Box::new(answer)))),
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
                Permit::Granted => {
                    errand.is_under_way = true;
                    // It may have come between the look and the leave.
                    let known = self.remembered(errand.source, subject).await?;
                    return Ok(known.map(|answer| End::Known(Box::new(answer))));
                }
                Permit::Closed { until, why } if until > errand.patience => {
                    return Ok(Some(closed(until, why)));
                }
                Permit::Wait { until } | Permit::Closed { until, .. } => until,
                Permit::Busy => continue,
            };
            // Not so long that the lease of what is held would run out.
            let until = until.min(self.now().plus(Span(lease.0 / 2)));
            if until.since(self.now()) > Span::seconds(3) {
                let note = format!("waiting for {registry} until {until}");
                errand.progress.note(note);
            }
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
}

impl Errand<'_> {
    pub(super) fn hear(&mut self, server: &str, question: &str, raw: String) {
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
