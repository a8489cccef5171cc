//! What the README tells people to type works, and what it shows is what they get.

use std::path::Path;

use crate::story;
use crate::world::World;

const README: &str = include_str!("../../README.md");

/// The lines of all shell blocks.
fn commands() -> Vec<&'static str> {
    let blocks = README.split("```sh\n").skip(1);
    blocks
        .filter_map(|block| block.split("```").next())
        .flat_map(str::lines)
        .filter(|line| !line.is_empty())
        .collect()
}

story!(the_way_by_hand_works_as_written, world, {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let by_hand: Vec<&str> = commands()
        .into_iter()
        .filter_map(|line| line.strip_prefix("lapwing "))
        .collect();
    assert!(by_hand.len() > 10, "{by_hand:?}");
    for line in by_hand {
        let demo = format!("{}/templates/demo/", root.display());
        let line = line.replace("templates/demo/", &demo);
        let arguments: Vec<&str> = line.split(' ').collect();
        let ran = world.lapwing(&arguments);
        let expected = if line.starts_with("import") { 3 } else { 0 };
        assert_eq!(
            ran.code, expected,
            "lapwing {line}\n{}\n{}",
            ran.out, ran.err
        );
    }
    let report = world.lapwing(&["report", "trial"]).out;
    for line in [
        "260  read",
        "240  suspects",
        "225  with a contact",
        "25  accepted by the next mail server",
    ] {
        assert!(report.contains(line), "{line}\n{report}");
    }
    assert_eq!(
        std::fs::read_dir(world.dir().join("outbox"))
            .unwrap()
            .count(),
        25
    );
    assert_eq!(
        std::fs::read_dir(world.dir().join("preview"))
            .unwrap()
            .count(),
        25
    );
});

#[tokio::test]
async fn the_demo_shows_what_the_readme_shows() {
    let world = World::on_sqlite().await;
    let command = commands()
        .into_iter()
        .find(|line| line.ends_with("-- demo"));
    assert_eq!(command, Some("cargo run --release -- demo"));
    let ran = world.lapwing(&["demo", "--once"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let shown = README
        .split("```\nintake")
        .nth(1)
        .and_then(|rest| rest.split("```").next())
        .unwrap();
    for line in format!("intake{shown}").lines() {
        let line = line.trim_end_matches('…').trim_end_matches(", ");
        // The digest is another one each time: the letters carry their date.
        let line = line.split_inclusive("over the set ").next().unwrap_or(line);
        assert!(ran.out.contains(line), "{line}\n{}", ran.out);
    }
}

#[test]
fn every_command_of_the_readme_exists_and_the_files_it_names_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for path in [
        "src/model",
        "src/store",
        "src/sheet",
        "src/sink",
        "tests/run",
        "tests/architecture.rs",
        ".deny.toml",
    ] {
        assert!(README.contains(path), "{path}");
        assert!(root.join(path).exists(), "{path}");
    }
}
