//! What the campaigns of schedules have due leaves, for those who run no service.

use serde::Serialize;

use crate::send::{self, Done, Work};
use crate::store;

/// What was sent of one campaign.
#[derive(Clone, Debug, Serialize)]
pub struct Sent {
    pub campaign: String,
    #[serde(flatten)]
    pub done: Done,
    /// Why it is not being sent: for staff to see to.
    pub told: Option<String>,
}

impl Sent {
    /// Whether some letter ended badly, or the campaign needs staff.
    #[must_use]
    pub fn has_failures(&self) -> bool {
        let done = &self.done;
        self.told.is_some() || done.refused + done.expired + done.failed + done.uncertain > 0
    }
}

/// Sends what is due of the approved campaigns of a schedule, or of all schedules.
///
/// # Errors
/// The relay cannot be spoken to; the database's. What one campaign has against it is told with it.
pub async fn send_due(work: &Work<'_>, schedule: Option<i64>) -> Result<Vec<Sent>, send::Error> {
    let mut all = Vec::new();
    for name in work.store.scheduled_campaigns(schedule).await? {
        if work.progress.is_stopped() {
            break;
        }
        let campaign = work.store.campaign(&name).await?;
        let mut done = Done::default();
        let ended = send::drain(work, &campaign, &mut done).await;
        let told = match ended {
            Ok(()) => None,
            Err(
                error @ (send::Error::Store(store::Error::Refused(_))
                | send::Error::Braked(_)
                | send::Error::Key(_)),
            ) => Some(error.to_string()),
            Err(error) => return Err(error),
        };
        if done.claimed > 0 || told.is_some() {
            all.push(Sent {
                campaign: name,
                done,
                told,
            });
        }
    }
    Ok(all)
}
