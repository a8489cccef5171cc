//! Where a campaign's letters stand: what its sending changes, and the quick part of a report.

use std::fmt::Write;

use serde::Serialize;

use crate::model::{Campaign, CampaignState, Decision, Timestamp, Wait, Wave};
use crate::store::{Error, QueueView, Store, Tally};

/// What became of letters that were accepted.
const FATES: &[(&str, &str)] = &[
    (
        "delayed",
        "delayed: a mail server behind the next one still tries",
    ),
    (
        "relayed",
        "handed to a mail server that reports nothing more",
    ),
    ("expanded", "given to the members of a list"),
    ("delivered", "delivered"),
    (
        "bounced-soft",
        "came back, for a cause that may pass or is ours",
    ),
    ("bounced-hard", "came back: the address is dead"),
];

const ANSWERS: &[(&str, &str)] = &[
    ("noted", "answered by a machine, with nothing that matters"),
    ("acknowledged", "acknowledged: the desk has opened a case"),
    ("replied", "answered by a person (lapwing reply list)"),
    ("complained", "complained of: nothing more is written there"),
];

/// Counted out of the queue alone, so that it costs little however many suspects there are.
#[derive(Clone, Debug, Serialize)]
pub struct Letters {
    pub at: Timestamp,
    #[serde(flatten)]
    pub campaign: Campaign,
    pub decisions: Vec<Decision>,
    pub queue: QueueView,
    /// Its phased start, where it has one.
    pub waves: Vec<Wave>,
}

impl Letters {
    /// # Errors
    /// [`Error::NotFound`]; the database's.
    pub async fn gather(store: &Store, campaign: &str, now: Timestamp) -> Result<Self, Error> {
        let campaign = store.campaign(campaign).await?;
        Ok(Self {
            at: now,
            decisions: store.decisions(campaign.id).await?,
            queue: store.queue_view(campaign.id).await?,
            waves: store.waves(campaign.id).await?,
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

    /// Where they stand and what comes next.
    #[must_use]
    pub fn to_text(&self) -> String {
        format!(
            "{}\n{}\nNext: {}\n",
            self.heading(),
            self.counts(),
            self.next_step()
        )
    }

    pub(super) fn heading(&self) -> String {
        let mut text = format!("Campaign {} is {}", self.campaign.name, self.campaign.state);
        if let Some(last) = self.decisions.last() {
            let _ = write!(text, " ({} by {}, {}", last.kind.as_str(), last.by, last.at);
            if !last.reason.is_empty() {
                let _ = write!(text, ": {}", last.reason);
            }
            text.push(')');
        }
        text.push('\n');
        text.push_str(&self.kept());
        text
    }

    /// What a restored or thinned campaign no longer has, or may not do; empty for any other.
    pub(super) fn kept(&self) -> String {
        let mut text = String::new();
        if let Some(at) = self.campaign.restored_at {
            let _ = writeln!(
                text,
                "Nothing of it leaves: it was restored from a backup at {at}, and what was sent after the backup was \
                 taken\nis not known."
            );
        }
        if let Some(at) = self.campaign.thinned_at {
            let _ = writeln!(
                text,
                "Its evidence was removed at {at}: samples, what feeds told beside address and time, attachments."
            );
        }
        if let Some(at) = self.campaign.letters_gone_at {
            let _ = writeln!(text, "The words of its letters were removed at {at}.");
        }
        text
    }

    /// How many are in which state, and what of the queue matters beside that.
    pub(super) fn counts(&self) -> String {
        let mut text = String::new();
        let waiting: i64 = self.queue.waits.iter().map(|wait| wait.count).sum();
        let heard: i64 = self.queue.fates.iter().map(|fate| fate.count).sum();
        for Tally { name, count } in &self.queue.states {
            let (count, said) = match name.as_str() {
                "accepted" => (
                    count - heard,
                    "accepted by the next mail server (that is not yet delivered)",
                ),
                "scheduled" => (count - waiting, "deferred, to be tried again"),
                other => (*count, other),
            };
            if count > 0 {
                let _ = writeln!(text, "{count:>9}  {said}");
            }
        }
        for Tally { name, count } in &self.queue.waits {
            let said = Wait::from_text(name).map(Wait::words);
            let _ = writeln!(text, "{count:>9}  {}", said.unwrap_or("wait"));
        }
        for (tallies, words) in [(&self.queue.fates, FATES), (&self.queue.answers, ANSWERS)] {
            for Tally { name, count } in tallies {
                let said = words.iter().find(|(word, _)| word == name);
                let said = said.map_or(name.as_str(), |(_, said)| said);
                let _ = writeln!(text, "{count:>9}  {said}");
            }
        }
        if self
            .queue
            .fates
            .iter()
            .any(|fate| fate.name == "bounced-hard")
        {
            let name = &self.campaign.name;
            let _ = writeln!(
                text,
                "           who else answers for those networks is told by: lapwing follow-up {name} {name}-2"
            );
        }
        for wave in &self.waves {
            let (start, takes) = (wave.starts_at, &wave.takes);
            let _ = writeln!(text, "           wave: from {start} on, {takes}");
        }
        if self.queue.accepted_elsewhere > 0 {
            let _ = writeln!(
                text,
                "{:>9}  of these did not go to their recipients, but to a folder or to send.redirect_to",
                self.queue.accepted_elsewhere
            );
        }
        if self.queue.uncertain_attempts > 0 {
            let _ = writeln!(
                text,
                "{:>9}  attempts cut off after the message was handed over: these letters may have arrived twice\n           (lapwing letter list {} --state uncertain)",
                self.queue.uncertain_attempts, self.campaign.name
            );
        }
        if let Some(oldest) = self.queue.oldest_open {
            let _ = writeln!(
                text,
                "           oldest open: {} in the queue",
                self.at.since(oldest)
            );
        }
        if let Some(next) = self.queue.next_retry {
            let _ = writeln!(text, "           next retry:  {next}");
        }
        if let Some(until) = self.queue.leased_until {
            let _ = writeln!(
                text,
                "           held by a worker until {until} at the latest"
            );
        }
        text
    }
}
