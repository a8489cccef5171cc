//! Reads a registry's delegation statistics: who was given which addresses and AS numbers.
//!
//! A line is `registry|cc|type|start|value|date|status|opaque-id`; the last field is the same for all
//! that one holder has. `value` is a count of addresses for ipv4 (not always a power of two), a prefix
//! length for ipv6, a count of numbers for asn.

use std::io::{BufRead, Read};

use crate::model::{Address, AddressRange, AutonomousSystem, Network, Refusal, plain_text};
use crate::resolve::table::country;
use crate::sheet::{LONGEST_LINE, Text};

/// More AS numbers than this were never given at once.
const MOST_SYSTEMS: u32 = 65_536;

/// The registries by the names they have here, and those they have elsewhere.
const REGISTRIES: [(&str, &str); 6] = [
    ("ripencc", "RIPE"),
    ("apnic", "APNIC"),
    ("arin", "ARIN"),
    ("afrinic", "AFRINIC"),
    ("lacnic", "LACNIC"),
    ("iana", "IANA"),
];

/// What a line says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Given {
    Network(Network),
    /// So many systems, by number from this one on.
    Systems(AutonomousSystem, u32),
    /// Given to nobody yet, or kept back.
    Free,
}

fn registry(name: &str) -> Option<&'static str> {
    let found = REGISTRIES
        .iter()
        .find(|(here, _)| here.eq_ignore_ascii_case(name));
    found.map(|(_, elsewhere)| *elsewhere)
}

/// Whether a line is one of such a file: its head, a sum, or what was given.
pub(super) fn is_line(line: &str) -> bool {
    let mut fields = line.split('|').map(str::trim);
    let first = fields.next().unwrap_or_default();
    let second = fields.next().unwrap_or_default();
    let is_version = first.starts_with(|c: char| c.is_ascii_digit());
    let named = if is_version { second } else { first };
    registry(named).is_some() && fields.count() >= 3
}

/// The lines of a file, one after the other.
pub(super) struct Lines {
    input: Text,
    row: Vec<u8>,
    line: u64,
    ended: bool,
}

impl Lines {
    pub(super) fn new(input: Text) -> Self {
        Self {
            input,
            row: Vec::new(),
            line: 0,
            ended: false,
        }
    }

    fn refuse(&self, value: &str, reason: String, remedy: &str) -> Refusal {
        Refusal {
            line: self.line,
            column: String::new(),
            value: plain_text(value, 200),
            reason: plain_text(&reason, 300),
            remedy: remedy.to_owned(),
            raw: plain_text(&String::from_utf8_lossy(&self.row), 200),
        }
    }

    /// What the row in hand gave; `None` for head, sums and remarks.
    fn given(&self) -> Option<Result<Given, Refusal>> {
        let text = String::from_utf8_lossy(&self.row);
        let text = text.trim();
        if text.is_empty() || text.starts_with('#') {
            return None;
        }
        let fields: Vec<&str> = text.split('|').map(str::trim).collect();
        let is_head = fields[0].starts_with(|c: char| c.is_ascii_digit());
        if is_head || fields.last() == Some(&"summary") {
            return None;
        }
        let wrong = |value: &str, reason: &str| {
            let remedy = "get the file again, or mend the line; the others count";
            Some(Err(self.refuse(value, reason.to_owned(), remedy)))
        };
        let [name, cc, kind, start, value, _, status, rest @ ..] = fields.as_slice() else {
            let reason = "a line has registry|cc|type|start|value|date|status";
            return wrong(text, reason);
        };
        let Some(registry) = registry(name) else {
            return wrong(name, "no registry is called so");
        };
        match status.to_ascii_lowercase().as_str() {
            "allocated" | "assigned" => {}
            "available" | "reserved" => return Some(Ok(Given::Free)),
            _ => {
                return wrong(
                    status,
                    "it is neither allocated, assigned, available nor reserved",
                );
            }
        }
        let opaque = rest.first().filter(|id| !id.is_empty());
        let handle = opaque.map_or_else(String::new, |id| {
            plain_text(&format!("{registry}-{id}"), super::NAME_LEN)
        });
        let (country, registry) = (country(cc), registry.to_owned());
        if kind.eq_ignore_ascii_case("asn") {
            let (Ok(asn), Ok(count)) = (start.parse::<u32>(), value.parse::<u32>()) else {
                return wrong(
                    &format!("{start}|{value}"),
                    "this is no AS number and count",
                );
            };
            let last = asn.checked_add(count.saturating_sub(1));
            if count == 0 || count > MOST_SYSTEMS || last.is_none() {
                return wrong(value, "so many AS numbers are not given at once");
            }
            let system = AutonomousSystem {
                asn,
                name: String::new(),
                holder: String::new(),
                country,
                handle,
                registry,
                contacts: Vec::new(),
            };
            return Some(Ok(Given::Systems(system, count)));
        }
        let range = match kind.to_ascii_lowercase().as_str() {
            "ipv4" => ipv4(start, value),
            "ipv6" => format!("{start}/{value}").parse().ok(),
            _ => return wrong(kind, "it is neither ipv4, ipv6 nor asn"),
        };
        let Some(range) = range else {
            return wrong(&format!("{start}|{value}"), "this is no range of addresses");
        };
        Some(Ok(Given::Network(Network {
            range,
            name: String::new(),
            holder: String::new(),
            country,
            asn: None,
            handle,
            registry,
            locale: String::new(),
            contacts: Vec::new(),
        })))
    }
}

fn ipv4(start: &str, count: &str) -> Option<AddressRange> {
    let first: Address = start.parse().ok()?;
    let more = count.parse::<u32>().ok()?.checked_sub(1)?;
    let last = Address(first.0.checked_add(u128::from(more))?);
    first
        .is_ipv4()
        .then(|| AddressRange::new(first, last).ok())?
}

impl Iterator for Lines {
    type Item = Result<Given, Refusal>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.ended {
            self.row.clear();
            // A longer line than that is none of these; its rest is refused as the next ones.
            let limit = LONGEST_LINE as u64;
            let read = self.input.by_ref().take(limit);
            let read = { read }.read_until(b'\n', &mut self.row);
            self.line += 1;
            match read {
                Ok(0) => self.ended = true,
                Ok(_) => {
                    if let Some(given) = self.given() {
                        return Some(given);
                    }
                }
                Err(error) => {
                    self.ended = true;
                    let reason = format!("the file cannot be read beyond this line: {error}");
                    let remedy =
                        "get the file again and load it again; what was read before counts once";
                    return Some(Err(self.refuse("", reason, remedy)));
                }
            }
        }
        None
    }
}
