//! Address space that is no subscriber's: private, reserved, for documentation.

use std::sync::LazyLock;

use super::{Address, AddressRange};

/// What a part of the address space is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// Reachable from everywhere though it lies in special space.
    Public,
    Documentation,
    Special,
}

/// Special-purpose addresses after the IANA registries (RFC 6890, RFC 8190), IPv4 multicast and
/// reserved space, and the IPv6 space outside 2000::/3 (RFC 4291); the narrower ranges first.
/// Identifiers and tunnels that name no subscriber (ORCHID, Teredo, 6to4) are held back although
/// packets to them may travel.
#[rustfmt::skip]
const SPECIAL: [(&str, Use, &str); 52] = [
    ("192.0.0.9/32",       Use::Public,        "Port Control Protocol anycast (RFC 7723)"),
    ("192.0.0.10/32",      Use::Public,        "TURN anycast (RFC 8155)"),
    ("0.0.0.0/32",         Use::Special,       "the unspecified address (RFC 1122)"),
    ("0.0.0.0/8",          Use::Special,       "\"this network\" (RFC 791)"),
    ("10.0.0.0/8",         Use::Special,       "private (RFC 1918)"),
    ("100.64.0.0/10",      Use::Special,       "shared by carrier-grade NAT (RFC 6598)"),
    ("127.0.0.0/8",        Use::Special,       "loopback (RFC 1122)"),
    ("169.254.0.0/16",     Use::Special,       "link-local (RFC 3927)"),
    ("172.16.0.0/12",      Use::Special,       "private (RFC 1918)"),
    ("192.0.0.0/24",       Use::Special,       "IETF protocol assignments (RFC 6890)"),
    ("192.0.2.0/24",       Use::Documentation, "documentation (RFC 5737)"),
    ("192.88.99.0/24",     Use::Special,       "6to4 relay anycast (RFC 7526)"),
    ("192.168.0.0/16",     Use::Special,       "private (RFC 1918)"),
    ("198.18.0.0/15",      Use::Special,       "benchmarking (RFC 2544)"),
    ("198.51.100.0/24",    Use::Documentation, "documentation (RFC 5737)"),
    ("203.0.113.0/24",     Use::Documentation, "documentation (RFC 5737)"),
    ("233.252.0.0/24",     Use::Special,       "documentation of multicast (RFC 6676)"),
    ("224.0.0.0/4",        Use::Special,       "multicast (RFC 5771)"),
    ("255.255.255.255/32", Use::Special,       "the broadcast address (RFC 919)"),
    ("240.0.0.0/4",        Use::Special,       "reserved (RFC 1112)"),

    ("2001:1::1/128",      Use::Public,        "Port Control Protocol anycast (RFC 7723)"),
    ("2001:1::2/128",      Use::Public,        "TURN anycast (RFC 8155)"),
    ("2001:1::3/128",      Use::Public,        "DNS-SD registration anycast (RFC 9665)"),
    ("2001:3::/32",        Use::Public,        "AMT (RFC 7450)"),
    ("2001:4:112::/48",    Use::Public,        "AS112 (RFC 7535)"),
    ("2001::/32",          Use::Special,       "Teredo (RFC 4380)"),
    ("2001:2::/48",        Use::Special,       "benchmarking (RFC 5180)"),
    ("2001:10::/28",       Use::Special,       "ORCHID (RFC 4843)"),
    ("2001:20::/28",       Use::Special,       "ORCHIDv2 (RFC 7343)"),
    ("2001:30::/28",       Use::Special,       "drone remote identification (RFC 9374)"),
    ("2001::/23",          Use::Special,       "IETF protocol assignments (RFC 2928)"),
    ("2001:db8::/32",      Use::Documentation, "documentation (RFC 3849)"),
    ("2002::/16",          Use::Special,       "6to4 (RFC 3056)"),
    ("3fff::/20",          Use::Documentation, "documentation (RFC 9637)"),

    ("::/128",             Use::Special,       "the unspecified address (RFC 4291)"),
    ("::1/128",            Use::Special,       "loopback (RFC 4291)"),
    ("::/96",              Use::Special,       "IPv4-compatible, long given up (RFC 4291)"),
    ("64:ff9b::/96",       Use::Special,       "NAT64 (RFC 6052)"),
    ("64:ff9b:1::/48",     Use::Special,       "local NAT64 (RFC 8215)"),
    ("100::/64",           Use::Special,       "discard-only (RFC 6666)"),
    ("100:0:0:1::/64",     Use::Special,       "a dummy prefix (RFC 9780)"),
    ("5f00::/16",          Use::Special,       "segment routing identifiers (RFC 9602)"),
    ("fc00::/7",           Use::Special,       "unique local (RFC 4193)"),
    ("fe80::/10",          Use::Special,       "link-local (RFC 4291)"),
    ("fec0::/10",          Use::Special,       "site-local, long given up (RFC 3879)"),
    ("ff00::/8",           Use::Special,       "multicast (RFC 4291)"),
    ("::/4",               Use::Special,       "outside the global unicast space 2000::/3"),
    ("1000::/4",           Use::Special,       "outside the global unicast space 2000::/3"),
    ("4000::/2",           Use::Special,       "outside the global unicast space 2000::/3"),
    ("8000::/2",           Use::Special,       "outside the global unicast space 2000::/3"),
    ("c000::/3",           Use::Special,       "outside the global unicast space 2000::/3"),
    ("e000::/3",           Use::Special,       "outside the global unicast space 2000::/3"),
];

/// Each with its use and its name; where they overlap, the first counts.
pub static SPACES: LazyLock<Vec<(AddressRange, Use, &str)>> = LazyLock::new(|| {
    let parsed = |(range, kind, name): (&str, Use, &'static str)| {
        range.parse().ok().map(|range| (range, kind, name))
    };
    SPECIAL.into_iter().filter_map(parsed).collect()
});

/// What an address is for; nobody answers for one that is not [`Use::Public`].
#[must_use]
pub fn use_of(address: Address) -> Use {
    let of = |space: &AddressRange| space.contains(AddressRange::single(address));
    SPACES
        .iter()
        .find(|(space, ..)| of(space) && space.first().is_ipv4() == address.is_ipv4())
        .map_or(Use::Public, |(_, kind, _)| *kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_space_of_the_table_is_an_address_range() {
        assert_eq!(SPACES.len(), SPECIAL.len());
    }
}
