//! The copy to a country's agencies: which operators there were written to, under which tickets.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::occasion::Occasion;
use super::reasons::Way;
use super::write::Writer;
use super::{Composition, Error, attach, letter_error};
use crate::model::{Attachment, Format, Mailbox, Notice, neutral_cell, signing};
use crate::store::NoticeLine;
use crate::templates;

/// The letter that it is.
const COVER: &str = "cover";

/// A copy belongs to no round of letters to operators.
const ROUND: i64 = 0;

/// Notices read at a time.
const PAGE: i64 = 500;

/// The columns of its list.
const COLUMNS: [&str; 7] = [
    "holder",
    "mailbox",
    "ticket",
    "letters",
    "observations",
    "country",
    "tlp",
];

/// Agencies that share a mailbox get one copy.
#[derive(Default)]
struct Recipient {
    agencies: Vec<String>,
    countries: BTreeSet<String>,
}

impl Composition<'_> {
    /// Writes a copy to each mailbox of an agency in whose country somebody is written to. Nothing is
    /// kept in a trial, so there is nothing to list.
    pub(super) async fn write_covers(&mut self) -> Result<(), Error> {
        if !self.campaign.cover || self.work.dry_run {
            return Ok(());
        }
        let mut recipients: BTreeMap<Mailbox, Recipient> = BTreeMap::new();
        for one in signing(&self.roll, self.now, "") {
            if let Some(mailbox) = one.mailbox {
                let recipient = recipients.entry(mailbox).or_default();
                recipient.agencies.push(one.agency);
                recipient.countries.insert(one.country);
            }
        }
        for (mailbox, recipient) in recipients {
            self.write_cover(mailbox, &recipient).await?;
        }
        self.flush().await
    }

    async fn write_cover(&mut self, mailbox: Mailbox, to: &Recipient) -> Result<(), Error> {
        let (list, occasion, suspects) = self.list(to).await?;
        let Some(country) = to.countries.first().filter(|_| occasion.operators > 0) else {
            return Ok(());
        };
        let wrong = |locale: &str, cause| letter_error(&mailbox, country, locale, cause);
        let jurisdiction = self.jurisdiction(country);
        let locale = jurisdiction
            .map_err(|cause| wrong("any language", cause))?
            .locale(self.work.templates, COVER, &[]);
        let notice = Notice {
            id: 0,
            round: ROUND,
            mailbox: mailbox.clone(),
            country: country.clone(),
            locale,
            suspects,
            networks: 0,
        };
        let numbers = self
            .work
            .store
            .add_notices(self.campaign.id, std::slice::from_ref(&notice));
        let Some(number) = numbers.await?.pop() else {
            return Ok(());
        };
        let own = self.translation(&notice, &notice.locale)?;
        let english = self.translation(&notice, super::ENGLISH)?;
        let signatories = signing(&self.roll, self.now, country);
        let (setter, frames) = (Arc::clone(&self.setter), Arc::clone(&self.frames));
        let tokens = Arc::clone(&self.tokens);
        let writer = Writer {
            templates: self.work.templates,
            setter: &setter,
            frames: &frames,
            settings: self.work.settings,
            letter: COVER,
            notice: &notice,
            number,
            tokens: &tokens,
            own: &own,
            english: &english,
            signatories: &signatories,
            networks: &HashMap::new(),
            holder: "",
            ways: &HashMap::new(),
            // Its list is attached below; the leaflet is for operators.
            format: Format::Text,
            tlp: self.campaign.tlp,
            occasion: &occasion,
            now: self.now,
        };
        let mut letter = writer
            .write(1, 1, &[], &attach::Messages::new())
            .map_err(|cause| wrong(&notice.locale, cause))?;
        letter.attachments.push(Attachment {
            name: format!("{}.csv", letter.ticket.to_ascii_lowercase()),
            media_type: "text/csv; charset=utf-8; header=present".to_owned(),
            content: list,
        });
        self.done.letters += 1;
        self.done.notices += 1;
        self.done.covers += 1;
        self.keep(number, letter).await
    }

    /// The list for a recipient, what the letter says of it, and the observations in all of it.
    async fn list(&self, to: &Recipient) -> Result<(Vec<u8>, Occasion, i64), Error> {
        let store = self.work.store;
        let mut occasion = Occasion {
            recipient_agency: to.agencies.join(", "),
            countries: Vec::from_iter(to.countries.iter().cloned()).join(", "),
            ..Occasion::default()
        };
        let tlp = self.campaign.tlp.map(|mark| mark.to_string());
        let tlp = tlp.unwrap_or_default();
        let mut rows = Vec::new();
        let mut suspects = 0;
        for country in &to.countries {
            let mut after = 0;
            loop {
                let page = store
                    .notice_lines(self.campaign.id, country, after, PAGE)
                    .await?;
                let Some(last) = page.last() else {
                    break;
                };
                after = last.id;
                for line in page {
                    occasion.operators += 1;
                    occasion.letters += line.letters;
                    suspects += line.suspects;
                    let holder = self.holder_of(&line).await?;
                    rows.push([
                        neutral_cell(&holder).into_owned(),
                        line.mailbox.to_string(),
                        line.ticket,
                        line.letters.to_string(),
                        line.suspects.to_string(),
                        country.clone(),
                        tlp.clone(),
                    ]);
                }
            }
        }
        let list = written(&rows).map_err(|error| Error::Letter {
            mailbox: self.work.settings.sender.clone(),
            country: occasion.countries.clone(),
            locale: String::new(),
            cause: templates::Error::about("the list of operators", error),
        })?;
        Ok((list, occasion, suspects))
    }

    async fn holder_of(&self, line: &NoticeLine) -> Result<String, Error> {
        let findings = self
            .work
            .store
            .findings_of(self.campaign.id, &line.mailbox)
            .await?;
        let ways = findings
            .iter()
            .filter_map(|(finding, _)| Some((finding.id, Way::of(finding)?)));
        let (_, holder) = self.network_words(&line.mailbox, &ways.collect()).await?;
        Ok(holder)
    }
}

fn written(rows: &[[String; COLUMNS.len()]]) -> Result<Vec<u8>, csv::Error> {
    let mut writer = csv::WriterBuilder::new()
        .terminator(csv::Terminator::CRLF)
        .from_writer(Vec::new());
    writer.write_record(COLUMNS)?;
    for row in rows {
        writer.write_record(row)?;
    }
    writer
        .into_inner()
        .map_err(|error| error.into_error().into())
}
