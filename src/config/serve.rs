//! `[serve]`, `[http]`, `[log]`: how a service ends, shows how it is, and says what it does.

use std::net::SocketAddr;

use serde::Deserialize;

use crate::model::Span;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Serve {
    /// For what is in hand when it shall end.
    pub grace: Span,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Http {
    pub listen: String,
    pub public: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Log {
    pub format: LogFormat,
    pub level: LogLevel,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Text on a terminal, else JSON.
    Auto,
    Text,
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
}

impl Http {
    pub(super) fn problems(&self) -> Vec<String> {
        let is_plain = !self
            .public
            .contains(|c: char| c.is_whitespace() || c.is_control() || "<>?#".contains(c));
        match self.public.is_empty() || (self.public.starts_with("https://") && is_plain) {
            true => Vec::new(),
            false => vec![format!(
                "http.public: \"{}\" must be an address as https://notices.agency.example, or \"\" for none",
                self.public
            )],
        }
    }

    /// Where HTTP is spoken, if anywhere.
    ///
    /// # Errors
    /// When it is set and no address with a port.
    pub fn listen(&self) -> Result<Option<SocketAddr>, String> {
        if self.listen.is_empty() {
            return Ok(None);
        }
        self.listen.parse().map(Some).map_err(|_| {
            format!(
                "http.listen: \"{}\" is no address with a port; write one as \"127.0.0.1:8080\", or \"\" for none",
                self.listen
            )
        })
    }
}
