//! The stages that go over a whole campaign, and how far they have come.

use std::time::Duration;

use clap::Args;

use super::Ended;
use super::arguments::OfCampaign;
use super::context::{Context, Watch};
use super::output::{count, print_raw};
use super::worker::{bury_askers, bury_the_dead, worker};
use crate::model::{Campaign, CampaignState};
use crate::report::{Letters, Report};
use crate::send::{Courier, Done, Settings, Work};
use crate::store::{self, Store};
use crate::{compose, resolve, retry, send};

/// How often `status --watch` looks.
const LOOK: Duration = Duration::from_secs(1);

#[derive(Debug, Args)]
pub(super) struct Send {
    /// Its name
    pub(super) campaign: String,
    /// Stay until every letter has come to its end, retries included
    #[arg(long)]
    pub(super) wait: bool,
}

#[derive(Debug, Args)]
pub(super) struct Status {
    /// Without one: a line for each campaign
    pub(super) campaign: Option<String>,
    /// Show it anew every second until the campaign has come to its end
    #[arg(long, requires = "campaign")]
    pub(super) watch: bool,
}

pub(super) async fn resolve(context: &Context, options: &OfCampaign) -> anyhow::Result<Ended> {
    let store = context.store().await?;
    let campaign = store.campaign(&options.campaign).await?;
    let (templates, worker) = (context.templates()?, worker());
    let work = context.resolving(&store, &templates, &worker);
    for complaint in resolve::complaints(work.settings) {
        eprintln!("warning: {complaint}");
    }
    let watch = context.watch("resolving");
    if context.dry_run {
        let counts = resolve::foresee(&work, &campaign, &watch.progress).await?;
        drop(watch);
        let lines: Vec<String> = counts
            .iter()
            .map(|(verdict, n)| format!("{n:>9}  {verdict}"))
            .collect();
        context.out.say(&counts, lines.join("\n"))?;
        return Ok(Ended::Well);
    }
    bury_askers(context, &store, Some(&campaign)).await?;
    let done = resolve::run_once(&work, &campaign, &watch.progress).await?;
    if let Some(code) = watch.stopped_by() {
        context.out.say(&done, "Stopped; run it again to go on.")?;
        return Ok(Ended::Stopped(code));
    }
    drop(watch);
    let report = Report::gather(&store, &campaign.name, context.clock.now()).await?;
    let totals = &report.totals;
    let mut text = format!(
        "{} resolved{}; now {} with a contact, {} without, {} withheld, {} deferred\n",
        count(done.suspects as i64, campaign.kind.rows()),
        if done.anew {
            ", all of them anew, for contacts have changed"
        } else {
            ""
        },
        totals.of("matched"),
        totals.of("unresolved"),
        totals.of("withheld"),
        totals.of("deferred")
    );
    if done.cut > 0 {
        text.push_str(&format!(
            "{} over several networks, cut into {} pieces\n",
            count(done.cut as i64, "range"),
            done.pieces
        ));
    }
    if totals.of("form") > 0 {
        text.push_str(&format!(
            "{} in networks that want a web form filled in instead of mail\n",
            count(totals.of("form"), campaign.kind.rows())
        ));
    }
    if done.questions > 0 {
        text.push_str(&format!(
            "{} put to registries\n",
            count(done.questions as i64, "question")
        ));
    }
    if done.exchangers.domains > 0 {
        text.push_str(&format!("{}\n", done.exchangers));
    }
    if let Some(again) = report.ask_again {
        text.push_str(&format!(
            "What is deferred may be asked again from {again} on: run it again then\n"
        ));
    }
    for line in &report.not_written {
        text.push_str(&format!(
            "  {:>7}  {}: {}\n",
            line.suspects, line.verdict, line.reason
        ));
    }
    text.push_str(&format!("\nNext: lapwing compose {}\n", campaign.name));
    let told = serde_json::json!({ "done": done, "suspects": totals.suspects, "ask_again": report.ask_again, "not_written": report.not_written });
    context.out.say(&told, text)?;
    Ok(Ended::Well)
}

pub(super) async fn compose(context: &Context, options: &OfCampaign) -> anyhow::Result<Ended> {
    let store = context.store().await?;
    let campaign = store.campaign(&options.campaign).await?;
    let mut settings =
        compose::Settings::from_config(context.config()).map_err(super::context::Usage)?;
    if let Some(key) = context.key()? {
        key.facts()
            .fingerprint
            .clone_into(&mut settings.fingerprint);
    }
    let templates = context.templates()?;
    let watch = context.watch("suspects");
    let now = context.clock.now();
    let work = compose::Work {
        store: &store,
        templates: &templates,
        settings: &settings,
        dry_run: context.dry_run,
    };
    let done = compose::run_once(&work, &campaign, &context.by, now, &watch.progress).await?;
    if let Some(code) = watch.stopped_by() {
        context.out.say(
            &done,
            "Stopped; nothing can be submitted before all letters are written.",
        )?;
        return Ok(Ended::Stopped(code));
    }
    drop(watch);
    let mut text = format!(
        "{} to {}, {} {}\n",
        count(done.letters as i64, "letter"),
        count(done.notices as i64, "contact"),
        campaign.kind.covers(),
        count(done.suspects as i64, campaign.kind.rows())
    );
    if done.first_notices > 0 {
        text.push_str(&format!(
            "{} of the contacts had no letter in the first campaign and get a notice instead of a reminder\n",
            done.first_notices
        ));
    }
    if done.covers > 0 {
        text.push_str(&format!("among them copies to agencies: {}\n", done.covers));
    }
    if done.letters == 0 {
        text.push_str(&format!(
            "There is nobody to write to.\n\nSee why: lapwing status {}\n",
            campaign.name
        ));
    } else if !context.dry_run {
        text.push_str(&format!(
            "\nNext: lapwing preview {0}\n      lapwing campaign submit {0} --as YOU\n",
            campaign.name
        ));
    }
    context.out.say(&done, text)?;
    Ok(Ended::Well)
}

pub(super) async fn send(context: &Context, options: &Send) -> anyhow::Result<Ended> {
    context.config().check_reach()?;
    let store = context.store().await?;
    let campaign = store.campaign(&options.campaign).await?;
    let mut settings =
        Settings::from_config(context.config(), &worker()).map_err(super::context::Usage)?;
    settings.signing.signer = context.signer()?;
    if context.dry_run {
        return foresee(context, &store, &campaign, &settings).await;
    }
    if let Some(folder) = &settings.journal {
        let replayed = send::replay(&store, folder).await?;
        if replayed > 0 {
            context.out.remark(&format!(
                "{} of a run that could not write them down; they are written down now",
                count(replayed as i64, "result")
            ))?;
        }
    }
    bury_the_dead(context, &store, &campaign).await?;
    let courier = Courier::new(context.config());
    let watch = context.watch("letters");
    expect_ready(&store, &campaign, &watch).await?;
    let work = Work {
        store: &store,
        courier: &courier,
        settings: &settings,
        clock: &context.clock,
        progress: &watch.progress,
    };
    let mut done = Done::default();
    let ended = match options.wait {
        true => settle(&work, &campaign, &mut done).await,
        false => send::drain(&work, &campaign, &mut done)
            .await
            .map_err(anyhow::Error::from),
    };
    let stopped = watch.stopped_by();
    drop(watch);
    if let Err(error) = ended {
        // What stopped it is told as the command's error; what left before that has left.
        if done.tried() > 0 {
            let told = serde_json::json!({ "done": done });
            context.out.say(&told, format!("This run: {done}"))?;
        }
        return Err(error);
    }
    let letters = Letters::gather(&store, &campaign.name, context.clock.now()).await?;
    let told = serde_json::json!({ "done": done, "queue": letters.queue, "state": letters.campaign.state });
    context
        .out
        .say(&told, format!("This run: {done}\n\n{}", letters.to_text()))?;
    if let Some(code) = stopped {
        return Ok(Ended::Stopped(code));
    }
    let failed = done.refused + done.expired + done.failed + done.uncertain > 0;
    Ok(if failed { Ended::Partly } else { Ended::Well })
}

/// Sends what is due, waits for what is deferred or for a relay in trouble, and sends that, until
/// nothing is open any more; what was sent is added to `done`.
pub(super) async fn settle(
    work: &Work<'_>,
    campaign: &Campaign,
    done: &mut Done,
) -> anyhow::Result<()> {
    let mut told = None;
    loop {
        let again_at = match send::drain(work, campaign, done).await {
            Ok(()) => work.store.queue_view(campaign.id).await?.next_retry,
            // Another worker has sent the last one meanwhile.
            Err(send::Error::Store(store::Error::Refused(_)))
                if state_of(work, campaign).await? == CampaignState::Settled =>
            {
                return Ok(());
            }
            Err(error) => {
                let again_at = match &error {
                    send::Error::Relay(trouble) if !trouble.is_lasting => trouble.again_at,
                    _ => None,
                };
                let Some(at) = again_at else {
                    return Err(error.into());
                };
                if told.replace(at) != Some(at) {
                    eprintln!("{error}; left alone until {at}");
                }
                again_at
            }
        };
        let state = state_of(work, campaign).await?;
        if work.progress.is_stopped() || state != CampaignState::Approved {
            return Ok(());
        }
        let pause = again_at.map_or(LOOK, |at| at.since(work.clock.now()).to_std());
        // Another worker may change what is due: look again at least every few seconds.
        let pause = pause.clamp(Duration::from_millis(20), Duration::from_secs(5));
        retry::rest(work.progress, pause).await;
    }
}

async fn state_of(work: &Work<'_>, campaign: &Campaign) -> Result<CampaignState, store::Error> {
    Ok(work.store.campaign(&campaign.name).await?.state)
}

async fn expect_ready(store: &Store, campaign: &Campaign, watch: &Watch) -> anyhow::Result<()> {
    let queue = store.queue_view(campaign.id).await?;
    let ready = queue
        .states
        .iter()
        .find(|tally| tally.name == "ready")
        .map_or(0, |tally| tally.count);
    watch.progress.expect(ready.unsigned_abs());
    Ok(())
}

async fn foresee(
    context: &Context,
    store: &Store,
    campaign: &Campaign,
    settings: &Settings,
) -> anyhow::Result<Ended> {
    send::check_approval(store, campaign).await?;
    let queue = store.queue_view(campaign.id).await?;
    let states: Vec<String> = queue
        .states
        .iter()
        .map(|tally| format!("{} {}", tally.count, tally.name))
        .collect();
    let config = context.config();
    let way = match (config.send.transport, &settings.redirect_to) {
        (crate::config::Transport::Folder, _) => {
            format!("into the folder {}", config.send.folder.display())
        }
        (crate::config::Transport::Smtp, Some(to)) => format!(
            "through {}:{}, all to {to}",
            config.smtp.host, config.smtp.port
        ),
        (crate::config::Transport::Smtp, None) => {
            format!("through {}:{}", config.smtp.host, config.smtp.port)
        }
    };
    context.out.say(
        &queue,
        format!("{}; what is ready would go {way}", states.join(", ")),
    )?;
    Ok(Ended::Well)
}

pub(super) async fn status(context: &Context, options: &Status) -> anyhow::Result<Ended> {
    let store = context.store().await?;
    let Some(name) = &options.campaign else {
        let campaigns = store.campaigns().await?;
        context.out.none(
            campaigns.is_empty(),
            "No campaign yet: lapwing campaign new NAME",
        )?;
        for campaign in campaigns {
            let report = Report::gather(&store, &campaign.name, context.clock.now()).await?;
            let states: Vec<String> = report
                .letters
                .queue
                .states
                .iter()
                .map(|tally| format!("{} {}", tally.count, tally.name))
                .collect();
            let text = format!(
                "{:<24} {:<10} {}",
                campaign.name,
                campaign.state,
                states.join(", ")
            );
            context.out.line(&report, text)?;
        }
        return Ok(Ended::Well);
    };
    let watch = context.listen();
    loop {
        let report = Report::gather(&store, name, context.clock.now()).await?;
        if options.watch
            && !context.out.json
            && std::io::IsTerminal::is_terminal(&std::io::stdout())
        {
            print_raw(b"\x1b[2J\x1b[H")?;
        }
        context.out.line(&report, report.status())?;
        let ended = matches!(
            report.letters.campaign.state,
            CampaignState::Settled | CampaignState::Cancelled
        );
        if !options.watch || ended {
            return Ok(Ended::Well);
        }
        retry::rest(&watch.progress, LOOK).await;
        if let Some(code) = watch.stopped_by() {
            return Ok(Ended::Stopped(code));
        }
    }
}

pub(super) async fn report(context: &Context, options: &OfCampaign) -> anyhow::Result<Ended> {
    let store = context.store().await?;
    let report = Report::gather(&store, &options.campaign, context.clock.now()).await?;
    context.out.say(&report, report.to_text())?;
    Ok(Ended::Well)
}
