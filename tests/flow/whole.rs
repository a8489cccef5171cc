//! One suspect list all the way.

use crate::story;

const TABLE: &str = "range,country,abuse
192.0.2.0/24,JP,abuse@sakura.example
198.51.100.0/25,DE,abuse@linde.example
198.51.100.128/25,DE,
203.0.113.0/24,US,abuse@prairie.example
";

const FEED: &str = "ip,seen,class
192.0.2.7,2026-11-01T00:00:00Z,spam
192.0.2.7,2026-11-01T00:00:00Z,spam
192.0.2.0/30,2026-11-02T00:00:00Z,spam
198.51.100.126-198.51.100.129,2026-11-03T00:00:00Z,spam
203.0.113.9,2026-11-04T00:00:00Z,botnet
10.0.0.1,2026-11-04T00:00:00Z,spam
2001:db8::1,2026-11-04T00:00:00Z,spam
";

story!(every_row_ends_in_one_place, world, {
    world.queue(TABLE, FEED).await;
    world.answers("RCPT abuse@linde.example 451 4.7.1 later x1");
    world.answers("RCPT abuse@prairie.example 550 5.1.1 nobody");
    let first = world.send().await;
    assert_eq!((first.accepted, first.deferred, first.refused), (1, 1, 1));
    assert_eq!(world.state_of("abuse@linde.example").await, "scheduled");
    assert_eq!(world.send().await.claimed, 0, "nothing is due yet");
    world.later("10m");
    assert_eq!(world.send().await.accepted, 1);

    let report = world.report().await;
    let totals = &report.totals;
    let import = totals.import;
    assert_eq!(
        (import.rows, import.fresh, import.repeated, import.refused),
        (7, 5, 1, 1)
    );
    assert_eq!((totals.cut, totals.pieces), (1, 2));
    assert_eq!((totals.of("matched"), totals.of("unresolved")), (4, 2));
    assert_eq!((totals.letters, totals.letter_rows), (3, 4));
    assert_eq!(
        (
            report.letters.deliveries("accepted"),
            report.letters.deliveries("refused")
        ),
        (2, 1)
    );
    assert_eq!(report.letters.campaign.state.as_str(), "settled");
});
