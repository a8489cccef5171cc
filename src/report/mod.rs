//! Stage 8. What happened, counted so that every row and every suspect is in one place.

pub mod export;
mod text;

use serde::Serialize;

use crate::model::{Campaign, CampaignKind, CampaignState, Decision, Timestamp, Wave};
use crate::store::{CountryLine, Error, FindingLine, QueueView, Store, Totals};

/// Replies listed at most.
const REPLIES: i64 = 20;

/// A campaign as a whole: for `status` the short of it, for `report` all.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub at: Timestamp,
    #[serde(flatten)]
    pub campaign: Campaign,
    /// The name of the campaign that a reminder reminds of.
    pub after: Option<String>,
    pub decisions: Vec<Decision>,
    pub totals: Totals,
    pub queue: QueueView,
    /// Its phased start, where it has one.
    pub waves: Vec<Wave>,
    pub countries: Vec<CountryLine>,
    /// Why suspects are in no letter.
    pub not_written: Vec<FindingLine>,
    /// When the earliest deferred one may be asked again.
    pub ask_again: Option<Timestamp>,
    /// What the other sides said, of letters that were not accepted at once.
    pub replies: Vec<Said>,
}

/// A reply and how often it came.
#[derive(Clone, Debug, Serialize)]
pub struct Said {
    pub outcome: String,
    pub reply: String,
    pub times: i64,
}

impl Report {
    /// # Errors
    /// [`Error::NotFound`]; the database's.
    pub async fn gather(store: &Store, campaign: &str, now: Timestamp) -> Result<Self, Error> {
        let campaign = store.campaign(campaign).await?;
        let id = campaign.id;
        let replies = store.replies(id, REPLIES).await?;
        let after = match campaign.after {
            Some(first) => Some(store.campaign_of(first).await?.name),
            None => None,
        };
        Ok(Self {
            at: now,
            after,
            decisions: store.decisions(id).await?,
            totals: store.totals(id).await?,
            queue: store.queue_view(id).await?,
            waves: store.waves(id).await?,
            countries: store.countries(id).await?,
            not_written: store.open_findings(id).await?,
            ask_again: store.next_question(id).await?,
            replies: replies
                .into_iter()
                .map(|(outcome, reply, times)| Said {
                    outcome,
                    reply,
                    times,
                })
                .collect(),
            campaign,
        })
    }

    /// Deliveries of a state.
    #[must_use]
    pub fn deliveries(&self, state: &str) -> i64 {
        self.queue
            .states
            .iter()
            .find(|tally| tally.name == state)
            .map_or(0, |tally| tally.count)
    }

    /// Whether some letter ended badly.
    #[must_use]
    pub fn has_failures(&self) -> bool {
        ["refused", "expired", "failed", "uncertain"]
            .iter()
            .any(|state| self.deliveries(state) > 0)
    }

    /// What a person would do next.
    #[must_use]
    pub fn next_step(&self) -> String {
        let name = &self.campaign.name;
        match self.campaign.state {
            CampaignState::Approved if self.campaign.restored_at.is_some() => {
                format!(
                    "look into the mail server's log, then lapwing restore --release --campaign {name}"
                )
            }
            CampaignState::Draft if self.totals.import.fresh == 0 => match self.campaign.kind {
                CampaignKind::Advisory => format!(
                    "lapwing import {name} FILE, or lapwing campaign draw {name} --country CODES"
                ),
                _ => format!("lapwing import {name} FILE"),
            },
            CampaignState::Draft if self.totals.of("waiting") > 0 => {
                format!("lapwing resolve {name}")
            }
            CampaignState::Draft if self.campaign.composed_at.is_none() => {
                format!("lapwing compose {name}")
            }
            CampaignState::Draft => {
                format!("lapwing preview {name}, then lapwing campaign submit {name} --as YOU")
            }
            CampaignState::Submitted => {
                format!("lapwing campaign approve {name} --as A-SECOND-PERSON")
            }
            CampaignState::Approved if self.deliveries("ready") > 0 => {
                format!("lapwing send {name}")
            }
            CampaignState::Approved => match self.queue.next_retry {
                Some(at) => {
                    format!("lapwing send {name} after {at}, or lapwing send {name} --wait")
                }
                None if self.queue.waits.iter().any(|wait| wait.name == "hold") => {
                    "lapwing hold list".to_owned()
                }
                None => format!("lapwing status {name} --watch"),
            },
            CampaignState::Paused => format!("lapwing campaign resume {name}"),
            CampaignState::Cancelled | CampaignState::Settled => format!("lapwing report {name}"),
        }
    }
}
