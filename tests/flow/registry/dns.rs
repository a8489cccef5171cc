//! Asking over DNS, told through the program: what servers answer, and what staff see of it.

use std::process::Command;

use crate::fake::dns::{Answer, Dns, Forgery, REFUSED, SERVFAIL};
use crate::world::{Ran, World};

const CONTACTS: &str = "5.113.0.203.contacts.example";
const ORIGINS: &str = "5.113.0.203.origins.example";

fn lookup(world: &World, server: &Dns, subject: &str) -> Ran {
    let mut program = Command::new(env!("CARGO_BIN_EXE_lapwing"));
    program
        .args(["lookup", subject, "--source", "dns", "--json"])
        .current_dir(world.dir())
        .env("LAPWING_DATABASE_URL", &world.url)
        .env("LAPWING_RESOLVE__LADDER", "")
        .env("LAPWING_RESOLVE__DNS__RESOLVER", server.place())
        .env("LAPWING_RESOLVE__PATIENCE", "0s")
        .env("LAPWING_RESOLVE__DNS__TIMEOUT", "800ms")
        .env("LAPWING_RESOLVE__DNS__CONTACTS", "contacts.example")
        .env("LAPWING_RESOLVE__DNS__ORIGINS", "origins.example")
        .env("LAPWING_RESOLVE__DNS__ORIGINS6", "origins6.example")
        .env("LAPWING_INTAKE__ALLOW_DOCUMENTATION", "true")
        .env("USER", "author");
    tokio::task::block_in_place(|| program.output().unwrap()).into()
}

/// The verdict, and whom it may be written to.
fn shown(ran: &Ran) -> (String, serde_json::Value) {
    assert!([0, 4, 6].contains(&ran.code), "{ran:?}");
    let line = ran.out.lines().next().unwrap_or_default();
    let one: serde_json::Value = serde_json::from_str(line).unwrap_or_default();
    let mut shown = one["verdict"].as_str().unwrap_or_default().to_owned();
    for rung in one["rungs"].as_array().into_iter().flatten() {
        shown = format!("{shown} {}", rung["mailbox"].as_str().unwrap_or_default());
    }
    (shown, one)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_is_a_contact_and_a_fault_is_later() {
    let a = || Answer::txt("a@isp.example").boxed();
    let found = "matched a@isp.example";
    let long = format!("{}a@isp.example", "no address at all,".repeat(256));
    for (answer, expected) in [
        (*a(), found),
        (Answer::texts(&[&["a@isp.", "example"]]), found),
        (
            Answer::txt("a@isp.example,b@isp.example"),
            "matched a@isp.example b@isp.example",
        ),
        (Answer::txt("no address"), "unresolved"),
        (
            Answer::txt("a@isp.example\r\nBcc: b@evil.example"),
            "unresolved",
        ),
        (Answer::NoData, "unresolved"),
        (Answer::Code(SERVFAIL), "deferred"),
        (Answer::Code(REFUSED), "deferred"),
        (Answer::Silence, "deferred"),
        (Answer::Late(a()), found),
        (Answer::Twice(a()), found),
        (Answer::TooLong(a()), found),
        (Answer::TooLong(Answer::txt(&long).boxed()), found),
        (Answer::Forged(Forgery::Id, a()), found),
        (Answer::OnlyForged(Forgery::Id, a()), "deferred"),
        (Answer::OnlyForged(Forgery::Question, a()), "deferred"),
        (Answer::Alias("one.example".to_owned()), found),
        (Answer::Alias("round.example".to_owned()), "unresolved"),
    ] {
        let world = World::on_sqlite().await;
        let server = Dns::at("127.0.0.1");
        server
            .on("one.example", Answer::Alias("two.example".to_owned()))
            .on("two.example", *a())
            .on("round.example", Answer::Alias(CONTACTS.to_owned()))
            .on(CONTACTS, answer.clone());
        let ran = lookup(&world, &server, "203.0.113.5");
        assert!(!ran.out.contains("evil.example"), "{answer:?}: {}", ran.out);
        assert_eq!(shown(&ran).0, expected, "{answer:?}: {ran:?}");
        // UDP may lose it, and TCP may be needed; a circle is left after some rounds.
        let asked = server.questions().into_iter();
        let asked = asked.filter(|one| one.name == CONTACTS).count();
        assert!(asked <= 8, "{answer:?}: {asked} questions");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_origin_says_where_it_belongs() {
    let world = World::on_sqlite().await;
    let server = Dns::at("127.0.0.1");
    server.on(CONTACTS, Answer::txt("a@isp.example")).on(
        ORIGINS,
        Answer::txt("64500 64501 | 203.0.113.0/24 | JP | apnic | 2001-01-01"),
    );
    let (said, one) = shown(&lookup(&world, &server, "203.0.113.5"));
    assert_eq!(said, "matched a@isp.example");
    assert_eq!(
        (one["country"].as_str(), one["asn"].as_u64()),
        (Some("JP"), Some(64500))
    );
    assert_eq!(one["chain"][0]["range"], "203.0.113.0/24");
    // Its neighbour is known by now.
    let asked = server.questions().len();
    assert_eq!(
        shown(&lookup(&world, &server, "203.0.113.77")).0,
        "matched a@isp.example"
    );
    assert_eq!(server.questions().len(), asked);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ipv6_address_is_asked_for_by_nibbles() {
    let world = World::on_sqlite().await;
    let server = Dns::at("127.0.0.1");
    let name = "f.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2";
    server
        .on(
            &format!("{name}.contacts.example"),
            Answer::txt("a@isp.example"),
        )
        .on(
            &format!("{name}.origins6.example"),
            Answer::txt("64500 | 2001:db8::/32 | FR | ripencc | 2001-01-01"),
        );
    let (said, one) = shown(&lookup(&world, &server, "2001:db8::1f"));
    assert_eq!(
        (said.as_str(), &one["country"]),
        ("matched a@isp.example", &"FR".into())
    );
    // Of an AS the zones know nothing, and are told nothing.
    let asked = server.questions().len();
    assert_eq!(shown(&lookup(&world, &server, "AS64501")).0, "unresolved");
    assert_eq!(server.questions().len(), asked);
}
