//! A schedule's feed into the run's campaign: new files once each, and out of the way when they are in.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::tz::TimeZone;
use tokio::task::spawn_blocking;

use super::{Fault, Work, campaign, end};
use crate::intake::{self, Dropped, Reading};
use crate::model::{
    Campaign, CampaignKind, Feed, FileFate, FileLine, NewCampaign, Progress, Run, RunState,
    RunStep, Schedule, Terminal, Terms, Timestamp, Tlp, plain_text,
};

/// Characters of a file's name that are shown.
const NAME: usize = 120;

/// Takes in what is new. Without anything new the run ends.
pub(super) async fn take_in(
    work: &Work<'_>,
    schedule: &Schedule,
    run: &mut Run,
    progress: &Arc<Progress>,
) -> Result<(), Fault> {
    match &schedule.feed {
        Feed::Folder(folder) => {
            let folder = PathBuf::from(folder);
            let files = in_thread(move || {
                intake::waiting(&folder).map_err(|error| format!("{}: {error}", folder.display()))
            });
            let files = files.await?.map_err(|told| {
                Fault::Failed(format!("the feed's folder cannot be read: {told}"))
            })?;
            for path in files {
                take_file(work, schedule, run, &path, progress).await?;
                if progress.is_stopped() {
                    return Err(Fault::Stopped);
                }
            }
        }
        Feed::Url(_) => return Err(Fault::Failed("feeds by URL are not read yet".to_owned())),
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
    let what = match run.sheet.files.iter().any(|file| file.fate == FileFate::Taken) {
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
            (run.sheet.new, run.sheet.again) = work.store.compare(ours, theirs).await?;
            (run.sheet.gone, _) = work.store.compare(theirs, ours).await?;
            run.sheet.letters_before = before.sheet.letters;
            run.sheet.before = before.due_at.to_string();
        }
        None => (run.sheet.new, _) = work.store.compare(ours, 0).await?,
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

async fn take_file(
    work: &Work<'_>,
    schedule: &Schedule,
    run: &mut Run,
    path: &Path,
    progress: &Arc<Progress>,
) -> Result<(), Fault> {
    let name = path.file_name().unwrap_or(path.as_os_str());
    let name = plain_text(&name.to_string_lossy(), NAME);
    let line = |fate, told: String| FileLine {
        name: name.clone(),
        fate,
        told,
    };
    let opening = path.to_owned();
    let dropped = match in_thread(move || Dropped::open(&opening)).await? {
        Ok(dropped) => Arc::new(dropped),
        // Somebody has taken it away.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => {
            let told = format!("cannot be read: {error}; it stays where it is");
            run.sheet.note_file(line(FileFate::Failed, told));
            return Ok(());
        }
    };
    let known = work.store.taken_file(schedule.id, &dropped.digest).await?;
    let line = match known {
        Some((_, true)) => line(
            FileFate::Repeated,
            "the same was taken before; it is not sent twice".to_owned(),
        ),
        // Whoever took it could not move it any more.
        Some((by, false)) if by == run.id => line(FileFate::Taken, String::new()),
        Some((_, false)) => line(
            FileFate::Repeated,
            "it was taken before, and is moved now".to_owned(),
        ),
        None => match read_in(work, schedule, run, &name, &dropped, progress).await? {
            Ok(()) => {
                let size = i64::try_from(dropped.size()).unwrap_or(i64::MAX);
                let file = (dropped.digest.as_str(), name.as_str(), size);
                work.store.take_file(run, file, work.clock.now()).await?;
                line(FileFate::Taken, String::new())
            }
            Err((fate, told)) => line(fate, told),
        },
    };
    let fate = line.fate;
    run.sheet.note_file(line);
    // Told before it is out of the way, for the work may end here.
    work.store.put_run(run).await?;
    if fate != FileFate::Left {
        put_away(work, schedule, run, &name, dropped, fate).await?;
    }
    Ok(())
}

async fn put_away(
    work: &Work<'_>,
    schedule: &Schedule,
    run: &mut Run,
    name: &str,
    dropped: Arc<Dropped>,
    fate: FileFate,
) -> Result<(), Fault> {
    let digest = dropped.digest.clone();
    match in_thread(move || dropped.put_away(fate)).await? {
        Ok(()) => {
            let now = work.clock.now();
            work.store.move_file(schedule.id, &digest, now).await?;
        }
        Err(error) => {
            let note = format!("{name} cannot be moved out of the way: {error}");
            if !run.sheet.notes.contains(&note) {
                run.sheet.notes.push(note);
            }
        }
    }
    Ok(())
}

/// Reads a file into the run's campaign, whole; or says what becomes of it and why.
async fn read_in(
    work: &Work<'_>,
    schedule: &Schedule,
    run: &mut Run,
    name: &str,
    dropped: &Arc<Dropped>,
    progress: &Arc<Progress>,
) -> Result<Result<(), (FileFate, String)>, Fault> {
    let growing = || {
        let told = "it is still being written: the next run takes it; write it under a name that ends in .part, and rename \
                    it when it is whole";
        Ok(Err((FileFate::Left, told.to_owned())))
    };
    if !dropped.is_whole() {
        return growing();
    }
    let campaign = open_campaign(work, schedule, run).await?;
    let reading = reading(work, schedule, &campaign, work.clock.now())?;
    let (file, called) = (Arc::clone(dropped), name.to_owned());
    let rows = in_thread(move || {
        let text = file.text().map_err(|error| error.to_string())?;
        intake::read(text, &called, &reading).map_err(|error| error.to_string())
    });
    let rows = match rows.await? {
        Ok(rows) => rows,
        Err(told) => return Ok(Err((FileFate::Failed, told))),
    };
    let now = work.clock.now();
    let author = &schedule.author;
    let done =
        intake::run_once(work.store, &campaign, name, rows, author, now, progress).await?;
    if progress.is_stopped() {
        return Err(Fault::Stopped);
    }
    if !dropped.is_whole() {
        return growing();
    }
    let counts = done.counts;
    if counts.rows > 0 && counts.refused == counts.rows {
        let why = done.refusals.first();
        let why = why.map_or_else(String::new, |one| format!(", as line {}: {}", one.line, one.reason));
        return Ok(Err((
            FileFate::Failed,
            format!("none of its {} rows could be used{why}", counts.rows),
        )));
    }
    Ok(Ok(()))
}

/// The run's campaign; begun with the first file that there is.
async fn open_campaign(
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
    let minute = moment.strip_suffix(":00Z").map(|minute| format!("{minute}Z"));
    format!("{}-{}", schedule.name, minute.unwrap_or(moment))
}

fn reading(
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

/// Work with files, beside the workers.
async fn in_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Fault> {
    let done = spawn_blocking(work).await;
    done.map_err(|error| Fault::Failed(format!("reading the feed: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_told_in_order() {
        let told = [1, 2, 3, 4, 11, 12, 13, 21, 22, 103].map(ordinal);
        assert_eq!(
            told,
            ["1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "22nd", "103rd"]
        );
    }
}
