//! Structured reports (RFC 3464, 6533): in a part of their own, or written out in a text.

use super::address;
use super::fields::{Fields, name_of};
use super::status::Code;
use crate::model::Action;

/// Recipients of one report that are kept.
const MOST: usize = 200;

/// What one report says.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) envelope_id: Option<String>,
    pub(super) message_id: Option<String>,
    pub(super) recipients: Vec<Block>,
    /// A status that it gives without a recipient.
    pub(super) status: Option<Code>,
}

/// What it says of one recipient.
#[derive(Clone, Debug, Default)]
pub(super) struct Block {
    pub(super) original: Option<String>,
    pub(super) last: Option<String>,
    pub(super) action: Option<Action>,
    pub(super) status: Option<Code>,
    /// Verbatim, its type included.
    pub(super) diagnostic: String,
    pub(super) is_retried: bool,
}

impl Report {
    /// Of a part that is one.
    pub(super) fn of_part(text: &str) -> Self {
        let mut report = Self::default();
        let mut group: Vec<&str> = Vec::new();
        for line in text.lines() {
            let begins_another = is_recipient_line(line)
                && group
                    .iter()
                    .any(|one| is_recipient_line(one) && same_name(one, line));
            if line.trim().is_empty() || begins_another {
                report.take(&group);
                group.clear();
            }
            if !line.trim().is_empty() {
                group.push(line);
            }
        }
        report.take(&group);
        report
    }

    /// Written out in a text, indented or quoted as it may be.
    pub(super) fn in_text(text: &str) -> Option<Self> {
        let bare = |line: &'_ str| -> usize {
            line.len() - line.trim_start_matches([' ', '\t', '>', '|']).len()
        };
        let lines: Vec<&str> = text.lines().collect();
        let first = lines
            .iter()
            .position(|line| is_recipient_line(&line[bare(line)..]))?;
        let indent = bare(lines[first]);
        let is_blank = |line: &&str| line[bare(line)..].trim().is_empty();
        let start = lines[..first]
            .iter()
            .rposition(is_blank)
            .map_or(0, |at| at + 1);
        // A per-message block before it is a paragraph of its own.
        let before = lines[..start.saturating_sub(1)]
            .iter()
            .rposition(is_blank)
            .map_or(0, |at| at + 1);
        let start = if lines[before..start]
            .iter()
            .any(|line| line.to_ascii_lowercase().contains("reporting-mta:"))
        {
            before
        } else {
            start
        };
        let unindented = lines[start..]
            .iter()
            .map(|line| line.get(indent.min(bare(line))..).unwrap_or_default());
        let mut block = String::new();
        let mut blank = 0;
        for line in unindented {
            blank = if line.trim().is_empty() { blank + 1 } else { 0 };
            if blank > 1 || line.starts_with("--") || begins_letter(line) {
                break;
            }
            block.push_str(line);
            block.push('\n');
        }
        let report = Self::of_part(&block);
        let tells = |block: &Block| block.action.is_some() || block.status.is_some();
        report.recipients.iter().any(tells).then_some(report)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.recipients.is_empty() && self.status.is_none()
    }

    /// One at least: a report that names nobody is still one.
    pub(super) fn into_blocks(self) -> Vec<Block> {
        match self.recipients.is_empty() {
            true => vec![Block {
                status: self.status,
                ..Block::default()
            }],
            false => self.recipients,
        }
    }

    fn take(&mut self, group: &[&str]) {
        let fields = Fields::of_lines(group.iter().copied());
        if fields.is_empty() {
            return;
        }
        for (name, value) in fields.iter() {
            match name {
                "original-envelope-id" | "x-original-envelope-id" => {
                    self.envelope_id
                        .get_or_insert_with(|| value.trim_matches(['<', '>']).to_owned());
                }
                "x-original-message-id" | "original-message-id" => {
                    self.message_id = super::fields::ids(value).into_iter().next();
                }
                _ => {}
            }
        }
        let mut block = Block::of(&fields);
        let names_nobody = block.original.is_none() && block.last.is_none();
        let has_room = self.recipients.len() < MOST;
        match self.recipients.last_mut() {
            Some(last) if names_nobody => last.fill(block),
            _ if names_nobody => self.status = self.status.take().or(block.status),
            _ if has_room => {
                block.status = block.status.or_else(|| self.status.take());
                self.recipients.push(block);
            }
            _ => {}
        }
    }
}

impl Block {
    /// Of whom no more is known.
    pub(super) fn of_address(address: String) -> Self {
        Self {
            last: Some(address),
            ..Self::default()
        }
    }

    fn of(fields: &Fields) -> Self {
        let mut block = Self::default();
        for (name, value) in fields.iter() {
            match name {
                "final-recipient" => block.last = block.last.take().or_else(|| recipient(value)),
                "original-recipient" | "x-original-recipient" => {
                    block.original = block.original.take().or_else(|| recipient(value));
                }
                "x-actual-recipient" if block.last.is_none() => block.last = recipient(value),
                "action" => block.action = action(value),
                "status" => block.status = Code::find(value),
                "diagnostic-code"
                | "diagnostic"
                | "x-diagnostic-code"
                | "x-supplementary-info"
                | "x-notes-diagnostic" => {
                    if !block.diagnostic.is_empty() {
                        block.diagnostic.push(' ');
                    }
                    block.diagnostic.push_str(value);
                }
                "will-retry-until" => block.is_retried = true,
                _ => {}
            }
        }
        block
    }

    fn fill(&mut self, rest: Self) {
        self.action = self.action.or(rest.action);
        self.status = self.status.take().or(rest.status);
        self.is_retried |= rest.is_retried;
        if self.diagnostic.is_empty() {
            self.diagnostic = rest.diagnostic;
        }
    }

    /// The address that we wrote to, where it is known. A reader behind the last server has names of its own.
    pub(super) fn address(&self) -> Option<&str> {
        let original = self.original.as_deref().filter(|one| address::is_one(one));
        original
            .or(self.last.as_deref())
            .or(self.original.as_deref())
    }

    /// Whether it names a mailbox, and no file or host.
    pub(super) fn names_mailbox(&self) -> bool {
        self.address()
            .is_some_and(|one| one.contains('@') && !one.starts_with(['@', '/', '|', ':']))
    }

    /// The more telling of its codes: that of the reply, where the other only says that it failed.
    pub(super) fn code(&self) -> Option<Code> {
        let of_reply = || Code::of_reply(self.said());
        match &self.status {
            Some(code) if code.is_bare() => of_reply()
                .filter(|other| other.class() != 2)
                .or_else(|| Some(code.clone())),
            Some(code) => Some(code.clone()),
            None => Code::find(self.said()),
        }
    }

    /// The diagnostic without its type.
    pub(super) fn said(&self) -> &str {
        match self.diagnostic.split_once(';') {
            Some((kind, said)) if kind.len() < 20 && !kind.trim().contains(' ') => said.trim(),
            _ => self.diagnostic.trim(),
        }
    }
}

pub(super) fn action(value: &str) -> Option<Action> {
    let word: String = value
        .trim()
        .chars()
        .take_while(char::is_ascii_alphabetic)
        .collect();
    match word.to_ascii_lowercase().as_str() {
        "failed" | "failure" | "fail" | "error" | "undeliverable" | "bounced" | "rejected" => {
            Some(Action::Failed)
        }
        "delayed" | "delay" | "deferred" | "warning" => Some(Action::Delayed),
        "delivered" | "deliverable" | "delivery" | "success" => Some(Action::Delivered),
        "relayed" | "relay" => Some(Action::Relayed),
        "expanded" => Some(Action::Expanded),
        _ => None,
    }
}

/// `rfc822; a@isp.example`, with or without what is around it.
fn recipient(value: &str) -> Option<String> {
    let (kind, rest) = match value.split_once(';') {
        Some((kind, rest)) if !kind.contains('@') => (kind.trim(), rest),
        _ => ("", value),
    };
    let mut text = rest.trim();
    if let Some((_, angle)) = text.split_once('<') {
        text = angle.split('>').next().unwrap_or(angle);
    }
    let text = text.trim_end_matches([';', ',']).trim();
    let unescaped = (kind.eq_ignore_ascii_case("utf-8")).then(|| unescape(text));
    let text = unescaped.as_deref().unwrap_or(text);
    let whole = text.starts_with('"') || !text.contains(char::is_whitespace);
    let found = if whole && text.contains('@') {
        text
    } else {
        address::first(text).unwrap_or(text)
    };
    let found = found.trim_matches(['\'', ' ']);
    (!found.is_empty() && found.len() < 400).then(|| found.to_owned())
}

/// `\x{5DE5}` (RFC 6533 3).
fn unescape(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, tail)) = rest.split_once("\\x{") {
        plain.push_str(before);
        let (hex, tail) = tail.split_once('}').unwrap_or((tail, ""));
        plain.extend(u32::from_str_radix(hex, 16).ok().and_then(char::from_u32));
        rest = tail;
    }
    plain + rest
}

fn is_recipient_line(line: &str) -> bool {
    name_of(line).is_some_and(|(name, _)| {
        ["final-recipient", "original-recipient"]
            .iter()
            .any(|one| one.eq_ignore_ascii_case(name))
    })
}

fn same_name(one: &str, other: &str) -> bool {
    let name = |line: &str| name_of(line).map(|(name, _)| name.to_ascii_lowercase());
    name(one) == name(other)
}

fn begins_letter(line: &str) -> bool {
    name_of(line).is_some_and(|(name, _)| {
        ["received", "return-path", "message-id", "content-type"]
            .iter()
            .any(|one| one.eq_ignore_ascii_case(name))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odd_reports_are_read() {
        let report = Report::of_part(
            "Reporting-MTA: dns; mx.isp.example\nOriginal-Envelope-Id: b-1\n\nOriginal-Recipient: rfc822;a@isp.example\nFinal-Recipient: system;a@ims_daemon\nAction: failure (no)\nStatus: 5.0.0 (none)\nDiagnostic-Code: smtp; 550 5.1.1\n unknown\nFinal-Recipient: unknown; <b@isp.example>\n\nAction: delayed\nStatus: 4.4.1\n",
        );
        assert_eq!(report.envelope_id.as_deref(), Some("b-1"));
        let [a, b] = &report.recipients[..] else {
            panic!("{report:?}")
        };
        assert_eq!(
            (a.address(), a.action),
            (Some("a@isp.example"), Some(Action::Failed))
        );
        assert_eq!(
            (a.code().unwrap().as_str(), a.said()),
            ("5.1.1", "550 5.1.1 unknown")
        );
        assert_eq!(
            (b.address(), b.action),
            (Some("b@isp.example"), Some(Action::Delayed))
        );
    }

    #[test]
    fn a_report_stands_in_a_text_too() {
        let text = "Hello,\n\n  Reporting-MTA: dns; x\n\n  Final-Recipient: rfc822; a@isp.example\n  Action: failed\n  Status: 5.2.2\n\n--x\nReceived: y";
        let report = Report::in_text(text).unwrap();
        assert_eq!(report.recipients[0].address(), Some("a@isp.example"));
        assert!(Report::in_text("Final-Recipient: what is that?").is_none());
    }

    #[test]
    fn addresses_of_other_scripts_are_unescaped() {
        assert_eq!(
            recipient("utf-8; \\x{5DE5}@isp.example").as_deref(),
            Some("\u{5de5}@isp.example")
        );
    }
}
