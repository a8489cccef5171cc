//! A run's suspects into letters, and its letters into the queue: by the standing approval, or by a person.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Fault, Work, campaign, end, latest};
use crate::approve::{self, Preflight, Review};
use crate::compose;
use crate::config::Mode;
use crate::model::{
    Campaign, CampaignState, DecisionKind, Extent, Progress, Run, RunState, RunStep, Schedule,
};
use crate::openpgp;
use crate::resolve;
use crate::store;
use crate::templates::Templates;

/// Finds who answers for the run's suspects.
pub(super) async fn resolve(
    work: &Work<'_>,
    schedule: &Schedule,
    run: &mut Run,
    progress: &Arc<Progress>,
) -> Result<(), Fault> {
    let campaign = campaign(work, run).await?;
    if is_beyond(&campaign) {
        run.step = RunStep::Approve;
        return Ok(());
    }
    let templates = templates(work)?;
    let resolving = resolve::Work {
        store: work.store,
        templates: &templates,
        settings: &work.config.resolve,
        allow_documentation: work.config.intake.allow_documentation,
        by: &schedule.author,
        worker: work.worker,
        clock: work.clock,
        wants_exchangers: work.config.knows_by_mx(),
    };
    match resolve::run_once(&resolving, &campaign, progress).await {
        Ok(_) => {
            run.step = RunStep::Compose;
            Ok(())
        }
        Err(resolve::Error::Store(error)) => Err(error.into()),
        Err(error) => Err(Fault::Failed(format!("resolve: {error}"))),
    }
}

/// Writes the letters; without one the run ends.
pub(super) async fn compose(
    work: &Work<'_>,
    schedule: &Schedule,
    run: &mut Run,
    progress: &Arc<Progress>,
) -> Result<(), Fault> {
    let one = campaign(work, run).await?;
    if is_beyond(&one) {
        run.step = RunStep::Approve;
        return Ok(());
    }
    let templates = templates(work)?;
    let mut settings = compose::Settings::from_config(work.config).map_err(Fault::Failed)?;
    settings.fingerprint = fingerprint(work, run)?;
    let composing = compose::Work {
        store: work.store,
        templates: &templates,
        settings: &settings,
        dry_run: false,
    };
    let now = work.clock.now();
    let done = compose::run_once(&composing, &one, &schedule.author, now, progress).await;
    let done = done.map_err(|error| match error {
        compose::Error::Store(error) => Fault::Store(error),
        error @ compose::Error::Letter { .. } => Fault::Failed(error.to_string()),
    })?;
    if progress.is_stopped() {
        return Err(Fault::Stopped);
    }
    count(work, run).await?;
    if done.letters > 0 {
        run.step = RunStep::Approve;
        return Ok(());
    }
    let sheet = &run.sheet;
    let told = format!(
        "there is nobody to write to: of {} suspects {} are unknown, {} withheld, {} deferred",
        sheet.unknown + sheet.withheld + sheet.deferred,
        sheet.unknown,
        sheet.withheld,
        sheet.deferred
    );
    drop_campaign(work, schedule, run, &told).await?;
    end(work, run, RunState::Nothing, told);
    Ok(())
}

/// Vouches for the letters in the name of the schedule's author, and has them approved by whoever gave the
/// standing approval, where it covers them. Else they wait for a person.
pub(super) async fn approve(
    work: &Work<'_>,
    schedule: &Schedule,
    run: &mut Run,
    progress: &Arc<Progress>,
) -> Result<(), Fault> {
    count(work, run).await?;
    let templates = templates(work)?;
    let mut review = Review {
        languages: compose::languages(&templates),
        reviewed: compose::reviewed(&templates),
        is_live: work.config.mode == Mode::Live,
        accepted: BTreeSet::new(),
    };
    let mut one = campaign(work, run).await?;
    let now = work.clock.now();
    if one.state == CampaignState::Draft {
        let by = schedule.author.as_str();
        let told = approve::submit(work.store, &one, by, &review, now, progress).await;
        note(run, &refused_is_failure(told)?);
        one = campaign(work, run).await?;
    }
    match one.state {
        CampaignState::Submitted => {}
        // Somebody was quicker, or this run before its worker died.
        CampaignState::Approved | CampaignState::Paused | CampaignState::Settled => {
            let told = format!("{} are approved", letters(run));
            end(work, run, RunState::Queued, told);
            return Ok(());
        }
        CampaignState::Draft | CampaignState::Cancelled => {
            let told = format!("\"{}\" is {} since", one.name, one.state);
            return Err(Fault::Failed(told));
        }
    }
    let why = match standing(work, schedule, run, &templates.digest()).await? {
        Ok(standing) => {
            review.accepted = standing.unreviewed.iter().cloned().collect();
            let reason = format!(
                "standing approval of {} for the schedule {}",
                standing.at, schedule.name
            );
            let by = standing.by.as_str();
            let approved =
                approve::approve(work.store, &one, by, &reason, &review, now, progress).await;
            match approved {
                Ok(_) => {
                    let told = format!(
                        "{} in the queue, by {}'s standing approval",
                        letters(run),
                        standing.by
                    );
                    end(work, run, RunState::Queued, told);
                    return Ok(());
                }
                Err(store::Error::Refused(told)) => told,
                Err(error) => return Err(error.into()),
            }
        }
        Err(why) => why,
    };
    let told = format!(
        "{} wait for a second person{}: lapwing campaign approve {} --as SOMEBODY",
        letters(run),
        if why.is_empty() {
            String::new()
        } else {
            format!(" ({why})")
        },
        one.name
    );
    end(work, run, RunState::Waiting, told);
    Ok(())
}

/// The standing approval that covers the run's letters; or why none does, empty where there is none.
async fn standing(
    work: &Work<'_>,
    schedule: &Schedule,
    run: &Run,
    templates: &str,
) -> Result<Result<crate::model::Standing, String>, Fault> {
    let Some(standing) = work.store.standing(schedule.id).await? else {
        return Ok(Err(String::new()));
    };
    let now = work.clock.now();
    let extent = Extent {
        letters: run.sheet.letters,
        contacts: run.sheet.contacts,
        new_contacts: run.sheet.new_contacts,
        templates,
    };
    let mut beyond = standing.beyond(&extent, now);
    if standing.at > run.began_at {
        beyond.push("it was given when this run had begun".to_owned());
    }
    let latest = latest(schedule, run);
    if now.since(run.due_at) > latest {
        beyond.push(format!(
            "it is {} since they were due, more than {latest}",
            now.since(run.due_at)
        ));
    }
    if beyond.is_empty() {
        return Ok(Ok(standing));
    }
    Ok(Err(format!(
        "{}'s standing approval does not cover them: {}",
        standing.by,
        beyond.join("; ")
    )))
}

/// A run's campaign that comes to nothing does not stand about as a draft.
pub(super) async fn drop_campaign(
    work: &Work<'_>,
    schedule: &Schedule,
    run: &Run,
    why: &str,
) -> Result<(), Fault> {
    let one = campaign(work, run).await?;
    if one.state == CampaignState::Draft {
        let (by, now) = (schedule.author.as_str(), work.clock.now());
        let cancelled = DecisionKind::Cancelled;
        approve::decide(work.store, &one, cancelled, by, "", why, now).await?;
    }
    Ok(())
}

/// Its letters are vouched for: nothing of it may be done anew.
fn is_beyond(campaign: &Campaign) -> bool {
    campaign.state != CampaignState::Draft
}

/// Counts what was written.
async fn count(work: &Work<'_>, run: &mut Run) -> Result<(), Fault> {
    let Some(id) = run.campaign else {
        return Ok(());
    };
    let totals = work.store.totals(id).await?;
    let sheet = &mut run.sheet;
    sheet.with_contact = totals.of("matched");
    sheet.unknown = totals.of("unresolved") + totals.of("form");
    sheet.withheld = totals.of("withheld");
    sheet.deferred = totals.of("deferred");
    sheet.contacts = totals.notices;
    sheet.letters = totals.letters;
    sheet.new_contacts = work.store.count_new_contacts(id).await?;
    let countries = work.store.countries(id).await?.into_iter();
    sheet.countries = countries
        .map(|line| (line.country, line.letters, line.suspects))
        .collect();
    sheet.languages = work.store.letters_by_language(id).await?;
    Ok(())
}

fn note(run: &mut Run, preflight: &Preflight) {
    for warning in &preflight.warnings {
        if !run.sheet.notes.contains(warning) {
            run.sheet.notes.push(warning.clone());
        }
    }
}

fn refused_is_failure(told: Result<Preflight, store::Error>) -> Result<Preflight, Fault> {
    told.map_err(|error| match error {
        store::Error::Refused(told) => Fault::Failed(told),
        error => Fault::Store(error),
    })
}

fn letters(run: &Run) -> String {
    match run.sheet.letters {
        1 => "1 letter".to_owned(),
        n => format!("{n} letters"),
    }
}

fn templates(work: &Work<'_>) -> Result<Templates, Fault> {
    Templates::load(&work.config.letter.templates).map_err(|error| Fault::Failed(error.to_string()))
}

/// Of the key that letters are signed with; empty where they are not signed.
fn fingerprint(work: &Work<'_>, run: &mut Run) -> Result<String, Fault> {
    match openpgp::key(&work.config.sign, work.clock.now()) {
        Ok(key) => Ok(key.map_or_else(String::new, |key| key.facts().fingerprint.clone())),
        Err(error) if !work.config.sign.required => {
            let note = format!("sign.key: {error}; letters are not signed");
            if !run.sheet.notes.contains(&note) {
                run.sheet.notes.push(note);
            }
            Ok(String::new())
        }
        Err(error) => Err(Fault::Failed(format!("sign.key: {error}"))),
    }
}
