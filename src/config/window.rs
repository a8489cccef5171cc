//! `[send.window]`: the hours in which letters leave, by the clock of those they go to.

use std::collections::BTreeMap;

use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use serde::Deserialize;

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    pub hours: String,
    pub days: String,
    pub zones: Vec<String>,
}

/// The same, understood.
#[derive(Clone, Debug)]
pub struct OpenHours {
    /// Minutes of the day: from the first, up to the second.
    pub from: i16,
    pub until: i16,
    pub days: Vec<Weekday>,
    /// By country, before what is compiled in.
    pub zones: BTreeMap<String, TimeZone>,
}

const DAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

impl Window {
    /// `None` where letters may leave at any time.
    ///
    /// # Errors
    /// The setting that is wrong, and how it is written.
    pub fn open_hours(&self) -> Result<Option<OpenHours>, String> {
        let days = days(&self.days)?;
        let zones = self.zones.iter().map(|text| zone(text));
        let zones = zones.collect::<Result<_, _>>()?;
        if self.hours.is_empty() {
            return Ok(None);
        }
        let (from, until) = hours(&self.hours)?;
        Ok(Some(OpenHours {
            from,
            until,
            days,
            zones,
        }))
    }
}

fn hours(text: &str) -> Result<(i16, i16), String> {
    let minute = |part: &str| -> Option<i16> {
        let (hour, minute) = part.trim().split_once(':')?;
        let is_number = |text: &str| text.len() == 2 && text.bytes().all(|b| b.is_ascii_digit());
        if !is_number(hour) || !is_number(minute) {
            return None;
        }
        let (hour, minute): (i16, i16) = (hour.parse().ok()?, minute.parse().ok()?);
        (minute < 60 && hour * 60 + minute <= 24 * 60).then_some(hour * 60 + minute)
    };
    let hours = text
        .split_once('-')
        .and_then(|(from, until)| Some((minute(from)?, minute(until)?)));
    hours.filter(|(from, until)| from < until).ok_or_else(|| {
        format!(
            "send.window.hours: \"{text}\" is not from one time of a day to a later one; write \"08:00-18:00\", \
             \"00:00-24:00\" for the whole day, or \"\" for no window"
        )
    })
}

fn days(text: &str) -> Result<Vec<Weekday>, String> {
    let place = |word: &str| {
        let word = word.trim().to_ascii_lowercase();
        DAYS.iter().position(|(name, _)| *name == word)
    };
    let mut days = Vec::new();
    for part in text.split(',') {
        let span = part.split_once('-').unwrap_or((part, part));
        let (Some(first), Some(last)) = (place(span.0), place(span.1)) else {
            return Err(format!(
                "send.window.days: \"{text}\" are no days; write \"mon-fri\", \"sun-thu\" or \"mon,wed,fri\""
            ));
        };
        // From Saturday to Monday the week turns.
        let count = (last + DAYS.len() - first) % DAYS.len() + 1;
        days.extend((first..first + count).map(|day| DAYS[day % DAYS.len()].1));
    }
    Ok(days)
}

fn zone(text: &str) -> Result<(String, TimeZone), String> {
    let wrong = |why: &str| {
        format!(
            "send.window.zones: \"{text}\" {why}; write a country and its zone, as \"BR=America/Manaus\""
        )
    };
    let (country, name) = text.split_once('=').ok_or_else(|| wrong("names no zone"))?;
    let (country, name) = (country.trim().to_ascii_uppercase(), name.trim());
    if country.len() != 2 || !country.bytes().all(|b| b.is_ascii_uppercase()) {
        return Err(wrong("begins with no country of two letters"));
    }
    let zone = TimeZone::get(name).map_err(|_| wrong("has a zone that is not known"))?;
    Ok((country, zone))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(hours: &str, days: &str, zones: &[&str]) -> Result<Option<OpenHours>, String> {
        let zones = zones.iter().map(|zone| (*zone).to_owned()).collect();
        let (hours, days) = (hours.to_owned(), days.to_owned());
        Window { hours, days, zones }.open_hours()
    }

    #[test]
    fn hours_and_days_are_read_as_people_write_them() {
        let open = window("08:30-24:00", "Sat-mon", &["br=America/Manaus"]);
        let open = open.unwrap().unwrap();
        assert_eq!((open.from, open.until), (510, 1440));
        assert_eq!(
            open.days,
            [Weekday::Saturday, Weekday::Sunday, Weekday::Monday]
        );
        assert!(open.zones.contains_key("BR"));
        assert!(window("", "mon-fri", &[]).unwrap().is_none());
        assert_eq!(
            window("00:00-24:00", "tue", &[])
                .unwrap()
                .unwrap()
                .days
                .len(),
            1
        );
    }

    #[test]
    fn what_is_no_window_is_named_with_a_remedy() {
        for (hours, days, zone, said) in [
            ("8-18", "mon", "DE=Europe/Berlin", "08:00-18:00"),
            ("18:00-08:00", "mon", "DE=Europe/Berlin", "08:00-18:00"),
            ("08:00-24:01", "mon", "DE=Europe/Berlin", "08:00-18:00"),
            ("08:00-+9:00", "mon", "DE=Europe/Berlin", "08:00-18:00"),
            ("08:00-18:00", "mo-fr", "DE=Europe/Berlin", "mon-fri"),
            ("08:00-18:00", "", "DE=Europe/Berlin", "mon-fri"),
            ("08:00-18:00", "mon", "Europe/Berlin", "names no zone"),
            ("08:00-18:00", "mon", "DE=Europe/Bonn", "is not known"),
            ("", "mon", "Germany=Europe/Berlin", "two letters"),
        ] {
            let error = window(hours, days, &[zone]).unwrap_err();
            assert!(error.contains(said), "{error}");
        }
    }
}
