//! How fast this machine sends: the product's own way beside the least that any mailer has to do, in the
//! same rounds into the same mail catcher.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use clap::{Args, Subcommand};
use serde::Serialize;

use super::Ended;
use super::context::Context;

#[derive(Debug, Subcommand)]
pub(super) enum Bench {
    /// Send letters to a mail catcher on this machine, and compare with a bare SMTP client
    Send(Options),
}

#[derive(Debug, Args)]
pub(super) struct Options {
    /// Letters of 24 observations each, to as many contacts
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(10..=65_000))]
    letters: u32,
    /// Connections side by side
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u8).range(1..=100))]
    connections: u8,
    /// The best of so many rounds counts
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=100))]
    rounds: u8,
}

/// Observations of a letter.
const ROWS: u32 = 24;

const CAMPAIGN: &str = "bench";

/// Letters a second, and how they compare.
#[derive(Debug, Serialize)]
struct Speeds {
    letters: u32,
    /// Bytes of a letter, in the mean.
    size: u64,
    bare: f64,
    whole: f64,
    /// Of the bare client's speed: claim, read, build, send and record, each result committed.
    ratio: f64,
}

pub(super) fn run(context: &Context, bench: &Bench) -> anyhow::Result<Ended> {
    let Bench::Send(options) = bench;
    let folder = Folder::new()?;
    let place = folder.0.as_path();
    context.out.remark(&format!(
        "Writing {} letters of {ROWS} observations …",
        options.letters
    ))?;
    let sink = Catcher::start(place)?;
    furnish(place, options, sink.port)?;
    let fresh = place.join("fresh");
    std::fs::create_dir(&fresh)?;
    copy_database(place, &fresh)?;
    let (mut bare, mut whole) = (0.0_f64, 0.0_f64);
    let mut size = 0;
    for _ in 0..options.rounds {
        copy_database(&fresh, place)?;
        let took = timed(|| lapwing(place, &["send", CAMPAIGN, "-q"]))?;
        whole = whole.max(f64::from(options.letters) / took);
        if size == 0 {
            size = sink.bytes()? / u64::from(options.letters);
        }
        let took = timed(|| send_bare(sink.port, options, size))?;
        bare = bare.max(f64::from(options.letters) / took);
    }
    let speeds = Speeds {
        letters: options.letters,
        size,
        bare,
        whole,
        ratio: whole / bare,
    };
    context.out.say(&speeds, speeds.to_string())?;
    Ok(Ended::Well)
}

impl std::fmt::Display for Speeds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(
            f,
            "{} letters of {:.1} kB into a mail catcher on this machine, the best round of each:\n",
            self.letters,
            self.size as f64 / 1e3
        )?;
        for (what, speed) in [
            ("bare SMTP client", self.bare),
            ("lapwing send", self.whole),
        ] {
            let bar = "█".repeat((40.0 * speed / self.bare.max(self.whole)).round() as usize);
            writeln!(f, "{what:17} {speed:7.0} a second  {bar}")?;
        }
        write!(
            f,
            "\n{:.2} of the bare client, with every attempt and result committed to the database.",
            self.ratio
        )
    }
}

/// The file, and those that stand beside it while it is written to; what stands in `to` is replaced.
fn copy_database(from: &Path, to: &Path) -> anyhow::Result<()> {
    for ending in ["", "-wal", "-shm"] {
        let name = format!("lapwing.db{ending}");
        let (from, to) = (from.join(&name), to.join(&name));
        if to.exists() {
            std::fs::remove_file(&to)?;
        }
        if from.exists() {
            std::fs::copy(&from, &to)?;
        }
    }
    Ok(())
}

/// Removed with all that is in it.
struct Folder(std::path::PathBuf);

impl Folder {
    fn new() -> anyhow::Result<Self> {
        let name = format!("lapwing-bench-{}", std::process::id());
        let place = std::env::temp_dir().join(name);
        std::fs::create_dir(&place).with_context(|| place.display().to_string())?;
        Ok(Self(place))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left in the folder for temporary files is cleared away by the system.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// This program as its own mail catcher, in a process of its own as a relay is.
struct Catcher {
    child: Child,
    port: u16,
    caught: std::path::PathBuf,
}

impl Catcher {
    fn start(place: &Path) -> anyhow::Result<Self> {
        let caught = place.join("caught");
        let mut child = Command::new(std::env::current_exe()?)
            .args(["sink", "--json", "--listen", "127.0.0.1:0", "--dir"])
            .arg(&caught)
            .current_dir(place)
            .stdout(Stdio::piped())
            .spawn()?;
        let mut said = String::new();
        let stdout = child.stdout.take().context("the catcher says nothing")?;
        BufReader::new(stdout).read_line(&mut said)?;
        let told: serde_json::Value = serde_json::from_str(&said)?;
        let address = told["listening"].as_str().unwrap_or_default();
        let port = address.rsplit(':').next().unwrap_or_default().parse();
        Ok(Self {
            child,
            port: port.with_context(|| said.clone())?,
            caught,
        })
    }

    /// Bytes of all that was caught.
    fn bytes(&self) -> anyhow::Result<u64> {
        let mut sum = 0;
        for entry in std::fs::read_dir(&self.caught)? {
            sum += entry?.metadata()?.len();
        }
        Ok(sum)
    }
}

impl Drop for Catcher {
    fn drop(&mut self) {
        // It may have ended by itself; there is nothing more to be done with it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A campaign that is approved and in the queue.
fn furnish(place: &Path, options: &Options, port: u16) -> anyhow::Result<()> {
    let mut table = "range,abuse,name,country,asn\n".to_owned();
    let mut feed = "ip,time,class,source,evidence,port\n".to_owned();
    for n in 0..options.letters {
        let country = ["US", "DE", "JP"][n as usize % 3];
        let asn = 64_496 + n % 16;
        writeln!(
            table,
            "2001:db8:{n:x}::/48,abuse@isp{n}.example,NET-{n},{country},{asn}"
        )?;
        for row in 0..ROWS {
            writeln!(
                feed,
                "2001:db8:{n:x}::{row:x},2026-10-20T{row:02}:15:00Z,spam,trap-{},HELO pc{row}.example,{}",
                n % 60,
                1_024 + row
            )?;
        }
    }
    std::fs::write(place.join("table.csv"), table)?;
    std::fs::write(place.join("feed.csv"), feed)?;
    std::fs::write(
        place.join("lapwing.toml"),
        format!(
            "[sender]\nname = \"Bench\"\naddress = \"notices@agency.example\"\n[intake]\nallow_documentation = true\n\
             [resolve]\nsources = [\"table\"]\nladder = []\n[send]\ntransport = \"smtp\"\nconnections = {}\n\
             [smtp]\nhost = \"127.0.0.1\"\nport = {port}\n",
            options.connections
        ),
    )?;
    for line in [
        "init",
        "table load table.csv",
        "campaign new bench --letter notice",
        "import bench feed.csv",
        "resolve bench",
        "compose bench",
        "campaign submit bench",
        "--as another campaign approve bench",
    ] {
        lapwing(place, &line.split(' ').collect::<Vec<_>>())?;
    }
    Ok(())
}

/// This program, by its settings in `place` alone.
fn lapwing(place: &Path, arguments: &[&str]) -> anyhow::Result<()> {
    let mut command = Command::new(std::env::current_exe()?);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("LAPWING_") {
            command.env_remove(name);
        }
    }
    let ran = command.current_dir(place).args(arguments).output()?;
    ensure!(
        ran.status.success(),
        "lapwing {}: {}{}",
        arguments.join(" "),
        String::from_utf8_lossy(&ran.stdout),
        String::from_utf8_lossy(&ran.stderr)
    );
    Ok(())
}

/// Seconds.
fn timed(work: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<f64> {
    let began = Instant::now();
    work()?;
    Ok(began.elapsed().as_secs_f64())
}

/// The least: the same bytes again and again, a thread for each connection, nothing kept.
fn send_bare(port: u16, options: &Options, size: u64) -> anyhow::Result<()> {
    let line = format!("{}\r\n", "x".repeat(74));
    let text = line.repeat(usize::try_from(size)? / line.len()) + ".\r\n";
    let connections = u32::from(options.connections);
    let share =
        |n: u32| options.letters / connections + u32::from(n < options.letters % connections);
    std::thread::scope(|scope| {
        let talks: Vec<_> = (0..connections)
            .map(|n| (share(n), &text))
            .map(|(letters, text)| scope.spawn(move || talk(port, letters, text)))
            .collect();
        for talk in talks {
            match talk.join() {
                Ok(ended) => ended?,
                Err(_) => bail!("the bare client failed"),
            }
        }
        Ok(())
    })
}

/// RFC 2920: the envelope in one write, then the text.
fn talk(port: u16, letters: u32, text: &str) -> anyhow::Result<()> {
    const ENVELOPE: &str =
        "MAIL FROM:<bare@agency.example>\r\nRCPT TO:<abuse@isp.example>\r\nDATA\r\n";
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    let mut replies = BufReader::new(stream.try_clone()?);
    expect(&mut replies, "220")?;
    stream.write_all(b"EHLO bare.example\r\n")?;
    expect(&mut replies, "250")?;
    for _ in 0..letters {
        stream.write_all(ENVELOPE.as_bytes())?;
        for code in ["250", "250", "354"] {
            expect(&mut replies, code)?;
        }
        stream.write_all(text.as_bytes())?;
        expect(&mut replies, "250")?;
    }
    stream.write_all(b"QUIT\r\n")?;
    replies.read_to_end(&mut Vec::new())?;
    Ok(())
}

fn expect(replies: &mut impl BufRead, code: &str) -> anyhow::Result<()> {
    loop {
        let mut line = String::new();
        replies.read_line(&mut line)?;
        ensure!(line.starts_with(code), "the catcher said {line:?}");
        if line.as_bytes().get(3) == Some(&b' ') {
            return Ok(());
        }
    }
}
