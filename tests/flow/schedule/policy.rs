//! What a schedule's campaigns keep to: who is spared, in which language, and of what is reminded.

use lapwing::model::{Occasion, Policy, RunState};

use super::{FEED, approve_and_send, campaigns, dropped, feed, folder, monday, one, run, weekly};
use crate::send::{copies, tamper};
use crate::story;

story!(nobody_is_told_again_of_the_same_within_days, world, {
    let policy = Policy {
        again_after: 28,
        ..Policy::default()
    };
    weekly(&mut world, policy).await;
    dropped(&world, "first.csv", FEED);
    monday(&mut world, 0);
    run(&world).await;
    approve_and_send(&world, "weekly-2026-11-16T09:00Z").await;
    assert_eq!(copies(&world).len(), 2);

    // Alpha's addresses are known; Beta has one more; a range that holds no more than was told is known.
    let second = [
        ("192.0.2.1", "2026-11-21"),
        ("192.0.2.1-192.0.2.2", "2026-11-21"),
        ("198.51.100.1", "2026-11-21"),
        ("198.51.100.7", "2026-11-21"),
    ];
    dropped(&world, "second.csv", &feed(&second));
    monday(&mut world, 0);
    let ran = one(run(&world).await);
    let sheet = &ran.run.sheet;
    assert_eq!(
        (sheet.letters, sheet.withheld, sheet.with_contact),
        (1, 2, 2)
    );
    let campaign = world
        .store
        .campaign("weekly-2026-11-23T09:00Z")
        .await
        .unwrap();
    let reasons = world.store.open_findings(campaign.id).await.unwrap();
    assert!(
        reasons[0]
            .reason
            .contains("abuse@alpha.example was told of all this"),
        "{reasons:?}"
    );
    approve_and_send(&world, &campaign.name).await;

    // With nobody to write to, the run says so and leaves nothing about.
    dropped(
        &world,
        "third.csv",
        &feed(&[("198.51.100.7", "2026-11-28")]),
    );
    monday(&mut world, 0);
    let ran = one(run(&world).await);
    assert_eq!(ran.run.state, RunState::Nothing);
    assert!(
        ran.run.told.contains("nobody to write to"),
        "{}",
        ran.run.told
    );
    assert_eq!(
        campaigns(&world).await[0],
        "weekly-2026-11-30T09:00Z cancelled"
    );

    // After the days it is told again.
    for _ in 0..3 {
        monday(&mut world, 0);
        run(&world).await;
    }
    dropped(&world, "later.csv", &feed(&[("192.0.2.1", "2026-12-26")]));
    monday(&mut world, 0);
    assert_eq!(one(run(&world).await).run.sheet.letters, 1);
});

story!(
    little_evidence_is_not_written_about_and_all_in_one_language,
    world,
    {
        let policy = Policy {
            least: 2,
            language: "ja".to_owned(),
            ..Policy::default()
        };
        weekly(&mut world, policy).await;
        dropped(&world, "zombies.csv", FEED);
        monday(&mut world, 0);
        let ran = one(run(&world).await);
        assert_eq!(ran.run.sheet.languages, [("ja".to_owned(), 1)]);
        assert_eq!(ran.run.sheet.withheld, 1);
    }
);

story!(
    reminders_go_on_their_days_to_those_who_have_not_answered,
    world,
    {
        let policy = Policy {
            remind: vec![7, 21],
            ..Policy::default()
        };
        weekly(&mut world, policy).await;
        dropped(&world, "first.csv", FEED);
        monday(&mut world, 0);
        run(&world).await;
        world.later("1h");
        approve_and_send(&world, "weekly-2026-11-16T09:00Z").await;

        // A week later one of Alpha's addresses is seen again, and Beta's; Gamma's was never told of.
        let second = [
            ("192.0.2.1", "2026-11-21"),
            ("198.51.100.1", "2026-11-21"),
            ("203.0.113.1", "2026-11-21"),
        ];
        dropped(&world, "second.csv", &feed(&second));
        monday(&mut world, 0);
        assert_eq!(one(run(&world).await).run.occasion, Occasion::Feed);
        // Beta has answered.
        tamper(
            &world,
            "UPDATE delivery SET answered = 'replied' WHERE recipient = 'abuse@beta.example'",
        )
        .await;
        world.later("2h");
        let ran = one(run(&world).await);
        assert!(matches!(
            ran.run.occasion,
            Occasion::Reminder { day: 7, .. }
        ));
        assert_eq!(ran.run.state, RunState::Waiting, "{}", ran.run.told);
        let name = "weekly-2026-11-16T09:00Z-day-7";
        assert_eq!(ran.campaign.as_deref(), Some(name));
        assert_eq!((ran.run.sheet.fresh, ran.run.sheet.letters), (1, 1));
        let campaign = world.store.campaign(name).await.unwrap();
        let letters = world.store.letters(campaign.id, 0, 10).await.unwrap();
        assert_eq!(letters[0].recipient.as_str(), "abuse@alpha.example");
        let words: Vec<&str> = letters[0].text.split_whitespace().collect();
        assert!(
            words.join(" ").contains("Still seen: 1"),
            "{}",
            letters[0].text
        );
        assert!(run(&world).await.is_empty(), "it is opened once");

        // On day 21 nothing of it is seen any more; nobody is reminded for ever.
        tamper(&world, "DELETE FROM taken_file").await;
        tamper(&world, "UPDATE delivery SET answered = 'replied'").await;
        std::fs::create_dir_all(folder(&world)).unwrap();
        for _ in 0..2 {
            monday(&mut world, 0);
            run(&world).await;
        }
        world.later("2h");
        let ran = run(&world).await;
        let last = ran
            .iter()
            .find(|ran| matches!(ran.run.occasion, Occasion::Reminder { day: 21, .. }));
        let last = last.unwrap();
        assert_eq!(last.run.state, RunState::Nothing, "{}", last.run.told);
    }
);
