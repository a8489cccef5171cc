//! Stage 5 as operators see it: what mail servers answer, and what becomes of the letters.

mod ahead;
mod answers;
mod decisions;
mod exchangers;
mod holds;
mod identity;
mod journal;
mod lanes;
mod lease;
mod pace;
mod retry;
#[cfg(feature = "openpgp")]
mod sign;
pub(crate) mod tls;
mod trouble;
mod waits;
mod waves;
mod windows;

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use lapwing::approve;
use lapwing::model::{Attempt, Clock, DecisionKind, Delivery, OutcomeKind, Progress};
use lapwing::send::{self, Courier};
use lapwing::store::Store;
use sqlx::{AnyConnection, Connection};

use crate::world::World;

/// The desk of the nth network: `abuse@isp007.example`.
pub(crate) fn desk(n: usize) -> String {
    format!("abuse@isp{n:03}.example")
}

/// Letters to the desks 1 to `n`, approved and in the queue in this order.
pub(crate) async fn queue(world: &World, n: usize) {
    let mut table = String::from("range,country,abuse\n");
    let mut feed = String::from("ip,class,evidence\n");
    for n in 1..=n {
        let country = ["JP", "DE", "US", "KR"][n % 4];
        let (address, length) = match n {
            ..=254 => (format!("192.0.2.{n}"), 32),
            _ => (format!("2001:db8::{n:x}"), 128),
        };
        let _ = writeln!(table, "{address}/{length},{country},{}", desk(n));
        let _ = writeln!(feed, "{address},spam,HELO mail{n}");
    }
    world.queue(&table, &feed).await;
}

/// The delivery to a mailbox, and all its attempts.
pub(crate) async fn story_of(world: &World, mailbox: &str) -> (Delivery, Vec<Attempt>) {
    let letters = world.letters().await;
    let line = letters.iter().find(|line| line.recipient == mailbox);
    let id = line.expect("a letter to that mailbox").id;
    world.store.delivery_of(id).await.unwrap().unwrap()
}

/// What each attempt came to.
pub(crate) fn outcomes(attempts: &[Attempt]) -> Vec<Option<OutcomeKind>> {
    let kind = |attempt: &Attempt| attempt.outcome.as_ref().map(|outcome| outcome.kind);
    attempts.iter().map(kind).collect()
}

/// How many deliveries are in which state.
pub(crate) async fn states(world: &World) -> BTreeMap<String, usize> {
    let mut states = BTreeMap::new();
    for line in world.letters().await {
        *states.entry(line.state).or_default() += 1;
    }
    states
}

/// `[("accepted", 3)]`, to be compared with [`states`].
pub(crate) fn of<const N: usize>(states: [(&str, usize); N]) -> BTreeMap<String, usize> {
    let states = states.into_iter().filter(|(_, n)| *n > 0);
    states.map(|(name, n)| (name.to_owned(), n)).collect()
}

/// How often each mailbox got a letter.
pub(crate) fn copies(world: &World) -> BTreeMap<String, usize> {
    let mut copies = BTreeMap::new();
    for letter in world.sink.received() {
        for recipient in letter.recipients {
            *copies.entry(recipient.address).or_default() += 1;
        }
    }
    copies
}

/// Works the queue off as `worker`, over the store given.
async fn work(
    world: &World,
    store: &Store,
    worker: &str,
    progress: &Arc<Progress>,
) -> Result<send::Done, send::Error> {
    let campaign = world.campaign().await;
    let settings = send::Settings::from_config(&world.config, worker).unwrap();
    let courier = Courier::new(&world.config);
    let clock = Clock::starting_at(world.now);
    let work = send::Work {
        store,
        courier: &courier,
        settings: &settings,
        clock: &clock,
        progress,
    };
    let mut done = send::Done::default();
    send::drain(&work, &campaign, &mut done).await?;
    Ok(done)
}

async fn decide(world: &World, kind: DecisionKind) {
    let campaign = world.campaign().await;
    let decided = approve::decide(&world.store, &campaign, kind, "operator", "", "", world.now);
    decided.await.unwrap();
}

/// What nobody may do: a hand in the database.
pub(crate) async fn tamper(world: &World, sql: &'static str) {
    sqlx::any::install_default_drivers();
    let mut database = AnyConnection::connect(&world.url).await.unwrap();
    sqlx::query(sql).execute(&mut database).await.unwrap();
    database.close().await.unwrap();
}
