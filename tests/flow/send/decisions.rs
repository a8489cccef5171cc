//! People decide while letters are under way: what is in hand ends, nothing else begins.

use lapwing::approve;
use lapwing::model::{DecisionKind, Progress};
use lapwing::send;
use std::sync::Arc;

use super::{copies, decide, of, queue, states, work};
use crate::story;
use crate::world::World;

/// Letters, and connections that each have one of them in hand.
const LETTERS: usize = 30;
const LANES: usize = 2;

/// Thirty letters that take their time, two at once.
async fn slowly(world: &mut World) {
    queue(world, LETTERS).await;
    world.config.send.connections = LANES;
    world.config.send.batch = 12;
    world.answers("DOT * delay 40ms");
}

/// Sends; when four letters are taken, somebody decides. Gives back how many had left then.
async fn interrupt(world: &World, kind: DecisionKind) -> (Result<send::Done, send::Error>, usize) {
    tokio::join!(world.try_send(), async {
        world.sink.wait_for(4).await;
        decide(world, kind).await;
        world.sink.received().len()
    })
}

story!(
    a_paused_campaign_begins_no_letter_until_it_goes_on,
    world,
    {
        slowly(&mut world).await;
        let (done, before) = interrupt(&world, DecisionKind::Paused).await;
        let left = world.sink.received().len();
        assert!((before..=before + LANES).contains(&left), "{before} {left}");
        assert_eq!(
            done.unwrap().accepted,
            left as u64,
            "what was in hand is on record"
        );
        assert_eq!(
            states(&world).await,
            of([("accepted", left), ("ready", LETTERS - left)])
        );

        let refused = world.try_send().await.unwrap_err().to_string();
        assert!(
            refused.contains("lapwing campaign resume trial"),
            "{refused}"
        );
        assert_eq!(world.sink.received().len(), left);

        decide(&world, DecisionKind::Resumed).await;
        world.sink.rules().clear();
        world.send().await;
        assert_eq!(copies(&world).len(), LETTERS);
        assert_eq!(world.sink.received().len(), LETTERS, "none twice");
        assert_eq!(
            world.report().await.letters.campaign.state.as_str(),
            "settled"
        );
    }
);

story!(a_cancelled_campaign_begins_no_letter_ever, world, {
    slowly(&mut world).await;
    let (done, before) = interrupt(&world, DecisionKind::Cancelled).await;
    let left = world.sink.received().len();
    assert!((before..=before + LANES).contains(&left), "{before} {left}");
    assert_eq!(done.unwrap().accepted, left as u64);
    let expected = of([("accepted", left), ("cancelled", LETTERS - left)]);
    assert_eq!(states(&world).await, expected);

    world.later("1d");
    let refused = world.try_send().await.unwrap_err().to_string();
    assert!(refused.contains("cancelled"), "{refused}");
    assert_eq!(states(&world).await, expected);
    assert_eq!(world.sink.received().len(), left);
});

story!(
    what_is_deferred_when_all_is_cancelled_is_cancelled,
    world,
    {
        queue(&world, 3).await;
        world.answers("RCPT abuse@isp001.example 451 4.7.1 later");
        world.send().await;
        decide(&world, DecisionKind::Cancelled).await;
        assert_eq!(
            states(&world).await,
            of([("accepted", 2), ("cancelled", 1)])
        );
    }
);

story!(
    a_run_that_is_stopped_ends_after_the_letters_in_hand,
    world,
    {
        slowly(&mut world).await;
        let progress = Arc::new(Progress::default());
        let (done, before) = tokio::join!(work(&world, &world.store, "worker", &progress), async {
            world.sink.wait_for(4).await;
            progress.stop();
            world.sink.received().len()
        });
        let left = world.sink.received().len();
        assert!((before..=before + LANES).contains(&left), "{before} {left}");
        let done = done.unwrap();
        assert_eq!((done.accepted, done.uncertain), (left as u64, 0));
        assert_eq!(progress.done(), left as u64);
        assert_eq!(
            states(&world).await,
            of([("accepted", left), ("ready", LETTERS - left)])
        );

        world.sink.rules().clear();
        world.send().await;
        assert_eq!(copies(&world).len(), LETTERS);
        assert_eq!(world.sink.received().len(), LETTERS, "none twice");
    }
);

story!(nothing_leaves_before_a_second_person_agreed, world, {
    let progress = Arc::new(Progress::default());
    world
        .table("range,country,abuse\n192.0.2.0/24,JP,abuse@isp001.example\n")
        .await;
    world.feed("192.0.2.1\n").await;
    world.resolve().await;
    world.compose().await;
    for state in ["draft", "submitted"] {
        let campaign = world.campaign().await;
        assert_eq!(campaign.state.as_str(), state);
        let refused = world.try_send().await.unwrap_err().to_string();
        assert!(
            refused.contains("lapwing campaign approve trial"),
            "{refused}"
        );
        let _ = approve::submit(
            &world.store,
            &campaign,
            "author",
            &world.review,
            world.now,
            &progress,
        )
        .await;
    }
    assert_eq!(world.sink.counts().connections, 0);
});

story!(a_campaign_that_goes_wrong_is_paused_by_itself, world, {
    queue(&world, 120).await;
    world.config.send.batch = 60;
    world.answers("RCPT * 550 5.7.1 we have had enough x9");
    let Err(send::Error::Braked(why)) = world.try_send().await else {
        panic!("it went on");
    };
    assert!(
        why.starts_with("9 of the first 60 letters were refused"),
        "{why}"
    );
    let report = world.report().await;
    assert_eq!(report.letters.campaign.state.as_str(), "paused");
    let campaign = world.campaign().await;
    let decisions = world.store.decisions(campaign.id).await.unwrap();
    let last = decisions.last().unwrap();
    assert_eq!((last.by.as_str(), last.reason.as_str()), ("lapwing", &*why));
    assert_eq!(
        states(&world).await,
        of([("accepted", 51), ("ready", 60), ("refused", 9)])
    );

    // Once staff have looked at it, it is theirs to stop.
    decide(&world, DecisionKind::Resumed).await;
    assert_eq!(world.send().await.accepted, 60);
});

story!(a_few_refusals_stop_nothing, world, {
    queue(&world, 100).await;
    world.config.send.batch = 50;
    world.answers("RCPT * 550 5.1.1 nobody x5");
    let done = world.send().await;
    assert_eq!((done.accepted, done.refused), (95, 5));
});
