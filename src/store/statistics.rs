//! Counts over everything, for status and report.

use serde::Serialize;
use sqlx::Row;

use super::{Error, ImportCounts, Store};
use crate::model::{FOREVER, Timestamp};

/// Where a campaign's rows and suspects have gone; every one of them is in exactly one place.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Totals {
    #[serde(flatten)]
    pub import: ImportCounts,
    /// Ranges over several networks, for which their pieces stand.
    pub cut: i64,
    pub pieces: i64,
    /// Suspects, pieces counted and cut ranges not, or addressees of an advisory, by verdict: `waiting`, `matched`,
    /// `unresolved`, `withheld`, `deferred`; and `form`, those whose network wants a web form filled in.
    pub suspects: Vec<Tally>,
    pub notices: i64,
    pub letters: i64,
    /// Rows listed in all letters together.
    pub letter_rows: i64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Tally {
    pub name: String,
    pub count: i64,
}

impl Totals {
    /// Suspects of a verdict.
    #[must_use]
    pub fn of(&self, verdict: &str) -> i64 {
        self.suspects
            .iter()
            .find(|tally| tally.name == verdict)
            .map_or(0, |tally| tally.count)
    }
}

/// One country's letters, by state.
#[derive(Clone, Debug, Serialize)]
pub struct CountryLine {
    pub country: String,
    pub suspects: i64,
    pub letters: i64,
    /// Letters by the state of their delivery; `composed` before they are in the queue.
    pub states: Vec<Tally>,
}

/// How the queue stands.
#[derive(Clone, Debug, Default, Serialize)]
pub struct QueueView {
    pub states: Vec<Tally>,
    /// Of those scheduled, the ones that we let wait, by what for.
    pub waits: Vec<Tally>,
    /// Of those accepted, what was heard of them since.
    pub fates: Vec<Tally>,
    /// Who answered, whatever became of the letter.
    pub answers: Vec<Tally>,
    /// Since when the oldest open delivery is in the queue.
    pub oldest_open: Option<Timestamp>,
    /// When the next one that is scheduled comes due; what is held without an end never does.
    pub next_retry: Option<Timestamp>,
    /// When the last lease of a worker ends that holds some.
    pub leased_until: Option<Timestamp>,
    /// Attempts cut off after the message was handed over.
    pub uncertain_attempts: i64,
    /// Letters accepted that did not go to their recipients: redirected, or put into a folder.
    pub accepted_elsewhere: i64,
}

/// A reason for which suspects are in no letter.
#[derive(Clone, Debug, Serialize)]
pub struct FindingLine {
    pub verdict: String,
    pub reason: String,
    pub suspects: i64,
}

/// Letters that came to an end, each kind counted up to a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndedView {
    pub accepted: i64,
    /// For good, by the other side.
    pub refused: i64,
    /// They could not be built, or killed their workers.
    pub unbuilt: i64,
    /// Nothing is left that could still end.
    pub is_whole: bool,
}

impl Store {
    /// # Errors
    /// The database's.
    pub async fn totals(&self, campaign: i64) -> Result<Totals, Error> {
        let (rows, fresh, repeated, refused) = sqlx::query_as(
            "SELECT COALESCE(CAST(SUM(row_count) AS BIGINT), 0), COALESCE(CAST(SUM(fresh) AS BIGINT), 0),
                    COALESCE(CAST(SUM(repeated) AS BIGINT), 0), COALESCE(CAST(SUM(refused) AS BIGINT), 0)
             FROM import WHERE campaign_id = $1",
        )
        .bind(campaign)
        .fetch_one(&self.read)
        .await?;
        let (cut, pieces) = sqlx::query_as(
            "SELECT COUNT(cut_at), COUNT(cut_from) FROM suspect WHERE campaign_id = $1",
        )
        .bind(campaign)
        .fetch_one(&self.read)
        .await?;
        let (letters, letter_rows) = sqlx::query_as(
            "SELECT COUNT(*), COALESCE(CAST(SUM(row_count) AS BIGINT), 0) FROM letter WHERE campaign_id = $1",
        )
        .bind(campaign)
        .fetch_one(&self.read)
        .await?;
        let notices = sqlx::query_scalar("SELECT COUNT(*) FROM notice WHERE campaign_id = $1")
            .bind(campaign)
            .fetch_one(&self.read)
            .await?;
        let mut suspects = sqlx::query_as(
            "SELECT CASE WHEN form <> '' THEN 'form' ELSE COALESCE(verdict, 'waiting') END AS place, COUNT(*)
             FROM suspect LEFT JOIN finding ON finding.id = finding_id
             WHERE suspect.campaign_id = $1 AND cut_at IS NULL
             GROUP BY CASE WHEN form <> '' THEN 'form' ELSE COALESCE(verdict, 'waiting') END ORDER BY 1",
        )
        .bind(campaign)
        .fetch_all(&self.read)
        .await?;
        // A campaign has the one or the other.
        if suspects.is_empty() {
            suspects = sqlx::query_as(
                "SELECT CASE WHEN form <> '' THEN 'form' ELSE COALESCE(verdict, 'waiting') END AS place, COUNT(*)
                 FROM addressee LEFT JOIN finding ON finding.id = finding_id
                 WHERE addressee.campaign_id = $1
                 GROUP BY CASE WHEN form <> '' THEN 'form' ELSE COALESCE(verdict, 'waiting') END ORDER BY 1",
            )
            .bind(campaign)
            .fetch_all(&self.read)
            .await?;
        }
        Ok(Totals {
            import: ImportCounts {
                rows,
                fresh,
                repeated,
                refused,
            },
            cut,
            pieces,
            suspects: tallies(suspects),
            notices,
            letters,
            letter_rows,
        })
    }

    /// # Errors
    /// The database's.
    pub async fn queue_view(&self, campaign: i64) -> Result<QueueView, Error> {
        let states = sqlx::query_as("SELECT state, COUNT(*) FROM delivery WHERE campaign_id = $1 GROUP BY state ORDER BY state")
            .bind(campaign)
            .fetch_all(&self.read)
            .await?;
        let waits = sqlx::query_as(
            "SELECT waits, COUNT(*) FROM delivery
             WHERE campaign_id = $1 AND state = 'scheduled' AND waits <> '' GROUP BY waits ORDER BY waits",
        )
        .bind(campaign)
        .fetch_all(&self.read)
        .await?;
        let fates = sqlx::query_as(
            "SELECT fate, COUNT(*) FROM delivery
             WHERE campaign_id = $1 AND state = 'accepted' AND fate <> '' GROUP BY fate ORDER BY fate",
        )
        .bind(campaign)
        .fetch_all(&self.read)
        .await?;
        let answers = sqlx::query_as(
            "SELECT answered, COUNT(*) FROM delivery
             WHERE campaign_id = $1 AND answered <> '' GROUP BY answered ORDER BY answered",
        )
        .bind(campaign)
        .fetch_all(&self.read)
        .await?;
        let row = sqlx::query(
            "SELECT MIN(queued_at) AS oldest,
                    MIN(CASE WHEN state = 'scheduled' AND due_at < $2 THEN due_at END) AS next_retry,
                    MAX(lease_until) AS leased_until
             FROM delivery WHERE campaign_id = $1 AND state IN ('ready', 'scheduled', 'leased')",
        )
        .bind(campaign)
        .bind(FOREVER.0)
        .fetch_one(&self.read)
        .await?;
        let moment =
            |column: &str| Ok::<_, Error>(row.try_get::<Option<i64>, _>(column)?.map(Timestamp));
        let uncertain_attempts = sqlx::query_scalar(
            "SELECT COUNT(*) FROM attempt JOIN delivery ON delivery.id = delivery_id
             WHERE campaign_id = $1 AND outcome = 'uncertain'",
        )
        .bind(campaign)
        .fetch_one(&self.read)
        .await?;
        let accepted_elsewhere = sqlx::query_scalar(
            "SELECT COUNT(*) FROM attempt JOIN delivery ON delivery.id = delivery_id
             WHERE campaign_id = $1 AND outcome = 'accepted' AND sent_to <> recipient",
        )
        .bind(campaign)
        .fetch_one(&self.read)
        .await?;
        Ok(QueueView {
            states: tallies(states),
            waits: tallies(waits),
            fates: tallies(fates),
            answers: tallies(answers),
            oldest_open: moment("oldest")?,
            next_retry: moment("next_retry")?,
            leased_until: moment("leased_until")?,
            uncertain_attempts,
            accepted_elsewhere,
        })
    }

    /// How letters of a campaign ended. Nobody counts further than to `most` of each: it is asked often.
    ///
    /// # Errors
    /// The database's.
    pub async fn ended_view(&self, campaign: i64, most: i64) -> Result<EndedView, Error> {
        let counted = |state: &str| {
            format!(
                "(SELECT COUNT(*) FROM (
                      SELECT 1 FROM delivery WHERE campaign_id = $1 AND state = '{state}' LIMIT +$2) AS {state})"
            )
        };
        let sql = format!(
            "SELECT {}, {}, {},
                    (SELECT id FROM delivery
                     WHERE campaign_id = $1 AND state IN ('ready', 'scheduled', 'leased') LIMIT 1)",
            counted("accepted"),
            counted("refused"),
            counted("failed"),
        );
        let (accepted, refused, unbuilt, open): (i64, i64, i64, Option<i64>) =
            sqlx::query_as(sqlx::AssertSqlSafe(sql))
                .bind(campaign)
                .bind(most)
                .fetch_one(&self.read)
                .await?;
        Ok(EndedView {
            accepted,
            refused,
            unbuilt,
            is_whole: open.is_none(),
        })
    }

    /// Letters by country and state, the country with most suspects first.
    ///
    /// # Errors
    /// The database's.
    pub async fn countries(&self, campaign: i64) -> Result<Vec<CountryLine>, Error> {
        let rows: Vec<(String, String, i64, i64)> = sqlx::query_as(
            "SELECT letter.country, COALESCE(state, 'composed'), COUNT(*), CAST(SUM(row_count) AS BIGINT)
             FROM letter LEFT JOIN delivery ON letter_id = letter.id
             WHERE letter.campaign_id = $1
             GROUP BY letter.country, COALESCE(state, 'composed')
             ORDER BY 1, 2",
        )
        .bind(campaign)
        .fetch_all(&self.read)
        .await?;
        let mut lines: Vec<CountryLine> = Vec::new();
        for (country, state, letters, suspects) in rows {
            if lines.last().is_none_or(|line| line.country != country) {
                lines.push(CountryLine {
                    country,
                    suspects: 0,
                    letters: 0,
                    states: Vec::new(),
                });
            }
            if let Some(line) = lines.last_mut() {
                line.letters += letters;
                line.suspects += suspects;
                line.states.push(Tally {
                    name: state,
                    count: letters,
                });
            }
        }
        lines.sort_by(|a, b| {
            b.suspects
                .cmp(&a.suspects)
                .then_with(|| a.country.cmp(&b.country))
        });
        Ok(lines)
    }

    /// Why suspects, or addressees of an advisory, are in no letter, the most frequent reason first.
    ///
    /// # Errors
    /// The database's.
    pub async fn open_findings(&self, campaign: i64) -> Result<Vec<FindingLine>, Error> {
        let mut rows: Vec<(String, String, i64)> = Vec::new();
        for sql in [
            "SELECT verdict, reason, COUNT(suspect.id)
             FROM finding JOIN suspect ON finding_id = finding.id
             WHERE finding.campaign_id = $1 AND verdict <> 'matched'
             GROUP BY verdict, reason ORDER BY 3 DESC, 2",
            "SELECT verdict, reason, COUNT(addressee.id)
             FROM finding JOIN addressee ON finding_id = finding.id
             WHERE finding.campaign_id = $1 AND verdict <> 'matched'
             GROUP BY verdict, reason ORDER BY 3 DESC, 2",
        ] {
            let more = sqlx::query_as(sql).bind(campaign);
            rows.extend(more.fetch_all(&self.read).await?);
        }
        Ok(rows
            .into_iter()
            .map(|(verdict, reason, suspects)| FindingLine {
                verdict,
                reason,
                suspects,
            })
            .collect())
    }

    /// How many suspects that letters speak of have no time, or neither source nor evidence.
    ///
    /// # Errors
    /// The database's.
    pub async fn count_unfounded(&self, campaign: i64) -> Result<u64, Error> {
        let count: i64 = sqlx::query_scalar(
            "SELECT COUNT(*) FROM suspect JOIN finding ON finding.id = finding_id
             WHERE suspect.campaign_id = $1 AND verdict = 'matched'
               AND (seen_at IS NULL OR (source = '' AND evidence = ''))",
        )
        .bind(campaign)
        .fetch_one(&self.read)
        .await?;
        Ok(count.unsigned_abs())
    }

    /// What the other sides said, verbatim, most frequent first, of letters that were not accepted
    /// at once.
    ///
    /// # Errors
    /// The database's.
    pub async fn replies(
        &self,
        campaign: i64,
        limit: i64,
    ) -> Result<Vec<(String, String, i64)>, Error> {
        Ok(sqlx::query_as(
            "SELECT outcome, reply, COUNT(*)
             FROM attempt JOIN delivery ON delivery.id = delivery_id
             WHERE campaign_id = $1 AND outcome IS NOT NULL AND outcome <> 'accepted'
             GROUP BY outcome, reply ORDER BY 3 DESC, 2 LIMIT +$2",
        )
        .bind(campaign)
        .bind(limit)
        .fetch_all(&self.read)
        .await?)
    }
}

pub(super) fn tallies(rows: Vec<(String, i64)>) -> Vec<Tally> {
    rows.into_iter()
        .map(|(name, count)| Tally { name, count })
        .collect()
}
