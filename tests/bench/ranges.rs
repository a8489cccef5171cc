//! What is looked up, and in what: real ranges or made ones, nested ones grown out of them, and
//! addresses; all by seed, so that two runs do the same.

use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;

/// First and last address of an IPv4 range, and its AS number.
pub(crate) type Range = (u32, u32, u32);

/// Steele, Lea and Flood's SplitMix64.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit.max(1)
    }

    fn percent(&mut self, chance: u64) -> bool {
        self.below(100) < chance
    }
}

/// Reads `first,last,AS number,"name"`. The few ranges that reach into another are left out: which
/// of two equal ones counts is nothing to compare.
pub(crate) fn real(csv: &Path) -> anyhow::Result<Vec<Range>> {
    let text = fs::read_to_string(csv)?;
    let range = |line: &str| {
        let mut cells = line.splitn(4, ',');
        let mut address = || cells.next()?.parse::<Ipv4Addr>().ok().map(u32::from);
        Some((address()?, address()?, cells.next()?.parse().ok()?))
    };
    let mut ranges: Vec<Range> = text.lines().filter_map(range).collect();
    ranges.sort_unstable();
    ranges.dedup_by(|later, earlier| later.0 <= earlier.1);
    anyhow::ensure!(
        ranges.len() > 100_000,
        "{} has hardly any ranges",
        csv.display()
    );
    Ok(ranges)
}

/// As many disjoint ranges as the world's AS table has, of sizes as they occur, with gaps.
pub(crate) fn made() -> Vec<Range> {
    let mut random = Random(1);
    let mut ranges = Vec::new();
    let mut first = 0x0100_0000_u64;
    while ranges.len() < 400_000 {
        let size = 256 << random.below(7).min(random.below(12));
        first += random.below(4) * 256;
        if first + size > 0xe000_0000 {
            break;
        }
        let asn = 64_496 + random.below(16) as u32;
        ranges.push((first as u32, (first + size - 1) as u32, asn));
        first += size;
    }
    ranges
}

/// About `wanted` ranges as registries hold them: the given ones, and up to three levels of others
/// inside; 85 of 100 are CIDR blocks, the rest begin and end anywhere.
pub(crate) fn nested(outer: &[Range], wanted: usize) -> Vec<(u32, u32)> {
    let mut random = Random(2);
    let mut ranges = Vec::with_capacity(wanted + wanted / 8);
    for (place, (first, last, _)) in outer.iter().enumerate() {
        let share = (wanted.saturating_sub(ranges.len())) / (outer.len() - place);
        let above = ranges.len();
        ranges.push((*first, *last));
        // Ranges that are too small for their share leave it to those that come.
        let mut parents = vec![(*first, *last, 1)];
        while let Some((first, last, depth)) = parents.pop() {
            let missing = (share * 2).saturating_sub(ranges.len() - above) as u64;
            let children = match depth {
                1 => missing / 2 + random.below(missing / 4 + 1),
                _ => 2 + random.below(4),
            };
            let size = u64::from(last - first) + 1;
            let slot = size / children.clamp(1, (size / 4).max(1));
            for child in 0..children.min(size / slot.max(1)) {
                let begin = u64::from(first) + child * slot;
                let Some((from, to)) = inside(begin, slot, &mut random) else {
                    continue;
                };
                ranges.push((from, to));
                if depth < 3 && to - from >= 16 && random.percent(25) {
                    parents.push((from, to, depth + 1));
                }
            }
        }
    }
    ranges
}

/// A range somewhere in `slot` addresses from `begin`, or none: not all space is assigned.
fn inside(begin: u64, slot: u64, random: &mut Random) -> Option<(u32, u32)> {
    if slot < 2 || random.percent(10) {
        return None;
    }
    let size = (1 << slot.ilog2()) >> random.below(3);
    let (from, size) = if random.percent(85) {
        (begin.next_multiple_of(size.max(1)), size)
    } else {
        let size = 1 + random.below(slot - 1);
        (begin + random.below(slot - size), size)
    };
    let is_inside = size > 0 && from + size <= begin + slot;
    is_inside.then_some((from as u32, (from + size - 1) as u32))
}

/// Addresses from all of IPv4.
pub(crate) fn uniform(count: usize) -> Vec<u32> {
    let mut random = Random(3);
    (0..count).map(|_| random.next() as u32).collect()
}

/// Addresses of the table: any range, any address in it. So suspects are spread.
pub(crate) fn in_table(count: usize, of: &[(u32, u32)]) -> Vec<u32> {
    let mut random = Random(4);
    let mut one = || {
        let (first, last) = of[random.below(of.len() as u64) as usize];
        first + random.below(u64::from(last - first) + 1) as u32
    };
    (0..count).map(|_| one()).collect()
}

/// A range as CIDR blocks, the only thing that pyasn loads.
pub(crate) fn blocks(first: u32, last: u32) -> impl Iterator<Item = (Ipv4Addr, u32)> {
    let mut from = u64::from(first);
    std::iter::from_fn(move || {
        let left = (u64::from(last) + 1)
            .checked_sub(from)
            .filter(|left| *left > 0)?;
        let bits = from.trailing_zeros().min(left.ilog2()).min(32);
        let block = (Ipv4Addr::from(from as u32), 32 - bits);
        from += 1 << bits;
        Some(block)
    })
}
