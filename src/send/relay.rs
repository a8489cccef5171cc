//! One SMTP connection to the relay, and one letter over it.
//!
//! Lettre's own transport was measured and left: its pool keeps Nagle's algorithm on (40 ms a
//! letter), limits only idle connections, has no timeout after connecting, and gives a cancelled
//! connection back with a reply unread, which the next letter then takes for its own. So the
//! connection is its, and everything around it is ours.

use std::fmt::Display;
use std::path::PathBuf;

use lettre::Address;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Quit, Rcpt, Rset};
use lettre::transport::smtp::extension::{ClientId, Extension};
use lettre::transport::smtp::response::Response;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::tls::TlsStream;
use crate::config::{Config, Security};
use crate::model::{Mailbox, Outcome, OutcomeKind, Span, Step};

/// How long the goodbye may take; nothing hangs on it.
const QUIT: Span = Span(2_000);

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
}

/// The relay cannot be spoken to at all; no letter is to blame.
#[derive(Clone, Debug, thiserror::Error)]
#[error("relay {relay}: {step}: {cause}", step = step.as_str())]
pub struct Trouble {
    pub relay: String,
    pub step: Step,
    pub cause: String,
}

impl Relay {
    pub(super) fn from_settings(config: &Config) -> Self {
        let smtp = &config.smtp;
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
        }
    }

    pub(super) fn name(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// Connects, secures and logs in.
    pub(super) async fn open(&self) -> Result<Connection, Trouble> {
        let hello = ClientId::Domain(self.hello.clone());
        let tcp = self
            .limited(
                Step::Connect,
                self.connect_timeout,
                TcpStream::connect((self.host.as_str(), self.port)),
            )
            .await?;
        // Nagle's algorithm would hold the final dot back until the text is acknowledged.
        tcp.set_nodelay(true)
            .map_err(|error| self.trouble(Step::Connect, error))?;
        let mut smtp = if self.security == Security::Tls {
            let opening = TlsStream::open(tcp, &self.host, &self.ca_file);
            let tls = self
                .limited(Step::Tls, self.connect_timeout, opening)
                .await?;
            let greeting = AsyncSmtpConnection::connect_with_transport(Box::new(tls), &hello);
            self.limited(Step::Connect, self.command_timeout, greeting)
                .await?
        } else {
            let greeting = AsyncSmtpConnection::connect_with_transport(Box::new(tcp), &hello);
            self.limited(Step::Connect, self.command_timeout, greeting)
                .await?
        };
        if self.security == Security::Starttls {
            let parameters = self
                .tls_parameters()
                .map_err(|cause| self.trouble(Step::Tls, cause))?;
            self.limited(
                Step::Tls,
                self.command_timeout,
                smtp.starttls(parameters, &hello),
            )
            .await?;
        }
        if let Some((name, password)) = &self.login {
            let credentials = Credentials::new(name.clone(), password.clone());
            let mechanisms = [Mechanism::Plain, Mechanism::Login];
            self.limited(
                Step::Login,
                self.command_timeout,
                smtp.auth(&mechanisms, &credentials),
            )
            .await?;
        }
        Ok(Connection { smtp, letters: 0 })
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

    async fn limited<T, E: std::error::Error + 'static>(
        &self,
        step: Step,
        limit: Span,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, Trouble> {
        match timeout(limit.to_std(), work).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(error)) => Err(self.trouble(step, told(&error))),
            Err(_) => Err(self.trouble(step, format!("no answer within {limit}"))),
        }
    }

    fn trouble(&self, step: Step, cause: impl Display) -> Trouble {
        Trouble {
            relay: self.name(),
            step,
            cause: cause.to_string(),
        }
    }
}

/// An open connection. Whoever takes it gives it back only after a whole transaction.
pub(super) struct Connection {
    smtp: AsyncSmtpConnection,
    letters: usize,
}

/// What may be done with the connection now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// The transaction is whole: the next letter may use it.
    Clean,
    /// Something is out of step or broken: it is dropped.
    Dirty,
}

/// How one step ended.
enum Answer {
    Reply(Response),
    /// A 4xx or 5xx.
    Refusal(u16, String),
    /// Cut off, silent, or not SMTP.
    Broken(String),
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection")
            .field("letters", &self.letters)
            .finish_non_exhaustive()
    }
}

impl Connection {
    pub(super) fn is_worn(&self, relay: &Relay) -> bool {
        self.letters >= relay.letters_per_connection || self.smtp.has_broken()
    }

    /// One letter to one recipient.
    pub(super) async fn send(
        &mut self,
        relay: &Relay,
        from: &Mailbox,
        to: &Mailbox,
        message: &[u8],
    ) -> (Outcome, Line) {
        self.letters += 1;
        let address = |mailbox: &Mailbox| mailbox.as_str().parse::<Address>();
        let (Ok(from), Ok(to)) = (address(from), address(to)) else {
            let told = "an address of the envelope cannot be spoken in SMTP".to_owned();
            return (
                outcome(relay, OutcomeKind::Failed, Step::Build, 0, told),
                Line::Clean,
            );
        };
        for (step, command) in [
            (Step::Mail, Mail::new(Some(from), Vec::new()).to_string()),
            (Step::Rcpt, Rcpt::new(to, Vec::new()).to_string()),
            (Step::Data, Data.to_string()),
        ] {
            let answer = self.say(command, relay.command_timeout).await;
            let expected = if step == Step::Data { 3 } else { 2 };
            match answer {
                Answer::Reply(reply) if number(&reply) / 100 == expected => {}
                Answer::Reply(reply) => {
                    let told = format!("out of step: {}", words(&reply));
                    return (
                        outcome(relay, OutcomeKind::Relay, step, number(&reply), told),
                        Line::Dirty,
                    );
                }
                Answer::Refusal(code, told) => return self.refused(relay, step, code, told).await,
                Answer::Broken(told) => {
                    return (
                        outcome(relay, OutcomeKind::Relay, step, 0, told),
                        Line::Dirty,
                    );
                }
            }
        }
        // Text and final dot in one write and one answer.
        match self.say(with_final_dot(message), relay.dot_timeout).await {
            Answer::Reply(reply) if number(&reply) / 100 == 2 => {
                let told = words(&reply);
                (
                    outcome(
                        relay,
                        OutcomeKind::Accepted,
                        Step::Dot,
                        number(&reply),
                        told,
                    ),
                    Line::Clean,
                )
            }
            // RFC 5321 knows no 3xx here; what became of the letter is anybody's guess.
            Answer::Reply(reply) => {
                let told = format!("out of step: {}", words(&reply));
                (
                    outcome(
                        relay,
                        OutcomeKind::Uncertain,
                        Step::Dot,
                        number(&reply),
                        told,
                    ),
                    Line::Dirty,
                )
            }
            Answer::Refusal(code, told) => self.refused(relay, Step::Dot, code, told).await,
            Answer::Broken(told) => (
                outcome(relay, OutcomeKind::Uncertain, Step::Dot, 0, told),
                Line::Dirty,
            ),
        }
    }

    async fn refused(
        &mut self,
        relay: &Relay,
        step: Step,
        code: u16,
        told: String,
    ) -> (Outcome, Line) {
        let kind = match code {
            // RFC 5321 3.8: the server is going; 530 and its kin: we may not speak here at all.
            421 | 530 | 534 | 535 | 538 => OutcomeKind::Relay,
            // Said of the sender, not of the recipient: no letter must be lost for it. But 552 and
            // 5.3.4 at MAIL speak of this letter's size (RFC 1870).
            500..600 if step == Step::Mail && code != 552 && !told.starts_with("5.3.4") => {
                OutcomeKind::Relay
            }
            400..500 => OutcomeKind::Deferred,
            _ => OutcomeKind::Refused,
        };
        let mut line = Line::Dirty;
        if code != 421
            && let Answer::Reply(reply) = self.say(Rset, relay.command_timeout).await
            && number(&reply) / 100 == 2
        {
            line = Line::Clean;
        }
        (outcome(relay, kind, step, code, told), line)
    }

    async fn say(&mut self, command: impl Display, limit: Span) -> Answer {
        match timeout(limit.to_std(), self.smtp.command(command)).await {
            Ok(Ok(reply)) => Answer::Reply(reply),
            Ok(Err(error)) => match error.status() {
                Some(code) => Answer::Refusal(u16::from(code), told(&error)),
                None => Answer::Broken(told(&error)),
            },
            Err(_) => Answer::Broken(format!("no answer within {limit}")),
        }
    }

    pub(super) fn offers(&self, extension: Extension) -> bool {
        self.smtp.server_info().supports_feature(extension)
    }

    pub(super) async fn quit(mut self) {
        let _ = timeout(QUIT.to_std(), self.smtp.command(Quit)).await;
    }
}

fn outcome(relay: &Relay, kind: OutcomeKind, step: Step, code: u16, reply: String) -> Outcome {
    Outcome {
        kind,
        relay: relay.name(),
        sent_to: None,
        step,
        code: i64::from(code),
        enhanced: enhanced_code(&reply, code),
        reply,
    }
}

/// RFC 3463: the first word of a reply, where its class is the code's.
fn enhanced_code(reply: &str, code: u16) -> String {
    let first = reply.split_whitespace().next().unwrap_or_default();
    let numbers: Vec<&str> = first.split('.').collect();
    let is_code = numbers.len() == 3
        && numbers
            .iter()
            .all(|n| (1..=3).contains(&n.len()) && n.bytes().all(|b| b.is_ascii_digit()))
        && numbers[0] == (code / 100).to_string();
    if is_code {
        first.to_owned()
    } else {
        String::new()
    }
}

fn number(reply: &Response) -> u16 {
    reply.code().into()
}

fn words(reply: &Response) -> String {
    reply.message().collect::<Vec<_>>().join(" ")
}

/// The innermost cause says it best: what the server wrote, or why it could not be reached.
fn told(error: &(dyn std::error::Error + 'static)) -> String {
    let mut innermost: &(dyn std::error::Error + 'static) = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

/// RFC 5321 4.5.2: a line that begins with a dot gets another one; then the dot alone.
fn with_final_dot(message: &[u8]) -> String {
    let text = String::from_utf8_lossy(message);
    let mut stuffed = String::with_capacity(text.len() + 64);
    for line in text.split_inclusive("\r\n") {
        if line.starts_with('.') {
            stuffed.push('.');
        }
        stuffed.push_str(line);
    }
    if !stuffed.ends_with("\r\n") {
        stuffed.push_str("\r\n");
    }
    stuffed.push_str(".\r\n");
    stuffed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_are_doubled_at_line_starts_only() {
        for (message, sent) in [
            ("a\r\n", "a\r\n.\r\n"),
            ("a", "a\r\n.\r\n"),
            (".\r\n..\r\na.b\r\n", "..\r\n...\r\na.b\r\n.\r\n"),
            ("", "\r\n.\r\n"),
        ] {
            assert_eq!(with_final_dot(message.as_bytes()), sent);
        }
    }

    #[test]
    fn enhanced_codes_are_read_where_they_are_some() {
        for (reply, code, enhanced) in [
            ("4.7.1 greylisted", 451, "4.7.1"),
            ("5.1.1 no such user", 550, "5.1.1"),
            ("2.0.0 Ok: queued as 4Z", 250, "2.0.0"),
            ("5.1.1 but 4xx", 451, ""),
            ("192.0.2.1 blocked", 550, ""),
            ("no", 550, ""),
            ("", 550, ""),
        ] {
            assert_eq!(enhanced_code(reply, code), enhanced, "{reply}");
        }
    }
}
