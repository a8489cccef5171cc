//! Where each setting comes from: defaults, then the file, then the environment, then flags.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::{Table, Value};

use super::{Config, DEFAULT, Error, Secret};

/// Settings and the file they were read from, if there was one.
#[derive(Debug)]
pub struct Loaded {
    pub config: Config,
    pub file: Option<PathBuf>,
}

/// Reads the settings. `file` is one named by the user and must be there; else `./lapwing.toml`
/// is taken where it exists. `environment` holds all variables, of which those that begin with
/// `LAPWING_` and have `__` between section and key count. `flags` are `section.key` and text.
///
/// # Errors
/// Unreadable file, unknown keys (with the nearest known one), wrong values, each with its origin.
pub fn load(
    file: Option<&Path>,
    environment: impl Iterator<Item = (String, String)>,
    flags: &[(&str, String)],
) -> Result<Loaded, Error> {
    let mut settings = defaults()?;
    let mut known = settings.clone();
    let usual = Path::new("lapwing.toml");
    let file = file
        .map(Path::to_owned)
        .or_else(|| usual.exists().then(|| usual.to_owned()));
    let mut wrong = Vec::new();
    if let Some(path) = &file {
        let text = std::fs::read_to_string(path).map_err(|e| {
            Error(vec![format!(
                "{}: {e}; `lapwing init` writes one",
                path.display()
            )])
        })?;
        let table: Table = text
            .parse()
            .map_err(|e: toml::de::Error| Error(vec![format!("{}: {e}", path.display())]))?;
        for place in [&mut settings, &mut known] {
            let relay = place.get("smtp").cloned();
            add_named(place, "relay", relay, &table);
            let pace = place.get("pace").and_then(|paces| paces.get("example"));
            let pace = pace.cloned();
            add_named(place, "pace", pace, &table);
        }
        lay_over(
            &mut settings,
            &known,
            &table,
            "",
            &path.display().to_string(),
            &mut wrong,
        );
    }
    for (name, text) in environment.collect::<BTreeMap<_, _>>() {
        let Some(key) = name.strip_prefix("LAPWING_") else {
            continue;
        };
        let key = key.to_ascii_lowercase().replace("__", ".");
        // LAPWING_CONFIG and LAPWING_DATABASE_URL are flags' other names, read by the command line.
        if key.contains('.') || key == "mode" {
            lay_text(&mut settings, &known, &key, &text, &name, &mut wrong);
        }
    }
    for (key, text) in flags {
        lay_text(&mut settings, &known, key, text, "command line", &mut wrong);
    }
    if !wrong.is_empty() {
        return Err(Error(wrong));
    }
    let mut config = Config::deserialize(Value::Table(settings))
        .map_err(|e| Error(vec![format!("settings: {e}")]))?;
    let further = config.relay.iter_mut();
    let further = further.map(|(name, smtp)| (format!("relay.{name}"), smtp));
    for (section, smtp) in std::iter::once(("smtp".to_owned(), &mut config.smtp)).chain(further) {
        if let Some(text) = by_file(&format!("{section}.password_file"), &smtp.password_file)? {
            smtp.password = text;
        }
    }
    let imap = &mut config.incoming.imap;
    if let Some(text) = by_file("incoming.imap.password_file", &imap.password_file)? {
        imap.password = text;
    }
    if let Some(text) = by_file("sign.passphrase_file", &config.sign.passphrase_file)? {
        config.sign.passphrase = Secret(text);
    }
    config.check()?;
    Ok(Loaded { config, file })
}

/// Each relay, or pace, that a file names has all the settings of the one that is shipped.
fn add_named(onto: &mut Table, section: &str, shipped: Option<Value>, file: &Table) {
    let named = file.get(section).and_then(Value::as_table);
    let (Some(shipped), Some(named)) = (shipped, named) else {
        return;
    };
    if let Some(Value::Table(section)) = onto.get_mut(section) {
        for name in named.keys() {
            section.insert(name.clone(), shipped.clone());
        }
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

/// A secret that stands in a file of its own; an empty path is no file.
fn by_file(key: &str, path: &Path) -> Result<Option<String>, Error> {
    if path.as_os_str().is_empty() {
        return Ok(None);
    }
    let text = std::fs::read_to_string(path)
        .map_err(|e| Error(vec![format!("{key}: {}: {e}", path.display())]))?;
    Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned()))
}

fn lay_over(
    onto: &mut Table,
    known: &Table,
    from: &Table,
    path: &str,
    origin: &str,
    wrong: &mut Vec<String>,
) {
    for (key, value) in from {
        let full = if path.is_empty() {
            key.clone()
        } else {
            format!("{path}.{key}")
        };
        match (known.get(key), value) {
            (Some(Value::Table(known)), Value::Table(from)) => {
                if let Some(Value::Table(onto)) = onto.get_mut(key) {
                    lay_over(onto, known, from, &full, origin, wrong);
                }
            }
            (Some(default), value) if default.same_type(value) => {
                onto.insert(key.clone(), value.clone());
            }
            (Some(default), value) => wrong.push(format!(
                "{origin}: {full} must be {}, not {}",
                default.type_str(),
                value.type_str()
            )),
            (None, _) => wrong.push(unknown(&full, known.keys(), origin)),
        }
    }
}

/// A setting given as text takes the type of its default.
fn lay_text(
    onto: &mut Table,
    known: &Table,
    key: &str,
    text: &str,
    origin: &str,
    wrong: &mut Vec<String>,
) {
    let (mut known, mut onto, mut name) = (known, onto, key);
    while let Some((section, rest)) = name.split_once('.') {
        let (Some(Value::Table(inner)), Some(Value::Table(place))) =
            (known.get(section), onto.get_mut(section))
        else {
            let whole = key.strip_suffix(rest).unwrap_or(key);
            let whole = whole.trim_end_matches('.');
            return wrong.push(unknown(whole, known.keys(), origin));
        };
        (known, onto, name) = (inner, place, rest);
    }
    let value = match known.get(name) {
        None | Some(Value::Table(_)) => return wrong.push(unknown(key, known.keys(), origin)),
        Some(Value::Integer(_)) => text.parse().map(Value::Integer).ok(),
        Some(Value::Boolean(_)) => text.parse().map(Value::Boolean).ok(),
        Some(Value::Array(_)) => Some(Value::Array(
            text.split(',')
                .map(str::trim)
                .filter(|one| !one.is_empty())
                .map(|one| Value::String(one.to_owned()))
                .collect(),
        )),
        Some(_) => Some(Value::String(text.to_owned())),
    };
    match value {
        Some(value) => drop(onto.insert(name.to_owned(), value)),
        None => wrong.push(format!("{origin}: \"{text}\" is no value for {key}")),
    }
}

fn unknown<'a>(key: &str, known: impl Iterator<Item = &'a String>, origin: &str) -> String {
    let last = key.rsplit('.').next().unwrap_or(key);
    let nearest = known.min_by_key(|name| distance(name, last));
    match nearest.filter(|name| distance(name, last) <= last.len() / 2) {
        Some(name) => format!("{origin}: there is no setting {key}; did you mean {name}?"),
        None => format!("{origin}: there is no setting {key}; `lapwing config` lists all"),
    }
}

/// Levenshtein's distance.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
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
    fn wrong_settings_are_named_with_a_remedy() {
        for (text, said) in [
            (
                "[smtp]\nhots = \"a\"",
                "FILE: there is no setting smtp.hots; did you mean host?",
            ),
            (
                "[smtp]\nport = \"25\"",
                "FILE: smtp.port must be integer, not string",
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
