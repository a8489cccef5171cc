//! When a schedule is run, when not any more, and by whom.

use lapwing::model::{NewCampaign, Occasion, Paused, Policy, RunState, RunStep, Span};
use lapwing::scheduler::Which;
use lapwing::store::Claim;

use super::{FEED, campaigns, dropped, lying, monday, one, run, try_run, weekly};
use crate::send::tamper;
use crate::story;

story!(a_feed_becomes_letters_at_its_time_and_once, world, {
    weekly(&mut world, Policy::default()).await;
    dropped(&world, "zombies.csv", FEED);
    assert!(run(&world).await.is_empty(), "it is eight");

    monday(&mut world, 5);
    let ran = one(run(&world).await);
    assert_eq!(ran.run.state, RunState::Waiting, "{}", ran.run.told);
    assert_eq!(ran.campaign.as_deref(), Some("weekly-2026-11-16T09:00Z"));
    let sheet = &ran.run.sheet;
    assert_eq!((sheet.fresh, sheet.letters, sheet.contacts), (3, 2, 2));
    assert_eq!(sheet.countries, [("US".to_owned(), 2, 3)]);
    assert_eq!(sheet.languages, [("en".to_owned(), 2)]);
    assert_eq!(lying(&world, ""), Vec::<String>::new());
    assert_eq!(lying(&world, "done"), ["zombies.csv"]);
    assert!(
        ran.run
            .told
            .contains("campaign approve weekly-2026-11-16T09:00Z")
    );
    let next: Vec<String> = ran.next.iter().map(ToString::to_string).collect();
    assert_eq!(next[0], "2026-11-23T09:00:00Z");
    assert_eq!(next.len(), 5);

    assert!(run(&world).await.is_empty(), "it was run");
    // A database restored to the morning of that day has forgotten that, but for the claim.
    tamper(&world, "UPDATE schedule SET seen_to = 0").await;
    assert!(run(&world).await.is_empty(), "it was run");
    assert_eq!(
        campaigns(&world).await,
        ["weekly-2026-11-16T09:00Z submitted"]
    );
});

story!(two_who_find_it_due_run_it_once, world, {
    weekly(&mut world, Policy::default()).await;
    dropped(&world, "zombies.csv", FEED);
    monday(&mut world, 0);
    let workers = ["one", "two", "three"].map(|worker| try_run(&world, worker, Which::default()));
    let ran = futures_util::future::join_all(workers).await;
    let ran = ran.into_iter().flat_map(Result::unwrap);
    let ran = one(ran.collect());
    assert_eq!(ran.run.sheet.letters, 2);
    assert_eq!(campaigns(&world).await.len(), 1);
});

story!(what_is_found_hours_late_is_not_run, world, {
    weekly(&mut world, Policy::default()).await;
    dropped(&world, "zombies.csv", FEED);
    monday(&mut world, 121);
    let ran = one(run(&world).await);
    assert_eq!(ran.run.state, RunState::Late);
    assert!(ran.run.told.contains("lapwing run --schedule weekly --now"));
    assert_eq!(lying(&world, ""), ["zombies.csv"], "nothing was read");
    assert!(campaigns(&world).await.is_empty());
    assert!(run(&world).await.is_empty(), "it is told once");

    // Staff look at it, and have it run.
    let at_once = Which {
        schedule: Some("weekly"),
        at_once: true,
    };
    let ran = one(try_run(&world, "worker", at_once).await.unwrap());
    assert_eq!(ran.campaign.as_deref(), Some("weekly-2026-11-16T11:01Z"));

    // Two Mondays that nobody saw, and the third in time: it stands for them.
    monday(&mut world, 0);
    monday(&mut world, 0);
    monday(&mut world, 1);
    let ran = one(run(&world).await);
    assert_eq!(
        (ran.run.state, ran.run.sheet.missed),
        (RunState::Nothing, 2)
    );
});

story!(a_pause_keeps_what_falls_due_from_beginning, world, {
    let schedule = weekly(&mut world, Policy::default()).await;
    dropped(&world, "zombies.csv", FEED);
    let paused = Paused {
        at: world.now,
        by: "author".to_owned(),
        reason: "holidays".to_owned(),
    };
    world
        .store
        .pause_schedule(&schedule, &paused)
        .await
        .unwrap();
    assert!(
        world
            .store
            .pause_schedule(&schedule, &paused)
            .await
            .is_err()
    );
    monday(&mut world, 5);
    assert!(run(&world).await.is_empty());
    let at_once = Which {
        schedule: Some("weekly"),
        at_once: true,
    };
    let refused = try_run(&world, "worker", at_once).await.unwrap_err();
    assert!(refused.to_string().contains("schedule resume weekly"));
    world.later("1h");
    world
        .store
        .resume_schedule(&schedule, "author", world.now)
        .await
        .unwrap();
    assert!(
        run(&world).await.is_empty(),
        "what fell due meanwhile stays undone"
    );
    monday(&mut world, 0);
    assert_eq!(one(run(&world).await).run.state, RunState::Waiting);
});

// Whoever is killed leaves the run as it was written down last; the next one goes on from there.
story!(a_run_whose_worker_died_is_gone_on_with, world, {
    let schedule = weekly(&mut world, Policy::default()).await;
    dropped(&world, "zombies.csv", FEED);
    monday(&mut world, 0);
    let claim = Claim {
        schedule: schedule.id,
        occasion: Occasion::Feed,
        due_at: world.now,
        worker: "dead",
        lease_until: world.now.plus(Span(60_000)),
        missed: 0,
    };
    let mut left = world
        .store
        .claim_run(&claim, world.now)
        .await
        .unwrap()
        .unwrap();
    let name = "weekly-2026-11-16T09:00Z";
    let new = NewCampaign::new(name, "notice");
    let id = world
        .store
        .begin_run_campaign(&left, &new, "author", world.now)
        .await;
    left.campaign = Some(id.unwrap());
    left.step = RunStep::Intake;
    world.store.put_run(&left).await.unwrap();
    // It was resolving, too, for all that anybody knows.
    let campaign = world.store.campaign(name).await.unwrap();
    let until = world.now.plus(Span(3_600_000));
    world
        .store
        .begin_resolving(&campaign, "dead", "author", world.now, until)
        .await
        .unwrap();

    world.later("30s");
    assert!(run(&world).await.is_empty(), "its lease holds");
    // Nobody takes the same files meanwhile.
    let at_once = Which {
        schedule: Some("weekly"),
        at_once: true,
    };
    let refused = try_run(&world, "worker", at_once).await.unwrap_err();
    assert!(refused.to_string().contains("is under way"), "{refused}");
    world.later("31s");
    let ran = one(run(&world).await);
    assert_eq!(ran.run.id, left.id);
    assert_eq!((ran.run.state, ran.run.taken_over), (RunState::Waiting, 1));
    assert_eq!(ran.run.sheet.letters, 2);
    assert_eq!(campaigns(&world).await, [format!("{name} submitted")]);
    // It was only asleep, and finds that it is no longer its.
    let refused = world.store.put_run(&left).await.unwrap_err();
    assert!(refused.to_string().contains("taken over"), "{refused}");
});
