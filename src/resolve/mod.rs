//! Stage 2. Suspects in, networks and contacts out.

#[allow(dead_code, reason = "filled in the next commits")]
mod answer;
mod dump;
mod held;
mod load;
mod overrides;
mod segments;
mod source;
mod table;

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use crate::config::SourceName;
use crate::model::{
    AddressRange, Campaign, CampaignState, Finding, Network, Progress, Timestamp, Verdict,
};
use crate::store::{Error, Piece, Store};
pub use dump::{TableError, TableFiles, load_tables};
pub use load::{TableDone, load_table};
pub use overrides::{NewOverride, Row as OverrideRow, read as read_overrides};
use source::{Answer, Sources, Spot, weigh};
pub use table::read as read_table;

/// Suspects taken from the store at a time, in address order.
const PAGE: i64 = 10_000;

/// What one run did.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Done {
    pub suspects: u64,
    /// Ranges over several networks, and the pieces they were cut into.
    pub cut: u64,
    pub pieces: u64,
    /// Table or overrides had changed, so all was resolved anew.
    pub anew: bool,
}

/// Finds for each suspect that waits who answers for it, and tries again what was not found. When
/// table or overrides have changed since the last time, all is resolved anew; when there is nothing
/// to do, nothing changes, and a submission stands.
///
/// # Errors
/// [`Error::Refused`] once the campaign is approved; the database's. What is placed by then stays.
pub async fn run_once(
    store: &Store,
    order: &[SourceName],
    campaign: &Campaign,
    by: &str,
    now: Timestamp,
    progress: &Progress,
) -> Result<Done, Error> {
    let changed = store.contacts_changed_at(now).await?;
    let anew = campaign
        .resolved_at
        .is_some_and(|resolved| changed.is_some_and(|changed| changed >= resolved));
    let submitted = campaign.state == CampaignState::Submitted;
    if submitted && !anew && !is_anything_open(store, campaign, now).await? {
        return Ok(Done::default());
    }
    store
        .reopen(&campaign.name, by, "resolved again", now)
        .await?;
    // A first run that was stopped left no time to compare with: what it found may be outdated, too.
    let keep_matched = campaign.resolved_at.is_some() && !anew;
    store.forget_findings(campaign.id, keep_matched).await?;
    progress.expect(store.count_waiting(campaign.id).await?);

    let sources = Sources::read(store, order, now).await?;
    let mut known: HashMap<Spot, i64> = HashMap::new();
    let mut done = Done {
        anew,
        ..Done::default()
    };
    let mut after = None;
    while !progress.is_stopped() {
        let page = store.waiting(campaign.id, after, PAGE).await?;
        let Some(last) = page.last() else {
            store.mark_resolved(campaign.id, now).await?;
            break;
        };
        after = Some(*last);
        let spots: Vec<Vec<(AddressRange, Spot)>> =
            page.iter().map(|one| sources.spots(one.range)).collect();
        learn(
            store,
            campaign.id,
            &sources,
            spots.iter().flatten().map(|(_, spot)| *spot),
            &mut known,
        )
        .await?;

        let (mut whole, mut cut) = (Vec::new(), Vec::new());
        for (suspect, spots) in page.iter().zip(&spots) {
            let pieces = spots.iter().filter_map(|(range, spot)| {
                Some(Piece {
                    suspect: suspect.id,
                    range: *range,
                    finding: *known.get(spot)?,
                })
            });
            if spots.len() == 1 {
                whole.extend(pieces);
            } else {
                done.cut += 1;
                cut.extend(pieces);
            }
        }
        done.suspects += page.len() as u64;
        done.pieces += cut.len() as u64;
        store.place(&whole, &cut, now).await?;
        progress.add(page.len() as u64);
    }
    Ok(done)
}

async fn is_anything_open(
    store: &Store,
    campaign: &Campaign,
    now: Timestamp,
) -> Result<bool, Error> {
    let ask_at = store.next_question(campaign.id).await?;
    Ok(ask_at.is_some_and(|at| at <= now) || store.count_waiting(campaign.id).await? > 0)
}

/// What [`run_once`] would find if it went over all suspects anew: how many of each verdict, the
/// pieces of cut ranges counted. Nothing is written down.
///
/// # Errors
/// The database's.
pub async fn foresee(
    store: &Store,
    order: &[SourceName],
    campaign: &Campaign,
    now: Timestamp,
    progress: &Progress,
) -> Result<BTreeMap<&'static str, u64>, Error> {
    let sources = Sources::read(store, order, now).await?;
    let mut counts: BTreeMap<&'static str, u64> =
        Verdict::WORDS.into_iter().map(|word| (word, 0)).collect();
    let mut after = None;
    loop {
        let page = store.whole_suspects(campaign.id, after, PAGE).await?;
        let Some(last) = page.last() else {
            return Ok(counts);
        };
        after = Some(*last);
        for (_, spot) in page.iter().flat_map(|one| sources.spots(one.range)) {
            let (verdict, _) = weigh(sources.ask(spot));
            *counts.entry(verdict.as_str()).or_default() += 1;
        }
        progress.add(page.len() as u64);
    }
}

/// Asks the sources about spots that have not come up before, and writes the findings down.
async fn learn(
    store: &Store,
    campaign: i64,
    sources: &Sources,
    spots: impl Iterator<Item = Spot>,
    known: &mut HashMap<Spot, i64>,
) -> Result<(), Error> {
    let mut new: HashMap<String, Spot> = HashMap::new();
    let mut findings = Vec::new();
    for spot in spots.filter(|spot| !known.contains_key(spot)) {
        let chain = sources.chain(spot);
        let subject = format!(
            "{}/{}",
            chain.first().map_or(0, |one| one.id),
            sources.rule(spot).map_or(0, |rule| rule.id)
        );
        if new.insert(subject.clone(), spot).is_some() {
            continue;
        }
        let (verdict, reason) = weigh(sources.ask(spot));
        let country = chain
            .iter()
            .map(|one| one.network.country.as_str())
            .find(|country| !country.is_empty());
        let finding = Finding {
            id: 0,
            network: chain.first().map(|one| one.id),
            country: country.unwrap_or_default().to_owned(),
            verdict,
            reason,
        };
        findings.push((subject, finding));
    }
    let ids = store.put_findings(campaign, &findings).await?;
    known.extend(
        ids.into_iter()
            .filter_map(|(subject, id)| Some((*new.get(&subject)?, id))),
    );
    Ok(())
}

/// What is known of one piece of a range, and how the choice was made.
#[derive(Clone, Debug, Serialize)]
pub struct Lookup {
    pub range: AddressRange,
    /// The network and those around it, from the inside out, each with who said so.
    pub chain: Vec<Rung>,
    /// What each source said, in the order they were asked.
    pub said: Vec<Said>,
    #[serde(flatten)]
    pub verdict: Verdict,
    pub reason: String,
}

#[derive(Clone, Debug, Serialize)]
pub struct Rung {
    #[serde(flatten)]
    pub network: Network,
    pub source: String,
    pub told_at: Timestamp,
}

#[derive(Clone, Debug, Serialize)]
pub struct Said {
    pub source: String,
    pub answer: String,
}

/// Shows the way from an address or range to the mailbox, without storing anything.
///
/// # Errors
/// The database's.
pub async fn lookup(
    store: &Store,
    order: &[SourceName],
    range: AddressRange,
    now: Timestamp,
) -> Result<Vec<Lookup>, Error> {
    let sources = Sources::read(store, order, now).await?;
    let spots = sources.spots(range).into_iter().map(|(range, spot)| {
        let answers = sources.ask(spot);
        let said = answers.iter().map(|(source, answer)| Said {
            source: format!("{source:?}").to_lowercase(),
            answer: match answer {
                Answer::Found(_, reason) | Answer::None(reason) => reason.clone(),
                Answer::Later(until, reason) => format!("{reason}; not before {until}"),
            },
        });
        let said = said.collect();
        let chain = sources.chain(spot).into_iter().map(|one| Rung {
            network: one.network.clone(),
            source: one.source.clone(),
            told_at: one.told_at,
        });
        let chain = chain.collect();
        let (verdict, reason) = weigh(answers);
        Lookup {
            range,
            chain,
            said,
            verdict,
            reason,
        }
    });
    Ok(spots.collect())
}
