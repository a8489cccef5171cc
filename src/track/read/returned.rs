//! The letter that a report gives back: in a part, or somewhere below the report's own text.

use super::fields::{Fields, ids, name_of};
use super::reasons::plain;
use super::signs::{Kind, Sign, signs};
use super::status::{Code, reply};

/// Lines of a text that are looked at.
const LINES: usize = 4000;
/// Lines behind a told title in which a report says what became of the letter.
const TOLD: usize = 10;

/// A text cut where the returned letter begins.
pub(super) struct Cut<'a> {
    /// What the mail system itself says.
    pub(super) report: &'a str,
    pub(super) letter: Option<Fields>,
}

impl<'a> Cut<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        let mut at = 0;
        let mut offset = 0;
        let lines: Vec<&str> = text.split_inclusive('\n').take(LINES).collect();
        let mut told = None;
        while at < lines.len() {
            let line = lines[at];
            if is_separator(line) && at > 0 {
                let letter = lines[at + 1..]
                    .iter()
                    .take(60)
                    .position(|one| begins_header(one))
                    .map(|skip| header(&lines[at + 1 + skip..]).0);
                let letter = letter.filter(|one| is_letter(one, 1));
                if goes_on_telling(&lines[at + 1..]) {
                    offset += line.len();
                    at += 1;
                    continue;
                }
                if letter.is_some() || rest_is_dull(&lines[at + 1..]) {
                    return Self {
                        report: &text[..offset],
                        letter,
                    };
                }
            }
            if begins_header(line) {
                let (fields, len) = header(&lines[at..]);
                // Some tell the head of the letter first, set in, and then what became of it.
                if line.starts_with([' ', '\t']) && is_letter(&fields, 3) {
                    told = told.or(Some(fields));
                } else if is_letter(&fields, 3) {
                    return Self {
                        report: &text[..offset],
                        letter: Some(fields),
                    };
                }
                // None of its lines begins a longer one.
                let skipped = len.max(1);
                offset += lines[at..at + skipped]
                    .iter()
                    .map(|one| one.len())
                    .sum::<usize>();
                at += skipped;
                continue;
            }
            offset += line.len();
            at += 1;
        }
        Self {
            report: text,
            letter: told,
        }
    }
}

/// A message identifier that a report names in its own words.
pub(super) fn named_id(text: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let lower = line.to_ascii_lowercase();
        let at = ["message-id", "message id", "messageid", "メッセージid"]
            .iter()
            .find_map(|name| lower.find(name).map(|at| at + name.len()))?;
        let rest = line
            .get(at..)?
            .trim_start_matches([' ', ':', '=', '#', '\t', '"']);
        let id = ids(rest).into_iter().next()?;
        let is_one = id.contains('@') && !id.contains(' ');
        is_one.then(|| id.trim_matches(['"', ',', ';']).to_owned())
    })
}

/// A line of its own, and not a sentence that speaks of the letter.
fn is_separator(line: &str) -> bool {
    let line = line.trim();
    if line.is_empty() || line.len() > 160 {
        return false;
    }
    let found = signs(line)
        .into_iter()
        .find(|sign| sign.kind == Kind::Separator)
        .filter(|sign| !tells_fate(line, sign));
    let is_ruled = line.starts_with(['-', '=', '*', '_', '|', '+', '#', '~'])
        || line.ends_with([':', '-', '*', '=', '|']);
    found.is_some_and(|sign| is_ruled || sign.words.len() * 5 > line.len() * 3)
}

/// The letter's title told, and then what became of it, with a reply: "Original message: Subject: x".
fn goes_on_telling(lines: &[&str]) -> bool {
    let empty = |line: &&str| line.trim().is_empty();
    let start = lines.iter().position(|line| !empty(line)).unwrap_or(0);
    let len = lines[start..].iter().position(empty).unwrap_or(lines.len());
    let rest = lines.get(start + len..).unwrap_or_default();
    let head = Fields::of_lines(lines[start..].iter().take(len).map(|line| line.trim()));
    let is_told = (1..=4).contains(&len) && head.has("subject") && !head.has("message-id");
    let behind = rest.iter().take(TOLD).copied().collect::<String>();
    let is_failed = || signs(&behind).iter().any(|sign| sign.kind == Kind::Failed);
    is_told && is_failed() && (Code::find(&behind).is_some() || reply(&behind).is_some())
}

/// "Your message was not delivered to:" begins like words over a letter, and goes on otherwise.
fn tells_fate(line: &str, sign: &Sign) -> bool {
    let line = plain(line);
    let Some(at) = line.find(&plain(sign.words)) else {
        return false;
    };
    let rest = line[at..].split_once(' ').map_or("", |(_, rest)| rest);
    signs(rest)
        .iter()
        .any(|sign| matches!(sign.kind, Kind::Failed | Kind::Delayed))
}

/// Nothing follows that a report would still have to say.
fn rest_is_dull(lines: &[&str]) -> bool {
    !lines.iter().take(200).any(|line| {
        let line = line.to_ascii_lowercase();
        line.contains("final-recipient:") || line.contains("transcript of session")
    })
}

fn unquoted(line: &str) -> &str {
    line.trim_start_matches(['>', '|', ' ', '\t'])
}

fn begins_header(line: &str) -> bool {
    name_of(unquoted(line)).is_some_and(|(name, _)| is_known(&name.to_ascii_lowercase()))
}

/// The fields that stand here together, and how many lines they take.
fn header(lines: &[&str]) -> (Fields, usize) {
    let indent = lines
        .first()
        .map_or(0, |line| line.len() - unquoted(line).len());
    let stripped = |line: &'_ str| -> usize { indent.min(line.len() - unquoted(line).len()) };
    let mut len = 0;
    // Some lose the blank that a folded line begins with.
    let mut odd = 0;
    for (at, line) in lines.iter().enumerate().take(400) {
        let line = &line[stripped(line)..];
        if line.trim().is_empty() || line.starts_with("--") {
            break;
        }
        let is_token = at > 0 && !line.trim().contains(' ');
        match name_of(line).is_some() || line.starts_with([' ', '\t']) {
            true => odd = 0,
            false if is_token => {}
            false => odd += 1,
        }
        if odd > 3 {
            break;
        }
        len = at + 1;
    }
    len -= odd.min(len);
    let fields = Fields::of_lines(
        lines[..len]
            .iter()
            .map(|line| line[stripped(line)..].trim_end()),
    );
    (fields, len)
}

fn is_letter(fields: &Fields, least: usize) -> bool {
    let known = fields.iter().filter(|(name, _)| is_known(name)).count();
    let is_mail = [
        "received",
        "message-id",
        "return-path",
        "mime-version",
        "x-mailer",
        "dkim-signature",
    ]
    .iter()
    .any(|name| fields.has(name));
    let is_head =
        fields.has("from") && fields.has("subject") && fields.has("date") && fields.has("to");
    known >= least && (is_mail || is_head || least == 1)
}

fn is_known(name: &str) -> bool {
    const KNOWN: [&str; 22] = [
        "received",
        "return-path",
        "from",
        "to",
        "cc",
        "subject",
        "date",
        "message-id",
        "mime-version",
        "content-type",
        "content-transfer-encoding",
        "reply-to",
        "sender",
        "delivered-to",
        "dkim-signature",
        "domainkey-signature",
        "in-reply-to",
        "references",
        "x-mailer",
        "user-agent",
        "envelope-to",
        "x-originating-ip",
    ];
    KNOWN.contains(&name) || (name.starts_with("x-") && name.len() > 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_letter_is_found_below_the_report() {
        let text = "Sorry.\n\n<a@isp.example>:\nUser unknown\n\n--- Below this line is a copy of the message.\n\nReturn-Path: <x@y.example>\nMessage-ID: <1@y.example>\nSubject: Hello\n\nText";
        let cut = Cut::of(text);
        assert!(cut.report.ends_with("unknown\n\n"), "{:?}", cut.report);
        assert_eq!(cut.letter.unwrap().ids("message-id"), ["1@y.example"]);
        let cut =
            Cut::of("Sorry\n> Received: by x\n> From: a\n> To: b\n> Message-ID: <2@y.example>\n");
        assert_eq!(cut.letter.unwrap().ids("message-id"), ["2@y.example"]);
        assert!(
            Cut::of("Your message\n  To: a\n  Subject: b\ndid not reach c")
                .letter
                .is_none()
        );
    }
}
