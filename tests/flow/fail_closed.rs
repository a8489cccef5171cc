//! What is missing in one letter stops all of them, and is named.

use lapwing::templates::Templates;

use crate::story;
use crate::world::World;

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
            "一行目\n{{ticket}} {{nobody_knows_this}}\n",
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
        world.template("letter/notice/ja/body.hbs", "{{ticket}}\n\n[[evidence]]\n");
        assert_eq!(world.compose().await.letters, 2);
        world.submit_as("author").await.unwrap();
    }
);

story!(a_missing_translation_stops_all_and_names_the_file, world, {
    // Somebody begins with Latin and writes the letter only.
    let land = "country = \"AQ\"\nlanguages = [\"la\"]\nreserved = [\"op25b\"]\n[note]\nen = \"Some law.\"\n";
    world.template("jurisdiction/AQ.toml", land);
    world.template("letter/notice/la/subject.hbs", "[{{ticket}}] Machinae");
    world.template("letter/notice/la/body.hbs", "Salve\n\n[[evidence]]\n");
    world
        .table("range,country,abuse\n192.0.2.0/24,AQ,abuse@glacies.example\n")
        .await;
    world.feed("192.0.2.1\n").await;
    world.resolve().await;
    let mut missing = vec![
        (
            "part/words/la.toml",
            include_str!("../../templates/part/words/en.toml").to_owned(),
        ),
        // The country's reservation must not get lost in translation either.
        (
            "jurisdiction/AQ.toml: [note] has no \"la\"",
            format!("{land}la = \"Lex.\"\n"),
        ),
    ];
    missing.push(("leaflet/la.hbs", "# Cave".to_owned()));
    let measures = [
        "op25b",
        "rate-limit",
        "find-and-quarantine",
        "advice",
        "removal-tools",
    ];
    let measures = measures.map(|measure| format!("measure/{measure}/la.hbs"));
    missing.extend(
        measures
            .iter()
            .map(|file| (file.as_str(), "Titulus\n\nVerba.".to_owned())),
    );
    while !missing.is_empty() {
        let error = world.try_compose().await.unwrap_err().to_string();
        assert!(error.contains("abuse@glacies.example (AQ, la)"), "{error}");
        stands_still(&world).await;
        let named = missing.iter().position(|(file, _)| error.contains(file));
        let (file, text) = missing.remove(named.expect(&error));
        world.template(file.split(':').next().unwrap(), &text);
    }
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
