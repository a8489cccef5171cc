//! How fast the local table answers, and what it costs to have: `cargo bench`.
//!
//! First against pyasn, the same million addresses as text, round by round in turn; then over
//! nested ranges as registries hold them. What cannot be had is skipped aloud; the run fails when
//! the answers differ or we are not fast enough.

mod fetched;
mod ranges;
mod verdict;

use std::fmt::Write as _;
use std::fs;
use std::hint::black_box;
use std::io::{BufRead, BufReader, Write as _};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio};
use std::sync::LazyLock;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use fetched::fetch;
use lapwing::model::{Address, AddressRange};
use lapwing::resolve::Segments;
use ranges::Range;

/// Times pyasn's speed, on uniform and on in-table addresses, text parsing included.
const BAR: f64 = 20.0;

const ADDRESSES: usize = 1_000_000;
const NESTED: usize = 4_400_000;
const ROUNDS: usize = 5;

/// Addresses parsed before they are looked up.
const BATCH: usize = 256;

fn main() -> ExitCode {
    verdict::of(run())
}

fn run() -> Result<bool> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench");
    fs::create_dir_all(&folder)?;
    let ranges = match fetch("ranges", &folder) {
        Ok(()) => {
            let version = fs::read_to_string(folder.join("version")).unwrap_or_default();
            println!("ranges: @ip-location-db/asn {}, CC BY 4.0", version.trim());
            ranges::real(&folder.join("asn-ipv4.csv"))?
        }
        Err(error) => {
            println!("ranges: made by seed; the real ones: skipped: {error:#}");
            ranges::made()
        }
    };
    let flat = Flat::load(&folder, &ranges)?;
    let verdict = match fetch("pyasn", &folder) {
        Ok(()) => Some(flat.against_pyasn(&folder)?),
        Err(error) => {
            println!("pyasn: skipped: {error:#}");
            flat.alone();
            None
        }
    };
    drop(flat);
    nested(&ranges)?;
    Ok(match verdict {
        None => {
            println!("\nverdict: skipped, for there is no pyasn to compare with");
            true
        }
        Some(ratio) => {
            let passed = ratio >= BAR;
            let word = if passed { "passed" } else { "FAILED" };
            println!("\nverdict: {word}: {ratio:.1} times pyasn, {BAR} wanted");
            passed
        }
    })
}

/// The table of disjoint ranges, and what is asked of it.
struct Flat {
    table_of_blocks: PathBuf,
    segments: Segments,
    asns: Vec<u32>,
    seconds: f64,
    bytes: u64,
    /// By kind of address: its name, the file that pyasn reads, and the texts.
    asked: Vec<(&'static str, PathBuf, Vec<String>)>,
}

impl Flat {
    /// Both sides load the same from a file, each in its own way: we ranges, pyasn CIDR blocks.
    fn load(folder: &Path, ranges: &[Range]) -> Result<Self> {
        let (mut whole, mut blocks) = (String::new(), String::new());
        for (first, last, asn) in ranges {
            writeln!(whole, "{}\t{asn}", range_of((*first, *last)))?;
            for (address, len) in ranges::blocks(*first, *last) {
                writeln!(blocks, "{address}/{len}\t{asn}")?;
            }
        }
        let (table, table_of_blocks) = (folder.join("ranges.tsv"), folder.join("blocks.tsv"));
        fs::write(&table, whole)?;
        fs::write(&table_of_blocks, blocks)?;

        let outer: Vec<(u32, u32)> = ranges.iter().map(|range| (range.0, range.1)).collect();
        let mut asked = Vec::new();
        for (name, addresses) in [
            ("uniform", ranges::uniform(ADDRESSES)),
            ("in-table", ranges::in_table(ADDRESSES, &outer)),
        ] {
            let texts: Vec<String> = addresses.into_iter().map(text_of).collect();
            let file = folder.join(format!("{name}.txt"));
            fs::write(&file, texts.join("\n"))?;
            asked.push((name, file, texts));
        }

        let before = resident();
        let began = worked();
        let (mut ranges, mut asns) = (Vec::new(), Vec::new());
        for line in fs::read_to_string(&table)?.lines() {
            let (range, asn) = line.split_once('\t').context("a line without a tab")?;
            ranges.push(range.parse::<AddressRange>()?);
            asns.push(asn.parse()?);
        }
        let segments = Segments::build(ranges);
        Ok(Self {
            table_of_blocks,
            segments,
            asns,
            seconds: worked() - began,
            bytes: resident().saturating_sub(before),
            asked,
        })
    }

    /// Goes over the addresses once; says how long it took and what came out.
    fn round(&self, texts: &[String]) -> (f64, u64) {
        let began = worked();
        let mut checksum = 0_u64;
        let mut place = 0_u64;
        let mut parsed: Vec<Address> = Vec::with_capacity(BATCH);
        for batch in texts.chunks(BATCH) {
            parsed.clear();
            parsed.extend(batch.iter().filter_map(|text| text.parse::<Address>().ok()));
            for found in self.segments.find_all(&parsed) {
                let asn = found.map_or(0, |found| self.asns[found]);
                place += 1;
                checksum = checksum.wrapping_add(place.wrapping_mul(u64::from(asn)));
            }
        }
        (worked() - began, checksum)
    }

    /// The lower of the two ratios.
    fn against_pyasn(&self, folder: &Path) -> Result<f64> {
        let mut pyasn = Pyasn::start(folder, self)?;
        println!(
            "\n{:30} {:>10} {:>10} {:>8}",
            "", "lapwing", "pyasn", "ratio"
        );
        let row = |name: &str, unit, ours: f64, theirs: f64, ratio: f64| {
            println!(
                "{:30} {ours:>10.2} {theirs:>10.2} {ratio:>7.1}x",
                format!("{name}, {unit}")
            );
        };
        let (ms, mb) = (self.seconds * 1e3, self.bytes as f64 / 1e6);
        row(
            "load",
            "ms",
            ms,
            pyasn.seconds * 1e3,
            pyasn.seconds * 1e3 / ms,
        );
        let theirs = pyasn.bytes as f64 / 1e6;
        row("memory", "MB", mb, theirs, theirs / mb);
        let mut lowest = f64::INFINITY;
        for (kind, (name, _, texts)) in self.asked.iter().enumerate() {
            let (mut ours, mut theirs, mut ratios) = (Vec::new(), Vec::new(), Vec::new());
            for _ in 0..ROUNDS {
                let (our, checksum) = self.round(texts);
                let (their, expected) = pyasn.round(kind)?;
                ensure!(
                    checksum == expected,
                    "{name}: the answers differ from pyasn's"
                );
                ours.push(our);
                theirs.push(their);
                ratios.push(their / our);
            }
            let speed = |seconds| texts.len() as f64 / median(seconds) / 1e6;
            let ratio = median(ratios);
            row(
                &format!("{name} text"),
                "M lookups/s",
                speed(ours),
                speed(theirs),
                ratio,
            );
            lowest = lowest.min(ratio);
        }
        Ok(lowest)
    }

    fn alone(&self) {
        println!(
            "load: {:.0} ms, {:.1} MB",
            self.seconds * 1e3,
            self.bytes as f64 / 1e6
        );
        for (name, _, texts) in &self.asked {
            let seconds = (0..ROUNDS).map(|_| self.round(texts).0).collect();
            let speed = texts.len() as f64 / median(seconds) / 1e6;
            println!("{name} text: {speed:.2} M lookups/s");
        }
    }
}

/// pyasn in a process of its own, which loads once and then works when told to.
struct Pyasn {
    process: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
    seconds: f64,
    bytes: u64,
}

impl Pyasn {
    fn start(folder: &Path, flat: &Flat) -> Result<Self> {
        let mut process = Command::new(folder.join("venv/bin/python"))
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bench/peer.py"))
            .arg(&flat.table_of_blocks)
            .args(flat.asked.iter().map(|(_, file, _)| file))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut pyasn = Self {
            orders: process.stdin.take().context("no way in")?,
            answers: BufReader::new(process.stdout.take().context("no way out")?),
            process,
            seconds: 0.0,
            bytes: 0,
        };
        (pyasn.seconds, pyasn.bytes) = pyasn.answer()?;
        Ok(pyasn)
    }

    fn round(&mut self, kind: usize) -> Result<(f64, u64)> {
        writeln!(self.orders, "{kind}")?;
        self.answer()
    }

    fn answer(&mut self) -> Result<(f64, u64)> {
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        let (seconds, number) = line.trim().split_once(' ').context("pyasn has ended")?;
        Ok((seconds.parse()?, number.parse()?))
    }
}

impl Drop for Pyasn {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Ranges inside ranges, not all of them CIDR blocks.
fn nested(outer: &[Range]) -> Result<()> {
    let nested = ranges::nested(outer, NESTED);
    let (before, began) = (resident(), worked());
    let segments = Segments::build(nested.iter().map(|range| range_of(*range)));
    println!(
        "\n{} nested ranges: built in {:.0} ms, {:.0} MB",
        nested.len(),
        (worked() - began) * 1e3,
        resident().saturating_sub(before) as f64 / 1e6
    );
    let in_table = ranges::in_table(ADDRESSES, &nested);
    let mut sorted = in_table.clone();
    sorted.sort_unstable();
    for (name, addresses) in [
        ("uniform", ranges::uniform(ADDRESSES)),
        ("in-table", in_table),
        ("in-table, in order", sorted),
    ] {
        let numbers: Vec<Address> = addresses.into_iter().map(address_of).collect();
        let one_by_one = timed(&numbers, || {
            let found = numbers.iter().map(|one| segments.find(*one).unwrap_or(0));
            found.fold(0, usize::wrapping_add)
        });
        let together = timed(&numbers, || {
            let found = segments.find_all(&numbers).into_iter().flatten();
            found.fold(0, usize::wrapping_add)
        });
        let outermost = |id: usize| segments.chain(id).last().unwrap_or(0);
        let chain = timed(&numbers, || {
            let found = segments.find_all(&numbers).into_iter().flatten();
            found.map(outermost).fold(0, usize::wrapping_add)
        });
        println!(
            "{name:20} one by one {one_by_one:5.1} M/s, together {together:5.1}, with the whole chain {chain:5.1}"
        );
    }
    for address in ranges::in_table(50, &nested) {
        let holding = |range: &&(u32, u32)| range.0 <= address && address <= range.1;
        let smallest = nested
            .iter()
            .filter(holding)
            .min_by_key(|range| range.1 - range.0);
        let found = segments
            .find(address_of(address))
            .map(|found| &nested[found]);
        let text = text_of(address);
        ensure!(
            found == smallest,
            "{text}: {found:?} is not the innermost range, {smallest:?}"
        );
    }
    Ok(())
}

/// Millions of `items` a second, the median of some rounds.
fn timed<T>(items: &[T], round: impl Fn() -> usize) -> f64 {
    let round = |_| {
        let began = worked();
        black_box(round());
        worked() - began
    };
    items.len() as f64 / median((0..ROUNDS).map(round).collect()) / 1e6
}

fn median(mut of: Vec<f64>) -> f64 {
    of.sort_by(f64::total_cmp);
    of[of.len() / 2]
}

fn address_of(ipv4: u32) -> Address {
    Address::from(std::net::IpAddr::V4(Ipv4Addr::from(ipv4)))
}

fn range_of((first, last): (u32, u32)) -> AddressRange {
    AddressRange::new(address_of(first), address_of(last)).expect("made in order")
}

fn text_of(ipv4: u32) -> String {
    Ipv4Addr::from(ipv4).to_string()
}

/// Seconds that this thread has had a processor to itself, which say the same on a busy machine; where
/// the system does not tell, those that have passed.
fn worked() -> f64 {
    static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);
    let told = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = told.split(' ').next().and_then(|first| first.parse().ok());
    nanoseconds.map_or_else(|| BEGAN.elapsed().as_secs_f64(), |ns: f64| ns / 1e9)
}

/// Bytes of memory in use, or 0 where the system does not say.
fn resident() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}
