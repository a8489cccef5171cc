//! Suspects find who answers for them, by the table of networks alone.

use std::sync::Arc;

use std::fmt::Write;

use lapwing::model::{Network, Progress};

use crate::desk::column;
use crate::story;

/// A holding with a customer inside it, whose own customer has no contact.
const NESTED: &str = "range,name,country,abuse
192.0.2.0/24,HOLDING,DE,abuse@holding.example
192.0.2.64/26,CUSTOMER,DE,abuse@customer.example
192.0.2.70-192.0.2.75,SHOP,DE,
198.51.100.0/24,EMPTY,FR,
198.51.100.128/25,EMPTY-TOO,FR,
";

story!(
    the_most_specific_network_wins_and_the_ladder_leads_up,
    world,
    {
        world.table(NESTED).await;
        world
        .feed("192.0.2.1\n192.0.2.64\n192.0.2.72\n192.0.2.76\n192.0.2.128\n198.51.100.200\n203.0.113.1\n")
        .await;
        world.resolve().await;
        assert_eq!(
            world.places().await,
            [
                "192.0.2.1 abuse@holding.example",
                "192.0.2.64 abuse@customer.example",
                "192.0.2.72 abuse@customer.example",
                "192.0.2.76 abuse@customer.example",
                "192.0.2.128 abuse@holding.example",
                "198.51.100.200 unresolved",
                "203.0.113.1 unresolved",
            ]
        );
        let totals = world.sums().await;
        assert_eq!((totals.of("matched"), totals.of("unresolved")), (5, 2));
    }
);

story!(a_lookup_shows_the_chain_and_why, world, {
    world.table(NESTED).await;
    let found = world.lookup("192.0.2.72").await;
    let chain: Vec<&str> = found[0]
        .chain
        .iter()
        .map(|rung| rung.network.name.as_str())
        .collect();
    assert_eq!(chain, ["SHOP", "CUSTOMER", "HOLDING"]);
    assert_eq!(found[0].chain[0].source, "networks.csv");
    assert_eq!(
        found[0].reason,
        "contact of 192.0.2.64/26 (CUSTOMER), for 192.0.2.70-192.0.2.75 (SHOP) inside it has none, \
         by networks.csv of 2026-11-16"
    );
    let said: Vec<String> = found[0]
        .said
        .iter()
        .map(|said| format!("{}: {}", said.source.as_str(), said.answer))
        .collect();
    assert_eq!(said[0], "overrides: no override speaks of it");
    assert!(said[1].starts_with("table: contact of 192.0.2.64/26"));

    let nobody = world.lookup("198.51.100.200").await;
    assert_eq!(nobody[0].verdict.as_str(), "unresolved");
    assert_eq!(
        nobody[0].reason,
        "neither 198.51.100.128/25 (EMPTY-TOO) nor the ranges around it have a contact"
    );
    let nowhere = world.lookup("203.0.113.1").await;
    assert_eq!(
        nowhere[0].reason,
        "no network in the table holds this address"
    );
    assert!(nowhere[0].chain.is_empty());

    // A range is answered piece by piece.
    let pieces = world.lookup("192.0.2.60-192.0.2.80").await;
    let ranges: Vec<String> = pieces
        .iter()
        .map(|piece| piece.subject.to_string())
        .collect();
    assert_eq!(
        ranges,
        [
            "192.0.2.60/30",
            "192.0.2.64-192.0.2.69",
            "192.0.2.70-192.0.2.75",
            "192.0.2.76-192.0.2.80"
        ]
    );
});

story!(a_range_is_cut_at_borders_and_no_address_is_lost, world, {
    world
        .table(
            "range,country,abuse
192.0.2.0/26,DE,a@one.example
192.0.2.64-192.0.2.99,DE,a@two.example
192.0.2.128/25,DE,
",
        )
        .await;
    // Over both, over the gap behind them, and into the network that has no contact.
    world.feed("192.0.2.10-192.0.2.200\n192.0.2.0/30\n").await;
    let done = world.resolve().await;
    assert_eq!((done.suspects, done.cut, done.pieces), (2, 1, 4));
    let places = world.places().await;
    assert_eq!(
        places,
        [
            "192.0.2.0/30 a@one.example",
            "192.0.2.10-192.0.2.63 a@one.example",
            "192.0.2.64-192.0.2.99 a@two.example",
            "192.0.2.100-192.0.2.127 unresolved",
            "192.0.2.128-192.0.2.200 unresolved",
        ]
    );
    let totals = world.sums().await;
    assert_eq!((totals.cut, totals.pieces), (1, 4));
    // Each piece says which row of the feed it comes from.
    let open = world.unplaced_rows().await;
    assert_eq!(column(&open, "line"), ["1", "1"]);
    assert_eq!(
        column(&open, "reason"),
        [
            "no network in the table holds this address",
            "192.0.2.128/25 has no contact"
        ]
    );
});

story!(
    a_range_over_everything_known_and_unknown_stays_whole_in_sum,
    world,
    {
        world
            .table("range,country,abuse\n192.0.2.100-192.0.2.101,DE,a@two.example\n")
            .await;
        world.feed("192.0.2.0/24\n198.51.100.0/24\n").await;
        world.resolve().await;
        assert_eq!(
            world.places().await,
            [
                "192.0.2.0-192.0.2.99 unresolved",
                "192.0.2.100/31 a@two.example",
                "192.0.2.102-192.0.2.255 unresolved",
                "198.51.100.0/24 unresolved",
            ]
        );
        world.sums().await;
    }
);

story!(ipv6_finds_its_own_networks, world, {
    world
        .table(
            "range,country,abuse
2001:db8::/32,JP,abuse@carrier.example
2001:db8:8000::/33,JP,abuse@half.example
2001:db8:1::-2001:db8:1::ffff,JP,abuse@few.example
192.0.2.0/24,JP,abuse@four.example
",
        )
        .await;
    world
        .feed("2001:db8::1\n2001:db8:1::7\n2001:db8:8000::1\n2001:db8:1::fff0-2001:db8:1::1:3\n::ffff:192.0.2.1\n")
        .await;
    world.resolve().await;
    assert_eq!(
        world.places().await,
        [
            "192.0.2.1 abuse@four.example",
            "2001:db8::1 abuse@carrier.example",
            "2001:db8:1::7 abuse@few.example",
            "2001:db8:1::fff0/124 abuse@few.example",
            "2001:db8:1::1:0/126 abuse@carrier.example",
            "2001:db8:8000::1 abuse@half.example",
        ]
    );
    world.sums().await;
});

story!(a_range_around_all_of_ipv6_answers_for_no_ipv4, world, {
    // The root objects of the registries' own tables.
    world
        .table("range,name,country,abuse\n::/0,IANA-BLK,US,root@registry.example\n192.0.2.0/24,SMALL,DE,\n")
        .await;
    world.overrides("subject,mailbox\n::/1,never\n").await;
    world.feed("192.0.2.1\n198.51.100.1\n2001:db8::1\n").await;
    world.resolve().await;
    assert_eq!(
        world.places().await,
        [
            "192.0.2.1 unresolved",
            "198.51.100.1 unresolved",
            "2001:db8::1 withheld",
        ]
    );
});

story!(resolving_twice_changes_nothing, world, {
    world.table(NESTED).await;
    world
        .feed("192.0.2.0/24\n192.0.2.9\n203.0.113.0/30\n")
        .await;
    world.later("1m");
    let first = world.resolve().await;
    assert!(!first.anew);
    let (places, totals) = (world.places().await, world.sums().await);
    world.later("1m");
    let second = world.resolve().await;
    assert!(!second.anew, "nothing has changed in between");
    assert_eq!(world.places().await, places);
    let again = world.sums().await;
    assert_eq!(again.suspects, totals.suspects);
    assert_eq!((again.cut, again.pieces), (totals.cut, totals.pieces));
});

story!(suspects_added_after_a_resolve_wait_for_the_next, world, {
    world.table(NESTED).await;
    world.feed("192.0.2.1\n").await;
    world.later("1m");
    world.resolve().await;
    world.feed("192.0.2.70-192.0.2.80\n").await;
    assert_eq!(world.sums().await.of("waiting"), 1);
    assert_eq!(
        column(&world.unplaced_rows().await, "reason"),
        ["not resolved yet"]
    );
    world.later("1m");
    assert_eq!(world.resolve().await.suspects, 1, "only what waits");
    let totals = world.sums().await;
    assert_eq!((totals.of("waiting"), totals.of("matched")), (0, 3));
});

story!(
    a_changed_table_is_noticed_and_all_is_resolved_anew,
    world,
    {
        world.table(NESTED).await;
        world.feed("192.0.2.60-192.0.2.80\n198.51.100.1\n").await;
        world.resolve().await;
        assert_eq!(world.sums().await.pieces, 4);
        world.later("1d");
        world
        .table("range,country,abuse\n192.0.2.64/26,DE,new@customer.example\n198.51.100.0/24,FR,abuse@empty.example\n192.0.2.66/31,DE,\n")
        .await;
        world.later("1m");
        assert!(world.resolve().await.anew);
        assert_eq!(
            world.places().await,
            [
                "192.0.2.60/30 abuse@holding.example",
                "192.0.2.64/31 new@customer.example",
                "192.0.2.66/31 new@customer.example",
                "192.0.2.68/31 new@customer.example",
                "192.0.2.70-192.0.2.75 new@customer.example",
                "192.0.2.76-192.0.2.80 new@customer.example",
                "198.51.100.1 abuse@empty.example",
            ]
        );
        let totals = world.sums().await;
        assert_eq!((totals.cut, totals.pieces), (1, 6));
    }
);

story!(
    networks_left_by_a_loading_that_broke_off_are_noticed,
    world,
    {
        world.table(NESTED).await;
        world.feed("192.0.2.1\n").await;
        world.later("1m");
        world.resolve().await;
        world.later("1m");
        // Its last chunks, and with them the note that a table was loaded, never came.
        let network = Network {
            range: "192.0.2.0/28".parse().unwrap(),
            name: String::new(),
            holder: String::new(),
            country: "DE".to_owned(),
            asn: None,
            handle: String::new(),
            registry: String::new(),
            locale: String::new(),
            contacts: vec!["abuse@new.example".parse().unwrap()],
        };
        world
            .store
            .put_networks(&[network], "networks.csv", world.now)
            .await
            .unwrap();
        world.later("1m");
        world.resolve().await;
        assert_eq!(world.places().await, ["192.0.2.1 abuse@new.example"]);
    }
);

/// More suspects than resolve takes at a time, each over a border.
fn many_ranges() -> String {
    let mut feed = String::new();
    for host in 0..24_000_u32 {
        writeln!(feed, "2001:db8::{host:x}:fffe-2001:db8::{host:x}:ffff").unwrap();
    }
    feed
}

story!(stopped_in_the_middle_it_goes_on_and_loses_nothing, world, {
    let table = |who: &str| {
        format!(
            "range,country,abuse\n2001:db8::/32,JP,{who}@carrier.example\n2001:db8::17:ffff,JP,{who}@inside.example\n"
        )
    };
    world.table(&table("old")).await;
    world.feed(&many_ranges()).await;
    world.later("1m");
    let progress = Arc::new(Progress::default());
    let stop = async {
        while progress.done() == 0 {
            tokio::task::yield_now().await;
        }
        progress.stop();
    };
    let (done, ()) = tokio::join!(world.resolve_with(&progress), stop);
    assert!((1..24_000).contains(&done.suspects), "{}", done.suspects);
    let totals = world.sums().await;
    assert_eq!(totals.of("waiting") as u64, 24_000 - done.suspects);
    let refused = world.try_compose().await.unwrap_err().to_string();
    assert!(refused.contains("lapwing resolve trial"), "{refused}");

    // Meanwhile the contacts change: what was placed before must not keep the old ones.
    world.later("1m");
    world.table(&table("new")).await;
    world.later("1m");
    world.resolve().await;
    let totals = world.sums().await;
    assert_eq!((totals.cut, totals.pieces), (1, 2));
    assert_eq!((totals.of("waiting"), totals.of("matched")), (0, 24_001));
    let places = world.places().await;
    let of = |mailbox| {
        places
            .iter()
            .filter(|place| place.ends_with(mailbox))
            .count()
    };
    assert_eq!(of("new@carrier.example"), 24_000);
    assert_eq!(of("new@inside.example"), 1);
});
