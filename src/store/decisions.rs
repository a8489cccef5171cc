//! What people decided about a campaign, only ever added to.

use sqlx::Row;

use super::campaigns::unknown_word;
use super::{Connection, Error, Store};
use crate::model::{Decision, DecisionKind, Timestamp};

impl Store {
    /// The campaign's history, the oldest first.
    ///
    /// # Errors
    /// The database's.
    pub async fn decisions(&self, campaign: i64) -> Result<Vec<Decision>, Error> {
        let rows = sqlx::query(
            "SELECT kind, decided_by, decided_at, digest, reason, unreviewed
             FROM decision WHERE campaign_id = $1 ORDER BY id",
        )
        .bind(campaign)
        .fetch_all(&self.read)
        .await?;
        rows.iter()
            .map(|row| {
                let kind: String = row.try_get("kind")?;
                let unreviewed: String = row.try_get("unreviewed")?;
                let unreviewed = unreviewed.split(',').filter(|locale| !locale.is_empty());
                Ok(Decision {
                    kind: DecisionKind::from_text(&kind)
                        .ok_or_else(|| unknown_word("decision", &kind))?,
                    by: row.try_get("decided_by")?,
                    at: Timestamp(row.try_get("decided_at")?),
                    digest: row.try_get("digest")?,
                    reason: row.try_get("reason")?,
                    unreviewed: unreviewed.map(str::to_owned).collect(),
                })
            })
            .collect()
    }
}

pub(super) async fn add_decision(
    tx: &mut Connection,
    id: i64,
    decision: &Decision,
) -> Result<(), Error> {
    sqlx::query(
        "INSERT INTO decision (campaign_id, kind, decided_by, decided_at, digest, reason, unreviewed)
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(id)
    .bind(decision.kind.as_str())
    .bind(decision.by.as_str())
    .bind(decision.at.0)
    .bind(decision.digest.as_str())
    .bind(decision.reason.as_str())
    .bind(decision.unreviewed.join(","))
    .execute(tx)
    .await?;
    Ok(())
}
