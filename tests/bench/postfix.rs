//! Postfix's own pair for measuring: `smtp-sink`, which throws away what it takes, and `smtp-source`,
//! which sends one text again and again.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};

/// Where the two programs are, and the libraries they want if they are not installed but unpacked.
pub(crate) struct Postfix {
    sink: PathBuf,
    source: PathBuf,
    libraries: Option<PathBuf>,
}

impl Postfix {
    /// On PATH, where Debian puts them, or in the folder that `LAPWING_POSTFIX` names, into which its
    /// package was unpacked by `dpkg -x`.
    pub(crate) fn find() -> Option<Self> {
        let unpacked = std::env::var_os("LAPWING_POSTFIX").map(PathBuf::from);
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = unpacked
            .iter()
            .map(|root| root.join("usr/sbin"))
            .chain(std::env::split_paths(&path))
            .chain(["/usr/sbin", "/usr/lib/postfix"].map(PathBuf::from));
        for folder in folders {
            let (sink, source) = (folder.join("smtp-sink"), folder.join("smtp-source"));
            if sink.exists() && source.exists() {
                let libraries = unpacked.map(|root| root.join("usr/lib/postfix"));
                return Some(Self {
                    sink,
                    source,
                    libraries,
                });
            }
        }
        None
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        if let Some(libraries) = &self.libraries {
            command.env("LD_LIBRARY_PATH", libraries);
        }
        command
    }

    /// A sink that answers; it ends with the value.
    pub(crate) fn sink(&self) -> Result<Sink> {
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let mut command = self.command(&self.sink);
        // Root it will not be.
        if fs::metadata("/proc/self")?.uid() == 0 {
            command.args(["-u", "nobody"]);
        }
        let process = command
            .args([&address.to_string(), "200"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let sink = Sink { process, address };
        for _ in 0..250 {
            if sink.greets().is_ok() {
                return Ok(sink);
            }
            thread::sleep(Duration::from_millis(20));
        }
        bail!("smtp-sink does not answer at {address}")
    }

    /// So many texts of so many bytes over so many connections.
    pub(crate) fn source(
        &self,
        sink: &Sink,
        connections: usize,
        letters: usize,
        size: usize,
    ) -> Result<Cost> {
        let [sessions, messages, length] =
            [connections, letters, size].map(|number| number.to_string());
        let mut command = timed(&self.source);
        if let Some(libraries) = &self.libraries {
            command.env("LD_LIBRARY_PATH", libraries);
        }
        command
            .args(["-d", "-s", &sessions, "-m", &messages, "-l", &length])
            .args(["-f", "notices@agency.example", "-t", "abuse@isp.example"])
            .arg(sink.address.to_string());
        Cost::of(command)
    }
}

pub(crate) struct Sink {
    process: Child,
    pub(crate) address: SocketAddr,
}

impl Sink {
    fn greets(&self) -> Result<()> {
        let mut stream = TcpStream::connect(self.address)?;
        let mut greeting = [0; 3];
        stream.read_exact(&mut greeting)?;
        ensure!(&greeting == b"220");
        Ok(stream.write_all(b"QUIT\r\n")?)
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A program whose times the shell tells, which knows them to the millisecond: for [`Cost::of`].
pub(crate) fn timed(program: &Path) -> Command {
    let mut command = Command::new("bash");
    command
        .args(["-c", r#"TIMEFORMAT='%3R %3U %3S'; time "$@""#, "timed"])
        .arg(program);
    command
}

/// What a run took, in seconds.
#[derive(Clone, Copy)]
pub(crate) struct Cost {
    pub(crate) passed: f64,
    pub(crate) worked: f64,
}

impl Cost {
    pub(crate) const NONE: Self = Self {
        passed: f64::INFINITY,
        worked: f64::INFINITY,
    };

    pub(crate) fn of(mut command: Command) -> Result<Self> {
        let ran = command.stdout(Stdio::null()).output().context("bash")?;
        let said = String::from_utf8_lossy(&ran.stderr);
        ensure!(ran.status.success(), "{said}");
        let last = said.lines().last().context("bash tells no time")?;
        let times: Vec<f64> = last
            .split(' ')
            .map(str::parse)
            .collect::<Result<_, _>>()
            .with_context(|| format!("no times: {said}"))?;
        let [passed, user, system] = times[..] else {
            bail!("no times: {said}");
        };
        Ok(Self {
            passed,
            worked: user + system,
        })
    }

    pub(crate) fn lower_to(&mut self, other: Self) {
        self.passed = self.passed.min(other.passed);
        self.worked = self.worked.min(other.worked);
    }
}
