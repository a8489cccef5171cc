//! Holds: nothing leaves to whom staff hold, and nothing of it is lost.

use lapwing::model::{DecisionKind, Hold, HoldSubject, Span, Timestamp};

use super::{copies, decide, desk, of, queue, states, story_of};
use crate::story;
use crate::world::World;

async fn hold(world: &World, subject: HoldSubject, until: Option<Timestamp>) -> (i64, u64) {
    let new = Hold {
        id: 0,
        subject,
        reason: "they asked for time".to_owned(),
        by: "anna".to_owned(),
        at: world.now,
        until,
    };
    world.store.add_hold(&new).await.unwrap()
}

fn domain(text: &str) -> HoldSubject {
    HoldSubject::Domain(text.parse().unwrap())
}

fn address(n: usize) -> HoldSubject {
    HoldSubject::Address(desk(n).parse().unwrap())
}

story!(a_held_domain_gets_nothing_until_the_hold_ends, world, {
    queue(&world, 4).await;
    let until = world.now.plus("6d".parse().unwrap());
    let (_, kept) = hold(&world, domain("isp002.example"), Some(until)).await;
    assert_eq!(kept, 1);
    assert_eq!(world.send().await.accepted, 3);
    let (delivery, _) = story_of(&world, &desk(2)).await;
    assert_eq!(delivery.due_at, until);
    let status = world.report().await.status();
    assert!(status.contains("1  held (lapwing hold list)"), "{status}");
    assert!(!status.contains("deferred"), "{status}");
    assert_eq!(copies(&world).get(&desk(2)), None);

    world.now = until;
    // The days that it was held are none of its own: it is deferred and tried again like any other.
    world.answers("RCPT * 451 4.7.1 later x1");
    assert_eq!(world.send().await.deferred, 1);
    let (delivery, _) = story_of(&world, &desk(2)).await;
    assert!(
        delivery.waits.is_none() && delivery.due_at > until,
        "{delivery:?}"
    );
    world.now = delivery.due_at;
    assert_eq!(world.send().await.accepted, 1);
    assert_eq!(states(&world).await, of([("accepted", 4)]));
});

story!(what_comes_due_later_is_held_too, world, {
    queue(&world, 3).await;
    world.answers(&format!("RCPT {} 451 4.7.1 later x1", desk(1)));
    world.send().await;
    let (id, kept) = hold(&world, address(1), None).await;
    assert_eq!(kept, 0, "it waits for another reason");
    world.later("1h");
    let done = world.send().await;
    assert_eq!((done.claimed, done.kept_back), (1, 1));
    let (delivery, attempts) = story_of(&world, &desk(1)).await;
    assert_eq!((delivery.hold, attempts.len()), (Some(id), 1));
    let queue = world.report().await.letters.queue;
    assert_eq!(queue.next_retry, None, "nobody knows when");

    // A year later the campaign is still open, and the letter has all its time.
    world.later("365d");
    assert_eq!(world.send().await.claimed, 0);
    assert_eq!(
        world.report().await.letters.campaign.state.as_str(),
        "approved"
    );
    let freed = world.store.remove_hold(id, "anna", world.now).await;
    assert_eq!(freed.unwrap(), 1);
    world.answers(&format!("RCPT {} 451 4.7.1 later x1", desk(1)));
    assert_eq!(world.send().await.deferred, 1, "and is not given up");
    world.later("1h");
    assert_eq!(world.send().await.accepted, 1);
    assert_eq!(
        world.report().await.letters.campaign.state.as_str(),
        "settled"
    );
});

story!(a_hold_takes_back_what_a_worker_has_not_begun, world, {
    queue(&world, 2).await;
    let campaign = world.campaign().await;
    let lease = world.now.plus(Span::seconds(600));
    let claimed = world.store.claim(campaign.id, "slow", 10, lease).await;
    assert_eq!(claimed.unwrap().len(), 2);
    let (id, kept) = hold(&world, address(2), None).await;
    assert_eq!(kept, 1);
    world.store.release("slow").await.unwrap();
    assert_eq!(states(&world).await, of([("ready", 1), ("scheduled", 1)]));
    assert_eq!(world.send().await.accepted, 1);
    world
        .store
        .remove_hold(id, "anna", world.now)
        .await
        .unwrap();
    assert_eq!(world.send().await.accepted, 1);
    assert_eq!(copies(&world).len(), 2);
});

story!(a_letter_under_two_holds_waits_for_both, world, {
    queue(&world, 1).await;
    let soon = world.now.plus("1h".parse().unwrap());
    hold(&world, address(1), Some(soon)).await;
    let (other, _) = hold(&world, domain("*.example"), None).await;
    assert_eq!(world.send().await.accepted, 0);
    world.now = soon;
    let done = world.send().await;
    assert_eq!((done.kept_back, done.accepted), (1, 0));
    world
        .store
        .remove_hold(other, "anna", world.now)
        .await
        .unwrap();
    assert_eq!(world.send().await.accepted, 1);
});

story!(a_held_letter_is_shown_with_who_and_why, world, {
    queue(&world, 2).await;
    let letters = world.letters().await;
    let ticket = letters[0].ticket.as_str();
    let held = |arguments: &[&str]| {
        let ran = world.lapwing(arguments);
        assert_eq!(ran.code, 0, "{arguments:?} {}", ran.err);
        ran.out
    };
    let add = [
        "hold",
        "add",
        "--ticket",
        ticket,
        "--reason",
        "their lawyer wrote",
    ];
    let dry = held(&[&add[..], &["--dry-run"]].concat());
    assert!(dry.contains("1 letter kept back now"), "{dry}");
    assert!(held(&["hold", "list"]).contains("Nothing is held"));
    held(&[&add[..], &["--as", "anna", "--until", "2999-12-24"]].concat());

    for (arguments, said) in [
        (&["letter", "show", ticket][..], "held by hold 1"),
        (&["letter", "list", "trial", "--state", "held"], "held"),
        (
            &["hold", "list"],
            "by anna, until 2999-12-25T00:00:00Z: their lawyer wrote  (1 letter)",
        ),
        (&["status", "trial"], "1  held"),
    ] {
        let told = held(arguments);
        assert!(told.contains(said), "{arguments:?}\n{told}");
        assert!(told.contains(ticket) || arguments[0] == "status", "{told}");
    }
    let told = held(&["hold", "remove", "1", "--as", "berta"]);
    assert!(told.contains("1 letter may leave"), "{told}");
    assert_eq!(world.lapwing(&["hold", "remove", "1"]).code, 4);
    assert_eq!(states(&world).await, of([("ready", 2)]));
    let until = [&add[..], &["--until", "soon"]].concat();
    let wrong = world.lapwing(&until);
    assert!(
        wrong.code == 2 && wrong.err.contains("2026-12-24"),
        "{}",
        wrong.err
    );
    let nobody = ["hold", "add", "--ticket", "LW-999999-9", "--reason", "x"];
    assert_eq!(world.lapwing(&nobody).code, 4);
});

story!(what_is_held_when_all_is_cancelled_is_cancelled, world, {
    queue(&world, 2).await;
    let (id, _) = hold(&world, address(1), None).await;
    decide(&world, DecisionKind::Cancelled).await;
    assert_eq!(states(&world).await, of([("cancelled", 2)]));
    let freed = world.store.remove_hold(id, "anna", world.now).await;
    assert_eq!(freed.unwrap(), 0);
    assert_eq!(states(&world).await, of([("cancelled", 2)]));
});
