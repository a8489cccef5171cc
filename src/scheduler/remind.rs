//! Reminders by schedule: so many days after a notice, what is still seen, to those who have not answered.

use super::hold::lease_until;
use super::letters::drop_campaign;
use super::{Fault, Work, end, feed, latest};
use crate::model::{
    NewCampaign, Occasion, Run, RunState, RunStep, Schedule, Span, Terms, Timestamp,
};
use crate::store::{Claim, Error};

const LETTER: &str = "reminder";
const DAY: i64 = 86_400_000;

/// Claims the reminder whose day has come first; `None` where there is none. Days that came before the
/// schedule was as it is are none of its.
///
/// # Errors
/// The database's.
pub(super) async fn claim(
    work: &Work<'_>,
    schedule: &Schedule,
    now: Timestamp,
) -> Result<Option<Run>, Error> {
    let days = &schedule.policy.remind;
    let Some(last) = days.iter().max().filter(|_| schedule.paused.is_none()) else {
        return Ok(None);
    };
    let store = work.store;
    let oldest = schedule.changed_at.minus(Span(last * DAY));
    let approved = store.approved_runs(schedule.id, oldest).await?;
    if approved.is_empty() {
        return Ok(None);
    }
    let known = store.occasions(schedule.id).await?;
    let due = approved.iter().flat_map(|(of, at)| {
        days.iter().map(|day| {
            let occasion = Occasion::Reminder { of: *of, day: *day };
            (at.plus(Span(day * DAY)), occasion)
        })
    });
    let is_due = |(due_at, occasion): &(Timestamp, Occasion)| {
        *due_at <= now && *due_at > schedule.changed_at && !known.contains(occasion)
    };
    let mut due: Vec<(Timestamp, Occasion)> = due.filter(is_due).collect();
    due.sort_by_key(|(due_at, _)| *due_at);
    for (due_at, occasion) in due {
        let claim = Claim {
            schedule: schedule.id,
            occasion,
            due_at,
            worker: work.worker,
            lease_until: lease_until(now),
            missed: 0,
        };
        let Some(mut run) = store.claim_run(&claim, now).await? else {
            continue;
        };
        let (late, latest) = (now.since(due_at), latest(schedule, &run));
        if late > latest {
            let told = format!("it was due at {due_at} and found {late} later, more than {latest}");
            end(work, &mut run, RunState::Late, told);
            store.put_run(&run).await?;
        }
        return Ok(Some(run));
    }
    Ok(None)
}

/// Opens the reminder with what was seen again.
pub(super) async fn gather(
    work: &Work<'_>,
    schedule: &Schedule,
    run: &mut Run,
    of: i64,
) -> Result<(), Fault> {
    let (store, now) = (work.store, work.clock.now());
    let author = schedule.author.as_str();
    let first = store.campaign_of(of).await?;
    if run.campaign.is_none() {
        let Occasion::Reminder { day, .. } = run.occasion else {
            return Err(Fault::Failed("it is no reminder".to_owned()));
        };
        let new = NewCampaign {
            tlp: first.tlp,
            after: Some(of),
            cover: first.cover,
            terms: Terms {
                language: schedule.policy.language.clone(),
                ..Terms::default()
            },
            ..NewCampaign::new(&format!("{}-day-{day}", first.name), LETTER)
        };
        let id = store.begin_run_campaign(run, &new, author, now).await?;
        run.campaign = Some(id);
    }
    let seen = store.gather_again(run, of, author, now).await?;
    (run.sheet.rows, run.sheet.fresh) = (seen, seen);
    if seen > 0 {
        feed::compare_with(work, run, of, &first.name).await?;
        run.step = RunStep::Resolve;
        return Ok(());
    }
    let told = format!(
        "of what the letters of {} told nothing is seen any more, or everybody has answered",
        first.name
    );
    drop_campaign(work, schedule, run, &told).await?;
    end(work, run, RunState::Nothing, told);
    Ok(())
}
