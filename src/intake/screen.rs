//! Keeps back what is no public address: nobody answers for it, or the wrong one would.

use std::sync::LazyLock;

use super::Wrong;
use crate::model::AddressRange;

/// What a screen lets through.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) allow_documentation: bool,
    /// The shortest prefix of a range that one row may name.
    pub(super) widest_ipv4: u8,
    pub(super) widest_ipv6: u8,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Use {
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

static SPACES: LazyLock<Vec<(AddressRange, Use, &str)>> = LazyLock::new(|| {
    let parsed = |(range, kind, name): (&str, Use, &'static str)| {
        range.parse().ok().map(|range| (range, kind, name))
    };
    SPECIAL.into_iter().filter_map(parsed).collect()
});

/// # Errors
/// When the range is no public address space, touches such space, or is wider than one row may
/// name.
pub(super) fn screen(range: AddressRange, limits: Limits) -> Result<(), Wrong> {
    let spaces = SPACES.iter().filter(|(space, ..)| {
        space.overlaps(range) && space.first().is_ipv4() == range.first().is_ipv4()
    });
    let mut touched = None;
    for (space, kind, name) in spaces {
        match kind {
            Use::Public if space.contains(range) => break,
            Use::Public => {}
            Use::Documentation if limits.allow_documentation => {}
            _ if space.contains(range) => return Err(inside(range, *kind, name)),
            _ => touched = touched.or(Some((space, name))),
        }
    }
    let (widest, family) = if range.first().is_ipv4() {
        (limits.widest_ipv4, "ipv4")
    } else {
        (limits.widest_ipv6, "ipv6")
    };
    if range.prefix_len() < widest {
        return Err(Wrong::new(
            format!("{range} is wider than /{widest}, the widest range that one row may name"),
            match family {
                "ipv4" => "name the addresses that were seen, or say --widest-ipv4 LEN",
                _ => "name the addresses that were seen, or say --widest-ipv6 LEN",
            },
        ));
    }
    match touched {
        None => Ok(()),
        Some((space, name)) => Err(Wrong::new(
            format!("{range} touches {space}, which is {name}"),
            "split the range, and leave out what is no public address space",
        )),
    }
}

fn inside(range: AddressRange, kind: Use, name: &str) -> Wrong {
    let remedy = match kind {
        Use::Documentation => "for a test say --allow-documentation; else see who wrote it",
        _ => "give the public address that was seen from outside",
    };
    Wrong::new(format!("{range} is no public address: {name}"), remedy)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str, allow_documentation: bool) -> String {
        let limits = Limits {
            allow_documentation,
            widest_ipv4: 16,
            widest_ipv6: 32,
        };
        match screen(text.parse().unwrap(), limits) {
            Ok(()) => "public".to_owned(),
            Err(wrong) => wrong.reason,
        }
    }

    #[test]
    fn every_space_of_the_table_is_an_address_range() {
        assert_eq!(SPACES.len(), SPECIAL.len());
    }

    #[test]
    fn what_is_no_public_address_is_named() {
        for (text, name) in [
            ("0.0.0.0", "the unspecified address (RFC 1122)"),
            ("0.1.2.3", "\"this network\" (RFC 791)"),
            ("10.1.2.3", "private (RFC 1918)"),
            ("::ffff:10.1.2.3", "private (RFC 1918)"),
            ("172.31.255.255", "private (RFC 1918)"),
            ("100.127.0.1", "shared by carrier-grade NAT (RFC 6598)"),
            ("127.0.0.1", "loopback (RFC 1122)"),
            ("169.254.1.1", "link-local (RFC 3927)"),
            ("192.0.0.8", "IETF protocol assignments (RFC 6890)"),
            ("192.0.2.0/24", "documentation (RFC 5737)"),
            ("192.88.99.1", "6to4 relay anycast (RFC 7526)"),
            ("192.168.1.0-192.168.1.9", "private (RFC 1918)"),
            ("198.19.0.1", "benchmarking (RFC 2544)"),
            ("224.0.0.1", "multicast (RFC 5771)"),
            ("240.0.0.1", "reserved (RFC 1112)"),
            ("255.255.255.255", "the broadcast address (RFC 919)"),
            ("::", "the unspecified address (RFC 4291)"),
            ("::1", "loopback (RFC 4291)"),
            ("64:ff9b::1", "NAT64 (RFC 6052)"),
            ("2001::1", "Teredo (RFC 4380)"),
            ("2001:20::1", "ORCHIDv2 (RFC 7343)"),
            ("2001:100::1", "IETF protocol assignments (RFC 2928)"),
            ("2001:db8::1", "documentation (RFC 3849)"),
            ("2002::1", "6to4 (RFC 3056)"),
            ("3fff::1", "documentation (RFC 9637)"),
            ("fd00::1", "unique local (RFC 4193)"),
            ("fe80::1", "link-local (RFC 4291)"),
            ("ff02::1", "multicast (RFC 4291)"),
            ("4000::1", "outside the global unicast space 2000::/3"),
            ("1fff::", "outside the global unicast space 2000::/3"),
        ] {
            let range: AddressRange = text.parse().unwrap();
            let expected = format!("{range} is no public address: {name}");
            assert_eq!(told(text, false), expected);
        }
    }

    #[test]
    fn what_is_public_passes() {
        for text in [
            "192.0.0.9",
            "192.31.196.0/24",
            "192.175.48.1",
            "2001:1::3",
            "2001:4:112::/48",
            "2620:4f:8000::/48",
        ] {
            assert_eq!(told(text, false), "public", "{text}");
        }
        for text in ["192.0.2.0/24", "203.0.113.7", "2001:db8::/32", "3fff::/32"] {
            assert_eq!(told(text, true), "public", "{text}");
        }
    }

    #[test]
    fn a_range_that_touches_special_space_or_is_too_wide_is_named() {
        for (text, reason) in [
            (
                "192.0.1.0-192.0.3.0",
                "192.0.1.0-192.0.3.0 touches 192.0.2.0/24, which is documentation (RFC 5737)",
            ),
            (
                "192.0.0.9-192.0.1.0",
                "192.0.0.9-192.0.1.0 touches 192.0.0.0/24, which is IETF protocol assignments (RFC 6890)",
            ),
            (
                "9.255.0.0-10.0.0.1",
                "9.255.0.0-10.0.0.1 is wider than /16, the widest range that one row may name",
            ),
            (
                "0.0.0.0/0",
                "0.0.0.0/0 is wider than /16, the widest range that one row may name",
            ),
            (
                "2001:db7:ffff::-2001:db8::1",
                "2001:db7:ffff::-2001:db8::1 touches 2001:db8::/32, which is documentation (RFC 3849)",
            ),
            (
                "::/0",
                "::/0 is wider than /32, the widest range that one row may name",
            ),
        ] {
            assert_eq!(told(text, false), reason);
        }
        let wide = "192.0.1.0-192.0.3.0";
        assert_eq!(told(wide, true), "public");
        assert_eq!(
            told("2000::/3", true),
            "2000::/3 is wider than /32, the widest range that one row may name"
        );
    }
}
