//! The number that a desk gives a case of ours, wherever it writes it.

use crate::model::is_ticket;

/// The number that a desk has given the case: in brackets, or behind a word for it. Ours is none.
pub(super) fn of(subject: &str, text: &str) -> Option<String> {
    in_brackets(subject)
        .or_else(|| behind_word(subject))
        .or_else(|| text.lines().take(60).find_map(behind_word))
}

pub(super) fn in_brackets(subject: &str) -> Option<String> {
    let mut rest = subject;
    while let Some((_, tail)) = rest.split_once('[') {
        let (inside, tail) = tail.split_once(']')?;
        let has_number = inside.bytes().filter(u8::is_ascii_digit).count() >= 3;
        let is_marked = inside.contains('#')
            || inside.to_ascii_lowercase().contains("ticket")
            || inside
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if has_number && is_marked && inside.len() < 60 && !is_ticket(inside) {
            return Some(inside.trim().to_owned());
        }
        rest = tail;
    }
    None
}

/// Digits that stand together, more than a year or a time has.
pub(super) fn digits(line: &str) -> Option<String> {
    let mut runs = line.split(|c: char| !c.is_ascii_digit());
    let found = runs.find(|run| (5..=20).contains(&run.len()));
    found.map(str::to_owned)
}

fn behind_word(line: &str) -> Option<String> {
    const WORDS: [&str; 34] = [
        "ticket number",
        "ticket id",
        "ticket no",
        "ticket-id",
        "ticket",
        "case number",
        "case id",
        "case no",
        "case",
        "reference number",
        "reference id",
        "reference",
        "request number",
        "request id",
        "incident number",
        "incident id",
        "incident",
        "tracking number",
        "tracking id",
        "issue id",
        "an id of",
        "vorgangsnummer",
        "ticketnummer",
        "aktenzeichen",
        "numéro de ticket",
        "numéro de dossier",
        "número de caso",
        "número de ticket",
        "protocolo",
        "numero di ticket",
        "numer zgłoszenia",
        "номер обращения",
        "受付番号",
        "工单号",
    ];
    if line.bytes().filter(u8::is_ascii_digit).count() < 3 {
        return None;
    }
    let lower = line.to_lowercase();
    if lower.len() != line.len() {
        return None;
    }
    WORDS.iter().find_map(|word| {
        let at = lower.find(word)? + word.len();
        let rest = line[at..].trim_start_matches(|c: char| {
            c.is_whitespace() || matches!(c, ':' | '#' | '[' | '(' | '"' | '=' | '：')
        });
        let rest = rest
            .strip_prefix("is ")
            .unwrap_or(rest)
            .trim_start_matches([':', '#', ' ', '[']);
        let number: String = rest
            .chars()
            .take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '/' | '#'))
            .collect();
        let number = number.trim_end_matches(['-', '/', '_']).to_owned();
        let digits = number.bytes().filter(u8::is_ascii_digit).count();
        (digits >= 3 && number.len() <= 40 && !is_ticket(&number)).then_some(number)
    })
}
