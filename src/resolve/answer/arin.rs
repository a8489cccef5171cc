//! ARIN's format: networks with their organisation and points of contact below (or, before 2010,
//! the organisation above), lists of networks, autonomous systems, referrals.

use super::scan::{Block, Part};
use super::{Lead, MOST_AROUND, Reply, Status, distance, objects, range, remarks};
use crate::model::{AddressRange, Mailbox, Tier, parse_asn};
use crate::resolve::registries::WHOIS_PORT;

/// rwhois answers on it (RFC 2167 3).
const RWHOIS_PORT: u16 = 4321;

/// Keys of an address for abuse: the network's own, the organisation's, and as it was before 2004.
const ABUSE: [&str; 3] = ["rabuseemail", "orgabuseemail", "abuseemail"];

const GENERAL: [&str; 8] = [
    "rtechemail",
    "rnocemail",
    "orgtechemail",
    "orgnocemail",
    "techemail",
    "nocemail",
    "orgadminemail",
    "email",
];

const REGISTRIES: [(&str, &str); 5] = [
    ("ripe", "whois.ripe.net"),
    ("apnic", "whois.apnic.net"),
    ("afrinic", "whois.afrinic.net"),
    ("lacnic", "whois.lacnic.net"),
    ("registro.br", "whois.registro.br"),
];

/// A network or AS and the blocks that belong to it.
#[derive(Default)]
struct Group<'a> {
    blocks: Vec<&'a Block>,
    range: Option<AddressRange>,
    asn: Option<u32>,
}

pub(super) fn read(part: &Part, asked: Option<AddressRange>) -> Option<Reply> {
    let groups = groups(part);
    let nearest = groups
        .iter()
        .rev()
        .filter(|one| one.range.is_some() || one.asn.is_some());
    let Some(nearest) = nearest.min_by_key(|one| distance(one.range, asked)) else {
        return list(part, asked).or_else(|| point_of_contact(part));
    };
    let mut reply = nearest.describe();
    for lead in nearest.leads() {
        reply.add_lead(lead);
    }
    if nearest.is_elsewhere() {
        let leads = reply.leads;
        return Some(Reply {
            registry: "arin".to_owned(),
            leads,
            ..Reply::default()
        });
    }
    let around = |one: &&Group<'_>| match (one.range, nearest.range) {
        (Some(outer), Some(inner)) => outer.contains(inner),
        _ => std::ptr::eq(*one, nearest),
    };
    let mut chain: Vec<&Group<'_>> = groups.iter().rev().filter(around).collect();
    chain.sort_by_key(|one| distance(one.range, None));
    for group in chain
        .iter()
        .take(MOST_AROUND)
        .filter(|one| !one.is_elsewhere())
    {
        group.contacts(&mut reply);
    }
    Some(reply)
}

fn groups(part: &Part) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    for block in &part.blocks {
        let is_network = block.has("netrange") || block.has("asnumber");
        let is_holder = block.has("orgname") || block.has("custname");
        let begins = groups.last().is_none_or(|last| {
            is_network && (last.range.is_some() || last.asn.is_some())
                || is_holder && last.holder().is_some()
        });
        if begins {
            groups.push(Group::default());
        }
        let Some(group) = groups.last_mut() else {
            continue;
        };
        group.range = group.range.or_else(|| range::parse(block.get("netrange")));
        // A block of several systems reads `64496 - 64511`.
        let asn = block
            .get("asnumber")
            .split([' ', '-'])
            .next()
            .unwrap_or_default();
        group.asn = group.asn.or_else(|| parse_asn(asn));
        group.blocks.push(block);
    }
    groups
}

impl<'a> Group<'a> {
    fn get(&self, key: &str) -> &'a str {
        self.blocks
            .iter()
            .map(|block| block.get(key))
            .find(|value| !value.is_empty())
            .unwrap_or_default()
    }

    fn holder(&self) -> Option<&'a str> {
        let names = ["custname", "orgname"].map(|key| self.get(key));
        names.into_iter().find(|name| !name.is_empty())
    }

    fn describe(&self) -> Reply {
        let organization = self.get("organization");
        let origin = self
            .get("originas")
            .split([',', ' '])
            .next()
            .unwrap_or_default();
        let mut reply = Reply {
            status: Status::Found,
            range: self.range,
            asn: self.asn.or_else(|| parse_asn(origin)),
            name: [self.get("netname"), self.get("asname")].concat(),
            holder: self
                .holder()
                .unwrap_or(organization.split(" (").next().unwrap_or_default())
                .to_owned(),
            country: objects::country(self.get("country")),
            registry: "arin".to_owned(),
            ..Reply::default()
        };
        for key in [
            "nethandle",
            "ashandle",
            "netname",
            "orgid",
            "rabusehandle",
            "orgabusehandle",
        ] {
            self.blocks
                .iter()
                .flat_map(|block| block.values(key))
                .for_each(|handle| reply.add_handle(handle));
        }
        reply
    }

    /// Another registry's space: `Early Registrations, Transferred to RIPE NCC`.
    fn elsewhere(&self) -> Option<&'static str> {
        let kind = self.get("nettype").to_lowercase();
        let given = [
            "allocated to ",
            "transferred to ",
            "maintained by ",
            "assigned to ",
        ];
        let to = given
            .into_iter()
            .find_map(|words| kind.split_once(words))?
            .1;
        REGISTRIES
            .into_iter()
            .find(|(name, _)| to.starts_with(name))
            .map(|(_, host)| host)
    }

    fn leads(&self) -> Vec<Lead> {
        let servers = self
            .blocks
            .iter()
            .flat_map(|block| block.values("referralserver"));
        let mut leads: Vec<Lead> = servers.filter_map(server).collect();
        if let Some(host) = self.elsewhere().filter(|_| leads.is_empty()) {
            leads.push(Lead::Whois {
                host: host.to_owned(),
                port: WHOIS_PORT,
            });
        }
        leads
    }

    /// Whether a registry holds it whose answer counts, and ARIN's does not.
    fn is_elsewhere(&self) -> bool {
        let is_registry = |lead: &Lead| matches!(lead, Lead::Whois { host, .. } if REGISTRIES.iter().any(|(_, one)| one == host));
        self.elsewhere().is_some() || self.leads().iter().any(is_registry)
    }

    fn contacts(&self, reply: &mut Reply) {
        for key in ABUSE {
            let handle = self.get(&key.replace("email", "handle"));
            let mut found = self.mailboxes(key).peekable();
            if found.peek().is_some() {
                reply.add_handle(self.get("orgid"));
            }
            reply.note(Tier::Explicit, handle, found);
        }
        for block in &self.blocks {
            let handle = block.get("orgid");
            reply.heed(handle, remarks::read(block.lines(&["comment"])));
        }
        for key in GENERAL {
            reply.note(
                Tier::Contact,
                self.get(&key.replace("email", "handle")),
                self.mailboxes(key),
            );
        }
    }

    fn mailboxes(&self, key: &'a str) -> impl Iterator<Item = Mailbox> {
        self.blocks
            .iter()
            .flat_map(move |block| block.values(key))
            .flat_map(remarks::mailboxes)
    }
}

/// `Example Net EXAMPLE-1 (NET-192-0-2-0-1) 192.0.2.0 - 192.0.2.255`: ask again by handle.
fn list(part: &Part, asked: Option<AddressRange>) -> Option<Reply> {
    let lines = part.values("").filter_map(|line| {
        let (name, rest) = line.split_once("(NET")?;
        let (handle, range) = rest.split_once(')')?;
        Some((range::parse(range)?, format!("NET{handle}"), name.trim()))
    });
    let lines: Vec<_> = lines.collect();
    let (range, handle, name) = lines
        .into_iter()
        .rev()
        .min_by_key(|(range, _, _)| distance(Some(*range), asked))?;
    let (holder, name) = name.rsplit_once(' ').unwrap_or((name, name));
    Some(Reply {
        status: Status::Found,
        range: Some(range),
        name: name.to_owned(),
        holder: holder.to_owned(),
        registry: "arin".to_owned(),
        handles: vec![handle.clone()],
        leads: vec![Lead::Handle { handle }],
        ..Reply::default()
    })
}

/// What `p ! HANDLE` answers.
fn point_of_contact(part: &Part) -> Option<Reply> {
    let block = part
        .blocks
        .iter()
        .find(|block| block.has("handle") && block.has("email"))?;
    let name = block.get("name");
    let mut reply = Reply {
        status: Status::Found,
        holder: [name, block.get("company")]
            .into_iter()
            .find(|name| !name.is_empty())
            .unwrap_or_default()
            .to_owned(),
        country: objects::country(block.get("country")),
        registry: "arin".to_owned(),
        ..Reply::default()
    };
    let handle = block.get("handle");
    reply.add_handle(handle);
    let says_so = [name, handle]
        .iter()
        .any(|text| text.to_lowercase().contains("abuse"));
    let tier = if says_so {
        Tier::Explicit
    } else {
        Tier::Contact
    };
    reply.note(
        tier,
        handle,
        block.values("email").flat_map(remarks::mailboxes),
    );
    Some(reply)
}

/// `whois://whois.isp.example:43`, `rwhois://rwhois.isp.example:4321/`, `whois.isp.example`. Only
/// names and addresses of hosts pass; whether one may be asked is decided elsewhere.
pub(super) fn server(text: &str) -> Option<Lead> {
    let text = text.trim().to_ascii_lowercase();
    let (scheme, rest) = text.split_once("://").unwrap_or(("whois", &text));
    let rest = rest.split('/').next()?;
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') => (
            host,
            Some(port.parse::<u16>().ok().filter(|port| *port > 0)?),
        ),
        _ => (rest, None),
    };
    let is_host = host.len() <= 253
        && host.contains(['.', ':'])
        && host.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '[')
        && host
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || ".-:[]".contains(c));
    let host = host.to_owned();
    match scheme {
        _ if !is_host => None,
        "whois" => Some(Lead::Whois {
            host,
            port: port.unwrap_or(WHOIS_PORT),
        }),
        "rwhois" => Some(Lead::Rwhois {
            host,
            port: port.unwrap_or(RWHOIS_PORT),
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn referrals_name_a_host_and_a_port() {
        for (text, expected) in [
            (
                "whois://whois.ripe.example",
                Some(("whois", "whois.ripe.example", 43)),
            ),
            (
                "whois://whois.ripe.example:43",
                Some(("whois", "whois.ripe.example", 43)),
            ),
            (
                "rwhois://RWHOIS.isp.example:4321/",
                Some(("rwhois", "rwhois.isp.example", 4321)),
            ),
            (
                "rwhois://rwhois.isp.example",
                Some(("rwhois", "rwhois.isp.example", 4321)),
            ),
            (
                "whois.isp.example",
                Some(("whois", "whois.isp.example", 43)),
            ),
            ("rwhois://rwhois.isp.example:0", None),
            ("http://isp.example/whois", None),
            ("whois://isp.example\r\nx", None),
            ("whois://-x.example", None),
            ("", None),
        ] {
            let found = server(text).map(|lead| match lead {
                Lead::Whois { host, port } => ("whois", host, port),
                Lead::Rwhois { host, port } => ("rwhois", host, port),
                Lead::Handle { handle } => ("handle", handle, 0),
            });
            let expected = expected.map(|(kind, host, port)| (kind, host.to_owned(), port));
            assert_eq!(found, expected, "{text}");
        }
    }
}
