//! Objects of RPSL (RFC 2622) and of its relatives: RIPE, APNIC and its national registries,
//! AFRINIC, LACNIC, NIC.br, IANA.

use super::people::People;
use super::scan::{Block, Part};
use super::{Lead, MOST_AROUND, Reply, Status, deny, distance, placeholder, range};
use crate::model::{AddressRange, parse_asn};
use crate::resolve::registries::WHOIS_PORT;

/// Where remarks stand.
pub(super) const REMARKS: [&str; 3] = ["descr", "remarks", "trouble"];

/// National registries that hold more than APNIC mirrors, as remarks name them.
pub(super) const HINTS: [&str; 5] = [
    "whois.nic.ad.jp",
    "whois.kisa.or.kr",
    "whois.krnic.net",
    "whois.nic.or.kr",
    "whois.twnic.net",
];

/// A network or an AS as an object.
pub(super) struct Holding<'a> {
    pub(super) range: Option<AddressRange>,
    pub(super) asn: Option<u32>,
    pub(super) block: &'a Block,
}

pub(super) fn read(part: &Part, asked: Option<AddressRange>) -> Option<Reply> {
    if part.has("refer") || part.values("source").any(|source| source == "IANA") {
        return Some(of_iana(part));
    }
    let people = People::new(part);
    let (foreign, holdings): (Vec<_>, Vec<_>) = holdings(part)
        .into_iter()
        .partition(Holding::is_placeholder);
    // Of equal ones the last: it is the nearer registry's.
    let nearest = holdings
        .iter()
        .rev()
        .min_by_key(|one| distance(one.range, asked));
    let Some(nearest) = nearest else {
        return foreign
            .first()
            .map(|one| Reply {
                registry: registry(part, one.block),
                leads: placeholder::leads(&one.said()),
                ..Reply::default()
            })
            .or_else(|| people.alone());
    };
    let mut reply = describe(part, nearest, &people);
    let around = |one: &&Holding<'_>| match (one.range, nearest.range) {
        (Some(outer), Some(inner)) => outer.contains(inner),
        _ => std::ptr::eq(one.block, nearest.block),
    };
    let mut chain: Vec<&Holding<'_>> = holdings.iter().rev().filter(around).collect();
    chain.sort_by_key(|one| distance(one.range, None));
    for holding in chain.into_iter().take(MOST_AROUND) {
        people.contacts(holding, &mut reply);
        if reply.is_settled() {
            break;
        }
    }
    if !reply.is_settled() {
        people.unattached(&mut reply);
    }
    people.mark_doubtful(&mut reply);
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
        let (name, said) = (self.block.get("netname"), self.said());
        // What a registry holds to hand out, under its own name.
        let status = self.block.get("status");
        let is_stock = status.eq_ignore_ascii_case("allocated unspecified")
            && (deny::is_registry(name) || deny::is_registry(self.block.get("descr")));
        is_stock || placeholder::is_one(name, &said, self.range)
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

fn describe(part: &Part, of: &Holding<'_>, people: &People<'_>) -> Reply {
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
    let org = people.get(block.get("org")).next();
    let org_name = org.map_or("", |org| org.get("org-name"));
    let mut reply = Reply {
        status: Status::Found,
        range: of.range,
        asn: of.asn.or_else(|| people.origin(of.range?)),
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

pub(super) fn registry(part: &Part, block: &Block) -> String {
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
