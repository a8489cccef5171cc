//! PostgreSQL's own programs, which write and read its dumps; what they are told, and what they say.

use std::io;
use std::path::Path;
use std::process::{Command, Stdio};

use super::Error;
use super::backup::text;

/// Parameters that our driver knows and the programs do not.
const OURS: [&str; 1] = ["statement-cache-capacity"];

/// Runs a program on a database. The password goes by the environment: every process of the machine sees
/// arguments.
///
/// # Errors
/// [`Error::Refused`] where it is not installed, [`Error::Database`] with what it said.
pub(super) async fn run(program: &str, url: &str, arguments: &[&str]) -> Result<String, Error> {
    let (url, password) = without_password(url);
    let mut command = Command::new(program);
    command.args(arguments).arg(format!("--dbname={url}"));
    if let Some(password) = password {
        command.env("PGPASSWORD", password);
    }
    ended(program, command).await
}

/// What a dump holds, a line for each object.
///
/// # Errors
/// As [`run`].
pub(super) async fn list(file: &Path) -> Result<Vec<String>, Error> {
    let mut command = Command::new("pg_restore");
    command.args(["--list", text(file)?]);
    let listed = ended("pg_restore", command).await?;
    let lines = listed.lines().filter(|line| !line.starts_with(';'));
    Ok(lines.map(str::to_owned).collect())
}

async fn ended(program: &str, mut command: Command) -> Result<String, Error> {
    command.stdin(Stdio::null());
    let output = tokio::task::spawn_blocking(move || command.output())
        .await
        .map_err(io::Error::other)
        .flatten()
        .map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => Error::Refused(format!(
                "{program} is not installed here: PostgreSQL is copied and restored by its own programs (Debian: \
                 postgresql-client, not older than the server)"
            )),
            _ => Error::Database(format!("{program}: {error}")),
        })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said: Vec<&str> = said.lines().take(5).collect();
    Err(Error::Database(format!(
        "{program} ended with {}: {}",
        output.status,
        said.join("; ")
    )))
}

/// A URL as it may stand in an argument, and the password that stood in it.
fn without_password(url: &str) -> (String, Option<String>) {
    let (base, parameters) = url.split_once('?').unwrap_or((url, ""));
    let mut password = None;
    let mut base = base.to_owned();
    if let Some((scheme, rest)) = base.split_once("://") {
        let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        if let Some((login, host)) = host.rsplit_once('@')
            && let Some((user, secret)) = login.split_once(':')
        {
            password = Some(decoded(secret));
            base = format!("{scheme}://{user}@{host}{path}");
        }
    }
    let mut kept = Vec::new();
    for parameter in parameters.split('&').filter(|one| !one.is_empty()) {
        match parameter.split_once('=') {
            Some(("password", secret)) => password = Some(decoded(secret)),
            Some((name, _)) if OURS.contains(&name) => {}
            _ => kept.push(parameter),
        }
    }
    if !kept.is_empty() {
        base = format!("{base}?{}", kept.join("&"));
    }
    (base, password)
}

/// RFC 3986 2.1.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let digits = tail.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        let byte = digits.and_then(|two| u8::from_str_radix(two, 16).ok());
        match (first, byte) {
            (b'%', Some(byte)) => {
                bytes.push(byte);
                rest = &tail[2..];
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_password_stands_in_an_argument() {
        for (url, shown, password) in [
            ("postgres://me@db/x", "postgres://me@db/x", None),
            (
                "postgres://me:s%40fe%25@db:5433/x",
                "postgres://me@db:5433/x",
                Some("s@fe%"),
            ),
            (
                "postgres://db/x?user=me&password=a%26b&sslmode=require",
                "postgres://db/x?user=me&sslmode=require",
                Some("a&b"),
            ),
            (
                "postgres://me:x@db/x?statement-cache-capacity=5",
                "postgres://me@db/x",
                Some("x"),
            ),
            ("postgres:///x?host=/run", "postgres:///x?host=/run", None),
        ] {
            let told = without_password(url);
            assert_eq!(
                told,
                (shown.to_owned(), password.map(str::to_owned)),
                "{url}"
            );
        }
    }
}
