//! What a service shows over HTTP and says in its log, and how it ends.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::Value;

use crate::crash::{under_way, within};
use crate::send::{desk, of, queue, states, story_of, tamper};
use crate::serve::Service;
use crate::story;
use crate::world::World;

/// What stands at a path: the status, and the text.
fn get(address: &str, path: &str) -> (u16, String) {
    let ask = || {
        let mut stream = TcpStream::connect(address).unwrap();
        let question =
            format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        stream.write_all(question.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap();
        (status.parse().unwrap(), body.to_owned())
    };
    tokio::task::block_in_place(ask)
}

/// A service that shows itself, and where.
async fn shown(world: &World, settings: &[(&str, &str)]) -> (Service, String) {
    let port = [("LAPWING_HTTP__LISTEN", "127.0.0.1:0")];
    let settings = [&port, settings].concat();
    let mut service = Service::run(world, &["--only", "send", "--json"], &settings);
    let said = service.says("shown").await;
    let address = said["http"].as_str().unwrap().to_owned();
    (service, address)
}

/// Waits for so many attempts of the first letter to have begun.
async fn begun(world: &World, attempts: usize) {
    while story_of(world, &desk(1)).await.1.len() < attempts {
        tokio::task::yield_now().await;
    }
}

fn has(page: &str, line: &str) -> bool {
    page.lines().any(|one| one == line)
}

story!(a_service_shows_that_it_lives_and_what_it_counts, world, {
    under_way(&mut world, 5).await;
    world.answers(&format!("RCPT {} 550 5.1.1 nobody here", desk(2)));
    world.answers(&format!("RCPT {} 451 4.7.1 later", desk(3)));
    let (mut service, address) = shown(&world, &[]).await;
    assert_eq!(get(&address, "/livez"), (200, "alive\n".to_owned()));
    assert_eq!(get(&address, "/readyz"), (200, "ready\n".to_owned()));
    assert_eq!(get(&address, "/nowhere").0, 404);
    service.says("sent").await;
    let (status, page) = get(&address, "/metrics");
    assert_eq!(status, 200);
    for line in [
        "lapwing_database_up 1",
        "lapwing_queue_letters{state=\"ready\"} 0",
        "lapwing_queue_letters{state=\"scheduled\"} 1",
        "lapwing_queue_oldest_due_seconds 0",
        "lapwing_attempts_total{outcome=\"accepted\"} 3",
        "lapwing_attempts_total{outcome=\"refused\"} 1",
        "lapwing_attempts_total{outcome=\"deferred\"} 1",
        "lapwing_attempts_total{outcome=\"uncertain\"} 0",
        "lapwing_incoming_total{class=\"bounce-hard\"} 0",
        "lapwing_campaigns{state=\"approved\"} 1",
        "lapwing_workers 1",
        "lapwing_registry_daily_limit{registry=\"ripe\"} 900",
        "lapwing_stage_duration_seconds_count{stage=\"send\"} 1",
        "# TYPE lapwing_stage_duration_seconds histogram",
    ] {
        assert!(has(&page, line), "{line}\n{page}");
    }
    assert!(page.contains("process_start_time_seconds 1"), "{page}");

    let url = format!("http://{address}/readyz");
    let ran = world.lapwing(&["healthcheck", "--url", &url]);
    assert_eq!((ran.code, ran.out.as_str()), (0, "ready\n"), "{ran:?}");
    service.signal("-TERM");
    assert_eq!(service.code(), Some(0));
    let ran = world.lapwing(&["healthcheck", "--url", &url, "--json"]);
    let told: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(
        (ran.code, &told["ready"]),
        (1, &Value::Bool(false)),
        "{ran:?}"
    );
});

story!(
    the_log_ties_each_attempt_to_its_letter_and_shows_no_mailbox,
    world,
    {
        under_way(&mut world, 3).await;
        world.answers(&format!("RCPT {} 550 5.1.1 no {0} here", desk(2)));
        let (mut service, _) = shown(&world, &[]).await;
        service.says("sent").await;
        service.signal("-TERM");
        service.says("draining").await;
        assert_eq!(service.code(), Some(0));
        let attempts = service
            .heard
            .iter()
            .filter(|line| line["event"] == "attempt");
        let attempts: Vec<&Value> = attempts.collect();
        assert_eq!(attempts.len(), 3, "{:?}", service.heard);
        for line in &attempts {
            let ticket = line["ticket"].as_str().unwrap();
            let letter = world.lapwing(&["letter", "show", ticket, "--json"]);
            let letter: Value = serde_json::from_str(&letter.out).unwrap();
            assert_eq!(
                letter["letter"]["message_id"], line["message_id"],
                "{letter}"
            );
            assert_eq!(letter["delivery"]["state"], line["outcome"], "{letter}");
        }
        let refused = attempts.iter().find(|line| line["outcome"] == "refused");
        let refused = refused.unwrap();
        assert_eq!(refused["to"], "a…@isp002.example");
        assert_eq!(refused["reply"], "5.1.1 no a…@isp002.example here");
        for line in &service.heard {
            let text = line.to_string();
            assert!(!text.contains("abuse@"), "{text}");
            let is_whole = ["timestamp", "level", "message"].iter();
            assert!(is_whole.clone().all(|key| line[*key].is_string()), "{text}");
        }
    }
);

story!(
    asked_to_end_it_is_no_longer_ready_and_ends_what_it_has_in_hand,
    world,
    {
        const LETTERS: usize = 20;
        under_way(&mut world, LETTERS).await;
        world.sink.rules().clear();
        world.answers("DOT * delay 20s");
        let settings = [
            ("LAPWING_SMTP__DOT_TIMEOUT", "1m"),
            ("LAPWING_SEND__LEASE", "2m"),
        ];
        let (mut service, address) = shown(&world, &settings).await;
        within(begun(&world, 1)).await;
        service.signal("-TERM");
        service.says("draining").await;
        let (status, why) = get(&address, "/readyz");
        assert_eq!(status, 503, "{why}");
        assert!(why.starts_with("draining"), "{why}");
        // Nobody takes it for dead meanwhile.
        let before = world.store.beats().await.unwrap();
        let mut beats = before.clone();
        while beats == before {
            beats = within(world.store.beats()).await.unwrap();
        }
        assert_eq!((beats.len(), &beats[0].0), (1, &before[0].0), "{beats:?}");
        assert_eq!(get(&address, "/livez").0, 200);
        let url = format!("http://{address}/readyz");
        let ran = world.lapwing(&["healthcheck", "--url", &url]);
        assert_eq!(ran.code, 1, "{ran:?}");
        assert!(ran.out.contains("503: draining"), "{ran:?}");
        assert_eq!(service.code(), Some(0));
        let sent = world.sink.received().len();
        assert!(sent < LETTERS, "{sent}");
        let wanted = of([("accepted", sent), ("ready", LETTERS - sent)]);
        assert_eq!(
            states(&world).await,
            wanted,
            "what was in hand has ended, the rest is back"
        );
    }
);

story!(what_does_not_end_in_time_is_cut_off_and_named, world, {
    under_way(&mut world, 1).await;
    world.sink.rules().clear();
    world.answers("DOT * delay 60s");
    let settings = [
        ("LAPWING_SERVE__GRACE", "200ms"),
        ("LAPWING_SMTP__DOT_TIMEOUT", "2m"),
        ("LAPWING_SEND__LEASE", "3m"),
    ];
    let (mut service, _) = shown(&world, &settings).await;
    within(begun(&world, 1)).await;
    service.signal("-TERM");
    service.says("cut_off").await;
    assert_eq!(service.code(), Some(143));
    let (_, attempts) = story_of(&world, &desk(1)).await;
    assert_eq!(attempts.len(), 1);
    assert!(attempts[0].finished_at.is_none(), "{attempts:?}");

    // Whoever does not want to wait for that asks twice.
    let settings = [("LAPWING_SERVE__GRACE", "1h"), settings[1], settings[2]];
    let (mut service, _) = shown(&world, &settings).await;
    service.says("started").await;
    world
        .store
        .end_leases(&attempts[0].worker, world.now)
        .await
        .unwrap();
    within(begun(&world, 2)).await;
    service.signal("-INT");
    service.says("draining").await;
    service.signal("-INT");
    assert_eq!(service.code(), Some(130));
});

story!(
    a_service_whose_database_is_of_another_version_is_not_ready,
    world,
    {
        let (mut service, address) = shown(&world, &[]).await;
        assert_eq!(get(&address, "/readyz").0, 200);
        assert_eq!(world.lapwing(&["healthcheck", "--worker"]).code, 0);
        tamper(&world, "DELETE FROM _sqlx_migrations WHERE version = 1").await;
        let (status, why) = get(&address, "/readyz");
        assert_eq!(status, 503);
        assert!(why.contains("not of this version"), "{why}");
        let ran = world.lapwing(&["healthcheck", "--worker"]);
        assert_eq!(ran.code, 1, "{ran:?}");
        assert!(ran.out.contains("lapwing migrate"), "{ran:?}");
        // This world's commands are told not to listen.
        let ran = world.lapwing(&["healthcheck"]);
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(ran.err.contains("--worker"), "{ran:?}");
        service.signal("-INT");
        assert_eq!(service.code(), Some(0));
    }
);

story!(a_service_that_hangs_gives_no_sign_of_life, world, {
    let check = |within: &str| {
        let ran = world.lapwing(&["healthcheck", "--worker", "--within", within]);
        (ran.code, ran.out)
    };
    let (code, said) = check("1s");
    assert_eq!(code, 1, "{said}");
    assert!(said.contains("lapwing serve"), "{said}");
    for (stage, event) in [
        ("send", "started"),
        ("schedule", "scheduling"),
        ("track", "listening"),
    ] {
        let mut service = Service::run(&world, &["--only", stage, "--json"], &[]);
        service.says(event).await;
        let process = format!("process {} ", service.child.id());
        let (code, said) = check("25s");
        assert_eq!(code, 0, "{stage}: {said}");
        service.signal("-STOP");
        let (code, said) = check("2s");
        assert_eq!(code, 1, "{stage}: {said}");
        assert!(
            said.starts_with("not ready: ") && said.contains(&process),
            "{stage}: {said}"
        );
        service.signal("-CONT");
        let (code, said) = check("25s");
        assert_eq!(code, 0, "{stage}: {said}");
        service.child.kill().unwrap();
        service.child.wait().unwrap();
        let (code, said) = check("1s");
        assert!(
            code == 1 && said.contains("lapwing serve"),
            "{stage}: {said}"
        );
    }
});

story!(attempts_are_counted_as_they_are_written_down, world, {
    queue(&world, 6).await;
    world.answers(&format!("RCPT {} 550 5.1.1 nobody here", desk(1)));
    world.answers(&format!("RCPT {} 451 4.7.1 later x2", desk(2)));
    world.send().await;
    let overview = world.store.overview(world.now).await.unwrap();
    assert_eq!(overview.oldest_due, None, "what is due later is not due");
    for _ in 0..2 {
        world.later("1h");
        let overview = world.store.overview(world.now).await.unwrap();
        let due = overview
            .oldest_due
            .expect("what nobody has made ready is due");
        assert!(due < world.now);
        world.send().await;
    }
    let overview = world.store.overview(world.now).await.unwrap();
    let attempts: Vec<(&str, i64)> = overview
        .attempts
        .iter()
        .map(|tally| (tally.name.as_str(), tally.count))
        .collect();
    assert_eq!(attempts, [("accepted", 5), ("deferred", 2), ("refused", 1)]);
});
