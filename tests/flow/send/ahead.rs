//! The next batch is taken while the last letters of one leave, once the beginning went well.

use std::sync::Arc;

use lapwing::model::{DecisionKind, Progress};
use lapwing::send::{self, Courier, Sending, UnderWay};

use super::{copies, decide, of, queue, states, work};
use crate::story;
use crate::world::World;

const BATCH: usize = 20;

/// What each turn of the campaign took, until nothing is due.
async fn turns(world: &World) -> Vec<u64> {
    let settings = send::Settings::from_config(&world.config, "worker").unwrap();
    let (courier, clock) = (Courier::new(&world.config), world.clock());
    let work = send::Work {
        store: &world.store,
        courier: &courier,
        settings: &settings,
        clock: &clock,
        progress: &Arc::default(),
    };
    let mut one = UnderWay::take_up(&work, &world.campaign().await)
        .await
        .unwrap();
    let sending = Sending::open(&work).unwrap();
    let mut turns = Vec::new();
    let mut before = 0;
    while sending.turn(&mut one).await.unwrap() {
        let claimed = one.done().claimed;
        turns.push(claimed - before);
        before = claimed;
    }
    sending.close().await;
    turns
}

story!(a_turn_goes_on_with_the_next_batch, world, {
    queue(&world, 280).await;
    world.config.send.batch = BATCH;
    let taken = turns(&world).await;
    // The first two hundred by themselves: what comes of them is looked at before there are more.
    assert_eq!(taken[..10], [BATCH as u64; 10]);
    assert_eq!(taken.iter().sum::<u64>(), 280);
    assert!(taken.len() < 14, "{taken:?}");
    assert_eq!(copies(&world).len(), 280);
    assert_eq!(world.sink.received().len(), 280, "none twice");
    assert_eq!(states(&world).await, of([("accepted", 280)]));
});

story!(letters_that_need_a_seat_are_taken_batch_by_batch, world, {
    queue(&world, 260).await;
    world.config.send.batch = BATCH;
    world.config.smtp.connections = 4;
    assert_eq!(turns(&world).await, [BATCH as u64; 13]);
    assert_eq!(copies(&world).len(), 260);
});

story!(what_was_taken_ahead_goes_back_at_a_stop, world, {
    queue(&world, 300).await;
    world.config.send.batch = BATCH;
    world.answers("DOT * delay 1ms");
    let progress = Arc::new(Progress::default());
    let (done, ()) = tokio::join!(work(&world, &world.store, "worker", &progress), async {
        world.sink.wait_for(230).await;
        progress.stop();
    });
    let sent = world.sink.received().len();
    assert!((230..300).contains(&sent), "{sent}");
    assert_eq!(done.unwrap().accepted, sent as u64);
    let left = of([("accepted", sent), ("ready", 300 - sent)]);
    assert_eq!(states(&world).await, left);
});

story!(what_was_taken_ahead_goes_back_at_a_pause, world, {
    queue(&world, 300).await;
    world.config.send.batch = BATCH;
    world.answers("DOT * delay 1ms");
    let (done, ()) = tokio::join!(world.try_send(), async {
        world.sink.wait_for(230).await;
        decide(&world, DecisionKind::Paused).await;
    });
    let sent = world.sink.received().len();
    assert_eq!(done.unwrap().accepted, sent as u64);
    let left = of([("accepted", sent), ("ready", 300 - sent)]);
    assert_eq!(states(&world).await, left);

    decide(&world, DecisionKind::Resumed).await;
    world.send().await;
    assert_eq!(copies(&world).len(), 300);
    assert_eq!(world.sink.received().len(), 300, "none twice");
});
