//! The next round of a campaign: what it told mailboxes that letters do not reach, told once more.

use serde_json::json;
use sqlx::AssertSqlSafe;

use super::audit::Entry;
use super::campaigns::insert_campaign;
use super::findings::parse_mailbox;
use super::{Connection, Error, Store, imports};
use crate::model::{Campaign, CampaignState, Mailbox, NewCampaign, Timestamp};

/// What a round begins with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Round {
    /// Mailboxes that the letters of the round before did not reach.
    pub mailboxes: u64,
    pub suspects: u64,
    /// Operators of an advisory's list.
    pub addressees: u64,
}

impl Store {
    /// Mailboxes that a campaign wrote to, or was to write to, and of which a letter came back, was refused
    /// or did not leave; in their order, behind `after`.
    ///
    /// # Errors
    /// The database's.
    pub async fn unreached(
        &self,
        campaign: i64,
        after: &str,
        most: i64,
    ) -> Result<Vec<Mailbox>, Error> {
        let found: Vec<String> = sqlx::query_scalar(
            "SELECT DISTINCT notice.mailbox
             FROM notice JOIN letter ON letter.notice_id = notice.id JOIN delivery ON delivery.letter_id = letter.id
             WHERE notice.campaign_id = $1 AND round > 0 AND notice.mailbox > $2
               AND (fate IN ('bounced-hard', 'bounced-soft') OR delivery.state IN ('refused', 'expired', 'failed')
                    OR suppression_id IS NOT NULL)
             ORDER BY notice.mailbox LIMIT +$3",
        )
        .bind(campaign)
        .bind(after)
        .bind(most)
        .fetch_all(&self.read)
        .await?;
        found.iter().map(|text| parse_mailbox(text)).collect()
    }

    /// Opens a campaign like the first with what those mailboxes were told. What an earlier next round has
    /// taken up is left out. With `is_trial` nothing is kept.
    ///
    /// # Errors
    /// [`Error::Refused`] where the first campaign was not sent, or nothing is left to tell;
    /// [`Error::Taken`]; the database's.
    pub async fn open_round(
        &self,
        first: &Campaign,
        name: &str,
        unreached: &[Mailbox],
        (by, now): (&str, Timestamp),
        is_trial: bool,
    ) -> Result<Round, Error> {
        let mut tx = self.act(by, now).await?;
        let (_, state) = self.lock_campaign(&mut tx, &first.name).await?;
        if matches!(state, CampaignState::Draft | CampaignState::Submitted) {
            return Err(Error::Refused(format!(
                "\"{}\" is {state}: whom its letters do not reach is known when they are sent",
                first.name
            )));
        }
        let like_first = NewCampaign {
            name: name.to_owned(),
            letter: first.letter.clone(),
            tlp: first.tlp,
            require_evidence: first.require_evidence,
            after: first.after,
            cover: first.cover,
            terms: first.terms.clone(),
        };
        let campaign = insert_campaign(&mut tx, &like_first, by, now).await?;
        sqlx::query("UPDATE campaign SET round_of = $2 WHERE id = $1")
            .bind(campaign)
            .bind(first.id)
            .execute(&mut *tx)
            .await?;
        let feed = format!("those of {} whom letters do not reach", first.name);
        let import = imports::begin_copy(&mut tx, campaign, &feed, (by, now)).await?;
        let mut round = Round::default();
        for mailbox in unreached {
            let of = (first.id, mailbox);
            let suspects = copy(&mut tx, SUSPECTS, (campaign, import), of).await?;
            let addressees = copy(&mut tx, ADDRESSEES, (campaign, import), of).await?;
            round.mailboxes += u64::from(suspects + addressees > 0);
            round.suspects += suspects;
            round.addressees += addressees;
        }
        if round.mailboxes == 0 {
            return Err(Error::Refused(format!(
                "nobody else has to be told what \"{}\" told: no suppressed mailbox is left of which a letter came back or was refused",
                first.name
            )));
        }
        copy_samples(&mut tx, campaign, first.id).await?;
        let rows = (round.suspects + round.addressees).cast_signed();
        imports::end_copy(&mut tx, import, rows).await?;
        if !is_trial {
            let entry =
                Entry::new("follow-up", name).after(json!({ "of": first.name, "round": round }));
            tx.written(entry).await?;
        }
        Ok(round)
    }
}

/// What an earlier next round has taken up, unless that was given up.
const NOT_TAKEN_UP: &str = "NOT EXISTS (
        SELECT 1 FROM campaign AS next JOIN {table} AS told ON told.campaign_id = next.id
        WHERE next.round_of = $3 AND next.id <> $1 AND next.state <> 'cancelled' AND {same})";

/// A table's own columns, and what makes two of its rows the same.
type Kind = (&'static str, &'static str, &'static str);

const SUSPECTS: Kind = (
    "suspect",
    "line, first, last, fingerprint, seen_at, seen_from, class, source, evidence, port, terminal",
    "told.first = one.first AND told.fingerprint = one.fingerprint",
);

const ADDRESSEES: Kind = (
    "addressee",
    "line, known_by, first, mailbox, holder, country, locale",
    "told.known_by = one.known_by",
);

async fn copy(
    tx: &mut Connection,
    (table, columns, same): Kind,
    (campaign, import): (i64, i64),
    (first, mailbox): (i64, &Mailbox),
) -> Result<u64, Error> {
    let own: Vec<String> = columns
        .split(", ")
        .map(|column| format!("one.{column}"))
        .collect();
    let not_taken_up = NOT_TAKEN_UP
        .replace("{table}", table)
        .replace("{same}", same);
    let sql = format!(
        "INSERT INTO {table} (campaign_id, import_id, {columns})
         SELECT $1, $2, {} FROM finding JOIN {table} AS one ON one.finding_id = finding.id
         WHERE finding.campaign_id = $3 AND finding.verdict = 'matched' AND finding.mailbox = $4
           AND {not_taken_up}
         ON CONFLICT DO NOTHING",
        own.join(", ")
    );
    let copied = sqlx::query(AssertSqlSafe(sql))
        .bind(campaign)
        .bind(import)
        .bind(first)
        .bind(mailbox.as_str())
        .execute(tx)
        .await?;
    Ok(copied.rows_affected())
}

async fn copy_samples(tx: &mut Connection, campaign: i64, first: i64) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO sample (suspect_id, size, content)
         SELECT one.id, sample.size, sample.content
         FROM suspect AS one JOIN suspect AS told
                ON told.campaign_id = $2 AND told.first = one.first AND told.fingerprint = one.fingerprint
              JOIN sample ON sample.suspect_id = told.id
         WHERE one.campaign_id = $1",
    )
    .bind(campaign)
    .bind(first)
    .execute(tx)
    .await?;
    Ok(())
}
