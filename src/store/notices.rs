//! Notices: what an operator is told in a campaign, and what became of the letters under its ticket.

use sqlx::Row;
use sqlx::any::AnyRow;

use super::findings::parse_mailbox;
use super::{Error, Store};
use crate::model::{Mailbox, Notice, Timestamp};

/// What one operator is told in a campaign, as its country's agency sees it.
#[derive(Clone, Debug)]
pub struct NoticeLine {
    pub id: i64,
    pub mailbox: Mailbox,
    pub ticket: String,
    pub letters: i64,
    /// Observations in all its letters.
    pub suspects: i64,
}

/// A part of what went, or was to go, out under a ticket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TicketPart {
    pub campaign: String,
    pub recipient: Mailbox,
    pub parts: i64,
    /// When it was first handed over for its recipient; `None` where it has not been.
    pub left_at: Option<Timestamp>,
}

impl Store {
    /// Writes notices down (their `id`s are not looked at) and returns the number that the ticket
    /// of each is made of.
    ///
    /// # Errors
    /// The database's.
    pub async fn add_notices(&self, campaign: i64, notices: &[Notice]) -> Result<Vec<i64>, Error> {
        let mut tx = self.begin().await?;
        let mut ids = Vec::with_capacity(notices.len());
        for notice in notices {
            let id = sqlx::query_scalar(
                "INSERT INTO notice (campaign_id, round, mailbox, country, locale, suspects, networks)
                 VALUES ($1, $2, $3, $4, $5, $6, $7)
                 RETURNING id",
            )
            .bind(campaign)
            .bind(notice.round)
            .bind(notice.mailbox.as_str())
            .bind(notice.country.as_str())
            .bind(notice.locale.as_str())
            .bind(notice.suspects)
            .bind(notice.networks)
            .fetch_one(&mut *tx)
            .await?;
            ids.push(id);
        }
        tx.commit().await?;
        Ok(ids)
    }

    /// A page of the notices to operators of a country that have letters, behind `after`.
    ///
    /// # Errors
    /// The database's.
    pub async fn notice_lines(
        &self,
        campaign: i64,
        country: &str,
        after: i64,
        limit: i64,
    ) -> Result<Vec<NoticeLine>, Error> {
        let rows = sqlx::query(
            "SELECT notice.id, notice.mailbox, MIN(ticket) AS ticket, COUNT(*) AS letters, notice.suspects
             FROM notice JOIN letter ON notice_id = notice.id
             WHERE notice.campaign_id = $1 AND notice.country = $2 AND round > 0 AND notice.id > $3
             GROUP BY notice.id, notice.mailbox, notice.suspects
             ORDER BY notice.id LIMIT +$4",
        )
        .bind(campaign)
        .bind(country)
        .bind(after)
        .bind(limit)
        .fetch_all(&self.read)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(NoticeLine {
                    id: row.try_get("id")?,
                    mailbox: parse_mailbox(&row.try_get::<String, _>("mailbox")?)?,
                    ticket: row.try_get("ticket")?,
                    letters: row.try_get("letters")?,
                    suspects: row.try_get("suspects")?,
                })
            })
            .collect()
    }

    /// What became of a ticket's parts, in their order; none where there is no such ticket. A letter
    /// that was redirected, or written into a folder, has not left for its recipient.
    ///
    /// # Errors
    /// The database's.
    pub async fn ticket(&self, ticket: &str) -> Result<Vec<TicketPart>, Error> {
        let rows = sqlx::query(
            "SELECT campaign.name, letter.recipient, parts,
                    (SELECT MIN(finished_at) FROM attempt
                     WHERE delivery_id = delivery.id AND outcome IN ('accepted', 'uncertain')
                       AND sent_to = letter.recipient) AS left_at
             FROM letter JOIN campaign ON campaign.id = letter.campaign_id
                         LEFT JOIN delivery ON letter_id = letter.id
             WHERE ticket = $1 ORDER BY part, letter.id",
        )
        .bind(ticket)
        .fetch_all(&self.read)
        .await?;
        let part = |row: &AnyRow| {
            let recipient: String = row.try_get("recipient")?;
            let left_at: Option<i64> = row.try_get("left_at")?;
            Ok(TicketPart {
                campaign: row.try_get("name")?,
                recipient: parse_mailbox(&recipient)?,
                parts: row.try_get("parts")?,
                left_at: left_at.map(Timestamp),
            })
        };
        rows.iter().map(part).collect()
    }
}
