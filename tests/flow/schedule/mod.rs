//! Schedules: a feed becomes letters at its time without anybody there, once, and says what it did.

mod asleep;
mod due;
mod feed;
mod hand;
mod leave;
mod policy;
mod serve;
mod sheet;

use std::path::PathBuf;
use std::sync::Arc;

use lapwing::model::{Clock, Plan, Policy, Progress, Schedule, Span, Timestamp};
use lapwing::scheduler::{self, Ran, Which, Work};
use lapwing::store;

use crate::world::World;

const TABLE: &str = "range,name,country,abuse
192.0.2.0/24,ALPHA,US,abuse@alpha.example
198.51.100.0/24,BETA,US,abuse@beta.example
203.0.113.0/24,GAMMA,US,abuse@gamma.example
";

const FEED: &str = "ip,seen
192.0.2.1,2026-11-15T00:00:00Z
192.0.2.2,2026-11-15T00:00:00Z
198.51.100.1,2026-11-15T00:00:00Z
";

/// Mondays at nine, from a folder in the world; every story begins on a Monday at eight.
async fn weekly(world: &mut World, policy: Policy) -> Schedule {
    world.config.intake.allow_documentation = true;
    world.table(TABLE).await;
    std::fs::create_dir_all(folder(world)).unwrap();
    let feed = folder(world).to_string_lossy().into_owned();
    schedule(world, "weekly", &feed, policy).await
}

async fn schedule(world: &World, name: &str, feed: &str, policy: Policy) -> Schedule {
    let new = Schedule {
        id: 0,
        name: name.to_owned(),
        plan: Plan::new("0 9 * * 1", "UTC").unwrap(),
        feed: feed.parse().unwrap(),
        letter: "notice".to_owned(),
        policy,
        max_lateness: Span(2 * 3_600_000),
        author: "author".to_owned(),
        created_at: world.now,
        changed_at: world.now,
        paused: None,
        seen_to: world.now,
        etag: String::new(),
        modified: String::new(),
    };
    world.store.add_schedule(&new).await.unwrap();
    world.store.schedule(name).await.unwrap()
}

fn folder(world: &World) -> PathBuf {
    world.dir().join("feeds")
}

/// Somebody puts a file there, as is documented: under another name first.
fn dropped(world: &World, name: &str, text: &str) {
    let part = folder(world).join(format!("{name}.part"));
    std::fs::write(&part, text).unwrap();
    std::fs::rename(part, folder(world).join(name)).unwrap();
}

/// The names of what lies in a folder below the feed's.
fn lying(world: &World, below: &str) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(folder(world).join(below)) else {
        return Vec::new();
    };
    let files = entries.map(Result::unwrap);
    let files = files.filter(|entry| entry.file_type().unwrap().is_file());
    let names = files.map(|entry| entry.file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

async fn try_run(world: &World, worker: &str, which: Which<'_>) -> Result<Vec<Ran>, store::Error> {
    let (clock, progress) = (world.clock(), Arc::new(Progress::default()));
    let work = work(world, worker, &clock, &progress);
    scheduler::run_once(&work, which, world.now).await
}

fn work<'w>(
    world: &'w World,
    worker: &'w str,
    clock: &'w Clock,
    progress: &'w Progress,
) -> Work<'w> {
    Work {
        store: &world.store,
        config: &world.config,
        worker,
        clock,
        progress,
    }
}

/// What is due, all schedules.
async fn run(world: &World) -> Vec<Ran> {
    try_run(world, "worker", Which::default()).await.unwrap()
}

/// The one run that is due.
#[track_caller]
fn one(mut ran: Vec<Ran>) -> Ran {
    assert_eq!(ran.len(), 1, "{ran:#?}");
    ran.remove(0)
}

/// The next Monday at so many minutes past nine.
fn monday(world: &mut World, minutes: i64) {
    const WEEK: i64 = 7 * 86_400_000;
    let nine = crate::world::START.0 + 3_600_000;
    let since = (world.now.0 - nine).div_euclid(WEEK) + 1;
    world.now = Timestamp(nine + since * WEEK + minutes * 60_000);
}

/// The same line some days later.
fn feed(lines: &[(&str, &str)]) -> String {
    let mut text = String::from("ip,seen\n");
    for (ip, day) in lines {
        text.push_str(&format!("{ip},{day}T00:00:00Z\n"));
    }
    text
}

async fn campaigns(world: &World) -> Vec<String> {
    let all = world.store.campaigns().await.unwrap();
    let named = all
        .iter()
        .map(|one| format!("{} {}", one.name, one.state.as_str()));
    named.collect()
}

/// Approves a run's campaign as a person, and sends it.
async fn approve_and_send(world: &World, name: &str) {
    let campaign = world.store.campaign(name).await.unwrap();
    lapwing::approve::approve(
        &world.store,
        &campaign,
        "reviewer",
        "",
        &world.review,
        world.now,
        &Progress::default(),
    )
    .await
    .unwrap();
    send(world).await;
}

/// Sends what the schedules' campaigns have due.
async fn send(world: &World) -> Vec<scheduler::Sent> {
    let settings = lapwing::send::Settings::from_config(&world.config, "worker").unwrap();
    let courier = lapwing::send::Courier::new(&world.config);
    let (clock, progress) = (world.clock(), Arc::new(Progress::default()));
    let work = lapwing::send::Work {
        store: &world.store,
        courier: &courier,
        settings: &settings,
        clock: &clock,
        progress: &progress,
    };
    scheduler::send_due(&work, None).await.unwrap()
}
