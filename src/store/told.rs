//! Whom earlier campaigns told of what, as those that follow ask: who need not hear it again, who has
//! answered, what is still seen.

use serde_json::json;

use super::audit::Entry;
use super::campaigns::{name_of, unknown_word};
use super::suspects::range;
use super::{Error, Store, imports};
use crate::model::{AddressRange, DecisionKind, Mailbox, Occasion, Run, Timestamp};

/// A letter counts as told from when it is in the queue until it comes back.
const COUNTS: &str = "delivery.state IN ('ready', 'scheduled', 'leased', 'accepted', 'uncertain')
               AND delivery.fate NOT IN ('bounced-soft', 'bounced-hard')";

impl Store {
    /// When another campaign last told a mailbox anything since then, and under which ticket.
    ///
    /// # Errors
    /// The database's.
    pub async fn told_lately(
        &self,
        campaign: i64,
        mailbox: &Mailbox,
        since: Timestamp,
    ) -> Result<Option<(Timestamp, String)>, Error> {
        let sql = format!(
            "SELECT COALESCE(ended_at, queued_at) AS told_at, ticket
             FROM notice JOIN letter ON letter.notice_id = notice.id
                         JOIN delivery ON delivery.letter_id = letter.id
             WHERE notice.mailbox = $1 AND notice.campaign_id <> $2 AND round > 0
               AND COALESCE(ended_at, queued_at) >= $3 AND {COUNTS}
             ORDER BY 1 DESC, 2 LIMIT 1"
        );
        let row: Option<(i64, String)> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(mailbox.as_str())
            .bind(campaign)
            .bind(since.0)
            .fetch_optional(&self.read)
            .await?;
        Ok(row.map(|(at, ticket)| (Timestamp(at), ticket)))
    }

    /// A page of what other campaigns told a mailbox since then, each address or range once, in their
    /// order, behind `after`.
    ///
    /// # Errors
    /// The database's.
    pub async fn ranges_told(
        &self,
        campaign: i64,
        mailbox: &Mailbox,
        since: Timestamp,
        after: Option<AddressRange>,
        limit: i64,
    ) -> Result<Vec<AddressRange>, Error> {
        let (first, last) = after.map_or((vec![], vec![]), |after| {
            let (first, last) = after.to_bytes();
            (first.to_vec(), last.to_vec())
        });
        let sql = format!(
            "SELECT DISTINCT first, last FROM suspect
             WHERE finding_id IN (
                 SELECT id FROM finding
                 WHERE mailbox = $1 AND verdict = 'matched' AND campaign_id IN (
                     SELECT notice.campaign_id FROM notice JOIN letter ON letter.notice_id = notice.id
                                                           JOIN delivery ON delivery.letter_id = letter.id
                     WHERE notice.mailbox = $1 AND notice.campaign_id <> $2 AND round > 0
                       AND COALESCE(ended_at, queued_at) >= $3 AND {COUNTS}))
               AND (first, last) > ($4, $5)
             ORDER BY first, last LIMIT +$6"
        );
        let rows: Vec<(Vec<u8>, Vec<u8>)> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(mailbox.as_str())
            .bind(campaign)
            .bind(since.0)
            .bind(first)
            .bind(last)
            .bind(limit)
            .fetch_all(&self.read)
            .await?;
        rows.iter()
            .map(|(first, last)| range(first, last))
            .collect()
    }

    /// Leaves a mailbox out of a campaign, with the reason; resolving anew takes it back.
    ///
    /// # Errors
    /// The database's.
    pub async fn withhold(
        &self,
        campaign: i64,
        mailbox: &Mailbox,
        reason: &str,
    ) -> Result<(), Error> {
        sqlx::query(
            "UPDATE finding SET verdict = 'withheld', reason = $3, mailbox = '', via = '', locale = '', format = '',
                                answers_for = ''
             WHERE campaign_id = $1 AND mailbox = $2 AND verdict = 'matched'",
        )
        .bind(campaign)
        .bind(mailbox.as_str())
        .bind(reason)
        .execute(&self.write)
        .await?;
        Ok(())
    }

    /// The campaigns of a schedule's feed that were approved since then, and when.
    ///
    /// # Errors
    /// The database's.
    pub async fn approved_runs(
        &self,
        schedule: i64,
        since: Timestamp,
    ) -> Result<Vec<(i64, Timestamp)>, Error> {
        let rows: Vec<(i64, i64)> = sqlx::query_as(
            "SELECT campaign.id, MAX(decided_at) FROM schedule_run JOIN campaign ON campaign.id = schedule_run.campaign_id
                    JOIN decision ON decision.campaign_id = campaign.id
             WHERE schedule_id = $1 AND occasion = '' AND decision.kind = $3
               AND campaign.kind = 'notice' AND campaign.state IN ('approved', 'settled')
             GROUP BY campaign.id HAVING MAX(decided_at) >= $2 ORDER BY campaign.id",
        )
        .bind(schedule)
        .bind(since.0)
        .bind(DecisionKind::Approved.as_str())
        .fetch_all(&self.read)
        .await?;
        let moment = |(id, at)| (id, Timestamp(at));
        Ok(rows.into_iter().map(moment).collect())
    }

    /// The occasions for which a schedule has been run, those of the feed left out.
    ///
    /// # Errors
    /// The database's.
    pub async fn occasions(&self, schedule: i64) -> Result<Vec<Occasion>, Error> {
        let rows: Vec<String> = sqlx::query_scalar(
            "SELECT occasion FROM schedule_run WHERE schedule_id = $1 AND occasion <> ''",
        )
        .bind(schedule)
        .fetch_all(&self.read)
        .await?;
        rows.iter()
            .map(|text| Occasion::from_text(text).ok_or_else(|| unknown_word("occasion", text)))
            .collect()
    }

    /// Fills a run's reminder with what later runs of its schedule have seen again of what the letters of
    /// `first` told; those who have answered since are left out. Once done, it stays as it is. Gives back
    /// how many observations those are.
    ///
    /// # Errors
    /// The database's.
    pub async fn gather_again(
        &self,
        one: &Run,
        first: i64,
        by: &str,
        now: Timestamp,
    ) -> Result<i64, Error> {
        let Some(reminder) = one.campaign else {
            return Ok(0);
        };
        let mut tx = self.act(by, now).await?;
        let known: Option<i64> = sqlx::query_scalar(
            "SELECT fresh FROM import WHERE campaign_id = $1 ORDER BY id LIMIT 1",
        )
        .bind(reminder)
        .fetch_optional(&mut *tx)
        .await?;
        if let Some(known) = known {
            tx.nothing_decided().await?;
            return Ok(known);
        }
        let feed = "seen again";
        let import = imports::begin_copy(&mut tx, reminder, feed, (by, now)).await?;
        let gathered = sqlx::query(
            "INSERT INTO suspect (campaign_id, import_id, line, first, last, fingerprint, seen_at, seen_from,
                                  class, source, evidence, port, terminal)
             SELECT $1, $2, later.line, later.first, later.last, later.fingerprint, later.seen_at, later.seen_from,
                    later.class, later.source, later.evidence, later.port, later.terminal
             FROM suspect AS later JOIN import ON import.id = later.import_id
             WHERE later.campaign_id IN (SELECT campaign_id FROM schedule_run
                                         WHERE schedule_id = $3 AND occasion = '' AND campaign_id > $4)
               AND later.cut_at IS NULL
               AND COALESCE(later.seen_at, import.began_at) > (SELECT MAX(decided_at) FROM decision
                                                               WHERE campaign_id = $4 AND kind = 'approved')
               AND EXISTS (
                   SELECT 1 FROM suspect AS told JOIN finding ON finding.id = told.finding_id
                   WHERE told.campaign_id = $4 AND told.first = later.first AND told.last = later.last
                     AND finding.verdict = 'matched'
                     AND EXISTS (SELECT 1 FROM notice JOIN letter ON letter.notice_id = notice.id
                                               JOIN delivery ON delivery.letter_id = letter.id
                                 WHERE notice.campaign_id = $4 AND notice.mailbox = finding.mailbox AND round > 0
                                   AND delivery.state IN ('accepted', 'uncertain'))
                     AND NOT EXISTS (SELECT 1 FROM notice JOIN letter ON letter.notice_id = notice.id
                                                   JOIN delivery ON delivery.letter_id = letter.id
                                                   JOIN campaign ON campaign.id = notice.campaign_id
                                     WHERE notice.mailbox = finding.mailbox
                                       AND (campaign.id = $4 OR campaign.after_id = $4)
                                       AND delivery.answered IN ('replied', 'complained')))
             ON CONFLICT (campaign_id, first, fingerprint) DO NOTHING",
        )
        .bind(reminder)
        .bind(import)
        .bind(one.schedule)
        .bind(first)
        .execute(&mut *tx)
        .await?;
        let gathered = gathered.rows_affected() as i64;
        imports::end_copy(&mut tx, import, gathered).await?;
        let name = name_of(&mut tx, reminder).await?;
        let entry = Entry::new("import", name).after(json!({ "import": import, "feed": feed }));
        tx.written(entry).await?;
        Ok(gathered)
    }
}
