//! What is known of a message that came back beyond what it says: whose it is, and what staff make of it.

use serde::Serialize;

/// By what a message's letter is known, the strongest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FoundBy {
    /// The address that it came to.
    Token,
    /// The ENVID that a report gives back (RFC 3461 4.4).
    Envid,
    /// A Message-ID of ours, in the message that a report gives back or in the thread of an answer. Whoever
    /// has the letter, or a forward of it, knows that.
    MessageId,
    /// The ticket in the subject, which anybody can write: a proposal.
    Ticket,
    #[default]
    Nothing,
}

impl FoundBy {
    pub const ALL: [Self; 5] = [
        Self::Token,
        Self::Envid,
        Self::MessageId,
        Self::Ticket,
        Self::Nothing,
    ];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Envid => "envid",
            Self::MessageId => "message-id",
            Self::Ticket => "ticket",
            Self::Nothing => "",
        }
    }

    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == text)
    }

    /// Whether a report found so may change what is held of a delivery.
    #[must_use]
    pub fn proves_reports(self) -> bool {
        matches!(self, Self::Token | Self::Envid)
    }

    /// Whether an answer found so is an answer to this letter.
    #[must_use]
    pub fn proves_answers(self) -> bool {
        matches!(self, Self::Token | Self::Envid | Self::MessageId)
    }
}

/// What staff make of a message that is theirs to look at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReplyState {
    /// There is nothing for anybody to do.
    #[default]
    Nothing,
    Open,
    /// The network has dealt with it.
    Fixed,
    Disputed,
    /// Somebody else answers for the network.
    WrongContact,
    /// They want to know more before they act.
    NeedsMore,
    Closed,
}

impl ReplyState {
    pub const ALL: [Self; 7] = [
        Self::Nothing,
        Self::Open,
        Self::Fixed,
        Self::Disputed,
        Self::WrongContact,
        Self::NeedsMore,
        Self::Closed,
    ];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Nothing => "",
            Self::Open => "open",
            Self::Fixed => "fixed",
            Self::Disputed => "disputed",
            Self::WrongContact => "wrong-contact",
            Self::NeedsMore => "needs-more",
            Self::Closed => "closed",
        }
    }

    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == text)
    }
}
