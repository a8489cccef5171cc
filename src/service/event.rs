//! What a service says of itself, a line for each.

use std::fmt;

use serde::Serialize;

use crate::model::{RunState, Timestamp};
use crate::send::Done;
use crate::track::{self, Counts};

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    Started {
        worker: String,
    },
    Sent {
        campaign: String,
        #[serde(flatten)]
        done: Done,
    },
    /// A campaign that only staff can get going again.
    Refused {
        campaign: String,
        told: String,
    },
    /// The database or the relay; it is looked at again and again.
    Trouble {
        told: String,
    },
    /// What an earlier run could not write down.
    Replayed {
        results: u64,
    },
    /// Another worker has given no sign of life for too long; what it had goes back into the queue.
    Vanished {
        worker: String,
        letters: u64,
    },
    /// Where bounces and answers come in, if they do.
    Listening {
        lmtp: Option<String>,
    },
    /// Out of which mailbox they are fetched.
    Fetching {
        imap: String,
    },
    /// What came in since this was last told.
    Received(Counts),
    /// What was made of it.
    Read(track::Done),
    /// What falls due is run.
    Scheduling {
        worker: String,
    },
    /// A run of a schedule came to its end.
    Ran {
        schedule: String,
        due_at: Timestamp,
        state: RunState,
        campaign: Option<String>,
        told: String,
    },
    /// A run's sheet is out, or why it could not be mailed.
    Sheet {
        schedule: String,
        told: String,
    },
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Started { worker } => write!(f, "sending, as worker {worker}; Ctrl-C ends"),
            Self::Sent { campaign, done } => write!(f, "{campaign}: {done}"),
            Self::Refused { campaign, told } => write!(f, "{campaign}: not sent: {told}"),
            Self::Trouble { told } => write!(f, "trouble: {told}; trying again"),
            Self::Replayed { results } => write!(
                f,
                "{results} results of a run that could not write them down are written down now"
            ),
            Self::Vanished { worker, letters } => write!(
                f,
                "worker {worker} has vanished; {letters} letters in its hands are back in the queue"
            ),
            Self::Listening {
                lmtp: Some(address),
            } => {
                write!(f, "taking in bounces and answers by LMTP at {address}")
            }
            Self::Listening { lmtp: None } => {
                write!(f, "no mail comes in by LMTP: incoming.listen is not set")
            }
            Self::Fetching { imap } => {
                write!(f, "fetching bounces and answers by IMAP from {imap}")
            }
            Self::Received(counts) => write!(f, "incoming: {counts}"),
            Self::Read(done) => write!(f, "incoming: {done}"),
            Self::Scheduling { worker } => write!(
                f,
                "running what is due of all schedules, as worker {worker}; Ctrl-C ends"
            ),
            Self::Ran { told, .. } => write!(f, "schedule {told}"),
            Self::Sheet { schedule, told } if told.is_empty() => {
                write!(f, "schedule {schedule}: its sheet is mailed to staff")
            }
            Self::Sheet { schedule, told } => write!(
                f,
                "schedule {schedule}: its sheet cannot be mailed now: {told}; trying again"
            ),
        }
    }
}
