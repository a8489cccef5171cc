//! What staff decided about contacts, for as long as it holds.

use sqlx::Row;
use sqlx::any::AnyRow;

use super::audit::Entry;
use super::findings::parse_mailbox;
use super::suspects::range;
use super::{Error, Store};
use crate::model::{Format, Override, OverrideSubject, Timestamp};

const HANDLE: &str = "handle";
const DOMAIN: &str = "domain";

impl Store {
    /// Adds an override (its `id` is not looked at); an earlier one of the same subject ends.
    ///
    /// # Errors
    /// The database's.
    pub async fn add_override(&self, new: &Override) -> Result<i64, Error> {
        let (mut first, mut last, mut asn, mut name) = (None, None, None, None);
        match &new.subject {
            OverrideSubject::Prefix(range) => {
                let (from, to) = range.to_bytes();
                (first, last) = (Some(from.to_vec()), Some(to.to_vec()));
            }
            OverrideSubject::Asn(number) => asn = Some(i64::from(*number)),
            OverrideSubject::Handle(text) => name = Some((HANDLE, text.to_ascii_lowercase())),
            OverrideSubject::Domain(text) => name = Some((DOMAIN, text.clone())),
        }
        let (name_is, name) = name.unzip();
        let mut tx = self.act(&new.owner, new.created_at).await?;
        let replaced = sqlx::query(
            "UPDATE contact_override SET removed_at = $6, removed_by = $7
             WHERE removed_at IS NULL
               AND ((first = $1 AND last = $2) OR asn = $3 OR (name = $4 AND name_is = $5))
             RETURNING *",
        )
        .bind(first.clone())
        .bind(last.clone())
        .bind(asn)
        .bind(name.clone())
        .bind(name_is)
        .bind(new.created_at.0)
        .bind(new.owner.as_str())
        .fetch_all(&mut *tx)
        .await?;
        let id = sqlx::query_scalar(
            "INSERT INTO contact_override (first, last, asn, name, name_is, mailbox, locale, format,
                                           reason, owner, created_at, expires_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
             RETURNING id",
        )
        .bind(first)
        .bind(last)
        .bind(asn)
        .bind(name)
        .bind(name_is)
        .bind(new.mailbox.as_ref().map(|mailbox| mailbox.as_str().to_owned()))
        .bind(new.locale.as_str())
        .bind(new.format.map_or("", Format::as_str))
        .bind(new.reason.as_str())
        .bind(new.owner.as_str())
        .bind(new.created_at.0)
        .bind(new.expires_at.map(|at| at.0))
        .fetch_one(&mut *tx)
        .await?;
        let replaced = replaced
            .iter()
            .map(entered)
            .collect::<Result<Vec<_>, _>>()?;
        let entry = Entry::new("override add", new.subject.to_string())
            .before(replaced.first())
            .after(Override { id, ..new.clone() });
        tx.written(entry).await?;
        Ok(id)
    }

    /// The overrides that hold at `now`.
    ///
    /// # Errors
    /// The database's.
    pub async fn overrides(&self, now: Timestamp) -> Result<Vec<Override>, Error> {
        let rows = sqlx::query(
            "SELECT id, first, last, asn, name, name_is, mailbox, locale, format, reason, owner, created_at,
                    expires_at
             FROM contact_override
             WHERE removed_at IS NULL AND (expires_at IS NULL OR expires_at > $1)
             ORDER BY id",
        )
        .bind(now.0)
        .fetch_all(&self.read)
        .await?;
        rows.iter().map(entered).collect()
    }

    /// # Errors
    /// [`Error::NotFound`] when there is none that holds.
    pub async fn remove_override(&self, id: i64, by: &str, now: Timestamp) -> Result<(), Error> {
        let mut tx = self.act(by, now).await?;
        let removed = sqlx::query(
            "UPDATE contact_override SET removed_at = $2, removed_by = $3
             WHERE id = $1 AND removed_at IS NULL
             RETURNING *",
        )
        .bind(id)
        .bind(now.0)
        .bind(by)
        .fetch_optional(&mut *tx)
        .await?;
        let removed = removed.ok_or_else(|| Error::not_found("override", id.to_string()))?;
        let removed = entered(&removed)?;
        let entry = Entry::new("override remove", removed.subject.to_string()).before(&removed);
        tx.written(entry).await
    }

    /// When the answers of table and overrides last changed, expiry included. A loading that broke
    /// off changed them as well, so the networks themselves are asked; those that registries told of
    /// are left out, for each campaign asks what it needs.
    ///
    /// # Errors
    /// The database's.
    pub async fn contacts_changed_at(&self, now: Timestamp) -> Result<Option<Timestamp>, Error> {
        let at: Option<i64> = sqlx::query_scalar(
            "SELECT MAX(at) FROM (
                 SELECT MAX(loaded_at) AS at FROM table_load
                 UNION ALL SELECT MAX(told_at) FROM network WHERE source NOT IN ('rdap', 'whois', 'dns')
                 UNION ALL SELECT MAX(created_at) FROM contact_override
                 UNION ALL SELECT MAX(removed_at) FROM contact_override
                 UNION ALL SELECT MAX(expires_at) FROM contact_override WHERE expires_at <= $1) AS changes",
        )
        .bind(now.0)
        .fetch_one(&self.read)
        .await?;
        Ok(at.map(Timestamp))
    }
}

fn entered(row: &AnyRow) -> Result<Override, Error> {
    let first: Option<Vec<u8>> = row.try_get("first")?;
    let last: Option<Vec<u8>> = row.try_get("last")?;
    let asn: Option<i64> = row.try_get("asn")?;
    let name: Option<String> = row.try_get("name")?;
    let name_is: Option<String> = row.try_get("name_is")?;
    let format: String = row.try_get("format")?;
    let mailbox: Option<String> = row.try_get("mailbox")?;
    let subject = match (first, last, asn) {
        (Some(first), Some(last), _) => OverrideSubject::Prefix(range(&first, &last)?),
        (_, _, Some(asn)) => OverrideSubject::Asn(u32::try_from(asn).unwrap_or(0)),
        _ if name_is.as_deref() == Some(DOMAIN) => {
            OverrideSubject::Domain(name.unwrap_or_default())
        }
        _ => OverrideSubject::Handle(name.unwrap_or_default()),
    };
    Ok(Override {
        id: row.try_get("id")?,
        subject,
        mailbox: mailbox.map(|text| parse_mailbox(&text)).transpose()?,
        locale: row.try_get("locale")?,
        format: Format::from_text(&format),
        reason: row.try_get("reason")?,
        owner: row.try_get("owner")?,
        created_at: Timestamp(row.try_get("created_at")?),
        expires_at: row.try_get::<Option<i64>, _>("expires_at")?.map(Timestamp),
    })
}
