//! The sending stage as a service: several workers on one database, and campaigns that need staff.

use std::fmt::Write;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use lapwing::model::Progress;
use lapwing::send::{self, Courier};
use lapwing::service::{Event, Sender};
use serde_json::Value;
use tokio::sync::mpsc;

use crate::crash::{account_for, start, under_way, within};
use crate::send::{copies, of, queue, states, tamper};
use crate::story;
use crate::world::World;

/// Serves by so many workers until `letters` are accepted, or somebody says something else than that
/// letters were sent; gives that back.
async fn serve(world: &World, workers: usize, letters: u64) -> Vec<Event> {
    let progress = Arc::new(Progress::default());
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
    let works = settings.iter().map(|settings| send::Work {
        store: &world.store,
        courier: &courier,
        settings,
        clock: &clock,
        progress: &progress,
    });
    let senders = works.map(|work| Sender { work, tell: &tell });
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

story!(a_small_campaign_does_not_wait_for_a_large_one, world, {
    const LARGE: usize = 200;
    const SMALL: usize = 10;
    const BATCH: usize = 10;
    world.config.send.batch = BATCH;
    queue(&world, LARGE).await;
    tamper(&world, "UPDATE campaign SET name = 'large'").await;
    let (mut table, mut feed) = (String::from("range,country,abuse\n"), String::new());
    for n in 1..=SMALL {
        let _ = writeln!(table, "198.51.100.{n}/32,DE,abuse@urgent{n}.example");
        let _ = writeln!(feed, "198.51.100.{n}");
    }
    world.table(&table).await;
    world.feed(&feed).await;
    world.resolve().await;
    world.compose().await;
    world.answers("DOT * delay 10ms");

    let approve = async {
        within(world.sink.wait_for(2 * BATCH as u64)).await;
        world.approve().await;
        world.sink.received().len()
    };
    let all = (LARGE + SMALL) as u64;
    let (told, before) = tokio::join!(within(serve(&world, 1, all)), approve);
    assert_eq!(told, []);
    let received = world.sink.received();
    assert_eq!(
        (received.len(), copies(&world).len()),
        (LARGE + SMALL, LARGE + SMALL)
    );
    let is_urgent = |to: &str| to.contains("@urgent");
    let last = received
        .iter()
        .rposition(|letter| is_urgent(&letter.recipients[0].address));
    // The batch in hand, one more of the large one, and its own.
    let soon = before + 3 * BATCH;
    assert!(last.unwrap() < soon && soon < LARGE, "{before} {last:?}");
    for name in ["large", "trial"] {
        let campaign = world.store.campaign(name).await.unwrap();
        assert_eq!(campaign.state.as_str(), "settled", "{name}");
    }
    let most = world.config.send.connections as u64;
    let connections = world.sink.counts().connections;
    assert!(
        connections <= most,
        "{connections}: they stay open between turns"
    );
});

/// A service in a process of its own, and what it says.
pub(crate) struct Service {
    pub(crate) child: Child,
    said: mpsc::UnboundedReceiver<Value>,
    worker: String,
    /// All that it has said up to now.
    pub(crate) heard: Vec<Value>,
}

impl Service {
    /// Takes half of 60 letters in hand; noticed when it has been dead for five seconds, and its lease ends
    /// after all patience.
    async fn start(world: &World) -> Self {
        let settings = [
            ("LAPWING_SEND__BATCH", "60"),
            ("LAPWING_SEND__LEASE", "20s"),
        ];
        let mut service = Self::run(world, &["--only", "send", "--json"], &settings);
        let started = service.says("started").await;
        service.worker = started["worker"].as_str().unwrap().to_owned();
        service
    }

    /// `lapwing serve …`, which speaks JSON.
    pub(crate) fn run(world: &World, arguments: &[&str], settings: &[(&str, &str)]) -> Self {
        let arguments = [&["serve"], arguments].concat();
        let mut child = start(world, &arguments, settings);
        let out = BufReader::new(child.stdout.take().unwrap());
        let (say, said) = mpsc::unbounded_channel();
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                let _test_is_over = say.send(serde_json::from_str(&line).unwrap());
            }
        });
        Self {
            child,
            said,
            worker: String::new(),
            heard: Vec::new(),
        }
    }

    /// Waits until it says so, and passes over what else it says.
    pub(crate) async fn says(&mut self, event: &str) -> Value {
        loop {
            let said = within(self.said.recv()).await.expect("a service that runs");
            self.heard.push(said.clone());
            if said["event"] == event {
                return said;
            }
        }
    }
}

impl Service {
    pub(crate) fn signal(&self, name: &str) {
        let process = self.child.id().to_string();
        let told = Command::new("kill").args([name, &process]).status();
        assert!(told.unwrap().success());
    }

    /// Its exit code, once it has ended by itself.
    pub(crate) fn code(&mut self) -> Option<i32> {
        let ended = tokio::task::block_in_place(|| self.child.wait());
        ended.unwrap().code()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _is_gone = self.child.kill();
        let _is_gone = self.child.wait();
    }
}

story!(a_service_that_is_killed_is_missed, world, {
    const LETTERS: usize = 120;
    under_way(&mut world, LETTERS).await;
    world.sink.rules().clear();
    world.answers("DOT * delay 1s");
    let mut first = Service::start(&world).await;
    within(world.sink.wait_for(1)).await;
    // SQLite is for one process after the other.
    let beside = match world.url.starts_with("sqlite:") {
        true => None,
        false => Some(Service::start(&world).await),
    };
    within(world.sink.wait_for(6)).await;
    let campaign = world.campaign().await;
    let holders = world.store.holders(campaign.id).await.unwrap();
    assert!(holders.contains(&first.worker), "{holders:?}");
    first.child.kill().unwrap();
    first.child.wait().unwrap();
    world.sink.rules().clear();

    let mut second = match beside {
        Some(second) => second,
        None => Service::start(&world).await,
    };
    let vanished = second.says("vanished").await;
    assert_eq!(vanished["worker"], first.worker.as_str());
    let letters = vanished["letters"].as_u64().unwrap();
    assert!((1..60).contains(&letters), "{vanished}");
    while world.report().await.letters.campaign.state.as_str() != "settled" {
        second.says("sent").await;
    }
    account_for(&world, LETTERS, 1).await;

    // Asked to end, it takes its leave: nobody will miss it.
    second.signal("-TERM");
    assert_eq!(second.code(), Some(0));
    assert_eq!(world.store.beats().await.unwrap(), []);
});

// Whoever gathers the lines of many services reads no other.
story!(the_error_that_ends_a_service_is_a_line_of_its_log, world, {
    let unsigned = "[sign]\nkey = \"missing.asc\"\nrequired = true\n";
    std::fs::write(world.dir().join("lapwing.toml"), unsigned).unwrap();
    let ended = world.lapwing(&["serve", "--only", "send"]);
    assert_eq!(ended.code, 2, "{ended:?}");
    assert_eq!(ended.err, "");
    let last = ended.out.lines().last().unwrap();
    let line: Value = serde_json::from_str(last).unwrap();
    assert_eq!(line["level"], "ERROR");
    assert_eq!(line["code"], 2);
    assert!(
        line["message"].as_str().unwrap().contains("missing.asc"),
        "{line}"
    );
});
