//! One letter, from what is known to what will leave.

use std::collections::HashMap;

use serde::Serialize;

use super::Settings;
use super::evidence::{Evidence, Listed, NetworkWords, Words};
use super::jurisdiction::{ENGLISH, Jurisdiction, Measure, Note};
use super::layout::{self, Table};
use crate::model::{Attachment, Letter, Notice, Signatory, Timestamp, Via, hex, ticket};
use crate::store::SuspectRow;
use crate::templates::{Error, Templates};

/// Networks listed at the top of a letter.
const LISTED: usize = 12;

/// All that the letters of one notice share.
pub(super) struct Writer<'a> {
    pub(super) templates: &'a Templates,
    pub(super) settings: &'a Settings,
    /// Which letter: a folder under `templates/letter/`.
    pub(super) letter: &'a str,
    pub(super) notice: &'a Notice,
    /// The notice's number in the store.
    pub(super) number: i64,
    pub(super) jurisdiction: &'a Jurisdiction,
    pub(super) signatories: &'a [Signatory],
    pub(super) networks: &'a HashMap<i64, NetworkWords>,
    pub(super) holder: &'a str,
    pub(super) via: Via,
    pub(super) now: Timestamp,
}

/// The values that a letter's templates may use.
#[derive(Serialize)]
struct Values<'a> {
    ticket: &'a str,
    part: i64,
    parts: i64,
    split: bool,
    holder: &'a str,
    mailbox: &'a str,
    networks: &'a [Listed],
    more_networks: usize,
    network_count: i64,
    suspects: i64,
    rows: usize,
    shown: usize,
    abridged: bool,
    first_seen: String,
    last_seen: String,
    undated: usize,
    csv_name: &'a str,
    sender: SenderWords<'a>,
    reply_to: &'a str,
    verify: &'a str,
    sent_on: String,
    country: &'a str,
    signatories: &'a [Signatory],
    jurisdiction: Note,
    measures: Vec<Measure>,
    reserved: bool,
    second: bool,
    via: Via,
}

#[derive(Serialize)]
struct SenderWords<'a> {
    name: &'a str,
    address: &'a str,
}

#[derive(Serialize)]
struct Page<'a> {
    locale: &'a str,
    direction: &'a str,
    title: String,
    content: String,
    bilingual: bool,
    second_locale: &'a str,
    second_content: String,
}

impl Writer<'_> {
    /// Writes part `part` of `parts` about `rows`.
    ///
    /// # Errors
    /// What is missing in which template.
    pub(super) fn write(
        &self,
        part: i64,
        parts: i64,
        rows: &[SuspectRow],
    ) -> Result<Letter, Error> {
        let ticket = ticket(&self.settings.ticket_prefix, self.number);
        let stem = ticket.to_ascii_lowercase();
        let csv_name = if parts > 1 {
            format!("{stem}-part-{part}-of-{parts}.csv")
        } else {
            format!("{stem}.csv")
        };
        let locale = self.notice.locale.as_str();
        let evidence = Evidence {
            rows,
            networks: self.networks,
        };
        let shown = rows.len().min(self.settings.table_rows);
        let listed = evidence.listed();
        let values = |locale: &str, second: bool| {
            self.values(
                &ticket,
                (part, parts),
                locale,
                second,
                &csv_name,
                &evidence,
                &listed,
                shown,
            )
        };

        let words: Words = self.templates.data(&format!("part/words/{locale}.toml"))?;
        let table = evidence.table(&words, shown);
        let first = values(locale, false)?;
        let subject = self
            .templates
            .render(&self.file("subject", locale), &first)?;
        let subject = subject.trim().to_owned();
        let body = self.body(locale, &first)?;
        let mut text = layout::to_text(&body, &table);
        let mut page = Page {
            locale,
            direction: &words.direction,
            title: layout::escape(&subject),
            content: layout::to_html(&body, &table),
            bilingual: locale != ENGLISH,
            second_locale: ENGLISH,
            second_content: String::new(),
        };
        if page.bilingual {
            let english = self.body(ENGLISH, &values(ENGLISH, true)?)?;
            let below = format!("{}\n\n{english}", words.english_below);
            text.push_str(&layout::to_text(
                &format!("\n\n---\n\n{below}"),
                &Table::default(),
            ));
            page.second_content = layout::to_html(&below, &Table::default());
        }
        let html = self.templates.render("part/letter.html.hbs", &page)?;
        let content = evidence.csv().map_err(|error| Error {
            file: csv_name.clone(),
            line: None,
            problem: error.to_string(),
        })?;
        Ok(Letter {
            id: 0,
            part,
            parts,
            locale: locale.to_owned(),
            country: self.notice.country.clone(),
            sender_name: self.settings.sender_name.clone(),
            sender: self.settings.sender.clone(),
            reply_to: self.settings.reply_to.clone(),
            recipient: self.notice.mailbox.clone(),
            envelope_from: self.envelope_from(&stem, part)?,
            message_id: format!(
                "{stem}.{part}.{}@{}",
                self.mark(),
                self.settings.sender.domain()
            ),
            dated_at: self.now,
            subject,
            text,
            html,
            rows: rows.len() as i64,
            attachments: vec![Attachment {
                name: csv_name,
                media_type: "text/csv; charset=utf-8; header=present".to_owned(),
                content,
            }],
            ticket,
        })
    }

    fn body(&self, locale: &str, values: &Values<'_>) -> Result<String, Error> {
        let file = self.file("body", locale);
        self.templates.render_marked(&file, values)
    }

    fn file(&self, piece: &str, locale: &str) -> String {
        format!("letter/{}/{locale}/{piece}.hbs", self.letter)
    }

    #[allow(
        clippy::too_many_arguments,
        reason = "each is one thing the two languages of a letter share"
    )]
    fn values<'v>(
        &'v self,
        ticket: &'v str,
        (part, parts): (i64, i64),
        locale: &str,
        second: bool,
        csv_name: &'v str,
        evidence: &Evidence<'_>,
        listed: &'v [Listed],
        shown: usize,
    ) -> Result<Values<'v>, Error> {
        let measures = self.jurisdiction.measures(self.templates, locale)?;
        let reserved = self.jurisdiction.reserves_any();
        let date = |at: Option<Timestamp>| at.map(Timestamp::date).unwrap_or_default();
        Ok(Values {
            ticket,
            part,
            parts,
            split: parts > 1,
            holder: self.holder,
            mailbox: self.notice.mailbox.as_str(),
            networks: &listed[..listed.len().min(LISTED)],
            more_networks: listed.len().saturating_sub(LISTED),
            network_count: self.notice.networks,
            suspects: self.notice.suspects,
            rows: evidence.rows.len(),
            shown,
            abridged: shown < evidence.rows.len(),
            first_seen: date(evidence.first_seen()),
            last_seen: date(evidence.last_seen()),
            undated: evidence.undated(),
            csv_name,
            sender: SenderWords {
                name: &self.settings.sender_name,
                address: self.settings.sender.as_str(),
            },
            reply_to: self.settings.reply_to.as_str(),
            verify: &self.settings.verify,
            sent_on: self.now.date(),
            country: &self.notice.country,
            signatories: self.signatories,
            jurisdiction: self.jurisdiction.note(locale)?,
            measures,
            reserved,
            second,
            via: self.via,
        })
    }

    /// A mailbox of its own for each letter, so that a bounce names the letter it is about.
    fn envelope_from(&self, stem: &str, part: i64) -> Result<crate::model::Mailbox, Error> {
        let address = format!("b-{stem}-{part}@{}", self.settings.bounce_domain);
        address
            .parse()
            .map_err(|error: crate::model::MailboxError| Error {
                file: "sender.bounce_domain".to_owned(),
                line: None,
                problem: error.to_string(),
            })
    }

    /// Keeps Message-IDs apart that two installations would give to the same ticket.
    fn mark(&self) -> String {
        use sha2::{Digest, Sha256};
        let digest = Sha256::digest(format!("{}\n{}", self.now.0, self.notice.mailbox));
        hex(&digest[..6])
    }
}
