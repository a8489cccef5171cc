//! Contact cards in RDAP: jCard (RFC 7095), in whatever shape it comes.

use serde_json::Value;

use super::remarks;
use crate::model::Mailbox;

/// The cards' properties: `[name, {parameters}, type, value]`.
struct Property<'a> {
    parameters: &'a Value,
    value: &'a Value,
}

fn properties<'a>(entity: &'a Value, name: &str) -> impl Iterator<Item = Property<'a>> {
    let card = entity["vcardArray"].get(1).and_then(Value::as_array);
    let named = card.into_iter().flatten().filter(move |one| {
        one[0]
            .as_str()
            .is_some_and(|key| key.eq_ignore_ascii_case(name))
    });
    named.map(|one| Property {
        parameters: &one[1],
        value: &one[3],
    })
}

/// The mailboxes of an entity whose role is abuse. RIPE marks the right one with `type: abuse`, APNIC
/// with `pref: 1`; unmarked, one whose name says so goes first.
pub(super) fn for_abuse(entity: &Value) -> Vec<Mailbox> {
    let emails: Vec<Property<'_>> = properties(entity, "email").collect();
    let is_typed = |one: &&Property<'_>| says(&one.parameters["type"], "abuse");
    let is_preferred = |one: &&Property<'_>| says(&one.parameters["pref"], "1");
    for is_it in [&is_typed as &dyn Fn(&&Property<'_>) -> bool, &is_preferred] {
        let marked: Vec<Mailbox> = emails
            .iter()
            .filter(is_it)
            .flat_map(|one| mailboxes(one.value))
            .collect();
        if !marked.is_empty() {
            return marked;
        }
    }
    let mut all: Vec<Mailbox> = emails.iter().flat_map(|one| mailboxes(one.value)).collect();
    all.sort_by_key(|one| !one.as_str().starts_with("abuse"));
    all
}

/// The mailboxes whose own name says what they are for.
pub(super) fn named_abuse(entity: &Value) -> impl Iterator<Item = Mailbox> {
    let emails = properties(entity, "email").flat_map(|one| mailboxes(one.value));
    emails.filter(|one| one.as_str().starts_with("abuse"))
}

pub(super) fn full_name(entity: &Value) -> &str {
    properties(entity, "fn")
        .find_map(|one| one.value.as_str())
        .unwrap_or_default()
}

/// The country of the address: a code where the card has its parts, else the last line of the label.
pub(super) fn country(entity: &Value) -> String {
    let found = properties(entity, "adr").find_map(|one| {
        let label = one.parameters["label"].as_str().unwrap_or_default();
        // Some servers write the end of a line as two characters.
        let label = label.replace("\\n", "\n");
        let part = one.value.get(6).and_then(Value::as_str).unwrap_or_default();
        let code = one.parameters["cc"].as_str().unwrap_or_default();
        [code, part, label.lines().last().unwrap_or_default()]
            .into_iter()
            .map(country_code)
            .find(|code| !code.is_empty())
    });
    found.unwrap_or_default()
}

fn says(value: &Value, word: &str) -> bool {
    match value {
        Value::Array(all) => all.iter().any(|one| says(one, word)),
        Value::Number(number) => number.to_string() == word,
        other => other
            .as_str()
            .is_some_and(|text| text.eq_ignore_ascii_case(word)),
    }
}

/// None where control characters stand in the field: what follows them would be a header.
fn mailboxes(value: &Value) -> Vec<Mailbox> {
    let text = value
        .as_str()
        .filter(|text| !text.chars().any(char::is_control));
    text.into_iter().flat_map(remarks::mailboxes).collect()
}

/// Countries as ARIN writes them out; other registries give the code.
const COUNTRIES: [(&str, &str); 50] = [
    ("united states", "US"),
    ("canada", "CA"),
    ("united kingdom", "GB"),
    ("germany", "DE"),
    ("netherlands", "NL"),
    ("the netherlands", "NL"),
    ("ireland", "IE"),
    ("france", "FR"),
    ("japan", "JP"),
    ("singapore", "SG"),
    ("australia", "AU"),
    ("hong kong", "HK"),
    ("china", "CN"),
    ("india", "IN"),
    ("brazil", "BR"),
    ("mexico", "MX"),
    ("switzerland", "CH"),
    ("sweden", "SE"),
    ("spain", "ES"),
    ("italy", "IT"),
    ("israel", "IL"),
    ("puerto rico", "PR"),
    ("jamaica", "JM"),
    ("bahamas", "BS"),
    ("barbados", "BB"),
    ("bermuda", "BM"),
    ("cayman islands", "KY"),
    ("luxembourg", "LU"),
    ("cyprus", "CY"),
    ("denmark", "DK"),
    ("norway", "NO"),
    ("finland", "FI"),
    ("austria", "AT"),
    ("belgium", "BE"),
    ("poland", "PL"),
    ("romania", "RO"),
    ("russia", "RU"),
    ("russian federation", "RU"),
    ("ukraine", "UA"),
    ("turkey", "TR"),
    ("south africa", "ZA"),
    ("seychelles", "SC"),
    ("taiwan", "TW"),
    ("korea, republic of", "KR"),
    ("south korea", "KR"),
    ("philippines", "PH"),
    ("new zealand", "NZ"),
    ("panama", "PA"),
    ("united arab emirates", "AE"),
    ("malaysia", "MY"),
];

fn country_code(text: &str) -> String {
    let name = text.trim().to_lowercase();
    let known = COUNTRIES.iter().find(|(country, _)| *country == name);
    known.map_or_else(
        || super::objects::country(text.trim()),
        |(_, code)| (*code).to_owned(),
    )
}
