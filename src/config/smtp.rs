//! The relay that letters are handed to, and how it is spoken to.

use std::net::IpAddr;
use std::path::PathBuf;

use serde::Deserialize;

use crate::model::Span;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Smtp {
    pub host: String,
    pub port: u16,
    pub security: Security,
    pub ca_file: PathBuf,
    pub username: String,
    pub password: String,
    pub password_file: PathBuf,
    pub hello: String,
    pub connect_timeout: Span,
    pub command_timeout: Span,
    pub dot_timeout: Span,
    pub letters_per_connection: usize,
    pub connection_life: Span,
    pub idle: Span,
    /// From one letter to the next, over all workers; zero: as fast as may be.
    pub every: Span,
    /// Letters in hand at once, over all workers; 0: as many as may be.
    pub connections: usize,
    pub priority: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Security {
    None,
    Starttls,
    Tls,
}

impl Smtp {
    /// `mx.example:25`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// Whether the relay is this machine.
    #[must_use]
    pub fn is_here(&self) -> bool {
        is_here(&self.host)
    }
}

pub(super) fn is_here(host: &str) -> bool {
    let ip: Result<IpAddr, _> = host.parse();
    host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback())
}
