//! Two languages of one text held side by side: the same values, in the same cases, in the same build.

use std::collections::BTreeSet;

use serde_json::Value;

use super::beside::line_beside;
use super::vary::{self, Record};
use crate::compose::layout::{Outline, outline};
use crate::templates::{Error, How, MARKS, Templates, Use};

/// Letters of a line that no language shares with English by chance, as it does the title of a paper.
const SENTENCE: usize = 60;

/// A text in one of the languages.
#[derive(Clone, Copy)]
pub(super) struct Text<'a> {
    pub(super) templates: &'a Templates,
    pub(super) file: &'a str,
}

impl Text<'_> {
    fn uses(self) -> Vec<Use> {
        self.templates.uses(self.file)
    }

    /// Those that decide how it reads itself: what it includes as a whole is a text of its own, and
    /// gone through as such.
    fn own_uses(self) -> Vec<Use> {
        let uses = self.uses();
        let whole = |one: &Use| one.how == (How::Included { at_root: true });
        let whole: BTreeSet<String> = uses
            .iter()
            .filter(|one| whole(one))
            .map(|one| one.name.clone())
            .collect();
        uses.into_iter()
            .filter(|one| one.file == self.file || !whole.contains(&one.file))
            .collect()
    }

    /// In each of the records, as far as it can be rendered.
    fn rendered(self, records: &[Record]) -> impl Iterator<Item = Result<String, Error>> {
        let values = records.iter().map(|record| &record.values);
        values.map(move |values| self.templates.render_marked(self.file, values))
    }
}

/// A place where two texts differ, and the file, in either language, in which it lies.
pub(super) struct Difference {
    pub(super) error: Error,
    pub(super) origin: String,
}

/// Names that no letter of this kind has, and values that would not be marked as such.
pub(super) fn unknown(text: Text<'_>, specimen: &Value) -> Vec<Error> {
    let names = vary::names(specimen);
    let wrong = |one: &Use| {
        let problem = match &one.how {
            How::Included { .. } if text.templates.has(&one.name) => return None,
            How::Included { .. } => format!("there is no \"{}\" to include", one.name),
            How::Bare => format!("{{{{{{{0}}}}}}} must be {{{{{0}}}}}", one.name),
            _ if names.contains(&one.name) => return None,
            _ => format!("no letter of this kind has {{{{{}}}}}", one.name),
        };
        Some(text.templates.error(&one.file, Some(one.line), problem))
    };
    text.uses().iter().filter_map(wrong).collect()
}

/// What a text, gone through in all its branches, cannot render; or that it never says anything.
pub(super) fn unrendered(text: Text<'_>, specimen: &Value) -> Option<Error> {
    let records = vary::records(specimen, &text.own_uses());
    let mut says = false;
    for rendered in text.rendered(&records) {
        match rendered {
            Ok(rendered) => says |= !rendered.trim().is_empty(),
            Err(error) => return Some(error),
        }
    }
    (!says).then(|| text.templates.error(text.file, Some(1), "says nothing"))
}

/// Where a text does not say what its original says, or says more; both are known to render. Each
/// is named once, by the first record in which it shows. With `is_shorter_only`, more is no fault.
pub(super) fn differences(
    text: Text<'_>,
    original: Text<'_>,
    specimen: &Value,
    is_shorter_only: bool,
) -> Vec<Difference> {
    let (own, others) = (text.uses(), original.uses());
    let branches = [text.own_uses(), original.own_uses()].concat();
    let records = vary::records(specimen, &branches);
    let mut told = BTreeSet::new();
    let mut found = match is_shorter_only {
        true => Vec::new(),
        false => unsaid_itself(text, &own, original, &others, &mut told),
    };
    let mut is_built_alike = true;
    let sides = text.rendered(&records).zip(original.rendered(&records));
    for (record, sides) in records.iter().zip(sides) {
        let (Ok(here), Ok(there)) = sides else {
            continue;
        };
        let (said, wanted) = (printed(&here), printed(&there));
        for name in wanted.difference(&said) {
            if told.insert((*name).to_owned()) {
                let case = format!(" {}", record.name);
                found.push(unsaid(text, original, place_of(&others, name), name, &case));
            }
        }
        if is_shorter_only {
            continue;
        }
        for name in said.difference(&wanted) {
            if told.insert((*name).to_owned()) {
                found.push(oversaid(text, &own, original, name, record));
            }
        }
        let (build, plan) = (outline(&here), outline(&there));
        if !build.covers(&plan) && is_built_alike {
            is_built_alike = false;
            found.push(otherwise_built(text, original, &build, &plan, record));
        }
    }
    found
}

/// Sentences that still stand there in English.
pub(super) fn untranslated(text: Text<'_>, original: Text<'_>) -> Vec<Error> {
    let (Ok(own), Ok(english)) = (
        text.templates.text(text.file),
        original.templates.text(original.file),
    ) else {
        return Vec::new();
    };
    let english: BTreeSet<&str> = english.lines().map(str::trim).collect();
    let is_sentence = |line: &str| line.bytes().filter(u8::is_ascii_alphabetic).count() >= SENTENCE;
    let same = own.lines().enumerate().filter(|(_, line)| {
        let line = line.trim();
        is_sentence(line) && english.contains(line)
    });
    let wrong = |at| {
        text.templates
            .error(text.file, Some(at + 1), "is still in English")
    };
    same.map(|(at, _)| wrong(at)).collect()
}

/// The values that stand in a marked text.
fn printed(marked: &str) -> BTreeSet<&str> {
    let [begin, end] = MARKS;
    let values = marked.split(begin).skip(1);
    values
        .filter_map(|value| Some(value.split_once(end)?.0))
        .filter(|value| !value.is_empty())
        .collect()
}

/// What the original says in its own file, and the text in none of its own: that a part which both
/// include says it, too, is no help to the sentence that it was for.
fn unsaid_itself(
    text: Text<'_>,
    own: &[Use],
    original: Text<'_>,
    others: &[Use],
    told: &mut BTreeSet<String>,
) -> Vec<Difference> {
    let prints = |one: &&Use, file: &str| one.file == file && one.how == How::Printed;
    let own = own.iter().filter(|one| prints(one, text.file));
    let own: BTreeSet<&str> = own.map(|one| one.name.as_str()).collect();
    let mut found = Vec::new();
    for one in others.iter().filter(|one| prints(one, original.file)) {
        if own.contains(one.name.as_str()) || !told.insert(one.name.clone()) {
            continue;
        }
        found.push(unsaid(text, original, Some(one), &one.name, ""));
    }
    found
}

fn unsaid(
    text: Text<'_>,
    original: Text<'_>,
    place: Option<&Use>,
    name: &str,
    case: &str,
) -> Difference {
    let line = place.and_then(|one| line_for(text, original, one));
    let said = place.map(|one| {
        let file = original.templates.place(&one.file);
        format!(" in {file}, line {}", one.line)
    });
    let problem = format!(
        "does not say {{{{{name}}}}}{case}, as the original does{}",
        said.unwrap_or_default()
    );
    Difference {
        origin: place.map_or(text.file, |one| &one.file).to_owned(),
        error: text.templates.error(text.file, line, problem),
    }
}

/// Where a text should say what its original says in this place, itself or in what it includes.
fn line_for(text: Text<'_>, original: Text<'_>, place: &Use) -> Option<usize> {
    let line = match place.file == original.file {
        true => place.line,
        false => {
            let uses = original.uses();
            let is_it = |one: &&Use| one.file == original.file && one.name == place.file;
            uses.iter().find(is_it)?.line
        }
    };
    let own = text.templates.text(text.file).ok()?;
    let original = original.templates.text(original.file).ok()?;
    line_beside(original, own, line)
}

fn oversaid(
    text: Text<'_>,
    own: &[Use],
    original: Text<'_>,
    name: &str,
    record: &Record,
) -> Difference {
    let place = place_of(own, name);
    let file = place.map_or(text.file, |one| &one.file);
    let problem = format!(
        "says {{{{{name}}}}} {}, which {} does not",
        record.name,
        original.templates.place(original.file)
    );
    Difference {
        origin: file.to_owned(),
        error: text
            .templates
            .error(file, place.map(|one| one.line), problem),
    }
}

fn place_of<'u>(uses: &'u [Use], name: &str) -> Option<&'u Use> {
    uses.iter()
        .find(|one| one.name == name && one.how == How::Printed)
}

fn otherwise_built(
    text: Text<'_>,
    original: Text<'_>,
    build: &Outline,
    plan: &Outline,
    record: &Record,
) -> Difference {
    let counts = build.counts().into_iter().zip(plan.counts());
    let differing: Vec<String> = counts
        .filter(|((_, here), (_, there))| here != there)
        .map(|((what, here), (_, there))| format!("{here} {what} instead of {there}"))
        .collect();
    let problem = format!(
        "is not built like {}: {} {}",
        original.templates.place(original.file),
        differing.join(", "),
        record.name
    );
    // It may lie in what is included.
    Difference {
        error: text.templates.error(text.file, None, problem),
        origin: String::new(),
    }
}
