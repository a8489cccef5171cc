//! Objects of RPSL (RFC 2622) and of its relatives: RIPE, APNIC and its national registries,
//! AFRINIC, LACNIC, NIC.br, IANA.

use std::collections::HashMap;

use super::scan::{Block, Part};
use super::{Lead, Reply, Status, placeholder, range, remarks};
use crate::model::{AddressRange, Mailbox, Tier, parse_asn};
use crate::resolve::registries::WHOIS_PORT;

/// Where remarks stand.
const REMARKS: [&str; 3] = ["descr", "remarks", "trouble"];

/// Those who answer for a network, the likeliest for a report first.
const PEOPLE: [&str; 4] = ["tech-c", "admin-c", "zone-c", "owner-c"];

/// National registries that hold more than APNIC mirrors, as remarks name them.
pub(super) const HINTS: [&str; 5] = [
    "whois.nic.ad.jp",
    "whois.kisa.or.kr",
    "whois.krnic.net",
    "whois.nic.or.kr",
    "whois.twnic.net",
];

/// A network or an AS as an object.
struct Holding<'a> {
    range: Option<AddressRange>,
    asn: Option<u32>,
    block: &'a Block,
}

pub(super) fn read(part: &Part) -> Option<Reply> {
    if part.has("refer") || part.values("source").any(|source| source == "IANA") {
        return Some(of_iana(part));
    }
    let objects = Objects::new(part);
    let (foreign, holdings): (Vec<_>, Vec<_>) = holdings(part)
        .into_iter()
        .partition(Holding::is_placeholder);
    let Some(nearest) = nearest(&holdings) else {
        return foreign
            .first()
            .map(|one| Reply {
                registry: registry(part, one.block),
                leads: placeholder::leads(&one.said()),
                ..Reply::default()
            })
            .or_else(|| objects.alone());
    };
    let mut reply = describe(part, nearest, &objects);
    let around = |one: &&Holding<'_>| match (one.range, nearest.range) {
        (Some(outer), Some(inner)) => outer.contains(inner),
        _ => std::ptr::eq(one.block, nearest.block),
    };
    let mut chain: Vec<&Holding<'_>> = holdings.iter().rev().filter(around).collect();
    chain.sort_by_key(|one| one.range.map(width));
    for holding in chain {
        objects.contacts(holding, &mut reply);
        if reply.is_settled() {
            break;
        }
    }
    if !reply.is_settled() {
        objects.unattached(&mut reply);
    }
    objects.mark_doubtful(&mut reply);
    Some(reply)
}

impl Holding<'_> {
    /// Its remarks, in lower case.
    fn said(&self) -> String {
        self.block
            .lines(&REMARKS)
            .collect::<Vec<_>>()
            .join(" ")
            .to_lowercase()
    }

    fn is_placeholder(&self) -> bool {
        placeholder::is_one(self.block.get("netname"), &self.said(), self.range)
    }
}

fn holdings(part: &Part) -> Vec<Holding<'_>> {
    let networks = part.blocks.iter().filter_map(|block| {
        let text = ["inetnum", "inet6num"]
            .map(|key| block.get(key))
            .into_iter()
            .find(|text| !text.is_empty())?;
        let is_network = !["aut-num", "nic-hdl", "nic-hdl-br", "domain"].contains(&block.class());
        let range = range::parse(text).filter(|_| is_network)?;
        Some(Holding {
            range: Some(range),
            asn: parse_asn(block.get("aut-num")),
            block,
        })
    });
    let networks: Vec<Holding<'_>> = networks.collect();
    if !networks.is_empty() {
        return networks;
    }
    let systems = part
        .blocks
        .iter()
        .filter(|block| block.class() == "aut-num");
    systems
        .filter_map(|block| {
            let asn = Some(parse_asn(block.get("aut-num"))?);
            Some(Holding {
                range: None,
                asn,
                block,
            })
        })
        .collect()
}

/// The smallest; of equal ones the last, which is the nearer registry's.
fn nearest<'a, 'b>(holdings: &'b [Holding<'a>]) -> Option<&'b Holding<'a>> {
    holdings.iter().rev().min_by_key(|one| one.range.map(width))
}

fn width(range: AddressRange) -> u128 {
    range.last().0 - range.first().0
}

fn describe(part: &Part, of: &Holding<'_>, objects: &Objects<'_>) -> Reply {
    let block = of.block;
    let first = |keys: &[&str]| {
        keys.iter()
            .map(|key| block.get(key))
            .find(|value| !value.is_empty())
            .unwrap_or_default()
            .lines()
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    let org = objects.get(block.get("org")).next();
    let org_name = org.map_or("", |org| org.get("org-name"));
    let mut reply = Reply {
        status: Status::Found,
        range: of.range,
        asn: of.asn.or_else(|| objects.origin(of.range?)),
        name: first(&["netname", "as-name"]),
        holder: if org_name.is_empty() {
            first(&["owner", "descr", "netname", "as-name"])
        } else {
            org_name.to_owned()
        },
        country: [Some(block), org]
            .into_iter()
            .flatten()
            .map(|block| country(block.get("country")))
            .find(|code| !code.is_empty())
            .unwrap_or_default(),
        registry: registry(part, block),
        ..Reply::default()
    };
    for key in ["netname", "as-name", "ownerid", "org", "abuse-c", "mnt-irt"] {
        block
            .values(key)
            .for_each(|handle| reply.add_handle(handle));
    }
    if let Some(org) = org {
        org.values("abuse-c")
            .for_each(|handle| reply.add_handle(handle));
    }
    let text = of.said();
    for host in HINTS.into_iter().filter(|host| text.contains(host)) {
        let host = host.to_owned();
        reply.add_lead(Lead::Whois {
            host,
            port: WHOIS_PORT,
        });
    }
    reply
}

/// `EU`, `AP` and `ZZ` are no countries; `UK` is GB in ISO 3166-1.
pub(super) fn country(text: &str) -> String {
    let code = text
        .split([' ', '#', '\n', ','])
        .next()
        .unwrap_or_default()
        .to_ascii_uppercase();
    match code.as_str() {
        "EU" | "AP" | "ZZ" | "XX" => String::new(),
        "UK" => "GB".to_owned(),
        code if code.len() == 2 && code.bytes().all(|b| b.is_ascii_uppercase()) => code.to_owned(),
        _ => String::new(),
    }
}

fn registry(part: &Part, block: &Block) -> String {
    let said = |words: &str| {
        part.comments
            .iter()
            .any(|line| line.to_lowercase().contains(words))
    };
    if block.has("owner") || block.has("ownerid") {
        let is_brazil = part.has("nic-hdl-br") || said("nic.br") || said("registro.br");
        return if is_brazil { "nicbr" } else { "lacnic" }.to_owned();
    }
    if said("[whois.apnic.net") || said("apnic whois") {
        return "apnic".to_owned();
    }
    let source = block
        .get("source")
        .split([' ', '#', '-'])
        .next()
        .unwrap_or_default();
    let known = [
        "ripe", "apnic", "afrinic", "lacnic", "jpnic", "krnic", "twnic", "cnnic", "idnic", "arin",
    ];
    let source = source.to_lowercase();
    known
        .into_iter()
        .find(|name| *name == source)
        .unwrap_or_default()
        .to_owned()
}

/// IANA's network is the registry's whole block, and nobody's.
fn of_iana(part: &Part) -> Reply {
    let mut reply = Reply {
        registry: "iana".to_owned(),
        ..Reply::default()
    };
    for host in part.values("refer").chain(part.values("whois")) {
        if let Some(lead) = super::arin::server(host) {
            reply.add_lead(lead);
        }
    }
    reply
}

/// The contacts in an answer, by their handles.
struct Objects<'a> {
    part: &'a Part,
    by_handle: HashMap<String, Vec<&'a Block>>,
}

impl<'a> Objects<'a> {
    fn new(part: &'a Part) -> Self {
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

    fn get(&self, handle: &str) -> impl Iterator<Item = &'a Block> {
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
        handles.flat_map(|handle| self.get(handle))
    }

    /// All that an answer says of whom to write to about one network.
    fn contacts(&self, of: &Holding<'_>, reply: &mut Reply) {
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
    fn unattached(&self, reply: &mut Reply) {
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
    fn alone(&self) -> Option<Reply> {
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
    fn origin(&self, network: AddressRange) -> Option<u32> {
        let routes = self.part.blocks.iter().filter_map(|block| {
            let route = ["route", "route6"]
                .map(|key| block.get(key))
                .into_iter()
                .find(|text| !text.is_empty())?;
            let route = range::parse(route)
                .filter(|route| route.contains(network) || network.contains(*route))?;
            Some((
                !route.contains(network),
                width(route),
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

    fn mark_doubtful(&self, reply: &mut Reply) {
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
    let mut found: Vec<Mailbox> = mailboxes(person, &["e-mail"]).collect();
    found.sort_by_key(|one| !one.as_str().contains("abuse"));
    reply.note(Tier::Contact, handle(person).unwrap_or_default(), found);
}
