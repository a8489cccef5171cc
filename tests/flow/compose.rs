//! Contacts get their letters: one notice each, in their language, under their law, or none at all.

use std::collections::BTreeSet;

use crate::desk::attached;
use crate::story;
use crate::world::World;

async fn letters_about(world: &World, table: &str, feed: &str) {
    world.table(table).await;
    world.feed(feed).await;
    world.resolve().await;
    world.compose().await;
}

story!(one_contact_of_several_networks_gets_one_notice, world, {
    letters_about(
        &world,
        "range,name,country,asn,holder,abuse
192.0.2.0/25,LINDEN-1,US,64500,Linden Net,abuse@linden.example
198.51.100.0/24,LINDEN-2,US,64501,Linden Net,Abuse@LINDEN.example
203.0.113.0/24,OTHER,US,64502,Prairie,abuse@prairie.example
",
        "192.0.2.1\n192.0.2.2\n198.51.100.9\n203.0.113.9\n",
    )
    .await;
    let totals = world.sums().await;
    assert_eq!((totals.notices, totals.letters), (2, 2));
    let letter = world.letter_to("abuse@linden.example").await;
    for line in [
        "Dear abuse desk of Linden Net,",
        "    Observations:  3\n",
        "      192.0.2.0/25  LINDEN-1  AS64500  (2)\n",
        "      198.51.100.0/24  LINDEN-2  AS64501  (1)\n",
    ] {
        assert!(letter.text.contains(line), "{line}\n{}", letter.text);
    }
    assert!(!letter.text.contains("203.0.113"), "somebody else's");
    let networks: Vec<String> = attached(&letter)
        .iter()
        .map(|row| format!("{} in {}", row["address"], row["network"]))
        .collect();
    assert_eq!(
        networks,
        [
            "192.0.2.1 in 192.0.2.0/25",
            "192.0.2.2 in 192.0.2.0/25",
            "198.51.100.9 in 198.51.100.0/24",
        ]
    );
});

story!(
    the_language_is_the_contacts_wish_or_the_countrys_or_english,
    world,
    {
        world
            .overrides("subject,mailbox,language\n203.0.113.64/26,over@ride.example,ja\n")
            .await;
        letters_about(
            &world,
            "range,country,language,abuse
192.0.2.0/26,JP,,a@country.example
192.0.2.64/26,JP,en,b@wish.example
192.0.2.128/26,DE,ja,c@wish.example
192.0.2.192/26,AQ,,d@nothing.example
198.51.100.0/26,JP,tlh,e@unknown.example
198.51.100.64/26,,,f@nowhere.example
198.51.100.128/26,JP,en-GB,g@variant.example
198.51.100.192/26,DE,JA,h@capitals.example
203.0.113.0/24,US,,i@override.example
",
            "192.0.2.1\n192.0.2.65\n192.0.2.129\n192.0.2.193\n198.51.100.1\n198.51.100.65\n\
         198.51.100.129\n198.51.100.193\n203.0.113.65\n",
        )
        .await;
        let letters = world.opened().await;
        let written: Vec<String> = letters
            .iter()
            .map(|letter| format!("{} {}", letter.recipient, letter.locale))
            .collect();
        assert_eq!(
            written,
            [
                "a@country.example ja",
                "b@wish.example en",
                "c@wish.example ja",
                "d@nothing.example en",
                "e@unknown.example ja",
                "f@nowhere.example en",
                "g@variant.example en",
                "h@capitals.example ja",
                "over@ride.example ja",
            ]
        );
        for letter in &letters {
            let in_english = letter
                .text
                .contains("Machines in your network are suspected");
            assert!(in_english, "English stands below every other language");
            assert_eq!(
                letter.text.contains("突然のご連絡"),
                letter.locale == "ja",
                "{}",
                letter.recipient
            );
            assert!(
                letter
                    .html
                    .contains(&format!("<html lang=\"{}\"", letter.locale))
            );
        }
    }
);

story!(the_country_with_most_suspects_decides, world, {
    letters_about(
        &world,
        "range,country,abuse
192.0.2.0/25,US,abuse@both.example
192.0.2.128/25,JP,abuse@both.example
",
        "192.0.2.1\n192.0.2.129\n192.0.2.130\n",
    )
    .await;
    let letter = world.letter_to("abuse@both.example").await;
    assert_eq!(
        (letter.country.as_str(), letter.locale.as_str()),
        ("JP", "ja")
    );
});

const ROLL: &str = "agency,local_name,country,framework,from,until
Agency of Korea,,KR,Memorandum,2026-01-01,
Agency of Britain,Office,GB,Plan,2026-01-01,
Agency that left,,FR,Plan,2026-01-01,2026-11-15
Agency that joins later,,US,Plan,2026-11-17,
Agency of Japan,庁,JP,Plan,,
";

story!(
    those_sign_who_take_part_that_day_the_own_agency_first,
    world,
    {
        world.roll(ROLL).await;
        letters_about(
        &world,
        "range,country,abuse\n192.0.2.0/25,GB,abuse@thistle.example\n192.0.2.128/25,JP,abuse@sakura.example\n",
        "192.0.2.1\n192.0.2.129\n",
    )
    .await;
        let signed = |text: &str| -> Vec<String> {
            let lines = text.lines().filter(|line| line.contains("Agency "));
            let names = lines.filter_map(|line| Some(line.split_once("Agency ")?.1.to_owned()));
            names.collect()
        };
        let letter = world.letter_to("abuse@thistle.example").await;
        assert!(letter.text.contains("As of 2026-11-16"));
        assert_eq!(
            signed(&letter.text),
            [
                "of Britain (Office), Plan",
                "of Korea, Memorandum",
                "of Japan (庁), Plan"
            ]
        );
        let letter = world.letter_to("abuse@sakura.example").await;
        let (japanese, english) = letter
            .text
            .split_once("以下は、上記の通知の英文です。")
            .unwrap();
        assert!(japanese.contains("- JP：庁（Agency of Japan）、Plan\n- KR：Agency of Korea"));
        assert_eq!(signed(english)[0], "of Japan (庁), Plan");

        // A letter of the next day is signed by who joined meanwhile.
        world.later("1d");
        world.compose().await;
        let letter = world.letter_to("abuse@thistle.example").await;
        assert!(letter.text.contains("Agency that joins later"));
        assert!(!letter.text.contains("Agency that left"));
    }
);

const SAKURA: &str = "range,country,abuse\n192.0.2.0/24,JP,abuse@sakura.example\n";

story!(japan_reserves_measures_in_both_languages, world, {
    letters_about(&world, SAKURA, "192.0.2.1\n").await;
    let letter = world.letter_to("abuse@sakura.example").await;
    let (japanese, english) = letter
        .text
        .split_once("以下は、上記の通知の英文です。")
        .unwrap();
    let marked = |text: &str, mark: &str| -> Vec<bool> {
        let titles = text.lines().filter(|line| {
            let number = line.split_once(". ").map_or("", |(number, _)| number);
            number.len() == 1 && number.bytes().all(|byte| byte.is_ascii_digit())
        });
        // A title may be long enough to be wrapped.
        titles
            .map(|title| {
                let at = text.find(title).unwrap();
                let start: String = text[at..].lines().take(2).collect();
                start.contains(mark)
            })
            .collect()
    };
    let first_three = [true, true, true, false, false];
    assert_eq!(marked(japanese, "（※）"), first_three, "{japanese}");
    assert_eq!(marked(english, "(*)"), first_three, "{english}");
    let joined = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(japanese.contains("電気通信事業法（通信の秘密）"));
    assert!(
        joined(english).contains("Telecommunications Business Act (secrecy of communications)")
    );
});

story!(
    a_withheld_measure_is_left_out_and_the_others_keep_their_numbers,
    world,
    {
        world.template(
        "jurisdiction/DE.toml",
        "country = \"DE\"\nlanguages = [\"en\"]\nreserved = [\"advice\"]\nwithheld = [\"rate-limit\"]\n",
    );
        letters_about(
            &world,
            "range,country,abuse\n192.0.2.0/24,DE,abuse@linde.example\n",
            "192.0.2.1\n",
        )
        .await;
        let letter = world.letter_to("abuse@linde.example").await;
        for number in 1..=5 {
            let in_text = letter.text.contains(&format!("\n{number}. "));
            let in_html = letter.html.contains(&format!("<li value=\"{number}\">"));
            assert_eq!((in_text, in_html), (number != 2, number != 2), "{number}");
        }
        assert!(!letter.text.contains("Rate limits on mail relays"));
        // It reserves a measure without a note of its own: the letter says what the mark means.
        assert!(
            letter
                .text
                .contains("4. Plain-language advice to customers (*).")
        );
        assert!(
            letter
                .text
                .contains("The measures marked (*) are proposed on the condition")
        );
    }
);

story!(
    composing_again_gives_new_tickets_while_it_is_a_draft,
    world,
    {
        letters_about(&world, SAKURA, "192.0.2.1\n").await;
        world.submit_as("author").await.unwrap();
        let printed = world.letter_to("abuse@sakura.example").await;
        world.later("1m");
        world.compose().await;
        assert_eq!(world.state().await, "draft");
        assert_eq!(
            world.history().await,
            ["submitted by author", "voided by author: composed again"]
        );
        // Whoever still holds the earlier print can tell it from the letter that leaves.
        let letter = world.letter_to("abuse@sakura.example").await;
        assert_ne!(letter.ticket, printed.ticket);
        assert_ne!(letter.message_id, printed.message_id);
        assert!(
            world
                .store
                .letters_by_ticket(&printed.ticket)
                .await
                .is_err()
        );

        world.approve().await;
        let refused = world.try_compose().await.unwrap_err().to_string();
        assert!(refused.contains("can no longer change"), "{refused}");
        assert_eq!(world.letter_to("abuse@sakura.example").await, letter);
    }
);

story!(resolving_again_voids_the_letters, world, {
    letters_about(&world, SAKURA, "192.0.2.1\n").await;
    world.submit_as("author").await.unwrap();
    world.resolve().await;
    assert_eq!(world.state().await, "draft");
    let refused = world.submit_as("author").await.unwrap_err().to_string();
    assert!(refused.contains("lapwing compose trial"), "{refused}");
});

story!(a_dry_run_writes_every_letter_and_keeps_none, world, {
    letters_about(&world, SAKURA, "192.0.2.1\n").await;
    let kept = world.opened().await;
    let ran = world.lapwing(&["compose", "trial", "--dry-run", "--json"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(
        ran.out.contains("\"letters\":1") || ran.out.contains("\"letters\": 1"),
        "{}",
        ran.out
    );
    assert_eq!(world.opened().await, kept);
    assert!(world.campaign().await.composed_at.is_some());
    let tickets: BTreeSet<String> = kept.into_iter().map(|letter| letter.ticket).collect();
    assert_eq!(tickets.len(), 1);
});
