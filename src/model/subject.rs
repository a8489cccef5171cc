//! What can be asked about: addresses, or an autonomous system.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

use super::network::behind_as;
use super::{AddressRange, RangeError, parse_asn};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    Range(AddressRange),
    As(u32),
}

impl FromStr for Subject {
    type Err = RangeError;

    /// Reads all that [`AddressRange`] does, and `AS64500`. A bare number is neither.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        match behind_as(text).and(parse_asn(text)) {
            // RFC 7607: it is nobody's.
            Some(0) => Err(RangeError {
                reason: "AS0 is no system: no network is reached by it".to_owned(),
                remedy: "write the number of an AS, as AS64500",
            }),
            Some(asn) => Ok(Self::As(asn)),
            None => text.parse().map(Self::Range),
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Range(range) => range.fmt(f),
            Self::As(asn) => write!(f, "AS{asn}"),
        }
    }
}

impl Serialize for Subject {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
