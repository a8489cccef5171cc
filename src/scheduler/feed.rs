//! A schedule's feed into the run's campaign, and what it came to beside the run before.

use std::sync::Arc;

use jiff::tz::TimeZone;

use super::{Fault, Work, campaign, end, remind, take};
use crate::intake::Reading;
use crate::model::{
    Campaign, CampaignKind, Feed, FileFate, NewCampaign, Occasion, Progress, Run, RunState,
    RunStep, Schedule, Terminal, Terms, Timestamp, Tlp,
};

/// Takes in what is new, or what a reminder is about. Without anything the run ends.
pub(super) async fn take_in(
    work: &Work<'_>,
    schedule: &Schedule,
    run: &mut Run,
    progress: &Arc<Progress>,
) -> Result<(), Fault> {
    match (run.occasion, &schedule.feed) {
        (Occasion::Reminder { of, .. }, _) => return remind::gather(work, schedule, run, of).await,
        (Occasion::Feed, Feed::Folder(folder)) => {
            take::folder(work, schedule, run, folder, progress).await?;
        }
        (Occasion::Feed, Feed::Url(url)) => {
            take::url(work, schedule, run, url, progress).await?;
        }
    }
    conclude(work, schedule, run).await
}

/// What the feed came to: letters to be written, or an end.
async fn conclude(work: &Work<'_>, schedule: &Schedule, run: &mut Run) -> Result<(), Fault> {
    if let Some(id) = run.campaign {
        let import = work.store.totals(id).await?.import;
        let sheet = &mut run.sheet;
        (sheet.rows, sheet.fresh) = (import.rows, import.fresh);
        (sheet.repeated, sheet.refused) = (import.repeated, import.refused);
        compare(work, run).await?;
    }
    if run.sheet.fresh > 0 {
        run.step = RunStep::Resolve;
        return Ok(());
    }
    let before = last_of(work, run, |_| true).await?;
    run.sheet.empty_runs = 1 + before.map_or(0, |before| before.sheet.empty_runs);
    if run.campaign.is_some() {
        super::letters::drop_campaign(work, schedule, run, "the feed had no suspect").await?;
    }
    if run.sheet.has_failed_files() {
        let failed = run.sheet.files.iter();
        let failed = failed.filter(|file| file.fate == FileFate::Failed);
        let failed: Vec<String> = failed
            .map(|file| format!("{}: {}", file.name, file.told))
            .collect();
        let told = format!("nothing in the feed could be used: {}", failed.join("; "));
        end(work, run, RunState::Failed, told);
        return Ok(());
    }
    let what = match run
        .sheet
        .files
        .iter()
        .any(|file| file.fate == FileFate::Taken)
    {
        true => "what was new in the feed held no suspect",
        false => "nothing was new in the feed",
    };
    let again = match run.sheet.empty_runs {
        1 => String::new(),
        n => format!(", for the {} time in a row", ordinal(n)),
    };
    end(work, run, RunState::Nothing, format!("{what}{again}"));
    Ok(())
}

/// How the list stands beside the one before.
async fn compare(work: &Work<'_>, run: &mut Run) -> Result<(), Fault> {
    let Some(ours) = run.campaign else {
        return Ok(());
    };
    let before = last_of(work, run, |one| one.sheet.fresh > 0).await?;
    match before.as_ref().and_then(|one| Some((one, one.campaign?))) {
        Some((before, theirs)) => {
            run.sheet.letters_before = before.sheet.letters;
            compare_with(work, run, theirs, &format!("the run of {}", before.due_at)).await?;
        }
        None => (run.sheet.new, _) = work.store.compare(ours, 0).await?,
    }
    Ok(())
}

/// How the list stands beside that of another campaign.
pub(super) async fn compare_with(
    work: &Work<'_>,
    run: &mut Run,
    theirs: i64,
    called: &str,
) -> Result<(), Fault> {
    if let Some(ours) = run.campaign {
        (run.sheet.new, run.sheet.again) = work.store.compare(ours, theirs).await?;
        (run.sheet.gone, _) = work.store.compare(theirs, ours).await?;
        called.clone_into(&mut run.sheet.before);
    }
    Ok(())
}

/// The last run over the feed before this one that is wanted; those that were too late read nothing.
async fn last_of(
    work: &Work<'_>,
    run: &Run,
    is_wanted: impl Fn(&Run) -> bool,
) -> Result<Option<Run>, Fault> {
    const PAGE: i64 = 50;
    let mut before = run.id;
    loop {
        let page = work.store.runs(run.schedule, before, PAGE).await?;
        let Some(last) = page.last() else {
            return Ok(None);
        };
        before = last.id;
        let is_ours = |one: &Run| one.occasion == run.occasion && one.state != RunState::Late;
        if let Some(found) = page.into_iter().find(|one| is_ours(one) && is_wanted(one)) {
            return Ok(Some(found));
        }
    }
}

/// The run's campaign; begun with the first file that there is.
pub(super) async fn open_campaign(
    work: &Work<'_>,
    schedule: &Schedule,
    run: &mut Run,
) -> Result<Campaign, Fault> {
    if run.campaign.is_none() {
        let policy = &schedule.policy;
        let config = work.config;
        let kind = CampaignKind::of_letter(&schedule.letter);
        let new = NewCampaign {
            tlp: mark(work, schedule, kind)?,
            require_evidence: policy.require_evidence || config.intake.require_evidence,
            cover: kind != CampaignKind::Advisory && (policy.cover || config.letter.cover),
            terms: Terms {
                language: policy.language.clone(),
                least: policy.least,
                again_after: policy.again_after,
            },
            ..NewCampaign::new(&campaign_name(schedule, run.due_at), &schedule.letter)
        };
        let now = work.clock.now();
        let id = work
            .store
            .begin_run_campaign(run, &new, &schedule.author, now)
            .await?;
        run.campaign = Some(id);
    }
    campaign(work, run).await
}

pub(super) fn mark(
    work: &Work<'_>,
    schedule: &Schedule,
    kind: CampaignKind,
) -> Result<Option<Tlp>, Fault> {
    match (schedule.policy.tlp.as_str(), kind) {
        ("none", _) => Ok(None),
        ("", CampaignKind::Advisory) => Ok(Some(Tlp::Clear)),
        ("", _) => work.config.letter.tlp().map_err(Fault::Failed),
        (mark, _) => mark
            .parse()
            .map(Some)
            .map_err(|error| Fault::Failed(format!("its mark: {error}"))),
    }
}

/// `weekly-2026-11-23T09:00Z`; of a run at once to the second.
pub(super) fn campaign_name(schedule: &Schedule, due_at: Timestamp) -> String {
    let moment = due_at.to_string();
    let minute = moment
        .strip_suffix(":00Z")
        .map(|minute| format!("{minute}Z"));
    format!("{}-{}", schedule.name, minute.unwrap_or(moment))
}

pub(super) fn reading(
    work: &Work<'_>,
    schedule: &Schedule,
    campaign: &Campaign,
    now: Timestamp,
) -> Result<Reading, Fault> {
    let (settings, policy) = (&work.config.intake, &schedule.policy);
    let zone = match policy.time_zone.as_str() {
        "" => settings.time_zone.as_str(),
        zone => zone,
    };
    let map = policy.map.iter().map(|text| text.parse());
    Ok(Reading {
        map: map
            .collect::<Result<_, _>>()
            .map_err(|error| Fault::Failed(format!("its columns: {error}")))?,
        format: None,
        time_zone: TimeZone::get(zone)
            .map_err(|_| Fault::Failed(format!("the zone \"{zone}\" is not known")))?,
        class: match policy.class.as_str() {
            "" => "spam".to_owned(),
            class => class.to_owned(),
        },
        source: policy.source.clone(),
        seen_at: None,
        terminal: Terminal::Unknown,
        now,
        future: settings.future,
        allow_documentation: settings.allow_documentation,
        widest_ipv4: settings.widest_ipv4,
        widest_ipv6: settings.widest_ipv6,
        tlp: campaign.tlp,
        kind: campaign.kind,
        require_evidence: campaign.require_evidence,
        since: None,
    })
}

/// 2nd, 3rd, 11th.
fn ordinal(n: i64) -> String {
    let ending = match (n % 10, n % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{n}{ending}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_in_order() {
        let told = [1, 2, 3, 4, 11, 12, 13, 21, 22, 103].map(ordinal);
        assert_eq!(
            told,
            [
                "1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "22nd", "103rd"
            ]
        );
    }
}
