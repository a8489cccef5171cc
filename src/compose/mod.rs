//! Stage 3. Contacts in, letters out.

mod advisory;
mod arf;
mod attach;
mod bidi;
mod check;
mod cover;
mod draft;
mod evidence;
mod frame;
mod hidden;
mod holder;
mod hosts;
mod jurisdiction;
mod layout;
mod occasion;
mod page;
mod parts;
mod reasons;
mod redact;
mod reminder;
mod roll;
mod rows;
mod settings;
mod spare;
mod table;
mod trace;
mod wrap;
mod write;
mod xarf;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use serde::Serialize;

use crate::metrics::{Stage, timed};
use crate::model::{
    Campaign, CampaignKind, Format, Letter, Mailbox, Notice, Progress, Signatory, Timestamp,
    TokenKeys, roll_digest, signing,
};
use crate::store::{self, Store};
use crate::templates::{self, Templates};
pub use check::{Cell, Checked, Language, check, languages, reviewed};
use draft::Draft;
use frame::Frames;
use jurisdiction::{ENGLISH, Translation};
pub use jurisdiction::{Jurisdiction, jurisdictions};
use layout::Setter;
pub use page::page;
use redact::Redactor;
use reminder::Memory;
pub use roll::{Row as RollRow, read as read_roll};
use rows::Rows;
pub use settings::Settings;
use write::Writer;

/// Mailboxes taken from the store at a time.
const PAGE: i64 = 200;
/// Letters frozen in one transaction: at most so many, and about so many bytes.
const LETTERS: usize = 100;
const BYTES: usize = 8 << 20;

#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Done {
    pub notices: u64,
    pub letters: u64,
    pub suspects: u64,
    /// In a reminder's campaign: first notices, to contacts that the first campaign did not reach.
    pub first_notices: u64,
    /// Copies to agencies, counted among the letters, too.
    pub covers: u64,
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
    let _timed = timed(Stage::Compose);
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
    let mut composition = Composition {
        work,
        campaign,
        roll: store.signatories().await?,
        now,
        memory: match campaign.after {
            Some(first) => Some(Memory::read(store, campaign.id, first).await?),
            None => None,
        },
        jurisdictions: HashMap::new(),
        translations: HashMap::new(),
        tokens: Arc::new(match work.dry_run {
            // Nobody keeps these letters, and nothing may be written down for them.
            true => store.token_keys(now).await?,
            false => store.token_keys_to_write(now).await?,
        }),
        setter: Arc::default(),
        frames: Arc::default(),
        checked: BTreeSet::new(),
        written: Vec::new(),
        redactor: None,
        bytes: 0,
        done: Done::default(),
    };
    let spared = composition.spare().await?;
    let matched = store.totals(campaign.id).await?.of("matched");
    progress.expect(matched.unsigned_abs());
    composition.check_languages().await?;
    let mut after = String::new();
    loop {
        let page = store.mailboxes(campaign.id, &after, PAGE).await?;
        let Some(last) = page.last() else {
            break;
        };
        last.as_str().clone_into(&mut after);
        let mut page = page;
        page.retain(|mailbox| !spared.contains(mailbox));
        composition.write_page(&page, progress).await?;
        if progress.is_stopped() {
            return Ok(composition.done);
        }
    }
    composition.flush().await?;
    composition.write_covers().await?;
    if !work.dry_run {
        let roll = roll_digest(&composition.roll, now);
        store.mark_composed(campaign.id, &roll, now).await?;
    }
    Ok(composition.done)
}

struct Composition<'a> {
    work: &'a Work<'a>,
    campaign: &'a Campaign,
    roll: Vec<Signatory>,
    now: Timestamp,
    /// For a reminder: what the first campaign told.
    memory: Option<Memory>,
    /// By country.
    jurisdictions: HashMap<String, Arc<Jurisdiction>>,
    /// By country and language.
    translations: HashMap<(String, String), Arc<Translation>>,
    tokens: Arc<TokenKeys>,
    setter: Arc<Setter>,
    frames: Arc<Frames>,
    /// Letters, and languages in which each is known to be whole.
    checked: BTreeSet<(String, String)>,
    /// Letters not frozen yet.
    written: Vec<(i64, Letter)>,
    /// Made when the first message is shown.
    redactor: Option<Redactor>,
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
            let (letter, occasion) = self.occasion(mailbox).await?;
            let draft = self.draft(mailbox, &findings, letter, occasion)?;
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

    async fn write_notice(&mut self, draft: &Draft, number: i64) -> Result<(), Error> {
        let notice = &draft.notice;
        let (networks, holder) = self.network_words(&notice.mailbox, &draft.ways).await?;
        let holder = match self.campaign.kind {
            CampaignKind::Advisory => draft.listed_holder(holder),
            CampaignKind::Notice | CampaignKind::Reminder => holder,
        };
        self.check_letter(&draft.letter, notice)?;
        let own = self.translation(notice, &notice.locale)?;
        let english = self.translation(notice, ENGLISH)?;
        let signatories = signing(&self.roll, self.now, &notice.country);
        let (setter, frames) = (Arc::clone(&self.setter), Arc::clone(&self.frames));
        let tokens = Arc::clone(&self.tokens);
        let writer = Writer {
            templates: self.work.templates,
            setter: &setter,
            frames: &frames,
            settings: self.work.settings,
            letter: &draft.letter,
            notice,
            number,
            tokens: &tokens,
            own: &own,
            english: &english,
            signatories: &signatories,
            networks: &networks,
            holder: &holder,
            ways: &draft.ways,
            format: draft.format,
            tlp: self.campaign.tlp,
            occasion: &draft.occasion,
            now: self.now,
        };
        if self.campaign.kind == CampaignKind::Advisory {
            let letter = writer.write(1, 1, &[], &attach::Messages::new());
            return self.keep_advisory(notice, number, letter).await;
        }
        let limits = self.work.settings.limits(draft.format);
        let store = self.work.store;
        let mut all = Rows::of(store, self.campaign.id, &notice.mailbox, limits);
        let parts = all.parts(draft.format, limits).await?;
        for (part, count) in (1..).zip(&parts) {
            let mut rows = all.take(*count).await?;
            // A first notice has nothing to compare with.
            if !draft.occasion.first_ticket.is_empty() {
                self.mark(&mut rows).await?;
            }
            let messages = match draft.format {
                Format::Text => attach::Messages::new(),
                _ => {
                    let redactor = &mut self.redactor;
                    rows::messages(store, &rows, redactor, self.work.dry_run).await?
                }
            };
            let parts = parts.len() as i64;
            let letter = writer
                .write(part, parts, &rows, &messages)
                .map_err(|cause| {
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
            .jurisdiction(&notice.country)
            .and_then(|jurisdiction| Translation::of(self.work.templates, &jurisdiction, locale))
            .map_err(|cause| letter_error(&notice.mailbox, &notice.country, locale, cause))?;
        let translation = Arc::new(translation);
        self.translations.insert(key, Arc::clone(&translation));
        Ok(translation)
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
