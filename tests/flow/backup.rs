//! A backup is whole, goes back to where it came from, and sends nothing again without being asked.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use lapwing::model::{Progress, Timestamp};
use lapwing::service::{Event, Sender};
use lapwing::store::{AuditFilter, Store};
use serde_json::Value;

use crate::cluster::{self, Database};
use crate::migrations::older;
use crate::send::{desk, queue};
use crate::story;
use crate::world::{Ran, World};

fn is_file(world: &World) -> bool {
    world.url.starts_with("sqlite:")
}

/// Another place on the same engine, with nothing in it.
fn elsewhere(world: &World, name: &str) -> (String, Option<Database>) {
    match is_file(world) {
        true => (format!("sqlite:{}", world.dir().join(name).display()), None),
        false => {
            let database = cluster::database().unwrap();
            (database.url(), Some(database))
        }
    }
}

/// What a command that must succeed tells, as JSON.
fn told(world: &World, arguments: &[&str]) -> Value {
    let ran = world.lapwing(&[arguments, &["--json"]].concat());
    assert_eq!(ran.code, 0, "{arguments:?}\n{}\n{}", ran.out, ran.err);
    serde_json::from_str(&ran.out).unwrap()
}

fn refused(ran: &Ran, code: i32, said: &str) {
    assert_eq!(ran.code, code, "{}\n{}", ran.out, ran.err);
    assert!(ran.err.contains(said), "{}", ran.err);
}

/// Everything lets go of the database: workers have been stopped.
async fn stop(world: &World) {
    world.store.close().await;
}

async fn start(world: &mut World) {
    world.store = Store::open(&world.url).await.unwrap();
}

/// Whom the mail server has a letter for, each as often as it got one.
fn received(world: &World) -> Vec<String> {
    let received = world.sink.received();
    let mut to: Vec<String> = received
        .iter()
        .flat_map(|one| one.recipients.iter().map(|to| to.address.clone()))
        .collect();
    to.sort();
    to
}

story!(
    a_copy_taken_while_others_write_is_whole_and_goes_back,
    world,
    {
        queue(&world, 4).await;
        world.answers(&format!("RCPT {} 451 4.7.1 later", desk(2)));
        world.answers(&format!("RCPT {} 451 4.7.1 later", desk(3)));
        assert_eq!(world.send().await.accepted, 2);
        // Somebody had claimed one and not begun.
        world.later("1h");
        let claimed = world.claim(1).await;
        assert_eq!(claimed, 1);

        // Feeds come in all the while.
        let (store, now) = (world.store.clone(), world.now);
        let writing = tokio::spawn(async move {
            for n in 0..200 {
                let hold = format!("h{n}.example").parse().unwrap();
                let hold = lapwing::model::Hold {
                    id: 0,
                    subject: lapwing::model::HoldSubject::Domain(hold),
                    reason: "busy".to_owned(),
                    by: "anna".to_owned(),
                    at: now,
                    until: Some(Timestamp(now.0 + 1)),
                };
                store.add_hold(&hold).await.unwrap();
            }
        });
        let copies: Vec<Value> = (0..3)
            .map(|n| {
                let file = format!("copy-{n}");
                let told = told(&world, &["backup", &file]);
                let mode = world.dir().join(&file).metadata().unwrap().permissions();
                assert_eq!(mode.mode() & 0o777, 0o600, "keys lie in it");
                told
            })
            .collect();
        writing.await.unwrap();
        for (n, copy) in copies.iter().enumerate() {
            let (url, _database) = elsewhere(&world, &format!("restored-{n}.db"));
            let restored = told(
                &world,
                &["restore", &format!("copy-{n}"), "--database", &url],
            );
            assert_eq!(copy["rows"], restored["rows"]);
            assert_eq!(copy["rows"]["attempt"], 4, "{copy}");
            assert_eq!(restored["given_back"], 1, "{restored}");
            assert_eq!(restored["held"][0]["letters"], 2, "{restored}");
            let store = Store::open(&url).await.unwrap();
            // Each decision has one row on the trail, whenever the copy was taken.
            let rows = store.rows().await.unwrap();
            let verified = store
                .verify_audit(None, &Progress::default())
                .await
                .unwrap();
            assert_eq!(verified.broken, None);
            assert_eq!(verified.end.number, rows["audit"]);
            let filter = AuditFilter {
                action: Some("hold add".to_owned()),
                ..AuditFilter::default()
            };
            let holds = store.audit(&filter, 0, 1_000);
            assert_eq!(holds.await.unwrap().len() as i64, rows["hold"]);
            store.close().await;
        }
    }
);

story!(
    a_restored_copy_sends_nothing_again_without_being_asked,
    world,
    {
        queue(&world, 3).await;
        world.answers(&format!("RCPT {} 451 4.7.1 later", desk(2)));
        world.answers(&format!("RCPT {} 451 4.7.1 later", desk(3)));
        assert_eq!(world.send().await.accepted, 1);
        told(&world, &["backup", "before"]);
        // What the copy does not know: the others are sent, and one more campaign is approved and sent.
        world.sink.rules().clear();
        world.later("10m");
        assert_eq!(world.send().await.accepted, 2);
        let sent = received(&world);
        assert_eq!(sent, [desk(1), desk(2), desk(3)]);
        let since = world.store.audit_end().await.unwrap().digest;
        let hold = [
            "hold",
            "add",
            "--domain",
            "isp009.example",
            "--reason",
            "late",
        ];
        assert_eq!(world.lapwing(&hold).code, 0);
        let later = world.store.audit_end().await.unwrap().digest;

        refused(
            &world.lapwing(&["restore", "before", "--replace"]),
            5,
            "in use",
        );
        stop(&world).await;
        let restored = told(&world, &["restore", "before", "--replace"]);
        assert_eq!(restored["held"][0]["letters"], 2, "{restored}");
        let kept = restored["kept_as"].as_str().unwrap();
        if is_file(&world) {
            assert!(Path::new(kept).exists(), "{kept}");
        } else {
            let sql = format!("DELETE FROM {kept}.attempt WHERE outcome = 'deferred'");
            assert_eq!(world.behind_our_back(&sql).await, 2);
        }
        start(&mut world).await;
        world.later("10h");

        // By hand, as a service, and when somebody has them tried again: nothing leaves.
        let error = world.try_send().await.unwrap_err().to_string();
        assert!(
            error.contains("restore --release --campaign trial"),
            "{error}"
        );
        refused(&world.lapwing(&["send", "trial"]), 5, "is held");
        let told_by = serve_until_told(&world).await;
        assert!(told_by.contains("restore --release"), "{told_by}");
        assert_eq!(
            world.claim(100).await,
            0,
            "not even a worker that does not look"
        );
        assert_eq!(received(&world), sent);
        let status = world.lapwing(&["status", "trial"]).out;
        assert!(status.contains("Nothing of it leaves"), "{status}");
        assert!(
            status.contains("Next: look into the mail server's log"),
            "{status}"
        );
        let held = world.lapwing(&["letter", "list", "trial", "--state", "held", "--json"]);
        assert_eq!(held.out.lines().count(), 2, "{}", held.out);

        // The trail goes on; that decisions are missing from it shows by what was written down.
        let verify = |digest: &str| world.lapwing(&["audit", "verify", "--expect", digest]);
        assert_eq!(verify(&since).code, 0);
        refused(&verify(&later), 1, "older copy");
        let rows = world.store.audit(&AuditFilter::default(), 0, 1_000).await;
        let row = rows.unwrap().pop().unwrap();
        assert_eq!(row.action, "restore");
        assert!(row.before.contains(&later), "what was replaced: {row:?}");

        // Asked to, it does; what was sent before the copy was taken is known.
        let released = told(
            &world,
            &[
                "restore",
                "--release",
                "--campaign",
                "trial",
                "--as",
                "anna",
            ],
        );
        assert_eq!(released["released"][0]["letters"], 2);
        assert_eq!(
            told(&world, &["restore", "--release"])["released"],
            Value::Array(vec![])
        );
        assert_eq!(world.send().await.accepted, 2);
        assert_eq!(
            received(&world),
            [desk(1), desk(2), desk(2), desk(3), desk(3)]
        );
    }
);

/// Serves until somebody is told something.
async fn serve_until_told(world: &World) -> String {
    let progress = Arc::new(Progress::default());
    let heard = std::sync::Mutex::new(String::new());
    let tell = |event: Event| {
        if !matches!(event, Event::Started { .. }) {
            heard.lock().unwrap().push_str(&event.to_string());
            progress.stop();
        }
    };
    let courier = lapwing::send::Courier::new(&world.config);
    let clock = world.clock();
    let settings = lapwing::send::Settings::from_config(&world.config, "worker").unwrap();
    let work = lapwing::send::Work {
        store: &world.store,
        courier: &courier,
        settings: &settings,
        clock: &clock,
        progress: &progress,
    };
    let sender = Sender { work, tell: &tell };
    sender.run().await.unwrap();
    heard.into_inner().unwrap()
}

impl World {
    /// How many letters another worker gets of so many.
    async fn claim(&self, most: usize) -> usize {
        let campaign = self.campaign().await;
        self.store.promote(self.now).await.unwrap();
        let until = Timestamp(self.now.0 + 600_000);
        let claimed = self.store.claim(campaign.id, "another", most, until).await;
        claimed.unwrap().len()
    }
}

story!(
    numbers_of_tickets_that_may_have_been_sent_are_not_given_again,
    world,
    {
        queue(&world, 1).await;
        told(&world, &["backup", "before"]);
        stop(&world).await;
        told(&world, &["restore", "before", "--replace"]);
        start(&mut world).await;
        std::fs::write(world.dir().join("feed.csv"), "192.0.2.1\n").unwrap();
        for command in [
            "campaign new second",
            "import second feed.csv --allow-documentation",
            "resolve second",
            "compose second",
        ] {
            let ran = world.lapwing(&command.split(' ').collect::<Vec<_>>());
            assert_eq!(ran.code, 0, "{command}: {}", ran.err);
        }
        let ran = world.lapwing(&["letter", "list", "second", "--json"]);
        let letter: Value = serde_json::from_str(ran.out.lines().next().unwrap()).unwrap();
        let ticket = letter["ticket"].as_str().unwrap();
        assert!(ticket.starts_with("LW-1000"), "{ticket}");
        // It is a campaign of its own time, which no copy knows.
        for command in [
            "campaign submit second --as anna",
            "campaign approve second --as bert",
            "send second",
        ] {
            let ran = world.lapwing(&command.split(' ').collect::<Vec<_>>());
            assert_eq!(ran.code, 0, "{command}: {}", ran.err);
        }
    }
);

fn rows(world: &World) -> Value {
    told(world, &["backup", "counted", "--dry-run"])["rows"].clone()
}

story!(
    nothing_is_written_over_and_what_is_no_copy_changes_nothing,
    world,
    {
        queue(&world, 2).await;
        told(&world, &["backup", "copy"]);
        let copy = world.dir().join("copy");
        let whole = std::fs::read(&copy).unwrap();
        refused(&world.lapwing(&["backup", "copy"]), 5, "--replace");
        assert_eq!(std::fs::read(&copy).unwrap(), whole);
        told(&world, &["backup", "copy", "--replace"]);
        let whole = std::fs::read(&copy).unwrap();

        stop(&world).await;
        let before = rows(&world);
        refused(&world.lapwing(&["restore", "copy"]), 5, "--replace");
        refused(&world.lapwing(&["restore", "none", "--replace"]), 4, "none");
        std::fs::write(world.dir().join("letter"), "Dear abuse desk").unwrap();
        refused(
            &world.lapwing(&["restore", "letter", "--replace"]),
            5,
            "no copy that lapwing backup",
        );
        let strange: &[u8] = match is_file(&world) {
            true => b"PGDMP of another engine",
            false => b"SQLite format 3\0 of another engine",
        };
        std::fs::write(world.dir().join("strange"), strange).unwrap();
        refused(
            &world.lapwing(&["restore", "strange", "--replace"]),
            5,
            "is a copy of a database in",
        );

        // Half of it, and one with its middle overwritten.
        std::fs::write(world.dir().join("half"), &whole[..whole.len() / 2]).unwrap();
        let mut rotten = whole.clone();
        let middle = rotten.len() / 2;
        rotten[middle - 6_000..middle + 6_000].fill(0xa5);
        std::fs::write(world.dir().join("rotten"), &rotten).unwrap();
        for file in ["half", "rotten"] {
            let ran = world.lapwing(&["restore", file, "--replace"]);
            assert_eq!(ran.code, 1, "{file}: {}{}", ran.out, ran.err);
            assert_eq!(rows(&world), before, "{file}");
        }
        // What SQLite lays beside a file while it is open comes and goes.
        let is_beside = |path: &PathBuf| {
            let name = path.to_string_lossy();
            name.ends_with("-shm") || name.ends_with("-wal")
        };
        let names = |world: &World| -> BTreeSet<PathBuf> {
            let entries = world.dir().read_dir().unwrap();
            let paths = entries.map(|entry| entry.unwrap().path());
            paths.filter(|path| !is_beside(path)).collect()
        };
        let left = names(&world);
        told(&world, &["restore", "copy", "--replace", "--dry-run"]);
        told(&world, &["backup", "other", "--dry-run"]);
        assert_eq!(names(&world), left);
        assert_eq!(rows(&world), before);
        let stray = left.iter().find(|path| {
            let name = path.to_string_lossy();
            name.contains("restoring") || name.ends_with(".part")
        });
        assert_eq!(stray, None);
        told(&world, &["restore", "copy", "--replace"]);
    }
);

story!(a_copy_of_an_earlier_version_is_brought_up_to_date, world, {
    let (url, _database) = older(&world, 15).await;
    let file = world.dir().join("old");
    match url.strip_prefix("sqlite:") {
        Some(path) => drop(std::fs::copy(path, &file).unwrap()),
        None => {
            let dumped = Command::new("pg_dump")
                .args(["--format=custom", "--file"])
                .arg(&file)
                .arg(format!("--dbname={url}"))
                .status();
            assert!(dumped.unwrap().success());
        }
    }
    let (to, _database) = elsewhere(&world, "new.db");
    let restored = told(&world, &["restore", "old", "--database", &to]);
    assert_eq!(restored["upgrade"]["from"], 15);
    assert_eq!(
        world
            .lapwing(&["migrate", "--check", "--database", &to])
            .code,
        0
    );
});

/// `pg_dump` and `pg_restore` as every process of the machine sees them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_password_goes_to_postgresql_s_programs_by_the_environment() {
    let Some(world) = World::on_postgres().await else {
        return;
    };
    let path = std::env::var("PATH").unwrap();
    let bin = world.dir().join("bin");
    std::fs::create_dir(&bin).unwrap();
    for program in ["pg_dump", "pg_restore"] {
        let script = format!(
            "#!/bin/sh\nprintf '%s\\n' \"$@\" >>\"$SEEN\"\nprintf '%s\\n' \"$PGPASSWORD\" >>\"$SEEN.env\"\n\
             PATH=\"{path}\" exec {program} \"$@\"\n"
        );
        let file = bin.join(program);
        std::fs::write(&file, script).unwrap();
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o755)).unwrap();
    }
    let (to, _database) = elsewhere(&world, "");
    let seen = world.dir().join("seen");
    for (url, command) in [(&world.url, "backup"), (&to, "restore")] {
        let ran = Command::new(env!("CARGO_BIN_EXE_lapwing"))
            .args([command, "copy", "--as", "anna"])
            .current_dir(world.dir())
            .env(
                "LAPWING_DATABASE_URL",
                url.replace("//lapwing@", "//lapwing:s3cr%65t@"),
            )
            .env("PATH", format!("{}:{path}", bin.display()))
            .env("SEEN", &seen)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&ran.stderr).into_owned();
        assert!(ran.status.success(), "{command}: {said}");
        assert!(
            !String::from_utf8_lossy(&ran.stdout).contains("s3cr"),
            "{command}"
        );
    }
    let arguments = std::fs::read_to_string(&seen).unwrap();
    assert!(
        arguments.contains("--dbname=postgres://lapwing@"),
        "{arguments}"
    );
    assert!(!arguments.contains("s3cr"), "{arguments}");
    let environment = std::fs::read_to_string(seen.with_extension("env")).unwrap();
    assert!(environment.contains("s3cret"), "{environment}");
    // Without the programs it says which, and where they come from.
    let ran = Command::new(env!("CARGO_BIN_EXE_lapwing"))
        .args(["backup", "another", "--as", "anna"])
        .current_dir(world.dir())
        .env("LAPWING_DATABASE_URL", &world.url)
        .env("PATH", "")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert_eq!(ran.status.code(), Some(5), "{said}");
    assert!(said.contains("pg_dump is not installed"), "{said}");
}
