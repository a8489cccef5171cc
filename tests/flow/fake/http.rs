//! A registry's RDAP server as it really is: HTTP/1.1 over TCP, with limits, moods and faults.

use std::collections::{HashMap, VecDeque};
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

/// Between two bytes of [`How::Trickled`].
const DROP: Duration = Duration::from_millis(50);

/// What is written at a time of a long body.
const PIECE: usize = 16 << 10;

/// What one question is answered with.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    status: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    how: How,
}

/// How an answer comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    /// With its true length; the connection is kept.
    Whole,
    /// In chunks of 7 bytes, without a length.
    Chunked,
    /// Compressed; the length is that of what is sent.
    Gzipped,
    /// Nothing comes, and the connection stays.
    Never,
    /// The head breaks off in a header, and the connection stays.
    HalfHead,
    /// Half of the body comes, and the connection stays.
    Stalled,
    /// A byte at a time.
    Trickled,
    /// Half of the body comes, then the connection is closed.
    Cut,
    /// Half of the body comes, then the connection is reset.
    Reset,
    /// The length says a byte more than comes before the connection is closed.
    Lie,
    /// The body again and again, in chunks, until the other side goes.
    Endless,
}

impl Answer {
    pub(crate) fn new(status: &str, kind: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status: status.to_owned(),
            headers: vec![("Content-Type".to_owned(), kind.to_owned())],
            body: body.into(),
            how: How::Whole,
        }
    }

    pub(crate) fn rdap(body: impl Into<Vec<u8>>) -> Self {
        Self::new("200 OK", "application/rdap+json", body)
    }

    /// A page such as proxies and mitigations send.
    pub(crate) fn html(status: &str) -> Self {
        let page = format!("<!doctype html><title>{status}</title><p>{status}</p>");
        Self::new(status, "text/html; charset=utf-8", page)
    }

    /// The error object of RFC 9083 6.
    pub(crate) fn error(status: &str) -> Self {
        let (code, title) = status.split_once(' ').unwrap();
        let body = format!(
            "{{\"rdapConformance\":[\"rdap_level_0\"],\"errorCode\":{code},\"title\":\"{title}\"}}"
        );
        Self::new(status, "application/rdap+json", body)
    }

    pub(crate) fn redirect(status: &str, to: &str) -> Self {
        Self::html(status).with("Location", to)
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn by(mut self, how: How) -> Self {
        self.how = how;
        self
    }

    /// The head as far as the blank line, without a length.
    fn head(&self, framing: &str) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {}\r\n", self.status);
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        head += &format!("{framing}\r\n\r\n");
        head.into_bytes()
    }
}

/// A question as it came.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    pub(crate) at: Instant,
    pub(crate) peer: SocketAddr,
    pub(crate) path: String,
    /// The request line and all headers.
    pub(crate) head: String,
}

/// Counted by connections, not by questions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Connections {
    pub(crate) open: usize,
    pub(crate) total: usize,
    /// Open at the same time, at most.
    pub(crate) most: usize,
    /// Above [`Registry::allows_at_once`]; answered with a 429 and closed.
    pub(crate) too_many: usize,
}

type Otherwise = Box<dyn Fn(&str) -> Option<Answer> + Send>;

#[derive(Default)]
struct State {
    answers: HashMap<String, VecDeque<Answer>>,
    otherwise: Option<Otherwise>,
    asked: Vec<Asked>,
    connections: Connections,
    /// Questions that are still answered, and what comes after them.
    limit: Option<(usize, Answer)>,
    /// Questions that came while the limit held.
    limited: usize,
    at_once: Option<usize>,
}

/// One server; it goes with its last copy.
#[derive(Clone)]
pub(crate) struct Registry {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    _running: Arc<Running>,
}

struct Running(AbortHandle);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Registry {
    /// Listens at `127.0.0.{last}` on a free port.
    pub(crate) async fn start(last: u8) -> Self {
        let address = (Ipv4Addr::new(127, 0, 0, last), 0);
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        let serving = tokio::spawn(async move {
            while let Ok((socket, peer)) = listener.accept().await {
                tokio::spawn(connection(socket, peer, Arc::clone(&shared)));
            }
        });
        Self {
            address,
            state,
            _running: Arc::new(Running(serving.abort_handle())),
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://127.0.0.2:40000/rdap`, followed by a path.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}/rdap{path}", self.address)
    }

    /// Answers the path (after `/rdap`) so; given again, they come one after the other, and the last
    /// one for ever.
    pub(crate) fn answers(&self, path: &str, answer: Answer) -> &Self {
        let path = format!("/rdap{path}");
        self.state()
            .answers
            .entry(path)
            .or_default()
            .push_back(answer);
        self
    }

    /// What has no answer of its own is given to `otherwise` with its path after `/rdap`; what gets
    /// none there either is a 404.
    pub(crate) fn otherwise(&self, otherwise: impl Fn(&str) -> Option<Answer> + Send + 'static) {
        self.state().otherwise = Some(Box::new(otherwise));
    }

    /// After so many more questions, all get `answer` until [`Registry::lift`].
    pub(crate) fn limit_after(&self, questions: usize, answer: Answer) -> &Self {
        self.state().limit = Some((questions, answer));
        self
    }

    pub(crate) fn lift(&self) {
        self.state().limit = None;
    }

    pub(crate) fn allows_at_once(&self, connections: usize) -> &Self {
        self.state().at_once = Some(connections);
        self
    }

    /// All questions in the order of their coming, those that ran into a limit included.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.state().asked.clone()
    }

    /// Their paths after `/rdap`.
    pub(crate) fn paths(&self) -> Vec<String> {
        let paths = self.asked().into_iter().map(|asked| asked.path);
        paths
            .map(|path| path.trim_start_matches("/rdap").to_owned())
            .collect()
    }

    /// Questions that ran into the limit.
    pub(crate) fn limited(&self) -> usize {
        self.state().limited
    }

    pub(crate) fn connections(&self) -> Connections {
        self.state().connections
    }

    /// The shortest time between two questions.
    pub(crate) fn smallest_gap(&self) -> Option<Duration> {
        let asked = self.asked();
        asked.windows(2).map(|two| two[1].at - two[0].at).min()
    }

    /// The most questions in any window so long.
    pub(crate) fn most_within(&self, window: Duration) -> usize {
        let asked = self.asked();
        let from = |at: usize| {
            let rest = asked[at..].iter();
            rest.take_while(|one| one.at - asked[at].at < window)
                .count()
        };
        (0..asked.len()).map(from).max().unwrap_or(0)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

impl State {
    fn answer(&mut self, asked: Asked) -> Answer {
        let path = asked.path.clone();
        self.asked.push(asked);
        if let Some((left, answer)) = &mut self.limit {
            if *left == 0 {
                self.limited += 1;
                return answer.clone();
            }
            *left -= 1;
        }
        let scripted = self.answers.get_mut(&path).and_then(|answers| {
            if answers.len() > 1 {
                answers.pop_front()
            } else {
                answers.front().cloned()
            }
        });
        scripted
            .or_else(|| self.otherwise.as_ref()?(path.trim_start_matches("/rdap")))
            .unwrap_or_else(|| Answer::error("404 Not Found"))
    }
}

async fn connection(mut socket: TcpStream, peer: SocketAddr, state: Arc<Mutex<State>>) {
    let is_one_too_many = {
        let mut state = state.lock().unwrap();
        let at_once = state.at_once;
        let count = &mut state.connections;
        count.open += 1;
        count.total += 1;
        count.most = count.most.max(count.open);
        let is_one_too_many = at_once.is_some_and(|most| count.open > most);
        count.too_many += usize::from(is_one_too_many);
        is_one_too_many
    };
    while let Some(head) = question(&mut socket).await {
        let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
        let asked = Asked {
            at: Instant::now(),
            peer,
            path,
            head,
        };
        let mut answer = state.lock().unwrap().answer(asked);
        if is_one_too_many {
            answer = Answer::html("429 Too Many Connections").with("Connection", "close");
        }
        if !send(&mut socket, &answer).await.unwrap_or(false) || is_one_too_many {
            break;
        }
    }
    // Closed before it is counted as closed.
    drop(socket);
    state.lock().unwrap().connections.open -= 1;
}

/// The next request's head; `None` when the other side has gone.
async fn question(socket: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(socket.read_u8().await.ok()?);
        assert!(head.len() < 1 << 14, "a question without end");
    }
    String::from_utf8(head).ok()
}

/// Sends an answer; whether the connection is still good for another.
async fn send(socket: &mut TcpStream, answer: &Answer) -> std::io::Result<bool> {
    let body = &answer.body;
    let half = &body[..body.len() / 2];
    let length = |len: usize| answer.head(&format!("Content-Length: {len}"));
    match answer.how {
        How::Whole => {
            socket.write_all(&length(body.len())).await?;
            socket.write_all(body).await?;
        }
        How::Gzipped => {
            let body = gzip(body);
            let framing = format!("Content-Encoding: gzip\r\nContent-Length: {}", body.len());
            socket.write_all(&answer.head(&framing)).await?;
            socket.write_all(&body).await?;
        }
        How::Chunked | How::Endless => {
            let head = answer.head("Transfer-Encoding: chunked");
            socket.write_all(&head).await?;
            let size = if answer.how == How::Chunked { 7 } else { PIECE };
            loop {
                for piece in body.chunks(size) {
                    let size = format!("{:x}\r\n", piece.len());
                    let chunk = [size.as_bytes(), piece, b"\r\n"].concat();
                    socket.write_all(&chunk).await?;
                }
                if answer.how == How::Chunked {
                    break;
                }
            }
            socket.write_all(b"0\r\n\r\n").await?;
        }
        How::Never => until_gone(socket).await,
        How::HalfHead => {
            let head = length(body.len());
            socket.write_all(&head[..head.len() - 6]).await?;
            until_gone(socket).await;
        }
        How::Stalled => {
            socket.write_all(&length(body.len())).await?;
            socket.write_all(half).await?;
            until_gone(socket).await;
        }
        How::Trickled => {
            socket.write_all(&length(body.len())).await?;
            let mut drops = tokio::time::interval(DROP);
            for byte in body {
                drops.tick().await;
                socket.write_all(&[*byte]).await?;
            }
        }
        How::Cut => {
            socket.write_all(&length(body.len())).await?;
            socket.write_all(half).await?;
        }
        How::Reset => {
            socket.write_all(&length(body.len())).await?;
            socket.write_all(half).await?;
            socket.set_zero_linger()?;
        }
        How::Lie => {
            socket.write_all(&length(body.len() + 1)).await?;
            socket.write_all(body).await?;
        }
    }
    Ok(matches!(
        answer.how,
        How::Whole | How::Gzipped | How::Chunked
    ))
}

/// Waits for the other side to close, whatever it still says.
async fn until_gone(socket: &mut TcpStream) {
    let mut rest = [0; 256];
    while socket.read(&mut rest).await.is_ok_and(|read| read > 0) {}
}

/// So many bytes of white space before an object, compressed: short on the wire, long in memory.
pub(crate) fn bomb(len: usize) -> Vec<u8> {
    let mut body = vec![b' '; len];
    body.extend_from_slice(b"{}");
    body
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

mod tests {
    use super::*;

    async fn ask(socket: &mut TcpStream, path: &str) -> String {
        let question = format!("GET /rdap{path} HTTP/1.1\r\nHost: x\r\n\r\n");
        socket.write_all(question.as_bytes()).await.unwrap();
        let mut said = Vec::new();
        while !said.ends_with(b"}") && !said.ends_with(b"</p>") {
            if socket.read_buf(&mut said).await.unwrap() == 0 {
                break;
            }
        }
        String::from_utf8(said).unwrap()
    }

    #[tokio::test]
    async fn the_server_answers_in_order_limits_and_counts() {
        let registry = Registry::start(2).await;
        registry.answers("/a", Answer::rdap("{\"first\":1}"));
        registry.answers("/a", Answer::rdap("{\"then\":1}"));
        registry.otherwise(|path| path.starts_with("/b/").then(|| Answer::rdap("{\"b\":1}")));
        registry.limit_after(5, Answer::html("429 Slow").with("Retry-After", "9"));
        registry.allows_at_once(1);
        let mut socket = TcpStream::connect(registry.address()).await.unwrap();
        for (path, expected) in [
            ("/a", "{\"first\":1}"),
            ("/a", "{\"then\":1}"),
            ("/a", "{\"then\":1}"),
            ("/b/7", "{\"b\":1}"),
            ("/c", "\"errorCode\":404"),
            ("/a", "HTTP/1.1 429 Slow\r\n"),
        ] {
            let said = ask(&mut socket, path).await;
            assert!(said.contains(expected), "{path}: {said}");
        }
        assert_eq!(registry.limited(), 1);
        registry.lift();
        assert!(ask(&mut socket, "/a").await.contains("then"));
        let mut second = TcpStream::connect(registry.address()).await.unwrap();
        assert!(ask(&mut second, "/a").await.contains("429 Too Many"));
        assert_eq!(registry.paths()[3..5], ["/b/7", "/c"]);
        assert_eq!(registry.most_within(Duration::from_secs(60)), 8);
        assert!(registry.smallest_gap().is_some());
        let counted = registry.connections();
        assert_eq!((counted.total, counted.most, counted.too_many), (2, 2, 1));
    }
}
