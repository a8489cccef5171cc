//! The whole way by hand, from an empty folder to the report, in words and in JSON.

use std::io::Write;

use serde_json::{Value, json};

use super::{FEED, NETWORKS, Office, ROLL, lines};
use crate::story;

const MAP: &str =
    "--map ip=Quelle --map seen=Zeitpunkt --map class=Art --allow-documentation --source trap";

/// The feed as somebody else writes it.
fn foreign() -> String {
    FEED.replacen("ip,seen,class", "Quelle,Zeitpunkt,Art", 1)
}

fn packed(text: &str) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(text.as_bytes()).unwrap();
    packed.finish().unwrap()
}

/// Some members of an object.
fn pick(value: &Value, keys: &[&str]) -> Value {
    keys.iter().map(|key| value[*key].clone()).collect()
}

fn in_empty_folder(office: &Office) {
    assert_eq!(office.files(), Vec::<String>::new());
    office.file("networks.csv", NETWORKS);
    office.file("roll.csv", ROLL);
    office.file("feed.csv", foreign());
    office.file("feed.csv.gz", packed(&foreign()));
}

story!(from_init_to_report_in_words, world, {
    let office = Office::beside(&world);
    in_empty_folder(&office);
    for (line, code, said) in [
        ("init", 0, "Wrote lapwing.toml"),
        ("init", 0, "Kept lapwing.toml as it is"),
        (
            "table load networks.csv",
            0,
            "5 networks, 4 with a contact of their own, 0 refused",
        ),
        ("signatory import roll.csv", 0, "2 signatories, 0 refused"),
        (
            "override add 2001:db8:1000::/40 --mailbox v6@prairie.example --reason moved",
            0,
            "v6@prairie.example, by author: moved",
        ),
        (
            "campaign new trial --letter notice",
            0,
            "Next: lapwing import trial FILE",
        ),
        (
            &format!("import trial feed.csv {MAP}"),
            3,
            "8 rows, 5 new suspects, 1 repeated, 2 refused",
        ),
        (
            &format!("import trial feed.csv.gz {MAP}"),
            3,
            "8 rows, 0 new suspects, 6 repeated, 2 refused",
        ),
        (
            "resolve trial",
            0,
            "4 with a contact, 2 without, 0 withheld, 0 deferred",
        ),
        ("lookup 192.0.2.200", 0, "write to net@midori.example"),
        (
            "compose trial",
            0,
            "4 letters to 4 contacts, listing 4 suspects",
        ),
        ("preview trial", 0, "This is 1 of 4 letters"),
        (
            "preview trial --mailbox net@midori.example",
            0,
            "To: net@midori.example",
        ),
        ("preview trial --to letters", 0, "4 letters in letters"),
        (
            "campaign submit trial --as author",
            0,
            "lapwing campaign approve trial --as",
        ),
        (
            "campaign approve trial --as author",
            7,
            "a second person must",
        ),
        (
            "campaign approve trial --as reviewer",
            0,
            "Next: lapwing send trial",
        ),
        ("send trial", 0, "4 accepted"),
        ("status trial", 0, "trial is settled"),
        ("status", 0, "4 accepted"),
        ("letter list trial", 0, "net@midori.example"),
        ("refused trial", 0, "10.0.0.1 is no public address"),
        (
            "unplaced trial --to unplaced.csv",
            0,
            "2 suspects in unplaced.csv",
        ),
        ("report trial", 0, "2  unresolved: no contact known"),
        ("campaign show trial", 0, "approved by reviewer"),
        ("campaign list", 0, "settled"),
    ] {
        let ran = office.run(line);
        let all = format!("{}{}", ran.out, ran.err);
        assert_eq!(ran.code, code, "lapwing {line}\n{all}");
        assert!(
            all.contains(said),
            "lapwing {line}: no \"{said}\" in\n{all}"
        );
    }

    let files = office.files();
    let of = |folder: &str| files.iter().filter(|name| name.starts_with(folder)).count() - 1;
    assert_eq!((of("letters"), of("outbox")), (4, 4), "{files:?}");
    let unplaced = std::fs::read_to_string(office.path("unplaced.csv")).unwrap();
    assert_eq!(unplaced.lines().count(), 3, "{unplaced}");
    assert!(unplaced.contains("198.51.100.128/29") && unplaced.contains("203.0.113.9"));

    let list = office.well("letter list trial");
    let ticket = list
        .lines()
        .nth(1)
        .and_then(|line| line.split(' ').next())
        .unwrap();
    let shown = office.well(&format!("letter show {ticket}"));
    for part in [
        "Subject: ",
        "Message-ID: ",
        "What happened",
        "attempt 1: accepted at dot",
        "now accepted",
    ] {
        assert!(shown.contains(part), "{part}\n{shown}");
    }
    // Nobody but we have seen what went into the folder.
    let verified = office.run(&format!("letter verify {}", ticket.to_lowercase()));
    let said = format!("{ticket} is not genuine");
    assert!(
        verified.code == 4 && verified.err.contains(&said),
        "{verified:?}"
    );
});

story!(from_init_to_report_in_json, world, {
    let office = Office::beside(&world);
    in_empty_folder(&office);
    let told = office.told("init");
    assert_eq!(told["wrote_settings"], json!(true));
    let told = office.told("table load networks.csv");
    assert_eq!(
        pick(&told, &["networks", "with_contact", "refused"]),
        json!([5, 4, 0])
    );
    let told = office.told("signatory import roll.csv");
    assert_eq!(pick(&told, &["added", "refused"]), json!([2, 0]));
    let told = office.told("campaign new trial");
    assert_eq!(
        pick(&told, &["name", "state", "created_by"]),
        json!(["trial", "draft", "author"])
    );

    const COUNTS: &[&str] = &["rows", "fresh", "repeated", "refused"];
    let (told, code) = office.json(&format!("import trial feed.csv {MAP}"));
    assert_eq!((pick(&told[0], COUNTS), code), (json!([8, 5, 1, 2]), 3));
    let refusal = &told[0]["refusals"][0];
    assert_eq!(pick(refusal, &["line", "value"]), json!([7, "10.0.0.1"]));
    // One more by standard input, the same again, and packed.
    let more = b"ip,seen\n192.0.2.9,2024-11-04T00:00:00Z\n";
    for counts in [json!([1, 1, 0, 0]), json!([1, 0, 1, 0])] {
        let line = "import trial - --allow-documentation --source trap --json";
        let ran = office.fed(line, more);
        let told: Value = serde_json::from_str(&ran.out).unwrap();
        assert_eq!((pick(&told, COUNTS), ran.code), (counts, 0));
    }
    let ran = office.fed(&format!("import trial - {MAP} --json"), &packed(&foreign()));
    let told: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((pick(&told, COUNTS), ran.code), (json!([8, 0, 6, 2]), 3));

    let told = office.told("resolve trial");
    assert_eq!(
        told["suspects"],
        json!([
            { "name": "matched", "count": 5 }, { "name": "unresolved", "count": 2 },
        ])
    );
    let told = office.told("lookup 192.0.2.200");
    assert_eq!(told["chain"].as_array().map(Vec::len), Some(2), "{told}");
    let told = office.told("compose trial");
    assert_eq!(
        pick(&told, &["letters", "notices", "suspects"]),
        json!([4, 4, 5])
    );
    let told = office.told("preview trial --mailbox net@midori.example");
    assert_eq!(told["recipient"], json!("net@midori.example"));
    let told = office.told("preview trial --to letters");
    assert_eq!(told["letters"], json!(4));

    let told = office.told("campaign submit trial --as author");
    let digest = told["digest"].clone();
    let (told, code) = office.json("campaign approve trial --as Author");
    assert_eq!((told.len(), code), (0, 7), "a refusal is no answer");
    let told = office.told("campaign approve trial --as reviewer");
    assert_eq!(
        told["digest"], digest,
        "what was submitted is what is approved"
    );
    let told = office.told("send trial");
    assert_eq!(pick(&told["done"], &["claimed", "accepted"]), json!([4, 4]));
    assert_eq!(told["state"], json!("settled"));

    for line in ["status trial", "campaign show trial", "report trial"] {
        let told = office.told(line);
        assert_eq!(
            pick(&told, &["name", "state"]),
            json!(["trial", "settled"]),
            "{line}"
        );
        assert_eq!(
            told["queue"]["states"],
            json!([{ "name": "accepted", "count": 4 }])
        );
        // All that was read, in whatever way.
        assert_eq!(
            pick(&told["totals"], COUNTS),
            json!([18, 6, 8, 4]),
            "{line}"
        );
    }
    let (letters, code) = office.json("letter list trial --country JP");
    assert_eq!((letters.len(), code), (2, 0));
    let ticket = letters[0]["ticket"].as_str().unwrap();
    let told = office.told(&format!("letter show {ticket}"));
    assert_eq!(told["delivery"]["state"], json!("accepted"));
    assert_eq!(told["attempts"].as_array().map(Vec::len), Some(1));
    let verified = office.run(&format!("letter verify {ticket} --json"));
    assert_eq!(lines("verify", &verified.err)[0]["code"], json!(4));

    for (line, n) in [
        ("status", 1),
        ("campaign list", 1),
        ("table list", 1),
        ("signatory list", 2),
        ("override list", 0),
        ("letter list trial", 4),
        ("refused trial", 4),
        ("unplaced trial", 2),
        ("config", 1),
    ] {
        let (lines, code) = office.json(line);
        assert_eq!((lines.len(), code), (n, 0), "{line}: {lines:?}");
        assert!(lines.iter().all(Value::is_object), "{line}: {lines:?}");
    }
});

story!(staff_see_what_a_country_changes, world, {
    let office = Office::beside(&world);
    let all = office.well("jurisdiction list");
    for line in [
        "JP  ja  Japan; reserved: op25b, rate-limit, find-and-quarantine\n",
        "CH  de, fr, it, rm  Switzerland\n",
    ] {
        assert!(all.contains(line), "{line}: {all}");
    }
    let japan = office.well("jurisdiction show jp");
    for said in [
        "JPCERT/CC",
        "電気通信事業法",
        "Seoul-Melbourne MoU",
        "note (en):",
    ] {
        assert!(japan.contains(said), "{said}: {japan}");
    }
    let told = office.told("jurisdiction show BE");
    assert_eq!(told["languages"], json!(["nl", "fr", "de"]));
    let (lines, code) = office.json("jurisdiction list");
    assert!(lines.len() > 100 && code == 0);

    let none = office.run("jurisdiction show AQ");
    assert_eq!((none.code, none.out.as_str()), (4, ""));
    assert!(
        none.err.contains("lapwing jurisdiction list"),
        "{}",
        none.err
    );
});
