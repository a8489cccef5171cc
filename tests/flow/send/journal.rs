//! Results that the database does not take.

use lapwing::send;

use super::{copies, desk, of, outcomes, queue, states, story_of, tamper};
use crate::story;
use crate::world::World;

/// From now on the database takes no result, as where its disk is full; and then it does again.
async fn refuse_results(world: &World) {
    tamper(
        world,
        match world.url.starts_with("sqlite:") {
            true => {
                "CREATE TRIGGER no_room BEFORE UPDATE ON attempt WHEN NEW.outcome IS NOT NULL
                 BEGIN SELECT RAISE(ABORT, 'the disk is full'); END"
            }
            false => "ALTER TABLE attempt ADD CONSTRAINT no_room CHECK (outcome IS NULL)",
        },
    )
    .await;
}

async fn take_results(world: &World) {
    tamper(
        world,
        match world.url.starts_with("sqlite:") {
            true => "DROP TRIGGER no_room",
            false => "ALTER TABLE attempt DROP CONSTRAINT no_room",
        },
    )
    .await;
}

story!(
    what_the_database_does_not_take_is_written_down_by_the_next_run,
    world,
    {
        world.config.send.connections = 2;
        queue(&world, 5).await;
        refuse_results(&world).await;
        let Err(send::Error::Store(error)) = world.try_send().await else {
            panic!("the results were refused");
        };
        let told = error.to_string();
        let place = world.config.send.journal.display().to_string();
        assert!(
            told.contains("what came of 2 letters") && told.contains(&place),
            "{told}"
        );
        assert_eq!(copies(&world).len(), 2, "nobody takes another letter");

        take_results(&world).await;
        let replayed = send::replay(&world.store, &world.config.send.journal).await;
        assert_eq!(replayed.unwrap(), 2);
        assert!(!world.config.send.journal.exists());
        assert_eq!(world.send().await.accepted, 3);
        assert_eq!(states(&world).await, of([("accepted", 5)]));
        assert!(copies(&world).values().all(|copies| *copies == 1));
        for n in 1..=5 {
            let (_, attempts) = story_of(&world, &desk(n)).await;
            assert_eq!(outcomes(&attempts).len(), 1, "{n}");
        }
    }
);
