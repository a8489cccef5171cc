//! A language's words: all that the English has, nothing else, and who has read them.

use std::collections::BTreeMap;

use crate::templates::{Error, Templates};

/// Words that may be empty in every language.
const MAY_BE_EMPTY: [&str; 1] = ["reviewed_by"];

/// By key.
type Table = BTreeMap<String, toml::Value>;

pub(super) fn file(locale: &str) -> String {
    format!("part/words/{locale}.toml")
}

/// A word of a language, empty where it or the whole file is missing.
pub(super) fn word(templates: &Templates, locale: &str, key: &str) -> String {
    let words: Table = templates.data(&file(locale)).unwrap_or_default();
    let word = words.get(key).and_then(toml::Value::as_str);
    word.unwrap_or_default().trim().to_owned()
}

/// What is wrong with one language's words, held against the English.
pub(super) fn problems(templates: &Templates, locale: &str, english: &str) -> Vec<Error> {
    let name = file(locale);
    let (words, originals) = match (
        templates.data::<Table>(&name),
        templates.data::<Table>(&file(english)),
    ) {
        (Ok(words), Ok(originals)) => (words, originals),
        (Err(error), _) => return vec![error],
        (_, Err(_)) => return Vec::new(),
    };
    let source = templates.text(&name).unwrap_or_default();
    let measure = templates.text(&file(english)).unwrap_or_default();
    let wrong = |key: &str, problem: String| templates.error(&name, line_of(source, key), problem);
    let mut found = Vec::new();
    for (key, original) in &originals {
        let original = original.as_str().unwrap_or_default();
        match words.get(key).map(toml::Value::as_str) {
            None => {
                let english = templates.place(&file(english));
                let line = line_of(measure, key).unwrap_or_default();
                let problem = format!("has no {key}, as {english} has in line {line}");
                found.push(wrong(key, problem));
            }
            Some(None) => found.push(wrong(key, format!("{key} must be a text"))),
            Some(Some(word)) => {
                let is_needed = !original.is_empty() || key == "english_follows";
                let may_be_empty = MAY_BE_EMPTY.contains(&key.as_str()) || locale == english;
                if word.trim().is_empty() && is_needed && !may_be_empty {
                    found.push(wrong(key, format!("{key} is empty")));
                } else if placeholders(word) != placeholders(original) {
                    found.push(wrong(
                        key,
                        format!("{key} must hold the same {{{{…}}}} as the English: {original}"),
                    ));
                }
            }
        }
    }
    for key in words.keys().filter(|key| !originals.contains_key(*key)) {
        found.push(wrong(key, format!("{key} is a word that no letter uses")));
    }
    let direction = words.get("direction").and_then(toml::Value::as_str);
    if direction.is_some_and(|direction| !["ltr", "rtl"].contains(&direction)) {
        found.push(wrong("direction", "direction is ltr or rtl".to_owned()));
    }
    found
}

fn line_of(source: &str, key: &str) -> Option<usize> {
    let is_it = |line: &str| {
        let rest = line.trim_start().strip_prefix(key);
        rest.is_some_and(|rest| rest.trim_start().starts_with('='))
    };
    source.lines().position(is_it).map(|at| at + 1)
}

/// In order of the alphabet: a language may turn them round.
fn placeholders(text: &str) -> Vec<&str> {
    let pieces = text.split("{{").skip(1);
    let mut names: Vec<&str> = pieces
        .filter_map(|piece| Some(piece.split_once("}}")?.0.trim()))
        .collect();
    names.sort_unstable();
    names
}
