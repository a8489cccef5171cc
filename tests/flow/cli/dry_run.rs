//! `--dry-run`: the answer of the command, and nothing written anywhere.

use sqlx::{AnyConnection, AssertSqlSafe, Connection};

use super::Office;
use crate::story;

const TABLES: [&str; 23] = [
    "attachment",
    "attempt",
    "audit",
    "campaign",
    "contact",
    "contact_override",
    "decision",
    "delivery",
    "finding",
    "hold",
    "import",
    "letter",
    "network",
    "notice",
    "refusal",
    "schedule",
    "schedule_run",
    "signatory",
    "signatory_name",
    "standing",
    "suspect",
    "table_load",
    "wave",
];

/// What the database holds: rows a table, and every state.
async fn rows(office: &Office) -> Vec<String> {
    sqlx::any::install_default_drivers();
    let file = office.path("letters.db");
    let url = office.url.replace("letters.db", &file.to_string_lossy());
    let mut database = AnyConnection::connect(&url).await.unwrap();
    let mut rows = Vec::new();
    for table in TABLES {
        let sql = format!("SELECT COUNT(*) FROM {table}");
        let count: i64 = sqlx::query_scalar(AssertSqlSafe(sql))
            .fetch_one(&mut database)
            .await
            .unwrap();
        rows.push(format!("{table} {count}"));
    }
    for sql in [
        "SELECT name || ' ' || state || ' ' || COALESCE(resolved_at, 0) || ' ' || COALESCE(composed_at, 0) FROM campaign ORDER BY id",
        "SELECT recipient || ' ' || state FROM delivery ORDER BY id",
        "SELECT id || ' ' || COALESCE(mailbox, 'never') || ' ' || COALESCE(removed_by, '') FROM contact_override ORDER BY id",
        "SELECT id || ' ' || COALESCE(removed_by, '') FROM hold ORDER BY id",
        "SELECT name || ' ' || zone || ' ' || paused_by || ' ' || COALESCE(removed_by, '') FROM schedule ORDER BY id",
        "SELECT id || ' ' || message_id FROM letter ORDER BY id",
        "SELECT name || ' ' || told_at FROM network ORDER BY id",
    ] {
        let found: Vec<String> = sqlx::query_scalar(sql)
            .fetch_all(&mut database)
            .await
            .unwrap();
        rows.extend(found);
    }
    database.close().await.unwrap();
    rows
}

/// Every command that writes, in the order of a campaign's life, and how it ends.
const WRITING: &[(&str, i32)] = &[
    ("table load networks.csv", 0),
    ("signatory import roll.csv", 0),
    ("override add AS64497 --mailbox desk@linde.example", 0),
    ("override import overrides.csv", 0),
    ("override remove 1", 0),
    ("campaign new trial", 0),
    ("import trial feed.csv --allow-documentation", 3),
    ("resolve trial", 0),
    ("compose trial", 0),
    ("preview trial --to letters", 0),
    ("refused trial --to refused.csv", 0),
    ("unplaced trial --to unplaced.csv", 0),
    ("campaign submit trial --as author", 0),
    ("campaign return trial --as reviewer --reason unclear", 0),
    ("campaign submit trial --as author", 0),
    ("campaign approve trial --as reviewer", 0),
    ("hold add --domain prairie.example --reason asked", 0),
    ("hold remove 1", 0),
    ("campaign pause trial", 0),
    ("campaign resume trial", 0),
    ("send trial", 0),
    ("schedule add weekly --cron @weekly --feed feeds", 0),
    ("schedule change weekly --zone Asia/Tokyo", 0),
    ("schedule approve weekly --as reviewer", 0),
    ("run --schedule weekly --now", 0),
    ("schedule pause weekly", 0),
    ("schedule resume weekly", 0),
    ("schedule remove weekly", 0),
    ("campaign new other", 0),
    ("campaign cancel other --yes", 0),
];

story!(a_dry_run_answers_and_writes_nothing, world, {
    let office = Office::beside(&world);
    let said = office.well("init --dry-run");
    assert!(said.contains("lapwing.toml would be written"), "{said}");
    assert_eq!(office.files(), Vec::<String>::new());
    assert!(!office.path("letters.db").exists());

    let office = Office::furnished(&world);
    office.file(
        "overrides.csv",
        "subject,mailbox\nAS64498,desk@prairie.example\n",
    );
    std::fs::create_dir(office.path("feeds")).unwrap();
    for (line, code) in WRITING {
        let before = (rows(&office).await, office.files());
        let ran = office.run(&format!("{line} --dry-run"));
        assert_eq!(
            ran.code, *code,
            "lapwing {line} --dry-run\n{}{}",
            ran.out, ran.err
        );
        assert!(
            ran.out.contains("Nothing was written (--dry-run)"),
            "{line}: {}",
            ran.out
        );
        assert!(!ran.out.contains("Next: "), "{line}: {}", ran.out);
        let (told, json) = office.json(&format!("{line} --dry-run"));
        assert_eq!(
            (told.len(), json),
            (1, *code),
            "lapwing {line} --dry-run --json"
        );
        assert_eq!(
            (rows(&office).await, office.files()),
            before,
            "lapwing {line} --dry-run"
        );

        assert_eq!(office.run(line).code, *code, "lapwing {line}");
        assert_ne!(
            (rows(&office).await, office.files()),
            before,
            "lapwing {line}"
        );
    }
});

story!(a_dry_run_foretells, world, {
    let office = Office::furnished(&world);
    office.well("table load networks.csv");
    office.well("campaign new trial");
    for line in [
        "import trial feed.csv --allow-documentation",
        "compose trial",
        "campaign submit trial",
    ] {
        if line.starts_with("compose") {
            office.well("resolve trial");
        }
        let (foretold, _) = office.json(&format!("{line} --dry-run"));
        let (told, _) = office.json(line);
        for key in [
            "rows", "fresh", "repeated", "refused", "letters", "notices", "suspects",
        ] {
            assert_eq!(foretold[0][key], told[0][key], "{line}: {key}");
        }
    }
});
