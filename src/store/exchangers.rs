//! The hosts that take a domain's mail, as it was told and when.

use std::collections::HashMap;

use sqlx::AssertSqlSafe;

use super::findings::parse_mailbox;
use super::{Error, Store};
use crate::model::Timestamp;

const ROWS: usize = 500;

/// What the MX of a domain said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredExchangers {
    /// None where the domain names none.
    pub hosts: Vec<String>,
    pub told_at: Timestamp,
}

impl Store {
    /// The domains of those whom so many of a campaign's findings, behind `after`, may be written to: all
    /// their rungs, each with its finding.
    ///
    /// # Errors
    /// The database's.
    pub async fn domains_of_findings(
        &self,
        campaign: i64,
        after: i64,
        limit: i64,
    ) -> Result<Vec<(i64, String)>, Error> {
        let rows: Vec<(i64, String)> = sqlx::query_as(
            "SELECT page.id, COALESCE(rung.mailbox, page.mailbox)
             FROM (SELECT id, mailbox FROM finding
                   WHERE campaign_id = $1 AND verdict = 'matched' AND id > $2
                   ORDER BY id LIMIT +$3) AS page
                  LEFT JOIN rung ON finding_id = page.id
             ORDER BY page.id",
        )
        .bind(campaign)
        .bind(after)
        .bind(limit)
        .fetch_all(&self.read)
        .await?;
        let domain = |(finding, mailbox): (i64, String)| {
            let mailbox = parse_mailbox(&mailbox)?;
            Ok((finding, mailbox.domain().to_owned()))
        };
        rows.into_iter().map(domain).collect()
    }

    /// What is known of those of the domains that were ever asked for.
    ///
    /// # Errors
    /// The database's.
    pub async fn exchangers(
        &self,
        domains: &[&str],
    ) -> Result<HashMap<String, StoredExchangers>, Error> {
        let mut known = HashMap::new();
        for chunk in domains.chunks(ROWS) {
            let sql = format!(
                "SELECT domain, hosts, told_at FROM exchanger WHERE domain IN (VALUES {})",
                self.engine.rows("", 1, chunk.len())
            );
            let mut query = sqlx::query_as(AssertSqlSafe(sql));
            for domain in chunk {
                query = query.bind(*domain);
            }
            let rows: Vec<(String, String, i64)> = query.fetch_all(&self.read).await?;
            known.extend(rows.into_iter().map(|(domain, hosts, told_at)| {
                let told = StoredExchangers {
                    hosts: hosts.split_whitespace().map(str::to_owned).collect(),
                    told_at: Timestamp(told_at),
                };
                (domain, told)
            }));
        }
        Ok(known)
    }

    /// Keeps what was told now. No domain may occur twice.
    ///
    /// # Errors
    /// The database's.
    pub async fn put_exchangers(
        &self,
        mut told: Vec<(String, Vec<String>)>,
        now: Timestamp,
    ) -> Result<(), Error> {
        // Two who write the same ones in another order would wait for each other for ever.
        told.sort_unstable();
        let mut tx = self.begin().await?;
        for chunk in told.chunks(ROWS) {
            let sql = format!(
                "INSERT INTO exchanger (told_at, domain, hosts) VALUES {}
                 ON CONFLICT (domain) DO UPDATE SET hosts = excluded.hosts, told_at = excluded.told_at",
                self.engine.rows(&now.0.to_string(), 2, chunk.len())
            );
            let mut insert = sqlx::query(AssertSqlSafe(sql));
            for (domain, hosts) in chunk {
                insert = insert.bind(domain.as_str()).bind(hosts.join(" "));
            }
            insert.execute(&mut *tx).await?;
        }
        tx.commit().await?;
        Ok(())
    }
}
