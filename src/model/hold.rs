//! What keeps a letter back though nobody refused it, and holds: whom nothing leaves to for a while.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize, Serializer};

use super::contact::is_domain;
use super::{Mailbox, Timestamp};

/// Why we let a letter wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Wait {
    /// Somebody holds it.
    Hold,
    /// Its part of a phased start has not come yet.
    Wave,
    /// Nobody is at the desk where it goes.
    Window,
    /// Its recipient had as many within the hour as may be.
    Cap,
    /// Those before it in its pace go first.
    Pace,
}

impl Wait {
    pub const ALL: [Self; 5] = [Self::Hold, Self::Wave, Self::Window, Self::Cap, Self::Pace];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hold => "hold",
            Self::Wave => "wave",
            Self::Window => "window",
            Self::Cap => "cap",
            Self::Pace => "pace",
        }
    }

    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|wait| wait.as_str() == text)
    }

    /// What people are told of letters that wait for it.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Hold => "held (lapwing hold list)",
            Self::Wave => "wait for their wave",
            Self::Window => "wait for office hours where they go",
            Self::Cap => "wait, for their recipients had enough within the hour",
            Self::Pace => "wait for their turn in their pace",
        }
    }
}

/// Whose pace a moment was set aside in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlotOf {
    Provider,
    /// Asked last: whoever has leave of the relay has it of the provider.
    Relay,
}

impl SlotOf {
    pub const ALL: [Self; 2] = [Self::Provider, Self::Relay];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Provider => "provider",
            Self::Relay => "relay",
        }
    }

    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|slot| slot.as_str() == text)
    }
}

/// When a hold without an end ends: the last second of the year 9999.
pub const FOREVER: Timestamp = Timestamp(253_402_300_799_000);

/// A domain and all below it; `*.isp.example` are those below it only.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Domain {
    name: String,
    is_below: bool,
}

impl Domain {
    /// Without the star.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether only those below it are meant.
    #[must_use]
    pub fn is_below(&self) -> bool {
        self.is_below
    }

    /// Whether a name, or what stands behind the `@` of a mailbox, is in it.
    #[must_use]
    pub fn covers(&self, text: &str) -> bool {
        let name = text.rsplit('@').next().unwrap_or_default();
        match name.strip_suffix(self.name.as_str()) {
            Some("") => !self.is_below,
            Some(rest) => rest.ends_with('.'),
            None => false,
        }
    }
}

impl FromStr for Domain {
    type Err = DomainError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let bare = text.trim().trim_start_matches('@');
        let (name, is_below) = match bare.strip_prefix("*.") {
            Some(name) => (name, true),
            None => (bare, false),
        };
        // Below the star even a top level will do.
        if is_domain(name) || (is_below && is_domain(&format!("a.{name}"))) {
            let name = name.to_ascii_lowercase();
            Ok(Self { name, is_below })
        } else {
            Err(DomainError(text.chars().take(80).collect()))
        }
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let star = if self.is_below { "*." } else { "" };
        write!(f, "{star}{}", self.name)
    }
}

impl Serialize for Domain {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Domain {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no domain: write isp.example, or *.isp.example for those below it")]
pub struct DomainError(String);

/// What a hold speaks about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum HoldSubject {
    /// All parts of one letter.
    Ticket(String),
    Domain(Domain),
    Address(Mailbox),
}

impl HoldSubject {
    pub const KINDS: [&str; 3] = ["ticket", "domain", "address"];

    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Ticket(_) => "ticket",
            Self::Domain(_) => "domain",
            Self::Address(_) => "address",
        }
    }

    /// As it is kept; `None` where the words say nothing.
    #[must_use]
    pub fn from_text(kind: &str, text: &str) -> Option<Self> {
        match kind {
            "ticket" => Some(Self::Ticket(text.to_owned())),
            "domain" => text.parse().ok().map(Self::Domain),
            "address" => text.parse().ok().map(Self::Address),
            _ => None,
        }
    }
}

impl fmt::Display for HoldSubject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ticket(ticket) => ticket.fmt(f),
            Self::Domain(domain) => write!(f, "@{domain}"),
            Self::Address(mailbox) => mailbox.fmt(f),
        }
    }
}

/// Nothing leaves to its subject while it holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Hold {
    pub id: i64,
    pub subject: HoldSubject,
    pub reason: String,
    pub by: String,
    pub at: Timestamp,
    /// `None`: until somebody removes it.
    pub until: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_covers_what_lies_below_it() {
        for (domain, text, covered) in [
            ("isp.example", "abuse@isp.example", true),
            ("ISP.example", "abuse@mail.isp.example", true),
            ("isp.example", "abuse@otherisp.example", false),
            ("isp.example", "isp.example@other.example", false),
            ("*.isp.example", "abuse@isp.example", false),
            ("*.isp.example", "abuse@mail.isp.example", true),
            ("*.example", "abuse@isp.example", true),
            ("@isp.example", "isp.example", true),
        ] {
            let domain: Domain = domain.parse().unwrap();
            assert_eq!(domain.covers(text), covered, "{domain} {text}");
        }
        for text in [
            "",
            "isp",
            "*",
            "*.",
            "a b.example",
            "abuse@isp.example",
            "%.example",
        ] {
            assert!(text.parse::<Domain>().is_err(), "{text}");
        }
    }

    #[test]
    fn words_are_read_back() {
        for wait in Wait::ALL {
            assert_eq!(Wait::from_text(wait.as_str()), Some(wait));
        }
        for (kind, text) in
            HoldSubject::KINDS
                .iter()
                .zip(["LW-000042-5", "isp.example", "a@isp.example"])
        {
            let subject = HoldSubject::from_text(kind, text).unwrap();
            assert_eq!(subject.kind(), *kind);
        }
    }
}
