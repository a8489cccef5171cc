//! Schedules: what is run when, by whose leave, and what its runs came to.

use clap::{Args, Subcommand};

use super::Ended;
use super::context::Context;
use super::output::count;
use super::planning::{self, Add, Change};
use super::standing::{self, Approve};
use crate::config::Mode;
use crate::model::{Paused, Schedule, Standing};
use crate::scheduler::{Ran, sheet_text};
use crate::store::Store;

/// Due times that are always shown.
const NEXT: usize = 5;

#[derive(Debug, Subcommand)]
pub(super) enum Action {
    /// Read a feed at its times, and write its letters
    Add(Add),
    /// All schedules, each with its next run
    List,
    /// One schedule: what it does, by whose leave, its next five runs and its last one
    Show {
        /// Its name
        name: String,
    },
    /// Change what is named, and nothing else; a standing approval ends
    Change(Change),
    /// Begin nothing of it until it is resumed; what is under way goes on
    Pause {
        /// Its name
        name: String,
        /// Why; it is kept
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Go on with it; what fell due meanwhile stays undone
    Resume {
        /// Its name
        name: String,
    },
    /// End it for good; its runs and campaigns stay
    Remove {
        /// Its name
        name: String,
    },
    /// As a second person, let its letters leave without asking each time, within limits
    Approve(Approve),
    /// What its runs came to, the newest first
    History(History),
}

#[derive(Debug, Args)]
pub(super) struct History {
    /// Its name
    name: String,
    /// How many runs
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(i64).range(1..=10_000))]
    last: i64,
    /// The whole sheet of each
    #[arg(long)]
    sheets: bool,
}

pub(super) async fn run(context: &Context, action: &Action) -> anyhow::Result<Ended> {
    let store = context.store().await?;
    match action {
        Action::Add(options) => planning::add(context, &store, options).await,
        Action::List => list(context, &store).await,
        Action::Show { name } => show(context, &store, name).await,
        Action::Change(options) => planning::change(context, &store, options).await,
        Action::Pause { name, reason } => pause(context, &store, name, reason).await,
        Action::Resume { name } => resume(context, &store, name).await,
        Action::Remove { name } => remove(context, &store, name).await,
        Action::Approve(options) => standing::approve(context, &store, options).await,
        Action::History(options) => history(context, &store, options).await,
    }
}

async fn list(context: &Context, store: &Store) -> anyhow::Result<Ended> {
    let all = store.schedules().await?;
    context.out.none(
        all.is_empty(),
        "No schedule yet: lapwing schedule add weekly --cron \"0 9 * * 1\" --feed FOLDER",
    )?;
    for one in &all {
        let standing = store.standing(one.id).await?;
        let next = match (&one.paused, one.plan.next(context.clock.now())) {
            (Some(paused), _) => format!("paused by {}", paused.by),
            (None, Some(next)) => format!("next {next}"),
            (None, None) => "never".to_owned(),
        };
        let last = store.runs(one.id, i64::MAX, 1).await?.pop();
        let last = last.map_or_else(String::new, |run| format!("; last: {}", run.state));
        let text = format!("{:<20} {:<28} {next}{last}", one.name, one.plan.to_string());
        context
            .out
            .line(&told(context, one, standing.as_ref()), text)?;
    }
    Ok(Ended::Well)
}

async fn show(context: &Context, store: &Store, name: &str) -> anyhow::Result<Ended> {
    let one = store.schedule(name).await?;
    let standing = store.standing(one.id).await?;
    let mut text = describe(context, &one, standing.as_ref());
    let last = store.runs(one.id, i64::MAX, 1).await?.pop();
    if let Some(run) = &last {
        text.push_str(&format!(
            "last run   due {}: {}; {}\n",
            run.due_at, run.state, run.told
        ));
    }
    let mut told = told(context, &one, standing.as_ref());
    told["last"] = serde_json::to_value(&last)?;
    context.out.say(&told, text)?;
    Ok(Ended::Well)
}

async fn pause(
    context: &Context,
    store: &Store,
    name: &str,
    reason: &str,
) -> anyhow::Result<Ended> {
    let one = store.schedule(name).await?;
    let paused = Paused {
        at: context.clock.now(),
        by: context.by.clone(),
        reason: reason.to_owned(),
    };
    if !context.dry_run {
        store.pause_schedule(&one, &paused).await?;
    }
    let told = serde_json::json!({ "schedule": name, "paused": paused });
    let text = format!(
        "{name} is paused: nothing of it is begun; what is under way goes on.\n\nTo go on: lapwing schedule resume {name}"
    );
    context.out.say(&told, text)?;
    Ok(Ended::Well)
}

async fn resume(context: &Context, store: &Store, name: &str) -> anyhow::Result<Ended> {
    let one = store.schedule(name).await?;
    let now = context.clock.now();
    if !context.dry_run {
        store.resume_schedule(&one, &context.by, now).await?;
    }
    let next = one.next(now, NEXT);
    let told = serde_json::json!({ "schedule": name, "next": next });
    let next: Vec<String> = next.iter().map(ToString::to_string).collect();
    let text = format!("{name} goes on; next {}", next.join(", "));
    context.out.say(&told, text)?;
    Ok(Ended::Well)
}

async fn remove(context: &Context, store: &Store, name: &str) -> anyhow::Result<Ended> {
    let one = store.schedule(name).await?;
    if !context.dry_run {
        store
            .remove_schedule(&one, &context.by, context.clock.now())
            .await?;
    }
    let told = serde_json::json!({ "removed": name });
    let text = format!("{name} is removed; its runs and campaigns stay");
    context.out.say(&told, text)?;
    Ok(Ended::Well)
}

async fn history(context: &Context, store: &Store, options: &History) -> anyhow::Result<Ended> {
    let one = store.schedule(&options.name).await?;
    let runs = store.runs(one.id, i64::MAX, options.last).await?;
    context
        .out
        .none(runs.is_empty(), "It has not been run yet.")?;
    for run in runs {
        let campaign = match run.campaign {
            Some(id) => Some(store.campaign_of(id).await?),
            None => None,
        };
        let line = format!(
            "{}  {:<26} {}{}",
            run.due_at,
            run.state.to_string(),
            run.told,
            match &campaign {
                Some(campaign) => format!(" [{} is {}]", campaign.name, campaign.state),
                None => String::new(),
            }
        );
        let ran = Ran {
            schedule: one.name.clone(),
            campaign: campaign.map(|campaign| campaign.name),
            run,
            next: one.next(context.clock.now(), NEXT),
            about: one.clone(),
        };
        let text = match options.sheets {
            true => format!("{}\n", sheet_text(&ran)),
            false => line,
        };
        context.out.line(&ran, text)?;
    }
    Ok(Ended::Well)
}

/// The schedule as JSON, with its next runs and its standing approval.
pub(super) fn told(
    context: &Context,
    one: &Schedule,
    standing: Option<&Standing>,
) -> serde_json::Value {
    let mut told = serde_json::json!(one);
    told["next"] = serde_json::json!(one.next(context.clock.now(), NEXT));
    told["standing"] = serde_json::json!(standing);
    told
}

pub(super) fn describe(context: &Context, one: &Schedule, standing: Option<&Standing>) -> String {
    let policy = &one.policy;
    let mut text = String::new();
    let mut line = |name: &str, words: &str| text.push_str(&format!("{name:<10} {words}\n"));
    line("schedule", &format!("{}, by {}", one.name, one.author));
    line("when", &one.plan.to_string());
    line("feed", &one.feed.to_string());
    let language = match policy.language.as_str() {
        "" => "in the recipient's language".to_owned(),
        language => format!("in {language}"),
    };
    line("letter", &format!("{}, {language}", one.letter));
    if policy.require_evidence {
        line(
            "evidence",
            "rows without a time, or without source and evidence, are refused",
        );
    }
    if policy.least > 1 {
        line(
            "least",
            &format!(
                "nobody is told of less than {}",
                count(policy.least, "observation")
            ),
        );
    }
    if policy.again_after > 0 {
        line(
            "again",
            &format!(
                "nobody is told again within {} unless there are new addresses",
                count(policy.again_after, "day")
            ),
        );
    }
    if !policy.remind.is_empty() {
        let days: Vec<String> = policy.remind.iter().map(ToString::to_string).collect();
        line(
            "reminders",
            &format!("on day {} after a notice", days.join(" and ")),
        );
    }
    line(
        "lateness",
        &format!(
            "found due more than {} late, it is not run",
            one.max_lateness
        ),
    );
    match standing {
        Some(standing) => line("approval", &standing::describe(standing)),
        None => line("approval", "each run's letters wait for a second person"),
    }
    if standing.is_some_and(|standing| standing.unreviewed.is_empty())
        && context.config().mode == Mode::Live
    {
        line(
            "",
            "letters in languages that nobody has reviewed still wait",
        );
    }
    if let Some(paused) = &one.paused {
        line(
            "paused",
            &format!("by {} since {}: {}", paused.by, paused.at, paused.reason),
        );
    }
    for (place, due) in one.next(context.clock.now(), NEXT).iter().enumerate() {
        line(if place == 0 { "next" } else { "" }, &due.to_string());
    }
    text
}
