//! The trail of decisions: one row for each, chained to the one before it by its digest.

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{Timestamp, hex};

/// What stands before the first row of a chain.
pub const CHAIN_BEGIN: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// From where somebody acts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    pub host: String,
    /// Whom the machine knows as acting there, whatever they call themselves.
    pub user: String,
    /// `command line`, or the address that a request came from.
    pub via: String,
}

/// One decision, as it is kept for ever.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditRow {
    /// Counted from 1, without a gap.
    pub number: i64,
    pub at: Timestamp,
    pub by: String,
    pub from: Origin,
    /// As one says it on the command line: `campaign approve`.
    pub action: String,
    pub about: String,
    /// JSON in one line; `null` where there was nothing.
    pub before: String,
    pub after: String,
    /// The digest of the row before it.
    pub previous: String,
    pub digest: String,
}

impl AuditRow {
    /// SHA-256 over the row, the digest of the one before it included, each piece led by its length in
    /// eight bytes, the highest first. A time is its milliseconds since 1970 in decimal digits.
    #[must_use]
    pub fn worked_out(&self) -> String {
        let mut digest = Sha256::new();
        for piece in [
            "lapwing audit 1",
            &self.previous,
            &self.number.to_string(),
            &self.at.0.to_string(),
            &self.by,
            &self.from.host,
            &self.from.user,
            &self.from.via,
            &self.action,
            &self.about,
            &self.before,
            &self.after,
        ] {
            digest.update((piece.len() as u64).to_be_bytes());
            digest.update(piece.as_bytes());
        }
        hex(&digest.finalize())
    }
}

/// With the time in milliseconds beside the readable one, so that whoever has the rows can work their digests
/// out.
impl Serialize for AuditRow {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let parsed = |text: &str| -> Value {
            serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
        };
        let mut row = serializer.serialize_struct("AuditRow", 13)?;
        row.serialize_field("number", &self.number)?;
        row.serialize_field("at", &self.at)?;
        row.serialize_field("at_ms", &self.at.0)?;
        row.serialize_field("by", &self.by)?;
        row.serialize_field("host", &self.from.host)?;
        row.serialize_field("user", &self.from.user)?;
        row.serialize_field("via", &self.from.via)?;
        row.serialize_field("action", &self.action)?;
        row.serialize_field("about", &self.about)?;
        row.serialize_field("before", &parsed(&self.before))?;
        row.serialize_field("after", &parsed(&self.after))?;
        row.serialize_field("previous", &self.previous)?;
        row.serialize_field("digest", &self.digest)?;
        row.end()
    }
}

/// How far a chain has been followed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AuditEnd {
    /// Of the last row, and so how many there are.
    pub number: i64,
    pub digest: String,
}

impl Default for AuditEnd {
    fn default() -> Self {
        Self {
            number: 0,
            digest: CHAIN_BEGIN.to_owned(),
        }
    }
}

impl AuditEnd {
    /// Goes on to the next row.
    ///
    /// # Errors
    /// What is wrong with it, where it does not follow.
    pub fn follow(&mut self, row: &AuditRow) -> Result<(), String> {
        let next = self.number + 1;
        if row.number > next {
            let gone = match row.number - next {
                1 => format!("row {next} is"),
                _ => format!("rows {next} to {} are", row.number - 1),
            };
            return Err(format!("{gone} missing"));
        }
        if row.previous != self.digest {
            return Err(format!(
                "row {} does not follow row {}, or row {} is another than it was",
                row.number, self.number, self.number
            ));
        }
        if row.digest != row.worked_out() {
            return Err(format!(
                "row {} is not as it was written: its digest is another",
                row.number
            ));
        }
        self.number = row.number;
        self.digest.clone_from(&row.digest);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain() -> Vec<AuditRow> {
        let mut rows: Vec<AuditRow> = Vec::new();
        for number in 1..=4 {
            let previous = rows
                .last()
                .map_or(CHAIN_BEGIN.to_owned(), |last| last.digest.clone());
            let mut row = AuditRow {
                number,
                at: Timestamp(1_794_816_000_000 + number),
                by: "anna".to_owned(),
                from: Origin::default(),
                action: "campaign pause".to_owned(),
                about: "trial".to_owned(),
                before: "{\"state\":\"approved\"}".to_owned(),
                after: "{\"state\":\"paused\"}".to_owned(),
                previous,
                digest: String::new(),
            };
            row.digest = row.worked_out();
            rows.push(row);
        }
        rows
    }

    fn followed(rows: &[AuditRow]) -> Result<i64, String> {
        let mut end = AuditEnd::default();
        rows.iter().try_for_each(|row| end.follow(row))?;
        Ok(end.number)
    }

    #[test]
    fn every_change_breaks_the_chain_where_it_was_made() {
        assert_eq!(followed(&chain()), Ok(4));
        type Change = fn(&mut Vec<AuditRow>);
        let changes: [(Change, &str); 7] = [
            (
                |rows| rows[1].by = "mallory".to_owned(),
                "row 2 is not as it was",
            ),
            (|rows| rows[1].at.0 += 1, "row 2 is not as it was"),
            (
                |rows| rows[1].from.host = "elsewhere".to_owned(),
                "row 2 is not",
            ),
            (
                |rows| {
                    rows[1].after = "null".to_owned();
                    rows[1].digest = rows[1].worked_out();
                },
                "row 3 does not follow row 2",
            ),
            (|rows| drop(rows.remove(2)), "row 3 is missing"),
            (|rows| drop(rows.drain(..2)), "rows 1 to 2 are missing"),
            (
                |rows| {
                    let (a, b) = (rows[1].action.clone(), rows[1].about.clone());
                    (rows[1].action, rows[1].about) = (a.clone() + &b[..1], b[1..].to_owned());
                },
                "row 2 is not as it was",
            ),
        ];
        for (change, said) in changes {
            let mut rows = chain();
            change(&mut rows);
            let why = followed(&rows).unwrap_err();
            assert!(why.contains(said), "{why}");
        }
    }
}
