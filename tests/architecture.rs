//! The law of the house: which room may use which, where each dependency lives, how a file looks.

use std::fs;
use std::path::{Path, PathBuf};

/// A room uses only rooms from lines above its own, never its neighbours.
const LEVELS: [&[&str]; 8] = [
    &["model"],
    &[
        "config", "metrics", "reach", "retry", "sheet", "smtp", "tls",
    ],
    &["store", "templates", "openpgp"],
    &[
        "intake",
        "resolve",
        "compose",
        "approve",
        "send",
        "track",
        "follow_up",
        "report",
        "sink",
    ],
    &["doctor", "scheduler", "web"],
    &["service"],
    &["cli"],
    &["main"],
];

/// One home per dependency, as the crate's name stands in code. What is not named may live anywhere.
const HOMES: [(&str, &[&str]); 32] = [
    ("aho_corasick", &["track"]),
    ("anyhow", &["cli", "service", "main"]),
    ("async_imap", &["track"]),
    ("axum", &["web"]),
    ("backoff", &["retry"]),
    ("base64", &["compose", "send"]),
    ("chardetng", &["resolve", "track"]),
    ("clap", &["cli"]),
    ("croner", &["model"]),
    ("csv", &["sheet", "intake", "compose", "report"]),
    ("encoding_rs", &["sheet", "resolve"]),
    ("flate2", &["sheet"]),
    ("getrandom", &["store"]),
    ("handlebars", &["templates"]),
    ("hickory_resolver", &["resolve"]),
    ("hmac", &["compose", "model"]),
    ("indicatif", &["cli"]),
    ("ipnetwork", &["model"]),
    ("lettre", &["send"]),
    ("mail_auth", &["doctor"]),
    ("mail_parser", &["track"]),
    ("pgp", &["openpgp"]),
    ("prometheus_client", &["metrics", "web"]),
    ("rand", &["openpgp"]),
    ("reqwest", &["intake", "reach", "resolve", "web"]),
    ("rust_embed", &["templates"]),
    ("rustix", &["doctor"]),
    ("rustls", &["reach", "send"]),
    ("sqlx", &["store"]),
    ("tokio_rustls", &["send", "sink", "tls", "track"]),
    ("tracing_subscriber", &["cli", "service", "main"]),
    ("whois_rust", &["resolve"]),
];

/// Names under which anything may gather, and so everything does.
const SHAPELESS: [&str; 10] = [
    "util", "utils", "common", "core", "helper", "helpers", "types", "error", "errors", "manager",
];

/// Folders of one machine, which no other has.
const SOMEBODYS: [&str; 4] = ["/home/", "/root/", "/tmp/", "/Users/"];

/// What tests may use wherever they stand: something must speak SMTP to a sink, and read letters.
const IN_TESTS: [&str; 2] = ["lettre", "mail_parser"];

const CLOCKS: [&str; 3] = ["SystemTime", "Timestamp", "Zoned"];

const LONGEST: usize = 400;

#[test]
fn the_house_keeps_its_law() {
    let files = files_under("src");
    assert!(!files.is_empty(), "no source found: is this the crate?");
    let breaches: Vec<String> = files
        .iter()
        .flat_map(|path| breaches(path, &fs::read_to_string(root().join(path)).unwrap()))
        .collect();
    assert!(
        breaches.is_empty(),
        "{} breaches of the law of the house:\n{}\n",
        breaches.len(),
        breaches.join("\n")
    );
}

#[test]
fn nothing_that_is_shipped_is_empty() {
    for folder in ["templates", "migrations"] {
        let files = files_under(folder);
        let is_needed = folder == "templates" || root().join("src/store").exists();
        assert!(!is_needed || !files.is_empty(), "{folder}/ has no files");
        for file in files {
            let bytes = fs::read(root().join(&file)).unwrap();
            assert!(!bytes.trim_ascii().is_empty(), "{file} is empty");
        }
    }
}

/// Every breach in one file, each with file, line and remedy.
fn breaches(path: &str, text: &str) -> Vec<String> {
    let code = without_comments_and_strings(text);
    let tokens = tokens(&code);
    let mut found = Vec::from_iter(header(path, text));
    found.extend(names(path));
    found.extend(length(path, text));
    found.extend(machine(path, text));
    found.extend(limit(path, text));
    if path != "src/lib.rs" {
        found.extend(edges(path, &tokens));
        found.extend(homes(path, &tokens, tests_begin(path, text)));
        found.extend(clock(path, &tokens));
    }
    found
}

fn edges(path: &str, tokens: &[Token<'_>]) -> Vec<String> {
    let room = room_of(path);
    let Some(level) = level_of(room) else {
        return vec![format!(
            "{path}: the room `{room}` is not in the table: give it a line in LEVELS of tests/architecture.rs"
        )];
    };
    let mut found = Vec::new();
    for (line, used) in rooms_used(path, tokens) {
        let place = format!("{path}:{line}: {room} uses {used}");
        match level_of(used) {
            _ if used == room => {}
            None => found.push(format!(
                "{place}, which is not in the table: give it a line in LEVELS of tests/architecture.rs"
            )),
            Some(other) if other < level => {}
            Some(other) if other == level => found.push(format!(
                "{place}, its neighbour: they meet in the store; what both need is a noun and goes to model"
            )),
            Some(_) => found.push(format!(
                "{place}, which lies above it: let the caller hand in what it needs, or move that down"
            )),
        }
    }
    found
}

/// Which rooms a file names through `crate::`, `lapwing::`, or `super::` up to the root, and where.
fn rooms_used<'a>(path: &str, tokens: &[Token<'a>]) -> Vec<(usize, &'a str)> {
    let depth = path
        .trim_start_matches("src/")
        .trim_end_matches("/mod.rs")
        .split('/')
        .count();
    let mut found = Vec::new();
    let mut supers = 0;
    for (at, token) in tokens.iter().enumerate() {
        let is_path = tokens.get(at + 1).is_some_and(|next| next.text == "::");
        supers = match token.text {
            "super" => supers + 1,
            "::" => supers,
            _ => 0,
        };
        let from_root = match token.text {
            "crate" => true,
            "lapwing" => path == "src/main.rs",
            "super" => supers >= depth,
            _ => false,
        };
        if from_root && is_path {
            let heads = heads(&tokens[at + 2..]).into_iter();
            // An inner `mod tests` says `super::` once more than its file is deep, and means its file.
            found.extend(heads.filter(|(_, name)| supers == 0 || level_of(name).is_some()));
        }
    }
    found
}

/// The first names of a path's rest: one, or each of a `{group}`.
fn heads<'a>(rest: &[Token<'a>]) -> Vec<(usize, &'a str)> {
    let Some(first) = rest.first() else {
        return Vec::new();
    };
    if first.text != "{" {
        return vec![(first.line, first.text)];
    }
    let mut depth = 0_usize;
    let mut found = Vec::new();
    for (at, token) in rest.iter().enumerate() {
        match token.text {
            "{" => depth += 1,
            "}" => depth -= 1,
            name if depth == 1 && ["{", ","].contains(&rest[at - 1].text) => {
                found.push((token.line, name));
            }
            _ => {}
        }
        if depth == 0 {
            break;
        }
    }
    found
}

fn homes(path: &str, tokens: &[Token<'_>], tests: usize) -> Vec<String> {
    let room = room_of(path);
    let is_name = |text: &str| text.starts_with(|c: char| c.is_alphabetic() || c == '_');
    let before = |at: usize, n: usize| at.checked_sub(n).map_or("", |at| tokens[at].text);
    let mut found = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let Some((name, homes)) = HOMES.iter().find(|(name, _)| *name == token.text) else {
            continue;
        };
        let is_ours = before(at, 1) == "::" && is_name(before(at, 2)) && before(at, 2) != "use";
        let is_path = tokens.get(at + 1).is_some_and(|next| next.text == "::");
        let is_import = ["use", "crate"].contains(&before(at, 1));
        let may = homes.contains(&room) || token.line > tests && IN_TESTS.contains(name);
        if !is_ours && (is_path || is_import) && !may {
            found.push(format!(
                "{path}:{}: {room} uses {name}, whose home is {}: ask there for what you need",
                token.line,
                homes.join(", ")
            ));
        }
    }
    found
}

fn clock(path: &str, tokens: &[Token<'_>]) -> Vec<String> {
    if room_of(path) == "cli" {
        return Vec::new();
    }
    tokens
        .windows(3)
        .filter(|w| CLOCKS.contains(&w[0].text) && w[1].text == "::" && w[2].text == "now")
        .map(|w| {
            format!(
                "{path}:{}: {}::now outside cli: take `now` as an argument",
                w[0].line, w[0].text
            )
        })
        .collect()
}

fn header(path: &str, text: &str) -> Option<String> {
    let paragraph: Vec<&str> = text
        .lines()
        .map_while(|line| line.strip_prefix("//!"))
        .map(str::trim)
        .take_while(|line| !line.is_empty())
        .collect();
    let paragraph = paragraph.join(" ") + " ";
    let ends = [". ", "? ", "! "];
    (!ends.iter().any(|end| paragraph.contains(end))).then(|| {
        format!("{path}:1: open with `//!` and one whole sentence: what this file is in the flow")
    })
}

fn names(path: &str) -> Option<String> {
    let shapeless = path
        .trim_end_matches(".rs")
        .split('/')
        .find(|part| SHAPELESS.contains(part))?;
    Some(format!(
        "{path}: `{shapeless}` says nothing: put each part beside its one user, or name the noun"
    ))
}

/// Unit tests at the end of a file do not count.
fn length(path: &str, text: &str) -> Option<String> {
    let code = text.lines().count().min(tests_begin("", text));
    (code > LONGEST).then(|| {
        format!("{path}: {code} lines, {LONGEST} are enough: which second noun is in there?")
    })
}

/// After how many lines only tests follow: none in a folder of tests, all where there are none.
fn tests_begin(path: &str, text: &str) -> usize {
    if path.contains("/tests/") || path.ends_with("/tests.rs") {
        return 0;
    }
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    lines
        .windows(2)
        .position(|w| w[0] == "#[cfg(test)]" && w[1].starts_with("mod ") && w[1].ends_with('{'))
        .unwrap_or(lines.len())
}

fn machine(path: &str, text: &str) -> Vec<String> {
    let lines = text.lines().zip(1..);
    lines
        .filter_map(|(line, at)| {
            let folder = SOMEBODYS.iter().find(|folder| line.contains(*folder))?;
            Some(format!(
                "{path}:{at}: {folder} is a folder of one machine: take it from the configuration"
            ))
        })
        .collect()
}

/// SQLite looks at the value of a bare `LIMIT $1` when it plans, and so plans the statement anew at every
/// call; at that of `+$1` it does not.
fn limit(path: &str, text: &str) -> Vec<String> {
    let lines = text.lines().zip(1..);
    lines
        .filter(|(line, _)| line.contains("LIMIT $"))
        .map(|(_, at)| {
            format!("{path}:{at}: SQLite plans `LIMIT $` at every call: write `LIMIT +$`")
        })
        .collect()
}

fn room_of(path: &str) -> &str {
    let inner = path.trim_start_matches("src/");
    inner
        .split('/')
        .next()
        .map_or(inner, |room| room.trim_end_matches(".rs"))
}

fn level_of(room: &str) -> Option<usize> {
    LEVELS.iter().position(|rooms| rooms.contains(&room))
}

struct Token<'a> {
    /// Counted from 1.
    line: usize,
    text: &'a str,
}

/// Words, `::`, and every other sign by itself.
fn tokens(code: &str) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    for (line, at) in code.lines().zip(1..) {
        let mut rest = line.trim_start();
        while let Some(first) = rest.chars().next() {
            let is_word = |c: char| c.is_alphanumeric() || c == '_';
            let len = match first {
                c if is_word(c) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
                ':' if rest.starts_with("::") => 2,
                c => c.len_utf8(),
            };
            let (text, tail) = rest.split_at(len);
            found.push(Token { line: at, text });
            rest = tail.trim_start();
        }
    }
    found
}

/// The code alone, every line still in its place.
fn without_comments_and_strings(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let skipped = match c {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
            '"' => quoted(rest, '"'),
            '\'' if rest.starts_with("'\\") || rest.chars().nth(2) == Some('\'') => {
                quoted(rest, '\'')
            }
            'r' if !code.ends_with(|c: char| c.is_alphanumeric() && c != 'b') => raw(rest),
            _ => 0,
        };
        if skipped == 0 {
            code.push(c);
            rest = &rest[c.len_utf8()..];
        } else {
            code.push(' ');
            code.extend(rest[..skipped].chars().filter(|c| *c == '\n'));
            rest = &rest[skipped..];
        }
    }
    code
}

fn quoted(text: &str, quote: char) -> usize {
    let mut is_escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The length of the raw string that begins here, or 0.
fn raw(text: &str) -> usize {
    let hashes = text[1..].chars().take_while(|c| *c == '#').count();
    if !text[1 + hashes..].starts_with('"') {
        return 0;
    }
    let end = format!("\"{}", "#".repeat(hashes));
    let body = 2 + hashes;
    text[body..]
        .find(&end)
        .map_or(text.len(), |at| body + at + end.len())
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Paths from the crate's root, in order; Rust sources only under `src`.
fn files_under(folder: &str) -> Vec<String> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                walk(&path, found);
            } else {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(&root().join(folder), &mut found);
    let mut names: Vec<String> = found
        .iter()
        .filter(|path| folder != "src" || path.extension().is_some_and(|e| e == "rs"))
        .filter_map(|path| path.strip_prefix(root()).ok())
        .map(|path| path.to_string_lossy().replace('\\', "/"))
        .collect();
    names.sort();
    names
}

mod samples {
    use super::{HOMES, LEVELS, LONGEST, breaches, level_of};

    /// File, line of the breach, the edge to be named, and the code (`|` ends a line).
    const BROKEN: &str = r#"
src/compose/mod.rs; 3; compose uses resolve; use crate::resolve::choose;
src/approve.rs; 5; approve uses send; use crate::{|  model::Letter,|  send::Courier,|};
src/store/engine.rs; 3; store uses cli; fn f() { crate::cli::run() }
src/retry.rs; 3; retry uses store; use super::store::Store;
src/send/pace.rs; 4; send uses track; |use super::super::track;
src/model/range.rs; 3; model uses config; use crate::{config::{Key, Value}};
src/web/api.rs; 3; web uses gadgets; use crate::gadgets::Gadget;
src/report/mod.rs; 3; report uses sqlx; let q = sqlx::query("");
src/web/mod.rs; 3; web uses lettre; use ::lettre::Message;
src/model/mod.rs; 3; model uses anyhow; use anyhow as any;
src/sink/tests.rs; 3; sink uses sqlx; sqlx::query(""); lettre::Message::builder();
src/sink.rs; 3; sink uses lettre; use lettre::Message;|#[cfg(test)]|mod tests {|lettre::x();|}
src/service.rs; 3; service uses clap; #[derive(clap::Parser)]|struct S;
src/send/mod.rs; 4; Timestamp::now; |let t = jiff::Timestamp::now();
src/config/mod.rs; 3; /tmp/; const D: &str = "/tmp/spool";
src/store/queue.rs; 4; LIMIT +$; const Q: &str =|"SELECT id FROM delivery LIMIT $1";
"#;

    const IN_ORDER: &str = r##"
src/compose/write.rs; use crate::{model::{Letter, Network}, store::Store};|use super::group;
src/main.rs; use lapwing::cli;|fn main() { lapwing::service::run() }
src/compose/mod.rs; // crate::send goes on|/* sqlx::query */ const S: &str = "crate::send";
src/send/mod.rs; const S: &str = r#"a " crate::track "#; const C: char = '"'; fn f<'a>() {}
src/track/mod.rs; mod tests { use super::*; use super::dsn; }
src/cli/mod.rs; let now = jiff::Timestamp::now(); clap::Parser::parse();
src/sink/tests/secure.rs; use lettre::Message;
src/sink/mod.rs; #[cfg(test)]|mod tests {|    use lettre::Message;|}
src/web/mod.rs; mod csv; use self::csv::Row; x.csv();
src/lib.rs; pub mod model;
"##;

    fn said(path: &str, code: &str) -> String {
        let code = code.replace('|', "\n");
        breaches(path, &format!("//! A room of its own.\n\n{code}\n")).join("\n")
    }

    #[test]
    fn a_breach_is_named_with_its_line_and_edge() {
        for case in BROKEN.trim().lines() {
            let parts: Vec<&str> = case.splitn(4, "; ").collect();
            let said = said(parts[0], parts[3]);
            let place = format!("{}:{}: ", parts[0], parts[1]);
            let is_named = said.starts_with(&place) && said.contains(parts[2]);
            assert!(is_named && said.lines().count() == 1, "{case}\n{said}");
        }
    }

    #[test]
    fn what_the_law_allows_passes() {
        for case in IN_ORDER.trim().lines() {
            let (path, code) = case.split_once("; ").unwrap();
            assert_eq!(said(path, code), "", "{case}");
        }
    }

    #[test]
    fn a_file_opens_with_its_sentence_and_stays_short() {
        let long = "fn f() {}\n".repeat(LONGEST);
        for (path, text, part) in [
            ("src/sink.rs", "use std::fmt;", "open with `//!`"),
            (
                "src/sink.rs",
                "//! A title\n//!\n//! Mail.\n",
                "open with `//!`",
            ),
            ("src/sink.rs", &format!("//! Mail.\n{long}"), "401 lines"),
            ("src/send/helpers.rs", "//! Mail.\n", "`helpers` says"),
            (
                "src/gadgets.rs",
                "//! Mail.\n",
                "`gadgets` is not in the table",
            ),
        ] {
            let said = breaches(path, text).join("\n");
            assert!(said.contains(part), "{part}: {said}");
        }
        let tested = format!("//! Mail.\n#[cfg(test)]\nmod tests {{\n{long}}}\n");
        assert_eq!(breaches("src/sink.rs", &tested), Vec::<String>::new());
    }

    #[test]
    fn the_tables_are_sound() {
        let rooms: Vec<&str> = LEVELS.concat();
        for (at, room) in rooms.iter().enumerate() {
            assert!(!rooms[..at].contains(room), "{room} stands twice in LEVELS");
        }
        for (name, homes) in HOMES {
            let exist = homes.iter().all(|home| level_of(home).is_some());
            assert!(exist, "{name} lives in a room that LEVELS does not know");
        }
        assert!(HOMES.is_sorted(), "keep HOMES in order");
    }
}
