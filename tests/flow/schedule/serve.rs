//! The scheduler as a service: it runs what falls due, tells it, and ends when it is asked to.

use std::sync::Mutex;

use lapwing::model::{Policy, Progress, RunState};
use lapwing::service::{Event, Scheduler};

use super::{FEED, campaigns, dropped, monday, weekly, work};
use crate::crash::within;
use crate::story;

story!(a_service_runs_what_falls_due, world, {
    world.config.schedule.mail_to = vec!["desk@agency.example".to_owned()];
    weekly(&mut world, Policy::default()).await;
    dropped(&world, "zombies.csv", FEED);
    monday(&mut world, 0);
    let (clock, progress) = (world.clock(), Progress::default());
    let told = Mutex::new(Vec::new());
    let tell = |event: Event| {
        // The last of what it has to do.
        if matches!(event, Event::Sheet { .. }) {
            progress.stop();
        }
        told.lock().unwrap().push(event);
    };
    // Two of them, as on two machines.
    let schedulers = ["one", "two"].map(|worker| Scheduler {
        work: work(&world, worker, &clock, &progress),
        tell: &tell,
    });
    let [one, two] = &schedulers;
    within(async { tokio::join!(one.run(), two.run()) }).await;
    let told = told.into_inner().unwrap();
    let ran = told.iter().filter_map(|event| match event {
        Event::Ran { state, told, .. } => Some((*state, told.as_str())),
        _ => None,
    });
    let ran: Vec<_> = ran.collect();
    assert_eq!(ran.len(), 1, "{told:?}");
    assert_eq!(ran[0].0, RunState::Waiting);
    assert!(ran[0].1.starts_with("weekly: 2 letters wait"), "{ran:?}");
    assert_eq!(campaigns(&world).await.len(), 1);
    assert_eq!(world.sink.received().len(), 1, "one of them mails it");
});
