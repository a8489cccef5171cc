//! The door that mail comes in by: the mail server that keeps the domain of bounces hands it over by LMTP
//! (RFC 2033), and is told that it may forget a message only when it is committed.
//!
//! LMTP has one answer after the dot for each recipient. So a message for two letters may be kept for one of
//! them and be handed over again for the other; a message that comes twice is one.

mod session;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::{BoxFuture, FutureExt as _};
use futures_util::stream::FuturesUnordered;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::Counts;
use crate::config::Config;
use crate::model::{AddressRange, Clock, Progress, Purpose, TokenKeys, Untrue, token_in};
use crate::retry::rest;
use crate::smtp::{Manner, Wire};
use crate::store::Store;
use session::Session;

/// Those who are sent away are told so; beyond this many at once they are not.
const SENT_AWAY_AT_ONCE: usize = 100;

/// What the listener is told about whom and what to take.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Our name in the greeting.
    pub name: String,
    pub peers: Vec<AddressRange>,
    pub domains: Vec<String>,
    /// Local parts, besides those that look like a token.
    pub mailboxes: Vec<String>,
    pub connections: usize,
    /// Bytes of the largest message.
    pub max_size: u64,
    /// How long a peer may be silent.
    pub idle: Duration,
}

impl Settings {
    #[must_use]
    pub fn from_config(config: &Config) -> Self {
        let incoming = &config.incoming;
        let bounces = config.sender.bounce_domain().to_owned();
        Self {
            name: bounces.clone(),
            peers: incoming.peers.clone(),
            domains: [bounces]
                .into_iter()
                .chain(incoming.domains.iter().cloned())
                .collect(),
            mailboxes: incoming.mailboxes.clone(),
            connections: incoming.connections,
            max_size: incoming.max_size,
            idle: incoming.idle.to_std(),
        }
    }

    fn lets_in(&self, peer: IpAddr) -> bool {
        let peer = AddressRange::single(peer.into());
        self.peers.iter().any(|range| range.contains(peer))
    }

    /// Whether mail to this address is for us: it may be a letter's own, or is named in the settings.
    /// That the token is true is found out when the message is read.
    fn is_ours(&self, address: &str) -> bool {
        let Some((local, domain)) = address.rsplit_once('@') else {
            return false;
        };
        let is_of = |ours: &String| ours.eq_ignore_ascii_case(domain);
        let name = local.split('+').next().unwrap_or_default();
        let is_named = |ours: &String| ours.eq_ignore_ascii_case(name);
        self.domains.iter().any(is_of)
            && (is_like_a_letters(address) || self.mailboxes.iter().any(is_named))
    }
}

fn is_like_a_letters(address: &str) -> bool {
    token_in(address).is_some_and(|(purpose, token)| {
        // Without any key, all that can be said of a token is whether it has the form of one.
        let read = TokenKeys::default().read(purpose, token);
        purpose != Purpose::Message && read != Err(Untrue::Shapeless)
    })
}

/// What each connection needs.
#[derive(Clone, Copy)]
pub struct Work<'a> {
    pub store: &'a Store,
    pub settings: &'a Settings,
    pub clock: &'a Clock,
    pub progress: &'a Progress,
    pub counts: &'a watch::Sender<Counts>,
}

/// The listener, where one is wished.
///
/// # Errors
/// What is wrong with `incoming.listen`.
pub async fn listen(config: &Config) -> Result<Option<TcpListener>, String> {
    let Some(address) = config.incoming.listen()? else {
        return Ok(None);
    };
    let listener = TcpListener::bind(address).await.map_err(|error| {
        let remedy = match error.kind() {
            io::ErrorKind::AddrInUse => "another program, or another Lapwing, listens there",
            io::ErrorKind::AddrNotAvailable => "this machine does not have that address",
            io::ErrorKind::PermissionDenied => "take a port above 1023",
            _ => "take another address or port",
        };
        format!("incoming.listen: {address}: {error}: {remedy}")
    })?;
    Ok(Some(listener))
}

/// Takes in what is handed over, until the progress is stopped. Then messages under way may still arrive, for as long
/// as their peers are not silent, or the service has grace: what is cut off is handed over again.
pub async fn serve(listener: TcpListener, work: Work<'_>) {
    let stop = watch::Sender::new(false);
    let mut guests: FuturesUnordered<BoxFuture<'_, ()>> = FuturesUnordered::new();
    let mut until_stopped = Box::pin(until_stopped(work.progress));
    loop {
        tokio::select! {
            biased;
            () = &mut until_stopped => break,
            Some(()) = guests.next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    let most = work.settings.connections + SENT_AWAY_AT_ONCE;
                    let guest = receive(stream, peer, work, stop.subscribe());
                    if guests.len() < most {
                        guests.push(guest);
                    }
                }
                // Out of file descriptors, mostly: others must close theirs first.
                Err(_) => rest(work.progress, Duration::from_millis(50)).await,
            },
        }
    }
    drop(listener);
    stop.send_replace(true);
    guests.collect::<()>().await;
}

/// What becomes of a connection: it is heard, or sent away.
fn receive<'a>(
    stream: TcpStream,
    peer: SocketAddr,
    work: Work<'a>,
    stop: watch::Receiver<bool>,
) -> BoxFuture<'a, ()> {
    let mut farewell = "";
    work.counts.send_modify(|counts| {
        if !work.settings.lets_in(peer.ip()) {
            counts.foreign += 1;
            farewell = "421 4.7.1 You are not one whom we take mail from";
        } else if counts.open >= work.settings.connections as u64 {
            counts.crowded += 1;
            farewell = "421 4.3.2 Too many connections, come again later";
        } else {
            counts.open += 1;
        }
    });
    // Answers are small and waited for.
    let _ = stream.set_nodelay(true);
    let manner = Manner {
        patience: work.settings.idle,
        farewell: "421 4.3.2 Lapwing is stopping, come again later",
    };
    let mut wire = Wire::new(stream, stop, manner);
    if farewell.is_empty() {
        return Session::new(wire, Visit(work)).run().boxed();
    }
    async move {
        if wire.say(farewell).await.is_ok() {
            wire.close().await;
        }
    }
    .boxed()
}

/// A connection that is being heard, for as long as this lives.
struct Visit<'a>(Work<'a>);

impl Drop for Visit<'_> {
    fn drop(&mut self) {
        self.0.counts.send_modify(|counts| counts.open -= 1);
    }
}

async fn until_stopped(progress: &Progress) {
    while !progress.is_stopped() {
        rest(progress, Duration::from_secs(60 * 60)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mail_is_taken_for_letters_and_for_mailboxes_that_are_named() {
        let mut config = crate::config::shipped().unwrap();
        config.sender.bounce_domain = "bounces.agency.example".to_owned();
        config.incoming.domains = vec!["answers.agency.example".to_owned()];
        config.incoming.mailboxes = vec!["postmaster".to_owned(), "reports".to_owned()];
        let settings = Settings::from_config(&config);
        let token = "baaaaaaaaaabk27777777777777777";
        for (address, is_ours) in [
            (format!("b-{token}@bounces.agency.example"), true),
            (format!("r-{token}@answers.agency.example"), true),
            (
                format!("B-{}@BOUNCES.Agency.Example", token.to_uppercase()),
                true,
            ),
            (format!("reports+b-{token}@answers.agency.example"), true),
            ("Postmaster@bounces.agency.example".to_owned(), true),
            // The token of a Message-ID is no mailbox.
            (format!("l.{token}@bounces.agency.example"), false),
            (format!("b-{token}@agency.example"), false),
            (
                format!("b-{token}@bounces.agency.example.evil.example"),
                false,
            ),
            (format!("b-{}1@bounces.agency.example", &token[1..]), false),
            (format!("b-{token}a@bounces.agency.example"), false),
            (format!("b-{}@bounces.agency.example", &token[1..]), false),
            ("anybody@bounces.agency.example".to_owned(), false),
            ("+postmaster@bounces.agency.example".to_owned(), false),
            ("postmaster".to_owned(), false),
            ("@bounces.agency.example".to_owned(), false),
            (String::new(), false),
        ] {
            assert_eq!(settings.is_ours(&address), is_ours, "{address}");
        }
    }

    #[test]
    fn only_peers_that_are_named_are_let_in() {
        let mut settings = Settings::from_config(&crate::config::shipped().unwrap());
        let lets_in = |settings: &Settings, ip: &str| settings.lets_in(ip.parse().unwrap());
        for (ip, is_let_in) in [
            ("127.0.0.1", true),
            ("127.8.9.10", true),
            ("::1", true),
            ("::ffff:127.0.0.1", true),
            ("192.0.2.1", false),
            ("::2", false),
        ] {
            assert_eq!(lets_in(&settings, ip), is_let_in, "{ip}");
        }
        settings.peers = vec!["192.0.2.0/24".parse().unwrap()];
        assert!(lets_in(&settings, "::ffff:192.0.2.7"));
        assert!(!lets_in(&settings, "127.0.0.1"));
    }
}
