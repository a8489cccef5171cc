//! Answers of registries, through the program itself: each way to write one, and real ones.
//!
//! `tests/fixtures/answers` has one answer for each rule, all of them made up, and beside each what is
//! to be read out of it; `BLESS=1 cargo test answers` writes that anew, to be read with care. Real
//! answers belong to the registries: a clone without them skips that test, and says so.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use lapwing::model::AddressRange;
use lapwing::resolve::{Form, try_answer};
use serde_json::Value;

fn told(form: &str, file: &str, query: Option<&str>, input: &[u8]) -> Value {
    let home = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_lapwing"));
    command.args(["lookup", "--parse", form, file, "--json"]);
    command.args(query.map(|query| ["--query", query]).iter().flatten());
    command.current_dir(home.path());
    let piped = || Stdio::piped();
    let child = command.stdin(piped()).stdout(piped()).stderr(piped());
    let mut child = child.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{file}: {said}");
    let left = fs::read_dir(home.path()).unwrap().count();
    assert_eq!(left, 0, "trying an answer left files behind");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn form_of(file: &Path) -> &'static str {
    let is_rdap = file.extension().is_some_and(|kind| kind == "json");
    if is_rdap { "rdap" } else { "whois" }
}

/// What was found, a line each; what was not has none.
fn lines(told: &Value) -> String {
    let line = |(key, value): (&String, &Value)| {
        let text = match value {
            Value::Null | Value::Bool(false) => String::new(),
            Value::Array(all) => {
                let all: Vec<&str> = all.iter().filter_map(Value::as_str).collect();
                all.join(", ")
            }
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        (!text.is_empty()).then(|| format!("{key}: {text}\n"))
    };
    told.as_object().unwrap().iter().filter_map(line).collect()
}

#[test]
fn answers_are_read_as_is_written_beside_them() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/answers");
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_none_or(|kind| kind != "expect"))
        .collect();
    files.sort();
    assert!(!files.is_empty());
    let mut wrong = String::new();
    for file in files {
        let beside = PathBuf::from(format!("{}.expect", file.display()));
        let expected = fs::read_to_string(&beside).unwrap();
        let query = expected
            .lines()
            .find_map(|line| line.strip_prefix("query: "));
        let told = told(form_of(&file), "-", query, &fs::read(&file).unwrap());
        let mut read = query.map_or(String::new(), |query| format!("query: {query}\n"));
        read.push_str(&lines(&told));
        if std::env::var_os("BLESS").is_some() {
            fs::write(&beside, read).unwrap();
        } else if read != expected {
            wrong.push_str(&format!("{}\n{read}\n", file.display()));
        }
    }
    assert!(
        wrong.is_empty(),
        "read otherwise than is written beside:\n{wrong}"
    );
}

/// Whatever a server sends costs it no more than its own answer.
#[test]
fn nothing_that_is_sent_breaks_the_parser() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/answers");
    let mut state = 11_u64;
    let mut random = |below: usize| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below.max(1)
    };
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let whole = fs::read(&path).unwrap();
        for round in 0..40 {
            let mut bytes = whole.clone();
            for _ in 0..=round {
                if bytes.is_empty() {
                    break;
                }
                let at = random(bytes.len());
                match random(4) {
                    0 => bytes.truncate(at.max(1)),
                    1 => drop(bytes.drain(at..(at + random(30)).min(bytes.len()))),
                    2 => bytes
                        .splice(at..at, whole[..random(60).min(whole.len())].to_vec())
                        .for_each(drop),
                    _ => bytes[at] = random(256) as u8,
                }
            }
            for form in [Form::Whois, Form::Rdap] {
                let tried = try_answer(form, &bytes, None);
                assert!(tried.emails.len() <= 50, "{}", path.display());
            }
        }
    }
    for unit in [
        "@",
        "a@b.example ",
        "http://",
        ":",
        "\0",
        "\r",
        "[",
        "% Abuse contact for '",
        "inetnum: 192.0.2.0/24\n\n",
    ] {
        let bytes = unit.repeat(200_000 / unit.len());
        for form in [Form::Whois, Form::Rdap] {
            let tried = try_answer(form, bytes.as_bytes(), None);
            assert!(tried.emails.len() <= 50, "{unit:?}");
        }
    }
}

/// The bars of the contact rules, on real answers with labels made by reading them.
#[test]
fn real_answers_are_read_right() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus/whois");
    let Ok(labels) = fs::read_to_string(corpus.join("expected.tsv")) else {
        println!("skipped: no real answers in {}", corpus.display());
        return;
    };
    let (mut asked, mut recalled, mut first_right) = (0_u32, 0_u32, 0_u32);
    let (mut ranges, mut countries) = ((0_u32, 0_u32), (0_u32, 0_u32));
    let mut wrong = Vec::new();
    for row in labels.lines().skip(1) {
        let columns: Vec<&str> = row.split('\t').collect();
        let [file, kind, _, _, emails, range, country, note] = columns[..] else {
            panic!("{row}");
        };
        let told = told(kind, corpus.join(file).to_str().unwrap(), None, b"");
        let read: Vec<&str> = told["emails"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(Value::as_str)
            .collect();
        if emails == "-" {
            assert_eq!(read, [""; 0], "{file}: nobody is to be written to: {note}");
        } else {
            let expected: Vec<&str> = emails.split(',').collect();
            asked += 1;
            recalled += u32::from(read.iter().any(|one| expected.contains(one)));
            first_right += u32::from(read.first() == expected.first());
            if read.first() != expected.first() {
                wrong.push(format!("{file}: {read:?} instead of {expected:?}"));
            }
        }
        // A referral is no network of the registry that gives it.
        if told["status"] == "found" {
            if let Ok(range) = range.parse::<AddressRange>() {
                ranges.0 += 1;
                ranges.1 += u32::from(told["network"] == range.to_string());
            }
            // EU is no country.
            if country != "-" && country != "EU" {
                countries.0 += 1;
                countries.1 += u32::from(told["country"] == country);
            }
        }
    }
    println!(
        "of {asked}: recalled {recalled}, first right {first_right}; ranges {ranges:?}, countries {countries:?}"
    );
    let share = |part: u32| f64::from(part) / f64::from(asked);
    assert!(
        share(recalled) >= 0.97 && share(first_right) >= 0.95,
        "{wrong:#?}"
    );
    assert_eq!(ranges.0, ranges.1, "ranges");
    assert_eq!(countries.0, countries.1, "countries");
}
