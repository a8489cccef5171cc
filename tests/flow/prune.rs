//! What has been kept long enough goes, when it is told to; what proves a letter stays.

use lapwing::model::{NewCampaign, Progress, Span, Timestamp};
use lapwing::store::{AuditFilter, Retention};
use serde_json::Value;

use crate::send::desk;
use crate::story;
use crate::track::{Report, all as answers, answer, comes_back};
use crate::world::{Ran, World};

const TABLE: &str = "range,country,abuse
192.0.2.1/32,US,abuse@isp001.example
192.0.2.2/32,US,abuse@isp002.example
";

/// Word for word what a trap saw, in a sample, a row and a refused row.
const FEED: &str = "ip,seen,class,source,evidence,port,sample
192.0.2.1,2026-11-01T00:00:00Z,spam,trap,HELO zebrafish,25,\"Received: from zebrafish
Subject: buy

zebrafish\"
192.0.2.2,2026-11-01T00:00:00Z,spam,trap,HELO zebrafish,,
300.1.1.1,2026-11-01T00:00:00Z,spam,trap,HELO zebrafish,25,
";

fn told(ran: &Ran) -> Value {
    assert_eq!(ran.code, 0, "{}\n{}", ran.out, ran.err);
    serde_json::from_str(&ran.out).unwrap()
}

fn prune(world: &World, more: &[&str]) -> Value {
    told(&world.lapwing(&[&["prune", "--json"], more].concat()))
}

/// A campaign that was sent and answered, and another that is still being written.
async fn sent_and_answered(world: &mut World) {
    world.queue(TABLE, FEED).await;
    world.answers(&format!("RCPT {} 550 5.7.1 blocked", desk(2)));
    world.send().await;
    world.sink.rules().clear();
    let letter = world.letter_to(&desk(1)).await;
    let report = Report::of(&letter, "delayed", "4.4.1", "zebrafish is away");
    comes_back(world, letter.envelope_from.as_str(), &report.text()).await;
    for subject in ["closed soon", "still open"] {
        let headers = format!(
            "From: bob@isp001.example\r\nSubject: {subject}\r\nIn-Reply-To: <{}>\r\n",
            letter.message_id
        );
        let person = answer(&headers, &format!("{subject}: zebrafish was cleaned."));
        comes_back(world, "notices@coalition.example", &person).await;
    }
    let closed = answers(world).await;
    let closed = closed.iter().find(|one| one.subject == "closed soon");
    let closed = closed.unwrap().id.to_string();
    let ran = world.lapwing(&["reply", "set", &closed, "closed"]);
    assert_eq!(ran.code, 0, "{}", ran.err);

    let draft = NewCampaign::new("draft", "notice");
    world
        .store
        .add_campaign(&draft, "author", world.now)
        .await
        .unwrap();
    std::fs::write(
        world.dir().join("draft.csv"),
        "ip,evidence\n192.0.2.9,HELO otter\n",
    )
    .unwrap();
    let import = ["import", "draft", "draft.csv", "--allow-documentation"];
    assert_eq!(world.lapwing(&import).code, 0);
}

/// As if all of that had been long ago, whatever the machine's clock says.
async fn long_ago(world: &World) {
    for sql in [
        "UPDATE decision SET decided_at = 1000000",
        "UPDATE delivery SET ended_at = 1000000 WHERE ended_at IS NOT NULL",
        "UPDATE incoming SET came_at = 1000000",
    ] {
        world.behind_our_back(sql).await;
    }
}

/// Everything that the command tells of the campaign, but the time of asking and what is said of removal.
fn report(world: &World) -> Value {
    let mut report = told(&world.lapwing(&["report", "trial", "--json"]));
    let fields = report.as_object_mut().unwrap();
    for field in ["at", "thinned_at", "letters_gone_at"] {
        fields.remove(field);
    }
    report
}

story!(evidence_goes_and_proof_stays, world, {
    sent_and_answered(&mut world).await;
    let letter = world.letter_to(&desk(1)).await;
    let show = |world: &World| told(&world.lapwing(&["letter", "show", &letter.ticket, "--json"]));
    // Young as it is, nothing of it goes.
    let young = world.store.foresee_prune(Retention {
        evidence: Some(world.now.minus(Span::seconds(60))),
        letters: Some(world.now.minus(Span::seconds(60))),
        incoming: Some(world.now.minus(Span::seconds(60))),
    });
    assert!(young.await.unwrap().is_nothing());
    long_ago(&world).await;
    let (before, shown) = (report(&world), show(&world));
    let files = shown["letter"]["attachments"].as_array().unwrap().len();
    assert!(files > 0);

    // It is shown first, and nothing happens.
    let end = world.store.audit_end().await.unwrap();
    let prunable = prune(&world, &[]);
    let amount = &prunable["prunable"]["amount"];
    assert_eq!(amount["suspects"], 2, "{prunable}");
    assert_eq!(amount["samples"], 1);
    assert_eq!(amount["refusals"], 1);
    assert_eq!(amount["letters"], 2);
    // The one that is open stays.
    assert_eq!(amount["incoming"], 2);
    assert_eq!(prunable["prunable"]["evidence"][0]["campaign"], "trial");
    assert_eq!(
        prune(&world, &["--yes", "--dry-run"])["prunable"]["amount"],
        *amount
    );
    let said = world.lapwing(&["prune"]).out;
    assert!(said.contains("trial, ended 1970-01-01"), "{said}");
    assert!(said.contains("lapwing prune --yes"), "{said}");
    assert_eq!(world.store.audit_end().await.unwrap(), end);
    assert_eq!(show(&world), shown);

    let done = prune(&world, &["--yes", "--as", "anna"]);
    assert_eq!(done["removed"], *amount, "{done}");
    let again = prune(&world, &["--yes"]);
    assert_eq!(again["prunable"]["amount"]["suspects"], 0);
    assert!(world.lapwing(&["prune"]).out.contains("Nothing to remove"));

    // Who was written to, when, what was approved, what was answered: as before.
    assert_eq!(report(&world), before);
    let kept = show(&world);
    assert_eq!(kept["digest"], shown["digest"]);
    assert_eq!(kept["digest"], letter.digest());
    for part in ["attempts", "delivery"] {
        assert_eq!(kept[part], shown[part], "{part}");
    }
    for field in ["ticket", "recipient", "subject", "message_id", "dated_at"] {
        assert_eq!(kept["letter"][field], shown["letter"][field], "{field}");
    }
    assert_eq!(kept["letter"]["text"], "");
    assert!(kept["words_removed_at"].is_string(), "{kept}");
    let verified = world.lapwing(&["letter", "verify", &letter.ticket]);
    assert_eq!(verified.code, 0, "{}", verified.err);
    let said = world.lapwing(&["letter", "show", &letter.ticket]).out;
    for words in [
        "Its attachments were removed at",
        "Its words were removed at",
        "attempt 1: accepted",
    ] {
        assert!(said.contains(words), "{words}\n{said}");
    }
    let said = world.lapwing(&["report", "trial"]).out;
    assert!(said.contains("Its evidence was removed at"), "{said}");
    assert!(said.contains("approved by reviewer"), "{said}");

    // What can no longer be done says so.
    for (command, why) in [
        (
            "campaign retry trial",
            "the evidence of \"trial\" was removed",
        ),
        ("preview trial", "were removed at"),
        ("reply class 1 other", "message 1 was removed"),
        ("reply show 1 --raw", "message 1 was removed"),
    ] {
        let ran = world.lapwing(&command.split(' ').collect::<Vec<_>>());
        assert_eq!(ran.code, 5, "{command}: {}", ran.out);
        assert!(ran.err.contains(why), "{command}: {}", ran.err);
    }
    let said = world.lapwing(&["reply", "show", "1"]);
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(
        said.out.contains("The message was removed at"),
        "{}",
        said.out
    );
    assert_eq!(world.lapwing(&["reply", "reread"]).code, 0);
    let lines = answers(&world).await;
    let open = lines
        .iter()
        .find(|one| one.subject == "still open")
        .unwrap();
    assert!(open.body.contains("zebrafish was cleaned"), "{open:?}");

    let filter = AuditFilter {
        action: Some("prune".to_owned()),
        ..AuditFilter::default()
    };
    let rows = world.store.audit(&filter, 0, 100).await.unwrap();
    let about: Vec<&str> = rows.iter().map(|row| row.about.as_str()).collect();
    assert_eq!(
        about,
        ["trial", "trial", "trial", "trial", "incoming", "incoming"]
    );
    assert!(rows[1].after.contains("\"samples\":1"), "{:?}", rows[1]);
    assert!(rows.iter().all(|row| row.by == "anna"));
    assert_eq!(world.lapwing(&["audit", "verify"]).code, 0);
});

/// Each place in the database's files where this stands, with what is around it.
fn in_files(world: &World, word: &str) -> Vec<String> {
    let path = world.url.strip_prefix("sqlite:").unwrap();
    let mut found = Vec::new();
    for ending in ["", "-wal"] {
        let bytes = std::fs::read(format!("{path}{ending}")).unwrap_or_default();
        for (at, window) in bytes.windows(word.len()).enumerate() {
            if window == word.as_bytes() {
                let around = &bytes[at.saturating_sub(80)..bytes.len().min(at + 40)];
                found.push(String::from_utf8_lossy(around).into_owned());
            }
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_removed_stands_nowhere_in_the_file() {
    let mut world = World::on_sqlite().await;
    sent_and_answered(&mut world).await;
    let open = answers(&world).await;
    for one in open.iter().filter(|one| one.subject == "still open") {
        let ran = world.lapwing(&["reply", "set", &one.id.to_string(), "fixed"]);
        assert_eq!(ran.code, 0, "{}", ran.err);
    }
    long_ago(&world).await;
    assert!(in_files(&world, "zebrafish").len() > 5);
    prune(&world, &["--yes", "--compact"]);
    world.store.close().await;
    for words in ["from zebrafish", "HELO zebrafish", "zebrafish was cleaned"] {
        assert_eq!(in_files(&world, words), Vec::<String>::new());
    }
    // What a mail server said proves what became of a letter; the other campaign is being written.
    for words in ["zebrafish is away", "HELO otter"] {
        assert!(!in_files(&world, words).is_empty(), "{words}");
    }
}

story!(
    what_was_stopped_goes_on_and_cannot_be_sent_again_meanwhile,
    world,
    {
        let table = "range,country,abuse\n2001:db8::/120,US,abuse@isp.example\n2001:db8::/32,JP,noc@other.example\n";
        let mut feed = String::from("ip,evidence\n");
        for n in 1..=1_300 {
            feed.push_str(&format!("2001:db8::{n:x},HELO {n}\n"));
        }
        world.queue(table, &feed).await;
        world.send().await;
        let before = world.now.plus(Span::seconds(1));
        let retention = Retention {
            evidence: Some(before),
            ..Retention::default()
        };
        let later = Timestamp(before.0 + 1_000);
        let all = world.store.foresee_prune(retention).await.unwrap().amount;
        assert_eq!(all.suspects, 1_300);

        // Somebody ends it before the first page.
        let progress = Progress::default();
        progress.stop();
        let gone = world.store.prune(retention, "anna", later, &progress).await;
        assert_eq!(gone.unwrap().suspects, 0);
        let ran = world.lapwing(&["campaign", "retry", "trial"]);
        assert_eq!(ran.code, 5, "{}", ran.out);
        assert!(ran.err.contains("was removed"), "{}", ran.err);
        let rest = world.store.foresee_prune(retention).await.unwrap().amount;
        assert_eq!(rest, all);

        // Or kills it in the middle: what was done counts no more.
        let some = "UPDATE suspect SET evidence = '' WHERE id <= 400";
        assert_eq!(world.behind_our_back(some).await, 400);
        let progress = Progress::default();
        let gone = world.store.prune(retention, "bert", later, &progress).await;
        let gone = gone.unwrap();
        assert_eq!(gone.suspects, 900);
        assert_eq!(gone.attachments, all.attachments);
        let rest = world.store.foresee_prune(retention).await.unwrap();
        assert!(rest.is_nothing(), "{rest:?}");
        world.store.compact().await.unwrap();
        assert_eq!(world.lapwing(&["report", "trial"]).code, 0);
    }
);
