//! Whatever somebody decides is on the trail, and nobody changes the trail unseen.

use std::collections::BTreeSet;
use std::path::Path;

use lapwing::model::{
    AuditRow, CHAIN_BEGIN, Hold, HoldSubject, NewCampaign, Origin, Progress, Span,
};
use lapwing::store::{AuditFilter, Store};

use crate::send::desk;
use crate::story;
use crate::track::{all as answers, answer, comes_back};
use crate::world::World;

/// Every method of the store by which somebody decides, and what it writes down. Whoever adds one adds it here,
/// and to the story below.
const DEEDS: [(&str, &str); 34] = [
    ("add_campaign", "campaign new"),
    ("add_hold", "hold add"),
    ("add_override", "override add"),
    ("add_schedule", "schedule add"),
    ("add_table_load", "table load"),
    ("approve_suppression", "suppression approve"),
    ("begin_drawing", "campaign draw"),
    ("begin_import", "import"),
    ("begin_resolving", "resolve"),
    ("begin_run_campaign", "campaign new"),
    ("begin_table_load", "table begin"),
    ("change_schedule", "schedule change"),
    ("decide", "campaign submit"),
    ("decide", "campaign approve"),
    ("decide", "campaign return"),
    ("decide", "campaign pause"),
    ("decide", "campaign resume"),
    ("decide", "campaign cancel"),
    ("end_standing", "schedule approve"),
    ("gather_again", "import"),
    ("give_standing", "schedule approve"),
    ("judge", "reply class"),
    ("open_round", "follow-up"),
    ("pause_schedule", "schedule pause"),
    ("put_signatories", "signatory import"),
    ("remove_hold", "hold remove"),
    ("remove_override", "override remove"),
    ("remove_schedule", "schedule remove"),
    ("remove_suppression", "suppression remove"),
    ("reopen", "campaign void"),
    ("resume_schedule", "schedule resume"),
    ("retry", "campaign retry"),
    ("rotate_token_key", "key rotate"),
    ("set_reply_state", "reply set"),
];

/// The rest: of these the story needs no command of its own.
const MORE: [(&str, &str); 5] = [
    ("prune", "prune"),
    ("prune", "prune end"),
    ("release_restored", "restore release"),
    ("set_waves", "campaign waves"),
    ("suppress", "suppression add"),
];

/// What a decision is handed over in; its method is told by it who decides.
const DECIDERS: [&str; 7] = [
    "by: &str",
    "&Decision",
    "&Hold",
    "&Override",
    "&Suppression",
    "&TableLoad",
    "&Judgement",
];

/// Methods that take part in a decision and leave writing it down to another.
const PARTS: [&str; 3] = ["begin_reading", "begin_pruning", "forget_mail"];

fn deeds() -> impl Iterator<Item = (&'static str, &'static str)> {
    DEEDS.into_iter().chain(MORE)
}

/// Name, signature and body of every method of the store that anybody may call.
fn methods() -> Vec<(String, String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/store");
    let mut found = Vec::new();
    for entry in folder.read_dir().unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        for part in text.split("    pub async fn ").skip(1) {
            // A method of an `impl` ends where a brace closes at its own depth.
            let whole = part.split("\n    }\n").next().unwrap();
            let (signature, body) = whole.split_once(" {\n").unwrap_or((whole, ""));
            let name = signature.split('(').next().unwrap();
            found.push((name.to_owned(), signature.to_owned(), body.to_owned()));
        }
    }
    assert!(found.len() > 100, "{}", found.len());
    found
}

#[test]
fn every_method_that_is_told_who_decides_writes_it_down() {
    let known: BTreeSet<&str> = deeds().map(|(method, _)| method).collect();
    let mut acting = BTreeSet::new();
    for (name, signature, body) in methods() {
        let acts = body.contains("self.act(") || PARTS.iter().any(|part| body.contains(part));
        let is_told = DECIDERS.iter().any(|one| {
            let mut rests = signature.split(one).skip(1);
            rests.any(|rest| !rest.starts_with(char::is_alphanumeric))
        });
        assert!(
            acts || !is_told,
            "{name} is told who decides: begin with `self.act`, end with `written`"
        );
        if acts {
            acting.insert(name);
        }
    }
    let acting: BTreeSet<&str> = acting.iter().map(String::as_str).collect();
    assert_eq!(
        acting, known,
        "DEEDS names every method that acts, and no other"
    );
}

async fn trail(world: &World) -> Vec<AuditRow> {
    let all = AuditFilter::default();
    world.store.audit(&all, 0, 10_000).await.unwrap()
}

/// Runs a command that must succeed.
fn ran(world: &World, arguments: &[&str]) -> String {
    let ran = world.lapwing(arguments);
    assert_eq!(ran.code, 0, "{arguments:?}\n{}\n{}", ran.out, ran.err);
    ran.out
}

/// Decides whatever can be decided, as people do.
async fn decide_everything(world: &mut World) {
    crate::send::queue(world, 3).await;
    world.answers(&format!("RCPT {} 550 5.7.1 blocked", desk(2)));
    world.send().await;
    world.sink.rules().clear();
    let person = answer(
        "From: bob@isp001.example\r\nSubject: thanks\r\n",
        "Cleaned.",
    );
    comes_back(world, "notices@coalition.example", &person).await;
    let message = answers(world).await[0].id.to_string();
    std::fs::write(
        world.dir().join("roll.csv"),
        "agency,country,from\nDemo Agency,US,2026-01-01\n",
    )
    .unwrap();
    let address = desk(3);
    for command in [
        "suppression add abuse@isp002.example --reason dead --as anna",
        "follow-up trial next --as anna",
        "suppression remove 1 --as bert",
        "campaign retry trial --cause 5.7 --reason unlisted --as anna",
        "campaign pause trial --reason wait --as anna",
        "campaign resume trial --as bert",
        "campaign cancel trial --yes --as anna",
        "campaign new list --letter advisory --as anna",
        "campaign draw list --country JP --as anna",
        "campaign waves list --wave * --as anna",
        "hold add --domain isp001.example --reason asked --as anna",
        "hold remove 1 --as bert",
        "override add 192.0.2.0/24 --never --reason ours --as anna",
        "override remove 1 --as bert",
        "signatory import roll.csv --as anna",
        "key rotate --as anna",
    ] {
        // The one argument with a space in it.
        let arguments: Vec<String> = command
            .split(' ')
            .map(|word| word.replace('*', "2026-12-01 *"))
            .collect();
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        ran(world, &arguments);
    }
    ran(world, &["reply", "set", &message, "closed", "--as", "anna"]);
    ran(
        world,
        &["reply", "class", &message, "other", "--as", "bert"],
    );
    ran(
        world,
        &[
            "suppression",
            "add",
            &address,
            "--reason",
            "they asked",
            "--as",
            "anna",
        ],
    );
    ran(world, &["suppression", "remove", "2", "--as", "bert"]);
    let proposed = lapwing::model::Suppression {
        id: 0,
        address: desk(1).parse().unwrap(),
        cause: lapwing::model::SuppressionCause::Staff,
        reason: "theirs".to_owned(),
        incoming: None,
        by: "anna".to_owned(),
        at: world.now,
        approved_by: None,
        until: None,
    };
    let id = world.store.suppress(&proposed).await.unwrap().to_string();
    ran(world, &["suppression", "approve", &id, "--as", "bert"]);
    // A second campaign goes the ways that the first did not.
    let table = "range,country,abuse\n198.51.100.0/24,US,abuse@other.example\n";
    world.table(table).await;
    std::fs::write(world.dir().join("feed.csv"), "198.51.100.7\n").unwrap();
    for command in [
        "campaign new second --as anna",
        "import second feed.csv --allow-documentation --as anna",
        "resolve second --as anna",
        "compose second --as anna",
        "campaign submit second --as anna",
        "campaign return second --reason no --as bert",
        "campaign submit second --as anna",
        "compose second --as anna",
        "schedule add weekly --cron @weekly --zone UTC --feed feeds --letter notice --as anna",
        "schedule change weekly --max-lateness 3h --as anna",
        "schedule pause weekly --reason wait --as anna",
        "schedule resume weekly --as bert",
        "schedule approve weekly --most 200 --most-new 20 --until 2037-02-16 --as bert",
        "schedule approve weekly --end --as bert",
        "schedule remove weekly --as anna",
    ] {
        ran(world, &command.split(' ').collect::<Vec<_>>());
    }
    // As one that came out of a backup.
    let sql = "UPDATE campaign SET restored_at = 1 WHERE name = 'second'";
    world.behind_our_back(sql).await;
    ran(world, &["restore", "--release", "--as", "anna"]);
    for sql in [
        "UPDATE decision SET decided_at = 1000",
        "UPDATE delivery SET ended_at = 1000 WHERE ended_at IS NOT NULL",
    ] {
        world.behind_our_back(sql).await;
    }
    ran(world, &["prune", "--yes", "--as", "anna"]);
}

story!(every_decision_is_on_the_trail, world, {
    decide_everything(&mut world).await;
    let rows = trail(&world).await;
    let told: BTreeSet<&str> = rows.iter().map(|row| row.action.as_str()).collect();
    let known: BTreeSet<&str> = deeds().map(|(_, action)| action).collect();
    assert_eq!(told, known);

    // Who, about what, from where, before and after.
    let last = |action: &str| {
        let row = rows.iter().rev().find(|row| row.action == action);
        row.unwrap_or_else(|| panic!("{action}"))
    };
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    for (action, by, about, before, after) in [
        (
            "campaign pause",
            "anna",
            "trial",
            "{\"state\":\"approved\"}",
            "\"reason\":\"wait\"",
        ),
        (
            "campaign resume",
            "bert",
            "trial",
            "{\"state\":\"paused\"}",
            "\"approved\"",
        ),
        (
            "hold add",
            "anna",
            "isp001.example",
            "null",
            "\"reason\":\"asked\"",
        ),
        (
            "hold remove",
            "bert",
            "isp001.example",
            "\"by\":\"anna\"",
            "\"freed\":0",
        ),
        (
            "override remove",
            "bert",
            "192.0.2.0/24",
            "\"owner\":\"anna\"",
            "null",
        ),
        (
            "suppression approve",
            "bert",
            "abuse@isp001.example",
            "\"by\":\"anna\"",
            "bert",
        ),
        (
            "reply set",
            "anna",
            "message 1",
            "open",
            "{\"state\":\"closed\"}",
        ),
        ("reply class", "bert", "message 1", "human", "other"),
        ("campaign retry", "anna", "trial", "settled", "unlisted"),
        ("signatory import", "anna", "roll", "[]", "Demo Agency"),
        ("import", "anna", "second", "null", "feed.csv"),
    ] {
        let row = last(action);
        assert_eq!(
            (row.by.as_str(), row.about.as_str()),
            (by, about),
            "{row:?}"
        );
        assert!(row.before.contains(before), "{row:?}");
        assert!(row.after.contains(after), "{row:?}");
        assert_eq!(row.from.host, host.trim(), "{row:?}");
        assert_eq!(row.from.via, "command line", "{row:?}");
        assert!(!row.from.user.is_empty(), "{row:?}");
    }
    // Neither a key nor what a letter says.
    let export = ran(&world, &["audit", "export"]);
    let keys = world.store.token_keys(world.now).await.unwrap();
    let letter = world.letter_to(&desk(1)).await;
    for secret in keys.0.iter().map(|key| lapwing::model::hex(&key.value)) {
        assert!(!export.contains(&secret));
    }
    assert!(!export.contains(&letter.subject), "{export}");

    let end = world.store.audit_end().await.unwrap();
    assert_eq!(end.number, rows.len() as i64);
    let verified = ran(&world, &["audit", "verify", "--expect", &rows[3].digest]);
    assert!(verified.contains(&end.digest), "{verified}");
    let listed = ran(
        &world,
        &["audit", "list", "--action", "hold", "--by", "bert"],
    );
    assert!(
        listed.contains("hold remove  isp001.example  by bert"),
        "{listed}"
    );
    assert!(!listed.contains("hold add"), "{listed}");
    assert!(listed.contains(&end.digest), "{listed}");
});

story!(what_is_refused_leaves_no_row, world, {
    crate::send::queue(&world, 1).await;
    let before = world.store.audit_end().await.unwrap();
    for (command, code) in [
        ("campaign approve trial --as anna", 5),
        ("campaign resume trial", 5),
        ("campaign new trial", 5),
        ("hold remove 7", 4),
        ("override remove 7", 4),
        ("suppression approve 7", 4),
        ("reply set 7 closed", 4),
        ("campaign pause trial --dry-run", 0),
    ] {
        let ran = world.lapwing(&command.split(' ').collect::<Vec<_>>());
        assert_eq!(ran.code, code, "{command}: {}", ran.err);
    }
    assert_eq!(world.store.audit_end().await.unwrap(), before);
});

/// Runs it with what the database is told by somebody who may do everything there.
async fn behind(world: &World, sql: &str) -> Result<u64, String> {
    use sqlx::Connection;
    let mut connection = sqlx::AnyConnection::connect(&world.url).await.unwrap();
    let done = sqlx::query(sqlx::AssertSqlSafe(sql.to_owned()))
        .execute(&mut connection)
        .await;
    connection.close().await.unwrap();
    done.map(|done| done.rows_affected())
        .map_err(|error| error.to_string())
}

/// What is left when somebody has taken the triggers away.
async fn disarm(world: &World) {
    let triggers: &[&str] = match world.url.starts_with("sqlite:") {
        true => &[
            "DROP TRIGGER audit_unchanged",
            "DROP TRIGGER audit_kept",
            "DROP TRIGGER audit_not_replaced",
        ],
        false => &[
            "DROP TRIGGER audit_unchanged ON audit",
            "DROP TRIGGER audit_kept ON audit",
        ],
    };
    for sql in triggers {
        behind(world, sql).await.unwrap();
    }
}

story!(the_database_itself_refuses_to_change_the_trail, world, {
    world.campaign().await;
    world.feed("192.0.2.1\n").await;
    let rows = trail(&world).await;
    assert!(rows.len() >= 2);
    let mut tries = vec![
        "UPDATE audit SET done_by = 'nobody'",
        "UPDATE audit SET became = 'null' WHERE number = 1",
        "DELETE FROM audit WHERE number = 2",
        "DELETE FROM audit",
    ];
    match world.url.starts_with("sqlite:") {
        true => tries.push(
            "INSERT OR REPLACE INTO audit SELECT number, done_at, 'nobody', host, os_user, via, action, about, was,
                    became, previous, digest FROM audit WHERE number = 1",
        ),
        false => tries.push("TRUNCATE audit"),
    }
    for sql in tries {
        let refused = behind(&world, sql).await.unwrap_err();
        assert!(
            refused.contains("rows are only ever added"),
            "{sql}: {refused}"
        );
    }
    assert_eq!(trail(&world).await, rows);
});

story!(who_changes_the_trail_is_found_out, world, {
    crate::send::queue(&world, 2).await;
    let written_down = trail(&world).await;
    let count = written_down.len() as i64;
    let last = written_down.last().unwrap().digest.clone();
    disarm(&world).await;

    // The end cut off, and the database told that it was always so.
    behind(
        &world,
        &format!("DELETE FROM audit WHERE number > {}", count - 2),
    )
    .await
    .unwrap();
    let said = world.lapwing(&["audit", "verify"]);
    assert_eq!(said.code, 1, "{}", said.out);
    let cut = format!("the end was cut off: row {} is the last", count - 2);
    assert!(said.err.contains(&cut), "{}", said.err);
    let shorter = &written_down[written_down.len() - 3].digest;
    behind(
        &world,
        &format!(
            "UPDATE audit_end SET number = {}, digest = '{shorter}'",
            count - 2
        ),
    )
    .await
    .unwrap();
    // Nothing in the database shows it any more; what was written down elsewhere does.
    ran(&world, &["audit", "verify"]);
    let said = world.lapwing(&["audit", "verify", "--expect", &last]);
    assert_eq!(said.code, 1);
    assert!(said.err.contains("no row bears the digest"), "{}", said.err);
    ran(&world, &["audit", "verify", "--expect", shorter]);

    behind(
        &world,
        "UPDATE audit SET done_by = 'nobody' WHERE number = 3",
    )
    .await
    .unwrap();
    let said = world.lapwing(&["audit", "verify", "--json"]);
    assert_eq!(said.code, 1);
    assert!(
        said.err.contains("row 3 is not as it was written"),
        "{}",
        said.err
    );
    behind(&world, "DELETE FROM audit WHERE number = 2")
        .await
        .unwrap();
    let said = world.lapwing(&["audit", "verify"]);
    assert!(said.err.contains("row 2 is missing"), "{}", said.err);
});

/// A hold by each of many, all at once, in two processes' worth of connections.
async fn all_at_once(world: &World) {
    let other = Store::open(&world.url).await.unwrap();
    let stores = [world.store.clone(), other];
    let mut tasks = Vec::new();
    for n in 0..40 {
        let from = Origin {
            host: format!("host{}", n % 2),
            user: "desk".to_owned(),
            via: format!("192.0.2.{n}"),
        };
        let store = stores[n % 2].clone().acting_from(from);
        let hold = Hold {
            id: 0,
            subject: HoldSubject::Domain(format!("isp{n}.example").parse().unwrap()),
            reason: "all at once".to_owned(),
            by: format!("person {n}"),
            at: world.now.plus(Span::seconds(n as i64)),
            until: None,
        };
        tasks.push(tokio::spawn(async move { store.add_hold(&hold).await }));
    }
    for task in tasks {
        task.await.unwrap().unwrap();
    }
}

story!(many_who_decide_at_once_write_one_chain, world, {
    all_at_once(&world).await;
    let rows = trail(&world).await;
    assert_eq!(rows.len(), 40);
    assert_eq!(rows[0].previous, CHAIN_BEGIN);
    let people: BTreeSet<&str> = rows.iter().map(|row| row.by.as_str()).collect();
    assert_eq!(people.len(), 40);
    for row in &rows {
        let n = row.by.strip_prefix("person ").unwrap();
        assert_eq!(row.from.via, format!("192.0.2.{n}"));
    }
    let verified = world.store.verify_audit(None, &Progress::default()).await;
    let verified = verified.unwrap();
    assert_eq!((verified.end.number, verified.broken), (40, None));
});

story!(an_exported_trail_can_be_worked_out_by_anybody, world, {
    let new = NewCampaign::new("größer", "notice");
    world
        .store
        .add_campaign(&new, "Änne", world.now)
        .await
        .unwrap();
    world.campaign().await;
    let file = world.dir().join("trail.jsonl");
    ran(&world, &["audit", "export", "--to", file.to_str().unwrap()]);
    let mut previous = CHAIN_BEGIN.to_owned();
    for line in std::fs::read_to_string(file).unwrap().lines() {
        let row: serde_json::Value = serde_json::from_str(line).unwrap();
        let text = |key: &str| match &row[key] {
            serde_json::Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        assert_eq!(text("previous"), previous);
        let mut bytes = Vec::new();
        let mut add = |piece: &str| {
            bytes.extend((piece.len() as u64).to_be_bytes());
            bytes.extend(piece.as_bytes());
        };
        add("lapwing audit 1");
        for key in [
            "previous", "number", "at_ms", "by", "host", "user", "via", "action", "about",
            "before", "after",
        ] {
            add(&text(key));
        }
        use sha2::Digest;
        previous = lapwing::model::hex(&sha2::Sha256::digest(&bytes));
        assert_eq!(text("digest"), previous, "{line}");
    }
    assert_eq!(world.store.audit_end().await.unwrap().digest, previous);
});
