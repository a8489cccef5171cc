//! What is missing in one letter stops all of them, and is named.

use lapwing::templates::Templates;

use crate::story;
use crate::world::World;

const JAPANESE: &str = include_str!("../../templates/letter/notice/ja/body.hbs");

/// Nothing of a campaign that could not be composed may go on.
async fn stands_still(world: &World) {
    let refused = world.submit_as("author").await.unwrap_err().to_string();
    assert!(refused.contains("lapwing compose trial"), "{refused}");
    let refused = world.try_send().await.unwrap_err().to_string();
    assert!(refused.contains("second person"), "{refused}");
    assert!(world.sink.received().is_empty());
}

story!(
    a_missing_value_stops_all_and_names_letter_and_file,
    world,
    {
        world.template(
            "letter/notice/ja/body.hbs",
            &format!("一行目\n{{{{nobody_knows_this}}}}\n{JAPANESE}"),
        );
        world
        .table("range,country,abuse\n192.0.2.0/25,DE,abuse@linde.example\n192.0.2.128/25,JP,abuse@sakura.example\n")
        .await;
        world.feed("192.0.2.1\n192.0.2.129\n").await;
        world.resolve().await;
        let error = world.try_compose().await.unwrap_err().to_string();
        for said in [
            "abuse@sakura.example",
            "(JP, ja)",
            "templates/letter/notice/ja/body.hbs, line 2",
            "nobody_knows_this",
        ] {
            assert!(error.contains(said), "{said}: {error}");
        }
        stands_still(&world).await;
        // Mended, it goes on as if nothing had been.
        world.template("letter/notice/ja/body.hbs", JAPANESE);
        assert_eq!(world.compose().await.letters, 2);
        world.submit_as("author").await.unwrap();
    }
);

story!(
    a_placeholder_taken_out_stops_all_before_a_letter_is_written,
    world,
    {
        // The Japanese does not say any more where answers go.
        let answer = include_str!("../../templates/part/answer/ja.hbs");
        world.template("part/answer/ja.hbs", &answer.replace("{{reply_to}}", ""));
        world
        .table("range,country,abuse\n192.0.2.0/25,US,abuse@prairie.example\n192.0.2.128/25,JP,abuse@sakura.example\n")
        .await;
        world.feed("192.0.2.1\n192.0.2.129\n").await;
        world.resolve().await;
        let error = world.try_compose().await.unwrap_err().to_string();
        for said in [
            "abuse@sakura.example (JP, ja)",
            "/templates/part/answer/ja.hbs, line 3",
            "does not say {{reply_to}}",
        ] {
            assert!(error.contains(said), "{said}: {error}");
        }
        assert_eq!(world.opened().await.len(), 0, "not the English one either");
        stands_still(&world).await;
    }
);

/// A language that nobody speaks, with all that the English has.
fn translated(text: &str) -> String {
    let mut inside = 0_usize;
    let turned = text.replace("/en.hbs", "/la.hbs");
    turned
        .chars()
        .map(|c| {
            match c {
                '{' | '[' => inside += 1,
                '}' | ']' => inside -= 1,
                _ => {}
            }
            match c {
                'a'..='z' if inside == 0 => char::from(b'a' + (c as u8 - b'a' + 13) % 26),
                _ => c,
            }
        })
        .collect()
}

story!(a_missing_translation_stops_all_and_names_the_file, world, {
    // Somebody begins with Latin.
    let land = "country = \"AQ\"\nlanguages = [\"la\"]\nreserved = [\"op25b\"]\n[note]\nen = \"Some law.\"\n";
    world.template("jurisdiction/AQ.toml", land);
    let shipped = Templates::load(std::path::Path::new("")).unwrap();
    let body = "letter/notice/en/body.hbs";
    let mut missing: Vec<(String, String)> = vec![(
        // The country's reservation must not get lost in translation either.
        "jurisdiction/AQ.toml".to_owned(),
        format!("{land}la = \"Lex.\"\n"),
    )];
    let words = shipped.text("part/words/en.toml").unwrap();
    missing.push((
        "part/words/la.toml".to_owned(),
        words.replace("follows = \"\"", "follows = \"English below.\""),
    ));
    let shared = ["measure/", "leaflet/"].into_iter();
    let shared =
        shared.flat_map(|lead| shipped.names(lead).filter(|name| name.ends_with("/en.hbs")));
    let included = shipped.included(body);
    let subject = "letter/notice/en/subject.hbs";
    let files = shared.chain(included.iter().map(String::as_str));
    for file in files.chain([subject, body]) {
        let text = shipped.text(file).unwrap();
        let latin = file.replace("/en", "/la");
        missing.push((latin, translated(text)));
    }
    // The body first: without it the language is none that is written in.
    let (file, text) = missing.pop().unwrap();
    assert_eq!(file, "letter/notice/la/body.hbs");
    world.template(&file, &text);
    world
        .table("range,country,abuse\n192.0.2.0/24,AQ,abuse@glacies.example\n")
        .await;
    world.feed("192.0.2.1\n").await;
    world.resolve().await;
    while !missing.is_empty() {
        let error = world.try_compose().await.unwrap_err().to_string();
        assert!(error.contains("abuse@glacies.example (AQ, la)"), "{error}");
        let named = missing.iter().position(|(file, _)| error.contains(file));
        let (file, text) = missing.remove(named.expect(&error));
        world.template(&file, &text);
    }
    stands_still(&world).await;
    assert_eq!(world.compose().await.letters, 1);

    world.template("measure/advice/la.hbs", "Titulus sine verbis");
    let error = world.try_compose().await.unwrap_err().to_string();
    assert!(error.contains("measure/advice/la.hbs"), "{error}");
    assert!(
        error.contains("a title, an empty line, and a paragraph"),
        "{error}"
    );
    stands_still(&world).await;
});

story!(
    a_broken_template_is_named_before_any_letter_is_touched,
    world,
    {
        world
            .table("range,country,abuse\n192.0.2.0/24,JP,abuse@sakura.example\n")
            .await;
        world.feed("192.0.2.1\n").await;
        world.resolve().await;
        world.compose().await;
        world.template(
            "letter/notice/en/body.hbs",
            "one\n\n{{#if ticket}}\nnever closed\n",
        );
        let error = Templates::load(&world.templates).err().unwrap().to_string();
        assert!(
            error.contains("templates/letter/notice/en/body.hbs, line"),
            "{error}"
        );
        assert_eq!(world.opened().await.len(), 1, "what was composed stays");
        // A country's file is read when it is needed.
        std::fs::remove_dir_all(world.templates.join("letter")).unwrap();
        for (text, said) in [
            ("languages = \"ja\"", "jurisdiction/JP.toml"),
            (
                "country = \"JP\"\nwithheld = [\"op25\"]",
                "there is no measure \"op25\"",
            ),
            ("country = \"JP\"\nlanguage = [\"ja\"]", "unknown field"),
        ] {
            world.template("jurisdiction/JP.toml", text);
            let error = world.try_compose().await.unwrap_err().to_string();
            assert!(error.contains(said), "{said}: {error}");
            assert!(error.contains("abuse@sakura.example"), "{error}");
            stands_still(&world).await;
        }
    }
);
