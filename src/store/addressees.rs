//! The operators of an advisory's list: imported, waiting for resolve, placed under a finding.

use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row};

use super::findings::parse_mailbox;
use super::{Error, Store};
use crate::model::{
    AddressRange, Addressee, KnownBy, KnownByError, Mailbox, Network, Refusal, Verdict,
};

const ROWS: usize = 1_000;

/// An addressee with where it came from.
#[derive(Clone, Debug)]
pub struct StoredAddressee {
    pub id: i64,
    pub feed: String,
    pub line: i64,
    pub addressee: Addressee,
}

const COLUMNS: &str = "addressee.id, feed, line, known_by, addressee.first, addressee.mailbox, holder, \
                       addressee.country, addressee.locale";

impl Store {
    /// Adds a chunk of a list in one transaction, so that rows and counts never part; `rows` counts
    /// all that the chunk was read from. Returns how many were new.
    ///
    /// # Errors
    /// The database's; then nothing of the chunk is stored.
    pub async fn add_addressees(
        &self,
        campaign: i64,
        import: i64,
        addressees: &[(u64, Addressee)],
        refusals: &[Refusal],
        rows: u64,
    ) -> Result<u64, Error> {
        let mut tx = self.begin().await?;
        let mut fresh = 0;
        for chunk in addressees.chunks(ROWS) {
            let sql = format!(
                "INSERT INTO addressee (campaign_id, import_id, line, known_by, first, mailbox, holder, country,
                                        locale)
                 VALUES {} ON CONFLICT (campaign_id, known_by) DO NOTHING",
                self.engine.rows(&format!("{campaign}, {import}"), 7, chunk.len())
            );
            let mut insert = sqlx::query(AssertSqlSafe(sql));
            for (line, one) in chunk {
                insert = insert
                    .bind(*line as i64)
                    .bind(one.known_by.to_string())
                    .bind(place_of(&one.known_by))
                    .bind(one.mailbox.as_ref().map_or("", Mailbox::as_str))
                    .bind(one.holder.as_str())
                    .bind(one.country.as_str())
                    .bind(one.locale.as_str());
            }
            fresh += insert.execute(&mut *tx).await?.rows_affected();
        }
        self.note_rows(&mut tx, import, refusals, rows, fresh)
            .await?;
        tx.commit().await?;
        Ok(fresh)
    }

    /// Whether a campaign has all of these already.
    ///
    /// # Errors
    /// The database's.
    pub async fn has_addressees(
        &self,
        campaign: i64,
        addressees: &[(u64, Addressee)],
    ) -> Result<bool, Error> {
        for chunk in addressees.chunks(ROWS) {
            let sql = format!(
                "SELECT COUNT(*) FROM addressee WHERE campaign_id = {campaign} AND known_by IN ({})",
                self.engine.rows("", 1, chunk.len())
            );
            let mut known = sqlx::query_scalar(AssertSqlSafe(sql));
            for (_, one) in chunk {
                known = known.bind(one.known_by.to_string());
            }
            let known: i64 = known.fetch_one(&self.read).await?;
            if known < chunk.len() as i64 {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The next addressees that wait for resolve, or all where `again`, behind `after`; those with a
    /// range in address order.
    ///
    /// # Errors
    /// The database's.
    pub async fn waiting_addressees(
        &self,
        campaign: i64,
        again: bool,
        after: Option<&StoredAddressee>,
        limit: i64,
    ) -> Result<Vec<StoredAddressee>, Error> {
        let (first, id) = after.map_or((vec![], 0), |one| {
            (place_of(&one.addressee.known_by), one.id)
        });
        let sql = format!(
            "SELECT {COLUMNS} FROM addressee JOIN import ON import.id = import_id
             WHERE addressee.campaign_id = $1 AND (finding_id IS NULL OR $2 = 1)
               AND (addressee.first, addressee.id) > ($3, $4)
             ORDER BY addressee.first, addressee.id LIMIT +$5"
        );
        let rows = sqlx::query(AssertSqlSafe(sql))
            .bind(campaign)
            .bind(i64::from(again))
            .bind(first)
            .bind(id)
            .bind(limit)
            .fetch_all(&self.read)
            .await?;
        rows.iter().map(stored).collect()
    }

    /// Puts addressees under their findings, in one transaction: the id of each and its finding's.
    ///
    /// # Errors
    /// [`Error::Refused`] when the campaign's resolving is not `worker`'s any more; the database's.
    pub async fn place_addressees(
        &self,
        (campaign, worker): (i64, &str),
        places: &[(i64, i64)],
    ) -> Result<(), Error> {
        let mut tx = self.begin().await?;
        self.resolves(&mut tx, campaign, worker).await?;
        for chunk in places.chunks(ROWS) {
            let sql = format!(
                "UPDATE addressee SET finding_id = placed.column2
                 FROM (VALUES {}) AS placed
                 WHERE addressee.id = placed.column1",
                self.engine.rows("", 2, chunk.len())
            );
            let mut update = sqlx::query(AssertSqlSafe(sql));
            for (addressee, finding) in chunk {
                update = update.bind(*addressee).bind(*finding);
            }
            update.execute(&mut *tx).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// The addressees that one mailbox answers for, at most `limit` of them, those known by more than
    /// their mailbox first.
    ///
    /// # Errors
    /// The database's.
    pub async fn addressees_of(
        &self,
        campaign: i64,
        mailbox: &str,
        limit: i64,
    ) -> Result<Vec<Addressee>, Error> {
        let sql = format!(
            "SELECT {COLUMNS} FROM addressee JOIN import ON import.id = import_id
             WHERE finding_id IN (SELECT id FROM finding
                                  WHERE campaign_id = $1 AND mailbox = $2 AND verdict = $3)
             ORDER BY CASE WHEN known_by LIKE '%@%' THEN 1 ELSE 0 END, addressee.id LIMIT +$4"
        );
        let rows = sqlx::query(AssertSqlSafe(sql))
            .bind(campaign)
            .bind(mailbox)
            .bind(Verdict::WORDS[0])
            .bind(limit)
            .fetch_all(&self.read)
            .await?;
        rows.iter().map(|row| Ok(stored(row)?.addressee)).collect()
    }

    /// The names under which one mailbox answers for addressees, at most two of them, and how many
    /// addressees of its are known by more than their mailbox.
    ///
    /// # Errors
    /// The database's.
    pub async fn holders_of(
        &self,
        campaign: i64,
        mailbox: &str,
    ) -> Result<(Vec<String>, i64), Error> {
        let under = "FROM addressee
                     WHERE finding_id IN (SELECT id FROM finding
                                          WHERE campaign_id = $1 AND mailbox = $2 AND verdict = 'matched')";
        let names = sqlx::query_scalar(AssertSqlSafe(format!(
            "SELECT DISTINCT holder {under} LIMIT 2"
        )));
        let subjects = sqlx::query_scalar(AssertSqlSafe(format!(
            "SELECT COUNT(*) {under} AND known_by NOT LIKE '%@%'"
        )));
        let names = names
            .bind(campaign)
            .bind(mailbox)
            .fetch_all(&self.read)
            .await?;
        let subjects = subjects
            .bind(campaign)
            .bind(mailbox)
            .fetch_one(&self.read)
            .await?;
        Ok((names, subjects))
    }

    /// A page of the addressees that no letter goes to, each with its verdict and reason.
    ///
    /// # Errors
    /// The database's.
    pub async fn unplaced_addressees(
        &self,
        campaign: i64,
        after: i64,
        limit: i64,
    ) -> Result<Vec<(StoredAddressee, String, String)>, Error> {
        let sql = format!(
            "SELECT {COLUMNS}, COALESCE(verdict, 'waiting') AS verdict,
                    COALESCE(reason, 'not resolved yet') AS reason
             FROM addressee JOIN import ON import.id = import_id
                  LEFT JOIN finding ON finding.id = finding_id
             WHERE addressee.campaign_id = $1 AND addressee.id > $2
               AND (finding_id IS NULL OR verdict <> $3)
             ORDER BY addressee.id LIMIT +$4"
        );
        let rows = sqlx::query(AssertSqlSafe(sql))
            .bind(campaign)
            .bind(after)
            .bind(Verdict::WORDS[0])
            .bind(limit)
            .fetch_all(&self.read)
            .await?;
        let row = |row: &AnyRow| {
            Ok((
                stored(row)?,
                row.try_get("verdict")?,
                row.try_get("reason")?,
            ))
        };
        rows.iter().map(row).collect()
    }

    /// A page of the networks of a country, by id, behind `after`; those that name a contact
    /// themselves, or the others.
    ///
    /// # Errors
    /// The database's.
    pub async fn networks_in(
        &self,
        country: &str,
        with_contact: bool,
        after: i64,
        limit: i64,
    ) -> Result<Vec<(i64, Network)>, Error> {
        let rows = sqlx::query(
            "SELECT id, first, last, name, holder, handle, locale FROM network
             WHERE id > $1 AND country = $2
               AND (CASE WHEN EXISTS (SELECT 1 FROM contact WHERE network_id = network.id)
                    THEN 1 ELSE 0 END) = $3
             ORDER BY id LIMIT +$4",
        )
        .bind(after)
        .bind(country)
        .bind(i64::from(with_contact))
        .bind(limit)
        .fetch_all(&self.read)
        .await?;
        let network = |row: &AnyRow| {
            let first: Vec<u8> = row.try_get("first")?;
            let last: Vec<u8> = row.try_get("last")?;
            let network = Network {
                range: super::suspects::range(&first, &last)?,
                name: row.try_get("name")?,
                holder: row.try_get("holder")?,
                country: country.to_owned(),
                asn: None,
                handle: row.try_get("handle")?,
                registry: String::new(),
                locale: row.try_get("locale")?,
                contacts: Vec::new(),
            };
            Ok((row.try_get("id")?, network))
        };
        rows.iter().map(network).collect()
    }

    /// A page of the systems of a country, by number, behind `after`: number, holder, handle, name.
    ///
    /// # Errors
    /// The database's.
    pub async fn systems_in(
        &self,
        country: &str,
        after: i64,
        limit: i64,
    ) -> Result<Vec<(i64, String, String, String)>, Error> {
        Ok(sqlx::query_as(
            "SELECT asn, holder, handle, name FROM autonomous_system
             WHERE asn > $1 AND country = $2 ORDER BY asn LIMIT +$3",
        )
        .bind(after)
        .bind(country)
        .bind(limit)
        .fetch_all(&self.read)
        .await?)
    }
}

/// Where in the order it comes.
fn place_of(known_by: &KnownBy) -> Vec<u8> {
    let first = |range: &AddressRange| range.to_bytes().0.to_vec();
    match known_by {
        KnownBy::Range(range) => first(range),
        KnownBy::As(_) | KnownBy::Mailbox(_) => Vec::new(),
    }
}

fn stored(row: &AnyRow) -> Result<StoredAddressee, Error> {
    let known_by: String = row.try_get("known_by")?;
    let mailbox: String = row.try_get("mailbox")?;
    Ok(StoredAddressee {
        id: row.try_get("id")?,
        feed: row.try_get("feed")?,
        line: row.try_get("line")?,
        addressee: Addressee {
            known_by: known_by
                .parse()
                .map_err(|error: KnownByError| Error::Database(error.to_string()))?,
            mailbox: match mailbox.as_str() {
                "" => None,
                text => Some(parse_mailbox(text)?),
            },
            holder: row.try_get("holder")?,
            country: row.try_get("country")?,
            locale: row.try_get("locale")?,
        },
    })
}
