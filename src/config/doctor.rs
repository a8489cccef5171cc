//! How the doctor asks, and what it cannot find out by itself: where our mail leaves from, who signs it.

use std::net::IpAddr;

use serde::Deserialize;

use crate::model::Span;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Doctor {
    pub resolver: String,
    pub timeout: Span,
    pub relay_addresses: Vec<IpAddr>,
    pub dkim_selectors: Vec<String>,
}
