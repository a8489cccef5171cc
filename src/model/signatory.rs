//! A signatory: an agency that signs, from one day to another.

use std::collections::BTreeMap;

use serde::Serialize;

use super::letter::digest_of_set;
use super::{Mailbox, Timestamp, nearest_language};

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Signatory {
    /// Its name in English.
    pub agency: String,
    /// Its name in its own language, or empty.
    pub local_name: String,
    /// Its name in other languages, by their tags.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub names: BTreeMap<String, String>,
    /// ISO 3166-1 alpha-2 in capitals.
    pub country: String,
    /// The agreement under which it takes part, or empty.
    pub framework: String,
    /// Where it gets its copies, if it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mailbox: Option<Mailbox>,
    /// It signs letters dated from here …
    pub from: Option<Timestamp>,
    /// … to before here.
    pub until: Option<Timestamp>,
    /// Its place in the roll, where the roll gives one.
    pub position: Option<i64>,
}

impl Signatory {
    /// The name to print beside the English one in a letter of this language: in that language, else
    /// in the agency's own; empty where neither is known or it would be the same words.
    #[must_use]
    pub fn name_beside(&self, locale: &str) -> &str {
        let known: Vec<&str> = self.names.keys().map(String::as_str).collect();
        let name = nearest_language(locale, &known)
            .and_then(|tag| self.names.get(tag))
            .unwrap_or(&self.local_name);
        if *name == self.agency { "" } else { name }
    }
}

/// Those who sign on a day: the recipient's own agencies first, then in the order that the roll
/// gives, and those without a place in it behind them by country. An agency that takes part under
/// two frameworks signs once.
#[must_use]
pub fn signing(roll: &[Signatory], on: Timestamp, country: &str) -> Vec<Signatory> {
    let mut signing: Vec<Signatory> = roll
        .iter()
        .filter(|one| {
            one.from.is_none_or(|from| from <= on) && one.until.is_none_or(|until| on < until)
        })
        .cloned()
        .collect();
    signing.sort_by(|a, b| {
        let place = |one: &Signatory| one.position.unwrap_or(i64::MAX);
        let rank = |one: &Signatory| (one.country != country, place(one));
        rank(a)
            .cmp(&rank(b))
            .then_with(|| a.country.cmp(&b.country))
            .then_with(|| a.agency.cmp(&b.agency))
    });
    let mut once: Vec<Signatory> = Vec::with_capacity(signing.len());
    for one in signing {
        let same =
            |other: &&mut Signatory| other.agency == one.agency && other.country == one.country;
        match once.iter_mut().find(same) {
            Some(other) if one.framework.is_empty() || other.framework == one.framework => {}
            Some(other) if other.framework.is_empty() => other.framework = one.framework,
            Some(other) => other.framework = format!("{}; {}", other.framework, one.framework),
            None => once.push(one),
        }
    }
    once
}

/// The digest of what letters of a day say of those who sign: another one means that they would say
/// something else today.
#[must_use]
pub fn roll_digest(roll: &[Signatory], on: Timestamp) -> String {
    let signing = signing(roll, on, "");
    let told: Vec<String> = signing
        .iter()
        .flat_map(|one| {
            let names = one.names.iter().flat_map(|(tag, name)| [tag, name]);
            let said = [&one.agency, &one.country, &one.framework, &one.local_name];
            let mailbox = one.mailbox.as_ref().map(ToString::to_string);
            let own = said.into_iter().chain(names).cloned().chain(mailbox);
            // An empty line ends a signatory; where its words end is told by their lengths.
            own.map(|word| format!("{} {word}", word.len()))
                .chain([String::new()])
        })
        .collect();
    digest_of_set(told.iter().map(String::as_str))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agency(agency: &str, country: &str, position: i64) -> Signatory {
        Signatory {
            agency: agency.to_owned(),
            local_name: String::new(),
            names: BTreeMap::new(),
            country: country.to_owned(),
            framework: String::new(),
            mailbox: None,
            from: Some(Timestamp(100)),
            until: Some(Timestamp(200)),
            position: Some(position),
        }
    }

    #[test]
    fn the_own_agency_comes_first_and_the_roll_is_dated() {
        let roll = [
            agency("A", "US", 1),
            agency("B", "JP", 2),
            agency("C", "KR", 3),
        ];
        let names = |on, country| {
            signing(&roll, Timestamp(on), country)
                .into_iter()
                .map(|one| one.agency)
                .collect::<String>()
        };
        assert_eq!(names(150, "JP"), "BAC");
        assert_eq!(names(150, "FR"), "ABC");
        assert_eq!(names(100, "KR"), "CAB");
        assert_eq!(names(99, "JP"), "");
        assert_eq!(names(200, "JP"), "");
    }

    #[test]
    fn an_agency_of_two_frameworks_signs_once() {
        let of = |framework: &str| Signatory {
            framework: framework.to_owned(),
            ..agency("MIC", "JP", 1)
        };
        let roll = [
            of("London Action Plan"),
            of("Seoul-Melbourne MoU"),
            agency("MIC", "KR", 2),
        ];
        let signed = signing(&roll, Timestamp(150), "JP");
        let told: Vec<(&str, &str)> = signed
            .iter()
            .map(|one| (one.country.as_str(), one.framework.as_str()))
            .collect();
        assert_eq!(
            told,
            [
                ("JP", "London Action Plan; Seoul-Melbourne MoU"),
                ("KR", "")
            ]
        );
    }

    #[test]
    fn without_a_place_it_goes_by_country() {
        let unplaced = |name: &str, country: &str| Signatory {
            position: None,
            ..agency(name, country, 0)
        };
        let roll = [
            unplaced("D", "US"),
            unplaced("C", "AU"),
            agency("A", "ZA", 7),
            unplaced("B", "AU"),
        ];
        let names = |country| {
            signing(&roll, Timestamp(150), country)
                .into_iter()
                .map(|one| one.agency)
                .collect::<String>()
        };
        assert_eq!(names("FR"), "ABCD");
        assert_eq!(names("US"), "DABC");
    }

    #[test]
    fn beside_the_english_name_stands_the_one_in_the_letters_language() {
        let names = [("ja", "米国委員会"), ("zh-Hant", "美國委員會")];
        let own = |name: &str| name.to_owned();
        let one = Signatory {
            local_name: own("Own words"),
            names: names.map(|(tag, name)| (own(tag), own(name))).into(),
            ..agency("Commission", "US", 1)
        };
        for (locale, name) in [
            ("ja", "米国委員会"),
            ("zh-Hant", "美國委員會"),
            ("zh-Hans", "Own words"),
            ("en", "Own words"),
        ] {
            assert_eq!(one.name_beside(locale), name, "{locale}");
        }
        let same = Signatory {
            local_name: own("Commission"),
            ..agency("Commission", "US", 1)
        };
        assert_eq!(same.name_beside("en"), "");
    }

    #[test]
    fn the_digest_of_the_roll_is_that_of_what_a_letter_would_say() {
        let roll = [agency("A", "US", 1), agency("B", "JP", 2)];
        let digest = |roll: &[Signatory], on| roll_digest(roll, Timestamp(on));
        let before = digest(&roll, 150);
        assert_eq!(digest(&roll, 199), before);
        assert_ne!(digest(&roll, 200), before);
        let longer = roll.clone().map(|one| Signatory {
            until: Some(Timestamp(900)),
            ..one
        });
        assert_eq!(digest(&longer, 150), before);
        let changes: [fn(&mut Signatory); 6] = [
            |one| one.agency.push('x'),
            |one| one.local_name.push('x'),
            |one| one.framework.push('x'),
            |one| one.position = Some(9),
            |one| one.from = Some(Timestamp(151)),
            |one| drop(one.names.insert("ja".to_owned(), "甲".to_owned())),
        ];
        for (place, change) in changes.into_iter().enumerate() {
            let mut roll = roll.clone();
            change(&mut roll[0]);
            assert_ne!(digest(&roll, 150), before, "{place}");
        }
    }
}
