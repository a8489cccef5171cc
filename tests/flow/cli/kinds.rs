//! The kinds of campaigns as staff begin them: an advisory to operators that are drawn, a notice with copies,
//! a reminder of it.

use super::Office;
use crate::story;

const TABLE: &str = "range,name,holder,country,asn,abuse
192.0.2.0/24,ALPHA,Alpha Telecom,DE,64500,abuse@alpha.example
198.51.100.0/25,BETA,Beta Cable,DE,,abuse@beta.example
203.0.113.0/24,GAMMA,Gamma Net,JP,64501,abuse@gamma.example
";

const ROLL: &str = "agency,country,mailbox
Agency of Germany,DE,desk@agency-de.example
";

/// What is seen since: the program goes by this machine's clock, and takes what lies a little ahead of it.
#[allow(
    clippy::disallowed_methods,
    reason = "the program reads the clock, too"
)]
fn soon() -> String {
    let soon = jiff::Timestamp::now() + jiff::SignedDuration::from_mins(8);
    format!("{soon:.0}")
}

fn office(world: &crate::world::World) -> Office {
    let office = Office::beside(world);
    office.file("table.csv", TABLE);
    office.file("roll.csv", ROLL);
    office.well("init");
    office.well("table load table.csv");
    office.well("signatory import roll.csv");
    office
}

story!(operators_are_drawn_and_each_gets_an_advisory, world, {
    let office = office(&world);
    let begun = office.well("campaign new autumn --letter advisory");
    assert!(begun.contains("lapwing campaign draw autumn"), "{begun}");
    let trial = office.well("campaign draw autumn --country de --dry-run");
    assert!(trial.starts_with("2 holders in DE: 2 new"), "{trial}");
    assert!(trial.contains("Nothing was written"), "{trial}");
    let drawn = office.well("campaign draw autumn --country de,jp --systems");
    assert!(drawn.starts_with("0 holders in DE, JP"), "{drawn}");
    assert!(drawn.contains("no holder of an AS"), "{drawn}");
    let drawn = office.well("campaign draw autumn --country de,jp");
    assert!(drawn.starts_with("3 holders in DE, JP: 3 new"), "{drawn}");
    let again = office.told("campaign draw autumn --country de");
    assert_eq!(
        (&again["fresh"], &again["repeated"]),
        (&0.into(), &2.into())
    );
    office.well("resolve autumn");
    let composed = office.well("compose autumn");
    assert!(composed.contains("for 3 addressees"), "{composed}");
    let shown = office.well("campaign show autumn");
    assert!(shown.contains("It is an advisory, TLP:CLEAR."), "{shown}");

    let nobody = office.well("campaign draw autumn --country se");
    assert!(nobody.contains("knows nobody there"), "{nobody}");
    // Nobody is added, so what was written and submitted stands.
    office.well("campaign submit autumn --as author");
    let nobody = office.well("campaign draw autumn --country de,jp");
    let said = "Nobody was added: autumn stays as it was.";
    assert!(
        nobody.contains(said) && !nobody.contains("Next:"),
        "{nobody}"
    );
    assert_eq!(office.told("campaign show autumn")["state"], "submitted");
    office.file(
        "more.csv",
        "range,holder,country,abuse\n203.0.113.128/25,Newcomer,DE,abuse@new.example\n",
    );
    office.well("table load more.csv");
    let one = office.well("campaign draw autumn --country de,jp");
    assert!(
        one.contains("1 new addressee") && one.contains("Next:"),
        "{one}"
    );
    assert_eq!(office.told("campaign show autumn")["state"], "draft");
    office.well("campaign new trial");
    for (line, code, said) in [
        ("campaign draw autumn --country Germany", 2, "ISO 3166"),
        (
            "campaign draw trial --country DE",
            2,
            "lapwing import trial",
        ),
        (
            "campaign draw nowhere --country DE",
            4,
            "lapwing campaign list",
        ),
        ("campaign draw autumn", 2, "--country"),
    ] {
        let ran = office.run(line);
        assert_eq!(ran.code, code, "{line}: {}", ran.err);
        assert!(ran.err.contains(said), "{line}: {}", ran.err);
    }
});

story!(a_reminder_follows_the_notice_that_left, world, {
    let office = office(&world);
    office.file(
        "first.csv",
        "ip,seen,class,source\n192.0.2.7,2026-10-01T00:00:00Z,spam,trap\n192.0.2.8,2026-10-01T00:00:00Z,spam,trap\n",
    );
    let soon = soon();
    office.file(
        "second.csv",
        format!("ip,seen,class,source\n192.0.2.8,{soon},spam,trap\n192.0.2.9,{soon},spam,trap\n"),
    );
    office.file(
        "old.csv",
        "ip,seen,class,source\n192.0.2.8,2026-10-09T00:00:00Z,spam,trap\n192.0.2.8,,spam,trap\n",
    );
    for (name, feed, line) in [
        (
            "spring",
            "first.csv",
            "campaign new spring --tlp RED --cover",
        ),
        (
            "summer",
            "second.csv",
            "campaign new summer --letter reminder --after spring --tlp RED --require-evidence",
        ),
    ] {
        office.well(line);
        office.well(&format!("import {name} {feed} --allow-documentation"));
        office.well(&format!("resolve {name}"));
        office.well(&format!("compose {name}"));
        office.well(&format!("campaign submit {name} --as author"));
        office.well(&format!("campaign approve {name} --as reviewer"));
        office.well(&format!("send {name}"));
    }
    // What was seen before the first letter says nothing of what came of it.
    office.well("campaign new winter --letter reminder --after spring --tlp RED");
    let ran = office.run("import winter old.csv --allow-documentation");
    assert_eq!(ran.code, 3, "{}", ran.err);
    for said in [
        "seen at 2026-10-09T00:00:00Z, and the first letters",
        "there is no time",
    ] {
        assert!(
            ran.out.contains(said) || ran.err.contains(said),
            "{said}\n{}{}",
            ran.out,
            ran.err
        );
    }
    let shown = office.well("report spring");
    let kind = "It is a notice, TLP:RED, with a copy to each country's agencies.";
    assert!(shown.contains(kind), "{shown}");
    assert!(shown.contains("2  in 2 notices"), "{shown}");
    let shown = office.well("report summer");
    let kind = "It is a reminder after spring, TLP:RED, of rows with time and basis only.";
    assert!(shown.contains(kind), "{shown}");
    assert_eq!(office.told("report summer")["after"], "spring");
    let letter = office.well("preview summer");
    for said in [
        "[TLP:RED] Erinnerung",
        "Weiterhin gesehen:   1",
        "Neu:                 1",
        "Nicht mehr gesehen:  1",
    ] {
        assert!(letter.contains(said), "{said}\n{letter}");
    }

    office.well("campaign new autumn --letter advisory");
    for (line, code, said) in [
        ("campaign new x --letter reminder", 2, "--after FIRST"),
        (
            "campaign new x --letter reminder --after nowhere",
            4,
            "nowhere",
        ),
        (
            "campaign new x --letter reminder --after autumn",
            2,
            "advisory",
        ),
        (
            "campaign new x --letter notice --after spring",
            2,
            "--letter reminder",
        ),
        ("campaign new x --tlp PURPLE", 2, "AMBER+STRICT"),
    ] {
        let ran = office.run(line);
        assert_eq!(ran.code, code, "{line}: {}", ran.err);
        assert!(ran.err.contains(said), "{line}: {}", ran.err);
    }
});
