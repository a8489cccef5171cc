//! The general letter to every operator of a list: each is in one letter, or in none for a reason.

use std::collections::BTreeSet;
use std::fmt::Write;

use lapwing::intake::{Drawing, draw};
use lapwing::model::{AutonomousSystem, NewCampaign, Override, Progress, Teller, Tlp};

use crate::story;
use crate::world::World;

const TABLE: &str = "range,name,holder,country,asn,abuse
192.0.2.0/24,ALPHA,Alpha Networks,DE,64500,abuse@alpha.example
192.0.2.0/28,CUSTOMER,Baker's Shop,DE,,baker@shop.example
198.51.100.0/24,BETA,Beta Telecom,JP,64501,abuse@beta.example
203.0.113.0/24,SILENT,Silent Net,DE,,
";

fn advisory() -> NewCampaign {
    NewCampaign {
        tlp: Some(Tlp::Clear),
        ..NewCampaign::new("trial", "advisory")
    }
}

/// Each letter's recipient, rows and text.
async fn letters(world: &World) -> Vec<(String, i64, String)> {
    let campaign = world.campaign().await;
    let letters = world.store.letters(campaign.id, 0, 10_000).await.unwrap();
    letters
        .into_iter()
        .map(|one| {
            let files = one.attachments.iter().map(|file| file.name.as_str());
            let leaflet = format!("leaflet-{}.txt", one.locale);
            // No list, for there is nothing to list; what customers are told goes with it.
            assert_eq!(files.collect::<Vec<_>>(), [leaflet.as_str()]);
            (one.recipient.to_string(), one.rows, one.text)
        })
        .collect()
}

async fn unplaced(world: &World) -> String {
    let campaign = world.campaign().await;
    let rows = world.store.unplaced_addressees(campaign.id, 0, 10_000);
    let rows = rows.await.unwrap();
    let line = |(row, verdict, reason): (lapwing::store::StoredAddressee, String, String)| {
        format!("{} {verdict}: {reason}\n", row.addressee.known_by)
    };
    rows.into_iter().map(line).collect()
}

async fn never(world: &World, subject: &str) {
    let new = Override {
        id: 0,
        subject: subject.parse().unwrap(),
        mailbox: None,
        locale: String::new(),
        format: None,
        reason: "asked us to stop".to_owned(),
        owner: "author".to_owned(),
        created_at: world.now,
        expires_at: None,
    };
    world.store.add_override(&new).await.unwrap();
}

story!(
    an_operator_gets_one_letter_whatever_it_is_known_by,
    world,
    {
        world.table(TABLE).await;
        world.begin(advisory()).await;
        let done = world
            .feed(
                "asn,prefix,mailbox,holder,country,language
64500,,,,,
,192.0.2.0/24,,,,
,198.51.100.0/25,,Beta Telecom,JP,
,,desk@gamma.example,Gamma Cable,FR,
64502,,noc@delta.example,Delta Fibre,KR,
,203.0.113.0/24,,,,
,10.0.0.0/8,,,,
64512,,,,,
,,not a mailbox,,,
AS64500,,,,,
",
            )
            .await;
        assert_eq!(
            (done.counts.fresh, done.counts.refused, done.counts.repeated),
            (6, 3, 1)
        );
        world.resolve().await;
        let done = world.compose().await;
        assert_eq!((done.letters, done.notices, done.suspects), (4, 4, 5));
        let letters = letters(&world).await;
        let shown: Vec<(&str, i64)> = letters
            .iter()
            .map(|(to, rows, _)| (to.as_str(), *rows))
            .collect();
        assert_eq!(
            shown,
            [
                ("abuse@alpha.example", 2),
                ("abuse@beta.example", 1),
                ("desk@gamma.example", 1),
                ("noc@delta.example", 1)
            ]
        );
        let said = |mailbox: &str| &letters.iter().find(|(to, ..)| to == mailbox).unwrap().2;
        let alpha = said("abuse@alpha.example");
        assert!(
            alpha.contains("AS64500") && alpha.contains("192.0.2.0/24"),
            "{alpha}"
        );
        assert!(alpha.contains("TLP:CLEAR"), "{alpha}");
        assert!(said("desk@gamma.example").contains("Gamma Cable"));
        assert!(said("noc@delta.example").contains("AS64502"));
        assert_eq!(
            unplaced(&world).await,
            "203.0.113.0/24 unresolved: 203.0.113.0/24 (SILENT) has no contact\n"
        );
        world.approve().await;
        world.send().await;
        let report = world.report().await;
        assert_eq!(report.letters.deliveries("accepted"), 4);
        let text = report.to_text();
        assert!(
            text.contains("6  addressees") && text.contains("Addressees in no letter"),
            "{text}"
        );
    }
);

story!(what_staff_said_never_to_gets_no_advisory, world, {
    world.table(TABLE).await;
    world.begin(advisory()).await;
    world
        .feed("operator\nAS64500\n198.51.100.0/24\nabuse@gamma.example\n203.0.113.0/24\n")
        .await;
    for subject in ["AS64500", "198.51.100.0/24", "gamma.example"] {
        never(&world, subject).await;
    }
    world.resolve().await;
    let unplaced = unplaced(&world).await;
    assert_eq!(
        unplaced.matches("withheld: override").count(),
        3,
        "{unplaced}"
    );
    assert_eq!(world.sums().await.of("withheld"), 3);
    assert_eq!(world.sums().await.of("unresolved"), 1);
});

story!(a_contact_that_changes_voids_what_was_submitted, world, {
    world.table(TABLE).await;
    world.begin(advisory()).await;
    world
        .feed("operator\n192.0.2.0/24\n198.51.100.0/24\n")
        .await;
    world.resolve().await;
    assert_eq!(world.compose().await.letters, 2);
    world.later("1h");
    never(&world, "192.0.2.0/24").await;
    let campaign = world.campaign().await;
    let progress = Progress::default();
    let refused = lapwing::approve::submit(
        &world.store,
        &campaign,
        "author",
        &world.review,
        world.now,
        &progress,
    );
    assert!(refused.await.is_err());
    assert!(world.resolve().await.anew);
    assert_eq!(world.compose().await.letters, 1);
});

story!(holders_are_drawn_from_the_table_once_each, world, {
    world.table(TABLE).await;
    world
        .table("range,name,holder,country,abuse\n2001:db8::/32,ALPHA6,ALPHA NETWORKS,DE,six@alpha.example\n")
        .await;
    let system = |asn: u32, holder: &str, mailbox: &str| AutonomousSystem {
        asn,
        name: String::new(),
        holder: holder.to_owned(),
        country: "DE".to_owned(),
        handle: String::new(),
        registry: String::new(),
        contacts: vec![mailbox.parse().unwrap()],
    };
    let systems = [
        system(64_500, "Alpha Networks", "as@alpha.example"),
        system(64_503, "Only AS", "abuse@only.example"),
    ];
    world
        .store
        .put_systems(&systems, Teller::Table, "systems", world.now)
        .await
        .unwrap();
    let campaign = world.begin(advisory()).await;
    let mut drawing = Drawing {
        countries: vec!["DE".to_owned()],
        systems_only: false,
    };
    let progress = Progress::default();
    let drawn = draw(
        &world.store,
        &campaign,
        &drawing,
        "author",
        world.now,
        &progress,
    );
    assert_eq!(drawn.await.unwrap().counts.fresh, 4);
    drawing.countries.push("JP".to_owned());
    let drawn = draw(
        &world.store,
        &campaign,
        &drawing,
        "author",
        world.now,
        &progress,
    );
    let counts = drawn.await.unwrap().counts;
    assert_eq!((counts.rows, counts.fresh, counts.repeated), (5, 1, 4));
    world.resolve().await;
    world.compose().await;
    let to: Vec<String> = letters(&world)
        .await
        .into_iter()
        .map(|(to, ..)| to)
        .collect();
    assert_eq!(
        to,
        [
            "abuse@alpha.example",
            "abuse@beta.example",
            "abuse@only.example",
            "baker@shop.example"
        ]
    );
    assert!(
        unplaced(&world)
            .await
            .starts_with("203.0.113.0/24 unresolved")
    );
});

story!(five_thousand_operators_are_each_in_one_place, world, {
    // It is about who gets a letter, not about what it says.
    world.template(
        "letter/advisory-short/en/subject.hbs",
        "[{{ticket}}] To operators",
    );
    world.template(
        "letter/advisory-short/en/body.hbs",
        "To {{holder}}: {{#each subjects}}{{this}} {{/each}}and {{more_subjects}} more",
    );
    let mut list = String::from("operator,holder,country\n");
    for number in 0..5_000 {
        // Every tenth shares its desk with its neighbour; every hundredth is a country nobody wrote in.
        let desk = number - number % 10 / 9;
        let country = ["NG", "KE", "US", "XX"][number % 4];
        writeln!(list, "abuse@isp-{desk}.example,ISP {desk},{country}").unwrap();
    }
    for number in 0..256 {
        writeln!(list, "2001:db8:{number:x}::/48,Held {number},US").unwrap();
    }
    world
        .table("range,country,abuse\n2001:db8::/33,US,abuse@big.example\n")
        .await;
    world
        .begin(NewCampaign {
            letter: "advisory-short".to_owned(),
            ..advisory()
        })
        .await;
    let counts = world.feed(&list).await.counts;
    assert_eq!((counts.fresh, counts.repeated), (4_756, 500));
    world.resolve().await;
    let done = world.compose().await;
    assert_eq!((done.letters, done.suspects), (4_501, 4_756));
    let letters = letters(&world).await;
    let to: BTreeSet<&str> = letters.iter().map(|(to, ..)| to.as_str()).collect();
    assert_eq!(to.len(), letters.len(), "no mailbox has two letters");
    let big = &letters
        .iter()
        .find(|(to, ..)| to == "abuse@big.example")
        .unwrap();
    assert_eq!(big.1, 256);
    assert!(big.2.contains("244 more"), "{}", big.2);
    world.approve().await;
    assert_eq!(world.report().await.letters.deliveries("ready"), 4_501);
});
