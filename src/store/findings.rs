//! Findings: who answers for which network in a campaign, grouped by mailbox for compose.

use std::collections::HashMap;

use sqlx::{Any, AssertSqlSafe, Row, Transaction};

use super::{Error, Store};
use crate::model::{Finding, Format, Mailbox, Rung, Timestamp, Verdict, Via};

const ROWS: usize = 500;

impl Store {
    /// Writes findings down, or finds those of the same subject again; returns the id of each
    /// subject.
    ///
    /// # Errors
    /// [`Error::Refused`] when the campaign's resolving is not `worker`'s any more; the database's.
    pub async fn put_findings(
        &self,
        (campaign, worker): (i64, &str),
        findings: &[(String, Finding)],
    ) -> Result<HashMap<String, i64>, Error> {
        let mut ids = HashMap::new();
        let mut tx = self.begin().await?;
        self.resolves(&mut tx, campaign, worker).await?;
        for chunk in findings.chunks(ROWS) {
            let sql = format!(
                "INSERT INTO finding (campaign_id, subject, network_id, country, verdict, mailbox, via, locale,
                                      format, answers_for, reason, ask_at, form, passed)
                 VALUES {}
                 ON CONFLICT (campaign_id, subject) DO UPDATE
                 SET verdict = excluded.verdict, mailbox = excluded.mailbox, via = excluded.via,
                     locale = excluded.locale, format = excluded.format, answers_for = excluded.answers_for,
                     reason = excluded.reason, ask_at = excluded.ask_at,
                     form = excluded.form, passed = excluded.passed
                 RETURNING subject, id",
                self.engine.rows(&campaign.to_string(), 13, chunk.len())
            );
            let mut insert = sqlx::query_as::<_, (String, i64)>(AssertSqlSafe(sql));
            for (subject, finding) in chunk {
                let [mailbox, via, locale, format, answers_for] = match &finding.verdict {
                    Verdict::Matched {
                        mailbox,
                        via,
                        locale,
                        format,
                        answers_for,
                    } => [
                        mailbox.as_str(),
                        via.as_str(),
                        locale,
                        format.map_or("", Format::as_str),
                        answers_for,
                    ],
                    _ => [""; 5],
                };
                let ask_at = match finding.verdict {
                    Verdict::Deferred { until } => Some(until.0),
                    _ => None,
                };
                insert = insert
                    .bind(subject.as_str())
                    .bind(finding.network)
                    .bind(finding.country.as_str())
                    .bind(finding.verdict.as_str())
                    .bind(mailbox)
                    .bind(via)
                    .bind(locale)
                    .bind(format)
                    .bind(answers_for)
                    .bind(finding.reason.as_str())
                    .bind(ask_at)
                    .bind(finding.form.as_str())
                    .bind(words_of(&finding.passed));
            }
            let written: HashMap<String, i64> =
                insert.fetch_all(&mut *tx).await?.into_iter().collect();
            self.put_rungs(&mut tx, chunk, &written).await?;
            ids.extend(written);
        }
        tx.commit().await?;
        Ok(ids)
    }

    async fn put_rungs(
        &self,
        tx: &mut Transaction<'static, Any>,
        findings: &[(String, Finding)],
        ids: &HashMap<String, i64>,
    ) -> Result<(), Error> {
        let sql = format!(
            "DELETE FROM rung WHERE finding_id IN (VALUES {})",
            self.engine.rows("", 1, ids.len())
        );
        let mut delete = sqlx::query(AssertSqlSafe(sql));
        for id in ids.values() {
            delete = delete.bind(*id);
        }
        delete.execute(&mut **tx).await?;
        let rungs = findings.iter().filter_map(|(subject, finding)| {
            let id = ids.get(subject)?;
            let rungs = finding.rungs.iter().enumerate();
            Some(rungs.map(|(position, rung)| (*id, position as i64, rung)))
        });
        let rungs: Vec<_> = rungs.flatten().collect();
        for chunk in rungs.chunks(ROWS) {
            let sql = format!(
                "INSERT INTO rung (finding_id, position, via, mailbox, locale, format, answers_for, reason)
                 VALUES {}",
                self.engine.rows("", 8, chunk.len())
            );
            let mut insert = sqlx::query(AssertSqlSafe(sql));
            for (id, position, rung) in chunk {
                insert = insert
                    .bind(*id)
                    .bind(*position)
                    .bind(rung.via.as_str())
                    .bind(rung.mailbox.as_str())
                    .bind(rung.locale.as_str())
                    .bind(rung.format.map_or("", Format::as_str))
                    .bind(rung.answers_for.as_str())
                    .bind(rung.reason.as_str());
            }
            insert.execute(&mut **tx).await?;
        }
        Ok(())
    }

    /// Whom a finding may be written to, best first.
    ///
    /// # Errors
    /// The database's.
    pub async fn rungs(&self, finding: i64) -> Result<Vec<Rung>, Error> {
        let rows = sqlx::query(
            "SELECT via, mailbox, locale, format, answers_for, reason
             FROM rung WHERE finding_id = $1 ORDER BY position",
        )
        .bind(finding)
        .fetch_all(&self.read)
        .await?;
        rows.iter()
            .map(|row| {
                let (via, mailbox): (String, String) =
                    (row.try_get("via")?, row.try_get("mailbox")?);
                let format: String = row.try_get("format")?;
                Ok(Rung {
                    via: Via::from_text(&via).unwrap_or(Via::Own),
                    mailbox: parse_mailbox(&mailbox)?,
                    locale: row.try_get("locale")?,
                    format: Format::from_text(&format),
                    answers_for: row.try_get("answers_for")?,
                    reason: row.try_get("reason")?,
                })
            })
            .collect()
    }

    /// The countries of those who get a notice, with the languages that they asked for (or none), and
    /// one mailbox of each.
    ///
    /// # Errors
    /// The database's.
    pub async fn languages(&self, campaign: i64) -> Result<Vec<(String, String, Mailbox)>, Error> {
        let rows: Vec<(String, String, String)> = sqlx::query_as(
            "SELECT country, locale, MIN(mailbox) FROM finding
             WHERE campaign_id = $1 AND verdict = 'matched'
             GROUP BY country, locale ORDER BY country, locale",
        )
        .bind(campaign)
        .fetch_all(&self.read)
        .await?;
        let parsed = |(country, locale, mailbox): (String, String, String)| {
            Ok((country, locale, parse_mailbox(&mailbox)?))
        };
        rows.into_iter().map(parsed).collect()
    }

    /// A page of the mailboxes that get a notice, in their order, behind `after`.
    ///
    /// # Errors
    /// The database's.
    pub async fn mailboxes(
        &self,
        campaign: i64,
        after: &str,
        limit: i64,
    ) -> Result<Vec<Mailbox>, Error> {
        let rows: Vec<String> = sqlx::query_scalar(
            "SELECT DISTINCT mailbox FROM finding
             WHERE campaign_id = $1 AND verdict = 'matched' AND mailbox > $2
             ORDER BY mailbox LIMIT +$3",
        )
        .bind(campaign)
        .bind(after)
        .bind(limit)
        .fetch_all(&self.read)
        .await?;
        rows.into_iter().map(|text| parse_mailbox(&text)).collect()
    }

    /// What concerns one mailbox: its findings, each with the number of suspects, or addressees, under it.
    ///
    /// # Errors
    /// The database's.
    pub async fn findings_of(
        &self,
        campaign: i64,
        mailbox: &Mailbox,
    ) -> Result<Vec<(Finding, i64)>, Error> {
        let rows = sqlx::query(
            "SELECT finding.id, network_id, country, via, locale, format, answers_for, reason, passed,
                    (SELECT COUNT(*) FROM suspect WHERE finding_id = finding.id)
                    + (SELECT COUNT(*) FROM addressee WHERE finding_id = finding.id) AS suspects
             FROM finding
             WHERE campaign_id = $1 AND mailbox = $2 AND verdict = 'matched'
             ORDER BY finding.id",
        )
        .bind(campaign)
        .bind(mailbox.as_str())
        .fetch_all(&self.read)
        .await?;
        rows.iter()
            .map(|row| {
                let via: String = row.try_get("via")?;
                let format: String = row.try_get("format")?;
                let passed: String = row.try_get("passed")?;
                let finding = Finding {
                    id: row.try_get("id")?,
                    network: row.try_get("network_id")?,
                    country: row.try_get("country")?,
                    verdict: Verdict::Matched {
                        mailbox: mailbox.clone(),
                        via: Via::from_text(&via).unwrap_or(Via::Own),
                        locale: row.try_get("locale")?,
                        format: Format::from_text(&format),
                        answers_for: row.try_get("answers_for")?,
                    },
                    reason: row.try_get("reason")?,
                    rungs: Vec::new(),
                    form: String::new(),
                    passed: passed
                        .split_whitespace()
                        .map(parse_mailbox)
                        .collect::<Result<_, _>>()?,
                };
                Ok((finding, row.try_get("suspects")?))
            })
            .collect()
    }

    /// When the earliest deferred finding may be asked again.
    ///
    /// # Errors
    /// The database's.
    pub async fn next_question(&self, campaign: i64) -> Result<Option<Timestamp>, Error> {
        let at: Option<i64> = sqlx::query_scalar(
            "SELECT MIN(ask_at) FROM finding WHERE campaign_id = $1 AND verdict = 'deferred'",
        )
        .bind(campaign)
        .fetch_one(&self.read)
        .await?;
        Ok(at.map(Timestamp))
    }
}

fn words_of(mailboxes: &[Mailbox]) -> String {
    let words: Vec<&str> = mailboxes.iter().map(Mailbox::as_str).collect();
    words.join(" ")
}

/// # Errors
/// When it is none: somebody else wrote into the database.
pub(crate) fn parse_mailbox(text: &str) -> Result<Mailbox, Error> {
    text.parse()
        .map_err(|error: crate::model::MailboxError| Error::Database(error.to_string()))
}
