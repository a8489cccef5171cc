//! Campaigns, and what people decide about them.

use std::io::IsTerminal;

use super::Ended;
use super::arguments::{Campaign as Action, Mark};
use super::context::{Context, Usage};
use super::output::count;
use super::{again, draw, key, waves};
use crate::approve::{self, Preflight, Review};
use crate::compose;
use crate::config::Mode;
use crate::model::{Campaign, CampaignKind, DecisionKind, NewCampaign, Tlp};
use crate::report::Report;
use crate::store::{Error, Store};

pub(super) async fn run(context: &Context, action: &Action) -> anyhow::Result<Ended> {
    let store = context.store().await?;
    match action {
        Action::New {
            name,
            letter,
            tlp,
            require_evidence,
            after,
            cover,
        } => {
            let after = after_of(&store, letter, after.as_deref()).await?;
            let settings = context.config();
            let kind = CampaignKind::of_letter(letter);
            if *cover && kind == CampaignKind::Advisory {
                anyhow::bail!(Usage(
                    "--cover: the copy tells a country's agencies what was observed at which operator, and an advisory \
                     tells of no observation; it is for notices and reminders".to_owned()
                ));
            }
            let campaign = NewCampaign {
                tlp: match (tlp, kind) {
                    (Some(Mark(tlp)), _) => *tlp,
                    (None, CampaignKind::Advisory) => Some(Tlp::Clear),
                    (None, _) => settings.letter.tlp().map_err(Usage)?,
                },
                require_evidence: *require_evidence || settings.intake.require_evidence,
                after,
                cover: kind != CampaignKind::Advisory && (*cover || settings.letter.cover),
                ..NewCampaign::new(name, letter)
            };
            new(context, &store, &campaign).await
        }
        Action::Draw {
            name,
            country,
            systems,
        } => draw::draw(context, &store, name, country, *systems).await,
        Action::List => {
            let campaigns = store.campaigns().await?;
            context.out.none(
                campaigns.is_empty(),
                "No campaign yet: lapwing campaign new NAME",
            )?;
            for one in campaigns {
                let text = format!(
                    "{:<24} {:<10} {}  by {}",
                    one.name, one.state, one.created_at, one.created_by
                );
                context.out.line(&one, text)?;
            }
            Ok(Ended::Well)
        }
        Action::Show { name } => {
            let report = Report::gather(&store, name, context.clock.now()).await?;
            context.out.say(&report, report.to_text())?;
            Ok(Ended::Well)
        }
        Action::Waves(options) => waves::run(context, &store, options).await,
        Action::Submit { name } => submit(context, &store, name).await,
        Action::Approve {
            name,
            reason,
            unreviewed,
        } => {
            let review = review(context, unreviewed)?;
            approve(context, &store, name, reason, &review).await
        }
        Action::Return { name, reason } => {
            decide(context, &store, name, DecisionKind::Returned, reason).await
        }
        Action::Pause { name, reason } => {
            decide(context, &store, name, DecisionKind::Paused, reason).await
        }
        Action::Resume { name } => decide(context, &store, name, DecisionKind::Resumed, "").await,
        Action::Retry(options) => again::retry(context, &store, options).await,
        Action::Cancel { name, reason, yes } => {
            confirm(context, name, *yes)?;
            decide(context, &store, name, DecisionKind::Cancelled, reason).await
        }
    }
}

/// The campaign that a reminder follows, and only a reminder does.
async fn after_of(store: &Store, letter: &str, first: Option<&str>) -> anyhow::Result<Option<i64>> {
    match (CampaignKind::of_letter(letter), first) {
        (CampaignKind::Reminder, None) => anyhow::bail!(Usage(
            "a reminder follows a campaign: name it with --after FIRST".to_owned()
        )),
        (CampaignKind::Reminder, Some(first)) => {
            let first = store.campaign(first).await?;
            if first.kind == CampaignKind::Advisory {
                anyhow::bail!(Usage(format!(
                    "\"{}\" is an advisory: it told of no address that could be seen again",
                    first.name
                )));
            }
            Ok(Some(first.id))
        }
        (_, None) => Ok(None),
        (_, Some(_)) => anyhow::bail!(Usage(format!(
            "the letter \"{letter}\" follows no campaign: say --letter reminder, or leave --after out"
        ))),
    }
}

async fn new(context: &Context, store: &Store, new: &NewCampaign) -> anyhow::Result<Ended> {
    let (name, letter) = (new.name.as_str(), new.letter.as_str());
    let is_plain = |c: char| c.is_alphanumeric() || "-_.".contains(c);
    if name.is_empty()
        || name.chars().count() > 64
        || !name.chars().all(is_plain)
        || name.starts_with('-')
    {
        anyhow::bail!(Usage(format!(
            "\"{name}\" cannot be a campaign's name: up to 64 letters, digits, dots, hyphens and underscores"
        )));
    }
    let templates = context.templates()?;
    if !templates.has(&format!("letter/{letter}/en/body.hbs")) {
        let letters: std::collections::BTreeSet<&str> = templates
            .names("letter/")
            .filter_map(|name| name.split('/').nth(1))
            .collect();
        let letters: Vec<&str> = letters.into_iter().collect();
        anyhow::bail!(Usage(format!(
            "there is no letter \"{letter}\"; there are: {}",
            letters.join(", ")
        )));
    }
    if context.dry_run {
        if store.campaign(name).await.is_ok() {
            anyhow::bail!(Error::Taken {
                what: "campaign",
                name: name.to_owned()
            });
        }
        context.out.say(
            &serde_json::json!({ "name": name, "letter": letter, "tlp": new.tlp }),
            format!("{name} could be begun"),
        )?;
        return Ok(Ended::Well);
    }
    let campaign = store
        .add_campaign(new, &context.by, context.clock.now())
        .await?;
    let mark = new
        .tlp
        .map_or_else(String::new, |tlp| format!("; its letters are {tlp}"));
    let next = match campaign.kind {
        CampaignKind::Advisory => format!(
            "Next: lapwing import {name} FILE, with the operators' AS, prefixes or mailboxes,\n      \
             or lapwing campaign draw {name} --country CODES"
        ),
        CampaignKind::Notice | CampaignKind::Reminder => {
            format!("Next: lapwing import {name} FILE")
        }
    };
    context.out.say(
        &campaign,
        format!("Campaign {name} is begun{mark}.\n\n{next}"),
    )?;
    Ok(Ended::Well)
}

async fn submit(context: &Context, store: &Store, name: &str) -> anyhow::Result<Ended> {
    let by = context.decider()?;
    let campaign = store.campaign(name).await?;
    let watch = context.watch("letters");
    let review = review(context, &[])?;
    let now = context.clock.now();
    let mut preflight = if context.dry_run {
        approve::preflight(store, &campaign, &review, now, &watch.progress).await?
    } else {
        approve::submit(store, &campaign, by, &review, now, &watch.progress).await?
    };
    drop(watch);
    preflight
        .warnings
        .extend(key::warnings(context, store, &campaign).await?);
    let mut text = describe(&preflight);
    if !context.dry_run {
        text.push_str(&format!(
            "\n{name} is submitted by {by}.\n\nNext, somebody else: lapwing campaign approve {name} --as WHO\n"
        ));
    }
    context.out.say(&preflight, text)?;
    may_go_on(&preflight, name, "submitted")
}

async fn approve(
    context: &Context,
    store: &Store,
    name: &str,
    reason: &str,
    review: &Review,
) -> anyhow::Result<Ended> {
    let by = context.decider()?;
    let campaign = store.campaign(name).await?;
    let watch = context.watch("letters");
    let now = context.clock.now();
    let mut preflight = if context.dry_run {
        approve::may_approve(store, &campaign, by).await?;
        let preflight = approve::preflight(store, &campaign, review, now, &watch.progress).await?;
        review.accepts(name, &preflight)?;
        preflight
    } else {
        let progress = &watch.progress;
        approve::approve(store, &campaign, by, reason, review, now, progress).await?
    };
    drop(watch);
    preflight
        .warnings
        .extend(key::warnings(context, store, &campaign).await?);
    let mut text = describe(&preflight);
    if !context.dry_run {
        text.push_str(&format!(
            "\n{name} is approved by {by}; its letters are in the queue.\n\nNext: lapwing send {name}\n"
        ));
    }
    context.out.say(&preflight, text)?;
    may_go_on(&preflight, name, "approved")
}

/// Who has read which language, and which of the others the second person accepts.
fn review(context: &Context, accepted: &[String]) -> anyhow::Result<Review> {
    let templates = context.templates()?;
    let languages = compose::languages(&templates);
    let accepted = accepted.iter().map(|typed| {
        let typed = typed.trim();
        let known = languages
            .iter()
            .find(|known| known.eq_ignore_ascii_case(typed));
        known.map_or(typed, String::as_str).to_owned()
    });
    Ok(Review {
        accepted: accepted.filter(|locale| !locale.is_empty()).collect(),
        reviewed: compose::reviewed(&templates),
        is_live: context.config().mode == Mode::Live,
        languages,
    })
}

/// After a dry run that found a problem the answer is the same as without it.
fn may_go_on(preflight: &Preflight, name: &str, wanted: &str) -> anyhow::Result<Ended> {
    match preflight.problems.first() {
        None => Ok(Ended::Well),
        Some(problem) => {
            Err(Error::Refused(format!("\"{name}\" cannot be {wanted}: {problem}")).into())
        }
    }
}

fn describe(preflight: &Preflight) -> String {
    let mut text = format!(
        "{} in {}, {} {}\ndigest of the set: {}\n",
        count(preflight.letters, "letter"),
        count(preflight.notices, "notice"),
        preflight.kind.covers(),
        count(preflight.suspects, preflight.kind.rows()),
        preflight.digest
    );
    for (wave, letters) in &preflight.waves {
        text.push_str(&format!(
            "from {} on, {}: {}\n",
            wave.starts_at,
            wave.takes,
            count(*letters, "letter")
        ));
    }
    for problem in &preflight.problems {
        text.push_str(&format!("problem: {problem}\n"));
    }
    for warning in &preflight.warnings {
        text.push_str(&format!("note: {warning}\n"));
    }
    text
}

async fn decide(
    context: &Context,
    store: &Store,
    name: &str,
    kind: DecisionKind,
    reason: &str,
) -> anyhow::Result<Ended> {
    let campaign: Campaign = store.campaign(name).await?;
    let state = if context.dry_run {
        approve::foresee(&campaign, kind)?
    } else {
        approve::decide(
            store,
            &campaign,
            kind,
            &context.by,
            "",
            reason,
            context.clock.now(),
        )
        .await?
    };
    let told = serde_json::json!({ "campaign": name, "decision": kind, "state": state });
    context.out.say(
        &told,
        match kind.as_str() == state.as_str() {
            true => format!("{name} is {state}"),
            false => format!("{name} is {} and so {state}", kind.as_str()),
        },
    )?;
    Ok(Ended::Well)
}

/// What cannot be taken back is asked twice, and refused where nobody can be asked.
fn confirm(context: &Context, name: &str, yes: bool) -> anyhow::Result<()> {
    if yes || context.dry_run {
        return Ok(());
    }
    if !std::io::stdin().is_terminal() {
        anyhow::bail!(Usage(format!(
            "cancelling \"{name}\" cannot be undone; say --yes"
        )));
    }
    eprint!("Cancelling \"{name}\" cannot be undone. Type its name to go on: ");
    let mut typed = String::new();
    std::io::stdin().read_line(&mut typed)?;
    if typed.trim() != name {
        anyhow::bail!(Usage("not cancelled".to_owned()));
    }
    Ok(())
}
