//! When it is office hours where a letter goes.

use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Timestamp as Moment, ToSpan};

use super::zones::zone_of;
use crate::config::OpenHours;
use crate::model::Timestamp;

/// Days looked ahead: a week, and one more where an hour that does not exist swallowed the window.
const AHEAD: i64 = 15;

/// The hours in which letters leave.
#[derive(Clone, Debug)]
pub struct Window {
    hours: OpenHours,
}

impl Window {
    #[must_use]
    pub fn new(hours: OpenHours) -> Self {
        Self { hours }
    }

    /// The first moment from `now` on at which a letter to this country may leave: `now` itself while
    /// the window is open. A country that nobody knows goes by UTC.
    #[must_use]
    pub fn opens(&self, country: &str, now: Timestamp) -> Timestamp {
        let zone = match self.hours.zones.get(country) {
            Some(zone) => zone.clone(),
            None => zone_of(country),
        };
        let Ok(moment) = Moment::from_millisecond(now.0) else {
            return now;
        };
        if self.is_open(&zone, moment) {
            return now;
        }
        // Settings without a day are refused, so that there is one.
        self.next(&zone, moment).map_or(now, Timestamp::from)
    }

    /// By what the clock on the wall says: an hour that comes twice is open twice.
    fn is_open(&self, zone: &TimeZone, moment: Moment) -> bool {
        let wall = zone.to_datetime(moment);
        let minute = i16::from(wall.hour()) * 60 + i16::from(wall.minute());
        self.hours.days.contains(&wall.weekday())
            && (self.hours.from..self.hours.until).contains(&minute)
    }

    fn next(&self, zone: &TimeZone, now: Moment) -> Option<Moment> {
        let today = zone.to_datetime(now).date();
        (0..AHEAD)
            .filter_map(|days| today.checked_add(days.days()).ok())
            .flat_map(|date| self.openings(zone, date))
            .find(|at| *at > now && self.is_open(zone, *at))
    }

    /// When the clock shows the opening hour on that day: once, twice where it is put back, and where it is
    /// put forward over it, the moment of that.
    fn openings(&self, zone: &TimeZone, date: jiff::civil::Date) -> Vec<Moment> {
        let minutes = |n: i16| i8::try_from(n).unwrap_or(0);
        let wall = date.at(
            minutes(self.hours.from / 60),
            minutes(self.hours.from % 60),
            0,
            0,
        );
        let ambiguous = zone.to_ambiguous_timestamp(wall);
        let found = match ambiguous.offset() {
            AmbiguousOffset::Unambiguous { .. } => vec![ambiguous.compatible()],
            AmbiguousOffset::Fold { .. } => vec![ambiguous.earlier(), ambiguous.later()],
            AmbiguousOffset::Gap { .. } => {
                let before = ambiguous.earlier();
                let put_forward =
                    before.map(|before| zone.following(before).next().map(|turn| turn.timestamp()));
                return put_forward.ok().flatten().into_iter().collect();
            }
        };
        found.into_iter().filter_map(Result::ok).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    fn window(hours: &str, days: &str, zones: &[&str]) -> Window {
        let zones = zones.iter().map(|zone| (*zone).to_owned()).collect();
        let (hours, days) = (hours.to_owned(), days.to_owned());
        let window = config::Window { hours, days, zones };
        Window::new(window.open_hours().unwrap().unwrap())
    }

    fn opens(window: &Window, country: &str, now: &str) -> String {
        let now: Moment = now.parse().unwrap();
        window.opens(country, now.into()).to_string()
    }

    #[test]
    fn a_letter_waits_for_the_morning_where_it_goes() {
        let office = window("08:00-18:00", "mon-fri", &["BR=America/Manaus"]);
        for (country, now, at) in [
            // A Monday.
            ("DE", "2026-11-16T06:59:59Z", "2026-11-16T07:00:00Z"),
            ("DE", "2026-11-16T07:00:00Z", "2026-11-16T07:00:00Z"),
            ("DE", "2026-11-16T16:59:59Z", "2026-11-16T16:59:59Z"),
            ("DE", "2026-11-16T17:00:00Z", "2026-11-17T07:00:00Z"),
            ("JP", "2026-11-16T08:00:00Z", "2026-11-16T08:00:00Z"),
            ("JP", "2026-11-16T09:00:00Z", "2026-11-16T23:00:00Z"),
            ("BR", "2026-11-16T11:30:00Z", "2026-11-16T12:00:00Z"),
            // Friday evening, until Monday.
            ("DE", "2026-11-20T20:00:00Z", "2026-11-23T07:00:00Z"),
            // It is Saturday there already.
            ("NZ", "2026-11-20T12:00:00Z", "2026-11-22T19:00:00Z"),
            ("", "2026-11-16T07:00:00Z", "2026-11-16T08:00:00Z"),
            ("??", "2026-11-16T19:00:00Z", "2026-11-17T08:00:00Z"),
        ] {
            assert_eq!(opens(&office, country, now), at, "{country} {now}");
        }
    }

    #[test]
    fn an_hour_that_is_skipped_opens_when_the_clock_is_put_forward() {
        // Germany, 2027-03-28: at 01:00Z the clock goes from 02:00 to 03:00.
        let early = window("02:30-04:00", "sat-sun", &[]);
        let now = "2027-03-28T00:10:00Z";
        assert_eq!(opens(&early, "DE", now), "2027-03-28T01:00:00Z");
        // The whole window is skipped: it opens a week later, when there is one again.
        let gone = window("02:00-03:00", "sun", &[]);
        assert_eq!(opens(&gone, "DE", now), "2027-04-04T00:00:00Z");
        // Chile, at midnight: that Sunday begins at one.
        let day = window("00:00-24:00", "sun", &[]);
        assert_eq!(
            opens(&day, "CL", "2026-09-05T20:00:00Z"),
            "2026-09-06T04:00:00Z"
        );
    }

    #[test]
    fn an_hour_that_comes_twice_is_open_twice() {
        // Germany, 2026-10-25: at 01:00Z the clock goes from 03:00 back to 02:00.
        let night = window("02:00-02:30", "sun", &[]);
        for (now, at) in [
            ("2026-10-24T23:00:00Z", "2026-10-25T00:00:00Z"),
            ("2026-10-25T00:10:00Z", "2026-10-25T00:10:00Z"),
            ("2026-10-25T00:40:00Z", "2026-10-25T01:00:00Z"),
            ("2026-10-25T01:10:00Z", "2026-10-25T01:10:00Z"),
            ("2026-10-25T01:30:00Z", "2026-11-01T01:00:00Z"),
        ] {
            assert_eq!(opens(&night, "DE", now), at, "{now}");
        }
    }
}
