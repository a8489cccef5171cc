//! What registries answered, and until when it counts.

use sqlx::Row;

use super::findings::parse_mailbox;
use super::suspects::range;
use super::{Error, Store, Transaction};
use crate::model::{
    Address, AddressRange, Answer, AnswerOutcome, Mailbox, Subject, Tier, Timestamp,
};

/// An answer with its key.
#[derive(Clone, Debug)]
pub struct StoredAnswer {
    pub id: i64,
    pub answer: Answer,
}

const COLUMNS: &str =
    "id, source, about_asn, first, last, server, outcome, name, holder, country, origin_asn,
    registry, handles, mailboxes, form, reason, asked_at, counts_until";

impl Store {
    /// Keeps an answer, in the place of an earlier one of the same source about the same network,
    /// and of those inside it that found no network there; an answer about a network that is none yet makes
    /// it one. What a loaded table says of the network stays.
    ///
    /// # Errors
    /// The database's.
    pub async fn put_answer(&self, answer: &Answer) -> Result<(), Error> {
        let mut tx = self.begin().await?;
        let (about, first, last) = key(answer.subject);
        let (mailboxes, form) = match &answer.outcome {
            AnswerOutcome::Contact(_, mailboxes) => (joined(mailboxes), ""),
            AnswerOutcome::Form(form) => (String::new(), form.as_str()),
            AnswerOutcome::None | AnswerOutcome::Fault => (String::new(), ""),
        };
        if let Subject::Range(_) = answer.subject {
            sqlx::query(
                "DELETE FROM answer
                 WHERE source = $1 AND about_asn = 0 AND first >= $2 AND first <= $3 AND last <= $3
                   AND outcome IN ('none', 'fault') AND name = '' AND holder = '' AND country = ''",
            )
            .bind(answer.source.as_str())
            .bind(first.clone())
            .bind(last.clone())
            .execute(&mut *tx)
            .await?;
        }
        sqlx::query(
            "INSERT INTO answer (source, about_asn, first, last, server, outcome, name, holder, country,
                                 origin_asn, registry, handles, mailboxes, form, reason, asked_at, counts_until)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
             ON CONFLICT (source, about_asn, first, last) DO UPDATE
             SET server = excluded.server, outcome = excluded.outcome, name = excluded.name,
                 holder = excluded.holder, country = excluded.country, origin_asn = excluded.origin_asn,
                 registry = excluded.registry, handles = excluded.handles, mailboxes = excluded.mailboxes,
                 form = excluded.form, reason = excluded.reason, asked_at = excluded.asked_at,
                 counts_until = excluded.counts_until",
        )
        .bind(answer.source.as_str())
        .bind(about)
        .bind(first)
        .bind(last)
        .bind(answer.server.as_str())
        .bind(answer.outcome.as_str())
        .bind(answer.name.as_str())
        .bind(answer.holder.as_str())
        .bind(answer.country.as_str())
        .bind(answer.origin.map(i64::from))
        .bind(answer.registry.as_str())
        .bind(answer.handles.join(" "))
        .bind(mailboxes)
        .bind(form)
        .bind(answer.reason.as_str())
        .bind(answer.asked_at.0)
        .bind(answer.counts_until.0)
        .execute(&mut *tx)
        .await?;
        if let (Some(range), false) = (answer.range(), is_block(answer)) {
            put_network(&mut tx, answer, range).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// A page of the answers that count at `now`, by id, behind `after`.
    ///
    /// # Errors
    /// The database's.
    pub async fn answers(
        &self,
        after: i64,
        now: Timestamp,
        limit: i64,
    ) -> Result<Vec<StoredAnswer>, Error> {
        let sql = format!(
            "SELECT {COLUMNS} FROM answer WHERE id > $1 AND counts_until > $2 ORDER BY id LIMIT +$3"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(after)
            .bind(now.0)
            .bind(limit)
            .fetch_all(&self.read)
            .await?;
        rows.iter().map(stored).collect()
    }

    /// The answers around an address that count at `now` and do not begin before `from`.
    ///
    /// # Errors
    /// The database's.
    pub async fn answers_around(
        &self,
        address: Address,
        from: Address,
        now: Timestamp,
    ) -> Result<Vec<StoredAnswer>, Error> {
        let sql = format!(
            "SELECT {COLUMNS} FROM answer
             WHERE first >= $1 AND first <= $2 AND last >= $2 AND about_asn = 0 AND counts_until > $3
             ORDER BY id"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(from.0.to_be_bytes().to_vec())
            .bind(address.0.to_be_bytes().to_vec())
            .bind(now.0)
            .fetch_all(&self.read)
            .await?;
        rows.iter().map(stored).collect()
    }

    /// The answers about an AS that count at `now`.
    ///
    /// # Errors
    /// The database's.
    pub async fn answers_about(
        &self,
        asn: u32,
        now: Timestamp,
    ) -> Result<Vec<StoredAnswer>, Error> {
        let sql = format!(
            "SELECT {COLUMNS} FROM answer WHERE about_asn = $1 AND counts_until > $2 ORDER BY id"
        );
        let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
            .bind(i64::from(asn))
            .bind(now.0)
            .fetch_all(&self.read)
            .await?;
        rows.iter().map(stored).collect()
    }
}

/// Nothing was found: the range is only the block about the address that was asked for.
fn is_block(answer: &Answer) -> bool {
    answer.name.is_empty()
        && answer.holder.is_empty()
        && answer.country.is_empty()
        && matches!(answer.outcome, AnswerOutcome::None | AnswerOutcome::Fault)
}

/// What the letter says of the network comes from here. A table that staff loaded goes before.
async fn put_network(
    tx: &mut Transaction<'static, sqlx::Any>,
    answer: &Answer,
    range: AddressRange,
) -> Result<(), Error> {
    let (first, last) = range.to_bytes();
    sqlx::query(
        "INSERT INTO network (first, last, name, holder, country, asn, handle, registry, locale, source, told_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, '', $9, $10)
         ON CONFLICT (first, last) DO UPDATE
         SET name = CASE WHEN network.source = excluded.source OR network.name = ''
                         THEN excluded.name ELSE network.name END,
             holder = CASE WHEN network.source = excluded.source OR network.holder = ''
                           THEN excluded.holder ELSE network.holder END,
             country = CASE WHEN excluded.country <> '' AND (network.source = excluded.source OR network.country = '')
                            THEN excluded.country ELSE network.country END,
             asn = COALESCE(network.asn, excluded.asn),
             handle = CASE WHEN network.source = excluded.source OR network.handle = ''
                           THEN excluded.handle ELSE network.handle END,
             registry = CASE WHEN network.registry = '' THEN excluded.registry ELSE network.registry END",
    )
    .bind(first.to_vec())
    .bind(last.to_vec())
    .bind(answer.name.as_str())
    .bind(answer.holder.as_str())
    .bind(answer.country.as_str())
    .bind(answer.origin.map(i64::from))
    .bind(answer.handles.first().map_or("", String::as_str))
    .bind(answer.registry.as_str())
    .bind(answer.source.as_str())
    .bind(answer.asked_at.0)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

fn key(subject: Subject) -> (i64, Vec<u8>, Vec<u8>) {
    match subject {
        Subject::As(asn) => (i64::from(asn), Vec::new(), Vec::new()),
        Subject::Range(range) => {
            let (first, last) = range.to_bytes();
            (0, first.to_vec(), last.to_vec())
        }
    }
}

fn joined(mailboxes: &[Mailbox]) -> String {
    let texts: Vec<&str> = mailboxes.iter().map(Mailbox::as_str).collect();
    texts.join(" ")
}

fn stored(row: &sqlx::any::AnyRow) -> Result<StoredAnswer, Error> {
    let words = |column: &str| -> Result<Vec<String>, Error> {
        let text: String = row.try_get(column)?;
        Ok(text.split_whitespace().map(str::to_owned).collect())
    };
    let number = |column: &str| -> Result<Option<u32>, Error> {
        let number: Option<i64> = row.try_get(column)?;
        Ok(number.and_then(|number| u32::try_from(number).ok()))
    };
    let outcome: String = row.try_get("outcome")?;
    let mailboxes = words("mailboxes")?;
    let outcome = match (outcome.as_str(), Tier::from_text(&outcome)) {
        ("form", _) => AnswerOutcome::Form(row.try_get("form")?),
        ("fault", _) => AnswerOutcome::Fault,
        (_, Some(tier)) if !mailboxes.is_empty() => {
            let mailboxes: Result<Vec<Mailbox>, Error> =
                mailboxes.iter().map(|text| parse_mailbox(text)).collect();
            AnswerOutcome::Contact(tier, mailboxes?)
        }
        _ => AnswerOutcome::None,
    };
    let about = number("about_asn")?.filter(|asn| *asn > 0);
    let subject = match about {
        Some(asn) => Subject::As(asn),
        None => {
            let first: Vec<u8> = row.try_get("first")?;
            let last: Vec<u8> = row.try_get("last")?;
            Subject::Range(range(&first, &last)?)
        }
    };
    Ok(StoredAnswer {
        id: row.try_get("id")?,
        answer: Answer {
            source: row.try_get("source")?,
            subject,
            server: row.try_get("server")?,
            outcome,
            name: row.try_get("name")?,
            holder: row.try_get("holder")?,
            country: row.try_get("country")?,
            origin: number("origin_asn")?,
            registry: row.try_get("registry")?,
            handles: words("handles")?,
            reason: row.try_get("reason")?,
            asked_at: Timestamp(row.try_get("asked_at")?),
            counts_until: Timestamp(row.try_get("counts_until")?),
        },
    })
}
