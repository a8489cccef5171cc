//! One conversation by LMTP (RFC 2033): what SMTP says, with LHLO for EHLO, and an answer for each
//! recipient after the dot.

use tokio::io::{AsyncRead, AsyncWrite};

use super::{Visit, Work};
use crate::model::{Arrived, KEPT, WayIn};
use crate::smtp::{
    EnvelopeAddress, Gone, Known, Line, Reply, Wire, check_parameters, path, reply, split,
};

/// Recipients of one message; the others are for another one (RFC 5321 4.5.3.1.10).
const MOST_RECIPIENTS: usize = 50;

/// So many commands without sense, and whoever says them is no mail server.
const MOST_NONSENSE: u32 = 20;

/// RFC 5321 4.5.3.1.3 has 256 bytes; some systems send more.
const LONGEST_ADDRESS: usize = 1_000;

const MAIL_PARAMETERS: &[Known] = &[
    ("SIZE", |v| v.parse::<u64>().is_ok()),
    ("BODY", |v| ["7BIT", "8BITMIME"].contains(&v)),
    ("SMTPUTF8", str::is_empty),
];

pub(super) struct Session<'a, S> {
    wire: Wire<S>,
    work: Work<'a>,
    visit: Visit<'a>,
    is_greeted: bool,
    envelope: Option<Envelope>,
    nonsense: u32,
}

struct Envelope {
    from: EnvelopeAddress,
    /// Those that were taken, in order: the answers after the dot are in the same.
    recipients: Vec<String>,
}

impl<'a, S: AsyncRead + AsyncWrite + Unpin> Session<'a, S> {
    pub(super) fn new(wire: Wire<S>, visit: Visit<'a>) -> Self {
        Self {
            wire,
            work: visit.0,
            visit,
            is_greeted: false,
            envelope: None,
            nonsense: 0,
        }
    }

    pub(super) async fn run(mut self) {
        let Err(Gone) = self.converse().await;
        // First out of the count: a client may come again as soon as it hears the end.
        drop(self.visit);
        self.wire.close().await;
    }

    async fn converse(&mut self) -> Result<std::convert::Infallible, Gone> {
        let name = &self.work.settings.name;
        let greeting = format!("220 {name} LMTP Lapwing");
        self.wire.say(&greeting).await?;
        loop {
            // Who has begun a message may end it.
            let at_rest = self.envelope.is_none();
            match self.wire.line(at_rest).await? {
                Line::Text(line) => {
                    let (verb, argument) = split(&line);
                    self.obey(&verb, argument).await?;
                }
                Line::TooLong => self.say(reply(500, "5.5.2", "Line too long")).await?,
                Line::NotText => self.say(reply(500, "5.5.2", "Not in UTF-8")).await?,
            }
        }
    }

    async fn obey(&mut self, verb: &str, argument: &str) -> Result<(), Gone> {
        let answer = match verb {
            "LHLO" => return self.hello(argument).await,
            "DATA" => return self.data(argument).await,
            "MAIL" => self.mail(argument),
            "RCPT" => self.rcpt(argument),
            "RSET" => {
                self.envelope = None;
                reply(250, "2.0.0", "Ok")
            }
            "NOOP" => reply(250, "2.0.0", "Ok"),
            "VRFY" => reply(252, "2.5.2", "Cannot verify, RCPT will tell"),
            "HELP" => {
                let text = "LHLO MAIL RCPT DATA RSET NOOP VRFY QUIT, see RFC 2033";
                reply(214, "2.0.0", text)
            }
            "QUIT" => {
                self.say(reply(221, "2.0.0", "Bye")).await?;
                return Err(Gone);
            }
            // RFC 2033 4.1
            "EHLO" | "HELO" => reply(500, "5.5.1", "This is LMTP: say LHLO"),
            _ => reply(500, "5.5.2", "Command unknown"),
        };
        self.say(answer).await
    }

    async fn hello(&mut self, argument: &str) -> Result<(), Gone> {
        if argument.is_empty() {
            return self.say(reply(501, "5.5.4", "Syntax: LHLO name")).await;
        }
        self.is_greeted = true;
        self.envelope = None;
        let settings = self.work.settings;
        let lines = format!(
            "250-{}\n250-PIPELINING\n250-8BITMIME\n250-SMTPUTF8\n250-ENHANCEDSTATUSCODES\n250 SIZE {}",
            settings.name, settings.max_size
        );
        self.wire.say(&lines).await
    }

    fn mail(&mut self, argument: &str) -> Reply {
        match self.sender(argument) {
            Ok(from) => {
                let recipients = Vec::new();
                self.envelope = Some(Envelope { from, recipients });
                reply(250, "2.1.0", "Ok")
            }
            Err(objection) => objection,
        }
    }

    /// Whoever wrote it may have no true address: a bounce from `<MAILER-DAEMON>` is one, too.
    fn sender(&self, argument: &str) -> Result<EnvelopeAddress, Reply> {
        if !self.is_greeted {
            return Err(reply(503, "5.5.1", "LHLO comes first"));
        }
        if self.envelope.is_some() {
            return Err(reply(503, "5.5.1", "A message is begun already"));
        }
        let from = party("FROM:", argument)?;
        check_parameters(&from, MAIL_PARAMETERS)?;
        check_script(&from.address, &from)?;
        let announced = from.parameter("SIZE").and_then(|size| size.parse().ok());
        let most = self.work.settings.max_size;
        if announced.is_some_and(|size: u64| size > most) {
            self.work.counts.send_modify(|counts| counts.too_big += 1);
            return Err(too_big(most));
        }
        Ok(from)
    }

    fn rcpt(&mut self, argument: &str) -> Reply {
        let recipient = match self.recipient(argument) {
            Ok(recipient) => recipient,
            Err(objection) => return objection,
        };
        if let Some(envelope) = &mut self.envelope {
            envelope.recipients.push(recipient);
        }
        reply(250, "2.1.5", "Ok")
    }

    fn recipient(&self, argument: &str) -> Result<String, Reply> {
        let Some(envelope) = &self.envelope else {
            return Err(reply(503, "5.5.1", "MAIL comes first"));
        };
        if envelope.recipients.len() >= MOST_RECIPIENTS {
            return Err(reply(452, "4.5.3", "Too many recipients"));
        }
        let to = party("TO:", argument)?;
        check_parameters(&to, &[])?;
        check_script(&to.address, &envelope.from)?;
        if !self.work.settings.is_ours(&to.address) {
            self.work.counts.send_modify(|counts| counts.refused += 1);
            return Err(reply(550, "5.1.1", "There is no such mailbox here"));
        }
        Ok(to.address)
    }

    async fn data(&mut self, argument: &str) -> Result<(), Gone> {
        if !argument.is_empty() {
            return self
                .say(reply(501, "5.5.4", "DATA takes no parameters"))
                .await;
        }
        let has_recipients = |envelope: &Envelope| !envelope.recipients.is_empty();
        if !self.envelope.as_ref().is_some_and(has_recipients) {
            // RFC 2033 4.2
            return self.say(reply(503, "5.5.1", "No valid recipients")).await;
        }
        let go = reply(354, "", "End data with <CR><LF>.<CR><LF>");
        self.say(go).await?;
        let text = self.wire.text(KEPT).await?;
        let Some(envelope) = self.envelope.take() else {
            return Ok(());
        };
        let most = self.work.settings.max_size;
        if text.size > most {
            self.work.counts.send_modify(|counts| counts.too_big += 1);
            for _ in &envelope.recipients {
                self.say(too_big(most)).await?;
            }
            return Ok(());
        }
        let arrived = Arrived {
            via: WayIn::Lmtp,
            came_at: self.work.clock.now(),
            envelope_from: Some(envelope.from.address),
            envelope_to: String::new(),
            size: text.size,
            message: text.kept,
        };
        self.keep(arrived, envelope.recipients).await
    }

    /// An answer for each recipient (RFC 2033 4.2), each when its own copy is committed.
    async fn keep(&mut self, mut arrived: Arrived, recipients: Vec<String>) -> Result<(), Gone> {
        let (store, counts) = (self.work.store, self.work.counts);
        let mut is_away = false;
        for recipient in recipients {
            arrived.envelope_to = recipient;
            // A database that is away is not waited for once for every recipient.
            let kept = if is_away {
                None
            } else {
                let kept = store.put_incoming(&arrived).await;
                counts.send_modify(|counts| match &kept {
                    Ok((_, is_new)) => {
                        counts.messages += u64::from(*is_new);
                        counts.again += u64::from(!is_new);
                        counts.trouble.clear();
                    }
                    Err(error) => counts.trouble = error.to_string(),
                });
                kept.ok()
            };
            let answer = match kept {
                Some((id, _)) => reply(250, "2.0.0", format!("Ok: kept as {id}")),
                None => {
                    is_away = true;
                    counts.send_modify(|counts| counts.put_off += 1);
                    reply(451, "4.3.0", "It cannot be kept now: hand it over again")
                }
            };
            self.say(answer).await?;
        }
        Ok(())
    }

    /// Whoever says nothing that has sense, again and again, is sent away.
    async fn say(&mut self, reply: Reply) -> Result<(), Gone> {
        self.nonsense += u32::from(matches!(reply.code, 500 | 501 | 503 | 555));
        self.wire.say(&reply.line(true)).await?;
        if self.nonsense <= MOST_NONSENSE {
            return Ok(());
        }
        let farewell = "421 4.7.0 Too many commands without sense";
        self.wire.say(farewell).await?;
        Err(Gone)
    }
}

fn party(keyword: &str, argument: &str) -> Result<EnvelopeAddress, Reply> {
    let party = path(keyword, argument).filter(|party| {
        party.address.len() <= LONGEST_ADDRESS && !party.address.contains(char::is_control)
    });
    party.ok_or_else(|| reply(501, "5.5.4", format!("Syntax: {keyword}<address>")))
}

/// RFC 6531 3.4
fn check_script(address: &str, sender: &EnvelopeAddress) -> Result<(), Reply> {
    if address.is_ascii() || sender.parameter("SMTPUTF8").is_some() {
        return Ok(());
    }
    Err(reply(553, "5.6.7", "A non-ASCII address needs SMTPUTF8"))
}

fn too_big(most: u64) -> Reply {
    let text = format!("The message is longer than {most} bytes");
    reply(552, "5.3.4", text)
}
