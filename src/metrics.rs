//! What this process has counted since it began: how long each stage took, for whoever watches.
//!
//! All else that is counted lies in the database, where every process tells the same of it.

use std::sync::LazyLock;
use std::time::Instant;

use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

/// A verb of the flow; its word is the label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Stage {
    Intake,
    Resolve,
    Compose,
    Approve,
    /// A batch of letters.
    Send,
    /// What lay unread.
    Track,
    /// A run of a schedule, with the stages in it.
    Schedule,
}

type Durations = Family<[(&'static str, &'static str); 1], Histogram>;

/// From ten milliseconds to three quarters of an hour.
static DURATIONS: LazyLock<Durations> = LazyLock::new(|| {
    Family::new_with_constructor(|| Histogram::new(exponential_buckets(0.01, 4.0, 10)))
});

impl Stage {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Intake => "intake",
            Self::Resolve => "resolve",
            Self::Compose => "compose",
            Self::Approve => "approve",
            Self::Send => "send",
            Self::Track => "track",
            Self::Schedule => "schedule",
        }
    }
}

/// A stage at work; how long it took is counted when this is dropped.
#[derive(Debug)]
#[must_use = "it counts until it is dropped"]
pub struct Timed {
    stage: Option<Stage>,
    began: Instant,
}

/// Begins to count.
pub fn timed(stage: Stage) -> Timed {
    Timed {
        stage: Some(stage),
        began: Instant::now(),
    }
}

impl Timed {
    /// There was nothing to do: a look a second would hide all else.
    pub fn forget(mut self) {
        self.stage = None;
    }
}

impl Drop for Timed {
    fn drop(&mut self) {
        if let Some(stage) = self.stage {
            let durations = DURATIONS.get_or_create(&[("stage", stage.as_str())]);
            durations.observe(self.began.elapsed().as_secs_f64());
        }
    }
}

/// Puts them among those that are shown.
pub fn register(registry: &mut Registry) {
    registry.register(
        "lapwing_stage_duration_seconds",
        "How long a stage took each time that it had something to do, in this process",
        DURATIONS.clone(),
    );
}
