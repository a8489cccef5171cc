//! A WHOIS server on loopback: what it is asked is written down, what it does is a script.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// Nobody waits longer for the end of a story.
const PATIENCE: Duration = Duration::from_secs(30);

/// Questions to all servers of this kind, in their order.
static ORDER: AtomicUsize = AtomicUsize::new(0);

/// What is done with one connection once its question is there.
#[derive(Clone, Debug)]
pub(crate) enum Script {
    /// Says it and closes; the whole, a half, or nothing.
    Says(Vec<u8>),
    /// Says it and keeps the line open without another word.
    Stalls(Vec<u8>),
    /// One byte after another, with a wait before each.
    Trickles(Vec<u8>, Duration),
    /// Says it over and over.
    Forever(Vec<u8>),
    /// Says it, and resets the connection.
    Resets(Vec<u8>),
    /// Closes before the question is read.
    HangsUp,
}

impl Script {
    pub(crate) fn says(text: &str) -> Self {
        Self::Says(text.as_bytes().to_vec())
    }
}

/// One question as it came.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    /// Its place among the questions to all servers.
    pub(crate) order: usize,
    pub(crate) peer: SocketAddr,
    pub(crate) raw: Vec<u8>,
    at: Instant,
}

impl Question {
    /// Without the end of the line.
    pub(crate) fn line(&self) -> String {
        String::from_utf8_lossy(self.raw.trim_ascii_end()).into_owned()
    }
}

/// Listens until the tests end.
#[derive(Debug)]
pub(crate) struct Whois {
    address: SocketAddr,
    book: Arc<Book>,
}

#[derive(Debug, Default)]
struct Book {
    scripts: Mutex<HashMap<String, Script>>,
    otherwise: Mutex<Option<Script>>,
    questions: Mutex<Vec<Question>>,
    limit: Mutex<Option<Limit>>,
    at_once: Mutex<Option<(usize, Script)>>,
    open: AtomicUsize,
    total: AtomicUsize,
    most: AtomicUsize,
}

#[derive(Clone, Debug)]
struct Limit {
    left: usize,
    refused: usize,
    refusal: Script,
}

impl Whois {
    /// At a port of its own on `ip`. Questions without a script find nothing.
    pub(crate) fn at(ip: &str) -> Self {
        let door = TcpListener::bind((ip.parse::<IpAddr>().unwrap(), 0)).unwrap();
        let address = door.local_addr().unwrap();
        let book = Arc::new(Book::default());
        let kept = Arc::clone(&book);
        thread::spawn(move || {
            for stream in door.incoming().flatten() {
                let book = Arc::clone(&kept);
                thread::spawn(move || book.serve(stream));
            }
        });
        Self { address, book }
    }

    /// `IP:PORT`, as the configuration has it.
    pub(crate) fn place(&self) -> String {
        self.address.to_string()
    }

    /// What to do when asked this line.
    pub(crate) fn on(&self, line: &str, script: Script) -> &Self {
        let mut scripts = self.book.scripts.lock().unwrap();
        scripts.insert(line.to_owned(), script);
        self
    }

    /// What to do when asked anything else.
    pub(crate) fn otherwise(&self, script: Script) -> &Self {
        *self.book.otherwise.lock().unwrap() = Some(script);
        self
    }

    /// From now on `n` questions are answered, and the rest refused until [`lift`](Self::lift).
    pub(crate) fn limit(&self, n: usize, refusal: &str) {
        *self.book.limit.lock().unwrap() = Some(Limit {
            left: n,
            refused: 0,
            refusal: Script::says(refusal),
        });
    }

    /// Ends the limit; gives how many questions it has refused.
    pub(crate) fn lift(&self) -> usize {
        let limit = self.book.limit.lock().unwrap().take();
        limit.map_or(0, |limit| limit.refused)
    }

    /// More than `n` connections at once are refused.
    pub(crate) fn allow_at_once(&self, n: usize, refusal: &str) {
        *self.book.at_once.lock().unwrap() = Some((n, Script::says(refusal)));
    }

    pub(crate) fn questions(&self) -> Vec<Question> {
        self.book.questions.lock().unwrap().clone()
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.questions().iter().map(Question::line).collect()
    }

    /// Connections so far, and the most of them at once.
    pub(crate) fn connections(&self) -> (usize, usize) {
        let book = &self.book;
        (
            book.total.load(Ordering::SeqCst),
            book.most.load(Ordering::SeqCst),
        )
    }

    pub(crate) fn open(&self) -> usize {
        self.book.open.load(Ordering::SeqCst)
    }

    /// The shortest time between two questions.
    pub(crate) fn smallest_gap(&self) -> Option<Duration> {
        let questions = self.questions();
        questions
            .windows(2)
            .map(|pair| pair[1].at.duration_since(pair[0].at))
            .min()
    }
}

/// `IP:PORT` where nobody listens.
pub(crate) fn nobody(ip: &str) -> String {
    let door = TcpListener::bind((ip.parse::<IpAddr>().unwrap(), 0)).unwrap();
    door.local_addr().unwrap().to_string()
}

impl Book {
    fn serve(&self, mut stream: TcpStream) {
        let open = self.open.fetch_add(1, Ordering::SeqCst) + 1;
        self.total.fetch_add(1, Ordering::SeqCst);
        self.most.fetch_max(open, Ordering::SeqCst);
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        // A peer that leaves early is part of many stories.
        let _left_early = self.converse(&mut stream, open);
        // Counted out before the peer can notice that it is over.
        self.open.fetch_sub(1, Ordering::SeqCst);
    }

    fn converse(&self, stream: &mut TcpStream, open: usize) -> std::io::Result<()> {
        let raw = question(stream)?;
        let line = String::from_utf8_lossy(raw.trim_ascii_end()).into_owned();
        let peer = stream.peer_addr()?;
        self.questions.lock().unwrap().push(Question {
            order: ORDER.fetch_add(1, Ordering::SeqCst),
            peer,
            raw: raw.clone(),
            at: Instant::now(),
        });
        let script = self.script(&line, open);
        match &script {
            Script::Resets(_) | Script::HangsUp => {}
            // What stays unread when a socket is closed makes a reset of it (RFC 2525 2.17).
            _ => stream.read_exact(&mut vec![0; raw.len()])?,
        }
        match script {
            Script::Says(bytes) => {
                stream.write_all(&bytes)?;
                finish(stream)
            }
            Script::Stalls(bytes) => {
                stream.write_all(&bytes)?;
                wait_until_left(stream)
            }
            Script::Trickles(bytes, gap) => trickle(stream, &bytes, gap),
            Script::Forever(bytes) => loop {
                stream.write_all(&bytes)?;
            },
            Script::Resets(bytes) => stream.write_all(&bytes),
            Script::HangsUp => finish(stream),
        }
    }

    fn script(&self, line: &str, open: usize) -> Script {
        if let Some((most, refusal)) = &*self.at_once.lock().unwrap()
            && open > *most
        {
            return refusal.clone();
        }
        if let Some(limit) = &mut *self.limit.lock().unwrap() {
            if limit.left == 0 {
                limit.refused += 1;
                return limit.refusal.clone();
            }
            limit.left -= 1;
        }
        let script = self.scripts.lock().unwrap().get(line).cloned();
        script
            .or_else(|| self.otherwise.lock().unwrap().clone())
            .unwrap_or_else(|| Script::says(NOTHING))
    }
}

/// What registries of RIPE's family say when there is nothing.
pub(crate) const NOTHING: &str = "% This is a registry of nobody.\r\n\r\n%ERROR:101: no entries found\r\n%\r\n% No entries found in source TEST.\r\n\r\n% This query was served by the Test Database Query Service\r\n\r\n";

/// All that has come by the end of the first line, and is left where it is.
fn question(stream: &TcpStream) -> std::io::Result<Vec<u8>> {
    let mut raw = [0; 1024];
    let mut had = 0;
    loop {
        let n = stream.peek(&mut raw)?;
        if raw[..n].contains(&b'\n') || n == had || n == raw.len() {
            return Ok(raw[..n].to_vec());
        }
        had = n;
    }
}

/// Says that it is over, and waits for the other side to say so too, lest a reset overtakes the end.
fn finish(stream: &mut TcpStream) -> std::io::Result<()> {
    stream.shutdown(std::net::Shutdown::Write)?;
    wait_until_left(stream)
}

fn wait_until_left(stream: &mut TcpStream) -> std::io::Result<()> {
    while stream.read(&mut [0; 1024])? > 0 {}
    Ok(())
}

fn trickle(stream: &mut TcpStream, bytes: &[u8], gap: Duration) -> std::io::Result<()> {
    stream.set_read_timeout(Some(gap))?;
    for byte in bytes {
        // Waits by listening, so that it ends when the peer leaves.
        if let Ok(0) = stream.read(&mut [0]) {
            return Ok(());
        }
        stream.write_all(&[*byte])?;
    }
    finish(stream)
}
