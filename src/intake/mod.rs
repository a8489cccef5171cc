//! Stage 1. Feeds in, suspects out: rows of any shape become suspects, or refusals that say what to do.

mod evidence;

mod headers;

mod moment;

mod signs;

mod place;

mod sample;

mod screen;

mod operators;

mod draw;
pub use draw::{Drawing, draw, foresee_drawing};

mod load;
pub use load::{Done, foresee, run_once};

mod rows;
pub use rows::{Reading, Row, Rows, read};

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
