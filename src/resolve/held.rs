//! Networks waiting to be stored, packed: a million of them in some 100 MB, to be sorted by range.

use std::cmp::Reverse;

use crate::model::{Address, AddressRange, Network, Registered};

/// Bytes held at once. A registry's file comes in the order of its making; the more of it is sorted
/// together, the fewer pages of an index over millions each transaction touches.
const MOST: usize = 96 * 1024 * 1024;

/// No text of a network holds a control character, so this one (UNIT SEPARATOR) parts them.
const PART: char = '\u{1f}';

/// One network: its range, and where its text begins. Bytes, for numbers of 128 bits would leave gaps.
type Entry = ([u8; 16], [u8; 16], u32);

/// Added one by one, handed back in address order.
#[derive(Default)]
pub(super) struct Held {
    entries: Vec<Entry>,
    /// The texts of all, each behind its predecessor.
    texts: String,
}

impl Held {
    pub(super) fn push(&mut self, one: &Registered) {
        let network = &one.network;
        let (first, last) = network.range.to_bytes();
        // MOST keeps it far below 4 GiB.
        self.entries.push((first, last, self.texts.len() as u32));
        let asn = network.asn.map_or_else(String::new, |asn| asn.to_string());
        let mark = if one.ends_ladder { "1" } else { "" };
        for text in [
            &network.name,
            &network.holder,
            &network.country,
            &network.handle,
            &network.registry,
            &network.locale,
            &asn,
            mark,
        ] {
            self.texts.push_str(text);
            self.texts.push(PART);
        }
        for mailbox in &network.contacts {
            self.texts.push_str(mailbox.as_str());
            self.texts.push(PART);
        }
        self.texts.push('\n');
    }

    pub(super) fn is_full(&self) -> bool {
        self.texts.len() + self.entries.len() * size_of::<Entry>() >= MOST
    }

    /// Sorts them by range; of a range that was added twice, the last stays.
    pub(super) fn sort(&mut self) {
        self.entries
            .sort_unstable_by_key(|(first, last, at)| (*first, *last, Reverse(*at)));
        self.entries
            .dedup_by_key(|(first, last, _)| (*first, *last));
    }

    /// All of them in pieces of so many.
    pub(super) fn pieces(&self, len: usize) -> impl Iterator<Item = Vec<Registered>> {
        let pieces = self.entries.chunks(len);
        pieces.map(|piece| {
            piece
                .iter()
                .filter_map(|entry| self.unpack(entry))
                .collect()
        })
    }

    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.texts.clear();
    }

    fn unpack(&self, (first, last, at): &Entry) -> Option<Registered> {
        let address = |bytes: &[u8; 16]| Address(u128::from_be_bytes(*bytes));
        let range = AddressRange::new(address(first), address(last)).ok()?;
        let text = self.texts.get(*at as usize..)?.lines().next()?;
        let mut parts = text.split(PART);
        let mut next = || parts.next().unwrap_or_default().to_owned();
        let [name, holder, country, handle, registry, locale] = std::array::from_fn(|_| next());
        let (asn, mark) = (next(), next());
        let network = Network {
            range,
            name,
            holder,
            country,
            asn: asn.parse().ok(),
            handle,
            registry,
            locale,
            contacts: parts.filter_map(|mailbox| mailbox.parse().ok()).collect(),
        };
        Some(Registered {
            network,
            ends_ladder: !mark.is_empty(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_comes_back_whole_in_order_and_the_last_stays() {
        let network = |range: &str, name: &str, mailboxes: &[&str]| Registered {
            network: Network {
                range: range.parse().unwrap(),
                name: name.to_owned(),
                holder: "Café 日本".to_owned(),
                country: String::new(),
                asn: (name == "B").then_some(64_500),
                handle: "ORG-EX1-TEST".to_owned(),
                registry: "RIPE".to_owned(),
                locale: "ja".to_owned(),
                contacts: mailboxes.iter().map(|one| one.parse().unwrap()).collect(),
            },
            ends_ladder: name == "C",
        };
        let all = [
            network("2001:db8::/32", "A", &[]),
            network("198.51.100.0/24", "old", &["old@isp.example"]),
            network("192.0.2.0/24", "B", &["a@isp.example", "b@isp.example"]),
            network("198.51.100.0/24", "C", &["new@isp.example"]),
        ];
        let mut held = Held::default();
        all.iter().for_each(|one| held.push(one));
        held.sort();
        let back: Vec<Vec<Registered>> = held.pieces(2).collect();
        let [a, _, b, c] = all;
        assert_eq!(back, [vec![b, c], vec![a]]);
    }
}
