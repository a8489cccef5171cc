//! The words of the letters in the hands of staff, and a stranger who rings up about a letter.

use serde_json::json;

use super::{Office, lines};
use crate::story;
use crate::world::World;

#[test]
fn the_words_are_checked_copied_and_changed() {
    let dir = tempfile::tempdir().unwrap();
    let run = |line: &str| {
        let output = super::program()
            .args(line.split(' '))
            .current_dir(dir.path())
            .env("USER", "author")
            .env("LAPWING_LETTER__TEMPLATES", "mine")
            .output()
            .unwrap();
        super::decent(line, output.into())
    };
    std::fs::create_dir(dir.path().join("mine")).unwrap();
    let ran = run("template check");
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{}", ran.out);
    for said in [
        "language ",
        "notice",
        "measures",
        "words",
        "ja ",
        "complete",
    ] {
        assert!(ran.out.contains(said), "{said}\n{}", ran.out);
    }
    let ran = run("template copy letter/notice/ja --to mine");
    assert!(ran.out.contains("2 files in mine"), "{ran:?}");
    let ran = run("template copy letter/notice --to mine");
    assert_eq!(ran.code, 2, "what is there stays: {ran:?}");
    assert!(
        run("template list letter/notice/ja")
            .out
            .starts_with("own ")
    );

    let subject = dir.path().join("mine/letter/notice/ja/subject.hbs");
    std::fs::write(&subject, "[{{ticket}}] {{#if csirt}}{{tickett}}{{/if}}").unwrap();
    let ran = run("template check");
    assert_eq!(ran.code, 1);
    let said = "problem: mine/letter/notice/ja/subject.hbs, line 1: no letter of this kind has {{tickett}}";
    assert!(ran.out.contains(said), "{}", ran.out);
    assert!(ran.out.contains("incomplete"), "{}", ran.out);
    assert!(
        ran.err.contains("1 problem in the templates"),
        "{}",
        ran.err
    );
    let ran = run("template check --json");
    let told: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(told["problems"][0]["line"], json!(1));
    assert_eq!(
        (told["languages"][0]["locale"].as_str(), ran.code),
        (Some("en"), 1)
    );

    // What cannot be read at all is told without the words of those who make template engines.
    std::fs::write(&subject, "[{{ticket}}]\n{{#if csirt}}x").unwrap();
    for line in ["template check", "template list"] {
        let ran = run(line);
        assert_eq!(ran.code, 2, "{ran:?}");
        let said = "mine/letter/notice/ja/subject.hbs, line 2: {{#if csirt}} is opened here and never closed: {{/if}} is missing";
        assert!(ran.err.contains(said), "{}", ran.err);
    }
}

story!(
    a_stranger_on_the_telephone_asks_whether_a_letter_is_ours,
    world,
    {
        let mut office = Office::approved(&world);
        let (letters, _) = office.json("letter list trial --mailbox abuse@sakura");
        let ticket = letters[0]["ticket"].as_str().unwrap().to_owned();
        let line = format!("letter verify {ticket}");

        // Written and approved is not sent, and its number can be guessed.
        let ran = office.run(&line);
        assert_eq!(ran.code, 4, "{ran:?}");
        assert!(ran.err.contains("none has left us"), "{}", ran.err);
        let ran = office.run(&format!("{line} --json"));
        assert_eq!(lines(&line, &ran.err)[0]["code"], json!(4));

        // Nor is what went into a folder to be looked at.
        let twin = Office::approved(&World::like(&world).await);
        twin.well("send trial");
        assert_eq!(twin.run(&line).code, 4);
        office.set("LAPWING_SEND__TRANSPORT", "smtp");
        office.set("LAPWING_SMTP__PORT", world.sink.address().port());
        office.well("send trial");
        let said = office.well(&line);
        for part in [
            "is genuine",
            "a mailbox at sakura.example",
            "campaign  trial",
            "You may say",
        ] {
            assert!(said.contains(part), "{part}\n{said}");
        }
        assert!(!said.contains("abuse@sakura.example"), "{said}");
        assert!(
            office
                .well(&format!("{line} --full"))
                .contains("abuse@sakura.example")
        );
        let told = office.told(&line);
        assert_eq!(
            [
                &told["genuine"],
                &told["domain"],
                &told["parts"],
                &told["sent"],
                &told["mailbox"]
            ],
            [
                &json!(true),
                &json!("sakura.example"),
                &json!(1),
                &json!(1),
                &json!(null)
            ]
        );
        // As it is typed, or copied from the subject.
        let spaced = ticket.replace('-', " ").to_lowercase();
        for typed in [
            spaced,
            format!("[{ticket}]"),
            ticket.replace('-', ""),
            ticket.replace('-', "–"),
        ] {
            let said = office.well(&format!("letter verify {typed}"));
            assert!(said.starts_with(&format!("{ticket} is genuine")), "{said}");
        }
        // One digit misheard.
        let last = if ticket.ends_with('9') { '0' } else { '9' };
        let misheard = format!("{}{last}", &ticket[..ticket.len() - 1]);
        let ran = office.run(&format!("letter verify {misheard}"));
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(ran.err.contains("read out once more"), "{}", ran.err);
        office.set("LAPWING_SENDER__REPLY_TO", "desk@coalition.example");
        assert!(office.well(&line).contains("desk@coalition.example"));
    }
);

story!(a_letter_is_printed_as_one_page, world, {
    let office = Office::approved(&world);
    let page = office.well("preview trial --mailbox abuse@sakura.example --html");
    assert!(page.starts_with("<!doctype html>"), "{page}");
    assert!(page.trim_end().ends_with("</html>"), "{page}");
    for part in [
        "<th scope=\"row\">To</th><td><bdi>abuse@sakura.example<",
        "@media print",
        "lang=\"ja\"",
    ] {
        assert!(page.contains(part), "{part}\n{page}");
    }
    let told = office.well("preview trial --html --to pages");
    assert!(told.contains("letters in pages"), "{told}");
    let pages = office
        .files()
        .into_iter()
        .filter(|name| name.starts_with("pages/"));
    let pages: Vec<String> = pages.collect();
    assert!(
        pages.len() > 2 && pages.iter().all(|name| name.ends_with(".html")),
        "{pages:?}"
    );
});

story!(
    in_live_mode_nobody_writes_in_the_name_of_the_example,
    world,
    {
        let mut office = Office::furnished(&world);
        office.well("table load networks.csv");
        office.well("campaign new trial");
        office.run("import trial feed.csv --allow-documentation");
        office.well("resolve trial");
        office.well("compose trial");
        office.set("LAPWING_MODE", "live");
        let refused = |office: &Office, line: &str, settings: &str| {
            let ran = office.run(line);
            assert_eq!(ran.code, 5, "{ran:?}");
            assert!(ran.err.contains(settings), "{}", ran.err);
        };
        let both = "set sender.name and sender.address and run `lapwing compose trial`";
        refused(&office, "campaign submit trial --as author", both);
        refused(&office, "campaign submit trial --as author --dry-run", both);
        office.set("LAPWING_SENDER__NAME", "Example Coalition");
        office.well("compose trial");
        let one = "sender.address is \"notices@lapwing.example\", as it was shipped; set sender.address and";
        refused(&office, "campaign submit trial --as author", one);
        office.set("LAPWING_SENDER__ADDRESS", "notices@coalition.example");
        // The settings are right; the letters are not yet.
        refused(&office, "campaign submit trial --as author", one);

        // Submitted in test mode, it does not get past the second person either.
        office.set("LAPWING_MODE", "test");
        office.well("campaign submit trial --as author");
        office.set("LAPWING_MODE", "live");
        for line in [
            "campaign approve trial --as reviewer --unreviewed en,ja,de",
            "campaign approve trial --as reviewer --unreviewed en,ja,de --dry-run",
        ] {
            refused(&office, line, one);
        }
        office.well("compose trial");
        office.well("campaign submit trial --as author");
        office.well("campaign approve trial --as reviewer --unreviewed en,ja,de");
    }
);

story!(
    in_live_mode_the_second_person_names_what_nobody_has_read,
    world,
    {
        let mut office = Office::furnished(&world);
        office.well("table load networks.csv");
        office.well("campaign new trial");
        office.run("import trial feed.csv --allow-documentation");
        office.well("resolve trial");
        office.set("LAPWING_SENDER__NAME", "Example Coalition");
        office.set("LAPWING_SENDER__ADDRESS", "notices@coalition.example");
        office.well("compose trial");
        office.set("LAPWING_MODE", "live");
        let said = office.well("campaign submit trial --as author");
        assert!(
            said.contains("nobody who reads them has reviewed the letters in"),
            "{said}"
        );
        for line in [
            "campaign approve trial --as reviewer",
            "campaign approve trial --as reviewer --dry-run",
        ] {
            let ran = office.run(line);
            assert_eq!(ran.code, 5, "{ran:?}");
            assert!(ran.err.contains("--unreviewed"), "{}", ran.err);
        }
        let all = office.told("campaign show trial");
        assert_eq!(all["state"], json!("submitted"));
        let ran = office.run("campaign approve trial --as reviewer --unreviewed en,ja,de,xx");
        assert_eq!(ran.code, 5, "{ran:?}");
        assert!(ran.err.contains("names xx,"), "{}", ran.err);
        let preflight = office
            .told("campaign approve trial --as reviewer --dry-run --unreviewed EN,ja,de,zh-hans");
        let warnings = preflight["warnings"].to_string();
        assert!(
            warnings.contains("--unreviewed zh-Hans was not needed"),
            "{warnings}"
        );
        let unreviewed = preflight["unreviewed"].as_array().unwrap().iter();
        let unreviewed: Vec<&str> = unreviewed.filter_map(|one| one.as_str()).collect();
        assert!(unreviewed.contains(&"ja"), "{unreviewed:?}");
        office.well(&format!(
            "campaign approve trial --as reviewer --unreviewed {}",
            unreviewed.join(",")
        ));
        let said = office.well("campaign show trial");
        assert!(
            said.contains(&format!("unreviewed {}", unreviewed.join(" "))),
            "{said}"
        );
    }
);
