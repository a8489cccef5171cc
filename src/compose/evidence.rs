//! The observations of one letter: counted, put into the body's table, and all of them as CSV.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::layout::Table;
use crate::model::{Terminal, Timestamp, neutral_cell};
use crate::store::{Sighting, SuspectRow};

/// The columns of the attachment, as the letters explain them.
const COLUMNS: [&str; 9] = [
    "address", "network", "seen", "class", "source", "evidence", "port", "terminal", "state",
];

/// A language's headings for the table, and what stands around it.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Words {
    pub(super) direction: String,
    pub(super) english_follows: String,
    pub(super) english_below: String,
    address: String,
    last_seen: String,
    class: String,
    source: String,
    evidence: String,
    port: String,
    terminal: String,
    terminal_pc: String,
    terminal_mobile: String,
    not_given: String,
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
#[derive(Debug)]
pub(super) struct Evidence<'a> {
    pub(super) rows: &'a [SuspectRow],
    pub(super) networks: &'a HashMap<i64, NetworkWords>,
}

impl Evidence<'_> {
    pub(super) fn first_seen(&self) -> Option<Timestamp> {
        self.rows.iter().filter_map(|row| row.seen_at).min()
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

    /// The first `shown` rows, under the headings of a language; columns in which nothing stands
    /// are left out.
    pub(super) fn table(&self, words: &Words, shown: usize) -> Table {
        let rows = &self.rows[..shown.min(self.rows.len())];
        type Cell<'c> = Box<dyn Fn(&SuspectRow) -> String + 'c>;
        let columns: [(&String, Cell<'_>); 6] = [
            (&words.address, Box::new(|row| row.range.to_string())),
            (
                &words.last_seen,
                Box::new(|row| {
                    row.seen_at
                        .map_or_else(|| words.not_given.clone(), |at| at.to_string())
                }),
            ),
            (
                &words.port,
                Box::new(|row| row.port.map(|port| port.to_string()).unwrap_or_default()),
            ),
            (&words.class, Box::new(|row| row.class.clone())),
            (&words.source, Box::new(|row| row.source.clone())),
            (
                &words.terminal,
                Box::new(|row| match row.terminal {
                    Terminal::Pc => words.terminal_pc.clone(),
                    Terminal::Mobile => words.terminal_mobile.clone(),
                    Terminal::Unknown => String::new(),
                }),
            ),
        ];
        let filled = columns
            .into_iter()
            .filter(|(_, cell)| rows.iter().any(|row| !cell(row).is_empty()));
        let filled: Vec<_> = filled.collect();
        Table {
            headings: filled
                .iter()
                .map(|(heading, _)| (*heading).clone())
                .collect(),
            rows: rows
                .iter()
                .map(|row| filled.iter().map(|(_, cell)| cell(row)).collect())
                .collect(),
            note: words.evidence.clone(),
            notes: rows.iter().map(|row| row.evidence.clone()).collect(),
        }
    }

    /// All rows as RFC 4180 CSV in UTF-8, cells that a spreadsheet would run as a formula made
    /// harmless.
    pub(super) fn csv(&self) -> Result<Vec<u8>, csv::Error> {
        let mut writer = csv::WriterBuilder::new()
            .terminator(csv::Terminator::CRLF)
            .from_writer(Vec::with_capacity(self.rows.len() * 128 + 128));
        writer.write_record(COLUMNS)?;
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
            ])?;
        }
        writer
            .into_inner()
            .map_err(|error| error.into_error().into())
    }
}
