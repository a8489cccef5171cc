//! A copy put in the database's place; what it thinks is unsent is held, for it cannot know.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::json;
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _};

use super::audit::Entry;
use super::backup::{beside, check_file, create_private, expect_free, sync_folder, told, url_of};
use super::dumped::Schema;
use super::engine::Engine;
use super::{Error, Store, Upgrade};
use crate::model::{AuditEnd, Origin, Timestamp};

/// Numbers of notices, and so of tickets, that are left out: those sent after the copy was taken may bear them.
const GAP: i64 = 100_000;

/// Who restores, and what is to be done.
#[derive(Clone, Debug)]
pub struct Restoring<'a> {
    pub url: &'a str,
    pub file: &'a Path,
    /// Whether a database may be there: it is kept under another name.
    pub replace: bool,
    pub by: &'a str,
    pub from: Origin,
    pub now: Timestamp,
    /// Whether what was cut off while the copy was taken waits for a person.
    pub hold_uncertain: bool,
}

/// What restoring did.
#[derive(Clone, Debug, Serialize)]
pub struct Restored {
    pub file: PathBuf,
    /// Where the database that was there is now.
    pub kept_as: Option<String>,
    pub upgrade: Upgrade,
    /// Rows in each table, as in the copy.
    pub rows: BTreeMap<&'static str, i64>,
    /// Letters that somebody had claimed when the copy was taken.
    pub given_back: u64,
    pub held: Vec<Held>,
}

/// A campaign of which nothing leaves until somebody says so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Held {
    pub campaign: String,
    pub restored_at: Timestamp,
    /// Its letters that the copy thinks are unsent.
    pub letters: i64,
}

impl Store {
    /// Puts a copy in the place of the database, brings it up to date, gives back what was claimed in it, and
    /// holds all that is unsent.
    ///
    /// # Errors
    /// [`Error::Refused`] where a database is there and is not to be replaced, where others work with it, or the
    /// file is no copy for it; [`Error::Database`] where the file is damaged. Then all is as it was.
    pub async fn restore(restoring: &Restoring<'_>) -> Result<Restored, Error> {
        sqlx::any::install_default_drivers();
        let engine = Engine::of(restoring.url)?;
        expect_copy_for(engine, restoring.file)?;
        match engine {
            Engine::Sqlite => restore_file(restoring).await,
            Engine::Postgres => restore_dump(restoring).await,
        }
    }

    /// Whether it could be restored: the file is a copy for this database, and its place is free.
    ///
    /// # Errors
    /// As [`restore`](Self::restore).
    pub async fn foresee_restore(restoring: &Restoring<'_>) -> Result<(), Error> {
        sqlx::any::install_default_drivers();
        let engine = Engine::of(restoring.url)?;
        expect_copy_for(engine, restoring.file)?;
        match engine {
            Engine::Sqlite => expect_free(&file_of(restoring.url), restoring.replace),
            Engine::Postgres => {
                let mut schema = Schema::of(restoring.url).await?;
                schema.expect_free(restoring.replace).await
            }
        }
    }

    /// The campaigns that came out of a copy and were not released.
    ///
    /// # Errors
    /// The database's.
    pub async fn held_since_restore(&self) -> Result<Vec<Held>, Error> {
        let rows: Vec<(String, i64, i64)> = sqlx::query_as(
            "SELECT name, restored_at,
                    (SELECT COUNT(*) FROM delivery
                     WHERE campaign_id = campaign.id AND state IN ('ready', 'scheduled', 'leased'))
             FROM campaign WHERE restored_at IS NOT NULL ORDER BY id",
        )
        .fetch_all(&self.read)
        .await?;
        let held = |(campaign, at, letters)| Held {
            campaign,
            restored_at: Timestamp(at),
            letters,
        };
        Ok(rows.into_iter().map(held).collect())
    }

    /// Lets the letters of a campaign, or of all, leave again.
    ///
    /// # Errors
    /// [`Error::NotFound`] where there is no such campaign.
    pub async fn release_restored(
        &self,
        campaign: Option<&str>,
        by: &str,
        now: Timestamp,
    ) -> Result<Vec<Held>, Error> {
        if let Some(name) = campaign {
            self.campaign(name).await?;
        }
        let mut held = self.held_since_restore().await?;
        held.retain(|one| campaign.is_none_or(|name| name == one.campaign));
        let mut tx = self.act(by, now).await?;
        let released = sqlx::query(
            "UPDATE campaign SET restored_at = NULL
             WHERE restored_at IS NOT NULL AND ($1 = '' OR name = $1)",
        )
        .bind(campaign.unwrap_or_default())
        .execute(&mut *tx)
        .await?;
        if released.rows_affected() == 0 {
            tx.nothing_decided().await?;
            return Ok(Vec::new());
        }
        let entry = Entry::new("restore release", campaign.unwrap_or("all campaigns"));
        tx.written(entry.before(&held)).await?;
        Ok(held)
    }

    /// What a copy must forget of the moment in which it was taken, and what it must not do.
    async fn settle_in(
        &self,
        restoring: &Restoring<'_>,
        before: Option<AuditEnd>,
        file: &str,
    ) -> Result<(u64, Vec<Held>), Error> {
        let now = restoring.now;
        let mut tx = self.act(restoring.by, now).await?;
        // First of all: from here on nothing leaves, whoever opens it.
        sqlx::query("UPDATE campaign SET restored_at = $1 WHERE state <> 'cancelled'")
            .bind(now.0)
            .execute(&mut *tx)
            .await?;
        let given_back = sqlx::query("UPDATE delivery SET lease_until = $1 WHERE state = 'leased'")
            .bind(now.0 - 1)
            .execute(&mut *tx)
            .await?
            .rows_affected();
        for table in ["worker", "seat", "resolving", "question"] {
            let sql = format!("DELETE FROM {table}");
            sqlx::query(AssertSqlSafe(sql)).execute(&mut *tx).await?;
        }
        for sql in self.engine.skip_notices() {
            sqlx::query(*sql).bind(GAP).execute(&mut *tx).await?;
        }
        let entry = Entry::new("restore", file)
            .before(before)
            .after(json!({ "given_back": given_back }));
        tx.written(entry).await?;
        self.rescue(now, restoring.hold_uncertain).await?;
        Ok((given_back, self.held_since_restore().await?))
    }
}

/// Made ready beside its place, so that whatever goes wrong leaves what was there.
async fn restore_file(restoring: &Restoring<'_>) -> Result<Restored, Error> {
    let place = file_of(restoring.url);
    expect_free(&place, restoring.replace)?;
    let ready = beside(&place, "restoring");
    let done = match ready_file(restoring, &place, &ready).await {
        Ok(done) => done,
        Err(error) => {
            for ending in ["", "-wal", "-shm", ".lock"] {
                let _ = fs::remove_file(format!("{}{ending}", ready.display()));
            }
            return Err(error);
        }
    };
    let _ = fs::remove_file(beside(&ready, "lock"));
    Ok(done)
}

async fn ready_file(
    restoring: &Restoring<'_>,
    place: &Path,
    ready: &Path,
) -> Result<Restored, Error> {
    // Nobody else opens what is there as long as this is held.
    let alone = match place.exists() {
        true => Some(alone_with(place).await?),
        false => None,
    };
    if beside_wal(place).exists() {
        return Err(Error::Refused(format!(
            "{} is left of another database, and would be taken for this one's: move it away first",
            beside_wal(place).display()
        )));
    }
    let before = alone.as_ref().and_then(|alone| alone.audit.clone());
    let mut to = create_private(ready).map_err(|error| told(ready, &error))?;
    let copied = File::open(restoring.file).and_then(|mut from| io::copy(&mut from, &mut to));
    copied
        .and_then(|_| to.sync_all())
        .map_err(|error| told(restoring.file, &error))?;
    check_file(ready).await?;
    let (store, upgrade) = Store::upgrade(&url_of(ready)?).await?;
    let rows = store.rows().await?;
    let store = store.acting_from(restoring.from.clone());
    let name = restoring.file.display().to_string();
    let (given_back, held) = store.settle_in(restoring, before, &name).await?;
    store.close().await;
    if beside_wal(ready).exists() {
        return Err(Error::Database(format!(
            "{}: its log was not written back",
            ready.display()
        )));
    }
    let mut kept_as = None;
    if let Some(alone) = alone {
        as_it_was(place, ready).map_err(|error| told(ready, &error))?;
        let stamp = restoring.now.to_string().replace(['-', ':'], "");
        let old = beside(place, &format!("replaced-{stamp}"));
        // A second name, so that there is a database under the first at every moment.
        fs::hard_link(place, &old)
            .or_else(|_| fs::rename(place, &old))
            .map_err(|error| told(place, &error))?;
        kept_as = Some(old.display().to_string());
        fs::rename(ready, place).map_err(|error| told(place, &error))?;
        alone.connection.close().await?;
    } else {
        fs::rename(ready, place).map_err(|error| told(place, &error))?;
    }
    sync_folder(place).map_err(|error| told(place, &error))?;
    Ok(Restored {
        file: restoring.file.to_owned(),
        kept_as,
        upgrade,
        rows,
        given_back,
        held,
    })
}

/// A file of SQLite that nobody else has open.
struct Alone {
    connection: AnyConnection,
    audit: Option<AuditEnd>,
}

/// Leaving the write-ahead log takes a file of one's own, and writes the log back into it.
async fn alone_with(place: &Path) -> Result<Alone, Error> {
    let url = format!("{}?mode=rw", url_of(place)?);
    let in_use = |error: &dyn std::fmt::Display| {
        Error::Refused(format!(
            "{} is in use ({error}): stop `lapwing serve` and whatever else works with it first",
            place.display()
        ))
    };
    let mut connection = AnyConnection::connect(&url).await?;
    let audit: Result<(i64, String), _> =
        sqlx::query_as("SELECT number, digest FROM audit_end WHERE id = 1")
            .fetch_one(&mut connection)
            .await;
    let mode: Result<String, sqlx::Error> = sqlx::query_scalar("PRAGMA journal_mode = DELETE")
        .fetch_one(&mut connection)
        .await;
    match mode {
        Ok(mode) if mode == "delete" => {}
        Ok(mode) => return Err(in_use(&mode)),
        Err(error) => match Error::from(error) {
            error @ Error::Unavailable(_) => return Err(in_use(&error)),
            error => return Err(error),
        },
    }
    let begun = sqlx::query("BEGIN EXCLUSIVE")
        .execute(&mut connection)
        .await;
    begun.map_err(|error| in_use(&error))?;
    let audit = audit.ok();
    Ok(Alone {
        connection,
        audit: audit.map(|(number, digest)| AuditEnd { number, digest }),
    })
}

async fn restore_dump(restoring: &Restoring<'_>) -> Result<Restored, Error> {
    let mut schema = Schema::of(restoring.url).await?;
    schema.expect_free(restoring.replace).await?;
    let before = schema.audit_end().await;
    let stamp = restoring.now.to_string().replace(['-', ':'], "");
    let kept_as = schema.put_aside(&stamp.to_lowercase()).await?;
    let done = async {
        schema
            .read(restoring.url, restoring.file, restoring.now)
            .await?;
        let (store, upgrade) = Store::upgrade(restoring.url).await?;
        let rows = store.rows().await?;
        let store = store.acting_from(restoring.from.clone());
        let name = restoring.file.display().to_string();
        let (given_back, held) = store.settle_in(restoring, before, &name).await?;
        store.close().await;
        Ok(Restored {
            file: restoring.file.to_owned(),
            kept_as: kept_as.clone(),
            upgrade,
            rows,
            given_back,
            held,
        })
    };
    let done = done.await;
    if done.is_err() {
        schema.take_back(kept_as.as_deref()).await?;
    }
    schema.close().await?;
    done
}

/// # Errors
/// [`Error::Refused`] when it is not there, no copy, or one of the other engine.
fn expect_copy_for(engine: Engine, file: &Path) -> Result<(), Error> {
    let mut begin = Vec::new();
    let read = File::open(file).and_then(|file| file.take(16).read_to_end(&mut begin));
    read.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Error::NotFound {
            what: "file",
            name: file.display().to_string(),
        },
        _ => told(file, &error),
    })?;
    let is_of = match begin.as_slice() {
        [b'P', b'G', b'D', b'M', b'P', ..] => Some(Engine::Postgres),
        begin if begin.starts_with(b"SQLite format 3\0") => Some(Engine::Sqlite),
        _ => None,
    };
    let name = |engine| match engine {
        Engine::Sqlite => "SQLite",
        Engine::Postgres => "PostgreSQL",
    };
    match is_of {
        Some(of) if of == engine => Ok(()),
        Some(of) => Err(Error::Refused(format!(
            "{} is a copy of a database in {}, and this one is in {}: name one with --database",
            file.display(),
            name(of),
            name(engine)
        ))),
        None => Err(Error::Refused(format!(
            "{} is no copy that lapwing backup has made",
            file.display()
        ))),
    }
}

/// Whoever could read and write the old file can do so with the new one.
fn as_it_was(old: &Path, new: &Path) -> io::Result<()> {
    let old = old.metadata()?;
    fs::set_permissions(new, old.permissions())?;
    // Only root may give it away; for anybody else it is their own.
    let _ = std::os::unix::fs::chown(new, Some(old.uid()), Some(old.gid()));
    Ok(())
}

fn beside_wal(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push("-wal");
    PathBuf::from(name)
}

/// The file that a URL of SQLite names.
fn file_of(url: &str) -> PathBuf {
    let file = url.trim_start_matches("sqlite:").trim_start_matches("//");
    PathBuf::from(file)
}
