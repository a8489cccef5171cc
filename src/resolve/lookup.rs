//! Shows the way from an address, range or AS to the mailbox that answers for it.

use serde::Serialize;

use super::csirt::Csirts;
use super::desk::{Heard, Inquiry};
use super::source::{Says, Sources, Spot};
use super::told::is_enough;
use super::{Error, Work};
use crate::config::{self, SourceName};
use crate::model::{
    AddressRange, Answer, AnswerOutcome, Network, Progress, Rung, Span, Subject, Timestamp, Verdict,
};

/// Pieces of one range about which registries are asked; a wide range is not for a lookup.
const MOST_ASKED: usize = 16;

/// Somebody sits before it.
const MOST_PATIENCE: Span = Span(15_000);

/// What somebody wants to see.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    /// Only these sources, in this order.
    pub sources: Option<Vec<SourceName>>,
    /// Asks registries even where their answer is remembered.
    pub no_cache: bool,
    /// Asks nobody, and so writes nothing.
    pub asks_nobody: bool,
}

/// What is known of one piece of a range, and how the choice was made.
#[derive(Clone, Debug, Serialize)]
pub struct Lookup {
    /// The address, range or AS that this is about.
    pub subject: Subject,
    /// The network and those around it, from the inside out, each with who said so.
    pub chain: Vec<Known>,
    pub country: String,
    pub asn: Option<u32>,
    /// What each source said, in the order they were asked.
    pub said: Vec<Said>,
    #[serde(flatten)]
    pub verdict: Verdict,
    pub reason: String,
    /// Whom it may be written to, best first.
    pub rungs: Vec<Rung>,
    /// Who would go before them and is not written to any more, with why.
    pub passed_over: Vec<String>,
    /// The web form that is wanted instead of mail, or empty.
    pub form: String,
    /// What servers answered just now, as they wrote it.
    pub heard: Vec<Heard>,
}

#[derive(Clone, Debug, Serialize)]
pub struct Known {
    #[serde(flatten)]
    pub network: Network,
    pub source: String,
    pub told_at: Timestamp,
}

#[derive(Clone, Debug, Serialize)]
pub struct Said {
    pub source: SourceName,
    pub answer: String,
}

/// Finds who answers, asking registries where the settings let it; their answers are kept, nothing
/// else is.
///
/// # Errors
/// The database's, and the settings'.
pub async fn lookup(
    work: &Work<'_>,
    subject: Subject,
    wish: &Wish,
    progress: &Progress,
) -> Result<Vec<Lookup>, Error> {
    let mut settings = work.settings.clone();
    if let Some(sources) = &wish.sources {
        settings.sources.clone_from(sources);
    }
    let work = Work {
        settings: &settings,
        ..*work
    };
    let looking = Looking {
        work: &work,
        settings: &settings,
        since: wish.no_cache.then(|| work.clock.now()),
        asks: !wish.asks_nobody,
        progress,
    };
    match subject {
        Subject::Range(range) => looking.at_range(range).await,
        Subject::As(asn) => Ok(vec![looking.at_as(asn).await?]),
    }
}

struct Looking<'a> {
    work: &'a Work<'a>,
    settings: &'a config::Resolve,
    since: Option<Timestamp>,
    asks: bool,
    progress: &'a Progress,
}

impl Looking<'_> {
    async fn sources(&self) -> Result<Sources, Error> {
        let csirts = Csirts::load(self.work.templates)?;
        let now = self.work.clock.now();
        Ok(Sources::read(self.work.store, self.settings, csirts, now, self.since).await?)
    }

    async fn at_range(&self, range: AddressRange) -> Result<Vec<Lookup>, Error> {
        let mut heard: Vec<(AddressRange, Told)> = Vec::new();
        let mut sources = self.sources().await?;
        let mut asked: Vec<Subject> = Vec::new();
        let live = self.work.live();
        if self.asks && !live.is_empty() {
            let mut desk = self.work.desk()?;
            if let Some(since) = self.since {
                desk.ask_anew(since);
            }
            while asked.len() < MOST_ASKED {
                let spots = sources.spots(range).into_iter();
                let open = spots.filter(|(piece, _)| desk.may_ask(piece.first()));
                let mut wanted = open.filter_map(|(piece, spot)| {
                    let subject = self.missing(&sources, piece, spot)?;
                    (!asked.contains(&subject)).then_some((piece, subject))
                });
                let Some((piece, subject)) = wanted.next() else {
                    break;
                };
                asked.push(subject);
                let told = self.ask_all(&desk, &live, subject).await?;
                heard.push((piece, told));
                sources = self.sources().await?;
            }
        }
        let mut lookups = Vec::new();
        for (piece, spot) in sources.spots(range) {
            let here = || heard.iter().filter(|(about, _)| about.overlaps(piece));
            let later = || here().flat_map(|(_, told)| &told.later);
            let (said, says) = settled(sources.ask(spot), later);
            let judged = sources.judge(&says, sources.last_resorts(spot));
            lookups.push(Lookup {
                subject: Subject::Range(piece),
                chain: self.chain(&sources, spot).await?,
                country: sources.country(spot),
                asn: sources.origin(spot),
                said,
                verdict: judged.verdict,
                reason: judged.reason,
                rungs: judged.rungs,
                passed_over: judged.passed_over,
                form: judged.form,
                heard: here().flat_map(|(_, told)| told.heard.clone()).collect(),
            });
        }
        Ok(lookups)
    }

    /// The networks at a spot with all that is known of them, from the inside out.
    async fn chain(&self, sources: &Sources, spot: Spot) -> Result<Vec<Known>, Error> {
        let ids: Vec<i64> = sources.chain(spot).iter().map(|one| one.id).collect();
        let mut networks = self.work.store.networks(&ids).await?;
        networks.sort_by_key(|one| ids.iter().position(|id| *id == one.id));
        let known = networks.into_iter().map(|one| Known {
            network: one.network,
            source: one.source,
            told_at: one.told_at,
        });
        Ok(known.collect())
    }

    /// What has to be asked before a spot can be judged.
    fn missing(&self, sources: &Sources, piece: AddressRange, spot: Spot) -> Option<Subject> {
        let says = sources.ask(spot);
        if says.iter().any(|(_, one)| *one == Says::Unasked) {
            return Some(Subject::Range(AddressRange::single(piece.first())));
        }
        let is_over = says
            .iter()
            .any(|(_, one)| !matches!(one, Says::Nobody(_) | Says::Silent(_)));
        let asn = sources
            .origin(spot)
            .filter(|_| !is_over && sources.climbs_to_as())?;
        (!sources.is_as_known(asn)).then_some(Subject::As(asn))
    }

    async fn ask_all(
        &self,
        desk: &super::Desk,
        live: &[SourceName],
        subject: Subject,
    ) -> Result<Told, Error> {
        let mut told = Told::default();
        let patience = self.settings.patience.min(MOST_PATIENCE);
        let give_up = self.work.clock.now().plus(patience);
        for source in live {
            let asked = desk.ask(*source, subject, give_up, &mut told.heard, self.progress);
            match asked.await? {
                Inquiry::Known(answer) if is_enough(&answer) => break,
                Inquiry::Known(_) | Inquiry::Nobody => {}
                Inquiry::Later { until, why, .. } => {
                    told.later.push((*source, Says::Later { until, why }));
                }
            }
        }
        Ok(told)
    }

    async fn at_as(&self, asn: u32) -> Result<Lookup, Error> {
        let subject = Subject::As(asn);
        let live = self.work.live();
        let mut told = Told::default();
        if self.asks && !live.is_empty() {
            let mut desk = self.work.desk()?;
            if let Some(since) = self.since {
                desk.ask_anew(since);
            }
            told = self.ask_all(&desk, &live, subject).await?;
        }
        let sources = self.sources().await?;
        let system = self.work.store.systems(&[asn]).await?;
        let (said, says) = settled(sources.ask_about_as(asn, system.first()), || {
            told.later.iter()
        });
        let judged = sources.judge(&says, Vec::new());
        Ok(Lookup {
            subject,
            chain: Vec::new(),
            country: sources.country_of_as(asn, system.first()),
            asn: Some(asn),
            said,
            verdict: judged.verdict,
            reason: judged.reason,
            rungs: judged.rungs,
            passed_over: judged.passed_over,
            form: judged.form,
            heard: told.heard,
        })
    }
}

/// What was heard in this lookup, and which sources could not be asked.
#[derive(Debug, Default)]
struct Told {
    heard: Vec<Heard>,
    later: Vec<(SourceName, Says)>,
}

/// What was not asked by now will not be: it is said why.
fn settled<'t, I: Iterator<Item = &'t (SourceName, Says)>>(
    says: Vec<(SourceName, Says)>,
    later: impl Fn() -> I,
) -> (Vec<Said>, Vec<(SourceName, Says)>) {
    let settle = |(source, one)| {
        let one = match one {
            Says::Unasked => later().find(|(asked, _)| *asked == source).map_or_else(
                || Says::Silent(shown(&Says::Unasked)),
                |(_, why)| why.clone(),
            ),
            other => other,
        };
        (source, one)
    };
    let says: Vec<(SourceName, Says)> = says.into_iter().map(settle).collect();
    let said = says.iter().map(|(source, one)| Said {
        source: *source,
        answer: shown(one),
    });
    (said.collect(), says)
}

fn shown(one: &Says) -> String {
    match one {
        Says::Whom(rungs) | Says::Perhaps(rungs) => rungs
            .first()
            .map(|rung| rung.reason.clone())
            .unwrap_or_default(),
        Says::Never(text) | Says::Nobody(text) | Says::Silent(text) => text.clone(),
        Says::Form { reason, .. } => reason.clone(),
        Says::Later { until, why } => format!("{why}; not before {until}"),
        Says::Unasked => format!("not asked; a lookup asks about {MOST_ASKED} networks at most"),
    }
}

/// An answer about an AS, as a source says it.
pub(super) fn about_as(answer: &Answer) -> Says {
    let rungs = |mailboxes: &[crate::model::Mailbox]| {
        let rung = |mailbox: &crate::model::Mailbox| Rung {
            via: crate::model::Via::As,
            mailbox: mailbox.clone(),
            locale: String::new(),
            format: None,
            answers_for: match answer.subject {
                Subject::As(asn) => format!("AS{asn}"),
                Subject::Range(range) => range.to_string(),
            },
            reason: format!("{} of {}", answer.reason, answer.asked_at.date()),
        };
        mailboxes.iter().map(rung).collect()
    };
    match &answer.outcome {
        AnswerOutcome::Contact(_, mailboxes) => Says::Whom(rungs(mailboxes)),
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
