//! What lies on this machine: settings, database, roll, key and words.

use super::{Area, Finding};
use crate::compose;
use crate::config::{Config, Mode, Transport};
use crate::model::{Span, Timestamp, signing};
use crate::openpgp::{self, Key};
use crate::store::Store;
use crate::templates::Templates;

/// How long before its end the key is told of: a campaign, its answers and its reminders take weeks.
const AHEAD: Span = Span(60 * 86_400_000);

/// RFC 5321 4.5.4.1: for how long a mailer tries at least, and how seldom in the long run.
const GIVE_UP: Span = Span(4 * 86_400_000);
const SELDOM: Span = Span(30 * 60_000);

pub(super) async fn look(config: &Config, now: Timestamp, areas: &[Area]) -> Vec<Finding> {
    let wants = |area| areas.contains(&area);
    let mut findings = Vec::new();
    if wants(Area::Settings) {
        findings.push(reach(config));
        findings.extend(sender(config));
        findings.extend(patience(config));
    }
    if wants(Area::Settings) || wants(Area::Letters) {
        findings.extend(database(config, now).await);
    }
    if wants(Area::Key) {
        findings.extend(key(config, now));
    }
    if wants(Area::Letters) {
        findings.push(words(config));
    }
    findings
}

/// Where letters would go.
fn reach(config: &Config) -> Finding {
    let send = &config.send;
    let relay = format!("{}:{}", config.smtp.host, config.smtp.port);
    let folder = send.folder.display();
    let to = match (send.transport, send.redirect_to.as_str()) {
        (Transport::Folder, _) => format!("into the folder {folder}"),
        (Transport::Smtp, "") => format!("by {relay}"),
        (Transport::Smtp, mailbox) => format!("all to {mailbox} by {relay}"),
    };
    let said = |mode: &str| format!("mode is {mode}: letters go {to}");
    match config.mode {
        Mode::Test => match config.check_reach() {
            Err(error) => Area::Settings.warn("mode", format!("nothing can be sent: {error}"), ""),
            Ok(()) if send.transport == Transport::Smtp && send.redirect_to.is_empty() => {
                Area::Settings.warn(
                    "mode",
                    format!("mode is test: letters go to {relay}, on this machine; if that passes mail on, they reach those they are written to"),
                    "use `lapwing sink` there, or set send.redirect_to; mode = \"live\" names another relay",
                )
            }
            Ok(()) => Area::Settings.warn(
                "mode",
                format!("{}, not to those they are written to", said("test")),
                "mode = \"live\" lets them out",
            ),
        },
        Mode::Live if send.transport == Transport::Folder => Area::Settings.warn(
            "mode",
            format!("{}, and none leaves", said("live")),
            "name a relay: send.transport = \"smtp\"",
        ),
        Mode::Live if !send.redirect_to.is_empty() => Area::Settings.warn(
            "mode",
            format!("{}, not to those they are written to", said("live")),
            "empty send.redirect_to",
        ),
        Mode::Live => Area::Settings.ok(
            "mode",
            format!("{} to those they are written to", said("live")),
        ),
    }
}

/// Whether letters are tried again as seldom and as long as RFC 5321 4.5.4.1 asks of mailers.
fn patience(config: &Config) -> Vec<Finding> {
    let send = &config.send;
    let mut findings = Vec::new();
    if send.give_up < GIVE_UP {
        findings.push(Area::Settings.warn(
            "retry",
            format!(
                "letters are given up after {}, and hosts may be down for longer",
                send.give_up
            ),
            "RFC 5321 asks for 4 to 5 days: send.give_up = \"5d\"",
        ));
    }
    if let Some(last) = send.retry.last().filter(|last| **last < SELDOM) {
        findings.push(Area::Settings.warn(
            "retry",
            format!("letters are tried again every {last} to the end, which others may take for an attack"),
            "RFC 5321 asks for half an hour and more: let send.retry end with \"4h\"",
        ));
    }
    findings
}

/// Who the letters come from, and what of it nobody has set yet.
fn sender(config: &Config) -> Vec<Finding> {
    let sender = &config.sender;
    let mut findings = Vec::new();
    for (setting, value) in sender.examples() {
        let said = format!("{setting} is {value}, as it was shipped");
        let remedy = format!("set {setting}");
        findings.push(match config.mode {
            Mode::Live => Area::Settings.mend("sender", said, remedy),
            Mode::Test => Area::Settings.warn("sender", said, remedy),
        });
    }
    if findings.is_empty() {
        let answers = match sender.reply_to.as_str() {
            "" => &sender.address,
            set => set,
        };
        findings.push(Area::Settings.ok(
            "sender",
            format!(
                "letters come from {} <{}>, answers go to {answers}, bounces to {}",
                sender.name,
                sender.address,
                sender.bounce_domain()
            ),
        ));
    }
    findings.push(match sender.verify.trim() {
        "" => Area::Settings.warn(
            "verify",
            "sender.verify is empty: letters cannot tell how to check that they are genuine",
            "set it to a page or telephone number that is published elsewhere, too",
        ),
        set => Area::Settings.ok("verify", format!("a wary reader is sent to {set}")),
    });
    findings
}

/// The database is opened as every command opens it, and never made; the roll of agencies lies in it.
async fn database(config: &Config, now: Timestamp) -> Vec<Finding> {
    let store = match Store::open(&config.database.url).await {
        Ok(store) => store,
        Err(error) => return vec![Area::Settings.mend("store", error.to_string(), "")],
    };
    let roll = store.signatories().await;
    store.close().await;
    let import = "lapwing signatory import ROLL.csv";
    let signed = match roll {
        Err(error) => Area::Letters.mend("signatories", error.to_string(), ""),
        Ok(roll) => match (roll.len(), signing(&roll, now, "").len()) {
            (0, _) => Area::Letters.warn("signatories", "no agency is in the roll", import),
            (_, 0) => {
                Area::Letters.warn("signatories", "no agency of the roll signs today", import)
            }
            (_, 1) => Area::Letters.ok("signatories", "1 agency signs today"),
            (_, n) => Area::Letters.ok("signatories", format!("{n} agencies sign today")),
        },
    };
    let open = Area::Settings.ok("store", "the database opens and is of this version");
    vec![open, signed]
}

/// The key that letters are signed with, as sending will use it.
fn key(config: &Config, now: Timestamp) -> Vec<Finding> {
    let sign = &config.sign;
    let mut findings = Vec::new();
    if !sign.required {
        findings.push(Area::Key.warn(
            "required",
            "sign.required is false: letters are written without a signature where the key does not serve",
            "sign.required = true",
        ));
    }
    let key = match openpgp::key(sign, now) {
        Ok(Some(key)) => key,
        Ok(None) => {
            findings.push(Area::Key.warn(
                "key",
                "sign.key names no key: letters are not signed",
                "lapwing key new",
            ));
            return findings;
        }
        Err(error) => {
            findings.push(Area::Key.mend("key", format!("sign.key: {error}"), ""));
            return findings;
        }
    };
    let facts = key.facts().clone();
    let unlocked = Key::unlock(key, &sign.passphrase.0);
    if let Err(error) = unlocked {
        findings.push(Area::Key.mend("key", format!("sign.key: {error}"), ""));
        return findings;
    }
    let end = facts.expires_at.map_or_else(
        || "never expires".to_owned(),
        |end| format!("expires on {}", end.date()),
    );
    findings.push(Area::Key.ok(
        "key",
        format!(
            "letters are signed by {} of {}, which {end}",
            facts.fingerprint, facts.owner
        ),
    ));
    for warning in facts.warnings_ahead(now, AHEAD) {
        findings.push(Area::Key.warn("key", warning, ""));
    }
    // Mail programs compare the two, and call the signature somebody else's.
    let address = config.sender.address.to_ascii_lowercase();
    if !facts
        .owner
        .to_ascii_lowercase()
        .contains(&format!("<{address}>"))
    {
        findings.push(Area::Key.warn(
            "owner",
            format!(
                "the key is of {}, but letters come from {address}",
                facts.owner
            ),
            "give the key a user id with that address (gpg --quick-add-uid), or make one with it",
        ));
    }
    findings
}

/// Whether each language has all of its words.
fn words(config: &Config) -> Finding {
    let checked =
        Templates::load(&config.letter.templates).and_then(|words| compose::check(&words));
    let said = match checked.map(|checked| (checked.problems.len(), checked.languages.len())) {
        Ok((0, n)) => {
            return Area::Letters.ok("words", format!("the words of {n} languages are whole"));
        }
        Ok((1, _)) => "1 problem in the templates".to_owned(),
        Ok((n, _)) => format!("{n} problems in the templates"),
        Err(error) => error.to_string(),
    };
    Area::Letters.mend("words", said, "see lapwing template check")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    #[test]
    fn only_short_patience_is_warned_of() {
        for (waits, give_up, warnings) in [
            (["5m", "4h"], "5d", 0),
            (["5m", "30m"], "4d", 0),
            (["5m", "4h"], "2d", 1),
            (["5m", "10m"], "5d", 1),
            (["5m", "10m"], "1h", 2),
        ] {
            let mut config = config::shipped().unwrap();
            config.send.retry = waits.map(|wait| wait.parse().unwrap()).to_vec();
            config.send.give_up = give_up.parse().unwrap();
            assert_eq!(patience(&config).len(), warnings, "{waits:?} {give_up}");
        }
    }
}
