//! Where each setting comes from: defaults, then the file, then the environment, then flags.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use super::lay::{self, Settings};
use super::origin::Origin;
use super::{Config, DEFAULT, Error, secrets};

/// Settings, where each comes from, and the file they were read from, if there was one.
#[derive(Debug)]
pub struct Loaded {
    pub config: Config,
    pub file: Option<PathBuf>,
    pub settings: Vec<Setting>,
}

/// One setting as it may be shown: what is secret in it is not.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Setting {
    pub key: String,
    pub value: Value,
    pub origin: Origin,
    /// Whether the value is another than the shipped one, whoever said it: `lapwing init` writes them all down.
    pub changed: bool,
}

impl Loaded {
    /// Whether it is as shipped.
    #[must_use]
    pub fn is_default(&self, key: &str) -> bool {
        let mut settings = self.settings.iter();
        settings.any(|setting| setting.key == key && !setting.changed)
    }
}

/// What a variable sets that is not spelt as its setting.
const SHORT: [(&str, &str); 5] = [
    ("MODE", "mode"),
    ("DATABASE_URL", "database.url"),
    ("DATABASE_URL_FILE", "database.url_file"),
    ("DATABASE_PASSWORD", "database.password"),
    ("DATABASE_PASSWORD_FILE", "database.password_file"),
];

/// Variables that are ours and no settings: which file to read, and what tests and containers are told.
const NO_SETTINGS: [&str; 15] = [
    "BACKUPS",
    "BINARY",
    "CONFIG",
    "CPUS",
    "DOCKER_CACHE",
    "FEEDS",
    "FUZZ_SECONDS",
    "IMAGE",
    "MEMORY",
    "OFFLINE_ADVISORIES",
    "OPS_IMAGE",
    "PORT",
    "POSTFIX",
    "SECRETS",
    "SETTINGS",
];

const LEAD: &str = "LAPWING_";

/// Reads the settings. `file` is one named by the user and must be there; else `./lapwing.toml`
/// is taken where it exists. `environment` holds all variables, of which those that begin with
/// `LAPWING_` count: `LAPWING_SMTP__HOST` is `smtp.host`. `flags` are `section.key`, text, and the flag.
///
/// # Errors
/// Unreadable file, unknown keys (with the nearest known one), wrong values, each with its origin.
pub fn load(
    file: Option<&Path>,
    environment: impl Iterator<Item = (String, String)>,
    flags: &[(&str, String, &str)],
) -> Result<Loaded, Error> {
    let mut settings = Settings::shipped(defaults()?);
    let usual = Path::new("lapwing.toml");
    let file = file
        .map(Path::to_owned)
        .or_else(|| usual.exists().then(|| usual.to_owned()));
    if let Some(path) = &file {
        read_file(&mut settings, path)?;
    }
    for (name, text) in environment.collect::<BTreeMap<_, _>>() {
        if let Some(word) = name.strip_prefix(LEAD) {
            lay_variable(&mut settings, word, &text);
        }
    }
    for (key, text, name) in flags {
        let name = (*name).to_owned();
        settings.lay_text(key, text, Origin::Flag { name });
    }
    if !settings.wrong.is_empty() {
        return Err(Error(settings.wrong));
    }
    secrets::read_files(&mut settings)?;
    let mut config = Config::deserialize(Value::Table(settings.values.clone()))
        .map_err(|e| Error(vec![format!("settings: {e}")]))?;
    config.database.url = secrets::with_password(&config.database.url, &config.database.password.0)
        .map_err(|problem| Error(vec![problem]))?;
    config.check()?;
    let told = settings.leaves().into_iter().map(|(key, value)| Setting {
        changed: settings.is_changed(&key, &value),
        origin: settings.origin_of(&key),
        value: secrets::shown(&key, value),
        key,
    });
    Ok(Loaded {
        config,
        file,
        settings: told.collect(),
    })
}

fn read_file(settings: &mut Settings, path: &Path) -> Result<(), Error> {
    let said = |why: &dyn std::fmt::Display| Error(vec![format!("{}: {why}", path.display())]);
    let text = std::fs::read_to_string(path)
        .map_err(|e| said(&format!("{e}; `lapwing init` writes one")))?;
    let table: Table = text.parse().map_err(|e: toml::de::Error| said(&e))?;
    let relay = settings.values.get("smtp").cloned();
    settings.add_named("relay", relay, &table);
    let paces = settings.values.get("pace");
    let pace = paces.and_then(|paces| paces.get("example")).cloned();
    settings.add_named("pace", pace, &table);
    let lines = lay::lines(&text);
    settings.lay_over(&table, &|key| Origin::File {
        path: path.to_owned(),
        line: lines.get(key).copied().unwrap_or(1),
    });
    Ok(())
}

/// `word` is the variable's name without its lead.
fn lay_variable(settings: &mut Settings, word: &str, text: &str) {
    if NO_SETTINGS.contains(&word) {
        return;
    }
    let name = format!("{LEAD}{word}");
    let short = SHORT.iter().find(|(short, _)| *short == word);
    let key = match short {
        Some((_, key)) => (*key).to_owned(),
        None if word.contains("__") => word.to_ascii_lowercase().replace("__", "."),
        None => return settings.wrong.push(no_such_variable(settings, &name)),
    };
    settings.lay_text(&key, text, Origin::Variable { name });
}

fn no_such_variable(settings: &Settings, name: &str) -> String {
    let spelt = |(key, _): (String, Value)| key.to_ascii_uppercase().replace('.', "__");
    let known = settings.leaves().into_iter().map(spelt);
    let known = known.chain(SHORT.map(|(short, _)| short.to_owned()));
    let known: Vec<String> = known.map(|word| format!("{LEAD}{word}")).collect();
    let furthest = (name.len() - LEAD.len()) / 2;
    match lay::nearest(name, known.iter().map(String::as_str), furthest) {
        Some(near) => format!("{name}: there is no such setting; did you mean {near}?"),
        None => format!(
            "{name}: there is no such setting; a section and its key stand as in LAPWING_SMTP__HOST, `lapwing config` lists all"
        ),
    }
}

/// The settings as they are before anybody has set one.
///
/// # Errors
/// Never, as the tests see to it.
pub fn shipped() -> Result<Config, Error> {
    Config::deserialize(Value::Table(defaults()?)).map_err(built_in)
}

fn defaults() -> Result<Table, Error> {
    DEFAULT.parse().map_err(built_in)
}

fn built_in(error: toml::de::Error) -> Error {
    Error(vec![format!("built-in settings: {error}")])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load_text(text: &str, environment: &[(&str, &str)]) -> Result<Config, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let environment = environment
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        load(Some(file.path()), environment, &[])
            .map(|loaded| loaded.config)
            .map_err(|e| {
                e.to_string()
                    .replace(&file.path().display().to_string(), "FILE")
            })
    }

    #[test]
    fn the_environment_goes_before_the_file() {
        let config = load_text(
            "[smtp]\nhost = \"a.example\"\nport = 2525",
            &[
                ("LAPWING_SMTP__HOST", "b.example"),
                ("LAPWING_SEND__RETRY", "1m, 2m"),
                ("HOME", "/"),
            ],
        )
        .unwrap();
        assert_eq!(
            (config.smtp.host.as_str(), config.smtp.port),
            ("b.example", 2525)
        );
        assert_eq!(config.send.retry, [Span(60_000), Span(120_000)]);
    }

    use crate::model::Span;

    #[test]
    fn a_variable_that_sets_nothing_is_named_with_the_one_that_does() {
        for (name, said) in [
            ("LAPWING_SMTP_HOST", "did you mean LAPWING_SMTP__HOST?"),
            ("LAPWING_DATABSE_URL", "did you mean LAPWING_DATABASE_URL?"),
            ("LAPWING_MOOD", "did you mean LAPWING_MODE?"),
            ("LAPWING_HELLO_WORLD_AND_ALL", "LAPWING_SMTP__HOST"),
            ("LAPWING_SMTP__HOTS", "did you mean host?"),
        ] {
            let error = load_text("", &[(name, "x")]).expect_err(name);
            assert!(error.starts_with(name) && error.contains(said), "{error}");
        }
        let others = ["LAPWING_POSTFIX", "LAPWING_CONFIG", "LAPWING", "lapwing_x"];
        assert!(load_text("", &others.map(|name| (name, "x"))).is_ok());
    }

    #[test]
    fn a_secret_lies_in_a_file_or_is_said_and_never_both() {
        let dir = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let (word, url) = (
            file("word", "s3cret/\n"),
            file("url", "postgres://u@db/x\n"),
        );
        let from = |text: &str, variables: &[(&str, &str)]| load_text(text, variables);
        let config = from(
            "",
            &[
                ("LAPWING_SMTP__PASSWORD_FILE", &word),
                ("LAPWING_SIGN__PASSPHRASE_FILE", &word),
                ("LAPWING_DATABASE_URL_FILE", &url),
                ("LAPWING_DATABASE_PASSWORD_FILE", &word),
            ],
        );
        let config = config.unwrap();
        assert_eq!(config.smtp.password, "s3cret/");
        assert_eq!(config.sign.passphrase.0, "s3cret/");
        assert_eq!(config.database.url, "postgres://u:s3cret%2F@db/x");

        // What is said closer to the command line goes before.
        let text = "[database]\nurl = \"postgres://v@db/y\"";
        let by_file = ("LAPWING_DATABASE__URL_FILE", url.as_str());
        let config = from(text, &[by_file]).unwrap();
        assert_eq!(config.database.url, "postgres://u@db/x");
        let text = format!("[database]\nurl_file = \"{url}\"");
        let config = from(&text, &[("LAPWING_DATABASE_URL", "sqlite:x.db")]).unwrap();
        assert_eq!(config.database.url, "sqlite:x.db");

        for (text, variables, said) in [
            (
                "[smtp]\nusername = \"u\"\npassword = \"p\"",
                &[("LAPWING_SMTP__PASSWORD_FILE", word.as_str())][..],
                "smtp.password is said twice: by FILE:3, and as a file by LAPWING_SMTP__PASSWORD_FILE",
            ),
            (
                "",
                &[("LAPWING_DATABASE_URL", "sqlite:x.db"), by_file],
                "database.url is said twice",
            ),
            (
                "",
                &[
                    ("LAPWING_DATABASE_URL", "postgres://u:p@db/x"),
                    ("LAPWING_DATABASE_PASSWORD_FILE", word.as_str()),
                ],
                "database.password is said twice",
            ),
            (
                "",
                &[("LAPWING_INCOMING__IMAP__PASSWORD_FILE", "absent")],
                "LAPWING_INCOMING__IMAP__PASSWORD_FILE: incoming.imap.password_file: absent: ",
            ),
        ] {
            let error = from(text, variables).expect_err(said);
            assert!(error.contains(said), "{error}");
        }
    }

    #[test]
    fn wrong_settings_are_named_with_a_remedy() {
        for (text, said) in [
            (
                "[smtp]\nhots = \"a\"",
                "FILE:2: there is no setting smtp.hots; did you mean host?",
            ),
            (
                "[smtp]\nport = \"25\"",
                "FILE:2: smtp.port must be integer, not string",
            ),
            ("[send]\nretry = [\"soon\"]", "soon"),
            ("[intake]\ntime_zone = \"Tokio\"", "Asia/Tokyo"),
            (
                "[sender]\naddress = \"nobody\"",
                "sender.address: \"nobody\" is not a mail address",
            ),
            (
                "[smtp]\nhost = \"mx.example\"\nusername = \"u\"",
                "starttls",
            ),
            ("mode = \"Live\"", "Live"),
        ] {
            let error = load_text(text, &[]).expect_err(text);
            assert!(error.contains(said), "{text}\n{error}");
        }
        let error = load_text("", &[("LAPWING_SMTP__PORT", "many")]).unwrap_err();
        assert!(error.contains("LAPWING_SMTP__PORT"), "{error}");
    }

    #[test]
    fn further_relays_are_set_as_the_first_is() {
        let text = "[smtp]\nhost = \"a.example\"\nusername = \"u\"\nsecurity = \"tls\"\n\
                    [relay.second]\nhost = \"b.example\"\npriority = 20\n\
                    [relay.local]\npriority = 5\nport = 2525";
        let password = ("LAPWING_RELAY__SECOND__PASSWORD", "s3cret");
        let config = load_text(text, &[password]).unwrap();
        let relays: Vec<(String, String, &str)> = config
            .relays()
            .into_iter()
            .map(|(section, smtp)| (section, smtp.name(), smtp.password.as_str()))
            .collect();
        let relay =
            |section: &str, name: &str, password| (section.to_owned(), name.to_owned(), password);
        assert_eq!(
            relays,
            [
                relay("relay.local", "127.0.0.1:2525", ""),
                relay("smtp", "a.example:25", ""),
                relay("relay.second", "b.example:25", "s3cret"),
            ]
        );
        for (text, said) in [
            (
                "[relay.second]\nhots = \"a\"",
                "there is no setting relay.second.hots; did you mean host?",
            ),
            (
                "[relay.second]\nhost = \"b.example\"\nusername = \"u\"",
                "relay.second.security: a password must not",
            ),
            ("relay = \"b.example\"", "relay must be table"),
            (
                "[relay]\nsecond = \"b.example\"",
                "relay.second must be table",
            ),
        ] {
            let error = load_text(text, &[]).expect_err(text);
            assert!(error.contains(said), "{text}\n{error}");
        }
        let error = load_text("", &[("LAPWING_RELAY__THIRD__HOST", "c.example")]);
        let error = error.unwrap_err();
        assert!(error.contains("no setting relay.third"), "{error}");
    }

    #[test]
    fn test_mode_reaches_nobody_else() {
        let reach = |text: &str| load_text(text, &[]).unwrap().check_reach();
        assert!(reach("[send]\ntransport = \"smtp\"\n[smtp]\nhost = \"mx.example\"").is_err());
        assert!(
            reach("[send]\ntransport = \"smtp\"\n[relay.second]\nhost = \"mx.example\"").is_err()
        );
        assert!(reach("[send]\ntransport = \"smtp\"").is_ok());
        assert!(reach("[send]\ntransport = \"smtp\"\nredirect_to = \"me@staff.example\"\n[smtp]\nhost = \"mx.example\"").is_ok());
        assert!(
            reach("mode = \"live\"\n[send]\ntransport = \"smtp\"\n[smtp]\nhost = \"mx.example\"")
                .is_ok()
        );
    }

    #[test]
    fn every_setting_is_commented() {
        let mut commented = false;
        assert!(super::shipped().is_ok());
        for line in DEFAULT.lines() {
            if line.contains(" = ") && !line.starts_with('#') {
                let alone = [
                    "folder",
                    "widest_ipv6",
                    "host",
                    "port",
                    "username",
                    "password ",
                    "password_file",
                    "give_up",
                    "connect_timeout",
                    "command_timeout",
                    "dot_timeout",
                    // Told once, above the first registry.
                    "whois ",
                    "hosts ",
                    "at_once",
                    "every ",
                    "a_day",
                ];
                assert!(
                    commented || alone.iter().any(|name| line.starts_with(name)),
                    "{line}"
                );
            }
            commented = line.starts_with('#') || (commented && line.contains(" = "));
        }
    }
}
