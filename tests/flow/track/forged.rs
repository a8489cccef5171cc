//! What does not prove itself is kept, counted and shown, and changes nothing.

use lapwing::model::{LetterNumber, Purpose, TokenKey, TokenKeys};

use super::{Report, all, comes_back, sent};
use crate::send::{desk, of, states};
use crate::story;
use crate::world::World;

async fn nothing_has_changed(world: &World, why: &str) {
    assert_eq!(states(world).await, of([("accepted", 2)]), "{why}");
    let suppressed = world.store.suppressions(world.now).await.unwrap();
    assert!(suppressed.is_empty(), "{why}: {suppressed:?}");
}

story!(a_forged_bounce_changes_nothing, world, {
    sent(&world, 2).await;
    let (letter, other) = (
        world.letter_to(&desk(1)).await,
        world.letter_to(&desk(2)).await,
    );
    let true_one = letter.envelope_from.to_string();
    let bounce = |returned: &str| {
        let report = Report::of(&letter, "failed", "5.1.1", "550 5.1.1 No such user here");
        let returned = returned.to_owned();
        Report { returned, ..report }.text()
    };
    let whole = bounce(&letter.message_id);
    let keys = TokenKeys(vec![TokenKey {
        id: 0,
        value: vec![9; 32],
    }]);
    let number = LetterNumber { notice: 1, part: 1 };
    let of_another_key = keys.write(Purpose::Envelope, number);
    let of_a_strange_key = TokenKeys(vec![TokenKey {
        id: 9,
        value: vec![9; 32],
    }]);
    let of_a_strange_key = of_a_strange_key.write(Purpose::Envelope, number);
    let message_token = letter
        .message_id
        .split('@')
        .next()
        .unwrap()
        .trim_start_matches("l.");
    for (why, to) in [
        ("no token at all", "bounces@coalition.example".to_owned()),
        ("a wrong proof", changed(&true_one)),
        (
            "another's key",
            format!("b-{of_another_key}@coalition.example"),
        ),
        (
            "a key that is not known",
            format!("b-{of_a_strange_key}@coalition.example"),
        ),
        (
            "a Message-ID's token",
            format!("b-{message_token}@coalition.example"),
        ),
        (
            "the token of an address for answers",
            true_one.replacen("b-", "r-", 1),
        ),
    ] {
        let done = comes_back(&world, &to, &whole.replace("said", why)).await;
        assert_eq!(done.bounced, 1, "{why}");
        nothing_has_changed(&world, why).await;
        assert_eq!(done.untrue, 1, "{why}");
    }
    // The right address, and what it speaks of is another letter or another recipient.
    let done = comes_back(&world, &true_one, &bounce(&other.message_id)).await;
    assert_eq!(done.untrue, 1);
    nothing_has_changed(&world, "it returns another letter").await;
    let stray = Report {
        recipient: "somebody@else.example".to_owned(),
        ..Report::of(&letter, "failed", "5.1.1", "550 5.1.1 No such user here")
    };
    let stray = Report {
        returned: "x@y.example".to_owned(),
        ..stray
    };
    comes_back(&world, &true_one, &stray.text()).await;
    nothing_has_changed(&world, "it speaks of somebody else").await;
    let kept = all(&world).await;
    assert_eq!(kept.len(), 8);
    assert!(kept.iter().all(|one| !one.untrue.is_empty()), "{kept:#?}");
});

story!(the_envid_proves_as_much_as_the_address, world, {
    sent(&world, 2).await;
    let letter = world.letter_to(&desk(1)).await;
    let envid = letter.envelope_from.local_part().to_owned();
    let mut report = Report::of(&letter, "failed", "5.1.1", "550 5.1.1 No such user here");
    report.envid = Some(envid.clone());
    comes_back(&world, "postmaster@coalition.example", &report.text()).await;
    assert_eq!(world.state_of(&desk(1)).await, "bounced-hard");
    let other = world.letter_to(&desk(2)).await;
    let mut report = Report::of(&other, "failed", "5.1.1", "550 5.1.1 No such user here");
    report.envid = Some(changed(&envid));
    comes_back(&world, "postmaster@coalition.example", &report.text()).await;
    assert_eq!(world.state_of(&desk(2)).await, "accepted");
});

story!(an_old_key_is_read_for_its_time, world, {
    sent(&world, 2).await;
    let read_for = "60d".parse().unwrap();
    let rotated = world
        .store
        .rotate_token_key("author", world.now, read_for)
        .await;
    rotated.unwrap();
    let letter = world.letter_to(&desk(1)).await;
    let bounce = Report::of(&letter, "failed", "5.1.1", "550 5.1.1 No such user here").text();
    world.later("59d");
    comes_back(&world, letter.envelope_from.as_str(), &bounce).await;
    assert_eq!(world.state_of(&desk(1)).await, "bounced-hard");
    let letter = world.letter_to(&desk(2)).await;
    let bounce = Report::of(&letter, "failed", "5.1.1", "550 5.1.1 No such user here").text();
    world.later("2d");
    let done = comes_back(&world, letter.envelope_from.as_str(), &bounce).await;
    assert_eq!(done.untrue, 1);
    assert_eq!(world.state_of(&desk(2)).await, "accepted");

    // Letters that were sent long after they were written are waited for from then on.
    crate::send::tamper(&world, "UPDATE campaign SET name = 'first'").await;
    crate::send::queue(&world, 2).await;
    let rotated = world
        .store
        .rotate_token_key("author", world.now, read_for)
        .await;
    rotated.unwrap();
    world.later("55d");
    world.send().await;
    let letter = world.letter_to(&desk(2)).await;
    let bounce = Report::of(&letter, "failed", "5.1.1", "550 5.1.1 No such user here").text();
    world.later("55d");
    let done = comes_back(&world, letter.envelope_from.as_str(), &bounce).await;
    assert_eq!(done.untrue, 0);
    assert_eq!(world.state_of(&desk(2)).await, "bounced-hard");

    let before = world.store.token_keys(world.now).await.unwrap();
    let ran = world.lapwing(&["key", "rotate", "--read-for", "30d"]);
    assert!(ran.out.contains("counts until"), "{}{}", ran.out, ran.err);
    let after = world.store.token_keys(world.now).await.unwrap();
    assert_ne!(before.0[0].id, after.0[0].id);
});

/// One character of the proof is another.
pub(super) fn changed(address: &str) -> String {
    let place = 20;
    let mut changed: Vec<char> = address.chars().collect();
    changed[place] = if changed[place] == 'a' { 'b' } else { 'a' };
    changed.into_iter().collect()
}
