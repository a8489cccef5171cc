//! What a letter costs to render and to build: `cargo bench --bench letter`.
//!
//! A thousand letters of 24 observations, made by the stage itself, against the bare limit on the same
//! machine in the same run: a short letter of one template, its CSV, and a message built of them, the least
//! that any mailer has to do. Ours is six times as long, in two languages for most, and its words can be
//! exchanged file by file.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, ensure};
use lapwing::compose::{self, Settings, Work};
use lapwing::config;
use lapwing::model::{Letter, Progress, Timestamp};
use lapwing::send;
use lapwing::store::Store;
use lapwing::templates::Templates;
use lettre::message::header::ContentType;
use lettre::message::{Attachment, MultiPart, SinglePart};
use serde_json::json;

/// Letters of each language, and observations of each letter.
const LETTERS: usize = 1_000;
const ROWS: usize = 24;

const ROUNDS: usize = 5;

/// Bare letters that one of ours, in English, may cost.
const BAR: f64 = 2.0;

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            println!("\nverdict: FAILED: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<bool> {
    if cpu().is_none() {
        println!("verdict: skipped: this system does not tell a thread's processor time");
        return Ok(true);
    }
    let bare = bare()?;
    println!(
        "{:28} {:>9} {:>9} {:>9} {:>9}",
        "", "render", "build", "both", "bytes"
    );
    bare.print("bare limit");
    let mut costs = Vec::new();
    for (name, country) in [("English", "US"), ("Japanese and English", "JP")] {
        let ours = ours(country)?;
        ours.print(name);
        let by_letter = ours.sum() / bare.sum();
        let by_byte = by_letter * bare.bytes / ours.bytes;
        println!(
            "{:28} {by_letter:.1} bare letters; a byte costs {by_byte:.2}",
            ""
        );
        costs.push(by_letter);
    }
    let passed = costs.first().is_some_and(|english| *english <= BAR);
    let word = if passed { "passed" } else { "FAILED" };
    println!("\nverdict: {word}: an English letter may cost {BAR} bare ones");
    Ok(passed)
}

/// Microseconds of processor time a letter, the best of all rounds, and what it weighs.
struct Cost {
    render: f64,
    build: f64,
    bytes: f64,
}

impl Cost {
    fn sum(&self) -> f64 {
        self.render + self.build
    }

    fn print(&self, name: &str) {
        println!(
            "{name:28} {:6.1} µs {:6.1} µs {:6.1} µs {:6.1} kB",
            self.render,
            self.build,
            self.sum(),
            self.bytes / 1e3
        );
    }
}

/// Processor time of this thread, in nanoseconds: the database's is another.
fn cpu() -> Option<u64> {
    let told = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    told.split(' ').next()?.parse().ok()
}

/// Microseconds for each letter.
fn timed(mut work: impl FnMut() -> Result<()>) -> Result<f64> {
    let began = cpu().context("no time")?;
    work()?;
    let took = cpu().context("no time")? - began;
    Ok(took as f64 / 1e3 / LETTERS as f64)
}

fn best(mut round: impl FnMut() -> Result<f64>) -> Result<f64> {
    (0..ROUNDS).try_fold(f64::INFINITY, |least, _| Ok(least.min(round()?)))
}

fn ours(country: &str) -> Result<Cost> {
    let folder = tempfile::tempdir()?;
    let mut table = "range,abuse,name,country,asn\n".to_owned();
    let mut feed = "ip,time,class,source,evidence,port\n".to_owned();
    for number in 0..LETTERS {
        let (high, low) = (number / 256, number % 256);
        writeln!(
            table,
            "60.{high}.{low}.0/24,abuse@isp{number}.example,NET-{number},{country},{}",
            64_496 + number % 16
        )?;
        for row in 0..ROWS {
            writeln!(
                feed,
                "60.{high}.{low}.{},2026-10-20T{row:02}:{:02}:00Z,spam,trap-{},\"HELO pc{row}.example, 3 recipients refused\",{}",
                row * 7 + 1,
                number % 60,
                row % 3,
                1_024 + number + row
            )?;
        }
    }
    fs::write(folder.path().join("table.csv"), table)?;
    fs::write(folder.path().join("feed.csv"), feed)?;
    let words = folder.path().join("words");
    for locale in ["en", "ja"] {
        let letter = words.join("letter/empty").join(locale);
        fs::create_dir_all(&letter)?;
        fs::write(letter.join("subject.hbs"), "{{ticket}}")?;
        fs::write(letter.join("body.hbs"), "-")?;
    }
    lapwing(folder.path(), "init")?;
    lapwing(folder.path(), "table load table.csv")?;
    for letter in ["notice", "empty"] {
        lapwing(
            folder.path(),
            &format!("campaign new {letter} --letter {letter}"),
        )?;
        lapwing(folder.path(), &format!("import {letter} feed.csv"))?;
        lapwing(folder.path(), &format!("resolve {letter}"))?;
    }
    lapwing(folder.path(), "compose notice")?;
    let templates = Templates::load(&words)?;
    let config = config::load(
        Some(&folder.path().join("lapwing.toml")),
        std::iter::empty(),
        &[],
    )?
    .config;
    let settings = Settings::from_config(&config).map_err(anyhow::Error::msg)?;
    let one_thread = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let url = format!("sqlite:{}", folder.path().join("lapwing.db").display());
    let store = one_thread.block_on(Store::open(&url))?;
    let work = Work {
        store: &store,
        templates: &templates,
        settings: &settings,
        dry_run: true,
    };
    let composed = |letter: &str| {
        let campaign = one_thread.block_on(store.campaign(letter))?;
        let now = Timestamp(1_795_250_096_000);
        best(|| {
            timed(|| {
                let progress = Progress::default();
                let done = compose::run_once(&work, &campaign, "bench", now, &progress);
                let done = one_thread.block_on(done)?;
                ensure!(done.letters == LETTERS as u64, "{} letters", done.letters);
                Ok(())
            })
        })
    };
    // What is read from the database is read for an empty letter, too.
    let render = composed("notice")? - composed("empty")?;
    let campaign = one_thread.block_on(store.campaign("notice"))?;
    let letters = one_thread.block_on(store.letters(campaign.id, 0, LETTERS as i64))?;
    let weigh = |letter: &Letter| send::message(letter).map(|bytes| bytes.len());
    let mut bytes = 0;
    let build = best(|| {
        bytes = 0;
        timed(|| {
            for letter in &letters {
                bytes += weigh(letter).map_err(anyhow::Error::msg)?;
            }
            Ok(())
        })
    })?;
    Ok(Cost {
        render,
        build,
        bytes: bytes as f64 / LETTERS as f64,
    })
}

fn lapwing(folder: &Path, line: &str) -> Result<()> {
    let ran = Command::new(env!("CARGO_BIN_EXE_lapwing"))
        .current_dir(folder)
        .args(line.split(' '))
        .env("LAPWING_RESOLVE__SOURCES", "overrides,table")
        .env("LAPWING_LETTER__TEMPLATES", "words")
        .output()?;
    let said = String::from_utf8_lossy(&ran.stderr);
    ensure!(ran.status.success(), "lapwing {line}: {said}");
    Ok(())
}

const SHORT: &str = "Dear abuse desk of {{holder}},

Machines in your network are suspected of sending spam. Ticket: {{ticket}}. Please look at the list below.

{{#each rows}}{{address}}  {{seen}}  {{class}}  {{source}}  {{evidence}}
{{/each}}
Please tell us what you found: {{reply_to}}.
";

fn bare() -> Result<Cost> {
    let mut handlebars = handlebars::Handlebars::new();
    handlebars.set_strict_mode(true);
    handlebars.register_template_string("short", SHORT)?;
    let row = |row: usize| {
        json!({"address": format!("192.0.2.{row}"), "seen": format!("2026-10-20T{row:02}:00:00Z"),
               "class": "spam", "source": "trap-1", "evidence": "HELO pc.example, 3 recipients refused"})
    };
    let rows: Vec<_> = (0..ROWS).map(row).collect();
    let values = json!({"holder": "Example", "ticket": "LW-000042-5", "reply_to": "desk@agency.example", "rows": rows});
    let mut written = (String::new(), Vec::new());
    let render = best(|| {
        timed(|| {
            for _ in 0..LETTERS {
                let text = handlebars.render("short", &values)?;
                let mut csv = csv::Writer::from_writer(Vec::new());
                csv.write_record(["address", "seen", "class", "source", "evidence"])?;
                for row in &rows {
                    let cell = |name: &str| row[name].as_str().unwrap_or_default();
                    csv.write_record(["address", "seen", "class", "source", "evidence"].map(cell))?;
                }
                written = (text, csv.into_inner()?);
            }
            Ok(())
        })
    })?;
    let mut bytes = 0;
    let build = best(|| {
        timed(|| {
            for _ in 0..LETTERS {
                let (text, csv) = written.clone();
                let parts = MultiPart::mixed()
                    .singlepart(SinglePart::plain(text))
                    .singlepart(
                        Attachment::new("rows.csv".to_owned())
                            .body(csv, ContentType::parse("text/csv")?),
                    );
                let message = lettre::Message::builder()
                    .from("Agency <notices@agency.example>".parse()?)
                    .to("abuse@isp.example".parse()?)
                    .subject("[LW-000042-5] Suspected machines")
                    .multipart(parts)?;
                bytes = message.formatted().len();
            }
            Ok(())
        })
    })?;
    Ok(Cost {
        render,
        build,
        bytes: bytes as f64,
    })
}
