//! All that is remembered, in one database; every line of SQL stands in this folder.
//!
//! One method is one fact in one transaction, and no transaction leaves the folder. The store
//! knows neither its callers nor SMTP, HTTP or the command line. Where SQLite and PostgreSQL must
//! be spoken to differently, `engine` does it.

mod addressees;
mod again;
mod answers;
mod attempts;
mod audit;
mod backup;
mod campaigns;
mod decisions;
mod dumped;
mod engine;
mod exchangers;
mod facts;
mod fence;
mod findings;
mod holds;
mod imports;
mod incoming;
mod letters;
mod mailboxes;
mod networks;
mod notices;
mod overrides;
mod overview;
mod pace;
mod programs;
mod prunable;
mod prune;
mod queue;
mod readings;
mod registered;
mod registries;
mod reminders;
mod replies;
mod resolving;
mod restore;
mod rounds;
mod runs;
mod said;
mod samples;
mod schedules;
mod secrets;
mod signatories;
mod statistics;
mod steps;
mod suppressions;
mod suspects;
mod systems;
mod taken;
mod together;
mod tokens;
mod told;
mod upgrade;
mod waves;
mod workers;

use std::sync::Arc;
use std::time::Duration;

use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::{Any, AnyConnection, AnyPool, Connection as _, Transaction};

use crate::model::Origin;
use crate::retry;
use engine::Engine;
use fence::Fence;

pub use addressees::StoredAddressee;
pub use again::{EndedFor, Retried, Retry};
pub use answers::StoredAnswer;
pub use audit::{AuditFilter, AuditVerified};
pub use backup::Copied;
pub use exchangers::StoredExchangers;
pub use facts::{Fact, Finish, Granted, Pen};
pub(crate) use findings::parse_mailbox;
pub use imports::ImportCounts;
pub use incoming::Kept;
pub use letters::{LetterFilter, LetterLine};
pub use networks::{Outline, StoredNetwork, TableLoad};
pub use notices::{NoticeLine, TicketPart};
pub use overview::Overview;
pub use pace::PutBack;
pub use prunable::{Amount, Old, Prunable, Retention};
pub use queue::Claimed;
pub use readings::{Addressed, Judgement};
pub use registries::RegistryLine;
pub use reminders::FirstLetter;
pub use replies::{ReplyFilter, ReplyLine};
pub use restore::{Held, Restored, Restoring};
pub use rounds::Round;
pub use runs::Claim;
pub use samples::SampleKey;
pub use statistics::{CountryLine, EndedView, FindingLine, QueueView, Tally, Totals};
pub use suspects::{Piece, SuspectRow, Waiting};
pub use systems::StoredSystem;
pub use upgrade::Upgrade;
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
    /// From where those act who decide.
    from: Arc<Origin>,
    /// For the work of a run: only while it is its worker's.
    fence: Option<Fence>,
}

impl Store {
    async fn connect(url: &str, create: bool) -> Result<Self, Error> {
        sqlx::any::install_default_drivers();
        let engine = Engine::of(url)?;
        let url = engine.full_url(url, create)?;
        let options: AnyConnectOptions = url
            .parse()
            .map_err(|error: sqlx::Error| Error::Url(error.to_string()))?;
        // A pool tries for half a minute what will never work; one connection says why at once. It stays until
        // there are others: whoever leaves an SQLite file last copies its journal back into it.
        let first = retry::patiently(PATIENCE, Error::is_passing, || async {
            let mut connection = AnyConnection::connect_with(&options).await?;
            engine::prepare(engine, &mut connection).await?;
            Ok(connection)
        });
        let first = first
            .await
            .map_err(|error: Error| engine.explain(error, &url, create))?;
        let pool = |connections: u32| {
            let pool = AnyPoolOptions::new()
                .max_connections(connections)
                // A file does not hang up.
                .test_before_acquire(engine == Engine::Postgres)
                .acquire_timeout(Duration::from_secs(30))
                .after_connect(move |connection, _| Box::pin(engine::prepare(engine, connection)));
            engine::drop_poisoned(pool)
        };
        let connect = |connections: u32| pool(connections).connect_with(options.clone());
        let (write, read) = match engine {
            Engine::Sqlite => (connect(1).await?, connect(4).await?),
            Engine::Postgres => {
                let pool = connect(16).await?;
                (pool.clone(), pool)
            }
        };
        first.close().await?;
        Ok(Self {
            engine,
            write,
            read,
            from: Arc::default(),
            fence: None,
        })
    }

    /// Gives the connections back; what is under way ends first.
    pub async fn close(&self) {
        self.write.close().await;
        self.read.close().await;
    }

    async fn begin(&self) -> Result<Transaction<'static, Any>, Error> {
        let mut tx = self.write.begin_with(self.engine.begin()).await?;
        if let Some(fence) = &self.fence {
            fence.let_through(self.engine, &mut tx).await?;
        }
        Ok(tx)
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
    /// It is not for this person to do; the text says for whom.
    #[error("{0}")]
    Forbidden(String),
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
                // 40 (rolled back for the sake of another), 25P03 (asleep in a transaction for too long).
                Some(code) if is_passing_in_sqlite(code) => {
                    Self::Unavailable(told.message().to_owned())
                }
                Some(code)
                    if ["08", "25P03", "40", "53", "57P"]
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
