//! The sink: a small real SMTP server on loopback that takes every letter, passes none on, and answers
//! badly where it is told to.
//!
//! `lapwing demo` sends into it, `lapwing sink` runs it alone, and the tests have it as their relay.
//! It keeps RFC 5321 strictly, so that a sender that gets along with it gets along elsewhere: parameters
//! it did not offer and commands out of order are refused, and a bare line feed ends no letter.

mod command;
mod received;
mod rule;
mod session;
mod spelling;

#[cfg(test)]
mod tests;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::timeout;
use tokio_rustls::rustls::ServerConfig;

pub use crate::smtp::EnvelopeAddress;
use crate::smtp::stopped;
use received::Bag;
pub use received::Received;
pub use rule::{Action, Rule, Rules, Step};
pub use spelling::RuleError;

/// Beyond this many connections at once, new ones are closed unheard.
const MOST_CONNECTIONS: u64 = 1_000;
/// For letters that are under way when the sink stops.
const GRACE: Duration = Duration::from_secs(2);

/// How a sink behaves. By default it takes all, offers what needs neither key nor password, and
/// keeps the letters in memory.
#[derive(Clone, Debug)]
pub struct Options {
    /// Each letter becomes `NNNN-<first recipient>.eml` in this folder. One sink a folder: the
    /// numbers go on from the highest it finds at the start.
    pub dir: Option<PathBuf>,
    /// In force from the start; more can be added while it runs.
    pub rules: Vec<Rule>,
    pub extensions: Extensions,
    /// Certificate and key for STARTTLS and implicit TLS.
    pub tls: Option<Arc<ServerConfig>>,
    /// TLS from the first byte (RFC 8314 3.3), without STARTTLS.
    pub implicit_tls: bool,
    /// Name and password without which MAIL is answered by 530.
    pub login: Option<(String, String)>,
    /// The longest text taken, in bytes.
    pub max_size: usize,
    /// Keep letters in memory for [`Sink::received`]; turn it off where nobody asks for them.
    pub keep: bool,
    /// Listen on other addresses than loopback too. A server open to the net that takes all mail
    /// attracts mail that is not meant for it.
    pub anywhere: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            dir: None,
            rules: Vec::new(),
            extensions: Extensions::default(),
            tls: None,
            implicit_tls: false,
            login: None,
            max_size: 10 * 1024 * 1024,
            keep: true,
            anywhere: false,
        }
    }
}

/// What stands in the answer to EHLO, all by default. What is not offered is not tolerated either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Extensions {
    pub pipelining: bool,
    pub eight_bit_mime: bool,
    pub smtputf8: bool,
    pub enhanced_status_codes: bool,
    pub dsn: bool,
    /// Shows [`Options::max_size`], which holds either way.
    pub size: bool,
    /// Only where [`Options::tls`] has a certificate.
    pub starttls: bool,
    /// PLAIN and LOGIN; only where [`Options::login`] has something to compare with.
    pub auth: bool,
}

impl Default for Extensions {
    fn default() -> Self {
        Self {
            pipelining: true,
            eight_bit_mime: true,
            smtputf8: true,
            enhanced_status_codes: true,
            dsn: true,
            size: true,
            starttls: true,
            auth: true,
        }
    }
}

/// What a sink has seen so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub connections: u64,
    pub open: u64,
    /// The most that were open at once. Those we closed ourselves, after QUIT too, count as closed
    /// before the client hears of it.
    pub peak: u64,
    /// Letters taken, whether or not they are kept.
    pub letters: u64,
    /// Steps that a rule kept from succeeding.
    pub refused: u64,
}

/// A running sink. It ends when it is stopped or dropped.
#[derive(Debug)]
pub struct Sink {
    address: SocketAddr,
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    task: AbortHandle,
}

/// What all connections have in common.
#[derive(Debug)]
struct Shared {
    options: Options,
    rules: Rules,
    bag: Bag,
    counts: watch::Sender<Counts>,
}

impl Sink {
    /// Listens and serves until [`stop`](Self::stop) or drop; port 0 lets the system choose one.
    ///
    /// # Errors
    /// When the address is not loopback and [`Options::anywhere`] is not set, implicit TLS is asked
    /// for without certificate, the address is taken, or the folder cannot be made or read.
    pub async fn start(listen: SocketAddr, mut options: Options) -> io::Result<Self> {
        let invalid = |why: String| Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        if !options.anywhere && !listen.ip().to_canonical().is_loopback() {
            return invalid(format!(
                "the sink would catch mail from the whole net on {listen}: let it listen on \
                 127.0.0.1 or [::1], or allow it any address (lapwing sink --anywhere)"
            ));
        }
        if options.implicit_tls && options.tls.is_none() {
            return invalid("implicit TLS needs a certificate and its key".to_owned());
        }
        let shared = Arc::new(Shared {
            rules: Rules::from(std::mem::take(&mut options.rules)),
            bag: Bag::open(options.dir.clone(), options.keep)?,
            counts: watch::Sender::default(),
            options,
        });
        let listener = TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
        let stop = watch::Sender::new(false);
        let serving = serve(listener, Arc::clone(&shared), stop.subscribe());
        Ok(Self {
            address,
            shared,
            stop,
            task: tokio::spawn(serving).abort_handle(),
        })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The letters taken so far, in the order in which they were; none where
    /// [`Options::keep`] is off.
    #[must_use]
    pub fn received(&self) -> Vec<Received> {
        self.shared.bag.received()
    }

    /// Waits until `letters` have been taken in all, and gives them as [`received`](Self::received)
    /// does. A letter counts before its sender is told.
    pub async fn wait_for(&self, letters: u64) -> Vec<Received> {
        self.wait_until(|counts| counts.letters >= letters).await;
        self.received()
    }

    /// Waits until the counts are as wished.
    pub async fn wait_until(&self, wished: impl FnMut(&Counts) -> bool) -> Counts {
        let mut counts = self.shared.counts.subscribe();
        let reached = counts.wait_for(wished).await.map(|counts| *counts);
        // It fails only without a sender, which `self` holds.
        reached.unwrap_or_else(|_| self.counts())
    }

    #[must_use]
    pub fn counts(&self) -> Counts {
        *self.shared.counts.borrow()
    }

    /// The rules in force, to be changed while it runs.
    #[must_use]
    pub fn rules(&self) -> &Rules {
        &self.shared.rules
    }

    /// Takes no new connection, says 421 to clients between two commands, lets letters under way
    /// arrive for two seconds, and comes back when all is closed.
    pub async fn stop(&self) {
        self.stop.send_replace(true);
        // Every connection holds a receiver as long as it lives.
        self.stop.closed().await;
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        // The connections are in a set that this task owns, and end with it.
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, shared: Arc<Shared>, mut stop: watch::Receiver<bool>) {
    let mut sessions = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            () = stopped(&mut stop) => break,
            Some(_) = sessions.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    if let Some(visit) = Visit::begin(&shared) {
                        sessions.spawn(session::serve(stream, visit, stop.clone()));
                    }
                }
                // Out of file descriptors, mostly: others must close theirs first.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            },
        }
    }
    drop(listener);
    let all_gone = async { while sessions.join_next().await.is_some() {} };
    let _ = timeout(GRACE, all_gone).await;
}

/// A connection that is being served, for as long as this lives.
#[derive(Debug)]
struct Visit {
    number: u64,
    shared: Arc<Shared>,
}

impl Visit {
    fn begin(shared: &Arc<Shared>) -> Option<Self> {
        let mut number = None;
        shared.counts.send_modify(|counts| {
            counts.connections += 1;
            if counts.open < MOST_CONNECTIONS {
                number = Some(counts.connections);
                counts.open += 1;
                counts.peak = counts.peak.max(counts.open);
            }
        });
        number.map(|number| Self {
            number,
            shared: Arc::clone(shared),
        })
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        self.shared.counts.send_modify(|counts| counts.open -= 1);
    }
}
