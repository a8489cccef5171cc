//! One process at a time resolves a campaign: two would take back each other's findings.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::AbortHandle;

use super::Work;
use crate::model::{Campaign, Progress, Span};
use crate::store::{Error, Store};

/// One that has not been heard of for so long is taken for dead.
const LEASE: Span = Span(60_000);
const BEAT: Duration = Duration::from_secs(15);

/// The right to resolve one campaign, renewed in the background until it is given back or dropped.
pub(super) struct Lease {
    store: Store,
    campaign: i64,
    worker: String,
    heart: AbortHandle,
}

impl Lease {
    /// Once the lease is lost, `progress` is stopped.
    ///
    /// # Errors
    /// [`Error::Refused`] while somebody else has it; the database's.
    pub(super) async fn take(
        work: &Work<'_>,
        campaign: &Campaign,
        progress: &Arc<Progress>,
    ) -> Result<Self, Error> {
        let (store, clock) = (work.store.clone(), *work.clock);
        let (id, worker) = (campaign.id, work.worker.to_owned());
        let now = clock.now();
        store
            .begin_resolving(campaign, &worker, work.by, now, now.plus(LEASE))
            .await?;
        let (kept, name, progress) = (store.clone(), worker.clone(), Arc::clone(progress));
        let beating = tokio::spawn(async move {
            loop {
                tokio::time::sleep(BEAT).await;
                let until = clock.now().plus(LEASE);
                // A database that is away now is asked again; nobody else can take the lease there.
                if let Ok(false) = kept.hold_resolving(id, &name, until).await {
                    progress.stop();
                    return;
                }
            }
        });
        Ok(Self {
            store,
            campaign: id,
            worker,
            heart: beating.abort_handle(),
        })
    }

    /// # Errors
    /// [`Error::Refused`] when it was lost in the meantime; the database's.
    pub(super) async fn give_back(self) -> Result<(), Error> {
        self.store.end_resolving(self.campaign, &self.worker).await
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.heart.abort();
    }
}
