//! How a notice that is too long for one letter is cut into parts: never within an address.

use super::attach::{HEADINGS, Weight};
use crate::model::{Address, AddressRange, Format};
use crate::store::SuspectRow;

/// What one letter may hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) rows: usize,
    /// Of all attachments.
    pub(super) bytes: usize,
    /// Reports attached one by one.
    pub(super) reports: usize,
    /// Addresses.
    pub(super) hosts: usize,
}

/// Takes the rows of a notice, in the order of the store, and finds where one part ends and the next
/// begins. All that is said of one address stands in one part, unless that alone is more than a part
/// may hold.
#[derive(Debug)]
pub(super) struct Cutter {
    format: Format,
    limits: Limits,
    /// The address that is being read.
    host: Host,
    /// In the part that is being filled.
    filled: Filled,
    /// Rows of the parts before it.
    parts: Vec<usize>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Host {
    /// Its finding and first address; ranges that begin alike come mixed.
    key: Option<(i64, Address)>,
    last_range: Option<AddressRange>,
    rows: usize,
    weight: Weight,
}

#[derive(Clone, Copy, Debug, Default)]
struct Filled {
    rows: usize,
    bytes: usize,
    reports: usize,
    hosts: usize,
}

impl Cutter {
    pub(super) fn new(format: Format, limits: Limits) -> Self {
        Self {
            format,
            limits,
            host: Host::default(),
            filled: Filled::default(),
            parts: Vec::new(),
        }
    }

    pub(super) fn add(&mut self, row: &SuspectRow) {
        let key = Some((row.finding, row.range.first()));
        if self.host.key != key {
            self.close_host();
        }
        let is_other_range = self.host.last_range != Some(row.range);
        let weight = self.host.weight.with(row, is_other_range);
        if self.host.rows > 0 && HEADINGS + weight.most_bytes(self.format) > self.limits.bytes {
            self.close_host();
        }
        let is_other_range = self.host.last_range != Some(row.range);
        self.host = Host {
            key,
            last_range: Some(row.range),
            rows: self.host.rows + 1,
            weight: self.host.weight.with(row, is_other_range),
        };
        // Only an address that fills a whole part by itself is begun in the room that is left.
        if self.host.rows == self.limits.rows {
            self.fill();
        }
    }

    /// How many rows go into each part.
    pub(super) fn parts(mut self) -> Vec<usize> {
        self.close_host();
        self.close_part();
        self.parts
    }

    fn close_host(&mut self) {
        let host = std::mem::take(&mut self.host);
        if host.rows == 0 {
            return;
        }
        let bytes = host.weight.most_bytes(self.format);
        let reports = host.weight.reports(self.format);
        let filled = self.filled;
        if filled.rows + host.rows > self.limits.rows
            || HEADINGS + filled.bytes + bytes > self.limits.bytes
            || filled.reports + reports > self.limits.reports
            || filled.hosts + 1 > self.limits.hosts
        {
            self.close_part();
        }
        self.filled.rows += host.rows;
        self.filled.bytes += bytes;
        self.filled.reports += reports;
        self.filled.hosts += 1;
    }

    fn fill(&mut self) {
        let room = self.limits.rows - self.filled.rows;
        let bytes = self.host.weight.most_bytes(self.format);
        let fits = room > 0
            && HEADINGS + self.filled.bytes + bytes <= self.limits.bytes
            && self.filled.hosts < self.limits.hosts;
        if !fits {
            self.close_part();
        }
        let taken = if fits { room } else { self.limits.rows };
        self.filled.rows += taken;
        self.close_part();
        // What is left is counted as heavy as the whole was.
        self.host.rows -= taken;
        if self.host.rows == 0 {
            self.host = Host::default();
        }
    }

    fn close_part(&mut self) {
        let filled = std::mem::take(&mut self.filled);
        if filled.rows > 0 {
            self.parts.push(filled.rows);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::hosts::tests::rows;
    use super::*;

    const LIMITS: Limits = Limits {
        rows: 4,
        bytes: 100_000,
        reports: 100,
        hosts: 100,
    };

    fn parts(told: &str, format: Format, limits: Limits) -> Vec<usize> {
        let mut cutter = Cutter::new(format, limits);
        for row in rows(told) {
            cutter.add(&row);
        }
        cutter.parts()
    }

    #[test]
    fn an_address_stands_in_one_part() {
        for (told, expected) in [
            ("", vec![]),
            ("192.0.2.1", vec![1]),
            ("192.0.2.1 192.0.2.2 192.0.2.3 192.0.2.4", vec![4]),
            (
                "192.0.2.1 192.0.2.2 192.0.2.3 192.0.2.4@1 192.0.2.4@2",
                vec![3, 2],
            ),
            (
                "192.0.2.1@1 192.0.2.1@2 192.0.2.1@3 192.0.2.1@4 192.0.2.2",
                vec![4, 1],
            ),
            // Ranges that begin alike are not told apart.
            (
                "192.0.2.1 192.0.2.2 192.0.2.3 192.0.2.4 192.0.2.4/31",
                vec![3, 2],
            ),
            // But one that no part can hold is cut.
            (
                "192.0.2.1 192.0.2.2@1 192.0.2.2@2 192.0.2.2@3 192.0.2.2@4 192.0.2.2@5 192.0.2.3",
                vec![4, 3],
            ),
        ] {
            assert_eq!(parts(told, Format::Csv, LIMITS), expected, "{told}");
        }
    }

    #[test]
    fn bytes_reports_and_addresses_end_a_part_too() {
        let told = "192.0.2.1 192.0.2.2 192.0.2.3";
        let one = |limits| parts(told, Format::Both, limits);
        assert_eq!(one(LIMITS), [3]);
        assert_eq!(
            one(Limits {
                reports: 2,
                ..LIMITS
            }),
            [2, 1]
        );
        assert_eq!(one(Limits { hosts: 1, ..LIMITS }), [1, 1, 1]);
        assert_eq!(
            one(Limits {
                bytes: 25_000,
                ..LIMITS
            }),
            [2, 1]
        );
        // What is too heavy alone goes alone.
        assert_eq!(
            one(Limits {
                bytes: 10,
                ..LIMITS
            }),
            [1, 1, 1]
        );
    }
}
