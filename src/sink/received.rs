//! What the sink has caught, and how it is filed: one `.eml` a letter, as it came.

use std::borrow::Cow;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::EnvelopeAddress;

/// A letter the sink has taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// As in the answer `queued as …` and, in decimal, at the head of the file's name.
    pub number: u64,
    /// Connections are counted from 1.
    pub connection: u64,
    /// What the client called itself at EHLO.
    pub hello: String,
    /// Whether it came over TLS.
    pub tls: bool,
    /// The name the client logged in with.
    pub login: Option<String>,
    /// The envelope sender; its address is empty for `<>`.
    pub from: EnvelopeAddress,
    /// Those that were not refused, in order.
    pub recipients: Vec<EnvelopeAddress>,
    /// The text byte for byte as it was meant, without the stuffed dots and the final one.
    pub data: Arc<[u8]>,
    /// Where it was filed.
    pub file: Option<PathBuf>,
}

impl Received {
    #[must_use]
    pub fn id(&self) -> String {
        format!("{:010X}", self.number)
    }

    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.data)
    }

    /// The first header field of this name, unfolded, not decoded.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        let text = self.text();
        let mut lines = text.split("\r\n").take_while(|line| !line.is_empty());
        let mut value = lines.by_ref().find_map(|line| {
            let (field, value) = line.split_once(':')?;
            field
                .eq_ignore_ascii_case(name)
                .then(|| value.trim_start().to_owned())
        })?;
        for folded in lines.take_while(|line| line.starts_with([' ', '\t'])) {
            value.push_str(folded);
        }
        Some(value)
    }
}

/// Where letters go that were taken.
#[derive(Debug)]
pub(super) struct Bag {
    dir: Option<PathBuf>,
    kept: Option<Mutex<Vec<Received>>>,
    last: AtomicU64,
}

impl Bag {
    /// Makes the folder where needed, and goes on with the numbers found in it.
    pub(super) fn open(dir: Option<PathBuf>, keep: bool) -> io::Result<Self> {
        let mut last = 0;
        if let Some(dir) = &dir {
            std::fs::create_dir_all(dir)?;
            for entry in std::fs::read_dir(dir)? {
                let name = entry?.file_name();
                let number = name.to_str().and_then(|name| name.split('-').next());
                last = number.and_then(|n| n.parse().ok()).unwrap_or(0).max(last);
            }
        }
        Ok(Self {
            dir,
            kept: keep.then(Mutex::default),
            last: AtomicU64::new(last),
        })
    }

    /// Numbers a letter, files it and keeps it, as the options say; gives its id.
    pub(super) async fn put(&self, mut letter: Received) -> io::Result<String> {
        letter.number = self.last.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
        let id = letter.id();
        if let Some(dir) = &self.dir {
            let recipient = letter.recipients.first().map(|party| &party.address);
            let name = file_name(letter.number, recipient.map_or("", |address| address));
            let (dir, data) = (dir.clone(), Arc::clone(&letter.data));
            let file = tokio::task::spawn_blocking(move || file(&dir, &name, &data));
            letter.file = Some(file.await.map_err(io::Error::other)??);
        }
        if let Some(mut kept) = self.kept() {
            kept.push(letter);
        }
        Ok(id)
    }

    pub(super) fn received(&self) -> Vec<Received> {
        self.kept().map_or_else(Vec::new, |kept| kept.clone())
    }

    fn kept(&self) -> Option<MutexGuard<'_, Vec<Received>>> {
        let kept = self.kept.as_ref()?;
        // Nothing that holds it can panic half-way.
        Some(kept.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Whoever watches the folder sees whole letters only. They are not synced to the disk: this is
/// a catch for demonstrations and tests, no post office.
fn file(dir: &Path, name: &str, data: &[u8]) -> io::Result<PathBuf> {
    let (part, whole) = (dir.join(format!(".{name}.part")), dir.join(name));
    std::fs::write(&part, data)?;
    std::fs::rename(&part, &whole)?;
    Ok(whole)
}

fn file_name(number: u64, recipient: &str) -> String {
    let safe: String = recipient
        .chars()
        .take(100)
        .map(|c| match c {
            '@' | '.' | '-' | '_' | '+' | '=' => c,
            c if c.is_ascii_alphanumeric() => c,
            _ => '_',
        })
        .collect();
    format!("{number:04}-{safe}.eml")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_names_stay_in_their_folder() {
        for (number, recipient, name) in [
            (1, "abuse@isp.example", "0001-abuse@isp.example.eml"),
            (12345, "a+b=c@isp.example", "12345-a+b=c@isp.example.eml"),
            (2, "../../etc/x@y", "0002-.._.._etc_x@y.eml"),
            (3, "\"a b\\\"@isp.example", "0003-_a_b__@isp.example.eml"),
            (4, "ü@isp.example", "0004-_@isp.example.eml"),
        ] {
            assert_eq!(file_name(number, recipient), name);
        }
        assert!(file_name(5, &"x".repeat(254)).len() < 120);
    }

    #[test]
    fn headers_are_unfolded() {
        let letter = Received {
            number: 255,
            connection: 1,
            hello: String::new(),
            tls: false,
            login: None,
            from: EnvelopeAddress::plain(""),
            recipients: Vec::new(),
            data: Arc::from(&b"To: a\r\nSubject: one\r\n two\r\nX: 3\r\n\r\nBody: no\r\n"[..]),
            file: None,
        };
        assert_eq!(letter.header("subject").as_deref(), Some("one two"));
        assert_eq!(letter.header("X").as_deref(), Some("3"));
        assert_eq!(letter.header("Body"), None);
        assert_eq!(letter.id(), "00000000FF");
    }
}
