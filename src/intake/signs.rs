//! Eats a written time from its front, sign by sign.

use jiff::civil::Time;
use jiff::tz::Offset;

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

/// Zones that mean one offset wherever they are written, in hours; CST, IST and BST do not.
const ZONES: [(&str, i32); 14] = [
    ("Z", 0),
    ("UTC", 0),
    ("GMT", 0),
    ("JST", 9),
    ("KST", 9),
    ("MSK", 3),
    ("CET", 1),
    ("CEST", 2),
    ("EST", -5),
    ("EDT", -4),
    ("PST", -8),
    ("PDT", -7),
    ("(UTC)", 0),
    ("UT", 0),
];

const BEFORE_NOON: [&str; 8] = ["午前", "上午", "오전", "a.m.", "A.M.", "am", "AM", "Am"];
const AFTER_NOON: [&str; 8] = ["午後", "下午", "오후", "p.m.", "P.M.", "pm", "PM", "Pm"];

/// The rest of a text.
pub(super) struct Signs<'a>(pub(super) &'a str);

impl<'a> Signs<'a> {
    pub(super) fn digits(&mut self, least: usize, most: usize) -> Option<i32> {
        let digits = self.0.bytes().take(most).take_while(u8::is_ascii_digit);
        let len = digits.count();
        if len < least {
            return None;
        }
        let (digits, rest) = self.0.split_at(len);
        self.0 = rest;
        digits.parse().ok()
    }

    pub(super) fn any_of(&mut self, signs: &[&'static str]) -> Option<&'static str> {
        let sign = signs.iter().find(|sign| self.0.starts_with(**sign))?;
        self.0 = &self.0[sign.len()..];
        Some(sign)
    }

    pub(super) fn spaces(&mut self) {
        self.0 = self.0.trim_start();
    }

    fn word(&mut self) -> &'a str {
        let len = self.0.bytes().take_while(u8::is_ascii_alphabetic).count();
        let (word, rest) = self.0.split_at(len);
        self.0 = rest;
        word
    }

    /// `Oct`, `October`, `Sept`: 10, 10, 9.
    pub(super) fn month(&mut self) -> Option<i32> {
        let word = self.word().to_ascii_lowercase();
        let is_month = |month: &&str| word.len() >= 3 && month.starts_with(&word);
        let month = MONTHS.iter().position(is_month)?;
        Some(month as i32 + 1)
    }

    /// `Thu`, `Thursday,`: it adds nothing.
    pub(super) fn weekday(&mut self) {
        let begin = self.0;
        let word = self.word().to_ascii_lowercase();
        let days = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
        if days.iter().any(|day| word.starts_with(day)) {
            self.any_of(&[","]);
            self.any_of(&["."]);
            self.spaces();
        } else {
            self.0 = begin;
        }
    }

    /// A time of day; `None` where there is none, and `Some(None)` where it is wrong.
    pub(super) fn clock(&mut self) -> Option<Option<Time>> {
        let early = self.half_of_day();
        if !self.0.starts_with(|c: char| c.is_ascii_digit()) {
            return early.map(|_| None);
        }
        Some(self.time_of_day(early))
    }

    fn time_of_day(&mut self, half: Option<i32>) -> Option<Time> {
        let run_together = self.0.bytes().take_while(u8::is_ascii_digit).count() == 6;
        let (mut hour, minute, mut second, mut nanos);
        if run_together {
            hour = self.digits(2, 2)?;
            minute = self.digits(2, 2)?;
            second = self.digits(2, 2)?;
            nanos = self.fraction()?;
        } else {
            (second, nanos) = (0, 0);
            hour = self.digits(1, 2)?;
            self.any_of(&[":", "時", "点", "시"])?;
            self.spaces();
            minute = self.digits(1, 2)?;
            if self.any_of(&["分", "분", ":"]).is_some() {
                self.spaces();
                if let Some(found) = self.digits(1, 2) {
                    second = found;
                    self.any_of(&["秒", "초"]);
                    nanos = self.fraction()?;
                }
            }
        }
        let begin = self.0;
        self.spaces();
        let half = half.or_else(|| self.half_of_day());
        if half.is_none() {
            self.0 = begin;
        }
        if let Some(noon) = half {
            if !(1..=12).contains(&hour) {
                return None;
            }
            hour = hour % 12 + noon;
        }
        // A leap second counts as the one before it, as POSIX has it.
        second -= i32::from(second == 60);
        Time::new(hour as i8, minute as i8, second as i8, nanos).ok()
    }

    /// The hours that lie before this half of the day.
    fn half_of_day(&mut self) -> Option<i32> {
        let hours = match (self.any_of(&BEFORE_NOON), self.any_of(&AFTER_NOON)) {
            (Some(_), _) => 0,
            (None, Some(_)) => 12,
            (None, None) => return None,
        };
        self.spaces();
        Some(hours)
    }

    /// Digits behind the point, as nanoseconds; a point must have some.
    fn fraction(&mut self) -> Option<i32> {
        if self.any_of(&[".", ","]).is_none() {
            return Some(0);
        }
        let len = self.0.bytes().take_while(u8::is_ascii_digit).count();
        let (digits, rest) = self.0.split_at(len);
        self.0 = rest;
        let nine = digits.bytes().chain(std::iter::repeat(b'0')).take(9);
        (len > 0).then(|| nine.fold(0, |sum, digit| sum * 10 + i32::from(digit - b'0')))
    }

    /// The zone that is all the rest: `Some(None)` where nothing is left, `None` where it is wrong.
    pub(super) fn zone(&mut self) -> Option<Option<Offset>> {
        if self.0.is_empty() {
            return Some(None);
        }
        let mut zones = ZONES.iter();
        let offset = match zones.find(|(name, _)| name.eq_ignore_ascii_case(self.0)) {
            Some((_, hours)) => Offset::from_seconds(hours * 3_600).ok()?,
            None => self.offset()?,
        };
        self.0 = "";
        Some(Some(offset))
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
