//! The OpenPGP key that letters are signed with: read and judged, unlocked, used, and made.

#[cfg(not(feature = "openpgp"))]
mod absent;
#[cfg(feature = "openpgp")]
mod certificate;
#[cfg(feature = "openpgp")]
mod key;
#[cfg(feature = "openpgp")]
mod make;

use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use serde::Serialize;

#[cfg(not(feature = "openpgp"))]
pub use absent::{Key, Signer, make};
#[cfg(feature = "openpgp")]
pub use key::{Key, Signer};
#[cfg(feature = "openpgp")]
pub use make::make;

use crate::config;
use crate::model::{Mailbox, Span, Timestamp};

/// How long before its end a key is warned of: a campaign takes days, its reminders weeks.
const SOON: Span = Span(30 * 86_400_000);

/// A key file that does not serve, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {problem}")]
pub struct Error {
    pub file: String,
    pub problem: String,
}

impl Error {
    fn new(file: &Path, problem: impl Into<String>) -> Self {
        Self {
            file: file.display().to_string(),
            problem: problem.into(),
        }
    }
}

/// What anybody may know of a key.
#[derive(Clone, Debug, Serialize)]
pub struct Facts {
    pub file: PathBuf,
    /// Of the whole key, in groups of four, as it is published and as letters show it.
    pub fingerprint: String,
    /// `Example Agency <notices@agency.example>`.
    pub owner: String,
    /// `Ed25519`, `RSA 3072`: of the part that signs.
    pub algorithm: String,
    pub created_at: Timestamp,
    /// When it can no longer sign.
    pub expires_at: Option<Timestamp>,
    /// Whether it takes a passphrase to sign.
    pub is_locked: bool,
    /// The public key, armored: what recipients need.
    pub public: String,
}

impl Facts {
    /// What the staff should know before letters are signed with it.
    #[must_use]
    pub fn warnings(&self, now: Timestamp) -> Vec<String> {
        self.warnings_ahead(now, SOON)
    }

    /// The same, where an end that lies `ahead` or less is told.
    #[must_use]
    pub fn warnings_ahead(&self, now: Timestamp, ahead: Span) -> Vec<String> {
        let file = self.file.display();
        let mut warnings = Vec::new();
        if let Some(end) = self.expires_at.filter(|end| end.since(now) <= ahead) {
            warnings.push(format!(
                "the signing key expires on {}, then nothing can be signed; extend it ({file})",
                end.date()
            ));
        }
        if self.algorithm.starts_with("RSA") {
            warnings.push(format!(
                "the signing key is {}: some milliseconds a letter, a hundred times as long as Ed25519 takes",
                self.algorithm
            ));
        }
        let mode = std::fs::metadata(&self.file).map_or(0, |file| file.permissions().mode());
        if mode & 0o077 != 0 && !self.is_locked {
            warnings.push(format!(
                "others on this machine can read the signing key: chmod 600 {file}"
            ));
        }
        warnings
    }
}

/// A key to be made.
#[derive(Clone, Debug)]
pub struct Wanted<'a> {
    pub name: &'a str,
    pub mailbox: &'a Mailbox,
    /// Empty: it is not locked.
    pub passphrase: &'a str,
    /// How long it counts; for ever when not said.
    pub expires: Option<Span>,
}

/// A new key, both halves armored.
#[derive(Clone)]
pub struct Made {
    pub fingerprint: String,
    pub secret: String,
    pub public: String,
}

/// The key of the settings, without unlocking it; `None` where letters are not signed.
///
/// # Errors
/// As [`Key::read`].
pub fn key(settings: &config::Sign, now: Timestamp) -> Result<Option<Key>, Error> {
    if settings.key.as_os_str().is_empty() {
        return Ok(None);
    }
    Key::read(&settings.key, now).map(Some)
}

/// Where the public half of a key is written beside it.
#[must_use]
pub fn public_file(secret: &Path) -> PathBuf {
    let mut name = secret.as_os_str().to_owned();
    name.push(".pub");
    name.into()
}

/// Writes a new key into `file`, for its owner's eyes only, and its public half beside it.
///
/// # Errors
/// When either file is there already or cannot be written; nothing is ever written over.
pub fn keep(made: &Made, file: &Path) -> Result<(), Error> {
    let public = public_file(file);
    for path in [file, &public] {
        if path.symlink_metadata().is_ok() {
            return Err(Error::new(
                path,
                "is there already, and a key is never written over; choose another file",
            ));
        }
    }
    write_new(file, &made.secret, 0o600)?;
    write_new(&public, &made.public, 0o644)
}

fn write_new(path: &Path, text: &str, mode: u32) -> Result<(), Error> {
    let mut options = std::fs::OpenOptions::new();
    let written = options
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)
        .and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        });
    written.map_err(|error| Error::new(path, error.to_string()))
}

#[cfg(test)]
#[cfg(feature = "openpgp")]
mod tests;
