//! `[incoming.imap]`: a mailbox that bounces and answers are fetched from.

use std::path::PathBuf;

use serde::Deserialize;

use super::smtp::{Security, is_here};

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Imap {
    pub host: String,
    pub port: u16,
    pub security: Security,
    pub ca_file: PathBuf,
    pub username: String,
    pub password: String,
    pub password_file: PathBuf,
    pub folder: String,
    pub done_folder: String,
}

impl Imap {
    pub(super) fn problems(&self) -> Vec<String> {
        let mut wrong = Vec::new();
        if self.host.is_empty() {
            return wrong;
        }
        if self.security == Security::None && !is_here(&self.host) {
            wrong.push(
                "incoming.imap.security: a password must not cross the network in the clear; set \"starttls\" or \"tls\""
                    .to_owned(),
            );
        }
        if self.username.is_empty() {
            wrong.push("incoming.imap.username: must say whose mailbox it is".to_owned());
        }
        if self.folder.is_empty() {
            wrong.push("incoming.imap.folder: must name a folder, as \"INBOX\"".to_owned());
        }
        if self.folder == self.done_folder {
            wrong.push(
                "incoming.imap.done_folder: must be another than incoming.imap.folder; \"\" leaves the mail there, marked as seen"
                    .to_owned(),
            );
        }
        wrong
    }
}
