//! From what a report says of each recipient to what it means.

use super::address;
use super::desk::{Desk, say};
use super::report::Block;
use super::signs::Kind;
use super::status::{Code, reply};
use crate::model::{Action, Class, Reading, Reported};

impl Desk<'_> {
    pub(super) fn conclude(&self, reading: &mut Reading, layer: &'static str, blocks: &[Block]) {
        for block in blocks {
            let reported = self.reported(block, blocks.len() == 1, reading, layer);
            let is_told =
                |one: &Reported| one.address == reported.address && one.action == reported.action;
            if !reading.recipients.iter().any(is_told) {
                reading.recipients.push(reported);
            }
        }
        // A failure is what the message is about, whoever else has it; then what may become one.
        const WORST: [Action; 5] = [
            Action::Failed,
            Action::Delayed,
            Action::Expanded,
            Action::Relayed,
            Action::Delivered,
        ];
        let first = WORST
            .iter()
            .find_map(|action| reading.recipients.iter().find(|one| one.action == *action));
        reading.class = first.map_or(Class::BounceSoft, |one| one.class);
        reading
            .recipients
            .retain(|one| !one.address.is_empty() || one.status.is_some() || one.reason.is_some());
    }

    fn reported(
        &self,
        block: &Block,
        is_sole: bool,
        reading: &mut Reading,
        layer: &'static str,
    ) -> Reported {
        let code = block.code().or_else(|| self.code_around(block));
        let action = block
            .action
            .unwrap_or_else(|| self.action(code.as_ref(), block));
        let said = block.said();
        // What has no number may be a part of a longer sentence.
        let is_vague = reply(said).is_none() && Code::find(said).is_none() && is_sole;
        // What stands beside the name is about it, what stands farther off perhaps about others.
        let found = match is_vague {
            true => self.reasons.find_around(said, code.as_ref()).or_else(|| {
                let wider = format!("{said} {}", self.telling);
                self.reasons.find_around(&wider, code.as_ref())
            }),
            false => None,
        };
        let found = found
            .or_else(|| self.reasons.find(said, code.as_ref()))
            .or_else(|| self.reasons.find_around(&self.telling, code.as_ref()));
        let class = match action {
            Action::Failed => found
                .as_ref()
                .map_or(Class::BounceSoft, |one| one.reason.weight.class()),
            Action::Delayed => Class::Delayed,
            Action::Delivered | Action::Relayed | Action::Expanded => Class::Delivered,
        };
        let is_trouble = class != Class::Delivered;
        let found = found.filter(|_| is_trouble);
        let address = self.as_written(block);
        let because = found.as_ref().map_or(String::new(), |one| {
            format!(", {} by \"{}\"", one.reason.name, one.by)
        });
        say(
            reading,
            layer,
            format!(
                "{} is {}{because}",
                if address.is_empty() {
                    "somebody"
                } else {
                    &address
                },
                action.as_str()
            ),
        );
        Reported {
            final_address: block.last.clone().filter(|last| *last != address),
            address,
            action,
            class,
            status: block
                .status
                .clone()
                .or(code.filter(|code| (code.class() == 2) != is_trouble))
                .map(|code| code.as_str().to_owned()),
            diagnostic: block.diagnostic.clone(),
            reason: found.as_ref().map(|one| one.reason.name.clone()),
            weight: found.map(|one| one.reason.weight),
        }
    }

    /// Of the first and the last address the one to whom the letter was, if it tells.
    fn as_written(&self, block: &Block) -> String {
        let wrote = self
            .letter
            .as_ref()
            .map(|letter| letter.addresses("to"))
            .unwrap_or_default();
        let is_written = |one: &&str| wrote.iter().any(|to| address::same(to, one));
        let last = block.last.as_deref().filter(is_written);
        let first = block.original.as_deref().filter(is_written);
        first
            .or(last)
            .or(block.address())
            .unwrap_or_default()
            .to_owned()
    }

    /// What the text says where the report says nothing of it.
    fn action(&self, code: Option<&Code>, block: &Block) -> Action {
        let heads = |kind| self.subject_signs.iter().any(|sign| sign.kind == kind);
        let is_delayed = self.sign(Kind::Delayed).is_some() || heads(Kind::Delayed);
        // "Delivery of your message is delayed" has the words of both.
        let is_failed = heads(Kind::Failed) && !heads(Kind::Delayed);
        // A dialogue that is told has its good moments, too.
        let is_success = block.status.is_some() || !(is_delayed || is_failed);
        match code.map(Code::class) {
            Some(2) if is_success => Action::Delivered,
            Some(5) => Action::Failed,
            _ if block.is_retried || (is_delayed && !is_failed) => Action::Delayed,
            _ => Action::Failed,
        }
    }

    fn code_around(&self, block: &Block) -> Option<Code> {
        let is_telling = block.status.is_none() && Code::find(&block.diagnostic).is_none();
        is_telling.then(|| Code::find(&self.report)).flatten()
    }
}
