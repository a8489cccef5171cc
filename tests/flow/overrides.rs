//! Staff decide whom to write to, and what they decide goes before every table.

use crate::desk::column;
use crate::story;

/// Two networks of one AS, one of them inside a third of another AS.
const TABLE: &str = "range,name,country,asn,handle,abuse
192.0.2.0/24,HOLDING,US,64500,ORG-HOLD-TEST,abuse@holding.example
192.0.2.64/26,CUSTOMER,US,64501,ORG-CUST-TEST,abuse@customer.example
198.51.100.0/24,FAR,US,64501,ORG-FAR-TEST,abuse@far.example
";

const FEED: &str = "192.0.2.1\n192.0.2.65\n198.51.100.1\n";

story!(by_prefix_by_handle_by_as_or_never, world, {
    world.table(TABLE).await;
    world.feed(FEED).await;
    for (overrides, expected) in [
        (
            "AS64501,desk@as.example",
            [
                "192.0.2.1 abuse@holding.example",
                "192.0.2.65 desk@as.example",
                "198.51.100.1 desk@as.example",
            ],
        ),
        (
            "org-far-test,desk@handle.example",
            [
                "192.0.2.1 abuse@holding.example",
                "192.0.2.65 desk@as.example",
                "198.51.100.1 desk@handle.example",
            ],
        ),
        (
            "192.0.2.0/24,desk@prefix.example",
            [
                "192.0.2.1 desk@prefix.example",
                "192.0.2.65 desk@prefix.example",
                "198.51.100.1 desk@handle.example",
            ],
        ),
        (
            "192.0.2.64/26,never",
            [
                "192.0.2.1 desk@prefix.example",
                "192.0.2.65 withheld",
                "198.51.100.1 desk@handle.example",
            ],
        ),
    ] {
        world.later("1m");
        world
            .overrides(&format!("subject,mailbox\n{overrides}\n"))
            .await;
        world.resolve().await;
        assert_eq!(world.places().await, expected, "{overrides}");
        world.sums().await;
    }
    // What is withheld is in no letter, and the list of those says who decided.
    world.compose().await;
    let recipients: Vec<String> = world
        .opened()
        .await
        .iter()
        .map(|letter| letter.recipient.to_string())
        .collect();
    assert_eq!(recipients, ["desk@handle.example", "desk@prefix.example"]);
    assert_eq!(
        column(&world.unplaced_rows().await, "verdict"),
        ["withheld"]
    );
});

story!(by_the_domain_of_the_contact_itself_and_below, world, {
    world
        .table(
            "range,name,country,asn,handle,abuse
192.0.2.0/24,HOLDING,US,64500,ORG-HOLD-TEST,abuse@holding.example
192.0.2.64/26,CUSTOMER,US,64501,ORG-CUST-TEST,
198.51.100.0/24,FAR,US,64502,ORG-FAR-TEST,abuse@desk.holding.example
203.0.113.0/24,OTHER,US,64503,ORG-OTHER-TEST,abuse@notholding.example
",
        )
        .await;
    world
        .feed("192.0.2.1\n192.0.2.65\n198.51.100.1\n203.0.113.1\n")
        .await;
    for (overrides, expected) in [
        // Also where the contact is that of the range around.
        (
            "holding.example,new@desk.example",
            [
                "192.0.2.1 new@desk.example",
                "192.0.2.65 new@desk.example",
                "198.51.100.1 new@desk.example",
                "203.0.113.1 abuse@notholding.example",
            ],
        ),
        // The nearer domain; an AS comes behind, a handle goes before.
        (
            "desk.holding.example,never\nAS64500,desk@as.example\nORG-CUST-TEST,desk@handle.example",
            [
                "192.0.2.1 new@desk.example",
                "192.0.2.65 desk@handle.example",
                "198.51.100.1 withheld",
                "203.0.113.1 abuse@notholding.example",
            ],
        ),
        // A later one of the same domain ends the earlier.
        (
            "@Holding.Example,never",
            [
                "192.0.2.1 withheld",
                "192.0.2.65 desk@handle.example",
                "198.51.100.1 withheld",
                "203.0.113.1 abuse@notholding.example",
            ],
        ),
    ] {
        world.later("1m");
        world
            .overrides(&format!("subject,mailbox\n{overrides}\n"))
            .await;
        world.resolve().await;
        assert_eq!(world.places().await, expected, "{overrides}");
    }
    let found = world.lookup("192.0.2.1").await;
    let reason = &found[0].reason;
    assert!(
        reason.starts_with("override 5 for @holding.example"),
        "{reason}"
    );
});

story!(what_was_decided_before_domains_came_still_holds, world, {
    world.store.close().await;
    for sql in [
        "DELETE FROM _sqlx_migrations WHERE version = 8",
        "ALTER TABLE finding DROP COLUMN answers_for",
        "ALTER TABLE finding DROP COLUMN format",
        "ALTER TABLE contact_override DROP COLUMN format",
        "ALTER TABLE contact_override DROP COLUMN name_is",
        "ALTER TABLE contact_override RENAME COLUMN name TO handle",
        "INSERT INTO contact_override (id, handle, locale, reason, owner, created_at)
         VALUES (7, 'org-far-test', 'ja', 'In court', 'a.smith', 1)",
        "INSERT INTO contact_override (id, asn, mailbox, locale, reason, owner, created_at)
         VALUES (9, 64501, 'desk@as.example', '', '', 'a.smith', 1)",
    ] {
        world.behind_our_back(sql).await;
    }
    world.store = lapwing::store::Store::create(&world.url).await.unwrap();
    let kept: Vec<String> = world
        .store
        .overrides(world.now)
        .await
        .unwrap()
        .iter()
        .map(|one| format!("{} {:?} {:?}", one.id, one.subject, one.format))
        .collect();
    assert_eq!(
        kept,
        ["7 Handle(\"org-far-test\") None", "9 Asn(64501) None"]
    );
    world.table(TABLE).await;
    world.feed(FEED).await;
    world.resolve().await;
    assert_eq!(
        world.places().await,
        [
            "192.0.2.1 abuse@holding.example",
            "192.0.2.65 desk@as.example",
            "198.51.100.1 withheld",
        ]
    );
});

story!(the_nearer_network_goes_before_the_larger, world, {
    world.table(TABLE).await;
    world.feed("192.0.2.1\n192.0.2.65\n").await;
    world
        .overrides(
            "subject,mailbox
ORG-HOLD-TEST,desk@holding.example
ORG-CUST-TEST,desk@customer.example
",
        )
        .await;
    world.resolve().await;
    assert_eq!(
        world.places().await,
        [
            "192.0.2.1 desk@holding.example",
            "192.0.2.65 desk@customer.example"
        ]
    );
    // An override of the larger network holds inside it, too, where none is nearer.
    world.later("1m");
    let ids = world.overrides("subject,mailbox\nAS64500,never\n").await;
    world
        .store
        .remove_override(ids[0] - 1, "author", world.now)
        .await
        .unwrap();
    world.resolve().await;
    assert_eq!(
        world.places().await,
        [
            "192.0.2.1 desk@holding.example",
            "192.0.2.65 desk@holding.example"
        ]
    );
});

story!(an_override_smaller_than_the_network_cuts_it, world, {
    world.table(TABLE).await;
    world.feed("192.0.2.0/28\n").await;
    world
        .overrides("subject,mailbox\n192.0.2.4/30,desk@four.example\n192.0.2.6,never\n")
        .await;
    world.resolve().await;
    assert_eq!(
        world.places().await,
        [
            "192.0.2.0/30 abuse@holding.example",
            "192.0.2.4/31 desk@four.example",
            "192.0.2.6 withheld",
            "192.0.2.7 desk@four.example",
            "192.0.2.8/29 abuse@holding.example",
        ]
    );
    let totals = world.sums().await;
    assert_eq!((totals.cut, totals.pieces), (1, 5));
    // The holder's letter names both pieces under its one network.
    world.compose().await;
    let letter = world.letter_to("abuse@holding.example").await;
    assert!(
        letter.text.contains("192.0.2.0/24  HOLDING  AS64500  (2)"),
        "{}",
        letter.text
    );
});

story!(an_override_reaches_where_no_network_is_known, world, {
    world.table(TABLE).await;
    world.feed("203.0.113.0/30\n").await;
    world
        .overrides("subject,mailbox,language\n203.0.113.0/31,desk@known.example,ja\n")
        .await;
    world.resolve().await;
    assert_eq!(
        world.places().await,
        [
            "203.0.113.0/31 desk@known.example",
            "203.0.113.2/31 unresolved"
        ]
    );
    world.compose().await;
    let letter = world.letter_to("desk@known.example").await;
    // It does not speak of networks that it cannot name.
    assert!(!letter.text.contains("対象範囲"), "{}", letter.text);
    assert!(letter.text.contains("We know of no registered network"));
    assert_eq!(
        (letter.locale.as_str(), letter.country.as_str()),
        ("ja", "")
    );
});

story!(an_override_ends_on_its_day, world, {
    world.table(TABLE).await;
    world.feed("192.0.2.1\n").await;
    world
        .overrides("subject,mailbox,until\n192.0.2.0/24,never,2026-11-17\n")
        .await;
    world.later("1m");
    world.resolve().await;
    assert_eq!(world.places().await, ["192.0.2.1 withheld"]);
    // It begins on the 16th at 8 in the morning; the whole 17th still counts.
    world.later("39h");
    assert!(!world.resolve().await.anew);
    assert_eq!(world.places().await, ["192.0.2.1 withheld"]);
    world.later("1h");
    assert!(world.resolve().await.anew);
    assert_eq!(world.places().await, ["192.0.2.1 abuse@holding.example"]);
});

story!(a_removed_override_no_longer_holds, world, {
    world.table(TABLE).await;
    world.feed("192.0.2.0/28\n").await;
    let ids = world
        .overrides("subject,mailbox\n192.0.2.4/30,never\n")
        .await;
    world.later("1m");
    world.resolve().await;
    assert_eq!(world.sums().await.pieces, 3);
    world.later("1m");
    world
        .store
        .remove_override(ids[0], "author", world.now)
        .await
        .unwrap();
    world.later("1m");
    assert!(world.resolve().await.anew);
    assert_eq!(world.places().await, ["192.0.2.0/28 abuse@holding.example"]);
    let totals = world.sums().await;
    assert_eq!(
        (totals.cut, totals.pieces),
        (0, 0),
        "the range is whole again"
    );
    let gone = world
        .store
        .remove_override(ids[0], "author", world.now)
        .await;
    assert!(
        gone.unwrap_err()
            .to_string()
            .contains("there is no override")
    );
});

story!(the_later_override_of_one_subject_counts, world, {
    world.table(TABLE).await;
    world.feed("192.0.2.1\n").await;
    world
        .overrides("subject,mailbox\n192.0.2.0/24,one@desk.example\n192.0.2.0-192.0.2.255,two@desk.example\n")
        .await;
    world.resolve().await;
    assert_eq!(world.places().await, ["192.0.2.1 two@desk.example"]);
    assert_eq!(world.store.overrides(world.now).await.unwrap().len(), 1);
});

story!(a_lookup_names_who_decided_and_why, world, {
    world.table(TABLE).await;
    world
        .overrides(
            "subject,mailbox,reason,owner\n192.0.2.64/26,never,In court with this holder,a.smith\n",
        )
        .await;
    let found = world.lookup("192.0.2.65").await;
    assert_eq!(found[0].verdict.as_str(), "withheld");
    assert_eq!(
        found[0].reason,
        "override 1 for 192.0.2.64/26 by a.smith: In court with this holder"
    );
    let said: Vec<&str> = found[0]
        .said
        .iter()
        .map(|said| said.source.as_str())
        .collect();
    assert_eq!(said, ["overrides"], "nobody else is asked then");
});

story!(without_its_source_an_override_does_nothing, world, {
    world.table(TABLE).await;
    world.feed("192.0.2.0/28\n").await;
    world
        .overrides("subject,mailbox\n192.0.2.4/30,never\n")
        .await;
    world.config.resolve.sources = vec![lapwing::config::SourceName::Table];
    world.resolve().await;
    assert_eq!(world.places().await, ["192.0.2.0/28 abuse@holding.example"]);
});
