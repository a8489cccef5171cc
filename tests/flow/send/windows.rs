//! Office hours: letters wait for the morning where they go.

use lapwing::model::{Timestamp, Wait};

use super::{desk, of, queue, states, story_of};
use crate::story;
use crate::world::World;

fn at(text: &str) -> Timestamp {
    text.parse::<jiff::Timestamp>().unwrap().into()
}

fn office_hours(world: &mut World) {
    world.config.send.window.hours = "08:00-18:00".to_owned();
    world.config.send.window.days = "mon-fri".to_owned();
}

story!(a_letter_leaves_in_office_hours_where_it_goes, world, {
    // Monday, 08:00 in London: 9 in Berlin, 17 in Seoul and Tokyo, 2 in Chicago.
    queue(&world, 4).await;
    office_hours(&mut world);
    let done = world.send().await;
    assert_eq!((done.claimed, done.kept_back, done.accepted), (4, 1, 3));
    let (delivery, attempts) = story_of(&world, &desk(2)).await;
    assert_eq!(delivery.due_at, at("2026-11-16T14:00:00Z"), "in Chicago");
    assert_eq!((delivery.waits, attempts.len()), (Some(Wait::Window), 0));
    let status = world.report().await.status();
    assert!(
        status.contains("1  wait for office hours where they go"),
        "{status}"
    );
    assert!(
        status.contains("send trial after 2026-11-16T14:00:00Z"),
        "{status}"
    );

    world.now = at("2026-11-16T13:59:00Z");
    assert_eq!(world.send().await.claimed, 0);
    world.now = at("2026-11-16T14:00:00Z");
    assert_eq!(world.send().await.accepted, 1);
    assert_eq!(
        world.report().await.letters.campaign.state.as_str(),
        "settled"
    );
});

story!(what_is_tried_again_waits_for_the_morning_too, world, {
    queue(&world, 1).await;
    office_hours(&mut world);
    world.now = at("2026-11-20T16:58:00Z");
    world.answers("RCPT * 451 4.7.1 later x1");
    assert_eq!(
        world.send().await.deferred,
        1,
        "a Friday, two to six in Berlin"
    );
    world.later("30m");
    let done = world.send().await;
    assert_eq!((done.kept_back, done.accepted), (1, 0));
    let (delivery, _) = story_of(&world, &desk(1)).await;
    assert_eq!(
        delivery.due_at,
        at("2026-11-23T07:00:00Z"),
        "Monday morning"
    );
    world.now = delivery.due_at;
    assert_eq!(world.send().await.accepted, 1);
});

story!(
    nights_and_weekends_are_not_counted_against_a_letter,
    world,
    {
        queue(&world, 1).await;
        office_hours(&mut world);
        world.config.send.window.hours = "08:00-08:30".to_owned();
        world.config.send.window.days = "mon".to_owned();
        world.config.send.give_up = "1d".parse().unwrap();
        world.config.send.retry = vec!["1h".parse().unwrap()];
        world.answers("RCPT * 451 4.7.1 later x3");
        let mut kept_back = 0;
        while world.report().await.letters.campaign.state.as_str() == "approved" {
            kept_back += world.send().await.kept_back;
            let (delivery, _) = story_of(&world, &desk(1)).await;
            if delivery.state.as_str() == "scheduled" {
                world.now = delivery.due_at;
            }
        }
        assert_eq!(kept_back, 4, "a week each");
        assert_eq!(states(&world).await, of([("accepted", 1)]));
    }
);

#[test]
fn a_window_that_is_none_is_refused_with_a_remedy() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("lapwing.toml");
    for (text, said) in [
        ("hours = \"8-18\"", "send.window.hours: \"8-18\""),
        ("days = \"weekdays\"", "send.window.days: \"weekdays\""),
        (
            "zones = [\"DE=Europe/Bonn\"]",
            "send.window.zones: \"DE=Europe/Bonn\"",
        ),
        ("hour = \"08:00-18:00\"", "did you mean hours?"),
    ] {
        std::fs::write(&file, format!("[send.window]\n{text}\n")).unwrap();
        let loaded = lapwing::config::load(Some(&file), std::iter::empty(), &[]);
        let error = loaded.unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
}
