//! Stage 8. What happened, counted so that every row and every suspect is in one place.

pub mod export;
mod letters;
mod text;

pub use letters::Letters;

use serde::Serialize;

use crate::model::{CampaignKind, CampaignState, Timestamp};
use crate::store::{CountryLine, Error, FindingLine, Store, Totals};

/// Replies listed at most.
const REPLIES: i64 = 20;

/// A campaign as a whole: for `status` the short of it, for `report` all.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    #[serde(flatten)]
    pub letters: Letters,
    /// The name of the campaign that a reminder reminds of.
    pub after: Option<String>,
    pub totals: Totals,
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
        let letters = Letters::gather(store, campaign, now).await?;
        let id = letters.campaign.id;
        let replies = store.replies(id, REPLIES).await?;
        let after = match letters.campaign.after {
            Some(first) => Some(store.campaign_of(first).await?.name),
            None => None,
        };
        Ok(Self {
            letters,
            after,
            totals: store.totals(id).await?,
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
        })
    }

    /// What a person would do next.
    #[must_use]
    pub fn next_step(&self) -> String {
        let campaign = &self.letters.campaign;
        let name = &campaign.name;
        if campaign.state != CampaignState::Draft {
            return self.letters.next_step();
        }
        if self.totals.import.fresh == 0 {
            return match campaign.kind {
                CampaignKind::Advisory => format!(
                    "lapwing import {name} FILE, or lapwing campaign draw {name} --country CODES"
                ),
                _ => format!("lapwing import {name} FILE"),
            };
        }
        if self.totals.of("waiting") > 0 {
            return format!("lapwing resolve {name}");
        }
        match campaign.composed_at {
            None => format!("lapwing compose {name}"),
            Some(_) => self.letters.next_step(),
        }
    }
}
