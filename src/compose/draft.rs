//! One mailbox's notice before it is written: what it is about, in which language and form.

use std::collections::{BTreeMap, HashMap};

use super::evidence::NetworkWords;
use super::holder::holder;
use super::jurisdiction::wished_languages;
use super::occasion::Occasion;
use super::reasons::Way;
use super::{Composition, Error, letter_error};
use crate::model::{Finding, Format, Mailbox, Notice, Verdict};

/// One mailbox's notice, how it wants its letters, and by what right it is that mailbox.
pub(super) struct Draft {
    pub(super) notice: Notice,
    pub(super) format: Format,
    /// By finding.
    pub(super) ways: HashMap<i64, Way>,
    /// Which letter: a folder under `templates/letter/`.
    pub(super) letter: String,
    pub(super) occasion: Occasion,
}

impl Composition<'_> {
    pub(super) fn draft(
        &mut self,
        mailbox: &Mailbox,
        findings: &[(Finding, i64)],
        letter: String,
        occasion: Occasion,
    ) -> Result<Draft, Error> {
        let mut by_country: BTreeMap<&str, i64> = BTreeMap::new();
        for (finding, suspects) in findings {
            *by_country.entry(&finding.country).or_default() += suspects;
        }
        let most = by_country.iter().max_by_key(|(_, suspects)| **suspects);
        let country = most.map_or("", |(country, _)| country).to_owned();
        let mut formats = findings
            .iter()
            .filter_map(|(finding, _)| match finding.verdict {
                Verdict::Matched { format, .. } => format,
                _ => None,
            });
        let locale = self
            .jurisdiction(&country)
            .map_err(|cause| letter_error(mailbox, &country, "any language", cause))?
            .locale(
                self.work.templates,
                &letter,
                &self.campaign.terms.wished(wished_languages(findings)),
            );
        let with_network =
            |(finding, suspects): &&(Finding, i64)| finding.network.is_some() && *suspects > 0;
        let notice = Notice {
            id: 0,
            round: 1,
            mailbox: mailbox.clone(),
            country,
            locale,
            suspects: findings.iter().map(|(_, suspects)| suspects).sum(),
            networks: findings.iter().filter(with_network).count() as i64,
        };
        let format = formats.next();
        let ways = findings
            .iter()
            .filter_map(|(finding, _)| Some((finding.id, Way::of(finding)?)));
        Ok(Draft {
            notice,
            format: format.unwrap_or(self.work.settings.format),
            ways: ways.collect(),
            letter,
            occasion,
        })
    }

    /// What the letter says of each finding's network, and the holder's name where it is one whom the
    /// mailbox answers for as its own.
    pub(super) async fn network_words(
        &self,
        mailbox: &Mailbox,
        ways: &HashMap<i64, Way>,
    ) -> Result<(HashMap<i64, NetworkWords>, String), Error> {
        let networks = self
            .work
            .store
            .networks_of(self.campaign.id, mailbox.as_str());
        let mut words = HashMap::new();
        let mut holders: BTreeMap<String, u64> = BTreeMap::new();
        for (finding, network) in networks.await? {
            let said = NetworkWords {
                range: network.range.to_string(),
                name: network.name,
                asn: network.asn,
            };
            words.insert(finding, said);
            let spelling = match ways.get(&finding) {
                Some(way) if way.is_holders() => network.holder,
                _ => String::new(),
            };
            *holders.entry(spelling).or_default() += 1;
        }
        Ok((words, holder(&holders)))
    }
}
