//! A campaign: one mailing with one purpose, and what people decided about it.

use std::fmt;

use serde::Serialize;

use super::{Timestamp, Tlp};

/// One mailing with one purpose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Campaign {
    #[serde(skip)]
    pub id: i64,
    pub name: String,
    pub kind: CampaignKind,
    /// The letter it writes: a folder under `templates/letter/`.
    pub letter: String,
    /// With whom its letters may be shared; `None` for letters without a mark.
    pub tlp: Option<Tlp>,
    /// Whether a row must say when and how it is known.
    pub require_evidence: bool,
    /// The campaign that a reminder reminds of.
    #[serde(skip)]
    pub after: Option<i64>,
    /// Whether each country's agencies get a copy list.
    pub cover: bool,
    #[serde(flatten)]
    pub terms: Terms,
    pub state: CampaignState,
    pub created_at: Timestamp,
    pub created_by: String,
    pub resolved_at: Option<Timestamp>,
    pub composed_at: Option<Timestamp>,
    /// When it came out of a backup: nothing of it leaves until somebody releases it, for what was sent after
    /// the backup was taken is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restored_at: Option<Timestamp>,
    /// Since when its evidence is no longer kept, or not all of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thinned_at: Option<Timestamp>,
    /// When the words of its letters were taken away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub letters_gone_at: Option<Timestamp>,
}

/// What a campaign is to be, before it is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewCampaign {
    pub name: String,
    pub letter: String,
    pub tlp: Option<Tlp>,
    pub require_evidence: bool,
    /// The campaign that a reminder reminds of.
    pub after: Option<i64>,
    pub cover: bool,
    pub terms: Terms,
}

/// What the campaigns of a schedule keep to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Terms {
    /// The language of all letters; empty: the recipient's.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub language: String,
    /// A contact with fewer observations is not written to.
    #[serde(skip_serializing_if = "is_none")]
    pub least: i64,
    /// A contact is not told again within so many days, unless there are new addresses; 0: it is.
    #[serde(skip_serializing_if = "is_none")]
    pub again_after: i64,
}

impl Terms {
    /// The languages to write in, best first: what the terms want goes before what anybody wished for.
    #[must_use]
    pub fn wished<'t>(&'t self, mut languages: Vec<&'t str>) -> Vec<&'t str> {
        if !self.language.is_empty() {
            languages.insert(0, &self.language);
        }
        languages
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands in a reference"
)]
fn is_none(number: &i64) -> bool {
    *number == 0
}

impl NewCampaign {
    /// One that writes `letter`, and nothing besides.
    #[must_use]
    pub fn new(name: &str, letter: &str) -> Self {
        Self {
            name: name.to_owned(),
            letter: letter.to_owned(),
            tlp: None,
            require_evidence: false,
            after: None,
            cover: false,
            terms: Terms::default(),
        }
    }

    #[must_use]
    pub fn kind(&self) -> CampaignKind {
        CampaignKind::of_letter(&self.letter)
    }
}

/// What a campaign is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CampaignKind {
    #[default]
    /// To those in whose networks there are suspects.
    Notice,
    /// To every operator of a list; it knows no suspects.
    Advisory,
    /// Once more to those whom an earlier campaign wrote to.
    Reminder,
}

impl CampaignKind {
    pub const ALL: [Self; 3] = [Self::Notice, Self::Advisory, Self::Reminder];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Notice => "notice",
            Self::Advisory => "advisory",
            Self::Reminder => "reminder",
        }
    }

    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// What its lists hold: one of them, in a word.
    #[must_use]
    pub fn rows(self) -> &'static str {
        match self {
            Self::Advisory => "addressee",
            Self::Notice | Self::Reminder => "suspect",
        }
    }

    /// What its letters do with them.
    #[must_use]
    pub fn covers(self) -> &'static str {
        match self {
            Self::Advisory => "for",
            Self::Notice | Self::Reminder => "listing",
        }
    }

    /// What a letter is for, by its name: `advisory` and `advisory-short` are advisories, and what is
    /// called otherwise is a notice.
    #[must_use]
    pub fn of_letter(letter: &str) -> Self {
        let lead = letter.split('-').next().unwrap_or_default();
        Self::from_text(lead).unwrap_or(Self::Notice)
    }
}

/// Where a campaign stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CampaignState {
    /// Suspects come in, letters are written and rewritten.
    Draft,
    /// Somebody vouches for the rendered set and asks a second person.
    Submitted,
    /// The second person agreed: its deliveries are in the queue.
    Approved,
    /// In the queue, but nothing of it is handed out.
    Paused,
    /// Stopped for good; what had left has left.
    Cancelled,
    /// No delivery is open any more.
    Settled,
}

impl CampaignState {
    pub const ALL: [Self; 6] = [
        Self::Draft,
        Self::Submitted,
        Self::Approved,
        Self::Paused,
        Self::Cancelled,
        Self::Settled,
    ];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Submitted => "submitted",
            Self::Approved => "approved",
            Self::Paused => "paused",
            Self::Cancelled => "cancelled",
            Self::Settled => "settled",
        }
    }

    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// Where a decision leads from here, or `None` where it cannot be taken.
    #[must_use]
    pub fn after(self, decision: DecisionKind) -> Option<Self> {
        use CampaignState::{Approved, Cancelled, Draft, Paused, Submitted};
        use DecisionKind as D;
        match (self, decision) {
            (Draft, D::Submitted) => Some(Submitted),
            (Submitted, D::Approved) => Some(Approved),
            (Submitted, D::Returned | D::Voided) => Some(Draft),
            (Approved, D::Paused) => Some(Paused),
            (Paused, D::Resumed) => Some(Approved),
            (Draft | Submitted | Approved | Paused, D::Cancelled) => Some(Cancelled),
            _ => None,
        }
    }
}

impl fmt::Display for CampaignState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a person did to a campaign, or what became of it by a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DecisionKind {
    Submitted,
    Approved,
    /// The second person sent it back.
    Returned,
    /// The set changed after it was submitted.
    Voided,
    Paused,
    Resumed,
    Cancelled,
}

impl DecisionKind {
    pub const ALL: [Self; 7] = [
        Self::Submitted,
        Self::Approved,
        Self::Returned,
        Self::Voided,
        Self::Paused,
        Self::Resumed,
        Self::Cancelled,
    ];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Submitted => "submitted",
            Self::Approved => "approved",
            Self::Returned => "returned",
            Self::Voided => "voided",
            Self::Paused => "paused",
            Self::Resumed => "resumed",
            Self::Cancelled => "cancelled",
        }
    }

    /// The command that decides so.
    #[must_use]
    pub fn command(self) -> &'static str {
        match self {
            Self::Submitted => "campaign submit",
            Self::Approved => "campaign approve",
            Self::Returned => "campaign return",
            // Nobody says it: it follows from a change.
            Self::Voided => "campaign void",
            Self::Paused => "campaign pause",
            Self::Resumed => "campaign resume",
            Self::Cancelled => "campaign cancel",
        }
    }

    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// Who decided what and when, over which digest; only ever added.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Decision {
    pub kind: DecisionKind,
    pub by: String,
    pub at: Timestamp,
    /// The digest of the rendered set that it spoke of; empty where none was in question.
    pub digest: String,
    pub reason: String,
    /// Languages that nobody had reviewed, and that it accepts.
    pub unreviewed: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_submitted_campaign_can_be_approved() {
        for state in CampaignState::ALL {
            let leads = state.after(DecisionKind::Approved).is_some();
            assert_eq!(leads, state == CampaignState::Submitted, "{state}");
        }
    }

    #[test]
    fn what_has_ended_stays_ended() {
        for state in [CampaignState::Cancelled, CampaignState::Settled] {
            for kind in DecisionKind::ALL {
                assert_eq!(state.after(kind), None, "{state} {}", kind.as_str());
            }
        }
    }

    #[test]
    fn a_letter_says_by_its_name_what_it_is_for() {
        for (letter, kind) in [
            ("notice", CampaignKind::Notice),
            ("notice-short", CampaignKind::Notice),
            ("ours", CampaignKind::Notice),
            ("advisory", CampaignKind::Advisory),
            ("advisory-2026", CampaignKind::Advisory),
            ("reminder", CampaignKind::Reminder),
        ] {
            assert_eq!(CampaignKind::of_letter(letter), kind, "{letter}");
        }
    }

    #[test]
    fn words_are_read_back() {
        for state in CampaignState::ALL {
            assert_eq!(CampaignState::from_text(state.as_str()), Some(state));
        }
        for kind in DecisionKind::ALL {
            assert_eq!(DecisionKind::from_text(kind.as_str()), Some(kind));
        }
    }
}
