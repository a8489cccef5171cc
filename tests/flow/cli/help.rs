//! What `--help` says, command by command, word for word.

use std::path::PathBuf;

use super::program;

fn golden() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/help")
}

/// `lapwing <command> --help`, as wide as where nobody says how wide.
fn help(command: &[String]) -> String {
    let output = program()
        .args(command)
        .arg("--help")
        .env_remove("COLUMNS")
        .output()
        .unwrap();
    assert!(output.status.success(), "{command:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The commands that a help lists.
fn commands(help: &str) -> Vec<String> {
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    lines
        .take_while(|line| !line.is_empty())
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect()
}

/// Renewed by `BLESS=1 cargo test --test flow help`.
#[test]
fn every_command_says_what_it_does() {
    let bless = std::env::var_os("BLESS").is_some();
    if bless {
        let _ = std::fs::remove_dir_all(golden());
        std::fs::create_dir_all(golden()).unwrap();
    }
    let mut wrong = Vec::new();
    let mut seen = Vec::new();
    let mut waiting = vec![Vec::new()];
    while let Some(command) = waiting.pop() {
        let said = help(&command);
        for name in commands(&said) {
            let mut command = command.clone();
            command.push(name);
            waiting.push(command);
        }
        let name = match command.as_slice() {
            [] => "lapwing.txt".to_owned(),
            words => format!("{}.txt", words.join("-")),
        };
        let path = golden().join(&name);
        if bless {
            std::fs::write(&path, &said).unwrap();
        } else if std::fs::read_to_string(&path).unwrap_or_default() != said {
            wrong.push(format!("{name} is now:\n{said}"));
        }
        for line in said.lines() {
            assert!(line.chars().count() <= 100, "{name}: {line}");
        }
        seen.push(name);
    }
    assert!(seen.len() > 30, "{seen:?}");
    for entry in std::fs::read_dir(golden()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if !seen.contains(&name) {
            wrong.push(format!("{name}: there is no such command any more"));
        }
    }
    assert!(
        wrong.is_empty(),
        "read it, then BLESS=1:\n{}",
        wrong.join("\n")
    );
}
