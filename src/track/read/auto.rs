//! Machines that answer for people: vacations, desks that acknowledge, challenges, receipts (RFC 3834, 8098, and before).

use super::fields::Fields;
use super::reasons::plain;
use super::signs::{Kind, Sign};
use super::subject;
use super::ticket;
use crate::model::AutoReply;

/// What is known of a message that may be a machine's answer.
pub(super) struct Answer<'a> {
    pub(super) header: &'a Fields,
    pub(super) subject: &'a str,
    pub(super) subject_signs: &'a [Sign],
    /// What its writer says himself.
    pub(super) own: &'a str,
    pub(super) signs: &'a [Sign],
    pub(super) is_null_sender: bool,
}

/// Kinds of signs that an answer has which nobody wrote; the first that speaks is quoted.
const ANSWERS: [Kind; 5] = [
    Kind::Away,
    Kind::Challenge,
    Kind::Logged,
    Kind::Received,
    Kind::Retired,
];

impl Answer<'_> {
    /// Whether a machine wrote it, and by which sign.
    pub(super) fn read(&self) -> Option<(AutoReply, String)> {
        let by = by_header(self.header)
            .or_else(|| subject::automatic(self.subject, is_list(self.header)))
            .or_else(|| self.by_envelope())
            .or_else(|| self.by_text())?;
        Some((self.kind(), by))
    }

    /// Whether its text is one of an answer.
    pub(super) fn speaks(&self) -> Option<&Sign> {
        let of = |kind: Kind| self.signs.iter().find(|sign| sign.kind == kind);
        ANSWERS.into_iter().find_map(of)
    }

    /// Its header or subject says so, and its text has the words of an answer that no failure has.
    pub(super) fn is_told(&self) -> bool {
        let kinds = [Kind::Away, Kind::Challenge, Kind::Logged, Kind::Retired];
        self.says(&kinds).is_some()
            && (by_header(self.header).is_some()
                || subject::automatic(self.subject, is_list(self.header)).is_some())
    }

    fn says(&self, kinds: &[Kind]) -> Option<&Sign> {
        self.signs.iter().find(|sign| kinds.contains(&sign.kind))
    }

    fn answers(&self) -> bool {
        self.header.has("in-reply-to")
            || self.header.has("references")
            || subject::is_reply(self.subject)
    }

    /// A machine that says so only in its text is believed where its envelope or its header says the same.
    fn by_envelope(&self) -> Option<String> {
        if let Some(sign) = self.speaks()
            && self.is_null_sender
        {
            let words = sign.words;
            return Some(format!(
                "no sender on the envelope, and it says \"{words}\""
            ));
        }
        let has = |name: &str, words: &[&str]| {
            self.header.get(name).is_some_and(|value| {
                let value = value.to_ascii_lowercase();
                words.iter().any(|one| value.starts_with(one))
            })
        };
        let is_unanswerable = has("precedence", &["junk", "bulk"])
            || has("auto-submitted", &["auto-generated"])
            || self.header.has("x-auto-response-suppress");
        let spoken = self.speaks().or(self.says(&[Kind::Automatic]));
        if let Some(sign) = spoken.or_else(|| self.titled())
            && is_unanswerable
            && !is_list(self.header)
        {
            return Some(format!(
                "not to be answered, and it says \"{}\"",
                sign.words
            ));
        }
        if self.is_null_sender && self.answers() {
            return Some("an answer without a sender on its envelope".to_owned());
        }
        let from = self.header.address("from").unwrap_or_default();
        let from = from.to_ascii_lowercase().replace(['-', '_', '.'], "");
        let holds = [
            "noreply",
            "donotreply",
            "nepasrepondre",
            "noresponder",
            "autoreply",
            "autoresponder",
        ]
        .iter()
        .any(|name| from.contains(name));
        let sign = self.says(&[Kind::Received, Kind::Logged, Kind::Automatic, Kind::Retired])?;
        (holds && !self.header.has("list-unsubscribe"))
            .then(|| format!("nobody reads answers to it, and it says \"{}\"", sign.words))
    }

    /// What nothing marks but its own words, of which one is not enough.
    fn by_text(&self) -> Option<String> {
        if is_list(self.header) {
            return None;
        }
        let logged = self.says(&[Kind::Logged]);
        let automatic = self.says(&[Kind::Automatic]);
        if let Some(sign) = automatic
            && !self.header.has("list-unsubscribe")
        {
            return Some(format!("it says of itself \"{}\"", sign.words));
        }
        // A desk's program that marks nothing still numbers the case, and says what it did.
        if let Some(sign) = logged
            && let Some(number) = self.number(sign)
        {
            let words = sign.words;
            return Some(format!(
                "it numbers the case {number}, and says \"{words}\""
            ));
        }
        if let Some(title) = self.titled()
            && let Some(sign) = logged.or(self.says(&[Kind::Received]))
        {
            let (title, words) = (title.words, sign.words);
            return Some(format!(
                "its subject says \"{title}\", and its text \"{words}\""
            ));
        }
        if let Some(prefix) = exchange_prefix(self.header, self.subject)
            && let Some(sign) = self.speaks()
        {
            let words = sign.words;
            return Some(format!(
                "\"{prefix}\" stands before the subject, and it says \"{words}\""
            ));
        }
        let is_away = |sign: &&Sign| sign.kind == Kind::Away && !VAGUE.contains(&sign.words);
        if let Some(title) = self.subject_signs.iter().find(is_away)
            && let Some(sign) = self.signs.iter().find(is_away)
            && !self.answers()
        {
            let (title, words) = (title.words, sign.words);
            return Some(format!(
                "its subject says \"{title}\", and its text \"{words}\""
            ));
        }
        // A riddle to be solved at a link.
        if let Some(sign) = self.says(&[Kind::Challenge])
            && RIDDLES.iter().any(|word| sign.words.contains(word))
            && self.own.contains("http")
        {
            return Some(format!("behind a link it wants \"{}\"", sign.words));
        }
        let words = away_until(self.own)?;
        Some(format!("it says no more than \"{words}\""))
    }

    /// The number of the case: marked as one, or beside the word for what was done with it.
    fn number(&self, sign: &Sign) -> Option<String> {
        let beside = || {
            let lines = [self.subject].into_iter().chain(self.own.lines());
            lines
                .filter(|line| plain(line).contains(&plain(sign.words)))
                .find_map(ticket::digits)
        };
        ticket::in_brackets(self.subject)
            .or_else(|| ticket::of(self.subject, self.own))
            .or_else(beside)
    }

    /// What the subject says that no person who answers would head it with.
    fn titled(&self) -> Option<&Sign> {
        let kinds = [Kind::Logged, Kind::Received, Kind::Automatic];
        let sign = self
            .subject_signs
            .iter()
            .find(|sign| kinds.contains(&sign.kind))?;
        (!subject::is_reply(self.subject) && !subject::is_forward(self.subject)).then_some(sign)
    }

    fn kind(&self) -> AutoReply {
        let all = || self.subject_signs.iter().chain(self.signs);
        let has = |kind: Kind| all().any(|sign| sign.kind == kind);
        let is_titled_away = self
            .subject_signs
            .iter()
            .any(|sign| sign.kind == Kind::Away);
        if has(Kind::Challenge) {
            AutoReply::Challenge
        } else if is_titled_away {
            AutoReply::Vacation
        } else if has(Kind::Retired) {
            AutoReply::AddressRetired
        } else if has(Kind::Away) {
            AutoReply::Vacation
        } else if has(Kind::Received) || has(Kind::Logged) {
            AutoReply::Acknowledgement
        } else {
            AutoReply::Automatic
        }
    }
}

/// What only those ask who let a program ask.
const RIDDLES: [&str; 6] = [
    "human",
    "person",
    "approved",
    "held",
    "waiting",
    "delivered",
];

/// Lines of a note that says no more than that somebody is away.
const NOTE: usize = 10;

/// Away until then, in one line of a short text: not "I was away", from one who is back.
fn away_until(own: &str) -> Option<&'static str> {
    let lines = || own.lines().filter(|line| !line.trim().is_empty());
    if lines().count() > NOTE || own.len() > 1000 {
        return None;
    }
    let sentences = own.split_inclusive(['.', '!', '\u{3002}']);
    sentences
        .filter(|one| {
            let text = plain(one);
            let has = |list: &[&str]| list.iter().any(|word| text.contains(word));
            has(&UNTIL) && !has(&WAS) && text.chars().any(|c| c.is_ascii_digit())
        })
        .find_map(|one| {
            let found = super::signs::signs(one);
            let is_said = |sign: &Sign| sign.kind == Kind::Away && !VAGUE.contains(&sign.words);
            let sign = found.into_iter().find(is_said);
            sign.map(|sign| sign.words)
        })
}

/// Words that mean other things in a sentence: "in the absence of ports".
const VAGUE: [&str; 7] = [
    "absence", "absent", "absente", "assenza", "i am on", "on leave", "外出",
];

const UNTIL: [&str; 34] = [
    "until",
    "till ",
    "through ",
    "from ",
    "back on",
    "return on",
    "returning",
    "bis ",
    "jusqu",
    "du ",
    "hasta",
    "fino a",
    "rientr",
    "ate ",
    "de volta",
    "tot ",
    "t/m",
    "vanaf",
    "do ",
    "od ",
    "до ",
    "по ",
    "tilbage",
    "tillbaka",
    "saakka",
    "kadar",
    "まで",
    "より",
    "返回",
    "까지",
    " til ",
    "tills ",
    "-ig ",
    "-tol ",
];

const WAS: [&str; 8] = [
    " was ", " war ", " were ", "etais", "estuve", "estaba", "estive", " ero ",
];

fn by_header(header: &Fields) -> Option<String> {
    let told = |name: &str, value: &str| Some(format!("{name}: {value}"));
    for (name, value) in header.iter() {
        let lower = value.to_ascii_lowercase();
        let is_one = match name {
            // `auto-generated` is also what lists and monitors say of themselves.
            "auto-submitted" => {
                lower.starts_with("auto-replied")
                    || lower.starts_with("auto-response")
                    || lower.starts_with("auto-reply")
            }
            "x-autoreply" | "x-autorespond" | "x-autoresponder" | "x-auto-reply"
            | "x-auto-response" | "x-autogenerated" | "x-autoreply-from" | "x-mail-autoreply"
            | "x-vacation" | "x-away" | "x-autosubmitted" => {
                !matches!(lower.as_str(), "no" | "false" | "0")
            }
            "precedence" | "x-precedence" => {
                lower.starts_with("auto_reply")
                    || lower.starts_with("auto-reply")
                    || lower.starts_with("autoreply")
            }
            "x-post-messageclass" => lower.contains("autorespond"),
            "x-failure-type" | "delivered-to" => lower == "autoresponder",
            "x-fc-machinegenerated" => lower == "true",
            "x-cron-env" => false,
            "x-ms-exchange-generated-message-source" => {
                lower.contains("mailbox rules") || lower.contains("oof")
            }
            "x-ms-exchange-inbox-rules-loop" => false,
            "preference" => lower.contains("auto_reply"),
            "x-mailer" | "user-agent" => [
                "vacation",
                "autorespond",
                "auto-respond",
                "autoreply",
                "tmda",
                "ezmlm-reply",
            ]
            .iter()
            .any(|word| lower.contains(word)),
            "content-type" => {
                lower.contains("report-type=\"auto") || lower.contains("report-type=auto")
            }
            "return-path" => lower.contains("autorespond") || lower.contains("autoreply"),
            _ => false,
        };
        if is_one {
            return told(name, value);
        }
    }
    // Exchange marks what it answers by itself; but so do ticket systems in all they send.
    let suppresses = header.get("x-auto-response-suppress").is_some_and(|value| {
        let value = value.to_ascii_lowercase();
        value.contains("all") || value.contains("autoreply") || value.contains("oof")
    });
    let answers = header.has("in-reply-to") || subject::is_reply(&header.decoded("subject"));
    let is_generated = header
        .get("auto-submitted")
        .is_some_and(|value| value.to_ascii_lowercase().starts_with("auto-generated"));
    if (suppresses || is_generated) && answers && !is_list(header) {
        return told(
            if suppresses {
                "x-auto-response-suppress"
            } else {
                "auto-submitted"
            },
            "in an answer",
        );
    }
    None
}

fn is_list(header: &Fields) -> bool {
    ["list-id", "list-post", "mailing-list"]
        .iter()
        .any(|name| header.has(name))
}

/// Exchange keeps the subject of a thread, and puts words of its own language before that of an answer.
fn exchange_prefix<'a>(header: &Fields, subject: &'a str) -> Option<&'a str> {
    let topic = header.decoded("thread-topic");
    let prefix = subject
        .strip_suffix(topic.trim())?
        .trim_end()
        .strip_suffix(':')?;
    (prefix.chars().count() > 5 && !topic.trim().is_empty()).then_some(prefix)
}
