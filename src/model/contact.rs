//! Mailboxes that answer for networks, and what staff decided about them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize, Serializer};

use super::network::behind_as;
use super::{AddressRange, Timestamp, parse_asn};

/// A full mail address, in lower case, that can stand in an envelope as it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mailbox(String);

impl Mailbox {
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands before the `@`.
    #[must_use]
    pub fn local_part(&self) -> &str {
        self.0.split('@').next().unwrap_or_default()
    }

    /// What stands behind the `@`.
    #[must_use]
    pub fn domain(&self) -> &str {
        self.0.rsplit('@').next().unwrap_or_default()
    }

    /// Without what stands behind a `+`: by RFC 5233 that is the same mailbox.
    #[must_use]
    pub fn base(&self) -> Self {
        let local = self.local_part();
        match local.split_once('+') {
            Some((base, _)) if !base.is_empty() => Self(format!("{base}@{}", self.domain())),
            _ => self.clone(),
        }
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
        if is_local && is_domain(domain) {
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

/// Two labels or more of letters, digits and hyphens.
pub(super) fn is_domain(text: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253 && text.contains('.') && text.split('.').all(is_label)
}

/// How a recipient wants its letters. More will come; each is stored by its word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// A letter with all observations attached as CSV.
    Csv,
    /// A letter without attachment, all observations in its text.
    Text,
    /// A letter for each address, with its XARF report.
    Xarf,
    /// As CSV, and besides an XARF report for each address.
    Both,
}

impl Format {
    pub const ALL: [Self; 4] = [Self::Csv, Self::Text, Self::Xarf, Self::Both];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Text => "text",
            Self::Xarf => "xarf",
            Self::Both => "both",
        }
    }

    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|format| format.as_str().eq_ignore_ascii_case(text))
    }
}

/// What an override speaks about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OverrideSubject {
    Prefix(AddressRange),
    Asn(u32),
    /// A registry handle, compared without regard to case.
    Handle(String),
    /// Whatever contact is found at this domain or below it; in lower case.
    Domain(String),
}

impl FromStr for OverrideSubject {
    type Err = SubjectError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let wrong = || SubjectError(text.chars().take(80).collect());
        if let Some(asn) = parse_asn(text) {
            return Ok(Self::Asn(asn));
        }
        if let Ok(range) = text.parse::<AddressRange>() {
            return Ok(Self::Prefix(range));
        }
        let domain = text.strip_prefix('@').unwrap_or(text);
        // 192.0.2.300 is a slip of the pen, not a domain: no top level is a number (RFC 3696 2).
        let top = domain.rsplit('.').next().unwrap_or_default();
        if is_domain(domain) && !top.bytes().all(|byte| byte.is_ascii_digit()) {
            return Ok(Self::Domain(domain.to_ascii_lowercase()));
        }
        let is_sign = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        let is_handle = (2..=64).contains(&text.len())
            && text.bytes().all(is_sign)
            && text.bytes().any(|byte| byte.is_ascii_alphabetic());
        // AS99999999999 is no handle, but an AS number that cannot be.
        let is_number =
            behind_as(text).is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()));
        if is_handle && !is_number {
            return Ok(Self::Handle(text.to_owned()));
        }
        Err(wrong())
    }
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{0}\" is no subject: write a prefix (192.0.2.0/24), an AS (AS64500), a registry handle \
     (ORG-EX1-TEST) or the domain of a mailbox (isp.example)"
)]
pub struct SubjectError(String);

impl fmt::Display for OverrideSubject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Prefix(range) => range.fmt(f),
            Self::Asn(asn) => write!(f, "AS{asn}"),
            Self::Handle(handle) => handle.fmt(f),
            Self::Domain(domain) => write!(f, "@{domain}"),
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
    /// `None` where it wishes nothing.
    pub format: Option<Format>,
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
    fn a_subject_is_known_by_its_shape() {
        for (text, subject) in [
            ("192.0.2.0/24", "Prefix 192.0.2.0/24"),
            ("192.0.2.7", "Prefix 192.0.2.7"),
            ("2001:db8::/32", "Prefix 2001:db8::/32"),
            ("as64500", "Asn AS64500"),
            ("64500", "Asn AS64500"),
            ("ASN64500", "Asn AS64500"),
            ("ORG-EX1-TEST", "Handle ORG-EX1-TEST"),
            ("AS-EXAMPLE", "Handle AS-EXAMPLE"),
            ("ISP.example", "Domain @isp.example"),
            ("@mail.isp.example", "Domain @mail.isp.example"),
        ] {
            let read: OverrideSubject = text.parse().unwrap();
            let kind = format!("{read:?}");
            let kind = kind.split('(').next().unwrap();
            assert_eq!(format!("{kind} {read}"), subject);
        }
        for text in [
            "",
            "x",
            "192.0.2.300",
            "AS99999999999",
            "ASN99999999999",
            "a b",
            "abuse@isp.example",
            "isp..example",
        ] {
            assert!(text.parse::<OverrideSubject>().is_err(), "{text}");
        }
    }

    #[test]
    fn is_masked_for_logs() {
        let mailbox: Mailbox = "abuse@isp.example".parse().unwrap();
        assert_eq!(mailbox.masked(), "a***@isp.example");
    }
}
