//! The sending stage as a service: several workers on one database, and campaigns that need staff.

use std::sync::atomic::{AtomicU64, Ordering};

use lapwing::model::Progress;
use lapwing::send::{self, Courier};
use lapwing::service::{Event, Sender};

use crate::send::{copies, of, queue, states, tamper};
use crate::story;
use crate::world::World;

/// Serves by so many workers until `letters` are accepted, or somebody says something else than that
/// letters were sent; gives that back.
async fn serve(world: &World, workers: usize, letters: u64) -> Vec<Event> {
    let progress = Progress::default();
    let accepted = AtomicU64::new(0);
    let told = std::sync::Mutex::new(Vec::new());
    let tell = |event: Event| match event {
        Event::Started { .. } => {}
        Event::Sent { done, .. } => {
            let before = accepted.fetch_add(done.accepted, Ordering::Relaxed);
            if before + done.accepted >= letters {
                progress.stop();
            }
        }
        other => {
            told.lock().unwrap().push(other);
            progress.stop();
        }
    };
    let courier = Courier::new(&world.config);
    let clock = world.clock();
    let settings: Vec<send::Settings> = (0..workers)
        .map(|n| send::Settings::from_config(&world.config, &format!("worker-{n}")).unwrap())
        .collect();
    let senders = settings.iter().map(|settings| Sender {
        store: &world.store,
        courier: &courier,
        settings,
        clock: &clock,
        progress: &progress,
        tell: &tell,
    });
    let senders: Vec<Sender<'_>> = senders.collect();
    let runs = senders.iter().map(Sender::run);
    for ended in futures_util::future::join_all(runs).await {
        ended.unwrap();
    }
    told.into_inner().unwrap()
}

story!(workers_share_what_is_due_and_leave_no_trace, world, {
    world.config.send.batch = 2;
    queue(&world, 12).await;
    assert_eq!(serve(&world, 3, 12).await, []);
    assert_eq!(states(&world).await, of([("accepted", 12)]));
    assert!(copies(&world).values().all(|copies| *copies == 1));
    assert_eq!(world.store.beats().await.unwrap(), []);
});

story!(a_campaign_that_needs_staff_is_named_and_not_sent, world, {
    queue(&world, 3).await;
    tamper(&world, "UPDATE letter SET digest = 'another'").await;
    let told = serve(&world, 1, 3).await;
    let [Event::Refused { told, .. }] = told.as_slice() else {
        panic!("{told:?}");
    };
    assert!(told.contains("not those that were approved"), "{told}");
    assert!(copies(&world).is_empty());
});
