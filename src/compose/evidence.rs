//! The observations of one letter: counted, put into the body's table, and all of them as CSV.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::hosts::{Line, Lines};
use super::table::Table;
use crate::model::{Sighting, Terminal, Timestamp, Tlp, neutral_cell};
use crate::store::SuspectRow;

/// The columns of the attachment, as the letters explain them. New ones come behind the last, and none
/// changes its place.
const COLUMNS: [&str; 11] = [
    "address",
    "network",
    "seen",
    "class",
    "source",
    "evidence",
    "port",
    "terminal",
    "state",
    "tlp",
    "seen_from",
];

/// Observations that a letter without attachment lists for one address.
const LISTED: usize = 500;

/// A language's headings for the table, and what stands around it.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Words {
    pub(super) direction: String,
    pub(super) english_follows: String,
    pub(super) english_below: String,
    address: String,
    first_seen: String,
    last_seen: String,
    times: String,
    class: String,
    source: String,
    evidence: String,
    port: String,
    terminal: String,
    terminal_pc: String,
    terminal_mobile: String,
    colon: String,
    semicolon: String,
    not_given: String,
    state: String,
    state_still: String,
    state_new: String,
}

/// A network in the letter's list.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Listed {
    pub(super) range: String,
    pub(super) name: String,
    pub(super) asn: Option<u32>,
    pub(super) count: usize,
}

/// What is said of one finding's network.
#[derive(Clone, Debug, Default)]
pub(super) struct NetworkWords {
    pub(super) range: String,
    pub(super) name: String,
    pub(super) asn: Option<u32>,
}

/// One letter's observations.
#[derive(Clone, Copy, Debug)]
pub(super) struct Evidence<'a> {
    /// In the order of [`super::hosts::order`].
    pub(super) rows: &'a [SuspectRow],
    pub(super) networks: &'a HashMap<i64, NetworkWords>,
    pub(super) tlp: Option<Tlp>,
}

/// How much a table tells of each line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Detail {
    /// How the latest observation is known: the attachment has the others.
    Latest,
    /// Every observation: there is no attachment that has them.
    Every,
}

impl Evidence<'_> {
    pub(super) fn first_seen(&self) -> Option<Timestamp> {
        self.rows.iter().filter_map(SuspectRow::first_seen).min()
    }

    pub(super) fn last_seen(&self) -> Option<Timestamp> {
        self.rows.iter().filter_map(|row| row.seen_at).max()
    }

    pub(super) fn undated(&self) -> usize {
        self.rows.iter().filter(|row| row.seen_at.is_none()).count()
    }

    /// The networks that the rows lie in, in the order of the rows, each with their number.
    pub(super) fn listed(&self) -> Vec<Listed> {
        let mut listed: Vec<Listed> = Vec::new();
        let mut places: HashMap<&str, usize> = HashMap::new();
        for row in self.rows {
            let Some(network) = self
                .networks
                .get(&row.finding)
                .filter(|network| !network.range.is_empty())
            else {
                continue;
            };
            let place = *places.entry(&network.range).or_insert_with(|| {
                listed.push(Listed {
                    range: network.range.clone(),
                    name: network.name.clone(),
                    asn: network.asn,
                    count: 0,
                });
                listed.len() - 1
            });
            listed[place].count += 1;
        }
        listed
    }

    /// Lines under the headings of a language; columns in which nothing stands are left out.
    pub(super) fn table(&self, words: &Words, lines: &Lines<'_>, detail: Detail) -> Table {
        type Cell<'c> = Box<dyn Fn(&Line<'_>) -> String + 'c>;
        let moment = |at: Option<Timestamp>| {
            at.map_or_else(|| words.not_given.clone(), |moment| moment.to_string())
        };
        let columns: [(&String, Cell<'_>); 9] = [
            (&words.address, Box::new(|line| line.place.to_string())),
            (
                &words.state,
                Box::new(|line| match line.sighting() {
                    Some(Sighting::Still) => words.state_still.clone(),
                    Some(Sighting::New) => words.state_new.clone(),
                    None => String::new(),
                }),
            ),
            (&words.first_seen, Box::new(|line| moment(line.first_seen))),
            (&words.last_seen, Box::new(|line| moment(line.last_seen))),
            (&words.times, Box::new(|line| line.times.to_string())),
            (&words.class, Box::new(|line| line.values(|row| &row.class))),
            (
                &words.source,
                Box::new(|line| line.values(|row| &row.source)),
            ),
            (
                &words.port,
                Box::new(|line| line.port().map(|port| port.to_string()).unwrap_or_default()),
            ),
            (
                &words.terminal,
                Box::new(|line| {
                    line.values(|row| match row.terminal {
                        Terminal::Pc => &words.terminal_pc,
                        Terminal::Mobile => &words.terminal_mobile,
                        Terminal::Unknown => "",
                    })
                }),
            ),
        ];
        let lines = &lines.lines;
        let mut headings = Vec::new();
        let mut rows: Vec<Vec<String>> = lines.iter().map(|_| Vec::new()).collect();
        for (heading, cell) in columns {
            let cells: Vec<String> = lines.iter().map(cell).collect();
            if cells.iter().all(String::is_empty) {
                continue;
            }
            headings.push(heading.clone());
            for (row, cell) in rows.iter_mut().zip(cells) {
                row.push(cell);
            }
        }
        let note = |line: &Line<'_>| match detail {
            Detail::Every if line.times > 1 => every(words, line),
            _ => latest(words, line),
        };
        Table {
            headings,
            rows,
            note: words.evidence.clone(),
            notes: lines.iter().map(note).collect(),
            colon: words.colon.clone(),
            semicolon: words.semicolon.clone(),
        }
    }

    /// All rows as RFC 4180 CSV in UTF-8, cells that a spreadsheet would run as a formula made
    /// harmless.
    pub(super) fn csv(&self) -> Result<Vec<u8>, csv::Error> {
        let mut writer = csv::WriterBuilder::new()
            .terminator(csv::Terminator::CRLF)
            .from_writer(Vec::with_capacity(self.rows.len() * 128 + 128));
        writer.write_record(COLUMNS)?;
        let tlp = self.tlp.map(|mark| mark.to_string()).unwrap_or_default();
        for row in self.rows {
            let network = self
                .networks
                .get(&row.finding)
                .map(|network| network.range.as_str());
            writer.write_record([
                row.range.to_string().as_str(),
                network.unwrap_or_default(),
                &row.seen_at.map(|at| at.to_string()).unwrap_or_default(),
                &neutral_cell(&row.class),
                &neutral_cell(&row.source),
                &neutral_cell(&row.evidence),
                &row.port.map(|port| port.to_string()).unwrap_or_default(),
                row.terminal.as_str(),
                row.sighting.map_or("", Sighting::as_str),
                &tlp,
                &row.seen_from.map(|at| at.to_string()).unwrap_or_default(),
            ])?;
        }
        writer
            .into_inner()
            .map_err(|error| error.into_error().into())
    }
}

/// How the latest observation of a line is known; of which address, where there are several.
fn latest(words: &Words, line: &Line<'_>) -> String {
    match line.latest_told() {
        Some(row) if line.hosts.len() > 1 => {
            format!("{}{}{}", row.range, words.colon, row.evidence)
        }
        Some(row) => row.evidence.clone(),
        None => String::new(),
    }
}

/// The observations of a line, the latest first: `2026-11-01T04:05:06Z, Port 49152, HELO mail`; from
/// when until when, where both are known.
fn every(words: &Words, line: &Line<'_>) -> String {
    let mut rows: Vec<&SuspectRow> = line.rows().collect();
    rows.reverse();
    let more = rows.len().saturating_sub(LISTED);
    let port = line.port();
    let told = rows.iter().take(LISTED).map(|row| {
        let mut seen = row
            .seen_at
            .map_or_else(|| words.not_given.clone(), |at| at.to_string());
        if let Some(from) = row.seen_from {
            seen.insert_str(0, &format!("{from} - "));
        }
        let mut told = vec![seen];
        told.extend(
            row.port
                .filter(|_| port.is_none())
                .map(|port| format!("{} {port}", words.port)),
        );
        told.extend(Some(row.evidence.clone()).filter(|text| !text.is_empty()));
        told.join(", ")
    });
    let mut text = told.collect::<Vec<_>>().join(&words.semicolon);
    if more > 0 {
        text.push_str(&format!("{}+{more}", words.semicolon));
    }
    text
}

/// The most bytes that a row can take in [`Evidence::csv`], with the name of its network.
pub(super) fn csv_bytes(row: &SuspectRow) -> usize {
    // Quotes are doubled, an apostrophe may lead, and two quotes stand around.
    let text = |text: &str| 2 * text.len() + 3;
    320 + text(&row.class) + text(&row.source) + text(&row.evidence)
}
