//! The sharing mark: with whom a reader may share what was sent (Traffic Light Protocol 2.0, FIRST).

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// From the freest to the strictest, so that marks can be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tlp {
    /// With the world.
    Clear,
    /// Within the community.
    Green,
    /// Within the organization and with its clients, as far as they need to know.
    Amber,
    /// Within the organization only.
    AmberStrict,
    /// With nobody but the recipient.
    Red,
}

impl Tlp {
    pub const ALL: [Self; 5] = [
        Self::Clear,
        Self::Green,
        Self::Amber,
        Self::AmberStrict,
        Self::Red,
    ];

    /// The label without its lead, as settings and the store write it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Clear => "CLEAR",
            Self::Green => "GREEN",
            Self::Amber => "AMBER",
            Self::AmberStrict => "AMBER+STRICT",
            Self::Red => "RED",
        }
    }
}

/// As the protocol wants it written: capitals, no space.
impl fmt::Display for Tlp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TLP:{}", self.as_str())
    }
}

/// What is no mark, and which there are.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no mark of TLP 2.0: CLEAR, GREEN, AMBER, AMBER+STRICT or RED")]
pub struct TlpError(String);

impl FromStr for Tlp {
    type Err = TlpError;

    /// With or without the lead, in any case and with any sign between the words. TLP 1.0's WHITE is
    /// CLEAR.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let letters = text.chars().filter(char::is_ascii_alphabetic);
        let plain: String = letters.map(|c| c.to_ascii_uppercase()).collect();
        let is_odd = |c: char| !(c.is_ascii_alphabetic() || " :+-_/.[]()".contains(c));
        let wrong = || TlpError(super::plain_text(text.trim(), 60));
        if text.trim().contains(is_odd) {
            return Err(wrong());
        }
        Ok(match plain.strip_prefix("TLP").unwrap_or(&plain) {
            "CLEAR" | "WHITE" => Self::Clear,
            "GREEN" => Self::Green,
            "AMBER" => Self::Amber,
            "AMBERSTRICT" => Self::AmberStrict,
            "RED" => Self::Red,
            _ => return Err(wrong()),
        })
    }
}

impl Serialize for Tlp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_read_as_people_write_them() {
        for (text, mark) in [
            ("TLP:AMBER", "TLP:AMBER"),
            ("tlp:amber+strict", "TLP:AMBER+STRICT"),
            (" Amber Strict ", "TLP:AMBER+STRICT"),
            ("TLP: amber-strict", "TLP:AMBER+STRICT"),
            ("[TLP:RED]", "TLP:RED"),
            ("white", "TLP:CLEAR"),
            ("TLP-GREEN", "TLP:GREEN"),
        ] {
            assert_eq!(text.parse::<Tlp>().unwrap().to_string(), mark, "{text}");
        }
        for text in ["", "TLP", "purple", "AMBER2", "TLP:RED\nBcc: x", "琥珀"] {
            assert!(text.parse::<Tlp>().is_err(), "{text}");
        }
    }

    #[test]
    fn each_is_stricter_than_the_one_before_and_is_read_back() {
        assert!(Tlp::ALL.is_sorted());
        for mark in Tlp::ALL {
            assert_eq!(mark.as_str().parse(), Ok(mark));
            assert_eq!(mark.to_string().parse(), Ok(mark));
        }
    }
}
