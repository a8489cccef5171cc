//! Feeds come in, and every row of them is counted in one place.

use std::collections::BTreeSet;
use std::fmt::Write;

use lapwing::model::{NewCampaign, Progress};

use crate::desk::column;
use crate::story;

const MONDAY: &str = "ip,seen,class,source
192.0.2.7,2026-11-01T00:00:00Z,spam,trap-1
192.0.2.7,2026-11-01T00:00:00Z,spam,trap-1
192.0.2.7,2026-11-01T00:00:00Z,spam,trap-2
192.0.2.7,2026-11-01T00:00:01Z,spam,trap-1
192.0.2.0/30,2026-11-01T00:00:00Z,spam,trap-1
10.0.0.1,2026-11-01T00:00:00Z,spam,trap-1
";

const TUESDAY: &str = "ip,seen,class,source
192.0.2.7,2026-11-01T09:00:00+09:00,spam,trap-1
192.0.2.0-192.0.2.3,2026-11-01T00:00:00Z,spam,trap-1
198.51.100.1,2026-11-02T00:00:00Z,spam,trap-1
";

story!(counts_add_up_whatever_comes_twice, world, {
    let counts = |done: lapwing::intake::Done| {
        let counts = done.counts;
        (counts.rows, counts.fresh, counts.repeated, counts.refused)
    };
    assert_eq!(counts(world.feed(MONDAY).await), (6, 4, 1, 1));
    world.sums().await;
    // The same file once more, as staff do who are not sure whether it went in.
    assert_eq!(counts(world.feed(MONDAY).await), (6, 0, 5, 1));
    // Another feed saw two of the same, told in other words for the same time and range.
    let tuesday = world.import("tuesday.csv", TUESDAY);
    assert_eq!(counts(tuesday.await.unwrap()), (3, 1, 2, 0));

    let totals = world.sums().await;
    let all = totals.import;
    assert_eq!(
        (all.rows, all.fresh, all.repeated, all.refused),
        (15, 5, 8, 2)
    );
    assert_eq!(totals.of("waiting"), 5);
    assert_eq!(
        world.places().await,
        [
            "192.0.2.0/30 waiting",
            "192.0.2.7 waiting",
            "192.0.2.7 waiting",
            "192.0.2.7 waiting",
            "198.51.100.1 waiting",
        ]
    );
});

story!(two_campaigns_do_not_share_their_suspects, world, {
    world.feed(MONDAY).await;
    let other = world
        .store
        .add_campaign(&NewCampaign::new("other", "notice"), "author", world.now)
        .await
        .unwrap();
    assert_eq!(world.store.count_waiting(other.id).await.unwrap(), 0);
    assert_eq!(world.store.totals(other.id).await.unwrap().import.rows, 0);
});

/// 120,000 rows are three chunks; each of the last 20,000 has its twin in the first.
fn long_feed() -> String {
    let mut feed = String::from("ip,seen\n");
    for row in 0..120_000_u32 {
        let host = row % 100_000;
        let bad = if row % 10_000 == 0 { "x" } else { "" };
        let (high, low) = (host >> 16, host & 0xffff);
        writeln!(feed, "{bad}2001:db8::{high:x}:{low:x},2026-11-01T00:00:00Z").unwrap();
    }
    feed
}

story!(twins_far_apart_in_a_long_feed_are_found, world, {
    let feed = long_feed();
    // Somebody stops it, and simply does it again.
    let progress = Progress::default();
    progress.stop();
    let first = world.import_until("long.csv", &feed, &progress).await;
    let first = first.unwrap().counts;
    assert_eq!(
        (first.rows, first.fresh, first.repeated, first.refused),
        (100_000, 99_990, 0, 10),
        "the chunk in hand is finished"
    );
    world.sums().await;
    let second = world.import("long.csv", &feed).await.unwrap().counts;
    assert_eq!(
        (second.rows, second.fresh, second.repeated, second.refused),
        (120_000, 0, 119_988, 12)
    );
    assert_eq!(world.sums().await.of("waiting"), 99_990);
    let lines: BTreeSet<String> = column(&world.refused_rows().await, "line")
        .into_iter()
        .map(str::to_owned)
        .collect();
    // The header is line 1.
    let expected = (0..12).map(|n| (n * 10_000 + 2).to_string()).collect();
    assert_eq!(lines, expected);
});

const TROUBLE: &str = "ip,seen,port,comment
192.0.2.1,2026-11-01T00:00:00Z,25,good
192.0.2.300,2026-11-01T00:00:00Z,25,no address
192.168.1.1,2026-11-01T00:00:00Z,25,private
224.0.0.5,2026-11-01T00:00:00Z,25,multicast
192.0.2.2,2027-11-01T00:00:00Z,25,in a year
192.0.2.3,yesterday,25,no time
192.0.2.4,2026-11-01T00:00:00Z,99999,no port
2001:db8::/16,2026-11-01T00:00:00Z,25,too wide
\"=HYPERLINK(\"\"http://evil.example\"\")\",2026-11-01T00:00:00Z,25,a formula
,2026-11-01T00:00:00Z,25,nothing
192.0.2.5,2026-11-01T00:00:00Z,25,good
";

story!(refused_rows_say_what_to_do_and_stop_nothing, world, {
    let done = world.feed(TROUBLE).await;
    assert_eq!((done.counts.fresh, done.counts.refused), (2, 9));
    assert_eq!(done.refusals.len(), 9, "staff see them at once");

    let rows = world.refused_rows().await;
    let told: Vec<String> = rows
        .iter()
        .map(|row| format!("{} {}: {}", row["line"], row["column"], row["reason"]))
        .collect();
    assert_eq!(
        told,
        [
            "3 ip: \"192.0.2.300\" is not an address",
            "4 ip: 192.168.1.1 is no public address: private (RFC 1918)",
            "5 ip: 224.0.0.5 is no public address: multicast (RFC 5771)",
            "6 seen: 2027-11-01T00:00:00Z lies in the future",
            "7 seen: \"yesterday\" is not a time",
            "8 port: \"99999\" is no port",
            "9 ip: 2001::/16 is wider than /32, the widest range that one row may name",
            "10 ip: \"=HYPERLINK(\"http://evil.example\")\" names no address",
            "11 ip: there is no address",
        ]
    );
    assert!(rows.iter().all(|row| row["feed"] == "feed.csv"));
    assert!(rows.iter().all(|row| !row["remedy"].is_empty()));
    assert_eq!(
        rows[0]["raw"],
        "192.0.2.300,2026-11-01T00:00:00Z,25,no address"
    );
    // No cell of the file is run by the spreadsheet that opens it.
    assert_eq!(rows[7]["value"], "'=HYPERLINK(\"http://evil.example\")");
    let cells = rows.iter().flat_map(|row| row.values());
    assert!(
        cells
            .clone()
            .all(|cell| !cell.starts_with(['=', '+', '-', '@']))
    );
    world.sums().await;
});

story!(a_feed_of_nothing_is_counted_as_nothing, world, {
    for feed in ["ip,seen\n", "ip\n10.0.0.1\n"] {
        world.feed(feed).await;
    }
    let totals = world.sums().await;
    assert_eq!((totals.import.rows, totals.import.refused), (1, 1));
    world.resolve().await;
    world.compose().await;
    let refused = world.submit_as("author").await.unwrap_err().to_string();
    assert!(refused.contains("there is no letter"), "{refused}");
});

const TABLE: &str = "range,country,abuse\n192.0.2.0/24,DE,abuse@linde.example\n";

story!(suspects_that_come_later_void_the_submission, world, {
    world.table(TABLE).await;
    world.feed("192.0.2.1\n").await;
    world.resolve().await;
    world.compose().await;
    world.submit_as("author").await.unwrap();
    world.feed("192.0.2.2\n").await;

    assert_eq!(world.state().await, "draft");
    assert_eq!(
        world.history().await,
        [
            "submitted by author",
            "voided by author: suspects were added"
        ]
    );
    let refused = world.approve_as("reviewer").await.unwrap_err().to_string();
    assert!(refused.contains("submit it first"), "{refused}");
    // Nor can it be submitted again before the new suspect is in a letter.
    let refused = world.submit_as("author").await.unwrap_err().to_string();
    assert!(refused.contains("lapwing compose trial"), "{refused}");
    world.resolve().await;
    world.compose().await;
    world.submit_as("author").await.unwrap();
    assert_eq!(world.opened().await[0].rows, 2);
});

story!(an_approved_campaign_takes_no_more_suspects, world, {
    world.queue(TABLE, "192.0.2.1\n").await;
    let late = world.import("late.csv", "192.0.2.2\n");
    let refused = late.await.unwrap_err().to_string();
    assert!(refused.contains("make a new campaign"), "{refused}");
    let totals = world.sums().await;
    assert_eq!((totals.import.rows, totals.letter_rows), (1, 1));
});
