//! What a country changes in a letter: its languages, its agencies, its note, its reservations.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::bidi::Direction;
use super::evidence::Words;
use super::layout::{self, Table};
use crate::model::Attachment;
use crate::templates::{Error, Templates};

/// The language that every other letter carries below its own.
pub(super) const ENGLISH: &str = "en";

/// The five measures, in the order of the letter of 2005.
const MEASURES: [&str; 5] = [
    "op25b",
    "rate-limit",
    "find-and-quarantine",
    "advice",
    "removal-tools",
];

/// One country's file. A country without one gets English, no note and all measures.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Jurisdiction {
    country: String,
    name: String,
    /// In the order in which its people are written to.
    languages: Vec<String>,
    agency: String,
    csirt: String,
    /// Measures that are proposed subject to the note.
    reserved: Vec<String>,
    /// Measures that are not proposed there.
    withheld: Vec<String>,
    note: BTreeMap<String, String>,
    source: String,
}

/// A measure as a letter prints it.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Measure {
    number: usize,
    key: &'static str,
    title: String,
    text: String,
    reserved: bool,
}

#[derive(Clone, Debug, Serialize)]
pub(super) struct Note {
    agency: String,
    csirt: String,
    note: String,
}

impl Jurisdiction {
    pub(super) fn of(templates: &Templates, country: &str) -> Result<Self, Error> {
        let name = format!("jurisdiction/{country}.toml");
        if country.is_empty() || !templates.has(&name) {
            return Ok(Self::default());
        }
        let read: Self = templates.data(&name)?;
        let known = |key: &String| MEASURES.contains(&key.as_str());
        if let Some(unknown) = read
            .reserved
            .iter()
            .chain(&read.withheld)
            .find(|key| !known(key))
        {
            return Err(Error {
                file: name,
                line: None,
                problem: format!(
                    "there is no measure \"{unknown}\"; there are {}",
                    MEASURES.join(", ")
                ),
            });
        }
        Ok(read)
    }

    /// The language to write in: the one the contact wished for, else the country's first, among
    /// those that the letter has been written in; else English.
    pub(super) fn locale(&self, templates: &Templates, letter: &str, wished: &str) -> String {
        let mut wanted = std::iter::once(wished).chain(self.languages.iter().map(String::as_str));
        let found = wanted.find_map(|tag| written_for(templates, letter, tag));
        found.unwrap_or(ENGLISH).to_owned()
    }

    /// # Errors
    /// When a measure has not been written in this language.
    fn measures(&self, templates: &Templates, locale: &str) -> Result<Vec<Measure>, Error> {
        let mut measures = Vec::new();
        for (place, key) in MEASURES.into_iter().enumerate() {
            if self.withheld.iter().any(|withheld| withheld == key) {
                continue;
            }
            let file = format!("measure/{key}/{locale}.hbs");
            let whole = templates.render(&file, &())?;
            let (title, text) = whole.trim().split_once("\n\n").ok_or_else(|| Error {
                file,
                line: Some(1),
                problem: "must be a title, an empty line, and a paragraph".to_owned(),
            })?;
            measures.push(Measure {
                number: place + 1,
                key,
                title: title.trim().to_owned(),
                text: text.trim().to_owned(),
                reserved: self.reserved.iter().any(|reserved| reserved == key),
            });
        }
        Ok(measures)
    }

    /// # Errors
    /// When there is a note, but none in this language: a reservation must not get lost.
    fn note(&self, locale: &str) -> Result<Note, Error> {
        let note = match self.note.get(locale) {
            Some(note) => note.clone(),
            None if self.note.is_empty() => String::new(),
            None => {
                return Err(Error {
                    file: format!("jurisdiction/{}.toml", self.country),
                    line: None,
                    problem: format!("[note] has no \"{locale}\""),
                });
            }
        };
        Ok(Note {
            agency: self.agency.clone(),
            csirt: self.csirt.clone(),
            note,
        })
    }
}

/// What all letters to one country in one language share, made once.
#[derive(Clone, Debug)]
pub(super) struct Translation {
    pub(super) locale: String,
    pub(super) words: Words,
    pub(super) measures: Vec<Measure>,
    pub(super) note: Note,
    /// Whether one of the measures is reserved.
    pub(super) reserved: bool,
    /// What an ISP may pass on to its customers.
    pub(super) leaflet: Option<Attachment>,
}

impl Translation {
    /// # Errors
    /// What is not there in this language.
    pub(super) fn of(
        templates: &Templates,
        jurisdiction: &Jurisdiction,
        locale: &str,
    ) -> Result<Self, Error> {
        let words: Words = templates.data(&format!("part/words/{locale}.toml"))?;
        let direction = Direction::of(&words.direction);
        let measures = jurisdiction.measures(templates, locale)?;
        let leaflet = templates.render(&format!("leaflet/{locale}.hbs"), &())?;
        // Some readers of plain text take UTF-8 for the system's own encoding without the mark.
        let leaflet = format!(
            "\u{feff}{}",
            layout::to_text(&leaflet, &Table::default(), direction)
        );
        Ok(Self {
            leaflet: Some(Attachment {
                name: format!("leaflet-{locale}.txt"),
                media_type: "text/plain; charset=utf-8".to_owned(),
                content: leaflet.into_bytes(),
            }),
            locale: locale.to_owned(),
            words,
            reserved: measures.iter().any(|measure| measure.reserved),
            measures,
            note: jurisdiction.note(locale)?,
        })
    }
}

/// The language, among those that the letter has been written in, that a tag asks for: itself, else
/// what is left when it is cut from the end (lookup, RFC 4647 3.4), so `en-GB` finds `en`.
fn written_for<'t>(templates: &'t Templates, letter: &str, tag: &str) -> Option<&'t str> {
    let folder = format!("letter/{letter}/");
    let written = || {
        let names = templates.names(&folder);
        names.filter_map(|name| name.strip_prefix(&folder)?.strip_suffix("/body.hbs"))
    };
    std::iter::successors(Some(tag), |tag| Some(tag.rsplit_once('-')?.0))
        .find_map(|tag| written().find(|locale| locale.eq_ignore_ascii_case(tag)))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn templates() -> Templates {
        Templates::load(Path::new("")).unwrap()
    }

    #[test]
    fn every_shipped_jurisdiction_is_whole() {
        let templates = templates();
        let names: Vec<&str> = templates.names("jurisdiction/").collect();
        assert!(names.len() >= 10);
        for name in names {
            let country = name
                .trim_start_matches("jurisdiction/")
                .trim_end_matches(".toml");
            let read = Jurisdiction::of(&templates, country).unwrap();
            assert_eq!(read.country, country);
            assert!(!read.name.is_empty() && !read.source.is_empty(), "{name}");
            for locale in [ENGLISH, &read.locale(&templates, "notice", "")] {
                read.note(locale).unwrap();
                assert_eq!(
                    read.measures(&templates, locale).unwrap().len() + read.withheld.len(),
                    5
                );
            }
        }
    }

    #[test]
    fn japan_reserves_and_is_written_to_in_japanese() {
        let templates = templates();
        let japan = Jurisdiction::of(&templates, "JP").unwrap();
        assert_eq!(japan.locale(&templates, "notice", ""), "ja");
        assert_eq!(japan.locale(&templates, "notice", "en"), "en");
        let reserved: Vec<usize> = japan
            .measures(&templates, "ja")
            .unwrap()
            .iter()
            .filter(|measure| measure.reserved)
            .map(|measure| measure.number)
            .collect();
        assert_eq!(reserved, [1, 2, 3]);
        assert!(japan.note("ja").unwrap().note.contains("電気通信事業法"));
        assert!(japan.note("fr").is_err());
    }

    #[test]
    fn an_unknown_country_gets_english_and_no_note() {
        let templates = templates();
        for country in ["", "XX", "../x"] {
            let read = Jurisdiction::of(&templates, country).unwrap();
            assert_eq!(read.locale(&templates, "notice", "tlh"), ENGLISH);
            assert_eq!(read.note(ENGLISH).unwrap().note, "");
        }
    }
}
