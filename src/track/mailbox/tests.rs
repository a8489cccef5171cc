//! What is found in files of each kind, and what is said of those that hold nothing.

use std::fs;
use std::io::{BufReader, Cursor, Read};
use std::path::Path;

use super::*;
use crate::model::KEPT;

const NOW: Timestamp = Timestamp(0);

/// Each message as it was found, or what was said instead, with `|` for the end of a line.
fn said(messages: Messages) -> Vec<String> {
    let one = |message: Result<Found, Broken>| match message {
        Ok(found) => {
            let text = String::from_utf8_lossy(&found.arrived.message).replace('\n', "|");
            format!("{}: {text}", found.line)
        }
        Err(broken) => broken.to_string(),
    };
    messages.map(one).collect()
}

fn piped(text: &str) -> Vec<String> {
    said(Messages::read(Box::new(Cursor::new(text.to_owned())), NOW))
}

fn opened(path: &Path) -> Vec<String> {
    said(Messages::open(path, NOW).unwrap())
}

const LINE: &str = "From MAILER-DAEMON Mon Nov 16 08:00:00 2026\n";

#[test]
fn an_mbox_is_cut_at_its_lines() {
    let mbox = format!(
        "{LINE}Subject: a\n\n>From here\n>>From there\n>Fro\nFrom now on\n\n{LINE}Subject: b\n\nb\n\n\n{LINE}\n\
         {LINE}Hello\n\n{LINE}Subject: c\n"
    );
    let found = [
        "2: Subject: a||From here|>From there|>Fro|From now on|",
        "10: Subject: b||b||",
        "-:16: there is no message; it may still be being written",
        "-:18: this is no message: it would begin with lines as \"Subject: …\"; unpack what is packed",
        "21: Subject: c|",
    ];
    assert_eq!(piped(&mbox), found);
}

#[test]
fn anything_else_is_one_message() {
    let alone = format!("Subject: a\n\n>From here\n{LINE}b\n\n");
    let whole = alone.replace('\n', "|");
    assert_eq!(piped(&alone), [format!("1: {whole}")]);
    assert_eq!(
        piped(""),
        ["-:1: there is no message; it may still be being written"]
    );

    let dir = tempfile::tempdir().unwrap();
    let eml = dir.path().join("one.EML");
    fs::write(&eml, format!("{LINE}{alone}")).unwrap();
    assert_eq!(opened(&eml), [format!("2: {whole}")]);
    let missing = Messages::open(&dir.path().join("none"), NOW).err().unwrap();
    assert!(
        missing.to_string().contains("look at the path"),
        "{missing}"
    );
}

#[test]
fn a_bad_file_stops_no_other() {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in [
        ("2.eml", "PK\u{3}\u{4}"),
        ("1.eml", "Subject: a\n"),
        ("3.eml", "Subject: c\n"),
        (".4.eml", "Subject: d\n"),
        ("README.txt", "Subject: e\n"),
    ] {
        fs::write(dir.path().join(name), text).unwrap();
    }
    let found = opened(dir.path());
    let [first, second, third] = found.as_slice() else {
        panic!("{found:?}");
    };
    assert_eq!([first, third], ["1: Subject: a|", "1: Subject: c|"]);
    assert!(second.contains("2.eml:1: this is no message"), "{second}");
}

#[test]
fn of_a_message_without_end_the_beginning_is_in_memory() {
    let head = Cursor::new(b"Subject: long\n\n".to_vec());
    let endless = head.chain(std::io::repeat(b'x').take(9 * KEPT as u64));
    let mut messages = Messages::read(Box::new(BufReader::new(endless)), NOW);
    let found = messages.next().unwrap().unwrap();
    assert_eq!(found.arrived.size, 15 + 9 * KEPT as u64);
    assert_eq!(found.arrived.message.len(), KEPT);
    assert!(found.arrived.message.capacity() <= 2 * KEPT);
    assert!(messages.next().is_none());
}

/// Writes itself as it is read, and counts how far that is.
struct Mbox {
    message: Vec<u8>,
    at: usize,
    read: std::rc::Rc<std::cell::Cell<usize>>,
    messages: usize,
}

impl Read for Mbox {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.messages * self.message.len() - self.read.get();
        let rest = &self.message[self.at..];
        let n = rest.len().min(buffer.len()).min(left);
        buffer[..n].copy_from_slice(&rest[..n]);
        self.at = (self.at + n) % self.message.len();
        self.read.set(self.read.get() + n);
        Ok(n)
    }
}

#[test]
fn a_long_mbox_is_read_message_by_message() {
    const MESSAGES: usize = 10_000;
    let text = "All work and no play.\n".repeat(100);
    let message = format!("{LINE}Subject: a\n\n{text}\n").into_bytes();
    let length = message.len();
    let read = std::rc::Rc::default();
    let mbox = Mbox {
        message,
        at: 0,
        read: std::rc::Rc::clone(&read),
        messages: MESSAGES,
    };
    let mut found = 0;
    for message in Messages::read(Box::new(BufReader::new(mbox)), NOW) {
        assert_eq!(message.unwrap().arrived.size, 12 + text.len() as u64);
        found += 1;
        let ahead = read.get() - found * length;
        assert!(ahead < 16 * 1024, "{ahead} bytes ahead after {found}");
    }
    assert_eq!(found, MESSAGES);
}
