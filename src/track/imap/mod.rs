//! The other door: mail is fetched out of a mailbox over IMAP (RFC 3501), where no mail server can hand
//! it over.
//!
//! What the mailbox has beyond the last number that is kept is fetched and committed; only then is it
//! remembered as kept, and moved away or marked as seen. Between looks the server is asked to say when
//! something comes (RFC 2177). The last look may have missed what came just then: so it is looked again
//! every few minutes.

mod session;

use std::fmt;
use std::io;
use std::time::Duration;

use async_imap::Client;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;

use super::Counts;
use crate::config::{Imap, Security};
use crate::model::{Clock, Progress};
use crate::retry::{Pauses, rest};
use crate::store::{self, Store};
use crate::tls;
use session::Session;

/// For one answer of the server.
const PATIENCE: Duration = Duration::from_secs(60);

/// The longest wait between looks at a server that is in trouble.
const LONGEST: Duration = Duration::from_secs(5 * 60);

/// Then a message that cannot be fetched is left where it is.
const MOST_TRIES: u32 = 10;

/// What each look needs.
#[derive(Clone, Copy)]
pub struct Work<'a> {
    pub store: &'a Store,
    pub settings: &'a Imap,
    /// Between looks, where nothing tells us that something came.
    pub look_every: Duration,
    /// The first wait when a look failed; the next are longer.
    pub after_trouble: Duration,
    pub clock: &'a Clock,
    pub progress: &'a Progress,
    pub counts: &'a watch::Sender<Counts>,
}

/// Why a look came to nothing.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error("incoming.imap: {0}")]
    Told(String),
}

impl From<async_imap::error::Error> for Error {
    fn from(error: async_imap::error::Error) -> Self {
        // A server's answer that cannot be understood may hold a whole message.
        Self::Told(error.to_string().chars().take(300).collect())
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Self {
        Self::Told(error.to_string().chars().take(300).collect())
    }
}

/// Fetches what comes, until the progress is stopped. A server in trouble is asked again and again.
pub async fn watch(work: Work<'_>) {
    let mut pauses = Pauses::growing(work.after_trouble, LONGEST);
    let mut stubborn = Stubborn::default();
    while !work.progress.is_stopped() {
        let looks = work.counts.borrow().looks;
        let Err(error) = visit(work, &mut stubborn).await else {
            return;
        };
        work.counts.send_modify(|counts| {
            counts.failed += 1;
            counts.trouble = error.to_string();
        });
        if work.counts.borrow().looks > looks {
            pauses.reset();
        }
        rest(work.progress, pauses.take()).await;
    }
}

/// One connection, to its end.
async fn visit(work: Work<'_>, stubborn: &mut Stubborn) -> Result<(), Error> {
    let settings = work.settings;
    let address = (settings.host.as_str(), settings.port);
    let tcp = in_time(async { Ok(TcpStream::connect(address).await?) }).await?;
    let shake_hands = |tcp| async {
        let tls = tls::shake_hands(tcp, &settings.host, &settings.ca_file);
        in_time(async { Ok(tls.await?) }).await
    };
    match settings.security {
        Security::None => log_in(greeted(tcp).await?, work, stubborn).await,
        Security::Tls => log_in(greeted(shake_hands(tcp).await?).await?, work, stubborn).await,
        Security::Starttls => {
            let mut client = greeted(tcp).await?;
            let starts = client.run_command_and_check_ok("STARTTLS", None);
            in_time(async { Ok(starts.await?) }).await?;
            // What was read and not used is forgotten with it: nothing said in the clear counts.
            let tls = shake_hands(client.into_inner()).await?;
            log_in(Client::new(tls), work, stubborn).await
        }
    }
}

async fn greeted<S: Stream>(stream: S) -> Result<Client<S>, Error> {
    let mut client = Client::new(stream);
    let greeting = in_time(async { Ok(client.read_response().await?) }).await?;
    match greeting {
        Some(_) => Ok(client),
        None => Err(Error::Told("the server says nothing".to_owned())),
    }
}

async fn log_in<S: Stream>(
    client: Client<S>,
    work: Work<'_>,
    stubborn: &mut Stubborn,
) -> Result<(), Error> {
    let settings = work.settings;
    let login = client.login(&settings.username, &settings.password);
    let session = in_time(async { login.await.map_err(|(error, _)| error.into()) }).await?;
    let session = Session::open(session, work).await?;
    session.run(stubborn).await
}

async fn in_time<T>(step: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let late = || format!("no answer within {} seconds", PATIENCE.as_secs());
    timeout(PATIENCE, step)
        .await
        .unwrap_or_else(|_| Err(Error::Told(late())))
}

/// The message that could not be fetched when it was last tried, and how often.
#[derive(Default)]
struct Stubborn {
    uid: u32,
    times: u32,
}

impl Stubborn {
    fn failed(&mut self, uid: u32) {
        if self.uid != uid {
            *self = Self { uid, times: 0 };
        }
        self.times += 1;
    }

    /// One bad message must not keep all others from us.
    fn is_hopeless(&self, uid: u32) -> bool {
        self.uid == uid && self.times >= MOST_TRIES
    }
}

/// With or without TLS: a name for what the client asks of its stream.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send + fmt::Debug {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send + fmt::Debug> Stream for S {}
