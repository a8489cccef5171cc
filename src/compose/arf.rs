//! The message of one host as a feedback report (ARF, RFC 5965), which abuse desks have read for longest.
//!
//! A feedback report is a message of its own, and desks' programs look for its type at the top
//! (RFC 5965 2). So it goes as one, attached as message/rfc822: a program that walks through our letter
//! finds a whole report there, a person can open it or forward it as it is to whatever takes reports,
//! and our own letter stays what people expect of a letter. A part inside such an attachment cannot be
//! encoded (RFC 2046 5.2.1): where the message is not plain ASCII in short lines, or its own parts are
//! not closed, so that a reader may take ours for more of them, its header goes alone, which the standard
//! allows.

use sha2::{Digest, Sha256};

use super::hosts::Host;
use super::redact::Redacted;
use crate::model::{Letter, Timestamp, Tlp, hex};

/// RFC 5322 2.1.1, without the CRLF.
const LONGEST_LINE: usize = 998;

/// Bytes of a report beside the message, at most.
const FRAME: usize = 4_096;

/// Writes the report; `None` where the text has no header, and so is no message.
pub(super) fn report(
    letter: &Letter,
    host: Host<'_>,
    message: &Redacted,
    tlp: Option<Tlp>,
) -> Option<Vec<u8>> {
    let (range, row) = host.range().zip(host.sampled())?;
    if message.header.is_empty() {
        return None;
    }
    let (third, content) = third_part(message);
    let boundary = boundary(letter, &range.to_string(), &content);
    let mut text = String::with_capacity(content.len() + FRAME);
    let mut line = |said: &str| {
        text.push_str(said);
        text.push_str("\r\n");
    };
    line(&format!("From: <{}>", letter.sender));
    line(&format!("To: <{}>", letter.recipient));
    line(&format!("Reply-To: <{}>", letter.reply_to));
    line(&format!("Date: {}", date(letter.dated_at)));
    line(&format!("Subject: [{}] Spam from {range}", letter.ticket));
    line(&format!(
        "Message-ID: <{}.{}>",
        &boundary[..16],
        letter.message_id
    ));
    line("Auto-Submitted: auto-generated");
    line("MIME-Version: 1.0");
    line("Content-Type: multipart/report; report-type=feedback-report;");
    line(&format!(" boundary=\"{boundary}\""));
    line("");
    line(&format!("--{boundary}"));
    line("Content-Type: text/plain; charset=us-ascii");
    line("");
    line(&format!(
        "This is a report about a message received from {range}."
    ));
    line(&format!("It belongs to our letter {}.", letter.ticket));
    line("Its recipients have been made unrecognisable (RFC 6590).");
    if let Some(mark) = tlp {
        line(&mark.to_string());
    }
    line("");
    line(&format!("--{boundary}"));
    line("Content-Type: message/feedback-report");
    line("");
    line("Feedback-Type: abuse");
    line(concat!("User-Agent: Lapwing/", env!("CARGO_PKG_VERSION")));
    line("Version: 1");
    if range.is_single() {
        line(&format!("Source-IP: {range}"));
    }
    if let Some(port) = row.port {
        // RFC 6692
        line(&format!("Source-Port: {port}"));
    }
    if let Some(at) = row.seen_at {
        line(&format!("Arrival-Date: {}", date(at)));
    }
    if let Some(from) = &message.mail_from {
        line(&format!("Original-Mail-From: <{from}>"));
    }
    if let Some(to) = &message.recipient {
        line(&format!("Original-Rcpt-To: <{to}>"));
    }
    line(&format!("Incidents: {}", host.rows.len()));
    line("");
    line(&format!("--{boundary}"));
    line(third);
    line("");
    line(&content);
    line(&format!("--{boundary}--"));
    Some(text.into_bytes())
}

/// The most bytes that the report of a message of this size can take.
pub(super) fn most_bytes(message: usize) -> usize {
    // A header alone may need three signs for a byte, and a break in each line of 76.
    FRAME + message * 3 + message / 8
}

/// The message's part header and content: whole, or its header alone.
fn third_part(message: &Redacted) -> (&'static str, String) {
    let whole = format!("{}\r\n{}", message.header, message.body);
    let is_text = |byte: u8| matches!(byte, b'\t' | b' '..=b'~');
    let is_plain = |line: &str| line.bytes().all(is_text) && line.len() < LONGEST_LINE;
    if whole.lines().all(is_plain) && is_closed(&whole) {
        // What servers on the way change, a signature over the letter would not outlive.
        let lines = whole.lines().map(|line| {
            let quote = if line.starts_with("From ") { ">" } else { "" };
            format!("{quote}{}\r\n", line.trim_end())
        });
        return ("Content-Type: message/rfc822", lines.collect());
    }
    (
        "Content-Type: text/rfc822-headers; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable",
        quoted_printable(&message.header),
    )
}

/// Whether every boundary that the message names is one (RFC 2046 5.1.1), opened and closed in it.
fn is_closed(message: &str) -> bool {
    let lower = message.to_ascii_lowercase();
    lower.match_indices("boundary").all(|(at, word)| {
        let rest = message[at + word.len()..].trim_start();
        let Some(value) = rest.strip_prefix('=').map(str::trim_start) else {
            return true;
        };
        let value = match value.strip_prefix('"') {
            Some(quoted) => quoted.split('"').next(),
            None => value.split(|c: char| c.is_whitespace() || c == ';').next(),
        };
        let value = value.unwrap_or_default();
        let is_sign = |c: char| c.is_ascii_alphanumeric() || "'()+_,-./:=? ".contains(c);
        let (open, close) = (format!("--{value}"), format!("--{value}--"));
        let mut lines = message.lines().map(str::trim_end);
        (1..=70).contains(&value.len())
            && value.chars().all(is_sign)
            && lines.any(|line| line == open)
            && lines.any(|line| line == close)
    })
}

/// RFC 2045 6.7, with every sign encoded that some server may change.
fn quoted_printable(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len() * 2);
    for line in text.lines() {
        let mut width = 0;
        let last = line.len().saturating_sub(1);
        for (at, byte) in line.bytes().enumerate() {
            let is_plain = matches!(byte, b'!'..=b'<' | b'>'..=b'~') || byte == b' ' && at != last;
            let starts_dot_or_from = width == 0 && matches!(byte, b'.' | b'F');
            let sign = match is_plain && !starts_dot_or_from {
                true => (byte as char).to_string(),
                false => format!("={byte:02X}"),
            };
            if width + sign.len() > 75 {
                encoded.push_str("=\r\n");
                width = 0;
            }
            width += sign.len();
            encoded.push_str(&sign);
        }
        encoded.push_str("\r\n");
    }
    encoded
}

/// A line that stands nowhere in the content, the same at each composing of this letter.
fn boundary(letter: &Letter, about: &str, content: &str) -> String {
    let mut salt = 0_u32;
    loop {
        let told = format!("{}\n{about}\n{salt}", letter.message_id);
        let boundary = hex(&Sha256::digest(told)[..16]);
        if !content.contains(&boundary) {
            return boundary;
        }
        salt += 1;
    }
}

/// RFC 5322 3.3.
fn date(at: Timestamp) -> String {
    let moment = jiff::Timestamp::from_second(at.0.div_euclid(1_000)).unwrap_or_default();
    let moment = moment.to_zoned(jiff::tz::TimeZone::UTC);
    moment.strftime("%a, %d %b %Y %H:%M:%S +0000").to_string()
}

#[cfg(test)]
mod tests {
    use mail_parser::{MessageParser, MimeHeaders, PartType};

    use super::super::hosts::{hosts, tests::rows};
    use super::super::redact::Redactor;
    use super::*;
    use crate::model::Mailbox;
    use crate::store::SampleKey;

    fn letter() -> Letter {
        let mailbox = |text: &str| text.parse::<Mailbox>().unwrap();
        Letter {
            id: 1,
            ticket: "LW-000042-5".to_owned(),
            part: 1,
            parts: 1,
            locale: "en".to_owned(),
            country: String::new(),
            sender_name: String::new(),
            sender: mailbox("notices@agency.example"),
            reply_to: mailbox("desk@agency.example"),
            recipient: mailbox("abuse@isp.example"),
            envelope_from: mailbox("b@bounces.example"),
            message_id: "lw-000042-5.1.ab@agency.example".to_owned(),
            dated_at: Timestamp(1_794_816_000_000),
            subject: String::new(),
            text: String::new(),
            html: String::new(),
            rows: 1,
            opt_out: String::new(),
            signed_by: String::new(),
            attachments: Vec::new(),
        }
    }

    fn report_of(message: &str) -> Option<String> {
        let mut rows = rows("192.0.2.7@1794816000 192.0.2.7@1794816300");
        rows[0].sample = Some(SampleKey {
            suspect: 1,
            size: message.len(),
        });
        rows[0].port = Some(49_152);
        let redacted = Redactor::new(b"key".to_vec()).redact(&message.replace('\n', "\r\n"));
        let host = hosts(&rows).next().unwrap();
        let bytes = report(&letter(), host, &redacted, Some(Tlp::Green))?;
        assert!(bytes.len() <= most_bytes(super::super::redact::most_bytes(message.len() * 2)));
        Some(String::from_utf8(bytes).unwrap())
    }

    const SPAM: &str = "Return-Path: <pills@shop.example>\nFrom: Pills <pills@shop.example>\n\
                        To: victim@trap.example\nSubject: Cheap\nMIME-Version: 1.0\n\n\
                        From here on,  \nbuy.\n.\n--\n";

    #[test]
    fn it_is_a_whole_feedback_report_with_the_message() {
        let text = report_of(SPAM).unwrap();
        let report = MessageParser::default().parse(text.as_bytes()).unwrap();
        let kind = report.content_type().unwrap();
        assert_eq!(
            (kind.ctype(), kind.subtype()),
            ("multipart", Some("report"))
        );
        assert_eq!(kind.attribute("report-type"), Some("feedback-report"));
        assert_eq!(report.parts.len(), 4);
        // RFC 5965 3: the order, and the fields that must be there once.
        let fields = text
            .split("Content-Type: message/feedback-report\r\n\r\n")
            .nth(1)
            .unwrap();
        let fields = fields.split("\r\n\r\n").next().unwrap();
        assert_eq!(
            fields.split("\r\n").collect::<Vec<_>>()[..7],
            [
                "Feedback-Type: abuse",
                concat!("User-Agent: Lapwing/", env!("CARGO_PKG_VERSION")),
                "Version: 1",
                "Source-IP: 192.0.2.7",
                "Source-Port: 49152",
                "Arrival-Date: Mon, 16 Nov 2026 08:00:00 +0000",
                "Original-Mail-From: <pills@shop.example>",
            ]
        );
        let PartType::Message(spam) = &report.parts[3].body else {
            panic!("{:?}", report.parts[3]);
        };
        assert_eq!(spam.subject(), Some("Cheap"));
        assert!(!text.contains("victim"));
        assert!(
            text.contains("\r\n>From here on,\r\nbuy.\r\n.\r\n--\r\n"),
            "{text}"
        );
        assert_eq!(report_of(SPAM).unwrap(), text);
    }

    #[test]
    fn what_cannot_stand_in_a_message_as_it_is_goes_by_its_header() {
        for body in ["Bücher", &"x".repeat(1_200)] {
            let text = report_of(&format!(
                "Subject: Bücher billig\nFrom: a@shop.example\nX: {}\n\n{body}\n",
                "y".repeat(200)
            ))
            .unwrap();
            assert!(
                text.is_ascii() && text.lines().all(|line| line.len() <= 120),
                "{text}"
            );
            let report = MessageParser::default().parse(text.as_bytes()).unwrap();
            let kind = report.parts[3].content_type().unwrap();
            assert_eq!(
                (kind.ctype(), kind.subtype()),
                ("text", Some("rfc822-headers"))
            );
            let header = report.parts[3].text_contents().unwrap();
            assert!(header.contains("Subject: Bücher billig"), "{header}");
        }
    }

    #[test]
    fn a_message_whose_parts_are_not_closed_goes_by_its_header() {
        for (boundary, end, is_whole) in [
            ("\"b 1\"", "--b 1--", true),
            ("b1", "--b1--  ", true),
            ("b1", "--b1", false),
            ("b2", "--b2--", false),
            ("\"b1\n", "--b1--", false),
            ("\"\"", "----", false),
        ] {
            let kind = format!("Content-Type: multipart/mixed; boundary={boundary}");
            let text = report_of(&format!(
                "Subject: x\n{kind}\n\n--b 1\n--b1\n\nbuy\n{end}\n"
            ))
            .unwrap();
            assert_eq!(text.contains("\r\nbuy\r\n"), is_whole, "{text}");
            let report = MessageParser::default().parse(text.as_bytes()).unwrap();
            assert_eq!(report.parts.len(), 4, "{text}");
        }
    }

    #[test]
    fn a_text_without_header_is_no_message() {
        assert_eq!(report_of("buy now\n"), None);
    }

    #[test]
    fn no_message_ends_its_part() {
        let text = report_of(SPAM).unwrap();
        let boundary = text.split("boundary=\"").nth(1).unwrap();
        let boundary = boundary.split('"').next().unwrap();
        let forged = report_of(&format!("{SPAM}--{boundary}--\n")).unwrap();
        let report = MessageParser::default().parse(forged.as_bytes()).unwrap();
        assert_eq!(report.parts.len(), 4);
        let other = forged.split("boundary=\"").nth(1).unwrap();
        assert!(!other.starts_with(boundary));
    }
}
