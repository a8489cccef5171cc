//! A suspect: one observation of an address or range that may be a spam zombie.

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{AddressRange, Timestamp};

/// One observation as a feed told it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Suspect {
    pub range: AddressRange,
    /// When it was seen, last where the feed tells a first and a last time; a feed may leave it out.
    pub seen_at: Option<Timestamp>,
    /// When it was seen first, where the feed tells that beside the last time.
    pub seen_from: Option<Timestamp>,
    /// What it is suspected of, in the feed's own word: `spam`, `botnet-drone`.
    pub class: String,
    /// Who or what saw it: a spam trap, a partner.
    pub source: String,
    /// How it is known, in the feed's own text: a log line, a HELO.
    pub evidence: String,
    /// The source port, which tells subscribers behind one shared address apart (RFC 6302).
    pub port: Option<u16>,
    pub terminal: Terminal,
    /// The message that it sent, in the form of RFC 5322 with CRLF, as far as it is kept.
    #[serde(skip)]
    pub sample: Option<String>,
}

/// What kind of machine it was; the published rankings keep the two apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Default)]
#[serde(rename_all = "lowercase")]
pub enum Terminal {
    Pc,
    Mobile,
    #[default]
    Unknown,
}

impl Terminal {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pc => "pc",
            Self::Mobile => "mobile",
            Self::Unknown => "unknown",
        }
    }

    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        match text.trim().to_ascii_lowercase().as_str() {
            "pc" | "desktop" | "computer" => Some(Self::Pc),
            "mobile" | "phone" | "smartphone" => Some(Self::Mobile),
            "" | "unknown" | "-" => Some(Self::Unknown),
            _ => None,
        }
    }
}

/// Whether an address of a reminder stood in the first letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sighting {
    Still,
    New,
}

impl Sighting {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Still => "still",
            Self::New => "new",
        }
    }
}

impl Suspect {
    /// What makes two rows the same observation, beside the first address: 64 bits of a SHA-256.
    /// Evidence and sample are left out, for two feeds tell one event in different words; the source stays in,
    /// for two witnesses are worth more than one. The first time is left out, too: who asks a feed for the
    /// same event with more of its past gets the same event, and the earliest of its beginnings is kept.
    #[must_use]
    pub fn fingerprint(&self) -> i64 {
        let mut digest = Sha256::new();
        digest.update(self.range.last().0.to_be_bytes());
        digest.update(self.seen_at.map_or(i64::MIN, |t| t.0).to_be_bytes());
        digest.update(self.port.map_or(-1, i32::from).to_be_bytes());
        for text in [&self.class, &self.source] {
            digest.update((text.len() as u64).to_be_bytes());
            digest.update(text.as_bytes());
        }
        leading_i64(&digest.finalize())
    }

    /// Takes over the beginning of the same observation, told once more, where that is the earlier one.
    pub fn begin_with(&mut self, again: &Self) {
        let known = [self.seen_from, again.seen_from];
        self.seen_from = known.into_iter().flatten().min();
    }
}

/// The first eight bytes of a digest as the number that the store keeps.
fn leading_i64(digest: &[u8]) -> i64 {
    digest
        .iter()
        .take(8)
        .fold(0_i64, |sum, byte| (sum << 8) | i64::from(*byte))
}

/// A row of a feed that is no suspect: where it stands, what is wrong, what to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// Counted from 1, the header included.
    pub line: u64,
    /// The column's own name, or its number where there is no header; empty for the whole row.
    pub column: String,
    pub value: String,
    pub reason: String,
    pub remedy: String,
    /// The row as it came, cut at 4 KiB.
    pub raw: String,
}
