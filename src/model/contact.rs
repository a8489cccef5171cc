//! Mailboxes that answer for networks, and what staff decided about them.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use super::{AddressRange, Timestamp};

/// A full mail address, in lower case, that can stand in an envelope as it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mailbox(String);

impl Mailbox {
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands behind the `@`.
    #[must_use]
    pub fn domain(&self) -> &str {
        self.0.rsplit('@').next().unwrap_or_default()
    }

    /// For logs: enough to recognise it by, too little to write to.
    #[must_use]
    pub fn masked(&self) -> String {
        let head: String = self.0.chars().take(1).collect();
        format!("{head}***@{}", self.domain())
    }
}

impl FromStr for Mailbox {
    type Err = MailboxError;

    /// Takes `abuse@isp.example`, also in angle brackets or behind `mailto:`. Only the plain form
    /// of RFC 5321 4.1.2 (Dot-string and a domain name of letters, digits and hyphens) is taken:
    /// quoted local parts and address literals are no abuse desks.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || MailboxError(text.chars().take(80).collect());
        let bare = text
            .trim()
            .trim_start_matches('<')
            .trim_end_matches('>')
            .trim();
        let bare = bare
            .get(..7)
            .filter(|head| head.eq_ignore_ascii_case("mailto:"))
            .map_or(bare, |_| &bare[7..]);
        let (local, domain) = bare.split_once('@').ok_or_else(wrong)?;
        let atom = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+/=?^_`{|}~-".contains(c);
        let is_local = local.len() <= 64
            && local
                .split('.')
                .all(|part| !part.is_empty() && part.chars().all(atom));
        let is_label = |label: &str| {
            (1..=63).contains(&label.len())
                && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        let is_domain =
            domain.len() <= 253 && domain.contains('.') && domain.split('.').all(is_label);
        if is_local && is_domain {
            Ok(Self(bare.to_ascii_lowercase()))
        } else {
            Err(wrong())
        }
    }
}

impl fmt::Display for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Mailbox {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a mail address")]
pub struct MailboxError(String);

/// What an override speaks about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OverrideSubject {
    Prefix(AddressRange),
    Asn(u32),
    /// A registry handle, compared without regard to case.
    Handle(String),
}

impl fmt::Display for OverrideSubject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Prefix(range) => range.fmt(f),
            Self::Asn(asn) => write!(f, "AS{asn}"),
            Self::Handle(handle) => handle.fmt(f),
        }
    }
}

/// A decision of the staff that goes before every registry: this mailbox, or never.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Override {
    pub id: i64,
    pub subject: OverrideSubject,
    /// `None` is *never*: nobody is written to about it.
    pub mailbox: Option<Mailbox>,
    pub locale: String,
    pub reason: String,
    pub owner: String,
    pub created_at: Timestamp,
    pub expires_at: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_full_addresses_only() {
        for (text, kept) in [
            ("Abuse@ISP.example", "abuse@isp.example"),
            (" <abuse@isp.example> ", "abuse@isp.example"),
            ("mailto:noc+spam@isp.example", "noc+spam@isp.example"),
            ("a.b@xn--bcher-kva.example", "a.b@xn--bcher-kva.example"),
        ] {
            assert_eq!(text.parse::<Mailbox>().unwrap().as_str(), kept);
        }
        for text in [
            "",
            "abuse",
            "abuse@",
            "@isp.example",
            "abuse@isp",
            "a b@isp.example",
            "a@b@isp.example",
            "abuse@isp..example",
            "a@b.example\r\nBcc: c@d.example",
            "abuse{At]isp.example",
            "\"a b\"@isp.example",
            "abuse@[192.0.2.1]",
            ".a@isp.example",
            "a@-b.example",
            "ä@isp.example",
        ] {
            assert!(text.parse::<Mailbox>().is_err(), "{text}");
        }
    }

    #[test]
    fn is_masked_for_logs() {
        let mailbox: Mailbox = "abuse@isp.example".parse().unwrap();
        assert_eq!(mailbox.masked(), "a***@isp.example");
    }
}
