//! Whom an answer names around a network, and for what: roles, persons, response teams,
//! organisations, found by their handles.

use std::collections::HashMap;

use super::objects::{Holding, REMARKS, country, registry};
use super::scan::{Block, Part};
use super::{Lead, MOST, Reply, Status, distance, range, remarks};
use crate::model::{AddressRange, Mailbox, Tier, parse_asn};

/// Those who answer for a network, the likeliest for a report first.
const PEOPLE: [&str; 4] = ["tech-c", "admin-c", "zone-c", "owner-c"];

/// The contacts in an answer, by their handles.
pub(super) struct People<'a> {
    part: &'a Part,
    by_handle: HashMap<String, Vec<&'a Block>>,
}

impl<'a> People<'a> {
    pub(super) fn new(part: &'a Part) -> Self {
        let mut by_handle: HashMap<String, Vec<&Block>> = HashMap::new();
        for block in &part.blocks {
            if let Some(handle) = handle(block) {
                by_handle
                    .entry(handle.to_lowercase())
                    .or_default()
                    .push(block);
            }
        }
        Self { part, by_handle }
    }

    pub(super) fn get(&self, handle: &str) -> impl Iterator<Item = &'a Block> {
        let found = self.by_handle.get(&handle.trim().to_lowercase());
        found.into_iter().flatten().copied()
    }

    /// The objects that a network or an organisation names under one of these keys.
    fn named<'b>(
        &'b self,
        by: &'b Block,
        keys: &'b [&str],
    ) -> impl Iterator<Item = &'a Block> + 'b {
        let handles = keys.iter().flat_map(|key| by.values(key));
        handles
            .take(MOST)
            .flat_map(|handle| self.get(handle).take(MOST))
    }

    /// All that an answer says of whom to write to about one network.
    pub(super) fn contacts(&self, of: &Holding<'_>, reply: &mut Reply) {
        let block = of.block;
        reply.note(Tier::Explicit, "", mailboxes(block, &["abuse-mailbox"]));
        for said in self.abuse_comments().filter(|said| said.is_about(of)) {
            reply.note(
                Tier::Explicit,
                block.get("abuse-c"),
                remarks::mailboxes(said.mailbox),
            );
        }
        for role in self.named(block, &["abuse-c", "mnt-irt"]) {
            self.explicit(role, true, reply);
        }
        let orgs: Vec<&Block> = self.named(block, &["org"]).collect();
        for org in &orgs {
            self.named(org, &["abuse-c", "mnt-irt"])
                .for_each(|role| self.explicit(role, true, reply));
            self.explicit(org, false, reply);
        }
        let people: Vec<&Block> = self.named(block, &PEOPLE).collect();
        people
            .iter()
            .for_each(|person| self.explicit(person, false, reply));
        if !reply.is_settled() {
            let missing = block
                .values("abuse-c")
                .filter(|handle| self.get(handle).next().is_none());
            missing.for_each(|handle| {
                reply.add_lead(Lead::Handle {
                    handle: handle.to_owned(),
                })
            });
        }

        reply.heed("", remarks::read(block.lines(&REMARKS)));
        let irts = self.named(block, &["abuse-c", "mnt-irt"]);
        for other in irts
            .chain(people.iter().copied())
            .chain(orgs.iter().copied())
        {
            reply.heed(
                handle(other).unwrap_or_default(),
                remarks::read(other.lines(&REMARKS)),
            );
        }
        people
            .iter()
            .chain(&orgs)
            .for_each(|person| general(person, reply));
    }

    fn explicit(&self, role: &Block, is_for_abuse: bool, reply: &mut Reply) {
        let name = handle(role).unwrap_or_default();
        let own: Vec<Mailbox> = mailboxes(role, &["abuse-mailbox"]).collect();
        let own = if own.is_empty() && is_for_abuse {
            mailboxes(role, &["e-mail"]).collect()
        } else {
            own
        };
        if !own.is_empty() {
            reply.add_handle(name);
        }
        reply.note(Tier::Explicit, name, own);
    }

    /// What no network in the answer refers to: texts put together by hand, routes.
    pub(super) fn unattached(&self, reply: &mut Reply) {
        let people: Vec<&Block> = self
            .part
            .blocks
            .iter()
            .filter(|block| handle(block).is_some())
            .collect();
        people
            .iter()
            .for_each(|one| self.explicit(one, one.class() == "irt", reply));
        let routes = self
            .part
            .blocks
            .iter()
            .filter(|block| ["route", "route6", "aut-num"].contains(&block.class()));
        for one in people.iter().copied().chain(routes) {
            reply.heed(
                handle(one).unwrap_or_default(),
                remarks::read(one.lines(&REMARKS)),
            );
        }
        people.iter().for_each(|one| general(one, reply));
    }

    /// An answer about contacts alone: somebody asked for a handle, and knows what for.
    pub(super) fn alone(&self) -> Option<Reply> {
        let mut reply = Reply {
            status: Status::Found,
            ..Reply::default()
        };
        for said in self.abuse_comments() {
            reply.range = reply.range.or_else(|| range::parse(said.about));
            reply.note(Tier::Explicit, "", remarks::mailboxes(said.mailbox));
        }
        if let Some(first) = self
            .part
            .blocks
            .iter()
            .find(|block| handle(block).is_some())
        {
            let name = ["role", "person", "org-name", "owner"].map(|key| first.get(key));
            reply.holder = name
                .into_iter()
                .find(|name| !name.is_empty())
                .unwrap_or_default()
                .to_owned();
            reply.country = country(first.get("country"));
            reply.add_handle(handle(first).unwrap_or_default());
            reply.registry = registry(self.part, first);
        }
        self.unattached(&mut reply);
        self.mark_doubtful(&mut reply);
        let is_something = !reply.handles.is_empty() || !reply.contacts.is_empty();
        is_something.then_some(reply)
    }

    /// The origin of the smallest route around a network.
    pub(super) fn origin(&self, network: AddressRange) -> Option<u32> {
        let routes = self.part.blocks.iter().filter_map(|block| {
            let route = ["route", "route6"]
                .map(|key| block.get(key))
                .into_iter()
                .find(|text| !text.is_empty())?;
            let route = range::parse(route)
                .filter(|route| route.contains(network) || network.contains(*route))?;
            Some((
                !route.contains(network),
                distance(Some(route), None),
                parse_asn(block.get("origin"))?,
            ))
        });
        routes.min().map(|(_, _, asn)| asn)
    }

    /// RIPE's servers say who the abuse contact is in comments, above the object.
    fn abuse_comments(&self) -> impl Iterator<Item = AbuseComment<'a>> {
        let comments = &self.part.comments;
        comments.iter().enumerate().filter_map(|(at, line)| {
            let rest = line.strip_prefix("Abuse contact for '")?;
            let (about, rest) = rest.split_once('\'')?;
            let mailbox = rest.split_once('\'')?.1.trim_end_matches('\'');
            let below = comments[at + 1..].iter().take(2);
            let doubtful = below
                .take_while(|line| !line.starts_with("Abuse contact"))
                .any(|line| line.starts_with("Abuse-mailbox validation failed"));
            Some(AbuseComment {
                about,
                mailbox,
                doubtful,
            })
        })
    }

    pub(super) fn mark_doubtful(&self, reply: &mut Reply) {
        let lines = self
            .part
            .blocks
            .iter()
            .flat_map(|block| block.lines(&["remarks"]));
        let mut doubtful = remarks::read(lines.filter(|line| line.contains("invalid"))).invalid;
        let failed = self.abuse_comments().filter(|said| said.doubtful);
        doubtful.extend(failed.flat_map(|said| remarks::mailboxes(said.mailbox)));
        for contact in &mut reply.contacts {
            contact.doubtful |= doubtful.contains(&contact.mailbox);
        }
    }
}

struct AbuseComment<'a> {
    about: &'a str,
    mailbox: &'a str,
    doubtful: bool,
}

impl AbuseComment<'_> {
    fn is_about(&self, of: &Holding<'_>) -> bool {
        match of.range {
            Some(range) => range::parse(self.about) == Some(range),
            None => parse_asn(self.about) == of.asn,
        }
    }
}

fn handle(block: &Block) -> Option<&str> {
    match block.class() {
        class @ ("irt" | "organisation" | "nic-hdl" | "nic-hdl-br") => Some(block.get(class)),
        "role" | "person" => Some(block.get("nic-hdl")),
        _ => None,
    }
}

fn mailboxes<'a>(block: &'a Block, keys: &'a [&str]) -> impl Iterator<Item = Mailbox> + 'a {
    keys.iter()
        .flat_map(|key| block.values(key))
        .flat_map(remarks::mailboxes)
}

/// Mailboxes that nothing calls one for abuse; one whose name does goes first.
fn general(person: &Block, reply: &mut Reply) {
    // NIC.br's are the owner's own, and mostly hidden.
    if reply.registry == "nicbr" {
        return;
    }
    let mut found: Vec<Mailbox> = mailboxes(person, &["e-mail"]).collect();
    found.sort_by_key(|one| !one.as_str().contains("abuse"));
    reply.note(Tier::Contact, handle(person).unwrap_or_default(), found);
}
