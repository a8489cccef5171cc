//! What is due once, and then an end: for whoever has a clock of their own, as cron or a container.

use clap::Args;

use super::Ended;
use super::context::{Context, Usage, Watch};
use super::output::count;
use super::worker::{bury_runners, bury_the_dead, worker};
use crate::model::RunState;
use crate::scheduler::{self, Mailed, Ran, Sent, Which, Work, headline, sheet_text};
use crate::send::{self, Courier, Settings};
use crate::store::Store;

#[derive(Debug, Args)]
pub(super) struct Options {
    /// Only this schedule
    #[arg(long, value_name = "NAME")]
    schedule: Option<String>,
    /// Run it now, whatever its time; for one that was found too late, or to see it work
    #[arg(long, requires = "schedule")]
    now: bool,
    /// End with exit code 8 when there was nothing to do
    #[arg(long)]
    fail_empty: bool,
    /// Send nothing; what was approved leaves by `lapwing serve` or `lapwing send`
    #[arg(long)]
    no_send: bool,
}

pub(super) async fn run(context: &Context, options: &Options) -> anyhow::Result<Ended> {
    let store = context.store().await?;
    let worker = worker();
    let watch = context.listen();
    let work = Work {
        store: &store,
        config: context.config(),
        worker: &worker,
        clock: &context.clock,
        progress: &watch.progress,
    };
    let which = Which {
        schedule: options.schedule.as_deref(),
        at_once: options.now,
    };
    if context.dry_run {
        return foresee(context, &work, which).await;
    }
    bury_runners(context, &store).await?;
    let ran = scheduler::run_once(&work, which, context.clock.now()).await?;
    for one in &ran {
        context.out.remark(&sheet_text(one))?;
    }
    let mailed = scheduler::mail_sheets(&work).await?;
    let sent = match options.no_send || watch.progress.is_stopped() {
        true => Ok(Vec::new()),
        false => send(context, &store, &watch, which, &worker).await,
    };
    // A relay in trouble does not take back what was run.
    let (sent, trouble) = match sent {
        Ok(sent) => (sent, None),
        Err(error) => (Vec::new(), Some(error)),
    };
    let next = next(context, &store, which).await?;
    say(context, &ran, &sent, &mailed, &next)?;
    if let Some(error) = trouble {
        return Err(error);
    }
    if let Some(code) = watch.stopped_by() {
        return Ok(Ended::Stopped(code));
    }
    let is_bad = |one: &Ran| {
        let sheet = &one.run.sheet;
        one.run.state.needs_attention() || sheet.has_failed_files() || sheet.refused > 0
    };
    let is_empty = ran.iter().all(|one| one.run.state == RunState::Nothing) && sent.is_empty();
    Ok(
        if ran.iter().any(is_bad) || sent.iter().any(Sent::has_failures) {
            Ended::Partly
        } else if is_empty && options.fail_empty {
            Ended::Empty
        } else {
            Ended::Well
        },
    )
}

/// What the schedules' approved campaigns have due.
async fn send(
    context: &Context,
    store: &Store,
    watch: &Watch,
    which: Which<'_>,
    worker: &str,
) -> anyhow::Result<Vec<Sent>> {
    let schedule = match which.schedule {
        Some(name) => Some(store.schedule(name).await?.id),
        None => None,
    };
    let campaigns = store.scheduled_campaigns(schedule).await?;
    if campaigns.is_empty() {
        return Ok(Vec::new());
    }
    for name in campaigns {
        bury_the_dead(context, store, &store.campaign(&name).await?).await?;
    }
    context.config().check_reach()?;
    let mut settings = Settings::from_config(context.config(), worker).map_err(Usage)?;
    settings.signing.signer = context.signer()?;
    if let Some(folder) = &settings.journal {
        send::replay(store, folder).await?;
    }
    let courier = Courier::new(context.config());
    let work = send::Work {
        store,
        courier: &courier,
        settings: &settings,
        clock: &context.clock,
        progress: &watch.progress,
    };
    Ok(scheduler::send_due(&work, schedule).await?)
}

async fn next(
    context: &Context,
    store: &Store,
    which: Which<'_>,
) -> anyhow::Result<Vec<serde_json::Value>> {
    let schedules = match which.schedule {
        Some(name) => vec![store.schedule(name).await?],
        None => store.schedules().await?,
    };
    let next = schedules.iter().filter(|one| one.paused.is_none());
    let next = next.filter_map(|one| Some((one, one.plan.next(context.clock.now())?)));
    Ok(next
        .map(|(one, at)| serde_json::json!({ "schedule": one.name, "at": at }))
        .collect())
}

fn say(
    context: &Context,
    ran: &[Ran],
    sent: &[Sent],
    mailed: &[Mailed],
    next: &[serde_json::Value],
) -> anyhow::Result<()> {
    let mut text = String::new();
    if ran.is_empty() {
        text.push_str("Nothing was due.\n");
    }
    for one in sent {
        let told = one.told.as_ref();
        let told = told.map_or_else(String::new, |told| format!("; not sent: {told}"));
        text.push_str(&format!(
            "sent       {}: {}{told}\n",
            one.campaign, one.done
        ));
    }
    for one in mailed {
        let told = match one.told.as_str() {
            "" => "to staff".to_owned(),
            told => format!("cannot be mailed now: {told}; the next run tries again"),
        };
        text.push_str(&format!("sheet      {} {told}\n", one.schedule));
    }
    if ran.is_empty() {
        match next.is_empty() {
            true => text.push_str("No schedule will ever be: lapwing schedule add\n"),
            false => {
                for one in next {
                    let (name, at) = (one["schedule"].as_str(), one["at"].as_str());
                    let words = (name.unwrap_or_default(), at.unwrap_or_default());
                    text.push_str(&format!("next       {} at {}\n", words.0, words.1));
                }
            }
        }
    }
    for one in ran.iter().filter(|one| one.run.state.needs_attention()) {
        eprintln!("error: {}", headline(one));
    }
    let told = serde_json::json!({ "runs": ran, "sent": sent, "mailed": mailed, "next": next });
    if context.out.json || !text.is_empty() {
        context.out.say(&told, text)?;
    }
    Ok(())
}

async fn foresee(context: &Context, work: &Work<'_>, which: Which<'_>) -> anyhow::Result<Ended> {
    let all = scheduler::foresee(work, which, context.clock.now()).await?;
    let due: Vec<_> = all
        .iter()
        .filter_map(|(one, due)| Some((one, (*due)?)))
        .collect();
    let mut text = format!("{} would be run\n", count(due.len() as i64, "schedule"));
    for (one, at) in &due {
        text.push_str(&format!("{}, due {at}, from {}\n", one.name, one.feed));
    }
    let told: Vec<_> = due
        .iter()
        .map(|(one, at)| serde_json::json!({ "schedule": one.name, "due_at": at }))
        .collect();
    context.out.say(&serde_json::json!({ "due": told }), text)?;
    Ok(Ended::Well)
}
