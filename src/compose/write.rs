//! One letter, from what is known to what will leave.

use std::collections::HashMap;

use serde::Serialize;

use super::Settings;
use super::attach::{self, Attached, Messages};
use super::bidi::Direction;
use super::evidence::{Detail, Evidence, Listed, NetworkWords};
use super::frame::Frames;
use super::hosts::Lines;
use super::jurisdiction::{ENGLISH, Measure, Note, Translation};
use super::layout::{Bodies, Setter};
use super::occasion::Occasion;
use super::reasons::{Reason, Way, reasons};
use super::table::Table;
use crate::model::{
    Attachment, Format, Letter, LetterNumber, Mailbox, MailboxError, Notice, Purpose, Signatory,
    Timestamp, Tlp, TokenKeys, ticket,
};
use crate::store::SuspectRow;
use crate::templates::{Error, Given, Templates, without_marks};

/// Networks listed at the top of a letter.
const LISTED: usize = 12;

/// All that the letters of one notice share.
pub(super) struct Writer<'a> {
    pub(super) templates: &'a Templates,
    pub(super) setter: &'a Setter,
    pub(super) frames: &'a Frames,
    pub(super) settings: &'a Settings,
    /// Which letter: a folder under `templates/letter/`.
    pub(super) letter: &'a str,
    pub(super) notice: &'a Notice,
    /// The notice's number in the store.
    pub(super) number: i64,
    pub(super) tokens: &'a TokenKeys,
    pub(super) own: &'a Translation,
    /// The English that stands below any other language.
    pub(super) english: &'a Translation,
    pub(super) signatories: &'a [Signatory],
    pub(super) networks: &'a HashMap<i64, NetworkWords>,
    pub(super) holder: &'a str,
    /// Why each finding comes to this mailbox.
    pub(super) ways: &'a HashMap<i64, Way>,
    pub(super) format: Format,
    pub(super) tlp: Option<Tlp>,
    pub(super) occasion: &'a Occasion,
    pub(super) now: Timestamp,
}

/// The values that a letter's templates may use.
#[derive(Serialize)]
pub(super) struct Values<'a> {
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
    /// Of the key that signs it, in groups of four; empty where none does.
    fingerprint: &'a str,
    sent_on: String,
    country: &'a str,
    signatories: Vec<SignatoryWords<'a>>,
    jurisdiction: &'a Note,
    measures: &'a [Measure],
    reserved: bool,
    second: bool,
    /// Whether all rows come as a CSV attachment; else they stand in the text.
    attached: bool,
    /// Whether XARF reports are attached.
    xarf: bool,
    /// Messages that are attached as feedback reports.
    samples: usize,
    /// Blocks that the table's lines stand for, as `/24`; empty where they are addresses.
    aggregated: &'a str,
    reasons: &'a [Reason],
    /// It is the registered contact of all of the networks.
    own: bool,
    /// It is a national CSIRT, and no network of its own is among them.
    csirt: bool,
    #[serde(flatten)]
    occasion: &'a Occasion,
    /// With whom the letter may be shared, as `TLP:AMBER`; empty where it carries no mark.
    tlp: String,
    /// The file name of the leaflet for customers, or empty.
    leaflet: &'a str,
}

#[derive(Serialize)]
struct SignatoryWords<'a> {
    agency: &'a str,
    /// Its name in the letter's language, else in its own.
    local_name: &'a str,
    country: &'a str,
    framework: &'a str,
}

#[derive(Serialize)]
struct SenderWords<'a> {
    name: &'a str,
    address: &'a str,
}

/// What both languages of one letter tell.
pub(super) struct Told<'a> {
    pub(super) ticket: &'a str,
    pub(super) part: i64,
    pub(super) parts: i64,
    pub(super) csv_name: &'a str,
    pub(super) evidence: &'a Evidence<'a>,
    pub(super) listed: &'a [Listed],
    pub(super) lines: &'a Lines<'a>,
    pub(super) attached: &'a Attached,
    pub(super) reasons: &'a [Reason],
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
        messages: &Messages,
    ) -> Result<Letter, Error> {
        let ticket = ticket(&self.settings.ticket_prefix, self.number);
        let stem = ticket.to_ascii_lowercase();
        let csv_name = if parts > 1 {
            format!("{stem}-part-{part}-of-{parts}.csv")
        } else {
            format!("{stem}.csv")
        };
        let evidence = Evidence {
            rows,
            networks: self.networks,
            tlp: self.tlp,
        };
        let (most, detail) = match self.format {
            Format::Csv | Format::Both => (self.settings.table_rows, Detail::Latest),
            Format::Text | Format::Xarf => (usize::MAX, Detail::Every),
        };
        let lines = Lines::of(rows, most);
        let mut letter = self.frame(part, parts, ticket, rows.len())?;
        let attached = match rows {
            // Neither an advisory nor a copy has observations to attach.
            [] => Attached::default(),
            _ => attach::attach(
                self.settings,
                self.format,
                &letter,
                &csv_name,
                &evidence,
                messages,
            )?,
        };
        let told = Told {
            ticket: &letter.ticket,
            part,
            parts,
            csv_name: &csv_name,
            listed: &evidence.listed(),
            lines: &lines,
            attached: &attached,
            reasons: &reasons(&self.findings(rows), self.ways, self.networks),
            evidence: &evidence,
        };
        let table = evidence.table(&self.own.words, &lines, detail);
        let values = self.given(&told, self.own, false)?;
        let subject = self.file("subject", self.own);
        let subject = self.templates.render_given(&subject, &values)?;
        let subject = without_marks(&subject).unwrap_or(subject).trim().to_owned();
        let mut body = self.body(self.own, &values)?;
        let bilingual = self.own.locale != ENGLISH;
        if bilingual {
            body = format!("{}\n\n{body}", self.own.words.english_follows);
        }
        let direction = Direction::of(&self.own.words.direction);
        let set =
            |source: &str, table: &Table, direction| self.setter.set(source, table, direction);
        let Bodies { mut text, html } = set(&body, &table, direction);
        let mut second = String::new();
        if bilingual {
            let english = self.body(self.english, &self.given(&told, self.english, true)?)?;
            let english = set(&english, &Table::default(), Direction::LeftToRight);
            let lead = format!("---\n\n{}", self.own.words.english_below);
            let lead = set(&lead, &Table::default(), direction);
            text.extend(["\n", &lead.text, "\n", &english.text]);
            second = english.html;
        }
        let html = self
            .frames
            .around(self.templates, self.own, &subject, &html, &second)?;
        letter.subject = subject;
        letter.text = text;
        letter.html = html;
        letter.attachments = attached.files;
        letter.attachments.extend(self.leaflet(part).cloned());
        Ok(letter)
    }

    /// The letter but for what it says.
    fn frame(&self, part: i64, parts: i64, ticket: String, rows: usize) -> Result<Letter, Error> {
        let number = LetterNumber {
            notice: self.number,
            part,
        };
        let word = |purpose: Purpose| {
            let token = self.tokens.write(purpose, number);
            format!("{}{token}", purpose.prefix())
        };
        let domain = self.settings.sender.domain();
        Ok(Letter {
            id: 0,
            part,
            parts,
            locale: self.own.locale.clone(),
            country: self.notice.country.clone(),
            sender_name: self.settings.sender_name.clone(),
            sender: self.settings.sender.clone(),
            reply_to: match self.settings.reply_tokens {
                true => self.mailbox_of_ours(&word(Purpose::Reply))?,
                false => self.settings.reply_to.clone(),
            },
            recipient: self.notice.mailbox.clone(),
            envelope_from: self.mailbox_of_ours(&word(Purpose::Envelope))?,
            message_id: format!("{}@{domain}", word(Purpose::Message)),
            dated_at: self.now,
            subject: String::new(),
            text: String::new(),
            html: String::new(),
            rows: rows as i64,
            opt_out: match self.settings.public.as_str() {
                "" => String::new(),
                public => {
                    let token = self.tokens.write(Purpose::OptOut, number);
                    format!("{public}/opt-out/{token}")
                }
            },
            signed_by: self.settings.fingerprint.clone(),
            attachments: Vec::new(),
            ticket,
        })
    }

    /// The findings of the rows, in their order; of a letter without rows all that it is about.
    fn findings(&self, rows: &[SuspectRow]) -> Vec<i64> {
        let mut findings: Vec<i64> = rows.iter().map(|row| row.finding).collect();
        if rows.is_empty() {
            findings.extend(self.ways.keys());
            findings.sort_unstable();
        }
        findings.dedup();
        findings
    }

    fn body(&self, language: &Translation, values: &Given) -> Result<String, Error> {
        let file = self.file("body", language);
        self.templates.render_given(&file, values)
    }

    fn given(&self, told: &Told<'_>, language: &Translation, second: bool) -> Result<Given, Error> {
        let values = self.values(told, language, second);
        Given::of(&self.file("body", language), &values)
    }

    fn file(&self, piece: &str, language: &Translation) -> String {
        format!("letter/{}/{}/{piece}.hbs", self.letter, language.locale)
    }

    pub(super) fn values<'v>(
        &'v self,
        told: &Told<'v>,
        language: &'v Translation,
        second: bool,
    ) -> Values<'v> {
        let date = |at: Option<Timestamp>| at.map(Timestamp::date).unwrap_or_default();
        let (rows, shown) = (told.evidence.rows.len(), told.lines.shown());
        let listed = match self.format {
            Format::Csv | Format::Both => told.listed.len().min(LISTED),
            Format::Text | Format::Xarf => told.listed.len(),
        };
        Values {
            ticket: told.ticket,
            part: told.part,
            parts: told.parts,
            split: told.parts > 1,
            holder: self.holder,
            mailbox: self.notice.mailbox.as_str(),
            networks: &told.listed[..listed],
            more_networks: told.listed.len() - listed,
            network_count: self.notice.networks,
            suspects: self.notice.suspects,
            rows,
            shown,
            abridged: shown < rows,
            first_seen: date(told.evidence.first_seen()),
            last_seen: date(told.evidence.last_seen()),
            undated: told.evidence.undated(),
            csv_name: told.csv_name,
            sender: SenderWords {
                name: &self.settings.sender_name,
                address: self.settings.sender.as_str(),
            },
            reply_to: self.settings.reply_to.as_str(),
            verify: &self.settings.verify,
            fingerprint: &self.settings.fingerprint,
            sent_on: self.now.date(),
            country: &self.notice.country,
            signatories: self.signatories_in(&language.locale),
            jurisdiction: &language.note,
            measures: &language.measures,
            reserved: language.reserved,
            second,
            attached: told.attached.csv,
            xarf: told.attached.xarf,
            samples: told.attached.samples,
            aggregated: &told.lines.aggregated,
            reasons: told.reasons,
            own: told.reasons.iter().all(Reason::is_own),
            csirt: told.reasons.iter().all(Reason::is_csirt) && !told.reasons.is_empty(),
            occasion: self.occasion,
            tlp: self.tlp.map(|mark| mark.to_string()).unwrap_or_default(),
            leaflet: self.leaflet(told.part).map_or("", |leaflet| &leaflet.name),
        }
    }

    /// Once under a ticket, beside measures that speak of it, and not to who wants no attachment.
    fn leaflet(&self, part: i64) -> Option<&Attachment> {
        let leaflet = self.own.leaflet.as_ref();
        leaflet.filter(|_| part == 1 && self.is_read_by_people() && !self.own.measures.is_empty())
    }

    /// Somebody opens what is attached, other than a program.
    fn is_read_by_people(&self) -> bool {
        matches!(self.format, Format::Csv | Format::Both)
    }

    fn signatories_in(&self, locale: &str) -> Vec<SignatoryWords<'_>> {
        self.signatories
            .iter()
            .map(|one| SignatoryWords {
                agency: &one.agency,
                local_name: one.name_beside(locale),
                country: &one.country,
                framework: &one.framework,
            })
            .collect()
    }

    /// Where what comes back goes: a mailbox of its own for each letter, which says by itself that we made
    /// it.
    fn mailbox_of_ours(&self, local: &str) -> Result<Mailbox, Error> {
        format!("{local}@{}", self.settings.bounce_domain)
            .parse()
            .map_err(|error: MailboxError| Error::about("sender.bounce_domain", error))
    }
}
