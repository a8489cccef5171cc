//! Asks a registry over RDAP (RFC 7480, RFC 9082): one question, one HTTP exchange, one answer.

use std::net::IpAddr;
use std::time::Duration;

use reqwest::header::{ACCEPT, HeaderMap, LOCATION, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode, Url};
use tokio::time::{Instant, timeout_at};

use super::answer::{self, Reply, Status};
use super::bootstrap::{Bootstrap, may_be_asked};
use super::retry_after::retry_after;
use crate::config;
use crate::model::{Subject, Timestamp, plain_text};
use crate::reach::{self, Reach, Refused, chain};

/// What is read of an answer, after decompression. Real ones stay below 100 KiB.
const LONGEST_ANSWER: usize = 1 << 20;

/// A redirect asks on for the same thing, so its URL is about as short as ours.
const LONGEST_URL: usize = 2_000;

const ACCEPTED: &str = "application/rdap+json, application/json";

/// Clients of all RDAP servers; connections are kept and used again.
pub(super) struct Rdap {
    bootstrap: Bootstrap,
    client: Client,
    reach: Reach,
    timeout: Duration,
}

/// How one exchange ended.
#[derive(Debug, PartialEq, Eq)]
#[expect(
    clippy::large_enum_variant,
    reason = "there is one at a time, and it is taken apart at once"
)]
pub(super) enum Exchange {
    /// `raw` is the body as it came, empty where none was read.
    Told { reply: Reply, raw: String },
    /// Another server knows. Its registry's limits hold for the next exchange.
    Moved(Url),
}

impl Rdap {
    /// # Errors
    /// In words, when TLS cannot be set up.
    pub(super) fn new(settings: &config::Resolve) -> Result<Self, String> {
        let (bootstrap, _) = Bootstrap::load(&settings.rdap.bootstrap);
        let reach = Reach::new(&settings.reach);
        let timeout = settings.rdap.timeout.to_std();
        let client = reach::client(&reach, timeout).map_err(|fault| {
            let root = chain(fault.as_ref()).last().map(ToString::to_string);
            format!("RDAP: {}", shown(&root.unwrap_or_default()))
        })?;
        Ok(Self {
            bootstrap,
            client,
            reach,
            timeout,
        })
    }

    /// Where to ask first; `None` where no registry answers for it over RDAP.
    pub(super) fn begin(&self, subject: Subject) -> Option<Url> {
        self.bootstrap.question(subject)
    }

    /// One question to one server, in at most `resolve.rdap.timeout`. Nothing is tried again here,
    /// and whatever goes wrong is part of the reply. `now` is only used to read dates of the server.
    pub(super) async fn exchange(&self, url: &Url, subject: Subject, now: Timestamp) -> Exchange {
        if let Err(refusal) = self.check(url) {
            return broken(refusal);
        }
        let deadline = Instant::now() + self.timeout;
        let sent = self.client.get(url.clone()).header(ACCEPT, ACCEPTED).send();
        let mut response = match timeout_at(deadline, sent).await {
            Ok(Ok(response)) => response,
            Ok(Err(fault)) => return self.fault(&fault),
            Err(_) => return broken(self.too_slow("no answer")),
        };
        let status = response.status();
        if status.is_redirection() {
            return moved(url, status, response.headers());
        }
        let body = timeout_at(deadline, body(&mut response)).await;
        let body = body.unwrap_or_else(|_| Err(Cut::Fault(self.too_slow("half an answer"))));
        let (bytes, cut) = match body {
            Ok(bytes) => (bytes, None),
            Err(cut) => (Vec::new(), Some(cut)),
        };
        let raw = String::from_utf8_lossy(&bytes).into_owned();
        let reply = match judged(status, response.headers(), now) {
            Some(status) => Reply {
                status,
                ..Reply::default()
            },
            None => match cut {
                Some(cut) => return cut.into(),
                None => read(&bytes, subject),
            },
        };
        Exchange::Told { reply, raw }
    }

    /// Addresses are checked here; names when they are resolved.
    fn check(&self, url: &Url) -> Result<(), String> {
        let host = url.host_str().unwrap_or_default();
        let literal = host.trim_start_matches('[').trim_end_matches(']');
        match literal.parse::<IpAddr>() {
            _ if !may_be_asked(url) => Err(format!("{} is no https URL", shown(url.as_str()))),
            Ok(ip) if !self.reach.allows(ip) => {
                Err(format!("it leads to {ip}, which is no public address"))
            }
            _ => Ok(()),
        }
    }

    fn fault(&self, fault: &reqwest::Error) -> Exchange {
        let refused = chain(fault).find_map(|cause| cause.downcast_ref::<Refused>());
        match refused {
            Some(Refused(words)) => broken(words.clone()),
            None if fault.is_timeout() => broken(self.too_slow("no answer")),
            None if fault.is_connect() => broken(format!("no connection: {}", root(fault))),
            None => broken(format!("the connection broke: {}", root(fault))),
        }
    }

    fn too_slow(&self, what: &str) -> String {
        format!("{what} in {} s", self.timeout.as_secs_f32())
    }
}

/// What the status alone says; `None` where the body tells.
fn judged(status: StatusCode, headers: &HeaderMap, now: Timestamp) -> Option<Status> {
    let later = |wait, what: &str| {
        let words = format!("{what} (HTTP {})", status.as_u16());
        Some(Status::Later { wait, words })
    };
    match status.as_u16() {
        200 | 203 => None,
        // RFC 7480 5.3: the only one that says that there is nothing.
        404 => Some(Status::NotFound),
        // RFC 7480 5.5.
        429 => later(retry_after(headers.get(RETRY_AFTER), now), "limit reached"),
        503 => later(retry_after(headers.get(RETRY_AFTER), now), "out of service"),
        500..=599 if status != StatusCode::NOT_IMPLEMENTED => later(None, "fault of the server"),
        // RFC 7480 5.4 has 400 for questions that are none; ours are well formed, so it is us that
        // they do not want.
        400 | 401 | 403 => later(None, "refused to answer us"),
        408 => later(None, "took us for too slow"),
        // 501 and 422 among them (RFC 9082 1 and 4.1): asked again, the same would come.
        other => Some(Status::Broken {
            words: format!("no answer, but HTTP {other}"),
        }),
    }
}

fn read(bytes: &[u8], subject: Subject) -> Reply {
    let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let status = match text.trim_ascii_start().first() {
        None => "an empty answer",
        // Limits and maintenance come as pages, and with 200.
        Some(b'<') => "a web page instead of an answer",
        Some(b'{' | b'[') => return answer::rdap(text, Some(subject)),
        Some(_) => "something else than JSON",
    };
    let words = status.to_owned();
    Reply {
        status: Status::Later { wait: None, words },
        ..Reply::default()
    }
}

/// RFC 7480 5.2, with RFC 9110 15.4.
fn moved(from: &Url, status: StatusCode, headers: &HeaderMap) -> Exchange {
    let code = status.as_u16();
    let Some(location) = headers.get(LOCATION) else {
        return broken(format!("sent on without saying where (HTTP {code})"));
    };
    let location = String::from_utf8_lossy(location.as_bytes());
    let to = match from.join(&location) {
        Ok(to) if location.len() <= LONGEST_URL => to,
        _ => return broken(format!("sent on to \"{}\"", shown(&location))),
    };
    if !may_be_asked(&to) {
        return broken(format!(
            "sent on to {}, which is no https URL",
            shown(to.as_str())
        ));
    }
    Exchange::Moved(to)
}

/// Why a body did not come whole.
enum Cut {
    TooLong,
    Fault(String),
}

impl From<Cut> for Exchange {
    fn from(cut: Cut) -> Self {
        match cut {
            Cut::TooLong => broken("the answer is longer than 1 MiB".to_owned()),
            Cut::Fault(words) => broken(words),
        }
    }
}

/// The body, decompressed as it comes: neither a long one nor one that unfolds is ever held.
async fn body(response: &mut Response) -> Result<Vec<u8>, Cut> {
    if response.content_length() > Some(LONGEST_ANSWER as u64) {
        return Err(Cut::TooLong);
    }
    let mut bytes = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if bytes.len() + chunk.len() > LONGEST_ANSWER => {
                return Err(Cut::TooLong);
            }
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
            Ok(None) => return Ok(bytes),
            Err(fault) => {
                let fault = root(&fault);
                return Err(Cut::Fault(format!("the answer broke off: {fault}")));
            }
        }
    }
}

/// The cause at the bottom: those above it only say where it was met.
fn root(fault: &reqwest::Error) -> String {
    let root = chain(fault).last().map(ToString::to_string);
    shown(&root.unwrap_or_default())
}

fn shown(text: &str) -> String {
    plain_text(text, 120)
}

fn broken(words: String) -> Exchange {
    told(Status::Broken { words })
}

fn told(status: Status) -> Exchange {
    let reply = Reply {
        status,
        ..Reply::default()
    };
    Exchange::Told {
        reply,
        raw: String::new(),
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;
    use crate::model::Span;

    const START: Timestamp = Timestamp(1_794_816_000_000);

    fn client(reach: &[&str], timeout: Span) -> Rdap {
        let loaded = config::load(
            Some(std::path::Path::new("/dev/null")),
            std::iter::empty(),
            &[],
        )
        .unwrap();
        let mut settings = loaded.config.resolve;
        settings.reach = reach.iter().map(|prefix| prefix.parse().unwrap()).collect();
        settings.rdap.timeout = timeout;
        Rdap::new(&settings).unwrap()
    }

    /// What becomes of an answer; the connection is kept open after it, or cut.
    async fn exchange(answer: &[u8], is_kept: bool) -> (String, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (answer, (done, wait)) = (answer.to_vec(), tokio::sync::oneshot::channel::<()>());
        let server = tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut asked = Vec::new();
            while !asked.ends_with(b"\r\n\r\n") {
                assert!(socket.read_buf(&mut asked).await.unwrap() > 0);
            }
            // Who has read enough goes before all is written.
            let _ = socket.write_all(&answer).await;
            if is_kept {
                let _ = wait.await;
            }
            String::from_utf8(asked).unwrap()
        });
        let client = client(&["127.0.0.0/8"], Span(2_000));
        let url = Url::parse(&format!("http://127.0.0.1:{port}/rdap/ip/192.0.2.1")).unwrap();
        let outcome = client
            .exchange(&url, "192.0.2.1".parse().unwrap(), START)
            .await;
        drop(done);
        (words(outcome), server.await.unwrap())
    }

    fn words(outcome: Exchange) -> String {
        match outcome {
            Exchange::Moved(to) => format!("moved {to}"),
            Exchange::Told { reply, .. } => match reply.status {
                Status::Found => "found".to_owned(),
                Status::NotFound => "not found".to_owned(),
                Status::Later { wait, words } => {
                    let wait = wait.map_or(String::new(), |wait| format!(" {}s", wait.0 / 1000));
                    format!("later{wait}: {words}")
                }
                Status::Broken { words } => format!("broken: {words}"),
            },
        }
    }

    #[tokio::test]
    async fn the_question_is_plain() {
        let (_, asked) = exchange(b"HTTP/1.1 404 x\r\nContent-Length: 0\r\n\r\n", true).await;
        let asked = asked.to_ascii_lowercase();
        assert!(
            asked.starts_with("get /rdap/ip/192.0.2.1 http/1.1\r\n"),
            "{asked}"
        );
        for line in [
            "accept: application/rdap+json, application/json\r\n",
            "accept-encoding: gzip\r\n",
            concat!("user-agent: lapwing/", env!("CARGO_PKG_VERSION"), "\r\n"),
        ] {
            assert!(asked.contains(line), "{line}: {asked}");
        }
    }

    #[tokio::test]
    async fn only_404_says_that_there_is_nothing() {
        for (head, expected) in [
            ("404 Not Found", "not found"),
            ("400 Bad Request", "later: refused to answer us (HTTP 400)"),
            ("401 Unauthorized", "later: refused to answer us (HTTP 401)"),
            ("403 Forbidden", "later: refused to answer us (HTTP 403)"),
            (
                "429 Slow\r\nRetry-After: 90",
                "later 90s: limit reached (HTTP 429)",
            ),
            (
                "429 Slow\r\nretry-after: Mon, 16 Nov 2026 08:02:00 GMT",
                "later 120s: limit reached (HTTP 429)",
            ),
            (
                "429 Slow\r\nRetry-After: 315360000",
                "later 86400s: limit reached (HTTP 429)",
            ),
            ("429 Slow", "later: limit reached (HTTP 429)"),
            (
                "503 Away\r\nRetry-After: 5",
                "later 5s: out of service (HTTP 503)",
            ),
            ("500 Oh", "later: fault of the server (HTTP 500)"),
            ("502 Oh", "later: fault of the server (HTTP 502)"),
            ("501 No", "broken: no answer, but HTTP 501"),
            ("422 No", "broken: no answer, but HTTP 422"),
            ("204 Empty", "broken: no answer, but HTTP 204"),
            (
                "302 On\r\nLocation: https://rdap.isp.example/ip/192.0.2.1",
                "moved https://rdap.isp.example/ip/192.0.2.1",
            ),
            (
                "301 On\r\nLocation: //rdap.isp.example/x",
                "broken: sent on to http://rdap.isp.example/x, which is no https URL",
            ),
            (
                "307 On\r\nLocation: http://rdap.isp.example/x",
                "broken: sent on to http://rdap.isp.example/x, which is no https URL",
            ),
            (
                "302 On\r\nLocation: http://[::1]:8080/x",
                "moved http://[::1]:8080/x",
            ),
            (
                "302 On\r\nLocation: file:///etc/passwd",
                "broken: sent on to file:///etc/passwd, which is no https URL",
            ),
            (
                "302 On\r\nLocation: https://a:b@isp.example/",
                "broken: sent on to https://a:b@isp.example/, which is no https URL",
            ),
            (
                "302 On\r\nLocation: https://",
                "broken: sent on to \"https://\"",
            ),
            ("302 On", "broken: sent on without saying where (HTTP 302)"),
        ] {
            let length = if head.starts_with("204") {
                ""
            } else {
                "\r\nContent-Length: 15"
            };
            let page = if length.is_empty() {
                ""
            } else {
                "<html>no</html>"
            };
            let answer = format!("HTTP/1.1 {head}{length}\r\n\r\n{page}");
            assert_eq!(
                exchange(answer.as_bytes(), true).await.0,
                expected,
                "{head}"
            );
        }
    }

    #[tokio::test]
    async fn what_is_no_answer_is_never_one_that_found_nothing() {
        for (answer, is_kept, expected) in [
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n<html>",
                true,
                "later: a web page instead of an answer",
            ),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
                true,
                "later: an empty answer",
            ),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n\0\x01",
                true,
                "later: something else than JSON",
            ),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{",
                false,
                "broken: the answer broke off: ",
            ),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{",
                false,
                "broken: the answer broke off: ",
            ),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n{",
                true,
                "broken: the answer broke off: ",
            ),
            (
                "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}",
                true,
                "broken: the answer broke off: ",
            ),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n",
                true,
                "broken: the answer is longer than 1 MiB",
            ),
            (
                "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{",
                true,
                "broken: half an answer in 2 s",
            ),
            (
                "HTTP/1.1 200 OK\r\nContent-",
                true,
                "broken: no answer in 2 s",
            ),
            ("SSH-2.0-x\r\n", true, "broken: the connection broke: "),
            ("", false, "broken: the connection broke: "),
        ] {
            let said = exchange(answer.as_bytes(), is_kept).await.0;
            assert!(said.starts_with(expected), "{answer:?}: {said}");
        }
    }

    #[tokio::test]
    async fn nothing_inside_is_spoken_to() {
        let client = client(&[], Span(2_000));
        for url in [
            "https://127.0.0.1:1/",
            "http://127.0.0.1:1/",
            "https://[::1]:1/",
            "https://10.0.0.1/",
            "https://169.254.169.254/latest",
            "https://0x7f.1/",
            "https://[::ffff:10.0.0.1]/",
            "https://localhost:1/",
        ] {
            let url = Url::parse(url).unwrap();
            let outcome = client
                .exchange(&url, "AS64500".parse().unwrap(), START)
                .await;
            let said = words(outcome);
            assert!(
                said.ends_with("which is no public address"),
                "{url}: {said}"
            );
        }
    }
}
