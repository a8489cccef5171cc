//! Keeps back what is no public address: nobody answers for it, or the wrong one would.

use super::Wrong;
use crate::model::{AddressRange, SPACES, Use};

/// What a screen lets through.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) allow_documentation: bool,
    /// The shortest prefix of a range that one row may name.
    pub(super) widest_ipv4: u8,
    pub(super) widest_ipv6: u8,
}

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
