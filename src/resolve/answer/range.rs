//! Ranges as registries write them: zero padded, cut short, in capitals, with a length too many.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::model::{Address, AddressRange};

/// Reads `192.0.2.0 - 192.0.2.255`, `192.000.002.000/24`, `198.51.100/24`, `192.0.2.0/32 -
/// 192.0.2.255/32`, `2001:DB8::/32`, also with more behind it: `… (/24)`, a comma, a remark.
pub(super) fn parse(text: &str) -> Option<AddressRange> {
    let text = text.split(['(', ',', '#']).next()?.trim();
    let (first, last) = match text.split_once('-') {
        Some((first, last)) => (first.trim(), Some(last.trim())),
        None => {
            let mut words = text.split_whitespace();
            (words.next()?, words.next())
        }
    };
    match last {
        Some(last) => AddressRange::new(address(bare(first))?, address(bare(last))?).ok(),
        None => block(first),
    }
}

/// Both ends of RDAP.
pub(super) fn between(first: &str, last: &str) -> Option<AddressRange> {
    AddressRange::new(address(bare(first))?, address(bare(last))?).ok()
}

fn bare(text: &str) -> &str {
    text.split('/').next().unwrap_or(text).trim()
}

fn block(text: &str) -> Option<AddressRange> {
    let Some((first, length)) = text.split_once('/') else {
        return address(text).map(AddressRange::single);
    };
    format!("{}/{}", address(first)?, length.trim())
        .parse()
        .ok()
}

/// `198.51` is LACNIC's way to write 198.51.0.0.
fn address(text: &str) -> Option<Address> {
    if text.contains(':') {
        return text
            .parse::<Ipv6Addr>()
            .ok()
            .map(|ip| Address::from(std::net::IpAddr::V6(ip)));
    }
    let mut octets = [0_u8; 4];
    let parts: Vec<&str> = text.split('.').collect();
    if parts.len() > 4 || parts.len() < 2 && !text.chars().all(|c| c.is_ascii_digit()) {
        return None;
    }
    for (octet, part) in octets.iter_mut().zip(parts) {
        if part.is_empty() || part.len() > 3 || !part.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        *octet = part.parse().ok()?;
    }
    Some(Address::from(std::net::IpAddr::V4(Ipv4Addr::from(octets))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_way_of_registries() {
        for (text, shown) in [
            ("192.0.2.0 - 192.0.2.255", "192.0.2.0/24"),
            ("192.0.2.0 - 192.0.2.9", "192.0.2.0-192.0.2.9"),
            ("192.0.2.0-192.0.2.255 (/24)", "192.0.2.0/24"),
            ("192.0.2.0 192.0.2.255", "192.0.2.0/24"),
            ("192.000.002.000 - 192.000.002.255", "192.0.2.0/24"),
            ("192.0.2.0/32 - 192.0.2.255/32", "192.0.2.0/24"),
            ("198.51.100/24", "198.51.100.0/24"),
            ("198.51/16", "198.51.0.0/16"),
            ("198/8", "198.0.0.0/8"),
            ("198.51.100.0/25, 198.51.100.128/26", "198.51.100.0/25"),
            ("2001:0DB8:0000::/48", "2001:db8::/48"),
            (
                "2001:DB8:: - 2001:DB8:FFFF:FFFF:FFFF:FFFF:FFFF:FFFF",
                "2001:db8::/32",
            ),
            ("192.0.2.7", "192.0.2.7"),
        ] {
            assert_eq!(
                parse(text).map(|range| range.to_string()).as_deref(),
                Some(shown),
                "{text}"
            );
        }
        for text in [
            "",
            "x",
            "-",
            "/",
            "192.0.2.0/33",
            "192.0.2.256/24",
            "192.0.2.9 - 192.0.2.1",
            "N/A",
            "192.0..2",
            "2001:db8::/999",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
