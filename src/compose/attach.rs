//! What a letter carries beside its text: the rows as CSV, XARF reports, feedback reports.

use std::collections::HashMap;

use super::Settings;
use super::evidence::{Evidence, csv_bytes};
use super::hosts::{Host, hosts};
use super::redact::{self, Redacted};
use super::xarf::Reports;
use super::{arf, xarf};
use crate::model::{AddressRange, Attachment, Format, Letter};
use crate::store::SuspectRow;
use crate::templates::Error;

/// Bytes that a letter needs beside its rows: the list's headings, and the leaflet.
pub(super) const BESIDE: usize = 16 << 10;

/// The messages of a letter's hosts, by the row that each belongs to.
pub(super) type Messages = HashMap<i64, Redacted>;

/// What is attached to one letter, and what the letter says of it.
#[derive(Debug, Default)]
pub(super) struct Attached {
    pub(super) files: Vec<Attachment>,
    /// All rows are there as CSV.
    pub(super) csv: bool,
    pub(super) xarf: bool,
    /// Messages that are there as feedback reports.
    pub(super) samples: usize,
}

/// The attachments that a recipient of this format gets. `letter` is as it will leave, but for them.
///
/// # Errors
/// Which file cannot be written, and why.
pub(super) fn attach(
    settings: &Settings,
    format: Format,
    letter: &Letter,
    csv_name: &str,
    evidence: &Evidence<'_>,
    messages: &Messages,
) -> Result<Attached, Error> {
    let mut attached = Attached::default();
    let all = || hosts(evidence.rows);
    let wants_csv = match format {
        Format::Csv | Format::Both => true,
        // What a report cannot tell must not get lost.
        Format::Xarf => !all().all(xarf::tells_all),
        Format::Text => false,
    };
    if wants_csv {
        let content = evidence
            .csv()
            .map_err(|error| Error::about(csv_name, error))?;
        attached.csv = true;
        attached.files.push(Attachment {
            name: csv_name.to_owned(),
            media_type: "text/csv; charset=utf-8; header=present".to_owned(),
            content,
        });
    }
    let stem = letter.ticket.to_ascii_lowercase();
    let message = |host: Host<'_>| messages.get(&host.sampled()?.id);
    match format {
        Format::Xarf | Format::Both => {
            let reports = Reports {
                settings,
                ticket: &letter.ticket,
                evidence: *evidence,
            };
            for host in all() {
                let told = reports
                    .of(host, message(host))
                    .map_err(|error| Error::about(&format!("{stem}.xarf.json"), error))?;
                attached.xarf |= !told.is_empty();
                // Programs know the one report of a message by this name.
                let is_only = format == Format::Xarf && told.len() == 1;
                for (block, content) in told {
                    attached.files.push(Attachment {
                        name: match is_only {
                            true => "xarf.json".to_owned(),
                            false => format!("{stem}-{}.xarf.json", file_word(block)),
                        },
                        media_type: "application/json".to_owned(),
                        content,
                    });
                }
            }
        }
        Format::Csv => {
            for host in all() {
                let report = message(host)
                    .and_then(|message| arf::report(letter, host, message, evidence.tlp));
                let (Some(content), Some(range)) = (report, host.range()) else {
                    continue;
                };
                attached.samples += 1;
                attached.files.push(Attachment {
                    name: format!("{stem}-{}.arf.eml", file_word(range)),
                    media_type: "message/rfc822".to_owned(),
                    content,
                });
            }
        }
        Format::Text => {}
    }
    Ok(attached)
}

/// An address as part of a file's name, on systems that allow no colon too.
fn file_word(range: AddressRange) -> String {
    range.to_string().replace(':', "-").replace('/', "_")
}

/// What is known of the rows of one address before its files are written.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Weight {
    /// Of all rows as CSV, in bytes.
    pub(super) csv: usize,
    /// Of the longest message, in bytes.
    pub(super) message: usize,
    /// CIDR blocks that reports are written about.
    pub(super) blocks: usize,
}

impl Weight {
    #[must_use]
    pub(super) fn with(self, row: &SuspectRow, is_other_range: bool) -> Self {
        let message = row
            .sample
            .map_or(0, |sample| redact::most_bytes(sample.size));
        let blocks = match is_other_range {
            true if row.range.is_single() => 1,
            true => row.range.blocks().len(),
            false => 0,
        };
        Self {
            csv: self.csv + csv_bytes(row),
            message: self.message.max(message),
            blocks: self.blocks + blocks,
        }
    }

    /// The most bytes that this can take as attachments.
    pub(super) fn most_bytes(self, format: Format) -> usize {
        let reports = || self.blocks * xarf::most_bytes(self.csv, self.message);
        match format {
            Format::Csv if self.message > 0 => {
                self.csv + self.blocks * arf::most_bytes(self.message)
            }
            Format::Csv => self.csv,
            Format::Both | Format::Xarf => self.csv + reports(),
            Format::Text => 0,
        }
    }

    /// How many files this can become beside the CSV.
    pub(super) fn reports(self, format: Format) -> usize {
        match format {
            Format::Csv => self.blocks.min(self.message),
            Format::Both => self.blocks,
            Format::Xarf | Format::Text => 0,
        }
    }
}
