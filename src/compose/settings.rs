//! What the letters of this installation have in common, and what one of them may hold.

use super::parts::Limits;
use crate::config::Config;
use crate::model::{Format, Mailbox};

/// Observations in one letter that has them all in its text.
const ROWS_IN_TEXT: usize = 500;

/// What the letters of this installation have in common.
#[derive(Clone, Debug)]
pub struct Settings {
    pub sender_name: String,
    pub sender: Mailbox,
    pub reply_to: Mailbox,
    pub bounce_domain: String,
    /// Whether answers go to a mailbox of the letter's own, and not to `reply_to`.
    pub reply_tokens: bool,
    /// How the service's HTTP port is reached from outside; empty: not at all.
    pub public: String,
    pub verify: String,
    pub ticket_prefix: String,
    pub table_rows: usize,
    pub part_rows: usize,
    pub part_bytes: usize,
    pub part_reports: usize,
    /// Of recipients that wished nothing.
    pub format: Format,
    /// Of the OpenPGP key that will sign the letters, in groups of four; empty: they are not signed.
    /// Not among the settings: whoever composes reads it off the key.
    pub fingerprint: String,
}

impl Settings {
    /// # Errors
    /// The key that is wrong and why.
    pub fn from_config(config: &Config) -> Result<Self, String> {
        Ok(Self {
            sender_name: config.sender.name.clone(),
            sender: config.sender.mailbox()?,
            reply_to: config.sender.reply_to()?,
            bounce_domain: config.sender.bounce_domain().to_owned(),
            reply_tokens: config.sender.reply_tokens,
            public: config.http.public.trim_end_matches('/').to_owned(),
            verify: config.sender.verify.clone(),
            ticket_prefix: config.sender.ticket_prefix.clone(),
            table_rows: config.letter.table_rows,
            part_rows: config.letter.part_rows,
            part_bytes: config.letter.part_bytes,
            part_reports: config.letter.part_reports,
            format: config.letter.format,
            fingerprint: String::new(),
        })
    }

    /// What one letter of this format may hold.
    pub(super) fn limits(&self, format: Format) -> Limits {
        Limits {
            rows: match format {
                Format::Text => self.part_rows.min(ROWS_IN_TEXT),
                _ => self.part_rows,
            },
            bytes: self.part_bytes,
            reports: self.part_reports,
            hosts: match format {
                // A letter for each.
                Format::Xarf => 1,
                _ => usize::MAX,
            },
        }
    }
}
