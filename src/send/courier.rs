//! Who carries letters out: a relay over SMTP, or a folder that stands for one.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use super::relay::{Connection, Line, Relay, Trouble};
use crate::config::{Config, Transport};
use crate::model::{Letter, Mailbox, Outcome, OutcomeKind, Step};

/// Both arms are real: the folder is how letters are looked at before anybody gets one.
#[derive(Debug)]
pub enum Courier {
    Smtp(Smtp),
    Folder(PathBuf),
}

/// A relay, and the connections to it that are open and at rest.
#[derive(Debug)]
pub struct Smtp {
    relay: Relay,
    idle: Mutex<Vec<Connection>>,
}

impl Courier {
    /// The courier that the settings name; nothing is connected yet.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        match config.send.transport {
            Transport::Folder => Self::Folder(config.send.folder.clone()),
            Transport::Smtp => {
                let relay = Relay::from_settings(config);
                Self::Smtp(Smtp {
                    relay,
                    idle: Mutex::new(Vec::new()),
                })
            }
        }
    }

    /// Makes ready to send: an open connection, or the folder.
    ///
    /// # Errors
    /// When the relay cannot be spoken to; no letter is to blame for that.
    pub(super) async fn ready(&self) -> Result<Way<'_>, Trouble> {
        match self {
            Self::Folder(folder) => {
                let trouble = |error: std::io::Error| Trouble {
                    relay: folder.display().to_string(),
                    step: Step::Connect,
                    cause: error.to_string(),
                };
                tokio::fs::create_dir_all(folder).await.map_err(trouble)?;
                Ok(Way::Folder(folder))
            }
            Self::Smtp(smtp) => {
                let connection = match smtp.rested() {
                    Some(connection) => connection,
                    None => smtp.relay.open().await?,
                };
                Ok(Way::Smtp {
                    smtp,
                    connection: Box::new(connection),
                })
            }
        }
    }

    /// Says goodbye to the relay on all connections at rest.
    pub async fn close(&self) {
        if let Self::Smtp(smtp) = self {
            while let Some(connection) = smtp.rested() {
                connection.quit().await;
            }
        }
    }
}

impl Smtp {
    fn rested(&self) -> Option<Connection> {
        self.idle.lock().map_or(None, |mut idle| idle.pop())
    }

    fn rest(&self, connection: Connection) {
        if let Ok(mut idle) = self.idle.lock() {
            idle.push(connection);
        }
    }
}

/// A way out for one letter after another. A connection is given back only by [`Way::rest`], after
/// a whole transaction: dropped at any other moment, it is closed.
#[derive(Debug)]
pub(super) enum Way<'a> {
    Folder(&'a Path),
    Smtp {
        smtp: &'a Smtp,
        connection: Box<Connection>,
    },
}

impl<'a> Way<'a> {
    /// Sends one letter, and returns the way if it can be used again.
    pub(super) async fn send(
        self,
        letter: &Letter,
        to: &Mailbox,
        message: &[u8],
    ) -> (Outcome, Option<Way<'a>>) {
        match self {
            Self::Folder(folder) => {
                let outcome = put_down(folder, letter, message).await;
                (outcome, Some(self))
            }
            Self::Smtp {
                smtp,
                mut connection,
            } => {
                let relay = &smtp.relay;
                let sent = connection
                    .send(relay, &letter.envelope_from, to, message)
                    .await;
                let (mut outcome, line) = sent;
                outcome.sent_to = Some(to.clone());
                if line == Line::Dirty {
                    return (outcome, None);
                }
                if connection.is_worn(relay) {
                    connection.quit().await;
                    return (outcome, None);
                }
                (outcome, Some(Self::Smtp { smtp, connection }))
            }
        }
    }

    pub(super) fn rest(self) {
        if let Self::Smtp { smtp, connection } = self {
            smtp.rest(*connection);
        }
    }
}

/// `LW-000042-5-1-abuse@isp.example.eml`, safe on every file system.
#[must_use]
pub fn file_name(letter: &Letter) -> String {
    let stem = format!("{}-{}-{}", letter.ticket, letter.part, letter.recipient);
    let fit = |c: char| {
        if c.is_ascii_alphanumeric() || "-@._+".contains(c) {
            c
        } else {
            '_'
        }
    };
    format!("{}.eml", stem.chars().map(fit).collect::<String>())
}

/// Writes the message under a name of its own, and moves it into place when it is on the disk. A
/// full disk is the folder's trouble, not the letter's.
async fn put_down(folder: &Path, letter: &Letter, message: &[u8]) -> Outcome {
    let name = file_name(letter);
    let (path, unfinished) = (folder.join(&name), folder.join(format!(".{name}.part")));
    let (place, message) = (path.clone(), message.to_vec());
    // The standard library's file says at the write what went wrong; tokio's may say it later.
    let written = tokio::task::spawn_blocking(move || {
        let mut file = std::fs::File::create(&unfinished)?;
        let whole = file.write_all(&message).and_then(|()| file.sync_all());
        whole
            .and_then(|()| std::fs::rename(&unfinished, &place))
            .inspect_err(|_| {
                // What is half there must not be taken for a letter; the error is what counts.
                let _ = std::fs::remove_file(&unfinished);
            })
    });
    let written = written
        .await
        .unwrap_or_else(|error| Err(std::io::Error::other(error)));
    let (kind, step, reply) = match written {
        Ok(()) => (
            OutcomeKind::Accepted,
            Step::Dot,
            format!("written to {}", path.display()),
        ),
        Err(error) => (
            OutcomeKind::Relay,
            Step::Connect,
            format!("{}: {error}", path.display()),
        ),
    };
    Outcome {
        kind,
        relay: format!("the folder {}", folder.display()),
        sent_to: None,
        step,
        code: 0,
        enhanced: String::new(),
        reply,
    }
}
