//! Every suspect is in exactly one letter, also where a contact needs several.

use std::collections::BTreeSet;
use std::fmt::Write;

use lapwing::model::Letter;

use crate::desk::{Row, attached};
use crate::story;

const TABLE: &str = "range,name,country,abuse
192.0.2.0/25,MANY,US,abuse@many.example
192.0.2.128/25,MANY-TOO,US,abuse@many.example
198.51.100.0/25,SEVEN,US,abuse@seven.example
198.51.100.128/25,EIGHT,US,abuse@eight.example
203.0.113.0/24,NONE,US,
";

/// Seventeen for the first contact, seven for the second, eight for the third, two for nobody.
fn feed() -> String {
    let mut feed = String::from("ip,seen,class,source,evidence,port\n");
    for host in [1, 2, 3, 4, 5, 6, 7, 8, 9, 130, 131, 132, 133, 134, 135, 136] {
        let seen = if host % 5 == 0 {
            ""
        } else {
            "2026-11-01T00:00:00Z"
        };
        writeln!(
            feed,
            "192.0.2.{host},{seen},spam,trap-{host},\"HELO, \"\"{host}\"\"\",{host}"
        )
        .unwrap();
    }
    // The same address, seen once more.
    feed.push_str("192.0.2.9,2026-11-02T00:00:00Z,spam,trap-9,,\n");
    for host in 1..=7 {
        writeln!(feed, "198.51.100.{host},2026-11-01T00:00:00Z,spam,trap,,").unwrap();
    }
    for host in 201..=208 {
        writeln!(feed, "198.51.100.{host},2026-11-01T00:00:00Z,spam,trap,,").unwrap();
    }
    feed.push_str("203.0.113.1,,spam,trap,,\n203.0.113.2,,spam,trap,,\n");
    feed
}

/// What makes a row itself, as the feed and the attachment both have it.
fn said(row: &Row, address: &str) -> String {
    let of = |name: &str| row[name].as_str();
    [
        &row[address],
        of("seen"),
        of("class"),
        of("source"),
        of("evidence"),
        of("port"),
    ]
    .join("|")
}

/// The rows of all letters together, after seeing that none is there twice.
fn listed(letters: &[Letter]) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for letter in letters {
        let rows = attached(letter);
        assert_eq!(rows.len() as i64, letter.rows);
        for row in rows {
            let row = said(&row, "address");
            assert!(all.insert(row.clone()), "{row} is there twice");
        }
    }
    all
}

story!(every_suspect_is_in_exactly_one_letter_or_one_list, world, {
    world.config.letter.part_rows = 7;
    world.table(TABLE).await;
    world.feed(&feed()).await;
    world.resolve().await;
    world.compose().await;

    let letters = world.opened().await;
    let mut placed = listed(&letters);
    assert_eq!(placed.len(), 32);
    for row in world.unplaced_rows().await {
        assert!(placed.insert(said(&row, "address")));
    }
    let fed = crate::desk::rows_of(feed().as_bytes());
    let fed: BTreeSet<String> = fed.iter().map(|row| said(row, "ip")).collect();
    assert_eq!(placed, fed);
    let totals = world.sums().await;
    assert_eq!(
        (totals.notices, totals.letters, totals.letter_rows),
        (3, 6, 32)
    );
});

story!(a_long_notice_is_split_under_one_ticket, world, {
    world.config.letter.part_rows = 7;
    world.table(TABLE).await;
    world.feed(&feed()).await;
    world.resolve().await;
    world.compose().await;
    let of = |letters: &[Letter], mailbox: &str| -> Vec<Letter> {
        let to = letters
            .iter()
            .filter(|one| one.recipient.as_str() == mailbox);
        to.cloned().collect()
    };
    let letters = world.opened().await;
    let many = of(&letters, "abuse@many.example");
    let rows: Vec<i64> = many.iter().map(|letter| letter.rows).collect();
    assert_eq!(rows, [7, 7, 3]);
    let different =
        |piece: &dyn Fn(&Letter) -> String| many.iter().map(piece).collect::<BTreeSet<_>>().len();
    assert_eq!(different(&|letter| letter.ticket.clone()), 1);
    assert_eq!(different(&|letter| letter.message_id.clone()), 3);
    assert_eq!(different(&|letter| letter.envelope_from.to_string()), 3);
    assert_eq!(different(&|letter| letter.attachments[0].name.clone()), 3);

    let second = &many[1];
    let ticket = &second.ticket;
    assert!(
        second.subject.ends_with("(part 2 of 3)"),
        "{}",
        second.subject
    );
    let name = format!("{}-part-2-of-3.csv", ticket.to_ascii_lowercase());
    assert_eq!(second.attachments[0].name, name);
    for line in [
        format!("    Ticket:          {ticket}, part 2 of 3\n"),
        "    Observations:    7 in this part, 17 in all\n".to_owned(),
    ] {
        assert!(second.text.contains(&line), "{line}\n{}", second.text);
    }
    // Exactly one part's worth is one letter; one more is two.
    let seven = of(&letters, "abuse@seven.example");
    assert_eq!(seven.len(), 1);
    assert!(!seven[0].subject.contains("part"), "{}", seven[0].subject);
    assert_eq!(of(&letters, "abuse@eight.example").len(), 2);
});

story!(
    the_body_shows_the_most_telling_and_the_attachment_all,
    world,
    {
        world.config.letter.table_rows = 3;
        world.table(TABLE).await;
        // Beside the /24 of the others, two that are alone, one of them seen three times.
        world
            .table("range,country,abuse\n2001:db8::/32,US,abuse@many.example\n")
            .await;
        world.feed(&feed()).await;
        let mut more = String::from("ip,seen\n2001:db8:7::7,2026-11-09T00:00:00Z\n");
        for day in [3, 5, 4] {
            writeln!(more, "2001:db8:9::9,2026-11-0{day}T00:00:00Z").unwrap();
        }
        world.feed(&more).await;
        world.resolve().await;
        world.compose().await;
        let letter = world.letter_to("abuse@many.example").await;
        let in_table = |text: &str| -> Vec<String> {
            let lines = text
                .lines()
                .filter(|line| line.starts_with("192.0.2.") || line.starts_with("2001:db8:"));
            let words = lines.map(|line| line.split_whitespace().take(4));
            words
                .map(|words| words.collect::<Vec<_>>().join(" "))
                .collect()
        };
        assert_eq!(
            in_table(&letter.text),
            [
                "192.0.2.0/24 2026-11-01T00:00:00Z 2026-11-02T00:00:00Z 17",
                "2001:db8:9::9 2026-11-03T00:00:00Z 2026-11-05T00:00:00Z 3",
                "2001:db8:7::7 2026-11-09T00:00:00Z 2026-11-09T00:00:00Z 1",
            ]
        );
        assert!(
            letter
                .text
                .contains("    Source: trap-1, trap-2, trap-3, +13;"),
            "{}",
            letter.text
        );
        assert_eq!(letter.html.matches("<tr><td>").count(), 3);
        assert_eq!(attached(&letter).len(), 21);
        // Two lines leave something out, and the letter says so.
        world.config.letter.table_rows = 2;
        world.compose().await;
        let letter = world.letter_to("abuse@many.example").await;
        let told = letter.text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(told.contains("The table is shortened."), "{told}");
        // Nothing is left out of a short one, and it does not say so.
        world.config.letter.table_rows = 18;
        world.compose().await;
        let letter = world.letter_to("abuse@many.example").await;
        assert_eq!(in_table(&letter.text).len(), 18);
        assert!(
            letter
                .text
                .contains("192.0.2.9                  2026-11-01T00:00:00Z"),
            "{}",
            letter.text
        );
        assert!(!letter.text.contains("The table is shortened."));
    }
);

story!(a_body_without_a_table_still_has_its_attachment, world, {
    world.config.letter.table_rows = 0;
    world.table(TABLE).await;
    world.feed(&feed()).await;
    world.resolve().await;
    world.compose().await;
    let letter = world.letter_to("abuse@seven.example").await;
    assert_eq!(letter.html.matches("<tr><td>").count(), 0);
    assert_eq!(attached(&letter).len(), 7);
});

story!(pieces_of_a_cut_range_go_to_their_own_contacts, world, {
    world.config.letter.part_rows = 2;
    world.table(TABLE).await;
    // Over two networks of one contact, a gap, and two of others.
    world.feed("ip,seen,class,source,evidence,port\n192.0.2.100-198.51.100.200,2026-11-01T00:00:00Z,spam,trap,,\n").await;
    assert_eq!(world.sums().await.import.refused, 1, "far too wide");
    world
        .feed("192.0.2.120-192.0.2.135\n198.51.100.126-198.51.100.129\n203.0.113.0/31\n")
        .await;
    world.resolve().await;
    world.compose().await;
    let letters = world.opened().await;
    let told: Vec<String> = letters
        .iter()
        .flat_map(|letter| {
            let rows = attached(letter).into_iter();
            rows.map(|row| {
                format!(
                    "{} {} in {}",
                    letter.recipient, row["address"], row["network"]
                )
            })
        })
        .collect();
    assert_eq!(
        told,
        [
            "abuse@eight.example 198.51.100.128/31 in 198.51.100.128/25",
            "abuse@many.example 192.0.2.120/29 in 192.0.2.0/25",
            "abuse@many.example 192.0.2.128/29 in 192.0.2.128/25",
            "abuse@seven.example 198.51.100.126/31 in 198.51.100.0/25",
        ]
    );
    assert_eq!(world.sums().await.letter_rows, 4);
});
