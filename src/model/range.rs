//! Internet addresses and ranges of them, IPv4 and IPv6 in one order.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use ipnetwork::IpNetwork;
use serde::{Serialize, Serializer};

/// ::ffff:0:0, below which no IPv4-mapped address (RFC 4291 2.5.5.2) lies.
const MAPPED: u128 = 0xffff_0000_0000;

/// One address as a number; IPv4 addresses stand in their IPv4-mapped place, so that one order, one
/// index and one comparison serve both families.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(pub u128);

impl Address {
    /// Whether this is an IPv4 address.
    #[must_use]
    pub fn is_ipv4(self) -> bool {
        self.0 >> 32 == MAPPED >> 32
    }

    /// The address as the standard library has it, IPv4-mapped ones as IPv4.
    #[must_use]
    pub fn ip(self) -> IpAddr {
        if self.is_ipv4() {
            IpAddr::V4(Ipv4Addr::from(self.0 as u32))
        } else {
            IpAddr::V6(Ipv6Addr::from(self.0))
        }
    }

    fn spelled_otherwise(text: &str) -> Result<Self, RangeError> {
        let bare = text.trim().trim_start_matches('[').trim_end_matches(']');
        bare.parse::<IpAddr>()
            .map(Self::from)
            .map_err(|_| RangeError::not_an_address(text))
    }
}

impl From<IpAddr> for Address {
    fn from(ip: IpAddr) -> Self {
        Self(match ip {
            IpAddr::V4(ip) => MAPPED | u128::from(u32::from(ip)),
            IpAddr::V6(ip) => ip.into(),
        })
    }
}

impl FromStr for Address {
    type Err = RangeError;

    /// Takes what stands around an address, too: spaces, square brackets.
    #[inline]
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // Nearly all that is read, and a quarter faster without looking for what is seldom there.
        match text.parse::<Ipv4Addr>() {
            Ok(ip) => Ok(IpAddr::V4(ip).into()),
            Err(_) => Self::spelled_otherwise(text),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.ip().fmt(f)
    }
}

/// Addresses from `first` to `last`, both included, of one family; often a single one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AddressRange {
    first: Address,
    last: Address,
}

impl AddressRange {
    /// All of IPv4.
    pub const IPV4: Self = Self {
        first: Address(MAPPED),
        last: Address(MAPPED | 0xffff_ffff),
    };

    /// # Errors
    /// When `first` lies behind `last`, or the two are of different families.
    pub fn new(first: Address, last: Address) -> Result<Self, RangeError> {
        if first.is_ipv4() != last.is_ipv4() {
            return Err(RangeError::new(
                format!("{first} and {last} are of different families"),
                "write two ranges, one IPv4 and one IPv6",
            ));
        }
        if first > last {
            return Err(RangeError::new(
                format!("{first} lies behind {last}"),
                "write the lower address first",
            ));
        }
        Ok(Self { first, last })
    }

    #[must_use]
    pub fn single(address: Address) -> Self {
        Self {
            first: address,
            last: address,
        }
    }

    #[must_use]
    pub const fn first(self) -> Address {
        self.first
    }

    #[must_use]
    pub const fn last(self) -> Address {
        self.last
    }

    #[must_use]
    pub fn is_single(self) -> bool {
        self.first == self.last
    }

    #[must_use]
    pub fn contains(self, other: Self) -> bool {
        self.first <= other.first && other.last <= self.last
    }

    #[must_use]
    pub fn overlaps(self, other: Self) -> bool {
        self.first <= other.last && other.first <= self.last
    }

    /// The shortest prefix length that a CIDR block of this size could have: 24 for 256 IPv4
    /// addresses and for 200.
    #[must_use]
    pub fn prefix_len(self) -> u8 {
        let span = self.last.0 - self.first.0;
        let host_bits = (128 - span.leading_zeros()) as u8;
        let width = if self.first.is_ipv4() { 32 } else { 128 };
        width - host_bits.min(width)
    }

    /// The range as one CIDR block, where it is one.
    #[must_use]
    pub fn cidr(self) -> Option<(Address, u8)> {
        let span = self.last.0 - self.first.0;
        let is_block = span & span.wrapping_add(1) == 0 && self.first.0 & span == 0;
        is_block.then(|| (self.first, self.prefix_len()))
    }

    /// The fewest CIDR blocks that make up the range, in order; at most 254.
    #[must_use]
    pub fn blocks(self) -> Vec<Self> {
        let mut blocks = Vec::new();
        let mut first = self.first.0;
        loop {
            let left = self.last.0 - first;
            // The widest block that begins here and does not end behind the range.
            let fitting = left.checked_add(1).map_or(128, u128::ilog2);
            let span = match first.trailing_zeros().min(fitting) {
                128 => u128::MAX,
                bits => (1 << bits) - 1,
            };
            blocks.push(Self {
                first: Address(first),
                last: Address(first + span),
            });
            if span == left {
                return blocks;
            }
            first += span + 1;
        }
    }

    /// The block of this prefix length around the range; the range itself where it is wider.
    #[must_use]
    pub fn within(self, prefix_len: u8) -> Self {
        let width = if self.first.is_ipv4() { 32 } else { 128 };
        let host_bits = u32::from(width - prefix_len.min(width));
        let span = 1_u128.checked_shl(host_bits).map_or(u128::MAX, |n| n - 1);
        let block = Self {
            first: Address(self.first.0 & !span),
            last: Address(self.first.0 | span),
        };
        if block.contains(self) { block } else { self }
    }

    /// Big-endian bytes of both ends: memcmp order is address order on every engine.
    #[must_use]
    pub fn to_bytes(self) -> ([u8; 16], [u8; 16]) {
        (self.first.0.to_be_bytes(), self.last.0.to_be_bytes())
    }
}

impl FromStr for AddressRange {
    type Err = RangeError;

    /// Reads `192.0.2.1`, `192.0.2.0/24`, `192.0.2.1-192.0.2.9` and the same in IPv6. Host bits
    /// of a CIDR block are dropped; IPv4-mapped IPv6 counts as IPv4.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        if let Some((first, last)) = text.split_once('-') {
            return Self::new(first.parse()?, last.parse()?);
        }
        if !text.contains('/') {
            return text.parse().map(Self::single);
        }
        let block: IpNetwork = text.parse().map_err(|_| {
            RangeError::new(
                format!("\"{text}\" is not a CIDR block"),
                "write an address, a slash and a prefix length: 192.0.2.0/24",
            )
        })?;
        let (first, width) = match block {
            IpNetwork::V4(block) => (IpAddr::V4(block.network()), 32),
            IpNetwork::V6(block) => (IpAddr::V6(block.network()), 128),
        };
        let first = Address::from(first);
        let host_bits = u32::from(width - block.prefix());
        let span = 1_u128.checked_shl(host_bits).map_or(u128::MAX, |n| n - 1);
        Self::new(first, Address(first.0 | span))
    }
}

impl fmt::Display for AddressRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_single() {
            return self.first.fmt(f);
        }
        match self.cidr() {
            Some((first, len)) => write!(f, "{first}/{len}"),
            None => write!(f, "{}-{}", self.first, self.last),
        }
    }
}

impl Serialize for AddressRange {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for AddressRange {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// Why a text is no address or range, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct RangeError {
    pub reason: String,
    pub remedy: &'static str,
}

impl RangeError {
    fn new(reason: String, remedy: &'static str) -> Self {
        Self { reason, remedy }
    }

    fn not_an_address(text: &str) -> Self {
        Self::new(
            format!("\"{}\" is not an address", text.trim()),
            "write 192.0.2.1, 192.0.2.0/24, 192.0.2.1-192.0.2.9 or the same in IPv6",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes_every_form() {
        for (text, shown) in [
            ("192.0.2.1", "192.0.2.1"),
            (" 192.0.2.0/24 ", "192.0.2.0/24"),
            ("192.0.2.77/24", "192.0.2.0/24"),
            ("192.0.2.5/32", "192.0.2.5"),
            ("192.0.2.1-192.0.2.9", "192.0.2.1-192.0.2.9"),
            ("192.0.2.0 - 192.0.2.255", "192.0.2.0/24"),
            ("::ffff:192.0.2.1", "192.0.2.1"),
            ("::ffff:192.0.2.0/120", "192.0.2.0/24"),
            ("2001:DB8::1", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("2001:db8::/32", "2001:db8::/32"),
            ("2001:db8::-2001:db8::5", "2001:db8::-2001:db8::5"),
            ("0.0.0.0/0", "0.0.0.0/0"),
            ("2000::/3", "2000::/3"),
        ] {
            let range: AddressRange = text.parse().unwrap_or_else(|e| panic!("{text}: {e}"));
            assert_eq!(range.to_string(), shown, "{text}");
        }
    }

    #[test]
    fn any_range_is_made_of_few_blocks() {
        for (text, blocks) in [
            ("192.0.2.7", "192.0.2.7"),
            ("192.0.2.0/24", "192.0.2.0/24"),
            (
                "192.0.2.1-192.0.2.6",
                "192.0.2.1 192.0.2.2/31 192.0.2.4/31 192.0.2.6",
            ),
            ("192.0.2.127-192.0.2.128", "192.0.2.127 192.0.2.128"),
            ("2001:db8::1-2001:db8::2", "2001:db8::1 2001:db8::2"),
            ("::/0", "::/0"),
            ("0.0.0.0/0", "0.0.0.0/0"),
        ] {
            let range: AddressRange = text.parse().unwrap();
            let found: Vec<String> = range.blocks().iter().map(ToString::to_string).collect();
            assert_eq!(found.join(" "), blocks);
        }
        let widest: AddressRange = "::1-ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe"
            .parse()
            .unwrap();
        assert_eq!(widest.blocks().len(), 254);
    }

    #[test]
    fn the_block_around_an_address_is_of_its_family() {
        for (text, len, block) in [
            ("192.0.2.7", 24, "192.0.2.0/24"),
            ("192.0.2.0-192.0.2.9", 29, "192.0.2.0-192.0.2.9"),
            ("192.0.2.0/24", 28, "192.0.2.0/24"),
            ("2001:db8::7", 64, "2001:db8::/64"),
            ("2001:db8::7", 0, "::/0"),
        ] {
            let range: AddressRange = text.parse().unwrap();
            assert_eq!(range.within(len).to_string(), block);
        }
    }

    #[test]
    fn refuses_what_is_none() {
        for text in [
            "",
            "x",
            "192.0.2",
            "192.0.2.256",
            "192.0.2.9-192.0.2.1",
            "192.0.2.1-2001:db8::1",
            "192.0.2.0/33",
            "192.0.2.0/",
            "192.0.2.1:25",
        ] {
            assert!(text.parse::<AddressRange>().is_err(), "{text}");
        }
    }

    #[test]
    fn tells_the_prefix_length_of_its_size() {
        for (text, len) in [
            ("192.0.2.1", 32),
            ("192.0.2.0/24", 24),
            ("192.0.2.0-192.0.2.200", 24),
            ("192.0.2.255-192.0.3.0", 31),
            ("2001:db8::/32", 32),
        ] {
            assert_eq!(
                text.parse::<AddressRange>().unwrap().prefix_len(),
                len,
                "{text}"
            );
        }
    }

    #[test]
    fn ipv4_and_ipv6_do_not_mix_in_order() {
        let v4: AddressRange = "255.255.255.255".parse().unwrap();
        let v6: AddressRange = "2001:db8::".parse().unwrap();
        assert!(v4.last() < v6.first());
    }
}
