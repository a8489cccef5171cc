//! The stages as a service.

use clap::{Args, ValueEnum};
use futures_util::FutureExt as _;

use super::Ended;
use super::context::{Context, Usage, Watch};
use super::log;
use super::replies::Desk;
use super::worker::{bury_runners, worker};
use crate::scheduler;
use crate::send::{Courier, Settings, Work};
use crate::service::{Event, Life, Scheduler, Sender, Tracker, within_grace};
use crate::store::Store;
use crate::track::lmtp;
use crate::web::Site;

#[derive(Debug, Args)]
pub(super) struct Options {
    /// Only these stages, as many workers on as many machines as you like
    #[arg(
        long,
        value_name = "STAGES",
        value_delimiter = ',',
        default_value = "schedule,send,track"
    )]
    only: Vec<Stage>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Stage {
    /// Feeds of schedules into letters, as they fall due
    Schedule,
    /// Letters of all approved campaigns, as they come due
    Send,
    /// Bounces and answers, as they come in
    Track,
}

impl Options {
    pub(super) fn only_sends(&self) -> bool {
        self.only == [Stage::Send]
    }
}

pub(super) async fn run(context: &Context, options: &Options) -> anyhow::Result<Ended> {
    log::begin(context);
    let store = context.store().await?;
    let watch = context.listen();
    let tell = |event: Event| event.log();
    let site = site(context, &store, &watch).await?;
    let does = |stage| options.only.contains(&stage);
    let tracking = async {
        if does(Stage::Track) {
            track_all(context, &store, &watch, &tell).await?;
        }
        anyhow::Ok(())
    };
    let sending = async {
        if does(Stage::Send) {
            send(context, &store, &watch, &tell).await?;
        }
        anyhow::Ok(())
    };
    let scheduling = async {
        if does(Stage::Schedule) {
            schedule(context, &store, &watch, &tell).await?;
        }
        anyhow::Ok(())
    };
    // Where one cannot go on, the other ends what it has in hand.
    let ends = |ended: anyhow::Result<()>| ended.inspect_err(|_| watch.progress.stop());
    // All that they hold at once is more than a stack likes to be moved about.
    let tracking = tracking.map(ends).boxed_local();
    let sending = sending.map(ends).boxed_local();
    let scheduling = scheduling.map(ends).boxed_local();
    let stages = async {
        let (tracked, sent, scheduled) = tokio::join!(tracking, sending, scheduling);
        tracked.and(sent).and(scheduled)
    };
    let name = worker();
    let life = Life {
        store: &store,
        worker: &name,
        lease: context.config().send.lease,
        clock: &context.clock,
        tell: &tell,
    };
    let stages = async {
        match does(Stage::Send) {
            // It says so itself, by the name that its letters are held under.
            true => stages.await,
            false => life.beside(stages).await,
        }
    };
    let grace = context.config().serve.grace;
    let work = within_grace(&watch.progress, grace, &tell, stages);
    let ended = match site {
        Some(site) => site.beside(work).await,
        None => work.await,
    };
    match ended {
        Some(ended) => ended.map(|()| Ended::Well),
        None => Ok(Ended::Stopped(watch.stopped_by().unwrap_or(143))),
    }
}

/// Several services on one machine need a port each; whoever has not named one does not miss it.
async fn site(context: &Context, store: &Store, watch: &Watch) -> anyhow::Result<Option<Site>> {
    match Site::open(context.config(), store, context.clock, &watch.progress).await {
        Ok(site) => {
            if let Some(address) = site.as_ref().and_then(Site::address) {
                let http = address.to_string();
                Event::Shown { http }.log();
            }
            Ok(site)
        }
        Err(closed) if closed.is_taken && context.loaded.is_default("http.listen") => {
            Event::NotShown { told: closed.told }.log();
            Ok(None)
        }
        Err(closed) => Err(Usage(closed.told).into()),
    }
}

async fn send(
    context: &Context,
    store: &Store,
    watch: &Watch,
    tell: &(dyn Fn(Event) + Sync),
) -> anyhow::Result<()> {
    context.config().check_reach()?;
    let mut settings = Settings::from_config(context.config(), &worker()).map_err(Usage)?;
    settings.signing.signer = context.signer()?;
    settings.stays = false;
    let courier = Courier::new(context.config());
    let work = Work {
        store,
        courier: &courier,
        settings: &settings,
        clock: &context.clock,
        progress: &watch.progress,
    };
    Ok(Sender { work, tell }.run().await?)
}

async fn schedule(
    context: &Context,
    store: &Store,
    watch: &Watch,
    tell: &(dyn Fn(Event) + Sync),
) -> anyhow::Result<()> {
    bury_runners(context, store).await?;
    let worker = worker();
    let work = scheduler::Work {
        store,
        config: context.config(),
        worker: &worker,
        clock: &context.clock,
        progress: &watch.progress,
    };
    Scheduler { work, tell }.run().await;
    Ok(())
}

async fn track_all(
    context: &Context,
    store: &Store,
    watch: &Watch,
    tell: &(dyn Fn(Event) + Sync),
) -> anyhow::Result<()> {
    let listener = lmtp::listen(context.config()).await.map_err(Usage)?;
    let door = lmtp::Settings::from_config(context.config());
    let desk = Desk::of(context)?;
    let tracker = Tracker {
        desk: desk.work(store, &watch.progress),
        door: &door,
        imap: &context.config().incoming.imap,
        clock: &context.clock,
        tell,
    };
    tracker.run(listener).await;
    Ok(())
}
