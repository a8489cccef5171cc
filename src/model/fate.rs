//! What became of a letter after the next mail server took it, and who answered it.

use serde::Serialize;

use super::{Action, AutoReply, Class};

/// What mail servers reported, put together. What is known for certain is not undone by what comes late.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fate {
    /// Nobody has said anything.
    #[default]
    Unknown,
    /// Some mail server still tries.
    Delayed,
    /// Handed to a mail server that reports nothing more.
    Relayed,
    /// Given to the members of a list: whatever happens to one of them is not the letter's end.
    Expanded,
    Delivered,
    BouncedSoft,
    BouncedHard,
}

impl Fate {
    pub const ALL: [Self; 7] = [
        Self::Unknown,
        Self::Delayed,
        Self::Relayed,
        Self::Expanded,
        Self::Delivered,
        Self::BouncedSoft,
        Self::BouncedHard,
    ];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "",
            Self::Delayed => "delayed",
            Self::Relayed => "relayed",
            Self::Expanded => "expanded",
            Self::Delivered => "delivered",
            Self::BouncedSoft => "bounced-soft",
            Self::BouncedHard => "bounced-hard",
        }
    }

    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|fate| fate.as_str() == text)
    }

    #[must_use]
    pub fn is_bounced(self) -> bool {
        matches!(self, Self::BouncedSoft | Self::BouncedHard)
    }

    /// What it is after one more report.
    #[must_use]
    pub fn after(self, class: Class, action: Action) -> Self {
        let told = match (class, action) {
            (Class::Delayed, _) => Self::Delayed,
            (Class::Delivered, Action::Relayed) => Self::Relayed,
            (Class::Delivered, Action::Expanded) => Self::Expanded,
            (Class::Delivered, _) => Self::Delivered,
            (Class::BounceSoft, _) => Self::BouncedSoft,
            (Class::BounceHard, _) => Self::BouncedHard,
            (Class::AutoReply | Class::Feedback | Class::Human | Class::Other, _) => return self,
        };
        match (self, told) {
            (Self::Expanded, told) if told.is_bounced() => self,
            // A mail server may take a letter, say so, and send it back all the same.
            (known, told) if told.rank() > known.rank() => told,
            (known, _) => known,
        }
    }

    fn rank(self) -> u8 {
        match self {
            Self::Unknown => 0,
            Self::Delayed => 1,
            Self::Relayed | Self::Expanded => 2,
            Self::Delivered => 3,
            Self::BouncedSoft => 4,
            Self::BouncedHard => 5,
        }
    }
}

/// Who answered a letter, the most telling answer of all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Answered {
    #[default]
    Nobody,
    /// A machine, with nothing that would matter.
    Noted,
    /// A desk has opened a case.
    Acknowledged,
    /// A person.
    Replied,
    /// Somebody wants no more of it.
    Complained,
}

impl Answered {
    pub const ALL: [Self; 5] = [
        Self::Nobody,
        Self::Noted,
        Self::Acknowledged,
        Self::Replied,
        Self::Complained,
    ];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Nobody => "",
            Self::Noted => "noted",
            Self::Acknowledged => "acknowledged",
            Self::Replied => "replied",
            Self::Complained => "complained",
        }
    }

    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.as_str() == text)
    }

    #[must_use]
    pub fn by(class: Class, kind: Option<AutoReply>) -> Self {
        match (class, kind) {
            (Class::Human, _) => Self::Replied,
            (Class::Feedback, _) => Self::Complained,
            (Class::AutoReply, Some(AutoReply::Acknowledgement)) => Self::Acknowledged,
            (Class::AutoReply, _) => Self::Noted,
            _ => Self::Nobody,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_certain_is_not_undone_by_what_comes_late() {
        use Action as A;
        use Class as C;
        use Fate as F;
        for (before, class, action, after) in [
            (F::Unknown, C::Delayed, A::Delayed, F::Delayed),
            (F::Unknown, C::Delivered, A::Relayed, F::Relayed),
            (F::Unknown, C::Delivered, A::Expanded, F::Expanded),
            (F::Delayed, C::Delivered, A::Delivered, F::Delivered),
            (F::Relayed, C::BounceSoft, A::Failed, F::BouncedSoft),
            (F::Relayed, C::Delayed, A::Delayed, F::Relayed),
            (F::Delivered, C::Delayed, A::Delayed, F::Delivered),
            (F::Delivered, C::BounceHard, A::Failed, F::BouncedHard),
            (F::BouncedSoft, C::BounceHard, A::Failed, F::BouncedHard),
            (F::BouncedHard, C::BounceSoft, A::Failed, F::BouncedHard),
            (F::BouncedHard, C::Delivered, A::Delivered, F::BouncedHard),
            (F::BouncedSoft, C::Delayed, A::Delayed, F::BouncedSoft),
            (F::Expanded, C::BounceHard, A::Failed, F::Expanded),
            (F::Expanded, C::Delivered, A::Delivered, F::Delivered),
            (F::Delayed, C::Human, A::Failed, F::Delayed),
            (F::Unknown, C::AutoReply, A::Failed, F::Unknown),
        ] {
            assert_eq!(before.after(class, action), after, "{before:?} {class:?}");
        }
    }

    #[test]
    fn words_are_read_back() {
        for fate in Fate::ALL {
            assert_eq!(Fate::from_text(fate.as_str()), Some(fate));
        }
        for answered in Answered::ALL {
            assert_eq!(Answered::from_text(answered.as_str()), Some(answered));
        }
    }
}
