//! `[pace.NAME]`: how fast letters go to those who take them only slowly.

use serde::Deserialize;

use crate::model::{Domain, Span};

/// One provider, under whatever domains. Who is covered by several has the one of the nearest domain.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pace {
    pub domains: Vec<Domain>,
    /// The hosts that take mail for its customers' domains. Who is covered by `domains` is not asked for these.
    pub mx: Vec<Domain>,
    /// From one letter to the next; zero: as fast as may be.
    pub every: Span,
    /// Letters in hand at once; 0: as many as may be.
    pub connections: usize,
}

impl Pace {
    #[must_use]
    pub fn is_for_nobody(&self) -> bool {
        self.domains.is_empty() && self.mx.is_empty()
    }
}
