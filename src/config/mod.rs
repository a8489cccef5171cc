//! The settings: read from defaults, file, environment and flags, checked, and nothing built from them.

mod doctor;
mod imap;
mod incoming;
mod intake;
mod keep;
mod lay;
mod load;
mod origin;
mod pace;
mod resolve;
mod schedule;
mod secrets;
mod sender;
mod serve;
mod sign;
mod smtp;
mod window;
pub use doctor::Doctor;
pub use imap::Imap;
pub use incoming::Incoming;
pub use intake::Intake;
pub use keep::Keep;
pub use load::{Loaded, Setting, load, shipped};
pub use origin::Origin;
pub use pace::Pace;
pub use resolve::{Dns, Rdap, Registry, Resolve, RungName, SourceName, Whois};
pub use schedule::Schedule;
pub use secrets::masked;
pub use sender::Sender;
pub use serve::{Http, Log, LogFormat, LogLevel, Serve};
pub use sign::{Secret, Sign};
pub use smtp::{Security, Smtp};
pub use window::{OpenHours, Window};

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

use crate::model::{Format, Mailbox, Span, Tlp, TlpError};

/// Every setting with its default and its comment; what `lapwing init` writes down.
pub const DEFAULT: &str = include_str!("default.toml");

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub mode: Mode,
    pub database: Database,
    pub sender: Sender,
    pub letter: Letter,
    pub intake: Intake,
    pub resolve: Resolve,
    pub sign: Sign,
    pub send: Send,
    pub smtp: Smtp,
    /// Further ones, by name.
    pub relay: BTreeMap<String, Smtp>,
    /// By name.
    pub pace: BTreeMap<String, Pace>,
    pub incoming: Incoming,
    pub serve: Serve,
    pub http: Http,
    pub log: Log,
    pub schedule: Schedule,
    pub keep: Keep,
    pub doctor: Doctor,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Nothing reaches those who are written to.
    Test,
    Live,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Database {
    /// With its password, wherever that was said.
    pub url: String,
    pub url_file: PathBuf,
    pub password: Secret,
    pub password_file: PathBuf,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Letter {
    pub table_rows: usize,
    pub part_rows: usize,
    pub part_bytes: usize,
    pub part_reports: usize,
    pub format: Format,
    pub tlp: String,
    pub cover: bool,
    pub templates: PathBuf,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Send {
    pub transport: Transport,
    pub folder: PathBuf,
    pub redirect_to: String,
    pub connections: usize,
    pub batch: usize,
    pub journal: PathBuf,
    pub lease: Span,
    pub retry: Vec<Span>,
    pub give_up: Span,
    pub relay_pause: Span,
    pub on_uncertain: OnUncertain,
    /// 0: no end.
    pub per_address_hour: u32,
    pub window: Window,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    Folder,
    Smtp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnUncertain {
    Resend,
    Hold,
}

impl Letter {
    /// The mark of campaigns that name none; `None` for no mark.
    ///
    /// # Errors
    /// When it is set and no mark.
    pub fn tlp(&self) -> Result<Option<Tlp>, String> {
        if self.tlp.is_empty() {
            return Ok(None);
        }
        let mark = self.tlp.parse().map(Some);
        mark.map_err(|error: TlpError| format!("letter.tlp: {error}"))
    }
}

impl Send {
    /// # Errors
    /// When it is set and no mail address.
    pub fn redirect_to(&self) -> Result<Option<Mailbox>, String> {
        if self.redirect_to.is_empty() {
            return Ok(None);
        }
        mailbox("send.redirect_to", &self.redirect_to).map(Some)
    }
}

fn mailbox(key: &str, text: &str) -> Result<Mailbox, String> {
    text.parse().map_err(|error| format!("{key}: {error}"))
}

/// All that is wrong with the settings, each with its key.
#[derive(Debug, thiserror::Error)]
#[error("{}", .0.join("\n"))]
pub struct Error(pub Vec<String>);

impl Config {
    /// What the types alone cannot say.
    ///
    /// # Errors
    /// All problems at once, each with its key and a remedy.
    pub fn check(&self) -> Result<(), Error> {
        let mut wrong = Vec::new();
        let mut expect = |holds: bool, problem: String| {
            if !holds {
                wrong.push(problem);
            }
        };
        for checked in [
            self.sender.mailbox().err(),
            self.sender.reply_to().err(),
            self.letter.tlp().err(),
            self.send.redirect_to().err(),
            self.send.window.open_hours().err(),
            self.http.listen().err(),
        ] {
            expect(checked.is_none(), checked.unwrap_or_default());
        }
        let bounces = format!("b@{}", self.sender.bounce_domain());
        expect(
            bounces.parse::<Mailbox>().is_ok(),
            format!(
                "sender.bounce_domain: \"{}\" is not a domain",
                self.sender.bounce_domain()
            ),
        );
        let prefix = &self.sender.ticket_prefix;
        expect(
            (1..=12).contains(&prefix.len()) && prefix.chars().all(|c| c.is_ascii_alphanumeric()),
            format!("sender.ticket_prefix: \"{prefix}\" must be 1 to 12 letters and digits"),
        );
        for (key, value, least) in [
            ("rows", self.letter.part_rows, 1),
            ("bytes", self.letter.part_bytes, 64 << 10),
            ("reports", self.letter.part_reports, 1),
        ] {
            let wrong = format!("letter.part_{key}: must be {least} or more");
            expect(value >= least, wrong);
        }
        for (key, len, width) in [
            ("intake.widest_ipv4", self.intake.widest_ipv4, 32),
            ("intake.widest_ipv6", self.intake.widest_ipv6, 128),
        ] {
            expect(
                len <= width,
                format!("{key}: {len} is no prefix length; 0 to {width}"),
            );
        }
        expect(
            jiff::tz::TimeZone::get(&self.intake.time_zone).is_ok(),
            format!(
                "intake.time_zone: \"{}\" is not known; write one as \"Asia/Tokyo\" or \"UTC\"",
                self.intake.time_zone
            ),
        );
        for (key, n) in [
            ("send.connections", self.send.connections),
            ("send.batch", self.send.batch),
        ] {
            expect(
                (1..=10_000).contains(&n),
                format!("{key}: {n} must be 1 to 10000"),
            );
        }
        expect(
            !self.send.retry.is_empty() && self.send.retry.iter().all(|wait| wait.0 > 0),
            "send.retry: must list one wait or more, as [\"5m\", \"15m\"]".to_owned(),
        );
        for (name, pace) in &self.pace {
            let is_set = pace.every.0 > 0 || pace.connections > 0;
            expect(
                !is_set || !pace.is_for_nobody(),
                format!(
                    "pace.{name}.domains: must say whom it is for, as [\"isp.example\"], or pace.{name}.mx by which hosts they take mail"
                ),
            );
        }
        for (section, smtp) in self.relays() {
            expect(
                (1..=10_000).contains(&smtp.letters_per_connection),
                format!(
                    "{section}.letters_per_connection: {} must be 1 to 10000",
                    smtp.letters_per_connection
                ),
            );
            // The final dot alone may take ten minutes: a shorter lease would be taken over mid-letter.
            let longest = Span(smtp.dot_timeout.0 + smtp.command_timeout.0);
            expect(
                self.send.transport == Transport::Folder || self.send.lease > longest,
                format!(
                    "send.lease: {} must be longer than {section}.dot_timeout and {section}.command_timeout together ({longest})",
                    self.send.lease
                ),
            );
            expect(
                smtp.username.is_empty() || smtp.security != Security::None || smtp.is_here(),
                format!(
                    "{section}.security: a password must not cross the network in the clear; set \"starttls\" or \"tls\""
                ),
            );
        }
        wrong.extend(self.incoming.problems());
        wrong.extend(self.http.problems());
        wrong.extend(self.schedule.mail_to().err());
        if wrong.is_empty() {
            Ok(())
        } else {
            Err(Error(wrong))
        }
    }

    /// Whether a pace knows its provider by the hosts that take mail.
    #[must_use]
    pub fn knows_by_mx(&self) -> bool {
        self.pace.values().any(|pace| !pace.mx.is_empty())
    }

    /// All relays with the sections that they are set in, in the order in which they are asked.
    #[must_use]
    pub fn relays(&self) -> Vec<(String, &Smtp)> {
        let further = self.relay.iter();
        let further = further.map(|(name, smtp)| (format!("relay.{name}"), smtp));
        let mut relays: Vec<_> = std::iter::once(("smtp".to_owned(), &self.smtp))
            .chain(further)
            .collect();
        relays.sort_by_key(|(_, smtp)| smtp.priority);
        relays
    }

    /// Test mode keeps letters on this machine or under `redirect_to`.
    ///
    /// # Errors
    /// When test mode is set and the letters would reach strangers, with the two ways out.
    pub fn check_reach(&self) -> Result<(), Error> {
        if self.mode == Mode::Live
            || self.send.transport == Transport::Folder
            || !self.send.redirect_to.is_empty()
        {
            return Ok(());
        }
        if let Some((section, smtp)) = self.relays().into_iter().find(|(_, smtp)| !smtp.is_here()) {
            return Err(Error(vec![format!(
                "mode is \"test\" and {section}.host is {}, which is not this machine: set send.redirect_to to a mailbox of your own, or mode = \"live\" to write to the recipients",
                smtp.host
            )]));
        }
        Ok(())
    }
}
