//! Addresses in a report's own text, and how surely each is one that the report is about.

use std::borrow::Cow;

use super::address;
use super::reasons::plain;
use super::signs::leads;
use super::status::{Code, reply};

/// How surely a line names somebody the report is about; the least is the surest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    /// Alone on its line, or before a colon.
    Alone,
    /// First on its line, with the reason behind it.
    First,
    /// Behind a word for it.
    Led,
    /// In a line with a reply of a server.
    Replied,
    Mentioned,
    /// In the head of our letter, told again.
    Quoted,
}

/// An address of a report, and how it stands there.
pub(super) struct Candidate<'a> {
    pub(super) rank: Rank,
    pub(super) line: usize,
    pub(super) address: &'a str,
    /// The rest of its line.
    pub(super) rest: &'a str,
}

/// Every address of a report that may be one it is about.
pub(super) fn candidates<'a>(lines: &[&'a str]) -> Vec<Candidate<'a>> {
    let mut found = Vec::new();
    let mut is_contact = false;
    let mut is_below_sender = false;
    for (at, line) in lines.iter().enumerate() {
        let lower = line.to_ascii_lowercase();
        // A mailbox may be called `contact`.
        let bare = without_addresses(&lower);
        let names_contact = CONTACT.iter().any(|words| bare.contains(words));
        let is_skipped = is_contact || names_contact || is_about_sender(&lower);
        if !line.trim().is_empty() {
            is_contact = names_contact && !lower.trim_end().ends_with('.');
        }
        let names_sender = is_sender_label(line);
        let is_senders = names_sender || is_below_sender;
        if !line.trim().is_empty() {
            is_below_sender = names_sender && !line.contains('@');
        }
        if !line.contains('@') || lower.contains("message-id") || is_senders {
            continue;
        }
        for (nth, address) in address::all(line).enumerate().take(20) {
            let Some(start) = line.find(address) else {
                continue;
            };
            let is_head = lower.trim_start().starts_with("to:")
                && lines[at + 1..].iter().take(3).any(|next| {
                    next.trim_start()
                        .to_ascii_lowercase()
                        .starts_with("subject:")
                });
            let rank = if is_head {
                Rank::Quoted
            } else {
                rank(line, start, address, nth)
            };
            if is_skipped && rank > Rank::Alone {
                continue;
            }
            // "The user you are trying to contact" is no word about whom to ask.
            if names_contact {
                let before = without_addresses(&line[..start]).to_ascii_lowercase();
                if CONTACT.iter().any(|words| before.contains(words)) {
                    continue;
                }
            }
            found.push(Candidate {
                rank,
                line: at,
                address,
                rest: &line[start + address.len()..],
            });
        }
    }
    found
}

fn rank(line: &str, start: usize, address: &str, nth: usize) -> Rank {
    const AROUND: [char; 14] = [
        ' ', '\t', '<', '>', '"', '\'', '*', '-', '|', '(', ')', '[', ']', '\u{2022}',
    ];
    let before = line[..start].trim_matches(AROUND);
    let behind =
        line[start + address.len()..].trim_start_matches(['>', '"', '\'', ']', ')', ' ', '\t']);
    let is_last = behind
        .trim_matches([' ', '\t', '.', ',', ';', ':', '|', '*', '-', '"'])
        .is_empty();
    let has_reply = reply(line).is_some() || Code::find(line).is_some();
    // `"Name" <a@isp.example>`, or several with commas between.
    let lead = line[..start].trim_start();
    let is_name = before.len() < 60
        && (lead.ends_with(" <") || lead.ends_with("\"<"))
        && (lead.starts_with('"') || !before.contains(' '));
    let is_listed = nth > 0
        && line
            .split([',', ';'])
            .all(|one| address::is_one(one.trim_matches(AROUND)));
    match () {
        () if is_listed || (before.is_empty() && (is_last || behind.starts_with([':', ',']))) => {
            Rank::Alone
        }
        () if is_name && (is_last || behind.starts_with(':')) => Rank::Alone,
        () if before.is_empty() => Rank::First,
        () if has_reply && (behind.starts_with("...") || behind.starts_with(" ...")) => Rank::Led,
        () if leads(&line[..start]) => Rank::Led,
        () if has_reply => Rank::Replied,
        () => Rank::Mentioned,
    }
}

pub(super) fn is_daemon(address: &str) -> bool {
    const DESKS: [&str; 18] = [
        "majordomo",
        "listserv",
        "mailman",
        "sympa",
        "postmaster",
        "post_master",
        "post-master",
        "mailer-daemon",
        "mailerdaemon",
        "mail-daemon",
        "maildaemon",
        "mdaemon",
        "mailer_daemon",
        "mail_daemon",
        "daemon",
        "mailer",
        "mailsystem",
        "microsoftexchange",
    ];
    let local = address
        .split('@')
        .next()
        .unwrap_or_default()
        .trim_matches('"')
        .to_ascii_lowercase();
    DESKS
        .iter()
        .any(|desk| local == *desk || (desk.len() > 9 && local.starts_with(desk)))
}

fn without_addresses(line: &str) -> Cow<'_, str> {
    if !line.contains('@') {
        return Cow::Borrowed(line);
    }
    let plain = address::all(line).fold(line.to_owned(), |text, one| text.replace(one, " "));
    Cow::Owned(plain)
}

/// `Adresse de l'expéditeur:`, alone or with what it labels.
fn is_sender_label(line: &str) -> bool {
    let label = match line.split_once([':', '\u{ff1a}']) {
        Some((label, _)) => label,
        None if line.contains('@') => return false,
        None => line,
    };
    let label = label.trim_matches([' ', '\t', '*', '|', '-']);
    if label.is_empty() || label.len() > 80 || label.split(' ').count() > 5 {
        return false;
    }
    let label = plain(label);
    SENDERS.iter().any(|word| label.contains(word))
}

fn is_about_sender(lower: &str) -> bool {
    let line = lower.trim_start();
    SENDER.iter().any(|start| line.starts_with(start))
        || lower.contains("mail from")
        || lower.contains("sender address")
        || lower.contains("sender <")
}

/// Words of lines that tell whom to ask.
const CONTACT: [&str; 13] = [
    "contact",
    "please send mail to",
    "questions",
    "if you do so",
    "for assistance",
    "for further assistance",
    "for help",
    "reply to",
    "forward this",
    "ask for help",
    "write to",
    "postmaster <",
    "in-reply-to",
];

/// The word for who sent, in the languages of mail systems.
const SENDERS: [&str; 25] = [
    "sender address",
    "sender",
    "absender",
    "expediteur",
    "remitente",
    "remetente",
    "mittente",
    "afzender",
    "nadawca",
    "avsandare",
    "afsender",
    "avsender",
    "lahettaja",
    "odesilatel",
    "felado",
    "gonderen",
    "expeditor",
    "отправител",
    "відправник",
    "送信者",
    "差出人",
    "发件人",
    "寄件者",
    "보낸",
    "αποστολεας",
];

/// How lines begin that tell who sent.
const SENDER: [&str; 16] = [
    "from:",
    "sender:",
    "from ",
    "mail from",
    "reply-to",
    "return-path",
    "sent by",
    "message from",
    "your address",
    "<<< mail",
    ">>> mail",
    "cc:",
    "von:",
    "de:",
    "da:",
    "x-sender",
];
