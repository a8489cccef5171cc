//! Blocks that a registry keeps for space of others: no network, at best a hint where to ask.

use super::Lead;
use crate::model::AddressRange;
use crate::resolve::registries::WHOIS_PORT;

const NAMES: [&str; 6] = [
    "non-ripe-ncc-managed-address-block",
    "iana-blk",
    "iana-netblock",
    "iana-cidr-block",
    "erx-netblock",
    "eu-zz-",
];

const WORDS: [&str; 8] = [
    "not managed by the ripe ncc",
    "not allocated to apnic",
    "not administered by apnic",
    "not fully allocated to apnic",
    "in the free pool of",
    "the whole ipv4 address space",
    "the whole ipv6 address space",
    "not been allocated to",
];

const REGISTRIES: [&str; 5] = [
    "whois.arin.net",
    "whois.ripe.net",
    "whois.apnic.net",
    "whois.afrinic.net",
    "whois.lacnic.net",
];

/// Whether a block of this name, with these remarks in lower case, is kept for space of others.
pub(super) fn is_one(name: &str, remarks: &str, range: Option<AddressRange>) -> bool {
    let name = name.to_lowercase();
    let is_all = range.is_some_and(|range| range.cidr().is_some_and(|(_, length)| length == 0));
    is_all
        || NAMES.iter().any(|one| name.starts_with(one))
        || WORDS.iter().any(|words| remarks.contains(words))
}

/// The one registry that remarks name; where they name several, they do not know.
pub(super) fn leads(remarks: &str) -> Vec<Lead> {
    let mut named = REGISTRIES.into_iter().filter(|host| remarks.contains(host));
    match (named.next(), named.next()) {
        (Some(host), None) => vec![Lead::Whois {
            host: host.to_owned(),
            port: WHOIS_PORT,
        }],
        _ => Vec::new(),
    }
}
