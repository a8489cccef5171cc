//! Cuts a registry's database (RPSL, RFC 2622) into objects and keeps of each what is asked for.
//!
//! Objects are separated by blank lines; `%` and `#` begin lines that say nothing; a line that begins
//! with a blank, a tab or `+` goes on with the value before. Names of attributes are known in any
//! case. Bytes are UTF-8 where they are that, else ISO-8859-1. Memory stays at one line and one object,
//! however long a file makes them.

use std::io::{self, BufRead, Read};

use crate::model::{Refusal, plain_text};
use crate::sheet::{LONGEST_LINE, LONGEST_RAW, Text};

/// Bytes kept of one object; remarks of some fill pages.
const LONGEST_OBJECT: usize = 1024 * 1024;

/// The attributes that are read; an object's first is its class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Inetnum,
    Inet6num,
    AutNum,
    Organisation,
    Role,
    Person,
    Irt,
    Route,
    Route6,
    Netname,
    AsName,
    OrgName,
    Descr,
    Country,
    Org,
    AbuseC,
    AdminC,
    TechC,
    MntBy,
    MntLower,
    MntIrt,
    NicHdl,
    AbuseMailbox,
    Email,
    Remarks,
    Status,
    Origin,
    Source,
}

impl Key {
    fn of(name: &[u8]) -> Option<Self> {
        let mut lower = [0; 16];
        let lower = lower.get_mut(..name.len())?;
        lower.copy_from_slice(name);
        lower.make_ascii_lowercase();
        Some(match &*lower {
            b"inetnum" => Self::Inetnum,
            b"inet6num" => Self::Inet6num,
            b"aut-num" => Self::AutNum,
            b"organisation" => Self::Organisation,
            b"role" => Self::Role,
            b"person" => Self::Person,
            b"irt" => Self::Irt,
            b"route" => Self::Route,
            b"route6" => Self::Route6,
            b"netname" => Self::Netname,
            b"as-name" => Self::AsName,
            b"org-name" => Self::OrgName,
            b"descr" => Self::Descr,
            b"country" => Self::Country,
            b"org" => Self::Org,
            b"abuse-c" => Self::AbuseC,
            b"admin-c" => Self::AdminC,
            b"tech-c" => Self::TechC,
            b"mnt-by" => Self::MntBy,
            b"mnt-lower" => Self::MntLower,
            b"mnt-irt" => Self::MntIrt,
            b"nic-hdl" => Self::NicHdl,
            b"abuse-mailbox" => Self::AbuseMailbox,
            b"e-mail" => Self::Email,
            b"remarks" => Self::Remarks,
            b"status" => Self::Status,
            b"origin" => Self::Origin,
            b"source" => Self::Source,
            _ => return None,
        })
    }

    /// Free text, in which `#` is a sign as any other: "C# Ltd". Elsewhere it begins a comment.
    fn is_prose(self) -> bool {
        matches!(
            self,
            Self::OrgName | Self::Descr | Self::Remarks | Self::AsName
        )
    }
}

/// Whether a line begins an object of any class of the registries' databases.
pub(super) fn begins_object(line: &[u8]) -> bool {
    const OTHERS: [&str; 15] = [
        "as-block",
        "as-set",
        "domain",
        "filter-set",
        "inet-rtr",
        "key-cert",
        "limerick",
        "mntner",
        "peering-set",
        "poem",
        "poetic-form",
        "route-set",
        "rtr-set",
        "string",
        "text",
    ];
    let Some(end) = line.iter().position(|byte| *byte == b':') else {
        return false;
    };
    let name = line[..end].trim_ascii_end();
    let other = OTHERS
        .iter()
        .any(|class| name.eq_ignore_ascii_case(class.as_bytes()));
    other || Key::of(name).is_some_and(|key| (key as u8) <= Key::Route6 as u8)
}

/// One object: its attributes in their order, as far as they are read.
#[derive(Debug, Default)]
pub(super) struct Object {
    /// Where it begins, counted from 1.
    pub(super) line: u64,
    text: String,
    attributes: Vec<(Key, usize, usize)>,
}

impl Object {
    /// What it is, and its key.
    pub(super) fn class(&self) -> Option<(Key, &str)> {
        let (key, ..) = *self.attributes.first()?;
        Some((key, self.first(key)))
    }

    /// The first value of an attribute, or nothing.
    pub(super) fn first(&self, key: Key) -> &str {
        self.all(key).next().unwrap_or_default()
    }

    /// Every value of an attribute, line by line, without its comments.
    pub(super) fn all(&self, key: Key) -> impl Iterator<Item = &str> {
        let found = self.attributes.iter().filter(move |(of, ..)| *of == key);
        found.map(|(_, from, to)| self.text[*from..*to].trim())
    }

    /// The handles that an attribute lists, over several lines or behind commas.
    pub(super) fn handles(&self, key: Key) -> impl Iterator<Item = &str> {
        let words = self
            .all(key)
            .flat_map(|value| value.split([',', ' ', '\t']));
        words.filter(|word| !word.is_empty())
    }

    pub(super) fn refuse(&self, value: &str, reason: &str, remedy: &str) -> Refusal {
        let value = plain_text(value, 200);
        Refusal {
            line: self.line,
            column: String::new(),
            raw: value.clone(),
            value,
            reason: plain_text(reason, 300),
            remedy: remedy.to_owned(),
        }
    }

    fn clear(&mut self) {
        self.line = 0;
        self.text.clear();
        self.attributes.clear();
    }

    fn push(&mut self, key: Key, value: &[u8]) {
        let from = self.text.len();
        self.append(key, value);
        self.attributes.push((key, from, self.text.len()));
    }

    /// Goes on with the last value.
    fn extend(&mut self, value: &[u8]) {
        if let Some((key, ..)) = self.attributes.last().copied() {
            self.text.push(' ');
            self.append(key, value);
            if let Some((_, _, to)) = self.attributes.last_mut() {
                *to = self.text.len();
            }
        }
    }

    fn append(&mut self, key: Key, value: &[u8]) {
        let comment = value.iter().position(|byte| *byte == b'#');
        let value = match comment.filter(|_| !key.is_prose()) {
            Some(at) => &value[..at],
            None => value,
        };
        match std::str::from_utf8(value) {
            Ok(value) => self.text.push_str(value),
            Err(_) => self.text.push_str(&encoding_rs::mem::decode_latin1(value)),
        }
    }
}

/// A registry's database being read, object by object.
pub(super) struct Objects {
    input: Text,
    /// The classes that are handed out; others are passed over.
    wanted: &'static [Key],
    /// Which of the others there were.
    pub(super) passed: Vec<Key>,
    /// What can be said of no class was said when the file was read before.
    again: bool,
    row: Vec<u8>,
    line: u64,
    ended: bool,
}

enum Line {
    End,
    Blank,
    Comment,
    TooLong,
    Text,
}

impl Objects {
    pub(super) fn new(input: Text, wanted: &'static [Key], again: bool) -> Self {
        Self {
            input,
            wanted,
            passed: Vec::new(),
            again,
            row: Vec::new(),
            line: 0,
            ended: false,
        }
    }

    /// The next object of a wanted class into `object`, or why it cannot be read. What cannot be read
    /// costs one object; a file that ends in the middle, what is behind.
    pub(super) fn next(&mut self, object: &mut Object) -> Option<Result<(), Refusal>> {
        object.clear();
        let mut fault: Option<Refusal> = None;
        // Whether the object in hand is passed over, and whether the value in hand is kept.
        let (mut skims, mut keeps) = (false, false);
        // Whether its class is known.
        let mut known = false;
        while !self.ended {
            let line = match self.read_line() {
                Ok(line) => line,
                Err(error) => {
                    self.ended = true;
                    if self.again {
                        return None;
                    }
                    return Some(Err(self.refusal(
                        format!("the file cannot be read beyond this line: {error}"),
                        "get the file again and load it again; what was read before counts once",
                    )));
                }
            };
            let begins = object.attributes.is_empty() && !skims && fault.is_none();
            match line {
                Line::Comment => {}
                Line::Blank | Line::End => {
                    self.ended = matches!(line, Line::End);
                    match fault.take() {
                        Some(fault) if known || !self.again => return Some(Err(fault)),
                        _ => {}
                    }
                    if !object.attributes.is_empty() {
                        return Some(Ok(()));
                    }
                    (skims, known) = (false, false);
                }
                _ if skims || fault.is_some() => {}
                Line::TooLong => {
                    let reason = format!("a line is longer than {} KiB", LONGEST_LINE / 1024);
                    let remedy = "see whether the file is whole; the object was left out";
                    fault = Some(self.refusal(reason, remedy));
                }
                Line::Text if matches!(self.row[0], b' ' | b'\t' | b'+') => {
                    if keeps {
                        object.extend(&self.row[1..]);
                    }
                }
                Line::Text => match self.row.iter().position(|byte| *byte == b':') {
                    None => {
                        let remedy = "see whether the file is whole; the object was left out";
                        fault = Some(self.refusal("this is no attribute: value".into(), remedy));
                    }
                    Some(end) => {
                        let key = Key::of(self.row[..end].trim_ascii_end());
                        keeps = key.is_some();
                        known = true;
                        if begins {
                            object.line = self.line;
                            skims = key.is_none_or(|key| !self.wanted.contains(&key));
                            if let Some(key) = key.filter(|key| skims && !self.passed.contains(key))
                            {
                                self.passed.push(key);
                            }
                        }
                        if let Some(key) = key.filter(|_| !skims) {
                            object.push(key, &self.row[end + 1..]);
                        }
                    }
                },
            }
            if object.text.len() > LONGEST_OBJECT && fault.is_none() {
                let reason = format!("the object is longer than {} KiB", LONGEST_OBJECT / 1024);
                let remedy = "see whether the blank line behind it is missing; it was left out";
                fault = Some(self.refusal(reason, remedy));
                object.clear();
            }
        }
        None
    }

    fn read_line(&mut self) -> io::Result<Line> {
        self.row.clear();
        let limit = LONGEST_LINE as u64 + 1;
        self.input
            .by_ref()
            .take(limit)
            .read_until(b'\n', &mut self.row)?;
        if self.row.is_empty() {
            return Ok(Line::End);
        }
        self.line += 1;
        if self.row.len() > LONGEST_LINE && self.row.last() != Some(&b'\n') {
            let mut dropped = Vec::new();
            loop {
                dropped.clear();
                self.input
                    .by_ref()
                    .take(limit)
                    .read_until(b'\n', &mut dropped)?;
                if dropped.is_empty() || dropped.last() == Some(&b'\n') {
                    return Ok(Line::TooLong);
                }
            }
        }
        self.row.truncate(self.row.trim_ascii_end().len());
        Ok(match self.row.first() {
            None => Line::Blank,
            Some(b'%' | b'#') => Line::Comment,
            Some(_) => Line::Text,
        })
    }

    fn refusal(&self, reason: String, remedy: &str) -> Refusal {
        let raw = String::from_utf8_lossy(&self.row);
        Refusal {
            line: self.line,
            column: String::new(),
            value: plain_text(&raw, 200),
            reason,
            remedy: remedy.to_owned(),
            raw: raw[..raw.floor_char_boundary(LONGEST_RAW)].to_owned(),
        }
    }
}
