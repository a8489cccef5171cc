//! The second notice: what is still seen, what is new, what is gone, and whom nobody told before.

use std::collections::BTreeMap;

use lapwing::model::{Letter, NewCampaign, Override, Progress};
use lapwing::{approve, compose, intake};

use crate::desk::{attached, column, text};
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

/// Of one network's ranges: what the first letter told, what is seen now and is which, and how many of
/// what was told are gone.
type Case = (&'static str, &'static str, &'static str, u32);

const RANGES: [(&str, Case); 9] = [
    (
        "192.0.2.0/28",
        ("the same range", "192.0.2.0/28", "192.0.2.0/28=still", 0),
    ),
    (
        "192.0.2.16/28",
        (
            "a range around addresses",
            "192.0.2.17 192.0.2.18 192.0.2.30",
            "192.0.2.16/29=new",
            1,
        ),
    ),
    (
        "192.0.2.32/28",
        (
            "addresses inside a range",
            "192.0.2.32/29",
            "192.0.2.33=still 192.0.2.39=still 192.0.2.40=new",
            0,
        ),
    ),
    (
        "192.0.2.48/28",
        (
            "ranges that overlap",
            "192.0.2.48-192.0.2.55",
            "192.0.2.50-192.0.2.53=still 192.0.2.52-192.0.2.59=new",
            0,
        ),
    ),
    (
        "192.0.2.64/28",
        (
            "addresses and a range that cover one together",
            "192.0.2.64 192.0.2.65 192.0.2.66/31",
            "192.0.2.64/30=still 192.0.2.64-192.0.2.68=new",
            0,
        ),
    ),
    (
        "192.0.2.80/28",
        (
            "what is elsewhere",
            "192.0.2.80/30 192.0.2.90",
            "192.0.2.91=new 192.0.2.92/30=new",
            2,
        ),
    ),
    (
        "192.0.2.96/28",
        (
            "addresses that cover a range one by one, told twice and within another",
            "192.0.2.96 192.0.2.97 192.0.2.98 192.0.2.99 192.0.2.98/31",
            "192.0.2.96/30=still",
            0,
        ),
    ),
    (
        "2001:db8::/48",
        (
            "halves of a range",
            "2001:db8::/49 2001:db8:0:8000::/49",
            "2001:db8::/48=still 2001:db8:0:1::7=still",
            0,
        ),
    ),
    (
        "2001:db8:1::/48",
        (
            "a range of more addresses than anybody tells",
            "2001:db8:1::1 2001:db8:1::2 2001:db8:1:5::1",
            "2001:db8:1::/64=new 2001:db8:1::1=still",
            1,
        ),
    ),
];

fn seen_at(time: &str, ranges: impl Iterator<Item = &'static str>) -> String {
    let rows = ranges.map(|range| format!("{range},{time}\n"));
    format!("ip,seen\n{}", rows.collect::<String>())
}

story!(a_range_is_still_seen_only_when_all_of_it_was_told, world, {
    let mailbox = |place: usize| format!("abuse@isp-{place}.example");
    let networks = RANGES.iter().enumerate();
    let networks = networks.map(|(place, (range, _))| format!("{range},US,{}\n", mailbox(place)));
    let table = format!("range,country,abuse\n{}", networks.collect::<String>());
    let told = RANGES.iter().flat_map(|(_, (_, told, ..))| told.split(' '));
    let feed = seen_at("2026-11-01T00:00:00Z", told);
    world.queue(&table, &feed).await;
    world.send().await;
    world.later("14d");
    let now = RANGES.iter().flat_map(|(_, (_, _, now, _))| now.split(' '));
    let now = now.filter_map(|one| Some(one.split_once('=')?.0));
    let feed = seen_at("2026-11-25T00:00:00Z", now);
    let (_, letters) = remind(&world, &feed).await.unwrap();
    for (place, (_, (case, _, now, gone))) in RANGES.iter().enumerate() {
        let letter = to(&letters, &mailbox(place));
        let found: Vec<String> = (states(letter).iter())
            .map(|(range, state)| format!("{range}={state}"))
            .collect();
        let mut wanted: Vec<&str> = now.split(' ').collect();
        wanted.sort_unstable();
        assert_eq!(found, wanted, "{case}");
        let count = |state| now.matches(state).count();
        said(
            &letter.text,
            &[
                &format!("Still seen: {}", count("=still")),
                &format!("New: {}", count("=new")),
                &format!("No longer seen: {gone}"),
            ],
        );
    }
});

story!(
    who_was_told_of_a_range_is_the_predecessor_for_an_address_in_it,
    world,
    {
        let table = "range,country,abuse\n198.51.100.0/24,US,old@moves.example\n";
        let feed = "ip,seen\n198.51.100.128/26,2026-11-01T00:00:00Z\n";
        world.queue(table, feed).await;
        world.send().await;
        world.later("14d");
        let ticket = world.letters().await[0].ticket.clone();
        world
            .overrides("subject,mailbox\n198.51.100.128/25,new@moves.example\n")
            .await;
        let now = "ip,seen\n198.51.100.150,2026-11-25T00:00:00Z\n";
        let (done, letters) = remind(&world, now).await.unwrap();
        assert_eq!(done.first_notices, 0);
        let first = format!("First letter: {ticket}");
        said(
            &letters[0].text,
            &[&first, "Still seen: 1", "New: 0", "No longer seen: 0"],
        );
    }
);

story!(since_when_reaches_back_to_the_first_letter, world, {
    let table = "range,country,abuse\n192.0.2.0/24,US,abuse@alpha.example\n";
    let feed = "ip,first_seen,last_seen
192.0.2.1,2026-09-01T00:00:00Z,2026-11-01T00:00:00Z
192.0.2.1,,2026-10-01T00:00:00Z
192.0.2.64/28,,2026-11-02T00:00:00Z
";
    world.queue(table, feed).await;
    world.send().await;
    world.later("14d");
    let now = "ip,first_seen,last_seen
192.0.2.1,,2026-11-24T00:00:00Z
192.0.2.2,2026-11-10T00:00:00Z,2026-11-25T00:00:00Z
192.0.2.3,2026-11-01T00:00:00Z,2026-11-10T00:00:00Z
192.0.2.64/28,2026-11-20T00:00:00Z,2026-11-26T00:00:00Z
192.0.2.70,,2026-11-26T00:00:00Z
";
    let (done, letters) = remind(&world, now).await.unwrap();
    // What was last seen before the first letters were approved says nothing of what came of them.
    assert_eq!(done.suspects, 4);
    said(
        &letters[0].text,
        &[
            "First seen on 2026-09-01, last seen on 2026-11-26 (UTC).",
            "192.0.2.1 still seen 2026-09-01T00:00:00Z 2026-11-24T00:00:00Z",
            // Begun before the first letter, and seen since.
            "192.0.2.2 new 2026-11-10T00:00:00Z 2026-11-25T00:00:00Z",
            "192.0.2.64/28 still seen 2026-11-02T00:00:00Z 2026-11-26T00:00:00Z",
            // Of the one address nobody told since when, only of the block around it.
            "192.0.2.70 still seen 2026-11-26T00:00:00Z 2026-11-26T00:00:00Z",
        ],
    );
    // The list is of this campaign's observations.
    let rows = attached(&letters[0]);
    assert_eq!(rows[0]["seen"], "2026-11-24T00:00:00Z");
    assert_eq!(
        column(&rows, "seen_from"),
        ["", "2026-11-10T00:00:00Z", "2026-11-20T00:00:00Z", ""]
    );
});
