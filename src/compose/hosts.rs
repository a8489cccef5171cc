//! The observations of one letter by address, and by block of addresses where there are many: what the
//! table, XARF and ARF all tell of.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::model::{AddressRange, Sighting, Timestamp};
use crate::store::SuspectRow;

/// What one line of a table stands for when there are too many addresses.
const BLOCK_IPV4: u8 = 24;
const BLOCK_IPV6: u8 = 64;

/// Values that a cell names before it only counts.
const NAMED: usize = 3;

/// All observations of one address, or of one range that was told as such.
#[derive(Clone, Copy, Debug)]
pub(super) struct Host<'a> {
    /// Of one finding and range; those without a time first, then those seen last the longest ago.
    pub(super) rows: &'a [SuspectRow],
}

impl<'a> Host<'a> {
    pub(super) fn range(self) -> Option<AddressRange> {
        self.rows.first().map(|row| row.range)
    }

    pub(super) fn first_seen(self) -> Option<Timestamp> {
        self.rows.iter().filter_map(SuspectRow::first_seen).min()
    }

    pub(super) fn last_seen(self) -> Option<Timestamp> {
        self.rows.last().and_then(|row| row.seen_at)
    }

    /// In a reminder: whether the address stood in the first letter.
    fn sighting(self) -> Option<Sighting> {
        self.rows.first().and_then(|row| row.sighting)
    }

    /// The latest observation whose message is kept.
    pub(super) fn sampled(self) -> Option<&'a SuspectRow> {
        self.rows.iter().rev().find(|row| row.sample.is_some())
    }
}

/// The hosts of rows that are in [`order`].
pub(super) fn hosts(rows: &[SuspectRow]) -> impl Iterator<Item = Host<'_>> {
    rows.chunk_by(|a, b| a.finding == b.finding && a.range == b.range)
        .map(|rows| Host { rows })
}

/// Puts rows into the order in which letters tell of them.
pub(super) fn order(rows: &mut [SuspectRow]) {
    rows.sort_by_key(|row| (row.finding, row.range, row.seen_at, row.id));
}

/// One line of the table.
#[derive(Clone, Debug)]
pub(super) struct Line<'a> {
    /// The address, or the block around several.
    pub(super) place: AddressRange,
    pub(super) hosts: Vec<Host<'a>>,
    pub(super) times: usize,
    pub(super) first_seen: Option<Timestamp>,
    pub(super) last_seen: Option<Timestamp>,
}

impl<'a> Line<'a> {
    pub(super) fn of(place: AddressRange, hosts: Vec<Host<'a>>) -> Self {
        Self {
            place,
            times: hosts.iter().map(|host| host.rows.len()).sum(),
            first_seen: hosts.iter().filter_map(|host| host.first_seen()).min(),
            last_seen: hosts.iter().filter_map(|host| host.last_seen()).max(),
            hosts,
        }
    }

    pub(super) fn rows(&self) -> impl Iterator<Item = &'a SuspectRow> {
        self.hosts.iter().flat_map(|host| host.rows)
    }

    /// The latest observation that says how it is known.
    pub(super) fn latest_told(&self) -> Option<&'a SuspectRow> {
        let told = self.rows().filter(|row| !row.evidence.is_empty());
        told.max_by_key(|row| row.seen_at)
    }

    /// The values of a column, each once: `spam, proxy, scan, +2`.
    pub(super) fn values<'r>(&self, column: impl Fn(&'a SuspectRow) -> &'r str) -> String {
        let mut seen = BTreeSet::new();
        let mut named: Vec<&str> = Vec::new();
        for row in self.rows() {
            let value = column(row);
            if !value.is_empty() && seen.insert(value) && named.len() < NAMED {
                named.push(value);
            }
        }
        let more = seen.len() - named.len();
        let mut text = named.join(", ");
        if more > 0 {
            text.push_str(&format!(", +{more}"));
        }
        text
    }

    /// The same for all of its hosts.
    pub(super) fn sighting(&self) -> Option<Sighting> {
        self.hosts.first().and_then(|host| host.sighting())
    }

    /// The source port, where there is one only.
    pub(super) fn port(&self) -> Option<u16> {
        let mut ports = self.rows().filter_map(|row| row.port);
        let port = ports.next()?;
        ports.all(|other| other == port).then_some(port)
    }
}

/// The lines of a table, the most telling first: those seen most often, then those seen last.
#[derive(Clone, Debug, Default)]
pub(super) struct Lines<'a> {
    pub(super) lines: Vec<Line<'a>>,
    /// What a line may stand for, `/24` or `/24, /64`; empty where each is one address.
    pub(super) aggregated: String,
}

impl<'a> Lines<'a> {
    /// At most `most` lines; where there are more addresses, those of one block share a line: in a
    /// reminder those still seen, and those that are new. An address that is alone keeps its name: the
    /// block would say less.
    pub(super) fn of(rows: &'a [SuspectRow], most: usize) -> Self {
        let all: Vec<Host<'a>> = hosts(rows).collect();
        let mut blocks = BTreeSet::new();
        let mut lines: Vec<Line<'a>> = if all.len() <= most {
            let single = |host: Host<'a>| Some(Line::of(host.range()?, vec![host]));
            all.into_iter().filter_map(single).collect()
        } else {
            let mut by_block: BTreeMap<_, Vec<Host<'a>>> = BTreeMap::new();
            for host in all {
                let Some(range) = host.range() else { continue };
                let key = (block(range), host.sighting());
                by_block.entry(key).or_default().push(host);
            }
            let lines = by_block.into_iter().filter_map(|((block, _), hosts)| {
                let [host] = hosts.as_slice() else {
                    blocks.insert(if block.first().is_ipv4() {
                        BLOCK_IPV4
                    } else {
                        BLOCK_IPV6
                    });
                    return Some(Line::of(block, hosts));
                };
                Some(Line::of(host.range()?, hosts))
            });
            lines.collect()
        };
        lines.sort_by_key(|line| (Reverse(line.times), Reverse(line.last_seen), line.place));
        lines.truncate(most);
        if lines.is_empty() {
            blocks.clear();
        }
        let blocks: Vec<String> = blocks.iter().map(|len| format!("/{len}")).collect();
        Self {
            lines,
            aggregated: blocks.join(", "),
        }
    }

    /// How many observations the lines stand for.
    pub(super) fn shown(&self) -> usize {
        self.lines.iter().map(|line| line.times).sum()
    }
}

fn block(range: AddressRange) -> AddressRange {
    range.within(if range.first().is_ipv4() {
        BLOCK_IPV4
    } else {
        BLOCK_IPV6
    })
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::model::Terminal;

    /// Rows as `address@second`, the second left out where there is no time.
    pub(in crate::compose) fn rows(told: &str) -> Vec<SuspectRow> {
        let mut rows: Vec<SuspectRow> = (1..)
            .zip(told.split_whitespace())
            .map(|(id, word)| {
                let (range, seen) = word.split_once('@').unwrap_or((word, ""));
                SuspectRow {
                    id,
                    finding: 1,
                    feed: String::new(),
                    line: id,
                    range: range.parse().unwrap(),
                    seen_at: seen.parse().ok().map(|s: i64| Timestamp(s * 1000)),
                    seen_from: None,
                    class: "spam".to_owned(),
                    source: "trap".to_owned(),
                    evidence: format!("log {id}"),
                    port: None,
                    terminal: Terminal::Unknown,
                    sample: None,
                    sighting: None,
                    told_from: None,
                }
            })
            .collect();
        order(&mut rows);
        rows
    }

    fn told(rows: &[SuspectRow], most: usize) -> (String, String) {
        let lines = Lines::of(rows, most);
        let told = lines.lines.iter().map(|line| {
            let second = |at: Option<Timestamp>| at.map_or(-1, |at| at.0 / 1000);
            let (first, last) = (second(line.first_seen), second(line.last_seen));
            format!("{} {}x {first}-{last}", line.place, line.times)
        });
        (told.collect::<Vec<_>>().join("; "), lines.aggregated)
    }

    #[test]
    fn each_address_is_one_line_the_most_telling_first() {
        let rows = rows("192.0.2.9@5 192.0.2.1@7 192.0.2.9@3 192.0.2.2@8 192.0.2.3 192.0.2.0/28@1");
        let (lines, aggregated) = told(&rows, 5);
        assert_eq!(
            lines,
            "192.0.2.9 2x 3-5; 192.0.2.2 1x 8-8; 192.0.2.1 1x 7-7; 192.0.2.0/28 1x 1-1; \
             192.0.2.3 1x -1--1"
        );
        assert_eq!(aggregated, "");
    }

    #[test]
    fn many_addresses_share_the_lines_of_their_blocks() {
        let rows = rows(
            "192.0.2.1@1 192.0.2.2@2 198.51.100.7@3 2001:db8::1@4 2001:db8::2@5 2001:db8::2@6 2001:db8:1::/48@9",
        );
        let (lines, aggregated) = told(&rows, 5);
        assert_eq!(
            lines,
            "2001:db8::/64 3x 4-6; 192.0.2.0/24 2x 1-2; 2001:db8:1::/48 1x 9-9; 198.51.100.7 1x 3-3"
        );
        assert_eq!(aggregated, "/24, /64");
        assert_eq!(Lines::of(&rows, 2).shown(), 5);
        assert_eq!(told(&rows, 0).0, "");
    }

    #[test]
    fn a_reminder_keeps_what_is_still_seen_apart_from_what_is_new() {
        let mut rows = rows("192.0.2.1@1 192.0.2.2@2 192.0.2.3@3 192.0.2.4@4 192.0.2.5@5");
        for (row, sighting) in rows.iter_mut().zip("SNSSN".chars()) {
            row.sighting = Some(if sighting == 'S' {
                Sighting::Still
            } else {
                Sighting::New
            });
        }
        let lines = Lines::of(&rows, 4).lines;
        let told = lines.iter().map(|line| (line.times, line.sighting()));
        let wanted = [(3, Some(Sighting::Still)), (2, Some(Sighting::New))];
        assert_eq!(told.collect::<Vec<_>>(), wanted);
    }

    #[test]
    fn a_cell_names_few_values_and_counts_the_rest() {
        let mut rows = rows("192.0.2.1@1 192.0.2.1@2 192.0.2.1@3 192.0.2.1@4 192.0.2.1@5");
        for (row, class) in rows.iter_mut().zip(["a", "b", "a", "c", "d"]) {
            class.clone_into(&mut row.class);
            row.port = Some(25);
        }
        let line = |rows: &[SuspectRow]| {
            let lines = Lines::of(rows, 1);
            let line = &lines.lines[0];
            (line.values(|row| &row.class), line.port())
        };
        assert_eq!(line(&rows), ("a, b, c, +1".to_owned(), Some(25)));
        rows[0].port = Some(26);
        assert_eq!(line(&rows).1, None);
    }
}
