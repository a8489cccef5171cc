//! Campaigns of which every letter is approved and waits to be sent, made by the program itself.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};
use lapwing::send::{self, Built};
use lapwing::store::Store;
use sqlx::{Connection as _, PgConnection};
use tokio::runtime::Runtime;

use crate::cluster::{self, Database};
use crate::postfix::{self, Cost};
use crate::{CONNECTIONS, LETTERS, ROWS, made};

/// Which letters.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Words {
    /// As shipped, to eight countries: in two languages, with all that is advised.
    Shipped,
    /// In one language, with the table and little more, as other programs send them.
    Short,
}

impl Words {
    const fn countries(self) -> &'static [&'static str] {
        match self {
            Self::Shipped => &["US", "DE", "JP", "BR", "FR", "KR", "CN", "ES"],
            Self::Short => &["US"],
        }
    }

    const fn templates(self) -> &'static str {
        match self {
            Self::Shipped => "",
            Self::Short => concat!(env!("CARGO_MANIFEST_DIR"), "/tests/bench/short"),
        }
    }

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Shipped => "letters as shipped",
            Self::Short => "short letters",
        }
    }
}
/// Approved letters in a database of their own.
pub(crate) struct Campaign {
    folder: tempfile::TempDir,
    url: String,
    words: Words,
    /// Dropped with the campaign.
    _database: Option<Database>,
}

impl Campaign {
    pub(crate) fn on_sqlite(letters: usize, words: Words) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let url = format!("sqlite:{}", folder.path().join("lapwing.db").display());
        Self::approved(folder, url, None, (letters, words))
    }

    /// `None` where PostgreSQL is not installed, which is said.
    pub(crate) fn on_postgres(letters: usize, words: Words) -> Result<Option<Self>> {
        let Some(database) = cluster::database() else {
            return Ok(None);
        };
        wait_for_the_disk(&database.url())?;
        let folder = tempfile::tempdir()?;
        Self::approved(folder, database.url(), Some(database), (letters, words)).map(Some)
    }

    fn approved(
        folder: tempfile::TempDir,
        url: String,
        database: Option<Database>,
        (letters, words): (usize, Words),
    ) -> Result<Self> {
        made::furnish(folder.path(), letters, ROWS, words.countries())?;
        let campaign = Self {
            folder,
            url,
            words,
            _database: database,
        };
        let settings = campaign.settings();
        for line in [
            "init",
            "table load table.csv",
            "campaign new bench",
            "import bench feed.csv",
            "resolve bench",
            "compose bench",
            "--as author campaign submit bench",
            "--as reviewer campaign approve bench",
        ] {
            made::lapwing(campaign.folder.path(), line, &settings)?;
        }
        Ok(campaign)
    }

    fn settings(&self) -> [(&str, &str); 5] {
        [
            ("LAPWING_LETTER__TEMPLATES", self.words.templates()),
            ("LAPWING_DATABASE_URL", &self.url),
            ("LAPWING_SENDER__NAME", "Agency of the Coalition"),
            ("LAPWING_SENDER__ADDRESS", "notices@agency.example"),
            ("LAPWING_SEND__TRANSPORT", "smtp"),
        ]
    }

    /// `lapwing send`, to be started.
    pub(crate) fn furnish(&self, command: &mut Command, port: u16, connections: usize) {
        command
            .current_dir(self.folder.path())
            .args(["send", "bench", "--quiet"])
            .envs(self.settings())
            .env("LAPWING_SMTP__PORT", port.to_string())
            .env("LAPWING_SEND__CONNECTIONS", connections.to_string());
    }

    pub(crate) fn send(&self, to: SocketAddr) -> Result<Cost> {
        let mut command = postfix::timed(Path::new(env!("CARGO_BIN_EXE_lapwing")));
        self.furnish(&mut command, to.port(), CONNECTIONS);
        let cost = Cost::of(&mut command)?;
        self.all_accepted()?;
        Ok(cost)
    }

    /// Its letters as they leave.
    pub(crate) fn built(&self) -> Result<Vec<Built>> {
        let letters = Runtime::new()?.block_on(async {
            let store = Store::open(&self.url).await?;
            let campaign = store.campaign("bench").await?;
            store.letters(campaign.id, 0, LETTERS as i64).await
        })?;
        let built = |letter| {
            let message = send::message(&letter).map_err(anyhow::Error::msg)?;
            Ok(Built { letter, message })
        };
        letters.into_iter().map(built).collect()
    }

    /// A run that left letters behind would be a fast one.
    pub(crate) fn all_accepted(&self) -> Result<()> {
        let runtime = Runtime::new()?;
        let state = runtime.block_on(async {
            let store = Store::open(&self.url).await?;
            Ok::<_, anyhow::Error>(store.campaign("bench").await?.state)
        })?;
        ensure!(state.as_str() == "settled", "the campaign is {state}");
        Ok(())
    }
}

/// The tests' server does not; whoever sends letters must.
pub(crate) fn wait_for_the_disk(url: &str) -> Result<()> {
    Runtime::new()?.block_on(async {
        let mut connection = PgConnection::connect(url).await?;
        for sql in ["ALTER SYSTEM SET fsync = on", "SELECT pg_reload_conf()"] {
            sqlx::raw_sql(sql).execute(&mut connection).await?;
        }
        Ok(connection.close().await?)
    })
}
