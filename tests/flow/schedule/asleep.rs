//! A worker asleep in the middle of a run, or cut off from its database there: whoever takes the run up is left
//! alone by it, and the run's letters are those of one composition.

use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;

use lapwing::model::{Policy, Progress, RunState};
use lapwing::scheduler::{self, Ran, Which, Work};
use lapwing::store::{AuditFilter, Error, Store};
use sqlx::{AnyConnection, Connection as _};

use super::{approve_and_send, campaigns, dropped, feed, monday, one, run, try_run, weekly};
use crate::cluster::Server;
use crate::crash::within;
use crate::send::tamper;
use crate::story;
use crate::world::World;

/// Where a run is when its worker falls asleep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Moment {
    /// A campaign is begun, and the feed is being read into it.
    Reading,
    Resolving,
    /// Nothing of the campaign is written yet.
    BeforeComposing,
    /// To whom it goes is written, and no letter yet.
    Composing,
    BeforeApproving,
}

const MOMENTS: [Moment; 5] = [
    Moment::Reading,
    Moment::Resolving,
    Moment::BeforeComposing,
    Moment::Composing,
    Moment::BeforeApproving,
];

/// Whether the run that is under way has come so far, in this worker's hands.
async fn is_at(store: &Store, worker: &str, moment: Moment) -> bool {
    let schedule = store.schedule("weekly").await.unwrap();
    let Some(run) = store.runs(schedule.id, i64::MAX, 1).await.unwrap().pop() else {
        return false;
    };
    if run.ended_at.is_some() || run.worker != worker {
        return false;
    }
    let step = run.step.as_str();
    match moment {
        Moment::Reading => step == "intake" && run.campaign.is_some(),
        Moment::Resolving => step == "resolve",
        Moment::BeforeComposing => step == "compose",
        Moment::Composing => {
            step == "compose" && store.totals(run.campaign.unwrap()).await.unwrap().notices > 0
        }
        Moment::BeforeApproving => step == "approve",
    }
}

type Running<'a> = Pin<&'a mut dyn Future<Output = Result<Vec<Ran>, Error>>>;

/// Whether nobody is in the middle of writing: who sleeps there keeps all others waiting, and that is another story.
async fn is_free(url: &str) -> bool {
    let ask = match url.starts_with("sqlite:") {
        true => "PRAGMA busy_timeout = 0; BEGIN IMMEDIATE; ROLLBACK",
        false => "BEGIN; SELECT id FROM schedule_run FOR UPDATE NOWAIT; ROLLBACK",
    };
    let mut connection = AnyConnection::connect(url).await.unwrap();
    let answer = sqlx::raw_sql(ask).execute(&mut connection).await;
    connection.close().await.unwrap();
    answer.is_ok()
}

/// Lets it work until then; nothing of it goes on until somebody waits for it again.
async fn falls_asleep(world: &World, worker: &str, mut running: Running<'_>, moment: Moment) {
    let working = async {
        while !(is_at(&world.store, worker, moment).await && is_free(&world.url).await) {
            take_breath().await;
            if let Poll::Ready(ended) = futures_util::poll!(running.as_mut()) {
                panic!("it ended before {moment:?}: {ended:?}");
            }
        }
    };
    within(working).await;
}

/// Leaves the runtime's patience for hardly more than one answer of the database: on a busy machine each is there at
/// once, and a whole run would be one step.
async fn take_breath() {
    const PATIENCE: usize = 128;
    const LEFT: usize = 2;
    tokio::task::yield_now().await;
    for _ in LEFT..PATIENCE {
        tokio::task::coop::consume_budget().await;
    }
}

/// A worker of its own process, so to say: with connections and settings of its own, by the clock of now.
macro_rules! worker {
    ($running:ident, $world:expr, $name:expr) => {
        let (store, config) = (
            Store::open(&$world.url).await.unwrap(),
            $world.config.clone(),
        );
        let (clock, progress) = ($world.clock(), Progress::default());
        let work = Work {
            store: &store,
            config: &config,
            worker: $name,
            clock: &clock,
            progress: &progress,
        };
        let now = $world.now;
        let running = scheduler::run_once(&work, Which::default(), now);
        let mut $running = std::pin::pin!(running);
    };
}

/// The next Monday's feed, and the name of the campaign that it becomes.
fn next_week(world: &mut World, week: usize) -> String {
    let day = format!("2026-11-{:02}", 14 + week / 2);
    let ips = ["192.0.2.1", "192.0.2.2", "198.51.100.1"].map(|ip| (ip, day.as_str()));
    let mut text = feed(&ips);
    text.push_str(&format!("203.0.113.{},{day}T00:00:00Z\n", week + 1));
    dropped(world, &format!("week-{week}.csv"), &text);
    monday(world, 0);
    let moment = world.now.to_string();
    format!("weekly-{}Z", moment.strip_suffix(":00Z").unwrap())
}

/// One letter for each of the three, as they were written by whoever ended the run; they are approved and go out.
async fn goes_out_once(world: &World, name: &str, ran: &Ran) {
    assert_eq!(ran.run.state, RunState::Waiting, "{}", ran.run.told);
    assert_eq!(ran.campaign.as_deref(), Some(name));
    assert_eq!((ran.run.sheet.letters, ran.run.sheet.fresh), (3, 4));
    let all = campaigns(world).await;
    assert!(all.contains(&format!("{name} submitted")), "{all:?}");
    let voided = AuditFilter {
        action: Some("campaign void".to_owned()),
        ..AuditFilter::default()
    };
    let voided = world.store.audit(&voided, 0, 10).await.unwrap();
    assert!(voided.is_empty(), "{voided:?}");
    let before = world.sink.received().len();
    approve_and_send(world, name).await;
    let received = world.sink.received();
    let mut to: Vec<&str> = received[before..]
        .iter()
        .map(|letter| letter.recipients[0].address.as_str())
        .collect();
    to.sort_unstable();
    let desks = [
        "abuse@alpha.example",
        "abuse@beta.example",
        "abuse@gamma.example",
    ];
    assert_eq!(to, desks);
}

story!(
    who_slept_in_the_middle_of_a_run_leaves_it_to_its_successor,
    world,
    {
        weekly(&mut world, Policy::default()).await;
        for (week, moment) in MOMENTS.into_iter().enumerate() {
            let name = next_week(&mut world, week);
            worker!(sleeper, world, "asleep");
            falls_asleep(&world, "asleep", sleeper.as_mut(), moment).await;
            world.later("30s");
            assert!(run(&world).await.is_empty(), "{moment:?}: its lease holds");
            world.later("31s");
            let ran = one(run(&world).await);
            assert_eq!(ran.run.taken_over, 1, "{moment:?}");
            let woken = within(sleeper).await.unwrap();
            assert!(woken.is_empty(), "{moment:?}: {woken:?}");
            goes_out_once(&world, &name, &ran).await;
        }
    }
);

story!(
    who_wakes_while_its_successor_composes_does_not_disturb_it,
    world,
    {
        weekly(&mut world, Policy::default()).await;
        for (week, moment) in MOMENTS.into_iter().enumerate() {
            let name = next_week(&mut world, week);
            worker!(sleeper, world, "asleep");
            falls_asleep(&world, "asleep", sleeper.as_mut(), moment).await;
            world.later("61s");
            worker!(successor, world, "successor");
            let meanwhile = match moment {
                // What the sleeper wrote still stands there.
                Moment::Composing => Moment::BeforeComposing,
                Moment::BeforeApproving => moment,
                _ => Moment::Composing,
            };
            falls_asleep(&world, "successor", successor.as_mut(), meanwhile).await;
            let woken = within(sleeper).await.unwrap();
            assert!(woken.is_empty(), "{moment:?}: {woken:?}");
            let ran = one(within(successor).await.unwrap());
            assert_eq!(ran.run.taken_over, 1, "{moment:?}");
            goes_out_once(&world, &name, &ran).await;
        }
    }
);

// PostgreSQL ends the session of who sleeps in the middle of a transaction; another session is all that it takes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_slept_in_a_transaction_goes_on_with_the_run() {
    let Some(mut world) = World::on_postgres().await else {
        return;
    };
    weekly(&mut world, Policy::default()).await;
    let name = next_week(&mut world, 0);
    tamper(
        &world,
        "CREATE FUNCTION thrown_out() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             RAISE EXCEPTION 'terminating connection due to idle-in-transaction timeout' USING ERRCODE = '25P03';
         END $$",
    )
    .await;
    let throws = "CREATE TRIGGER thrown_out BEFORE INSERT ON letter EXECUTE FUNCTION thrown_out()";
    tamper(&world, throws).await;
    let error = try_run(&world, "worker", Which::default()).await;
    assert!(error.as_ref().is_err_and(Error::is_passing), "{error:?}");
    tamper(&world, "DROP TRIGGER thrown_out ON letter").await;
    // It was given back, and nobody waits for the lease to run out.
    world.later("5s");
    let ran = one(run(&world).await);
    goes_out_once(&world, &name, &ran).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_restarted_in_the_middle_of_a_run_fails_none() {
    restarted("fast").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_crashes_in_the_middle_of_a_run_fails_none() {
    restarted("immediate").await;
}

/// The run goes on, or is left for later: never does it end as one that failed, nor is it gone on with twice.
async fn restarted(mode: &'static str) {
    let Some(server) = Server::start().map(Arc::new) else {
        return;
    };
    let mut world = World::on(server.url()).await;
    weekly(&mut world, Policy::default()).await;
    for (week, moment) in MOMENTS.into_iter().enumerate() {
        let name = next_week(&mut world, week);
        worker!(worker, world, "worker");
        falls_asleep(&world, "worker", worker.as_mut(), moment).await;
        let restarting = Arc::clone(&server);
        let restarting = tokio::task::spawn_blocking(move || restarting.restart(mode));
        let (worked, restarted) = within(async { tokio::join!(worker, restarting) }).await;
        restarted.unwrap();
        let ran = match worked {
            Ok(ran) => ran,
            Err(error) => {
                assert!(error.is_passing(), "{mode}, {moment:?}: {error}");
                world.later("61s");
                try_run(&world, "another", Which::default()).await.unwrap()
            }
        };
        goes_out_once(&world, &name, &one(ran)).await;
    }
}
