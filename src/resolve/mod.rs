//! Stage 2. Suspects in, networks and contacts out.
//!
//! What is known is placed first, out of memory; then the registries are asked about the rest, and
//! it is placed, too. `source` says who says what, `ladder` decides, `lanes` and `desk` ask.

mod answer;
mod atlas;
mod bootstrap;
mod csirt;
mod desk;
mod dns;
mod dump;
mod exchangers;
mod held;
mod keep;
mod ladder;
mod lanes;
mod learnt;
mod lease;
mod load;
mod lookup;
mod operators;
mod overrides;
mod pass;
mod rdap;
mod registries;
mod retry_after;
mod rules;
mod segments;
mod source;
mod systems;
mod table;
mod told;
mod walk;
mod ways;
mod whois;
mod words;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde::Serialize;

use crate::config::{self, SourceName};
use crate::metrics::{Stage, timed};
use crate::model::{Campaign, CampaignKind, CampaignState, Clock, Progress, Timestamp, Verdict};
use crate::store::{self, Store};
use crate::templates::{self, Templates};
pub use answer::{Form, Tried, try_answer};
use bootstrap::Bootstrap;
use csirt::Csirts;
use desk::Desk;
pub use desk::Heard;
pub use dns::asking;
pub use dump::{TableError, TableFiles, load_tables};

use lanes::{Unheard, ask_all};
use lease::Lease;
pub use load::{TableDone, load_table};
pub use lookup::{Lookup, Wish, lookup};
pub use overrides::{NewOverride, Row as OverrideRow, read as read_overrides};
use pass::Pass;
pub use segments::Segments;
use source::{Says, Sources, Spot};
pub use table::read as read_table;
use told::LIVE;

/// Suspects taken from the store at a time, in address order; between two, a stop is heard.
const PAGE: i64 = 10_000;

/// Going over the suspects: what is known, what was asked about networks, what was asked about
/// their AS.
const ROUNDS: usize = 3;

/// What the stage works with.
#[derive(Clone, Copy)]
pub struct Work<'a> {
    pub store: &'a Store,
    pub templates: &'a Templates,
    pub settings: &'a config::Resolve,
    /// Whether addresses of the documentation may be asked about.
    pub allow_documentation: bool,
    pub by: &'a str,
    /// Unique among all that ever ran.
    pub worker: &'a str,
    pub clock: &'a Clock,
    /// Whether sending will want to know by which hosts those who are written to take mail.
    pub wants_exchangers: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error(transparent)]
    Templates(#[from] templates::Error),
    /// What the settings name cannot be used.
    #[error("{0}")]
    Settings(String),
    /// A registry cannot be asked now.
    #[error("{0}")]
    Later(String),
}

/// What one run did.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Done {
    pub suspects: u64,
    /// Ranges over several networks, and the pieces they were cut into.
    pub cut: u64,
    pub pieces: u64,
    /// Questions put to registries.
    pub questions: u64,
    /// Table or overrides had changed, so all was resolved anew.
    pub anew: bool,
    /// Domains whose MX was asked for.
    pub exchangers: exchangers::Asked,
}

impl Work<'_> {
    async fn sources(&self) -> Result<Sources, Error> {
        let csirts = Csirts::load(self.templates)?;
        Ok(Sources::read(self.store, self.settings, csirts, self.clock.now(), None).await?)
    }

    fn desk(&self) -> Result<Desk, Error> {
        Desk::new(
            self.store,
            self.settings,
            self.allow_documentation,
            *self.clock,
            self.worker,
        )
        .map_err(Error::Settings)
    }

    /// The sources that are asked live, in their order.
    fn live(&self) -> Vec<SourceName> {
        let order = self.settings.sources.iter().copied();
        order.filter(|source| LIVE.contains(source)).collect()
    }
}

/// Finds for each suspect (or operator of an advisory's list) that waits who answers for it, and tries again what was not found. When
/// table or overrides have changed since the last time, all is resolved anew; when there is nothing
/// to do, nothing changes, and a submission stands. Registries are asked until all is known, or
/// they are closed for longer than the settings' patience.
///
/// One at a time resolves a campaign; whoever is killed leaves it to the next one after a while.
///
/// # Errors
/// [`store::Error::Refused`] once the campaign is approved, and while another process resolves it; the
/// database's. What is placed by then stays, and so do the answers.
pub async fn run_once(
    work: &Work<'_>,
    campaign: &Campaign,
    progress: &Arc<Progress>,
) -> Result<Done, Error> {
    let _timed = timed(Stage::Resolve);
    // What changes while a run is under way, even while it waits to begin, is newer than the run.
    let began = work.clock.now();
    let lease = Lease::take(work, campaign, progress).await?;
    let done = resolve_and_ask(work, campaign, began, progress).await;
    let given_back = lease.give_back().await;
    let done = done?;
    given_back?;
    Ok(done)
}

async fn resolve_and_ask(
    work: &Work<'_>,
    campaign: &Campaign,
    began: Timestamp,
    progress: &Arc<Progress>,
) -> Result<Done, Error> {
    // What is wrong with the settings is said before the work.
    let resolver = match work.wants_exchangers {
        true => Some(dns::resolver(&work.settings.dns).map_err(Error::Settings)?),
        false => None,
    };
    let mut done = resolve(work, &campaign.name, began, progress).await?;
    if let Some(resolver) = resolver.filter(|_| !progress.is_stopped()) {
        done.exchangers = exchangers::ask(work, &resolver, campaign, progress).await?;
    }
    Ok(done)
}

async fn resolve(
    work: &Work<'_>,
    campaign: &str,
    began: Timestamp,
    progress: &Arc<Progress>,
) -> Result<Done, Error> {
    let (store, now) = (work.store, work.clock.now());
    // Read under the lease: whoever had it before may have changed it.
    let campaign = &store.campaign(campaign).await?;
    let changed = store.contacts_changed_at(now).await?;
    let anew = campaign
        .resolved_at
        .is_some_and(|resolved| changed.is_some_and(|changed| changed >= resolved));
    let submitted = campaign.state == CampaignState::Submitted;
    if submitted && !anew && !is_anything_open(store, campaign, now).await? {
        return Ok(Done::default());
    }
    store
        .reopen(&campaign.name, work.by, "resolved again", now)
        .await?;
    let resolver = (campaign.id, work.worker);
    // A first run that was stopped left no time to compare with: what it found may be outdated, too.
    let keep_matched = campaign.resolved_at.is_some() && !anew;
    store.forget_findings(resolver, keep_matched).await?;

    let mut done = Done {
        anew,
        ..Done::default()
    };
    let live = work.live();
    let desk = match live.is_empty() {
        true => None,
        false => Some(Arc::new(work.desk()?)),
    };
    let mut unheard = Unheard::default();
    for round in 1..=ROUNDS {
        let sources = work.sources().await?;
        let asks = desk.as_deref().filter(|_| round < ROUNDS);
        let pass = Pass {
            work,
            campaign: campaign.id,
            sources: &sources,
            desk: desk.as_deref(),
            asks: asks.is_some(),
            unheard: &unheard,
        };
        let pending = match campaign.kind {
            CampaignKind::Advisory => pass.run_over_operators(&mut done, progress).await?,
            CampaignKind::Notice | CampaignKind::Reminder => pass.run(&mut done, progress).await?,
        };
        if progress.is_stopped() {
            return Ok(done);
        }
        let Some(desk) = desk.as_ref().filter(|_| !pending.is_empty()) else {
            break;
        };
        drop(sources);
        let heard = ask_all(
            desk,
            &live,
            pending,
            &unheard,
            work.settings.patience,
            progress,
        )
        .await?;
        done.questions += heard.questions;
        unheard.extend(heard);
        if progress.is_stopped() {
            return Ok(done);
        }
    }
    store.mark_resolved(resolver, began).await?;
    Ok(done)
}

async fn is_anything_open(
    store: &Store,
    campaign: &Campaign,
    now: Timestamp,
) -> Result<bool, store::Error> {
    let ask_at = store.next_question(campaign.id).await?;
    Ok(ask_at.is_some_and(|at| at <= now) || store.count_waiting(campaign.id).await? > 0)
}

/// What is wrong with the files that the settings name, each with what counts instead.
#[must_use]
pub fn complaints(settings: &config::Resolve) -> Vec<String> {
    Bootstrap::load(&settings.rdap.bootstrap).1
}

/// What [`run_once`] would find if it went over all suspects anew without asking anybody: how many of
/// each verdict, the pieces of cut ranges counted; `to ask` are those that need a registry. Nothing
/// is written down.
///
/// # Errors
/// The database's.
pub async fn foresee(
    work: &Work<'_>,
    campaign: &Campaign,
    progress: &Progress,
) -> Result<BTreeMap<&'static str, u64>, Error> {
    let sources = work.sources().await?;
    let mut counts: BTreeMap<&'static str, u64> =
        Verdict::WORDS.into_iter().map(|word| (word, 0)).collect();
    if campaign.kind == CampaignKind::Advisory {
        let count = |word| *counts.entry(word).or_default() += 1;
        operators::foresee(work, campaign, &sources, progress, count).await?;
        return Ok(counts);
    }
    let mut known: HashMap<Spot, &'static str> = HashMap::new();
    let mut after = None;
    loop {
        let page = work.store.whole_suspects(campaign.id, after, PAGE).await?;
        let Some(last) = page.last() else {
            return Ok(counts);
        };
        after = Some(*last);
        for (_, spot) in page.iter().flat_map(|one| sources.spots(one.range)) {
            let word = known.entry(spot).or_insert_with(|| {
                let says = sources.ask(spot);
                if says.iter().any(|(_, one)| *one == Says::Unasked) {
                    return "to ask";
                }
                let resorts = sources.last_resorts(spot);
                sources.judge(&says, resorts).verdict.as_str()
            });
            *counts.entry(*word).or_default() += 1;
        }
        progress.add(page.len() as u64);
    }
}
