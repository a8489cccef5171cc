//! Stage 3. Contacts in, letters out.

mod bidi;
mod check;
mod evidence;
mod jurisdiction;
mod layout;
mod page;
mod reasons;
mod roll;
mod write;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use serde::Serialize;

use crate::config::Config;
use crate::model::{
    Campaign, Finding, Format, Letter, Mailbox, Notice, Progress, Signatory, Timestamp, Verdict,
    signing,
};
use crate::store::{self, Store};
use crate::templates::{self, Templates};
pub use check::{Cell, Checked, Language, check, reviewed};
use evidence::NetworkWords;
use jurisdiction::{ENGLISH, Jurisdiction, Translation};
pub use page::page;
use reasons::Way;
pub use roll::{Row as RollRow, read as read_roll};
use write::Writer;

/// Mailboxes taken from the store at a time.
const PAGE: i64 = 200;
/// Letters frozen in one transaction: at most so many, and about so many bytes.
const LETTERS: usize = 100;
const BYTES: usize = 8 << 20;
/// Observations in one letter that has them all in its text.
const ROWS_IN_TEXT: usize = 500;

/// What the letters of this installation have in common.
#[derive(Clone, Debug)]
pub struct Settings {
    pub sender_name: String,
    pub sender: Mailbox,
    pub reply_to: Mailbox,
    pub bounce_domain: String,
    pub verify: String,
    pub ticket_prefix: String,
    pub table_rows: usize,
    pub part_rows: usize,
}

impl Settings {
    /// # Errors
    /// The key that is wrong and why.
    pub fn from_config(config: &Config) -> Result<Self, String> {
        Ok(Self {
            sender_name: config.sender.name.clone(),
            sender: config.sender.mailbox()?,
            reply_to: config.sender.reply_to()?,
            bounce_domain: config.sender.bounce_domain().to_owned(),
            verify: config.sender.verify.clone(),
            ticket_prefix: config.sender.ticket_prefix.clone(),
            table_rows: config.letter.table_rows,
            part_rows: config.letter.part_rows,
        })
    }
}

#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Done {
    pub notices: u64,
    pub letters: u64,
    pub suspects: u64,
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Store(#[from] store::Error),
    /// One letter cannot be written; so none is.
    #[error("the letter to {mailbox} ({country}, {locale}) cannot be written: {cause}")]
    Letter {
        mailbox: Mailbox,
        country: String,
        locale: String,
        cause: templates::Error,
    },
}

/// What composing needs beside the campaign.
#[derive(Clone, Copy)]
pub struct Work<'a> {
    pub store: &'a Store,
    pub templates: &'a Templates,
    pub settings: &'a Settings,
    /// Write every letter, keep none.
    pub dry_run: bool,
}

/// Writes all letters of a campaign anew and freezes them. Fails closed: a missing value or
/// translation in any letter stops the campaign, which then cannot be submitted.
///
/// # Errors
/// [`store::Error::Refused`] when suspects are not resolved yet or the campaign is approved;
/// [`Error::Letter`]; the database's.
pub async fn run_once(
    work: &Work<'_>,
    campaign: &Campaign,
    by: &str,
    now: Timestamp,
    progress: &Progress,
) -> Result<Done, Error> {
    let store = work.store;
    if !work.dry_run {
        store
            .reopen(&campaign.name, by, "composed again", now)
            .await?;
    }
    let waiting = store.count_waiting(campaign.id).await?;
    if waiting > 0 {
        let remedy = format!("lapwing resolve {}", campaign.name);
        return Err(store::Error::Refused(format!(
            "{waiting} suspects are not resolved yet; run `{remedy}`"
        ))
        .into());
    }
    if !work.dry_run {
        store.begin_composition(campaign.id).await?;
    }
    progress.expect(
        store
            .totals(campaign.id)
            .await?
            .of("matched")
            .unsigned_abs(),
    );
    let mut composition = Composition {
        work,
        campaign,
        roll: store.signatories().await?,
        now,
        jurisdictions: HashMap::new(),
        translations: HashMap::new(),
        checked: BTreeSet::new(),
        written: Vec::new(),
        bytes: 0,
        done: Done::default(),
    };
    composition.check_languages().await?;
    let mut after = String::new();
    loop {
        let page = store.mailboxes(campaign.id, &after, PAGE).await?;
        let Some(last) = page.last() else {
            break;
        };
        last.as_str().clone_into(&mut after);
        composition.write_page(&page, progress).await?;
        if progress.is_stopped() {
            return Ok(composition.done);
        }
    }
    composition.flush().await?;
    if !work.dry_run {
        store.mark_composed(campaign.id, now).await?;
    }
    Ok(composition.done)
}

/// One mailbox's notice, how it wants its letters, and by what right it is that mailbox.
struct Draft {
    notice: Notice,
    format: Format,
    /// By finding.
    ways: HashMap<i64, Way>,
}

struct Composition<'a> {
    work: &'a Work<'a>,
    campaign: &'a Campaign,
    roll: Vec<Signatory>,
    now: Timestamp,
    /// By country.
    jurisdictions: HashMap<String, Arc<Jurisdiction>>,
    /// By country and language.
    translations: HashMap<(String, String), Arc<Translation>>,
    /// Languages in which the letter is known to be whole.
    checked: BTreeSet<String>,
    /// Letters not frozen yet.
    written: Vec<(i64, Letter)>,
    bytes: usize,
    done: Done,
}

impl Composition<'_> {
    async fn write_page(
        &mut self,
        mailboxes: &[Mailbox],
        progress: &Progress,
    ) -> Result<(), Error> {
        let store = self.work.store;
        let mut drafts = Vec::with_capacity(mailboxes.len());
        for mailbox in mailboxes {
            let findings = store.findings_of(self.campaign.id, mailbox).await?;
            let draft = self.draft(mailbox, &findings)?;
            // An override may have left a finding without suspects: nothing to tell.
            drafts.extend(Some(draft).filter(|draft| draft.notice.suspects > 0));
        }
        let notices: Vec<Notice> = drafts.iter().map(|draft| draft.notice.clone()).collect();
        let numbers = match self.work.dry_run {
            // Any number will do for a letter that nobody keeps.
            true => (1..=notices.len() as i64).collect(),
            false => store.add_notices(self.campaign.id, &notices).await?,
        };
        for (draft, number) in drafts.iter().zip(numbers) {
            self.write_notice(draft, number).await?;
            progress.add(draft.notice.suspects.unsigned_abs());
        }
        Ok(())
    }

    fn draft(&mut self, mailbox: &Mailbox, findings: &[(Finding, i64)]) -> Result<Draft, Error> {
        let mut by_country: BTreeMap<&str, i64> = BTreeMap::new();
        for (finding, suspects) in findings {
            *by_country.entry(&finding.country).or_default() += suspects;
        }
        let most = by_country.iter().max_by_key(|(_, suspects)| **suspects);
        let country = most.map_or("", |(country, _)| country).to_owned();
        let contacts = findings
            .iter()
            .filter_map(|(finding, _)| match &finding.verdict {
                Verdict::Matched { locale, format, .. } => Some((locale.as_str(), *format)),
                _ => None,
            });
        let wished = contacts.clone().find(|(locale, _)| !locale.is_empty());
        let locale = self
            .jurisdiction(&country)
            .map_err(|cause| letter_error(mailbox, &country, "any language", cause))?
            .locale(
                self.work.templates,
                &self.campaign.letter,
                wished.map_or("", |(locale, _)| locale),
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
        let format = contacts.into_iter().find_map(|(_, format)| format);
        let ways = findings
            .iter()
            .filter_map(|(finding, _)| Some((finding.id, Way::of(finding)?)));
        Ok(Draft {
            notice,
            format: format.unwrap_or(Format::Csv),
            ways: ways.collect(),
        })
    }

    async fn write_notice(&mut self, draft: &Draft, number: i64) -> Result<(), Error> {
        let notice = &draft.notice;
        let (networks, holder) = self.network_words(&notice.mailbox, &draft.ways).await?;
        let own = self.translation(notice, &notice.locale)?;
        let english = self.translation(notice, ENGLISH)?;
        let signatories = signing(&self.roll, self.now, &notice.country);
        let writer = Writer {
            templates: self.work.templates,
            settings: self.work.settings,
            letter: &self.campaign.letter,
            notice,
            number,
            own: &own,
            english: &english,
            signatories: &signatories,
            networks: &networks,
            holder: &holder,
            ways: &draft.ways,
            format: draft.format,
            tlp: self.campaign.tlp,
            now: self.now,
        };
        let most = match draft.format {
            Format::Csv => self.work.settings.part_rows,
            Format::Text => self.work.settings.part_rows.min(ROWS_IN_TEXT),
        };
        let parts = (notice.suspects as usize).div_ceil(most) as i64;
        let mut after = None;
        for part in 1..=parts {
            let (id, mailbox) = (self.campaign.id, notice.mailbox.as_str());
            let page = self
                .work
                .store
                .evidence(id, mailbox, after.as_ref(), most as i64);
            let mut rows = page.await?;
            after = rows.last().cloned();
            rows.sort_by_key(|row| (row.finding, row.range, row.seen_at, row.id));
            let letter = writer.write(part, parts, &rows).map_err(|cause| {
                letter_error(&notice.mailbox, &notice.country, &notice.locale, cause)
            })?;
            self.done.letters += 1;
            self.done.suspects += rows.len() as u64;
            self.keep(number, letter).await?;
        }
        self.done.notices += 1;
        Ok(())
    }

    fn jurisdiction(&mut self, country: &str) -> Result<Arc<Jurisdiction>, templates::Error> {
        if let Some(known) = self.jurisdictions.get(country) {
            return Ok(Arc::clone(known));
        }
        let read = Arc::new(Jurisdiction::of(self.work.templates, country)?);
        self.jurisdictions
            .insert(country.to_owned(), Arc::clone(&read));
        Ok(read)
    }

    fn translation(&mut self, notice: &Notice, locale: &str) -> Result<Arc<Translation>, Error> {
        let key = (notice.country.clone(), locale.to_owned());
        if let Some(known) = self.translations.get(&key) {
            return Ok(Arc::clone(known));
        }
        let translation = self
            .check_language(locale)
            .and_then(|()| self.jurisdiction(&notice.country))
            .and_then(|jurisdiction| Translation::of(self.work.templates, &jurisdiction, locale))
            .map_err(|cause| letter_error(&notice.mailbox, &notice.country, locale, cause))?;
        let translation = Arc::new(translation);
        self.translations.insert(key, Arc::clone(&translation));
        Ok(translation)
    }

    /// What the letter says of each finding's network, and the holder's name where it is one whom the
    /// mailbox answers for as its own.
    async fn network_words(
        &self,
        mailbox: &Mailbox,
        ways: &HashMap<i64, Way>,
    ) -> Result<(HashMap<i64, NetworkWords>, String), Error> {
        let networks = self
            .work
            .store
            .networks_of(self.campaign.id, mailbox.as_str());
        let mut words = HashMap::new();
        let mut holders = BTreeSet::new();
        for (finding, network) in networks.await? {
            let said = NetworkWords {
                range: network.range.to_string(),
                name: network.name,
                asn: network.asn,
            };
            words.insert(finding, said);
            holders.insert(match ways.get(&finding) {
                Some(way) if way.is_holders() => network.holder,
                _ => String::new(),
            });
        }
        let holder = holders.pop_first().filter(|_| holders.is_empty());
        Ok((words, holder.unwrap_or_default()))
    }

    async fn keep(&mut self, notice: i64, letter: Letter) -> Result<(), Error> {
        let attached: usize = letter.attachments.iter().map(|one| one.content.len()).sum();
        self.bytes += letter.text.len() + letter.html.len() + attached;
        self.written.push((notice, letter));
        if self.written.len() >= LETTERS || self.bytes >= BYTES {
            self.flush().await?;
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), Error> {
        if !self.work.dry_run {
            let store = self.work.store;
            store.add_letters(self.campaign.id, &self.written).await?;
        }
        self.written.clear();
        self.bytes = 0;
        Ok(())
    }
}

fn letter_error(mailbox: &Mailbox, country: &str, locale: &str, cause: templates::Error) -> Error {
    Error::Letter {
        mailbox: mailbox.clone(),
        country: country.to_owned(),
        locale: locale.to_owned(),
        cause,
    }
}
