//! Stage 1. Feeds in, suspects out: rows of any shape become suspects, or refusals that say what to do.

mod evidence;

mod fetch;
pub use fetch::{Fetched, Page, fetch};

mod folder;
pub use folder::{Dropped, waiting};

mod headers;

mod moment;

mod notes;
pub use notes::{Notes, Tally};

mod signs;

mod place;

mod sample;

mod screen;

mod seen;

mod operators;

mod draw;
pub use draw::{Drawing, draw, foresee_drawing};

mod load;
pub use load::{Done, foresee, run_once};

mod rows;
pub use rows::{Reading, Row, Rows, read};

use crate::model::{Campaign, Decision, DecisionKind, Timestamp};
use crate::store::{Error, Store};

/// What a reminder speaks of was seen since then: when the first letters were approved. `None` for a
/// campaign that reminds of none, or of one that nobody has approved yet; that one is not composed.
///
/// # Errors
/// The database's.
pub async fn since(store: &Store, campaign: &Campaign) -> Result<Option<Timestamp>, Error> {
    let Some(first) = campaign.after else {
        return Ok(None);
    };
    let decisions = store.decisions(first).await?;
    let approved = |one: &&Decision| one.kind == DecisionKind::Approved;
    Ok(decisions.iter().rev().find(approved).map(|one| one.at))
}

/// What is wrong with one cell, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Wrong {
    reason: String,
    remedy: &'static str,
}

impl Wrong {
    fn new(reason: impl Into<String>, remedy: &'static str) -> Self {
        Self {
            reason: reason.into(),
            remedy,
        }
    }
}

/// A cell that is wrong: the key it stands for, and what is wrong with it.
type Fault = (&'static str, Wrong);
