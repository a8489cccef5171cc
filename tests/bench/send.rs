//! What sending costs, from the database to the relay and back: `cargo bench --bench send`.
//!
//! The program itself sends three thousand approved letters of 24 observations into Postfix's
//! `smtp-sink`; beside it, in the same rounds, `smtp-source` sends as many of the same size out of its
//! memory, the least that any sender has to do, and our own connections send what was built before, with
//! no database. Then the same through Postfix itself; all of it for letters as shipped and for short ones, and
//! the short ones beside intelmqmail. Last what several workers are worth, and what a batch costs to take out of a large queue.

#[allow(dead_code, unused_imports, reason = "the stories need more of it")]
#[path = "../flow/cluster.rs"]
mod cluster;
mod fetched;
mod intelmqmail;
mod made;
mod postfix;
mod queue;
mod verdict;

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use anyhow::{Result, ensure};
use cluster::Database;
use fetched::fetch;
use intelmqmail::Peer;
use lapwing::config::{self, Transport};
use lapwing::model::{Clock, Timestamp};
use lapwing::send::{self, Built, Courier};
use lapwing::sink::{self, Sink};
use lapwing::store::Store;
use postfix::{Cost, Postfix, Relay, Text};
use sqlx::{Connection as _, PgConnection};
use tokio::runtime::Runtime;

const LETTERS: usize = 3_000;
const ROWS: usize = 24;

/// Which letters.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Words {
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

    const fn name(self) -> &'static str {
        match self {
            Self::Shipped => "letters as shipped",
            Self::Short => "short letters",
        }
    }
}
const CONNECTIONS: usize = 10;

/// So many that each side has had a quiet moment, on a machine that others share.
const ROUNDS: usize = 3;

/// Letters for several workers, each with so few connections that it is the relay they wait for.
const SHARED: usize = 3_000;
const WORKERS: usize = 4;
const FEW: usize = 2;

fn main() -> ExitCode {
    verdict::of(run())
}

fn run() -> Result<bool> {
    let mut bars = Bars::default();
    match Postfix::find() {
        Some(postfix) => {
            for words in [Words::Shipped, Words::Short] {
                let ours = whole_way(&postfix, words, &mut bars)?;
                if words == Words::Short {
                    beside_peer(&postfix, ours, &mut bars)?;
                }
                through_postfix(&postfix, words, &mut bars)?;
            }
        }
        None => println!(
            "whole way: skipped: install postfix, or unpack its package by `dpkg -x` and name the folder in LAPWING_POSTFIX"
        ),
    }
    workers(&mut bars)?;
    let [few, many] = queue::costs()?;
    println!(
        "\na batch taken out of {} letters: {:.2} ms; of {}: {:.2} ms",
        queue::FEW,
        few * 1e3,
        queue::MANY,
        many * 1e3
    );
    bars.most("a batch out of the large queue", many / few, 1.5);
    bars.print();
    Ok(!bars.missed)
}

/// What was wanted, and whether it was reached.
#[derive(Default)]
struct Bars {
    lines: Vec<String>,
    missed: bool,
}

impl Bars {
    fn least(&mut self, what: &str, ratio: f64, bar: f64) {
        self.line(what, ratio, ratio >= bar, &format!("at least {bar}"));
    }

    fn most(&mut self, what: &str, ratio: f64, bar: f64) {
        self.line(what, ratio, ratio <= bar, &format!("at most {bar}"));
    }

    fn line(&mut self, what: &str, ratio: f64, passed: bool, wanted: &str) {
        let word = if passed { "passed" } else { "FAILED" };
        self.missed |= !passed;
        self.lines.push(format!(
            "verdict: {word}: {what}: {ratio:.2}, {wanted} wanted"
        ));
    }

    fn print(&self) {
        println!("\n{}", self.lines.join("\n"));
    }
}

/// Approved letters in a database of their own.
struct Campaign {
    folder: tempfile::TempDir,
    url: String,
    words: Words,
    /// Dropped with the campaign.
    _database: Option<Database>,
}

impl Campaign {
    fn on_sqlite(letters: usize, words: Words) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let url = format!("sqlite:{}", folder.path().join("lapwing.db").display());
        Self::approved(folder, url, None, (letters, words))
    }

    /// `None` where PostgreSQL is not installed, which is said.
    fn on_postgres(letters: usize, words: Words) -> Result<Option<Self>> {
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
    fn furnish(&self, command: &mut Command, port: u16, connections: usize) {
        command
            .current_dir(self.folder.path())
            .args(["send", "bench", "--quiet"])
            .envs(self.settings())
            .env("LAPWING_SMTP__PORT", port.to_string())
            .env("LAPWING_SEND__CONNECTIONS", connections.to_string());
    }

    fn send(&self, to: SocketAddr) -> Result<Cost> {
        let mut command = postfix::timed(Path::new(env!("CARGO_BIN_EXE_lapwing")));
        self.furnish(&mut command, to.port(), CONNECTIONS);
        let cost = Cost::of(&mut command)?;
        self.all_accepted()?;
        Ok(cost)
    }

    /// Its letters as they leave.
    fn built(&self) -> Result<Vec<Built>> {
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
    fn all_accepted(&self) -> Result<()> {
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
fn wait_for_the_disk(url: &str) -> Result<()> {
    Runtime::new()?.block_on(async {
        let mut connection = PgConnection::connect(url).await?;
        for sql in ["ALTER SYSTEM SET fsync = on", "SELECT pg_reload_conf()"] {
            sqlx::raw_sql(sql).execute(&mut connection).await?;
        }
        Ok(connection.close().await?)
    })
}

/// Bytes, in the mean.
fn size(built: &[Built]) -> usize {
    built.iter().map(|one| one.message.len()).sum::<usize>() / built.len()
}

/// One that is about as long as they are in the mean.
fn usual(built: &[Built]) -> &Built {
    let mean = size(built);
    let off = |one: &&Built| one.message.len().abs_diff(mean);
    built
        .iter()
        .min_by_key(off)
        .expect("a campaign has letters")
}

/// Seconds that our connections take for what was built before.
fn send_built(built: &[Built], to: SocketAddr) -> Result<f64> {
    let mut config = config::shipped()?;
    config.send.transport = Transport::Smtp;
    config.send.connections = CONNECTIONS;
    config.smtp.host = to.ip().to_string();
    config.smtp.port = to.port();
    let courier = Courier::new(&config);
    let clock = Clock::starting_at(Timestamp(0));
    let sending = send::send_bare(&courier, CONNECTIONS, built, &clock);
    let began = Instant::now();
    let accepted = Runtime::new()?.block_on(sending)?;
    ensure!(accepted == built.len(), "{accepted} were accepted");
    Ok(began.elapsed().as_secs_f64())
}

/// What it costs on SQLite.
fn whole_way(postfix: &Postfix, words: Words, bars: &mut Bars) -> Result<Cost> {
    let mut length = 0;
    let (mut bare, mut sqlite, mut postgres) = (Cost::NONE, Cost::NONE, None);
    let mut connections = f64::INFINITY;
    for _ in 0..ROUNDS {
        let campaign = Campaign::on_sqlite(LETTERS, words)?;
        let built = campaign.built()?;
        length = size(&built);
        let on_postgres = Campaign::on_postgres(LETTERS, words)?;
        let sink = postfix.sink()?;
        let text = Text::OfBytes(length);
        bare.lower_to(postfix.source(sink.address, CONNECTIONS, LETTERS, text)?);
        connections = connections.min(send_built(&built, sink.address)?);
        drop(built);
        sqlite.lower_to(campaign.send(sink.address)?);
        if let Some(campaign) = on_postgres {
            let best = postgres.get_or_insert(Cost::NONE);
            best.lower_to(campaign.send(sink.address)?);
        }
    }
    let name = words.name();
    println!(
        "\nwhole way, {name}: {LETTERS} of {ROWS} observations, {:.1} kB each, {CONNECTIONS} connections, the best of {ROUNDS} rounds\n",
        length as f64 / 1e3
    );
    println!(
        "{:20} {:>10} {:>7} {:>15} {:>7}",
        "", "letters/s", "ratio", "processor time", "ratio"
    );
    let row = |who: &str, cost: &Cost| {
        println!(
            "{who:20} {:10.0} {:7.2} {:12.1} µs {:7.1}",
            LETTERS as f64 / cost.passed,
            bare.passed / cost.passed,
            cost.worked * 1e6 / LETTERS as f64,
            cost.worked / bare.worked
        );
    };
    row("smtp-source", &bare);
    println!(
        "{:20} {:10.0} {:7.2}",
        "no database",
        LETTERS as f64 / connections,
        bare.passed / connections
    );
    bars.least(
        &format!("{name}, no database"),
        bare.passed / connections,
        0.9,
    );
    row("lapwing, SQLite", &sqlite);
    bars.least(
        &format!("{name}, SQLite"),
        bare.passed / sqlite.passed,
        0.25,
    );
    bars.most(
        &format!("{name}, processor time"),
        sqlite.worked / bare.worked,
        12.5,
    );
    match postgres {
        Some(cost) => {
            row("lapwing, PostgreSQL", &cost);
            bars.least(
                &format!("{name}, PostgreSQL"),
                bare.passed / cost.passed,
                0.1,
            );
        }
        None => println!("lapwing, PostgreSQL: skipped: it is not installed"),
    }
    Ok(sqlite)
}

/// As many letters by intelmqmail, into the same kind of sink.
fn beside_peer(postfix: &Postfix, ours: Cost, bars: &mut Bars) -> Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench");
    if let Err(error) = fetch("intelmqmail", &folder) {
        println!("\nintelmqmail: skipped: {error:#}");
        return Ok(());
    }
    let program = folder.join("intelmqmail/bin/intelmqcbmail");
    let mut best = Cost::NONE;
    for _ in 0..ROUNDS {
        let Some(database) = cluster::database() else {
            println!("\nintelmqmail: skipped: PostgreSQL is not installed");
            return Ok(());
        };
        wait_for_the_disk(&database.url())?;
        let peer = Peer::furnish(&program, database, LETTERS, ROWS)?;
        best.lower_to(peer.send(postfix.sink()?.address)?);
    }
    println!(
        "\nintelmqmail on PostgreSQL: {:.0} letters a second, {:.0} µs of its own processor time each",
        LETTERS as f64 / best.passed,
        best.worked * 1e6 / LETTERS as f64
    );
    let times = best.passed / ours.passed;
    bars.least("short letters, SQLite, beside intelmqmail", times, 20.0);
    Ok(())
}

/// With a relay that reads each letter and writes it to the disk before it accepts it, until the last has left
/// it.
fn through_postfix(postfix: &Postfix, words: Words, bars: &mut Bars) -> Result<()> {
    let (mut bare, mut whole) = (f64::INFINITY, f64::INFINITY);
    for _ in 0..ROUNDS {
        let campaign = Campaign::on_sqlite(LETTERS, words)?;
        let built = campaign.built()?;
        let letter = Text::Letter(&usual(&built).message);
        let sink = postfix.sink()?;
        let Some(relay) = Relay::start(&sink)? else {
            println!("\nthrough Postfix: skipped: it must be installed, and be started by root");
            return Ok(());
        };
        let began = Instant::now();
        postfix.source(relay.address, CONNECTIONS, LETTERS, letter)?;
        relay.drain()?;
        bare = bare.min(began.elapsed().as_secs_f64());
        let began = Instant::now();
        campaign.send(relay.address)?;
        relay.drain()?;
        whole = whole.min(began.elapsed().as_secs_f64());
    }
    let name = words.name();
    println!(
        "\nthrough Postfix, {name}: smtp-source {:.0} a second, lapwing on SQLite {:.0}",
        LETTERS as f64 / bare,
        LETTERS as f64 / whole
    );
    bars.least(&format!("{name}, through Postfix"), bare / whole, 0.8);
    Ok(())
}

/// Several workers against one, at a relay that takes 5 ms a letter.
fn workers(bars: &mut Bars) -> Result<()> {
    let (mut one, mut several) = (f64::INFINITY, f64::INFINITY);
    for _ in 0..ROUNDS {
        for (workers, best) in [(1, &mut one), (WORKERS, &mut several)] {
            let Some(campaign) = Campaign::on_postgres(SHARED, Words::Shipped)? else {
                println!("\nworkers: skipped: PostgreSQL is not installed");
                return Ok(());
            };
            *best = best.min(together(&campaign, workers)?);
        }
    }
    println!(
        "\n{SHARED} letters to a relay that takes 5 ms for each, {FEW} connections a worker: 1 worker {:.0} letters/s, {WORKERS} workers {:.0}",
        SHARED as f64 / one,
        SHARED as f64 / several
    );
    bars.least("four workers", one / several, 2.5);
    Ok(())
}

/// Seconds.
fn together(campaign: &Campaign, workers: usize) -> Result<f64> {
    let runtime = Runtime::new()?;
    let options = sink::Options {
        rules: vec!["DOT * delay 5ms".parse()?],
        keep: false,
        ..sink::Options::default()
    };
    let sink = runtime.block_on(Sink::start(([127, 0, 0, 1], 0).into(), options))?;
    let began = Instant::now();
    let mut processes = Vec::new();
    for _ in 0..workers {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lapwing"));
        campaign.furnish(&mut command, sink.address().port(), FEW);
        // A batch each must not be all there is.
        command.env("LAPWING_SEND__BATCH", "50");
        processes.push(command.stdout(Stdio::null()).spawn()?);
    }
    for mut process in processes {
        let ended = process.wait()?;
        ensure!(ended.success(), "a worker ended with {ended}");
    }
    let took = began.elapsed().as_secs_f64();
    campaign.all_accepted()?;
    ensure!(sink.counts().letters == SHARED as u64);
    Ok(took)
}
