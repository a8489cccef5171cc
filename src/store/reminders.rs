//! What an earlier campaign told, as its reminder asks: who was written to, about which addresses.

use sqlx::{AssertSqlSafe, Row};

use super::findings::parse_mailbox;
use super::suspects::range;
use super::{Error, Store};
use crate::model::{Address, AddressRange, Mailbox, Timestamp};

const ROWS: usize = 1_000;

/// A letter of a notice was accepted, or cut off where it may have been. A notice of several letters
/// counts as told with one of them: which observations stood in which is nowhere written down. (Round
/// 0 is for copies to agencies.)
const WAS_TOLD: &str = "EXISTS (
        SELECT 1 FROM notice JOIN letter ON letter.notice_id = notice.id
                      JOIN delivery ON delivery.letter_id = letter.id
        WHERE notice.campaign_id = finding.campaign_id AND notice.mailbox = finding.mailbox
          AND round > 0 AND delivery.state IN ('accepted', 'uncertain'))";

/// The letter that first told a mailbox.
#[derive(Clone, Debug)]
pub struct FirstLetter {
    pub mailbox: Mailbox,
    pub ticket: String,
    pub dated_at: Timestamp,
}

impl Store {
    /// The letter that a campaign wrote to a mailbox, if one was accepted.
    ///
    /// # Errors
    /// The database's.
    pub async fn first_letter(
        &self,
        campaign: i64,
        mailbox: &str,
    ) -> Result<Option<FirstLetter>, Error> {
        let row = sqlx::query(
            "SELECT ticket, dated_at FROM notice
                    JOIN letter ON letter.notice_id = notice.id
                    JOIN delivery ON delivery.letter_id = letter.id
             WHERE notice.campaign_id = $1 AND notice.mailbox = $2 AND round > 0
               AND delivery.state IN ('accepted', 'uncertain')
             ORDER BY letter.part LIMIT 1",
        )
        .bind(campaign)
        .bind(mailbox)
        .fetch_optional(&self.read)
        .await?;
        row.map(|row| {
            Ok(FirstLetter {
                mailbox: parse_mailbox(mailbox)?,
                ticket: row.try_get("ticket")?,
                dated_at: Timestamp(row.try_get("dated_at")?),
            })
        })
        .transpose()
    }

    /// The mailbox that a campaign told about one of these ranges, the first in their order. Before each
    /// stands the address from which on suspects may begin that reach into it.
    ///
    /// # Errors
    /// The database's.
    pub async fn told_about(
        &self,
        campaign: i64,
        ranges: &[(Address, AddressRange)],
    ) -> Result<Option<Mailbox>, Error> {
        for chunk in ranges.chunks(ROWS) {
            let sql = format!(
                "SELECT mailbox FROM (VALUES {}) AS asked
                        JOIN suspect ON suspect.campaign_id = {campaign}
                             AND suspect.first >= asked.column2 AND suspect.first <= asked.column4
                             AND suspect.last >= asked.column3
                        JOIN finding ON finding.id = finding_id
                 WHERE verdict = 'matched' AND {WAS_TOLD}
                 ORDER BY asked.column1, mailbox LIMIT 1",
                self.engine.rows("", 4, chunk.len())
            );
            let mut query = sqlx::query_scalar::<_, String>(AssertSqlSafe(sql));
            for (place, (begin, range)) in (0_i64..).zip(chunk) {
                let (first, last) = range.to_bytes();
                let begin = begin.0.to_be_bytes();
                query = query
                    .bind(place)
                    .bind(begin.to_vec())
                    .bind(first.to_vec())
                    .bind(last.to_vec());
            }
            if let Some(mailbox) = query.fetch_optional(&self.read).await? {
                return parse_mailbox(&mailbox).map(Some);
            }
        }
        Ok(None)
    }

    /// Of each range, whether a suspect of the campaign begins in it; with `told`, one that an
    /// accepted letter spoke of. Those that begin before it are among the
    /// [wide ones](Self::wide_ranges).
    ///
    /// # Errors
    /// The database's.
    pub async fn met(
        &self,
        campaign: i64,
        ranges: &[AddressRange],
        told: bool,
    ) -> Result<Vec<bool>, Error> {
        let which = format!(
            "WHERE EXISTS (SELECT 1 FROM suspect
                           WHERE suspect.campaign_id = {campaign} AND {}
                             AND suspect.first >= asked.column2 AND suspect.first <= asked.column3)",
            told_as(told)
        );
        let met = self.ask_of_each("asked.column1", &which, ranges).await?;
        Ok(met.iter().map(Option::is_some).collect())
    }

    /// Of each range, at how many of its addresses a suspect begins that an accepted letter spoke of.
    ///
    /// # Errors
    /// The database's.
    pub async fn count_told(
        &self,
        campaign: i64,
        ranges: &[AddressRange],
    ) -> Result<Vec<u64>, Error> {
        let which = format!(
            "JOIN suspect ON suspect.campaign_id = {campaign}
                  AND suspect.first >= asked.column2 AND suspect.first <= asked.column3
             WHERE {} GROUP BY asked.column1",
            told_as(true)
        );
        let what = "COUNT(DISTINCT suspect.first)";
        let counts = self.ask_of_each(what, &which, ranges).await?;
        let counts = counts.iter().map(|count| count.unwrap_or(0).unsigned_abs());
        Ok(counts.collect())
    }

    /// Of each range, since when the campaign's accepted letters told of this very range that it is
    /// seen. What lies around or in it is not asked for: that is one look into the index for each.
    ///
    /// # Errors
    /// The database's.
    pub async fn told_since(
        &self,
        campaign: i64,
        ranges: &[AddressRange],
    ) -> Result<Vec<Option<Timestamp>>, Error> {
        let which = format!(
            "JOIN suspect ON suspect.campaign_id = {campaign}
                  AND suspect.first = asked.column2 AND suspect.last = asked.column3
             WHERE {} GROUP BY asked.column1",
            told_as(true)
        );
        let what = "MIN(COALESCE(seen_from, seen_at))";
        let since = self.ask_of_each(what, &which, ranges).await?;
        Ok(since.into_iter().map(|at| at.map(Timestamp)).collect())
    }

    /// One number for each range for which the query has one: the ranges are its `asked`, each with
    /// its place, its first and its last address.
    async fn ask_of_each(
        &self,
        what: &str,
        which: &str,
        ranges: &[AddressRange],
    ) -> Result<Vec<Option<i64>>, Error> {
        let mut answers = vec![None; ranges.len()];
        for (chunk, answers) in ranges.chunks(ROWS).zip(answers.chunks_mut(ROWS)) {
            let sql = format!(
                "SELECT asked.column1, {what} FROM (VALUES {}) AS asked {which}",
                self.engine.rows("", 3, chunk.len())
            );
            let mut query = sqlx::query_as::<_, (i64, Option<i64>)>(AssertSqlSafe(sql));
            for (place, range) in (0_i64..).zip(chunk) {
                let (first, last) = range.to_bytes();
                query = query.bind(place).bind(first.to_vec()).bind(last.to_vec());
            }
            for (place, answer) in query.fetch_all(&self.read).await? {
                if let Some(one) = answers.get_mut(place as usize) {
                    *one = answer;
                }
            }
        }
        Ok(answers)
    }

    /// A page of a campaign's suspects that are more than one address, behind the id `after`: the
    /// last id, and the ranges. With `told`, those that an accepted letter spoke of.
    ///
    /// # Errors
    /// The database's.
    pub async fn wide_ranges(
        &self,
        campaign: i64,
        told: bool,
        after: i64,
        limit: i64,
    ) -> Result<Vec<(i64, AddressRange)>, Error> {
        let sql = format!(
            "SELECT suspect.id, first, last FROM suspect
             WHERE suspect.campaign_id = $1 AND suspect.id > $2 AND first <> last AND {}
             ORDER BY suspect.id LIMIT +$3",
            told_as(told)
        );
        let rows: Vec<(i64, Vec<u8>, Vec<u8>)> = sqlx::query_as(AssertSqlSafe(sql))
            .bind(campaign)
            .bind(after)
            .bind(limit)
            .fetch_all(&self.read)
            .await?;
        rows.into_iter()
            .map(|(id, first, last)| Ok((id, range(&first, &last)?)))
            .collect()
    }

    /// A page of the ranges that concerned a mailbox in a campaign, each once, behind `after`.
    ///
    /// # Errors
    /// The database's.
    pub async fn ranges_of(
        &self,
        campaign: i64,
        mailbox: &str,
        after: Option<AddressRange>,
        limit: i64,
    ) -> Result<Vec<AddressRange>, Error> {
        let (first, last) = after.map_or((vec![], vec![]), |after| {
            let (first, last) = after.to_bytes();
            (first.to_vec(), last.to_vec())
        });
        let rows: Vec<(Vec<u8>, Vec<u8>)> = sqlx::query_as(
            "SELECT DISTINCT first, last FROM suspect
             WHERE finding_id IN (SELECT id FROM finding
                                  WHERE campaign_id = $1 AND mailbox = $2 AND verdict = 'matched')
               AND (first, last) > ($3, $4)
             ORDER BY first, last LIMIT +$5",
        )
        .bind(campaign)
        .bind(mailbox)
        .bind(first)
        .bind(last)
        .bind(limit)
        .fetch_all(&self.read)
        .await?;
        rows.iter()
            .map(|(first, last)| range(first, last))
            .collect()
    }
}

fn told_as(told: bool) -> String {
    if !told {
        return "1 = 1".to_owned();
    }
    format!(
        "EXISTS (SELECT 1 FROM finding
                 WHERE finding.id = suspect.finding_id AND verdict = 'matched' AND {WAS_TOLD})"
    )
}
