//! Which file belongs to which language and part, by its name.

use std::collections::BTreeSet;

use crate::compose::jurisdiction::ENGLISH;
use crate::templates::Templates;

/// The files that a language needs, in English.
pub(super) fn english(templates: &Templates) -> impl Iterator<Item = &str> {
    templates
        .names("")
        .filter(|name| locale_of(name) == Some(ENGLISH))
}

/// The languages of which there is anything, English first.
pub(super) fn locales(templates: &Templates) -> Vec<String> {
    let found: BTreeSet<&str> = templates.names("").filter_map(locale_of).collect();
    let others = found.into_iter().filter(|locale| *locale != ENGLISH);
    [ENGLISH]
        .into_iter()
        .chain(others)
        .map(str::to_owned)
        .collect()
}

/// The part that a file belongs to: a letter, or what letters share.
pub(super) fn part_of(file: &str) -> &str {
    let mut pieces = file.split('/');
    match (pieces.next(), pieces.next()) {
        (Some("letter"), Some(letter)) => letter,
        (Some("measure"), _) => "measures",
        (Some("part"), Some("words")) => "words",
        (Some("part"), _) => "parts",
        (Some(first), _) => first,
        (None, _) => file,
    }
}

/// `letter/<letter>/<locale>/<piece>.hbs`, else `…/<locale>.hbs` or `.toml`.
pub(super) fn locale_of(name: &str) -> Option<&str> {
    let pieces: Vec<&str> = name.split('/').collect();
    match pieces.as_slice() {
        ["letter", _, locale, _] => Some(locale),
        ["measure" | "part", _, file] | ["leaflet", file] => Some(file.split_once('.')?.0),
        _ => None,
    }
}

fn replace_locale(name: &str, locale: &str) -> Option<String> {
    let old = locale_of(name)?;
    let (folder, file) = name.rsplit_once('/')?;
    Some(
        match folder
            .strip_suffix(old)
            .filter(|_| folder.starts_with("letter/"))
        {
            Some(folder) => format!("{folder}{locale}/{file}"),
            None => format!("{folder}/{locale}{}", file.strip_prefix(old)?),
        },
    )
}

/// A file of one language in another.
pub(super) fn in_language(name: &str, locale: &str) -> String {
    replace_locale(name, locale).unwrap_or_else(|| name.to_owned())
}
