//! The database itself: its words are the program's, and it is made once, whoever comes first.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use lapwing::model::{
    Answer, AnswerOutcome, Answered, CampaignKind, CampaignState, Class, DecisionKind,
    DeliveryState, Fate, FoundBy, HoldSubject, NewCampaign, OutcomeKind, ReplyState, RunState,
    RunStep, SheetMail, SlotOf, SuppressionCause, Teller, Terminal, Tlp, Verdict, Via, Wait, WayIn,
};
use lapwing::store::{Error, Store};

use crate::cluster;
use crate::story;

/// The words of every `CONSTRAINT known_… CHECK (… IN (…))` in the migrations.
fn checked_words() -> BTreeMap<String, Vec<String>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations");
    let mut checks = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let sql = fs::read_to_string(entry.unwrap().path()).unwrap();
        for check in sql.split("CONSTRAINT known_").skip(1) {
            let (name, rest) = check.split_once(' ').unwrap();
            let (_, rest) = rest.split_once(" IN (").unwrap();
            let (words, _) = rest.split_once(')').unwrap();
            let words = words
                .split(',')
                .map(|word| word.trim().trim_matches('\'').to_owned());
            checks.insert(name.to_owned(), words.collect());
        }
    }
    checks
}

#[test]
fn the_words_of_the_database_are_those_of_the_program() {
    let terminals = [Terminal::Pc, Terminal::Mobile, Terminal::Unknown];
    let known = BTreeMap::from([
        (
            "campaign_state",
            CampaignState::ALL.map(CampaignState::as_str).to_vec(),
        ),
        (
            "campaign_kind",
            CampaignKind::ALL.map(CampaignKind::as_str).to_vec(),
        ),
        (
            "tlp",
            [""].into_iter().chain(Tlp::ALL.map(Tlp::as_str)).collect(),
        ),
        (
            "decision",
            DecisionKind::ALL.map(DecisionKind::as_str).to_vec(),
        ),
        (
            "delivery_state",
            DeliveryState::ALL.map(DeliveryState::as_str).to_vec(),
        ),
        (
            "outcome",
            OutcomeKind::ALL.map(OutcomeKind::as_str).to_vec(),
        ),
        ("answer", AnswerOutcome::WORDS.to_vec()),
        ("source", Answer::SOURCES.to_vec()),
        ("via", Via::ALL.map(Via::as_str).to_vec()),
        ("override_name", vec!["handle", "domain"]),
        (
            "slot",
            [""].into_iter()
                .chain(SlotOf::ALL.map(SlotOf::as_str))
                .collect(),
        ),
        ("hold", HoldSubject::KINDS.to_vec()),
        (
            "wait",
            [""].into_iter()
                .chain(Wait::ALL.map(Wait::as_str))
                .collect(),
        ),
        ("way_in", WayIn::ALL.map(WayIn::as_str).to_vec()),
        ("class", Class::ALL.map(Class::as_str).to_vec()),
        ("match", FoundBy::ALL.map(FoundBy::as_str).to_vec()),
        (
            "reply_state",
            ReplyState::ALL.map(ReplyState::as_str).to_vec(),
        ),
        ("weight", vec!["", "hard", "soft", "ours"]),
        ("fate", Fate::ALL.map(Fate::as_str).to_vec()),
        ("answered", Answered::ALL.map(Answered::as_str).to_vec()),
        (
            "cause",
            SuppressionCause::ALL.map(SuppressionCause::as_str).to_vec(),
        ),
        ("teller", Teller::ALL.map(Teller::as_str).to_vec()),
        ("run_state", RunState::ALL.map(RunState::as_str).to_vec()),
        ("run_step", RunStep::ALL.map(RunStep::as_str).to_vec()),
        ("sheet_mail", SheetMail::ALL.map(SheetMail::as_str).to_vec()),
        ("terminal", terminals.map(Terminal::as_str).to_vec()),
        ("verdict", Verdict::WORDS.to_vec()),
    ]);
    let checked = checked_words();
    let names: Vec<&str> = checked.keys().map(String::as_str).collect();
    assert_eq!(names, Vec::from_iter(known.keys().copied()));
    for (name, words) in known {
        let mut words: Vec<String> = words.into_iter().map(str::to_owned).collect();
        let mut in_sql = checked[name].clone();
        words.sort();
        in_sql.sort();
        assert_eq!(words, in_sql, "{name}");
    }
}

story!(a_word_that_nobody_knows_does_not_get_in, world, {
    world.feed("192.0.2.1\n").await;
    for sql in [
        "UPDATE campaign SET state = 'sent'",
        "UPDATE suspect SET terminal = 'tv'",
    ] {
        let mut connection = <sqlx::AnyConnection as sqlx::Connection>::connect(&world.url)
            .await
            .unwrap();
        let error = sqlx::query(sql).execute(&mut connection).await.unwrap_err();
        assert!(error.to_string().contains("known_"), "{error}");
    }
});

story!(making_what_is_there_changes_nothing, world, {
    world.feed("192.0.2.1\n192.0.2.2\n").await;
    for _ in 0..2 {
        let store = Store::create(&world.url).await.unwrap();
        store.close().await;
    }
    assert_eq!(world.sums().await.of("waiting"), 2);
    Store::open(&world.url).await.unwrap().close().await;
});

/// Starts so many at once on a fresh database, as containers do.
async fn start_at_once(url: &str) {
    let starts: Vec<_> = (0..8)
        .map(|number| {
            let url = url.to_owned();
            tokio::spawn(async move {
                let store = Store::create(&url).await?;
                let name = format!("campaign-{number}");
                let added = store
                    .add_campaign(
                        &NewCampaign::new(&name, "notice"),
                        "author",
                        crate::world::START,
                    )
                    .await;
                store.close().await;
                added.map(|campaign| campaign.name)
            })
        })
        .collect();
    for (number, start) in starts.into_iter().enumerate() {
        assert_eq!(start.await.unwrap().unwrap(), format!("campaign-{number}"));
    }
    let store = Store::open(url).await.unwrap();
    assert_eq!(store.campaigns().await.unwrap().len(), 8);
    store.close().await;
}

/// Two workers are fewer than those who start: none may wait for another by holding one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_who_start_at_once_make_one_file() {
    let dir = tempfile::tempdir().unwrap();
    start_at_once(&format!(
        "sqlite:{}",
        dir.path().join("lapwing.db").display()
    ))
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_who_start_at_once_make_one_schema() {
    if let Some(database) = cluster::database() {
        start_at_once(&database.url()).await;
    }
}

/// What `open` says of a database that is not ready.
async fn not_ready(url: &str) -> String {
    match Store::open(url).await {
        Err(Error::NotReady(why)) => why,
        other => panic!("{url}: {:?}", other.map(|_| "opened")),
    }
}

#[tokio::test]
async fn a_file_that_is_not_there_or_not_made_is_not_ready() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("missing.db");
    let said = not_ready(&format!("sqlite:{}", missing.display())).await;
    assert!(said.contains("lapwing init"), "{said}");
    assert!(!missing.exists(), "looking makes no file");

    let said = not_ready(&format!(
        "sqlite:{}/no/such/folder/x.db",
        dir.path().display()
    ))
    .await;
    assert!(said.contains("lapwing init"), "{said}");

    let empty = dir.path().join("empty.db");
    fs::write(&empty, "").unwrap();
    let said = not_ready(&format!("sqlite:{}", empty.display())).await;
    assert!(said.contains("lapwing init"), "{said}");
}

#[tokio::test]
async fn a_server_without_the_database_or_its_tables_is_not_ready() {
    let Some(database) = cluster::database() else {
        return;
    };
    let said = not_ready(&database.url()).await;
    assert!(said.contains("lapwing init"), "{said}");
    let said = not_ready(&format!("{}_nowhere", database.url())).await;
    assert!(said.contains("create it first"), "{said}");
}

story!(a_database_of_another_version_is_not_opened, world, {
    world
        .behind_our_back(
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
             SELECT 9999, 'of tomorrow', success, checksum, 0 FROM _sqlx_migrations WHERE version = 1",
        )
        .await;
    let said = not_ready(&world.url).await;
    assert!(said.contains("not of this version"), "{said}");
});

#[tokio::test]
async fn what_is_no_database_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let letter = dir.path().join("letter.txt");
    fs::write(&letter, "Dear abuse desk, ".repeat(100)).unwrap();
    for (url, said) in [
        (format!("sqlite:{}", letter.display()), "not a database"),
        (
            "mysql://localhost/x".to_owned(),
            "neither sqlite:FILE nor postgres:",
        ),
        ("sqlite::memory:".to_owned(), "write sqlite:FILE"),
    ] {
        let error = Store::open(&url).await.err().unwrap().to_string();
        assert!(error.contains(said), "{error}");
    }
}
