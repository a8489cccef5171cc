//! The roll of signatories, read from a table.

use crate::model::{Signatory, Span, Timestamp, plain_text};
use crate::sheet::{Format, Mapping, Meaning, Plan, Record, Sheet, SheetError, Text};

static PLAN: Plan = Plan {
    meanings: &[
        Meaning {
            key: "agency",
            looks: None,
            names: &["agency", "agency_en", "name", "signatory"],
        },
        Meaning {
            key: "local_name",
            looks: None,
            names: &["local_name", "agency_local", "name_local", "native_name"],
        },
        Meaning {
            key: "country",
            looks: None,
            names: &["country", "cc", "country_code"],
        },
        Meaning {
            key: "framework",
            looks: None,
            names: &["framework", "agreement", "mou"],
        },
        Meaning {
            key: "from",
            looks: None,
            names: &["from", "since", "signs_from", "joined"],
        },
        Meaning {
            key: "until",
            looks: None,
            names: &["until", "to", "signs_until", "left"],
        },
        Meaning {
            key: "position",
            looks: None,
            names: &["position", "order", "rank", "no"],
        },
    ],
    required: &[&["agency", "country"]],
};

/// The longest name of an agency; longer ones are cut.
const NAME: usize = 200;

const DAY: Span = Span(86_400_000);

/// What became of a row.
pub type Row = Result<Signatory, crate::model::Refusal>;

/// Reads a roll; rows that are no signatories say why, and do not stop the rest. Without a column
/// for the order, that of the rows is taken.
///
/// # Errors
/// When it cannot be read at all, or has no columns for agency and country.
pub fn read(
    input: Text,
    name: &str,
    format: Option<Format>,
    map: &[Mapping],
) -> Result<Vec<Row>, SheetError> {
    let mut sheet = Sheet::read(input, name, format, &PLAN, map)?;
    let mut rows = Vec::new();
    while let Some(record) = sheet.next_row() {
        let place = rows.len() as i64 + 1;
        rows.push(record.and_then(|record| signatory(&record, place)));
    }
    Ok(rows)
}

fn signatory(record: &Record<'_>, place: i64) -> Row {
    let agency = plain_text(record.get("agency"), NAME);
    if agency.is_empty() {
        return Err(record.refuse(
            "agency",
            "the agency has no name",
            "write its name in English",
        ));
    }
    let country = record.get("country").trim().to_ascii_uppercase();
    if country.len() != 2 || !country.bytes().all(|b| b.is_ascii_uppercase()) {
        return Err(record.refuse(
            "country",
            "is no country code",
            "write two letters of ISO 3166: JP",
        ));
    }
    let position = match record.get("position").trim() {
        "" => place,
        text => text
            .parse()
            .map_err(|_| record.refuse("position", "is no number", "write 1 for the first"))?,
    };
    Ok(Signatory {
        agency,
        local_name: plain_text(record.get("local_name"), NAME),
        country,
        framework: plain_text(record.get("framework"), NAME),
        from: day(record, "from")?,
        // A member signs on its last day, too.
        until: day(record, "until")?.map(|day| day.plus(DAY)),
        position,
    })
}

fn day(record: &Record<'_>, key: &str) -> Result<Option<Timestamp>, crate::model::Refusal> {
    let text = record.get(key).trim();
    // A year and month, as rolls often say, means its first day.
    let whole = if text.len() == 7 {
        format!("{text}-01")
    } else {
        text.to_owned()
    };
    if text.is_empty() {
        return Ok(None);
    }
    let wrong = || record.refuse(key, "is no date", "write YYYY-MM-DD");
    let date: jiff::civil::Date = whole.parse().map_err(|_| wrong())?;
    let start = date
        .to_zoned(jiff::tz::TimeZone::UTC)
        .map_err(|_| wrong())?;
    Ok(Some(start.timestamp().into()))
}
