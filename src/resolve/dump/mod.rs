//! Registries' dumps into the local table: databases in RPSL, delegation statistics, and tables.
//!
//! What a file is, its first line tells. A database is read twice: first the roles, organisations and
//! incident teams of all files, then the networks and systems that refer to them, so that the order of
//! files and objects does not matter and memory holds the desks, never the networks. So files that
//! belong together are loaded together, and a database cannot come by standard input.

mod desks;
mod objects;
mod registered;
mod stats;

use std::io::{self, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::load::{Batch, Destination, TableDone, alone, load_rows};
use super::table::{self, HOLDER_LEN, NAME_LEN, Rows};
use crate::model::{Progress, Teller, Timestamp};
use crate::sheet::{self, Charset, LONGEST_LINE, Mapping, SheetError, Text};
use crate::store::{self, Store};
use desks::Desks;
use objects::{Key, Object, Objects};
use registered::Told;
use stats::Given;

/// Objects or lines between two looks at whether to stop.
const PIECE: usize = 5_000;

/// Files of one loading, and how to read them.
#[derive(Debug)]
pub struct TableFiles<'a> {
    /// `-` is standard input.
    pub files: &'a [PathBuf],
    pub charset: Option<Charset>,
    /// Which column holds what; for tables alone.
    pub map: &'a [Mapping],
}

/// Why files cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    #[error("cannot read {name}")]
    Unreadable {
        name: String,
        #[source]
        error: io::Error,
    },
    #[error("{name} is neither a registry's database nor its delegation statistics; as a table")]
    Foreign {
        name: String,
        #[source]
        error: SheetError,
    },
    #[error(
        "{name} is a registry's database, which is read twice: save it as a file and name that"
    )]
    Piped { name: String },
    #[error("--map speaks of the columns of a table, but {name} is {what}")]
    Unmapped { name: String, what: &'static str },
    #[error("loading a table")]
    Store(#[from] store::Error),
}

/// Loads files of any kind in one go, the databases first. Nothing is stored before every file is
/// known for what it is. Without a store nothing is kept.
///
/// # Errors
/// See [`TableError`]. Chunks stored by then stay, and loading again finds them.
pub async fn load_tables(
    store: Option<&Store>,
    from: &TableFiles<'_>,
    by: &str,
    now: Timestamp,
    progress: &Progress,
) -> Result<Vec<TableDone>, TableError> {
    let mut inputs = Vec::new();
    for file in from.files {
        inputs.push(Input::open(file, from)?);
    }
    let sizes: Option<u64> = inputs.iter().map(|input| input.size).sum();
    let mut meter = Meter {
        progress,
        total: sizes,
        before: 0,
        consumed: Arc::default(),
    };
    let to = Destination {
        store,
        by,
        now,
        progress,
    };
    let (databases, others): (Vec<Input>, Vec<Input>) = inputs
        .into_iter()
        .partition(|input| matches!(input.content, Content::Database(_)));
    let mut done = load_databases(to, databases, from, &mut meter).await?;
    for input in others {
        meter.begin(&input.consumed);
        done.push(match input.content {
            Content::Table(rows) => load_rows(to, *rows, &input.name, |_| meter.tell()).await?,
            Content::Statistics(text) => {
                let batch = Batch::new(to, Teller::Statistics, TableDone::of(&input.name));
                load_statistics(batch, text, &meter).await?
            }
            Content::Database(_) => continue,
        });
    }
    Ok(done)
}

async fn load_databases(
    to: Destination<'_>,
    databases: Vec<Input>,
    from: &TableFiles<'_>,
    meter: &mut Meter<'_>,
) -> Result<Vec<TableDone>, TableError> {
    let mut desks = Desks::default();
    let mut read = Vec::new();
    for input in databases {
        let mut done = TableDone::of(&input.name);
        meter.begin(&input.consumed);
        let passed = match input.content {
            Content::Database(text) => learn(&mut desks, text, &mut done, meter),
            Content::Statistics(_) | Content::Table(_) => continue,
        };
        let tells = passed.iter().any(|key| registered::CLASSES.contains(key));
        if tells {
            meter.again(input.size);
        }
        read.push((input.path, done, tells));
    }
    let mut all = Vec::new();
    for (path, done, tells) in read {
        let mut batch = Batch::new(to, Teller::Database, done);
        if tells {
            let opened = open(&path, from.charset)?;
            meter.begin(&opened.consumed);
            load_objects(&mut batch, &desks, opened.text, meter).await?;
        }
        all.push(batch.finish().await?);
    }
    Ok(all)
}

/// Takes in the objects that others refer to. Hands back which other classes there are.
fn learn(desks: &mut Desks, text: Text, done: &mut TableDone, meter: &Meter<'_>) -> Vec<Key> {
    let mut objects = Objects::new(text, Desks::CLASSES, false);
    let mut object = Object::default();
    let mut read = 0_usize;
    while let Some(next) = objects.next(&mut object) {
        match next {
            Ok(()) => done.references += u64::from(desks.learn(&object)),
            Err(refusal) => done.refuse(refusal),
        }
        read += 1;
        if read.is_multiple_of(PIECE) {
            meter.tell();
            if meter.progress.is_stopped() {
                break;
            }
        }
    }
    objects.passed
}

async fn load_objects(
    batch: &mut Batch<'_>,
    desks: &Desks,
    text: Text,
    meter: &Meter<'_>,
) -> Result<(), store::Error> {
    let mut objects = Objects::new(text, registered::CLASSES, true);
    let mut object = Object::default();
    while !meter.progress.is_stopped() {
        for _ in 0..PIECE {
            let told = match objects.next(&mut object) {
                None => return Ok(()),
                Some(Ok(())) => registered::told(&object, desks),
                Some(Err(refusal)) => Err(refusal),
            };
            match told {
                Ok(Told::Network(network, lacks)) => {
                    batch.done.lacking += u64::from(lacks);
                    batch.add(network);
                }
                Ok(Told::System(system, lacks)) => {
                    batch.done.lacking += u64::from(lacks);
                    batch.add_system(system);
                }
                Ok(Told::Placeholder) => batch.done.passed += 1,
                Err(refusal) => batch.done.refuse(refusal),
            }
        }
        if batch.is_full() {
            batch.store().await?;
        }
        meter.tell();
    }
    Ok(())
}

async fn load_statistics(
    mut batch: Batch<'_>,
    text: Text,
    meter: &Meter<'_>,
) -> Result<TableDone, store::Error> {
    let mut lines = stats::Lines::new(text);
    while !meter.progress.is_stopped() {
        for _ in 0..PIECE {
            match lines.next() {
                None => return batch.finish().await,
                Some(Err(refusal)) => batch.done.refuse(refusal),
                Some(Ok(Given::Free)) => batch.done.passed += 1,
                Some(Ok(Given::Network(network))) => batch.add(alone(network)),
                Some(Ok(Given::Systems(first, count))) => {
                    for more in 0..count {
                        let mut system = first.clone();
                        system.asn += more;
                        batch.add_system(system);
                    }
                }
            }
        }
        if batch.is_full() {
            batch.store().await?;
        }
        meter.tell();
    }
    batch.finish().await
}

/// An opened file that is known for what it is.
struct Input {
    path: PathBuf,
    name: String,
    size: Option<u64>,
    consumed: Arc<AtomicU64>,
    content: Content,
}

enum Content {
    Database(Text),
    Statistics(Text),
    Table(Box<Rows>),
}

impl Input {
    fn open(path: &Path, from: &TableFiles<'_>) -> Result<Self, TableError> {
        let name = file_name(path);
        let mut opened = open(path, from.charset)?;
        let mut head = Vec::new();
        let fault = opened
            .text
            .by_ref()
            .take(LONGEST_LINE as u64)
            .read_to_end(&mut head)
            .err();
        let kind = kind(&head);
        let head = Cursor::new(head);
        let text: Text = match fault {
            Some(error) if head.get_ref().is_empty() => {
                return Err(TableError::Unreadable { name, error });
            }
            Some(error) => Box::new(BufReader::new(head.chain(Faulty(Some(error))))),
            None => Box::new(head.chain(opened.text)),
        };
        let content = match kind {
            Kind::Database if path.as_os_str() == "-" => return Err(TableError::Piped { name }),
            Kind::Table => {
                let rows = table::read(text, &name, None, from.map);
                Content::Table(Box::new(rows.map_err(|error| TableError::Foreign {
                    name: name.clone(),
                    error,
                })?))
            }
            Kind::Database => Content::Database(text),
            Kind::Statistics => Content::Statistics(text),
        };
        let what = match content {
            Content::Database(_) => Some("a registry's database"),
            Content::Statistics(_) => Some("a registry's statistics"),
            Content::Table(_) => None,
        };
        if let Some(what) = what.filter(|_| !from.map.is_empty()) {
            return Err(TableError::Unmapped { name, what });
        }
        Ok(Self {
            path: path.to_owned(),
            name,
            size: opened.size,
            consumed: opened.consumed,
            content,
        })
    }
}

/// Where a file cannot be read on, once; an unpacker does not say so twice.
struct Faulty(Option<io::Error>);

impl Read for Faulty {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}

fn open(path: &Path, charset: Option<Charset>) -> Result<sheet::Opened, TableError> {
    sheet::open(path, charset).map_err(|error| TableError::Unreadable {
        name: path.display().to_string(),
        error,
    })
}

fn file_name(path: &Path) -> String {
    if path.as_os_str() == "-" {
        return "standard input".to_owned();
    }
    let name = path.file_name().unwrap_or(path.as_os_str());
    name.to_string_lossy().into_owned()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Database,
    Statistics,
    Table,
}

/// What a file is, by its first line that says something.
fn kind(head: &[u8]) -> Kind {
    let mut lines = head
        .split(|byte| *byte == b'\n')
        .map(<[u8]>::trim_ascii)
        .filter(|line| !line.is_empty() && !line.starts_with(b"%") && !line.starts_with(b"#"));
    match lines.next() {
        Some(line) if objects::begins_object(line) => Kind::Database,
        Some(line) if stats::is_line(&String::from_utf8_lossy(line)) => Kind::Statistics,
        _ => Kind::Table,
    }
}

/// How far all files together have been read.
struct Meter<'a> {
    progress: &'a Progress,
    /// `None` where the size of one is not known.
    total: Option<u64>,
    /// Bytes of the files that are read.
    before: u64,
    /// Those of the file in hand.
    consumed: Arc<AtomicU64>,
}

impl Meter<'_> {
    fn begin(&mut self, consumed: &Arc<AtomicU64>) {
        self.before += self.consumed.load(Ordering::Relaxed);
        self.consumed = Arc::clone(consumed);
        self.progress.expect(self.total.unwrap_or(0));
        self.tell();
    }

    /// A file will be read a second time.
    fn again(&mut self, size: Option<u64>) {
        self.total = self.total.zip(size).map(|(total, size)| total + size);
    }

    fn tell(&self) {
        let now = self.consumed.load(Ordering::Relaxed);
        self.progress.reach(self.before + now);
    }
}
