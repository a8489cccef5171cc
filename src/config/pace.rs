//! `[pace.NAME]`: how fast letters go to those who take them only slowly.

use serde::Deserialize;

use crate::model::{Domain, Span};

/// One provider, under whatever domains. Who is covered by several has the one of the nearest domain.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pace {
    pub domains: Vec<Domain>,
    /// From one letter to the next; zero: as fast as may be.
    pub every: Span,
    /// Letters in hand at once; 0: as many as may be.
    pub connections: usize,
}
