//! The database made, or brought up to date, by one process at a time.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;

use serde::Serialize;
use sqlx::Connection as _;
use sqlx::migrate::MigrateError;
use sqlx::pool::PoolConnection;
use sqlx::{Any, AnyConnection};

use super::engine::{self, Engine};
use super::{Error, Store};

/// Chance, and the same in every version: whoever holds it on PostgreSQL upgrades.
pub(super) const LOCK: i64 = 0x6c61_7077_696e_6721;

/// What an upgrade did, or has to do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Upgrade {
    /// The last step that was there before; 0: there was no database.
    pub from: i64,
    /// The last step that this version knows.
    pub to: i64,
    /// `0025 audit`.
    pub steps: Vec<String>,
}

impl Upgrade {
    /// # Errors
    /// [`Error::NotReady`] when it is a newer version's.
    fn after(applied: &[i64], engine: Engine) -> Result<Self, Error> {
        let migrator = engine::migrator(engine);
        let known: BTreeMap<i64, String> = migrator
            .iter()
            .map(|step| {
                let name = step.description.replace('_', " ");
                (step.version, format!("{:04} {name}", step.version))
            })
            .collect();
        if let Some(unknown) = applied.iter().rev().find(|step| !known.contains_key(*step)) {
            return Err(Error::NotReady(format!(
                "the database is not of this version: a newer lapwing has made it (step {unknown}); use that one"
            )));
        }
        let to = known.keys().next_back().copied().unwrap_or_default();
        let missing = known
            .into_iter()
            .filter(|(step, _)| !applied.contains(step));
        Ok(Self {
            from: applied.last().copied().unwrap_or_default(),
            to,
            steps: missing.map(|(_, name)| name).collect(),
        })
    }
}

impl Store {
    /// Opens a database that [`create`](Self::create) has made.
    ///
    /// # Errors
    /// [`Error::NotReady`] when it is missing or of another version, [`Error::Unavailable`] when
    /// it cannot be reached now.
    pub async fn open(url: &str) -> Result<Self, Error> {
        let store = Self::connect(url, false).await?;
        store.ready().await?;
        Ok(store)
    }

    /// Whether the database answers, and is of this version.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub async fn ready(&self) -> Result<(), Error> {
        let applied = self.applied().await?;
        let upgrade = Upgrade::after(&applied, self.engine)?;
        match (upgrade.from, upgrade.steps.len()) {
            (_, 0) => Ok(()),
            (0, _) => Err(Error::NotReady(
                "there is nothing in the database yet; run `lapwing init`".to_owned(),
            )),
            (_, steps) => Err(Error::NotReady(format!(
                "the database is not of this version, {steps} steps behind; run `lapwing migrate`"
            ))),
        }
    }

    /// Opens a database, makes it where there is none, and brings it up to date. Safe when two
    /// start at once.
    ///
    /// # Errors
    /// As [`open`](Self::open); and [`Error::Database`] when a migration fails.
    pub async fn create(url: &str) -> Result<Self, Error> {
        Ok(Self::upgrade(url).await?.0)
    }

    /// The same; says what there was to do. Of two who start at once, one does it.
    ///
    /// # Errors
    /// As [`create`](Self::create).
    pub async fn upgrade(url: &str) -> Result<(Self, Upgrade), Error> {
        let store = Self::connect(url, true).await?;
        let _file = store.lock_file(url).await?;
        let session = store.lock_session().await?;
        let applied = store.applied().await?;
        let upgrade = Upgrade::after(&applied, store.engine)?;
        let migrated = engine::migrator(store.engine)
            .run(&store.write)
            .await
            .map_err(|error| match error {
                MigrateError::Execute(error) => Error::from(error),
                other => Error::Database(format!("bringing the database up to date: {other}")),
            });
        // A session that ends gives its lock back.
        if let Some(session) = session {
            AnyConnection::close(session.detach()).await?;
        }
        migrated?;
        Ok((store, upgrade))
    }

    /// What [`upgrade`](Self::upgrade) would do. Nothing is made.
    ///
    /// # Errors
    /// As [`open`](Self::open), but for a database that is to be made or upgraded.
    pub async fn foresee_upgrade(url: &str) -> Result<Upgrade, Error> {
        let engine = Engine::of(url)?;
        let store = match Self::connect(url, false).await {
            Err(Error::NotReady(_)) if engine == Engine::Sqlite => {
                return Upgrade::after(&[], engine);
            }
            store => store?,
        };
        let applied = store.applied().await;
        store.close().await;
        Upgrade::after(&applied?, engine)
    }

    /// Held until it is dropped. It is waited for on a thread beside the workers, for whoever holds
    /// it needs one of those to finish.
    async fn lock_file(&self, url: &str) -> Result<Option<File>, Error> {
        if self.engine == Engine::Postgres {
            return Ok(None);
        }
        let file = url.trim_start_matches("sqlite:").trim_start_matches("//");
        let path = format!("{file}.lock");
        let wait = {
            let path = path.clone();
            move || File::create(path).and_then(|file| file.lock().map(|()| file))
        };
        let lock = tokio::task::spawn_blocking(wait).await;
        lock.map_err(io::Error::other)
            .flatten()
            .map(Some)
            .map_err(|error| Error::Unavailable(format!("{path}: {error}")))
    }

    /// PostgreSQL's own lock, for the session that is handed back; SQLite has a file for it.
    async fn lock_session(&self) -> Result<Option<PoolConnection<Any>>, Error> {
        if self.engine == Engine::Sqlite {
            return Ok(None);
        }
        let mut session = self.write.acquire().await?;
        sqlx::query("SELECT pg_advisory_lock($1)")
            .bind(LOCK)
            .execute(&mut *session)
            .await?;
        Ok(Some(session))
    }

    /// The steps that were done, in their order; none where there is no database yet.
    async fn applied(&self) -> Result<Vec<i64>, Error> {
        let applied = sqlx::query_scalar(
            "SELECT version FROM _sqlx_migrations WHERE success = TRUE ORDER BY version",
        )
        .fetch_all(&self.write)
        .await;
        match applied.map_err(Error::from) {
            Err(Error::Database(_)) => Ok(Vec::new()),
            applied => applied,
        }
    }
}
