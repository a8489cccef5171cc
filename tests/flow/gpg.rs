//! GnuPG as a recipient has it: a keyring of its own, and a letter taken apart by hand.

use std::path::Path;
use std::process::{Command, Output};

/// A keyring that is thrown away.
pub(crate) struct Gpg(tempfile::TempDir);

impl Gpg {
    /// `None` where it is not installed, which is said on standard error.
    ///
    /// # Panics
    /// When it is missing although `CI=true`.
    pub(crate) fn new() -> Option<Self> {
        if Command::new("gpg").arg("--version").output().is_err() {
            let why = "gpg is not installed: signatures are not verified";
            assert!(
                std::env::var("CI").is_ok_and(|ci| ci != "true"),
                "{why}, which CI must not skip"
            );
            eprintln!("skipped: {why}");
            return None;
        }
        // Readable by its owner alone, else it complains; short, for its sockets.
        Some(Self(tempfile::tempdir().unwrap()))
    }

    /// Runs it at 2026-11-16T12:00, a few hours into every story.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        Command::new("gpg")
            .arg("--homedir")
            .arg(self.0.path())
            .args(["--batch", "--no-tty", "--status-fd", "1"])
            .args(["--pinentry-mode", "loopback", "--passphrase", ""])
            .args(["--faked-system-time", "20261116T120000!"])
            .args(arguments)
            .env("LC_ALL", "C")
            .output()
            .unwrap()
    }

    /// What it says when it has to go well.
    pub(crate) fn must(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let complained = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}\n{said}{complained}");
        said
    }

    pub(crate) fn import(&self, file: &Path) {
        self.must(&["--import", file.to_str().unwrap()]);
    }

    /// Takes a key back, by the certificate that was made for it with the key.
    pub(crate) fn revoke(&self, fingerprint: &str) {
        let folder = self.0.path().join("openpgp-revocs.d");
        let certificate = folder.join(format!("{fingerprint}.rev"));
        // A colon keeps it from being imported by mistake.
        let text = std::fs::read_to_string(&certificate).unwrap();
        std::fs::write(&certificate, text.replace(":-----BEGIN", "-----BEGIN")).unwrap();
        self.import(&certificate);
    }

    /// Its machine-readable words on a signed letter.
    pub(crate) fn verify(&self, letter: &[u8]) -> String {
        let (signed, signature) = taken_apart(letter);
        let file = |name: &str, content: &[u8]| {
            let path = self.0.path().join(name);
            std::fs::write(&path, content).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let (signed, signature) = (file("part", signed), file("part.asc", signature));
        let output = self.run(&["--verify", &signature, &signed]);
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

impl Drop for Gpg {
    /// What made a key for it stays running.
    fn drop(&mut self) {
        let mut gpgconf = Command::new("gpgconf");
        let _ = gpgconf
            .arg("--homedir")
            .arg(self.0.path())
            .args(["--kill", "all"])
            .output();
    }
}

/// RFC 3156 5 and RFC 2046 5.1.1, with nothing of ours: the bytes between the first two boundaries,
/// and the body of the part behind them.
fn taken_apart(letter: &[u8]) -> (&[u8], &[u8]) {
    let head = find(letter, b"\r\n\r\n").expect("a header and a body");
    let header = String::from_utf8(letter[..head].to_vec()).unwrap();
    let header = header.replace("\r\n ", " ").replace("\r\n\t", " ");
    let media_type = header
        .lines()
        .find(|line| line.starts_with("Content-Type:"))
        .unwrap();
    for said in [
        "multipart/signed",
        "protocol=\"application/pgp-signature\"",
        "micalg=\"pgp-sha512\"",
    ] {
        assert!(media_type.contains(said), "{said}: {media_type}");
    }
    let (_, boundary) = media_type.split_once("boundary=\"").unwrap();
    let boundary = format!("\r\n--{}", boundary.split_once('"').unwrap().0);
    let parts: Vec<&[u8]> = between(&letter[head + 2..], boundary.as_bytes());
    let [_, signed, signature, end] = parts[..] else {
        panic!("{} parts in a signed letter", parts.len());
    };
    assert!(end.starts_with(b"--"), "the last boundary closes");
    let signed = signed.strip_prefix(b"\r\n").unwrap();
    let body = find(signature, b"\r\n\r\n").unwrap() + 4;
    (signed, &signature[body..])
}

fn between<'a>(text: &'a [u8], separator: &[u8]) -> Vec<&'a [u8]> {
    match find(text, separator) {
        None => vec![text],
        Some(at) => {
            let mut parts = vec![&text[..at]];
            parts.extend(between(&text[at + separator.len()..], separator));
            parts
        }
    }
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|one| one == wanted)
}
