//! What was made of the messages that came back, and what that makes of the letters they are about.

use serde_json::json;

use super::audit::Entry;
use super::campaigns::unknown_word;
use super::findings::parse_mailbox;
use super::{Connection, Error, Store, suppressions};
use crate::model::{
    Action, Answered, AutoReply, Class, Fate, FoundBy, LetterNumber, Mailbox, Reading, ReplyState,
    Suppression, Timestamp,
};

/// A letter that something may be said about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addressed {
    pub letter: i64,
    pub message_id: String,
    pub locale: String,
    /// Everybody that it was sent to: others than its recipient only where letters were redirected.
    pub recipients: Vec<Mailbox>,
    /// A worker is just sending it: how that ends is not yet written down.
    pub is_in_hand: bool,
}

/// What is made of one message.
#[derive(Clone, Debug)]
pub struct Judgement<'a> {
    pub incoming: i64,
    pub reading: &'a Reading,
    pub letter: Option<i64>,
    pub found_by: FoundBy,
    /// Why it counts for nothing although it looks like ours; empty: nothing speaks against it.
    pub untrue: &'a str,
    /// Of the reported recipients, in their order: whether what is said of them counts.
    pub counts: &'a [bool],
    pub state: ReplyState,
    /// Who says what it is, where it was not the rules.
    pub by: &'a str,
    pub at: Timestamp,
    /// Addresses that nothing is written to for it.
    pub suppress: &'a [Suppression],
    /// When a letter that came back for a cause that passes is sent once more.
    pub again_at: Option<Timestamp>,
}

impl Store {
    /// The letter of this number, if it is still the one that was sent.
    ///
    /// # Errors
    /// The database's.
    pub async fn addressed(&self, number: LetterNumber) -> Result<Option<Addressed>, Error> {
        let found: Option<(i64, String, String, String, i64)> = sqlx::query_as(
            "SELECT letter.id, message_id, locale, letter.recipient, CASE WHEN state = 'leased' THEN 1 ELSE 0 END
             FROM letter LEFT JOIN delivery ON letter_id = letter.id
             WHERE notice_id = $1 AND part = $2",
        )
        .bind(number.notice)
        .bind(number.part)
        .fetch_optional(&self.read)
        .await?;
        let Some((letter, message_id, locale, recipient, is_in_hand)) = found else {
            return Ok(None);
        };
        let others: Vec<String> = sqlx::query_scalar(
            "SELECT DISTINCT sent_to FROM attempt JOIN delivery ON delivery.id = delivery_id
             WHERE letter_id = $1 AND sent_to <> '' AND sent_to <> $2",
        )
        .bind(letter)
        .bind(recipient.as_str())
        .fetch_all(&self.read)
        .await?;
        let recipients = std::iter::once(recipient).chain(others);
        Ok(Some(Addressed {
            letter,
            message_id,
            locale,
            recipients: recipients
                .map(|one| parse_mailbox(&one))
                .collect::<Result<_, _>>()?,
            is_in_hand: is_in_hand == 1,
        }))
    }

    /// The first letter under a ticket.
    ///
    /// # Errors
    /// The database's.
    pub async fn number_under(&self, ticket: &str) -> Result<Option<LetterNumber>, Error> {
        let found: Option<(i64, i64)> = sqlx::query_as(
            "SELECT notice_id, part FROM letter WHERE ticket = $1 ORDER BY part, id LIMIT 1",
        )
        .bind(ticket)
        .fetch_optional(&self.read)
        .await?;
        Ok(found.map(|(notice, part)| LetterNumber { notice, part }))
    }

    /// Writes down what is made of a message, in place of what was made of it before, and works out anew
    /// what is held of the letters that it was and is about. What staff have said of a message stands
    /// against the rules.
    ///
    /// # Errors
    /// The database's; then nothing has changed.
    pub async fn judge(&self, judgement: &Judgement<'_>) -> Result<(), Error> {
        let mut tx = self.act(judgement.by, judgement.at).await?;
        let before: Option<(Option<i64>, String, String, String)> = sqlx::query_as(
            "SELECT letter_id, classed_by, class, state FROM reading WHERE incoming_id = $1",
        )
        .bind(judgement.incoming)
        .fetch_optional(&mut *tx)
        .await?;
        let is_new = before.is_none();
        let (letter_before, classed_by, class, state) = before.unwrap_or_default();
        if judgement.by.is_empty() && !classed_by.is_empty() {
            mark_as_read(&mut tx, judgement).await?;
            return tx.nothing_decided().await;
        }
        let mut letters: Vec<i64> = letter_before.into_iter().chain(judgement.letter).collect();
        letters.sort_unstable();
        letters.dedup();
        for letter in &letters {
            hold_still(&mut tx, *letter).await?;
        }
        put_reading(&mut tx, judgement).await?;
        put_reported(&mut tx, judgement).await?;
        suppressions::follow(&mut tx, judgement).await?;
        if judgement.again_at.is_none() {
            not_again(&mut tx, judgement).await?;
        }
        for letter in letters {
            work_out(&mut tx, letter).await?;
        }
        // What is read anew has had its consequence in the queue.
        if let (Some(letter), Some(at)) = (judgement.letter, judgement.again_at)
            && (is_new || !judgement.by.is_empty())
        {
            send_again(&mut tx, letter, judgement.incoming, at).await?;
        }
        mark_as_read(&mut tx, judgement).await?;
        // What the rules make of it can be made anew at any time, and stands beside the message.
        if judgement.by.is_empty() {
            return tx.nothing_decided().await;
        }
        let entry = Entry::new("reply class", format!("message {}", judgement.incoming))
            .before(json!({ "class": class, "state": state }))
            .after(json!({ "class": judgement.reading.class, "state": judgement.state }));
        tx.written(entry).await
    }

    /// What staff make of a message that is theirs to look at.
    ///
    /// # Errors
    /// [`Error::NotFound`] where nobody has read such a message.
    pub async fn set_reply_state(
        &self,
        incoming: i64,
        state: ReplyState,
        by: &str,
        now: Timestamp,
    ) -> Result<(), Error> {
        let mut tx = self.act(by, now).await?;
        let before: Option<String> =
            sqlx::query_scalar("SELECT state FROM reading WHERE incoming_id = $1")
                .bind(incoming)
                .fetch_optional(&mut *tx)
                .await?;
        let before = before.ok_or_else(|| Error::not_found("message", incoming.to_string()))?;
        sqlx::query(
            "UPDATE reading SET state = $2, decided_by = $3, decided_at = $4 WHERE incoming_id = $1",
        )
        .bind(incoming)
        .bind(state.as_str())
        .bind(by)
        .bind(now.0)
        .execute(&mut *tx)
        .await?;
        let entry = Entry::new("reply set", format!("message {incoming}"))
            .before(json!({ "state": before }))
            .after(json!({ "state": state }));
        tx.written(entry).await
    }
}

async fn put_reading(tx: &mut Connection, judgement: &Judgement<'_>) -> Result<(), Error> {
    let reading = judgement.reading;
    let evidence = reading.evidence.iter().map(ToString::to_string);
    let evidence: Vec<String> = evidence.collect();
    sqlx::query(
        "INSERT INTO reading (incoming_id, class, kind, reason, letter_id, known_by, untrue, sender, subject,
                              ticket, body, evidence, classed_by, state, decided_by, decided_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, '', NULL)
         ON CONFLICT (incoming_id) DO UPDATE
         SET class = excluded.class, kind = excluded.kind, reason = excluded.reason,
             letter_id = excluded.letter_id, known_by = excluded.known_by, untrue = excluded.untrue,
             sender = excluded.sender, subject = excluded.subject, ticket = excluded.ticket,
             body = excluded.body, evidence = excluded.evidence, classed_by = excluded.classed_by,
             state = CASE WHEN reading.decided_by = '' THEN excluded.state ELSE reading.state END",
    )
    .bind(judgement.incoming)
    .bind(reading.class.as_str())
    .bind(reading.auto_reply.map_or("", AutoReply::as_str))
    .bind(clean(reading.reason().unwrap_or_default()))
    .bind(judgement.letter)
    .bind(judgement.found_by.as_str())
    .bind(clean(judgement.untrue))
    .bind(clean(reading.from.as_deref().unwrap_or_default()))
    .bind(clean(&reading.subject))
    .bind(clean(reading.ticket.as_deref().unwrap_or_default()))
    .bind(clean(&reading.text))
    .bind(clean(&evidence.join("\n")))
    .bind(judgement.by)
    .bind(judgement.state.as_str())
    .execute(tx)
    .await?;
    Ok(())
}

async fn put_reported(tx: &mut Connection, judgement: &Judgement<'_>) -> Result<(), Error> {
    sqlx::query("DELETE FROM reported WHERE incoming_id = $1")
        .bind(judgement.incoming)
        .execute(&mut *tx)
        .await?;
    for (position, one) in (0_i64..).zip(&judgement.reading.recipients) {
        let counts = judgement
            .counts
            .get(usize::try_from(position).unwrap_or(usize::MAX));
        sqlx::query(
            "INSERT INTO reported (incoming_id, position, recipient, action, class, status, diagnostic, reason,
                                   weight, counts)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        )
        .bind(judgement.incoming)
        .bind(position)
        .bind(clean(&one.address))
        .bind(one.action.as_str())
        .bind(one.class.as_str())
        .bind(clean(one.status.as_deref().unwrap_or_default()))
        .bind(clean(&one.diagnostic))
        .bind(clean(one.reason.as_deref().unwrap_or_default()))
        .bind(one.weight.map_or("", crate::model::Weight::as_str))
        .bind(i64::from(counts.copied().unwrap_or(false)))
        .execute(&mut *tx)
        .await?;
    }
    Ok(())
}

async fn mark_as_read(tx: &mut Connection, judgement: &Judgement<'_>) -> Result<(), Error> {
    sqlx::query("UPDATE incoming SET read_at = $2 WHERE id = $1")
        .bind(judgement.incoming)
        .bind(judgement.at.0)
        .execute(tx)
        .await?;
    Ok(())
}

/// Two may read messages about one letter at once: each must see what the other has written down.
async fn hold_still(tx: &mut Connection, letter: i64) -> Result<(), Error> {
    sqlx::query("UPDATE delivery SET fate = fate WHERE letter_id = $1")
        .bind(letter)
        .execute(tx)
        .await?;
    Ok(())
}

/// All that is known of a letter, from the beginning: so that what is judged anew leaves no trace.
async fn work_out(tx: &mut Connection, letter: i64) -> Result<(), Error> {
    let reports: Vec<(String, String)> = sqlx::query_as(
        "SELECT reported.class, action
         FROM reported JOIN reading ON reading.incoming_id = reported.incoming_id
              JOIN delivery ON delivery.letter_id = reading.letter_id
         WHERE reading.letter_id = $1 AND counts = 1 AND (reading.incoming_id > heard_from OR classed_by <> '')
         ORDER BY reported.incoming_id, position",
    )
    .bind(letter)
    .fetch_all(&mut *tx)
    .await?;
    let mut fate = Fate::default();
    for (class, action) in &reports {
        fate = fate.after(class_of(class)?, action_of(action)?);
    }
    let answers: Vec<(String, String, String, String)> = sqlx::query_as(
        "SELECT class, kind, known_by, classed_by FROM reading WHERE letter_id = $1 AND untrue = ''",
    )
    .bind(letter)
    .fetch_all(&mut *tx)
    .await?;
    let mut answered = Answered::default();
    for (class, kind, known_by, classed_by) in &answers {
        let found_by = FoundBy::from_text(known_by).unwrap_or_default();
        if found_by.proves_answers() || !classed_by.is_empty() {
            answered = answered.max(Answered::by(class_of(class)?, AutoReply::from_text(kind)));
        }
    }
    sqlx::query("UPDATE delivery SET fate = $2, answered = $3 WHERE letter_id = $1")
        .bind(letter)
        .bind(fate.as_str())
        .bind(answered.as_str())
        .execute(tx)
        .await?;
    Ok(())
}

/// Once only, and with the same bytes.
async fn send_again(
    tx: &mut Connection,
    letter: i64,
    incoming: i64,
    at: Timestamp,
) -> Result<(), Error> {
    let put: Vec<i64> = sqlx::query_scalar(
        "UPDATE delivery
         SET state = 'scheduled', due_at = $3, attempts = 0, lapses = 0, waited = $3 - queued_at, waits = '',
             hold_id = NULL, slot_at = NULL, ended_at = NULL, heard_from = $2, fate = '',
             sent_again = sent_again + 1
         WHERE letter_id = $1 AND state = 'accepted' AND fate = 'bounced-soft' AND sent_again = 0
           AND EXISTS (SELECT 1 FROM campaign WHERE id = campaign_id AND thinning_at IS NULL
                       AND campaign.state IN ('approved', 'paused', 'settled'))
         RETURNING campaign_id",
    )
    .bind(letter)
    .bind(incoming)
    .bind(at.0)
    .fetch_all(&mut *tx)
    .await?;
    for campaign in put {
        sqlx::query("UPDATE campaign SET state = 'approved' WHERE id = $1 AND state = 'settled'")
            .bind(campaign)
            .execute(&mut *tx)
            .await?;
    }
    Ok(())
}

/// What was to be sent once more for this message is not, if nobody has begun it.
async fn not_again(tx: &mut Connection, judgement: &Judgement<'_>) -> Result<(), Error> {
    sqlx::query(
        "UPDATE delivery
         SET state = 'accepted', heard_from = 0, sent_again = sent_again - 1,
             ended_at = (SELECT MAX(finished_at) FROM attempt WHERE delivery_id = delivery.id AND outcome = 'accepted')
         WHERE heard_from = $1 AND state IN ('ready', 'scheduled') AND attempts = 0 AND sent_again > 0",
    )
    .bind(judgement.incoming)
    .execute(tx)
    .await?;
    Ok(())
}

/// PostgreSQL keeps no NUL in a text.
pub(super) fn clean(text: &str) -> String {
    text.replace('\0', "")
}

pub(super) fn class_of(text: &str) -> Result<Class, Error> {
    Class::from_text(text).ok_or_else(|| unknown_word("class", text))
}

fn action_of(text: &str) -> Result<Action, Error> {
    Action::from_text(text).ok_or_else(|| unknown_word("action", text))
}
