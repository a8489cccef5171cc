//! Paces: how fast letters go to a provider, a relay and an address, over all workers together.

use lapwing::config::Pace;
use lapwing::model::{Span, Timestamp, Wait};
use lapwing::send::Done;
use lapwing::store::Store;
use std::sync::Arc;

use super::{copies, desk, of, queue, states, story_of, work};
use crate::story;
use crate::world::World;

/// All desks are one provider's.
fn pace(world: &mut World, every: &str, connections: usize) {
    let pace = Pace {
        domains: vec!["*.example".parse().unwrap()],
        mx: Vec::new(),
        every: every.parse().unwrap(),
        connections,
    };
    world.config.pace.insert("all".to_owned(), pace);
}

async fn work_as(world: &World, worker: &str) -> Done {
    let store = Store::open(&world.url).await.unwrap();
    let done = work(world, &store, worker, &Arc::default()).await;
    store.close().await;
    done.unwrap()
}

/// When each letter was begun, in order.
async fn begun(world: &World, n: usize) -> Vec<Timestamp> {
    let mut times = Vec::new();
    for n in 1..=n {
        let (_, attempts) = story_of(world, &desk(n)).await;
        times.extend(attempts.iter().map(|attempt| attempt.began_at));
    }
    times.sort_unstable();
    times
}

/// How many letters were in hand at once. Workers' clocks differ by moments, so that these are left out.
async fn at_once(world: &World, n: usize) -> usize {
    let mut spans = Vec::new();
    for n in 1..=n {
        let (_, attempts) = story_of(world, &desk(n)).await;
        for attempt in attempts {
            spans.push((attempt.began_at.0 + 15, attempt.finished_at.unwrap().0 - 15));
        }
    }
    let during = |at: i64| {
        spans
            .iter()
            .filter(move |(from, until)| *from <= at && at < *until)
    };
    let counts = spans.iter().map(|(from, _)| during(*from).count());
    counts.max().unwrap()
}

/// Goes on as two workers in turn, each time when the next letter is due, until nothing is open.
async fn go_on(world: &mut World) {
    for n in 0..1000 {
        let report = world.report().await;
        if report.letters.campaign.state.as_str() != "approved" {
            return;
        }
        if let Some(next) = report.letters.queue.next_retry {
            world.now = world.now.max(next);
        }
        work_as(world, ["left", "right"][n % 2]).await;
    }
    panic!("{:?}", states(world).await);
}

/// Letters that were accepted, sent by two workers at once.
async fn by_two_workers(world: &World) -> u64 {
    let left = Store::open(&world.url).await.unwrap();
    let right = Store::open(&world.url).await.unwrap();
    let (one, other) = (Arc::default(), Arc::default());
    let (one, other) = tokio::join!(
        work(world, &left, "left", &one),
        work(world, &right, "right", &other)
    );
    one.unwrap().accepted + other.unwrap().accepted
}

story!(a_pace_holds_over_all_workers, world, {
    queue(&world, 8).await;
    pace(&mut world, "1m", 0);
    world.config.send.batch = 3;
    let first = work_as(&world, "left").await;
    assert_eq!((first.claimed, first.kept_back, first.accepted), (8, 7, 1));
    assert_eq!(
        work_as(&world, "right").await.claimed,
        0,
        "all have their moment"
    );
    let status = world.report().await.status();
    assert!(
        status.contains("7  wait for their turn in their pace"),
        "{status}"
    );
    go_on(&mut world).await;
    let times = begun(&world, 8).await;
    assert_eq!(times.len(), 8, "each was tried once");
    for pair in times.windows(2) {
        let apart = pair[1].since(pair[0]);
        assert!(apart.0 > 50_000 && apart.0 < 70_000, "{times:?}");
    }
    assert_eq!(copies(&world).len(), 8);
});

story!(who_comes_second_stands_behind_the_first, world, {
    queue(&world, 6).await;
    pace(&mut world, "1m", 0);
    let left = Store::open(&world.url).await.unwrap();
    let right = Store::open(&world.url).await.unwrap();
    world.config.send.batch = 2;
    let (one, other) = (Arc::default(), Arc::default());
    let (one, other) = tokio::join!(
        work(&world, &left, "left", &one),
        work(&world, &right, "right", &other)
    );
    assert_eq!(one.unwrap().accepted + other.unwrap().accepted, 1);
    let mut due = Vec::new();
    for n in 1..=6 {
        let (delivery, _) = story_of(&world, &desk(n)).await;
        if delivery.waits == Some(Wait::Pace) {
            due.push(delivery.due_at.since(world.now).0 / 1000);
        }
    }
    due.sort_unstable();
    assert_eq!(due.len(), 5);
    let apart: Vec<i64> = due.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(
        apart.iter().all(|apart| (59..=61).contains(apart)),
        "{due:?}"
    );
});

story!(moments_that_have_passed_do_not_come_all_at_once, world, {
    queue(&world, 5).await;
    pace(&mut world, "1m", 0);
    assert_eq!(world.send().await.accepted, 1);
    // Nobody was there for a day.
    world.later("1d");
    let done = world.send().await;
    assert_eq!((done.kept_back, done.accepted), (3, 1), "in its pace again");
    go_on(&mut world).await;
    assert_eq!(states(&world).await, of([("accepted", 5)]));
});

story!(a_moment_that_is_near_is_waited_for, world, {
    queue(&world, 5).await;
    pace(&mut world, "300ms", 0);
    world.config.send.connections = 1;
    assert_eq!(world.send().await.accepted, 5, "in one run");
    let times = begun(&world, 5).await;
    for pair in times.windows(2) {
        assert!(pair[1].since(pair[0]).0 > 200, "{times:?}");
    }
    assert_eq!(world.sink.counts().connections, 1, "over one connection");
});

story!(a_pace_is_for_its_own_domains, world, {
    queue(&world, 4).await;
    pace(&mut world, "1m", 0);
    let all = world.config.pace.get_mut("all").unwrap();
    all.domains = vec![
        "isp001.example".parse().unwrap(),
        "isp002.example".parse().unwrap(),
    ];
    let done = world.send().await;
    assert_eq!((done.accepted, done.kept_back), (3, 1));
    // Of several the nearest counts: the one of all would let it wait for another hour.
    let slow = Pace {
        domains: vec!["*.example".parse().unwrap()],
        mx: Vec::new(),
        every: "1h".parse().unwrap(),
        connections: 0,
    };
    world.config.pace.insert("a".to_owned(), slow);
    world.later("61s");
    assert_eq!(world.send().await.accepted, 1);
});

story!(a_relay_has_its_pace, world, {
    queue(&world, 4).await;
    pace(&mut world, "1m", 0);
    world.config.smtp.every = "2m".parse().unwrap();
    go_on(&mut world).await;
    let times = begun(&world, 4).await;
    assert_eq!(times.len(), 4);
    for pair in times.windows(2) {
        assert!(
            pair[1].since(pair[0]) > Span::seconds(100),
            "the slower counts: {times:?}"
        );
    }
});

story!(no_more_letters_are_in_hand_than_a_provider_takes, world, {
    queue(&world, 24).await;
    pace(&mut world, "0s", 2);
    world.config.send.connections = 4;
    world.config.send.batch = 5;
    world.answers("DOT * delay 60ms");
    let sent = by_two_workers(&world).await;
    assert!(sent >= 5, "{sent}");
    go_on(&mut world).await;
    assert_eq!(copies(&world).len(), 24);
    assert_eq!(world.sink.received().len(), 24, "none twice");
    assert_eq!(at_once(&world, 24).await, 2);
});

story!(a_seat_of_a_worker_that_died_is_free_again, world, {
    queue(&world, 2).await;
    pace(&mut world, "0s", 1);
    let campaign = world.campaign().await;
    let lease = world.now.plus(Span::seconds(60));
    let claimed = world.store.claim(campaign.id, "dead", 1, lease).await;
    assert_eq!(claimed.unwrap().len(), 1);
    let seats = world.store.take_seats("pace:all", "dead", 1, 1).await;
    assert_eq!(seats.unwrap(), 1);
    let done = world.send().await;
    assert_eq!((done.kept_back, done.accepted), (1, 0), "it may be sending");
    world.later("2m");
    assert_eq!(world.send().await.accepted, 2);
});

story!(a_relay_is_not_given_more_than_it_takes, world, {
    queue(&world, 12).await;
    world.config.smtp.connections = 1;
    world.config.send.connections = 4;
    world.config.send.batch = 4;
    world.answers("DOT * delay 10ms");
    assert!(by_two_workers(&world).await > 0);
    go_on(&mut world).await;
    assert_eq!(copies(&world).len(), 12);
    assert_eq!(world.sink.counts().peak, 1);
});

story!(an_address_is_sent_so_many_letters_an_hour, world, {
    world.config.letter.part_rows = 1;
    world.config.send.per_address_hour = 2;
    let feed = "ip,class,evidence\n192.0.2.1,spam,a\n192.0.2.2,spam,b\n192.0.2.3,spam,c\n\
                192.0.2.4,spam,d\n192.0.2.5,spam,e\n192.0.2.200,spam,f\n";
    let table = "range,country,abuse\n192.0.2.0/25,DE,abuse@isp001.example\n\
                 192.0.2.128/25,DE,abuse@isp002.example\n";
    world.queue(table, feed).await;
    let done = world.send().await;
    assert_eq!(
        (done.accepted, done.kept_back),
        (3, 3),
        "two, and the other's one"
    );
    let status = world.report().await.status();
    assert!(
        status.contains("3  wait, for their recipients had enough"),
        "{status}"
    );
    world.later("59m");
    assert_eq!(world.send().await.claimed, 0);
    world.later("2m");
    assert_eq!(world.send().await.accepted, 2);
    world.later("61m");
    assert_eq!(world.send().await.accepted, 1);
    assert_eq!(copies(&world)[&desk(1)], 5);
    assert_eq!(
        world.report().await.letters.campaign.state.as_str(),
        "settled"
    );
});

#[test]
fn a_pace_is_set_as_the_shipped_one_is() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("lapwing.toml");
    let load = |text: &str| {
        std::fs::write(&file, text).unwrap();
        let loaded = lapwing::config::load(Some(&file), std::iter::empty(), &[]);
        loaded
            .map(|loaded| loaded.config)
            .map_err(|error| error.to_string())
    };
    let text =
        "[pace.gmail]\ndomains = [\"gmail.com\"]\nevery = \"2s\"\n[smtp]\nevery = \"200ms\"\n";
    assert!(load("[pace.big]\nmx = [\"google.com\"]\nevery = \"2s\"\n").is_ok());
    let config = load(text).unwrap();
    assert_eq!(config.pace["gmail"].every, Span(2_000));
    assert_eq!(
        (config.pace["gmail"].connections, config.smtp.every),
        (0, Span(200))
    );
    assert!(config.pace["example"].domains.is_empty());
    for (text, said) in [
        ("[pace.gmail]\nevry = \"2s\"", "did you mean every?"),
        (
            "[pace.gmail]\nevery = \"2s\"",
            "pace.gmail.domains: must say whom it is for",
        ),
        (
            "[pace.gmail]\ndomains = [\"gmail\"]",
            "\"gmail\" is no domain: write isp.example",
        ),
        (
            "[pace.gmail]\ndomains = [\"gmail.com\"]\nevery = \"fast\"",
            "write 90s",
        ),
    ] {
        let error = load(text).expect_err(text);
        assert!(error.contains(said), "{text}\n{error}");
    }
}
