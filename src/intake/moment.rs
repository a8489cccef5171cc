//! Reads the times that feeds write, each in its own way, as moments in UTC.

use jiff::civil::DateTime;
use jiff::fmt::{rfc2822, strtime};
use jiff::tz::{Offset, TimeZone};

use super::Wrong;
use crate::model::Timestamp;

/// 1990-01-01T00:00:00Z; what claims to be older is a port, an uptime or a row number.
const OLDEST: i64 = 631_152_000_000;

const REMEDY: &str = "write 2026-11-21T08:00:00Z, or 2026-11-21 08:00:00 with --time-zone";

/// Reads one time; where it names no zone or offset, it is local in `zone`. A local time that a
/// clock change doubles is the first of the two; one that it skips lies as far behind the change.
pub(super) fn read(text: &str, zone: &TimeZone) -> Result<Timestamp, Wrong> {
    let text = text.trim().trim_start_matches('[').trim_end_matches(']');
    let moment = match text.as_bytes() {
        [first, ..] if first.is_ascii_digit() => {
            if text
                .bytes()
                .all(|byte| byte.is_ascii_digit() || byte == b'.')
                && !is_dotted(text)
            {
                number(text, zone)
            } else if let Some(written) = year_first(text, zone) {
                written
            } else {
                other(text, zone)
            }
        }
        _ => other(text, zone),
    }?;
    if moment.0 < OLDEST {
        return Err(Wrong::new(
            format!("\"{}\" lies before 1990", shown(text)),
            "see whether this column holds times; name the right one with --map seen=NAME",
        ));
    }
    Ok(moment)
}

/// Whether a column of such texts holds times.
pub(super) fn looks(text: &str) -> bool {
    read(text, &TimeZone::UTC).is_ok()
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
fn number(text: &str, zone: &TimeZone) -> Result<Timestamp, Wrong> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let value: i64 = whole.parse().map_err(|_| wrong(text))?;
    let ms = match whole.len() {
        8 | 14 if fraction.is_empty() => return run_together(text, zone),
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
    Ok(Timestamp(ms))
}

/// `20261121` and `20261121080000`.
fn run_together(digits: &str, zone: &TimeZone) -> Result<Timestamp, Wrong> {
    let part = |from: usize, to: usize| digits.get(from..to).and_then(|d| d.parse::<i16>().ok());
    let part = |from, to| part(from, to).unwrap_or(0);
    let clock = (part(8, 10) as i8, part(10, 12) as i8, part(12, 14) as i8);
    let civil = DateTime::new(
        part(0, 4),
        part(4, 6) as i8,
        part(6, 8) as i8,
        clock.0,
        clock.1,
        clock.2,
        0,
    );
    civil
        .ok()
        .and_then(|civil| local(civil, zone))
        .ok_or_else(|| wrong(digits))
}

fn local(civil: DateTime, zone: &TimeZone) -> Option<Timestamp> {
    let moment = zone.to_ambiguous_timestamp(civil).compatible().ok()?;
    Some(moment.into())
}

/// RFC 3339 and its kin: year, month, day with `-`, `/`, `.` or 年月日 between, then perhaps a time
/// of day, then perhaps an offset. `None` where the text begins otherwise.
fn year_first(text: &str, zone: &TimeZone) -> Option<Result<Timestamp, Wrong>> {
    let mut signs = Signs(text);
    let year = signs.digits(4, 4)?;
    let sign = signs.any_of(&["-", "/", ".", "年"])?;
    let read = |signs: &mut Signs<'_>| {
        let month = signs.digits(1, 2)?;
        signs.any_of(&[if sign == "年" { "月" } else { sign }])?;
        let day = signs.digits(1, 2)?;
        signs.any_of(&["日"]);
        let (mut hour, mut minute, mut second, mut nanos) = (0, 0, 0, 0);
        let mut is_timed = false;
        let is_gap = signs.any_of(&["T", "t", " ", ":", "_"]).is_some();
        signs.spaces();
        if let Some(found) = signs.digits(1, 2).filter(|_| is_gap || sign == "年") {
            is_timed = true;
            hour = found;
            signs.any_of(&[":", "時"])?;
            minute = signs.digits(2, 2).or_else(|| signs.digits(1, 1))?;
            if signs.any_of(&["分", ":"]).is_some()
                && let Some(found) = signs.digits(1, 2)
            {
                // A leap second counts as the one before it, as POSIX has it.
                second = found.min(if found == 60 { 59 } else { 99 });
                signs.any_of(&["秒"]);
                if signs.any_of(&[".", ","]).is_some() {
                    nanos = signs.fraction()?;
                }
            }
        }
        signs.spaces();
        let offset = match signs.0 {
            "" => None,
            "Z" | "z" | "UTC" | "utc" | "GMT" => Some(Offset::UTC),
            _ if is_timed => Some(signs.offset()?),
            _ => return None,
        };
        let civil = DateTime::new(
            year as i16,
            month as i8,
            day as i8,
            hour as i8,
            minute as i8,
            second as i8,
            nanos,
        );
        match (civil.ok()?, offset) {
            (civil, Some(offset)) => offset.to_timestamp(civil).ok().map(Timestamp::from),
            (civil, None) => local(civil, zone),
        }
    };
    Some(read(&mut signs).ok_or_else(|| wrong(text)))
}

/// The rest of a text, eaten from its front.
struct Signs<'a>(&'a str);

impl Signs<'_> {
    fn digits(&mut self, least: usize, most: usize) -> Option<i32> {
        let digits = self.0.bytes().take(most).take_while(u8::is_ascii_digit);
        let len = digits.count();
        if len < least {
            return None;
        }
        let (digits, rest) = self.0.split_at(len);
        self.0 = rest;
        digits.parse().ok()
    }

    fn any_of(&mut self, signs: &[&'static str]) -> Option<&'static str> {
        let sign = signs.iter().find(|sign| self.0.starts_with(**sign))?;
        self.0 = &self.0[sign.len()..];
        Some(sign)
    }

    fn spaces(&mut self) {
        self.0 = self.0.trim_start();
    }

    /// Digits behind the point, as nanoseconds.
    fn fraction(&mut self) -> Option<i32> {
        let len = self.0.bytes().take_while(u8::is_ascii_digit).count();
        let (digits, rest) = self.0.split_at(len);
        self.0 = rest;
        let nine = digits.bytes().chain(std::iter::repeat(b'0')).take(9);
        (len > 0).then(|| nine.fold(0, |sum, digit| sum * 10 + i32::from(digit - b'0')))
    }

    /// `+09:00`, `+0900`, `+09`, also behind `UTC`; nothing may follow.
    fn offset(&mut self) -> Option<Offset> {
        self.any_of(&["UTC", "GMT"]);
        let sign = if self.any_of(&["+"]).is_some() { 1 } else { -1 };
        if sign < 0 {
            self.any_of(&["-", "−"])?;
        }
        let hours = self.digits(2, 2)?;
        self.any_of(&[":"]);
        let minutes = if self.0.is_empty() {
            0
        } else {
            self.digits(2, 2)?
        };
        let is_offset = self.0.is_empty() && hours <= 15 && minutes < 60;
        let seconds = sign * (hours * 3_600 + minutes * 60);
        is_offset
            .then(|| Offset::from_seconds(seconds).ok())
            .flatten()
    }
}

/// RFC 2822, the common log format of web servers, the C library's `asctime`.
fn other(text: &str, zone: &TimeZone) -> Result<Timestamp, Wrong> {
    let log = || strtime::parse("%d/%b/%Y:%H:%M:%S %z", text).and_then(|time| time.to_timestamp());
    if let Ok(moment) = log() {
        return Ok(moment.into());
    }
    if let Ok(moment) = rfc2822::parse(text) {
        return Ok(moment.timestamp().into());
    }
    let c = strtime::parse("%a %b %e %H:%M:%S %Y", text).and_then(|time| time.to_datetime());
    if let Some(moment) = c.ok().and_then(|civil| local(civil, zone)) {
        return Ok(moment);
    }
    if is_day_or_month_first(text) {
        return Err(Wrong::new(
            format!("\"{}\": day and month cannot be told apart", shown(text)),
            "write the year first: 2026-11-21 08:00:00",
        ));
    }
    if text.contains(':')
        && text
            .bytes()
            .all(|byte| byte.is_ascii_digit() || byte == b':')
    {
        return Err(Wrong::new(
            format!("\"{}\" is a time without a date", shown(text)),
            "add a column date, or write 2026-11-21 08:00:00",
        ));
    }
    Err(wrong(text))
}

/// `03/04/2026`, `3.4.26`, `03-04-2026 08:00`.
fn is_day_or_month_first(text: &str) -> bool {
    let mut signs = Signs(text);
    let mut date = || {
        signs.digits(1, 2)?;
        let sign = signs.any_of(&["/", ".", "-"])?;
        signs.digits(1, 2)?;
        signs.any_of(&[sign])?;
        signs.digits(2, 4)
    };
    date().is_some()
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
                Ok(moment) if moment.0 % 1_000 == 0 => moment.to_string(),
                Ok(moment) => format!("{moment} {:03}", moment.0.rem_euclid(1_000)),
                Err(wrong) => format!("refused: {}", wrong.reason),
            };
            assert_eq!(told, expected, "{text}");
        }
    }
}
