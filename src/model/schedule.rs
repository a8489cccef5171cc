//! A schedule: when a feed is read and its letters are written without anybody there, and by whose leave.

use std::fmt;
use std::str::FromStr;

use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};
use serde::{Deserialize, Serialize, Serializer};

use super::{Span, Timestamp};

/// How far ahead a first due time may lie; what is not due by then never is.
const FARTHEST: Span = Span(5 * 366 * 86_400_000);

/// How far back a due time is looked for that nobody saw to.
const LOOKED_BACK: Span = Span(366 * 86_400_000);

/// A cron line of five fields by the clock of a zone.
///
/// Where that clock is put forward, what is due in the hour that there is not comes at the first minute
/// after it; where it is put back, what is due in the hour that there is twice comes in the first. So every
/// time of the clock is due once, whatever the pattern.
#[derive(Clone)]
pub struct Plan {
    cron: Cron,
    text: String,
    zone: TimeZone,
    zone_name: String,
}

impl Plan {
    /// # Errors
    /// In words: what is wrong with the line or the zone, and how they are written.
    pub fn new(text: &str, zone: &str) -> Result<Self, String> {
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let parser = CronParser::builder()
            .seconds(Seconds::Disallowed)
            .year(Year::Disallowed)
            .build();
        let cron = parser.parse(&text).map_err(|fault| {
            format!(
                "\"{text}\" is no cron line ({fault}): write minute, hour, day, month and weekday, as \"0 9 * * 1\" for \
                 Mondays at nine"
            )
        })?;
        let known = TimeZone::get(zone);
        let known = known.map_err(|_| {
            format!("the zone \"{zone}\" is not known; write one as Europe/Berlin or UTC")
        })?;
        Ok(Self {
            cron,
            text,
            zone: known,
            zone_name: zone.to_owned(),
        })
    }

    #[must_use]
    pub fn cron(&self) -> &str {
        &self.text
    }

    #[must_use]
    pub fn zone(&self) -> &str {
        &self.zone_name
    }

    /// The first due time behind a moment; `None` where there is none in five years.
    #[must_use]
    pub fn next(&self, after: Timestamp) -> Option<Timestamp> {
        let until = after.plus(FARTHEST);
        let begin = jiff::Timestamp::from_millisecond(after.0).ok()?;
        let mut local = self.zone.to_datetime(begin);
        // What the clock shows may lie in a time that was shown before: those are passed over.
        loop {
            local = self.cron.find_next_occurrence(&local, false).ok()?;
            let due = self.moment(local)?;
            if due > until {
                return None;
            }
            if due > after {
                return Some(due);
            }
        }
    }

    /// The next due times, each once.
    pub fn due_from(&self, after: Timestamp) -> impl Iterator<Item = Timestamp> {
        std::iter::successors(self.next(after), |last| self.next(*last))
    }

    /// Of the due times behind `after` and up to `now` the last one, and how many came before it.
    #[must_use]
    pub fn last_due(&self, after: Timestamp, now: Timestamp) -> Option<(Timestamp, usize)> {
        let after = after.max(now.minus(LOOKED_BACK));
        let due = self.due_from(after).take_while(|due| *due <= now);
        due.enumerate().last().map(|(before, due)| (due, before))
    }

    /// When the zone's clock first shows this, or would have.
    fn moment(&self, local: DateTime) -> Option<Timestamp> {
        let ambiguous = self.zone.to_ambiguous_timestamp(local);
        let is_gap = matches!(ambiguous.offset(), AmbiguousOffset::Gap { .. });
        // "compatible" takes the first of two; in a gap, the time as if nobody had put the clock forward.
        let at = ambiguous.compatible().ok()?;
        if !is_gap {
            return Some(at.into());
        }
        let behind = at.checked_add(jiff::SignedDuration::from_nanos(1)).ok()?;
        let put_forward = self.zone.preceding(behind).next()?;
        Some(put_forward.timestamp().into())
    }
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Plan({self})")
    }
}

impl PartialEq for Plan {
    fn eq(&self, other: &Self) -> bool {
        (&self.text, &self.zone_name) == (&other.text, &other.zone_name)
    }
}

/// `0 9 * * 1 UTC`.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.text, self.zone_name)
    }
}

impl Serialize for Plan {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Where a schedule's suspects come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Feed {
    /// Every new file in it.
    Folder(String),
    /// What it holds, where it is another than last time.
    Url(String),
}

impl FromStr for Feed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        match text.split_once("://") {
            Some(("https" | "http", rest)) if !rest.is_empty() => Ok(Self::Url(text.to_owned())),
            Some((scheme, _)) => Err(format!(
                "\"{scheme}\" feeds cannot be read: name a folder, or an https:// URL"
            )),
            None if text.is_empty() => Err("name a folder or an https:// URL".to_owned()),
            None => Ok(Self::Folder(text.to_owned())),
        }
    }
}

impl fmt::Display for Feed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(text) | Self::Url(text) => f.write_str(text),
        }
    }
}

impl Serialize for Feed {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// How a schedule's rows are read, and what its campaigns keep to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Policy {
    /// The language of all its letters; empty: the recipient's.
    pub language: String,
    /// Whether a row must say when, and by whom or how, it is known.
    pub require_evidence: bool,
    /// A contact with fewer observations is not written to.
    pub least: i64,
    /// A contact is not told again within so many days, unless there are new addresses; 0: it is.
    pub again_after: i64,
    /// On which days after a notice it is reminded of.
    pub remind: Vec<i64>,
    /// A mark, "none", or empty for the settings'.
    pub tlp: String,
    /// Whether each country's agencies get a copy list.
    pub cover: bool,
    /// Of rows that name none, as of the feed.
    pub source: String,
    pub class: String,
    pub time_zone: String,
    /// Which column holds what: `ip=Source_IP`.
    pub map: Vec<String>,
}

/// Nothing new of it is begun until somebody resumes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Paused {
    pub at: Timestamp,
    pub by: String,
    pub reason: String,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Schedule {
    #[serde(skip)]
    pub id: i64,
    pub name: String,
    pub plan: Plan,
    pub feed: Feed,
    pub letter: String,
    pub policy: Policy,
    /// What is found due later than this is not run.
    pub max_lateness: Span,
    /// Who answers for it as it is: whoever made it or changed it last.
    pub author: String,
    pub created_at: Timestamp,
    pub changed_at: Timestamp,
    pub paused: Option<Paused>,
    /// Due times up to here are seen to.
    #[serde(skip)]
    pub seen_to: Timestamp,
    /// What the feed's server said of what it last gave (RFC 9110 8.8).
    #[serde(skip)]
    pub etag: String,
    #[serde(skip)]
    pub modified: String,
}

impl Schedule {
    /// The next due times; none while it is paused.
    #[must_use]
    pub fn next(&self, now: Timestamp, most: usize) -> Vec<Timestamp> {
        self.plan.due_from(now).take(most).collect()
    }
}

/// A second person's leave for what a schedule's runs write, within limits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Standing {
    #[serde(skip)]
    pub id: i64,
    pub by: String,
    pub at: Timestamp,
    pub reason: String,
    /// Letters of a run.
    pub most_letters: i64,
    /// Of a run's contacts, how many in a hundred may be ones that were never written to.
    pub most_new: i64,
    /// The templates' digest that it was given over.
    pub templates: String,
    /// Languages that nobody had reviewed, and that it accepts.
    pub unreviewed: Vec<String>,
    pub expires_at: Timestamp,
}

/// What a standing approval is held against.
#[derive(Clone, Copy, Debug)]
pub struct Extent<'a> {
    pub letters: i64,
    pub contacts: i64,
    pub new_contacts: i64,
    pub templates: &'a str,
}

impl Standing {
    /// Why a run's letters go beyond it, each reason by itself; none where they do not.
    #[must_use]
    pub fn beyond(&self, run: &Extent<'_>, now: Timestamp) -> Vec<String> {
        let mut reasons = Vec::new();
        if now >= self.expires_at {
            reasons.push(format!("it held until {}", self.expires_at));
        }
        if run.letters > self.most_letters {
            reasons.push(format!(
                "{} letters are more than {}",
                run.letters, self.most_letters
            ));
        }
        if run.new_contacts * 100 > self.most_new * run.contacts {
            reasons.push(format!(
                "{} of {} contacts were never written to, which is more than {} %",
                run.new_contacts, run.contacts, self.most_new
            ));
        }
        if run.templates != self.templates {
            reasons.push("the templates are not those that it was given over".to_owned());
        }
        reasons
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse::<jiff::Timestamp>().unwrap().into()
    }

    fn next(cron: &str, zone: &str, after: &str, most: usize) -> Vec<String> {
        let plan = Plan::new(cron, zone).unwrap();
        let due = plan.due_from(at(after)).take(most);
        due.map(|due| due.to_string()).collect()
    }

    #[test]
    fn is_due_by_the_clock_of_its_zone() {
        assert_eq!(
            next("0 9 * * 1", "Europe/Berlin", "2026-10-18T00:00:00Z", 3),
            [
                "2026-10-19T07:00:00Z",
                "2026-10-26T08:00:00Z",
                "2026-11-02T08:00:00Z"
            ]
        );
        assert_eq!(
            next("30 6 1 * *", "Asia/Kathmandu", "2026-11-16T00:00:00Z", 1),
            ["2026-12-01T00:45:00Z"]
        );
    }

    /// On 2026-03-29 Berlin's clock goes from 02:00 to 03:00 at 01:00Z.
    #[test]
    fn a_time_that_there_is_not_comes_at_the_first_minute_after_it_and_once() {
        assert_eq!(
            next("30 2 * * *", "Europe/Berlin", "2026-03-28T00:00:00Z", 3),
            [
                "2026-03-28T01:30:00Z",
                "2026-03-29T01:00:00Z",
                "2026-03-30T00:30:00Z"
            ]
        );
        assert_eq!(
            next("*/20 * * * *", "Europe/Berlin", "2026-03-29T00:30:00Z", 3),
            [
                "2026-03-29T00:40:00Z",
                "2026-03-29T01:00:00Z",
                "2026-03-29T01:20:00Z"
            ],
            "02:00, 02:20, 02:40 and 03:00 are one"
        );
        // Half an hour is put forward on Lord Howe Island, and a whole day was left out on Samoa.
        assert_eq!(
            next(
                "15 2 * * *",
                "Australia/Lord_Howe",
                "2026-10-03T00:00:00Z",
                2
            ),
            ["2026-10-03T15:30:00Z", "2026-10-04T15:15:00Z"]
        );
        assert_eq!(
            next("0 9 * * *", "Pacific/Apia", "2011-12-29T00:00:00Z", 3),
            [
                "2011-12-29T19:00:00Z",
                "2011-12-30T10:00:00Z",
                "2011-12-30T19:00:00Z"
            ]
        );
    }

    /// On 2026-10-25 Berlin's clock goes from 03:00 back to 02:00 at 01:00Z.
    #[test]
    fn a_time_that_there_is_twice_comes_once() {
        assert_eq!(
            next("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", 2),
            ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]
        );
        // Whoever asks in the second of the two hours hears of nothing before its end.
        for after in ["2026-10-25T00:40:00Z", "2026-10-25T01:10:00Z"] {
            assert_eq!(
                next("0,40 * * * *", "Europe/Berlin", after, 1),
                ["2026-10-25T02:00:00Z"],
                "{after}"
            );
        }
    }

    #[test]
    fn what_was_missed_is_counted_and_the_last_of_it_known() {
        let plan = Plan::new("0 9 * * *", "UTC").unwrap();
        let last = |after: &str, now: &str| plan.last_due(at(after), at(now));
        assert_eq!(last("2026-11-16T09:00:00Z", "2026-11-17T08:59:59Z"), None);
        assert_eq!(
            last("2026-11-16T09:00:00Z", "2026-11-17T09:00:00Z"),
            Some((at("2026-11-17T09:00:00Z"), 0))
        );
        assert_eq!(
            last("2026-11-16T09:00:00Z", "2026-11-19T10:00:00Z"),
            Some((at("2026-11-19T09:00:00Z"), 2))
        );
    }

    #[test]
    fn what_is_no_plan_says_how_one_is_written() {
        for (cron, zone, said) in [
            ("0 9 * *", "UTC", "write minute, hour"),
            ("0 0 9 * * 1", "UTC", "write minute, hour"),
            ("0 25 * * *", "UTC", "write minute, hour"),
            ("0 9 * * 1", "Berlin", "Europe/Berlin"),
        ] {
            let wrong = Plan::new(cron, zone).unwrap_err();
            assert!(wrong.contains(said), "{wrong}");
        }
        let never = Plan::new("0 9 30 2 *", "UTC").unwrap();
        assert_eq!(never.next(at("2026-11-16T00:00:00Z")), None);
    }

    #[test]
    fn a_standing_approval_holds_within_its_limits() {
        let standing = Standing {
            id: 1,
            by: "reviewer".to_owned(),
            at: at("2026-11-16T08:00:00Z"),
            reason: String::new(),
            most_letters: 100,
            most_new: 20,
            templates: "t".to_owned(),
            unreviewed: Vec::new(),
            expires_at: at("2027-02-16T00:00:00Z"),
        };
        let extent = |letters, contacts, new_contacts, templates| Extent {
            letters,
            contacts,
            new_contacts,
            templates,
        };
        for (run, now, said) in [
            (extent(100, 50, 10, "t"), "2027-02-15T23:59:59Z", ""),
            (
                extent(101, 50, 10, "t"),
                "2026-12-01T00:00:00Z",
                "more than 100",
            ),
            (
                extent(9, 50, 11, "t"),
                "2026-12-01T00:00:00Z",
                "more than 20 %",
            ),
            (extent(9, 9, 0, "u"), "2026-12-01T00:00:00Z", "templates"),
            (extent(9, 9, 0, "t"), "2027-02-16T00:00:00Z", "held until"),
        ] {
            let reasons = standing.beyond(&run, at(now));
            assert_eq!(reasons.is_empty(), said.is_empty(), "{reasons:?}");
            assert!(reasons.join(" ").contains(said), "{reasons:?}");
        }
    }
}
