//! What is written for machines: reports, receipts, complaints, notices of a service.

use super::desk::{Desk, say};
use super::feedback;
use super::fields::Fields;
use super::notice;
use super::report::{Block, Report};
use super::sns;
use crate::model::{Action, AutoReply, Class, Reading, Reported};

impl Desk<'_> {
    pub(super) fn notification(&self, reading: &mut Reading) -> bool {
        let Some(found) = sns::read(&self.text) else {
            return false;
        };
        reading.message_id = found.message_id;
        self.conclude(reading, "notification", &found.recipients);
        if found.is_complaint {
            reading.class = Class::Feedback;
            reading.is_complaint = true;
        }
        true
    }

    /// RFC 5965 and its dialects.
    pub(super) fn complaint(&self, reading: &mut Reading) -> bool {
        let Some(found) = feedback::read(self.frame, self.header, self.letter.as_ref(), &self.text)
        else {
            return false;
        };
        reading.class = Class::Feedback;
        reading.is_complaint = found.is_complaint;
        reading.message_id = found.message_id;
        reading.envelope_id = found.envelope_id;
        say(reading, "feedback", found.says);
        for address in found.recipients {
            reading.recipients.push(Reported {
                address,
                final_address: None,
                action: Action::Failed,
                class: Class::Feedback,
                status: None,
                diagnostic: String::new(),
                reason: None,
                weight: None,
            });
        }
        true
    }

    /// RFC 3464, in a part or written out.
    pub(super) fn structured(&self, reading: &mut Reading) -> bool {
        let mut layer = "report";
        let parts = self.frame.reports("delivery-status");
        let heeded = parts.filter(|(part, _)| part.level == 0 || self.is_from_machine());
        let mut reports: Vec<Report> = heeded.map(|(_, text)| Report::of_part(&text)).collect();
        if reports.iter().all(Report::is_empty)
            && self.is_from_machine()
            && let Some(report) = Report::in_text(&self.text)
        {
            layer = "report in a text";
            reports = vec![report];
        }
        if reports.is_empty() {
            return false;
        }
        let mut blocks: Vec<Block> = Vec::new();
        for mut report in reports {
            reading.envelope_id = reading.envelope_id.take().or(report.envelope_id.take());
            reading.message_id = reading.message_id.take().or(report.message_id.take());
            blocks.extend(report.into_blocks());
        }
        if !blocks.iter().any(Block::names_mailbox) {
            blocks = self.named_elsewhere(blocks);
        }
        self.conclude(reading, layer, &blocks);
        true
    }

    /// A report that names a file, a host or nobody: its header or its text know better.
    fn named_elsewhere(&self, blocks: Vec<Block>) -> Vec<Block> {
        let of_header = notice::failed_recipients(self.header)
            .into_iter()
            .map(Block::of_address);
        let mut named: Vec<Block> = of_header.collect();
        if named.is_empty() {
            named = self.named();
        }
        let first = blocks.into_iter().next().unwrap_or_default();
        if named.is_empty() {
            return vec![first];
        }
        let told = |one: Block| Block {
            original: one.original,
            last: one.last,
            diagnostic: if first.diagnostic.is_empty() {
                one.diagnostic
            } else {
                first.diagnostic.clone()
            },
            ..first.clone()
        };
        named.into_iter().map(told).collect()
    }

    /// RFC 8098. What a server's filter deletes for want of room is a failure in a receipt's clothes.
    pub(super) fn receipt(&self, reading: &mut Reading) -> bool {
        let found = self
            .frame
            .reports("disposition-notification")
            .find(|(part, _)| part.level == 0);
        let Some((_, text)) = found else {
            return false;
        };
        let fields = Fields::of_lines(text.lines().filter(|line| !line.trim().is_empty()));
        let disposition = fields
            .get("disposition")
            .unwrap_or_default()
            .to_ascii_lowercase();
        reading.message_id = fields.ids("original-message-id").into_iter().next();
        let said = self.reasons.find_around(&self.telling, None);
        let is_refusal = disposition.contains("automatic-action")
            && disposition.contains("deleted")
            && said.is_some();
        let is_failure = is_refusal
            || fields.has("failure")
            || disposition.contains("denied")
            || disposition.contains("failed");
        if is_failure && said.is_some() {
            let name = |name: &str| fields.address(name);
            let block = Block {
                original: name("original-recipient"),
                last: name("final-recipient"),
                action: Some(Action::Failed),
                diagnostic: self.report.trim().chars().take(400).collect(),
                ..Block::default()
            };
            self.conclude(reading, "receipt of a refusal", &[block]);
        } else {
            reading.class = Class::AutoReply;
            reading.auto_reply = Some(AutoReply::ReadReceipt);
            say(reading, "receipt", format!("disposition: {disposition}"));
        }
        true
    }
}
