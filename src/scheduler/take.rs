//! What a feed holds, taken once each: new files, out of the way when they are in; what a URL gives, when it
//! is new.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::task::spawn_blocking;

use super::{Fault, Work, feed};
use crate::intake::{self, Dropped, Fetched};
use crate::model::{FileFate, FileLine, Progress, Run, Schedule, plain_text};
use crate::sheet::Text;

/// Characters of a file's name that are shown.
const NAME: usize = 120;

/// Every new file of a folder.
pub(super) async fn folder(
    work: &Work<'_>,
    schedule: &Schedule,
    run: &mut Run,
    folder: &str,
    progress: &Arc<Progress>,
) -> Result<(), Fault> {
    let folder = PathBuf::from(folder);
    let files = in_thread(move || {
        intake::waiting(&folder).map_err(|error| format!("{}: {error}", folder.display()))
    });
    let files = files
        .await?
        .map_err(|told| Fault::Failed(format!("the feed's folder cannot be read: {told}")))?;
    for path in files {
        take_file(work, schedule, run, &path, progress).await?;
        if progress.is_stopped() {
            return Err(Fault::Stopped);
        }
    }
    Ok(())
}

/// What a URL gives, unless it gave the same before.
pub(super) async fn url(
    work: &Work<'_>,
    schedule: &Schedule,
    run: &mut Run,
    url: &str,
    progress: &Arc<Progress>,
) -> Result<(), Fault> {
    let known = (schedule.etag.as_str(), schedule.modified.as_str());
    let fetched = intake::fetch(&work.config.intake, url, known).await;
    let name = url.split(['?', '#']).next().unwrap_or_default();
    let name = name.rsplit('/').find(|part| !part.is_empty());
    let name = plain_text(name.unwrap_or(url), NAME);
    let page = match fetched.map_err(|told| Fault::Failed(format!("{name}: {told}")))? {
        Fetched::New(page) => page,
        Fetched::Unchanged => {
            run.sheet.note_file(FileLine {
                name,
                fate: FileFate::Repeated,
                told: "its server says that it has not changed".to_owned(),
            });
            return Ok(());
        }
    };
    let (store, digest) = (work.store, page.digest.clone());
    let line = |fate, told: &str| FileLine {
        name: name.clone(),
        fate,
        told: told.to_owned(),
    };
    let line = match store.taken_file(schedule.id, &digest).await? {
        Some((by, _)) if by != run.id => line(FileFate::Repeated, "the same was taken before"),
        // This run took it before its worker died.
        Some(_) => line(FileFate::Taken, ""),
        None => {
            let held = page.clone();
            match import(work, schedule, run, &name, move || held.text(), progress).await? {
                Ok(()) => {
                    let size = i64::try_from(page.size()).unwrap_or(i64::MAX);
                    let file = (digest.as_str(), name.as_str(), size);
                    let now = work.clock.now();
                    store.take_file(run, file, now).await?;
                    store.move_file(schedule.id, &digest, now).await?;
                    line(FileFate::Taken, "")
                }
                Err(told) => line(FileFate::Failed, &told),
            }
        }
    };
    let is_kept = line.fate != FileFate::Failed;
    run.sheet.note_file(line);
    work.store.put_run(run).await?;
    // Only behind all the rest: what is known as read is not asked for again.
    if is_kept {
        store
            .keep_validators(schedule.id, &page.etag, &page.modified)
            .await?;
    }
    Ok(())
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
    let file = Arc::clone(dropped);
    let read = import(work, schedule, run, name, move || file.text(), progress).await?;
    match dropped.is_whole() {
        true => Ok(read.map_err(|told| (FileFate::Failed, told))),
        false => growing(),
    }
}

/// Reads a text into the run's campaign; or says why nothing of it could be used.
async fn import(
    work: &Work<'_>,
    schedule: &Schedule,
    run: &mut Run,
    name: &str,
    text: impl FnOnce() -> io::Result<Text> + Send + 'static,
    progress: &Arc<Progress>,
) -> Result<Result<(), String>, Fault> {
    let campaign = feed::open_campaign(work, schedule, run).await?;
    let reading = feed::reading(work, schedule, &campaign, work.clock.now())?;
    let called = name.to_owned();
    let rows = in_thread(move || {
        let text = text().map_err(|error| error.to_string())?;
        intake::read(text, &called, &reading).map_err(|error| error.to_string())
    });
    let rows = match rows.await? {
        Ok(rows) => rows,
        Err(told) => return Ok(Err(told)),
    };
    let (now, author) = (work.clock.now(), &schedule.author);
    let done = intake::run_once(work.store, &campaign, name, rows, author, now, progress).await?;
    if progress.is_stopped() {
        return Err(Fault::Stopped);
    }
    let counts = done.counts;
    if counts.rows > 0 && counts.refused == counts.rows {
        let why = done.refusals.first();
        let why = why.map_or_else(String::new, |one| {
            format!(", as line {}: {}", one.line, one.reason)
        });
        return Ok(Err(format!(
            "none of its {} rows could be used{why}",
            counts.rows
        )));
    }
    Ok(Ok(()))
}

/// Work with files, beside the workers.
async fn in_thread<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Fault> {
    let done = spawn_blocking(work).await;
    done.map_err(|error| Fault::Failed(format!("reading the feed: {error}")))
}
