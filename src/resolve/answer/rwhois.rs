//! What rwhois servers of providers say of their customers' networks (RFC 2167).

use super::scan::{Block, Part};
use super::{Lead, MOST, Reply, Status, distance, objects, range, remarks};
use crate::model::{AddressRange, Mailbox, Tier};

/// Who wrote a record is not who answers for the network.
const NOT: [&str; 3] = ["updated", "created", "auth"];

pub(super) fn read(part: &Part, asked: Option<AddressRange>) -> Option<Reply> {
    let networks = part.blocks.iter().filter_map(|block| {
        let text = block.get("network:ip-network");
        let text = if text.is_empty() {
            block.get("network:ip-network-block")
        } else {
            text
        };
        Some((range::parse(text)?, block))
    });
    let networks: Vec<_> = networks.collect();
    let nearest = networks
        .into_iter()
        .rev()
        .min_by_key(|(range, _)| distance(Some(*range), asked));
    let (range, block) = nearest?;
    let first = |words: &[&str]| {
        let fits = |key: &str| {
            words
                .iter()
                .any(|word| key.strip_prefix("network:") == Some(word))
        };
        let found = block
            .attributes
            .iter()
            .find(|one| fits(&one.key) && !one.value.is_empty());
        found.map_or(String::new(), |one| one.value.clone())
    };
    let mut reply = Reply {
        status: Status::Found,
        range: Some(range),
        name: first(&["network-name", "id"]),
        holder: first(&[
            "customer organization",
            "org-name",
            "organization",
            "customer-name",
        ]),
        country: objects::country(&first(&[
            "country-code",
            "customer country code",
            "country",
        ])),
        ..Reply::default()
    };
    reply.add_handle(&first(&["id", "handle"]));
    let others = part
        .blocks
        .iter()
        .filter(|other| !other.has("network:ip-network"));
    for said in std::iter::once(block).chain(others) {
        contacts(said, part, &mut reply);
    }
    Some(reply)
}

fn contacts(block: &Block, part: &Part, reply: &mut Reply) {
    for one in &block.attributes {
        let key = one.key.split_once(':').map_or("", |(_, key)| key);
        let mut found = remarks::mailboxes(&one.value).peekable();
        if NOT.iter().any(|word| key.starts_with(word)) {
            continue;
        }
        if key.contains("abuse") {
            if found.peek().is_some() {
                reply.note(Tier::Explicit, "", found);
            } else if key.ends_with("contact") && !one.value.is_empty() {
                refer(&one.value, part, reply);
            }
        } else if ["comment", "remark", "note"]
            .iter()
            .any(|word| key.starts_with(word))
        {
            reply.heed("", remarks::read(one.value.lines()));
        } else if key.contains("contact") || key.contains("email") || key.contains("e-mail") {
            reply.note(Tier::Contact, "", found);
        }
    }
}

/// A handle for abuse: of a contact further down, or to be asked for, at ARIN where it ends so.
fn refer(handle: &str, part: &Part, reply: &mut Reply) {
    if reply.handles.len() == MOST {
        return;
    }
    reply.add_handle(handle);
    let is_it = |block: &&Block| {
        block
            .attributes
            .iter()
            .any(|one| one.key.starts_with("contact:") && one.value.eq_ignore_ascii_case(handle))
    };
    let emails = part
        .blocks
        .iter()
        .filter(is_it)
        .flat_map(|block| &block.attributes);
    let emails = emails.filter(|one| one.key.ends_with("email") && one.key.starts_with("contact:"));
    let found: Vec<Mailbox> = emails
        .flat_map(|one| remarks::mailboxes(&one.value))
        .collect();
    if found.is_empty() {
        reply.add_lead(Lead::Handle {
            handle: handle.to_owned(),
        });
    }
    reply.note(Tier::Explicit, handle, found);
}
