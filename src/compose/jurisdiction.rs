//! What a country changes in a letter: its languages, its agencies, its note, its reservations.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::bidi::Direction;
use super::evidence::Words;
use super::layout::Setter;
use super::table::Table;
use crate::model::{Attachment, Finding, Verdict, Via, language_tag, nearest_language};
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

/// Whose names stand in for those that a country's file leaves out.
const CSIRTS: &str = "csirt.toml";

/// One country's file. A country without one gets English, no note and all measures.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Jurisdiction {
    /// ISO 3166-1 alpha-2 in capitals, as in the name of the file; empty where there is none.
    pub country: String,
    pub name: String,
    /// In the order in which its people are written to.
    pub languages: Vec<String>,
    pub agency: String,
    /// Where the file is silent, as `templates/csirt.toml` names it.
    pub csirt: String,
    /// Measures that are proposed subject to the note.
    pub reserved: Vec<String>,
    /// Measures that are not proposed there.
    pub withheld: Vec<String>,
    /// By language.
    pub note: BTreeMap<String, String>,
    /// What all this rests on.
    pub source: String,
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

/// All countries that have a file, by their codes.
///
/// # Errors
/// As [`Jurisdiction::of`].
pub fn jurisdictions(templates: &Templates) -> Result<Vec<Jurisdiction>, Error> {
    let csirts = csirts(templates)?;
    templates
        .names("jurisdiction/")
        .filter_map(|name| name.strip_prefix("jurisdiction/")?.strip_suffix(".toml"))
        .map(|country| Jurisdiction::read(templates, country, &csirts))
        .collect()
}

impl Jurisdiction {
    /// A country's file; of a country that has none, all that is known is its CSIRT.
    ///
    /// # Errors
    /// What is wrong in the file.
    pub fn of(templates: &Templates, country: &str) -> Result<Self, Error> {
        Self::read(templates, country, &csirts(templates)?)
    }

    fn read(
        templates: &Templates,
        country: &str,
        csirts: &BTreeMap<String, Csirt>,
    ) -> Result<Self, Error> {
        let name = format!("jurisdiction/{country}.toml");
        let mut read = Self::default();
        if !country.is_empty() && templates.has(&name) {
            read = templates.data(&name)?;
            read.check(country)
                .map_err(|problem| templates.error(&name, None, problem))?;
            read.note.retain(|_, note| !note.trim().is_empty());
        }
        if let Some(csirt) = csirts.get(country).filter(|_| read.csirt.is_empty()) {
            read.csirt.clone_from(&csirt.name);
        }
        Ok(read)
    }

    fn check(&self, country: &str) -> Result<(), String> {
        if self.country != country {
            return Err(format!("country = \"{}\" is another one", self.country));
        }
        let is_tag = |tag: &&String| language_tag(tag).as_ref() == Some(*tag);
        if let Some(tag) = self.languages.iter().find(|tag| !is_tag(tag)) {
            return Err(format!("\"{tag}\" is no language; write en, ja or pt-BR"));
        }
        let known = |key: &&String| MEASURES.contains(&key.as_str());
        let mut named = self.reserved.iter().chain(&self.withheld);
        named.find(|key| !known(key)).map_or(Ok(()), |unknown| {
            let all = MEASURES.join(", ");
            Err(format!(
                "there is no measure \"{unknown}\"; there are {all}"
            ))
        })
    }

    /// The language to write in: the first that was wished for, else the country's first, among those
    /// that the letter has been written in; else English.
    pub(super) fn locale(&self, templates: &Templates, letter: &str, wished: &[&str]) -> String {
        let languages = self.languages.iter().map(String::as_str);
        let mut wanted = wished.iter().copied().chain(languages);
        let folder = format!("letter/{letter}/");
        let names = templates.names(&folder);
        let written: Vec<&str> = names
            .filter_map(|name| name.strip_prefix(&folder)?.strip_suffix("/body.hbs"))
            .collect();
        let found = wanted.find_map(|tag| nearest_language(tag, &written));
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
            let (title, text) = whole.trim().split_once("\n\n").ok_or_else(|| {
                let problem = "must be a title, an empty line, and a paragraph";
                templates.error(&file, Some(1), problem)
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

    /// The note in this language. Where it is another than the country's, because the contact wished
    /// for it, the English note serves, marked as such.
    ///
    /// # Errors
    /// When there is a note, but none in a language of the country, or none in English: a reservation
    /// must not get lost.
    fn note(&self, locale: &str) -> Result<Note, String> {
        let is_own = self.languages.iter().any(|tag| tag == locale);
        let note = match (self.note.get(locale), self.note.get(ENGLISH)) {
            (Some(note), _) => note.clone(),
            (None, _) if self.note.is_empty() => String::new(),
            (None, Some(english)) if !is_own => format!("[English] {english}"),
            (None, _) => {
                return Err(format!("[note] has no \"{locale}\""));
            }
        };
        Ok(Note {
            agency: self.agency.clone(),
            csirt: self.csirt.clone(),
            note,
        })
    }
}

/// What is read here of an entry of `templates/csirt.toml`; its mailbox is not this room's.
#[derive(Debug, Deserialize)]
struct Csirt {
    #[serde(default)]
    name: String,
}

fn csirts(templates: &Templates) -> Result<BTreeMap<String, Csirt>, Error> {
    let layers: Vec<BTreeMap<String, Csirt>> = templates.layers(CSIRTS)?;
    Ok(layers.into_iter().flatten().collect())
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
            Setter::default()
                .set(&leaflet, &Table::default(), direction)
                .text
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
            note: jurisdiction.note(locale).map_err(|problem| {
                let file = format!("jurisdiction/{}.toml", jurisdiction.country);
                templates.error(&file, None, problem)
            })?,
        })
    }
}

/// The languages that a contact is to be written to in: first those that staff entered, then those
/// that it asked for.
pub(super) fn wished_languages(findings: &[(Finding, i64)]) -> Vec<&str> {
    let wishes = findings
        .iter()
        .filter_map(|(finding, _)| match &finding.verdict {
            Verdict::Matched { via, locale, .. } if !locale.is_empty() => {
                Some((*via != Via::Override, locale.as_str()))
            }
            _ => None,
        });
    let mut wishes: Vec<(bool, &str)> = wishes.collect();
    wishes.sort_by_key(|(is_theirs, _)| *is_theirs);
    wishes.into_iter().map(|(_, locale)| locale).collect()
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
        let all = jurisdictions(&templates).unwrap();
        assert_eq!(all.len(), templates.names("jurisdiction/").count());
        for read in all {
            let named = !read.name.is_empty() && !read.source.is_empty();
            assert!(named && !read.languages.is_empty(), "{}", read.country);
            for locale in read.languages.iter().map(String::as_str).chain([ENGLISH]) {
                read.note(locale).unwrap();
            }
            for locale in [ENGLISH, &read.locale(&templates, "notice", &[])] {
                assert_eq!(
                    read.measures(&templates, locale).unwrap().len() + read.withheld.len(),
                    5
                );
            }
        }
    }

    /// Those of Operation Spam Zombies, and the economies of the Seoul-Melbourne MoU.
    #[test]
    fn every_country_of_2005_has_its_file() {
        let templates = templates();
        for country in
            "AL AR AU BE BG CA CH CN CO CY DE DK ES GB GR HK IE JP KR LT MY NL NO NZ PA PE PH \
                        PL TH TW US"
                .split_whitespace()
        {
            let read = Jurisdiction::of(&templates, country).unwrap();
            assert!(read.source.contains("200"), "{country}: {}", read.source);
        }
    }

    #[test]
    fn a_letter_to_any_country_finds_its_language() {
        let templates = templates();
        for (country, wished, locale) in [
            ("CH", "", "de"),
            ("BE", "", "nl"),
            ("CA", "", "en"),
            ("MX", "", "es"),
            ("BR", "", "pt"),
            ("EG", "", "ar"),
            ("MA", "", "ar"),
            ("SN", "", "fr"),
            ("CN", "", "zh-Hans"),
            ("TW", "", "zh-Hant"),
            ("HK", "", "zh-Hant"),
            ("SG", "", "en"),
            ("NO", "", "nb"),
            ("CY", "", "el"),
            // Nobody has written the letter in their languages.
            ("DK", "", "en"),
            ("UA", "", "en"),
            ("", "", "en"),
            ("CH", "fr-CH", "fr"),
            ("UA", "ru", "ru"),
            ("JP", "tlh", "ja"),
            ("CN", "zh-TW", "zh-Hant"),
            ("TW", "zh", "zh-Hans"),
            ("US", "in", "id"),
            ("US", "no", "nb"),
        ] {
            let read = Jurisdiction::of(&templates, country).unwrap();
            let found = read.locale(&templates, "notice", &[wished]);
            assert_eq!(found, locale, "{country} {wished}");
        }
        let read = Jurisdiction::of(&templates, "PL").unwrap();
        assert_eq!(read.locale(&templates, "notice", &["tlh", "de"]), "de");
    }

    #[test]
    fn the_csirt_is_the_one_that_would_be_written_to() {
        let name = |templates: &Templates, country| {
            let read = Jurisdiction::of(templates, country).unwrap();
            read.csirt
        };
        let shipped = templates();
        assert_eq!(name(&shipped, "JP"), "JPCERT/CC");
        assert_eq!(name(&shipped, "FI"), "NCSC-FI (Traficom)");
        assert_eq!(name(&shipped, "AQ"), "");
        let folder = tempfile::tempdir().unwrap();
        let entry = "[JP]\nname = \"Other\"\nmailbox = \"desk@other.example\"\n";
        std::fs::write(folder.path().join(CSIRTS), entry).unwrap();
        let laid_over = Templates::load(folder.path()).unwrap();
        assert_eq!(name(&laid_over, "JP"), "Other");
        assert_eq!(name(&laid_over, "FI"), "NCSC-FI (Traficom)");
    }

    #[test]
    fn a_file_of_staff_that_is_wrong_says_so() {
        for (text, said) in [
            ("country = \"KR\"", "country = \"KR\" is another one"),
            (
                "country = \"JP\"\nlanguages = [\"Japanese\"]",
                "\"Japanese\" is no language",
            ),
            (
                "country = \"JP\"\nwithheld = [\"op25\"]",
                "there is no measure \"op25\"",
            ),
        ] {
            let folder = tempfile::tempdir().unwrap();
            std::fs::create_dir(folder.path().join("jurisdiction")).unwrap();
            std::fs::write(folder.path().join("jurisdiction/JP.toml"), text).unwrap();
            let templates = Templates::load(folder.path()).unwrap();
            let error = Jurisdiction::of(&templates, "JP").unwrap_err();
            assert_eq!(error.file, "jurisdiction/JP.toml");
            assert!(error.problem.contains(said), "{error}");
            assert!(jurisdictions(&templates).is_err());
        }
    }

    #[test]
    fn japan_reserves_and_is_written_to_in_japanese() {
        let templates = templates();
        let japan = Jurisdiction::of(&templates, "JP").unwrap();
        assert_eq!(japan.locale(&templates, "notice", &[]), "ja");
        assert_eq!(japan.locale(&templates, "notice", &["en"]), "en");
        let reserved: Vec<usize> = japan
            .measures(&templates, "ja")
            .unwrap()
            .iter()
            .filter(|measure| measure.reserved)
            .map(|measure| measure.number)
            .collect();
        assert_eq!(reserved, [1, 2, 3]);
        assert!(japan.note("ja").unwrap().note.contains("電気通信事業法"));
    }

    #[test]
    fn a_note_is_never_lost() {
        let mut japan = Jurisdiction::of(&templates(), "JP").unwrap();
        let english = japan.note(ENGLISH).unwrap().note;
        // A contact in Japan that wished for German.
        let note = japan.note("de").unwrap().note;
        assert_eq!(note, format!("[English] {english}"));
        japan.note.remove("ja");
        assert!(japan.note("ja").is_err(), "its own people are owed theirs");
        japan.note = BTreeMap::from([("ja".to_owned(), "注".to_owned())]);
        assert!(japan.note(ENGLISH).is_err() && japan.note("de").is_err());
    }

    #[test]
    fn an_unknown_country_gets_english_and_no_note() {
        let templates = templates();
        for country in ["", "XX", "../x"] {
            let read = Jurisdiction::of(&templates, country).unwrap();
            assert_eq!(read.locale(&templates, "notice", &["tlh"]), ENGLISH);
            assert_eq!(read.note(ENGLISH).unwrap().note, "");
        }
    }
}
