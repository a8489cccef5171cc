//! What mail systems write for people to read, and how it is told from what people write.

use super::address;
use super::auto::Answer;
use super::candidate::is_daemon;
use super::desk::{Desk, say};
use super::notice::{self, Bystanders};
use super::report::Block;
use super::signs::{Kind, Sign};
use super::subject;
use crate::model::{Class, Reading};

/// Lines that a report without a letter, and without a name below it, may have.
const SHORT: usize = 30;

impl Desk<'_> {
    /// Reports written for people.
    pub(super) fn written(&self, reading: &mut Reading) -> bool {
        let failed = notice::failed_recipients(self.header);
        let why = match failed.is_empty() {
            true => self.why_report(),
            false => Some("X-Failed-Recipients".to_owned()),
        };
        let Some(why) = why else {
            return false;
        };
        say(reading, "text", why);
        if let Some(system) = self.sign(Kind::System) {
            say(
                reading,
                "text",
                format!("the words of a mail system: \"{}\"", system.words),
            );
        }
        let mut blocks = self.named();
        if !failed.is_empty() {
            let of = |one: &String| {
                let known = blocks.iter().find(|block| {
                    block
                        .address()
                        .is_some_and(|known| address::same(known, one))
                });
                known.cloned().unwrap_or_else(|| Block {
                    diagnostic: if failed.len() == 1 {
                        self.last_words()
                    } else {
                        String::new()
                    },
                    ..Block::of_address(one.clone())
                })
            };
            blocks = failed.iter().map(of).collect();
        }
        if blocks.is_empty() {
            blocks.push(Block::default());
        }
        self.conclude(reading, "text", &blocks);
        true
    }

    /// Why it is a report, if it is one.
    fn why_report(&self) -> Option<String> {
        let in_text = self.sign(Kind::Failed).or_else(|| self.sign(Kind::Delayed));
        let in_subject = self
            .subject_signs
            .iter()
            .find(|sign| is_trouble(sign))
            .filter(|sign| !subject::keeps(&self.subject, sign.words));
        let words = in_text.or(in_subject);
        let answer = self.answer();
        let answers = answer.is_told();
        if self.is_daemon {
            if let Some(words) = words.filter(|_| self.is_credible(in_subject.is_some())) {
                return Some(format!("a mail system says \"{}\"", words.words));
            }
            if self.frame.kind == "multipart/report" {
                return Some("a mail system wrote it, as a report".to_owned());
            }
        }
        // Without a name of a mail system below it: title and text say so, and it begins a talk.
        if let (Some(words), Some(_)) = (in_text, in_subject)
            && !answers
            && self.is_short_and_new()
            && self.names_sure()
        {
            return Some(format!("it says \"{}\", and whom it is about", words.words));
        }
        if (self.is_daemon || (self.is_null_sender && !answers))
            && self.sign(Kind::Away).is_none()
            && self.names_sure()
            && let Some(found) = self.reasons.find_around(&self.telling, None)
        {
            return Some(format!("it names an address and says \"{}\"", found.by));
        }
        if self.is_robot() && self.is_about_somebody() && answer.speaks().is_none() {
            return Some("a mail system names somebody else's address".to_owned());
        }
        if let Some(words) = in_text
            && !answers
            && self.is_short_and_new()
            && is_form(&self.report)
            && self.names_sure()
        {
            return Some(format!("a form that says \"{}\"", words.words));
        }
        let words = words.filter(|_| !self.is_talk() || self.is_daemon)?;
        let is_backed = in_subject.is_some()
            || self.sign(Kind::System).is_some()
            || self.is_null_sender
            || (self.is_nobodys() && !self.header.has("list-unsubscribe"));
        if self.has_letter && is_backed {
            return Some(format!(
                "the letter comes back, and it says \"{}\"",
                words.words
            ));
        }
        let is_told = in_subject.is_some() && in_text.is_some() && self.is_null_sender && !answers;
        is_told.then(|| format!("it has no sender, and says \"{}\"", words.words))
    }

    /// Nobody else calls himself so, and nothing can be sent back to it.
    fn is_robot(&self) -> bool {
        let from = self.header.address("from").unwrap_or_default();
        self.is_daemon
            && !self.is_talk()
            && (self.is_null_sender || from.to_ascii_lowercase().contains("daemon"))
    }

    /// It gives a letter back, or names who did not get it.
    fn is_about_somebody(&self) -> bool {
        self.has_letter || self.names_sure()
    }

    fn answer(&self) -> Answer<'_> {
        Answer {
            header: self.header,
            subject: &self.subject,
            subject_signs: &self.subject_signs,
            own: &self.own,
            signs: &self.signs,
            is_null_sender: self.is_null_sender && !self.is_daemon,
        }
    }

    /// Anybody may call himself Mail Administrator, and a postmaster may write himself.
    fn is_credible(&self, in_subject: bool) -> bool {
        let from = self
            .header
            .get("from")
            .unwrap_or_default()
            .to_ascii_lowercase();
        let is_robot = from.contains("daemon") || from.trim() == "<>";
        let is_titled = in_subject
            && self
                .header
                .address("from")
                .is_some_and(|from| is_daemon(&from));
        is_robot
            || is_titled
            || self.has_letter
            || self.is_null_sender
            || (!self.is_own_mailbox() && self.names_sure())
    }

    /// A postmaster who sends from where he can be answered writes as people do.
    fn is_own_mailbox(&self) -> bool {
        let address = |name: &str| self.header.address(name);
        let path = address("return-path").zip(address("from"));
        path.is_some_and(|(path, from)| address::same(&path, &from))
    }

    fn is_short_and_new(&self) -> bool {
        let is_talk = subject::is_forward(&self.subject)
            || self.header.has("in-reply-to")
            || self.header.has("references");
        let lines = self.report.lines().filter(|line| !line.trim().is_empty());
        !is_talk && lines.count() < SHORT
    }

    fn names_sure(&self) -> bool {
        notice::names_sure(&self.report, &self.bystanders())
    }

    /// What machines send to everybody whom it may concern, and which answers nothing.
    pub(super) fn announced(&self, reading: &mut Reading) -> bool {
        let subject = self.subject.to_ascii_lowercase();
        let has = |words: &[&str]| words.iter().any(|one| subject.contains(one));
        let why = match () {
            () if has(&["report domain:", "report-id:"]) => {
                "a report of what others sent in our name"
            }
            () if has(&ALERTS) => "an alert of a virus scanner",
            () => return false,
        };
        reading.class = Class::Other;
        say(reading, "other", why.to_owned());
        true
    }

    pub(super) fn automatic(&self, reading: &mut Reading) -> bool {
        let Some((kind, why)) = self.answer().read() else {
            return false;
        };
        reading.class = Class::AutoReply;
        reading.auto_reply = Some(kind);
        say(reading, "auto-reply", why);
        true
    }

    /// What looks like a report and is none, and what is sent to many.
    pub(super) fn strange(&self, reading: &mut Reading) -> bool {
        let is_new = !self.is_talk();
        let seems_failed = (self.is_daemon && !self.is_own_mailbox())
            || (is_new
                && self
                    .subject_signs
                    .iter()
                    .any(|sign| sign.kind == Kind::Failed));
        let why = match () {
            () if seems_failed => "it looks like a report, but says nothing of a letter",
            () if self.is_for_many() => "a newsletter",
            () => return false,
        };
        reading.class = Class::Other;
        say(reading, "other", why.to_owned());
        true
    }

    /// A list has as many readers, but people write to it.
    fn is_for_many(&self) -> bool {
        let is_bulk = self
            .header
            .get("precedence")
            .is_some_and(|value| value.eq_ignore_ascii_case("bulk"));
        let is_talk = TALK.iter().any(|name| self.header.has(name));
        (self.header.has("list-unsubscribe") || is_bulk || self.is_nobodys()) && !is_talk
    }

    fn is_nobodys(&self) -> bool {
        let from = self.header.address("from").unwrap_or_default();
        let from = from.to_ascii_lowercase();
        NOBODY.iter().any(|start| from.starts_with(start))
    }

    /// Who is named in a report without being what it is about.
    fn bystanders(&self) -> Bystanders {
        let mut ours = Vec::new();
        for name in ["to", "delivered-to", "x-original-to", "envelope-to"] {
            ours.extend(self.header.addresses(name));
        }
        if let Some(letter) = &self.letter {
            let names = ["from", "sender", "return-path", "reply-to"];
            ours.extend(names.iter().filter_map(|name| letter.address(name)));
        }
        Bystanders {
            ours,
            theirs: self.header.address("from"),
            wrote: self.written_to(),
        }
    }

    /// Whom the text is about; else the one to whom the letter went.
    pub(super) fn named(&self) -> Vec<Block> {
        let found = notice::recipients(&self.report, &self.bystanders());
        if !found.is_empty() {
            return found;
        }
        let wrote = self.written_to().map(Block::of_address);
        wrote.into_iter().collect()
    }

    /// The one to whom the letter went, as its own head tells.
    fn written_to(&self) -> Option<String> {
        let letter = self.letter.as_ref()?;
        let names = [
            "x-envelope-to",
            "envelope-to",
            "x-rcpt-to",
            "x-original-to",
            "to",
        ];
        let mut lists = names.iter().map(|name| letter.addresses(name));
        match lists.find(|found| !found.is_empty())?.as_slice() {
            [one] => Some(one.clone()),
            _ => None,
        }
    }

    /// Where the reason stands, if a short report names its recipient elsewhere.
    fn last_words(&self) -> String {
        let lines: Vec<&str> = self
            .report
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
            .collect();
        lines[lines.len().saturating_sub(8)..].join(" ")
    }
}

/// Lines of a label and its value: sender, recipient, subject, reason. People write sentences.
fn is_form(report: &str) -> bool {
    let is_filled = |line: &&str| {
        line.split_once([':', '\u{ff1a}'])
            .is_some_and(|(label, value)| {
                let label = label.trim();
                (1..=24).contains(&label.chars().count())
                    && label.split_whitespace().count() <= 3
                    && !value.trim().is_empty()
                    && !value.starts_with("//")
            })
    };
    report.lines().filter(is_filled).count() >= 4
}

fn is_trouble(sign: &Sign) -> bool {
    matches!(sign.kind, Kind::Failed | Kind::Delayed)
}

const ALERTS: [&str; 7] = [
    "virus found",
    "found virus",
    "virus alert",
    "virus detected",
    "virus warning",
    "virus in mail",
    "virus in your",
];

/// How addresses begin that nobody reads.
const NOBODY: [&str; 6] = [
    "news@",
    "newsletter",
    "noreply@",
    "no-reply@",
    "donotreply@",
    "marketing@",
];

/// Fields of mail that belongs to a talk.
const TALK: [&str; 6] = [
    "list-post",
    "list-id",
    "mailing-list",
    "x-mailing-list",
    "in-reply-to",
    "references",
];
