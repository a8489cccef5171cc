//! The copy to a country's agencies: part of the approved set, and a list of who was written to.

use lapwing::model::{Letter, NewCampaign};

use crate::desk::{attached, column};
use crate::story;
use crate::world::World;

const TABLE: &str = "range,name,holder,country,abuse
192.0.2.0/24,ALPHA,=Alpha Networks,DE,abuse@alpha.example
198.51.100.0/25,BETA,Beta Telecom,DE,abuse@beta.example
198.51.100.128/25,GAMMA,Gamma,JP,abuse@gamma.example
203.0.113.0/24,DELTA,Delta,KR,abuse@delta.example
";

const ROLL: &str = "agency,country,mailbox
Agency of Germany,DE,desk@agency-de.example
Second Agency of Germany,DE,desk@agency-de.example
Agency of Japan,JP,
Agency of France,FR,desk@agency-fr.example
";

fn with_copies() -> NewCampaign {
    NewCampaign {
        cover: true,
        ..NewCampaign::new("trial", "notice")
    }
}

async fn composed(world: &World) -> Vec<Letter> {
    world.table(TABLE).await;
    world.roll(ROLL).await;
    world
        .feed("192.0.2.1\n192.0.2.2\n198.51.100.1\n198.51.100.200\n203.0.113.1\n")
        .await;
    world.resolve().await;
    world.compose().await;
    let campaign = world.campaign().await;
    world.store.letters(campaign.id, 0, 100).await.unwrap()
}

story!(an_agency_learns_who_was_written_to_in_its_country, world, {
    world.begin(with_copies()).await;
    let letters = composed(&world).await;
    let copies: Vec<&Letter> = letters
        .iter()
        .filter(|one| one.recipient.as_str().contains("agency"))
        .collect();
    // France has no letters, Japan's agency no mailbox, and Germany's two share theirs.
    let [copy] = copies.as_slice() else {
        panic!("{} copies", copies.len());
    };
    assert_eq!(copy.recipient.as_str(), "desk@agency-de.example");
    assert!(
        copy.text
            .contains("Agency of Germany, Second Agency of Germany"),
        "{}",
        copy.text
    );
    assert!(copy.text.contains("(DE)"), "{}", copy.text);
    let rows = attached(copy);
    assert_eq!(
        column(&rows, "mailbox"),
        ["abuse@alpha.example", "abuse@beta.example"]
    );
    assert_eq!(
        column(&rows, "holder"),
        ["'=Alpha Networks", "Beta Telecom"]
    );
    assert_eq!(column(&rows, "observations"), ["2", "1"]);
    for (mailbox, ticket) in column(&rows, "mailbox")
        .into_iter()
        .zip(column(&rows, "ticket"))
    {
        let letter = letters.iter().find(|one| one.recipient.as_str() == mailbox);
        assert_eq!(letter.unwrap().ticket, ticket);
    }
    // It lists no observation itself, so that each suspect is still in one letter.
    world.approve().await;
    world.send().await;
    assert_eq!(world.state_of("desk@agency-de.example").await, "accepted");
    assert_eq!(world.report().await.totals.letter_rows, 5);
});

story!(without_the_wish_no_agency_gets_a_copy, world, {
    let letters = composed(&world).await;
    assert_eq!(letters.len(), 4);
});
