//! One letter over one connection: what is said, in which order, and what is made of the answers.

use std::fmt::Display;

use lettre::Address;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::commands::{Data, Mail, Quit, Rcpt, Rset};
use lettre::transport::smtp::extension::{MailParameter, RcptParameter};
use lettre::transport::smtp::response::Response;
use tokio::time::error::Elapsed;
use tokio::time::timeout;

use super::answer::{Answer, Fault, Line, Verdict};
use super::relay::{Offers, Relay, told};
use crate::model::{Mailbox, Outcome, OutcomeKind, Span, Step, Timestamp};

/// How long the goodbye may take; nothing hangs on it.
const QUIT: Span = Span(2_000);

/// A letter as it is handed over.
#[derive(Debug)]
pub(super) struct Parcel<'a> {
    pub(super) from: &'a Mailbox,
    pub(super) to: &'a Mailbox,
    pub(super) message: Vec<u8>,
}

/// An open connection. Whoever takes it gives it back only after a whole transaction.
pub(super) struct Connection {
    smtp: AsyncSmtpConnection,
    offers: Offers,
    opened_at: Timestamp,
    letters: usize,
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection")
            .field("letters", &self.letters)
            .finish_non_exhaustive()
    }
}

impl Connection {
    pub(super) fn new(smtp: AsyncSmtpConnection, offers: Offers, now: Timestamp) -> Self {
        Self {
            smtp,
            offers,
            opened_at: now,
            letters: 0,
        }
    }

    pub(super) fn offers(&self) -> Offers {
        self.offers
    }

    /// Whether the next letter should have a new one.
    pub(super) fn is_worn(&self, relay: &Relay, now: Timestamp) -> bool {
        self.letters >= relay.letters_per_connection
            || now.since(self.opened_at) >= relay.connection_life
            || self.smtp.has_broken()
    }

    /// One letter to one recipient. The connection is to be dropped where the line is
    /// [`Line::Dirty`], and if this is not awaited to its end.
    pub(super) async fn send(
        &mut self,
        relay: &Relay,
        parcel: Parcel<'_>,
    ) -> (Outcome, Line, Fault) {
        self.letters += 1;
        let Some(envelope) = self.envelope(&parcel) else {
            let told = "an address of the envelope cannot be spoken in SMTP".to_owned();
            let outcome = outcome(
                relay,
                OutcomeKind::Failed,
                Step::Build,
                (0, String::new(), told),
            );
            return (outcome, Line::Clean, Fault::None);
        };
        let (step, answer) = match self.introduce(relay, envelope).await {
            Ok(()) => {
                // Text and final dot in one write and one answer.
                let text = with_final_dot(parcel.message);
                (Step::Dot, self.say(text, relay.dot_timeout).await)
            }
            Err(refusal) => refusal,
        };
        let Verdict {
            kind,
            mut line,
            fault,
        } = answer.verdict(step);
        if line == Line::Reset {
            let answer = self.say(Rset, relay.command_timeout).await;
            line = if answer.goes_on(Step::Mail) {
                Line::Clean
            } else {
                Line::Dirty
            };
        }
        (outcome(relay, kind, step, answer.told(step)), line, fault)
    }

    /// MAIL, RCPT and DATA, with what the relay offers; `None` where an address is none that SMTP
    /// can speak.
    fn envelope(&self, parcel: &Parcel<'_>) -> Option<[(Step, String); 3]> {
        let address = |mailbox: &Mailbox| mailbox.as_str().parse::<Address>().ok();
        let (from, to) = (address(parcel.from)?, address(parcel.to)?);
        let mut of_mail = Vec::new();
        let mut of_recipient = Vec::new();
        if self.offers.size {
            of_mail.push(MailParameter::Size(parcel.message.len()));
        }
        if self.offers.dsn {
            // RFC 3461: a notice carries our own word for the letter, and not the letter itself.
            let envid = parcel.from.local_part().to_owned();
            of_mail.push(other_of_mail("RET", "HDRS".to_owned()));
            of_mail.push(other_of_mail("ENVID", envid));
            let original = format!("rfc822;{}", parcel.to);
            of_recipient.push(other_of_recipient("NOTIFY", "FAILURE,DELAY".to_owned()));
            of_recipient.push(other_of_recipient("ORCPT", original));
        }
        Some([
            (Step::Mail, Mail::new(Some(from), of_mail).to_string()),
            (Step::Rcpt, Rcpt::new(to, of_recipient).to_string()),
            (Step::Data, Data.to_string()),
        ])
    }

    /// Says the envelope, at once where the relay takes it so (RFC 2920).
    ///
    /// # Errors
    /// The first step that was not answered as it should be, and how. All answers are read by then.
    async fn introduce(
        &mut self,
        relay: &Relay,
        envelope: [(Step, String); 3],
    ) -> Result<(), (Step, Answer)> {
        if !self.offers.pipelining {
            for (step, command) in envelope {
                let answer = self.say(command, relay.command_timeout).await;
                if !answer.goes_on(step) {
                    return Err((step, answer));
                }
            }
            return Ok(());
        }
        let whole = envelope.each_ref().map(|(_, command)| command.as_str());
        let mut answer = self.say(whole.concat(), relay.command_timeout).await;
        let mut refusal = None;
        for (step, _) in envelope {
            if step != Step::Mail {
                answer = self.hear(relay.command_timeout).await;
            }
            match (answer.goes_on(step), refusal.is_some()) {
                // RFC 2920 3.1: it waits for a text that nobody is to get; a lone dot ends that.
                (true, true) if step == Step::Data => {
                    self.say(".\r\n", relay.dot_timeout).await;
                }
                // Of course it is out of order, behind a refusal.
                (false, true) if matches!(answer, Answer::Said(503, _)) => {}
                // Nothing more can be believed, least of all that nobody would get an empty letter.
                (false, _) if answer.verdict(step).line == Line::Dirty => {
                    return Err(refusal.unwrap_or((step, answer)));
                }
                (false, false) => refusal = Some((step, answer.clone())),
                _ => {}
            }
        }
        refusal.map_or(Ok(()), Err)
    }

    async fn say(&mut self, command: impl Display, limit: Span) -> Answer {
        read(
            timeout(limit.to_std(), self.smtp.command(command)).await,
            limit,
        )
    }

    async fn hear(&mut self, limit: Span) -> Answer {
        read(
            timeout(limit.to_std(), self.smtp.read_response()).await,
            limit,
        )
    }

    pub(super) async fn quit(mut self) {
        let _ = timeout(QUIT.to_std(), self.smtp.command(Quit)).await;
    }
}

fn other_of_mail(keyword: &str, value: String) -> MailParameter {
    MailParameter::Other {
        keyword: keyword.to_owned(),
        value: Some(value),
    }
}

fn other_of_recipient(keyword: &str, value: String) -> RcptParameter {
    RcptParameter::Other {
        keyword: keyword.to_owned(),
        value: Some(value),
    }
}

fn read(reply: Result<Result<Response, Error>, Elapsed>, limit: Span) -> Answer {
    match reply {
        Ok(Ok(reply)) => {
            let text = reply.message().collect::<Vec<_>>().join(" ");
            Answer::Said(reply.code().into(), text)
        }
        Ok(Err(error)) => match error.status() {
            Some(code) => Answer::Said(code.into(), told(&error)),
            None => Answer::Broken(told(&error)),
        },
        Err(_) => Answer::Broken(format!("no answer within {limit}")),
    }
}

fn outcome(
    relay: &Relay,
    kind: OutcomeKind,
    step: Step,
    (code, enhanced, reply): (u16, String, String),
) -> Outcome {
    Outcome {
        kind,
        relay: relay.name(),
        sent_to: None,
        step,
        code: i64::from(code),
        enhanced,
        reply,
    }
}

/// RFC 5321 4.5.2: a line that begins with a dot gets another one; then the dot alone.
fn with_final_dot(message: Vec<u8>) -> String {
    let mut text = String::from_utf8(message)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
    if text.starts_with('.') {
        text.insert(0, '.');
    }
    // Hardly any has one.
    if text.contains("\r\n.") {
        text = text.replace("\r\n.", "\r\n..");
    }
    if !text.ends_with("\r\n") {
        text.push_str("\r\n");
    }
    text.push_str(".\r\n");
    text
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
            assert_eq!(with_final_dot(message.as_bytes().to_vec()), sent);
        }
    }
}
