//! Those who sign: on the day, in the recipient's language, and no others than were approved.

use crate::story;
use crate::world::World;

const TABLE: &str = "range,country,abuse
192.0.2.0/25,US,abuse@prairie.example
192.0.2.128/25,JP,abuse@sakura.example
198.51.100.0/24,KR,abuse@mugung.example
";

/// Today is in November 2026.
const ROLL: &str = "agency,local_name,name_ja,country,framework,from,until,order
Left Agency,,,US,Plan,,2026-10-31,1
Institute of Korea,한국원,韓国院,KR,Plan,2026-01,,
Agency of Japan,日本庁,日本庁,JP,Plan,2026-01,,
Council of Australia,,豪州評議会,AU,,,,
Commission of the United States,,米国委員会,US,Plan,,,1
Coming Agency,,,AU,Plan,2027-01,,2
";

async fn composed(world: &World) {
    world.table(TABLE).await;
    world.feed("192.0.2.1\n192.0.2.129\n198.51.100.1\n").await;
    world.resolve().await;
    world.compose().await;
}

/// The last list of a text: of the English part, which stands below any other.
fn signed(text: &str) -> Vec<&str> {
    let lines = text
        .lines()
        .rev()
        .skip_while(|line| !line.starts_with("- "));
    let mut signed: Vec<&str> = lines.take_while(|line| line.starts_with("- ")).collect();
    signed.reverse();
    signed
}

story!(a_letter_names_those_who_sign_on_its_day, world, {
    world.roll(ROLL).await;
    composed(&world).await;
    let english = world.letter_to("abuse@prairie.example").await;
    assert_eq!(
        signed(&english.text),
        [
            "- US: Commission of the United States, Plan",
            "- AU: Council of Australia",
            "- JP: Agency of Japan (日本庁), Plan",
            "- KR: Institute of Korea (한국원), Plan",
        ]
    );
    let english = world.letter_to("abuse@mugung.example").await;
    assert!(signed(&english.text)[0].starts_with("- KR: Institute of Korea"));

    let japanese = world.letter_to("abuse@sakura.example").await;
    let (own, english) = japanese.text.split_once("Dear abuse team").unwrap();
    let first = signed(english)[0];
    assert_eq!(first, "- JP: Agency of Japan (日本庁), Plan");
    for name in ["日本庁", "米国委員会", "韓国院", "豪州評議会"] {
        assert!(own.contains(name), "{name}: {own}");
    }
    assert!(!own.contains("한국원") && !english.contains("米国委員会"));
});

async fn refused(world: &World) {
    let submitted = world.submit_as("author").await.map(|_| ());
    let told = submitted.unwrap_err().to_string();
    assert!(told.contains("those who sign today"), "{told}");
    assert!(told.contains("lapwing compose trial"), "{told}");
}

story!(a_roll_that_changed_after_the_letters_stops_them, world, {
    world.roll(ROLL).await;
    composed(&world).await;
    world.roll(ROLL).await;
    world
        .roll("agency,country,framework,from,until\nComing Agency,AU,Plan,2027-02,2028-01-31\n")
        .await;
    world.submit_as("author").await.unwrap();

    // Between submission and approval, too: the letters name one who left, or miss one who came.
    for change in [
        "agency,country,framework,until\nCommission of the United States,US,Plan,2026-01-31\n",
        "agency,country,framework\nNew Agency,FR,Plan\n",
        "agency,country,framework,name_ja\nInstitute of Korea,KR,Plan,韓国研究院\n",
    ] {
        world.roll(change).await;
        let told = world.approve_as("reviewer").await.unwrap_err().to_string();
        assert!(told.contains("those who sign today"), "{told}");
        assert_eq!(world.report().await.letters.deliveries("ready"), 0);
        world.compose().await;
        world.submit_as("author").await.unwrap();
    }
    world.approve_as("reviewer").await.unwrap();

    // What is approved is frozen, whatever becomes of the roll.
    world.roll("agency,country\nLate Agency,FR\n").await;
    assert_eq!(world.send().await.accepted, 3);
});

story!(
    an_agency_that_leaves_by_its_date_is_not_signed_for,
    world,
    {
        world
            .roll("agency,country,until\nAgency A,US,2026-12-31\nAgency B,US,\n")
            .await;
        composed(&world).await;
        world.later("90d");
        refused(&world).await;
        world.compose().await;
        let letter = world.letter_to("abuse@prairie.example").await;
        assert_eq!(signed(&letter.text), ["- US: Agency B"]);
        world.submit_as("author").await.unwrap();
    }
);

story!(a_roll_is_kept_whole, world, {
    world
        .roll(
            "agency,local_name,name_ja,name_zh-Hant,country,framework,mailbox,from,until,order
B,Own,二,貳,US,Plan,desk@agency.example,2026-01-01,2026-12-31,2
A,,,,JP,,,,,
",
        )
        .await;
    let roll = world.store.signatories().await.unwrap();
    let [first, second] = roll.as_slice() else {
        panic!("{roll:?}");
    };
    assert_eq!(first.agency, "B");
    assert_eq!(first.name_beside("zh-TW"), "貳");
    assert_eq!(
        first.mailbox.as_ref().unwrap().as_str(),
        "desk@agency.example"
    );
    assert_eq!((first.position, second.position), (Some(2), None));
    assert!(second.names.is_empty() && second.mailbox.is_none());

    // Renewed, nothing of before is left over.
    world
        .roll("agency,name_de,country,framework\nB,Zwei,US,Plan\n")
        .await;
    let roll = world.store.signatories().await.unwrap();
    let renewed = roll.iter().find(|one| one.agency == "B").unwrap();
    assert_eq!(
        (renewed.name_beside("ja"), renewed.name_beside("de")),
        ("", "Zwei")
    );
    assert_eq!(
        (renewed.position, renewed.from, renewed.until),
        (None, None, None)
    );
});
