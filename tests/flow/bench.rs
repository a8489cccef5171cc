//! The bench that everybody can run.

use std::process::Command;

use serde_json::Value;

#[test]
fn it_tells_how_fast_this_machine_sends_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let ran = Command::new(env!("CARGO_BIN_EXE_lapwing"))
        .args([
            "bench",
            "send",
            "--letters",
            "12",
            "--rounds",
            "2",
            "--json",
        ])
        .env("TMPDIR", folder.path())
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(ran.status.success(), "{ran:?}");
    let told: Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!(told["letters"], 12);
    for speed in ["bare", "whole", "ratio", "size"] {
        assert!(told[speed].as_f64().unwrap() > 0.0, "{told}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
