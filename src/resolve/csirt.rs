//! The national CSIRTs: who is written to where nobody else answers for a network of a country.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::Error as _;

use crate::model::{Mailbox, Rung, Via};
use crate::templates::{Error, Templates};

const FILE: &str = "csirt.toml";

/// The officially assigned codes of ISO 3166-1 alpha-2.
const COUNTRIES: &str = "AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM \
    BN BO BQ BR BS BT BV BW BY BZ CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO \
    DZ EC EE EG EH ER ES ET FI FJ FK FM FO FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK \
    HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI \
    LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF \
    NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW PY QA RE RO RS RU RW SA SB SC SD SE \
    SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM TN TO TR TT TV TW TZ UA UG \
    UM US UY UZ VA VC VE VG VI VN VU WF WS YE YT ZA ZM ZW";

/// The table of `templates/csirt.toml`, under the entries that staff laid over it.
#[derive(Clone, Debug, Default)]
pub(super) struct Csirts {
    by_country: BTreeMap<Country, Entry>,
}

impl Csirts {
    /// # Errors
    /// An entry that is no country, has a key that nobody knows, or a mailbox that is none.
    pub(super) fn load(templates: &Templates) -> Result<Self, Error> {
        let layers: Vec<BTreeMap<Country, Entry>> = templates.layers(FILE)?;
        Ok(Self {
            by_country: layers.into_iter().flatten().collect(),
        })
    }

    /// Name and mailbox of a country's CSIRT; `country` is ISO 3166-1 alpha-2 in capitals.
    pub(super) fn of(&self, country: &str) -> Option<(&str, &Mailbox)> {
        let entry = self.by_country.get(country)?;
        Some((&entry.name, entry.mailbox.as_ref()?))
    }

    /// The last rung of the ladder, for networks of this country.
    pub(super) fn rung(&self, country: &str) -> Option<Rung> {
        let (name, mailbox) = self.of(country)?;
        Some(Rung {
            via: Via::Csirt,
            mailbox: mailbox.clone(),
            locale: String::new(),
            format: None,
            answers_for: country.to_owned(),
            reason: format!("national CSIRT of {country}, {name}, for nobody else answers"),
        })
    }
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
struct Country(String);

impl std::borrow::Borrow<str> for Country {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Country {
    type Error = String;

    fn try_from(code: String) -> Result<Self, String> {
        if COUNTRIES.split_whitespace().any(|known| known == code) {
            return Ok(Self(code));
        }
        Err(format!(
            "\"{code}\" is no country; write the two capitals of ISO 3166-1, as JP"
        ))
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    #[serde(default)]
    name: String,
    /// `None` where staff emptied it: that CSIRT is not written to.
    #[serde(deserialize_with = "mailbox")]
    mailbox: Option<Mailbox>,
    /// In words; for who has to look it up again.
    #[serde(default)]
    #[allow(dead_code, reason = "it is for readers of the file")]
    source: String,
}

fn mailbox<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Mailbox>, D::Error> {
    let text = String::deserialize(deserializer)?;
    match text.as_str() {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(D::Error::custom),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn laid_over(text: &str) -> Result<Csirts, Error> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(FILE), text).unwrap();
        Csirts::load(&Templates::load(folder.path()).unwrap())
    }

    #[test]
    fn every_shipped_entry_is_whole() {
        let shipped = Csirts::load(&Templates::load(Path::new("")).unwrap()).unwrap();
        assert!(shipped.by_country.len() > 50);
        let mut mailboxes: Vec<&Mailbox> = Vec::new();
        for (country, entry) in &shipped.by_country {
            let (name, mailbox) = shipped.of(&country.0).unwrap();
            assert!(!name.is_empty() && !entry.source.is_empty(), "{country:?}");
            mailboxes.push(mailbox);
        }
        mailboxes.sort();
        mailboxes.dedup();
        assert_eq!(
            mailboxes.len(),
            shipped.by_country.len(),
            "one mailbox twice"
        );
    }

    #[test]
    fn partners_are_there_where_a_mailbox_is_known() {
        let shipped = Csirts::load(&Templates::load(Path::new("")).unwrap()).unwrap();
        for country in "AU CA CN DE FR HK JP KR MY NZ TH TW US".split(' ') {
            assert!(shipped.of(country).is_some(), "{country}");
        }
        // Britain's takes reports by a form, and no mailbox of the Philippines' was found written down.
        for country in ["GB", "PH"] {
            assert_eq!(shipped.of(country), None, "{country}");
        }
        assert_eq!(shipped.of("AQ"), None);
        assert_eq!(shipped.of(""), None);
    }

    #[test]
    fn the_country_of_the_networks_picks_the_csirt() {
        let csirts = laid_over("[KR]\nmailbox = \"\"\n").unwrap();
        let rung = csirts.rung("JP").unwrap();
        assert_eq!(rung.via, Via::Csirt);
        assert_eq!(rung.answers_for, "JP");
        assert!(
            rung.reason.starts_with("national CSIRT of JP, JPCERT/CC"),
            "{}",
            rung.reason
        );
        for country in ["", "KR", "AQ"] {
            assert!(csirts.rung(country).is_none(), "{country}");
        }
    }

    #[test]
    fn staff_override_and_empty_entries_country_by_country() {
        let csirts = laid_over(
            "[JP]\nname = \"Our desk in Tokyo\"\nmailbox = \"desk@csirt.example\"\n\
             [KR]\nmailbox = \"\"\n\
             [AQ]\nname = \"Polar CERT\"\nmailbox = \"cert@polar.example\"\n",
        )
        .unwrap();
        let mailbox = |country| csirts.of(country).map(|(_, mailbox)| mailbox.as_str());
        assert_eq!(mailbox("JP"), Some("desk@csirt.example"));
        assert_eq!(mailbox("KR"), None);
        assert_eq!(mailbox("AQ"), Some("cert@polar.example"));
        assert!(mailbox("MY").is_some(), "the shipped ones stand below");
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        for (text, line, problem) in [
            (
                "[JP]\nmailbox = \"\"\n\n[UK]\nmailbox = \"\"\n",
                4,
                "\"UK\" is no country",
            ),
            (
                "[JP]\nname = \"x\"\nmailbox = \"desk at csirt\"\n",
                3,
                "is not a mail address",
            ),
            (
                "[JP]\nmailbox = \"\"\nphone = \"1\"\n",
                3,
                "unknown field `phone`",
            ),
            ("[JP]\nname = \"x\"\n", 1, "missing field `mailbox`"),
        ] {
            let error = laid_over(text).unwrap_err();
            assert_eq!(
                (error.file.as_str(), error.line),
                (FILE, Some(line)),
                "{error}"
            );
            assert!(error.problem.contains(problem), "{error}");
        }
    }
}
