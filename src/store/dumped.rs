//! The place of a dump in PostgreSQL: emptied without losing what is there, filled, or put back as it was.

use std::io::Write;
use std::path::Path;

use sqlx::{AnyConnection, AssertSqlSafe, Connection as _};

use super::backup::{beside, create_private, is_data_of, tables, text, told};
use super::upgrade::LOCK;
use super::{Error, engine, programs};
use crate::model::{AuditEnd, Timestamp};

const STEPS: &str = "_sqlx_migrations";

/// The functions that the migrations make; tables take all else with them.
const FUNCTIONS: [&str; 1] = ["audit_is_only_added_to"];

/// Our tables in one database, which nobody else upgrades meanwhile.
pub(super) struct Schema {
    connection: AnyConnection,
}

impl Schema {
    /// # Errors
    /// The database's.
    pub(super) async fn of(url: &str) -> Result<Self, Error> {
        let mut connection = AnyConnection::connect(url).await?;
        engine::prepare(engine::Engine::Postgres, &mut connection).await?;
        sqlx::query("SELECT pg_advisory_lock($1)")
            .bind(LOCK)
            .execute(&mut connection)
            .await?;
        Ok(Self { connection })
    }

    /// # Errors
    /// [`Error::Refused`] where there is a database that is not to be replaced, or that others work with.
    pub(super) async fn expect_free(&mut self, replace: bool) -> Result<(), Error> {
        let present = self.present().await?;
        if present.is_empty() {
            return Ok(());
        }
        if !replace {
            return Err(Error::Refused(
                "there is a database already; name an empty one with --database, or say --replace"
                    .to_owned(),
            ));
        }
        let others: i64 = sqlx::query_scalar(
            "SELECT COUNT(*) FROM pg_stat_activity
             WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name = 'lapwing'",
        )
        .fetch_one(&mut self.connection)
        .await?;
        match others {
            0 => Ok(()),
            _ => Err(Error::Refused(format!(
                "the database is in use by {others} connections of lapwing: stop `lapwing serve` and whatever else works \
                 with it first"
            ))),
        }
    }

    /// How far the trail goes in what is there.
    pub(super) async fn audit_end(&mut self) -> Option<AuditEnd> {
        if !self.present().await.ok()?.contains(&"audit_end") {
            return None;
        }
        let end = sqlx::query_as("SELECT number, digest FROM audit_end WHERE id = 1")
            .fetch_one(&mut self.connection)
            .await;
        let (number, digest) = end.ok()?;
        Some(AuditEnd { number, digest })
    }

    /// Moves what is there into a schema of its own, and says which; nothing where nothing is there.
    ///
    /// # Errors
    /// The database's; then all is as it was.
    pub(super) async fn put_aside(&mut self, stamp: &str) -> Result<Option<String>, Error> {
        let present = self.present().await?;
        if present.is_empty() {
            return Ok(None);
        }
        let aside = format!("replaced_{stamp}");
        let mut tx = self.connection.begin().await?;
        let sql = format!("CREATE SCHEMA {aside}");
        sqlx::query(AssertSqlSafe(sql)).execute(&mut *tx).await?;
        for sql in moves(&present, "", &aside) {
            sqlx::query(AssertSqlSafe(sql)).execute(&mut *tx).await?;
        }
        tx.commit().await?;
        Ok(Some(aside))
    }

    /// Reads a dump, at last the list of the steps that were done: before that nobody takes it for a database. By
    /// then all of it is held.
    ///
    /// # Errors
    /// What `pg_restore` said.
    pub(super) async fn read(
        &mut self,
        url: &str,
        file: &Path,
        now: Timestamp,
    ) -> Result<(), Error> {
        let entries = programs::list(file).await?;
        let (steps, rest): (Vec<&String>, Vec<&String>) =
            entries.iter().partition(|entry| is_data_of(entry, STEPS));
        if steps.is_empty() {
            return Err(Error::Refused(format!(
                "{} is no dump of a database of lapwing",
                file.display()
            )));
        }
        // A schema that is there is no reason to fail.
        let is_schema = |entry: &String| entry.contains(" SCHEMA ");
        let rest = rest.into_iter().filter(|entry| !is_schema(entry));
        restore_entries(url, file, rest).await?;
        // A dump of an earlier version gets the column when it is brought up to date.
        if self.has_column("campaign", "restored_at").await? {
            sqlx::query("UPDATE campaign SET restored_at = $1 WHERE state <> 'cancelled'")
                .bind(now.0)
                .execute(&mut self.connection)
                .await?;
        }
        restore_entries(url, file, steps.into_iter()).await?;
        // Whoever upgrades waits for this lock; from here on that is us.
        sqlx::query("SELECT pg_advisory_unlock($1)")
            .bind(LOCK)
            .execute(&mut self.connection)
            .await?;
        Ok(())
    }

    /// Takes away what was read, and puts back what was there before.
    ///
    /// # Errors
    /// The database's.
    pub(super) async fn take_back(&mut self, aside: Option<&str>) -> Result<(), Error> {
        let present = self.present().await?;
        let mut tx = self.connection.begin().await?;
        for table in &present {
            let sql = format!("DROP TABLE {table} CASCADE");
            sqlx::query(AssertSqlSafe(sql)).execute(&mut *tx).await?;
        }
        for function in FUNCTIONS {
            let sql = format!("DROP FUNCTION IF EXISTS {function}()");
            sqlx::query(AssertSqlSafe(sql)).execute(&mut *tx).await?;
        }
        if let Some(aside) = aside {
            let home: String = sqlx::query_scalar("SELECT CAST(current_schema() AS TEXT)")
                .fetch_one(&mut *tx)
                .await?;
            let kept: Vec<String> = sqlx::query_scalar(
                "SELECT CAST(table_name AS TEXT) FROM information_schema.tables WHERE table_schema = $1",
            )
            .bind(aside)
            .fetch_all(&mut *tx)
            .await?;
            let kept: Vec<&str> = kept.iter().map(String::as_str).collect();
            for sql in moves(&kept, &format!("{aside}."), &home) {
                sqlx::query(AssertSqlSafe(sql)).execute(&mut *tx).await?;
            }
            let sql = format!("DROP SCHEMA {aside}");
            sqlx::query(AssertSqlSafe(sql)).execute(&mut *tx).await?;
        }
        Ok(tx.commit().await?)
    }

    /// # Errors
    /// The database's.
    pub(super) async fn close(self) -> Result<(), Error> {
        Ok(self.connection.close().await?)
    }

    /// Those of our tables that are there.
    async fn present(&mut self) -> Result<Vec<&'static str>, Error> {
        let there: Vec<String> = sqlx::query_scalar(
            "SELECT CAST(table_name AS TEXT) FROM information_schema.tables
             WHERE table_schema = current_schema()",
        )
        .fetch_all(&mut self.connection)
        .await?;
        let ours = tables().into_iter();
        Ok(ours
            .filter(|table| there.iter().any(|one| one == table))
            .collect())
    }

    async fn has_column(&mut self, table: &str, column: &str) -> Result<bool, Error> {
        let found: i64 = sqlx::query_scalar(
            "SELECT COUNT(*) FROM information_schema.columns
             WHERE table_schema = current_schema() AND table_name = $1 AND column_name = $2",
        )
        .bind(table)
        .bind(column)
        .fetch_one(&mut self.connection)
        .await?;
        Ok(found > 0)
    }
}

/// Indexes, sequences and triggers go with their tables.
fn moves(tables: &[&str], from: &str, to: &str) -> Vec<String> {
    let moves = tables
        .iter()
        .map(|table| format!("ALTER TABLE {from}{table} SET SCHEMA {to}"));
    // What made the triggers was not there before the trail was.
    let functions = FUNCTIONS.iter().filter(|_| tables.contains(&"audit"));
    let functions =
        functions.map(|function| format!("ALTER FUNCTION {from}{function}() SET SCHEMA {to}"));
    moves.chain(functions).collect()
}

/// Restores some of what a dump holds, all or nothing.
async fn restore_entries<'e>(
    url: &str,
    file: &Path,
    entries: impl Iterator<Item = &'e String>,
) -> Result<(), Error> {
    let wanted = std::env::temp_dir().join(format!("lapwing-{}", std::process::id()));
    let wanted = beside(&wanted, "list");
    let mut list = String::new();
    for entry in entries {
        list.push_str(entry);
        list.push('\n');
    }
    create_private(&wanted)
        .and_then(|mut file| file.write_all(list.as_bytes()))
        .map_err(|error| told(&wanted, &error))?;
    let only = format!("--use-list={}", text(&wanted)?);
    let arguments = [
        "--single-transaction",
        "--exit-on-error",
        "--no-owner",
        "--no-privileges",
        "--no-password",
        &only,
        text(file)?,
    ];
    let ran = programs::run("pg_restore", url, &arguments).await;
    let _ = std::fs::remove_file(&wanted);
    ran.map(drop)
}
