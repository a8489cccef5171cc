//! Secrets: by value or by a file of their own, never both, and never shown.

use std::path::PathBuf;

use toml::Value;

use super::Error;
use super::lay::Settings;
use super::origin::Origin;

/// What stands behind a setting's name where its value lies in a file.
const BY_FILE: &str = "_file";

/// The one secret that has a default, and is mostly none: a file goes before what is said less close to the
/// command line, and after what is said closer to it.
const URL: &str = "database.url";

const MASK: &str = "***";

/// Puts what lies in files in the place of the settings that have a `…_file` beside them.
pub(super) fn read_files(settings: &mut Settings) -> Result<(), Error> {
    let mut wrong = Vec::new();
    for (named_by, file) in settings.leaves() {
        let (Some(key), Some(file)) = (named_by.strip_suffix(BY_FILE), file.as_str()) else {
            continue;
        };
        let Some(value) = settings.text(key) else {
            continue;
        };
        if file.is_empty() {
            continue;
        }
        let (said, by_file) = (settings.origin_of(key), settings.origin_of(&named_by));
        let is_said = said != Origin::Default && !value.is_empty();
        if key == URL && said.rank() > by_file.rank() {
            continue;
        }
        if is_said && (key != URL || said.rank() == by_file.rank()) {
            wrong.push(format!(
                "{key} is said twice: by {said}, and as a file by {by_file}; keep one of the two"
            ));
            continue;
        }
        match std::fs::read_to_string(file) {
            Ok(text) => {
                let origin = Origin::Secret {
                    file: PathBuf::from(file),
                    named_by: Box::new(by_file),
                };
                let text = text.trim_end_matches(['\r', '\n']);
                settings.lay_text(key, text, origin);
            }
            Err(error) => wrong.push(format!("{by_file}: {named_by}: {file}: {error}")),
        }
    }
    match wrong.is_empty() {
        true => Ok(()),
        false => Err(Error(wrong)),
    }
}

/// Whether a setting must not be shown as it is.
pub(super) fn is_secret(key: &str) -> bool {
    let name = key.rsplit('.').next().unwrap_or(key);
    matches!(name, "password" | "passphrase")
}

/// A value as it may be shown.
pub(super) fn shown(key: &str, value: Value) -> Value {
    match value {
        Value::String(text) if is_secret(key) && !text.is_empty() => Value::from(MASK),
        Value::String(text) if text.contains("://") => Value::from(masked(&text)),
        value => value,
    }
}

/// A URL without its password.
#[must_use]
pub fn masked(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let (place, query) = match rest.split_once('?') {
        Some((place, query)) => (place, Some(query)),
        None => (rest, None),
    };
    // A password that should have been escaped may hold an @ of its own.
    let place = match place.rsplit_once('@') {
        Some((login, host)) => match login.split_once(':') {
            Some((user, _)) => format!("{user}:{MASK}@{host}"),
            None => place.to_owned(),
        },
        None => place.to_owned(),
    };
    let Some(query) = query else {
        return format!("{scheme}://{place}");
    };
    let query = query.split('&').map(|pair| match pair.split_once('=') {
        Some((name, _)) if name.to_ascii_lowercase().contains("password") => {
            format!("{name}={MASK}")
        }
        _ => pair.to_owned(),
    });
    format!("{scheme}://{place}?{}", Vec::from_iter(query).join("&"))
}

/// The same with a password that was said apart from it.
///
/// # Errors
/// Where there is no place for one, or one is there already.
pub(super) fn with_password(url: &str, password: &str) -> Result<String, String> {
    if password.is_empty() {
        return Ok(url.to_owned());
    }
    let Some((scheme, rest)) = url.split_once("://").filter(|(s, _)| *s != "sqlite") else {
        return Err(format!(
            "database.password: {url} is a file, and takes no password; name a server by database.url"
        ));
    };
    if masked(url) != url {
        return Err(
            "database.password is said twice: in database.url, too; keep one of the two".to_owned(),
        );
    }
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (user, host) = match rest[..end].rfind('@') {
        Some(at) => (&rest[..at], &rest[at + 1..]),
        None => ("", rest),
    };
    Ok(format!("{scheme}://{user}:{}@{host}", escaped(password)))
}

/// RFC 3986 2.1: all but what is unreserved.
fn escaped(text: &str) -> String {
    use std::fmt::Write;
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                escaped.push(char::from(byte));
            }
            byte => {
                let _ = write!(escaped, "%{byte:02X}");
            }
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_password_of_a_url_is_shown() {
        for (url, shown) in [
            ("sqlite:lapwing.db", "sqlite:lapwing.db"),
            ("postgres://u@db/x", "postgres://u@db/x"),
            ("postgres://u:s3@db/x", "postgres://u:***@db/x"),
            ("postgres://u:a@b@db/x", "postgres://u:***@db/x"),
            (
                "postgres://db/x?user=u&password=s3&sslmode=require",
                "postgres://db/x?user=u&password=***&sslmode=require",
            ),
        ] {
            assert_eq!(masked(url), shown);
        }
    }

    #[test]
    fn a_password_finds_its_place_in_the_url() {
        for (url, whole) in [
            ("postgres://u@db/x", "postgres://u:p%40%2F%3A%C3%A9@db/x"),
            (
                "postgres://u@db:5433/x?a=b@c",
                "postgres://u:p%40%2F%3A%C3%A9@db:5433/x?a=b@c",
            ),
            ("postgres://db/x", "postgres://:p%40%2F%3A%C3%A9@db/x"),
        ] {
            assert_eq!(with_password(url, "p@/:é").unwrap(), whole);
        }
        assert!(with_password("postgres://u:p@db/x", "q").is_err());
        assert!(with_password("sqlite:x.db", "q").is_err());
        assert_eq!(with_password("sqlite:x.db", "").unwrap(), "sqlite:x.db");
    }
}
