//! Connections: how many, how long, and what does not cost one.

use std::collections::BTreeMap;
use std::sync::Arc;

use lapwing::store::Store;

use super::{copies, desk, of, queue, states, story_of, work};
use crate::story;

story!(no_more_connections_than_the_settings_allow, world, {
    queue(&world, 40).await;
    world.config.send.connections = 3;
    world.config.send.batch = 7;
    world.answers("DOT * delay 20ms");
    assert_eq!(world.send().await.accepted, 40);
    let counts = world.sink.counts();
    assert_eq!((counts.peak, counts.connections), (3, 3));
    assert_eq!(counts.open, 0, "and the relay was said goodbye to");
});

story!(a_connection_is_left_after_so_many_letters, world, {
    queue(&world, 22).await;
    world.config.send.connections = 1;
    world.config.smtp.letters_per_connection = 5;
    assert_eq!(world.send().await.accepted, 22);
    let mut carried: BTreeMap<u64, usize> = BTreeMap::new();
    for letter in world.sink.received() {
        *carried.entry(letter.connection).or_default() += 1;
    }
    assert_eq!(carried.into_values().collect::<Vec<_>>(), [5, 5, 5, 5, 2]);
});

story!(a_bad_address_does_not_cost_the_connection, world, {
    queue(&world, 20).await;
    world.config.send.connections = 1;
    for n in 1..=20 {
        let answer = match n % 5 {
            0 => "RCPT",
            1 => "DATA",
            2 => "DOT",
            _ => continue,
        };
        world.answers(&format!("{answer} {} 550 5.1.1 nobody", desk(n)));
    }
    let done = world.send().await;
    assert_eq!((done.accepted, done.refused), (8, 12));
    assert_eq!(world.sink.counts().connections, 1);
});

story!(a_connection_that_cannot_be_reset_is_left, world, {
    queue(&world, 3).await;
    world.config.send.connections = 1;
    world.answers(&format!("RCPT {} close 550 5.1.1 nobody", desk(1)));
    let done = world.send().await;
    assert_eq!((done.accepted, done.refused), (2, 1));
    assert_eq!(world.sink.counts().connections, 2);
});

story!(two_workers_send_no_letter_twice, world, {
    queue(&world, 60).await;
    world.config.send.batch = 5;
    world.config.send.connections = 2;
    world.answers("DOT * delay 20ms");
    // As on two machines: each with connections of its own to the database, too.
    let (left, right) = (
        Store::open(&world.url).await.unwrap(),
        Store::open(&world.url).await.unwrap(),
    );
    let (one, other) = (Arc::default(), Arc::default());
    let (one, other) = tokio::join!(
        work(&world, &left, "left", &one),
        work(&world, &right, "right", &other)
    );
    let (one, other) = (one.unwrap(), other.unwrap());
    assert_eq!(one.accepted + other.accepted, 60);
    assert!(one.accepted > 0 && other.accepted > 0, "{one:?} {other:?}");
    assert_eq!(world.sink.counts().letters, 60);
    assert_eq!(copies(&world).len(), 60);
    assert_eq!(states(&world).await, of([("accepted", 60)]));
    let mut by: BTreeMap<String, u64> = BTreeMap::new();
    for n in 1..=60 {
        let (_, attempts) = story_of(&world, &desk(n)).await;
        assert_eq!(attempts.len(), 1);
        *by.entry(attempts[0].worker.clone()).or_default() += 1;
    }
    assert_eq!((by["left"], by["right"]), (one.accepted, other.accepted));
    assert_eq!(
        world.report().await.letters.campaign.state.as_str(),
        "settled"
    );
});
