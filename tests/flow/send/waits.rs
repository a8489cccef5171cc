//! When a letter is tried again: later and later, and not for ever.

use lapwing::model::{OutcomeKind, Span};

use super::{desk, of, outcomes, queue, states, story_of};
use crate::story;

/// The waits of the shipped settings, in minutes; the last repeats.
const WAITS: [i64; 6] = [5, 15, 30, 60, 120, 240];

story!(waits_grow_until_the_time_is_up, world, {
    queue(&world, 1).await;
    let queued_at = world.now;
    world.answers("RCPT * 451 4.7.1 later");
    let give_up = world.config.send.give_up;
    let mut tries = 0_usize;
    let (delivery, last) = loop {
        let done = world.send().await;
        assert_eq!(done.claimed, 1, "attempt {}", tries + 1);
        tries += 1;
        let (delivery, attempts) = story_of(&world, &desk(1)).await;
        assert_eq!(delivery.attempts, tries as i64);
        assert_eq!(attempts.len(), tries, "attempts are only ever added");
        if delivery.state.as_str() != "scheduled" {
            break (delivery, (done.deferred, done.expired));
        }
        let tried_at = attempts[tries - 1].finished_at.unwrap();
        let wait = delivery.due_at.since(tried_at);
        let usual = Span::seconds(60 * WAITS[(tries - 1).min(WAITS.len() - 1)]);
        let is_last = delivery.due_at == queued_at.plus(give_up);
        assert!(wait.0 <= usual.0 * 6 / 5, "{tries}: {wait:?}");
        assert!(wait.0 >= usual.0 * 4 / 5 || is_last, "{tries}: {wait:?}");

        // Not a minute before it is due, whoever asks.
        world.now = delivery.due_at.minus(Span::seconds(30).min(wait));
        if wait > Span::seconds(60) {
            assert_eq!(world.send().await.claimed, 0);
        }
        world.now = delivery.due_at;
    };
    assert_eq!(delivery.state.as_str(), "expired");
    assert_eq!(last, (0, 1), "the run that gave it up says so");
    assert!(
        world.now >= queued_at.plus(give_up),
        "all of the time was used"
    );
    assert!((30..45).contains(&tries), "{tries} attempts in five days");
    let report = world.report().await;
    assert!(report.letters.has_failures());
    assert_eq!(report.letters.campaign.state.as_str(), "settled");
    assert!(world.sink.received().is_empty());
});

story!(
    letters_deferred_together_do_not_come_back_together,
    world,
    {
        queue(&world, 12).await;
        world.answers("RCPT * 451 4.7.1 later");
        assert_eq!(world.send().await.deferred, 12);
        let mut waits = Vec::new();
        for n in 1..=12 {
            let (delivery, attempts) = story_of(&world, &desk(n)).await;
            waits.push(delivery.due_at.since(attempts[0].finished_at.unwrap()));
        }
        waits.sort_unstable();
        let spread = waits[11].0 - waits[0].0;
        assert!(
            spread > 20_000,
            "five minutes, {spread} ms apart: {waits:?}"
        );
    }
);

story!(a_letter_refused_is_never_tried_again, world, {
    queue(&world, 2).await;
    world.answers(&format!("RCPT {} 550 5.1.1 nobody", desk(1)));
    world.answers(&format!("RCPT {} 451 4.7.1 later", desk(2)));
    world.send().await;
    for _ in 0..6 {
        world.later("1d");
        if world.report().await.letters.campaign.state.as_str() == "approved" {
            world.send().await;
        }
    }
    let (delivery, attempts) = story_of(&world, &desk(1)).await;
    assert_eq!(delivery.state.as_str(), "refused");
    assert_eq!(outcomes(&attempts), [Some(OutcomeKind::Refused)]);
    assert_eq!(states(&world).await, of([("expired", 1), ("refused", 1)]));
});

story!(a_relay_in_trouble_uses_up_no_attempt_but_time, world, {
    queue(&world, 1).await;
    world.answers("RCPT * 421 4.3.2 going down");
    for tries in 1..=20 {
        assert_eq!(world.send().await.relay, 1, "{tries}");
        let (delivery, attempts) = story_of(&world, &desk(1)).await;
        assert_eq!((delivery.attempts, attempts.len()), (0, tries));
        world.now = delivery.due_at;
    }
    world.later("5d");
    world.send().await;
    assert_eq!(states(&world).await, of([("expired", 1)]));
});
