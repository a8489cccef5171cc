//! Campaigns and what people decided about them.

use serde_json::json;
use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row};

use super::audit::Entry;
use super::decisions::add_decision;
use super::waves::spread;
use super::{Connection, Error, Store};
use crate::model::{
    Campaign, CampaignKind, CampaignState, Decision, DecisionKind, NewCampaign, Terms, Timestamp,
    Tlp,
};

/// All that a [`Campaign`] is made of.
pub(super) const COLUMNS: &str = "id, name, kind, letter, tlp, require_evidence, after_id, cover, language, least, again_after, state,
     created_at, created_by, resolved_at, composed_at, restored_at, thinning_at,
     letters_gone_at";

impl Store {
    /// # Errors
    /// [`Error::Taken`] when there is one of that name.
    pub async fn add_campaign(
        &self,
        new: &NewCampaign,
        by: &str,
        now: Timestamp,
    ) -> Result<Campaign, Error> {
        let mut deed = self.act(by, now).await?;
        insert_campaign(&mut deed, new, by, now).await?;
        let entry = Entry::new("campaign new", &new.name).after(json!({
            "kind": new.kind(), "letter": new.letter, "tlp": new.tlp, "require_evidence": new.require_evidence,
            "after": new.after, "cover": new.cover,
        }));
        deed.written(entry).await?;
        self.campaign(&new.name).await
    }

    /// # Errors
    /// [`Error::NotFound`].
    pub async fn campaign(&self, name: &str) -> Result<Campaign, Error> {
        let row = sqlx::query(AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM campaign WHERE name = $1"
        )))
        .bind(name)
        .fetch_optional(&self.read)
        .await?;
        row.map_or_else(
            || Err(Error::not_found("campaign", name)),
            |row| campaign(&row),
        )
    }

    /// The campaign that another one points to.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn campaign_of(&self, id: i64) -> Result<Campaign, Error> {
        let name: Option<String> = sqlx::query_scalar("SELECT name FROM campaign WHERE id = $1")
            .bind(id)
            .fetch_optional(&self.read)
            .await?;
        let name = name.ok_or_else(|| Error::not_found("campaign", id.to_string()))?;
        self.campaign(&name).await
    }

    /// All campaigns, the newest first.
    ///
    /// # Errors
    /// The database's.
    pub async fn campaigns(&self) -> Result<Vec<Campaign>, Error> {
        let rows = sqlx::query(AssertSqlSafe(format!(
            "SELECT {COLUMNS} FROM campaign ORDER BY id DESC"
        )))
        .fetch_all(&self.read)
        .await?;
        rows.iter().map(campaign).collect()
    }

    /// Writes a decision down and moves the campaign where it leads: approving puts every letter
    /// into the queue, cancelling takes out what has not left.
    ///
    /// # Errors
    /// [`Error::Refused`] when the campaign's state does not allow it, or when an approval speaks
    /// of another digest than the last submission.
    pub async fn decide(
        &self,
        campaign: &str,
        decision: &Decision,
    ) -> Result<CampaignState, Error> {
        let mut tx = self.act(&decision.by, decision.at).await?;
        let (id, state) = self.lock_campaign(&mut tx, campaign).await?;
        let Some(next) = state.after(decision.kind) else {
            return Err(Error::Refused(refusal(campaign, state, decision.kind)));
        };
        if decision.kind == DecisionKind::Approved {
            let submitted: Option<String> = sqlx::query_scalar(
                "SELECT digest FROM decision
                 WHERE campaign_id = $1 AND kind = 'submitted'
                 ORDER BY id DESC LIMIT 1",
            )
            .bind(id)
            .fetch_optional(&mut *tx)
            .await?;
            if submitted.as_deref() != Some(&decision.digest) {
                return Err(Error::Refused(format!(
                    "the letters of \"{campaign}\" are not those that were submitted; submit it again"
                )));
            }
            enqueue(&mut tx, id, decision.at).await?;
            spread(&mut tx, id, decision.at).await?;
        }
        if decision.kind == DecisionKind::Cancelled {
            sqlx::query(
                "UPDATE delivery SET state = 'cancelled', ended_at = $2
                 WHERE campaign_id = $1 AND state IN ('ready', 'scheduled')",
            )
            .bind(id)
            .bind(decision.at.0)
            .execute(&mut *tx)
            .await?;
        }
        set_state(&mut tx, id, next).await?;
        add_decision(&mut tx, id, decision).await?;
        let entry = Entry::new(decision.kind.command(), campaign)
            .before(json!({ "state": state }))
            .after(json!({
                "state": next, "digest": decision.digest, "reason": decision.reason,
                "unreviewed": decision.unreviewed,
            }));
        tx.written(entry).await?;
        Ok(next)
    }

    /// Says that the campaign's suspects or letters are about to change: only a draft's may. A
    /// submitted one falls back to draft, its submission void.
    ///
    /// # Errors
    /// [`Error::Refused`] once it is approved.
    pub async fn reopen(
        &self,
        campaign: &str,
        by: &str,
        why: &str,
        now: Timestamp,
    ) -> Result<(), Error> {
        let mut tx = self.act(by, now).await?;
        let (id, state) = self.lock_campaign(&mut tx, campaign).await?;
        if !matches!(state, CampaignState::Draft | CampaignState::Submitted) {
            return Err(Error::Refused(format!(
                "\"{campaign}\" is {state}: its letters can no longer change; make a new campaign"
            )));
        }
        // Letters of other suspects than these must not be submitted.
        sqlx::query("UPDATE campaign SET state = 'draft', composed_at = NULL WHERE id = $1")
            .bind(id)
            .execute(&mut *tx)
            .await?;
        let decision = Decision {
            kind: DecisionKind::Voided,
            by: by.to_owned(),
            at: now,
            digest: String::new(),
            reason: why.to_owned(),
            unreviewed: Vec::new(),
        };
        if state == CampaignState::Draft {
            return tx.nothing_decided().await;
        }
        add_decision(&mut tx, id, &decision).await?;
        let entry = Entry::new(decision.kind.command(), campaign)
            .before(json!({ "state": state }))
            .after(json!({ "state": CampaignState::Draft, "reason": why }));
        tx.written(entry).await
    }

    /// Ends campaigns of which no delivery is open any more.
    ///
    /// # Errors
    /// The database's.
    pub async fn settle(&self) -> Result<u64, Error> {
        let settled = sqlx::query(
            "UPDATE campaign SET state = 'settled'
             WHERE state = 'approved' AND NOT EXISTS (
                 SELECT 1 FROM delivery
                 WHERE delivery.campaign_id = campaign.id AND state IN ('ready', 'scheduled', 'leased'))",
        )
        .execute(&self.write)
        .await?;
        Ok(settled.rows_affected())
    }

    /// The digest that the last approval spoke of.
    ///
    /// # Errors
    /// The database's.
    pub async fn approved_digest(&self, campaign: i64) -> Result<Option<String>, Error> {
        Ok(sqlx::query_scalar(
            "SELECT digest FROM decision
             WHERE campaign_id = $1 AND kind = 'approved'
             ORDER BY id DESC LIMIT 1",
        )
        .bind(campaign)
        .fetch_optional(&self.read)
        .await?)
    }

    pub(super) async fn lock_campaign(
        &self,
        tx: &mut Connection,
        name: &str,
    ) -> Result<(i64, CampaignState), Error> {
        let sql = format!(
            "SELECT id, state FROM campaign WHERE name = $1{}",
            self.engine.for_update()
        );
        let row: Option<(i64, String)> = sqlx::query_as(AssertSqlSafe(sql))
            .bind(name)
            .fetch_optional(tx)
            .await?;
        let (id, state) = row.ok_or_else(|| Error::not_found("campaign", name))?;
        Ok((id, parse_state(&state)?))
    }
}

fn refusal(campaign: &str, state: CampaignState, kind: DecisionKind) -> String {
    use CampaignState as S;
    let next = match (state, kind) {
        (S::Draft, DecisionKind::Approved | DecisionKind::Returned) => {
            format!("submit it first: lapwing campaign submit {campaign}")
        }
        (S::Submitted, DecisionKind::Submitted) => {
            format!(
                "a second person approves it: lapwing campaign approve {campaign} --as SOMEBODY"
            )
        }
        (S::Draft | S::Submitted, DecisionKind::Paused | DecisionKind::Resumed) => {
            "nothing of it is being sent yet".to_owned()
        }
        (S::Approved, DecisionKind::Resumed) => "it is not paused".to_owned(),
        (S::Approved | S::Paused, _) => format!("see how far it is: lapwing status {campaign}"),
        _ => "that is its end; make a new campaign to write again".to_owned(),
    };
    format!(
        "\"{campaign}\" is {state} and cannot be {}: {next}",
        kind.as_str()
    )
}

/// What people call a campaign.
pub(super) async fn name_of(tx: &mut Connection, id: i64) -> Result<String, Error> {
    let name = sqlx::query_scalar("SELECT name FROM campaign WHERE id = $1")
        .bind(id)
        .fetch_one(tx)
        .await?;
    Ok(name)
}

/// The new campaign's id.
///
/// # Errors
/// [`Error::Taken`] when there is one of that name.
pub(super) async fn insert_campaign(
    connection: &mut Connection,
    new: &NewCampaign,
    by: &str,
    now: Timestamp,
) -> Result<i64, Error> {
    let id: Option<i64> = sqlx::query_scalar(
        "INSERT INTO campaign (name, kind, letter, tlp, require_evidence, after_id, cover, language, least,
                               again_after, state, created_at, created_by)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 'draft', $11, $12)
         ON CONFLICT (name) DO NOTHING RETURNING id",
    )
    .bind(new.name.as_str())
    .bind(new.kind().as_str())
    .bind(new.letter.as_str())
    .bind(new.tlp.map_or("", Tlp::as_str))
    .bind(i64::from(new.require_evidence))
    .bind(new.after)
    .bind(i64::from(new.cover))
    .bind(new.terms.language.as_str())
    .bind(new.terms.least)
    .bind(new.terms.again_after)
    .bind(now.0)
    .bind(by)
    .fetch_optional(connection)
    .await?;
    id.ok_or_else(|| Error::Taken {
        what: "campaign",
        name: new.name.clone(),
    })
}

pub(super) async fn set_state(
    tx: &mut Connection,
    id: i64,
    state: CampaignState,
) -> Result<(), Error> {
    sqlx::query("UPDATE campaign SET state = $2 WHERE id = $1")
        .bind(id)
        .bind(state.as_str())
        .execute(tx)
        .await?;
    Ok(())
}

async fn enqueue(tx: &mut Connection, id: i64, now: Timestamp) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO delivery (campaign_id, letter_id, recipient, country, state, attempts, lapses,
                               queued_at, due_at, worker)
         SELECT campaign_id, id, recipient, country, 'ready', 0, 0, $2, $2, ''
         FROM letter WHERE campaign_id = $1 ORDER BY id",
    )
    .bind(id)
    .bind(now.0)
    .execute(tx)
    .await?;
    Ok(())
}

pub(super) fn campaign(row: &AnyRow) -> Result<Campaign, Error> {
    let [kind, tlp, state] =
        ["kind", "tlp", "state"].map(|column| row.try_get::<String, _>(column));
    let (kind, tlp, state) = (kind?, tlp?, state?);
    let is_set = |column: &str| Ok::<_, Error>(row.try_get::<i64, _>(column)? != 0);
    Ok(Campaign {
        id: row.try_get("id")?,
        name: row.try_get("name")?,
        kind: CampaignKind::from_text(&kind).ok_or_else(|| unknown_word("campaign kind", &kind))?,
        letter: row.try_get("letter")?,
        tlp: match tlp.as_str() {
            "" => None,
            mark => Some(mark.parse().map_err(|_| unknown_word("mark", mark))?),
        },
        require_evidence: is_set("require_evidence")?,
        after: row.try_get("after_id")?,
        cover: is_set("cover")?,
        terms: Terms {
            language: row.try_get("language")?,
            least: row.try_get("least")?,
            again_after: row.try_get("again_after")?,
        },
        state: parse_state(&state)?,
        created_at: Timestamp(row.try_get("created_at")?),
        created_by: row.try_get("created_by")?,
        resolved_at: row.try_get::<Option<i64>, _>("resolved_at")?.map(Timestamp),
        composed_at: row.try_get::<Option<i64>, _>("composed_at")?.map(Timestamp),
        restored_at: row.try_get::<Option<i64>, _>("restored_at")?.map(Timestamp),
        letters_gone_at: row
            .try_get::<Option<i64>, _>("letters_gone_at")?
            .map(Timestamp),
        thinned_at: row.try_get::<Option<i64>, _>("thinning_at")?.map(Timestamp),
    })
}

fn parse_state(text: &str) -> Result<CampaignState, Error> {
    CampaignState::from_text(text).ok_or_else(|| unknown_word("campaign state", text))
}

pub(super) fn unknown_word(what: &str, text: &str) -> Error {
    Error::Database(format!("\"{text}\" is no {what} that this version knows"))
}
