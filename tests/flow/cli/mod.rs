//! The program as staff and scripts meet it: a folder, a database, commands, exit codes.

mod by_hand;
mod codes;
mod dry_run;
mod help;
mod kinds;
mod output;
mod parting;
mod settings;
mod temporary;
mod words;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::cluster::{self, Database};
use crate::world::{Ran, World};

/// A folder of one's own, and a database that is not made yet.
struct Office {
    dir: tempfile::TempDir,
    url: String,
    settings: Vec<(String, String)>,
    /// Dropped with the office.
    _database: Option<Database>,
}

impl Office {
    /// On the same engine as the world.
    fn beside(world: &World) -> Self {
        let database = world.url.starts_with("postgres").then(cluster::database);
        let database = database.flatten();
        let on_sqlite = || "sqlite:letters.db".to_owned();
        Self {
            dir: tempfile::tempdir().unwrap(),
            url: database.as_ref().map_or_else(on_sqlite, Database::url),
            settings: Vec::new(),
            _database: database,
        }
    }

    /// With tables, roll and feed on the desk, and the database made.
    fn furnished(world: &World) -> Self {
        let office = Self::beside(world);
        office.file("networks.csv", NETWORKS);
        office.file("roll.csv", ROLL);
        office.file("feed.csv", FEED);
        office.well("init");
        office
    }

    /// As far as the second person's approval of the campaign `trial`.
    fn approved(world: &World) -> Self {
        let office = Self::furnished(world);
        office.well("table load networks.csv");
        office.well("signatory import roll.csv");
        office.well("campaign new trial");
        let imported = office.run("import trial feed.csv --allow-documentation");
        assert_eq!(imported.code, 3, "{imported:?}");
        for line in [
            "resolve trial",
            "compose trial",
            "campaign submit trial --as author",
            "campaign approve trial --as reviewer",
        ] {
            office.well(line);
        }
        office
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn file(&self, name: &str, text: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), text).unwrap();
    }

    /// The names of all files, those of the database left out.
    fn files(&self) -> Vec<String> {
        let mut files = Vec::new();
        list(self.dir.path(), "", &mut files);
        files.retain(|name| !name.starts_with("letters.db"));
        files.sort();
        files
    }

    /// A setting by the environment, from now on.
    fn set(&mut self, name: &str, value: impl ToString) {
        self.settings.push((name.to_owned(), value.to_string()));
    }

    fn command(&self, line: &str) -> Command {
        let mut command = program();
        command
            .args(line.split(' '))
            .args(["--database", &self.url])
            .current_dir(self.dir.path())
            .env("LAPWING_RESOLVE__SOURCES", "overrides,table")
            .env("LAPWING_RESOLVE__LADDER", "parent,as")
            .env("USER", "author")
            .envs(self.settings.iter().cloned());
        command
    }

    /// `lapwing <line> --database …`.
    fn run(&self, line: &str) -> Ran {
        decent(line, self.command(line).output().unwrap().into())
    }

    /// Runs what must go well.
    fn well(&self, line: &str) -> String {
        let ran = self.run(line);
        assert_eq!(ran.code, 0, "lapwing {line}\n{}{}", ran.out, ran.err);
        assert_eq!(ran.err, "", "lapwing {line}");
        ran.out
    }

    /// The same with something on standard input.
    fn fed(&self, line: &str, input: &[u8]) -> Ran {
        let mut command = self.command(line);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        decent(line, child.wait_with_output().unwrap().into())
    }

    /// Every line of the answer, and the exit code.
    fn json(&self, line: &str) -> (Vec<Value>, i32) {
        let ran = self.run(&format!("{line} --json"));
        (lines(line, &ran.out), ran.code)
    }

    /// The one object that the answer is, where all went well.
    fn told(&self, line: &str) -> Value {
        let (mut lines, code) = self.json(line);
        assert_eq!((lines.len(), code), (1, 0), "lapwing {line}: {lines:?}");
        lines.remove(0)
    }
}

/// The program, with nothing of this machine's settings.
fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lapwing"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("LAPWING_") {
            command.env_remove(name);
        }
    }
    command
}

/// What holds for every command: nothing is a terminal here, so nothing is coloured or drawn, and
/// what is said ends with its line.
#[track_caller]
fn decent(line: &str, ran: Ran) -> Ran {
    for text in [&ran.out, &ran.err] {
        assert!(!text.contains(['\x1b', '\r']), "lapwing {line}: {text:?}");
        assert!(
            text.is_empty() || text.ends_with('\n'),
            "lapwing {line}: {text:?}"
        );
        assert!(!text.contains("panicked"), "lapwing {line}: {text}");
    }
    ran
}

#[track_caller]
fn lines(line: &str, text: &str) -> Vec<Value> {
    let parsed = text.lines().map(serde_json::from_str);
    let parsed: Result<Vec<Value>, _> = parsed.collect();
    parsed.unwrap_or_else(|error| panic!("lapwing {line}: {error}: {text}"))
}

fn list(folder: &Path, lead: &str, files: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{lead}{}", entry.file_name().to_string_lossy());
        if entry.file_type().unwrap().is_dir() {
            list(&entry.path(), &format!("{name}/"), files);
        }
        files.push(name);
    }
}

/// Five networks; one has no contact, one lies inside another.
const NETWORKS: &str = "range,name,holder,country,asn,abuse
192.0.2.0/24,SAKURA,Sakura Example K.K.,JP,64496,abuse@sakura.example
192.0.2.128/25,MIDORI,Midori Example School,JP,64496,net@midori.example
198.51.100.0/25,LINDE,Linde Beispiel GmbH,DE,64497,abuse@linde.example
198.51.100.128/25,AUE,Aue Beispiel GmbH,DE,64497,
2001:db8:1000::/36,PRAIRIE,Prairie Example Inc.,US,64498,abuse@prairie.example
";

const ROLL: &str = "agency,country,framework,from
Example Agency of Japan,JP,Example Plan,2020-01-01
Example Office of Germany,DE,Example Plan,2020-01-01
";

/// Eight rows: five suspects, one of them a range over two networks, one of them nobody's; one
/// repeated; two that are none.
const FEED: &str = "ip,seen,class
192.0.2.7,2024-11-01T00:00:00Z,spam
192.0.2.200,2024-11-01 10:00:00,spam
192.0.2.7,2024-11-01T00:00:00Z,spam
198.51.100.120-198.51.100.135,2024-11-02T00:00:00Z,spam
2001:db8:1000::1,2024-11-03T00:00:00Z,botnet
10.0.0.1,2024-11-03T00:00:00Z,spam
zombie,2024-11-03T00:00:00Z,spam
203.0.113.9,2024-11-03T00:00:00Z,spam
";
