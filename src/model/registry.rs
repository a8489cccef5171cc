//! Registries, as those who must be asked gently; and what they answered.

use super::{AddressRange, Mailbox, Span, Subject, Tier, Timestamp};

/// How hard one registry may be asked, over all of its servers and all of our workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub at_once: u32,
    /// The shortest time between two questions.
    pub every: Span,
    /// Questions a day of UTC; 0: no end.
    pub a_day: u32,
}

/// A question that asks for leave.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    pub registry: &'a str,
    /// What faults close: one of the ways to the registry.
    pub gate: &'a str,
    /// As [`block_of`] has it; none for one that was sent on and holds its block where it began.
    pub block: Option<i64>,
    /// Who holds slot and block.
    pub worker: &'a str,
    pub lease_until: Timestamp,
}

/// Whether a registry may be asked now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Permit {
    /// Now; the end of it is to be told.
    Granted,
    /// The last question was just now.
    Wait { until: Timestamp },
    /// As many as may are under way, or one about the same block is.
    Busy,
    /// The day's questions are used up, or the registry has asked us to stay away.
    Closed { until: Timestamp, why: String },
}

/// The part of the number space that no network reaches beyond: two questions in different blocks
/// can have no answer in common. IPv4 by /8, IPv6 by /16, an AS by itself.
#[must_use]
pub fn block_of(subject: Subject) -> i64 {
    match subject {
        Subject::As(asn) => -i64::from(asn),
        Subject::Range(range) if range.first().is_ipv4() => ((range.first().0 >> 24) & 0xff) as i64,
        Subject::Range(range) => 0x1_0000 + (range.first().0 >> 112) as i64,
    }
}

/// What one source said about one network or AS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// `rdap`, `whois` or `dns`.
    pub source: String,
    /// The answer's own range, not what was asked about.
    pub subject: Subject,
    pub server: String,
    pub outcome: AnswerOutcome,
    pub name: String,
    pub holder: String,
    pub country: String,
    pub origin: Option<u32>,
    pub registry: String,
    pub handles: Vec<String>,
    /// In words, for staff.
    pub reason: String,
    pub asked_at: Timestamp,
    /// From then on it is asked again.
    pub counts_until: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnswerOutcome {
    /// Best first; never empty. The tier is that of the first.
    Contact(Tier, Vec<Mailbox>),
    /// It wants to be told by this web form.
    Form(String),
    None,
    /// There was no answer that could be read.
    Fault,
}

impl AnswerOutcome {
    pub const WORDS: [&'static str; 6] =
        ["explicit", "remarks", "contact", "form", "none", "fault"];

    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Contact(tier, _) => tier.as_str(),
            Self::Form(_) => "form",
            Self::None => "none",
            Self::Fault => "fault",
        }
    }
}

impl Answer {
    pub const SOURCES: [&'static str; 3] = ["rdap", "whois", "dns"];

    #[must_use]
    pub fn range(&self) -> Option<AddressRange> {
        match self.subject {
            Subject::Range(range) => Some(range),
            Subject::As(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_wider_than_any_network() {
        let block = |text: &str| block_of(text.parse().unwrap());
        assert_eq!(block("198.51.100.0/24"), 198);
        assert_eq!(block("198.0.0.1"), block("198.255.255.255"));
        assert_eq!(block("2001:db8::/32"), 0x1_2001);
        assert_ne!(block("198.51.100.1"), block("203.0.113.1"));
        assert_eq!(block("AS64500"), -64_500);
    }
}
