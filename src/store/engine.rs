//! What differs between SQLite and PostgreSQL, and nothing else.

use std::borrow::Cow;

use sqlx::any::AnyPoolOptions;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{AssertSqlSafe, Executor, SqlSafeStr};

use super::steps::MIGRATIONS;
use super::{Connection, Error};
use crate::config::masked;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Engine {
    Sqlite,
    Postgres,
}

impl Engine {
    pub(super) fn of(url: &str) -> Result<Self, Error> {
        match url.split(':').next().unwrap_or_default() {
            "sqlite" => Ok(Self::Sqlite),
            "postgres" | "postgresql" => Ok(Self::Postgres),
            _ => Err(Error::Url(format!(
                "\"{}\" is neither sqlite:FILE nor postgres://USER@HOST/NAME",
                masked(url)
            ))),
        }
    }

    /// SQLite's URL says whether a missing file is made.
    pub(super) fn full_url(self, url: &str, create: bool) -> Result<String, Error> {
        if self == Self::Postgres {
            return Ok(url.to_owned());
        }
        if url.contains(":memory:") || url.contains("mode=") {
            return Err(Error::Url(format!(
                "\"{url}\": write sqlite:FILE; a database in memory would be another one for each connection"
            )));
        }
        Ok(format!("{url}?mode={}", if create { "rwc" } else { "rw" }))
    }

    /// A deferred SQLite transaction that reads before it writes fails at once (517) when another
    /// process wrote in between; one that begins as a writer waits.
    pub(super) fn begin(self) -> &'static str {
        match self {
            Self::Sqlite => "BEGIN IMMEDIATE",
            Self::Postgres => "BEGIN",
        }
    }

    /// Hands out up to $2 ready deliveries of a campaign that is being sent: $1 campaign, $3 worker,
    /// $4 lease end.
    ///
    /// PostgreSQL: `= ANY(ARRAY(…))` keeps its speed under a generic plan (39,800 rows a second,
    /// where IN and CTE forms fall to some 100) and is evaluated once.
    pub(super) fn claim(self) -> &'static str {
        match self {
            Self::Sqlite => {
                "UPDATE delivery SET state = 'leased', worker = $3, lease_until = $4
                 WHERE id IN (SELECT id FROM delivery
                              WHERE campaign_id = $1 AND state = 'ready'
                                AND EXISTS (SELECT 1 FROM campaign WHERE id = $1 AND state = 'approved' AND restored_at IS NULL)
                              ORDER BY id LIMIT +$2)
                 RETURNING id, letter_id, recipient, country, attempts, queued_at + waited AS patient_from, due_at, slot_at, slot_of,
                           (SELECT COALESCE(MAX(number), 0) + 1 FROM attempt WHERE delivery_id = delivery.id) AS next"
            }
            Self::Postgres => {
                "UPDATE delivery SET state = 'leased', worker = $3, lease_until = $4
                 WHERE id = ANY(ARRAY(SELECT id FROM delivery
                                      WHERE campaign_id = $1 AND state = 'ready'
                                        AND EXISTS (SELECT 1 FROM campaign WHERE id = $1 AND state = 'approved' AND restored_at IS NULL)
                                      ORDER BY id LIMIT +$2 FOR UPDATE SKIP LOCKED))
                 RETURNING id, letter_id, recipient, country, attempts, queued_at + waited AS patient_from, due_at, slot_at, slot_of,
                           (SELECT COALESCE(MAX(number), 0) + 1 FROM attempt WHERE delivery_id = delivery.id) AS next"
            }
        }
    }

    /// What the server's clock says, in milliseconds; a file has none.
    pub(super) fn time(self) -> Option<&'static str> {
        match self {
            Self::Sqlite => None,
            Self::Postgres => {
                Some("SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)")
            }
        }
    }

    /// Ends a row lock's wait on PostgreSQL; SQLite has but one writer.
    pub(super) fn for_update(self) -> &'static str {
        match self {
            Self::Sqlite => "",
            Self::Postgres => " FOR UPDATE",
        }
    }

    /// `(7, $1, $2), (7, $3, $4)`: places for `rows` rows of `own` values, each led by what is the
    /// same in all (a number, or nothing). PostgreSQL knows no `?`, which sqlx's own builder
    /// writes; SQLite looks a named place up by going through all of them, which made a thousand
    /// rows cost a hundred times their worth.
    pub(super) fn rows(self, lead: &str, own: usize, rows: usize) -> String {
        use std::fmt::Write;
        let mut text = String::with_capacity(rows * (lead.len() + own * 7 + 4));
        for row in 0..rows {
            text.push_str(if row == 0 { "(" } else { ", (" });
            text.push_str(lead);
            for place in 0..own {
                if place > 0 || !lead.is_empty() {
                    text.push_str(", ");
                }
                let _ = match self {
                    Self::Sqlite => text.write_char('?'),
                    Self::Postgres => write!(text, "${}", row * own + place + 1),
                };
            }
            text.push(')');
        }
        text
    }

    /// A query that gives what `page` selects as one JSON text, an array for each row. Through the
    /// driver a row costs several times what it costs the database to read it; where they are
    /// wanted by the million, they come a page at a time.
    pub(super) fn as_json(self, columns: &str, page: &str) -> String {
        match self {
            Self::Sqlite => {
                format!("SELECT json_group_array(json_array({columns})) FROM ({page})")
            }
            Self::Postgres => format!(
                "SELECT CAST(COALESCE(json_agg(json_build_array({columns})), '[]') AS TEXT)
                 FROM ({page}) AS page"
            ),
        }
    }

    /// A column of bytes as hexadecimal digits, for JSON has no bytes.
    pub(super) fn hex(self, column: &str) -> String {
        match self {
            Self::Sqlite => format!("hex({column})"),
            Self::Postgres => format!("encode({column}, 'hex')"),
        }
    }

    /// Writes what prune takes away from anew, so that the room is given back and no trace is left. SQLite does it
    /// in a file beside, for a database may be larger than the memory.
    pub(super) fn compact(self) -> &'static [&'static str] {
        match self {
            Self::Sqlite => &[
                "PRAGMA temp_store = FILE",
                "VACUUM",
                "PRAGMA wal_checkpoint(TRUNCATE)",
            ],
            Self::Postgres => &[
                "VACUUM (FULL, ANALYZE) suspect, sample, refusal, attachment, letter, incoming, reading",
            ],
        }
    }

    pub(super) fn no_bytes(self) -> &'static str {
        match self {
            Self::Sqlite => "X''",
            Self::Postgres => "CAST('' AS BYTEA)",
        }
    }

    /// Leaves out the next $1 numbers of notices.
    pub(super) fn skip_notices(self) -> &'static [&'static str] {
        match self {
            Self::Sqlite => &[
                "INSERT INTO sqlite_sequence (name, seq)
                 SELECT 'notice', 0 WHERE $1 > 0 AND NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'notice')",
                "UPDATE sqlite_sequence SET seq = seq + $1 WHERE name = 'notice'",
            ],
            Self::Postgres => &[
                "SELECT setval(place, nextval(place) + $1)
                 FROM (SELECT CAST(pg_get_serial_sequence('notice', 'id') AS regclass) AS place) AS notices",
            ],
        }
    }

    /// Triggers by which the database refuses to change or take away a row of a table. SQLite's REPLACE
    /// takes rows away without asking them, so that a row under a number that is there is refused, too.
    fn add_only(self, table: &str) -> String {
        let refusal = format!("{table}: rows are only ever added");
        match self {
            Self::Sqlite => {
                let trigger = |name: &str, event: &str| {
                    format!(
                        "CREATE TRIGGER {table}_{name} BEFORE {event} BEGIN SELECT RAISE(ABORT, '{refusal}'); END;\n"
                    )
                };
                trigger("unchanged", &format!("UPDATE ON {table}"))
                    + &trigger("kept", &format!("DELETE ON {table}"))
                    + &trigger(
                        "not_replaced",
                        &format!(
                            "INSERT ON {table} WHEN EXISTS (SELECT 1 FROM {table} WHERE number = NEW.number)"
                        ),
                    )
            }
            Self::Postgres => format!(
                "CREATE FUNCTION {table}_is_only_added_to() RETURNS trigger LANGUAGE plpgsql AS
                 $refuse$ BEGIN RAISE EXCEPTION '{refusal}'; END $refuse$;
                 CREATE TRIGGER {table}_unchanged BEFORE UPDATE OR DELETE ON {table}
                 FOR EACH ROW EXECUTE FUNCTION {table}_is_only_added_to();
                 CREATE TRIGGER {table}_kept BEFORE TRUNCATE ON {table}
                 FOR EACH STATEMENT EXECUTE FUNCTION {table}_is_only_added_to();"
            ),
        }
    }

    /// Says of a database that cannot be opened which one it is and what to do.
    pub(super) fn explain(self, error: Error, url: &str, create: bool) -> Error {
        let file = url
            .trim_start_matches("sqlite:")
            .split('?')
            .next()
            .unwrap_or_default();
        match (self, error) {
            (Self::Sqlite, Error::NotReady(_)) if create => Error::Url(format!(
                "{file} cannot be made: is its folder there, and may you write to it?"
            )),
            (Self::Sqlite, Error::NotReady(_)) if std::path::Path::new(file).exists() => {
                Error::Url(format!(
                    "{file} cannot be opened: may you read and write it?"
                ))
            }
            (Self::Sqlite, Error::NotReady(_)) => Error::NotReady(format!(
                "there is no database {file}; run `lapwing init`, or name another with --database"
            )),
            (Self::Sqlite, Error::Database(told)) => Error::Url(format!("{file}: {told}")),
            (_, error) => error,
        }
    }
}

pub(super) fn migrator(engine: Engine) -> Migrator {
    let identity = "BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY";
    let (primary_key, never_reused) = match engine {
        Engine::Sqlite => ("INTEGER PRIMARY KEY", "INTEGER PRIMARY KEY AUTOINCREMENT"),
        Engine::Postgres => (identity, identity),
    };
    let migrations = MIGRATIONS.iter().map(|(version, name, text)| {
        let text = text
            .replace("{PK}", primary_key)
            .replace("{PK_ONCE}", never_reused)
            .replace("{ADD_ONLY audit}", &engine.add_only("audit"));
        let sql = AssertSqlSafe(text).into_sql_str();
        Migration::new(
            *version,
            Cow::Borrowed(*name),
            MigrationType::Simple,
            sql,
            false,
        )
    });
    Migrator::with_migrations(migrations.collect())
}

/// What every new connection is told.
pub(super) async fn prepare(
    engine: Engine,
    connection: &mut Connection,
) -> Result<(), sqlx::Error> {
    match engine {
        // FULL: a committed enqueue or result survives a power cut; NORMAL would lose the last
        // ones and send their letters twice. A journal of 8 MiB is soon written over from its beginning, and
        // what does not make a file longer is on the disk sooner.
        Engine::Sqlite => {
            connection
                .execute(
                    "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 10000;
                     PRAGMA foreign_keys = ON; PRAGMA cache_size = -32768; PRAGMA temp_store = MEMORY;
                     PRAGMA journal_size_limit = 67108864;
                     PRAGMA wal_autocheckpoint = 2048",
                )
                .await?;
        }
        Engine::Postgres => {
            connection
                .execute("SET application_name = 'lapwing'; SET idle_in_transaction_session_timeout = '60s'")
                .await?;
        }
    }
    Ok(())
}

/// When SQLite runs out of disk it rolls back by itself, sqlx's own ROLLBACK then fails, and the
/// connection counts itself inside a transaction ever after: such a one is not used again.
pub(super) fn drop_poisoned(pool: AnyPoolOptions) -> AnyPoolOptions {
    use sqlx::Connection as _;
    pool.after_release(|connection, _| Box::pin(async move { Ok(!connection.is_in_transaction()) }))
        .before_acquire(|connection, _| {
            Box::pin(async move { Ok(!connection.is_in_transaction()) })
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_numbered_over_all_rows() {
        assert_eq!(Engine::Postgres.rows("7", 2, 2), "(7, $1, $2), (7, $3, $4)");
        assert_eq!(Engine::Postgres.rows("", 1, 3), "($1), ($2), ($3)");
        assert_eq!(
            Engine::Sqlite.rows("7, 8", 2, 2),
            "(7, 8, ?, ?), (7, 8, ?, ?)"
        );
    }

    #[test]
    fn every_migration_in_the_folder_is_compiled_in() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
        let mut names: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        let listed: Vec<String> = MIGRATIONS
            .iter()
            .map(|(version, name, _)| format!("{version:04}_{name}.sql"))
            .collect();
        assert_eq!(names, listed);
    }
}
