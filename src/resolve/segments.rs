//! Nested ranges flattened into disjoint segments, so that the most specific one is found by one
//! search and a suspect range is cut at every border it crosses.

use std::cmp::Reverse;
use std::net::{IpAddr, Ipv4Addr};

use crate::model::{Address, AddressRange};

const NONE: u32 = u32::MAX;

/// Built once over ranges that may nest and need not be CIDR blocks; a range is named by its
/// place in the slice it was built from. Ranges that cross without nesting are bad data: between
/// the two, the one that starts later wins.
#[derive(Debug, Default)]
pub(super) struct Segments {
    /// Where each segment starts; it ends before the next one.
    starts: Vec<u128>,
    /// The innermost range over each segment.
    owners: Vec<u32>,
    /// The range around each range.
    parents: Vec<u32>,
}

impl Segments {
    pub(super) fn build(ranges: &[AddressRange]) -> Self {
        // Registries list ::/0. As a number it lies around IPv4's mapped block, too, but answers for
        // nothing in it: a range of nobody's keeps the two families apart.
        let nobody = ranges.len() as u32;
        let ranges: Vec<AddressRange> = ranges.iter().copied().chain(all_of_ipv4()).collect();
        let range = |id: u32| ranges[id as usize];
        // The sort is stable: 0.0.0.0/0 in a table comes behind nobody's, so lies inside it.
        let mut order: Vec<u32> = (0..ranges.len() as u32).rev().collect();
        order.sort_by_key(|id| (range(*id).first(), Reverse(range(*id).last())));
        let mut built = Self {
            starts: Vec::with_capacity(ranges.len() * 2),
            owners: Vec::with_capacity(ranges.len() * 2),
            parents: vec![NONE; ranges.len()],
        };
        let mut open: Vec<u32> = Vec::new();
        for id in order {
            built.close_before(&ranges, &mut open, range(id).first().0);
            built.parents[id as usize] = open.last().copied().unwrap_or(NONE);
            built.start(range(id).first().0, id);
            open.push(id);
        }
        built.close_before(&ranges, &mut open, u128::MAX);
        for id in built.owners.iter_mut().chain(&mut built.parents) {
            if *id == nobody {
                *id = NONE;
            }
        }
        built
    }

    /// Ends all open ranges that lie wholly before `next`, handing each end over to what is
    /// around it.
    fn close_before(&mut self, ranges: &[AddressRange], open: &mut Vec<u32>, next: u128) {
        while let Some(last) = open
            .last()
            .map(|id| ranges[*id as usize].last().0)
            .filter(|last| *last < next)
        {
            while open
                .last()
                .is_some_and(|id| ranges[*id as usize].last().0 <= last)
            {
                open.pop();
            }
            self.start(last + 1, open.last().copied().unwrap_or(NONE));
        }
    }

    fn start(&mut self, at: u128, owner: u32) {
        if self.starts.last() == Some(&at) {
            self.starts.pop();
            self.owners.pop();
        }
        self.starts.push(at);
        self.owners.push(owner);
    }

    /// The pieces of a range, in order and without gaps, each with the innermost range over it.
    pub(super) fn pieces(
        &self,
        of: AddressRange,
    ) -> impl Iterator<Item = (AddressRange, Option<usize>)> {
        let behind = self.starts.partition_point(|start| *start <= of.first().0);
        let mut place = behind.checked_sub(1);
        let mut from = Some(of.first().0);
        std::iter::from_fn(move || {
            let first = from?;
            let next = self.starts.get(place.map_or(0, |place| place + 1)).copied();
            let last = next.map_or(of.last().0, |next| (next - 1).min(of.last().0));
            let owner = place.map_or(NONE, |place| self.owners[place]);
            from = (last < of.last().0).then(|| last + 1);
            place = Some(place.map_or(0, |place| place + 1));
            let piece = AddressRange::new(Address(first), Address(last)).ok()?;
            Some((piece, (owner != NONE).then_some(owner as usize)))
        })
    }

    /// A range and those around it, from the inside out.
    pub(super) fn chain(&self, innermost: usize) -> impl Iterator<Item = usize> {
        std::iter::successors(Some(innermost), |id| {
            let parent = *self.parents.get(*id)?;
            (parent != NONE).then_some(parent as usize)
        })
    }
}

fn all_of_ipv4() -> Option<AddressRange> {
    let end = |ip: Ipv4Addr| Address::from(IpAddr::V4(ip));
    AddressRange::new(end(Ipv4Addr::UNSPECIFIED), end(Ipv4Addr::BROADCAST)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranges(texts: &[&str]) -> Vec<AddressRange> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn cut(texts: &[&str], of: &str) -> String {
        let built = Segments::build(&ranges(texts));
        let pieces: Vec<String> = built
            .pieces(of.parse().unwrap())
            .map(|(piece, owner)| format!("{piece}={}", owner.map_or("-", |id| texts[id])))
            .collect();
        pieces.join(" ")
    }

    #[test]
    fn the_innermost_range_wins() {
        let table = ["192.0.2.0/24", "192.0.2.64/26", "192.0.2.70-192.0.2.75"];
        for (of, expected) in [
            ("192.0.2.1", "192.0.2.1=192.0.2.0/24"),
            ("192.0.2.64", "192.0.2.64=192.0.2.64/26"),
            ("192.0.2.72", "192.0.2.72=192.0.2.70-192.0.2.75"),
            ("192.0.2.76", "192.0.2.76=192.0.2.64/26"),
            ("192.0.2.128", "192.0.2.128=192.0.2.0/24"),
            ("192.0.3.0", "192.0.3.0=-"),
            ("192.0.1.255", "192.0.1.255=-"),
            ("2001:db8::1", "2001:db8::1=-"),
        ] {
            assert_eq!(cut(&table, of), expected);
        }
    }

    #[test]
    fn a_range_is_cut_at_every_border() {
        let table = ["192.0.2.0/25", "192.0.2.192/26"];
        assert_eq!(
            cut(&table, "192.0.2.126-192.0.2.193"),
            "192.0.2.126/31=192.0.2.0/25 192.0.2.128/26=- 192.0.2.192/31=192.0.2.192/26"
        );
        assert_eq!(cut(&[], "192.0.2.0/24"), "192.0.2.0/24=-");
    }

    #[test]
    fn equal_starts_and_touching_ends_are_kept_apart() {
        let table = [
            "192.0.2.0/24",
            "192.0.2.0/26",
            "192.0.2.64/26",
            "192.0.3.0/24",
        ];
        assert_eq!(
            cut(&table, "192.0.2.0-192.0.3.255"),
            "192.0.2.0/26=192.0.2.0/26 192.0.2.64/26=192.0.2.64/26 192.0.2.128/25=192.0.2.0/24 192.0.3.0/24=192.0.3.0/24"
        );
    }

    #[test]
    fn ipv6_is_not_around_ipv4() {
        let table = ["::/0", "0.0.0.0/0", "192.0.2.0/24", "2001:db8::/32"];
        for (of, expected) in [
            ("192.0.2.1", "192.0.2.1=192.0.2.0/24"),
            ("198.51.100.1", "198.51.100.1=0.0.0.0/0"),
            ("::1", "::1=::/0"),
            ("2001:db8::1", "2001:db8::1=2001:db8::/32"),
            ("ff02::1", "ff02::1=::/0"),
        ] {
            assert_eq!(cut(&table, of), expected);
        }
        let built = Segments::build(&ranges(&table));
        assert_eq!(built.chain(2).collect::<Vec<_>>(), [2, 1]);
        assert_eq!(built.chain(3).collect::<Vec<_>>(), [3, 0]);
        assert_eq!(cut(&["::/0"], "192.0.2.1"), "192.0.2.1=-");
    }

    #[test]
    fn the_chain_leads_outwards() {
        let table = ranges(&[
            "192.0.2.0/24",
            "192.0.2.64/26",
            "192.0.2.70-192.0.2.75",
            "198.51.100.0/24",
        ]);
        let built = Segments::build(&table);
        assert_eq!(built.chain(2).collect::<Vec<_>>(), [2, 1, 0]);
        assert_eq!(built.chain(3).collect::<Vec<_>>(), [3]);
    }

    /// Against the plain reading: of all ranges that hold an address, the smallest owns it.
    #[test]
    fn agrees_with_a_search_of_all_ranges() {
        let mut state = 7_u64;
        let mut random = |below: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) % below
        };
        let base = u128::from(u32::from_be_bytes([192, 0, 2, 0])) | 0xffff_0000_0000;
        for _ in 0..200 {
            let mut table: Vec<AddressRange> = Vec::new();
            for _ in 0..random(12) {
                let (a, b) = (random(256), random(256));
                let range = AddressRange::new(
                    Address(base + u128::from(a.min(b))),
                    Address(base + u128::from(a.max(b))),
                )
                .unwrap();
                let crosses = table.iter().any(|other| {
                    range.overlaps(*other) && !range.contains(*other) && !other.contains(range)
                });
                if !crosses && !table.contains(&range) {
                    table.push(range);
                }
            }
            let built = Segments::build(&table);
            for host in 0..256 {
                let address = AddressRange::single(Address(base + host));
                let smallest = (0..table.len())
                    .filter(|id| table[*id].contains(address))
                    .min_by_key(|id| table[*id].last().0 - table[*id].first().0);
                let found: Vec<_> = built.pieces(address).collect();
                assert_eq!(found, [(address, smallest)], "{table:?}");
            }
        }
    }
}
