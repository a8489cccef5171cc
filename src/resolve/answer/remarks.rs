//! Free text of registries: which of the mailboxes in it are for reports of abuse.

use super::MOST;
use super::scan::start_of;
use crate::model::Mailbox;

/// What remarks say, in their order.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Remarks {
    /// Where reports go.
    pub(super) mailboxes: Vec<Mailbox>,
    /// The web page where they go.
    pub(super) form: Option<String>,
    /// Mailboxes of which the registry says that they do not work.
    pub(super) invalid: Vec<Mailbox>,
}

impl Remarks {
    fn add(&mut self, mailbox: &str) {
        let mailbox: Option<Mailbox> = mailbox.parse().ok();
        let is_new = |one: &Mailbox| self.mailboxes.len() < MOST && !self.mailboxes.contains(one);
        if let Some(mailbox) = mailbox.filter(is_new) {
            self.mailboxes.push(mailbox);
        }
    }
}

/// What a report is about. `Abuse` goes before `Other` where both stand in one clause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Topic {
    Abuse,
    Other,
    /// Never, whatever else the clause says.
    Not,
}

/// Abuse in the words of its reporters, and of some languages.
const ABUSE: [&str; 23] = [
    "abuse",
    "abuso",
    "abusi",
    "missbrauch",
    "spam",
    "uce",
    "ube",
    "junk",
    "unsolicited",
    "hack",
    "attack",
    "intrusion",
    "scan",
    "virus",
    "phish",
    "malware",
    "worm",
    "ddos",
    "botnet",
    "злоупотреб",
    "迷惑",
    "滥用",
    "스팸",
];

/// What may be about abuse, or about anything.
const FAULTS: [&str; 4] = ["incident", "complain", "violation", "fraud"];

const OTHER: [&str; 30] = [
    "peering",
    "routing",
    "route",
    "bgp",
    "noc",
    "dns",
    "legal",
    "law enforcement",
    "subpoena",
    "copyright",
    "vulnerabilit",
    "technical",
    "operational",
    "support",
    "sales",
    "customer",
    "general",
    "postmaster",
    "billing",
    "hostmaster",
    "administrative",
    "registration",
    "whois",
    "network operation",
    "questions",
    "press",
    "law ",
    "security",
    "trouble",
    "inquir",
];

const NOT: [&str; 29] = [
    "delist",
    "de-list",
    "blacklist remov",
    "rbl remov",
    "validated on",
    "is invalid",
    "invalid contact",
    "do not send",
    "do not mail",
    "do not email",
    "do not e-mail",
    "do not report",
    "do not use",
    "do not contact",
    "don't send",
    "don't use",
    "never send",
    "no abuse mail",
    "no abuse report",
    "no abuse complaint",
    "not abuse",
    "not to ",
    "not be sent",
    "not for abuse",
    "non-abuse",
    "except abuse",
    "except for abuse",
    "correction",
    "unsubscribe",
];

/// Words of courts as much as of abuse desks: what stands beside them decides.
const LAW: [&str; 4] = ["legal", "law enforcement", "copyright", "vulnerabilit"];

/// Lines that a heading reaches down to.
const REACH: usize = 4;

const LONGEST_URL: usize = 300;

/// Hosts of registries: a link there is advice, not a place for reports.
const REGISTRIES: [&str; 9] = [
    "apnic.net",
    "ripe.net",
    "arin.net",
    "lacnic.net",
    "afrinic.net",
    "iana.org",
    "nic.ad.jp",
    "registro.br",
    "ietf.org",
];

pub(super) fn read<'a>(lines: impl Iterator<Item = &'a str>) -> Remarks {
    let lines: Vec<&str> = lines
        .map(|line| start_of(line).trim_matches(|c: char| " \t\r*|#+=-".contains(c)))
        .collect();
    let mut found = Remarks::default();
    let lower: Vec<String> = lines.iter().map(|line| line.to_lowercase()).collect();
    for (at, line) in lines.iter().enumerate() {
        let mut clause_from = 0;
        for place in places(line) {
            let spoken = &line[place.from..place.to];
            if matches!(place.kind, Kind::Mailbox) && says_invalid(&line[place.to..]) {
                found.invalid.extend(spoken.parse());
            } else if is_for_abuse(line, &lower, at, clause_from, &place) {
                match place.kind {
                    Kind::Mailbox => found.add(spoken),
                    Kind::Url if is_form(spoken) => {
                        found.form.get_or_insert_with(|| spoken.to_owned());
                    }
                    Kind::Url => {}
                }
            }
            clause_from = place.to;
        }
    }
    found
}

/// All full addresses in a field that holds nothing else.
pub(super) fn mailboxes(text: &str) -> impl Iterator<Item = Mailbox> {
    let text = start_of(text);
    let found = places(text)
        .into_iter()
        .filter(|place| matches!(place.kind, Kind::Mailbox));
    found.filter_map(|place| text[place.from..place.to].parse().ok())
}

fn says_invalid(behind: &str) -> bool {
    let behind = behind.trim_start().to_ascii_lowercase();
    ["is invalid", "is not valid", "bounces"]
        .iter()
        .any(|words| behind.starts_with(words))
}

fn is_form(url: &str) -> bool {
    let url = url.to_ascii_lowercase();
    !REGISTRIES.iter().any(|host| url.contains(host))
}

fn is_for_abuse(line: &str, lower: &[String], at: usize, from: usize, place: &Place) -> bool {
    let says_so = |text: &str| {
        let text = text.to_ascii_lowercase();
        text.contains("abuse") || text.contains("spam")
    };
    let by_name = says_so(&line[place.from..place.to]);
    let behind = up_to_next(&line[place.to..]).trim_start().to_lowercase();
    let before = || topic(&line[from..place.from].to_lowercase());
    // `a@isp.example for spam, b@isp.example for routing`
    let names = if ["for ", "("].iter().any(|head| behind.starts_with(head)) {
        topic(&behind).or_else(before)
    } else {
        before().or_else(|| topic(&behind))
    };
    match names {
        Some(Topic::Abuse) => true,
        Some(Topic::Not) => false,
        Some(Topic::Other) => by_name,
        None => {
            let above = lower[..at].iter().rev().take(REACH);
            let heading = above
                .take_while(|line| !line.is_empty())
                .find_map(|line| topic(line));
            match heading {
                Some(Topic::Abuse) => true,
                Some(Topic::Not) => false,
                Some(Topic::Other) | None => by_name,
            }
        }
    }
}

/// What a clause is about; its last sentence decides.
fn topic(clause: &str) -> Option<Topic> {
    let sentences = clause.split(['.', ';', '!', '?']).rev();
    sentences
        .filter_map(|sentence| {
            let stands = |words: &[&str]| words.iter().any(|word| begins_a_word(sentence, word));
            if stands(&NOT) {
                Some(Topic::Not)
            } else if stands(&ABUSE) || stands(&FAULTS) && !stands(&LAW) {
                Some(Topic::Abuse)
            } else {
                stands(&OTHER).then_some(Topic::Other)
            }
        })
        .next()
}

/// `scan` begins `scanning`; `uce` does not begin in `source`.
fn begins_a_word(text: &str, word: &str) -> bool {
    let begins = |at: usize| {
        let before = text[..at].chars().next_back();
        !before.is_some_and(|c| c.is_ascii_alphanumeric())
    };
    text.match_indices(word).any(|(at, _)| begins(at))
}

fn up_to_next(text: &str) -> &str {
    let end = text.find(['@', '.', ';']).unwrap_or(text.len());
    &text[..end]
}

#[derive(Debug)]
enum Kind {
    Mailbox,
    Url,
}

/// Where something to write to stands in a line, in bytes.
#[derive(Debug)]
struct Place {
    kind: Kind,
    from: usize,
    to: usize,
}

fn places(line: &str) -> Vec<Place> {
    let mut found: Vec<Place> = Vec::new();
    let mut from = 0;
    while let Some(next) = line[from..].find(['@', ':']).map(|at| from + at) {
        let end = found.last().map_or(0, |last| last.to);
        let place = if line[next..].starts_with('@') {
            mailbox_at(line, end, next)
        } else {
            url_at(line, next)
        };
        from = place.as_ref().map_or(next + 1, |place| place.to);
        found.extend(place);
    }
    found
}

/// The address around an `@`. What leans on letters that no address has is the rest of another
/// spelling, and none.
fn mailbox_at(line: &str, from: usize, at: usize) -> Option<Place> {
    let is_local = |c: char| c.is_ascii_alphanumeric() || "._-+=&".contains(c);
    let is_domain = |c: char| c.is_ascii_alphanumeric() || ".-".contains(c);
    let local = line[from..at]
        .chars()
        .rev()
        .take_while(|c| is_local(*c))
        .count();
    let domain = line[at + 1..].chars().take_while(|c| is_domain(*c)).count();
    // The name alone: `e-mail=`, `...` and the like in front of it do not belong to it.
    let head = &line[at - local..at];
    let head = head
        .rsplit('=')
        .next()
        .unwrap_or(head)
        .trim_start_matches(['.', '-', '+']);
    let tail = line[at + 1..at + 1 + domain].trim_end_matches(['.', '-']);
    let before = line[..at - local].chars().next_back();
    let behind = line[at + 1 + domain..].chars().next();
    let is_foreign = |c: char| c == '@' || c.is_alphabetic() && !c.is_ascii() && c < '\u{2e80}';
    let is_whole = !head.is_empty() && !before.is_some_and(|c| is_foreign(c) || "\"{}".contains(c));
    let is_full = tail.contains('.') && !behind.is_some_and(|c| is_foreign(c) || "{}_".contains(c));
    (is_whole && is_full).then(|| Place {
        kind: Kind::Mailbox,
        from: at - head.len(),
        to: at + 1 + tail.len(),
    })
}

/// The URL whose scheme ends before this colon.
fn url_at(line: &str, colon: usize) -> Option<Place> {
    let scheme = ["https", "http"].into_iter().find(|scheme| {
        let from = colon.checked_sub(scheme.len());
        from.and_then(|from| line.get(from..colon))
            .is_some_and(|head| head.eq_ignore_ascii_case(scheme))
    })?;
    let rest = line[colon..].strip_prefix("://")?;
    let is_part = |c: char| c.is_ascii_graphic() && !"<>\"'()[]{}|\\^`,".contains(c);
    let length = rest
        .chars()
        .take(LONGEST_URL + 1)
        .take_while(|c| is_part(*c))
        .count();
    let rest = rest[..length].trim_end_matches(['.', ';', ':', '*', '!']);
    (rest.contains('.') && rest.len() <= LONGEST_URL).then(|| Place {
        kind: Kind::Url,
        from: colon - scheme.len(),
        to: colon + 3 + rest.len(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> String {
        let remarks = read(text.split('|'));
        let mut told: Vec<String> = remarks.mailboxes.iter().map(ToString::to_string).collect();
        told.extend(remarks.form.map(|form| format!("form {form}")));
        told.extend(remarks.invalid.iter().map(|one| format!("invalid {one}")));
        told.join(" ")
    }

    #[test]
    fn mailboxes_are_for_what_stands_with_them() {
        for (text, expected) in [
            (
                "please send abuse reports to net@isp.example",
                "net@isp.example",
            ),
            (
                "For Internet Abuse & Spam reports : admins@isp.example",
                "admins@isp.example",
            ),
            ("abuse e-mail: <Net@ISP.example>.", "net@isp.example"),
            (
                "Send spam & abuse Reports|include detailed information & time|to net@isp.example",
                "net@isp.example",
            ),
            (
                "Spam:|a@isp.example|b@isp.example",
                "a@isp.example b@isp.example",
            ),
            (
                "Peering: p@isp.example, abuse: q@isp.example",
                "q@isp.example",
            ),
            (
                "abuse: q@isp.example; peering: p@isp.example",
                "q@isp.example",
            ),
            ("NOC and abuse: noc@isp.example", "noc@isp.example"),
            ("noc@isp.example (abuse)", "noc@isp.example"),
            (
                "cert@isp.example for spam, noc@isp.example for routing",
                "cert@isp.example",
            ),
            ("Please send delisting issues to abuse@isp.example", ""),
            ("abuse@isp.example was validated on 2026-01-01", ""),
            ("abuse@isp.example is invalid", "invalid abuse@isp.example"),
            ("Do not send abuse reports to net@isp.example", ""),
            ("No abuse mail to net@isp.example please", ""),
            (
                "Abuse to q@isp.example, not to net@isp.example",
                "q@isp.example",
            ),
            ("Routing: routing@isp.example", ""),
            ("abuse@isp.example", "abuse@isp.example"),
            ("contact us: info@isp.example", ""),
            (
                "REPORT ABUSE ISSUES TO q@isp.example. Members of Law Enforcement call",
                "q@isp.example",
            ),
            ("For legal requests, please contact:|* law@isp.example", ""),
            ("Spam:||info@isp.example", ""),
            (
                "For SPAM and other abuse issues, contact:|* q@isp.example.||To report security vulnerabilities:|* s@isp.example",
                "q@isp.example",
            ),
            (
                "Direct all legal complaints to|https://isp.example/legal",
                "",
            ),
            (
                "Direct all spam and abuse complaints to|https://isp.example/report.",
                "form https://isp.example/report",
            ),
            (
                "Report invalid contact via www.apnic.net/invalidcontact",
                "",
            ),
            ("spam? see https://www.ripe.net/spam", ""),
            (
                "abuse@a.example/spam@b.example",
                "abuse@a.example spam@b.example",
            ),
            ("source of abuse@", ""),
        ] {
            assert_eq!(told(text), expected, "{text}");
        }
    }

    #[test]
    fn only_full_addresses_are_taken_from_a_field() {
        for (field, expected) in [
            (
                "a@isp.example, B@ISP.example",
                "a@isp.example b@isp.example",
            ),
            ("<a@isp.example>.", "a@isp.example"),
            ("mailto:a@isp.example", "a@isp.example"),
            ("e-mail=a@isp.example", "a@isp.example"),
            ("a@bücher.example", ""),
            ("ä@isp.example", ""),
            ("\"a b\"@isp.example", ""),
            ("a{At]isp.example", ""),
            ("a at isp.example", ""),
            ("a@b@isp.example", ""),
            ("a@isp", ""),
            ("a@isp.example으로", "a@isp.example"),
            ("redacted_by_noc@isp.example", "redacted_by_noc@isp.example"),
        ] {
            let found: Vec<String> = mailboxes(field).map(|one| one.to_string()).collect();
            assert_eq!(found.join(" "), expected, "{field}");
        }
        let long = format!("{}@isp.example", "a".repeat(300));
        assert_eq!(mailboxes(&long).count(), 0);
    }
}
