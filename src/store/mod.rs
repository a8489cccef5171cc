//! All that is remembered, in one database; every line of SQL stands in this folder.
//!
//! One method is one fact in one transaction, and no transaction leaves the folder. The store
//! knows neither its callers nor SMTP, HTTP or the command line. Where SQLite and PostgreSQL must
//! be spoken to differently, `engine` does it.

mod addressees;
mod again;
mod answers;
mod attempts;
mod campaigns;
mod engine;
mod exchangers;
mod findings;
mod holds;
mod imports;
mod incoming;
mod letters;
mod mailboxes;
mod networks;
mod notices;
mod overrides;
mod pace;
mod queue;
mod readings;
mod registered;
mod registries;
mod reminders;
mod replies;
mod resolving;
mod runs;
mod samples;
mod schedules;
mod secrets;
mod signatories;
mod statistics;
mod suppressions;
mod suspects;
mod systems;
mod taken;
mod tokens;
mod told;
mod waves;
mod workers;

use std::time::Duration;

use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::migrate::MigrateError;
use sqlx::{Any, AnyConnection, AnyPool, Connection as _, Transaction};

use crate::retry;
use engine::Engine;

pub use addressees::StoredAddressee;
pub use again::{EndedFor, Retried, Retry};
pub use answers::StoredAnswer;
pub use attempts::{Fact, Finish, Granted};
pub use exchangers::StoredExchangers;
pub(crate) use findings::parse_mailbox;
pub use imports::ImportCounts;
pub use incoming::Kept;
pub use letters::{LetterFilter, LetterLine};
pub use networks::{Outline, StoredNetwork, TableLoad};
pub use notices::{NoticeLine, TicketPart};
pub use pace::PutBack;
pub use queue::Claimed;
pub use readings::{Addressed, Judgement};
pub use registries::RegistryLine;
pub use reminders::FirstLetter;
pub use replies::{ReplyFilter, ReplyLine};
pub use runs::Claim;
pub use samples::SampleKey;
pub use statistics::{CountryLine, EndedView, FindingLine, QueueView, Tally, Totals};
pub use suspects::{Piece, SuspectRow, Waiting};
pub use systems::StoredSystem;
pub use waves::expect_unapproved;

/// How long a database that is just starting is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// The database, open and brought up to date.
#[derive(Clone, Debug)]
pub struct Store {
    engine: Engine,
    /// SQLite has one writer: several connections gain nothing and starve each other, so there is
    /// one, and readers stand apart. On PostgreSQL both are the same pool.
    write: AnyPool,
    read: AnyPool,
}

impl Store {
    /// Opens a database that `create` has made.
    ///
    /// # Errors
    /// [`Error::NotReady`] when it is missing or of another version, [`Error::Unavailable`] when
    /// it cannot be reached now.
    pub async fn open(url: &str) -> Result<Self, Error> {
        let store = Self::connect(url, false).await?;
        if store.pending_migrations().await? > 0 {
            return Err(Error::NotReady(
                "the database is not of this version; run `lapwing init`".to_owned(),
            ));
        }
        Ok(store)
    }

    /// Opens a database, makes it where there is none, and brings it up to date. Safe when two
    /// start at once.
    ///
    /// # Errors
    /// As [`open`](Self::open); and [`Error::Database`] when a migration fails.
    pub async fn create(url: &str) -> Result<Self, Error> {
        let store = Self::connect(url, true).await?;
        // PostgreSQL's migrator takes an advisory lock; SQLite's takes none, so a file does.
        let _lock = store.engine.lock_for_migration(url).await?;
        engine::migrator(store.engine)
            .run(&store.write)
            .await
            .map_err(|error| match error {
                MigrateError::Execute(error) => Error::from(error),
                other => Error::Database(format!("bringing the database up to date: {other}")),
            })?;
        Ok(store)
    }

    async fn connect(url: &str, create: bool) -> Result<Self, Error> {
        sqlx::any::install_default_drivers();
        let engine = Engine::of(url)?;
        let url = engine.full_url(url, create)?;
        let options: AnyConnectOptions = url
            .parse()
            .map_err(|error: sqlx::Error| Error::Url(error.to_string()))?;
        // A pool tries for half a minute what will never work; one connection says why at once.
        let first = retry::patiently(PATIENCE, Error::is_passing, || async {
            let mut connection = AnyConnection::connect_with(&options).await?;
            engine::prepare(engine, &mut connection).await?;
            Ok(connection.close().await?)
        });
        first
            .await
            .map_err(|error: Error| engine.explain(error, &url, create))?;
        let pool = |connections: u32| {
            let pool = AnyPoolOptions::new()
                .max_connections(connections)
                .acquire_timeout(Duration::from_secs(30))
                .after_connect(move |connection, _| Box::pin(engine::prepare(engine, connection)));
            engine::drop_poisoned(pool)
        };
        let connect = |connections: u32| pool(connections).connect_with(options.clone());
        Ok(match engine {
            Engine::Sqlite => {
                let write = connect(1).await?;
                let read = connect(4).await?;
                Self {
                    engine,
                    write,
                    read,
                }
            }
            Engine::Postgres => {
                let pool = connect(16).await?;
                Self {
                    engine,
                    write: pool.clone(),
                    read: pool,
                }
            }
        })
    }

    async fn pending_migrations(&self) -> Result<usize, Error> {
        let wanted = engine::migrator(self.engine).iter().count();
        let applied: Result<i64, _> =
            sqlx::query_scalar("SELECT COUNT(*) FROM _sqlx_migrations WHERE success = TRUE")
                .fetch_one(&self.read)
                .await;
        match applied.map_err(Error::from) {
            Ok(applied) => Ok(wanted.abs_diff(usize::try_from(applied).unwrap_or(0))),
            Err(passing) if passing.is_passing() => Err(passing),
            Err(_) => Ok(wanted),
        }
    }

    /// Gives the connections back; what is under way ends first.
    pub async fn close(&self) {
        self.write.close().await;
        self.read.close().await;
    }

    async fn begin(&self) -> Result<Transaction<'static, Any>, Error> {
        Ok(self.write.begin_with(self.engine.begin()).await?)
    }
}

type Connection = AnyConnection;

/// What can be wrong, by what one does about it.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("there is no {what} \"{name}\"")]
    NotFound { what: &'static str, name: String },
    #[error("there is a {what} \"{name}\" already")]
    Taken { what: &'static str, name: String },
    /// The state of things forbids it; the text says which and what to do.
    #[error("{0}")]
    Refused(String),
    /// No database yet, or one of another version.
    #[error("{0}")]
    NotReady(String),
    /// It may work later.
    #[error(
        "the database cannot be reached or written to now ({0}); nothing stored is lost: run the same again when it is back"
    )]
    Unavailable(String),
    /// The settings name no database that there can be.
    #[error("database.url: {0}")]
    Url(String),
    #[error("database: {0}")]
    Database(String),
}

impl Error {
    #[must_use]
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }

    fn not_found(what: &'static str, name: impl Into<String>) -> Self {
        Self::NotFound {
            what,
            name: name.into(),
        }
    }
}

/// SQLite: busy, locked, I/O, full; each with many shades, told in the higher bits. An SQLSTATE has five
/// signs, more than any of these.
fn is_passing_in_sqlite(code: &str) -> bool {
    let number = code.parse::<u32>().ok().filter(|_| code.len() < 5);
    number.is_some_and(|number| matches!(number & 0xff, 5 | 6 | 10 | 13))
}

impl From<sqlx::Error> for Error {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Io(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::Protocol(_) => Self::Unavailable(error.to_string()),
            sqlx::Error::Database(told) => match told.code().as_deref() {
                // SQLite: unable to open the file.
                Some("14") => Self::NotReady(told.message().to_owned()),
                // PostgreSQL: connection classes 08 and 57P, 53 (resources),
                // 40 (rolled back for the sake of another).
                Some(code) if is_passing_in_sqlite(code) => {
                    Self::Unavailable(told.message().to_owned())
                }
                Some(code)
                    if ["08", "40", "53", "57P"]
                        .iter()
                        .any(|class| code.starts_with(class)) =>
                {
                    Self::Unavailable(told.message().to_owned())
                }
                Some("3D000") => Self::NotReady(format!("{}; create it first", told.message())),
                _ => Self::Database(told.message().to_owned()),
            },
            _ => Self::Database(error.to_string()),
        }
    }
}
