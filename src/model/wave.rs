//! A phased start: which letters of a campaign leave from when on.

use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};
use sha2::{Digest, Sha256};

use super::Timestamp;

/// A part of a campaign's letters, and when it may begin to leave.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Wave {
    pub starts_at: Timestamp,
    pub takes: Takes,
}

/// Whom a wave takes, of those whom the waves before it have left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Takes {
    /// `JP,KR`.
    Countries(Vec<String>),
    /// `share=20%`.
    Share(u16),
    /// `*`.
    Rest,
}

impl Wave {
    /// Which of the waves a letter is of. By what is fixed in campaign and mailbox, so that all parts of a
    /// notice go together, and whoever asks again is told the same.
    #[must_use]
    pub fn place_of(waves: &[Self], campaign: i64, country: &str, mailbox: &str) -> Option<usize> {
        (0..)
            .zip(waves)
            .position(|(place, wave)| match &wave.takes {
                Takes::Countries(codes) => codes.iter().any(|code| code == country),
                Takes::Share(percent) => lot(campaign, place, mailbox) < *percent,
                Takes::Rest => true,
            })
    }

    /// Whether waves put in this order let every letter leave, one after another.
    ///
    /// # Errors
    /// What is wrong, and how it would be right.
    pub fn check(waves: &[Self]) -> Result<(), String> {
        let (last, before) = waves
            .split_last()
            .ok_or("a phased start has one wave or more")?;
        if last.takes != Takes::Rest || before.iter().any(|one| one.takes == Takes::Rest) {
            return Err(
                "the last wave, and no other, takes all that is left: \"2026-05-26 *\"".to_owned(),
            );
        }
        if !waves.is_sorted_by_key(|wave| wave.starts_at) {
            return Err("each wave begins when the one before it has begun".to_owned());
        }
        Ok(())
    }
}

/// From 0 to 99.
fn lot(campaign: i64, place: usize, mailbox: &str) -> u16 {
    let digest = Sha256::digest(format!("{campaign}/{place}/{mailbox}"));
    u16::from_be_bytes([digest[0], digest[1]]) % 100
}

impl FromStr for Wave {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || {
            format!(
                "\"{text}\" is no wave: write when it begins and whom it takes, as \"2026-05-24 JP,KR\", \
                 \"2026-05-25T06:00:00Z share=20%\" or \"2026-05-26 *\" (a day begins in UTC)"
            )
        };
        let (start, takes) = text.trim().split_once(' ').ok_or_else(wrong)?;
        Ok(Self {
            starts_at: moment(start).ok_or_else(wrong)?,
            takes: takes.parse().map_err(|()| wrong())?,
        })
    }
}

/// `2026-05-24`, `2026-05-24T06:00:00Z` or `2026-05-24T08:00[Europe/Berlin]`.
fn moment(text: &str) -> Option<Timestamp> {
    if let Ok(moment) = text.parse::<jiff::Timestamp>() {
        return Some(moment.into());
    }
    if let Ok(zoned) = text.parse::<jiff::Zoned>() {
        return Some(zoned.timestamp().into());
    }
    let date: jiff::civil::Date = text.parse().ok()?;
    let start = date.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
    Some(start.timestamp().into())
}

impl FromStr for Takes {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if text == "*" {
            return Ok(Self::Rest);
        }
        if let Some(share) = text.strip_prefix("share=") {
            let percent = share.strip_suffix('%').unwrap_or(share).parse();
            let percent = percent.ok().filter(|percent| (1..100).contains(percent));
            return percent.map(Self::Share).ok_or(());
        }
        let codes: Vec<String> = text
            .split(',')
            .map(|code| code.trim().to_ascii_uppercase())
            .collect();
        let is_code =
            |code: &String| code.len() == 2 && code.bytes().all(|b| b.is_ascii_uppercase());
        if codes.iter().all(is_code) {
            Ok(Self::Countries(codes))
        } else {
            Err(())
        }
    }
}

impl fmt::Display for Takes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Countries(codes) => f.write_str(&codes.join(",")),
            Self::Share(percent) => write!(f, "share={percent}%"),
            Self::Rest => f.write_str("*"),
        }
    }
}

impl Serialize for Takes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waves(texts: &[&str]) -> Vec<Wave> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn waves_are_read_as_they_are_shown() {
        for (text, start, takes) in [
            ("2026-05-24 JP,kr", "2026-05-24T00:00:00Z", "JP,KR"),
            (
                "2026-05-24T08:00[Europe/Berlin] DE",
                "2026-05-24T06:00:00Z",
                "DE",
            ),
            (
                "2026-05-25T06:00:00Z share=20%",
                "2026-05-25T06:00:00Z",
                "share=20%",
            ),
            (" 2026-05-26  * ", "2026-05-26T00:00:00Z", "*"),
        ] {
            let wave: Wave = text.parse().unwrap();
            let shown = (wave.starts_at.to_string(), wave.takes.to_string());
            assert_eq!(shown, (start.to_owned(), takes.to_owned()));
            assert_eq!(takes.parse(), Ok(wave.takes));
        }
        for text in [
            "",
            "JP",
            "2026-05-24",
            "2026-02-30 JP",
            "2026-05-24 Japan",
            "2026-05-24 share=0",
            "2026-05-24 share=100%",
            "2026-05-24 JP,,KR",
        ] {
            assert!(text.parse::<Wave>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_share_is_the_same_whoever_asks() {
        let waves = waves(&["2026-05-24 JP", "2026-05-25 share=20%", "2026-05-26 *"]);
        let place = |country: &str, n: usize| {
            let mailbox = format!("abuse@isp{n}.example");
            Wave::place_of(&waves, 7, country, &mailbox).unwrap()
        };
        let share = (0..1000).filter(|n| place("DE", *n) == 1).count();
        assert!((160..240).contains(&share), "{share}");
        assert!((0..1000).all(|n| place("JP", n) == 0));
        assert!((0..1000).all(|n| place("DE", n) == place("DE", n) && place("DE", n) > 0));
    }

    #[test]
    fn waves_take_everybody_one_after_another() {
        for (texts, said) in [
            (&["2026-05-24 JP"][..], "all that is left"),
            (&["2026-05-24 *", "2026-05-25 *"], "all that is left"),
            (&["2026-05-25 JP", "2026-05-24 *"], "before it"),
            (&[], "one wave or more"),
        ] {
            let error = Wave::check(&waves(texts)).unwrap_err();
            assert!(error.contains(said), "{error}");
        }
        assert_eq!(
            Wave::check(&waves(&["2026-05-24 JP", "2026-05-24 *"])),
            Ok(())
        );
    }
}
