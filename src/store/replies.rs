//! What came back, in lists: for staff, and for the story of a letter.

use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row};

use super::campaigns::unknown_word;
use super::readings::class_of;
use super::suspects::range;
use super::{Error, Store};
use crate::model::{AddressRange, Class, FoundBy, ReplyState, Timestamp};

/// A message that came back, in a list.
#[derive(Clone, Debug, serde::Serialize)]
pub struct ReplyLine {
    pub id: i64,
    pub came_at: Timestamp,
    pub class: Class,
    pub kind: String,
    pub reason: String,
    /// What the mail server said, verbatim: its status, and its words.
    pub said: String,
    pub found_by: FoundBy,
    pub untrue: String,
    pub sender: String,
    pub subject: String,
    /// Theirs.
    pub ticket: String,
    pub state: ReplyState,
    /// Who said what it is, where it was not the rules.
    pub classed_by: String,
    /// Who set its state.
    pub decided_by: String,
    /// Ours, where the letter is known.
    pub about: Option<String>,
    pub body: String,
    pub evidence: String,
    /// Messages about the same letter, this one among them.
    pub in_thread: i64,
    /// When the message itself was taken away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gone_at: Option<Timestamp>,
}

/// Which messages are wanted.
#[derive(Clone, Copy, Debug, Default)]
pub struct ReplyFilter {
    /// Only those that somebody has to look at.
    pub open: bool,
    pub class: Option<Class>,
    pub letter: Option<i64>,
    pub id: Option<i64>,
    /// Of each letter only the newest message.
    pub threads: bool,
}

impl Store {
    /// Messages that came back, the newest first, below the number `before`.
    ///
    /// # Errors
    /// The database's.
    pub async fn came_back(
        &self,
        filter: ReplyFilter,
        before: i64,
        most: i64,
    ) -> Result<Vec<ReplyLine>, Error> {
        let open = match filter.open {
            true => "AND state NOT IN ('', 'fixed', 'closed')",
            false => "",
        };
        let newest = match filter.threads {
            true => {
                "AND NOT EXISTS (SELECT 1 FROM reading AS newer
                                 WHERE newer.letter_id = reading.letter_id AND newer.incoming_id > incoming.id)"
            }
            false => "",
        };
        let sql = format!(
            "SELECT incoming.id, came_at, gone_at, class, kind, reason, known_by, untrue, reading.sender, reading.subject,
                    reading.ticket, reading.state, classed_by, decided_by, letter.ticket AS about, body, evidence,
                    (SELECT status || ' ' || diagnostic FROM reported WHERE incoming_id = incoming.id
                     ORDER BY counts DESC, position LIMIT 1) AS said,
                    (SELECT COUNT(*) FROM reading AS told WHERE told.letter_id = reading.letter_id) AS in_thread
             FROM reading JOIN incoming ON incoming.id = incoming_id LEFT JOIN letter ON letter.id = letter_id
             WHERE incoming.id < $1 AND ($2 = '' OR class = $2) AND ($3 = 0 OR letter_id = $3)
               AND ($4 = 0 OR incoming.id = $4) {open} {newest}
             ORDER BY incoming.id DESC LIMIT +$5"
        )
        .replace(" state NOT", " reading.state NOT");
        let rows = sqlx::query(AssertSqlSafe(sql))
            .bind(before)
            .bind(filter.class.map_or("", Class::as_str))
            .bind(filter.letter.unwrap_or(0))
            .bind(filter.id.unwrap_or(0))
            .bind(most)
            .fetch_all(&self.read)
            .await?;
        rows.iter().map(reply_line).collect()
    }

    /// The letter that a message is about, where that is known.
    ///
    /// # Errors
    /// The database's.
    pub async fn letter_about(&self, incoming: i64) -> Result<Option<i64>, Error> {
        let letter: Option<Option<i64>> =
            sqlx::query_scalar("SELECT letter_id FROM reading WHERE incoming_id = $1")
                .bind(incoming)
                .fetch_optional(&self.read)
                .await?;
        Ok(letter.flatten())
    }

    /// The networks that the letter told of which a message is about, in address order, `most` of them.
    ///
    /// # Errors
    /// The database's.
    pub async fn networks_about(
        &self,
        incoming: i64,
        most: i64,
    ) -> Result<Vec<AddressRange>, Error> {
        let rows: Vec<(Vec<u8>, Vec<u8>)> = sqlx::query_as(
            "SELECT DISTINCT network.first, network.last
             FROM reading JOIN letter ON letter.id = letter_id JOIN notice ON notice.id = notice_id
                  JOIN finding ON finding.campaign_id = notice.campaign_id AND finding.mailbox = notice.mailbox
                  JOIN network ON network.id = network_id
             WHERE incoming_id = $1 ORDER BY network.first, network.last LIMIT +$2",
        )
        .bind(incoming)
        .bind(most)
        .fetch_all(&self.read)
        .await?;
        rows.iter()
            .map(|(first, last)| range(first, last))
            .collect()
    }
}

fn reply_line(row: &AnyRow) -> Result<ReplyLine, Error> {
    let class: String = row.try_get("class")?;
    let found_by: String = row.try_get("known_by")?;
    let state: String = row.try_get("state")?;
    let said: Option<String> = row.try_get("said")?;
    Ok(ReplyLine {
        id: row.try_get("id")?,
        came_at: Timestamp(row.try_get("came_at")?),
        class: class_of(&class)?,
        kind: row.try_get("kind")?,
        reason: row.try_get("reason")?,
        said: said.unwrap_or_default().trim().to_owned(),
        found_by: FoundBy::from_text(&found_by)
            .ok_or_else(|| unknown_word("way to know a letter", &found_by))?,
        untrue: row.try_get("untrue")?,
        sender: row.try_get("sender")?,
        subject: row.try_get("subject")?,
        ticket: row.try_get("ticket")?,
        state: ReplyState::from_text(&state).ok_or_else(|| unknown_word("state", &state))?,
        classed_by: row.try_get("classed_by")?,
        decided_by: row.try_get("decided_by")?,
        about: row.try_get("about")?,
        body: row.try_get("body")?,
        evidence: row.try_get("evidence")?,
        in_thread: row.try_get::<i64, _>("in_thread")?.max(1),
        gone_at: row.try_get::<Option<i64>, _>("gone_at")?.map(Timestamp),
    })
}
