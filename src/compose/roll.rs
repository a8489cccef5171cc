//! The roll of signatories, read from a table.

use std::collections::BTreeMap;

use crate::model::{Refusal, Signatory, Span, Timestamp, language_tag, plain_text};
use crate::sheet::{Format, Mapping, Meaning, Plan, Record, Sheet, SheetError, Text};

static PLAN: Plan = Plan {
    meanings: &[
        Meaning {
            key: "agency",
            looks: None,
            names: &["agency", "agency_en", "name", "name_en", "signatory"],
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
            key: "order",
            looks: None,
            names: &["order", "position", "rank", "no"],
        },
        Meaning {
            key: "mailbox",
            looks: None,
            names: &["mailbox", "email", "e_mail", "mail"],
        },
    ],
    required: &[&["agency", "country"]],
};

/// The longest name of an agency; longer ones are cut.
const NAME: usize = 200;

const DAY: Span = Span(86_400_000);

/// What became of a row.
pub type Row = Result<Signatory, Refusal>;

/// Reads a roll; rows that are no signatories say why, and do not stop the rest. Columns as `name_ja`
/// or `name_zh-Hant` give the name in that language.
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
        rows.push(record.and_then(|record| signatory(&record)));
    }
    Ok(rows)
}

fn signatory(record: &Record<'_>) -> Row {
    let agency = plain_text(record.get("agency"), NAME);
    if agency.is_empty() {
        return Err(record.refuse(
            "agency",
            "the agency has no name",
            "write its name in English",
        ));
    }
    let country = record.get("country").to_ascii_uppercase();
    if country.len() != 2 || !country.bytes().all(|b| b.is_ascii_uppercase()) {
        return Err(record.refuse(
            "country",
            "is no country code",
            "write two letters of ISO 3166: JP",
        ));
    }
    let position = match record.get("order") {
        "" => None,
        text => match text.parse().ok().filter(|place| *place > 0) {
            Some(place) => Some(place),
            None => {
                return Err(record.refuse("order", "is no place", "write 1 for the first"));
            }
        },
    };
    let mailbox = match record.get("mailbox") {
        "" => None,
        text => {
            let mailbox = text.parse();
            let wrong = |_| record.refuse("mailbox", "is no mailbox", "write desk@agency.example");
            Some(mailbox.map_err(wrong)?)
        }
    };
    let (from, until) = (day(record, "from")?, day(record, "until")?);
    if let (Some(from), Some(until)) = (from, until)
        && until < from
    {
        return Err(record.refuse(
            "until",
            "lies before the day from which it signs",
            "write the last day on which it signs",
        ));
    }
    Ok(Signatory {
        agency,
        local_name: plain_text(record.get("local_name"), NAME),
        names: names(record),
        country,
        framework: plain_text(record.get("framework"), NAME),
        mailbox,
        from,
        // A member signs on its last day, too.
        until: until.map(|day| day.plus(DAY)),
        position,
    })
}

/// The name in other languages, by the tag at the end of the column's name.
fn names(record: &Record<'_>) -> BTreeMap<String, String> {
    let named = |(column, name): (&str, &str)| {
        let (what, tag) = column.trim().split_once(['_', '-', ' ', '.'])?;
        let is_name = ["name", "names"].contains(&what.to_ascii_lowercase().as_str());
        let tag = language_tag(tag).filter(|_| is_name)?;
        Some((tag, plain_text(name, NAME))).filter(|(_, name)| !name.is_empty())
    };
    record.others().filter_map(named).collect()
}

fn day(record: &Record<'_>, key: &str) -> Result<Option<Timestamp>, Refusal> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(table: &str) -> Vec<Row> {
        let bytes = std::io::Cursor::new(table.as_bytes().to_vec());
        read(crate::sheet::unwrap(bytes).unwrap(), "roll.csv", None, &[]).unwrap()
    }

    #[test]
    fn a_roll_says_who_signs_when_and_under_which_names() {
        let roll = rows(
            "name,name_local,Name_JA,name_zh-Hant,name_notes,cc,mailbox,from,until,order
Commission of Example,Example words,例示委員会,例示委員會,seen,us,desk@agency.example,2026-01,2026-12-31,2
Institute,,,,,KR,,,,
",
        );
        let [first, second] = roll.try_into().unwrap();
        let (first, second) = (first.unwrap(), second.unwrap());
        let names: Vec<(&str, &str)> = first
            .names
            .iter()
            .map(|(tag, name)| (tag.as_str(), name.as_str()))
            .collect();
        assert_eq!(names, [("JA", "例示委員会"), ("zh-Hant", "例示委員會")]);
        assert_eq!(first.name_beside("ja"), "例示委員会");
        assert_eq!(first.name_beside("de"), "Example words");
        assert_eq!(first.mailbox.unwrap().as_str(), "desk@agency.example");
        let date = |at: Option<Timestamp>| at.map(Timestamp::date).unwrap_or_default();
        assert_eq!(
            (date(first.from), date(first.until)),
            ("2026-01-01".to_owned(), "2027-01-01".to_owned())
        );
        assert_eq!((first.country.as_str(), first.position), ("US", Some(2)));
        assert_eq!(
            (second.position, second.from, second.mailbox),
            (None, None, None)
        );
    }

    #[test]
    fn a_row_that_is_no_signatory_says_why() {
        let refused = rows(
            "agency,country,mailbox,from,until,order
,US,,,,
A,USA,,,,
B,US,nobody,,,
C,US,,1 May,,
D,US,,2026-05-02,2026-05-01,
E,US,,,,0
F,US,,,,first
G,US,,2026-05-01,2026-05-01,1
",
        );
        let told: Vec<String> = refused
            .into_iter()
            .map(|row| {
                row.map_or_else(
                    |no| format!("{} {}", no.column, no.reason),
                    |one| one.agency,
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                "agency the agency has no name",
                "country is no country code",
                "mailbox is no mailbox",
                "from is no date",
                "until lies before the day from which it signs",
                "order is no place",
                "order is no place",
                "G",
            ]
        );
    }
}
