//! A mailbox that is read over IMAP (RFC 3501), as far as a reader of bounces needs it.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;

pub(crate) struct Imap {
    pub(crate) address: SocketAddr,
    state: Arc<State>,
    task: AbortHandle,
}

struct State {
    mailbox: Mutex<Mailbox>,
    /// Counts what has been said and what has come, for whoever waits.
    changes: watch::Sender<u64>,
}

pub(crate) struct Mailbox {
    pub(crate) validity: u32,
    /// What is offered beyond IMAP4rev1.
    pub(crate) offers: &'static str,
    /// UID, text, and what was done with it.
    pub(crate) messages: Vec<(u32, Vec<u8>, String)>,
    /// The UID of a message that is not given to anybody.
    pub(crate) refused: u32,
    /// How many times the connection ends where a message should come.
    pub(crate) cuts: u32,
    /// What clients said, without tags.
    pub(crate) said: Vec<String>,
}

impl Imap {
    pub(crate) async fn start(offers: &'static str) -> Self {
        Self::begin(offers, None).await
    }

    /// With TLS from the first byte, or when it is asked for.
    pub(crate) async fn secure(offers: &'static str, tls: Arc<ServerConfig>, starts: bool) -> Self {
        Self::begin(offers, Some((tls.into(), starts))).await
    }

    async fn begin(offers: &'static str, tls: Option<(TlsAcceptor, bool)>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let mailbox = Mailbox {
            validity: 7,
            offers,
            messages: Vec::new(),
            refused: 0,
            cuts: 0,
            said: Vec::new(),
        };
        let state = Arc::new(State {
            mailbox: Mutex::new(mailbox),
            changes: watch::Sender::new(0),
        });
        let serving = serve(listener, Arc::clone(&state), tls);
        let task = tokio::spawn(serving).abort_handle();
        Self {
            address,
            state,
            task,
        }
    }

    pub(crate) fn mailbox(&self) -> MutexGuard<'_, Mailbox> {
        self.state.mailbox.lock().unwrap()
    }

    pub(crate) fn receives(&self, uid: u32, text: impl Into<Vec<u8>>) {
        let message = (uid, text.into(), String::new());
        self.mailbox().messages.push(message);
        self.state.changes.send_modify(|n| *n += 1);
    }

    pub(crate) async fn wait_until(&self, wished: impl Fn(&Mailbox) -> bool) {
        let mut changes = self.state.changes.subscribe();
        let reached = changes.wait_for(|_| wished(&self.mailbox()));
        reached.await.unwrap();
    }

    /// What was done with each message.
    pub(crate) fn fates(&self) -> Vec<String> {
        let mailbox = self.mailbox();
        mailbox.messages.iter().map(|one| one.2.clone()).collect()
    }
}

impl Drop for Imap {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, state: Arc<State>, tls: Option<(TlsAcceptor, bool)>) {
    let mut clients = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        clients.spawn(receive(stream, Arc::clone(&state), tls.clone()));
    }
}

async fn receive(
    mut tcp: TcpStream,
    state: Arc<State>,
    tls: Option<(TlsAcceptor, bool)>,
) -> Option<()> {
    let Some((acceptor, starts)) = tls else {
        return talk(tcp, true, state).await;
    };
    if starts {
        tcp.write_all(b"* OK ready\r\n").await.ok()?;
        let mut line = String::new();
        BufReader::new(&mut tcp).read_line(&mut line).await.ok()?;
        let tag = line.strip_suffix(" STARTTLS\r\n")?;
        let go = format!("{tag} OK go\r\n");
        tcp.write_all(go.as_bytes()).await.ok()?;
    }
    talk(acceptor.accept(tcp).await.ok()?, !starts, state).await
}

/// To the end: a client that goes is no fault.
async fn talk<S: AsyncRead + AsyncWrite>(stream: S, greets: bool, state: Arc<State>) -> Option<()> {
    let (read, mut write) = tokio::io::split(stream);
    let mut lines = BufReader::new(read).lines();
    if greets {
        write.write_all(b"* OK ready\r\n").await.ok()?;
    }
    let mut changes = state.changes.subscribe();
    loop {
        let line = lines.next_line().await.ok()??;
        let (tag, command) = line.split_once(' ').unwrap();
        let answer = state.mailbox.lock().unwrap().answer(tag, command);
        state.changes.send_modify(|n| *n += 1);
        if command == "IDLE" {
            write.write_all(b"+ idling\r\n").await.ok()?;
            let seen = state.mailbox.lock().unwrap().messages.len();
            let has_more = |_: &u64| state.mailbox.lock().unwrap().messages.len() > seen;
            tokio::select! {
                done = lines.next_line() => assert_eq!(done.ok()??, "DONE"),
                () = async { drop(changes.wait_for(has_more).await) } => {
                    let exists = format!("* {} EXISTS\r\n", seen + 1);
                    write.write_all(exists.as_bytes()).await.ok()?;
                    assert_eq!(lines.next_line().await.ok()??, "DONE");
                }
            }
        }
        if answer.is_empty() {
            return None;
        }
        write.write_all(&answer).await.ok()?;
        if command == "LOGOUT" {
            return None;
        }
    }
}

impl Mailbox {
    fn answer(&mut self, tag: &str, command: &str) -> Vec<u8> {
        self.said.push(command.to_owned());
        let words: Vec<&str> = command.split(' ').collect();
        let named = |mailbox: &Self, uid: &str| {
            let uid: u32 = uid.parse().unwrap();
            mailbox.messages.iter().position(|one| one.0 == uid)
        };
        let mut said = Vec::new();
        let mut verdict = "OK done";
        match words.as_slice() {
            ["LOGIN", _, password] if *password != "\"s3cret\"" => verdict = "NO wrong password",
            ["CAPABILITY"] => {
                said = format!("* CAPABILITY IMAP4rev1 {}\r\n", self.offers).into_bytes();
            }
            ["CREATE", _] => verdict = "NO it is there",
            ["SELECT", folder] => {
                assert_eq!(*folder, "\"INBOX\"");
                let (exists, validity) = (self.messages.len(), self.validity);
                let told = format!("* {exists} EXISTS\r\n* OK [UIDVALIDITY {validity}] so\r\n");
                said = told.into_bytes();
            }
            ["NOOP"] => {}
            ["UID", "SEARCH", "UID", range] if !range.ends_with(":*") => {
                let found = named(self, range).map_or("", |_| range);
                said = format!("* SEARCH {found}").trim_end().as_bytes().to_vec();
                said.extend(b"\r\n");
            }
            ["UID", "FETCH", ..] if self.cuts > 0 => {
                self.cuts -= 1;
                return Vec::new();
            }
            ["UID", "FETCH", uid, ..] if self.refused.to_string() == *uid => verdict = "NO not now",
            ["UID", "SEARCH", "UID", range] => {
                let first: u32 = range.strip_suffix(":*").unwrap().parse().unwrap();
                let here = self.messages.iter().filter(|one| !one.2.contains("moved"));
                let uids: Vec<u32> = here.map(|one| one.0).collect();
                let last = uids.iter().max().copied();
                // The last one is always among them.
                let is_found = |uid: &u32| *uid >= first || Some(*uid) == last;
                let found = uids.into_iter().filter(is_found);
                let found: String = found.map(|uid| format!(" {uid}")).collect();
                said = format!("* SEARCH{found}\r\n").into_bytes();
            }
            ["UID", "FETCH", uid, ..] => {
                assert!(command.ends_with("(UID RFC822.SIZE BODY.PEEK[]<0.1048576>)"));
                let at = named(self, uid).unwrap();
                let (uid, text, _) = &self.messages[at];
                let part = &text[..text.len().min(1 << 20)];
                let (size, n) = (text.len(), part.len());
                let seq = at + 1;
                let head =
                    format!("* {seq} FETCH (UID {uid} RFC822.SIZE {size} BODY[]<0> {{{n}}}\r\n");
                said = [head.as_bytes(), part, b")\r\n"].concat();
            }
            ["UID", "MOVE" | "COPY", uid, folder] => {
                let at = named(self, uid).unwrap();
                let does = if words[1] == "MOVE" {
                    "moved"
                } else {
                    "copied"
                };
                self.messages[at].2 += &format!("{does} to {folder}");
            }
            ["UID", "STORE", uid, "+FLAGS.SILENT", flags @ ..] => {
                let at = named(self, uid).unwrap();
                self.messages[at].2 += &flags.join(" ");
            }
            ["UID", "EXPUNGE", uid] => {
                let at = named(self, uid).unwrap();
                self.messages[at].2 += " moved";
            }
            ["LOGIN", ..] | ["IDLE"] | ["LOGOUT"] => {}
            _ => verdict = "BAD what?",
        }
        said.extend(format!("{tag} {verdict}\r\n").into_bytes());
        said
    }
}
