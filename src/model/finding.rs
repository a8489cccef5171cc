//! A finding: who answers for one network in one campaign, and why.

use serde::Serialize;

use super::{Format, Mailbox, Timestamp};

/// What `resolve` found for all suspects of one network at once, so that a reason or a change
/// of contact is one row, however many suspects hang on it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    #[serde(skip)]
    pub id: i64,
    #[serde(skip)]
    pub network: Option<i64>,
    pub country: String,
    pub verdict: Verdict,
    /// In words, for staff: which source said so, and over which rungs of the ladder.
    pub reason: String,
    /// Whom it may be written to, best first; the first is the one that the verdict names. The next
    /// serves when that one is dead.
    pub rungs: Vec<Rung>,
    /// The web form that the network wants instead of mail, or empty.
    pub form: String,
    /// Who goes before the mailbox and is not written to any more, because letters came back or are not
    /// wanted: the letter says so.
    pub passed: Vec<Mailbox>,
}

/// One who may be written to about a network, and why it would be him.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rung {
    pub via: Via,
    pub mailbox: Mailbox,
    /// The language the contact asked for, or empty.
    pub locale: String,
    pub format: Option<Format>,
    /// What it is registered for, where that is not the network itself: the larger range, the AS, the
    /// country.
    pub answers_for: String,
    pub reason: String,
}

impl Rung {
    #[must_use]
    pub fn matched(&self) -> Verdict {
        Verdict::Matched {
            mailbox: self.mailbox.clone(),
            via: self.via,
            locale: self.locale.clone(),
            format: self.format,
            answers_for: self.answers_for.clone(),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase", tag = "verdict")]
pub enum Verdict {
    /// This mailbox answers.
    Matched {
        mailbox: Mailbox,
        via: Via,
        /// The language the contact asked for, or empty.
        locale: String,
        /// How staff said that it wants its letters.
        #[serde(skip_serializing_if = "Option::is_none")]
        format: Option<Format>,
        /// What the mailbox is registered for, where that is not the network itself: a larger range,
        /// `AS64500`, or a country.
        #[serde(skip_serializing_if = "String::is_empty")]
        answers_for: String,
    },
    /// No network is known, or none of its ladder has a contact.
    Unresolved,
    /// Staff said *never*.
    Withheld,
    /// A source could not be asked now; not the same as having no contact.
    Deferred { until: Timestamp },
}

impl Verdict {
    pub const WORDS: [&'static str; 4] = ["matched", "unresolved", "withheld", "deferred"];

    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Matched { .. } => "matched",
            Self::Unresolved => "unresolved",
            Self::Withheld => "withheld",
            Self::Deferred { .. } => "deferred",
        }
    }
}

/// Why it is this mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Via {
    /// The network's own contact.
    Own,
    /// The contact of a larger range around it.
    Parent,
    /// The contact of the AS that announces it.
    As,
    /// The national CSIRT, for nobody else was found.
    Csirt,
    /// Entered by staff.
    Override,
}

impl Via {
    pub const ALL: [Self; 5] = [
        Self::Override,
        Self::Own,
        Self::Parent,
        Self::As,
        Self::Csirt,
    ];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Parent => "parent",
            Self::As => "as",
            Self::Csirt => "csirt",
            Self::Override => "override",
        }
    }

    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|via| via.as_str() == text)
    }
}
