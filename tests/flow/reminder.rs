//! The second notice: what is still seen, what is new, what is gone, and whom nobody told before.

use std::collections::BTreeMap;

use lapwing::model::{Letter, NewCampaign, Override, Progress};
use lapwing::{approve, compose, intake};

use crate::desk::{attached, text};
use crate::story;
use crate::world::World;

const TABLE: &str = "range,name,country,abuse
192.0.2.0/24,ALPHA,US,abuse@alpha.example
198.51.100.0/25,BETA,US,abuse@beta.example
198.51.100.128/25,MOVES,US,old@moves.example
203.0.113.0/24,LATE,US,abuse@late.example
";

const FIRST: &str = "ip,seen
192.0.2.1,2026-11-01T00:00:00Z
192.0.2.2,2026-11-01T00:00:00Z
192.0.2.3,2026-11-01T00:00:00Z
192.0.2.64/28,2026-11-01T00:00:00Z
198.51.100.1,2026-11-01T00:00:00Z
198.51.100.200,2026-11-01T00:00:00Z
198.51.100.201,2026-11-01T00:00:00Z
";

const SECOND: &str = "ip,seen
192.0.2.1,2026-11-24T00:00:00Z
192.0.2.1,2026-11-25T00:00:00Z
192.0.2.9,2026-11-25T00:00:00Z
192.0.2.70,2026-11-25T00:00:00Z
198.51.100.2,2026-11-25T00:00:00Z
198.51.100.200,2026-11-25T00:00:00Z
203.0.113.1,2026-11-25T00:00:00Z
";

/// A first campaign, sent, and two weeks later the same table.
async fn first(world: &mut World) {
    world.queue(TABLE, FIRST).await;
    world.send().await;
    world.later("14d");
}

/// Writes the reminder's letters.
async fn remind(world: &World, feed: &str) -> Result<(compose::Done, Vec<Letter>), String> {
    let before = world.campaign().await;
    let new = NewCampaign {
        after: Some(before.id),
        ..NewCampaign::new("again", "reminder")
    };
    let campaign = world.begin(new).await;
    let reading = intake::Reading {
        since: intake::since(&world.store, &campaign).await.unwrap(),
        ..world.reading()
    };
    let rows = intake::read(text(feed), "again.csv", &reading).unwrap();
    let progress = Progress::default();
    intake::run_once(
        &world.store,
        &campaign,
        "again.csv",
        rows,
        "author",
        world.now,
        &progress,
    )
    .await
    .unwrap();
    world.resolve_campaign("again").await;
    let done = world
        .compose_campaign("again")
        .await
        .map_err(|error| error.to_string())?;
    let letters = world.store.letters(campaign.id, 0, 100).await.unwrap();
    Ok((done, letters))
}

fn states(letter: &Letter) -> BTreeMap<String, String> {
    let rows = attached(letter);
    rows.into_iter()
        .map(|row| (row["address"].clone(), row["state"].clone()))
        .collect()
}

fn to<'l>(letters: &'l [Letter], mailbox: &str) -> &'l Letter {
    letters
        .iter()
        .find(|one| one.recipient.as_str() == mailbox)
        .unwrap()
}

fn said(text: &str, lines: &[&str]) {
    let plain: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for line in lines {
        assert!(plain.contains(line), "{line}\n{text}");
    }
}

story!(a_reminder_says_what_is_still_seen_new_and_gone, world, {
    first(&mut world).await;
    let before = world.letters().await;
    let ticket = &before
        .iter()
        .find(|one| one.recipient == "abuse@alpha.example")
        .unwrap()
        .ticket;
    let (done, letters) = remind(&world, SECOND).await.unwrap();
    assert_eq!((done.letters, done.suspects, done.first_notices), (4, 7, 1));
    let alpha = to(&letters, "abuse@alpha.example");
    assert!(alpha.subject.contains("Reminder") && alpha.subject.contains(ticket.as_str()));
    said(
        &alpha.text,
        &[
            &format!("First letter: {ticket}, 2026-11-16"),
            "Still seen: 2",
            "New: 1",
            "No longer seen: 2",
        ],
    );
    let states = states(alpha);
    assert_eq!(states["192.0.2.1"], "still");
    assert_eq!(
        states["192.0.2.70"], "still",
        "it lies in a block that was told"
    );
    assert_eq!(states["192.0.2.9"], "new");
    said(
        &to(&letters, "abuse@beta.example").text,
        &["Still seen: 0", "New: 1", "No longer seen: 1"],
    );
});

story!(whom_nobody_told_gets_the_notice, world, {
    first(&mut world).await;
    let (_, letters) = remind(&world, SECOND).await.unwrap();
    let late = to(&letters, "abuse@late.example");
    assert!(!late.subject.contains("Reminder"), "{}", late.subject);
    assert!(!late.text.contains("First letter"), "{}", late.text);
    assert_eq!(states(late)["203.0.113.1"], "");
});

story!(
    a_contact_that_took_over_is_reminded_of_its_predecessors_letter,
    world,
    {
        first(&mut world).await;
        let before = world.letters().await;
        let ticket = &before
            .iter()
            .find(|one| one.recipient == "old@moves.example")
            .unwrap()
            .ticket;
        let moved = Override {
            id: 0,
            subject: "198.51.100.128/25".parse().unwrap(),
            mailbox: Some("new@moves.example".parse().unwrap()),
            locale: String::new(),
            format: None,
            reason: String::new(),
            owner: "author".to_owned(),
            created_at: world.now,
            expires_at: None,
        };
        world.store.add_override(&moved).await.unwrap();
        let (_, letters) = remind(&world, SECOND).await.unwrap();
        let moved = to(&letters, "new@moves.example");
        said(
            &moved.text,
            &[
                &format!("First letter: {ticket}"),
                "Still seen: 1",
                "New: 0",
                "No longer seen: 1",
            ],
        );
    }
);

story!(who_was_not_reached_was_not_told, world, {
    world.answers("RCPT abuse@alpha.example 550 5.1.1 no such user");
    first(&mut world).await;
    let (done, letters) = remind(&world, SECOND).await.unwrap();
    assert_eq!(done.first_notices, 2);
    assert!(
        !to(&letters, "abuse@alpha.example")
            .subject
            .contains("Reminder")
    );
});

story!(nobody_is_reminded_of_what_was_never_sent, world, {
    world.table(TABLE).await;
    world.feed(FIRST).await;
    let error = remind(&world, SECOND).await.unwrap_err();
    assert!(error.contains("\"trial\" is draft"), "{error}");
});

story!(a_reminder_can_be_approved, world, {
    first(&mut world).await;
    remind(&world, SECOND).await.unwrap();
    let campaign = world.store.campaign("again").await.unwrap();
    let (now, progress) = (world.now, Progress::default());
    let preflight = approve::submit(
        &world.store,
        &campaign,
        "author",
        &world.review,
        now,
        &progress,
    )
    .await;
    assert_eq!(preflight.unwrap().suspects, 7);
});
