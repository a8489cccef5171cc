//! Before letters reach people: who has read their languages, and whether somebody signs them as sender.

use std::collections::BTreeSet;

use super::Preflight;
use crate::config::Sender;
use crate::model::{Campaign, Letter};
use crate::store::Error;

/// Who has read the languages of the letters, and what the second person knows of the others.
#[derive(Clone, Debug, Default)]
pub struct Review {
    /// All that letters can be written in.
    pub languages: BTreeSet<String>,
    /// Languages that a reader of theirs has vouched for.
    pub reviewed: BTreeSet<String>,
    /// Letters will reach those they are written to: each other language must be accepted, and the
    /// sender must be somebody.
    pub is_live: bool,
    /// The others that the second person accepts.
    pub accepted: BTreeSet<String>,
}

impl Review {
    /// # Errors
    /// [`Error::Refused`] when the second person names a language that there is not, or when letters
    /// that will reach people are in one that nobody has reviewed and the second person has not named.
    pub fn accepts(&self, campaign: &str, preflight: &Preflight) -> Result<(), Error> {
        let strangers: Vec<&str> = self
            .accepted
            .difference(&self.languages)
            .map(String::as_str)
            .collect();
        if !strangers.is_empty() {
            let wanted = match preflight.unreviewed.is_empty() {
                true => "none of its languages wants it".to_owned(),
                false => format!("those that want it are {}", preflight.unreviewed.join(", ")),
            };
            return Err(Error::Refused(format!(
                "\"{campaign}\" cannot be approved: --unreviewed names {}, in which no letter can be written; {wanted}",
                strangers.join(", ")
            )));
        }
        let unknown = preflight.unreviewed.iter();
        let unknown = unknown.filter(|locale| !self.accepted.contains(*locale));
        let unknown: Vec<&str> = unknown.map(String::as_str).collect();
        if !self.is_live || unknown.is_empty() {
            return Ok(());
        }
        Err(Error::Refused(format!(
            "\"{campaign}\" cannot be approved: nobody who reads them has reviewed the letters in {}; have them read, or accept them as they are with --unreviewed {}",
            unknown.join(", "),
            preflight.unreviewed.join(",")
        )))
    }

    /// Languages that the second person accepts without need, each with the reason.
    pub(super) fn needless(&self, used: &BTreeSet<String>) -> impl Iterator<Item = String> {
        let known = self.accepted.intersection(&self.languages);
        known.filter_map(|locale| {
            if !used.contains(locale) {
                Some(format!(
                    "--unreviewed {locale} was not needed: no letter is in it"
                ))
            } else if self.reviewed.contains(locale) {
                Some(format!(
                    "--unreviewed {locale} was not needed: a reader of it has reviewed the letters"
                ))
            } else {
                None
            }
        })
    }
}

/// Whom a letter names as its sender, as the settings would say it.
pub(super) fn sender_of(letter: &Letter) -> Sender {
    let told = |value: &str, otherwise: &str| match value == otherwise {
        true => String::new(),
        false => value.to_owned(),
    };
    Sender {
        name: letter.sender_name.clone(),
        address: letter.sender.to_string(),
        reply_to: told(letter.reply_to.as_str(), letter.sender.as_str()),
        bounce_domain: told(letter.envelope_from.domain(), letter.sender.domain()),
        ..Sender::default()
    }
}

/// Letters that reach people must not come from the example that the settings were shipped with.
pub(super) fn unset(sender: &Sender, campaign: &Campaign) -> Option<String> {
    let examples = sender.examples();
    let settings: Vec<&str> = examples.iter().map(|(setting, _)| *setting).collect();
    let named: Vec<String> = examples
        .iter()
        .map(|(setting, value)| format!("{setting} is \"{value}\""))
        .collect();
    (!settings.is_empty()).then(|| {
        format!(
            "in live mode letters need a true sender, but in these {}, as it was shipped; set {} and run `lapwing compose {}`",
            named.join(" and "),
            settings.join(" and "),
            campaign.name
        )
    })
}
