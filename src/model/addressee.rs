//! An addressee: one operator of an advisory's list, known by its AS, its prefix or its mailbox.

use std::fmt;
use std::str::FromStr;

use super::{AddressRange, Mailbox, MailboxError, RangeError, Subject};

/// One row of a list of operators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addressee {
    pub known_by: KnownBy,
    /// The mailbox that the list names for it.
    pub mailbox: Option<Mailbox>,
    /// Its name, or empty.
    pub holder: String,
    /// ISO 3166-1 alpha-2 in capitals, or empty.
    pub country: String,
    /// The language it asked for, or empty.
    pub locale: String,
}

/// What makes an operator one in its list.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum KnownBy {
    Range(AddressRange),
    As(u32),
    /// Nothing but the mailbox itself.
    Mailbox(Mailbox),
}

impl KnownBy {
    /// What of the operator's a letter is about; a mailbox is not.
    #[must_use]
    pub fn subject(&self) -> Option<Subject> {
        match self {
            Self::Range(range) => Some(Subject::Range(*range)),
            Self::As(asn) => Some(Subject::As(*asn)),
            Self::Mailbox(_) => None,
        }
    }
}

impl From<Subject> for KnownBy {
    fn from(subject: Subject) -> Self {
        match subject {
            Subject::Range(range) => Self::Range(range),
            Subject::As(asn) => Self::As(asn),
        }
    }
}

impl fmt::Display for KnownBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Range(range) => range.fmt(f),
            Self::As(asn) => write!(f, "AS{asn}"),
            Self::Mailbox(mailbox) => mailbox.fmt(f),
        }
    }
}

/// Why a text names no operator.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KnownByError {
    #[error("{}", .0.reason)]
    Subject(RangeError),
    #[error(transparent)]
    Mailbox(#[from] MailboxError),
}

impl FromStr for KnownBy {
    type Err = KnownByError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.contains('@') {
            return Ok(Self::Mailbox(text.trim().parse()?));
        }
        let subject = text.parse::<Subject>();
        subject.map(Self::from).map_err(KnownByError::Subject)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operator_is_known_by_the_shape_of_its_name() {
        for (text, shown) in [
            ("as64500", "AS64500"),
            ("192.0.2.0/24", "192.0.2.0/24"),
            ("2001:DB8::/32", "2001:db8::/32"),
            ("Abuse@ISP.example", "abuse@isp.example"),
        ] {
            let known: KnownBy = text.parse().unwrap();
            assert_eq!(known.to_string(), shown);
            assert_eq!(shown.parse::<KnownBy>().unwrap(), known);
        }
        for text in ["", "AS0", "isp.example", "a@b", "192.0.2.300"] {
            assert!(text.parse::<KnownBy>().is_err(), "{text}");
        }
    }
}
