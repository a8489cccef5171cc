//! Which due time is claimed, which comes too late, and whose run is taken up.

use super::hold::lease_until;
use super::{Work, end};
use crate::model::{Occasion, Run, RunState, Schedule, Span, Timestamp};
use crate::store::{Claim, Error};

/// Due times shown at once.
pub(super) const SHOWN: usize = 5;

/// The due time that nobody saw to yet, and how many before it that nobody saw to either: it stands for
/// them, for a feed holds all that came since.
pub(super) fn due(schedule: &Schedule, now: Timestamp) -> Option<(Timestamp, usize)> {
    let may = schedule.paused.is_none();
    schedule
        .plan
        .last_due(schedule.seen_to, now)
        .filter(|_| may)
}

/// Claims what is due. What is found too late is claimed, too, so that it is told once and never run.
///
/// # Errors
/// The database's.
pub(super) async fn claim(
    work: &Work<'_>,
    schedule: &Schedule,
    now: Timestamp,
) -> Result<Option<Run>, Error> {
    let Some((due_at, missed)) = due(schedule, now) else {
        return Ok(None);
    };
    let claim = Claim {
        schedule: schedule.id,
        occasion: Occasion::Feed,
        due_at,
        worker: work.worker,
        lease_until: lease_until(now),
        missed: missed as u64,
    };
    let Some(mut run) = work.store.claim_run(&claim, now).await? else {
        return Ok(None);
    };
    let late = now.since(due_at);
    if late > schedule.max_lateness {
        let told = too_late(schedule, due_at, late);
        end(work, &mut run, RunState::Late, told);
        work.store.put_run(&run).await?;
    }
    Ok(Some(run))
}

fn too_late(schedule: &Schedule, due_at: Timestamp, late: Span) -> String {
    format!(
        "it was due at {due_at} and found {late} later, more than {}: nothing was read or written. To run it now all the \
         same: lapwing run --schedule {} --now",
        schedule.max_lateness, schedule.name
    )
}

/// Claims this very second.
///
/// # Errors
/// [`Error::Refused`] while the schedule is paused or a run of it under way, or when it was run in this
/// second; the database's.
pub(super) async fn claim_at_once(
    work: &Work<'_>,
    schedule: &Schedule,
    now: Timestamp,
) -> Result<Run, Error> {
    if let Some(paused) = &schedule.paused {
        return Err(Error::Refused(format!(
            "\"{0}\" is paused by {1} since {2}; go on with `lapwing schedule resume {0}`",
            schedule.name, paused.by, paused.at
        )));
    }
    let claim = Claim {
        schedule: schedule.id,
        occasion: Occasion::Feed,
        due_at: Timestamp(now.0 - now.0.rem_euclid(1_000)),
        worker: work.worker,
        lease_until: lease_until(now),
        missed: 0,
    };
    if let Some(run) = work.store.claim_run(&claim, now).await? {
        return Ok(run);
    }
    let last = work.store.runs(schedule.id, i64::MAX, 1).await?.pop();
    let told = match last.filter(|run| run.ended_at.is_none()) {
        Some(run) => format!(
            "a run of \"{}\" is under way since {}: wait until it has ended",
            schedule.name, run.began_at
        ),
        None => format!("\"{}\" was run in this very second", schedule.name),
    };
    Err(Error::Refused(format!(
        "{told}; see lapwing schedule history {}",
        schedule.name
    )))
}

/// Takes a run up whose worker is no more; `None` where somebody else was first.
///
/// # Errors
/// The database's.
pub(super) async fn take_up(
    work: &Work<'_>,
    mut run: Run,
    now: Timestamp,
) -> Result<Option<Run>, Error> {
    let store = work.store;
    if !store
        .take_up_run(&run, work.worker, now, lease_until(now))
        .await?
    {
        return Ok(None);
    }
    if let Some(campaign) = run.campaign
        && store.resolver(campaign).await?.as_deref() == Some(run.worker.as_str())
    {
        // It had that, too. Where it was given back meanwhile, all the better.
        let _ = store.end_resolving(campaign, &run.worker).await;
    }
    run = store.run(run.id).await?;
    Ok(Some(run))
}
