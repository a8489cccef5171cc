//! What came back, as it was read: a class, whom it is about, which letter it answers, and why we think so.

use std::fmt;

use serde::Serialize;

/// What kind of mail came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// A final failure: the address or its domain is dead.
    BounceHard,
    /// A final failure for any other cause.
    BounceSoft,
    /// Some mail server is still trying.
    Delayed,
    /// Delivered, handed on, or given to a list's members; which of them is told by the [`Action`].
    Delivered,
    /// A machine answers for its owner; [`AutoReply`] says how.
    AutoReply,
    /// Somebody complains of mail of ours, or tells that it failed authentication.
    Feedback,
    /// A person wrote it. What nothing else is known of counts as a person's.
    Human,
    /// Newsletters, alerts, reports nobody asked for, bounces that are none.
    Other,
}

impl Class {
    pub const ALL: [Self; 8] = [
        Self::BounceHard,
        Self::BounceSoft,
        Self::Delayed,
        Self::Delivered,
        Self::AutoReply,
        Self::Feedback,
        Self::Human,
        Self::Other,
    ];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BounceHard => "bounce-hard",
            Self::BounceSoft => "bounce-soft",
            Self::Delayed => "delayed",
            Self::Delivered => "delivered",
            Self::AutoReply => "auto-reply",
            Self::Feedback => "feedback",
            Self::Human => "human",
            Self::Other => "other",
        }
    }

    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == text)
    }

    #[must_use]
    pub fn is_bounce(self) -> bool {
        matches!(self, Self::BounceHard | Self::BounceSoft)
    }
}

/// What a mail server says it did (RFC 3464 2.3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    Failed,
    Delayed,
    Delivered,
    Relayed,
    Expanded,
}

impl Action {
    pub const ALL: [Self; 5] = [
        Self::Failed,
        Self::Delayed,
        Self::Delivered,
        Self::Relayed,
        Self::Expanded,
    ];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Delayed => "delayed",
            Self::Delivered => "delivered",
            Self::Relayed => "relayed",
            Self::Expanded => "expanded",
        }
    }

    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == text)
    }
}

/// How a machine answered for its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum AutoReply {
    /// Somebody is away, and may come back.
    Vacation,
    /// A desk has received the letter.
    Acknowledgement,
    /// The letter is held until its sender proves to be a person. No such link is ever followed.
    Challenge,
    /// Nobody reads this address any more; another may be named.
    AddressRetired,
    /// It was opened (RFC 8098).
    ReadReceipt,
    /// A machine wrote it, and no more is known.
    Automatic,
}

impl AutoReply {
    pub const ALL: [Self; 6] = [
        Self::Vacation,
        Self::Acknowledgement,
        Self::Challenge,
        Self::AddressRetired,
        Self::ReadReceipt,
        Self::Automatic,
    ];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Vacation => "vacation",
            Self::Acknowledgement => "acknowledgement",
            Self::Challenge => "challenge",
            Self::AddressRetired => "address-retired",
            Self::ReadReceipt => "read-receipt",
            Self::Automatic => "automatic",
        }
    }

    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == text)
    }
}

/// What a failure means for the contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Weight {
    /// The address is dead.
    Hard,
    /// It may work another time.
    Soft,
    /// It may work when we change something: the letter, our name, our pace.
    Ours,
}

impl Weight {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hard => "hard",
            Self::Soft => "soft",
            Self::Ours => "ours",
        }
    }

    #[must_use]
    pub fn class(self) -> Class {
        match self {
            Self::Hard => Class::BounceHard,
            Self::Soft | Self::Ours => Class::BounceSoft,
        }
    }
}

/// One recipient of ours that a report speaks of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reported {
    /// As we wrote it, where the report still knows.
    pub address: String,
    /// Where it went in the end, if that is another.
    pub final_address: Option<String>,
    pub action: Action,
    pub class: Class,
    /// RFC 3463, verbatim.
    pub status: Option<String>,
    /// What the server said, verbatim.
    pub diagnostic: String,
    /// By its name in the table of reasons.
    pub reason: Option<String>,
    pub weight: Option<Weight>,
}

/// Which layer says so, and the line that made it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Evidence {
    pub layer: &'static str,
    pub says: String,
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.layer, self.says)
    }
}

/// One message that came back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reading {
    pub class: Class,
    pub auto_reply: Option<AutoReply>,
    /// Of feedback: somebody wants no such mail, and it is no report of a machine about authentication.
    pub is_complaint: bool,
    pub recipients: Vec<Reported>,
    /// Of the letter that it is about, without angle brackets.
    pub message_id: Option<String>,
    /// As we gave it with the letter (RFC 3461).
    pub envelope_id: Option<String>,
    /// The number that a desk has given the case, verbatim.
    pub ticket: Option<String>,
    pub subject: String,
    /// The address of who wrote it.
    pub from: Option<String>,
    pub in_reply_to: Vec<String>,
    pub references: Vec<String>,
    /// What it says, for people to read: decoded, and cut where it is long.
    pub text: String,
    pub evidence: Vec<Evidence>,
}

impl Reading {
    /// The reason of the first recipient that has one.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        self.recipients.iter().find_map(|one| one.reason.as_deref())
    }

    /// All status codes, each once.
    #[must_use]
    pub fn statuses(&self) -> Vec<&str> {
        let mut found: Vec<&str> = Vec::new();
        for status in self
            .recipients
            .iter()
            .filter_map(|one| one.status.as_deref())
        {
            if !found.contains(&status) {
                found.push(status);
            }
        }
        found
    }
}
