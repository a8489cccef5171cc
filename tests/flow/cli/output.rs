//! Standard output: a file, a pipe that breaks, never a terminal's play.

use std::fmt::Write;
use std::io::{BufRead, BufReader};
use std::process::Stdio;

use super::Office;
use crate::story;

/// Enough rows that no pipe holds them.
const MANY: usize = 6_000;

/// `lapwing <line> | head -1`: the first line, and how the program took it.
fn head(office: &Office, line: &str) -> (String, Option<i32>, String) {
    let mut command = office.command(line);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut first = String::new();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    out.read_line(&mut first).unwrap();
    drop(out);
    let end = child.wait_with_output().unwrap();
    (
        first,
        end.status.code(),
        String::from_utf8(end.stderr).unwrap(),
    )
}

story!(a_reader_that_has_seen_enough_is_no_error, world, {
    let office = Office::furnished(&world);
    office.well("campaign new trial");
    let mut feed = String::from("ip,seen,evidence\n");
    for n in 0..MANY {
        let _ = writeln!(
            feed,
            "10.0.{}.{},2024-11-01T00:00:00Z,nobody's",
            n / 250,
            n % 250
        );
        let _ = writeln!(feed, "2001:db8:4000::{n:x},2024-11-01T00:00:00Z,nobody's");
    }
    office.file("many.csv", feed);
    let imported = office.run("import trial many.csv --allow-documentation");
    assert_eq!(imported.code, 3);
    assert!(imported.out.contains("and 5990 more"), "{}", imported.out);
    office.well("resolve trial");
    for (line, first) in [
        ("refused trial", "feed,line,column"),
        ("refused trial --json", "{\"feed\":"),
        ("unplaced trial", "feed,line,address"),
        ("unplaced trial --json", "{\"feed\":"),
    ] {
        let (read, code, said) = head(&office, line);
        assert!(read.starts_with(first), "{line}: {read}");
        assert_eq!((code, said.as_str()), (Some(0), ""), "{line}");
    }
    // Closed before the first byte.
    for line in ["config", "--help", "campaign list", "status trial"] {
        let mut command = office.command(line);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        drop(child.stdout.take());
        let end = child.wait_with_output().unwrap();
        assert_eq!(String::from_utf8(end.stderr).unwrap(), "", "{line}");
        assert_eq!(end.status.code(), Some(0), "{line}");
    }
    let whole = office.well("refused trial");
    assert_eq!(whole.lines().count(), MANY + 1);
});

story!(
    what_strangers_wrote_does_not_speak_to_the_terminal,
    world,
    {
        let mut office = Office::furnished(&world);
        office.file(
        "feed.csv",
        "ip,seen,evidence\n\x1b]0;owned\x07,2024-11-01T00:00:00Z,x\n192.0.2.7,2024-11-01T00:00:00Z,\x1b[2Jx\n",
    );
        office.well("table load networks.csv");
        office.well("campaign new trial");
        // Each run is held against the rule of no escapes.
        assert_eq!(
            office
                .run("import trial feed.csv --allow-documentation")
                .code,
            3
        );
        office.well("refused trial --to refused.csv");
        for line in [
            "resolve trial",
            "compose trial",
            "preview trial",
            "campaign submit trial",
        ] {
            office.well(line);
        }
        office.well("campaign approve trial --as reviewer");
        world.answers("RCPT * 550 5.1.1 \u{7}bell");
        office.set("LAPWING_SEND__TRANSPORT", "smtp");
        office.set("LAPWING_SMTP__PORT", world.sink.address().port());
        assert_eq!(office.run("send trial").code, 3);
        for line in ["report trial", "status trial", "letter list trial"] {
            let out = office.well(line);
            assert!(
                !out.chars().any(|c| c.is_control() && c != '\n'),
                "{line}: {out:?}"
            );
        }
    }
);

story!(
    tables_may_be_named_otherwise_and_say_what_was_taken,
    world,
    {
        let office = Office::furnished(&world);
        office.file("odd.csv", "Netz;Desk\n192.0.2.0/24;abuse@sakura.example\n");
        office.well("table load odd.csv --map range=Netz --map abuse=Desk");
        let found = office.well("lookup 192.0.2.1");
        assert!(found.contains("write to abuse@sakura.example"), "{found}");

        office.well("campaign new trial");
        office.file("odd.csv", "a;b;c\nx;192.0.2.7;2024-11-01T00:00:00Z\n");
        let out =
            office.well("import trial odd.csv --map ip=col2 --map seen=col3 --allow-documentation");
        assert!(
            out.contains("ip from b") && out.contains("seen from c"),
            "{out}"
        );
        assert!(out.contains("Not used: a"), "{out}");
        assert!(out.contains("1 new suspect,"), "{out}");
    }
);

story!(what_a_feed_lost_on_the_way_in_is_told, world, {
    let office = Office::furnished(&world);
    office.well("campaign new trial");
    let long = "seen on the wire ".repeat(70);
    let feed = format!(
        "ip,seen,class,evidence,sample\n192.0.2.7,2024-11-01T00:00:00Z,spam,short,\n\
         192.0.2.8,2024-11-01T00:00:00Z,{},{long},\n192.0.2.9,2024-11-01T00:00:00Z,spam,,Buy now\n",
        "c".repeat(70)
    );
    office.file("long.csv", feed);
    let said = office.run("import trial long.csv --allow-documentation --dry-run");
    for line in [
        "2 values (the first in line 3) longer than is kept: cut there, with […] at the end\n",
        "1 message (the first in line 4) without header, which no letter can pass on as a report (ARF)",
    ] {
        assert!(said.out.contains(line), "{}", said.out);
    }
    let told = office.told("import trial long.csv --allow-documentation");
    assert_eq!(told["cut"], serde_json::json!({ "count": 2, "line": 3 }));
    assert_eq!(
        told["headless"],
        serde_json::json!({ "count": 1, "line": 4 })
    );
});
