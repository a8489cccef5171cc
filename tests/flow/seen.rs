//! Since when: a feed's first time goes beside its last from the row to the letter.

use lapwing::model::{Format, Letter};
use serde_json::Value;

use crate::desk::{attached, column};
use crate::story;
use crate::world::World;

const TABLE: &str = "range,country,abuse
192.0.2.0/24,US,abuse@isp.example
198.51.100.0/25,US,abuse@low.example
198.51.100.128/25,US,abuse@high.example
";

const PAIRS: &str = "last_seen,first_seen,ip
2026-11-10T00:00:00Z,2026-09-01T00:00:00Z,192.0.2.1
2026-11-12T00:00:00Z,,192.0.2.1
2026-11-11T00:00:00Z,2026-10-01T00:00:00Z,192.0.2.2
";

async fn letter_as(world: &mut World, format: Format) -> Letter {
    world.config.letter.format = format;
    world.table(TABLE).await;
    world.feed(PAIRS).await;
    world.resolve().await;
    world.compose().await;
    world.opened().await.remove(0)
}

fn plain(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

story!(a_letter_says_since_when_by_the_first_time, world, {
    let letter = letter_as(&mut world, Format::Both).await;
    let text = plain(&letter.text);
    for said in [
        "First seen on 2026-09-01, last seen on 2026-11-12 (UTC).",
        "192.0.2.1 2026-09-01T00:00:00Z 2026-11-12T00:00:00Z 2",
        "192.0.2.2 2026-10-01T00:00:00Z 2026-11-11T00:00:00Z 1",
        "- seen_from: the time of the first observation",
    ] {
        assert!(text.contains(said), "{said}\n{}", letter.text);
    }

    let rows = attached(&letter);
    assert_eq!(
        column(&rows, "seen"),
        [
            "2026-11-10T00:00:00Z",
            "2026-11-12T00:00:00Z",
            "2026-11-11T00:00:00Z"
        ]
    );
    assert_eq!(
        column(&rows, "seen_from"),
        ["2026-09-01T00:00:00Z", "", "2026-10-01T00:00:00Z"]
    );
    // Who reads the list by the places of its columns still can.
    let csv = letter
        .attachments
        .iter()
        .find(|one| one.name.ends_with(".csv"));
    let csv = String::from_utf8_lossy(&csv.unwrap().content).into_owned();
    assert!(
        csv.starts_with(
            "address,network,seen,class,source,evidence,port,terminal,state,tlp,seen_from\r\n"
        ),
        "{csv}"
    );

    let report = letter
        .attachments
        .iter()
        .find(|one| one.name.contains("192.0.2.1.xarf"));
    let report: Value = serde_json::from_slice(&report.unwrap().content).unwrap();
    assert_eq!(report["first_seen"], "2026-09-01T00:00:00Z");
    assert_eq!(report["last_seen"], "2026-11-12T00:00:00Z");
    assert_eq!(report["timestamp"], "2026-11-12T00:00:00Z");
});

story!(who_has_no_attachment_reads_from_when_until_when, world, {
    let letter = letter_as(&mut world, Format::Text).await;
    let text = plain(&letter.text);
    let said = "2026-11-12T00:00:00Z; 2026-09-01T00:00:00Z - 2026-11-10T00:00:00Z";
    assert!(text.contains(said), "{}", letter.text);
});

story!(the_earliest_beginning_of_one_observation_stays, world, {
    world.table(TABLE).await;
    let told = |from: &str| {
        format!(
            "ip,first_seen,last_seen\n\
             192.0.2.1,{from},2026-11-10T00:00:00Z\n\
             198.51.100.0/24,{from},2026-11-10T00:00:00Z\n"
        )
    };
    let alone = "ip,last_seen\n\
                 192.0.2.1,2026-11-10T00:00:00Z\n\
                 198.51.100.0/24,2026-11-10T00:00:00Z\n";
    // Twice in one feed, the later first; and then from others, when the range is in pieces.
    let twice =
        told("2026-10-01T00:00:00Z") + told("2026-09-20T00:00:00Z").split_once('\n').unwrap().1;
    let steps: [(&str, String, &str); 4] = [
        ("a.csv", alone.to_owned(), ""),
        ("b.csv", twice, "2026-09-20T00:00:00Z"),
        (
            "c.csv",
            told("2026-09-25T00:00:00Z"),
            "2026-09-20T00:00:00Z",
        ),
        (
            "d.csv",
            told("2026-09-01T00:00:00Z"),
            "2026-09-01T00:00:00Z",
        ),
    ];
    for (feed, text, from) in steps {
        let done = world.import(feed, &text).await.unwrap();
        let fresh = if feed == "a.csv" { 2 } else { 0 };
        assert_eq!(done.counts.fresh, fresh, "{feed}");
        world.resolve().await;
        world.compose().await;
        let rows: Vec<_> = world.opened().await.iter().flat_map(attached).collect();
        assert_eq!(column(&rows, "seen_from"), [from; 3], "{feed}");
    }
    world.sums().await;
});

story!(a_first_time_behind_the_last_is_refused, world, {
    let done = world
        .feed("ip,first_seen,last_seen\n192.0.2.1,2026-11-02T00:00:00Z,2026-11-01T00:00:00Z\n")
        .await;
    assert_eq!((done.counts.fresh, done.counts.refused), (0, 1));
    let refused = &world.refused_rows().await[0];
    assert_eq!(
        (refused["line"].as_str(), refused["column"].as_str()),
        ("2", "first_seen")
    );
    assert_eq!(
        refused["reason"],
        "it was first seen at 2026-11-02T00:00:00Z, and last at 2026-11-01T00:00:00Z, which is before"
    );
    assert!(
        refused["remedy"].contains("--map seen_from=COLUMN"),
        "{refused:?}"
    );
});

story!(what_no_letter_speaks_of_keeps_its_first_time, world, {
    world.feed(PAIRS).await;
    let rows = world.unplaced_rows().await;
    assert_eq!(
        column(&rows, "seen_from"),
        ["2026-09-01T00:00:00Z", "", "2026-10-01T00:00:00Z"]
    );
});

story!(import_says_which_column_is_which, world, {
    world.campaign().await;
    for (feed, said) in [
        (
            "ip,first_seen,last_seen\n",
            "seen from last_seen; seen_from from first_seen",
        ),
        ("ip,first_seen\n", "ip from ip; seen from first_seen"),
    ] {
        std::fs::write(world.dir().join("pairs.csv"), feed).unwrap();
        let ran = world.lapwing(&["import", "trial", "pairs.csv"]);
        assert!(ran.out.contains(said), "{}", ran.out);
    }
});
