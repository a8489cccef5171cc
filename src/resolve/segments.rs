//! Nested ranges flattened into disjoint segments, so that the most specific one is found by one
//! short search and a suspect range is cut at every border it crosses.

use std::cmp::Reverse;
use std::hint::select_unpredictable;

use crate::model::{Address, AddressRange};

const NONE: u32 = u32::MAX;

/// Buckets of a family's index: about one for each segment, at most a million (4 MB).
const MOST_BUCKET_BITS: u32 = 20;

/// Searches that go in step.
const IN_STEP: usize = 64;

/// Which of many ranges is the innermost one over an address.
///
/// Built once over ranges that may nest and need not be CIDR blocks; a range is named by its place
/// in the order it was handed over. Of equal ranges the first counts as the innermost. Ranges that
/// cross without nesting are bad data: between the two, the one that starts later wins.
///
/// An IPv4 range costs 4 bytes and up to two segments of 8 bytes each.
///
/// ```
/// use lapwing::model::{AddressRange, RangeError};
/// use lapwing::resolve::Segments;
///
/// let ranges: [AddressRange; 2] = ["192.0.2.0/24".parse()?, "192.0.2.64/26".parse()?];
/// let segments = Segments::build(ranges);
/// assert_eq!(segments.find("192.0.2.70".parse()?), Some(1));
/// assert_eq!(segments.find("192.0.2.7".parse()?), Some(0));
/// assert_eq!(segments.find("198.51.100.7".parse()?), None);
/// assert_eq!(segments.chain(1).collect::<Vec<_>>(), [1, 0]);
/// # Ok::<(), RangeError>(())
/// ```
#[derive(Debug)]
pub struct Segments {
    ipv4: Flat<u32>,
    ipv6: Flat<u128>,
    /// The range around each range.
    parents: Vec<u32>,
}

impl Segments {
    #[must_use]
    pub fn build(ranges: impl IntoIterator<Item = AddressRange>) -> Self {
        let (mut ipv4, mut ipv6) = (Vec::new(), Vec::new());
        for (range, id) in ranges.into_iter().zip(0..NONE) {
            if range.first().is_ipv4() {
                ipv4.push(Span::of(range, id));
            } else {
                ipv6.push(Span::of(range, id));
            }
        }
        let mut parents = vec![NONE; ipv4.len() + ipv6.len()];
        // Registries list ::/0. As a number it lies around IPv4's mapped block, too, but answers for
        // nothing in it: a range of nobody's keeps the two families apart.
        ipv6.push(Span::of(AddressRange::IPV4, NONE));
        Self {
            ipv4: Flat::build(ipv4, &mut parents),
            ipv6: Flat::build(ipv6, &mut parents),
            parents,
        }
    }

    /// The innermost range over an address.
    #[must_use]
    pub fn find(&self, address: Address) -> Option<usize> {
        let owner = if address.is_ipv4() {
            self.ipv4.owner(address)
        } else {
            self.ipv6.owner(address)
        };
        (owner != NONE).then_some(owner as usize)
    }

    /// The innermost range over each of many addresses. Where they come in no order this is twice as
    /// fast as [`find`](Self::find) for each.
    #[must_use]
    pub fn find_all(&self, addresses: &[Address]) -> Vec<Option<usize>> {
        let mut found = Vec::with_capacity(addresses.len());
        let place = |owner| (owner != NONE).then_some(owner as usize);
        for family in addresses.chunk_by(|one, next| one.is_ipv4() == next.is_ipv4()) {
            for some in family.chunks(IN_STEP) {
                if some[0].is_ipv4() {
                    found.extend(self.ipv4.owners(some).map(place));
                } else {
                    found.extend(self.ipv6.owners(some).map(place));
                }
            }
        }
        found
    }

    /// The pieces of a range, in order and without gaps, each with the innermost range over it.
    pub fn pieces(&self, of: AddressRange) -> impl Iterator<Item = (AddressRange, Option<usize>)> {
        let mut from = Some(of.first());
        std::iter::from_fn(move || {
            let first = from?;
            let end = if first.is_ipv4() {
                self.ipv4.end(first)
            } else {
                self.ipv6.end(first)
            };
            let last = end.min(of.last());
            from = (last < of.last()).then(|| Address(last.0 + 1));
            Some((AddressRange::new(first, last).ok()?, self.find(first)))
        })
    }

    /// A range and those around it, from the inside out.
    pub fn chain(&self, innermost: usize) -> impl Iterator<Item = usize> {
        std::iter::successors(Some(innermost), |id| {
            let parent = *self.parents.get(*id)?;
            (parent != NONE).then_some(parent as usize)
        })
    }
}

impl Default for Segments {
    fn default() -> Self {
        Self::build([])
    }
}

/// One family's addresses, in as few bytes as it needs.
trait Family: Copy + Ord {
    const FIRST: Self;
    const LAST: Address;

    fn of(address: Address) -> Self;
    fn address(self) -> Address;
    fn successor(self) -> Option<Self>;
    /// Its place among 2^`bits` equal parts of the family's space; never falls as addresses rise.
    fn bucket(self, bits: u32) -> usize;
}

impl Family for u32 {
    const FIRST: Self = 0;
    const LAST: Address = AddressRange::IPV4.last();

    fn of(address: Address) -> Self {
        address.0 as Self
    }

    fn address(self) -> Address {
        Address(AddressRange::IPV4.first().0 | u128::from(self))
    }

    fn successor(self) -> Option<Self> {
        self.checked_add(1)
    }

    fn bucket(self, bits: u32) -> usize {
        (u64::from(self) >> (32 - bits)) as usize
    }
}

/// 2000::/3, all that is given out of IPv6 (RFC 4291 2.4).
const GLOBAL: (u128, u128) = (0x2000 << 112, (0x4000 << 112) - 1);

impl Family for u128 {
    const FIRST: Self = 0;
    const LAST: Address = Address(Self::MAX);

    fn of(address: Address) -> Self {
        address.0
    }

    fn address(self) -> Address {
        Address(self)
    }

    fn successor(self) -> Option<Self> {
        self.checked_add(1)
    }

    fn bucket(self, bits: u32) -> usize {
        let (first, last) = GLOBAL;
        ((self.clamp(first, last) - first) >> (125 - bits)) as usize
    }
}

/// A range with its number.
#[derive(Clone, Copy)]
struct Span<A> {
    first: A,
    last: A,
    id: u32,
}

impl<A: Family> Span<A> {
    fn of(range: AddressRange, id: u32) -> Self {
        Self {
            first: A::of(range.first()),
            last: A::of(range.last()),
            id,
        }
    }
}

/// The disjoint segments of one family, without gaps.
#[derive(Debug)]
struct Flat<A> {
    /// Start and owner stand together: a lookup that has found the one has fetched the other.
    segments: Vec<Segment<A>>,
    /// For each bucket the last segment that starts before it, and at the end the last of all: what
    /// is around an address is the one of its bucket, the one of the next, or between the two.
    buckets: Vec<u32>,
    bucket_bits: u32,
}

/// It ends before the next one starts.
#[derive(Clone, Copy, Debug)]
struct Segment<A> {
    start: A,
    /// The innermost range over it.
    owner: u32,
}

impl<A: Family> Flat<A> {
    /// Sets the parents of the spans' ranges on the way.
    fn build(mut spans: Vec<Span<A>>, parents: &mut [u32]) -> Self {
        spans.sort_unstable_by_key(|span| (span.first, Reverse(span.last), Reverse(span.id)));
        let mut built = Self {
            segments: Vec::with_capacity(spans.len() * 2 + 1),
            buckets: Vec::new(),
            bucket_bits: 0,
        };
        built.start(A::FIRST, NONE);
        let mut open: Vec<Span<A>> = Vec::new();
        for span in spans {
            built.close_before(&mut open, Some(span.first));
            if let Some(parent) = parents.get_mut(span.id as usize) {
                *parent = open.last().map_or(NONE, |around| around.id);
            }
            built.start(span.first, span.id);
            open.push(span);
        }
        built.close_before(&mut open, None);
        built.segments.shrink_to_fit();
        built.index();
        built
    }

    /// Ends all open ranges that lie wholly before `next`, or all there are, handing each end over
    /// to what is around it.
    fn close_before(&mut self, open: &mut Vec<Span<A>>, next: Option<A>) {
        let is_over = |span: &Span<A>| next.is_none_or(|next| span.last < next);
        while let Some(last) = open.last().filter(|span| is_over(span)).map(|s| s.last) {
            while open.last().is_some_and(|span| span.last <= last) {
                open.pop();
            }
            if let Some(behind) = last.successor() {
                self.start(behind, open.last().map_or(NONE, |around| around.id));
            }
        }
    }

    fn start(&mut self, start: A, owner: u32) {
        if self.segments.last().is_some_and(|last| last.start == start) {
            self.segments.pop();
        }
        self.segments.push(Segment { start, owner });
    }

    fn index(&mut self) {
        let bits = self.segments.len().ilog2().min(MOST_BUCKET_BITS);
        let mut buckets = Vec::with_capacity((1 << bits) + 1);
        for (segment, place) in self.segments.iter().zip(0_u32..) {
            while buckets.len() <= segment.start.bucket(bits) {
                buckets.push(place.saturating_sub(1));
            }
        }
        buckets.resize((1 << bits) + 1, self.segments.len() as u32 - 1);
        self.bucket_bits = bits;
        self.buckets = buckets;
    }

    /// The first and the last segment that may be around an address.
    fn candidates(&self, address: A) -> (usize, usize) {
        let bucket = address.bucket(self.bucket_bits);
        (
            self.buckets[bucket] as usize,
            self.buckets[bucket + 1] as usize,
        )
    }

    /// The segment around an address.
    fn around(&self, address: A) -> usize {
        let (first, last) = self.candidates(address);
        first + self.segments[first + 1..=last].partition_point(|one| one.start <= address)
    }

    fn owner(&self, address: Address) -> u32 {
        self.segments[self.around(A::of(address))].owner
    }

    /// Where the segment around an address ends.
    fn end(&self, address: Address) -> Address {
        let next = self.segments.get(self.around(A::of(address)) + 1);
        next.map_or(A::LAST, |next| Address(next.start.address().0 - 1))
    }

    /// The owners of at most [`IN_STEP`] addresses. Each halving is done for all before the next: so
    /// the memory for all is under way at once, where searches one after the other wait for each.
    fn owners(&self, addresses: &[Address]) -> impl Iterator<Item = u32> {
        // Where each search stands, and how many segments it has still to choose from.
        let mut searches = [(A::FIRST, 0, 1); IN_STEP];
        let mut longest = 1;
        for (search, address) in searches.iter_mut().zip(addresses) {
            let address = A::of(*address);
            let (first, last) = self.candidates(address);
            let left = last - first + 1;
            *search = (address, first, left);
            longest = longest.max(left);
        }
        while longest > 1 {
            for (address, at, left) in &mut searches {
                let middle = *at + *left / 2;
                let is_behind = self.segments[middle].start <= *address;
                *at = select_unpredictable(is_behind, middle, *at);
                *left -= *left / 2;
            }
            longest -= longest / 2;
        }
        let found = searches.into_iter().take(addresses.len());
        found.map(|(_, at, _)| self.segments[at].owner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ranges(texts: &[&str]) -> Vec<AddressRange> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn cut(texts: &[&str], of: &str) -> String {
        let built = Segments::build(ranges(texts));
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
        let built = Segments::build(ranges(&table));
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
        let built = Segments::build(table.iter().copied());
        assert_eq!(built.chain(2).collect::<Vec<_>>(), [2, 1, 0]);
        assert_eq!(built.chain(3).collect::<Vec<_>>(), [3]);
    }

    /// Against the plain reading: of all ranges that hold an address, the smallest owns it. Blocks
    /// of one address each, or so large that they fill the family's space and many buckets.
    #[test]
    fn agrees_with_a_search_of_all_ranges() {
        let mut state = 7_u64;
        let mut random = |below: u64| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            u128::from((state >> 33) % below)
        };
        let doc_v4 = u128::from(u32::from_be_bytes([192, 0, 2, 0])) | 0xffff_0000_0000;
        let doc_v6 = 0x2001_0db8_u128 << 96;
        let spaces = [
            (doc_v4, 1),
            (AddressRange::IPV4.first().0, 1 << 24),
            (doc_v6, 1),
            (doc_v6, 1 << 88),
            (0, 1 << 120),
        ];
        for turn in 0..400 {
            let (base, block) = spaces[turn % spaces.len()];
            let end = |place: u128| Address(base + (place * block + (block - 1)));
            let mut table: Vec<AddressRange> = Vec::new();
            for _ in 0..random(40) {
                let (a, b) = (random(256), random(256));
                let first = Address(base + a.min(b) * block);
                let range = AddressRange::new(first, end(a.max(b))).unwrap();
                let crosses = table.iter().any(|other| {
                    range.overlaps(*other) && !range.contains(*other) && !other.contains(range)
                });
                if !crosses && !table.contains(&range) {
                    table.push(range);
                }
            }
            let built = Segments::build(table.iter().copied());
            let asked = (0..256).flat_map(|place| [Address(base + place * block), end(place)]);
            let asked: Vec<Address> = asked.collect();
            let smallest = |address: Address| {
                let around = |id: &usize| {
                    table[*id].contains(AddressRange::single(address))
                        && table[*id].first().is_ipv4() == address.is_ipv4()
                };
                let size = |id: &usize| table[*id].last().0 - table[*id].first().0;
                (0..table.len()).filter(around).min_by_key(size)
            };
            let expected: Vec<_> = asked.iter().copied().map(smallest).collect();
            let found: Vec<_> = asked.iter().map(|address| built.find(*address)).collect();
            assert_eq!(found, expected, "{table:?}");
            assert_eq!(built.find_all(&asked), expected, "{table:?}");

            let mut next = Address(base);
            for (piece, owner) in built.pieces(AddressRange::new(next, end(255)).unwrap()) {
                assert_eq!(piece.first(), next, "{table:?}");
                assert_eq!(owner, smallest(piece.first()), "{table:?}");
                assert_eq!(owner, smallest(piece.last()), "{table:?}");
                next = Address(piece.last().0.wrapping_add(1));
            }
            assert_eq!(next.0, end(255).0.wrapping_add(1), "{table:?}");
        }
    }

    #[test]
    fn both_families_are_found_in_one_go() {
        let table = ["192.0.2.0/24", "2001:db8::/32"];
        let built = Segments::build(ranges(&table));
        let asked: Vec<Address> = ["192.0.2.1", "2001:db8::1", "203.0.113.1", "192.0.2.2"]
            .into_iter()
            .map(|text| text.parse().unwrap())
            .collect();
        assert_eq!(built.find_all(&asked), [Some(0), Some(1), None, Some(0)]);
    }

    /// Bad data, but data: nothing is lost outside of where the two meet.
    #[test]
    fn of_ranges_that_cross_the_later_start_wins_and_of_equal_ones_the_first() {
        let table = [
            "192.0.2.0-192.0.2.9",
            "192.0.2.5-192.0.2.14",
            "192.0.2.0-192.0.2.9",
        ];
        let built = Segments::build(ranges(&table));
        let owner = |text: &str| built.find(text.parse().unwrap());
        for (text, expected) in [
            ("192.0.2.4", Some(0)),
            ("192.0.2.5", Some(1)),
            ("192.0.2.9", Some(1)),
            ("192.0.2.14", Some(1)),
            ("192.0.2.15", None),
        ] {
            assert_eq!(owner(text), expected, "{text}");
        }
        assert_eq!(built.chain(0).collect::<Vec<_>>(), [0, 2]);
    }
}
