//! A plain message to staff, by the way that letters go.

use std::time::{Duration, UNIX_EPOCH};

use lettre::Message;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};

use super::body::text_part;
use super::courier::Courier;
use super::message::named;
use crate::model::{Clock, Letter, Mailbox, OutcomeKind, Timestamp, plain_text};

/// A plain message.
#[derive(Clone, Debug)]
pub struct Note {
    pub from: Mailbox,
    pub from_name: String,
    pub to: Mailbox,
    /// Where it goes instead, while all mail does.
    pub redirect_to: Option<Mailbox>,
    pub subject: String,
    pub text: String,
    /// What stands before the @ of its Message-ID: the same each time it is tried.
    pub id: String,
    pub at: Timestamp,
}

/// Sends it once, over a relay or into the folder. Nothing is written down, and nothing tried again.
///
/// # Errors
/// In words: why it was not taken.
pub async fn notify(courier: &Courier, note: &Note, clock: &Clock) -> Result<(), String> {
    let domain = note.from.as_str().rsplit('@').next().unwrap_or_default();
    let letter = note.as_letter(format!("{}@{domain}", note.id));
    let message = build(&letter)?;
    let entry = courier.enter(clock.now()).await;
    let entry = entry.map_err(|trouble| trouble.to_string())?;
    let way = entry.open(clock.now()).await;
    let way = way.map_err(|refused| refused.trouble.to_string())?;
    let to = note.redirect_to.as_ref().unwrap_or(&note.to);
    let (outcome, way) = way.send(&letter, to, message, clock).await;
    if let Some(way) = way {
        way.rest(clock.now());
    }
    match outcome.kind {
        OutcomeKind::Accepted => Ok(()),
        _ => Err(format!(
            "{}: {} {}",
            outcome.relay, outcome.code, outcome.reply
        )),
    }
}

impl Note {
    /// What a courier carries.
    fn as_letter(&self, message_id: String) -> Letter {
        Letter {
            id: 0,
            // Its file's name in a folder.
            ticket: self.id.clone(),
            part: 1,
            parts: 1,
            locale: "en".to_owned(),
            country: String::new(),
            sender_name: self.from_name.clone(),
            sender: self.from.clone(),
            reply_to: self.from.clone(),
            recipient: self.to.clone(),
            envelope_from: self.from.clone(),
            message_id,
            dated_at: self.at,
            subject: self.subject.clone(),
            text: self.text.clone(),
            html: String::new(),
            rows: 0,
            opt_out: String::new(),
            signed_by: String::new(),
            attachments: Vec::new(),
        }
    }
}

fn build(letter: &Letter) -> Result<Vec<u8>, String> {
    let dated_at = UNIX_EPOCH + Duration::from_millis(letter.dated_at.0.max(0).unsigned_abs());
    let mut message = Message::builder()
        .from(named(&letter.sender_name, &letter.sender)?)
        .to(named("", &letter.recipient)?)
        .subject(plain_text(&letter.subject, 200))
        .date(dated_at)
        .message_id(Some(format!("<{}>", letter.message_id)));
    // RFC 3834 5.
    for (name, value) in [
        ("Auto-Submitted", "auto-generated"),
        ("X-Auto-Response-Suppress", "All"),
    ] {
        let name =
            HeaderName::new_from_ascii(name.to_owned()).map_err(|error| error.to_string())?;
        message = message.raw_header(HeaderValue::new(name, value.to_owned()));
    }
    let part = text_part(&letter.text, ContentType::TEXT_PLAIN)?;
    let message = message
        .singlepart(part)
        .map_err(|error| error.to_string())?;
    Ok(message.formatted())
}
