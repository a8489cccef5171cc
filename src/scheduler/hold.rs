//! A run is held by a lease that is renewed while the work goes on; a silent worker's run is another's.

use std::sync::Arc;
use std::time::Duration;

use super::{Fault, Work};
use crate::model::{Progress, Run, Span, Timestamp};
use crate::store;

/// A worker that has not been heard of for so long is taken for dead.
const LEASE: Span = Span(60_000);

/// How often it says that it lives; and how often it looks whether it is to end.
const BEAT: Span = Span(15_000);
const LOOK: Duration = Duration::from_millis(200);

pub(super) fn lease_until(now: Timestamp) -> Timestamp {
    now.plus(LEASE)
}

/// Does a run's steps; they are stopped when the work is, or when the lease
/// is lost.
pub(super) async fn while_held(
    work: &Work<'_>,
    run: i64,
    progress: &Arc<Progress>,
    steps: impl Future<Output = Result<(), Fault>>,
) -> Result<(), Fault> {
    let beating = async {
        let mut beaten_at = work.clock.now();
        loop {
            tokio::time::sleep(LOOK).await;
            if work.progress.is_stopped() {
                progress.stop();
            }
            let now = work.clock.now();
            if now.since(beaten_at) >= BEAT {
                beaten_at = now;
                let held = work.store.hold_run(run, work.worker, lease_until(now));
                // A database that is away is asked again; nobody else can take the lease there.
                if let Ok(false) = held.await {
                    progress.stop();
                }
            }
        }
    };
    tokio::select! {
        ended = steps => ended,
        () = beating => unreachable!("it beats until the steps have ended"),
    }
}

/// Leaves a run to whoever comes next, at once.
pub(super) async fn give_back(work: &Work<'_>, run: &Run) -> Result<(), store::Error> {
    let now = work.clock.now();
    work.store.hold_run(run.id, work.worker, now).await?;
    Ok(())
}
