//! What sending costs, from the database to the relay and back: `cargo bench --bench send`.
//!
//! The program itself sends three thousand approved letters of 24 observations into Postfix's
//! `smtp-sink`; beside it, in the same rounds, `smtp-source` sends as many of the same size out of its
//! memory, the least that any sender has to do, and our own connections send what was built before, with
//! no database. Then the same through Postfix itself; all of it for letters as shipped and for short ones, and
//! the short ones beside intelmqmail. Last what several workers are worth, and what a batch costs to take out of a large queue.

mod approved;
#[allow(dead_code, unused_imports, reason = "the stories need more of it")]
#[path = "../flow/cluster.rs"]
mod cluster;
mod fetched;
mod intelmqmail;
mod made;
mod postfix;
mod queue;
mod verdict;
mod whole_way;

use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use anyhow::{Result, ensure};
use approved::{Campaign, Words, wait_for_the_disk};
use fetched::fetch;
use intelmqmail::Peer;
use lapwing::send::Built;
use lapwing::sink::{self, Sink};
use postfix::{Cost, Postfix, Relay, Text};
use tokio::runtime::Runtime;
use whole_way::WholeWay;

const LETTERS: usize = 3_000;
const ROWS: usize = 24;

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
            // A server that was filled goes on to write and to tidy up: on the disk that others are measured on.
            let words = [Words::Shipped, Words::Short].into_iter();
            let ways = words.map(|words| WholeWay::on_sqlite(&postfix, words));
            for mut way in ways.collect::<Result<Vec<_>>>()? {
                way.on_postgres(&postfix)?;
                way.print(&mut bars);
                if way.words == Words::Short {
                    beside_peer(&postfix, way.sqlite, &mut bars)?;
                }
                through_postfix(&postfix, way.words, &mut bars)?;
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

/// One that is about as long as they are in the mean.
fn usual(built: &[Built]) -> &Built {
    let mean = built.iter().map(|one| one.message.len()).sum::<usize>() / built.len();
    let off = |one: &&Built| one.message.len().abs_diff(mean);
    built
        .iter()
        .min_by_key(off)
        .expect("a campaign has letters")
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
