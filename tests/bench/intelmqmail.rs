//! The peer that mails CERTs' notices today, intelmqmail of PyPI, with as many letters of as many observations: it
//! reads them from a PostgreSQL, sends them, and notes which it has sent, as we do.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;

use anyhow::{Result, ensure};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, PgConnection};
use tokio::runtime::Runtime;

use crate::cluster::Database;
use crate::postfix::{Cost, timed};

/// The columns that its letters show, and of its own tables what it asks for; its names.
const TABLES: &str = r#"
    CREATE TABLE events (id BIGSERIAL PRIMARY KEY, "time.source" TIMESTAMPTZ, "source.ip" INET, "source.asn" INT,
        "classification.type" TEXT, "protocol.transport" TEXT, "source.fqdn" TEXT);
    CREATE TYPE ip_endpoint AS ENUM ('source', 'destination');
    CREATE SEQUENCE intelmq_ticket_seq MINVALUE 10000001;
    CREATE TABLE ticket_day (initialized_for_day DATE);
    INSERT INTO ticket_day VALUES ('2016-01-01');
    CREATE TABLE sent (id BIGSERIAL PRIMARY KEY, intelmq_ticket VARCHAR(18) UNIQUE NOT NULL, sent_at TIMESTAMPTZ);
    CREATE TABLE directives (id BIGSERIAL PRIMARY KEY, events_id BIGINT NOT NULL REFERENCES events (id),
        sent_id BIGINT REFERENCES sent (id), medium VARCHAR(100) NOT NULL, recipient_address VARCHAR(100) NOT NULL,
        template_name VARCHAR(100) NOT NULL, notification_format VARCHAR(100) NOT NULL,
        event_data_format VARCHAR(100) NOT NULL, aggregate_identifier TEXT[][], notification_interval INTERVAL NOT NULL,
        endpoint ip_endpoint NOT NULL, inserted_at TIMESTAMPTZ NOT NULL DEFAULT CURRENT_TIMESTAMP);
    CREATE INDEX ON directives (recipient_address, template_name, notification_format, event_data_format,
        aggregate_identifier, inserted_at);
    CREATE INDEX ON directives (events_id);
    CREATE INDEX ON directives (sent_id);"#;

const TEMPLATE: &str = "\
    [CB-${ticket_number}] Systems in your network send spam\n\n\
    Dear abuse contact,\n\n\
    an agency of the coalition observed ${count} events in the networks of ${org}.\n\
    Your case number is ${ticket_number}. Please keep it in the subject when you reply.\n\n\
    Block port 25 for these systems, limit how much each may send, and have them cleaned.\n\
    The complete list is attached as a CSV file; times are UTC.\n\n\
    Kind regards,\n\
    Agency of the Coalition\n";

const FORMAT: &str = r#"
from intelmqmail.tableformat import build_table_format

TABLE = build_table_format("bench", (("source.ip", "ip"), ("time.source", "seen"), ("classification.type", "kind"),
                                     ("source.asn", "asn"), ("protocol.transport", "over"), ("source.fqdn", "host")))


def create_notifications(context):
    if context.directive.notification_format != "bench":
        return None
    return context.mail_format_as_csv(TABLE, substitutions={"count": len(context.directive.event_ids)},
                                      attach_event_data=True)
"#;

/// It and what it is to send.
pub(crate) struct Peer {
    folder: tempfile::TempDir,
    program: PathBuf,
    database: Database,
}

impl Peer {
    /// # Errors
    /// Python's, PostgreSQL's.
    pub(crate) fn furnish(
        program: &Path,
        database: Database,
        letters: usize,
        rows: usize,
    ) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        fs::create_dir(folder.path().join("formats"))?;
        fs::create_dir(folder.path().join("gnupg"))?;
        fs::write(folder.path().join("letter.txt"), TEMPLATE)?;
        fs::write(folder.path().join("formats/10_bench.py"), FORMAT)?;
        let events = format!(
            r#"INSERT INTO events ("time.source", "source.ip", "source.asn", "classification.type",
                   "protocol.transport", "source.fqdn")
               SELECT TIMESTAMPTZ '2026-05-01 12:00Z' + row * INTERVAL '1 hour', '198.51.100.0'::INET + row, 64500,
                   'spam', 'tcp', 'host' || row || '.isp' || letter || '.example'
               FROM generate_series(1, {letters}) AS letter, generate_series(1, {rows}) AS row"#
        );
        let directives = format!(
            "INSERT INTO directives (events_id, medium, recipient_address, template_name, notification_format,
                 event_data_format, aggregate_identifier, notification_interval, endpoint)
             SELECT id, 'email', 'abuse@isp' || (id - 1) / {rows} || '.example', 'letter.txt', 'bench',
                 'csv_attachment', ARRAY[ARRAY['org', 'Network ' || (id - 1) / {rows}]], INTERVAL '0', 'source'
             FROM events"
        );
        let peer = Self {
            folder,
            program: program.to_owned(),
            database,
        };
        peer.ask(&[TABLES, &events, &directives, "ANALYZE"])?;
        Ok(peer)
    }

    fn ask(&self, statements: &[&str]) -> Result<()> {
        Runtime::new()?.block_on(async {
            let mut connection = PgConnection::connect(&self.database.url()).await?;
            for sql in statements {
                sqlx::raw_sql(sqlx::AssertSqlSafe((*sql).to_owned()))
                    .execute(&mut connection)
                    .await?;
            }
            Ok(connection.close().await?)
        })
    }

    /// Sends all of it.
    ///
    /// # Errors
    /// Its own; and when it has left letters out, which it does not tell by its exit code.
    pub(crate) fn send(&self, to: SocketAddr) -> Result<Cost> {
        let database = PgConnectOptions::from_str(&self.database.url())?;
        let here = self.folder.path();
        let settings = serde_json::json!({
            "openpgp": { "always_sign": false, "gnupg_home": here.join("gnupg"), "signing_key": "-" },
            "database": { "event": {
                "name": database.get_database(), "username": database.get_username(), "password": "",
                "host": database.get_host(), "port": database.get_port() } },
            "template_dir": here,
            "script_directory": here.join("formats"),
            "sender": "Agency of the Coalition <notices@agency.example>",
            "smtp": { "host": to.ip().to_string(), "port": to.port() },
            "logging_level": "WARNING",
        });
        let file = here.join("settings.json");
        fs::write(&file, settings.to_string())?;
        let mut command = timed(&self.program);
        command
            .args(["--all", "--config"])
            .arg(file)
            .env("HOME", here);
        let cost = Cost::of(&mut command)?;
        self.all_sent()?;
        Ok(cost)
    }

    fn all_sent(&self) -> Result<()> {
        let left: i64 = Runtime::new()?.block_on(async {
            let mut connection = PgConnection::connect(&self.database.url()).await?;
            sqlx::query_scalar("SELECT COUNT(*) FROM directives WHERE sent_id IS NULL")
                .fetch_one(&mut connection)
                .await
        })?;
        ensure!(left == 0, "intelmqmail has left {left} events out");
        Ok(())
    }
}
