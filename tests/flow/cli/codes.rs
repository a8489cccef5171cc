//! Exit codes, and errors that say what to do next.

use super::{Office, lines};
use crate::story;

/// A command, how it ends, and what it says to do.
type Case = (&'static str, i32, &'static str);

const USAGE: &[Case] = &[
    ("status trial --wach", 2, "--watch"),
    ("statsu", 2, "status"),
    ("import draft", 2, "<FILE>"),
    ("import draft feed.csv --format xls", 2, "csv"),
    ("import draft feed.csv --map nothing=seen", 2, "nothing"),
    ("import draft feed.csv --map ip=Absender", 2, "seen"),
    ("import draft feed.csv --time-zone Tokio", 2, "Asia/Tokyo"),
    (
        "import draft feed.csv --seen yesterday",
        2,
        "2026-11-01T00:00:00Z",
    ),
    ("import draft roll.csv", 2, "--map"),
    ("campaign new a/b", 2, "letters, digits"),
    ("campaign new other --letter poem", 2, "notice"),
    ("campaign cancel trial", 2, "--yes"),
    ("campaign approve trial --as \u{200b}", 2, "--as"),
    ("lookup nowhere", 2, "192.0.2.0/24"),
    ("override add AS64500", 2, "--mailbox"),
    ("override add AS64500 --mailbox nobody", 2, "nobody"),
    ("override add 192.0.2.1/99 --never", 2, "192.0.2.0/24"),
    ("override add AS64500 --never --until soon", 2, "YYYY-MM-DD"),
    ("preview trial --mailbox nobody", 2, "--mailbox"),
    ("letter list trial --state lost", 2, "accepted"),
    ("letter verify LW-123456-1", 2, "check digit is wrong"),
    ("letter verify 42", 2, "LW-000042-5"),
    ("template list letter/poem", 2, "lapwing template list"),
    (
        "template copy letter/poem --to mine",
        2,
        "lapwing template list",
    ),
    ("sink --answer RCPT", 2, "RCPT"),
];

const NOT_FOUND: &[Case] = &[
    ("status nobody", 4, "lapwing campaign list"),
    ("send nobody", 4, "lapwing campaign list"),
    ("import draft absent.csv", 4, "absent.csv"),
    ("table load absent.csv", 4, "absent.csv"),
    ("lookup 203.0.113.77", 4, "lapwing override add"),
    ("letter show LW-000001-1", 4, "lapwing letter list"),
    ("letter verify LW-123456-8", 4, "not from us"),
    (
        "preview trial --mailbox nobody@isp.example",
        4,
        "nobody@isp.example",
    ),
    ("override remove 99", 4, "lapwing override list"),
    ("override remove 99 --dry-run", 4, "99"),
];

/// For a campaign that is approved and not sent.
const BY_STATE: &[Case] = &[
    ("campaign new trial", 5, "another name"),
    ("campaign submit trial", 5, "lapwing status trial"),
    (
        "campaign approve trial --as reviewer",
        5,
        "lapwing status trial",
    ),
    (
        "campaign return trial --reason late",
        5,
        "lapwing status trial",
    ),
    ("campaign resume trial", 5, "not paused"),
    ("import trial feed.csv", 5, "make a new campaign"),
    ("resolve trial", 5, "make a new campaign"),
    ("compose trial", 5, "make a new campaign"),
    ("send draft", 5, "lapwing campaign approve draft"),
    ("send draft --dry-run", 5, "lapwing campaign approve draft"),
    ("preview draft", 5, "lapwing compose draft"),
    ("compose draft", 0, "lapwing status draft"),
    ("campaign submit draft", 5, "there is no letter"),
    (
        "campaign submit draft --dry-run",
        5,
        "lapwing compose draft",
    ),
    (
        "campaign approve draft --as reviewer",
        5,
        "lapwing campaign submit draft",
    ),
    ("campaign pause draft", 5, "nothing of it is being sent"),
];

const PARTLY: &[Case] = &[
    (
        "import draft feed.csv --allow-documentation",
        3,
        "lapwing refused draft",
    ),
    ("import draft feed.csv --dry-run", 3, "Nothing was written"),
    (
        "table load bad.csv",
        3,
        "a slash and a prefix length: 192.0.2.0/24",
    ),
    (
        "override import bad.csv --map subject=range --map mailbox=abuse",
        3,
        "1 refused",
    ),
    (
        "signatory import roll.csv --map agency=from --map country=agency",
        3,
        "refused",
    ),
];

/// Holds each command to its case, in words and in JSON; gives back what is otherwise.
fn check(office: &Office, cases: &[Case]) -> Vec<String> {
    let mut wrong = Vec::new();
    for (line, code, said) in cases {
        let ran = office.run(line);
        let all = format!("{}{}", ran.out, ran.err);
        if ran.code != *code || !all.contains(said) {
            wrong.push(format!(
                "lapwing {line}: {}, no \"{said}\"?\n{all}",
                ran.code
            ));
        }
        let ran = office.run(&format!("{line} --json"));
        lines(line, &ran.out);
        // What goes wrong as a whole is told on standard error, to people and to programs.
        let told = lines(line, &ran.err);
        let is_told = match code {
            0 | 3 => told.is_empty(),
            _ => told.len() == 1 && told[0]["code"] == *code,
        };
        if ran.code != *code || !is_told {
            wrong.push(format!("lapwing {line} --json: {ran:?}"));
        }
    }
    wrong
}

story!(every_way_to_end_has_its_code_and_says_what_to_do, world, {
    let office = Office::approved(&world);
    office.well("campaign new draft");
    office.file("bad.csv", "range,country,abuse\n192.0.2.0/33,JP,abuse@isp.example\n192.0.2.0/24,JP,abuse@isp.example\n");
    let cases = [USAGE, NOT_FOUND, BY_STATE, PARTLY].into_iter();
    let wrong: Vec<String> = cases.flat_map(|cases| check(&office, cases)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for line in ["--version", "--help", "campaign --help"] {
        assert_eq!(office.run(line).code, 0, "{line}");
    }
});

story!(
    without_a_database_every_command_says_how_to_make_one,
    world,
    {
        let office = Office::beside(&world);
        for line in ["status", "campaign new trial", "send trial", "table list"] {
            let ran = office.run(line);
            assert_eq!(ran.code, 9, "{line}: {ran:?}");
            assert!(ran.err.contains("lapwing init"), "{line}: {}", ran.err);
        }
        assert_eq!(
            office.files(),
            Vec::<String>::new(),
            "and makes none by itself"
        );
        office.well("init");
        office.well("status");
    }
);

story!(wrong_settings_name_themselves_and_the_right_ones, world, {
    let mut office = Office::furnished(&world);
    for (text, said) in [
        (
            "[smtp]\nhots = \"mx.example\"\n",
            "smtp.hots; did you mean host?",
        ),
        (
            "[smpt]\nhost = \"mx.example\"\n",
            "smpt; did you mean smtp?",
        ),
        ("[smtp]\nport = \"25\"\n", "smtp.port must be integer"),
        ("[send]\nconnections = 0\n", "send.connections: 0"),
        ("mode = \"life\"\n", "life"),
        ("mode = live\n", "wrong.toml"),
    ] {
        office.file("wrong.toml", text);
        for json in ["", " --json"] {
            let ran = office.run(&format!("status --config wrong.toml{json}"));
            assert_eq!(ran.code, 2, "{text}: {ran:?}");
            let unquoted = ran.err.replace("\\\"", "\"");
            assert!(
                unquoted.contains(said) || unquoted.contains("wrong.toml"),
                "{text}: {}",
                ran.err
            );
        }
        assert!(
            office.run("status --config wrong.toml").err.contains(said),
            "{text}"
        );
    }
    let ran = office.run("status --config absent.toml");
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("absent.toml"), "{}", ran.err);

    office.set("LAPWING_SMTP__HOTS", "mx.example");
    let ran = office.run("status");
    assert_eq!(ran.code, 2);
    assert!(
        ran.err.contains("LAPWING_SMTP__HOTS") && ran.err.contains("host"),
        "{}",
        ran.err
    );
});

// Whom a container runs as has a number and no name: one person could be two.
story!(who_has_no_name_decides_nothing, world, {
    let mut office = Office::furnished(&world);
    office.set("USER", "uid 10001");
    office.well("table load networks.csv");
    office.well("campaign new trial");
    office.run("import trial feed.csv --allow-documentation");
    office.well("resolve trial");
    office.well("compose trial");
    let nameless = |line: &str| {
        let ran = office.run(line);
        assert_eq!(ran.code, 2, "{line}: {ran:?}");
        assert!(ran.err.contains("--as WHO"), "{line}: {}", ran.err);
    };
    nameless("campaign submit trial");
    office.well("campaign submit trial --as author");
    nameless("campaign approve trial");
    nameless("suppression approve 1");
    office.well("campaign approve trial --as reviewer");
});

#[test]
fn a_database_of_another_kind_is_a_wrong_setting() {
    for url in [
        "mysql://root@localhost/x",
        "letters.db",
        "sqlite::memory:",
        "postgres://",
    ] {
        let dir = tempfile::tempdir().unwrap();
        let output = super::program()
            .args(["status", "--database", url])
            .current_dir(dir.path())
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(matches!(output.status.code(), Some(2 | 6)), "{url}: {said}");
        assert!(said.contains("database"), "{url}: {said}");
        if url != "postgres://" {
            assert_eq!(output.status.code(), Some(2), "{url}: {said}");
            assert!(said.contains("sqlite:FILE"), "{url}: {said}");
        }
    }
}
