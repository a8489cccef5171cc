//! The local table in memory: networks, one inside the other, and who answers for them.

use std::num::NonZeroU32;

use super::segments::Segments;
use super::words::Words;
use crate::model::{Address, AddressRange, Mailbox, Rung, Timestamp, Via};
use crate::store::{Error, Outline, Store, parse_mailbox};

/// Networks read from the store at a time.
const PAGE: i64 = 5_000;

/// All networks that the store holds, made small, so that the millions of a registry's dump fit into
/// a small machine: what many have in common stands once, what only people read stays in the store.
#[derive(Debug, Default)]
pub(super) struct Table {
    networks: Vec<Packed>,
    ipv6: Vec<AddressRange>,
    /// The contacts of all networks, each one's behind those of the one before: places in `mailboxes`.
    contacts: Vec<u32>,
    mailboxes: Vec<Mailbox>,
    words: Words,
    segments: Segments,
}

/// One network as the table shows it; `Table` holds it in a quarter of the bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry<'t> {
    pub(super) id: i64,
    pub(super) range: AddressRange,
    pub(super) name: &'t str,
    pub(super) country: &'t str,
    pub(super) asn: Option<u32>,
    pub(super) handle: &'t str,
    pub(super) locale: &'t str,
    pub(super) source: &'t str,
    pub(super) told_at: Timestamp,
    /// The ranges around it do not answer for it.
    pub(super) ends_ladder: bool,
    contacts: &'t [u32],
    mailboxes: &'t [Mailbox],
}

impl<'t> Entry<'t> {
    /// Best first.
    pub(super) fn contacts(&self) -> impl Iterator<Item = &'t Mailbox> + use<'t> {
        let mailboxes = self.mailboxes;
        self.contacts
            .iter()
            .map(|place| &mailboxes[*place as usize])
    }
}

/// Texts by their numbers in `words`.
#[derive(Debug)]
struct Packed {
    id: i64,
    told_at: Timestamp,
    range: Packing,
    asn: Option<NonZeroU32>,
    name: u32,
    country: u32,
    handle: u32,
    locale: u32,
    source: u32,
    /// Where its contacts end; they begin where those of the network before end.
    contacts_end: u32,
    ends_ladder: bool,
}

#[derive(Clone, Copy, Debug)]
enum Packing {
    Ipv4(u32, u32),
    /// A place in `ipv6`.
    Ipv6(u32),
}

impl Table {
    pub(super) async fn read(store: &Store) -> Result<Self, Error> {
        let mut table = Self::default();
        let mut known = Words::default();
        let mut after = Some(0);
        while let Some(last) = after {
            let page = store.outlines(last, PAGE, |one| table.add(&one, &mut known));
            after = page.await?;
        }
        table.finish();
        Ok(table)
    }

    /// `known` numbers the mailboxes by their texts, as `mailboxes` does.
    fn add(&mut self, one: &Outline<'_>, known: &mut Words) -> Result<(), Error> {
        let range = if one.range.first().is_ipv4() {
            Packing::Ipv4(one.range.first().0 as u32, one.range.last().0 as u32)
        } else {
            self.ipv6.push(one.range);
            Packing::Ipv6(self.ipv6.len() as u32 - 1)
        };
        for text in &one.contacts {
            let place = known.add(text);
            if place as usize == self.mailboxes.len() {
                self.mailboxes.push(parse_mailbox(text)?);
            }
            self.contacts.push(place);
        }
        self.networks.push(Packed {
            id: one.id,
            told_at: one.told_at,
            range,
            asn: one.asn.and_then(NonZeroU32::new),
            name: self.words.add_own(one.name),
            country: self.words.add(one.country),
            handle: self.words.add(one.handle),
            locale: self.words.add(one.locale),
            source: self.words.add(one.source),
            contacts_end: self.contacts.len() as u32,
            ends_ladder: one.ends_ladder,
        });
        Ok(())
    }

    fn finish(&mut self) {
        self.words.finish();
        self.networks.shrink_to_fit();
        self.segments = Segments::build(self.networks.iter().map(|one| self.range(one.range)));
    }

    /// The pieces of a range, each with the place of the innermost network over it.
    pub(super) fn pieces(
        &self,
        of: AddressRange,
    ) -> impl Iterator<Item = (AddressRange, Option<usize>)> {
        self.segments.pieces(of)
    }

    /// The network at a place and those around it, from the inside out.
    pub(super) fn chain(&self, innermost: usize) -> impl Iterator<Item = Entry<'_>> {
        self.segments
            .chain(innermost)
            .map(|place| self.entry(place))
    }

    /// The AS numbers that networks name, with repeats.
    pub(super) fn origins(&self) -> impl Iterator<Item = u32> {
        self.networks.iter().filter_map(|one| Some(one.asn?.get()))
    }

    pub(super) fn len(&self) -> usize {
        self.networks.len()
    }

    pub(super) fn segments(&self) -> &Segments {
        &self.segments
    }

    pub(super) fn entry(&self, place: usize) -> Entry<'_> {
        let one = &self.networks[place];
        let before = place.checked_sub(1).map(|before| &self.networks[before]);
        let contacts_start = before.map_or(0, |before| before.contacts_end);
        Entry {
            id: one.id,
            range: self.range(one.range),
            name: self.words.get(one.name),
            country: self.words.get(one.country),
            asn: one.asn.map(NonZeroU32::get),
            handle: self.words.get(one.handle),
            locale: self.words.get(one.locale),
            source: self.words.get(one.source),
            told_at: one.told_at,
            ends_ladder: one.ends_ladder,
            contacts: &self.contacts[contacts_start as usize..one.contacts_end as usize],
            mailboxes: &self.mailboxes,
        }
    }

    fn range(&self, packing: Packing) -> AddressRange {
        match packing {
            Packing::Ipv4(first, last) => {
                let address = |low| Address(AddressRange::IPV4.first().0 | u128::from(low));
                let (first, last) = (address(first), address(last));
                AddressRange::new(first, last).unwrap_or(AddressRange::single(first))
            }
            Packing::Ipv6(place) => self.ipv6[place as usize],
        }
    }
}

/// Whom one network of a chain names, for the innermost one.
pub(super) fn rungs<'t>(
    one: &Entry<'t>,
    innermost: &Entry<'t>,
) -> impl Iterator<Item = Rung> + use<'t> {
    let is_own = one.id == innermost.id;
    let (via, whose) = if is_own {
        (Via::Own, format!("contact of {}", describe(one)))
    } else if innermost.contacts.is_empty() {
        let inner = describe(innermost);
        (
            Via::Parent,
            format!(
                "contact of {}, for {inner} inside it has none",
                describe(one)
            ),
        )
    } else {
        let inner = describe(innermost);
        (
            Via::Parent,
            format!("contact of {} around {inner}", describe(one)),
        )
    };
    let reason = format!("{whose}, by {} of {}", one.source, one.told_at.date());
    let (range, locale) = (one.range, one.locale);
    one.contacts().map(move |mailbox| Rung {
        via,
        mailbox: mailbox.clone(),
        locale: locale.to_owned(),
        format: None,
        answers_for: if is_own {
            String::new()
        } else {
            range.to_string()
        },
        reason: reason.clone(),
    })
}

/// The networks that may answer for the innermost, itself the first: up to the first one whose
/// surroundings do not answer for it.
pub(super) fn reach<'a, 't>(chain: &'a [Entry<'t>]) -> &'a [Entry<'t>] {
    let reach = chain.iter().position(|one| one.ends_ladder);
    &chain[..reach.map_or(chain.len(), |last| last + 1)]
}

pub(super) fn describe(one: &Entry<'_>) -> String {
    match one.name {
        "" => one.range.to_string(),
        name => format!("{} ({name})", one.range),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outline<'p>(id: i64, range: &str, country: &'p str, contacts: &[&'p str]) -> Outline<'p> {
        Outline {
            id,
            range: range.parse().unwrap(),
            name: "EXAMPLE-NET",
            country,
            asn: (id != 2).then_some(64_496),
            handle: "ORG-EX1-TEST",
            locale: "ja",
            source: "table.csv",
            told_at: Timestamp(id),
            ends_ladder: id == 2,
            contacts: contacts.to_vec(),
        }
    }

    #[test]
    fn what_was_packed_comes_back_whole_both_families_mixed() {
        let mut table = Table::default();
        let mut known = Words::default();
        for one in [
            outline(
                1,
                "192.0.2.0/24",
                "JP",
                &["abuse@isp.example", "noc@isp.example"],
            ),
            outline(2, "2001:db8::/32", "", &[]),
            outline(7, "192.0.2.64-192.0.2.70", "DE", &["noc@isp.example"]),
        ] {
            table.add(&one, &mut known).unwrap();
        }
        table.finish();
        assert_eq!(table.mailboxes.len(), 2);
        assert_eq!(table.origins().collect::<Vec<_>>(), [64_496, 64_496]);
        let shown = |of: &str| {
            let mut lines = Vec::new();
            for (piece, place) in table.pieces(of.parse().unwrap()) {
                for one in place.into_iter().flat_map(|place| table.chain(place)) {
                    let contacts: Vec<&str> = one.contacts().map(Mailbox::as_str).collect();
                    lines.push(format!(
                        "{piece} {} {} {} {} {:?} {} {} {} {} {} [{}]",
                        one.id,
                        one.range,
                        one.name,
                        one.country,
                        one.asn,
                        one.handle,
                        one.locale,
                        one.source,
                        one.told_at.0,
                        one.ends_ladder,
                        contacts.join(" ")
                    ));
                }
            }
            lines
        };
        let around = "1 192.0.2.0/24 EXAMPLE-NET JP Some(64496) ORG-EX1-TEST ja table.csv 1 false \
                      [abuse@isp.example noc@isp.example]";
        assert_eq!(
            shown("192.0.2.70-192.0.2.71"),
            [
                "192.0.2.70 7 192.0.2.64-192.0.2.70 EXAMPLE-NET DE Some(64496) ORG-EX1-TEST ja table.csv 7 \
                 false [noc@isp.example]"
                    .to_owned(),
                format!("192.0.2.70 {around}"),
                format!("192.0.2.71 {around}"),
            ]
        );
        assert_eq!(
            shown("2001:db8::1"),
            ["2001:db8::1 2 2001:db8::/32 EXAMPLE-NET  None ORG-EX1-TEST ja table.csv 2 true []"]
        );
    }
}
