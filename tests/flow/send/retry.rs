//! What ended badly is tried once more when somebody has seen to its cause.

use lapwing::model::{Decision, DecisionKind, DeliveryState};
use lapwing::store::{Error, Retried, Retry};

use super::{decide, desk, of, outcomes, queue, states, story_of};
use crate::story;
use crate::world::World;

async fn retry(world: &World, states: &[DeliveryState], causes: &[&str]) -> Result<Retried, Error> {
    let decision = Decision {
        kind: DecisionKind::Resumed,
        by: "anna".to_owned(),
        at: world.now,
        digest: String::new(),
        reason: "off their list".to_owned(),
        unreviewed: Vec::new(),
    };
    let which = Retry {
        states: states.to_vec(),
        causes: causes.iter().map(|text| text.parse().unwrap()).collect(),
    };
    world.store.retry("trial", &which, &decision, false).await
}

const ALL: [DeliveryState; 3] = [
    DeliveryState::Failed,
    DeliveryState::Refused,
    DeliveryState::Expired,
];

story!(only_those_of_the_cause_are_tried_again, world, {
    queue(&world, 4).await;
    world.answers(&format!("RCPT {} 550 5.1.1 nobody", desk(1)));
    world.answers(&format!("RCPT {} 550 5.7.1 blocked by list", desk(2)));
    world.answers(&format!("RCPT {} 554 5.7.0 go away", desk(3)));
    assert_eq!(world.send().await.refused, 3);
    assert_eq!(
        world.report().await.letters.campaign.state.as_str(),
        "settled"
    );
    world.sink.rules().clear();
    world.later("30d");

    let none = retry(&world, &ALL, &["greylisted"]).await.unwrap();
    assert_eq!(none.letters, 0);
    assert_eq!(
        world.report().await.letters.campaign.state.as_str(),
        "settled"
    );
    let ran = world.lapwing(&[
        "campaign",
        "retry",
        "trial",
        "--cause",
        "5.7",
        "--as",
        "anna",
        "--reason",
        "off their list",
    ]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    for said in [
        "2 letters back in the queue",
        "1  refused: 550 5.7.1 blocked by list",
        "1  refused: 554 5.7.0 go away",
        "Next: lapwing send trial",
    ] {
        assert!(ran.out.contains(said), "{said}\n{}", ran.out);
    }
    let report = world.report().await;
    assert_eq!(
        report.letters.campaign.state.as_str(),
        "approved",
        "it opens again"
    );
    let told = report.to_text();
    assert!(
        told.contains("by anna: 2 letters are tried again: off their list"),
        "{told}"
    );
    assert_eq!(world.send().await.accepted, 2);
    let (delivery, attempts) = story_of(&world, &desk(2)).await;
    assert_eq!(delivery.attempts, 1, "counted anew");
    let kinds: Vec<_> = outcomes(&attempts)
        .into_iter()
        .flatten()
        .map(|one| one.as_str())
        .collect();
    assert_eq!(
        kinds,
        ["refused", "accepted"],
        "and the first stays on record"
    );
    assert_eq!(states(&world).await, of([("accepted", 3), ("refused", 1)]));
    assert_eq!(
        world.report().await.letters.campaign.state.as_str(),
        "settled"
    );
});

story!(what_expired_has_all_its_time_again, world, {
    queue(&world, 1).await;
    world.answers("RCPT * 451 4.7.1 later");
    world.send().await;
    world.later("6d");
    assert_eq!(world.send().await.expired, 1);
    world.later("30d");
    let again = retry(&world, &ALL, &["451"]).await.unwrap();
    assert_eq!(
        (again.letters, again.causes[0].enhanced.as_str()),
        (1, "4.7.1")
    );
    assert_eq!(world.send().await.deferred, 1, "it is not given up at once");
    let (delivery, _) = story_of(&world, &desk(1)).await;
    world.now = delivery.due_at;
    world.sink.rules().clear();
    assert_eq!(world.send().await.accepted, 1);
});

story!(
    what_may_have_arrived_is_left_alone_unless_it_is_named,
    world,
    {
        queue(&world, 3).await;
        world.config.send.on_uncertain = lapwing::config::OnUncertain::Hold;
        world.config.send.connections = 1;
        world.answers(&format!("DOT {} accept-close x1", desk(1)));
        world.answers(&format!("RCPT {} 550 5.1.1 nobody", desk(2)));
        world.send().await;
        world.later("1h");
        let _ = world.try_send().await;
        assert_eq!(
            states(&world).await,
            of([("accepted", 1), ("refused", 1), ("uncertain", 1)])
        );
        world.sink.rules().clear();
        assert_eq!(retry(&world, &ALL, &[]).await.unwrap().letters, 1);
        assert_eq!(world.send().await.accepted, 1);
        let named = retry(&world, &[DeliveryState::Uncertain], &[]).await;
        assert_eq!(named.unwrap().letters, 1);
        assert_eq!(world.send().await.accepted, 1);
        assert_eq!(states(&world).await, of([("accepted", 3)]));

        for (states, said) in [
            ("accepted", "never sent again"),
            ("cancelled", "cannot be tried again"),
            ("lost", "cannot be tried again"),
        ] {
            let ran = world.lapwing(&["campaign", "retry", "trial", "--state", states]);
            assert!(ran.code == 2 && ran.err.contains(said), "{}", ran.err);
        }
    }
);

story!(
    only_a_campaign_that_is_being_sent_has_letters_tried_again,
    world,
    {
        queue(&world, 2).await;
        world.answers(&format!("RCPT {} 550 5.1.1 nobody", desk(1)));
        world.answers(&format!("RCPT {} 451 4.7.1 later", desk(2)));
        world.send().await;
        let dry = world.lapwing(&["campaign", "retry", "trial", "--dry-run", "--json"]);
        assert!(dry.out.contains("\"letters\":1"), "{}", dry.out);
        assert_eq!(world.state_of(&desk(1)).await, "refused");
        decide(&world, DecisionKind::Cancelled).await;
        let refused = retry(&world, &ALL, &[]).await.unwrap_err().to_string();
        assert!(refused.contains("cancelled"), "{refused}");
        assert_eq!(world.state_of(&desk(1)).await, "refused");
    }
);
