//! When a row says that it was seen: at one time, or from a first to a last.

use std::borrow::Cow;

use jiff::tz::TimeZone;

use super::moment::{self, Moment};
use super::{Fault, Wrong};
use crate::model::{Timestamp, plain_text};
use crate::sheet::Record;

static UTC: TimeZone = TimeZone::UTC;

/// What a row says of the time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    /// The last time, or the only one.
    pub(super) at: Timestamp,
    /// The first time, where the row tells one before the last.
    pub(super) from: Option<Timestamp>,
    /// Whether one of them named no zone.
    pub(super) is_zoneless: bool,
}

/// A cell that holds a time, under its key.
struct Told<'r> {
    key: &'static str,
    text: Cow<'r, str>,
    zone: &'r TimeZone,
    moment: Moment,
}

/// What the row's cells say, in whichever order the columns stand. A first time alone is the time: who
/// tells no last one has seen it then. `latest` is what lies not in the future.
pub(super) fn read(
    record: &Record<'_>,
    zone: &TimeZone,
    latest: Timestamp,
) -> Result<Option<Seen>, Fault> {
    let told = |(key, column, text)| told((key, column), text, zone, latest);
    let first = first(record).map(told).transpose()?;
    let last = last(record).map(told).transpose()?;
    let (first, last) = match (first, last) {
        (Some(first), Some(last)) => (first, last),
        (Some(only), None) | (None, Some(only)) => return Ok(Some(only.moment.into())),
        (None, None) => return is_no_time(record).map(|()| None),
    };
    let (from, mut at) = (first.moment.at, last.moment.at);
    if from > at {
        if !is_within_day(&last, from) {
            return Err((first.key, not_in_order(from, at)));
        }
        at = from;
    }
    Ok(Some(Seen {
        at,
        from: Some(from).filter(|from| *from < at),
        is_zoneless: first.moment.is_zoneless || last.moment.is_zoneless,
    }))
}

impl From<Moment> for Seen {
    fn from(moment: Moment) -> Self {
        Self {
            at: moment.at,
            from: None,
            is_zoneless: moment.is_zoneless,
        }
    }
}

/// Whether a time lies in the future.
pub(super) fn not_ahead(moment: Moment, latest: Timestamp) -> Result<(), Wrong> {
    if moment.at <= latest {
        return Ok(());
    }
    Err(Wrong::new(
        format!("{} lies in the future", moment.at),
        if moment.is_zoneless {
            "see whether the time zone is right (--time-zone), and the clock of the feed"
        } else {
            "see whether the clock of the feed is right; leave the time out if it is not"
        },
    ))
}

/// A cell's key, the name of its column where that may name the zone, and its text.
type Cell<'r> = (&'static str, &'r str, Cow<'r, str>);

fn first<'r>(record: &'r Record<'_>) -> Option<Cell<'r>> {
    let (column, text) = said(record, "seen_from")?;
    Some(("seen_from", column, text.into()))
}

fn last<'r>(record: &'r Record<'_>) -> Option<Cell<'r>> {
    let cells = ["seen", "date", "time"].map(|key| said(record, key));
    match cells {
        [Some((column, seen)), ..] => Some(("seen", column, seen.into())),
        [None, Some((_, date)), Some((column, time))] => {
            Some(("date", column, format!("{date} {time}").into()))
        }
        [None, Some((_, date)), None] => Some(("date", "", date.into())),
        [None, None, Some((_, time))] => Some(("time", "", time.into())),
        [None, None, None] => None,
    }
}

fn said<'r>(record: &'r Record<'_>, key: &str) -> Option<(&'r str, &'r str)> {
    record.get_said(key, |text| !moment::is_none(text))
}

fn told<'r>(
    (key, column): (&'static str, &str),
    text: Cow<'r, str>,
    zone: &'r TimeZone,
    latest: Timestamp,
) -> Result<Told<'r>, Fault> {
    // `last_seen_utc` and `Time (UTC)` name the zone for all their values.
    let is_utc = column
        .to_ascii_lowercase()
        .trim_end_matches(')')
        .ends_with("utc");
    let zone = if is_utc { &UTC } else { zone };
    let mut moment = moment::read(&text, zone).map_err(|wrong| (key, wrong))?;
    moment.is_zoneless &= !is_utc;
    not_ahead(moment, latest).map_err(|wrong| (key, wrong))?;
    Ok(Told {
        key,
        text,
        zone,
        moment,
    })
}

/// Whether the last time is a date alone, which is read as its midnight, and the first lies in that day.
fn is_within_day(last: &Told<'_>, from: Timestamp) -> bool {
    let evening = moment::read(&format!("{} 23:59:59.999", last.text), last.zone);
    evening.is_ok_and(|evening| from <= evening.at)
}

fn not_in_order(from: Timestamp, at: Timestamp) -> Wrong {
    Wrong::new(
        format!("it was first seen at {from}, and last at {at}, which is before"),
        "mend the row; where the columns are the other way round, say which is which: \
         --map seen_from=COLUMN --map seen=COLUMN",
    )
}

/// Columns called `first` and `last` hold addresses, or times beside an address: these must not get lost.
fn is_no_time(record: &Record<'_>) -> Result<(), Fault> {
    let times = ["first", "last"].map(|key| (key, record.get(key)));
    let is_time = |text: &str| !text.is_empty() && moment::looks(text);
    let found = times.into_iter().find(|(_, text)| is_time(text));
    match found.filter(|_| !super::rows::is_nothing(record.get("ip"))) {
        Some((key, text)) => Err((
            key,
            Wrong::new(
                format!(
                    "\"{}\" is a time, in a column taken for an address",
                    plain_text(text, 60)
                ),
                "say which column says when it was seen first and last: \
                 --map seen_from=COLUMN --map seen=COLUMN",
            ),
        )),
        None => Ok(()),
    }
}
