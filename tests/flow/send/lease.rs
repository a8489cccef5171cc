//! Workers that vanish, and workers that come back too late.

use lapwing::config::OnUncertain;
use lapwing::model::{DecisionKind, DeliveryState, Outcome, OutcomeKind, Span, Step, Timestamp};
use lapwing::store::{Fact, Finish, Granted};

use super::{copies, decide, desk, of, outcomes, queue, states, story_of};
use crate::story;
use crate::world::World;

/// A worker takes a delivery; gives back which.
async fn take(world: &World, worker: &str) -> i64 {
    let campaign = world.campaign().await.id;
    let until = world.now.plus(world.config.send.lease);
    let claimed = world.store.claim(campaign, worker, 1, until).await.unwrap();
    claimed.first().expect("one is ready").delivery
}

/// It writes down that SMTP is about to talk, for the time that it has claimed the delivery for.
async fn begin(world: &World, worker: &str, delivery: i64, number: i64) -> Granted {
    let begin = Fact::Begin {
        delivery,
        number,
        worker: worker.to_owned(),
        at: world.now,
        lease_until: Some(world.now.plus(world.config.send.lease)),
    };
    world.store.record(&[begin]).await.unwrap()[0]
}

/// It writes down what came of attempt `number`.
async fn finish(
    world: &World,
    worker: &str,
    delivery: i64,
    number: i64,
    kind: OutcomeKind,
    due_at: Option<Timestamp>,
) -> Granted {
    let (state, due_at) = DeliveryState::after(kind, due_at, true);
    let outcome = Outcome {
        sent_to: None,
        kind,
        relay: "127.0.0.1:25".to_owned(),
        step: Step::Dot,
        code: 250,
        enhanced: String::new(),
        reply: "as it said".to_owned(),
    };
    let finish = Finish {
        delivery,
        number,
        worker: worker.to_owned(),
        at: world.now,
        outcome,
        state,
        due_at,
    };
    world.store.record(&[Fact::Finish(finish)]).await.unwrap()[0]
}

async fn rescue(world: &World) -> u64 {
    let hold = world.config.send.on_uncertain == OnUncertain::Hold;
    world.store.rescue(world.now, hold).await.unwrap()
}

story!(
    what_a_vanished_worker_had_in_hand_is_sent_by_another,
    world,
    {
        queue(&world, 3).await;
        let delivery = take(&world, "vanished").await;
        assert_eq!(begin(&world, "vanished", delivery, 1).await, Granted::Begun);
        assert_eq!(
            world.send().await.accepted,
            2,
            "it is not touched while the lease runs"
        );
        assert_eq!(states(&world).await, of([("accepted", 2), ("leased", 1)]));

        world.later("21m");
        assert_eq!(world.send().await.accepted, 1);
        let (delivery, attempts) = story_of(&world, &desk(1)).await;
        assert_eq!(delivery.state, DeliveryState::Accepted);
        let expected = [Some(OutcomeKind::Uncertain), Some(OutcomeKind::Accepted)];
        assert_eq!(outcomes(&attempts), expected);
        assert_eq!(attempts[0].worker, "vanished");
        assert!(
            attempts[0]
                .outcome
                .as_ref()
                .unwrap()
                .reply
                .contains("vanished")
        );
        assert_eq!(world.report().await.letters.queue.uncertain_attempts, 1);
    }
);

story!(
    what_a_vanished_worker_had_not_begun_is_not_uncertain,
    world,
    {
        world.config.send.on_uncertain = OnUncertain::Hold;
        queue(&world, 1).await;
        take(&world, "vanished").await;
        world.later("21m");
        assert_eq!(world.send().await.accepted, 1);
        let (_, attempts) = story_of(&world, &desk(1)).await;
        assert_eq!(outcomes(&attempts), [Some(OutcomeKind::Accepted)]);
    }
);

story!(
    what_a_vanished_worker_had_in_hand_is_held_where_the_setting_says_so,
    world,
    {
        world.config.send.on_uncertain = OnUncertain::Hold;
        queue(&world, 2).await;
        let delivery = take(&world, "vanished").await;
        begin(&world, "vanished", delivery, 1).await;
        world.later("21m");
        assert_eq!(world.send().await.accepted, 1);
        assert_eq!(
            states(&world).await,
            of([("accepted", 1), ("uncertain", 1)])
        );
        assert_eq!(
            world.report().await.letters.campaign.state.as_str(),
            "settled"
        );
        assert_eq!(copies(&world).into_keys().collect::<Vec<_>>(), [desk(2)]);
    }
);

story!(a_letter_that_kills_its_workers_is_set_aside, world, {
    queue(&world, 2).await;
    for lapse in 1..=3 {
        let delivery = take(&world, "victim").await;
        let (first, _) = story_of(&world, &desk(1)).await;
        assert_eq!(delivery, first.id);
        assert_eq!(
            begin(&world, "victim", delivery, lapse).await,
            Granted::Begun
        );
        world.later("21m");
        assert_eq!(rescue(&world).await, 1);
    }
    assert_eq!(states(&world).await, of([("failed", 1), ("ready", 1)]));
    // It does not hold up the other, and is not forgotten.
    assert_eq!(world.send().await.accepted, 1);
    let (_, attempts) = story_of(&world, &desk(1)).await;
    assert_eq!(outcomes(&attempts), [Some(OutcomeKind::Uncertain); 3]);
    let report = world.report().await;
    assert!(report.letters.has_failures());
    assert_eq!(report.letters.campaign.state.as_str(), "settled");
});

story!(what_is_said_twice_is_begun_once, world, {
    queue(&world, 1).await;
    let delivery = take(&world, "one").await;
    assert_eq!(begin(&world, "one", delivery, 1).await, Granted::Begun);
    // The connection broke before the answer came.
    assert_eq!(begin(&world, "one", delivery, 1).await, Granted::Begun);
    let due = None;
    let done = finish(&world, "one", delivery, 1, OutcomeKind::Accepted, due).await;
    assert_eq!(done, Granted::Recorded);
    let again = finish(&world, "one", delivery, 1, OutcomeKind::Accepted, due).await;
    assert_eq!(again, Granted::NotOurs);
    let (delivery, attempts) = story_of(&world, &desk(1)).await;
    assert_eq!(delivery.attempts, 1);
    assert_eq!(outcomes(&attempts), [Some(OutcomeKind::Accepted)]);
});

// A lane that slept so long that its own worker has claimed the letter once more.
story!(
    what_was_claimed_anew_is_not_begun_for_the_old_claim,
    world,
    {
        queue(&world, 1).await;
        let delivery = take(&world, "one").await;
        assert_eq!(begin(&world, "one", delivery, 1).await, Granted::Begun);
        world.later("21m");
        assert_eq!(rescue(&world).await, 1);
        assert_eq!(take(&world, "one").await, delivery);
        assert_eq!(begin(&world, "one", delivery, 1).await, Granted::NotOurs);
        assert_eq!(begin(&world, "one", delivery, 2).await, Granted::Begun);
        let (_, attempts) = story_of(&world, &desk(1)).await;
        assert_eq!(outcomes(&attempts), [Some(OutcomeKind::Uncertain), None]);
    }
);

story!(
    a_letter_that_only_lay_with_workers_that_vanished_is_not_set_aside,
    world,
    {
        queue(&world, 1).await;
        for _ in 0..9 {
            take(&world, "victim").await;
            world.later("21m");
            assert_eq!(rescue(&world).await, 1);
        }
        assert_eq!(world.send().await.accepted, 1);
    }
);

story!(
    who_lost_the_lease_may_neither_begin_nor_say_that_it_failed,
    world,
    {
        queue(&world, 1).await;
        let delivery = take(&world, "old").await;
        begin(&world, "old", delivery, 1).await;
        world.later("21m");
        assert_eq!(rescue(&world).await, 1);
        assert_eq!(begin(&world, "old", delivery, 1).await, Granted::NotOurs);

        assert_eq!(take(&world, "new").await, delivery);
        assert_eq!(begin(&world, "new", delivery, 2).await, Granted::Begun);
        let late = Some(world.now.plus(Span::seconds(60)));
        for kind in [
            OutcomeKind::Refused,
            OutcomeKind::Deferred,
            OutcomeKind::Uncertain,
        ] {
            assert_eq!(
                finish(&world, "old", delivery, 1, kind, late).await,
                Granted::NotOurs
            );
            assert_eq!(states(&world).await, of([("leased", 1)]), "{kind:?}");
        }
        let (_, attempts) = story_of(&world, &desk(1)).await;
        assert_eq!(outcomes(&attempts), [Some(OutcomeKind::Uncertain), None]);

        let kind = OutcomeKind::Refused;
        assert_eq!(
            finish(&world, "new", delivery, 2, kind, None).await,
            Granted::Recorded
        );
        assert_eq!(states(&world).await, of([("refused", 1)]));
    }
);

// That a letter was accepted is true whoever says it, and however late.
story!(
    a_late_acceptance_counts_whatever_happened_meanwhile,
    world,
    {
        queue(&world, 6).await;
        let mut deliveries = Vec::new();
        for _ in 0..6 {
            let delivery = take(&world, "old").await;
            begin(&world, "old", delivery, 1).await;
            deliveries.push(delivery);
        }
        world.later("21m");
        assert_eq!(rescue(&world).await, 6);
        let [ready, leased, begun, refused, deferred, held] = deliveries[..] else {
            panic!("six");
        };
        // The first stays as it is; the others are in new hands, and five of them farther on.
        let campaign = world.campaign().await.id;
        let until = world.now.plus(world.config.send.lease);
        let claimed = world.store.claim(campaign, "new", 6, until).await.unwrap();
        assert_eq!(claimed.len(), 6);
        for delivery in [begun, refused, deferred, held] {
            assert_eq!(begin(&world, "new", delivery, 2).await, Granted::Begun);
        }
        let again = Some(world.now.plus(Span::seconds(300)));
        finish(&world, "new", refused, 2, OutcomeKind::Refused, None).await;
        finish(&world, "new", deferred, 2, OutcomeKind::Deferred, again).await;
        world.store.release("new").await.unwrap();
        let again = world.store.claim(campaign, "new", 6, until).await.unwrap();
        assert_eq!(again.len(), 2, "those that were not begun");
        world.later("21m");
        world.store.rescue(world.now, true).await.unwrap();
        let now = states(&world).await;
        assert_eq!(
            now,
            of([
                ("ready", 2),
                ("refused", 1),
                ("scheduled", 1),
                ("uncertain", 2)
            ])
        );
        let claimed = world.store.claim(
            campaign,
            "third",
            2,
            world.now.plus(world.config.send.lease),
        );
        assert_eq!(claimed.await.unwrap().len(), 2);

        for delivery in [ready, leased, begun, refused, deferred, held] {
            let told = finish(&world, "old", delivery, 1, OutcomeKind::Accepted, None).await;
            assert_eq!(told, Granted::Recorded);
        }
        assert_eq!(states(&world).await, of([("accepted", 6)]));
        assert_eq!(
            begin(&world, "third", ready, 2).await,
            Granted::NotOurs,
            "and is not sent again"
        );
        world.later("6d");
        assert_eq!(world.send().await.claimed, 0);
        assert!(world.sink.received().is_empty());
    }
);

story!(
    a_vanished_workers_letters_of_a_cancelled_campaign_are_cancelled,
    world,
    {
        queue(&world, 3).await;
        let delivery = take(&world, "vanished").await;
        begin(&world, "vanished", delivery, 1).await;
        take(&world, "vanished").await;
        decide(&world, DecisionKind::Cancelled).await;
        assert_eq!(states(&world).await, of([("cancelled", 1), ("leased", 2)]));
        world.later("21m");
        rescue(&world).await;
        assert_eq!(states(&world).await, of([("cancelled", 3)]));
    }
);
