//! Moments in UTC and the clock that hands them out.

use std::fmt;
use std::time::Instant;

use serde::{Serialize, Serializer};

/// A moment, in milliseconds since 1970-01-01T00:00:00Z, as the store keeps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(pub i64);

impl Timestamp {
    #[must_use]
    pub fn plus(self, span: Span) -> Self {
        Self(self.0.saturating_add(span.0))
    }

    #[must_use]
    pub fn minus(self, span: Span) -> Self {
        Self(self.0.saturating_sub(span.0))
    }

    /// From `earlier` to this moment; zero when it lies behind it.
    #[must_use]
    pub fn since(self, earlier: Self) -> Span {
        Span(self.0.saturating_sub(earlier.0).max(0))
    }

    /// `2026-11-21`, in UTC.
    #[must_use]
    pub fn date(self) -> String {
        let text = self.to_string();
        text.split('T').next().unwrap_or_default().to_owned()
    }
}

impl From<jiff::Timestamp> for Timestamp {
    fn from(moment: jiff::Timestamp) -> Self {
        Self(moment.as_millisecond())
    }
}

/// RFC 3339 in UTC, to the second: `2026-11-21T08:00:00Z`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_second(self.0.div_euclid(1000)) {
            Ok(moment) => write!(f, "{moment}"),
            Err(_) => write!(f, "{} ms", self.0),
        }
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A length of time in milliseconds; written `90s`, `15m`, `4h`, `5d`, `2y` (of 365 days each) in the
/// configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Span(pub i64);

impl Span {
    #[must_use]
    pub fn seconds(n: i64) -> Self {
        Self(n * 1000)
    }

    #[must_use]
    pub fn to_std(self) -> std::time::Duration {
        std::time::Duration::from_millis(self.0.max(0).unsigned_abs())
    }
}

impl std::str::FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("\"{text}\" is not a length of time: write 90s, 15m, 4h or 5d");
        let text = text.trim();
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let number: i64 = digits.trim().parse().map_err(|_| wrong())?;
        let unit = match &text[digits.len()..] {
            "ms" => 1,
            "s" => 1_000,
            "m" | "min" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            "y" => 365 * 86_400_000,
            _ => return Err(wrong()),
        };
        number
            .checked_mul(unit)
            .filter(|n| *n >= 0)
            .map(Self)
            .ok_or_else(wrong)
    }
}

/// The largest unit that fits, rounded down: `4 h`, `15 min`, `8 s`.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0 / 1000;
        match seconds {
            172_800.. => write!(f, "{} days", seconds / 86_400),
            7_200.. => write!(f, "{} h", seconds / 3_600),
            120.. => write!(f, "{} min", seconds / 60),
            _ => write!(f, "{seconds} s"),
        }
    }
}

/// In seconds, as RFC 9110's Retry-After has it.
impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_i64(self.0 / 1000)
    }
}

impl<'de> serde::Deserialize<'de> for Span {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Where moments come from: given a start, it goes on from there at the machine's pace. Only the
/// command line starts one at the true time; a test starts it where its story plays.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Timestamp,
    started: Instant,
}

impl Clock {
    #[must_use]
    pub fn starting_at(start: Timestamp) -> Self {
        Self {
            start,
            started: Instant::now(),
        }
    }

    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.start
            .plus(Span(self.started.elapsed().as_millis() as i64))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_and_shown() {
        for (text, ms, shown) in [
            ("90s", 90_000, "90 s"),
            ("15m", 900_000, "15 min"),
            ("4h", 14_400_000, "4 h"),
            ("5d", 432_000_000, "5 days"),
            ("2y", 63_072_000_000, "730 days"),
        ] {
            let span: Span = text.parse().unwrap();
            assert_eq!((span.0, span.to_string().as_str()), (ms, shown));
        }
        for text in ["", "5", "h", "-5m", "5w"] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }

    #[test]
    fn moments_are_shown_in_utc() {
        assert_eq!(Timestamp(0).to_string(), "1970-01-01T00:00:00Z");
        assert_eq!(
            Timestamp(1_795_250_096_999).to_string(),
            "2026-11-21T08:34:56Z"
        );
        assert_eq!(Timestamp(-1).to_string(), "1969-12-31T23:59:59Z");
    }
}
