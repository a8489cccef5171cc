//! By whose leave a run's letters go: a person's each time, or a second person's for all within limits.

use lapwing::approve;
use lapwing::model::{Policy, RunState, Schedule, Standing};
use lapwing::templates::Templates;

use super::{FEED, campaigns, dropped, feed, monday, one, run, send, weekly};
use crate::send::copies;
use crate::story;
use crate::world::World;

fn standing(world: &World, by: &str) -> Standing {
    Standing {
        id: 0,
        by: by.to_owned(),
        at: world.now,
        reason: String::new(),
        most_letters: 2,
        most_new: 100,
        templates: Templates::load(&world.config.letter.templates)
            .unwrap()
            .digest(),
        unreviewed: Vec::new(),
        expires_at: world.now.plus("60d".parse().unwrap()),
    }
}

async fn give(world: &World, schedule: &Schedule, standing: &Standing) -> Result<(), String> {
    let given = approve::give_standing(&world.store, schedule, standing).await;
    given.map_err(|error| error.to_string())
}

story!(nothing_leaves_without_a_second_person, world, {
    let schedule = weekly(&mut world, Policy::default()).await;
    for author in ["author", "Author ", "a.u.t.h.o.r"] {
        let refused = give(&world, &schedule, &standing(&world, author)).await;
        assert!(refused.unwrap_err().contains("a second person must"));
    }
    dropped(&world, "zombies.csv", FEED);
    monday(&mut world, 0);
    run(&world).await;
    send(&world).await;
    assert!(copies(&world).is_empty());
    // The author of the schedule is the author of its campaigns.
    let campaign = world
        .store
        .campaign("weekly-2026-11-16T09:00Z")
        .await
        .unwrap();
    let refused = approve::may_approve(&world.store, &campaign, "author").await;
    assert!(refused.is_err());
});

story!(
    a_standing_approval_lets_letters_leave_within_its_limits,
    world,
    {
        let schedule = weekly(&mut world, Policy::default()).await;
        give(&world, &schedule, &standing(&world, "reviewer"))
            .await
            .unwrap();
        dropped(&world, "zombies.csv", FEED);
        monday(&mut world, 0);
        let ran = one(run(&world).await);
        assert_eq!(ran.run.state, RunState::Queued, "{}", ran.run.told);
        assert!(ran.run.told.contains("reviewer's standing approval"));
        let sent = send(&world).await;
        assert_eq!(sent[0].done.accepted, 2);
        let campaign = world
            .store
            .campaign("weekly-2026-11-16T09:00Z")
            .await
            .unwrap();
        let decisions = world.store.decisions(campaign.id).await.unwrap();
        let told: Vec<_> = decisions
            .iter()
            .map(|one| (one.kind.as_str(), one.by.as_str()))
            .collect();
        assert_eq!(told, [("submitted", "author"), ("approved", "reviewer")]);
        assert!(decisions[1].reason.contains("standing approval"));

        // Three letters are more than it was given for.
        let three = [
            ("192.0.2.9", "2026-11-20"),
            ("198.51.100.9", "2026-11-20"),
            ("203.0.113.9", "2026-11-20"),
        ];
        dropped(&world, "three.csv", &feed(&three));
        monday(&mut world, 0);
        let ran = one(run(&world).await);
        assert_eq!(ran.run.state, RunState::Waiting);
        assert!(
            ran.run.told.contains("3 letters are more than 2"),
            "{}",
            ran.run.told
        );
        assert!(send(&world).await.is_empty());
        assert_eq!(copies(&world).len(), 2);
    }
);

story!(new_contacts_beyond_a_share_wait_for_a_person, world, {
    let schedule = weekly(&mut world, Policy::default()).await;
    let known = Standing {
        most_new: 50,
        ..standing(&world, "reviewer")
    };
    give(&world, &schedule, &known).await.unwrap();
    dropped(&world, "first.csv", FEED);
    monday(&mut world, 0);
    let ran = one(run(&world).await);
    assert_eq!(ran.run.state, RunState::Waiting);
    assert!(ran.run.told.contains("2 of 2 contacts"), "{}", ran.run.told);
    crate::schedule::approve_and_send(&world, "weekly-2026-11-16T09:00Z").await;
    let half = [("192.0.2.9", "2026-11-20"), ("203.0.113.9", "2026-11-20")];
    dropped(&world, "half.csv", &feed(&half));
    monday(&mut world, 0);
    let ran = one(run(&world).await);
    assert_eq!(ran.run.sheet.new_contacts, 1);
    assert_eq!(ran.run.state, RunState::Queued, "{}", ran.run.told);
});

story!(
    a_change_of_words_or_of_the_schedule_ends_the_leave,
    world,
    {
        let schedule = weekly(&mut world, Policy::default()).await;
        world.config.letter.templates = world.templates.clone();
        give(&world, &schedule, &standing(&world, "reviewer"))
            .await
            .unwrap();
        std::fs::create_dir_all(world.templates.join("part/words")).unwrap();
        let shipped = Templates::load(std::path::Path::new("")).unwrap();
        let subject = "letter/notice/en/subject.hbs";
        let words = shipped.text(subject).unwrap();
        std::fs::create_dir_all(world.templates.join("letter/notice/en")).unwrap();
        std::fs::write(
            world.templates.join(subject),
            format!("{} today", words.trim_end()),
        )
        .unwrap();
        dropped(&world, "zombies.csv", FEED);
        monday(&mut world, 0);
        let ran = one(run(&world).await);
        assert_eq!(ran.run.state, RunState::Waiting);
        assert!(
            ran.run.told.contains("the templates are not those"),
            "{}",
            ran.run.told
        );

        give(&world, &schedule, &standing(&world, "reviewer"))
            .await
            .unwrap();
        let changed = Schedule {
            author: "another".to_owned(),
            changed_at: world.now,
            letter: "notice".to_owned(),
            policy: Policy {
                least: 1,
                ..Policy::default()
            },
            ..schedule.clone()
        };
        assert!(world.store.change_schedule(&changed).await.unwrap());
        assert_eq!(world.store.standing(schedule.id).await.unwrap(), None);
        // Whoever looked at it before the change approves nothing.
        let refused = give(&world, &schedule, &standing(&world, "reviewer")).await;
        if schedule.changed_at != changed.changed_at {
            assert!(refused.unwrap_err().contains("was changed meanwhile"));
        }
    }
);

// A run that was gone on with hours later does not send by itself what was due in the morning.
story!(
    letters_that_are_ready_hours_late_wait_for_a_person,
    world,
    {
        let schedule = weekly(&mut world, Policy::default()).await;
        give(&world, &schedule, &standing(&world, "reviewer"))
            .await
            .unwrap();
        dropped(&world, "zombies.csv", FEED);
        monday(&mut world, 0);
        let claim = lapwing::store::Claim {
            schedule: schedule.id,
            occasion: lapwing::model::Occasion::Feed,
            due_at: world.now,
            worker: "dead",
            lease_until: world.now.plus("60s".parse().unwrap()),
            missed: 0,
        };
        world
            .store
            .claim_run(&claim, world.now)
            .await
            .unwrap()
            .unwrap();
        world.later("5h");
        let ran = one(run(&world).await);
        assert_eq!(ran.run.state, RunState::Waiting);
        assert!(
            ran.run.told.contains("since they were due"),
            "{}",
            ran.run.told
        );
        assert_eq!(
            campaigns(&world).await,
            ["weekly-2026-11-16T09:00Z submitted"]
        );
    }
);
