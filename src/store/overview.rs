//! How the whole stands, for those who watch it: answered from what is small or counted already.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::engine::Engine;
use super::statistics::tallies;
use super::together::Statement;
use super::{Error, RegistryLine, Store, Tally};
use crate::model::Timestamp;

/// Rows that workers count in: so many that they seldom meet, so few that they are soon added up.
const SLOTS: u64 = 16;

/// How many attempts ended how; fewer than none where one was thought to have ended otherwise.
pub(super) type Ended = BTreeMap<String, i64>;

/// All campaigns together.
#[derive(Clone, Debug, Default)]
pub struct Overview {
    /// Letters that have not come to their end, by state.
    pub queue: Vec<Tally>,
    /// Since when the letter that has waited longest could leave, of campaigns that are being sent.
    pub oldest_due: Option<Timestamp>,
    /// Since the database was made.
    pub attempts: Vec<Tally>,
    /// What came back, by class.
    pub incoming: Vec<Tally>,
    pub unread: i64,
    /// Readings that wait for staff.
    pub open_replies: i64,
    pub campaigns: Vec<Tally>,
    /// Runs of schedules, by state.
    pub runs: Vec<Tally>,
    /// When the last of them began.
    pub last_run: Option<Timestamp>,
    /// Workers that say they live.
    pub workers: i64,
    pub registries: Vec<RegistryLine>,
}

impl Store {
    /// # Errors
    /// The database's.
    pub async fn overview(&self, now: Timestamp) -> Result<Overview, Error> {
        let mut queue = Vec::new();
        for state in ["ready", "scheduled", "leased"] {
            // Campaign by campaign: asked for all at once, SQLite goes through all that has ended.
            let count = sqlx::query_scalar(
                "SELECT COALESCE(CAST(SUM((SELECT COUNT(*) FROM delivery
                                           WHERE campaign_id = campaign.id AND state = $1)) AS BIGINT), 0)
                 FROM campaign",
            );
            let count = count.bind(state).fetch_one(&self.read).await?;
            queue.push(Tally {
                name: state.to_owned(),
                count,
            });
        }
        let attempts = sqlx::query_as(
            "SELECT outcome, CAST(SUM(n) AS BIGINT) FROM attempt_count GROUP BY outcome ORDER BY outcome",
        )
        .fetch_all(&self.read)
        .await?;
        let incoming =
            sqlx::query_as("SELECT class, COUNT(*) FROM reading GROUP BY class ORDER BY class")
                .fetch_all(&self.read)
                .await?;
        let campaigns =
            sqlx::query_as("SELECT state, COUNT(*) FROM campaign GROUP BY state ORDER BY state")
                .fetch_all(&self.read)
                .await?;
        let runs = sqlx::query_as(
            "SELECT state, COUNT(*) FROM schedule_run GROUP BY state ORDER BY state",
        )
        .fetch_all(&self.read)
        .await?;
        let last_run: Option<i64> = sqlx::query_scalar("SELECT MAX(began_at) FROM schedule_run")
            .fetch_one(&self.read)
            .await?;
        let one = |count: &'static str| sqlx::query_scalar(count).fetch_one(&self.read);
        Ok(Overview {
            queue,
            oldest_due: self.oldest_due(now).await?,
            attempts: tallies(attempts),
            incoming: tallies(incoming),
            unread: one("SELECT COUNT(*) FROM incoming WHERE read_at IS NULL").await?,
            open_replies: one(
                "SELECT COUNT(*) FROM reading WHERE state NOT IN ('', 'fixed', 'closed')",
            )
            .await?,
            campaigns: tallies(campaigns),
            runs: tallies(runs),
            last_run: last_run.map(Timestamp),
            workers: one("SELECT COUNT(*) FROM worker").await?,
            registries: self.registries(now).await?,
        })
    }

    /// What the clock of the database's server says; a file has none.
    ///
    /// # Errors
    /// The database's.
    pub async fn time(&self) -> Result<Option<Timestamp>, Error> {
        let Some(time) = self.engine.time() else {
            return Ok(None);
        };
        let time = sqlx::query_scalar(time).fetch_one(&self.read).await?;
        Ok(Some(Timestamp(time)))
    }

    /// A campaign's letters are taken in the order of their numbers, those tried again among them. So the one
    /// that has waited longest is found at one of the two ends, without going through a million.
    async fn oldest_due(&self, now: Timestamp) -> Result<Option<Timestamp>, Error> {
        let ready: Option<i64> = sqlx::query_scalar(
            "SELECT MIN(due_at) FROM (
                 SELECT (SELECT MIN(due_at) FROM (
                             SELECT due_at FROM delivery WHERE campaign_id = campaign.id AND state = 'ready'
                             ORDER BY id LIMIT 100) AS first) AS due_at
                 FROM campaign WHERE state = 'approved'
                 UNION ALL
                 SELECT (SELECT MIN(due_at) FROM (
                             SELECT due_at FROM delivery WHERE campaign_id = campaign.id AND state = 'ready'
                             ORDER BY id DESC LIMIT 100) AS last)
                 FROM campaign WHERE state = 'approved') AS ends",
        )
        .fetch_one(&self.read)
        .await?;
        // Nobody may be there who makes them ready.
        let scheduled: Option<i64> = sqlx::query_scalar(
            "SELECT due_at FROM delivery JOIN campaign ON campaign.id = campaign_id
             WHERE delivery.state = 'scheduled' AND due_at <= $1 AND campaign.state = 'approved'
             ORDER BY due_at LIMIT 1",
        )
        .bind(now.0)
        .fetch_optional(&self.read)
        .await?;
        Ok(ready.into_iter().chain(scheduled).min().map(Timestamp))
    }
}

/// Adds what a worker has done to what was counted before; `None` where that is nothing. It stands last in its
/// transaction: whoever holds one of these rows waits for no other.
pub(super) fn count(engine: Engine, worker: &str, ended: &Ended) -> Option<Statement> {
    let ended: Vec<(&String, &i64)> = ended.iter().filter(|(_, n)| **n != 0).collect();
    if ended.is_empty() {
        return None;
    }
    let mut hasher = DefaultHasher::new();
    worker.hash(&mut hasher);
    let slot = (hasher.finish() % SLOTS) as i64;
    let sql = format!(
        "INSERT INTO attempt_count (slot, outcome, n) VALUES {}
         ON CONFLICT (outcome, slot) DO UPDATE SET n = attempt_count.n + excluded.n",
        engine.rows(&slot.to_string(), 2, ended.len())
    );
    let values = ended
        .into_iter()
        .flat_map(|(outcome, n)| [outcome.as_str().into(), (*n).into()]);
    let values = values.collect();
    Some(Statement { sql, values })
}
