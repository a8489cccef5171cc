//! The message that a suspect sent, made fit to be passed on: nobody who received it can be recognised
//! in it (RFC 6590).
//!
//! Each recipient becomes a token that is the same in all letters of this installation, and says
//! nothing without its key. Where a recipient is found in a form that cannot be replaced in its place
//! (base64, quoted-printable over two lines), the text around it is withheld. What an opaque number
//! in a link may mean, nobody but the spammer knows.

use std::collections::BTreeSet;

use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::trace::{Kind, Trace, WITHHELD, without};
use crate::model::{Mailbox, field_name, hex, plain_text};

/// Fields that name recipients and nobody else.
const RECIPIENTS: [&str; 22] = [
    "to",
    "cc",
    "bcc",
    "resent-to",
    "resent-cc",
    "resent-bcc",
    "apparently-to",
    "delivered-to",
    "envelope-to",
    "original-recipient",
    "final-recipient",
    "x-apparently-to",
    "x-delivered-to",
    "x-envelope-to",
    "x-failed-recipients",
    "x-forwarded-for",
    "x-forwarded-to",
    "x-original-to",
    "x-rcpt-to",
    "x-real-to",
    "x-received-for",
    "x-resolved-to",
];

/// Recipients that are looked for; the body of a message to more of them is withheld.
const MOST: usize = 50;
/// Recipients that a field goes on naming, as tokens.
const NAMED: usize = 10;
/// The shortest local part that is looked for by itself: `a` is in every second word.
const SHORTEST: usize = 3;

/// What stands for the sign between a mailbox's name and its domain.
const AT: [&str; 10] = [
    "@", "%40", "=40", "=", "&#64;", "&commat;", "[at]", " [at] ", "(at)", " (at) ",
];

/// Makes recipients unrecognisable.
#[derive(Clone, Debug)]
pub(super) struct Redactor {
    key: Vec<u8>,
}

/// A message without its recipients.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Redacted {
    /// The fields, each line with its CRLF; empty where the text has none, and so is no message.
    pub(super) header: String,
    pub(super) body: String,
    /// Whom the spam claims to come from: its return path, or its author.
    pub(super) mail_from: Option<Mailbox>,
    /// The first recipient, as a token.
    pub(super) recipient: Option<String>,
    pub(super) subject: String,
    pub(super) message_id: String,
}

/// The most bytes that a message of this size can have afterwards.
pub(super) fn most_bytes(size: usize) -> usize {
    size + size / 4 + 512
}

impl Redactor {
    pub(super) fn new(key: Vec<u8>) -> Self {
        Self { key }
    }

    /// Redacts a message whose lines end with CRLF.
    pub(super) fn redact(&self, message: &str) -> Redacted {
        let (fields, body) = fields(message);
        let mut recipients = BTreeSet::new();
        let mut names = BTreeSet::new();
        for field in &fields {
            match field.name.as_str() {
                "received" => recipients.extend(for_clause(field.text).map(|(_, address)| address)),
                name if RECIPIENTS.contains(&name) => {
                    recipients.extend(named(field.value()));
                    names.extend(words_of_names(field.value()));
                }
                _ => {}
            }
        }
        let is_crowd = recipients.len() > MOST || names.len() > MOST;
        let addresses = recipients.iter().take(MOST);
        let mut traces: Vec<Trace> = addresses.flat_map(|one| self.traces(one)).collect();
        traces.extend(names.iter().take(MOST).map(|name| Trace {
            text: name.clone(),
            replacement: self.mark(name),
            kind: Kind::Name,
        }));
        traces.sort_by_key(|trace| trace.kind);
        let mut redacted = Redacted::default();
        for field in &fields {
            let text = self.field(field, &traces);
            let value = text.split_once(':').map_or("", |(_, value)| value);
            match field.name.as_str() {
                "return-path" => redacted.mail_from = first_mailbox(value),
                "from" if redacted.mail_from.is_none() => {
                    redacted.mail_from = first_mailbox(value);
                }
                "subject" => redacted.subject = plain_text(value, 500),
                "message-id" => redacted.message_id = plain_text(value, 200),
                _ => {}
            }
            redacted.header.push_str(&text);
        }
        redacted.recipient = recipients.first().map(|address| self.token(address));
        redacted.body = match is_crowd {
            true => format!("{WITHHELD}\r\n"),
            false => without(body, &traces),
        };
        let most = most_bytes(message.len());
        cut(&mut redacted.header, most);
        cut(&mut redacted.body, most - redacted.header.len());
        redacted
    }

    fn field(&self, field: &Field<'_>, traces: &[Trace]) -> String {
        if RECIPIENTS.contains(&field.name.as_str()) {
            let tokens: Vec<String> = named(field.value())
                .iter()
                .take(NAMED)
                .map(|address| format!("<{}>", self.token(address)))
                .collect();
            let name = field.text.split(':').next().unwrap_or_default();
            return match tokens.is_empty() {
                true => format!("{name}: undisclosed-recipients:;\r\n"),
                false => format!("{name}: {}\r\n", tokens.join(",\r\n ")),
            };
        }
        let mut text = field.text.to_owned();
        if field.name == "received" {
            while let Some((clause, _)) = for_clause(&text) {
                text.replace_range(clause, "");
            }
        }
        let text = without(&text, traces);
        if text.contains(WITHHELD) {
            let name = field.text.split(':').next().unwrap_or_default();
            return format!("{name}: {WITHHELD}\r\n");
        }
        text
    }

    /// An address that leads nowhere, always the same for the same recipient.
    fn token(&self, address: &str) -> String {
        format!("{}@redacted.invalid", self.mark(address))
    }

    fn mark(&self, address: &str) -> String {
        // HMAC takes keys of any length.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.key) else {
            return "redacted".to_owned();
        };
        mac.update(address.as_bytes());
        hex(&mac.finalize().into_bytes()[..8])
    }

    /// The forms in which a recipient may stand in a message.
    fn traces(&self, address: &str) -> Vec<Trace> {
        let mark = self.mark(address);
        let (local, domain) = address.split_once('@').unwrap_or((address, ""));
        let mut traces = Vec::new();
        if !domain.is_empty() {
            for at in AT {
                let replacement = match at {
                    "@" => self.token(address),
                    _ => mark.clone(),
                };
                traces.push(Trace {
                    text: format!("{local}{at}{domain}"),
                    replacement,
                    kind: Kind::Address,
                });
            }
            traces.push(Trace {
                text: hex(address.as_bytes()),
                replacement: mark.clone(),
                kind: Kind::Address,
            });
        }
        if local.len() >= SHORTEST {
            traces.push(Trace {
                text: local.to_owned(),
                replacement: mark,
                kind: Kind::LocalPart,
            });
        }
        traces
    }
}

struct Field<'m> {
    /// In lower case.
    name: String,
    /// With its name, and all its lines.
    text: &'m str,
}

impl<'m> Field<'m> {
    fn value(&self) -> &'m str {
        self.text.split_once(':').map_or("", |(_, value)| value)
    }
}

/// A message's fields and its body. What has no field at its head is all body.
fn fields(message: &str) -> (Vec<Field<'_>>, &str) {
    let mut fields: Vec<Field<'_>> = Vec::new();
    let (mut begin, mut end) = (0, 0);
    for line in message.split_inclusive("\r\n") {
        let is_mbox = end == 0 && line.starts_with("From ");
        let folds = line.starts_with([' ', '\t']) && !line.trim().is_empty();
        match (fields.last_mut(), field_name(line)) {
            (Some(last), _) if folds => last.text = &message[begin..end + line.len()],
            (_, Some(name)) if !folds => {
                begin = end;
                fields.push(Field {
                    name: name.to_ascii_lowercase(),
                    text: line,
                });
            }
            _ if is_mbox => {}
            // An empty line, or one that no header can have.
            _ => {
                let line_end = if line == "\r\n" { line.len() } else { 0 };
                let body = match fields.is_empty() {
                    true => message,
                    false => &message[end + line_end..],
                };
                return (fields, body);
            }
        }
        end += line.len();
    }
    match fields.is_empty() {
        true => (fields, message),
        false => (fields, ""),
    }
}

/// The addresses in a text, in lower case.
fn addresses(text: &str) -> impl Iterator<Item = String> + '_ {
    let is_local = |c: char| c.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c);
    let is_domain = |c: char| c.is_alphanumeric() || c == '-' || c == '.';
    text.match_indices('@').filter_map(move |(at, _)| {
        let before = text[..at].trim_end_matches('"');
        let local = &before[before.trim_end_matches(is_local).len()..];
        let behind = &text[at + 1..];
        let domain = &behind[..behind.len() - behind.trim_start_matches(is_domain).len()];
        let domain = domain.trim_matches('.');
        (!local.is_empty() && !domain.is_empty())
            .then(|| format!("{local}@{domain}").to_lowercase())
    })
}

/// Whom a field of recipients names: addresses, or the bare name of a mailbox.
fn named(value: &str) -> BTreeSet<String> {
    let mut named: BTreeSet<String> = addresses(value).collect();
    let bare = value.trim().trim_matches(['<', '>']);
    let is_name = |c: char| c.is_alphanumeric() || "-_.+".contains(c);
    if named.is_empty() && !bare.is_empty() && bare.chars().all(is_name) {
        named.insert(bare.to_lowercase());
    }
    named
}

/// The names that stand beside addresses, and their words, for spam calls its victims by them; words of
/// three letters and less are in every text.
fn words_of_names(value: &str) -> BTreeSet<String> {
    let names = value
        .split(',')
        .filter_map(|one| Some(one.split_once('<')?.0));
    let mut found = BTreeSet::new();
    // One that is encoded goes with its field; how else it may be written is not guessed.
    for name in names.filter(|name| !name.contains("=?")) {
        let words = name.split(|c: char| !c.is_alphanumeric());
        let words = words.filter(|word| word.chars().count() > SHORTEST);
        found.extend(words.map(str::to_lowercase));
        let whole = name.trim_matches(|c: char| c.is_whitespace() || "\"'".contains(c));
        found.extend(Some(whole.to_lowercase()).filter(|whole| whole.contains(' ')));
    }
    found
}

/// Where a Received field says for whom (RFC 5321 4.4), and that address.
fn for_clause(text: &str) -> Option<(std::ops::Range<usize>, String)> {
    let lower = text.to_ascii_lowercase();
    lower.match_indices("for").find_map(|(at, word)| {
        let is_blank = |c: char| c.is_ascii_whitespace();
        let behind = &text[at + word.len()..];
        let address = behind.trim_start_matches(is_blank);
        if !text[..at].ends_with(is_blank) || address.len() == behind.len() {
            return None;
        }
        let len = address
            .find(|c: char| is_blank(c) || c == ';')
            .unwrap_or(address.len());
        let found = addresses(&address[..len]).next()?;
        let end = text.len() - address.len() + len;
        Some((text[..at].trim_end().len()..end, found))
    })
}

fn first_mailbox(value: &str) -> Option<Mailbox> {
    addresses(value).find_map(|address| address.parse().ok())
}

/// Cuts at the end of a line, where there is one.
fn cut(text: &mut String, most: usize) {
    if text.len() > most {
        text.truncate(text.floor_char_boundary(most));
        let end = text.rfind("\r\n").map_or(text.len(), |at| at + 2);
        text.truncate(end);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redacted(message: &str) -> Redacted {
        Redactor::new(b"a key".to_vec()).redact(&message.replace('\n', "\r\n"))
    }

    fn whole(message: &str) -> String {
        let redacted = redacted(message);
        format!("{}\r\n{}", redacted.header, redacted.body).replace("\r\n", "\n")
    }

    #[test]
    fn a_name_that_is_replaced_hides_no_address() {
        for body in [
            "jane.do=\ne@trap.example",
            "jane&#46;doe&#64;trap.example",
            "http://shop.example/?x=6A616E652E646F6540747261702E6578616D706C65",
            "jane.doe [at] trap.example",
            "Dear Jane Doe, dear Jane",
        ] {
            let told = whole(&format!(
                "To: \"Jane Doe\" <jane.doe@trap.example>\n\n{body}\n"
            ));
            let lower = told.to_lowercase();
            for left in ["jane", "doe", "trap.example", "6a616e65"] {
                assert!(!lower.contains(left), "{left}: {told}");
            }
        }
    }

    #[test]
    fn no_recipient_is_left_and_each_is_the_same_everywhere() {
        let told = whole(
            "From x Mon\nReturn-Path: <b-jane.doe=trap.example@shop.example>\n\
             Received: from pc (pc.isp.example [192.0.2.1])\n\tby mx.trap.example with ESMTP id 7\n\
             \tfor <Jane.Doe@trap.example>; Sun, 1 Nov 2026 04:05:06 +0000\n\
             Delivered-To: box7\nX-Original-To: jane.doe@trap.example\n\
             TO: \"Jane Doe\" <jane.doe@trap.example>,\n Bob <bob@other.example>\n\
             Subject: =?utf-8?Q?jane.doe, buy?=\nFrom: Jane <jane.doe@trap.example>\n\n\
             Hello JANE.DOE (jane.doe%40trap.example), bob and box7: http://shop.example/?m=bob@other.example\n\
             bobsleigh\n",
        );
        let lower = told.to_lowercase();
        for trace in ["jane", "bob@", "box7", " bob ", "trap.example>", "for <"] {
            assert!(!lower.contains(trace), "{trace}\n{told}");
        }
        // What tells of the sender stays.
        for kept in [
            "Received: from pc (pc.isp.example [192.0.2.1])\n\tby mx.trap.example with ESMTP id 7; Sun, 1 Nov",
            "@shop.example>\n",
            "bobsleigh",
            "buy?=",
        ] {
            assert!(told.contains(kept), "{kept}\n{told}");
        }
        let token = told.split("X-Original-To: <").nth(1).unwrap();
        let token = token.split('@').next().unwrap();
        assert!(told.matches(token).count() >= 5, "{told}");
        let other = Redactor::new(b"another".to_vec());
        let other = other.redact("To: jane.doe@trap.example\r\n\r\n");
        assert!(!other.header.contains(token));
    }

    #[test]
    fn what_hides_a_recipient_is_withheld() {
        let base64 = "RGVhciBqYW5lLmRvZUB0cmFwLmV4YW1wbGUsIGJ1eSBv\ndXIgcGlsbHMu";
        for (body, is_hidden) in [
            (base64, true),
            // "Dear friend, buy our pills." tells of nobody.
            ("RGVhciBmcmllbmQsIGJ1eSBvdXIgcGlsbHMu", false),
            (
                "http://shop.example/?e=amFuZS5kb2VAdHJhcC5leGFtcGxl&x=1",
                true,
            ),
            ("jane.d=\noe=40trap.example", true),
            ("=6Aane.doe", true),
            ("http://shop.example/%6Aane.doe", true),
            ("&#106;ane.doe", true),
            ("&#x6a;ane.doe", true),
            ("nothing = nobody, 100% &#65; &#xyz; &#9999999999;", false),
        ] {
            let told = whole(&format!("To: jane.doe@trap.example\n\n{body}\nend\n"));
            assert_eq!(told.contains(WITHHELD), is_hidden, "{told}");
            assert_eq!(told.contains(body), !is_hidden, "{told}");
        }
        let told =
            whole("To: jane@trap.example\nSubject: =?utf-8?B?SGkgamFuZSwgYnV5?=\nX-A: b\n\nx\n");
        assert!(told.contains("buy?=") || told.contains(WITHHELD), "{told}");
        assert!(
            !told.contains("amFuZS") && told.contains("X-A: b"),
            "{told}"
        );
    }

    #[test]
    fn what_is_no_message_is_body_and_a_crowd_gets_none() {
        assert_eq!(redacted("buy now\nTo: x\n").header, "");
        assert_eq!(redacted("").body, "");
        assert_eq!(
            redacted("Subject: x\nTo:\n").header,
            "Subject: x\r\nTo: undisclosed-recipients:;\r\n"
        );
        let crowd: Vec<String> = (0..60).map(|n| format!("user{n}@trap.example")).collect();
        let told = redacted(&format!("To: {}\n\nDear user7\n", crowd.join(",\n ")));
        assert_eq!(told.body, format!("{WITHHELD}\r\n"));
        assert_eq!(told.header.matches("@redacted.invalid").count(), NAMED);
    }

    #[test]
    fn it_grows_by_little_whatever_it_holds() {
        let long = format!("To: abc@trap.example\n\n{}", "abc ".repeat(16_000));
        let hostile = format!("To: {}\n\n{}", "@".repeat(9_000), "=".repeat(9_000));
        let nested = format!("Received: {}\n\n", "for ".repeat(9_000));
        for message in [long, hostile, nested] {
            let message = message.replace('\n', "\r\n");
            let told = Redactor::new(Vec::new()).redact(&message);
            assert!(told.header.len() + told.body.len() <= most_bytes(message.len()));
            assert!(!told.body.contains("abc "));
        }
    }

    #[test]
    fn it_knows_whose_the_message_claims_to_be() {
        let told = redacted(
            "From: A <a@shop.example>\nReturn-Path: <b@shop.example>\nSubject: x\n y\nMessage-ID: <1@x>\n\n",
        );
        assert_eq!(told.mail_from.unwrap().as_str(), "b@shop.example");
        assert_eq!(
            (told.subject.as_str(), told.message_id.as_str()),
            ("x   y", "<1@x>")
        );
        let told = redacted("Return-Path: <>\nFrom: A <a@shop.example>\n\n");
        assert_eq!(told.mail_from.unwrap().as_str(), "a@shop.example");
    }
}
