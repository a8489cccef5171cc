//! Whether each language has all that the English has, and says the same: before a letter is written.
//!
//! The English is the measure: what it has must be there in each language, as a file, as a value
//! printed in the same cases, as a word. Which values there are is asked of the stage itself, which
//! hands out an [example](specimen); no list of names is kept.

mod beside;
mod campaign;
mod files;
mod parity;
mod specimen;
mod vary;
mod words;

use std::collections::BTreeSet;
use std::path::Path;

use serde::Serialize;
use serde_json::{Value, json};

use super::jurisdiction::{ENGLISH, Jurisdiction, Translation};
use crate::templates::{Error, How, Templates};
use files::{english, in_language, locale_of, locales, part_of};
use parity::Text;

/// All languages, part by part.
#[derive(Clone, Debug, Serialize)]
pub struct Checked {
    /// The parts, in the order of each language's cells.
    pub parts: Vec<String>,
    pub languages: Vec<Language>,
    /// What must be mended, file by file.
    pub problems: Vec<Error>,
}

#[derive(Clone, Debug, Serialize)]
pub struct Language {
    /// BCP 47, as the folders are called.
    pub locale: String,
    /// Its own name for itself.
    pub name: String,
    /// Who of its readers has read it; empty: nobody yet.
    pub reviewed_by: String,
    pub cells: Vec<Cell>,
}

/// How a part stands in a language.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Cell {
    /// There is nothing of it.
    Missing,
    /// Some of it is missing or wrong.
    Incomplete,
    Complete,
    /// Complete, and somebody has read it.
    Reviewed,
}

impl Cell {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Incomplete => "incomplete",
            Self::Complete => "complete",
            Self::Reviewed => "reviewed",
        }
    }
}

/// Checks all languages in all parts, and every jurisdiction in the languages of its letters.
///
/// # Errors
/// When not even the English that letters are held against can be read.
pub fn check(templates: &Templates) -> Result<Checked, Error> {
    let files: Vec<&str> = english(templates).collect();
    let mut parts: Vec<String> = Vec::new();
    for file in &files {
        if !parts.iter().any(|part| part == part_of(file)) {
            parts.push(part_of(file).to_owned());
        }
    }
    let bench = Bench::new(templates)?;
    let mut checked = Checked {
        parts,
        languages: Vec::new(),
        problems: Vec::new(),
    };
    for locale in locales(templates) {
        let mut problems = bench.examine(&locale, &files);
        problems.extend(strangers(templates, &locale));
        let language = language(templates, &locale, &checked.parts, &files, &problems);
        checked.languages.push(language);
        checked.problems.extend(problems);
    }
    checked.problems.extend(jurisdictions(templates));
    Ok(checked)
}

/// The languages in which there is anything.
#[must_use]
pub fn languages(templates: &Templates) -> BTreeSet<String> {
    locales(templates).into_iter().collect()
}

/// The languages that a reader has vouched for.
#[must_use]
pub fn reviewed(templates: &Templates) -> BTreeSet<String> {
    let read = |locale: &String| !words::word(templates, locale, "reviewed_by").is_empty();
    locales(templates).into_iter().filter(read).collect()
}

/// Holds one letter in one language, with all that it includes and needs, to the same rules.
///
/// # Errors
/// What is wrong first.
pub(super) fn check_letter(templates: &Templates, letter: &str, locale: &str) -> Result<(), Error> {
    let folder = format!("letter/{letter}/");
    let own = english(templates).filter(|file| file.starts_with(&folder));
    let mut files: BTreeSet<String> = own.map(str::to_owned).collect();
    for file in files.clone() {
        files.extend(templates.included(&file));
    }
    let shared = ["measure/", "leaflet/", "part/words/"];
    let shared = english(templates).filter(|file| shared.iter().any(|lead| file.starts_with(lead)));
    files.extend(shared.map(str::to_owned));
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let problems = Bench::new(templates)?.examine(locale, &files);
    problems.into_iter().next().map_or(Ok(()), Err)
}

/// What all languages are held against.
struct Bench<'t> {
    templates: &'t Templates,
    /// As shipped, where an installation has English words of its own.
    shipped: Option<Templates>,
    /// What letters may name.
    specimen: Value,
    /// English texts that are included from within a block, and cannot be rendered by themselves.
    within: BTreeSet<String>,
}

impl<'t> Bench<'t> {
    fn new(templates: &'t Templates) -> Result<Self, Error> {
        let covers = templates.covers();
        let shipped = covers.then(|| Templates::load(Path::new("")));
        let letters = english(templates).filter(|file| file.starts_with("letter/"));
        let uses = letters.flat_map(|file| templates.uses(file));
        let within = uses.filter(|one| one.how == (How::Included { at_root: false }));
        Ok(Self {
            templates,
            shipped: shipped.transpose()?,
            specimen: specimen::values(templates)?,
            within: within.map(|one| one.name).collect(),
        })
    }

    /// The problems of a language in these files of the English: first what cannot be rendered.
    fn examine(&self, locale: &str, files: &[&str]) -> Vec<Error> {
        let mut found: Vec<Error> = Vec::new();
        let mut sound = Vec::new();
        for english in files {
            let problems = self.unusable(english, locale);
            if problems.is_empty() {
                sound.push(*english);
            }
            put(&mut found, problems);
        }
        // What is included is looked at before what includes it, and its faults are its own.
        sound.sort_by_key(|english| !english.starts_with("part/"));
        let mut faulty = BTreeSet::new();
        for english in sound {
            let includes_faults = !self.templates.included(english).is_disjoint(&faulty);
            let problems = self.unlike(english, locale, includes_faults);
            if !problems.is_empty() {
                faulty.insert(english.to_owned());
            }
            put(&mut found, problems);
        }
        found
    }

    /// What keeps a file from being rendered at all.
    fn unusable(&self, english: &str, locale: &str) -> Vec<Error> {
        let templates = self.templates;
        let file = in_language(english, locale);
        if !templates.has(&file) {
            let english = templates.place(english);
            let problem = format!("is missing; the English is {english}");
            return vec![templates.error(&file, None, problem)];
        }
        if file.ends_with(".toml") {
            return words::problems(templates, locale, ENGLISH);
        }
        let text = Text {
            templates,
            file: &file,
        };
        let specimen = self.specimen_of(english);
        let mut found = parity::unknown(text, &specimen);
        found.extend(foreign(templates, &file, locale));
        if found.is_empty() && !self.within.contains(english) {
            found.extend(parity::unrendered(text, &specimen));
            found.extend(misshapen(templates, &file, &specimen));
        }
        found
    }

    /// What a file that can be rendered says otherwise than the English, and the English otherwise
    /// than as shipped.
    fn unlike(&self, english: &str, locale: &str, includes_faults: bool) -> Vec<Error> {
        let templates = self.templates;
        let file = in_language(english, locale);
        let text = Text {
            templates,
            file: &file,
        };
        let shipped = self.shipped.as_ref().filter(|shipped| shipped.has(&file));
        let original = match locale {
            ENGLISH => shipped.map(|templates| Text { templates, ..text }),
            _ => Some(Text {
                templates,
                file: english,
            }),
        };
        let Some(original) = original.filter(|_| file.ends_with(".hbs")) else {
            return Vec::new();
        };
        let is_english = locale == ENGLISH;
        let mut found = match is_english {
            true => Vec::new(),
            false => parity::untranslated(text, original),
        };
        if !self.within.contains(english) {
            let specimen = self.specimen_of(english);
            let differences = parity::differences(text, original, &specimen, is_english);
            let own = differences
                .into_iter()
                .filter(|one| !includes_faults || one.origin == file || one.origin == english);
            found.extend(own.map(|one| one.error));
        }
        found
    }

    /// Only letters and what they share have values.
    fn specimen_of(&self, english: &str) -> Value {
        match part_of(english) {
            "measures" | "leaflet" => json!({}),
            _ => self.specimen.clone(),
        }
    }
}

fn put(found: &mut Vec<Error>, problems: Vec<Error>) {
    for problem in problems {
        if !found.contains(&problem) {
            found.push(problem);
        }
    }
}

/// A language must not include another's text.
fn foreign(templates: &Templates, file: &str, locale: &str) -> Vec<Error> {
    let uses = templates.uses(file).into_iter();
    let included = uses.filter(|one| matches!(one.how, How::Included { .. }));
    included
        .filter(|one| one.file == file)
        .filter(|one| locale_of(&one.name).is_some_and(|other| other != locale))
        .map(|one| {
            let problem = format!("includes {}, which is in another language", one.name);
            templates.error(file, Some(one.line), problem)
        })
        .collect()
}

/// A subject is a line with the ticket; a measure is a title and a paragraph.
fn misshapen(templates: &Templates, file: &str, specimen: &Value) -> Option<Error> {
    let records = vary::records(specimen, &[]);
    let text = templates.render(file, &records.first()?.values).ok()?;
    let text = text.trim();
    let has_ticket = || {
        let uses = templates.uses(file);
        uses.iter()
            .any(|one| one.name == "ticket" && one.how == How::Printed)
    };
    let problem = if file.ends_with("/subject.hbs") && (text.contains('\n') || !has_ticket()) {
        "must be one line, with {{ticket}}"
    } else if file.starts_with("measure/") && text.split("\n\n").count() != 2 {
        "must be a title, an empty line, and a paragraph"
    } else {
        return None;
    };
    Some(templates.error(file, Some(1), problem))
}

/// Files of a language that have no English: nobody could hold them against anything.
fn strangers<'t>(templates: &'t Templates, locale: &str) -> impl Iterator<Item = Error> + use<'t> {
    let locale = locale.to_owned();
    let own = templates
        .names("")
        .filter(move |name| locale_of(name) == Some(&locale));
    let lone = own.filter(|name| !templates.has(&in_language(name, ENGLISH)));
    lone.map(|name| templates.error(name, None, "has no English to be held against"))
}

/// Each country's file, and what its letters take from it in its first language and in English.
fn jurisdictions(templates: &Templates) -> Vec<Error> {
    let names = templates.names("jurisdiction/");
    let countries = names.filter_map(|name| {
        let name = name.strip_prefix("jurisdiction/")?;
        name.strip_suffix(".toml")
    });
    let check = |country: &str| {
        let jurisdiction = Jurisdiction::of(templates, country)?;
        let own = jurisdiction.locale(templates, "notice", &[]);
        for locale in [ENGLISH, &own] {
            match Translation::of(templates, &jurisdiction, locale) {
                Err(error) if error.file.starts_with("jurisdiction/") => return Err(error),
                _ => {}
            }
        }
        Ok(())
    };
    countries
        .filter_map(|country| check(country).err())
        .collect()
}

fn language(
    templates: &Templates,
    locale: &str,
    parts: &[String],
    files: &[&str],
    problems: &[Error],
) -> Language {
    let reviewed_by = words::word(templates, locale, "reviewed_by");
    let cell = |part: &String| {
        let needed: BTreeSet<String> = files
            .iter()
            .filter(|file| part_of(file) == part)
            .flat_map(|file| {
                let included = templates.included(file).into_iter();
                included.chain([(*file).to_owned()])
            })
            .map(|file| in_language(&file, locale))
            .collect();
        let own = |file: &&String| part_of(file) == part;
        if !needed.iter().filter(own).any(|file| templates.has(file)) {
            Cell::Missing
        } else if problems
            .iter()
            .any(|problem| needed.contains(&problem.file))
        {
            Cell::Incomplete
        } else if reviewed_by.is_empty() {
            Cell::Complete
        } else {
            Cell::Reviewed
        }
    };
    Language {
        locale: locale.to_owned(),
        name: words::word(templates, locale, "language"),
        cells: parts.iter().map(cell).collect(),
        reviewed_by,
    }
}

#[cfg(test)]
mod tests;
