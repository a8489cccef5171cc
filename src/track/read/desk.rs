//! Layer by layer, from what is written for machines to what is written for people: the first that knows decides.

use super::Envelope;
use super::candidate::is_daemon;
use super::fields::Fields;
use super::frame::Frame;
use super::quoted::own;
use super::reasons::{Reasons, floor};
use super::returned::{Cut, named_id};
use super::signs::{Kind, Sign, signs};
use super::subject;
use super::telling::telling;
use super::ticket;
use crate::model::{Class, Evidence, Reading};

/// Bytes of text in which signs are looked for: a mail system says early what it has to say.
const HEARD: usize = 12 * 1024;

/// One message, with what several layers ask of it.
pub(super) struct Desk<'a> {
    pub(super) frame: &'a Frame,
    pub(super) header: &'a Fields,
    pub(super) reasons: &'a Reasons,
    /// What it says outside of messages inside.
    pub(super) text: String,
    /// The part of it that is not the letter coming back.
    pub(super) report: String,
    /// The part of that which does not tell the letter again.
    pub(super) telling: String,
    /// What whoever wrote it says himself.
    pub(super) own: String,
    pub(super) letter: Option<Fields>,
    /// It comes back, though perhaps nothing of it is left.
    pub(super) has_letter: bool,
    pub(super) signs: Vec<Sign>,
    pub(super) subject: String,
    pub(super) subject_signs: Vec<Sign>,
    pub(super) is_null_sender: bool,
    pub(super) is_daemon: bool,
}

impl<'a> Desk<'a> {
    pub(super) fn new(
        frame: &'a Frame,
        envelope: Option<Envelope<'_>>,
        reasons: &'a Reasons,
    ) -> Self {
        let header = &frame.header;
        let mut text = String::new();
        let base = base(frame);
        for (part, one) in frame.texts_of(base) {
            if part.is_text() && !part.is_second {
                text.push_str(&one);
                if !text.ends_with('\n') {
                    text.push('\n');
                }
            }
        }
        let cut = Cut::of(&text);
        let mut report = cut.report.to_owned();
        let mut letter = cut.letter;
        // A report that was handed on as text gives back another report first.
        if let Some(inner) = letter.take_if(|letter| is_report(letter)) {
            let again = Cut::of(below_header(&text[report.len()..]));
            report.push_str(again.report);
            letter = again.letter.or(Some(inner));
        }
        let mut has_letter = letter.is_some();
        for part in frame
            .parts
            .iter()
            .filter(|part| part.level >= base && (part.is_message() || part.is_header()))
            .take(4)
        {
            has_letter = true;
            let inside = Fields::of_header(&part.decoded());
            let is_report = is_report(&inside);
            if !inside.is_empty() {
                letter = Some(inside);
            }
            if !is_report {
                break;
            }
        }
        let subject = header.decoded("subject").into_owned();
        let of_letter = letter.as_ref().map(|letter| letter.decoded("subject"));
        let telling = telling(&report, of_letter.as_deref().unwrap_or_default());
        let is_null_sender = match envelope.and_then(|envelope| envelope.sender) {
            Some(sender) => sender.trim_matches(['<', '>']).is_empty(),
            None => header.get("return-path").is_some_and(|path| {
                path.replace(' ', "").starts_with("<>")
                    || path.to_ascii_lowercase().contains("mailer-daemon")
            }),
        };
        let is_daemon = base > 0
            || is_written_by_daemon(header)
                && !is_postmasters_answer(header, &subject, is_null_sender);
        let heard = &report[..floor(&report, HEARD)];
        let own = own(heard);
        Self {
            frame,
            header,
            reasons,
            signs: signs(&own),
            own,
            subject_signs: signs(&subject),
            is_daemon,
            report,
            telling,
            text,
            letter,
            has_letter,
            subject,
            is_null_sender,
        }
    }

    pub(super) fn judge(&self, reading: &mut Reading) {
        let decided = self.notification(reading)
            || self.complaint(reading)
            || self.structured(reading)
            || self.receipt(reading)
            || self.written(reading)
            || self.announced(reading)
            || self.automatic(reading)
            || self.strange(reading);
        if !decided {
            say(
                reading,
                "people",
                "nothing says that a machine wrote it".to_owned(),
            );
        }
        if reading.envelope_id.is_none() {
            reading.envelope_id = self
                .letter
                .as_ref()
                .and_then(|letter| letter.get("x-envelope-id"))
                .map(str::to_owned);
        }
        if reading.message_id.is_none() {
            reading.message_id = self.message_id(reading);
        }
        if matches!(reading.class, Class::AutoReply | Class::Human) {
            reading.ticket = ticket::of(&self.subject, &self.report);
        }
    }

    fn message_id(&self, reading: &Reading) -> Option<String> {
        let letter = self
            .letter
            .as_ref()
            .and_then(|letter| letter.ids("message-id").into_iter().next());
        let of_thread = || {
            reading
                .in_reply_to
                .first()
                .or(reading.references.last())
                .cloned()
        };
        match reading.class {
            Class::Human | Class::AutoReply | Class::Other => of_thread().or(letter),
            _ => letter.or_else(|| named_id(&self.text)).or_else(of_thread),
        }
    }

    pub(super) fn sign(&self, kind: Kind) -> Option<&Sign> {
        self.signs.iter().find(|sign| sign.kind == kind)
    }

    pub(super) fn is_from_machine(&self) -> bool {
        self.is_daemon
            || self.is_null_sender
            || self.frame.kind == "multipart/report"
            || self
                .subject_signs
                .iter()
                .any(|sign| matches!(sign.kind, Kind::Failed | Kind::Delayed))
                && !subject::is_reply(&self.subject)
                && !(subject::is_forward(&self.subject) && says_much(&self.own))
    }

    /// Somebody answers, or hands on what he got.
    pub(super) fn is_talk(&self) -> bool {
        subject::is_reply(&self.subject) || subject::is_forward(&self.subject)
    }
}

/// A report may stand whole in a message of another machine.
fn base(frame: &Frame) -> u8 {
    let has_report = frame
        .parts
        .iter()
        .any(|part| part.level == 0 && part.kind.ends_with("-status"));
    let inner = frame
        .parts
        .iter()
        .find(|part| part.level == 0 && part.is_message());
    let words = || {
        let texts = frame.texts_of(0).filter(|(part, _)| part.is_text());
        texts.map(|(_, text)| text.into_owned()).collect::<String>()
    };
    let is_forwarded = subject::is_forward(&frame.header.decoded("subject"))
        && !is_report(&frame.header)
        && says_much(&words());
    let is_wrapped = !has_report
        && !is_forwarded
        && inner.is_some_and(|part| is_report(&Fields::of_header(&part.decoded())));
    let header = &frame.header;
    // List managers hand on what they do not understand.
    let is_list_mail = header.has("x-list-administrivia");
    let is_called_bounce = header
        .decoded("subject")
        .to_ascii_lowercase()
        .contains("bounce notification");
    let is_handed_on = is_list_mail || is_called_bounce;
    let says_nothing = || {
        frame
            .texts_of(0)
            .all(|(part, text)| !part.is_text() || text.trim().len() < 200)
    };
    let is_known = is_list_mail && is_called_bounce && !has_report && inner.is_some();
    u8::from(is_known || is_wrapped && (is_handed_on || says_nothing()))
}

/// What stands behind the first paragraph that has fields.
fn below_header(text: &str) -> &str {
    let start = text.find(':').unwrap_or_default();
    text[start..]
        .find("\n\n")
        .map_or("", |end| &text[start + end..])
}

/// Who hands on a report with words of his own has something to say, and is heard himself.
fn says_much(own: &str) -> bool {
    own.chars().filter(|c| c.is_alphanumeric()).count() > 40
}

fn is_report(header: &Fields) -> bool {
    is_written_by_daemon(header)
        || header
            .get("content-type")
            .is_some_and(|kind| kind.to_ascii_lowercase().starts_with("multipart/report"))
}

/// Postmasters are people, too, and answer.
fn is_postmasters_answer(header: &Fields, subject: &str, is_null_sender: bool) -> bool {
    let from = header.get("from").unwrap_or_default().to_ascii_lowercase();
    subject::is_reply(subject) && !is_null_sender && !from.contains("daemon")
}

fn is_written_by_daemon(header: &Fields) -> bool {
    let from = header.get("from").or_else(|| header.get("sender"));
    let name = header.decoded("from").to_lowercase();
    let is_named = NAMES.iter().any(|words| name.contains(words));
    is_named
        || header.has("x-mlserver")
        || from.is_some_and(|from| from.trim() == "<>")
        || header.address("from").is_some_and(|from| is_daemon(&from))
        || from.is_some_and(|from| from.to_ascii_lowercase().contains("mailer-daemon"))
}

pub(super) fn say(reading: &mut Reading, layer: &'static str, says: String) {
    if reading.evidence.len() < 40 {
        reading.evidence.push(Evidence { layer, says });
    }
}

/// What mail systems call themselves.
const NAMES: [&str; 21] = [
    "mail delivery",
    "mailer-daemon",
    "mailer daemon",
    "maildelivery",
    "mail system",
    "mail administrator",
    "postmaster",
    "internet mail",
    "system administrator",
    "mail service",
    "mail router",
    "mail transport",
    "delivery system",
    "delivery service",
    "delivery agent",
    "smtp gateway",
    "mail gateway",
    "webshield",
    "systemadministrator",
    "email delivery",
    "e-mail delivery",
];
