//! What a row tells an abuse desk that asks how it is known.

use super::notes::Noted;
use super::place;
use crate::sheet::Record;

const LONGEST: usize = 1_000;
const LONGEST_GATHERED: usize = 200;

/// Columns that tell something, in the order in which they are told.
const TELLING: [&str; 6] = [
    "infection",
    "tag",
    "family",
    "sourcetype",
    "dst_ip",
    "dst_port",
];

/// The row's evidence: what it gives as such, the whole line of a log, the URL that was its
/// address, or else what its other columns tell: `tag=spam; dst_port=25`.
pub(super) fn of(record: &Record<'_>, is_logged: bool, noted: &mut Noted) -> String {
    if let Some(line) = record.as_line().filter(|_| is_logged) {
        return noted.line(line, LONGEST);
    }
    if let Some((_, text)) = record.get_said("evidence", says) {
        return noted.line(text, LONGEST);
    }
    let address = record.get("ip");
    if place::is_url(address) {
        return noted.line(address, LONGEST);
    }
    let told = TELLING.iter().filter_map(|key| {
        let (_, value) = record.get_said(key, says)?;
        Some(format!("{key}={value}"))
    });
    noted.line(&told.collect::<Vec<_>>().join("; "), LONGEST_GATHERED)
}

/// Whether a column of a table without header may hold such: text with a word in it.
pub(super) fn looks(text: &str) -> bool {
    let letters = text.chars().filter(|c| c.is_alphabetic()).count();
    letters >= 3 || text.chars().any(|c| c.is_alphabetic() && !c.is_ascii())
}

fn says(text: &str) -> bool {
    !matches!(text, "-" | "null" | "NULL" | "None" | "\\N" | "N/A" | "n/a")
}
