//! A delivery: one letter to one address, its states, and what each attempt was answered.

use std::fmt;

use serde::Serialize;

use super::{Answered, Fate, Mailbox, Timestamp, Wait};

/// The row that the queue lives in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Delivery {
    #[serde(skip)]
    pub id: i64,
    #[serde(skip)]
    pub letter: i64,
    #[serde(skip)]
    pub campaign: i64,
    pub recipient: Mailbox,
    pub state: DeliveryState,
    /// Attempts that counted; faults of the relay itself do not.
    pub attempts: i64,
    pub queued_at: Timestamp,
    /// When it is tried again, in state `scheduled`.
    pub due_at: Timestamp,
    /// Why it waits, in state `scheduled`; `None` where the other side deferred it.
    pub waits: Option<Wait>,
    /// The hold that it waits for.
    pub hold: Option<i64>,
    /// What was heard of it after it was accepted.
    pub fate: Fate,
    pub answered: Answered,
    /// For which it was left out, in state `cancelled`.
    pub suppression: Option<i64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryState {
    /// May be handed to a worker now.
    Ready,
    /// Waits for `due_at`: deferred by the other side, sent back by a relay in trouble, or kept back
    /// by us ([`Wait`]).
    Scheduled,
    /// In the hands of one worker until its lease ends.
    Leased,
    /// The next hop said 250. Not delivered: nobody knows that yet.
    Accepted,
    /// The next hop said 5xx.
    Refused,
    /// Deferred until the time was up.
    Expired,
    /// Cut off after the message was handed over, and by setting not sent again.
    Uncertain,
    /// It could not be built or kept killing workers.
    Failed,
    Cancelled,
}

impl DeliveryState {
    pub const ALL: [Self; 9] = [
        Self::Ready,
        Self::Scheduled,
        Self::Leased,
        Self::Accepted,
        Self::Refused,
        Self::Expired,
        Self::Uncertain,
        Self::Failed,
        Self::Cancelled,
    ];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Scheduled => "scheduled",
            Self::Leased => "leased",
            Self::Accepted => "accepted",
            Self::Refused => "refused",
            Self::Expired => "expired",
            Self::Uncertain => "uncertain",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// Whether something may still happen to it by itself.
    #[must_use]
    pub fn is_open(self) -> bool {
        matches!(self, Self::Ready | Self::Scheduled | Self::Leased)
    }

    /// What a leased delivery becomes by the outcome of an attempt. `again` is the next time to
    /// try, `None` where the schedule has come to its end; `resend` is the setting for letters
    /// whose acceptance cannot be known.
    #[must_use]
    pub fn after(
        outcome: OutcomeKind,
        again: Option<Timestamp>,
        resend: bool,
    ) -> (Self, Option<Timestamp>) {
        match (outcome, again) {
            (OutcomeKind::Accepted, _) => (Self::Accepted, None),
            (OutcomeKind::Refused, _) => (Self::Refused, None),
            (OutcomeKind::Failed, _) => (Self::Failed, None),
            (OutcomeKind::Uncertain, _) if !resend => (Self::Uncertain, None),
            (OutcomeKind::Deferred | OutcomeKind::Uncertain | OutcomeKind::Relay, Some(at)) => {
                (Self::Scheduled, Some(at))
            }
            (OutcomeKind::Deferred | OutcomeKind::Uncertain | OutcomeKind::Relay, None) => {
                (Self::Expired, None)
            }
        }
    }
}

impl fmt::Display for DeliveryState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One SMTP transaction; only ever added, and finished once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Attempt {
    pub number: i64,
    pub worker: String,
    pub began_at: Timestamp,
    pub finished_at: Option<Timestamp>,
    pub outcome: Option<Outcome>,
}

/// How an attempt ended, as the other side put it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Outcome {
    pub kind: OutcomeKind,
    /// Who was spoken to: `mx.example:25`, or the folder.
    pub relay: String,
    /// Whom the envelope named: the recipient, or the one mailbox that test letters go to. `None`
    /// where nobody was written to.
    pub sent_to: Option<Mailbox>,
    /// Where in the dialogue it was decided.
    pub step: Step,
    /// The SMTP code, 0 where there was none.
    pub code: i64,
    /// RFC 3463, from the first word of the reply, or empty.
    pub enhanced: String,
    /// Verbatim, lines joined by spaces; or what went wrong, in our words.
    pub reply: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OutcomeKind {
    Accepted,
    /// 4xx about this letter.
    Deferred,
    /// 5xx about this letter.
    Refused,
    /// Cut off after the final dot: acceptance cannot be known.
    Uncertain,
    /// The relay itself is in trouble; not the letter's fault and not counted against it.
    Relay,
    /// We could not build or read the letter.
    Failed,
}

impl OutcomeKind {
    pub const ALL: [Self; 6] = [
        Self::Accepted,
        Self::Deferred,
        Self::Refused,
        Self::Uncertain,
        Self::Relay,
        Self::Failed,
    ];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Deferred => "deferred",
            Self::Refused => "refused",
            Self::Uncertain => "uncertain",
            Self::Relay => "relay",
            Self::Failed => "failed",
        }
    }

    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// The steps of RFC 5321 at which a letter's fate can be decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Step {
    Build,
    Connect,
    Tls,
    Login,
    Mail,
    Rcpt,
    Data,
    /// After the message and its final dot.
    Dot,
}

impl Step {
    pub const ALL: [Self; 8] = [
        Self::Build,
        Self::Connect,
        Self::Tls,
        Self::Login,
        Self::Mail,
        Self::Rcpt,
        Self::Data,
        Self::Dot,
    ];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Build => "build",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Login => "login",
            Self::Mail => "mail",
            Self::Rcpt => "rcpt",
            Self::Data => "data",
            Self::Dot => "dot",
        }
    }

    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|step| step.as_str() == text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_leads_somewhere() {
        use DeliveryState as S;
        use OutcomeKind as O;
        let later = Some(Timestamp(7));
        for (outcome, again, resend, state, due) in [
            (O::Accepted, later, true, S::Accepted, None),
            (O::Accepted, None, false, S::Accepted, None),
            (O::Refused, later, true, S::Refused, None),
            (O::Failed, later, true, S::Failed, None),
            (O::Deferred, later, true, S::Scheduled, later),
            (O::Deferred, None, true, S::Expired, None),
            (O::Relay, later, false, S::Scheduled, later),
            (O::Relay, None, false, S::Expired, None),
            (O::Uncertain, later, true, S::Scheduled, later),
            (O::Uncertain, later, false, S::Uncertain, None),
            (O::Uncertain, None, true, S::Expired, None),
        ] {
            assert_eq!(
                S::after(outcome, again, resend),
                (state, due),
                "{outcome:?}"
            );
        }
    }

    #[test]
    fn words_are_read_back() {
        for state in DeliveryState::ALL {
            assert_eq!(DeliveryState::from_text(state.as_str()), Some(state));
        }
        for kind in OutcomeKind::ALL {
            assert_eq!(OutcomeKind::from_text(kind.as_str()), Some(kind));
        }
        for step in Step::ALL {
            assert_eq!(Step::from_text(step.as_str()), Some(step));
        }
    }
}
