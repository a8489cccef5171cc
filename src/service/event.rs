//! What a service says of itself, a line of the log for each.

use std::fmt;

use tracing::{info, warn};

use crate::model::{RunState, Span, Timestamp, masked};
use crate::send::Done;
use crate::track::{self, Counts};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    Started {
        worker: String,
    },
    Sent {
        campaign: String,
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
    /// Where it shows how it is.
    Shown {
        http: String,
    },
    /// It shows it nowhere, though it was to.
    NotShown {
        told: String,
    },
    /// It was asked to end, and takes no more work.
    Draining {
        grace: Span,
    },
    /// With nothing in hand.
    Ended,
    /// That was not enough for what was in hand.
    CutOff {
        grace: Span,
    },
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

impl Event {
    /// Writes the line: for people its words, for programs its name and numbers besides.
    pub fn log(&self) {
        let said = masked(&self.to_string());
        match self {
            Self::Started { worker } => info!(event = "started", worker, "{said}"),
            Self::Sent { campaign, done } => info!(
                event = "sent",
                campaign,
                claimed = done.claimed,
                kept_back = done.kept_back,
                accepted = done.accepted,
                deferred = done.deferred,
                refused = done.refused,
                expired = done.expired,
                uncertain = done.uncertain,
                failed = done.failed,
                relay = done.relay,
                "{said}"
            ),
            Self::Refused { campaign, .. } => warn!(event = "refused", campaign, "{said}"),
            Self::Trouble { .. } => warn!(event = "trouble", "{said}"),
            Self::Replayed { results } => info!(event = "replayed", results, "{said}"),
            Self::Vanished { worker, letters } => {
                warn!(event = "vanished", worker, letters, "{said}");
            }
            Self::Listening { lmtp } => info!(event = "listening", lmtp, "{said}"),
            Self::Fetching { .. } => info!(event = "fetching", "{said}"),
            Self::Received(counts) => info!(
                event = "received",
                messages = counts.messages,
                again = counts.again,
                refused = counts.refused,
                too_big = counts.too_big,
                put_off = counts.put_off,
                failed = counts.failed,
                foreign = counts.foreign,
                crowded = counts.crowded,
                "{said}"
            ),
            Self::Read(done) => info!(
                event = "read",
                read = done.read,
                bounced = done.bounced,
                delayed = done.delayed,
                delivered = done.delivered,
                automatic = done.automatic,
                complaints = done.complaints,
                people = done.people,
                other = done.other,
                unmatched = done.unmatched,
                untrue = done.untrue,
                "{said}"
            ),
            Self::Shown { http } => info!(event = "shown", http, "{said}"),
            Self::NotShown { .. } => warn!(event = "not_shown", "{said}"),
            Self::Draining { grace } => {
                info!(event = "draining", grace_seconds = grace.0 / 1000, "{said}");
            }
            Self::Ended => info!(event = "ended", "{said}"),
            Self::CutOff { .. } => warn!(event = "cut_off", "{said}"),
            Self::Scheduling { worker } => info!(event = "scheduling", worker, "{said}"),
            Self::Ran {
                schedule,
                state,
                campaign,
                ..
            } => info!(
                event = "ran",
                schedule,
                state = state.as_str(),
                campaign,
                "{said}"
            ),
            Self::Sheet { schedule, told } if told.is_empty() => {
                info!(event = "sheet", schedule, "{said}");
            }
            Self::Sheet { schedule, .. } => warn!(event = "sheet", schedule, "{said}"),
        }
    }
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
            Self::Shown { http } => {
                write!(f, "showing /livez, /readyz and /metrics at http://{http}")
            }
            Self::NotShown { told } => write!(f, "not shown over HTTP: {told}"),
            Self::Draining { grace } => write!(
                f,
                "ending after what is in hand, within {grace}; once more to end now"
            ),
            Self::Ended => write!(f, "ended; nothing is left in hand"),
            Self::CutOff { grace } => write!(
                f,
                "what was in hand has not ended within {grace}; another worker takes it up"
            ),
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
