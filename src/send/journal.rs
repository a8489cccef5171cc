//! Results that the database could not take, kept in a file until it can.
//!
//! A letter that is out is out, whatever becomes of the database meanwhile. What is known of it must then
//! outlive the process, or it would be sent again.

use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::model::{DeliveryState, Mailbox, Outcome, OutcomeKind, Step, Timestamp};
use crate::store::{self, Fact, Finish, Store};

/// Bytes that are taken beforehand: a full disk, for which the database may have failed, has them still.
const ROOM: usize = 64 * 1024;

const ENDING: &str = "journal";

/// A file of one run, locked while the run lasts.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    file: Mutex<File>,
}

impl Journal {
    /// Makes the file, with its room.
    ///
    /// # Errors
    /// The file system's.
    pub(super) fn open(folder: &Path, worker: &str) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let name = worker.replace(|c: char| !c.is_ascii_alphanumeric(), "-");
        let path = folder.join(format!("{name}.{ENDING}"));
        let mut file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)?;
        file.try_lock()?;
        file.set_len(0)?;
        file.write_all(&[0; ROOM])?;
        file.rewind()?;
        file.sync_all()?;
        Ok(Self {
            path,
            file: Mutex::new(file),
        })
    }

    /// Returns when the results are on the disk.
    ///
    /// # Errors
    /// The file system's: then they are lost with the process.
    pub(super) fn keep(&self, finishes: &[&Finish]) -> io::Result<()> {
        let mut lines = Vec::new();
        for finish in finishes {
            serde_json::to_writer(&mut lines, &Line::of(finish))?;
            lines.push(b'\n');
        }
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(&lines)?;
        file.sync_data()
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Journal {
    /// One that nothing was written to is not needed by anybody.
    fn drop(&mut self) {
        let file = self.file.get_mut().unwrap_or_else(PoisonError::into_inner);
        if file.stream_position().is_ok_and(|position| position == 0) {
            remove(&self.path);
        }
    }
}

/// Writes down what runs that have ended could not. Idempotent: what stands in the database already is
/// not written twice.
///
/// # Errors
/// The database's; then the files are still there.
pub async fn replay(store: &Store, folder: &Path) -> Result<u64, store::Error> {
    let mut count = 0;
    for (path, file, finishes) in left_behind(folder) {
        for finish in finishes {
            store.record(&[Fact::Finish(finish)]).await?;
            count += 1;
        }
        remove(&path);
        drop(file);
    }
    Ok(count)
}

/// The files that no living run holds, locked, with what is whole in each.
fn left_behind(folder: &Path) -> Vec<(PathBuf, File, Vec<Finish>)> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == ENDING));
    paths.sort();
    let read = |path: PathBuf| {
        let mut file = File::open(&path).ok()?;
        file.try_lock().ok()?;
        let mut text = Vec::new();
        file.seek(SeekFrom::Start(0)).ok()?;
        file.read_to_end(&mut text).ok()?;
        let lines = text.split(|byte| *byte == b'\n');
        // Behind the last line is the room that was not needed, or one that was cut off.
        let finishes = lines.map_while(|line| {
            let line: Line = serde_json::from_slice(line).ok()?;
            line.finish()
        });
        Some((path, file, finishes.collect()))
    };
    paths.into_iter().filter_map(read).collect()
}

/// With its folder, where that is empty then; neither is in anybody's way.
fn remove(path: &Path) {
    let _ = fs::remove_file(path);
    let _ = path.parent().map(fs::remove_dir);
}

/// A result in the words that the database has for it.
#[derive(Serialize, Deserialize)]
struct Line {
    delivery: i64,
    number: i64,
    worker: String,
    at: i64,
    outcome: String,
    relay: String,
    sent_to: String,
    step: String,
    code: i64,
    enhanced: String,
    reply: String,
    state: String,
    due_at: Option<i64>,
}

impl Line {
    fn of(finish: &Finish) -> Self {
        let outcome = &finish.outcome;
        Self {
            delivery: finish.delivery,
            number: finish.number,
            worker: finish.worker.clone(),
            at: finish.at.0,
            outcome: outcome.kind.as_str().to_owned(),
            relay: outcome.relay.clone(),
            sent_to: outcome
                .sent_to
                .as_ref()
                .map_or("", Mailbox::as_str)
                .to_owned(),
            step: outcome.step.as_str().to_owned(),
            code: outcome.code,
            enhanced: outcome.enhanced.clone(),
            reply: outcome.reply.clone(),
            state: finish.state.as_str().to_owned(),
            due_at: finish.due_at.map(|at| at.0),
        }
    }

    /// `None` where a word is none of ours.
    fn finish(self) -> Option<Finish> {
        let outcome = Outcome {
            kind: OutcomeKind::from_text(&self.outcome)?,
            relay: self.relay,
            sent_to: match self.sent_to.as_str() {
                "" => None,
                mailbox => Some(mailbox.parse().ok()?),
            },
            step: Step::from_text(&self.step)?,
            code: self.code,
            enhanced: self.enhanced,
            reply: self.reply,
        };
        Some(Finish {
            delivery: self.delivery,
            number: self.number,
            worker: self.worker,
            at: Timestamp(self.at),
            outcome,
            state: DeliveryState::from_text(&self.state)?,
            due_at: self.due_at.map(Timestamp),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finish(delivery: i64) -> Finish {
        Finish {
            delivery,
            number: 2,
            worker: "mail/7/b00t/abc".to_owned(),
            at: Timestamp(1_795_250_096_000),
            outcome: Outcome {
                kind: OutcomeKind::Deferred,
                relay: "127.0.0.1:25".to_owned(),
                sent_to: "abuse@isp.example".parse().ok(),
                step: Step::Dot,
                code: 451,
                enhanced: "4.7.1".to_owned(),
                reply: "later,\nplease \u{7d42}".to_owned(),
            },
            state: DeliveryState::Scheduled,
            due_at: Some(Timestamp(1_795_250_396_000)),
        }
    }

    #[test]
    fn what_was_kept_is_read_when_its_run_is_over() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(folder.path(), "mail/7/b00t/abc").unwrap();
        journal.keep(&[&finish(1), &finish(2)]).unwrap();
        journal.keep(&[&finish(3)]).unwrap();
        assert!(left_behind(folder.path()).is_empty(), "its run lives");
        drop(journal);
        let found = left_behind(folder.path());
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].2, [finish(1), finish(2), finish(3)]);
    }

    #[test]
    fn a_line_that_was_cut_off_takes_no_other_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(folder.path(), "one").unwrap();
        journal.keep(&[&finish(1)]).unwrap();
        journal.file.lock().unwrap().write_all(b"{\"deli").unwrap();
        drop(journal);
        assert_eq!(left_behind(folder.path())[0].2, [finish(1)]);
    }

    #[test]
    fn a_run_that_needed_none_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("journal");
        drop(Journal::open(&place, "one").unwrap());
        assert!(!place.exists());
    }
}
