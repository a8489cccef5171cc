//! What feeds hold: files once each, whatever they are called, and what a URL gives when it is new.

use lapwing::model::{FileFate, Policy, RunState};

use super::{FEED, dropped, feed, folder, lying, monday, one, run, schedule, weekly};
use crate::fake::http::{Answer, Registry};
use crate::send::tamper;
use crate::story;
use crate::world::World;

fn fates(ran: &lapwing::scheduler::Ran) -> Vec<(&str, FileFate)> {
    let files = ran.run.sheet.files.iter();
    files.map(|file| (file.name.as_str(), file.fate)).collect()
}

story!(
    the_same_file_dropped_twice_is_told_and_moved_and_not_sent_twice,
    world,
    {
        weekly(&mut world, Policy::default()).await;
        dropped(&world, "zombies.csv", FEED);
        monday(&mut world, 0);
        run(&world).await;
        dropped(&world, "again.csv", FEED);
        monday(&mut world, 0);
        let ran = one(run(&world).await);
        assert_eq!(ran.run.state, RunState::Nothing);
        assert_eq!(fates(&ran), [("again.csv", FileFate::Repeated)]);
        assert_eq!(ran.campaign, None);
        assert_eq!(lying(&world, "done"), ["again.csv", "zombies.csv"]);
    }
);

story!(a_feed_that_stays_empty_is_counted, world, {
    weekly(&mut world, Policy::default()).await;
    for told in [
        "nothing was new in the feed",
        "the 2nd time",
        "the 3rd time",
    ] {
        monday(&mut world, 0);
        let ran = one(run(&world).await);
        assert_eq!(ran.run.state, RunState::Nothing);
        assert!(ran.run.told.contains(told), "{}", ran.run.told);
    }
    dropped(&world, "zombies.csv", FEED);
    monday(&mut world, 0);
    assert_eq!(one(run(&world).await).run.state, RunState::Waiting);
    monday(&mut world, 0);
    let ran = one(run(&world).await);
    assert_eq!(ran.run.sheet.empty_runs, 1, "it begins anew");
});

story!(a_bad_file_is_put_aside_and_the_others_go_on, world, {
    weekly(&mut world, Policy::default()).await;
    dropped(&world, "a-picture.png", "\u{89}PNG\r\n\u{1a}\n\0\0\0\rIHDR");
    dropped(&world, "b-private.csv", "ip\n10.0.0.1\n127.0.0.1\n");
    dropped(&world, "c-zombies.csv", FEED);
    std::fs::write(folder(&world).join("d-unfinished.csv.part"), FEED).unwrap();
    monday(&mut world, 0);
    let ran = one(run(&world).await);
    assert_eq!(ran.run.state, RunState::Waiting, "{}", ran.run.told);
    assert_eq!(
        fates(&ran),
        [
            ("a-picture.png", FileFate::Failed),
            ("b-private.csv", FileFate::Failed),
            ("c-zombies.csv", FileFate::Taken)
        ]
    );
    assert_eq!(lying(&world, "failed"), ["a-picture.png", "b-private.csv"]);
    assert_eq!(lying(&world, ""), ["d-unfinished.csv.part"]);

    // Nothing but what cannot be used is no quiet week.
    dropped(&world, "private.csv", "ip\n10.0.0.1\n");
    monday(&mut world, 0);
    let ran = one(run(&world).await);
    assert_eq!(ran.run.state, RunState::Failed);
    assert!(ran.run.told.contains("private.csv"), "{}", ran.run.told);
    let folder = folder(&world);
    std::fs::remove_dir_all(&folder).unwrap();
    monday(&mut world, 0);
    let ran = one(run(&world).await);
    assert!(
        ran.run.told.contains("folder cannot be read"),
        "{}",
        ran.run.told
    );
});

story!(a_file_that_was_taken_and_not_moved_is_moved_later, world, {
    weekly(&mut world, Policy::default()).await;
    dropped(&world, "zombies.csv", FEED);
    monday(&mut world, 0);
    let first = one(run(&world).await);
    // As if it had been killed between the two.
    tamper(&world, "UPDATE taken_file SET moved_at = NULL").await;
    std::fs::rename(
        folder(&world).join("done/zombies.csv"),
        folder(&world).join("zombies.csv"),
    )
    .unwrap();
    dropped(&world, "more.csv", &feed(&[("203.0.113.9", "2026-11-20")]));
    monday(&mut world, 0);
    let ran = one(run(&world).await);
    assert_eq!(ran.run.sheet.fresh, 1, "only what is new");
    assert_eq!(lying(&world, "done"), ["more.csv", "zombies.csv"]);
    assert_eq!(
        (ran.run.sheet.new, ran.run.sheet.again, ran.run.sheet.gone),
        (1, 0, 3)
    );
    assert_eq!(ran.run.sheet.letters_before, first.run.sheet.letters);
});

/// The fake registry speaks HTTP, which is all that a feed needs.
async fn server(world: &mut World) -> Registry {
    world.config.intake.allow_documentation = true;
    world.config.intake.http = true;
    world.config.intake.reach = vec!["127.0.0.0/8".parse().unwrap()];
    world.table(super::TABLE).await;
    Registry::start(1).await
}

story!(a_feed_by_url_is_read_when_it_is_new, world, {
    let server = server(&mut world).await;
    let page = |text: &str, etag: &str| {
        Answer::new("200 OK", "text/csv", text.to_owned()).with("ETag", etag)
    };
    let unchanged = Answer::new("304 Not Modified", "text/csv", "");
    server.answers("/feed.csv", page(FEED, "\"one\""));
    server.answers("/feed.csv", unchanged);
    // Another validator for the same bytes.
    server.answers("/feed.csv", page(FEED, "\"two\""));
    server.answers("/feed.csv", Answer::html("503 Service Unavailable"));
    server.answers(
        "/feed.csv",
        page(&feed(&[("203.0.113.9", "2026-12-01")]), "\"three\""),
    );
    let url = server.url("/feed.csv");
    schedule(&world, "weekly", &url, Policy::default()).await;
    let mut states = Vec::new();
    for _ in 0..5 {
        monday(&mut world, 0);
        states.push(one(run(&world).await).run.state);
    }
    use RunState::{Failed, Nothing, Waiting};
    assert_eq!(states, [Waiting, Nothing, Nothing, Failed, Waiting]);
    let asked = server.asked();
    let told: Vec<bool> = asked
        .iter()
        .map(|one| {
            one.head
                .to_ascii_lowercase()
                .contains("if-none-match: \"one\"")
        })
        .collect();
    assert_eq!(told, [false, true, true, false, false]);
    assert!(asked[3].head.to_ascii_lowercase().contains("\"two\""));
});

story!(
    a_feed_by_url_comes_from_where_it_may_and_in_bounds,
    world,
    {
        let server = server(&mut world).await;
        server.answers(
            "/large",
            Answer::new("200 OK", "text/csv", FEED.repeat(100)),
        );
        server.answers(
            "/moved",
            Answer::redirect("302 Found", "http://169.254.169.254/secrets"),
        );
        world.config.intake.url_size = 1_000;
        for (name, path, said) in [
            ("large", "/large", "intake.url_size"),
            (
                "moved",
                "/moved",
                "169.254.169.254, which is no public address",
            ),
        ] {
            schedule(&world, name, &server.url(path), Policy::default()).await;
            monday(&mut world, 0);
            let told = run(&world).await;
            let told = told.iter().find(|ran| ran.schedule == name).unwrap();
            assert_eq!(told.run.state, RunState::Failed);
            assert!(told.run.told.contains(said), "{}", told.run.told);
        }
        world.config.intake.http = false;
        monday(&mut world, 0);
        for ran in run(&world).await {
            assert!(ran.run.told.contains("is not https"), "{}", ran.run.told);
        }
    }
);
