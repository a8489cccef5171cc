//! A fence around the work of a run: who was silent for so long that another has taken it over writes nothing more.

use std::sync::Arc;

use sqlx::AssertSqlSafe;

use super::engine::Engine;
use super::runs::taken_over;
use super::{Connection, Error, Store};
use crate::model::Run;

/// Whose writing is let through.
#[derive(Clone, Debug)]
pub(super) struct Fence {
    run: i64,
    worker: Arc<str>,
}

impl Store {
    /// The same database for the work of a run, whichever stage does it. Each of its transactions finds out first
    /// whether the run is still its worker's and has not ended, and keeps it so until it is committed. A process
    /// that was asleep looks at its lease too late: what it was about to write comes before that.
    #[must_use]
    pub fn fenced(&self, one: &Run) -> Self {
        let fence = Fence {
            run: one.id,
            worker: one.worker.as_str().into(),
        };
        Self {
            fence: Some(fence),
            ..self.clone()
        }
    }
}

impl Fence {
    /// # Errors
    /// [`Error::Refused`] when the run is somebody else's by now, or has ended.
    pub(super) async fn let_through(
        &self,
        engine: Engine,
        tx: &mut Connection,
    ) -> Result<(), Error> {
        let sql = format!(
            "SELECT worker FROM schedule_run WHERE id = $1 AND ended_at IS NULL{}",
            engine.for_update()
        );
        let holder: Option<String> = sqlx::query_scalar(AssertSqlSafe(sql))
            .bind(self.run)
            .fetch_optional(tx)
            .await?;
        match holder.as_deref() == Some(&*self.worker) {
            true => Ok(()),
            false => Err(taken_over()),
        }
    }
}
