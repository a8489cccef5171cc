//! A folder that others put feeds into: what of it may be taken, and where it goes when it was.
//!
//! Whoever writes into the folder writes under a name that is passed over (`.feed.csv`, `feed.csv.part`,
//! `feed.csv.tmp`) and renames the file when it is whole. Who does not is noticed while the file still
//! grows, and left for the next time.

use std::fs::{self, File, Metadata};
use std::io::{self, Read, Seek};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::model::{FileFate, hex};
use crate::sheet::{self, Text};

/// Below the folder.
const DONE: &str = "done";
const FAILED: &str = "failed";

/// Endings of what is still being written.
const UNFINISHED: [&str; 2] = [".part", ".tmp"];

/// A file of the folder, opened and known by its bytes.
#[derive(Debug)]
pub struct Dropped {
    file: File,
    path: PathBuf,
    about: Metadata,
    /// SHA-256 over it, as it lies there.
    pub digest: String,
}

/// The files that may be taken, in the order of their names. Folders, links and what is still being
/// written are passed over.
///
/// # Errors
/// When the folder is not there or cannot be read.
pub fn waiting(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let is_unfinished = UNFINISHED.iter().any(|ending| name.ends_with(ending));
        // It may have been taken away since it was listed.
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        if is_file && !is_unfinished && !name.starts_with('.') {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

impl Dropped {
    /// Opens a file and reads it once, for its digest.
    ///
    /// # Errors
    /// When it is no longer there or cannot be read.
    pub fn open(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let about = file.metadata()?;
        let mut digest = Sha256::new();
        let mut block = vec![0; 64 * 1024];
        loop {
            match file.read(&mut block)? {
                0 => break,
                n => digest.update(&block[..n]),
            }
        }
        file.rewind()?;
        Ok(Self {
            file,
            path: path.to_owned(),
            about,
            digest: hex(&digest.finalize()),
        })
    }

    #[must_use]
    pub fn size(&self) -> u64 {
        self.about.len()
    }

    /// Its text, unpacked.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn text(&self) -> io::Result<Text> {
        sheet::unwrap(self.file.try_clone()?)
    }

    /// Whether the file is as it was when it was opened: of another length or time it is still being
    /// written.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        fs::metadata(&self.path).is_ok_and(|now| {
            now.len() == self.about.len() && now.modified().ok() == self.about.modified().ok()
        })
    }

    /// Moves it below the folder; where another file of its name lies already, with the beginning of its
    /// digest behind its name. One that is no longer there is moved.
    ///
    /// # Errors
    /// When nobody may write there.
    pub fn put_away(&self, fate: FileFate) -> io::Result<()> {
        let (Some(folder), Some(name)) = (self.path.parent(), self.path.file_name()) else {
            return Ok(());
        };
        let below = folder.join(match fate {
            FileFate::Failed => FAILED,
            _ => DONE,
        });
        fs::create_dir_all(&below)?;
        let mut place = below.join(name);
        if place.exists() {
            let mut longer = name.to_owned();
            longer.push(".");
            longer.push(self.digest.get(..8).unwrap_or_default());
            place = below.join(longer);
        }
        match fs::rename(&self.path, place) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && !self.path.exists() => Ok(()),
            other => other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let found = waiting(folder).unwrap();
        let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
        found.iter().map(name).collect()
    }

    #[test]
    fn what_is_still_being_written_is_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.csv", "a.csv.gz", ".c.csv", "d.csv.part", "e.tmp"] {
            fs::write(folder.path().join(name), "192.0.2.1\n").unwrap();
        }
        fs::create_dir(folder.path().join("done")).unwrap();
        std::os::unix::fs::symlink("/etc/hostname", folder.path().join("f.csv")).unwrap();
        assert_eq!(names(folder.path()), ["a.csv.gz", "b.csv"]);
        assert!(waiting(&folder.path().join("nowhere")).is_err());

        let path = folder.path().join("b.csv");
        let dropped = Dropped::open(&path).unwrap();
        assert!(dropped.is_whole());
        fs::write(&path, "192.0.2.1\n192.0.2.2\n").unwrap();
        assert!(!dropped.is_whole());
    }

    #[test]
    fn files_of_one_name_stay_apart() {
        let folder = tempfile::tempdir().unwrap();
        for text in ["one", "two", "three"] {
            let path = folder.path().join("feed.csv");
            fs::write(&path, text).unwrap();
            let dropped = Dropped::open(&path).unwrap();
            dropped.put_away(FileFate::Taken).unwrap();
            dropped.put_away(FileFate::Taken).unwrap();
        }
        let done = fs::read_dir(folder.path().join("done")).unwrap();
        assert_eq!(done.count(), 3);
        assert_eq!(names(folder.path()), Vec::<String>::new());
    }
}
