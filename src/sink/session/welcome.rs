//! Before the first letter: the greeting, EHLO, STARTTLS and AUTH.

use tokio::io::{AsyncRead, AsyncWrite};

use super::{Session, Wording};
use crate::sink::Step;
use crate::sink::command;
use crate::smtp::{Gone, Line, reply, split};

const NAME: &str = "sink.localhost";

impl<S: AsyncRead + AsyncWrite + Unpin> Session<S> {
    pub(super) async fn greet(&mut self) -> Result<(), Gone> {
        match self.judge(Step::Connect, &[]).await? {
            None => {
                self.is_turned_away = true;
                Ok(())
            }
            Some(wording) => {
                let greeting = format!("{NAME} ESMTP Lapwing sink, passes nothing on");
                self.confirm(wording, reply(220, "", greeting)).await
            }
        }
    }

    pub(super) async fn hello(&mut self, verb: &str, argument: &str) -> Result<(), Gone> {
        if argument.is_empty() {
            let text = format!("Syntax: {verb} name");
            return self.say(reply(501, "5.5.4", text)).await;
        }
        let Some(wording) = self.judge(Step::Ehlo, &[]).await? else {
            return Ok(());
        };
        self.envelope = None;
        self.hello = Some(argument.to_owned());
        // RFC 2034 4: no enhanced code here.
        if verb == "HELO" {
            return self.confirm(wording, reply(250, "", NAME)).await;
        }
        let options = &self.visit.shared.options;
        let offers = options.extensions;
        let size = format!("SIZE {}", options.max_size);
        let mut lines = vec![NAME];
        for (line, is_offered) in [
            ("PIPELINING", offers.pipelining),
            ("8BITMIME", offers.eight_bit_mime),
            ("SMTPUTF8", offers.smtputf8),
            ("ENHANCEDSTATUSCODES", offers.enhanced_status_codes),
            ("DSN", offers.dsn),
            (&size, offers.size),
            ("STARTTLS", self.offers_tls()),
            ("AUTH PLAIN LOGIN", self.offers_login()),
        ] {
            if is_offered {
                lines.push(line);
            }
        }
        let last = lines.pop().unwrap_or_default();
        let mut text: String = lines.iter().map(|line| format!("250-{line}\n")).collect();
        text.push_str(&format!("250 {last}"));
        match wording {
            Wording::Usual => self.wire.say(&text).await,
            other => self.confirm(other, reply(250, "", NAME)).await,
        }
    }

    fn offers_tls(&self) -> bool {
        let options = &self.visit.shared.options;
        options.extensions.starttls && options.tls.is_some() && !self.is_secure
    }

    fn offers_login(&self) -> bool {
        let options = &self.visit.shared.options;
        options.extensions.auth && options.login.is_some()
    }

    /// Whether TLS is to begin now.
    pub(super) async fn starttls(&mut self, argument: &str) -> Result<bool, Gone> {
        let objection = if !argument.is_empty() {
            Some(reply(501, "5.5.4", "STARTTLS takes no parameters"))
        } else if self.is_secure {
            Some(reply(503, "5.5.1", "TLS is on already"))
        } else if !self.offers_tls() {
            Some(reply(502, "5.5.1", "No TLS here"))
        } else {
            None
        };
        if let Some(objection) = objection {
            self.say(objection).await?;
            return Ok(false);
        }
        let Some(wording) = self.judge(Step::StartTls, &[]).await? else {
            return Ok(false);
        };
        let go = reply(220, "2.0.0", "Ready to start TLS");
        self.confirm(wording, go).await.map(|()| true)
    }

    pub(super) async fn auth(&mut self, argument: &str) -> Result<(), Gone> {
        if !self.offers_login() {
            return self.say(reply(502, "5.5.1", "No login here")).await;
        }
        if self.hello.is_none() || self.login.is_some() || self.envelope.is_some() {
            let text = "AUTH comes once, after EHLO and before MAIL";
            return self.say(reply(503, "5.5.1", text)).await;
        }
        let (mechanism, initial) = split(argument);
        let given = match mechanism.as_str() {
            "PLAIN" => {
                let response = match initial {
                    "" => self.challenge("").await?,
                    _ => command::from_base64(initial),
                };
                response.as_deref().and_then(command::plain)
            }
            "LOGIN" => {
                let name = match initial {
                    // "Username:" and "Password:", as every client expects them.
                    "" => self.challenge("VXNlcm5hbWU6").await?,
                    _ => command::from_base64(initial),
                };
                match name {
                    Some(name) => {
                        let password = self.challenge("UGFzc3dvcmQ6").await?;
                        password.map(|password| (name, password))
                    }
                    None => None,
                }
            }
            _ => {
                let text = "PLAIN or LOGIN only";
                return self.say(reply(504, "5.5.4", text)).await;
            }
        };
        let Some(given) = given else {
            let text = "Cancelled, or not to be decoded";
            return self.say(reply(501, "5.5.2", text)).await;
        };
        let Some(wording) = self.judge(Step::Auth, &[]).await? else {
            return Ok(());
        };
        let is_right = self.visit.shared.options.login.as_ref() == Some(&given);
        if !is_right && !matches!(wording, Wording::Instead(_)) {
            let text = "Authentication credentials invalid";
            return self.say(reply(535, "5.7.8", text)).await;
        }
        self.login = Some(given.0);
        let welcome = reply(235, "2.7.0", "Authentication successful");
        self.confirm(wording, welcome).await
    }

    /// The client's decoded response; `None` when there is none, `*` among them.
    async fn challenge(&mut self, text: &str) -> Result<Option<String>, Gone> {
        self.wire.say(&format!("334 {text}")).await?;
        Ok(match self.wire.line(true).await? {
            Line::Text(line) => command::from_base64(&line),
            Line::NotText | Line::TooLong => None,
        })
    }
}
