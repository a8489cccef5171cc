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
198.51.100.0/24,LINDEN-2,US,64501,LINDEN NET,Abuse@LINDEN.example
203.0.113.0/24,OTHER,US,64502,Prairie,abuse@prairie.example
",
        "192.0.2.1\n192.0.2.2\n198.51.100.9\n203.0.113.9\n",
    )
    .await;
    let totals = world.sums().await;
    assert_eq!((totals.notices, totals.letters), (2, 2));
    let letter = world.letter_to("abuse@linden.example").await;
    for line in [
        "Dear abuse team at Linden Net,",
        "    Observations:    3\n",
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

story!(
    what_staff_entered_goes_before_what_a_contact_wished,
    world,
    {
        world
            .overrides("subject,mailbox,language\n192.0.2.128/25,abuse@both.example,en\n")
            .await;
        letters_about(
            &world,
            "range,country,language,abuse\n192.0.2.0/25,US,ja,abuse@both.example\n",
            "192.0.2.1\n192.0.2.2\n192.0.2.129\n",
        )
        .await;
        let letter = world.letter_to("abuse@both.example").await;
        assert_eq!(letter.locale, "en");
    }
);

story!(a_wished_language_does_not_lose_the_countrys_note, world, {
    // Japan's note is in its own language and in English; a German one is owed to nobody.
    letters_about(
        &world,
        "range,country,language,abuse\n192.0.2.0/25,JP,de,abuse@sakura.example\n",
        "192.0.2.1\n",
    )
    .await;
    let letter = world.letter_to("abuse@sakura.example").await;
    assert_eq!(letter.locale, "de");
    let text = in_one_line(&letter.text);
    assert!(text.contains("[English] Japan's Ministry"), "{text}");
    world.submit_as("author").await.unwrap();
});

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

/// The text as one line, however it was wrapped.
fn in_one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

story!(a_letter_says_why_it_comes_to_its_mailbox, world, {
    world
        .overrides("subject,mailbox\n203.0.113.128/25,named@desk.example\n")
        .await;
    world
        .table(
            "range,name,country,asn,holder,abuse
192.0.2.0/24,LINDEN,US,64500,Linden Net,abuse@linden.example
192.0.2.64/26,SHOP,US,64500,Corner Shop,
192.0.2.128/26,BAKER,US,64500,Corner Baker,
198.51.100.0/25,ELM,US,64501,Elm,noc@elm.example
198.51.100.128/25,OAK,GB,64502,Oak,cert@csirt.example
203.0.113.0/25,ASH,IE,64503,Ash,cert@csirt.example
203.0.113.128/25,FIR,US,64504,Fir,abuse@fir.example
",
        )
        .await;
    world
        .feed("192.0.2.70\n192.0.2.71\n198.51.100.1\n198.51.100.129\n203.0.113.1\n203.0.113.129\n")
        .await;
    world.resolve().await;
    for sql in [
        "UPDATE finding SET via = 'as', answers_for = 'AS64501' WHERE mailbox = 'noc@elm.example'",
        "UPDATE finding SET via = 'csirt', answers_for = country WHERE mailbox = 'cert@csirt.example'",
    ] {
        world.behind_our_back(sql).await;
    }
    world.compose().await;
    for (mailbox, said) in [
        (
            "abuse@linden.example",
            "because 192.0.2.64/26 is inside your range 192.0.2.0/24 and names no abuse contact of its own.",
        ),
        (
            "noc@elm.example",
            "because no contact could be found for 198.51.100.0/25, and you are the contact of AS64501, which announces it.",
        ),
        (
            "cert@csirt.example",
            "because no contact could be found for 198.51.100.128/25, and you are the national CSIRT of its country (GB). Please pass it on.",
        ),
        (
            "cert@csirt.example",
            "because no contact could be found for 203.0.113.0/25, and you are the national CSIRT of its country (IE). Please pass it on.",
        ),
        (
            "named@desk.example",
            "because named@desk.example was named to us as the right contact for 203.0.113.128/25.",
        ),
    ] {
        let letter = world.letter_to(mailbox).await;
        assert!(
            in_one_line(&letter.text).contains(said),
            "{said}\n{}",
            letter.text
        );
        assert!(
            in_one_line(&letter.html).contains(said),
            "{said}\n{}",
            letter.html
        );
        assert!(
            !letter.text.contains("registered contact."),
            "{}",
            letter.text
        );
    }
    // The range's desk is not greeted by the name of its customer, nor a CSIRT as an abuse desk.
    let around = world.letter_to("abuse@linden.example").await;
    assert!(
        around.text.starts_with("Dear abuse team,\n"),
        "{}",
        around.text
    );
    let csirt = world.letter_to("cert@csirt.example").await;
    assert!(
        csirt.text.starts_with("Dear CSIRT team,\n"),
        "{}",
        csirt.text
    );
    assert!(
        csirt.subject.contains("in networks of your country"),
        "{}",
        csirt.subject
    );
    assert!(
        !csirt
            .text
            .contains("You can also turn to the national CSIRT")
    );
});

story!(
    a_letter_about_own_and_other_networks_tells_them_apart,
    world,
    {
        letters_about(
            &world,
            "range,name,country,holder,abuse
192.0.2.0/24,LINDEN,US,Linden Net,abuse@linden.example
192.0.2.64/26,SHOP,US,Corner Shop,
192.0.2.128/26,BAKER,US,Corner Baker,
198.51.100.0/24,ELM,US,Linden Net,abuse@linden.example
",
            "192.0.2.1\n192.0.2.70\n192.0.2.130\n198.51.100.1\n",
        )
        .await;
        let letter = world.letter_to("abuse@linden.example").await;
        let text = in_one_line(&letter.text);
        let why = "because 192.0.2.64/26, 192.0.2.128/26 are inside your range 192.0.2.0/24 and name no abuse contact of their own.";
        assert!(text.contains(why), "{}", letter.text);
        assert_eq!(
            text.matches("Why you?").count(),
            1,
            "nothing is said of its own"
        );
    }
);

story!(who_wants_no_attachment_has_every_row_in_the_text, world, {
    world.config.letter.table_rows = 2;
    world
        .overrides("subject,mailbox,format\n192.0.2.0/24,desk@plain.example,text\n")
        .await;
    let feed: Vec<String> = (1..=30)
        .map(|host| format!("192.0.2.{host}\n198.51.100.{host}\n"))
        .collect();
    letters_about(
        &world,
        "range,country,abuse\n192.0.2.0/24,US,abuse@linden.example\n198.51.100.0/24,JP,abuse@sakura.example\n",
        &feed.concat(),
    )
    .await;
    let plain = world.letter_to("desk@plain.example").await;
    assert!(plain.attachments.is_empty());
    for host in 1..=30 {
        assert!(
            plain
                .text
                .lines()
                .any(|line| line.starts_with(&format!("192.0.2.{host} "))),
            "{host}\n{}",
            plain.text
        );
    }
    for text in [&plain.text, &plain.html] {
        for words in [".csv", "attached", "the attachment", "its attachment"] {
            assert!(!text.contains(words), "{words}\n{text}");
        }
    }
    let usual = world.letter_to("abuse@sakura.example").await;
    assert_eq!(attached(&usual).len(), 30);

    // What the text can bear is less than a file.
    world.later("1m");
    let many: Vec<String> = (0..700)
        .map(|n| format!("192.0.2.9,2026-11-01T00:{:02}:{:02}Z\n", n / 60, n % 60))
        .collect();
    world.feed(&format!("ip,seen\n{}", many.concat())).await;
    world.resolve().await;
    world.compose().await;
    let letters = world.opened().await;
    let parts: Vec<i64> = letters
        .iter()
        .filter(|one| one.attachments.is_empty())
        .map(|one| one.rows)
        .collect();
    assert_eq!(parts, [500, 230]);
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
                "of Japan (庁), Plan",
                "of Korea, Memorandum"
            ]
        );
        let letter = world.letter_to("abuse@sakura.example").await;
        let (japanese, english) = letter
            .text
            .split_once("以下は、上記の通知の英文です。")
            .unwrap();
        assert!(
            japanese
                .contains("- JP：庁（Agency of Japan）、Plan\n- GB：Office（Agency of Britain）")
        );
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
