//! Two people agree to exactly the letters that leave.

use lapwing::model::DecisionKind;

use crate::story;
use crate::world::World;

const TABLE: &str = "range,country,abuse
192.0.2.0/25,US,abuse@prairie.example
192.0.2.128/25,JP,abuse@sakura.example
";
const FEED: &str = "192.0.2.1\n192.0.2.129\n";

async fn composed(world: &World) {
    world.table(TABLE).await;
    world.feed(FEED).await;
    world.resolve().await;
    world.compose().await;
}

async fn submitted(world: &World) {
    composed(world).await;
    world.submit_as("author").await.unwrap();
}

async fn nothing_leaves(world: &World) -> String {
    let refused = world.try_send().await.unwrap_err().to_string();
    assert!(world.sink.received().is_empty());
    refused
}

story!(the_author_cannot_be_the_second_person, world, {
    submitted(&world).await;
    for who in ["author", "Author", "AUTHOR", "  author ", "author\n"] {
        let refused = world.approve_as(who).await.unwrap_err().to_string();
        assert!(refused.contains("a second person must"), "{refused}");
    }
    assert_eq!(world.state().await, "submitted");
    let refused = nothing_leaves(&world).await;
    assert!(refused.contains("second person"), "{refused}");
    let ran = world.lapwing(&["campaign", "approve", "trial", "--as", "author"]);
    assert_eq!(ran.code, 7, "{}", ran.err);

    world.approve_as("reviewer").await.unwrap();
    assert_eq!(world.state().await, "approved");
    assert_eq!(world.send().await.accepted, 2);
});

story!(nobody_without_a_name_decides, world, {
    composed(&world).await;
    for who in ["", "  "] {
        let refused = world.submit_as(who).await.unwrap_err().to_string();
        assert!(refused.contains("--as"), "{refused}");
    }
    world.submit_as("author").await.unwrap();
    assert!(world.approve_as(" ").await.is_err());
    assert_eq!(world.state().await, "submitted");
});

story!(what_is_not_composed_cannot_be_submitted, world, {
    world.table(TABLE).await;
    for (step, said) in [
        (0, "lapwing compose trial"),
        (1, "lapwing compose trial"),
        (2, "lapwing compose trial"),
    ] {
        match step {
            1 => drop(world.feed(FEED).await),
            2 => drop(world.resolve().await),
            _ => {}
        }
        let refused = world.submit_as("author").await.unwrap_err().to_string();
        assert!(refused.contains(said), "{step}: {refused}");
    }
    world.compose().await;
    // Something changes once more.
    world.feed("192.0.2.2\n").await;
    let refused = world.submit_as("author").await.unwrap_err().to_string();
    assert!(refused.contains("lapwing compose trial"), "{refused}");
    let refused = world.approve_as("reviewer").await.unwrap_err().to_string();
    assert!(refused.contains("submit it first"), "{refused}");
});

story!(
    a_letter_changed_behind_our_back_is_noticed_when_submitting,
    world,
    {
        composed(&world).await;
        for change in [
            "UPDATE letter SET body_text = body_text || 'P.S. pay here' WHERE id = 1",
            "UPDATE letter SET recipient = 'victim@evil.example' WHERE id = 1",
            "UPDATE letter SET sender = 'boss@evil.example' WHERE id = 1",
            "UPDATE attachment SET name = 'invoice.exe' WHERE name LIKE '%.csv' AND letter_id = 1",
            "DELETE FROM attachment WHERE name LIKE '%.csv' AND letter_id = 2",
        ] {
            world.compose().await;
            let first = world.opened().await[0].id;
            let change = change
                .replace("id = 1", &format!("id = {first}"))
                .replace("id = 2", &format!("id = {}", first + 1));
            assert_eq!(world.behind_our_back(&change).await, 1, "{change}");
            let refused = world.submit_as("author").await.unwrap_err().to_string();
            assert!(
                refused.contains("changed after they were rendered"),
                "{refused}"
            );
        }
        world.compose().await;
        world
            .behind_our_back(
                "DELETE FROM attachment WHERE letter_id = (SELECT MAX(id) FROM letter)",
            )
            .await;
        world
            .behind_our_back("DELETE FROM letter WHERE id = (SELECT MAX(id) FROM letter)")
            .await;
        let refused = world.submit_as("author").await.unwrap_err().to_string();
        assert!(
            refused.contains("list 1 suspects, but 2 have a contact"),
            "{refused}"
        );
    }
);

story!(
    a_letter_changed_behind_our_back_is_noticed_when_approving,
    world,
    {
        submitted(&world).await;
        world
            .behind_our_back("UPDATE letter SET subject = 'You have won'")
            .await;
        let refused = world.approve_as("reviewer").await.unwrap_err().to_string();
        assert!(
            refused.contains("changed after they were rendered"),
            "{refused}"
        );
        // Whoever can mend the digest beside the letter, too, changes the digest of the set.
        let letters = world.opened().await;
        for letter in &letters {
            let digest = letter.digest();
            world
                .behind_our_back(&format!(
                    "UPDATE letter SET digest = '{digest}' WHERE id = {}",
                    letter.id
                ))
                .await;
        }
        let refused = world.approve_as("reviewer").await.unwrap_err().to_string();
        assert!(
            refused.contains("not those that were submitted"),
            "{refused}"
        );
        assert_eq!(world.state().await, "submitted");
        nothing_leaves(&world).await;
    }
);

story!(a_letter_changed_behind_our_back_does_not_leave, world, {
    submitted(&world).await;
    world.approve_as("reviewer").await.unwrap();
    world
        .behind_our_back(
            "UPDATE letter SET body_html = '<p>pay here</p>' WHERE recipient LIKE '%sakura%'",
        )
        .await;
    // The other one was approved as it is.
    let done = world.send().await;
    assert_eq!((done.accepted, done.failed), (1, 1));
    assert_eq!(world.state_of("abuse@sakura.example").await, "failed");
    let received = world.sink.received();
    assert_eq!(received.len(), 1);
    assert_eq!(received[0].recipients[0].address, "abuse@prairie.example");
});

story!(
    with_another_digest_beside_it_nothing_at_all_leaves,
    world,
    {
        submitted(&world).await;
        world.approve_as("reviewer").await.unwrap();
        world
            .behind_our_back(
                "UPDATE letter SET subject = 'You have won' WHERE recipient LIKE '%sakura%'",
            )
            .await;
        for letter in world.opened().await {
            let digest = letter.digest();
            world
                .behind_our_back(&format!(
                    "UPDATE letter SET digest = '{digest}' WHERE id = {}",
                    letter.id
                ))
                .await;
        }
        let refused = nothing_leaves(&world).await;
        assert!(
            refused.contains("not those that were approved"),
            "{refused}"
        );
    }
);

story!(
    a_delivery_turned_to_somebody_else_does_not_reach_them,
    world,
    {
        submitted(&world).await;
        world.approve_as("reviewer").await.unwrap();
        world
            .behind_our_back("UPDATE delivery SET recipient = 'victim@evil.example'")
            .await;
        world.send().await;
        let reached: Vec<String> = world
            .sink
            .received()
            .iter()
            .map(|letter| letter.recipients[0].address.clone())
            .collect();
        assert!(
            !reached.contains(&"victim@evil.example".to_owned()),
            "{reached:?}"
        );
    }
);

story!(nobody_approves_twice, world, {
    submitted(&world).await;
    world.approve_as("reviewer").await.unwrap();
    let refused = world.approve_as("another").await.unwrap_err().to_string();
    assert!(
        refused.contains("is approved and cannot be approved"),
        "{refused}"
    );
    let refused = world.submit_as("author").await.unwrap_err().to_string();
    assert!(
        refused.contains("is approved and cannot be submitted"),
        "{refused}"
    );
    assert_eq!(world.report().await.letters.deliveries("ready"), 2);
});

story!(sent_back_and_submitted_again_it_can_be_approved, world, {
    submitted(&world).await;
    let why = "the second letter names the wrong ministry";
    world.decide(DecisionKind::Returned, "reviewer", why).await;
    assert_eq!(world.state().await, "draft");
    assert!(world.approve_as("reviewer").await.is_err());
    let digest = world.submit_as("author").await.unwrap().digest;
    assert_eq!(world.approve_as("reviewer").await.unwrap().digest, digest);
    assert_eq!(
        world.history().await,
        [
            "submitted by author",
            &format!("returned by reviewer: {why}"),
            "submitted by author",
            "approved by reviewer",
        ]
    );
    assert_eq!(world.send().await.accepted, 2);
});

story!(whoever_submits_last_is_the_author, world, {
    submitted(&world).await;
    world.decide(DecisionKind::Returned, "reviewer", "").await;
    world.submit_as("reviewer").await.unwrap();
    assert!(world.approve_as("reviewer").await.is_err());
    world.approve_as("author").await.unwrap();
});

story!(two_approvals_at_once_fill_the_queue_once, world, {
    submitted(&world).await;
    let (one, other) = tokio::join!(world.approve_as("reviewer"), world.approve_as("another"));
    assert!(one.is_ok() != other.is_ok(), "{one:?} {other:?}");
    assert_eq!(world.report().await.letters.deliveries("ready"), 2);
    assert_eq!(world.history().await.len(), 2);
    assert_eq!(world.send().await.accepted, 2);
    assert_eq!(world.sink.received().len(), 2);
});

story!(
    an_approval_races_with_new_suspects_and_neither_is_lost,
    world,
    {
        submitted(&world).await;
        let (approved, fed) = tokio::join!(
            world.approve_as("reviewer"),
            world.import("late.csv", "192.0.2.3\n")
        );
        assert!(approved.is_ok() != fed.is_ok(), "{approved:?} {fed:?}");
        let state = if approved.is_ok() {
            "approved"
        } else {
            "draft"
        };
        assert_eq!(world.state().await, state);
        let queued = world.report().await.letters.deliveries("ready");
        assert_eq!(queued, if approved.is_ok() { 2 } else { 0 });
    }
);

story!(the_second_person_is_told_what_is_in_no_letter, world, {
    world.table(TABLE).await;
    world
        .overrides("subject,mailbox\n192.0.2.64/26,never\n")
        .await;
    world
        .feed("192.0.2.1\n192.0.2.65\n192.0.2.66\n198.51.100.1\n10.0.0.1\n")
        .await;
    world.resolve().await;
    world.compose().await;
    let preflight = world.submit_as("author").await.unwrap();
    assert_eq!((preflight.letters, preflight.suspects), (1, 1));
    assert_eq!(
        preflight.warnings,
        [
            "1 suspects have no contact and are in no letter",
            "2 suspects are withheld by an override",
            "1 listed suspects have no time, or neither source nor evidence; --require-evidence refuses such",
            "1 row of the feeds refused; see `lapwing refused trial`",
            "no agency signs; see `lapwing signatory import`",
            "nobody who reads them has reviewed the letters in en",
        ]
    );
    assert!(preflight.problems.is_empty());
    assert_eq!(preflight.digest.len(), 64);
});

story!(
    an_override_after_the_letters_were_written_stops_them,
    world,
    {
        composed(&world).await;
        world.later("1m");
        let ids = world
            .overrides("subject,mailbox\n192.0.2.0/25,never\n")
            .await;
        let refused = world.submit_as("author").await.unwrap_err().to_string();
        assert!(refused.contains("lapwing resolve trial"), "{refused}");
        world.resolve().await;
        world.compose().await;
        world.submit_as("author").await.unwrap();
        assert_eq!(
            world.opened().await.len(),
            1,
            "nobody is written to about it"
        );
        // Nor does the second person approve what was decided otherwise meanwhile.
        world.later("1m");
        world
            .store
            .remove_override(ids[0], "author", world.now)
            .await
            .unwrap();
        let refused = world.approve_as("reviewer").await.unwrap_err().to_string();
        assert!(refused.contains("lapwing resolve trial"), "{refused}");
        nothing_leaves(&world).await;
    }
);

story!(
    a_table_loaded_after_the_letters_were_written_stops_them_too,
    world,
    {
        composed(&world).await;
        world.later("1m");
        world
            .table("range,country,abuse\n192.0.2.0/25,US,new@prairie.example\n")
            .await;
        let refused = world.submit_as("author").await.unwrap_err().to_string();
        assert!(refused.contains("lapwing resolve trial"), "{refused}");
    }
);

story!(
    in_live_mode_an_unreviewed_language_is_accepted_by_name,
    world,
    {
        world.review.is_live = true;
        submitted(&world).await;
        let refused = world.approve_as("reviewer").await.unwrap_err().to_string();
        for said in ["in en, ja;", "--unreviewed en,ja"] {
            assert!(refused.contains(said), "{said}: {refused}");
        }
        // One of two is not both; a slip of the pen is neither.
        world.review.languages = ["en", "fr", "ja"].map(str::to_owned).into();
        world.review.accepted = ["en", "jp"].map(str::to_owned).into();
        let refused = world.approve_as("reviewer").await.unwrap_err().to_string();
        let said = "--unreviewed names jp, in which no letter can be written; those that want it are en, ja";
        assert!(refused.contains(said), "{refused}");
        world.review.accepted = ["en".to_owned()].into();
        let refused = world.approve_as("reviewer").await.unwrap_err().to_string();
        assert!(refused.contains("in ja;"), "{refused}");
        assert_eq!(world.state().await, "submitted");
        nothing_leaves(&world).await;
        // A reader has vouched for one of them meanwhile.
        world.review.reviewed = ["en".to_owned()].into();
        world.review.accepted = ["en", "fr", "ja"].map(str::to_owned).into();
        let preflight = world.approve_as("reviewer").await.unwrap();
        assert_eq!(preflight.unreviewed, ["ja"]);
        for said in [
            "--unreviewed en was not needed: a reader of it has reviewed the letters",
            "--unreviewed fr was not needed: no letter is in it",
        ] {
            let warnings = &preflight.warnings;
            assert!(warnings.iter().any(|one| one == said), "{warnings:?}");
        }
        let decisions = world.report().await.letters.decisions;
        assert_eq!(decisions[1].unreviewed, ["ja"], "kept with the approval");
        let told = world.report().await.to_text();
        assert!(told.contains("unreviewed ja"), "{told}");
        assert_eq!(world.send().await.accepted, 2);
    }
);

story!(a_reviewed_language_needs_no_acceptance, world, {
    world.review.is_live = true;
    world.review.reviewed = ["en", "ja"].map(str::to_owned).into();
    submitted(&world).await;
    let preflight = world.approve_as("reviewer").await.unwrap();
    assert!(preflight.unreviewed.is_empty());
    assert!(
        !preflight
            .warnings
            .iter()
            .any(|said| said.contains("reviewed"))
    );
    assert!(
        world.report().await.letters.decisions[1]
            .unreviewed
            .is_empty()
    );
});

story!(what_is_no_language_is_refused_in_test_mode_too, world, {
    world.review.languages = ["en", "ja"].map(str::to_owned).into();
    world.review.reviewed = ["en", "ja"].map(str::to_owned).into();
    submitted(&world).await;
    world.review.accepted = ["klingon".to_owned()].into();
    let refused = world.approve_as("reviewer").await.unwrap_err().to_string();
    assert!(
        refused.contains("names klingon") && refused.contains("none of its languages wants it"),
        "{refused}"
    );
    assert_eq!(world.state().await, "submitted");
});
