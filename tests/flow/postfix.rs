//! A throw-away Postfix: in a folder of its own, on loopback only, gone with the test.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, BufRead, BufReader, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Once;

/// What it is to do with whom. Whoever is not named gets nothing, for nothing leaves this machine.
#[derive(Default)]
pub(crate) struct Ways {
    /// Mailboxes of its own, and the folder of each; of their domains nobody else is known.
    pub(crate) mailboxes: Vec<(String, &'static str)>,
    pub(crate) domains: Vec<String>,
    /// Where a domain's mail goes, as transport(5) has it.
    pub(crate) transports: Vec<(String, String)>,
    pub(crate) forwards: Vec<(String, &'static str)>,
    pub(crate) moved: Vec<(String, &'static str)>,
}

/// It ends with the value; also where the test is killed.
pub(crate) struct Postfix {
    pub(crate) address: SocketAddr,
    folder: tempfile::TempDir,
    keeper: Child,
}

/// The shell that starts it, says so, and stops it when its input ends, however the test ends.
const KEEP: &str = r#"
trap '' PIPE
exec 3>&1 >>"$1/started" 2>&1
if postfix -c "$1/etc" start 3>&-; then echo ready >&3; else echo failed >&3; fi
read -r _
postfix -c "$1/etc" stop 3>&-
"#;

/// The services (master(5)) that are needed, none in a cage. `agent` is a delivery agent whose mailboxes are
/// full.
const SERVICES: &str = "
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
virtual unix - n n - - virtual
agent unix - n n - - pipe user=nobody argv=/bin/sh -c {echo 5.2.2 Quota exceeded, the mailbox is full; exit 77}
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
";

/// As shipped but for the names, the maps and the times: what takes hours takes seconds. Recipients are not
/// looked at when mail comes, as a relay does not that stands before others.
const SETTINGS: &str = "
compatibility_level = 3.6
queue_directory = HERE/queue
data_directory = HERE/data
maillog_file = HERE/log
maillog_file_prefixes = HERE
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
disable_dns_lookups = yes
smtp_host_lookup = native
myhostname = relay.example
mynetworks = 127.0.0.0/8
mydestination =
local_recipient_maps =
alias_maps =
default_transport = error:5.4.4 nobody else is reached from here
transport_maps = texthash:HERE/etc/transports
virtual_alias_maps = texthash:HERE/etc/forwards
relocated_maps = texthash:HERE/etc/moved
virtual_mailbox_domains = texthash:HERE/etc/domains
virtual_mailbox_maps = texthash:HERE/etc/mailboxes
virtual_mailbox_base = HERE/mail
virtual_uid_maps = static:USER
virtual_gid_maps = static:GROUP
smtpd_reject_unlisted_recipient = no
queue_run_delay = 1s
minimal_backoff_time = 1s
maximal_backoff_time = 1s
transport_retry_time = 1s
delay_warning_time = 1s
";

impl Postfix {
    /// `None` where there is none, or where it is not ours to start, which is said once on standard error.
    ///
    /// # Panics
    /// When it is there and does not start; and when it is missing although `CI=true`.
    pub(crate) fn start(ways: &Ways) -> Option<Self> {
        if let Some(why) = why_not() {
            assert!(
                !std::env::var("CI").is_ok_and(|ci| ci == "true"),
                "{why}, and CI must not go without it"
            );
            static SAID: Once = Once::new();
            // Past the harness, which shows what passing tests print to nobody.
            SAID.call_once(|| drop(writeln!(io::stderr(), "skipped: {why}")));
            return None;
        }
        Some(Self::begin(ways).expect("Postfix should start"))
    }

    fn begin(ways: &Ways) -> io::Result<Self> {
        // Its processes are not root, and must find their way in.
        let folder = tempfile::Builder::new()
            .permissions(fs::Permissions::from_mode(0o755))
            .tempdir()?;
        let here = folder.path();
        for name in ["etc", "queue", "data", "mail"] {
            fs::create_dir(here.join(name))?;
        }
        own("postfix", &here.join("data"))?;
        own("nobody", &here.join("mail"))?;
        let user = fs::metadata(here.join("mail"))?;
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let settings = SETTINGS
            .replace("HERE", &here.display().to_string())
            .replace("USER", &user.uid().to_string())
            .replace("GROUP", &user.gid().to_string());
        let domains: Vec<_> = ways.domains.iter().map(|name| (name, "here")).collect();
        for (name, text) in [
            ("main.cf", settings),
            (
                "master.cf",
                format!("{address} inet n - n - - smtpd{SERVICES}"),
            ),
            ("domains", table(&domains)),
            ("mailboxes", table(&ways.mailboxes)),
            ("transports", table(&ways.transports)),
            ("forwards", table(&ways.forwards)),
            ("moved", table(&ways.moved)),
        ] {
            fs::write(here.join("etc").join(name), text)?;
        }
        let keeper = Command::new("bash")
            .args(["-c", KEEP, "keeper"])
            .arg(here)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut postfix = Self {
            address,
            folder,
            keeper,
        };
        let mut said = String::new();
        if let Some(out) = postfix.keeper.stdout.take() {
            BufReader::new(out).read_line(&mut said)?;
        }
        match said.trim_end() {
            "ready" => Ok(postfix),
            _ => Err(io::Error::other(postfix.log())),
        }
    }

    /// From now on it gives up what it could not hand on within a second.
    pub(crate) fn lose_patience(&self) {
        let settings = self.folder.path().join("etc/main.cf");
        let mut text = fs::read_to_string(&settings).unwrap();
        text.push_str("maximal_queue_lifetime = 1s\n");
        fs::write(settings, text).unwrap();
        let mut command = Command::new("postfix");
        command.arg("-c").arg(self.folder.path().join("etc"));
        let ran = command.arg("reload").output().unwrap();
        assert!(ran.status.success(), "{ran:?}");
    }

    /// What lies in a mailbox of its own.
    pub(crate) fn mailbox(&self, name: &str) -> Vec<String> {
        let folder = self.folder.path().join("mail").join(name).join("new");
        let letters = fs::read_dir(folder).into_iter().flatten();
        letters
            .map(|one| fs::read_to_string(one.unwrap().path()).unwrap())
            .collect()
    }

    pub(crate) fn log(&self) -> String {
        ["started", "log"]
            .map(|name| fs::read_to_string(self.folder.path().join(name)).unwrap_or_default())
            .concat()
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

/// It wants Debian's layout, and its master to be root.
fn why_not() -> Option<&'static str> {
    let programs = ["/usr/sbin/postfix", "/usr/lib/postfix/sbin/master"];
    let is_root = fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
    if !programs.iter().all(|program| Path::new(program).exists()) {
        return Some("Postfix is not installed as Debian does it");
    }
    (!is_root).then_some("Postfix is started by root only")
}

fn table(lines: &[(impl AsRef<str>, impl AsRef<str>)]) -> String {
    let mut table = String::new();
    for (key, value) in lines {
        let _ = writeln!(table, "{} {}", key.as_ref(), value.as_ref());
    }
    table
}

pub(crate) fn own(user: &str, folder: &Path) -> io::Result<()> {
    let ran = Command::new("chown")
        .arg(format!("{user}:"))
        .arg(folder)
        .status()?;
    match ran.success() {
        true => Ok(()),
        false => Err(io::Error::other(format!("chown {user}: {ran}"))),
    }
}
