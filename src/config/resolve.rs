//! `[resolve]`: who is asked whose network it is, how hard, and how long an answer counts.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

use crate::model::{AddressRange, Span};

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Resolve {
    pub sources: Vec<SourceName>,
    pub ladder: Vec<RungName>,
    pub explicit_for: Span,
    pub none_for: Span,
    pub fault_for: Span,
    pub patience: Span,
    pub reach: Vec<AddressRange>,
    pub rdap: Rdap,
    pub whois: Whois,
    pub dns: Dns,
    /// By the registry's short name; `other` is always there.
    pub registry: BTreeMap<String, Registry>,
}

/// The sources of contacts that can be put in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SourceName {
    Overrides,
    Table,
    Rdap,
    Whois,
    Dns,
}

impl SourceName {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Overrides => "overrides",
            Self::Table => "table",
            Self::Rdap => "rdap",
            Self::Whois => "whois",
            Self::Dns => "dns",
        }
    }
}

/// Whom to fall back to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RungName {
    Parent,
    As,
    Csirt,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rdap {
    pub bootstrap: PathBuf,
    pub timeout: Span,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Whois {
    pub timeout: Span,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dns {
    pub resolver: String,
    pub timeout: Span,
    pub contacts: String,
    pub origins: String,
    pub origins6: String,
}

/// One registry's servers, and the limits that they share.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registry {
    /// `HOST` or `HOST:PORT`.
    pub whois: String,
    pub hosts: Vec<String>,
    pub at_once: u32,
    pub every: Span,
    /// 0: no end.
    pub a_day: u32,
}
