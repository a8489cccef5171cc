//! A throw-away Dovecot: a mailbox over TLS, in a folder of its own, on loopback only, gone with the test.

use std::fs;
use std::io::{self, BufRead, BufReader, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Once;

use crate::postfix::own;

pub(crate) const USER: &str = "bounces@coalition.example";
pub(crate) const PASSWORD: &str = "s3cret";

/// It ends with the value; also where the test is killed.
pub(crate) struct Dovecot {
    pub(crate) port: u16,
    folder: tempfile::TempDir,
    keeper: Child,
}

/// The shell that starts it, says so, and stops it when its input ends, however the test ends.
const KEEP: &str = r#"
trap '' PIPE
exec 3>&1 >>"$1/started" 2>&1
if dovecot -c "$1/conf" 3>&-; then echo ready >&3; else echo failed >&3; fi
read -r _
dovecot -c "$1/conf" stop 3>&-
"#;

impl Dovecot {
    /// `None` where it is not installed, or is not ours to start, which is said once on standard error.
    ///
    /// # Panics
    /// When it is there and does not start; and when it is missing although `CI=true`.
    pub(crate) fn start(certificate: &str, key: &str) -> Option<Self> {
        static SAID: Once = Once::new();
        let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
        if !is_root || !Path::new("/usr/sbin/dovecot").exists() {
            let why = "Dovecot is not installed, or this is not root, which it wants to be";
            assert!(
                !std::env::var("CI").is_ok_and(|ci| ci == "true"),
                "{why}, and CI must not go without it"
            );
            SAID.call_once(|| {
                // Past the harness, which shows what passing tests print to nobody.
                let _ = writeln!(io::stderr(), "skipped: {why}");
            });
            return None;
        }
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let folder = tempfile::Builder::new()
            .permissions(fs::Permissions::from_mode(0o755))
            .tempdir()
            .unwrap();
        let here = folder.path();
        for inner in ["run", "mail", "mail/new", "mail/cur", "mail/tmp"] {
            fs::create_dir(here.join(inner)).unwrap();
            own("dovecot", &here.join(inner)).unwrap();
        }
        let user = fs::metadata(here.join("mail")).unwrap();
        fs::write(here.join("certificate"), certificate).unwrap();
        fs::write(here.join("key"), key).unwrap();
        fs::write(here.join("users"), format!("{USER}:{{PLAIN}}{PASSWORD}\n")).unwrap();
        let conf = CONF
            .replace("HERE", &here.display().to_string())
            .replace("PORT", &port.to_string())
            .replace("UID", &user.uid().to_string())
            .replace("GID", &user.gid().to_string());
        fs::write(here.join("conf"), conf).unwrap();
        let mut keeper = Command::new("sh")
            .args(["-c", KEEP, "keeper"])
            .arg(here)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut answer = String::new();
        let mut output = BufReader::new(keeper.stdout.take().unwrap());
        output.read_line(&mut answer).unwrap();
        let said = || fs::read_to_string(here.join("started")).unwrap_or_default();
        assert_eq!(answer, "ready\n", "Dovecot: {}", said());
        Some(Self {
            port,
            folder,
            keeper,
        })
    }

    /// A mail server puts a message into the mailbox.
    pub(crate) fn receives(&self, name: &str, message: &str) {
        let written = self.mail().join("tmp").join(name);
        fs::write(&written, message).unwrap();
        own("dovecot", &written).unwrap();
        fs::rename(written, self.mail().join("new").join(name)).unwrap();
    }

    /// Messages in a folder of the mailbox, `` being the one that mail comes into.
    pub(crate) fn holds(&self, folder: &str) -> usize {
        let files = |inner: &str| fs::read_dir(self.mail().join(folder).join(inner));
        let count = |inner: &str| files(inner).map_or(0, |files| files.count());
        count("new") + count("cur")
    }

    fn mail(&self) -> PathBuf {
        self.folder.path().join("mail")
    }
}

impl Drop for Dovecot {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

const CONF: &str = "\
base_dir = HERE/run
state_dir = HERE/run
log_path = HERE/log
protocols = imap
listen = 127.0.0.1
ssl = required
ssl_cert = <HERE/certificate
ssl_key = <HERE/key
mail_location = maildir:HERE/mail
first_valid_uid = 1
passdb {
  driver = passwd-file
  args = HERE/users
}
userdb {
  driver = static
  args = uid=UID gid=GID home=HERE
}
service imap-login {
  chroot =
  inet_listener imap {
    port = 0
  }
  inet_listener imaps {
    port = PORT
    ssl = yes
  }
}
service anvil {
  chroot =
}
service stats {
  chroot =
}
";
