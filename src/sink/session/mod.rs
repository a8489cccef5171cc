//! One conversation: every command answered as RFC 5321 says, unless a rule says otherwise.

mod welcome;

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::{Action, EnvelopeAddress, Received, Step, Visit, command};
use crate::smtp::{Gone, Line, Manner, Reply, Wire, reply, split};

/// RFC 5321 4.5.3.1.8 asks for 100 at least.
const MOST_RECIPIENTS: usize = 1_000;
const MANNER: Manner = Manner {
    // RFC 5321 4.5.3.2.7
    patience: Duration::from_secs(5 * 60),
    farewell: "421 4.3.2 The sink is stopping",
};
const HANDSHAKE: Duration = Duration::from_secs(30);

/// Serves a connection to its end.
pub(super) async fn serve(tcp: TcpStream, visit: Visit, stop: watch::Receiver<bool>) {
    // Replies are small and waited for.
    if tcp.set_nodelay(true).is_err() {
        return;
    }
    let options = &visit.shared.options;
    let acceptor = options.tls.clone().map(TlsAcceptor::from);
    let (tcp, visit) = if options.implicit_tls {
        (tcp, visit)
    } else {
        let plain = Session::new(tcp, visit, stop.clone(), false);
        match plain.run(true).await {
            Some(agreed_on_tls) => agreed_on_tls,
            None => return,
        }
    };
    let greets = visit.shared.options.implicit_tls;
    if let Some(acceptor) = acceptor
        && let Ok(Ok(tls)) = timeout(HANDSHAKE, acceptor.accept(tcp)).await
    {
        Session::new(tls, visit, stop, true).run(greets).await;
    }
}

/// What is known of a client. After STARTTLS a new one begins, knowing nothing (RFC 3207 4.2).
struct Session<S> {
    wire: Wire<S>,
    visit: Visit,
    is_secure: bool,
    is_turned_away: bool,
    hello: Option<String>,
    login: Option<String>,
    envelope: Option<Envelope>,
}

struct Envelope {
    from: EnvelopeAddress,
    recipients: Vec<EnvelopeAddress>,
}

/// How a step is confirmed that no rule forbids.
enum Wording {
    Usual,
    Instead(String),
    /// Not at all: the connection closes.
    Silence,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Session<S> {
    fn new(stream: S, visit: Visit, stop: watch::Receiver<bool>, is_secure: bool) -> Self {
        Self {
            wire: Wire::new(stream, stop, MANNER),
            visit,
            is_secure,
            is_turned_away: false,
            hello: None,
            login: None,
            envelope: None,
        }
    }

    /// Talks to the end, or until TLS is to begin: then the bare stream comes back.
    async fn run(mut self, greets: bool) -> Option<(S, Visit)> {
        if self.converse(greets).await.is_ok() {
            let stream = self.wire.into_stream().await.ok()?;
            return Some((stream, self.visit));
        }
        // First out of the count: a client may come again as soon as it hears the end.
        drop(self.visit);
        self.wire.close().await;
        None
    }

    /// Comes back with `Ok` when TLS is to begin.
    async fn converse(&mut self, greets: bool) -> Result<(), Gone> {
        if greets {
            self.greet().await?;
        }
        loop {
            let line = match self.wire.line(true).await? {
                Line::Text(line) => line,
                Line::TooLong => {
                    self.say(reply(500, "5.5.2", "Line too long")).await?;
                    continue;
                }
                Line::NotText => {
                    self.say(reply(500, "5.5.2", "Not in UTF-8")).await?;
                    continue;
                }
            };
            let (verb, argument) = split(&line);
            if self.is_turned_away && verb != "QUIT" {
                // RFC 5321 3.1
                let text = "You were not welcome: QUIT";
                self.say(reply(503, "5.5.1", text)).await?;
            } else if self.wire.has_more() && !self.visit.shared.options.extensions.pipelining {
                let text = "Improper use of command pipelining";
                self.say(reply(503, "5.5.0", text)).await?;
            } else if verb == "STARTTLS" {
                if self.starttls(argument).await? {
                    return Ok(());
                }
            } else {
                self.obey(&verb, argument).await?;
            }
        }
    }

    async fn obey(&mut self, verb: &str, argument: &str) -> Result<(), Gone> {
        match verb {
            "EHLO" | "HELO" => self.hello(verb, argument).await,
            "AUTH" => self.auth(argument).await,
            "MAIL" => self.mail(argument).await,
            "RCPT" => self.rcpt(argument).await,
            "DATA" => self.data(argument).await,
            "QUIT" => self.quit().await,
            "RSET" => {
                self.envelope = None;
                self.say(reply(250, "2.0.0", "Ok")).await
            }
            "NOOP" => self.say(reply(250, "2.0.0", "Ok")).await,
            "VRFY" => {
                let text = "Cannot verify, will take all";
                self.say(reply(252, "2.5.2", text)).await
            }
            "HELP" => {
                let text = "EHLO STARTTLS AUTH MAIL RCPT DATA RSET NOOP VRFY QUIT, see RFC 5321";
                self.say(reply(214, "2.0.0", text)).await
            }
            _ => self.say(reply(500, "5.5.2", "Command unknown")).await,
        }
    }

    async fn mail(&mut self, argument: &str) -> Result<(), Gone> {
        let from = match self.sender(argument) {
            Ok(from) => from,
            Err(objection) => return self.say(objection).await,
        };
        let Some(wording) = self.judge(Step::Mail, std::slice::from_ref(&from)).await? else {
            return Ok(());
        };
        let recipients = Vec::new();
        self.envelope = Some(Envelope { from, recipients });
        self.confirm(wording, reply(250, "2.1.0", "Ok")).await
    }

    fn sender(&self, argument: &str) -> Result<EnvelopeAddress, Reply> {
        let options = &self.visit.shared.options;
        if self.hello.is_none() {
            return Err(reply(503, "5.5.1", "EHLO comes first"));
        }
        if options.login.is_some() && self.login.is_none() {
            return Err(reply(530, "5.7.0", "Authentication required"));
        }
        if self.envelope.is_some() {
            return Err(reply(503, "5.5.1", "A letter is begun already"));
        }
        let from = command::mail(argument, &options.extensions)?;
        let announced = from.parameter("SIZE").and_then(|size| size.parse().ok());
        if announced.is_some_and(|size: u64| size > options.max_size as u64) {
            return Err(too_big(options.max_size));
        }
        Ok(from)
    }

    async fn rcpt(&mut self, argument: &str) -> Result<(), Gone> {
        let recipient = match self.recipient(argument) {
            Ok(recipient) => recipient,
            Err(objection) => return self.say(objection).await,
        };
        let judged = self.judge(Step::Rcpt, std::slice::from_ref(&recipient));
        let Some(wording) = judged.await? else {
            return Ok(());
        };
        if let Some(envelope) = &mut self.envelope {
            envelope.recipients.push(recipient);
        }
        self.confirm(wording, reply(250, "2.1.5", "Ok")).await
    }

    fn recipient(&self, argument: &str) -> Result<EnvelopeAddress, Reply> {
        let Some(envelope) = &self.envelope else {
            return Err(reply(503, "5.5.1", "MAIL comes first"));
        };
        if envelope.recipients.len() >= MOST_RECIPIENTS {
            return Err(reply(452, "4.5.3", "Too many recipients"));
        }
        command::rcpt(
            argument,
            &self.visit.shared.options.extensions,
            &envelope.from,
        )
    }

    async fn data(&mut self, argument: &str) -> Result<(), Gone> {
        let Some(envelope) = self.envelope.take() else {
            return self.say(reply(503, "5.5.1", "MAIL comes first")).await;
        };
        let objection = if !argument.is_empty() {
            Some(reply(501, "5.5.4", "DATA takes no parameters"))
        } else if envelope.recipients.is_empty() {
            Some(reply(554, "5.5.1", "No valid recipients"))
        } else {
            None
        };
        if let Some(objection) = objection {
            self.envelope = Some(envelope);
            return self.say(objection).await;
        }
        let Some(wording) = self.judge(Step::Data, &envelope.recipients).await? else {
            self.envelope = Some(envelope);
            return Ok(());
        };
        let go = reply(354, "", "End data with <CR><LF>.<CR><LF>");
        self.confirm(wording, go).await?;
        let most = self.visit.shared.options.max_size;
        let text = self.wire.text(most).await?;
        if text.is_whole() {
            self.dot(envelope, text.kept).await
        } else {
            self.say(too_big(most)).await
        }
    }

    async fn dot(&mut self, envelope: Envelope, text: Vec<u8>) -> Result<(), Gone> {
        let Some(wording) = self.judge(Step::Dot, &envelope.recipients).await? else {
            return Ok(());
        };
        let shared = &self.visit.shared;
        let letter = Received {
            number: 0,
            connection: self.visit.number,
            hello: self.hello.clone().unwrap_or_default(),
            tls: self.is_secure,
            login: self.login.clone(),
            from: envelope.from,
            recipients: envelope.recipients,
            data: text.into(),
            file: None,
        };
        match shared.bag.put(letter).await {
            Ok(id) => {
                shared.counts.send_modify(|counts| counts.letters += 1);
                let text = format!("Ok: queued as {id}");
                self.confirm(wording, reply(250, "2.0.0", text)).await
            }
            Err(why) => {
                let text = format!("Cannot file it: {why}");
                self.say(reply(452, "4.3.1", text)).await
            }
        }
    }

    async fn quit(&mut self) -> Result<(), Gone> {
        if let Some(wording) = self.judge(Step::Quit, &[]).await? {
            self.confirm(wording, reply(221, "2.0.0", "Bye")).await?;
        }
        Err(Gone)
    }

    /// Lets the rules speak. `None` when one of them has refused the step, and said so.
    async fn judge(
        &mut self,
        at: Step,
        addresses: &[EnvelopeAddress],
    ) -> Result<Option<Wording>, Gone> {
        let shared = &self.visit.shared;
        let Some(action) = shared.rules.pick(at, addresses) else {
            return Ok(Some(Wording::Usual));
        };
        let succeeds = if at == Step::Data { '3' } else { '2' };
        match action {
            Action::Delay(time) => {
                self.wire.pause(time).await?;
                return Ok(Some(Wording::Usual));
            }
            Action::Reply(text) if text.starts_with(succeeds) => {
                return Ok(Some(Wording::Instead(text)));
            }
            Action::AcceptThenClose => return Ok(Some(Wording::Silence)),
            _ => shared.counts.send_modify(|counts| counts.refused += 1),
        }
        match action {
            Action::Reply(text) => self.wire.say(&text).await?,
            Action::Garbage(bytes) => self.wire.say_bytes(&bytes).await?,
            Action::ReplyThenClose(text) => {
                self.wire.say(&text).await?;
                return Err(Gone);
            }
            Action::Stall => self.wire.stall().await?,
            Action::Close | Action::AcceptThenClose | Action::Delay(_) => return Err(Gone),
        }
        Ok(None)
    }

    async fn confirm(&mut self, wording: Wording, usual: Reply) -> Result<(), Gone> {
        match wording {
            Wording::Usual => self.say(usual).await,
            Wording::Instead(text) => self.wire.say(&text).await,
            Wording::Silence => Err(Gone),
        }
    }

    async fn say(&mut self, reply: Reply) -> Result<(), Gone> {
        let shows_status = self.visit.shared.options.extensions.enhanced_status_codes;
        self.wire.say(&reply.line(shows_status)).await
    }
}

fn too_big(most: usize) -> Reply {
    let text = format!("The letter is longer than {most} bytes");
    reply(552, "5.3.4", text)
}
