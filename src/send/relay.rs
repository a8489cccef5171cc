//! A relay, and how a connection to it is opened, secured and logged in.
//!
//! Lettre's own transport was measured and left: its pool keeps Nagle's algorithm on (40 ms a
//! letter), limits only idle connections, has no timeout after connecting, and gives a cancelled
//! connection back with a reply unread, which the next letter then takes for its own. So the
//! connection is its, and everything around it is ours.

use std::error::Error;
use std::fmt::Display;
use std::io;
use std::path::PathBuf;

use lettre::transport::smtp;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{
    AsyncSmtpConnection, AsyncTokioStream, Certificate, TlsParameters,
};
use lettre::transport::smtp::commands::Ehlo;
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::response::Response;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::rustls;

use super::dialogue::Connection;
use super::tls::TlsStream;
use super::wire::Wire;
use crate::config::{Config, Security, Smtp};
use crate::model::{Outcome, Span, Step, Timestamp};

/// A relay and how to talk to it.
#[derive(Clone, Debug)]
pub(super) struct Relay {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) security: Security,
    pub(super) ca_file: PathBuf,
    pub(super) login: Option<(String, String)>,
    pub(super) hello: String,
    pub(super) connect_timeout: Span,
    pub(super) command_timeout: Span,
    pub(super) dot_timeout: Span,
    pub(super) letters_per_connection: usize,
    pub(super) connection_life: Span,
    pub(super) idle: Span,
    pub(super) pace: RelayPace,
}

/// How fast a relay takes letters, all workers together.
#[derive(Clone, Debug)]
pub(super) struct RelayPace {
    /// Under which it is kept.
    pub(super) name: String,
    /// From one letter to the next; zero for as fast as may be.
    pub(super) every: Span,
    /// Letters in hand at once; 0 for as many as may be.
    pub(super) connections: usize,
}

/// What a relay says that it can do, beyond what RFC 5321 asks of all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Offers {
    /// RFC 2920.
    pub(super) pipelining: bool,
    /// RFC 3461.
    pub(super) dsn: bool,
    /// RFC 1870.
    pub(super) size: bool,
    /// Bytes; `None` where it sets no limit, or does not say.
    pub(super) max_size: Option<u64>,
    /// RFC 3207; no longer once it is done.
    pub(super) starttls: bool,
}

/// The relay cannot be spoken to at all; no letter is to blame.
#[derive(Clone, Debug, thiserror::Error)]
#[error("relay {relay}: {step}: {cause}", step = step.as_str())]
pub struct Trouble {
    pub relay: String,
    pub step: Step,
    pub cause: String,
    /// No waiting heals it: somebody has to change a setting.
    pub is_lasting: bool,
    /// When it is tried again, once it is left alone.
    pub again_at: Option<Timestamp>,
}

impl Trouble {
    /// What a letter was told that is no fault of its own.
    pub(super) fn told_by(outcome: &Outcome, is_lasting: bool) -> Self {
        let cause = match outcome.code {
            0 => outcome.reply.clone(),
            code => format!("{code} {}", outcome.reply),
        };
        Self {
            relay: outcome.relay.clone(),
            step: outcome.step,
            cause,
            is_lasting,
            again_at: None,
        }
    }
}

impl Relay {
    pub(super) fn from_settings(config: &Config, smtp: &Smtp) -> Self {
        let sender_domain = config.sender.address.rsplit('@').next().unwrap_or_default();
        let hello = if smtp.hello.is_empty() {
            sender_domain
        } else {
            &smtp.hello
        };
        Self {
            host: smtp.host.clone(),
            port: smtp.port,
            security: smtp.security,
            ca_file: smtp.ca_file.clone(),
            login: (!smtp.username.is_empty())
                .then(|| (smtp.username.clone(), smtp.password.clone())),
            hello: hello.to_owned(),
            connect_timeout: smtp.connect_timeout,
            command_timeout: smtp.command_timeout,
            dot_timeout: smtp.dot_timeout,
            letters_per_connection: smtp.letters_per_connection,
            connection_life: smtp.connection_life,
            idle: smtp.idle,
            pace: RelayPace {
                name: format!("relay:{}", smtp.name()),
                every: smtp.every,
                connections: smtp.connections,
            },
        }
    }

    pub(super) fn name(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// Connects, secures, asks what it can do, and logs in.
    pub(super) async fn open(&self, now: Timestamp) -> Result<Connection, Trouble> {
        let hello = ClientId::Domain(self.hello.clone());
        let tcp = self
            .limited(
                Step::Connect,
                self.connect_timeout,
                TcpStream::connect((self.host.as_str(), self.port)),
            )
            .await?;
        let wire = Wire::over(tcp).map_err(|error| self.trouble(Step::Connect, error, false))?;
        let stream: Box<dyn AsyncTokioStream> = if self.security == Security::Tls {
            let opening = TlsStream::open(wire, &self.host, &self.ca_file);
            let tls = self.limited(Step::Tls, self.connect_timeout, opening);
            Box::new(tls.await?)
        } else {
            Box::new(wire)
        };
        let greeting = AsyncSmtpConnection::connect_with_transport(stream, &hello);
        let mut smtp = self
            .limited(Step::Connect, self.command_timeout, greeting)
            .await?;
        if self.security == Security::Starttls {
            let parameters = self
                .tls_parameters()
                .map_err(|cause| self.trouble(Step::Tls, cause, true))?;
            let securing = smtp.starttls(parameters, &hello);
            self.limited(Step::Tls, self.command_timeout, securing)
                .await?;
        }
        // Lettre keeps half of what is offered to itself. Before the login: some forget that at EHLO.
        let asking = smtp.command(Ehlo::new(hello));
        let offers = self
            .limited(Step::Connect, self.command_timeout, asking)
            .await?;
        if let Some((name, password)) = &self.login {
            let credentials = Credentials::new(name.clone(), password.clone());
            let mechanisms = [Mechanism::Plain, Mechanism::Login];
            let logging_in = smtp.auth(&mechanisms, &credentials);
            self.limited(Step::Login, self.command_timeout, logging_in)
                .await?;
        }
        Ok(Connection::new(smtp, Offers::of(&offers), now))
    }

    fn tls_parameters(&self) -> Result<TlsParameters, String> {
        let mut builder = TlsParameters::builder(self.host.clone());
        if !self.ca_file.as_os_str().is_empty() {
            let pem = std::fs::read(&self.ca_file)
                .map_err(|error| format!("{}: {error}", self.ca_file.display()))?;
            let root = Certificate::from_pem(&pem)
                .map_err(|error| format!("{}: {error}", self.ca_file.display()))?;
            builder = builder.add_root_certificate(root);
        }
        builder.build_rustls().map_err(|error| error.to_string())
    }

    async fn limited<T, E: Error + 'static>(
        &self,
        step: Step,
        limit: Span,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Trouble> {
        match timeout(limit.to_std(), work).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(error)) => Err(self.trouble(step, told(&error), lasts(step, &error))),
            Err(_) => Err(self.trouble(step, format!("no answer within {limit}"), false)),
        }
    }

    fn trouble(&self, step: Step, cause: impl Display, is_lasting: bool) -> Trouble {
        Trouble {
            relay: self.name(),
            step,
            cause: cause.to_string(),
            is_lasting,
            again_at: None,
        }
    }
}

impl Offers {
    fn of(reply: &Response) -> Self {
        let has = |keyword: &str| {
            let mut lines = reply.message().skip(1);
            lines.any(|line| {
                let said = line.split(' ').next().unwrap_or_default();
                said.eq_ignore_ascii_case(keyword)
            })
        };
        let size = reply.message().find_map(|line| {
            let (word, bytes) = line.split_once(' ')?;
            let is_size = word.eq_ignore_ascii_case("SIZE");
            bytes.trim().parse().ok().filter(|n| is_size && *n > 0)
        });
        Self {
            max_size: size,
            pipelining: has("PIPELINING"),
            dsn: has("DSN"),
            size: has("SIZE"),
            starttls: has("STARTTLS"),
        }
    }
}

/// Whether a fault in securing the line or logging in is one of settings: it is refused for good, not
/// offered, or the certificate is not good.
fn lasts(step: Step, error: &(dyn Error + 'static)) -> bool {
    if !matches!(step, Step::Tls | Step::Login) {
        return false;
    }
    let said = error.downcast_ref::<smtp::Error>();
    let is_refused = said.is_some_and(|error| {
        let code = error.status().map(u16::from);
        error.is_client() || code.is_some_and(|code| code >= 500)
    });
    let mut cause = Some(error);
    while let Some(error) = cause {
        let of_input = error.downcast_ref::<io::Error>();
        // What stands within an input error is none of its sources.
        let within = of_input.and_then(io::Error::get_ref);
        let is_ours = of_input.is_some_and(|error| error.kind() == io::ErrorKind::Other);
        if is_ours
            || error.is::<rustls::Error>()
            || within.is_some_and(|one| one.is::<rustls::Error>())
        {
            return true;
        }
        cause = error.source();
    }
    is_refused
}

/// The innermost cause says it best: what the server wrote, or why it could not be reached.
pub(super) fn told(error: &(dyn Error + 'static)) -> String {
    let mut innermost: &(dyn Error + 'static) = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
