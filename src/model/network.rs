//! A network: a registered range, who holds it and where that is known from.

use serde::Serialize;

use super::{AddressRange, Mailbox};

/// A registered range with its holder, as one table or registry told it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Network {
    pub range: AddressRange,
    /// The registry's short name: `EXAMPLE-NET-1`.
    pub name: String,
    pub holder: String,
    /// ISO 3166-1 alpha-2 in capitals, or empty where it is not known.
    pub country: String,
    pub asn: Option<u32>,
    /// The holder's or contact's handle in the registry: `ORG-EX1-TEST`.
    pub handle: String,
    pub registry: String,
    /// The language its contact asked for (BCP 47), or empty.
    pub locale: String,
    /// The mailboxes that answer for it, best first.
    pub contacts: Vec<Mailbox>,
}

/// How surely a mailbox is the one for abuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Tier {
    /// The registry names it as the abuse contact.
    Explicit,
    /// A remark says that abuse is to be reported there.
    Remarks,
    /// A technical or administrative contact; nothing says abuse.
    Contact,
    None,
}

impl Tier {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Explicit => "explicit",
            Self::Remarks => "remarks",
            Self::Contact => "contact",
            Self::None => "none",
        }
    }

    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        [Self::Explicit, Self::Remarks, Self::Contact, Self::None]
            .into_iter()
            .find(|tier| tier.as_str() == text)
    }
}

/// AS number in any of its spellings: `64500`, `AS64500`, `as 64500`, `ASN64500`.
#[must_use]
pub fn parse_asn(text: &str) -> Option<u32> {
    let text = text.trim();
    behind_as(text).unwrap_or(text).trim_start().parse().ok()
}

/// What stands behind `AS` or `ASN` at the head of a text.
pub(super) fn behind_as(text: &str) -> Option<&str> {
    ["asn", "as"].into_iter().find_map(|sign| {
        let (head, rest) = text.split_at_checked(sign.len())?;
        head.eq_ignore_ascii_case(sign).then_some(rest)
    })
}
