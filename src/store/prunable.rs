//! What has been kept long enough, counted before anything of it is taken away.

use serde::Serialize;
use sqlx::AssertSqlSafe;

use super::{Error, Store};
use crate::model::Timestamp;

/// Whoever has not looked at a message yet needs it whole.
pub(super) const SEEN_TO: &str = "gone_at IS NULL AND read_at IS NOT NULL AND came_at < $1
    AND NOT EXISTS (SELECT 1 FROM reading WHERE incoming_id = incoming.id AND reading.state NOT IN ('', 'fixed', 'closed'))";

/// Before which moments what ended, or came, may go; `None`: it stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Retention {
    /// Evidence of campaigns that ended before.
    pub evidence: Option<Timestamp>,
    /// The words of letters of campaigns that ended before.
    pub letters: Option<Timestamp>,
    /// Mail that came in before.
    pub incoming: Option<Timestamp>,
}

/// A campaign with something to take away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Old {
    #[serde(skip)]
    pub(super) id: i64,
    pub campaign: String,
    pub ended_at: Timestamp,
}

/// How much of it there is, or was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Amount {
    /// Suspects of which only address, time, class, source and terminal stay.
    pub suspects: u64,
    /// Messages that suspects were seen sending.
    pub samples: u64,
    /// Refused rows of feeds, of which line, column and reason stay.
    pub refusals: u64,
    /// Files attached to letters.
    pub attachments: u64,
    /// Letters of which the digest stays, and no words.
    pub letters: u64,
    /// Messages that came in, of which stays what was made of them.
    pub incoming: u64,
}

/// What there is to take away.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Prunable {
    pub before: Retention,
    pub evidence: Vec<Old>,
    pub letters: Vec<Old>,
    pub amount: Amount,
}

impl Prunable {
    /// A campaign that never had evidence is still to be marked as without.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.amount == Amount::default() && self.evidence.is_empty() && self.letters.is_empty()
    }
}

impl Amount {
    pub(super) fn add(&mut self, other: &Self) {
        self.suspects += other.suspects;
        self.samples += other.samples;
        self.refusals += other.refusals;
        self.attachments += other.attachments;
        self.letters += other.letters;
        self.incoming += other.incoming;
    }
}

impl Store {
    /// What [`prune`](Self::prune) would take away.
    ///
    /// # Errors
    /// The database's.
    pub async fn foresee_prune(&self, before: Retention) -> Result<Prunable, Error> {
        let evidence = self.ended_before(before.evidence, "thinned_at").await?;
        let letters = self.ended_before(before.letters, "letters_gone_at").await?;
        let mut amount = Amount::default();
        for one in &evidence {
            amount.suspects += self
                .count(
                    one.id,
                    "suspect WHERE campaign_id = $1 AND (evidence <> '' OR port IS NOT NULL)",
                )
                .await?;
            amount.samples += self
                .count(
                    one.id,
                    "sample JOIN suspect ON suspect.id = suspect_id WHERE campaign_id = $1",
                )
                .await?;
            amount.refusals += self.count(one.id, "refusal JOIN import ON import.id = import_id WHERE campaign_id = $1 AND (raw <> '' OR value <> '')").await?;
            amount.attachments += self.count(one.id, "attachment JOIN letter ON letter.id = letter_id WHERE campaign_id = $1 AND LENGTH(content) > 0").await?;
        }
        for one in &letters {
            amount.letters += self
                .count(one.id, "letter WHERE campaign_id = $1 AND body_text <> ''")
                .await?;
        }
        if let Some(at) = before.incoming {
            amount.incoming = self
                .count(at.0, &format!("incoming WHERE {SEEN_TO}"))
                .await?;
        }
        Ok(Prunable {
            before,
            evidence,
            letters,
            amount,
        })
    }

    /// Campaigns that came to their end before that, of which this is still there.
    pub(super) async fn ended_before(
        &self,
        before: Option<Timestamp>,
        gone: &str,
    ) -> Result<Vec<Old>, Error> {
        let Some(before) = before else {
            return Ok(Vec::new());
        };
        let sql = format!(
            "SELECT id, name, ended FROM (
                 SELECT id, name,
                        (SELECT MAX(at) FROM (
                             SELECT MAX(decided_at) AS at FROM decision WHERE decision.campaign_id = campaign.id
                             UNION ALL SELECT MAX(ended_at) FROM delivery WHERE delivery.campaign_id = campaign.id) AS ends
                        ) AS ended
                 FROM campaign
                 WHERE state IN ('settled', 'cancelled') AND {gone} IS NULL
                   AND NOT EXISTS (SELECT 1 FROM delivery WHERE delivery.campaign_id = campaign.id
                                   AND delivery.state IN ('ready', 'scheduled', 'leased'))) AS ended
             WHERE ended < $1 ORDER BY id"
        );
        let rows: Vec<(i64, String, i64)> = sqlx::query_as(AssertSqlSafe(sql))
            .bind(before.0)
            .fetch_all(&self.read)
            .await?;
        let old = |(id, campaign, at)| Old {
            id,
            campaign,
            ended_at: Timestamp(at),
        };
        Ok(rows.into_iter().map(old).collect())
    }

    async fn count(&self, key: i64, what: &str) -> Result<u64, Error> {
        let sql = format!("SELECT COUNT(*) FROM {what}");
        let count: i64 = sqlx::query_scalar(AssertSqlSafe(sql))
            .bind(key)
            .fetch_one(&self.read)
            .await?;
        Ok(count.unsigned_abs())
    }
}
