//! A world to tell stories in: a database of its own, a clock, a mail server, the program itself.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use lapwing::approve;
use lapwing::compose;
use lapwing::config::{self, Config, RungName, SourceName, Transport};
use lapwing::intake::{self, Reading};
use lapwing::model::{Campaign, Clock, NewCampaign, Progress, Span, Terminal, Timestamp};
use lapwing::openpgp;
use lapwing::report::Report;
use lapwing::resolve;
use lapwing::send::{self, Courier};
use lapwing::sheet;
use lapwing::sink::{self, Sink};
use lapwing::store::{LetterFilter, LetterLine, Store};
use lapwing::templates::Templates;

use crate::cluster::{self, Database};

/// 2026-11-16T08:00:00Z, when every story begins.
pub(crate) const START: Timestamp = Timestamp(1_794_816_000_000);

/// Tells one story on SQLite and on PostgreSQL:
/// `story!(name, world, { world.feed("192.0.2.1").await; … });`
#[macro_export]
macro_rules! story {
    ($name:ident, $world:ident, $story:block) => {
        mod $name {
            #[allow(unused_imports, reason = "each story takes what it needs")]
            use super::*;

            #[allow(unused_mut, reason = "not every story changes its world")]
            async fn tell(mut $world: $crate::world::World) $story

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn sqlite() {
                tell($crate::world::World::on_sqlite().await).await;
            }

            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn postgres() {
                if let Some(world) = $crate::world::World::on_postgres().await {
                    tell(world).await;
                }
            }
        }
    };
}

pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) url: String,
    pub(crate) now: Timestamp,
    pub(crate) sink: Sink,
    pub(crate) config: Config,
    /// Templates that go before the shipped ones.
    pub(crate) templates: PathBuf,
    /// Who has read which language; nobody any, and nothing reaches anybody.
    pub(crate) review: approve::Review,
    dir: tempfile::TempDir,
    /// Dropped with the world.
    _database: Option<Database>,
}

/// How a command of the program ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl World {
    pub(crate) async fn on_sqlite() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", dir.path().join("lapwing.db").display());
        Self::new(dir, url, None).await
    }

    pub(crate) async fn on_postgres() -> Option<Self> {
        let database = cluster::database()?;
        let dir = tempfile::tempdir().unwrap();
        Some(Self::new(dir, database.url(), Some(database)).await)
    }

    /// On a database that is somebody else's to drop.
    pub(crate) async fn on(url: String) -> Self {
        Self::new(tempfile::tempdir().unwrap(), url, None).await
    }

    async fn new(dir: tempfile::TempDir, url: String, database: Option<Database>) -> Self {
        let store = Store::create(&url).await.unwrap();
        let sink = Sink::start(([127, 0, 0, 1], 0).into(), sink::Options::default())
            .await
            .unwrap();
        let mut config = config::load(Some(Path::new("/dev/null")), std::iter::empty(), &[])
            .unwrap()
            .config;
        config.sender.name = "Example Coalition".to_owned();
        config.sender.address = "notices@coalition.example".to_owned();
        config.send.transport = Transport::Smtp;
        config.send.folder = dir.path().join("outbox");
        config.send.journal = dir.path().join("journal");
        config.smtp.port = sink.address().port();
        // Nothing in a story leaves this machine.
        config.resolve.sources = vec![SourceName::Overrides, SourceName::Table];
        // And no made-up network's letter goes to a true CSIRT, unless the story is about that.
        config.resolve.ladder = vec![RungName::Parent, RungName::As];
        let templates = dir.path().join("templates");
        std::fs::create_dir(&templates).unwrap();
        Self {
            store,
            url,
            now: START,
            sink,
            config,
            templates,
            review: approve::Review::default(),
            dir,
            _database: database,
        }
    }

    /// Another world on the same engine, with nothing in it yet.
    pub(crate) async fn like(other: &Self) -> Self {
        match other.url.starts_with("sqlite:") {
            true => Self::on_sqlite().await,
            false => Self::on_postgres().await.unwrap(),
        }
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn later(&mut self, span: &str) {
        self.now = self.now.plus(span.parse::<Span>().unwrap());
    }

    pub(crate) fn clock(&self) -> Clock {
        Clock::starting_at(self.now)
    }

    /// A mail server's answer from now on: `"RCPT slow@isp.example 451 4.7.1 later x1"`.
    pub(crate) fn answers(&self, rule: &str) {
        self.sink.rules().push(rule.parse().unwrap());
    }

    /// Begins the campaign `trial` as one of another kind than a notice.
    pub(crate) async fn begin(&self, new: NewCampaign) -> Campaign {
        self.store
            .add_campaign(&new, "author", self.now)
            .await
            .unwrap()
    }

    /// Begins the campaign `trial`.
    pub(crate) async fn campaign(&self) -> Campaign {
        match self.store.campaign("trial").await {
            Ok(campaign) => campaign,
            Err(_) => self
                .store
                .add_campaign(&NewCampaign::new("trial", "notice"), "author", self.now)
                .await
                .unwrap(),
        }
    }

    /// Loads a table: lines of `range,country,abuse[,…]` under the header given.
    pub(crate) async fn table(&self, csv: &str) {
        let rows = resolve::read_table(text(csv), "networks.csv", None, &[]).unwrap();
        let done = resolve::load_table(
            Some(&self.store),
            rows,
            "networks.csv",
            "author",
            self.now,
            &Progress::default(),
        )
        .await;
        assert_eq!(done.unwrap().refused, 0);
    }

    pub(crate) fn reading(&self) -> Reading {
        Reading {
            map: Vec::new(),
            format: None,
            time_zone: jiff::tz::TimeZone::UTC,
            class: "spam".to_owned(),
            source: "trap".to_owned(),
            seen_at: None,
            terminal: Terminal::Unknown,
            now: self.now,
            future: Span::seconds(600),
            allow_documentation: true,
            widest_ipv4: 16,
            widest_ipv6: 32,
            tlp: None,
            kind: lapwing::model::CampaignKind::Notice,
            require_evidence: false,
            since: None,
        }
    }

    /// Imports a feed.
    pub(crate) async fn feed(&self, feed: &str) -> intake::Done {
        let campaign = self.campaign().await;
        let reading = Reading {
            kind: campaign.kind,
            tlp: campaign.tlp,
            require_evidence: campaign.require_evidence,
            since: intake::since(&self.store, &campaign).await.unwrap(),
            ..self.reading()
        };
        let rows = intake::read(text(feed), "feed.csv", &reading).unwrap();
        intake::run_once(
            &self.store,
            &campaign,
            "feed.csv",
            rows,
            "author",
            self.now,
            &Progress::default(),
        )
        .await
        .unwrap()
    }

    pub(crate) async fn resolve(&self) -> resolve::Done {
        self.resolve_with(&Arc::default()).await
    }

    pub(crate) async fn try_compose(&self) -> Result<compose::Done, compose::Error> {
        let campaign = self.campaign().await;
        self.compose_campaign(&campaign.name).await
    }

    pub(crate) async fn compose_campaign(
        &self,
        name: &str,
    ) -> Result<compose::Done, compose::Error> {
        let campaign = self.store.campaign(name).await.unwrap();
        let templates = Templates::load(&self.templates).unwrap();
        let mut settings = compose::Settings::from_config(&self.config).unwrap();
        if let Some(key) = openpgp::key(&self.config.sign, self.now).unwrap() {
            settings.fingerprint = key.facts().fingerprint.clone();
        }
        let work = compose::Work {
            store: &self.store,
            templates: &templates,
            settings: &settings,
            dry_run: false,
        };
        compose::run_once(&work, &campaign, "author", self.now, &Progress::default()).await
    }

    pub(crate) async fn compose(&self) -> compose::Done {
        self.try_compose().await.unwrap()
    }

    /// Submits as `author`, approves as `reviewer`.
    pub(crate) async fn approve(&self) {
        let campaign = self.campaign().await;
        approve::submit(
            &self.store,
            &campaign,
            "author",
            &self.review,
            self.now,
            &Progress::default(),
        )
        .await
        .unwrap();
        let campaign = self.campaign().await;
        approve::approve(
            &self.store,
            &campaign,
            "reviewer",
            "",
            &self.review,
            self.now,
            &Progress::default(),
        )
        .await
        .unwrap();
    }

    /// From feed to queue at once.
    pub(crate) async fn queue(&self, table: &str, feed: &str) {
        self.table(table).await;
        self.feed(feed).await;
        self.resolve().await;
        self.compose().await;
        self.approve().await;
    }

    pub(crate) async fn try_send(&self) -> Result<send::Done, send::Error> {
        let campaign = self.campaign().await;
        let mut settings = send::Settings::from_config(&self.config, "worker").unwrap();
        let passphrase = &self.config.sign.passphrase.0;
        let key = openpgp::key(&self.config.sign, self.now).unwrap();
        settings.signing.signer = key.map(|key| Arc::new(key.unlock(passphrase).unwrap()));
        let courier = Courier::new(&self.config);
        let (clock, progress) = (self.clock(), Arc::new(Progress::default()));
        let work = send::Work {
            store: &self.store,
            courier: &courier,
            settings: &settings,
            clock: &clock,
            progress: &progress,
        };
        let mut done = send::Done::default();
        send::drain(&work, &campaign, &mut done).await?;
        Ok(done)
    }

    pub(crate) async fn send(&self) -> send::Done {
        self.try_send().await.unwrap()
    }

    pub(crate) async fn report(&self) -> Report {
        Report::gather(&self.store, "trial", self.now)
            .await
            .unwrap()
    }

    pub(crate) async fn letters(&self) -> Vec<LetterLine> {
        let filter = LetterFilter {
            campaign: self.campaign().await.id,
            ..LetterFilter::default()
        };
        self.store.letter_lines(&filter, 0, 10_000).await.unwrap()
    }

    /// The state of the delivery to a mailbox.
    pub(crate) async fn state_of(&self, mailbox: &str) -> String {
        let letters = self.letters().await;
        letters
            .into_iter()
            .find(|line| line.recipient == mailbox)
            .map(|line| line.state)
            .unwrap_or_default()
    }

    /// Runs the program in this world's folder, on its database, at the true time.
    pub(crate) fn lapwing(&self, arguments: &[&str]) -> Ran {
        self.command(arguments).into()
    }

    fn command(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_lapwing"))
            .args(arguments)
            .current_dir(self.dir())
            .env("LAPWING_DATABASE_URL", &self.url)
            .env("LAPWING_SMTP__PORT", self.sink.address().port().to_string())
            .env("LAPWING_RESOLVE__SOURCES", "overrides,table")
            .env("LAPWING_RESOLVE__LADDER", "parent,as")
            .env("USER", "author")
            // Services of several stories run side by side.
            .env("LAPWING_HTTP__LISTEN", "")
            .output()
            .unwrap()
    }
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

fn text(text: &str) -> sheet::Text {
    sheet::unwrap(std::io::Cursor::new(text.to_owned().into_bytes())).unwrap()
}
