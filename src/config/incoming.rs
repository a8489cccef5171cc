//! `[incoming]`: where bounces and answers come in, from whom, and for which mailboxes.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Deserialize;

use super::Imap;
use crate::model::{AddressRange, Span};

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Incoming {
    pub listen: String,
    pub peers: Vec<AddressRange>,
    /// Besides the sender's domain of bounces.
    pub domains: Vec<String>,
    /// Besides those of the letters.
    pub mailboxes: Vec<String>,
    pub connections: usize,
    pub max_size: u64,
    pub idle: Span,
    pub imap: Imap,
    /// Rules of one's own for why letters come back; empty: the built-in ones.
    pub reasons: PathBuf,
    pub dead_for: Span,
    pub again_after: Span,
}

impl Incoming {
    /// Where LMTP is spoken, if anywhere.
    ///
    /// # Errors
    /// When it is set and no address with a port.
    pub fn listen(&self) -> Result<Option<SocketAddr>, String> {
        if self.listen.is_empty() {
            return Ok(None);
        }
        self.listen.parse().map(Some).map_err(|_| {
            format!(
                "incoming.listen: \"{}\" is no address with a port; write one as \"127.0.0.1:2424\"",
                self.listen
            )
        })
    }

    /// What the types alone cannot say.
    pub(super) fn problems(&self) -> Vec<String> {
        let mut wrong = Vec::from_iter(self.listen().err());
        wrong.extend(self.imap.problems());
        for domain in &self.domains {
            if domain.is_empty() || domain.contains(|c: char| c == '@' || c.is_whitespace()) {
                wrong.push(format!(
                    "incoming.domains: \"{domain}\" is not a domain; write one as \"bounces.agency.example\""
                ));
            }
        }
        for mailbox in &self.mailboxes {
            if mailbox.is_empty() || mailbox.contains('@') {
                wrong.push(format!(
                    "incoming.mailboxes: \"{mailbox}\" is not what stands before the @; write \"postmaster\" for postmaster@…"
                ));
            }
        }
        if !(1..=1_000).contains(&self.connections) {
            let n = self.connections;
            wrong.push(format!("incoming.connections: {n} must be 1 to 1000"));
        }
        if self.max_size < 64 << 10 {
            wrong.push(format!("incoming.max_size: must be {} or more", 64 << 10));
        }
        if self.idle <= Span(0) {
            wrong.push("incoming.idle: must be longer than nothing, as \"5m\"".to_owned());
        }
        wrong
    }
}
