//! A copy of the whole database in one file, taken while others write, and looked at before it counts.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::Serialize;
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _};

use super::engine::Engine;
use super::steps::MIGRATIONS;
use super::{Connection, Error, Store, programs};

/// Tables that nobody takes rows away from.
const ONLY_ADDED: [&str; 5] = ["attempt", "audit", "campaign", "decision", "incoming"];

/// What a copy holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Copied {
    pub file: PathBuf,
    pub bytes: u64,
    /// Rows in each table.
    pub rows: BTreeMap<&'static str, i64>,
}

impl Store {
    /// Copies the database into a file that only its owner may read, for keys lie in it. Others write meanwhile;
    /// the copy is of one moment. It is written beside its place and looked through, and then takes its place.
    ///
    /// # Errors
    /// [`Error::Refused`] where the file is there and it is not said to `replace` it, or PostgreSQL's programs are
    /// missing; [`Error::Database`] where the copy is not whole.
    pub async fn backup(&self, url: &str, file: &Path, replace: bool) -> Result<Copied, Error> {
        expect_free(file, replace)?;
        let part = beside(file, "part");
        let made = create_private(&part).map_err(|error| told(&part, &error))?;
        let copied = match self.engine {
            Engine::Sqlite => self.copy_file(&part).await,
            Engine::Postgres => self.dump(url, &part).await,
        };
        let rows = match copied {
            Ok(rows) => rows,
            Err(error) => {
                let _ = fs::remove_file(&part);
                return Err(error);
            }
        };
        made.sync_all().map_err(|error| told(&part, &error))?;
        let bytes = made.metadata().map_err(|error| told(&part, &error))?.len();
        fs::rename(&part, file).map_err(|error| told(file, &error))?;
        sync_folder(file).map_err(|error| told(file, &error))?;
        Ok(Copied {
            file: file.to_owned(),
            bytes,
            rows,
        })
    }

    /// How many rows each table has.
    ///
    /// # Errors
    /// The database's.
    pub async fn rows(&self) -> Result<BTreeMap<&'static str, i64>, Error> {
        let mut connection = self.read.acquire().await?;
        rows_of(&mut connection).await
    }

    async fn copy_file(&self, to: &Path) -> Result<BTreeMap<&'static str, i64>, Error> {
        let before = self.rows().await?;
        sqlx::query("VACUUM INTO $1")
            .bind(text(to)?)
            .execute(&self.read)
            .await?;
        let rows = check_file(to).await?;
        // Others may have added some since they were counted.
        match ONLY_ADDED
            .iter()
            .find(|table| rows.get(*table) < before.get(*table))
        {
            Some(table) => Err(Error::Database(format!(
                "the copy lacks rows of {table}: nothing was kept"
            ))),
            None => Ok(rows),
        }
    }

    /// The program reads in the very snapshot in which the rows are counted.
    async fn dump(&self, url: &str, to: &Path) -> Result<BTreeMap<&'static str, i64>, Error> {
        let mut tx = self
            .read
            .begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ")
            .await?;
        sqlx::query("SET LOCAL idle_in_transaction_session_timeout = 0")
            .execute(&mut *tx)
            .await?;
        let snapshot: String = sqlx::query_scalar("SELECT pg_export_snapshot()")
            .fetch_one(&mut *tx)
            .await?;
        let rows = rows_of(&mut tx).await?;
        let home: String = sqlx::query_scalar("SELECT CAST(current_schema() AS TEXT)")
            .fetch_one(&mut *tx)
            .await?;
        // What a restore has put aside stands in other ones.
        let home = format!("--schema={home}");
        let snapshot = format!("--snapshot={snapshot}");
        let file = format!("--file={}", text(to)?);
        let arguments = ["--format=custom", "--no-password", &home, &snapshot, &file];
        programs::run("pg_dump", url, &arguments).await?;
        tx.rollback().await?;
        // A file that cannot be listed could not be restored either.
        let listed = programs::list(to).await?;
        let lacking = tables()
            .into_iter()
            .find(|table| !listed.iter().any(|entry| is_data_of(entry, table)));
        match lacking {
            Some(table) => Err(Error::Database(format!(
                "the copy holds no rows of {table}: nothing was kept"
            ))),
            None => Ok(rows),
        }
    }
}

/// Whether a line of a dump's contents stands for the rows of a table.
pub(super) fn is_data_of(entry: &str, table: &str) -> bool {
    let words: Vec<&str> = entry.split_whitespace().collect();
    words
        .windows(4)
        .any(|words| words[..2] == ["TABLE", "DATA"] && words[3] == table)
}

/// All tables that the migrations leave behind.
pub(super) fn tables() -> BTreeSet<&'static str> {
    let mut tables = BTreeSet::from(["_sqlx_migrations"]);
    for (_, _, text) in MIGRATIONS {
        for line in text.lines() {
            let mut words = line.split([' ', ';', '(']).filter(|word| !word.is_empty());
            match (words.next(), words.next(), words.next()) {
                (Some("CREATE"), Some("TABLE"), Some(name)) => drop(tables.insert(name)),
                (Some("DROP"), Some("TABLE"), Some(name)) => drop(tables.remove(name)),
                _ => {}
            }
        }
    }
    tables
}

pub(super) async fn rows_of(
    connection: &mut Connection,
) -> Result<BTreeMap<&'static str, i64>, Error> {
    let mut rows = BTreeMap::new();
    for table in tables() {
        let sql = format!("SELECT COUNT(*) FROM {table}");
        let count = sqlx::query_scalar(AssertSqlSafe(sql))
            .fetch_one(&mut *connection)
            .await?;
        rows.insert(table, count);
    }
    Ok(rows)
}

/// Looks through a file of SQLite: every page, every index, every reference.
///
/// # Errors
/// [`Error::Database`] with the first thing that is wrong.
pub(super) async fn check_file(file: &Path) -> Result<BTreeMap<&'static str, i64>, Error> {
    sqlx::any::install_default_drivers();
    let url = format!("{}?mode=rw", url_of(file)?);
    let mut connection = AnyConnection::connect(&url).await?;
    let found: Vec<String> = sqlx::query_scalar("PRAGMA integrity_check(5)")
        .fetch_all(&mut connection)
        .await?;
    if found != ["ok"] {
        return Err(Error::Database(format!(
            "{} is damaged: {}",
            file.display(),
            found.join("; ")
        )));
    }
    let strays = sqlx::query("PRAGMA foreign_key_check")
        .fetch_all(&mut connection)
        .await?;
    if !strays.is_empty() {
        return Err(Error::Database(format!(
            "{} is damaged: {} rows belong to others that are not there",
            file.display(),
            strays.len()
        )));
    }
    let rows = rows_of(&mut connection).await;
    connection.close().await?;
    // One of an earlier version has not all tables yet.
    match rows {
        Err(Error::Database(_)) => Ok(BTreeMap::new()),
        rows => rows,
    }
}

/// # Errors
/// [`Error::Refused`] when it is there, and it is not said to replace it.
pub(super) fn expect_free(file: &Path, replace: bool) -> Result<(), Error> {
    if file.is_dir() {
        return Err(Error::Refused(format!(
            "{} is a folder: name a file",
            file.display()
        )));
    }
    match file.exists() && !replace {
        true => Err(Error::Refused(format!(
            "{} is there already; name another file, or say --replace",
            file.display()
        ))),
        false => Ok(()),
    }
}

/// `lapwing.db` → `lapwing.db.part`.
pub(super) fn beside(file: &Path, ending: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".");
    name.push(ending);
    PathBuf::from(name)
}

/// An empty file that nobody else may read.
pub(super) fn create_private(file: &Path) -> io::Result<File> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    OpenOptions::new()
        .read(true)
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(file)
}

/// A new name is only then there after a power cut.
pub(super) fn sync_folder(file: &Path) -> io::Result<()> {
    let folder = file
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

pub(super) fn told(file: &Path, error: &io::Error) -> Error {
    Error::Database(format!("{}: {error}", file.display()))
}

pub(super) fn text(file: &Path) -> Result<&str, Error> {
    file.to_str().ok_or_else(|| {
        Error::Refused(format!(
            "{}: the name is no text; choose another",
            file.display()
        ))
    })
}

/// As SQLite's driver reads it back.
pub(super) fn url_of(file: &Path) -> Result<String, Error> {
    let path = text(file)?.replace('%', "%25").replace('?', "%3f");
    Ok(format!("sqlite:{}", path.replace('#', "%23")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tables_are_those_of_the_migrations() {
        let tables = tables();
        for name in [
            "campaign",
            "question",
            "audit",
            "audit_end",
            "sample",
            "_sqlx_migrations",
        ] {
            assert!(tables.contains(name), "{name}");
        }
        assert!(tables.len() > 30, "{tables:?}");
    }

    #[test]
    fn a_line_of_a_dump_s_contents_names_its_table() {
        let entry = "3587; 0 16421 TABLE DATA public letter lapwing";
        assert!(is_data_of(entry, "letter"));
        assert!(!is_data_of(entry, "lapwing"));
        assert!(!is_data_of(
            "221; 1259 16421 TABLE public letter lapwing",
            "letter"
        ));
    }
}
