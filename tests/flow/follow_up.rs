//! Stage 7 as staff see it: whom letters did not reach, somebody else answers for.

use crate::send::{copies, tamper};
use crate::story;
use crate::track::{Report, comes_back};
use crate::world::World;

const TABLE: &str = "range,country,abuse\n192.0.2.0/24,JP,noc@carrier.example\n192.0.2.8/29,JP,abuse@small.example\n198.51.100.0/24,DE,abuse@other.example\n";
const FEED: &str = "ip,class,sample\n192.0.2.9,spam,Subject: x\n192.0.2.8/30,spam,\n192.0.2.33,spam,\n198.51.100.7,spam,\n";

async fn dies(world: &World, mailbox: &str) {
    let letter = world.letter_to(mailbox).await;
    let report = Report::of(&letter, "failed", "5.1.1", "550 5.1.1 No such user here");
    comes_back(world, letter.envelope_from.as_str(), &report.text()).await;
}

story!(the_next_on_the_ladder_is_told_in_the_next_round, world, {
    world.queue(TABLE, FEED).await;
    let ran = world.lapwing(&["follow-up", "trial", "trial-2"]);
    assert_eq!(ran.code, 5, "{}{}", ran.out, ran.err);
    assert_eq!(world.send().await.accepted, 3);
    dies(&world, "abuse@small.example").await;
    let ran = world.lapwing(&["status", "trial"]);
    assert!(
        ran.out.contains("lapwing follow-up trial trial-2"),
        "{}",
        ran.out
    );

    let tried = world.lapwing(&["follow-up", "trial", "trial-2", "--dry-run"]);
    let ran = world.lapwing(&["follow-up", "trial", "trial-2"]);
    for ran in [&tried, &ran] {
        assert!(
            ran.out.contains("2 suspects of 1 address"),
            "{}{}",
            ran.out,
            ran.err
        );
    }
    // Nobody's suspects are told to two others.
    let again = world.lapwing(&["follow-up", "trial", "trial-3"]);
    assert_eq!(again.code, 5, "{}{}", again.out, again.err);
    assert!(again.err.contains("nobody else"), "{}", again.err);

    for step in [
        vec!["resolve", "trial-2"],
        vec!["compose", "trial-2"],
        vec!["campaign", "submit", "trial-2", "--as", "anna"],
        vec!["campaign", "approve", "trial-2", "--as", "bert"],
    ] {
        let ran = world.lapwing(&step);
        assert!(
            matches!(ran.code, 0 | 3),
            "{step:?}: {}{}",
            ran.out,
            ran.err
        );
    }
    tamper(
        &world,
        "UPDATE campaign SET name = 'first' WHERE name = 'trial'",
    )
    .await;
    tamper(
        &world,
        "UPDATE campaign SET name = 'trial' WHERE name = 'trial-2'",
    )
    .await;
    assert_eq!(world.send().await.accepted, 1);
    assert_eq!(copies(&world)["noc@carrier.example"], 2);
    let letter = world.letter_to("noc@carrier.example").await;
    assert!(
        letter
            .text
            .contains("Our letters do not reach abuse@small.example"),
        "{}",
        letter.text
    );
    assert!(letter.text.contains("192.0.2.9"), "{}", letter.text);
    assert!(!letter.text.contains("192.0.2.33"), "{}", letter.text);
    assert!(
        letter
            .attachments
            .iter()
            .any(|one| one.name.ends_with(".arf.eml")),
        "{:?}",
        letter
            .attachments
            .iter()
            .map(|one| &one.name)
            .collect::<Vec<_>>()
    );
});

story!(who_may_yet_be_reached_is_left_alone, world, {
    world.queue(TABLE, FEED).await;
    assert_eq!(world.send().await.accepted, 3);
    let letter = world.letter_to("abuse@other.example").await;
    let report = Report::of(&letter, "failed", "5.2.2", "552 5.2.2 mailbox full");
    comes_back(&world, letter.envelope_from.as_str(), &report.text()).await;
    let ran = world.lapwing(&["follow-up", "trial", "trial-2"]);
    assert_eq!(ran.code, 5, "{}{}", ran.out, ran.err);
    let ran = world.lapwing(&["status", "trial-2"]);
    assert_eq!(ran.code, 4, "{}", ran.out);
});

story!(
    an_operator_of_a_list_has_no_other_and_that_is_said,
    world,
    {
        world.table(TABLE).await;
        let new = lapwing::model::NewCampaign::new("trial", "advisory");
        world.begin(new).await;
        world
            .feed("operator\n192.0.2.8/29\n198.51.100.0/24\n")
            .await;
        world.resolve().await;
        world.compose().await;
        world.approve().await;
        assert_eq!(world.send().await.accepted, 2);
        dies(&world, "abuse@small.example").await;
        let ran = world.lapwing(&["follow-up", "trial", "trial-2"]);
        assert!(
            ran.out.contains("1 operator of 1 address"),
            "{}{}",
            ran.out,
            ran.err
        );
        let ran = world.lapwing(&["resolve", "trial-2"]);
        assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
        let ran = world.lapwing(&["compose", "trial-2"]);
        assert!(ran.out.contains("1 letter"), "{}{}", ran.out, ran.err);
    }
);
