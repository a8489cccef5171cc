//! Short waits inside one process, such as for a database that is just starting: the one home of `backoff`.
//!
//! `backoff` is unmaintained (RUSTSEC-2025-0012, and RUSTSEC-2024-0384 for its `instant`), which is
//! why nothing else uses it. When a letter is tried again is no business of this file: that is
//! computed by `send` and stored, for it must outlive the process.

use std::future::Future;
use std::time::Duration;

use backoff::backoff::Backoff;
use backoff::{Error, ExponentialBackoff, future};
use tokio::time::{Instant, sleep};

use crate::model::Progress;

/// Tries `work` until it succeeds, fails for good, or `patience` has passed. `is_passing` tells
/// faults that pass by waiting from those that do not.
///
/// # Errors
/// The last fault.
pub async fn patiently<T, E, F>(
    patience: Duration,
    is_passing: impl Fn(&E) -> bool,
    mut work: impl FnMut() -> F,
) -> Result<T, E>
where
    F: Future<Output = Result<T, E>>,
{
    // Each limit is set: the crate's own would give up after 15 minutes and wait for up to one.
    let waits = ExponentialBackoff {
        initial_interval: Duration::from_millis(50),
        multiplier: 2.0,
        randomization_factor: 0.2,
        max_interval: Duration::from_secs(2),
        max_elapsed_time: Some(patience),
        ..ExponentialBackoff::default()
    };
    future::retry(waits, || {
        let attempt = work();
        let is_passing = &is_passing;
        async move {
            attempt.await.map_err(|fault| {
                if is_passing(&fault) {
                    Error::transient(fault)
                } else {
                    Error::permanent(fault)
                }
            })
        }
    })
    .await
}

/// How long whoever rests does not look whether it is to stop.
const BREATH: Duration = Duration::from_millis(100);

/// Waits for so long, or until `progress` is stopped.
pub async fn rest(progress: &Progress, pause: Duration) {
    let until = Instant::now() + pause;
    while !progress.is_stopped() {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break;
        }
        sleep(left.min(BREATH)).await;
    }
}

/// Waits between looks at something that is out of order: each twice the one before, a fifth more or
/// less, and never the last.
#[derive(Debug)]
pub struct Pauses(ExponentialBackoff);

impl Pauses {
    #[must_use]
    pub fn growing(first: Duration, longest: Duration) -> Self {
        Self(ExponentialBackoff {
            current_interval: first,
            initial_interval: first,
            multiplier: 2.0,
            randomization_factor: 0.2,
            max_interval: longest,
            max_elapsed_time: None,
            ..ExponentialBackoff::default()
        })
    }

    pub fn take(&mut self) -> Duration {
        // Without a limit to all of them there always is one.
        self.0.next_backoff().unwrap_or(self.0.max_interval)
    }

    /// The next is as the first.
    pub fn reset(&mut self) {
        self.0.reset();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn waits_for_what_passes_and_for_nothing_else() {
        let mut calls = 0;
        let outcome = patiently(
            Duration::from_secs(5),
            |fault: &&str| *fault == "starting",
            || {
                calls += 1;
                let outcome = if calls < 3 {
                    Err("starting")
                } else {
                    Ok(calls)
                };
                async move { outcome }
            },
        )
        .await;
        assert_eq!(outcome, Ok(3));
        let outcome: Result<(), _> = patiently(
            Duration::from_secs(5),
            |_| false,
            || async { Err("no such database") },
        )
        .await;
        assert_eq!(outcome, Err("no such database"));
    }
}
