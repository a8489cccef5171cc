//! The phased start of a campaign: set before it is approved, and what it makes of the queue.

use std::collections::BTreeMap;

use super::audit::Entry;
use super::campaigns::unknown_word;
use super::{Connection, Error, Store};
use crate::model::{CampaignState, Timestamp, Wave};

/// Deliveries moved in one statement.
const PAGE: i64 = 500;

impl Store {
    /// Sets a campaign's waves, or with none lets all of it begin at once. Whoever approves it approves
    /// them, so that they stand from then on.
    ///
    /// # Errors
    /// [`Error::Refused`] once it is approved.
    pub async fn set_waves(
        &self,
        campaign: &str,
        waves: &[Wave],
        by: &str,
        now: Timestamp,
    ) -> Result<(), Error> {
        let mut tx = self.act(by, now).await?;
        let (id, state) = self.lock_campaign(&mut tx, campaign).await?;
        expect_unapproved(campaign, state)?;
        let before = waves_of(&mut tx, id).await?;
        sqlx::query("DELETE FROM wave WHERE campaign_id = $1")
            .bind(id)
            .execute(&mut *tx)
            .await?;
        for (wave, position) in waves.iter().zip(1_i64..) {
            sqlx::query(
                "INSERT INTO wave (campaign_id, position, starts_at, takes, set_by, set_at)
                 VALUES ($1, $2, $3, $4, $5, $6)",
            )
            .bind(id)
            .bind(position)
            .bind(wave.starts_at.0)
            .bind(wave.takes.to_string())
            .bind(by)
            .bind(now.0)
            .execute(&mut *tx)
            .await?;
        }
        let entry = Entry::new("campaign waves", campaign);
        tx.written(entry.before(before).after(waves)).await
    }

    /// A campaign's waves, in their order.
    ///
    /// # Errors
    /// The database's.
    pub async fn waves(&self, campaign: i64) -> Result<Vec<Wave>, Error> {
        let mut connection = self.read.acquire().await?;
        waves_of(&mut connection, campaign).await
    }
}

/// # Errors
/// [`Error::Refused`] where it is approved, saying what can be done instead.
pub fn expect_unapproved(campaign: &str, state: CampaignState) -> Result<(), Error> {
    match state {
        CampaignState::Draft | CampaignState::Submitted => Ok(()),
        _ => Err(Error::Refused(format!(
            "\"{campaign}\" is {state}, and its waves were approved with it; lapwing campaign pause or lapwing hold add \
             keep letters back"
        ))),
    }
}

/// Lets the letters that have just been queued wait for their waves. What begins at once, or has begun,
/// is left as it is.
pub(super) async fn spread(
    tx: &mut Connection,
    campaign: i64,
    now: Timestamp,
) -> Result<(), Error> {
    let waves = waves_of(tx, campaign).await?;
    if waves.is_empty() {
        return Ok(());
    }
    let mut after = 0;
    loop {
        let page: Vec<(i64, String, String)> = sqlx::query_as(
            "SELECT id, country, recipient FROM delivery
             WHERE campaign_id = $1 AND state = 'ready' AND id > $2 ORDER BY id LIMIT +$3",
        )
        .bind(campaign)
        .bind(after)
        .bind(PAGE)
        .fetch_all(&mut *tx)
        .await?;
        let Some((last, _, _)) = page.last() else {
            return Ok(());
        };
        after = *last;
        let mut starts: BTreeMap<i64, Vec<String>> = BTreeMap::new();
        for (id, country, recipient) in &page {
            let place = Wave::place_of(&waves, campaign, country, recipient);
            let wave = place.and_then(|place| waves.get(place));
            if let Some(wave) = wave.filter(|wave| wave.starts_at > now) {
                let ids = starts.entry(wave.starts_at.0).or_default();
                ids.push(id.to_string());
            }
        }
        for (start, ids) in starts {
            let sql = format!(
                "UPDATE delivery SET state = 'scheduled', waits = 'wave', due_at = $1, waited = $1 - queued_at
                 WHERE id IN ({})",
                ids.join(", ")
            );
            sqlx::query(sqlx::AssertSqlSafe(sql))
                .persistent(false)
                .bind(start)
                .execute(&mut *tx)
                .await?;
        }
    }
}

async fn waves_of(connection: &mut Connection, campaign: i64) -> Result<Vec<Wave>, Error> {
    let rows: Vec<(i64, String)> = sqlx::query_as(
        "SELECT starts_at, takes FROM wave WHERE campaign_id = $1 ORDER BY position",
    )
    .bind(campaign)
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|(starts_at, takes)| {
            Ok(Wave {
                starts_at: Timestamp(starts_at),
                takes: takes.parse().map_err(|()| unknown_word("wave", &takes))?,
            })
        })
        .collect()
}
