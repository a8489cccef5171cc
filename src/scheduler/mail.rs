//! Run sheets to staff: each until it is out, by the same way as the letters.

use serde::Serialize;

use super::{Ran, Work, due, headline, hold, sheet_text};
use crate::model::{Mailbox, Run, SheetMail};
use crate::send::{Courier, Note, notify};
use crate::store;

/// A sheet that is out, or why it is not yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mailed {
    pub schedule: String,
    pub run: i64,
    /// Empty: it is out.
    pub told: String,
}

/// Mails the sheets that are still to be mailed. One that cannot be is tried again the next time.
///
/// # Errors
/// The database's.
pub async fn mail_sheets(work: &Work<'_>) -> Result<Vec<Mailed>, store::Error> {
    let mut mailed = Vec::new();
    let runs = work.store.unmailed_runs().await?;
    if runs.is_empty() {
        return Ok(mailed);
    }
    let courier = Courier::new(work.config);
    for run in runs {
        if work.progress.is_stopped() {
            break;
        }
        let now = work.clock.now();
        let until = hold::lease_until(now);
        if !work
            .store
            .claim_sheet(run.id, work.worker, now, until)
            .await?
        {
            continue;
        }
        let (id, schedule) = (run.id, work.store.schedule_of(run.schedule).await?);
        let name = schedule.name.clone();
        let told = match mail(work, &courier, run, schedule).await? {
            Ok(()) => String::new(),
            Err(told) => told,
        };
        let state = match told.as_str() {
            "" => SheetMail::Sent,
            _ => SheetMail::Due,
        };
        work.store.note_sheet_mail(id, state, &told).await?;
        mailed.push(Mailed {
            schedule: name,
            run: id,
            told,
        });
    }
    courier.close().await;
    Ok(mailed)
}

async fn mail(
    work: &Work<'_>,
    courier: &Courier,
    run: Run,
    schedule: crate::model::Schedule,
) -> Result<Result<(), String>, store::Error> {
    let config = work.config;
    if let Err(error) = config.check_reach() {
        return Ok(Err(error.to_string()));
    }
    let given = (config.schedule.mail_to(), config.sender.mailbox());
    let (Ok(staff), Ok(from)) = given else {
        return Ok(Err("schedule.mail_to: is no mail address".to_owned()));
    };
    let redirect_to = config.send.redirect_to().unwrap_or_default();
    let campaign = match run.campaign {
        Some(id) => Some(work.store.campaign_of(id).await?.name),
        None => None,
    };
    let ran = Ran {
        schedule: schedule.name.clone(),
        campaign,
        next: schedule.next(work.clock.now(), due::SHOWN),
        about: schedule,
        run,
    };
    for (place, to) in (1..).zip(staff) {
        let note = note(&ran, place, to, from.clone(), redirect_to.clone(), work);
        if let Err(told) = notify(courier, &note, work.clock).await {
            return Ok(Err(told));
        }
    }
    Ok(Ok(()))
}

fn note(
    ran: &Ran,
    place: usize,
    to: Mailbox,
    from: Mailbox,
    redirect_to: Option<Mailbox>,
    work: &Work<'_>,
) -> Note {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    let name: String = ran.schedule.chars().map(plain).collect();
    Note {
        from,
        from_name: work.config.sender.name.clone(),
        to,
        redirect_to,
        subject: format!("[Lapwing] {}", headline(ran)),
        text: sheet_text(ran),
        id: format!("run-{name}-{}-{place}", ran.run.id),
        at: ran.run.ended_at.unwrap_or(ran.run.due_at),
    }
}
