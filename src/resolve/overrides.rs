//! Reads a table of overrides: what staff decided about prefixes, AS numbers, handles and domains.

use jiff::ToSpan;
use jiff::civil::Date;
use jiff::tz::TimeZone;

use crate::model::{
    self, Mailbox, Override, OverrideSubject, Refusal, Timestamp, language_tag, plain_text,
};
use crate::sheet::{Format, Mapping, Meaning, Plan, Record, Sheet, SheetError, Text};

const TEXT_LEN: usize = 256;

#[rustfmt::skip]
static PLAN: Plan = Plan {
    meanings: &[
        Meaning { key: "subject", looks: Some(looks_like_subject), names: &[
            "subject", "prefix", "network", "range", "cidr", "asn", "handle", "domain"] },
        Meaning { key: "mailbox", looks: None, names: &[
            "mailbox", "abuse", "contact", "email", "e_mail", "mail"] },
        Meaning { key: "language", looks: None, names: &["language", "lang", "locale"] },
        Meaning { key: "format", looks: None, names: &["format"] },
        Meaning { key: "reason", looks: None, names: &["reason", "why", "comment", "note"] },
        Meaning { key: "owner", looks: None, names: &["owner", "by", "who"] },
        Meaning { key: "until", looks: None, names: &["until", "expires", "expires_at", "valid_until"] },
    ],
    required: &[&["subject"]],
};

/// An override as it was written, not yet kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewOverride {
    pub subject: OverrideSubject,
    /// `None` is *never*: nobody is written to about it.
    pub mailbox: Option<Mailbox>,
    /// BCP 47, or empty.
    pub locale: String,
    /// How it wants its letters; `None` where it wishes nothing.
    pub format: Option<model::Format>,
    pub reason: String,
    /// Who answers for it; empty where the table does not say.
    pub owner: String,
    /// When it ends; `None` is when somebody ends it.
    pub until: Option<Timestamp>,
}

impl NewOverride {
    /// What is kept of it; who enters it answers for it where the table names nobody.
    #[must_use]
    pub fn entered(self, by: &str, now: Timestamp) -> Override {
        Override {
            id: 0,
            subject: self.subject,
            mailbox: self.mailbox,
            locale: self.locale,
            format: self.format,
            reason: self.reason,
            owner: if self.owner.is_empty() {
                by.to_owned()
            } else {
                self.owner
            },
            created_at: now,
            expires_at: self.until,
        }
    }
}

/// What became of one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Row {
    /// `line` counts from 1, the header included.
    Override {
        line: u64,
        entry: NewOverride,
    },
    Refused(Refusal),
}

/// Begins to read a table of overrides; `name` is what messages call it.
///
/// # Errors
/// When it cannot be read at all, or has no column for what the overrides speak about.
pub fn read(
    input: Text,
    name: &str,
    format: Option<Format>,
    map: &[Mapping],
) -> Result<Rows, SheetError> {
    let sheet = Sheet::read(input, name, format, &PLAN, map)?;
    Ok(Rows { sheet })
}

/// The rows of a table of overrides, one after the other.
pub struct Rows {
    sheet: Sheet,
}

impl Iterator for Rows {
    type Item = Row;

    fn next(&mut self) -> Option<Row> {
        Some(match self.sheet.next_row()? {
            Err(refusal) => Row::Refused(refusal),
            Ok(record) => match entry(&record) {
                Ok(entry) => Row::Override {
                    line: record.line(),
                    entry,
                },
                Err(refusal) => Row::Refused(*refusal),
            },
        })
    }
}

/// An override counts whole or not at all: half of one could write to the wrong desk.
fn entry(record: &Record<'_>) -> Result<NewOverride, Box<Refusal>> {
    let refuse = |key, remedy| {
        let (value, key_text) = (record.get(key), key);
        let reason = match value {
            "" => format!("there is no {key_text}"),
            value => format!("\"{}\" is no {key_text}", plain_text(value, 80)),
        };
        Box::new(record.refuse(key, &reason, remedy))
    };
    let subject = record.get("subject").parse().map_err(|_| {
        refuse(
            "subject",
            "write 192.0.2.0/24, AS64500, a handle like ORG-EX1-TEST, or isp.example",
        )
    })?;
    let mailbox = match record.get("mailbox") {
        never if never.eq_ignore_ascii_case("never") => None,
        mailbox => Some(
            mailbox
                .parse::<Mailbox>()
                .map_err(|_| refuse("mailbox", "write abuse@isp.example, or never"))?,
        ),
    };
    let locale = match record.get("language") {
        "" | "-" => String::new(),
        text => language_tag(text).ok_or_else(|| refuse("language", "write en, ja or pt-BR"))?,
    };
    let format = match record.get("format") {
        "" | "-" => None,
        text => Some(model::Format::from_text(text).ok_or_else(|| {
            refuse(
                "format",
                "write csv, text (no attachment), xarf (a letter for each address) or both",
            )
        })?),
    };
    let until = match record.get("until") {
        "" | "-" => None,
        text => Some(end_of(text).ok_or_else(|| {
            refuse(
                "until",
                "write 2026-12-31, the last day it holds, or 2026-12-31T15:00:00Z",
            )
        })?),
    };
    Ok(NewOverride {
        subject,
        mailbox,
        locale,
        format,
        reason: plain_text(record.get("reason"), TEXT_LEN),
        owner: plain_text(record.get("owner"), TEXT_LEN),
        until,
    })
}

fn looks_like_subject(text: &str) -> bool {
    matches!(
        text.parse(),
        Ok(OverrideSubject::Prefix(_) | OverrideSubject::Asn(_))
    )
}

/// A day counts to its end, in UTC.
fn end_of(text: &str) -> Option<Timestamp> {
    if let Ok(day) = text.parse::<Date>()
        && text.len() == 10
    {
        let next = day.checked_add(1.day()).ok()?;
        return Some(next.to_zoned(TimeZone::UTC).ok()?.timestamp().into());
    }
    text.parse::<jiff::Timestamp>().ok().map(Timestamp::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sheet;

    #[test]
    fn overrides_count_whole_or_not_at_all() {
        let text = "subject,mailbox,language,format,reason,owner,until\n\
             192.0.2.0/24,abuse@isp.example,ja,,asked by phone,s.sato,2026-12-31\n\
             AS64500,never,,,under contract,,\n\
             ORG-EX1-TEST,noc@isp.example,,Text,,,2026-12-31T15:00:00Z\n\
             192.0.2.300,never,,,,,\n\
             AS64501,,,,,,\n\
             AS64502,never,,,,,soon\n\
             AS64503,never,English!,,,,\n\
             Mail.ISP.example,never,,csv,,,\n\
             AS64504,never,,pdf,,,\n";
        let input = sheet::unwrap(std::io::Cursor::new(text.as_bytes().to_vec())).unwrap();
        let told: Vec<String> = read(input, "overrides.csv", None, &[])
            .unwrap()
            .map(|row| match row {
                Row::Refused(r) => format!("{} {}: {}", r.line, r.column, r.reason),
                Row::Override { line, entry: d } => {
                    let mailbox = d
                        .mailbox
                        .map_or_else(|| "never".to_owned(), |m| m.to_string());
                    let until = d.until.map_or_else(|| "ever".to_owned(), |t| t.to_string());
                    let (locale, reason, owner) = (d.locale, d.reason, d.owner);
                    let format = d.format.map_or("any", model::Format::as_str);
                    format!(
                        "{line} {} {mailbox} [{locale}|{format}|{reason}|{owner}] {until}",
                        d.subject
                    )
                }
            })
            .collect();
        assert_eq!(
            told,
            [
                "2 192.0.2.0/24 abuse@isp.example [ja|any|asked by phone|s.sato] 2027-01-01T00:00:00Z",
                "3 AS64500 never [|any|under contract|] ever",
                "4 ORG-EX1-TEST noc@isp.example [|text||] 2026-12-31T15:00:00Z",
                "5 subject: \"192.0.2.300\" is no subject",
                "6 mailbox: there is no mailbox",
                "7 until: \"soon\" is no until",
                "8 language: \"English!\" is no language",
                "9 @mail.isp.example never [|csv||] ever",
                "10 format: \"pdf\" is no format",
            ]
        );
    }
}
