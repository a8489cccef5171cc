//! What may go well later: exit code 6, nothing lost, and the same command again.

use std::net::TcpListener;
use std::time::Duration;

use super::{Office, lines};
use crate::story;
use crate::world::World;

fn over_smtp(office: &mut Office, world: &World) {
    office.set("LAPWING_SEND__TRANSPORT", "smtp");
    office.set("LAPWING_SMTP__PORT", world.sink.address().port());
}

story!(a_relay_that_is_not_there_is_for_later, world, {
    let mut office = Office::approved(&world);
    office.set("LAPWING_SEND__TRANSPORT", "smtp");
    // A port that nobody listens on: it was free a moment ago.
    let free = TcpListener::bind(("127.0.0.1", 0))
        .unwrap()
        .local_addr()
        .unwrap();
    office.set("LAPWING_SMTP__PORT", free.port());
    let ran = office.run("send trial");
    assert_eq!(ran.code, 6, "{ran:?}");
    let relay = format!("127.0.0.1:{}", free.port());
    assert!(
        ran.err.contains(&relay) && ran.err.contains("connect"),
        "{}",
        ran.err
    );

    over_smtp(&mut office, &world);
    world.answers("CONNECT close 421 4.3.2 too busy");
    let ran = office.run("send trial --json");
    assert_eq!(ran.code, 6, "{ran:?}");
    let told = lines("send", &ran.err).remove(0);
    assert!(
        told["error"]
            .as_str()
            .is_some_and(|text| text.contains("too busy")),
        "{told}"
    );

    world.sink.rules().clear();
    let status = office.told("status trial");
    assert_eq!(
        status["queue"]["states"][0]["count"], 4,
        "all are still ready: {status}"
    );
    office.well("send trial");
    assert_eq!(world.sink.received().len(), 4);
});

story!(letters_refused_make_the_run_end_with_3, world, {
    let mut office = Office::approved(&world);
    over_smtp(&mut office, &world);
    world.answers("RCPT abuse@linde.example 550 5.1.1 nobody");
    let ran = office.run("send trial");
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.out.contains("3 accepted, 1 refused"), "{}", ran.out);
    let report = office.well("report trial");
    assert!(report.contains("refused: 5.1.1 nobody"), "{report}");
    let list = office.well("letter list trial --state refused");
    assert!(
        list.contains("abuse@linde.example") && !list.contains("midori"),
        "{list}"
    );
});

story!(letters_deferred_are_waited_for_where_asked, world, {
    let mut office = Office::approved(&world);
    over_smtp(&mut office, &world);
    office.set("LAPWING_SEND__RETRY", "1s");
    world.answers("RCPT abuse@linde.example 451 4.7.1 later x2");
    let out = office.well("send trial");
    assert!(out.contains("3 accepted, 1 deferred"), "{out}");
    assert!(out.contains("lapwing send trial"), "when to go on: {out}");
    let out = office.well("send trial --wait");
    assert!(out.contains("1 accepted, 1 deferred"), "{out}");
    assert!(out.contains("trial is settled"), "{out}");
});

story!(test_mode_reaches_nobody_else, world, {
    let mut office = Office::approved(&world);
    over_smtp(&mut office, &world);
    office.set("LAPWING_SMTP__HOST", "mx.isp.example");
    for line in ["send trial", "send trial --dry-run", "send trial --wait"] {
        let ran = office.run(line);
        assert_eq!(ran.code, 2, "{ran:?}");
        for way_out in ["send.redirect_to", "mode = \"live\"", "mx.isp.example"] {
            assert!(ran.err.contains(way_out), "{way_out}: {}", ran.err);
        }
    }
    let status = office.told("status trial");
    assert_eq!(status["queue"]["states"][0]["name"], "ready", "{status}");

    office.set("LAPWING_SMTP__HOST", "127.0.0.1");
    office.set("LAPWING_SEND__REDIRECT_TO", "staff@coalition.example");
    office.well("send trial");
    let received = world.sink.received();
    assert_eq!(received.len(), 4);
    assert!(
        received
            .iter()
            .all(|letter| letter.recipients[0].address == "staff@coalition.example")
    );
});

story!(a_password_does_not_go_to_strangers_in_the_clear, world, {
    let mut office = Office::approved(&world);
    over_smtp(&mut office, &world);
    office.set("LAPWING_MODE", "live");
    office.set("LAPWING_SMTP__HOST", "mx.isp.example");
    office.set("LAPWING_SMTP__USERNAME", "lapwing");
    office.set("LAPWING_SMTP__PASSWORD", "s3cret");
    let ran = office.run("send trial");
    assert_eq!(ran.code, 2, "{ran:?}");
    assert!(
        ran.err.contains("smtp.security") && !ran.err.contains("s3cret"),
        "{}",
        ran.err
    );
});

story!(watching_ends_when_the_campaign_does, world, {
    let mut office = Office::approved(&world);
    over_smtp(&mut office, &world);
    world.answers("DOT * delay 300ms");
    office.set("LAPWING_SEND__CONNECTIONS", 1);
    let mut watch = office.command("status trial --watch --json");
    watch.stdout(std::process::Stdio::piped());
    let watching = watch.spawn().unwrap();
    office.well("send trial");
    let seen = tokio::task::spawn_blocking(|| watching.wait_with_output());
    let seen = tokio::time::timeout(Duration::from_secs(60), seen).await;
    let seen = seen.expect("it ends by itself").unwrap().unwrap();
    assert_eq!(seen.status.code(), Some(0));
    let told = lines("status", &String::from_utf8(seen.stdout).unwrap());
    assert_eq!(told.last().unwrap()["state"], "settled");
    assert!(told.len() > 1, "it saw it under way: {told:?}");

    let (told, code) = office.json("status trial --watch");
    assert_eq!((told.len(), code), (1, 0), "and once settled, at once");
});

/// Ten seconds of patience, for a database that is just starting.
#[test]
fn a_database_that_is_not_there_is_for_later() {
    let free = TcpListener::bind(("127.0.0.1", 0))
        .unwrap()
        .local_addr()
        .unwrap();
    let url = format!(
        "postgres://lapwing:s3cret@127.0.0.1:{}/lapwing",
        free.port()
    );
    let output = super::program()
        .args(["status", "--database", &url])
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(6), "{said}");
    assert!(said.contains("cannot be reached"), "{said}");
    assert!(!said.contains("s3cret"), "{said}");
}
