//! What falls due: a feed becomes letters at its time without anybody there, once, and says what it did.
//!
//! ```text
//!  due time ──► claim ──► intake ──► resolve ──► compose ──► approve ──► sheet ──► staff
//!                 │          each step is written down: whoever takes a run up goes on there
//!                 └─ the key (schedule, occasion, due time): never a second run for one
//! ```
//!
//! The scheduler decides when, for whom and by whose leave; the stages do the work, by the same functions
//! as the commands. Nothing here waits: the command line calls it once, the service again and again.

mod due;
mod feed;
mod hold;
mod letters;
mod mail;
mod remind;
mod send;
mod take;
mod words;

use std::sync::Arc;

use serde::Serialize;

use crate::config::Config;
use crate::metrics::{Stage, timed};
use crate::model::{
    Campaign, Clock, Occasion, Progress, Run, RunState, RunStep, Schedule, SheetMail, Span,
    Timestamp,
};
use crate::store::{self, Store};
pub use mail::{Mailed, mail_sheets};
pub use send::{Sent, send_due};
pub use words::{headline, sheet_text};

/// What the scheduler works with.
#[derive(Clone, Copy)]
pub struct Work<'a> {
    pub store: &'a Store,
    pub config: &'a Config,
    /// Unique among all that ever ran.
    pub worker: &'a str,
    pub clock: &'a Clock,
    /// Stopped, runs end after the step in hand, and are taken up by whoever comes next.
    pub progress: &'a Progress,
}

/// Which schedules are looked at.
#[derive(Clone, Copy, Debug, Default)]
pub struct Which<'a> {
    /// All, where none is named.
    pub schedule: Option<&'a str>,
    /// Run it now, whatever its time.
    pub at_once: bool,
}

/// A run that came to its end here.
#[derive(Clone, Debug, Serialize)]
pub struct Ran {
    pub schedule: String,
    pub campaign: Option<String>,
    #[serde(flatten)]
    pub run: Run,
    /// The next due times of its schedule.
    pub next: Vec<Timestamp>,
    #[serde(skip)]
    pub about: Schedule,
}

/// What went wrong with a run.
#[derive(Debug)]
enum Fault {
    Store(store::Error),
    /// Somebody asked the work to end, or the lease was lost.
    Stopped,
    /// It cannot go on: why, in words.
    Failed(String),
}

impl From<store::Error> for Fault {
    fn from(error: store::Error) -> Self {
        Self::Store(error)
    }
}

/// Takes up the runs that were left, runs what is due, and opens the reminders whose day has come. Gives back the runs that ended; one that was stopped goes on the next time.
///
/// # Errors
/// [`store::Error::NotFound`] when there is no such schedule; [`store::Error::Refused`] when it is to be run
/// at once and cannot be; the database's. What goes wrong with one run is told by the run.
pub async fn run_once(
    work: &Work<'_>,
    which: Which<'_>,
    now: Timestamp,
) -> Result<Vec<Ran>, store::Error> {
    let store = work.store;
    let schedules = match which.schedule {
        Some(name) => vec![store.schedule(name).await?],
        None => store.schedules().await?,
    };
    let mut ended = Vec::new();
    for run in store.abandoned_runs(now).await? {
        let is_wanted = which.schedule.is_none()
            || schedules.iter().any(|schedule| schedule.id == run.schedule);
        if is_wanted && let Some(run) = due::take_up(work, run, now).await? {
            let schedule = store.schedule_of(run.schedule).await?;
            ended.extend(work_off(work, &schedule, run).await?);
        }
    }
    for schedule in &schedules {
        if work.progress.is_stopped() {
            break;
        }
        let claimed = match which.at_once {
            true => Some(due::claim_at_once(work, schedule, now).await?),
            false => due::claim(work, schedule, now).await?,
        };
        if let Some(run) = claimed {
            ended.extend(work_off(work, schedule, run).await?);
        }
        while !work.progress.is_stopped()
            && let Some(run) = remind::claim(work, schedule, now).await?
        {
            ended.extend(work_off(work, schedule, run).await?);
        }
    }
    Ok(ended)
}

/// The schedules that have something to do at this moment, with what: for a dry run.
///
/// # Errors
/// As [`run_once`].
pub async fn foresee(
    work: &Work<'_>,
    which: Which<'_>,
    now: Timestamp,
) -> Result<Vec<(Schedule, Option<Timestamp>)>, store::Error> {
    let schedules = match which.schedule {
        Some(name) => vec![work.store.schedule(name).await?],
        None => work.store.schedules().await?,
    };
    let due = schedules.into_iter().map(|schedule| {
        let due = match which.at_once {
            true => Some(now),
            false => due::due(&schedule, now).map(|(due, _)| due),
        };
        (schedule, due)
    });
    Ok(due.collect())
}

/// Works a run off from the step where it is, under its lease.
async fn work_off(
    work: &Work<'_>,
    schedule: &Schedule,
    mut run: Run,
) -> Result<Option<Ran>, store::Error> {
    let _timed = timed(Stage::Schedule);
    let progress = Arc::new(Progress::default());
    let id = run.id;
    let worked = {
        let fenced = work.store.fenced(&run);
        let held = Work {
            store: &fenced,
            ..*work
        };
        let steps = steps(&held, schedule, &mut run, &progress);
        hold::while_held(work, id, &progress, steps).await
    };
    let fault = match worked {
        Ok(()) => return ran(work, schedule, run).await.map(Some),
        Err(fault) => fault,
    };
    let told = match fault {
        Fault::Stopped => {
            hold::give_back(work, &run).await?;
            return Ok(None);
        }
        Fault::Store(error) if error.is_passing() => {
            // Whoever comes next when it is back goes on; the lease may not even be given back.
            let _ = hold::give_back(work, &run).await;
            return Err(error);
        }
        Fault::Store(error) => error.to_string(),
        Fault::Failed(told) => told,
    };
    end(work, &mut run, RunState::Failed, told);
    match work.store.put_run(&run).await {
        // It is somebody else's by now, and goes on there.
        Err(store::Error::Refused(_)) => Ok(None),
        other => {
            other?;
            ran(work, schedule, run).await.map(Some)
        }
    }
}

async fn steps(
    work: &Work<'_>,
    schedule: &Schedule,
    run: &mut Run,
    progress: &Arc<Progress>,
) -> Result<(), Fault> {
    while run.step != RunStep::Ended {
        match run.step {
            RunStep::Intake => feed::take_in(work, schedule, run, progress).await?,
            RunStep::Resolve => letters::resolve(work, schedule, run, progress).await?,
            RunStep::Compose => letters::compose(work, schedule, run, progress).await?,
            RunStep::Approve => letters::approve(work, schedule, run, progress).await?,
            RunStep::Ended => {}
        }
        if progress.is_stopped() && run.step != RunStep::Ended {
            return Err(Fault::Stopped);
        }
        work.store.put_run(run).await?;
    }
    Ok(())
}

/// Ends a run; it is still to be written down.
fn end(work: &Work<'_>, run: &mut Run, state: RunState, told: impl Into<String>) {
    run.state = state;
    run.step = RunStep::Ended;
    run.ended_at = Some(work.clock.now());
    run.told = told.into();
    run.mail = match work.config.schedule.mail_to.is_empty() {
        true => SheetMail::None,
        false => SheetMail::Due,
    };
}

async fn ran(work: &Work<'_>, schedule: &Schedule, run: Run) -> Result<Ran, store::Error> {
    let campaign = match run.campaign {
        Some(id) => Some(work.store.campaign_of(id).await?.name),
        None => None,
    };
    Ok(Ran {
        schedule: schedule.name.clone(),
        campaign,
        run,
        next: schedule.next(work.clock.now(), due::SHOWN),
        about: schedule.clone(),
    })
}

/// The run's campaign, as it is now.
async fn campaign(work: &Work<'_>, run: &Run) -> Result<Campaign, Fault> {
    let id = run
        .campaign
        .ok_or_else(|| Fault::Failed("the run has no campaign".to_owned()))?;
    Ok(work.store.campaign_of(id).await?)
}

/// After how long a run's letters may no longer leave by themselves.
fn latest(schedule: &Schedule, run: &Run) -> Span {
    match run.occasion {
        Occasion::Feed => schedule.max_lateness,
        // A reminder is due on a day, not at an hour.
        Occasion::Reminder { .. } => schedule.max_lateness.max(Span(86_400_000)),
    }
}
