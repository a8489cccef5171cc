//! Reads the times that feeds write, each in its own way, as moments in UTC.

use jiff::civil::{Date, DateTime, Time};
use jiff::fmt::rfc2822;
use jiff::tz::{Offset, TimeZone};

use super::Wrong;
use super::signs::Signs;
use crate::model::Timestamp;

/// 1990-01-01T00:00:00Z; what claims to be older is a port, an uptime or a row number.
const OLDEST: i64 = 631_152_000_000;

const REMEDY: &str = "write 2026-11-21T08:00:00Z, or 2026-11-21 08:00:00 with --time-zone";

/// A time as it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    pub(super) at: Timestamp,
    /// Whether it named no zone, and was taken as local.
    pub(super) is_zoneless: bool,
}

/// Reads one time; where it names no zone or offset, it is local in `zone`. A local time that a
/// clock change doubles is the first of the two; one that it skips lies as far behind the change.
pub(super) fn read(text: &str, zone: &TimeZone) -> Result<Moment, Wrong> {
    let text = text.trim().trim_start_matches('[').trim_end_matches(']');
    let is_number = |byte: u8| byte.is_ascii_digit() || byte == b'.';
    let moment = if text.bytes().all(is_number) && !is_dotted(text) {
        number(text, zone)
    } else {
        written(text, zone).or_else(|wrong| {
            let moment = rfc2822::parse(text).map_err(|_| wrong)?;
            Ok(zoned(moment.timestamp().into()))
        })
    }?;
    if moment.at.0 < OLDEST {
        return Err(Wrong::new(
            format!("\"{}\" lies before 1990", shown(text)),
            "see whether this column holds times; name the right one with --map seen=NAME",
        ));
    }
    Ok(moment)
}

/// The time in a line of a web server's log: `[01/Oct/2026:12:00:00 +0000]`.
pub(super) fn logged(line: &str) -> Option<Moment> {
    let mut parts = line
        .split('[')
        .skip(1)
        .filter_map(|rest| rest.split_once(']'));
    let is_time = |text: &str| text.len() < 40 && text.matches('/').count() == 2;
    let (time, _) = parts.find(|(text, _)| is_time(text))?;
    read(time, &TimeZone::UTC)
        .ok()
        .filter(|time| !time.is_zoneless)
}

/// Whether a column of such texts holds times.
pub(super) fn looks(text: &str) -> bool {
    read(text, &TimeZone::UTC).is_ok()
}

/// Whether a cell that should hold a time says that there is none.
pub(super) fn is_none(text: &str) -> bool {
    let words = [
        "", "-", "--", "n/a", "na", "null", "none", "nil", "\\n", "unknown", "?",
    ];
    words
        .iter()
        .any(|word| word.eq_ignore_ascii_case(text.trim()))
}

fn zoned(at: Timestamp) -> Moment {
    Moment {
        at,
        is_zoneless: false,
    }
}

fn shown(text: &str) -> String {
    text.chars().take(60).collect()
}

fn wrong(text: &str) -> Wrong {
    Wrong::new(format!("\"{}\" is not a time", shown(text)), REMEDY)
}

/// `2026.11.21`: digits and dots, but no number.
fn is_dotted(text: &str) -> bool {
    text.bytes().filter(|byte| *byte == b'.').count() > 1
}

/// Seconds, milli-, micro- or nanoseconds since 1970, told by their number of digits; or a date
/// and time run together.
fn number(text: &str, zone: &TimeZone) -> Result<Moment, Wrong> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let value: i64 = whole.parse().map_err(|_| wrong(text))?;
    let ms = match whole.len() {
        8 | 14 if fraction.is_empty() => return written(text, zone),
        1..=11 => {
            let digits = fraction.bytes().chain(std::iter::repeat(b'0')).take(3);
            let thousandths = digits.fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0'));
            value * 1_000 + thousandths
        }
        12 | 13 => value,
        15 | 16 => value / 1_000,
        18 | 19 => value / 1_000_000,
        _ => return Err(wrong(text)),
    };
    Ok(zoned(Timestamp(ms)))
}

/// A date, perhaps a time of day behind it, perhaps a zone behind that.
fn written(text: &str, zone: &TimeZone) -> Result<Moment, Wrong> {
    let mut signs = Signs(text);
    let whole = match date(&mut signs) {
        Some(Day::Known(date)) => civil(&mut signs, date),
        Some(Day::WithoutYear(month, day)) => year_behind(&mut signs, month, day, text)?,
        Some(Day::Ambiguous(year)) => {
            // One that is wrong anyway is not ambiguous.
            return match Date::new(year, 1, 1)
                .ok()
                .and_then(|day| civil(&mut signs, day))
            {
                Some(_) => Err(Wrong::new(
                    format!("\"{}\": day and month cannot be told apart", shown(text)),
                    "write the year first, as 2026-10-05 for the fifth of October",
                )),
                None => Err(wrong(text)),
            };
        }
        Some(Day::ShortYear) => {
            return Err(Wrong::new(
                format!("\"{}\" has a year of two digits", shown(text)),
                "write all four digits, or the year first: 2026-10-05",
            ));
        }
        None => return Err(unreadable(text)),
    };
    let (civil, offset) = whole.ok_or_else(|| wrong(text))?;
    let at = match offset {
        Some(offset) => offset.to_timestamp(civil).ok(),
        None => zone.to_ambiguous_timestamp(civil).compatible().ok(),
    };
    Ok(Moment {
        at: at.ok_or_else(|| wrong(text))?.into(),
        is_zoneless: offset.is_none(),
    })
}

/// What a text begins with.
enum Day {
    Known(Date),
    WithoutYear(i8, i8),
    /// `03/04/2026`; its year.
    Ambiguous(i16),
    /// `5.9.26`
    ShortYear,
}

fn date(signs: &mut Signs<'_>) -> Option<Day> {
    let begin = signs.0;
    for kind in [
        run_together,
        year_first,
        year_last,
        day_month_name,
        month_name_day,
    ] {
        signs.0 = begin;
        if let Some(day) = kind(signs) {
            return Some(day);
        }
    }
    signs.0 = begin;
    None
}

fn known(year: i32, month: i32, day: i32) -> Option<Day> {
    let date = Date::new(i16::try_from(year).ok()?, month as i8, day as i8);
    date.ok().map(Day::Known)
}

/// `20261121`, also with a time of day right behind it or behind a `T`.
fn run_together(signs: &mut Signs<'_>) -> Option<Day> {
    let day = known(
        signs.digits(4, 4)?,
        signs.digits(2, 2)?,
        signs.digits(2, 2)?,
    );
    let is_end = signs.0.is_empty() || signs.0.starts_with(['T', 't', ' ']);
    let is_clock = signs.0.len() == 6 && signs.0.bytes().all(|byte| byte.is_ascii_digit());
    day.filter(|_| is_end || is_clock)
}

/// RFC 3339 and its kin: year, month, day with `-`, `/`, `.` or 年月日 between.
fn year_first(signs: &mut Signs<'_>) -> Option<Day> {
    let year = signs.digits(4, 4)?;
    let sign = signs.any_of(&["-", "/", ".", "年", "년"])?;
    signs.spaces();
    let month = signs.digits(1, 2)?;
    signs.any_of(match sign {
        "年" => &["月"],
        "년" => &["월"],
        "/" => &["/"],
        "." => &["."],
        _ => &["-"],
    })?;
    signs.spaces();
    let day = signs.digits(1, 2)?;
    signs.any_of(&["日", "일"]);
    known(year, month, day)
}

/// `27.10.2026`, day first, as everybody writes it who writes dots; with `/` or `-` either may
/// come first, and one above 12 tells which.
fn year_last(signs: &mut Signs<'_>) -> Option<Day> {
    let first = signs.digits(1, 2)?;
    let sign = signs.any_of(&["/", ".", "-"])?;
    signs.spaces();
    let second = signs.digits(1, 2)?;
    signs.any_of(&[sign])?;
    signs.spaces();
    let Some(year) = signs.digits(4, 4) else {
        signs.digits(2, 2)?;
        return (!signs.0.starts_with('.')).then_some(Day::ShortYear);
    };
    match (sign, first, second) {
        (".", day, month) => known(year, month, day),
        (_, day, month) if day > 12 => known(year, month, day),
        (_, month, day) if day > 12 => known(year, month, day),
        (_, 0, _) | (_, _, 0) => None,
        (_, same, other) if same == other => known(year, same, same),
        _ => Some(Day::Ambiguous(year as i16)),
    }
}

/// `01-Oct-2026`, `21/Nov/2026`, `21 Nov 2026`.
fn day_month_name(signs: &mut Signs<'_>) -> Option<Day> {
    signs.weekday();
    let day = signs.digits(1, 2)?;
    signs.any_of(&["."]);
    let sign = signs.any_of(&["-", "/", " "])?;
    signs.spaces();
    let month = signs.month()?;
    signs.any_of(&[sign])?;
    signs.spaces();
    known(signs.digits(4, 4)?, month, day)
}

/// `Oct  1 2026`, `October 1, 2026`; the C library's `asctime` has the year behind the time.
fn month_name_day(signs: &mut Signs<'_>) -> Option<Day> {
    signs.weekday();
    let month = signs.month()?;
    signs.any_of(&["."]);
    signs.spaces();
    let day = signs.digits(1, 2)?;
    signs.any_of(&[","]);
    signs.spaces();
    let behind = signs.0;
    if let Some(year) = signs.digits(4, 4) {
        return known(year, month, day);
    }
    signs.0 = behind;
    Some(Day::WithoutYear(month as i8, day as i8))
}

type Whole = Option<(DateTime, Option<Offset>)>;

/// The time of day and the zone behind a date; nothing may follow.
fn civil(signs: &mut Signs<'_>, date: Date) -> Whole {
    signs.any_of(&["T", "t", ":", "_", ",", "."]);
    signs.spaces();
    let time = match signs.clock() {
        Some(time) => time?,
        // `2026-11-21-08` may be a day and an hour.
        None if signs.0.starts_with(['+', '-']) => return None,
        None => Time::midnight(),
    };
    signs.spaces();
    let offset = signs.zone()?;
    signs.0.is_empty().then(|| (date.to_datetime(time), offset))
}

/// `12:00:00 2026` and `12:00:00 UTC 2026` behind month and day; syslog names no year at all.
fn year_behind(signs: &mut Signs<'_>, month: i8, day: i8, text: &str) -> Result<Whole, Wrong> {
    let mut whole = || {
        let time = signs.clock()??;
        signs.spaces();
        if signs.0.is_empty() {
            return Some(None);
        }
        let (head, year) = signs.0.rsplit_once(' ').unwrap_or(("", signs.0));
        let is_year = year.len() == 4 && year.bytes().all(|byte| byte.is_ascii_digit());
        let date = Date::new(year.parse().ok().filter(|_| is_year)?, month, day).ok()?;
        let mut zone = Signs(head.trim());
        let offset = zone.zone()?;
        let whole = (date.to_datetime(time), offset);
        zone.0.is_empty().then_some(Some(whole))
    };
    match whole() {
        Some(Some(whole)) => Ok(Some(whole)),
        Some(None) => Err(Wrong::new(
            format!("\"{}\" names no year, as syslog writes it", shown(text)),
            "write the year first: 2026-10-01 12:00:00",
        )),
        None => Ok(None),
    }
}

fn unreadable(text: &str) -> Wrong {
    let is_clock = |byte: u8| byte.is_ascii_digit() || byte == b':';
    if text.contains(':') && text.bytes().all(is_clock) {
        return Wrong::new(
            format!("\"{}\" is a time without a date", shown(text)),
            "add a column date, or write 2026-11-21 08:00:00",
        );
    }
    wrong(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_of_writing_a_time_is_read() {
        let cases = include_str!("../../tests/fixtures/moments.tsv");
        for line in cases
            .lines()
            .filter(|line| !line.starts_with('#') && !line.is_empty())
        {
            let cells: Vec<&str> = line.split('\t').collect();
            let [text, zone, expected] = cells[..] else {
                panic!("three cells wanted: {line}");
            };
            let zone = TimeZone::get(zone).unwrap();
            let told = match read(text, &zone) {
                Ok(Moment { at, .. }) if at.0 % 1_000 == 0 => at.to_string(),
                Ok(Moment { at, .. }) => format!("{at} {:03}", at.0.rem_euclid(1_000)),
                Err(wrong) => format!("refused: {}", wrong.reason),
            };
            assert_eq!(told, expected, "{text}");
        }
    }

    #[test]
    fn a_time_says_whether_it_named_its_zone() {
        for (text, is_zoneless) in [
            ("2026-10-01 12:00:00", true),
            ("27.10.2026", true),
            ("20261001120000", true),
            ("Thu Oct  1 12:00:00 2026", true),
            ("2026-10-01 12:00:00 JST", false),
            ("2026-10-01T12:00:00Z", false),
            ("1795248000", false),
            ("01/Oct/2026:12:00:00 +0000", false),
        ] {
            let told = read(text, &TimeZone::UTC).map(|moment| moment.is_zoneless);
            assert_eq!(told, Ok(is_zoneless), "{text}");
        }
    }
}
