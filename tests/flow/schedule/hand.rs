//! Schedules by the program itself: at once, by cron, killed in the middle.

use serde_json::Value;

use super::{FEED, TABLE};
use crate::crash::within;
use crate::story;
use crate::world::{Ran, World};

const ADD: [&str; 8] = [
    "schedule",
    "add",
    "weekly",
    "--cron",
    "0 9 * * 1",
    "--zone",
    "UTC",
    "--feed",
];

fn office(world: &World) {
    std::fs::create_dir(world.dir().join("feeds")).unwrap();
    std::fs::write(world.dir().join("networks.csv"), TABLE).unwrap();
    std::fs::write(
        world.dir().join("lapwing.toml"),
        "[intake]\nallow_documentation = true\n",
    )
    .unwrap();
    assert_eq!(world.lapwing(&["table", "load", "networks.csv"]).code, 0);
}

fn add(world: &World) -> Ran {
    let mut line = ADD.to_vec();
    line.extend(["feeds", "--letter", "notice"]);
    world.lapwing(&line)
}

fn json(ran: &Ran) -> Value {
    serde_json::from_str(ran.out.trim()).unwrap_or_else(|error| panic!("{error}: {ran:?}"))
}

story!(a_run_that_refused_rows_says_so_with_its_exit_code, world, {
    office(&world);
    assert_eq!(add(&world).code, 0);
    let feed = format!("{FEED}not-an-address,2026-11-20T08:00:00Z\n");
    std::fs::write(world.dir().join("feeds/zombies.csv"), feed).unwrap();
    let ran = world.lapwing(&["run", "--schedule", "weekly", "--now"]);
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.out.contains("1 refused"), "{}", ran.out);
    // The rest was taken all the same.
    assert!(ran.out.contains("2 letters wait"), "{}", ran.out);
});

story!(a_schedule_by_hand, world, {
    office(&world);
    let added = add(&world);
    assert_eq!(added.code, 0, "{added:?}");
    assert_eq!(added.out.matches("T09:00:00Z").count(), 5, "{}", added.out);
    assert_eq!(add(&world).code, 5);
    std::fs::write(world.dir().join("feeds/zombies.csv"), FEED).unwrap();

    let idle = world.lapwing(&["run", "--fail-empty"]);
    assert_eq!(idle.code, 8, "{idle:?}");
    assert!(idle.out.contains("Nothing was due"), "{}", idle.out);
    assert_eq!(world.lapwing(&["run"]).code, 0);
    let ran = world.lapwing(&["run", "--schedule", "weekly", "--now", "--json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let told = json(&ran);
    assert_eq!(told["runs"][0]["state"], "waiting");
    let campaign = told["runs"][0]["campaign"].as_str().unwrap();
    let approved = world.lapwing(&["campaign", "approve", campaign, "--as", "reviewer"]);
    assert_eq!(approved.code, 0, "{approved:?}");
    // By outside cron, what was approved leaves with the next run.
    let sent = world.lapwing(&["run", "--schedule", "weekly"]);
    assert!(sent.out.contains("2 accepted"), "{sent:?}");

    let refused = world.lapwing(&["schedule", "approve", "weekly", "--as", "author"]);
    assert_eq!(refused.code, 5, "{refused:?}");
    let given = world.lapwing(&["schedule", "approve", "weekly", "--as", "reviewer"]);
    assert!(given.out.contains("standing, by reviewer"), "{given:?}");
    let ended = world.lapwing(&["schedule", "approve", "weekly", "--end", "--as", "reviewer"]);
    assert_eq!(ended.code, 0, "{ended:?}");
    for line in [
        ["schedule", "pause", "weekly"],
        ["schedule", "resume", "weekly"],
        ["schedule", "show", "weekly"],
        ["schedule", "history", "weekly"],
        ["schedule", "remove", "weekly"],
    ] {
        let ran = world.lapwing(&line);
        assert_eq!(ran.code, 0, "{line:?}: {ran:?}");
    }
    assert_eq!(world.lapwing(&["schedule", "show", "weekly"]).code, 4);
    assert_eq!(add(&world).code, 0, "the name is free again");
});

story!(a_run_that_fails_says_so_by_its_exit_code, world, {
    office(&world);
    add(&world);
    std::fs::remove_dir_all(world.dir().join("feeds")).unwrap();
    let ran = world.lapwing(&["run", "--schedule", "weekly", "--now"]);
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.err.contains("weekly FAILED"), "{}", ran.err);
    for (line, code) in [
        (vec!["run", "--schedule", "nobody"], 4),
        (vec!["run", "--now"], 2),
        (
            vec![
                "schedule",
                "add",
                "x",
                "--cron",
                "0 9 30 2 *",
                "--feed",
                ".",
            ],
            2,
        ),
        (
            vec![
                "schedule",
                "add",
                "x",
                "--cron",
                "61 * * * *",
                "--feed",
                ".",
            ],
            2,
        ),
        (
            vec![
                "schedule",
                "add",
                "x",
                "--cron",
                "0 9 * * 1",
                "--feed",
                "networks.csv",
            ],
            2,
        ),
    ] {
        let ran = world.lapwing(&line);
        assert_eq!(ran.code, code, "{line:?}: {ran:?}");
    }
});

story!(a_run_that_is_killed_is_gone_on_with_at_once, world, {
    const ROWS: usize = 30_000;
    office(&world);
    add(&world);
    let mut feed = String::from("ip,seen,source\n");
    for n in 0..ROWS {
        let (a, b) = (n % 256, n / 256);
        feed.push_str(&format!("192.0.2.{a},2024-11-01T00:00:00Z,trap {b}\n"));
    }
    std::fs::write(world.dir().join("feeds/zombies.csv"), feed).unwrap();
    let line = ["run", "--schedule", "weekly", "--now"];
    let mut child = crate::crash::start(
        &world,
        &line,
        &[
            ("LAPWING_RESOLVE__SOURCES", "overrides,table"),
            ("LAPWING_RESOLVE__LADDER", "parent"),
            ("USER", "author"),
        ],
    );
    within(async { while world.store.campaigns().await.unwrap().is_empty() {} }).await;
    child.kill().unwrap();
    child.wait().unwrap();
    let ran = world.lapwing(&["run", "--json"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let told = json(&ran);
    assert_eq!(told["runs"][0]["taken_over"], 1, "{told}");
    assert_eq!(told["runs"][0]["sheet"]["with_contact"], ROWS);
    assert_eq!(world.store.campaigns().await.unwrap().len(), 1);
    assert_eq!(
        std::fs::read_dir(world.dir().join("feeds/done"))
            .unwrap()
            .count(),
        1
    );
});
