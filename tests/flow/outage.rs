//! What stops for a while around the program, or jumps: the relay, the database, the disk, the clock.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;

use lapwing::model::{Clock, OutcomeKind, Progress, Span};
use lapwing::send::{self, Courier};
use lapwing::sink::{Options, Received, Sink};
use lapwing::store::Store;

use crate::cluster::Server;
use crate::crash::{send as start, send_all, under_way, within};
use crate::send::{copies, desk, of, outcomes, queue, states, story_of};
use crate::story;
use crate::world::World;

/// All letters are accepted, and none came more often than attempts are on record that may have
/// brought it.
async fn nothing_lost(world: &World, letters: usize, received: &[Received]) {
    assert_eq!(states(world).await, of([("accepted", letters)]));
    for line in world.letters().await {
        let (_, attempts) = world.store.delivery_of(line.id).await.unwrap().unwrap();
        let outcomes = outcomes(&attempts);
        let may_have = |kind: &&Option<OutcomeKind>| {
            matches!(kind, Some(OutcomeKind::Accepted | OutcomeKind::Uncertain))
        };
        let came = received
            .iter()
            .filter(|letter| letter.recipients[0].address == line.recipient)
            .count();
        let named = outcomes.iter().filter(may_have).count();
        assert!(
            (1..=named).contains(&came),
            "{} came {came} times: {outcomes:?}",
            line.recipient
        );
    }
    assert_eq!(
        world.report().await.letters.campaign.state.as_str(),
        "settled"
    );
}

story!(a_relay_that_stops_for_a_minute_loses_no_letter, world, {
    const LETTERS: usize = 24;
    queue(&world, LETTERS).await;
    world.answers("DOT * delay 20ms");
    let stopping = async {
        world.sink.wait_for(6).await;
        world.sink.stop().await;
    };
    let (ran, ()) = tokio::join!(world.try_send(), stopping);
    assert!(matches!(ran, Err(send::Error::Relay(_))), "{ran:?}");
    let mut received = world.sink.received();
    assert!(received.len() < LETTERS);

    world.later("1m");
    let still = world.try_send().await;
    assert!(matches!(still, Err(send::Error::Relay(_))), "{still:?}");
    let sink = Sink::start(world.sink.address(), Options::default()).await;
    world.sink = sink.unwrap();
    world.later("1m");
    world.send().await;
    world.later("7m");
    if world.report().await.letters.campaign.state.as_str() == "approved" {
        world.send().await;
    }
    received.extend(world.sink.received());
    nothing_lost(&world, LETTERS, &received).await;
});

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_restarted_in_the_middle_of_a_run_loses_no_letter() {
    restarted("fast").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_crashes_in_the_middle_of_a_run_loses_no_letter() {
    restarted("immediate").await;
}

/// Its own server: the others' must not stop. The run goes on, or says that it is for later.
async fn restarted(mode: &str) {
    const LETTERS: usize = 200;
    let Some(server) = Server::start() else {
        return;
    };
    let mut world = World::on(server.url()).await;
    under_way(&mut world, LETTERS).await;
    let child = start(&world, &[]);
    within(world.sink.wait_for(60)).await;
    server.restart(mode);
    let output = tokio::task::spawn_blocking(|| child.wait_with_output());
    let output = within(output).await.unwrap().unwrap();
    let code = output.status.code();
    assert!(matches!(code, Some(0 | 6)), "{mode}: {output:?}");
    world.store = Store::open(&world.url).await.unwrap();
    if code == Some(6) {
        let last = send_all(&world, &[]).await;
        assert_eq!(last.status.code(), Some(0), "{last:?}");
    }
    nothing_lost(&world, LETTERS, &world.sink.received()).await;
}

/// The program where no file may grow beyond so many KiB.
fn confined(world: &World, kib: u32) -> Output {
    // Told so by an error, as by a full disk, instead of being ended by a signal.
    let confine = format!("trap '' XFSZ; ulimit -f {kib}; exec \"$@\"");
    Command::new("bash")
        .args(["-c", &confine, "confined", env!("CARGO_BIN_EXE_lapwing")])
        .args(["send", "trial"])
        .current_dir(world.dir())
        .env("LAPWING_DATABASE_URL", &world.url)
        .env("LAPWING_SEND__TRANSPORT", "smtp")
        .env(
            "LAPWING_SMTP__PORT",
            world.sink.address().port().to_string(),
        )
        .output()
        .unwrap()
}

/// On SQLite, whose files are ours.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "each run gives the disk a minute to become free: tests/run crash"]
async fn a_database_that_cannot_grow_loses_no_letter() {
    const LETTERS: usize = 200;
    let mut world = World::on_sqlite().await;
    under_way(&mut world, LETTERS).await;
    world.sink.rules().clear();
    // The last to close it leaves no log behind that has room.
    world.store.close().await;
    let mut stopped = 0;
    for kib in [300, 600] {
        let output = tokio::task::block_in_place(|| confined(&world, kib));
        let said = String::from_utf8_lossy(&output.stderr);
        let code = output.status.code().expect("no signal ended it");
        stopped += usize::from(code != 0);
        assert!(
            code == 0 || (code == 6 && said.contains("disk")),
            "{kib} KiB: {said}"
        );
    }
    assert!(stopped > 0, "there was room enough");
    let last = send_all(&world, &[]).await;
    assert_eq!(last.status.code(), Some(0), "{last:?}");
    world.store = Store::open(&world.url).await.unwrap();
    nothing_lost(&world, LETTERS, &world.sink.received()).await;
}

/// A disk of its own that holds so many KiB, for whoever may mount one.
struct Disk(PathBuf);

impl Disk {
    fn mount(place: &Path, kib: u64) -> Option<Self> {
        fs::create_dir(place).unwrap();
        let disk = Self(place.to_owned());
        disk.tell(&format!("size={kib}k")).then_some(disk)
    }

    fn grow(&self, kib: u64) {
        assert!(self.tell(&format!("remount,size={kib}k")));
    }

    fn tell(&self, options: &str) -> bool {
        let mut mount = Command::new("mount");
        mount
            .args(["-t", "tmpfs", "-o", options, "tmpfs"])
            .arg(&self.0);
        mount.output().is_ok_and(|ran| ran.status.success())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).output();
    }
}

/// The journal stands on the same disk.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a full disk is given a minute to become free: tests/run crash"]
async fn a_full_disk_loses_no_letter() {
    const LETTERS: usize = 200;
    let mut world = World::on_sqlite().await;
    under_way(&mut world, LETTERS).await;
    world.sink.rules().clear();
    world.store.close().await;
    let database = world.dir().join("lapwing.db");
    let size = fs::metadata(&database).unwrap().len() / 1024;
    let place = world.dir().join("small");
    let Some(disk) = Disk::mount(&place, size + 1_500) else {
        println!("skipped: only root may mount a small disk");
        return;
    };
    fs::copy(&database, place.join("lapwing.db")).unwrap();
    world.url = format!("sqlite:{}", place.join("lapwing.db").display());
    let send = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lapwing"));
        command
            .args(["send", "trial"])
            .current_dir(&place)
            .env("LAPWING_DATABASE_URL", &world.url)
            .env("LAPWING_SEND__TRANSPORT", "smtp")
            .env(
                "LAPWING_SMTP__PORT",
                world.sink.address().port().to_string(),
            );
        let output = tokio::task::block_in_place(|| command.output().unwrap());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), said)
    };
    for _ in 0..2 {
        // The second finds no room to begin with.
        let (code, said) = send();
        println!("{code:?}: {said}");
        assert!(matches!(code, Some(1 | 6)), "{code:?}: {said}");
        fs::write(place.join("fill"), vec![0; 1 << 20]).unwrap_or_default();
    }
    assert!(world.sink.received().len() < LETTERS);
    fs::remove_file(place.join("fill")).unwrap_or_default();
    disk.grow(size + 64_000);
    let (code, said) = send();
    assert_eq!(code, Some(0), "{said}");
    world.store = Store::open(&world.url).await.unwrap();
    nothing_lost(&world, LETTERS, &world.sink.received()).await;
    world.store.close().await;
}

story!(workers_that_race_share_the_letters, world, {
    const LETTERS: usize = 120;
    under_way(&mut world, LETTERS).await;
    let racing: Vec<_> = (0..3).map(|_| start(&world, &[])).collect();
    for child in racing {
        let output = tokio::task::spawn_blocking(|| child.wait_with_output());
        let output = within(output).await.unwrap().unwrap();
        // Who looks again when another has sent the last is told that there is nothing to send.
        let said = String::from_utf8_lossy(&output.stderr);
        let late = output.status.code() == Some(5) && said.contains("is settled");
        assert!(late || output.status.success(), "{output:?}");
    }
    nothing_lost(&world, LETTERS, &world.sink.received()).await;
    assert!(copies(&world).values().all(|n| *n == 1), "none twice");
    let mut workers = BTreeSet::new();
    for line in world.letters().await {
        let (_, attempts) = world.store.delivery_of(line.id).await.unwrap().unwrap();
        workers.extend(attempts.into_iter().map(|attempt| attempt.worker));
    }
    assert!(workers.len() > 1, "it was a race: {workers:?}");
});

story!(a_clock_that_jumps_loses_no_letter, world, {
    const LETTERS: usize = 40;
    queue(&world, LETTERS).await;
    for n in [3, 17, 30] {
        world.answers(&format!("RCPT {} 451 4.7.1 later x1", desk(n)));
    }
    world.answers(&format!("DOT {} accept-close x1", desk(9)));
    world.config.send.batch = 5;
    // A worker that vanished took its lease by a clock that was wrong.
    let until = world.now.plus(Span::seconds(600));
    let campaign = world.campaign().await;
    let taken = world.store.claim(campaign.id, "vanished", 1, until).await;
    assert_eq!(taken.unwrap().len(), 1);

    let settings = send::Settings::from_config(&world.config, "worker").unwrap();
    let courier = Courier::new(&world.config);
    for hours in [5, -9, 2, -3, 11, -8, 1, -1, 6, -2] {
        let shift = Span::seconds(3_600 * hours);
        world.now = world.now.plus(shift);
        let clock = Clock::starting_at(world.now);
        let progress = Arc::new(Progress::default());
        let work = send::Work {
            store: &world.store,
            courier: &courier,
            settings: &settings,
            clock: &clock,
            progress: &progress,
        };
        let done = send::run_once(&work, &campaign);
        done.await.unwrap();
    }
    world.later("2d");
    for _ in 0..4 {
        if world.report().await.letters.campaign.state.as_str() == "approved" {
            world.send().await;
            world.later("1h");
        }
    }
    nothing_lost(&world, LETTERS, &world.sink.received()).await;
    let twice: Vec<String> = copies(&world)
        .into_iter()
        .filter(|(_, n)| *n > 1)
        .map(|(to, _)| to)
        .collect();
    assert_eq!(twice, [desk(9)], "the one that was cut off, and is named");
    let (_, attempts) = story_of(&world, &desk(9)).await;
    assert_eq!(outcomes(&attempts)[0], Some(OutcomeKind::Uncertain));
});
