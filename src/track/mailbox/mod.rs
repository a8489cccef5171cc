//! Mail that lies in files: one message, an mbox, a Maildir, a folder of messages, or what comes by
//! standard input.
//!
//! One message is in memory at a time, however many there are. A bad one is named with file, line and
//! remedy, and the others go on.

mod envelope;
mod folder;
mod stream;

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use crate::model::{Arrived, Progress, Timestamp, WayIn};
use crate::store::{self, Store};
pub(super) use envelope::told;
use folder::{Entry, is_eml};
use stream::{Piece, Stream};

/// Messages one after another, as they are found.
pub struct Messages {
    files: std::vec::IntoIter<Entry>,
    /// Only a file that was named by itself may be an mbox.
    may_be_mbox: bool,
    in_hand: Option<(Entry, Stream)>,
    now: Timestamp,
    left: u64,
}

/// A message, and what is to be done with its file when it is kept.
#[derive(Debug)]
pub struct Found {
    pub arrived: Arrived,
    pub file: PathBuf,
    /// Where in the file it begins.
    pub line: u64,
    rename: Option<PathBuf>,
}

/// What could not be read, or not be put away.
#[derive(Debug, thiserror::Error)]
#[error("{}:{line}: {why}", .file.display())]
pub struct Broken {
    pub file: PathBuf,
    pub line: u64,
    /// With a remedy.
    pub why: String,
}

/// What has been taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Taken {
    pub new: u64,
    /// Messages that were kept before.
    pub again: u64,
    pub broken: u64,
    /// Messages of a Maildir that are marked as seen, and were left alone.
    pub left: u64,
}

impl std::ops::AddAssign for Taken {
    fn add_assign(&mut self, other: Self) {
        self.new += other.new;
        self.again += other.again;
        self.broken += other.broken;
        self.left += other.left;
    }
}

impl fmt::Display for Taken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} kept", self.new)?;
        for (n, what) in [
            (self.again, "known already"),
            (self.broken, "not to be read"),
            (self.left, "left as seen in a Maildir, whose cur holds them"),
        ] {
            if n > 0 {
                write!(f, ", {n} {what}")?;
            }
        }
        Ok(())
    }
}

impl Messages {
    /// Those in a file, a Maildir or a folder of `.eml` files.
    ///
    /// # Errors
    /// When nothing is there, or it cannot be read.
    pub fn open(path: &Path, now: Timestamp) -> Result<Self, Broken> {
        let broken = |error: &io::Error| Broken::from_io(path, error);
        let is_folder = path.metadata().map_err(|error| broken(&error))?.is_dir();
        let listing = if is_folder {
            folder::list(path).map_err(|error| broken(&error))?
        } else {
            folder::Listing::of(path)
        };
        Ok(Self {
            files: listing.entries.into_iter(),
            may_be_mbox: !is_folder && !is_eml(path),
            in_hand: None,
            now,
            left: listing.left,
        })
    }

    /// Those in what comes by standard input.
    #[must_use]
    pub fn read(input: Box<dyn BufRead>, now: Timestamp) -> Self {
        let entry = Entry::plain(PathBuf::from("-"));
        Self {
            files: Vec::new().into_iter(),
            may_be_mbox: true,
            in_hand: Some((entry, Stream::new(input, true))),
            now,
            left: 0,
        }
    }

    fn found(&self, entry: &Entry, piece: Piece) -> Result<Found, Broken> {
        let broken = |why: &str| Broken {
            file: entry.path.clone(),
            line: piece.line,
            why: why.to_owned(),
        };
        if piece.size == 0 {
            return Err(broken("there is no message; it may still be being written"));
        }
        if !envelope::has_fields(&piece.kept) {
            return Err(broken(
                "this is no message: it would begin with lines as \"Subject: …\"; unpack what is packed",
            ));
        }
        let (envelope_from, envelope_to) = told(&piece.kept);
        Ok(Found {
            arrived: Arrived {
                via: WayIn::File,
                came_at: self.now,
                envelope_from,
                envelope_to,
                size: piece.size,
                message: piece.kept,
            },
            file: entry.path.clone(),
            line: piece.line,
            rename: entry.rename.clone(),
        })
    }
}

impl Iterator for Messages {
    type Item = Result<Found, Broken>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some((entry, mut stream)) = self.in_hand.take() {
                match stream.next() {
                    Ok(Some(piece)) => {
                        let found = self.found(&entry, piece);
                        self.in_hand = Some((entry, stream));
                        return Some(found);
                    }
                    Ok(None) => {}
                    // The rest of this file is lost, the others are not.
                    Err(error) => return Some(Err(Broken::from_io(&entry.path, &error))),
                }
            }
            let entry = self.files.next()?;
            match File::open(&entry.path) {
                Ok(file) => {
                    let stream = Stream::new(Box::new(BufReader::new(file)), self.may_be_mbox);
                    self.in_hand = Some((entry, stream));
                }
                Err(error) => return Some(Err(Broken::from_io(&entry.path, &error))),
            }
        }
    }
}

impl Found {
    /// Marks the file as taken. Only for a message that is committed.
    fn put_away(&self) -> Result<(), Broken> {
        let Some(to) = &self.rename else {
            return Ok(());
        };
        std::fs::rename(&self.file, to).map_err(|error| Broken {
            file: self.file.clone(),
            line: self.line,
            why: format!(
                "it is kept, but cannot be marked as seen: {error}; let Lapwing write in the Maildir"
            ),
        })
    }
}

impl Broken {
    fn from_io(file: &Path, error: &io::Error) -> Self {
        let remedy = match error.kind() {
            io::ErrorKind::NotFound => "look at the path",
            io::ErrorKind::PermissionDenied => "let Lapwing read it",
            _ => "look at the disk",
        };
        Self {
            file: file.to_owned(),
            line: 1,
            why: format!("{error}; {remedy}"),
        }
    }
}

/// Keeps all messages, each before its file is put away.
///
/// # Errors
/// The database's: then the rest is still where it was.
pub async fn take(
    store: &Store,
    messages: &mut Messages,
    progress: &Progress,
    mut tell: impl FnMut(Broken),
) -> Result<Taken, store::Error> {
    let mut taken = Taken {
        left: messages.left,
        ..Taken::default()
    };
    while !progress.is_stopped()
        && let Some(message) = messages.next()
    {
        let put_away = match message {
            Ok(found) => {
                let (_, is_new) = store.put_incoming(&found.arrived).await?;
                taken.new += u64::from(is_new);
                taken.again += u64::from(!is_new);
                found.put_away()
            }
            Err(broken) => {
                taken.broken += 1;
                Err(broken)
            }
        };
        if let Err(broken) = put_away {
            tell(broken);
        }
        progress.add(1);
    }
    Ok(taken)
}

#[cfg(test)]
mod tests;
