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
    // Somebody begins with French and writes the letter only.
    world.template(
        "jurisdiction/FR.toml",
        "country = \"FR\"\nlanguages = [\"fr\"]\nreserved = [\"op25b\"]\n[note]\nen = \"Some law.\"\n",
    );
    world.template("letter/notice/fr/subject.hbs", "[{{ticket}}] Machines");
    world.template("letter/notice/fr/body.hbs", "Bonjour\n\n[[evidence]]\n");
    world
        .table("range,country,abuse\n192.0.2.0/24,FR,abuse@lavande.example\n")
        .await;
    world.feed("192.0.2.1\n").await;
    world.resolve().await;
    let words = include_str!("../../templates/part/words/en.toml");
    for (missing, name, text) in [
        ("part/words/fr.toml", "part/words/fr.toml", words),
        (
            "measure/op25b/fr.hbs",
            "measure/op25b/fr.hbs",
            "OP25B\n\nBloquer.",
        ),
        (
            "measure/rate-limit/fr.hbs",
            "measure/rate-limit/fr.hbs",
            "Sans paragraphe",
        ),
        (
            "a title, an empty line, and a paragraph",
            "measure/rate-limit/fr.hbs",
            "A\n\nB",
        ),
        (
            "measure/find-and-quarantine/fr.hbs",
            "measure/find-and-quarantine/fr.hbs",
            "A\n\nB",
        ),
        ("measure/advice/fr.hbs", "measure/advice/fr.hbs", "A\n\nB"),
        (
            "measure/removal-tools/fr.hbs",
            "measure/removal-tools/fr.hbs",
            "A\n\nB",
        ),
    ] {
        let error = world.try_compose().await.unwrap_err().to_string();
        assert!(error.contains(missing), "{missing}: {error}");
        assert!(error.contains("abuse@lavande.example (FR, fr)"), "{error}");
        stands_still(&world).await;
        world.template(name, text);
    }
    // Nor may the country's reservation get lost in translation.
    let error = world.try_compose().await.unwrap_err().to_string();
    assert!(
        error.contains("jurisdiction/FR.toml: [note] has no \"fr\""),
        "{error}"
    );
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
