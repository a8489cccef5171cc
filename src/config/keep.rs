//! `[keep]`: how long evidence, letters' words and raw mail stay; what proves a letter stays for ever.

use serde::Deserialize;

use crate::model::{Span, Timestamp};

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keep {
    pub evidence: Span,
    pub letters: Span,
    pub incoming: Span,
}

impl Keep {
    /// Before which moments each may go; `None`: never.
    #[must_use]
    pub fn until(&self, now: Timestamp) -> [Option<Timestamp>; 3] {
        [self.evidence, self.letters, self.incoming]
            .map(|span| (span > Span(0)).then(|| now.minus(span)))
    }
}
