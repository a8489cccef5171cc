//! How long a server asks to be left alone: the header Retry-After (RFC 9110 10.2.3).

use jiff::civil::DateTime;
use jiff::fmt::strtime;
use jiff::tz::TimeZone;
use reqwest::header::HeaderValue;

use crate::model::{Span, Timestamp};

/// A server that asks for more has lost its clock.
const LONGEST: Span = Span(86_400_000);

/// The three forms of a date that a recipient must read (RFC 9110 5.6.7), all of them in GMT.
const FORMS: [&str; 3] = [
    "%a, %d %b %Y %H:%M:%S GMT",
    "%A, %d-%b-%y %H:%M:%S GMT",
    "%a %b %e %H:%M:%S %Y",
];

/// Seconds or a date, a day at most. Nothing, nonsense, 0 and what has passed name no wait.
pub(super) fn retry_after(header: Option<&HeaderValue>, now: Timestamp) -> Option<Span> {
    let text = header?.to_str().ok()?.trim();
    let wait = if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // Too many digits for a number are many seconds.
        let seconds = text.parse::<u32>().unwrap_or(u32::MAX);
        Span::seconds(seconds.into())
    } else {
        date(text)?.since(now)
    };
    (wait.0 > 0).then_some(wait.min(LONGEST))
}

fn date(text: &str) -> Option<Timestamp> {
    let read = |form| {
        let moment: DateTime = strtime::parse(form, text).ok()?.to_datetime().ok()?;
        let moment = TimeZone::UTC.to_timestamp(moment).ok()?;
        Some(Timestamp::from(moment))
    };
    FORMS.into_iter().find_map(read)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read_and_none_is_believed_for_more_than_a_day() {
        // 2026-11-16T08:00:00Z
        let now = Timestamp(1_794_816_000_000);
        for (text, seconds) in [
            ("120", Some(120)),
            (" 7 ", Some(7)),
            ("315360000", Some(86_400)),
            ("99999999999999999999999999", Some(86_400)),
            ("Mon, 16 Nov 2026 08:01:30 GMT", Some(90)),
            ("Monday, 16-Nov-26 08:01:30 GMT", Some(90)),
            ("Mon Nov 16 08:01:30 2026", Some(90)),
            ("Sun Nov  8 08:01:30 2026", None),
            ("Thu Dec  3 08:01:30 2026", Some(86_400)),
            ("Sun, 16 Nov 2036 08:00:00 GMT", Some(86_400)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", None),
            ("0", None),
            ("-5", None),
            ("1.5", None),
            ("soon", None),
            ("", None),
            ("Mon, 16 Nov 2026 28:01:30 GMT", None),
            ("Mon, 16 Nov 9999999 08:01:30 GMT", None),
        ] {
            let header = HeaderValue::from_str(text).unwrap();
            let wait = retry_after(Some(&header), now);
            assert_eq!(wait, seconds.map(Span::seconds), "{text}");
        }
        assert_eq!(retry_after(None, now), None);
        let header = HeaderValue::from_bytes(b"\xff\xfe").unwrap();
        assert_eq!(retry_after(Some(&header), now), None);
    }
}
