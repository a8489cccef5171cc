//! Postfix's own pair for measuring: `smtp-sink`, which throws away what it takes, and `smtp-source`,
//! which sends one text again and again; and Postfix itself, as the relay that letters go through.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
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
            if greets(sink.address).is_ok() {
                return Ok(sink);
            }
            thread::sleep(Duration::from_millis(20));
        }
        bail!("smtp-sink does not answer at {address}")
    }

    /// So many texts over so many connections.
    pub(crate) fn source(
        &self,
        to: SocketAddr,
        connections: usize,
        letters: usize,
        text: Text<'_>,
    ) -> Result<Cost> {
        let mut command = timed(&self.source);
        if let Some(libraries) = &self.libraries {
            command.env("LD_LIBRARY_PATH", libraries);
        }
        let [sessions, messages] = [connections, letters].map(|number| number.to_string());
        command
            // Each to somebody else, as letters are.
            .args(["-d", "-N", "-s", &sessions, "-m", &messages])
            .args(["-f", "notices@agency.example", "-t", "abuse@isp.example"]);
        let file = tempfile::NamedTempFile::new()?;
        match text {
            Text::OfBytes(length) => command.arg("-l").arg(length.to_string()),
            Text::Letter(message) => {
                // It ends the lines itself.
                fs::write(
                    &file,
                    String::from_utf8_lossy(message).replace("\r\n", "\n"),
                )?;
                command.arg("-F").arg(file.path())
            }
        };
        Cost::of(command.arg(to.to_string()))
    }
}

/// What `smtp-source` sends.
#[derive(Clone, Copy)]
pub(crate) enum Text<'a> {
    /// Its own filling: a sink does not care.
    OfBytes(usize),
    /// The same letter each time: Postfix reads what it takes.
    Letter(&'a [u8]),
}

pub(crate) struct Sink {
    process: Child,
    pub(crate) address: SocketAddr,
}

fn greets(address: SocketAddr) -> Result<()> {
    let mut stream = TcpStream::connect(address)?;
    let mut greeting = [0; 3];
    stream.read_exact(&mut greeting)?;
    ensure!(&greeting == b"220");
    Ok(stream.write_all(b"QUIT\r\n")?)
}

impl Drop for Sink {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Postfix in a folder of its own, on this machine only, which hands on all that it takes to a sink.
pub(crate) struct Relay {
    folder: tempfile::TempDir,
    pub(crate) address: SocketAddr,
}

impl Relay {
    /// `None` where Postfix is not installed, or is not ours to start: its master wants to be root.
    pub(crate) fn start(sink: &Sink) -> Result<Option<Self>> {
        let is_root = fs::metadata("/proc/self")?.uid() == 0;
        let shipped = Path::new("/usr/share/postfix/master.cf.dist");
        if !is_root || !shipped.exists() || !Path::new("/usr/sbin/postfix").exists() {
            return Ok(None);
        }
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let folder = tempfile::Builder::new()
            .permissions(fs::Permissions::from_mode(0o755))
            .tempdir()?;
        let place = |name: &str| folder.path().join(name);
        for name in ["etc", "queue", "data"] {
            fs::create_dir(place(name))?;
        }
        run(Command::new("chown").arg("postfix").arg(place("data")))?;
        // Nothing in a cage of its own: that would want files of the system within it.
        let services: String = fs::read_to_string(shipped)?
            .lines()
            .map(|line| uncaged(line, address.port()) + "\n")
            .collect();
        fs::write(place("etc/master.cf"), services)?;
        let here = folder.path().display();
        fs::write(
            place("etc/main.cf"),
            format!(
                "compatibility_level = 3.6\nqueue_directory = {here}/queue\ndata_directory = {here}/data\n\
                 command_directory = /usr/sbin\ndaemon_directory = /usr/lib/postfix/sbin\n\
                 mail_owner = postfix\nsetgid_group = postdrop\nmaillog_file = {here}/log\n\
                 maillog_file_prefixes = {here}\ninet_interfaces = 127.0.0.1\ninet_protocols = ipv4\n\
                 myhostname = relay.example\nmynetworks = 127.0.0.0/8\nmydestination =\n\
                 relay_domains = static:all\nsmtpd_relay_restrictions = permit_mynetworks, reject\n\
                 relayhost = [127.0.0.1]:{}\ndisable_dns_lookups = yes\nsmtp_host_lookup = native\n\
                 relay_transport = smtp\nalias_maps =\nalias_database =\n\
                 smtp_tls_security_level = none\nsmtpd_tls_security_level = none\n",
                sink.address.port()
            ),
        )?;
        let relay = Self { folder, address };
        run(&mut relay.postfix("start"))?;
        for _ in 0..250 {
            if greets(address).is_ok() {
                return Ok(Some(relay));
            }
            thread::sleep(Duration::from_millis(20));
        }
        bail!("Postfix does not answer at {address}")
    }

    fn postfix(&self, order: &str) -> Command {
        let mut command = Command::new("/usr/sbin/postfix");
        command.arg("-c").arg(self.folder.path().join("etc"));
        command.arg(order);
        command
    }

    /// Waits until it has handed everything on.
    pub(crate) fn drain(&self) -> Result<()> {
        for _ in 0..6_000 {
            let mut waiting = 0;
            for queue in ["maildrop", "incoming", "active", "deferred"] {
                let mut command = Command::new("find");
                command.arg(self.folder.path().join("queue").join(queue));
                let found = command.args(["-type", "f"]).output()?;
                waiting += found.stdout.len();
            }
            if waiting == 0 {
                return Ok(());
            }
            thread::sleep(Duration::from_millis(50));
        }
        bail!("Postfix does not hand on what it has")
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let _ = self.postfix("stop").output();
    }
}

/// A line of Postfix's list of services (master(5)) without a cage; the one that takes mail at this port.
fn uncaged(line: &str, port: u16) -> String {
    let mut words: Vec<&str> = line.split_whitespace().collect();
    let is_service = words.len() >= 8 && !line.starts_with(['#', ' ']);
    if !is_service {
        return line.to_owned();
    }
    words[4] = "n";
    match words[..2] {
        ["smtp", "inet"] => format!("127.0.0.1:{port} {}", words[1..].join(" ")),
        _ => words.join(" "),
    }
}

fn run(command: &mut Command) -> Result<()> {
    let ran = command.output()?;
    let said = String::from_utf8_lossy(&ran.stderr);
    ensure!(ran.status.success(), "{command:?}: {said}");
    Ok(())
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

    pub(crate) fn of(command: &mut Command) -> Result<Self> {
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
