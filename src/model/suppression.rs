//! An address that nothing is written to any more, by whom and why.

use serde::Serialize;

use super::{Mailbox, Timestamp};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SuppressionCause {
    /// A letter came back: the address or its domain does not exist.
    Dead,
    /// They complained of a letter of ours.
    Complaint,
    /// They asked for it.
    OptOut,
    /// Staff decided so.
    Staff,
}

impl SuppressionCause {
    pub const ALL: [Self; 4] = [Self::Dead, Self::Complaint, Self::OptOut, Self::Staff];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dead => "dead",
            Self::Complaint => "complaint",
            Self::OptOut => "opt-out",
            Self::Staff => "staff",
        }
    }

    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == text)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Suppression {
    pub id: i64,
    /// In its base form ([`Mailbox::base`]).
    pub address: Mailbox,
    pub cause: SuppressionCause,
    pub reason: String,
    /// The message that it is for.
    pub incoming: Option<i64>,
    pub by: String,
    pub at: Timestamp,
    /// `None`: it is proposed, and holds for nothing yet.
    pub approved_by: Option<String>,
    /// `None`: until somebody removes it.
    pub until: Option<Timestamp>,
}
