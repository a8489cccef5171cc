//! Ten thousand suspects in three hundred nested networks over nine registries, asked about by the
//! program itself: gently, once, killed and started again, two at a time, and right in the end.

use std::collections::BTreeMap;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use lapwing::intake;
use lapwing::model::{Address, NewCampaign, Progress, Timestamp};
use lapwing::sheet;

use super::globe::{APNIC, Dice, Globe, HOUSES, RIPE, Truth, Way};
use crate::story;
use crate::world::{Ran, World};

const SEED: u64 = 2005;
const SUSPECTS: u64 = 10_000;
/// Of the stories that do not need so many.
const FEWER: u64 = 1_500;
const PATIENT: &str = "10s";

/// The program lives at the true time, and so does its world.
#[expect(
    clippy::disallowed_methods,
    reason = "what a program of its own does is told by its own clock"
)]
fn true_time() -> Timestamp {
    jiff::Timestamp::now().into()
}

type Suspects = Vec<(Address, String)>;

/// A world whose registries have been asked nothing, and suspects all over them.
async fn begin(world: &mut World, count: u64) -> (Globe, Suspects, Truth) {
    world.now = true_time();
    let globe = Globe::new(SEED).await;
    assert!((280..=320).contains(&globe.networks()));
    globe.configure(world.dir(), PATIENT, 0);
    let suspects = globe.suspects(count, &mut Dice::new(SEED + 1));
    let truth = globe.truth(&suspects);
    feed_into(world, "trial", &suspects).await;
    (globe, suspects, truth)
}

async fn feed_into(world: &World, campaign: &str, suspects: &Suspects) {
    let campaign = world
        .store
        .add_campaign(&NewCampaign::new(campaign, "notice"), "author", world.now)
        .await
        .unwrap();
    let lines: String = suspects.iter().map(|(_, line)| line.as_str()).collect();
    let feed = format!("ip,seen,class\n{lines}").into_bytes();
    let feed = sheet::unwrap(std::io::Cursor::new(feed)).unwrap();
    let rows = intake::read(feed, "feed.csv", &world.reading()).unwrap();
    let (progress, now) = (Progress::default(), world.now);
    let done = intake::run_once(
        &world.store,
        &campaign,
        "feed.csv",
        rows,
        "author",
        now,
        &progress,
    )
    .await
    .unwrap();
    assert_eq!(done.counts.fresh, suspects.len() as i64);
}

fn start(world: &World, campaign: &str) -> Child {
    command(world, campaign).spawn().unwrap()
}

/// One that is at it for some seconds.
fn start_slowly(world: &World) -> Child {
    command(world, "trial")
        .env("LAPWING_RESOLVE__REGISTRY__LACNIC__EVERY", "120ms")
        .spawn()
        .unwrap()
}

fn command(world: &World, campaign: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lapwing"));
    command
        .args(["resolve", campaign])
        .current_dir(world.dir())
        .env("LAPWING_DATABASE_URL", &world.url)
        .env("USER", "author")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

async fn end(child: Child) -> Ran {
    let output = tokio::task::spawn_blocking(|| child.wait_with_output());
    let guard = tokio::time::timeout(Duration::from_secs(60), output);
    guard
        .await
        .expect("an end within a minute")
        .unwrap()
        .unwrap()
        .into()
}

async fn resolve(world: &World) {
    let ran = end(start(world, "trial")).await;
    assert_eq!(ran.code, 0, "{ran:?}");
}

/// `ADDRESS PLACE` for each suspect, as the campaign has it in the end.
fn expected(suspects: &Suspects, truth: &Truth) -> Vec<String> {
    let mut addresses: Vec<Address> = suspects.iter().map(|(address, _)| *address).collect();
    addresses.sort();
    let line = |address: &Address| format!("{address} {}", truth.place[address]);
    addresses.iter().map(line).collect()
}

async fn check(world: &World, campaign: &str, suspects: &Suspects, truth: &Truth) {
    let id = world.store.campaign(campaign).await.unwrap().id;
    assert_eq!(world.places_in(id).await, expected(suspects, truth));
    let mut findings = BTreeMap::new();
    for mailbox in world.store.mailboxes(id, "", 10_000).await.unwrap() {
        let found = world.store.findings_of(id, &mailbox).await.unwrap();
        findings.insert(mailbox.to_string(), found.len());
    }
    assert_eq!(findings, truth.findings);
}

/// Each network was asked about once in each way that was needed, and otherwise not at all.
fn check_questions(globe: &Globe, truth: &Truth) {
    let counted = globe.counted(false);
    let asked: Vec<_> = counted.keys().copied().collect();
    assert_eq!(asked, Vec::from_iter(truth.questions.iter().copied()));
    let twice: Vec<_> = counted.iter().filter(|(_, n)| **n > 1).collect();
    assert!(twice.is_empty(), "{twice:?}");
}

story!(each_network_is_asked_about_once, world, {
    let (globe, mut suspects, truth) = begin(&mut world, SUSPECTS).await;
    resolve(&world).await;
    check(&world, "trial", &suspects, &truth).await;
    check_questions(&globe, &truth);
    globe.check_limits();

    // All is known now.
    globe.forget();
    world
        .behind_our_back("UPDATE campaign SET resolved_at = NULL")
        .await;
    resolve(&world).await;
    check(&world, "trial", &suspects, &truth).await;
    assert_eq!(globe.questions(), 0);

    // Another house, which knows nothing, is told the same in another order.
    Dice::new(SEED + 2).shuffle(&mut suspects);
    let mut other = World::on_sqlite().await;
    other.now = world.now;
    globe.configure(other.dir(), PATIENT, 0);
    feed_into(&other, "trial", &suspects).await;
    resolve(&other).await;
    check(&other, "trial", &suspects, &truth).await;
    check_questions(&globe, &truth);
});

story!(a_limit_is_later_and_never_nobody, world, {
    const RIPES_DAY: usize = 12;
    let (globe, suspects, truth) = begin(&mut world, SUSPECTS).await;
    globe.configure(world.dir(), "100ms", RIPES_DAY);
    globe.limit(APNIC, 15, 5);
    resolve(&world).await;
    globe.check_limits();
    assert_eq!(globe.asked(RIPE), RIPES_DAY);
    let refused: usize = globe.counted(true).values().sum();
    assert!((1..=HOUSES[APNIC].1).contains(&refused), "{refused}");
    let twice = globe.counted(false);
    let twice: Vec<_> = twice.iter().filter(|(_, n)| **n > 1).collect();
    assert!(twice.is_empty(), "{twice:?}");
    let mut deferred = 0;
    for (place, right) in world.places().await.iter().zip(expected(&suspects, &truth)) {
        if place.ends_with(" deferred") {
            deferred += 1;
        } else {
            assert_eq!(*place, right);
        }
    }
    assert!((500..5_000).contains(&deferred), "{deferred}");
    let ran = world.lapwing(&["status", "trial"]);
    assert!(
        ran.out.contains("a registry is to be asked later, from 20"),
        "{ran:?}"
    );

    globe.lift(APNIC);
    globe.configure(world.dir(), PATIENT, 0);
    let before = globe.counted(false);
    resolve(&world).await;
    check(&world, "trial", &suspects, &truth).await;
    globe.check_limits();
    // Only who sent on to one that was closed is asked a second time.
    for (question, count) in globe.counted(false) {
        let (house, way, net) = question;
        let is_open = |other: &(usize, Way, usize)| {
            other.1 == way && other.2 == net && other.0 != house && !before.contains_key(other)
        };
        let is_sent_on = truth.questions.iter().any(is_open);
        assert!(count <= 1 + usize::from(is_sent_on), "{question:?} {count}");
    }
});

story!(killed_again_and_again_it_asks_little_twice, world, {
    let (globe, suspects, truth) = begin(&mut world, FEWER).await;
    let all = truth.questions.len();
    let kills = 4;
    for part in 1..=kills {
        let mut child = start(&world, "trial");
        globe.wait_for(all * part / (kills + 1)).await;
        child.kill().unwrap();
        child.wait().unwrap();
    }
    resolve(&world).await;
    check(&world, "trial", &suspects, &truth).await;
    globe.check_limits();
    let in_flight: usize = HOUSES.iter().map(|(_, at_once, _)| at_once).sum();
    assert!(
        globe.questions() <= all + kills * in_flight,
        "{all} {}",
        globe.questions()
    );
    let counted = globe.counted(false);
    assert!(counted.values().all(|count| *count <= 1 + kills));
    for house in 0..HOUSES.len() {
        let own = |of: &&(usize, Way, usize)| of.0 == house;
        let needed = truth.questions.iter().filter(own).count();
        let most = needed + kills * in_flight;
        assert!((needed..=most).contains(&globe.asked(house)));
    }
});

story!(two_campaigns_at_once_ask_once, world, {
    let (globe, suspects, truth) = begin(&mut world, FEWER).await;
    feed_into(&world, "other", &suspects).await;
    let (one, other) = (start(&world, "trial"), start(&world, "other"));
    for ran in [end(one).await, end(other).await] {
        assert_eq!(ran.code, 0, "{ran:?}");
    }
    for campaign in ["trial", "other"] {
        check(&world, campaign, &suspects, &truth).await;
    }
    check_questions(&globe, &truth);
    globe.check_limits();
});

story!(the_second_at_one_campaign_is_told_who_is_at_it, world, {
    let (globe, suspects, truth) = begin(&mut world, FEWER).await;
    let first = start_slowly(&world);
    globe.wait_for(10).await;
    let process = first.id();
    let second = end(start(&world, "trial")).await;
    assert_eq!(second.code, 5, "{second:?}");
    for words in [
        "\"trial\" is being resolved by author since ",
        &format!("(process {process} on "),
        "lapwing status trial",
    ] {
        assert!(second.err.contains(words), "{words}: {second:?}");
    }
    let first = end(first).await;
    assert_eq!(first.code, 0, "{first:?}");
    check(&world, "trial", &suspects, &truth).await;
    check_questions(&globe, &truth);
    // And nobody is in the way of the next.
    resolve(&world).await;
});

story!(one_whose_lease_ran_out_places_nothing_more, world, {
    let (globe, suspects, truth) = begin(&mut world, FEWER).await;
    let first = start_slowly(&world);
    globe.wait_for(10).await;
    // As after a minute in which nothing was heard of it.
    world
        .behind_our_back("UPDATE resolving SET lease_until = 0")
        .await;
    resolve(&world).await;
    let first = end(first).await;
    assert_eq!(first.code, 5, "{first:?}");
    assert!(first.err.contains("has taken over"), "{first:?}");
    check(&world, "trial", &suspects, &truth).await;
    check_questions(&globe, &truth);
});

story!(a_contact_is_asked_for_again_when_its_time_is_over, world, {
    let (globe, suspects, truth) = begin(&mut world, FEWER).await;
    let settings = lapwing::config::load(
        Some(&world.dir().join("lapwing.toml")),
        std::iter::empty(),
        &[],
    );
    world.config.resolve = settings.unwrap().config.resolve;
    world.config.resolve.none_for = world.config.resolve.explicit_for;
    world.resolve().await;
    check(&world, "trial", &suspects, &truth).await;
    assert_eq!(globe.move_desks(), HOUSES.len());
    globe.forget();

    world.later("13d");
    feed_into(&world, "early", &suspects).await;
    world.resolve_campaign("early").await;
    check(&world, "early", &suspects, &truth).await;
    assert_eq!(globe.questions(), 0, "what is known is not asked");

    world.later("2d");
    feed_into(&world, "late", &suspects).await;
    world.resolve_campaign("late").await;
    let moved = globe.truth(&suspects);
    assert_ne!(moved.place, truth.place);
    check(&world, "late", &suspects, &moved).await;
    check_questions(&globe, &moved);
});
