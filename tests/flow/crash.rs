//! The program itself, killed and stopped in the middle of its work: no letter is missing at the
//! end, and none came twice but those that are named.

use std::collections::BTreeMap;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use lapwing::model::{OutcomeKind, Timestamp};
use lapwing::sink::Counts;

use crate::send::{copies, desk, of, outcomes, queue, states, story_of};
use crate::story;
use crate::world::World;

/// Letters under way at once: as many may be cut off by one kill.
const LANES: usize = 4;

/// The program lives at the true time, and so does its world.
#[expect(
    clippy::disallowed_methods,
    reason = "what a program of its own does is told by its own clock"
)]
fn true_time() -> Timestamp {
    jiff::Timestamp::now().into()
}

/// Letters in the queue of a relay that takes a moment for each.
pub(crate) async fn under_way(world: &mut World, letters: usize) {
    world.now = true_time();
    queue(world, letters).await;
    world.answers("DOT * delay 10ms");
}

/// `lapwing send trial --wait`.
pub(crate) fn send(world: &World, settings: &[(&str, &str)]) -> Child {
    start(world, &["send", "trial", "--wait"], settings)
}

/// Starts the program, with leases that end within the patience of a test.
pub(crate) fn start(world: &World, arguments: &[&str], settings: &[(&str, &str)]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_lapwing"))
        .args(arguments)
        .current_dir(world.dir())
        .env("LAPWING_DATABASE_URL", &world.url)
        .env("LAPWING_SEND__TRANSPORT", "smtp")
        .env("LAPWING_SEND__CONNECTIONS", LANES.to_string())
        .env("LAPWING_SEND__BATCH", "20")
        .env("LAPWING_SEND__LEASE", "4s")
        .env(
            "LAPWING_SMTP__PORT",
            world.sink.address().port().to_string(),
        )
        .env("LAPWING_SMTP__COMMAND_TIMEOUT", "1s")
        .env("LAPWING_SMTP__DOT_TIMEOUT", "2s")
        .env("LAPWING_HTTP__LISTEN", "")
        .envs(settings.iter().copied())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Runs to the end; what was deferred or left by the dead included.
pub(crate) async fn send_all(world: &World, settings: &[(&str, &str)]) -> Output {
    let child = send(world, settings);
    let output = tokio::task::spawn_blocking(|| child.wait_with_output());
    within(output).await.unwrap().unwrap()
}

/// A guard only, so that a story that fails does so.
pub(crate) async fn within<T>(work: impl Future<Output = T>) -> T {
    let guard = tokio::time::timeout(Duration::from_secs(90), work);
    guard.await.expect("an end within 90 seconds")
}

async fn kill_when(world: &World, settings: &[(&str, &str)], wished: impl FnMut(&Counts) -> bool) {
    let mut child = send(world, settings);
    within(world.sink.wait_until(wished)).await;
    child.kill().unwrap();
    child.wait().unwrap();
}

/// How often the program is killed in the middle of how much.
struct Toll {
    letters: usize,
    kills: usize,
    /// Processes at once.
    workers: usize,
    seed: u64,
}

story!(killed_again_and_again_it_loses_no_letter, world, {
    kill_at_random(
        world,
        &Toll {
            letters: 150,
            kills: 4,
            workers: 1,
            seed: 1,
        },
    )
    .await;
});

/// The long form, which takes minutes: `tests/run crash`. `CRASH_SEED` tells other moments.
mod killed_a_hundred_times_it_loses_no_letter {
    use super::*;

    fn toll(workers: usize) -> Toll {
        let seed = std::env::var("CRASH_SEED").ok();
        Toll {
            letters: 3_000,
            kills: 100,
            workers,
            seed: seed.map_or(1, |seed| seed.parse().unwrap()),
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    #[ignore = "takes minutes: tests/run crash"]
    async fn sqlite() {
        kill_at_random(World::on_sqlite().await, &toll(1)).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    #[ignore = "takes minutes: tests/run crash"]
    async fn postgres() {
        if let Some(world) = World::on_postgres().await {
            kill_at_random(world, &toll(2)).await;
        }
    }
}

/// Kills one of the workers at a moment of chance, again and again, and looks at what became of
/// each letter.
async fn kill_at_random(mut world: World, toll: &Toll) {
    println!("{} kills, seed {}", toll.kills, toll.seed);
    under_way(&mut world, toll.letters).await;
    let mut chance = Chance(toll.seed);
    let mut workers: Vec<Child> = (0..toll.workers).map(|_| send(&world, &[])).collect();
    // So that the last kill still finds letters: on average nine tenths are out by then.
    let pace = toll.letters as u64 * 9 / 5 / toll.kills as u64;
    for kill in 0..toll.kills {
        let more = chance.below(pace);
        let wanted = (world.sink.counts().letters + more).min(toll.letters as u64);
        within(world.sink.wait_until(|counts| counts.letters >= wanted)).await;
        // Not only when a letter has just been taken: as long again as a letter takes.
        tokio::time::sleep(Duration::from_micros(chance.below(12_000))).await;
        let victim = chance.below(toll.workers as u64) as usize;
        workers[victim].kill().unwrap();
        workers[victim].wait().unwrap();
        if kill + 1 < toll.kills {
            workers[victim] = send(&world, &[]);
        }
    }
    for mut worker in workers {
        worker.kill().unwrap();
        worker.wait().unwrap();
    }
    let last = send_all(&world, &[]).await;
    assert!(matches!(last.status.code(), Some(0 | 3)), "{last:?}");
    // Each worker still at work when the last was killed is one more.
    account_for(&world, toll.letters, toll.kills + toll.workers - 1).await;
}

/// Workers that a letter may be in the hands of when they die; then it is set aside, and staff are told.
const LAPSES: usize = 3;

/// No letter is missing, and each copy but one belongs to an attempt that is marked, of which no kill
/// leaves more than there were connections. Set aside is only what was begun by each of its workers.
pub(crate) async fn account_for(world: &World, letters: usize, kills: usize) {
    assert_eq!(
        world.report().await.letters.campaign.state.as_str(),
        "settled"
    );
    let copies = copies(world);
    let mut marked: BTreeMap<String, usize> = BTreeMap::new();
    let mut set_aside = Vec::new();
    for line in world.letters().await {
        let (_, attempts) = world.store.delivery_of(line.id).await.unwrap().unwrap();
        let outcomes = outcomes(&attempts);
        let came = copies.get(&line.recipient).copied().unwrap_or(0);
        assert!(came <= outcomes.len(), "{}: {outcomes:?}", line.recipient);
        let uncertain = Some(OutcomeKind::Uncertain);
        let before = match outcomes.split_last() {
            Some((last, before)) if line.state == "accepted" => {
                assert_eq!(*last, Some(OutcomeKind::Accepted));
                assert!(came > 0, "{} is missing", line.recipient);
                before
            }
            _ => {
                set_aside.push((line.recipient, outcomes.len()));
                &outcomes
            }
        };
        assert!(before.iter().all(|one| *one == uncertain), "{outcomes:?}");
        for attempt in &attempts[..before.len()] {
            *marked.entry(attempt.worker.clone()).or_default() += 1;
        }
    }
    let named: usize = marked.values().sum();
    let doubles = copies.values().filter(|n| **n > 1).count();
    println!(
        "{letters} letters, {kills} kills: 0 missing, {} set aside, {doubles} came twice, {named} attempts marked uncertain",
        set_aside.len()
    );
    assert!(marked.values().all(|n| *n <= LANES), "{marked:?}");
    assert!(marked.len() <= kills, "{marked:?}");
    assert_eq!(
        world.report().await.letters.queue.uncertain_attempts,
        named as i64
    );

    let mut first = BTreeMap::new();
    for letter in world.sink.received() {
        let to = letter.recipients[0].address.clone();
        let same = first.entry(to).or_insert_with(|| letter.clone());
        assert_eq!(same.header("Message-ID"), letter.header("Message-ID"));
        assert_eq!((&same.data, &same.from), (&letter.data, &letter.from));
    }
    assert_eq!(
        states(world).await,
        of([
            ("accepted", letters - set_aside.len()),
            ("failed", set_aside.len())
        ])
    );
    for (recipient, begun) in set_aside {
        assert_eq!(
            begun, LAPSES,
            "attempts at {recipient}, which was set aside"
        );
    }
}

/// SplitMix64: the same moments again by the same seed.
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % end.max(1)
    }
}

story!(killed_with_hold_it_sends_no_letter_twice, world, {
    const LETTERS: usize = 60;
    const HOLD: &[(&str, &str)] = &[("LAPWING_SEND__ON_UNCERTAIN", "hold")];
    under_way(&mut world, LETTERS).await;
    for letters in [10, 30] {
        kill_when(&world, HOLD, |counts| counts.letters >= letters).await;
    }
    send_all(&world, HOLD).await;
    let states = states(&world).await;
    let held = states.get("uncertain").copied().unwrap_or(0);
    assert_eq!(
        states,
        of([("accepted", LETTERS - held), ("uncertain", held)])
    );
    assert!(held <= 2 * LANES, "{held}");

    let copies = copies(&world);
    assert!(copies.values().all(|n| *n == 1), "{copies:?}");
    for n in 1..=LETTERS {
        let (delivery, _) = story_of(&world, &desk(n)).await;
        let is_held = delivery.state.as_str() == "uncertain";
        assert!(
            is_held || copies.contains_key(&desk(n)),
            "{} is lost",
            desk(n)
        );
    }
    assert_eq!(
        world.report().await.letters.campaign.state.as_str(),
        "settled"
    );
});

story!(asked_to_end_it_ends_after_what_is_in_hand, world, {
    const LETTERS: usize = 60;
    under_way(&mut world, LETTERS).await;
    world.sink.rules().clear();
    world.answers("DOT * delay 40ms");
    let mut taken = 0;
    for (signal, code) in [("-TERM", 143), ("-INT", 130)] {
        let child = send(&world, &[]);
        within(world.sink.wait_for(taken as u64 + 6)).await;
        let pid = child.id().to_string();
        assert!(
            Command::new("kill")
                .args([signal, &pid])
                .status()
                .unwrap()
                .success()
        );
        let before = world.sink.received().len();
        let output = tokio::task::spawn_blocking(|| child.wait_with_output());
        let output = within(output).await.unwrap().unwrap();
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("ending after what is in hand"), "{said}");

        taken = world.sink.received().len();
        // One letter a connection may begin while the signal is on its way.
        assert!(
            (before..=before + 2 * LANES).contains(&taken),
            "{before} {taken}"
        );
        assert_eq!(
            states(&world).await,
            of([("accepted", taken), ("ready", LETTERS - taken)])
        );
        assert_eq!(world.report().await.letters.queue.leased_until, None);
        let out = String::from_utf8(output.stdout).unwrap();
        assert!(
            out.contains("accepted") && out.contains("Next: lapwing send trial"),
            "{out}"
        );
    }
    let last = send_all(&world, &[]).await;
    assert_eq!(last.status.code(), Some(0), "{last:?}");
    assert_eq!(copies(&world).len(), LETTERS);
    assert_eq!(world.sink.received().len(), LETTERS, "none twice");
    assert_eq!(world.report().await.letters.queue.uncertain_attempts, 0);
});
