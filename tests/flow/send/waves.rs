//! A phased start: who is written to from when on.

use std::collections::BTreeMap;

use lapwing::model::{Timestamp, Wait, Wave};

use super::{copies, desk, of, queue, states, story_of};
use crate::story;
use crate::world::World;

fn at(text: &str) -> Timestamp {
    text.parse::<jiff::Timestamp>().unwrap().into()
}

async fn set(world: &World, waves: &[&str]) {
    let waves: Vec<Wave> = waves.iter().map(|text| text.parse().unwrap()).collect();
    let name = world.campaign().await.name;
    let set = world.store.set_waves(&name, &waves, "author", world.now);
    set.await.unwrap();
}

story!(countries_are_written_to_one_after_another, world, {
    set(
        &world,
        &[
            "2026-11-16 JP,KR",
            "2026-11-24 DE",
            "2026-11-25T12:00:00Z *",
        ],
    )
    .await;
    queue(&world, 8).await;
    let status = world.report().await.status();
    for said in [
        "4  wait for their wave",
        "4  ready",
        "wave: from 2026-11-24T00:00:00Z on, DE",
        "wave: from 2026-11-25T12:00:00Z on, *",
    ] {
        assert!(status.contains(said), "{said}\n{status}");
    }
    assert_eq!(world.send().await.accepted, 4, "Japan and Korea");
    let (delivery, _) = story_of(&world, &desk(1)).await;
    assert_eq!(
        (delivery.waits, delivery.due_at),
        (Some(Wait::Wave), at("2026-11-24T00:00:00Z"))
    );

    world.now = at("2026-11-23T23:00:00Z");
    assert_eq!(world.send().await.claimed, 0);
    world.now = at("2026-11-24T00:00:00Z");
    // The days before its wave are none of a letter's own.
    world.answers(&format!("RCPT {} 451 4.7.1 later x1", desk(1)));
    let done = world.send().await;
    assert_eq!((done.accepted, done.deferred), (1, 1), "Germany");
    world.now = at("2026-11-25T12:00:00Z");
    assert_eq!(world.send().await.accepted, 3);
    assert_eq!(states(&world).await, of([("accepted", 8)]));
});

story!(a_share_goes_first_and_each_letter_once, world, {
    set(&world, &["2026-11-16 share=50%", "2026-11-17 *"]).await;
    queue(&world, 30).await;
    let first = world.send().await.accepted;
    assert!((6..=24).contains(&first), "{first} of 30");
    world.later("1d");
    assert_eq!(world.send().await.accepted, 30 - first);
    let copies = copies(&world);
    assert_eq!(
        copies,
        (1..=30).map(|n| (desk(n), 1)).collect::<BTreeMap<_, _>>()
    );
});

story!(waves_stand_once_they_are_approved, world, {
    world.campaign().await;
    let waves = |arguments: &[&str]| {
        let all = [&["campaign", "waves", "trial"], arguments].concat();
        world.lapwing(&all)
    };
    for (arguments, said) in [
        (&["--wave", "tomorrow JP"][..], "2026-05-24 JP,KR"),
        (&["--wave", "2026-05-24 JP"], "2026-05-26 *"),
        (
            &["--wave", "2026-05-25 JP", "--wave", "2026-05-24 *"],
            "before it",
        ),
    ] {
        let ran = waves(arguments);
        assert!(ran.code == 2 && ran.err.contains(said), "{}", ran.err);
    }
    let two = ["--wave", "2999-05-24 JP", "--wave", "2999-05-25 *"];
    assert!(
        waves(&[&two[..], &["--dry-run"]].concat())
            .out
            .contains("Nothing was written")
    );
    assert!(waves(&[]).out.contains("begins at once"));
    assert_eq!(waves(&two).code, 0);
    assert!(
        waves(&[]).out.contains("2999-05-24T00:00:00Z  JP\n"),
        "{}",
        waves(&[]).out
    );

    world.table("range,country,abuse\n192.0.2.0/25,JP,abuse@isp001.example\n192.0.2.128/25,DE,abuse@isp002.example\n").await;
    world
        .feed("ip,class,evidence\n192.0.2.1,spam,x\n192.0.2.200,spam,x\n")
        .await;
    world.resolve().await;
    world.compose().await;
    let asked = world.lapwing(&["campaign", "submit", "trial", "--as", "author"]);
    assert!(
        asked
            .out
            .contains("from 2999-05-24T00:00:00Z on, JP: 1 letter"),
        "{}{}",
        asked.out,
        asked.err
    );
    assert_eq!(waves(&["--none"]).code, 0, "until it is approved");
    assert_eq!(waves(&two).code, 0);
    let agreed = world.lapwing(&["campaign", "approve", "trial", "--as", "reviewer"]);
    assert!(
        agreed
            .out
            .contains("from 2999-05-25T00:00:00Z on, *: 1 letter"),
        "{}{}",
        agreed.out,
        agreed.err
    );
    for arguments in [&["--none"][..], &two, &["--none", "--dry-run"]] {
        let ran = waves(arguments);
        assert!(
            ran.code == 5 && ran.err.contains("lapwing hold add"),
            "{}",
            ran.err
        );
    }
    assert_eq!(states(&world).await, of([("scheduled", 2)]));
});
