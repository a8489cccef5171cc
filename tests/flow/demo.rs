//! The README's first command: the whole job on made-up data, the same every time.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::world::Ran;

/// In a folder of its own, with a home and a place for temporary files to be watched, too.
fn demo(place: &Path, arguments: &[&str]) -> Ran {
    let folders = ["here", "home", "tmp"].map(|name| place.join(name));
    for folder in &folders {
        std::fs::create_dir_all(folder).unwrap();
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_lapwing"));
    command.env_clear();
    // Coverage and the like are told by the environment where to write; the demo must not be.
    let output = command
        .args(["demo", "--once"])
        .args(arguments)
        .current_dir(&folders[0])
        .env("HOME", &folders[1])
        .env("TMPDIR", &folders[2])
        .output();
    output.unwrap().into()
}

/// Every file under a folder with what is in it; of a database only that it is there.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            let inner = files(&path).into_iter();
            found.extend(inner.map(|(inner, bytes)| (format!("{name}/{inner}"), bytes)));
        } else if name.starts_with("lapwing.db") {
            found.insert("lapwing.db".to_owned(), Vec::new());
        } else {
            found.insert(name, std::fs::read(&path).unwrap());
        }
    }
    found
}

#[test]
fn it_goes_the_whole_way_and_shows_what_goes_wrong() {
    let place = tempfile::tempdir().unwrap();
    let ran = demo(place.path(), &["--dir", "D"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{}", ran.out);
    for line in [
        "30 networks",
        "260 rows: 240 suspects, 12 repeated, 8 refused",
        "225 suspects have a contact, 10 have none, 6 are withheld; 1 range was cut into 2 pieces",
        "25 letters",
        "approve  refused: author submitted \"demo\" and cannot approve it",
        "first round: 22 accepted, 2 deferred, 1 refused",
        "2 accepted",
        "24  accepted by the next mail server (that is not yet delivered)",
        "refused: 5.1.1 no such mailbox",
        "D/outbox",
    ] {
        assert!(ran.out.contains(line), "no \"{line}\" in\n{}", ran.out);
    }
    assert!(!ran.out.contains(['\x1b', '\r']), "{:?}", ran.out);

    let left = files(place.path());
    let outside: Vec<&String> = left
        .keys()
        .filter(|name| !name.starts_with("here/D/"))
        .collect();
    assert!(outside.is_empty(), "{outside:?}");
    let letters = left.keys().filter(|name| name.ends_with(".eml")).count();
    assert_eq!(letters, 24);
    assert!(
        !left.keys().any(|name| name.contains("kowhai-net")),
        "refused, so not caught"
    );
    assert_eq!(
        left.len(),
        25,
        "the letters and a database: {:?}",
        left.keys()
    );
}

#[test]
fn a_second_run_says_what_it_found_and_changes_nothing() {
    let place = tempfile::tempdir().unwrap();
    let first = demo(place.path(), &["--json"]);
    assert_eq!(first.code, 0, "{}", first.err);
    let report: Value = serde_json::from_str(&first.out).unwrap();
    assert_eq!(report["state"], "settled");
    let totals = &report["totals"];
    let numbers: Vec<&Value> = [
        "rows", "fresh", "repeated", "refused", "cut", "pieces", "letters",
    ]
    .iter()
    .map(|key| &totals[*key])
    .collect();
    assert_eq!(json!(numbers), json!([260, 240, 12, 8, 1, 2, 25]));
    assert_eq!(
        report["queue"]["states"],
        json!([{ "name": "accepted", "count": 24 }, { "name": "refused", "count": 1 }])
    );

    let before = files(place.path());
    let second = demo(place.path(), &["--json"]);
    assert_eq!((second.code, &second.out), (0, &first.out));
    let second = demo(place.path(), &[]);
    assert_eq!(second.code, 0);
    assert!(
        second.out.contains("lapwing-demo holds a demo already"),
        "{}",
        second.out
    );
    assert!(
        second.out.contains("Remove the folder to begin anew"),
        "{}",
        second.out
    );
    assert_eq!(files(place.path()), before);
}

#[test]
fn a_dry_run_makes_nothing() {
    let place = tempfile::tempdir().unwrap();
    let ran = demo(place.path(), &["--dry-run"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.out.contains("Nothing was written"), "{}", ran.out);
    assert_eq!(files(place.path()).len(), 0);
}
