//! Which files of a folder are messages, and what a Maildir's are called when they are taken.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

/// A file, and its name when its message is kept.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) path: PathBuf,
    pub(super) rename: Option<PathBuf>,
}

impl Entry {
    pub(super) fn plain(path: PathBuf) -> Self {
        Self { path, rename: None }
    }
}

#[derive(Default)]
pub(super) struct Listing {
    pub(super) entries: Vec<Entry>,
    /// Messages that somebody has seen.
    pub(super) left: u64,
}

impl Listing {
    pub(super) fn of(file: &Path) -> Self {
        Self {
            entries: vec![Entry::plain(file.to_owned())],
            left: 0,
        }
    }
}

/// The messages of a Maildir, which has `new` and `cur`; else the `.eml` files, in the order of their
/// names. Of a Maildir's `cur`, those are left that are marked as seen; all of them are found by naming
/// `MAILDIR/cur` itself.
pub(super) fn list(folder: &Path) -> io::Result<Listing> {
    let (new, cur) = (folder.join("new"), folder.join("cur"));
    let mut listing = Listing::default();
    if !(new.is_dir() && cur.is_dir()) {
        let is_in_maildir = ["new", "cur"].map(OsStr::new).map(Some);
        let takes_all = is_in_maildir.contains(&folder.file_name());
        let files = files_in(folder)?.into_iter();
        let files = files.filter(|path| takes_all || is_eml(path));
        listing.entries = files.map(Entry::plain).collect();
        return Ok(listing);
    }
    for path in files_in(&new)?.into_iter().chain(files_in(&cur)?) {
        let name = path.file_name().unwrap_or_default();
        match as_seen(name) {
            Some(name) => {
                let rename = Some(cur.join(name));
                listing.entries.push(Entry { path, rename });
            }
            None => listing.left += 1,
        }
    }
    Ok(listing)
}

pub(super) fn is_eml(path: &Path) -> bool {
    path.extension()
        .is_some_and(|end| end.eq_ignore_ascii_case("eml"))
}

/// Hidden files are somebody's who is still writing them.
fn files_in(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default();
        if !name.as_bytes().starts_with(b".") && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// The name of a Maildir's message that has the flag S; `None` where it has it.
fn as_seen(name: &OsStr) -> Option<OsString> {
    let name = name.as_bytes();
    let info = name.windows(3).rposition(|part| part == b":2,");
    let (base, flags) = match info {
        Some(at) => (&name[..at], &name[at + 3..]),
        None => (name, &b""[..]),
    };
    if flags.contains(&b'S') {
        return None;
    }
    // Flags stand in the order of ASCII.
    let mut flags = [flags, b"S"].concat();
    flags.sort_unstable();
    Some(OsString::from_vec([base, b":2,", &flags].concat()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_that_is_taken_is_marked_as_seen() {
        for (name, seen) in [
            ("1.M2P3.mx", Some("1.M2P3.mx:2,S")),
            ("1.M2P3.mx,S=99:2,", Some("1.M2P3.mx,S=99:2,S")),
            ("1.M2P3.mx:2,FRT", Some("1.M2P3.mx:2,FRST")),
            ("1.M2P3.mx:2,RS", None),
        ] {
            let named = as_seen(OsStr::new(name));
            assert_eq!(named, seen.map(OsString::from), "{name}");
        }
    }
}
