//! One run of a schedule: its claim on a due time, how far it is, and the sheet that it leaves.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Timestamp;

/// One run of a schedule: for a due time there is never a second.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Run {
    pub id: i64,
    #[serde(skip)]
    pub schedule: i64,
    pub due_at: Timestamp,
    pub occasion: Occasion,
    pub state: RunState,
    pub step: RunStep,
    #[serde(skip)]
    pub worker: String,
    pub began_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    /// How often somebody else went on with it, for its worker had died.
    pub taken_over: i64,
    #[serde(skip)]
    pub campaign: Option<i64>,
    /// What it came to, in a sentence.
    pub told: String,
    pub sheet: RunSheet,
    /// What became of its sheet's mail.
    pub mail: SheetMail,
    /// Why it could not be mailed.
    pub mail_told: String,
}

/// What a run is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Occasion {
    /// The feed.
    Feed,
    /// A reminder of what an earlier campaign told, so many days after its approval.
    Reminder {
        #[serde(skip)]
        of: i64,
        day: i64,
    },
}

/// As the store keeps it: empty, or `reminder/7/42`.
impl fmt::Display for Occasion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Feed => Ok(()),
            Self::Reminder { of, day } => write!(f, "reminder/{day}/{of}"),
        }
    }
}

impl Occasion {
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        if text.is_empty() {
            return Some(Self::Feed);
        }
        let (day, of) = text.strip_prefix("reminder/")?.split_once('/')?;
        Some(Self::Reminder {
            of: of.parse().ok()?,
            day: day.parse().ok()?,
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunState {
    UnderWay,
    /// Its letters wait for a second person.
    Waiting,
    /// Its letters were approved by the standing approval, and are in the queue.
    Queued,
    /// There was nothing to write about.
    Nothing,
    /// It was found due too late, and not run.
    Late,
    /// It could not go on.
    Failed,
}

impl RunState {
    pub const ALL: [Self; 6] = [
        Self::UnderWay,
        Self::Waiting,
        Self::Queued,
        Self::Nothing,
        Self::Late,
        Self::Failed,
    ];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UnderWay => "under-way",
            Self::Waiting => "waiting",
            Self::Queued => "queued",
            Self::Nothing => "nothing",
            Self::Late => "late",
            Self::Failed => "failed",
        }
    }

    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// Whether somebody has to see to it.
    #[must_use]
    pub fn needs_attention(self) -> bool {
        matches!(self, Self::Late | Self::Failed)
    }
}

impl fmt::Display for RunState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnderWay => "under way",
            Self::Waiting => "waits for a second person",
            Self::Queued => "letters in the queue",
            Self::Nothing => "nothing to write",
            Self::Late => "needs attention: too late",
            Self::Failed => "needs attention: failed",
        })
    }
}

/// What a run does next; whoever takes it up goes on there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RunStep {
    Intake,
    Resolve,
    Compose,
    Approve,
    Ended,
}

impl RunStep {
    pub const ALL: [Self; 5] = [
        Self::Intake,
        Self::Resolve,
        Self::Compose,
        Self::Approve,
        Self::Ended,
    ];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Intake => "intake",
            Self::Resolve => "resolve",
            Self::Compose => "compose",
            Self::Approve => "approve",
            Self::Ended => "ended",
        }
    }

    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.as_str() == text)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SheetMail {
    /// Nobody wants it.
    None,
    /// It is still to be sent.
    Due,
    Sent,
}

impl SheetMail {
    pub const ALL: [Self; 3] = [Self::None, Self::Due, Self::Sent];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Due => "due",
            Self::Sent => "sent",
        }
    }

    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mail| mail.as_str() == text)
    }
}

/// What a run did, counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RunSheet {
    /// Due times before its own that nobody saw to, and that it stands for.
    pub missed: u64,
    /// What the feed gave.
    pub files: Vec<FileLine>,
    pub rows: i64,
    /// Observations, those told several times counted once.
    pub fresh: i64,
    pub repeated: i64,
    pub refused: i64,
    /// Addresses and ranges that the run before had not, had, and had alone.
    pub new: i64,
    pub again: i64,
    pub gone: i64,
    /// What this is held against, in words; empty: nothing.
    pub before: String,
    /// Suspects by what resolve made of them.
    pub with_contact: i64,
    pub unknown: i64,
    pub withheld: i64,
    pub deferred: i64,
    pub contacts: i64,
    /// Those of them that were never written to.
    pub new_contacts: i64,
    pub letters: i64,
    /// Of the run before.
    pub letters_before: i64,
    /// Country, letters, observations.
    pub countries: Vec<(String, i64, i64)>,
    pub languages: Vec<(String, i64)>,
    /// How many runs in a row, this one among them, found nothing in the feed.
    pub empty_runs: i64,
    /// Whoever approves should know it.
    pub notes: Vec<String>,
}

/// A file of a feed, or what its URL gave.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileLine {
    pub name: String,
    pub fate: FileFate,
    /// Why, where it brought nothing.
    pub told: String,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FileFate {
    #[default]
    Taken,
    /// The same bytes were taken before.
    Repeated,
    Failed,
    /// It is still being written; the next run takes it.
    Left,
}

impl FileFate {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Taken => "taken",
            Self::Repeated => "repeated",
            Self::Failed => "failed",
            Self::Left => "left",
        }
    }
}

impl RunSheet {
    /// A file's line, once however often the run was taken up.
    pub fn note_file(&mut self, line: FileLine) {
        match self.files.iter_mut().find(|one| one.name == line.name) {
            Some(known) => *known = line,
            None => self.files.push(line),
        }
    }

    #[must_use]
    pub fn has_failed_files(&self) -> bool {
        self.files.iter().any(|file| file.fate == FileFate::Failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_back() {
        for state in RunState::ALL {
            assert_eq!(RunState::from_text(state.as_str()), Some(state));
        }
        for step in RunStep::ALL {
            assert_eq!(RunStep::from_text(step.as_str()), Some(step));
        }
        for occasion in [Occasion::Feed, Occasion::Reminder { of: 42, day: 7 }] {
            assert_eq!(Occasion::from_text(&occasion.to_string()), Some(occasion));
        }
        assert_eq!(Occasion::from_text("reminder/x/1"), None);
    }
}
