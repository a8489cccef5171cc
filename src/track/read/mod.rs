//! Reading what came back: from bytes to a verdict with its evidence, without store, clock or network.

mod address;
mod auto;
mod candidate;
mod conclude;
mod decode;
mod desk;
mod feedback;
mod fields;
mod frame;
mod machine;
mod notice;
mod quoted;
mod reasons;
mod report;
mod returned;
mod signs;
mod sns;
mod status;
mod subject;
mod telling;
mod ticket;
mod written;

pub use reasons::{REASONS, Reason, Reasons, ReasonsError};

use crate::model::{Class, Reading};
use desk::Desk;
use frame::Frame;

/// Letters of the text that are kept for people.
const TEXT: usize = 16 * 1024;

/// Who sent it to whom, as SMTP said; an empty sender is a report's, and `None` is nobody's that is known.
#[derive(Clone, Copy, Debug)]
pub struct Envelope<'a> {
    pub sender: Option<&'a str>,
    pub recipient: &'a str,
}

/// Reads one message. Whatever it is, there is a reading: what nothing is known of, a person wrote.
#[must_use]
pub fn read(message: &[u8], envelope: Option<Envelope<'_>>, reasons: &Reasons) -> Reading {
    let frame = Frame::of(message);
    let header = &frame.header;
    let mut reading = Reading {
        class: Class::Human,
        auto_reply: None,
        is_complaint: false,
        recipients: Vec::new(),
        message_id: None,
        envelope_id: None,
        ticket: None,
        subject: header.decoded("subject").trim().to_owned(),
        from: header.address("from"),
        in_reply_to: header.ids("in-reply-to"),
        references: header.ids("references"),
        text: String::new(),
        evidence: Vec::new(),
    };
    let desk = Desk::new(&frame, envelope, reasons);
    reading.text = desk.text[..reasons::floor(&desk.text, TEXT)]
        .trim()
        .to_owned();
    desk.judge(&mut reading);
    reading
}
