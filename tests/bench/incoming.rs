//! What it costs to read what comes back: `cargo bench --bench incoming`.
//!
//! Our fixtures, and the corpus of real messages where it is at hand, read on one core, against the bare limit
//! on the same machine in the same run: the MIME parser alone, which finds the parts and understands nothing.

mod verdict;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use lapwing::track::read::{Reasons, read};

/// So many that each has had a quiet moment, on a machine that others share.
const ROUNDS: usize = 12;

/// So many messages that the system's account of a thread's time, which moves by milliseconds, tells them.
const LEAST: usize = 5_000;

/// What is read, and how many bare parses one reading of it may cost: our fixtures have little to parse.
const FOLDERS: [(&str, f64); 2] = [
    ("tests/fixtures/incoming", 25.0),
    ("../shared/corpus/bounces", 7.0),
];

/// Messages a second of processor time, on one core.
const WANTED: f64 = 5_000.0;

fn main() -> ExitCode {
    verdict::of(run())
}

fn run() -> Result<bool> {
    if cpu().is_none() {
        println!("verdict: skipped: this system does not tell a thread's processor time");
        return Ok(true);
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut passed = true;
    for (folder, bar) in FOLDERS {
        let folder = root.join(folder);
        let messages = messages(&folder)?;
        if messages.is_empty() {
            println!("{}: skipped: not here", folder.display());
            continue;
        }
        passed &= measure(&folder, &messages, bar)?;
    }
    let word = if passed { "passed" } else { "FAILED" };
    println!("verdict: {word}: {WANTED} messages a second wanted");
    Ok(passed)
}

fn measure(folder: &Path, messages: &[Vec<u8>], bar: f64) -> Result<bool> {
    let reasons = Reasons::shipped();
    let parser = mail_parser::MessageParser::default();
    let (mut ours, mut bare) = (f64::MAX, f64::MAX);
    for _ in 0..ROUNDS {
        let mut parts = 0;
        bare = bare.min(timed(messages, |message| {
            parts += parser.parse(message).map_or(0, |parsed| parsed.parts.len());
        })?);
        let mut letters = 0;
        ours = ours.min(timed(messages, |message| {
            letters += read(message, None, &reasons).text.len();
        })?);
        ensure!(parts > 0 && letters > 0, "nothing was read");
    }
    let rate = 1e6 / ours;
    let ratio = ours / bare;
    println!("{}: {} messages", folder.display(), messages.len());
    println!(
        "  bare {bare:.1} µs, read {ours:.1} µs: {ratio:.1} bare ones ({bar} wanted), {rate:.0} a second"
    );
    Ok(rate >= WANTED && ratio <= bar)
}

fn messages(folder: &Path) -> Result<Vec<Vec<u8>>> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Ok(Vec::new());
    };
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.retain(|file| file.extension().is_some_and(|end| end == "eml"));
    files.sort();
    files.iter().map(|file| Ok(fs::read(file)?)).collect()
}

/// Processor time of this thread, in nanoseconds.
fn cpu() -> Option<u64> {
    let told = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    told.split(' ').next()?.parse().ok()
}

/// Microseconds for each message.
fn timed(messages: &[Vec<u8>], mut work: impl FnMut(&[u8])) -> Result<f64> {
    let times = LEAST.div_ceil(messages.len());
    let began = cpu().context("no time")?;
    for _ in 0..times {
        for message in messages {
            work(message);
        }
    }
    let took = cpu().context("no time")? - began;
    Ok(took as f64 / 1e3 / (times * messages.len()) as f64)
}
