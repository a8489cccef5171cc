//! What a row tells an abuse desk that asks how it is known.

use super::place;
use crate::model::plain_text;
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
pub(super) fn of(record: &Record<'_>, is_logged: bool) -> String {
    if let Some(line) = record.as_line().filter(|_| is_logged) {
        return cut(line, LONGEST);
    }
    if let Some((_, text)) = record.get_said("evidence", says) {
        return cut(text, LONGEST);
    }
    let address = record.get("ip");
    if place::is_url(address) {
        return cut(address, LONGEST);
    }
    let told = TELLING.iter().filter_map(|key| {
        let (_, value) = record.get_said(key, says)?;
        Some(format!("{key}={value}"))
    });
    cut(&told.collect::<Vec<_>>().join("; "), LONGEST_GATHERED)
}

/// Whether a column of a table without header may hold such: text with a word in it.
pub(super) fn looks(text: &str) -> bool {
    let letters = text.chars().filter(|c| c.is_alphabetic()).count();
    letters >= 3 || text.chars().any(|c| c.is_alphabetic() && !c.is_ascii())
}

fn says(text: &str) -> bool {
    !matches!(text, "-" | "null" | "NULL" | "None" | "\\N" | "N/A" | "n/a")
}

/// One line of plain text; what is cut off leaves a sign.
fn cut(text: &str, limit: usize) -> String {
    let plain = plain_text(text, limit + 1);
    if plain.chars().count() <= limit {
        return plain;
    }
    let kept: String = plain.chars().take(limit - 1).collect();
    kept + "…"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_cut_off_leaves_a_sign() {
        assert_eq!(cut("日本語", 3), "日本語");
        assert_eq!(cut("日本語で", 3), "日本…");
        let long = cut(&"e".repeat(1_001), LONGEST);
        assert!(long.ends_with("e…") && long.chars().count() == LONGEST);
    }
}
