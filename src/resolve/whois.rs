//! One question to one WHOIS server (RFC 3912): how it is put, and what came back.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::time::Duration;

use whois_rust::{WhoIs, WhoIsError, WhoIsLookupOptions, WhoIsServerValue};

use super::answer::{self, Reply, Status};
use super::registries::{Registries, Server};
use crate::config;
use crate::model::Subject;
use crate::reach::Reach;

/// No registry's answer about one network comes near it.
const LONGEST_ANSWER: usize = 1 << 20;
/// A host may have many addresses; one that answers at none of these is taken for dead.
const ADDRESSES_TRIED: usize = 4;
const LONGEST_HANDLE: usize = 64;

/// What a server is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Ask {
    Subject(Subject),
    /// What an answer named and did not show.
    Handle(String),
}

/// Speaks to WHOIS servers. `whois-rust` carries one line there and the answer back, within time
/// and size; it follows no referral, for it would drop the answer that refers.
#[derive(Debug)]
pub(super) struct Whois {
    registries: Registries,
    reach: Reach,
    carrier: WhoIs,
    timeout: Duration,
}

impl Whois {
    /// # Errors
    /// When the transport cannot be built, in words.
    pub(super) fn new(settings: &config::Resolve, registries: Registries) -> Result<Self, String> {
        // Its own server list is never asked: each question names its server.
        let carrier = WhoIs::from_host("whois.iana.org").map_err(|fault| fault.to_string())?;
        Ok(Self {
            registries,
            reach: Reach::new(&settings.reach),
            carrier,
            timeout: settings.whois.timeout.to_std(),
        })
    }

    pub(super) fn reach(&self) -> &Reach {
        &self.reach
    }

    /// Asks one server one line over one connection. Beside the reply stands the answer as text, for
    /// people to read. What is no answer (nobody there, cut off by a reset, too slow, too big, empty)
    /// comes back as [`Status::Broken`], for it says nothing about the network.
    pub(super) async fn exchange(
        &self,
        server: &Server,
        line: &str,
        subject: Subject,
    ) -> (Reply, String) {
        let registry = self.registries.of(&server.host, server.port);
        // One budget for the name, all addresses and the whole answer: a server that trickles gains nothing.
        let told = tokio::time::timeout(self.timeout, self.fetch(server, line))
            .await
            .unwrap_or_else(|_| Err(self.too_slow()));
        let mut told = match told {
            Ok(bytes) if bytes.trim_ascii().is_empty() => (
                broken(server, "closed the connection without a word"),
                String::new(),
            ),
            Ok(bytes) => (answer::whois(&bytes, Some(subject)), answer::decode(&bytes)),
            Err(words) => (broken(server, &words), String::new()),
        };
        if told.0.registry.is_empty() && self.registries.is_known(&registry) {
            told.0.registry = registry;
        }
        told
    }

    async fn fetch(&self, server: &Server, line: &str) -> Result<Vec<u8>, String> {
        let mut addresses = self.reach.find(&server.host, server.port).await?;
        // All registries are reached by IPv4, and count it by address instead of by network.
        addresses.sort_by_key(SocketAddr::is_ipv6);
        let mut words = String::new();
        for address in addresses.into_iter().take(ADDRESSES_TRIED) {
            match self.carry(address, line).await {
                Ok(bytes) => return Ok(bytes),
                Err(WhoIsError::IOError(fault)) if is_nobody_there(fault.kind()) => {
                    words = format!("cannot be reached at {address}: {fault}");
                }
                Err(WhoIsError::IOError(fault)) if fault.kind() == ErrorKind::InvalidData => {
                    return Err(format!("sent more than {LONGEST_ANSWER} bytes"));
                }
                Err(WhoIsError::IOError(fault)) if fault.kind() == ErrorKind::TimedOut => {
                    return Err(self.too_slow());
                }
                Err(WhoIsError::Elapsed(_)) => return Err(self.too_slow()),
                Err(fault) => return Err(format!("broke off: {fault}")),
            }
        }
        Err(words)
    }

    async fn carry(&self, address: SocketAddr, line: &str) -> Result<Vec<u8>, WhoIsError> {
        // The address, not the name: it was looked up and checked, and must not be looked up again.
        let mut to = WhoIsServerValue::from_string(address.to_string())?;
        to.query = Some(format!("{}\r\n", line.replace('$', "")));
        let mut options = WhoIsLookupOptions::from_string(address.ip().to_string())?;
        options.server = Some(to);
        options.follow = 0;
        options.timeout = Some(self.timeout);
        options.max_response_size = Some(LONGEST_ANSWER);
        self.carrier.lookup_raw_async(options).await
    }

    fn too_slow(&self) -> String {
        format!("gave no whole answer within {:?}", self.timeout)
    }
}

/// The line to send, in the dialect of the server's registry, without its end.
pub(super) fn line(registry: &str, ask: &Ask) -> String {
    let line = match (registry, ask) {
        // "-r": without the persons behind it, whom RIPE counts against a daily limit and then blocks.
        ("ripe" | "apnic" | "afrinic", ask) => format!("-r {}", plain(ask)),
        // "+": in full, also when several networks match. ARIN finds ranges by one of their addresses.
        ("arin", Ask::Subject(Subject::Range(range))) => format!("n + {}", range.first()),
        ("arin", Ask::Subject(Subject::As(asn))) => format!("a + {asn}"),
        ("arin", Ask::Handle(handle)) if handle.ends_with("-ARIN") => format!("p ! {handle}"),
        ("arin", Ask::Handle(handle)) => format!("n ! {handle}"),
        // "/e": in English, and so in ASCII.
        ("jpnic", ask) => format!("{}/e", plain(ask)),
        (_, ask) => plain(ask),
    };
    line.chars().filter(|c| !c.is_control()).collect()
}

fn plain(ask: &Ask) -> String {
    match ask {
        // CIDR or one address: what is neither is asked for by its beginning.
        Ask::Subject(Subject::Range(range)) if range.cidr().is_none() => range.first().to_string(),
        Ask::Subject(subject) => subject.to_string(),
        Ask::Handle(handle) => handle.clone(),
    }
}

/// Whether a handle may stand in a question: one word, and no option of the server's.
pub(super) fn is_handle(text: &str) -> bool {
    (1..=LONGEST_HANDLE).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.:/".contains(&byte))
        && !text.starts_with('-')
}

fn is_nobody_there(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::ConnectionRefused
            | ErrorKind::NetworkUnreachable
            | ErrorKind::HostUnreachable
            | ErrorKind::AddrNotAvailable
            | ErrorKind::NetworkDown
    )
}

fn broken(server: &Server, words: &str) -> Reply {
    Reply {
        status: Status::Broken {
            words: format!("{} {words}", server.host),
        },
        ..Reply::default()
    }
}

#[cfg(test)]
mod tests {
    use std::iter;
    use std::path::Path;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::model::Span;

    #[test]
    fn each_registry_is_asked_in_its_dialect() {
        for (registry, subject, expected) in [
            ("ripe", "203.0.113.5", "-r 203.0.113.5"),
            ("ripe", "203.0.113.0/24", "-r 203.0.113.0/24"),
            ("ripe", "203.0.113.1-203.0.113.9", "-r 203.0.113.1"),
            ("ripe", "AS64500", "-r AS64500"),
            ("apnic", "2001:DB8::5", "-r 2001:db8::5"),
            ("afrinic", "203.0.113.5", "-r 203.0.113.5"),
            ("arin", "203.0.113.5", "n + 203.0.113.5"),
            ("arin", "203.0.113.0/24", "n + 203.0.113.0"),
            ("arin", "AS64500", "a + 64500"),
            ("jpnic", "203.0.113.5", "203.0.113.5/e"),
            ("lacnic", "203.0.113.5", "203.0.113.5"),
            ("nicbr", "AS64500", "AS64500"),
            ("krnic", "203.0.113.5", "203.0.113.5"),
            ("twnic", "203.0.113.5", "203.0.113.5"),
            ("iana", "203.0.113.5", "203.0.113.5"),
            ("rwhois.isp.example", "203.0.113.5", "203.0.113.5"),
        ] {
            let ask = Ask::Subject(subject.parse().unwrap());
            assert_eq!(line(registry, &ask), expected, "{registry} {subject}");
        }
        for (registry, handle, expected) in [
            ("arin", "NET-203-0-113-0-1", "n ! NET-203-0-113-0-1"),
            ("arin", "ABUSE1-ARIN", "p ! ABUSE1-ARIN"),
            ("lacnic", "ABC", "ABC"),
            ("afrinic", "EX1-TEST", "-r EX1-TEST"),
            ("lacnic", "ABC\r\n-B\tx\0", "ABC-Bx"),
        ] {
            assert_eq!(line(registry, &Ask::Handle(handle.to_owned())), expected);
        }
    }

    #[test]
    fn a_handle_is_one_word() {
        for handle in ["ABC", "EX1-TEST", "NET-203-0-113-0-1", "IRT-EX_1.A"] {
            assert!(is_handle(handle), "{handle}");
        }
        for handle in ["", "-B", "A B", "A\r\nB", "$addr", "ü", &"A".repeat(65)] {
            assert!(!is_handle(handle), "{handle}");
        }
    }

    /// What one server does with one connection, and what is made of it.
    async fn told_by(script: impl AsyncFnOnce(TcpStream)) -> (Reply, String) {
        let door = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = door.local_addr().unwrap().port();
        let mut settings = config::load(Some(Path::new("/dev/null")), iter::empty(), &[])
            .unwrap()
            .config
            .resolve;
        settings.reach = vec!["127.0.0.0/8".parse().unwrap()];
        settings.whois.timeout = Span(300);
        let whois = Whois::new(&settings, Registries::new(&settings.registry)).unwrap();
        let server = Server {
            host: "127.0.0.1".to_owned(),
            port,
        };
        let subject = "203.0.113.5".parse().unwrap();
        let serve = async {
            let (stream, _) = door.accept().await.unwrap();
            script(stream).await;
        };
        let exchange = whois.exchange(&server, "-r 203.0.113.5", subject);
        tokio::select! {
            told = exchange => told,
            () = async { serve.await; std::future::pending().await } => unreachable!(),
        }
    }

    async fn fault_of(script: impl AsyncFnOnce(TcpStream)) -> String {
        match told_by(script).await.0.status {
            Status::Broken { words } => words,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn one_line_goes_out_and_the_answer_comes_back() {
        let (_, text) = told_by(async |mut stream| {
            let mut line = [0; 16];
            stream.read_exact(&mut line).await.unwrap();
            assert_eq!(&line, b"-r 203.0.113.5\r\n");
            stream
                .write_all(b"inetnum: 203.0.113.0 - 203.0.113.255\r\n")
                .await
                .unwrap();
        })
        .await;
        assert!(text.starts_with("inetnum: 203.0.113.0"), "{text}");
    }

    #[tokio::test]
    async fn what_is_no_answer_is_asked_again_later() {
        let words = fault_of(async |mut stream| {
            stream.read_exact(&mut [0; 16]).await.unwrap();
        })
        .await;
        assert!(words.contains("without a word"), "{words}");
        // What came in is left unread: the connection is reset.
        let words = fault_of(async |stream| {
            stream.peek(&mut [0; 16]).await.unwrap();
        })
        .await;
        assert!(words.contains("broke off"), "{words}");
        let words = fault_of(async |stream| {
            let _held = stream;
            std::future::pending::<()>().await;
        })
        .await;
        assert!(words.contains("within 300ms"), "{words}");
        let words = fault_of(async |mut stream| {
            stream.read_exact(&mut [0; 16]).await.unwrap();
            while stream.write_all(&[b'%'; 65536]).await.is_ok() {}
        })
        .await;
        assert!(words.contains("more than 1048576 bytes"), "{words}");
    }

    #[tokio::test]
    async fn who_is_not_there_or_inside_is_not_reached() {
        let mut settings = config::load(Some(Path::new("/dev/null")), iter::empty(), &[])
            .unwrap()
            .config
            .resolve;
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        for (reach, expected) in [
            (vec![], "no public address"),
            (vec!["127.0.0.0/8".parse().unwrap()], "cannot be reached"),
        ] {
            settings.reach = reach;
            let whois = Whois::new(&settings, Registries::new(&settings.registry)).unwrap();
            let server = Server {
                host: "localhost".to_owned(),
                port,
            };
            let (reply, _) = whois.exchange(&server, "AS64500", Subject::As(64500)).await;
            match reply.status {
                Status::Broken { words } => assert!(words.contains(expected), "{words}"),
                other => panic!("{other:?}"),
            }
        }
    }
}
