//! Letters, frozen as rendered.

use std::collections::HashMap;

use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row};

use super::findings::parse_mailbox;
use super::{Connection, Error, Store};
use crate::model::{Attachment, Letter, Timestamp, Wait};

/// How a letter stands, in one word.
const SHOWN: &str =
    "CASE WHEN state = 'accepted' AND fate <> '' THEN fate ELSE COALESCE(state, 'composed') END";

/// Which letters to list; empty fields match all.
#[derive(Clone, Debug, Default)]
pub struct LetterFilter {
    pub campaign: i64,
    /// A delivery's state; `uncertain` also finds letters that were sent again and accepted since, `held`
    /// those that a hold keeps, and those of a campaign that came out of a backup and was not released.
    pub state: Option<String>,
    pub country: Option<String>,
    /// Part of the recipient's address.
    pub recipient: Option<String>,
}

/// A letter in a list, with how its delivery stands.
#[derive(Clone, Debug, serde::Serialize)]
pub struct LetterLine {
    #[serde(skip)]
    pub id: i64,
    pub ticket: String,
    pub part: i64,
    pub parts: i64,
    pub recipient: String,
    pub country: String,
    pub locale: String,
    pub rows: i64,
    pub subject: String,
    /// `composed` before it is in the queue; once it was accepted, what came back about it.
    pub state: String,
    /// Who answered it, or empty.
    pub answered: String,
    pub attempts: i64,
    pub due_at: Option<Timestamp>,
    /// Why we let it wait until then.
    pub waits: Option<Wait>,
    /// Attempts cut off after the message was handed over: it may have arrived that often more.
    pub uncertain: i64,
}

impl Store {
    /// Clears the way for a new composition: what was rendered and never approved goes.
    ///
    /// # Errors
    /// The database's.
    pub async fn begin_composition(&self, campaign: i64) -> Result<(), Error> {
        let mut tx = self.begin().await?;
        for sql in [
            "DELETE FROM attachment WHERE letter_id IN (SELECT id FROM letter WHERE campaign_id = $1)",
            "DELETE FROM letter WHERE campaign_id = $1",
            "DELETE FROM notice WHERE campaign_id = $1",
            "UPDATE campaign SET composed_at = NULL WHERE id = $1",
        ] {
            sqlx::query(sql).bind(campaign).execute(&mut *tx).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Freezes letters, each of the notice beside it, with their attachments.
    ///
    /// # Errors
    /// The database's; then none is frozen.
    pub async fn add_letters(&self, campaign: i64, letters: &[(i64, Letter)]) -> Result<(), Error> {
        let mut tx = self.begin().await?;
        for (notice, letter) in letters {
            add_letter(&mut tx, campaign, *notice, letter).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Notes that every letter of the campaign is rendered, and under which roll of signatories
    /// ([`roll_digest`](crate::model::roll_digest)).
    ///
    /// # Errors
    /// The database's.
    pub async fn mark_composed(
        &self,
        campaign: i64,
        roll_digest: &str,
        now: Timestamp,
    ) -> Result<(), Error> {
        let mut tx = self.begin().await?;
        sqlx::query("UPDATE campaign SET composed_at = $2, roll_digest = $3 WHERE id = $1")
            .bind(campaign)
            .bind(now.0)
            .bind(roll_digest)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }

    /// A page of a campaign's letters, whole, behind `after`.
    ///
    /// # Errors
    /// The database's.
    pub async fn letters(
        &self,
        campaign: i64,
        after: i64,
        limit: i64,
    ) -> Result<Vec<Letter>, Error> {
        let rows = sqlx::query(
            "SELECT * FROM letter WHERE campaign_id = $1 AND id > $2 ORDER BY id LIMIT +$3",
        )
        .bind(campaign)
        .bind(after)
        .bind(limit)
        .fetch_all(&self.read)
        .await?;
        self.whole(&rows).await
    }

    /// One letter with the digest that was kept beside it.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn letter(&self, id: i64) -> Result<(Letter, String), Error> {
        let found = self.letters_with_digests(&[id]).await?.pop();
        found.ok_or_else(|| Error::not_found("letter", id.to_string()))
    }

    /// Those of the letters that there are, each with the digest that was kept beside it, in the
    /// order of their ids.
    ///
    /// # Errors
    /// The database's.
    pub async fn letters_with_digests(&self, ids: &[i64]) -> Result<Vec<(Letter, String)>, Error> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let places = self.engine.rows("", 1, ids.len());
        let sql = format!("SELECT * FROM letter WHERE id IN (VALUES {places}) ORDER BY id");
        let query = ids
            .iter()
            .fold(sqlx::query(AssertSqlSafe(sql)), |query, id| query.bind(*id));
        let rows = query.fetch_all(&self.read).await?;
        let digests: Vec<String> = rows
            .iter()
            .map(|row| row.try_get("digest"))
            .collect::<Result<_, _>>()?;
        Ok(self.whole(&rows).await?.into_iter().zip(digests).collect())
    }

    /// The letters that the rows begin, with their attachments.
    async fn whole(&self, rows: &[AnyRow]) -> Result<Vec<Letter>, Error> {
        let mut letters = rows.iter().map(letter).collect::<Result<Vec<_>, _>>()?;
        if letters.is_empty() {
            return Ok(letters);
        }
        let sql = format!(
            "SELECT letter_id, name, media_type, content FROM attachment
             WHERE letter_id IN (VALUES {}) ORDER BY letter_id, position",
            self.engine.rows("", 1, letters.len())
        );
        let query = letters
            .iter()
            .fold(sqlx::query_as(AssertSqlSafe(sql)), |query, letter| {
                query.bind(letter.id)
            });
        let attachments: Vec<(i64, String, String, Vec<u8>)> = query.fetch_all(&self.read).await?;
        let mut by_letter: HashMap<i64, Vec<Attachment>> = HashMap::new();
        for (letter, name, media_type, content) in attachments {
            by_letter.entry(letter).or_default().push(Attachment {
                name,
                media_type,
                content,
            });
        }
        for letter in &mut letters {
            letter.attachments = by_letter.remove(&letter.id).unwrap_or_default();
        }
        Ok(letters)
    }

    /// The letters under a ticket, in the order of their parts.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is none.
    pub async fn letters_by_ticket(&self, ticket: &str) -> Result<Vec<Letter>, Error> {
        let rows = sqlx::query("SELECT * FROM letter WHERE ticket = $1 ORDER BY part, id")
            .bind(ticket)
            .fetch_all(&self.read)
            .await?;
        if rows.is_empty() {
            return Err(Error::not_found("letter", ticket));
        }
        self.whole(&rows).await
    }

    /// The digests that were kept beside a campaign's letters, in the order of their ids: what
    /// the digest of the set is made of.
    ///
    /// # Errors
    /// The database's.
    pub async fn letter_digests(&self, campaign: i64) -> Result<Vec<String>, Error> {
        // A row each would be handed from thread to thread a million times before the first letter leaves.
        let pages: Vec<String> = sqlx::query_scalar(
            "SELECT STRING_AGG(digest, ' ' ORDER BY id) FROM letter WHERE campaign_id = $1
             GROUP BY id / 1000 ORDER BY id / 1000",
        )
        .bind(campaign)
        .fetch_all(&self.read)
        .await?;
        let digests = pages.iter().flat_map(|page| page.split(' '));
        Ok(digests.map(str::to_owned).collect())
    }

    /// The keys that a campaign's letters must be signed by; an empty one stands for letters that
    /// are not signed.
    ///
    /// # Errors
    /// The database's.
    pub async fn letter_signers(&self, campaign: i64) -> Result<Vec<String>, Error> {
        Ok(sqlx::query_scalar(
            "SELECT DISTINCT signed_by FROM letter WHERE campaign_id = $1 ORDER BY signed_by",
        )
        .bind(campaign)
        .fetch_all(&self.read)
        .await?)
    }

    /// A page of letters with the state of their deliveries, behind `after`.
    ///
    /// # Errors
    /// The database's.
    pub async fn letter_lines(
        &self,
        filter: &LetterFilter,
        after: i64,
        limit: i64,
    ) -> Result<Vec<LetterLine>, Error> {
        let sql = format!(
            "SELECT letter.id, ticket, part, parts, letter.recipient, letter.country, locale, row_count, subject,
                    {SHOWN} AS state, COALESCE(answered, '') AS answered, COALESCE(attempts, 0) AS attempts, due_at,
                    COALESCE(waits, '') AS waits,
                    (SELECT COUNT(*) FROM attempt
                     WHERE delivery_id = delivery.id AND outcome = 'uncertain') AS uncertain
             FROM letter LEFT JOIN delivery ON letter_id = letter.id
             WHERE letter.campaign_id = $1 AND letter.id > $2
               AND ($3 = '' OR {SHOWN} = $3 OR state = $3 OR answered = $3
                    OR ($3 = 'held' AND (state = 'scheduled' AND waits = 'hold' OR state IN ('ready', 'scheduled') AND EXISTS
                        (SELECT 1 FROM campaign WHERE id = $1 AND restored_at IS NOT NULL)))
                    OR ($3 = 'uncertain' AND EXISTS (SELECT 1 FROM attempt
                        WHERE delivery_id = delivery.id AND outcome = 'uncertain')))
               AND ($4 = '' OR letter.country = $4)
               AND ($5 = '' OR letter.recipient LIKE '%' || $5 || '%')
             ORDER BY letter.id LIMIT +$6",
        );
        let rows = sqlx::query(AssertSqlSafe(sql))
            .bind(filter.campaign)
            .bind(after)
            .bind(filter.state.clone().unwrap_or_default())
            .bind(filter.country.clone().unwrap_or_default())
            .bind(
                filter
                    .recipient
                    .clone()
                    .unwrap_or_default()
                    .to_ascii_lowercase(),
            )
            .bind(limit)
            .fetch_all(&self.read)
            .await?;
        rows.iter()
            .map(|row| {
                let state: String = row.try_get("state")?;
                let due_at: Option<i64> = row.try_get("due_at")?;
                let waits: String = row.try_get("waits")?;
                Ok(LetterLine {
                    id: row.try_get("id")?,
                    ticket: row.try_get("ticket")?,
                    part: row.try_get("part")?,
                    parts: row.try_get("parts")?,
                    recipient: row.try_get("recipient")?,
                    country: row.try_get("country")?,
                    locale: row.try_get("locale")?,
                    rows: row.try_get("row_count")?,
                    subject: row.try_get("subject")?,
                    due_at: due_at.filter(|_| state == "scheduled").map(Timestamp),
                    waits: Wait::from_text(&waits).filter(|_| state == "scheduled"),
                    state,
                    answered: row.try_get("answered")?,
                    attempts: row.try_get("attempts")?,
                    uncertain: row.try_get("uncertain")?,
                })
            })
            .collect()
    }
}

async fn add_letter(
    tx: &mut Connection,
    campaign: i64,
    notice: i64,
    letter: &Letter,
) -> Result<(), Error> {
    let id: i64 = sqlx::query_scalar(
        "INSERT INTO letter (campaign_id, notice_id, part, parts, ticket, locale, country, sender_name, sender,
                             reply_to, recipient, envelope_from, message_id, dated_at, subject, body_text,
                             body_html, row_count, digest, opt_out, signed_by)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)
         RETURNING id",
    )
    .bind(campaign)
    .bind(notice)
    .bind(letter.part)
    .bind(letter.parts)
    .bind(letter.ticket.as_str())
    .bind(letter.locale.as_str())
    .bind(letter.country.as_str())
    .bind(letter.sender_name.as_str())
    .bind(letter.sender.as_str())
    .bind(letter.reply_to.as_str())
    .bind(letter.recipient.as_str())
    .bind(letter.envelope_from.as_str())
    .bind(letter.message_id.as_str())
    .bind(letter.dated_at.0)
    .bind(letter.subject.as_str())
    .bind(letter.text.as_str())
    .bind(letter.html.as_str())
    .bind(letter.rows)
    .bind(letter.digest())
    .bind(letter.opt_out.as_str())
    .bind(letter.signed_by.as_str())
    .fetch_one(&mut *tx)
    .await?;
    for (position, attachment) in letter.attachments.iter().enumerate() {
        sqlx::query(
            "INSERT INTO attachment (letter_id, position, name, media_type, content)
             VALUES ($1, $2, $3, $4, $5)",
        )
        .bind(id)
        .bind(position as i64)
        .bind(attachment.name.as_str())
        .bind(attachment.media_type.as_str())
        .bind(attachment.content.clone())
        .execute(&mut *tx)
        .await?;
    }
    Ok(())
}

/// Without its attachments.
fn letter(row: &AnyRow) -> Result<Letter, Error> {
    let mailbox = |column: &str| parse_mailbox(&row.try_get::<String, _>(column)?);
    Ok(Letter {
        id: row.try_get("id")?,
        ticket: row.try_get("ticket")?,
        part: row.try_get("part")?,
        parts: row.try_get("parts")?,
        locale: row.try_get("locale")?,
        country: row.try_get("country")?,
        sender_name: row.try_get("sender_name")?,
        sender: mailbox("sender")?,
        reply_to: mailbox("reply_to")?,
        recipient: mailbox("recipient")?,
        envelope_from: mailbox("envelope_from")?,
        message_id: row.try_get("message_id")?,
        dated_at: Timestamp(row.try_get("dated_at")?),
        subject: row.try_get("subject")?,
        text: row.try_get("body_text")?,
        html: row.try_get("body_html")?,
        rows: row.try_get("row_count")?,
        opt_out: row.try_get("opt_out")?,
        signed_by: row.try_get("signed_by")?,
        attachments: Vec::new(),
    })
}
