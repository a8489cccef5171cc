//! `[intake]`: which rows are suspects, and which feeds are fetched.

use serde::Deserialize;

use crate::model::{AddressRange, Span};

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Intake {
    pub widest_ipv4: u8,
    pub widest_ipv6: u8,
    pub future: Span,
    pub time_zone: String,
    pub require_evidence: bool,
    pub allow_documentation: bool,
    /// Bytes of a feed that is fetched.
    pub url_size: u64,
    pub url_timeout: Span,
    pub http: bool,
    /// Where feeds may be fetched besides public addresses.
    pub reach: Vec<AddressRange>,
}
