//! Asking over RDAP, told through the program: what servers answer, and what staff see of it.

use std::process::Command;
use std::time::Duration;

use crate::fake::http::{Answer, How, Registry, bomb};
use crate::world::{Ran, World};

const ASKED: &str = "203.0.113.5";
const PATH: &str = "/ip/203.0.113.5";

/// A network with one contact for abuse, as RFC 9083 has it.
fn network(first: &str, last: &str, contact: &str) -> String {
    format!(
        r#"{{"objectClassName": "ip network", "handle": "NET-TEST", "startAddress": "{first}",
            "endAddress": "{last}", "ipVersion": "v4", "name": "TEST-NET", "country": "JP",
            "entities": [{{"objectClassName": "entity", "handle": "AB1-TEST", "roles": ["abuse"],
            "vcardArray": ["vcard", [["version", {{}}, "text", "4.0"], ["fn", {{}}, "text", "Desk"],
            {contact}]]}}]}}"#
    )
}

fn mailbox(mailbox: &str) -> String {
    format!(r#"["email", {{}}, "text", "{mailbox}"]"#)
}

/// 203.0.113.0/24 with its desk.
fn desk() -> String {
    network(
        "203.0.113.0",
        "203.0.113.255",
        &mailbox("abuse@isp.example"),
    )
}

/// The world's folder as IANA's lists, which send 203.0.113.0/24, 198.51.0.0/16 and AS 64500 to a
/// registry, and 198.51.100.0/24, 192.0.2.0/24 and AS 64497 to another.
fn bootstrap(world: &World, registry: &Registry, other: &Registry) {
    for (name, services) in [
        (
            "ipv4.json",
            [
                ["203.0.113.0/24", "198.51.0.0/16"],
                ["198.51.100.0/24", "192.0.2.0/24"],
            ],
        ),
        (
            "ipv6.json",
            [
                ["2001:db8::/32", "3fff::/20"],
                ["2001:db8:1::/48", "3fff:1::/32"],
            ],
        ),
        (
            "asn.json",
            [["64496", "64498-64511"], ["64497", "65536-65551"]],
        ),
    ] {
        let services = serde_json::json!({
            "version": "1.0",
            "publication": "2026-11-01T00:00:00Z",
            "services": [
                [services[0], [registry.url("")]],
                [services[1], ["http://rdap.isp.example/", other.url("")]],
            ],
        });
        std::fs::write(world.dir().join(name), services.to_string()).unwrap();
    }
}

/// Runs the program against the registries alone.
fn run(world: &World, arguments: &[&str]) -> Ran {
    let mut program = Command::new(env!("CARGO_BIN_EXE_lapwing"));
    program
        .args(arguments)
        .current_dir(world.dir())
        .env("LAPWING_DATABASE_URL", &world.url)
        .env("LAPWING_RESOLVE__SOURCES", "rdap")
        .env("LAPWING_RESOLVE__LADDER", "")
        .env("LAPWING_RESOLVE__REACH", "127.0.0.0/8")
        .env("LAPWING_RESOLVE__RDAP__BOOTSTRAP", world.dir())
        .env("LAPWING_RESOLVE__RDAP__TIMEOUT", "1500ms")
        .env("LAPWING_RESOLVE__REGISTRY__OTHER__EVERY", "1ms")
        .env("LAPWING_INTAKE__ALLOW_DOCUMENTATION", "true")
        .env("USER", "author");
    tokio::task::block_in_place(|| program.output().unwrap()).into()
}

fn look(world: &World, subject: &str) -> Ran {
    run(world, &["lookup", subject, "--json"])
}

/// What one lookup says when the registry answers so; a failure names the case.
async fn said_of(name: &str, answers: &[Answer]) -> (String, Registry) {
    let world = World::on_sqlite().await;
    let (registry, other) = (Registry::start(2).await, Registry::start(3).await);
    bootstrap(&world, &registry, &other);
    for answer in answers {
        registry.answers(PATH, answer.clone());
    }
    let ran = look(&world, ASKED);
    assert!([0, 4, 6].contains(&ran.code), "{name}: {ran:?}");
    (ran.out, registry)
}

async fn check(cases: &[(&str, Answer, &str, &str)]) {
    for (name, answer, verdict, words) in cases {
        let (said, registry) = said_of(name, std::slice::from_ref(answer)).await;
        assert!(
            said.contains(&format!("\"verdict\":\"{verdict}\"")),
            "{name}: {said}"
        );
        assert!(said.contains(words), "{name}: {said}");
        assert_eq!(registry.paths(), [PATH], "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_is_read_however_it_comes() {
    let is = "abuse@isp.example";
    check(&[
        ("as it should be", Answer::rdap(desk()), "matched", is),
        (
            "as a page",
            Answer::new("200 OK", "text/html", desk()),
            "matched",
            is,
        ),
        (
            "in chunks",
            Answer::rdap(desk()).by(How::Chunked),
            "matched",
            is,
        ),
        (
            "compressed",
            Answer::rdap(desk()).by(How::Gzipped),
            "matched",
            is,
        ),
        (
            "with a mark",
            Answer::rdap(format!("\u{feff}\r\n{}", desk())),
            "matched",
            is,
        ),
        (
            "with zeros before",
            Answer::rdap(network(
                "203.000.113.000",
                "203.000.113.255",
                &mailbox("abuse@isp.example"),
            )),
            "matched",
            is,
        ),
        (
            "with lengths behind",
            Answer::rdap(network(
                "203.0.113.0/32",
                "203.0.113.255/32",
                &mailbox("abuse@isp.example"),
            )),
            "matched",
            is,
        ),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_there_only_when_the_registry_says_so() {
    let nothing = "knows no network there";
    check(&[
        ("404", Answer::error("404 Not Found"), "unresolved", nothing),
        (
            "404 as a page",
            Answer::html("404 Not Found"),
            "unresolved",
            nothing,
        ),
    ])
    .await;
    let contact = |contact: &str| Answer::rdap(network("203.0.113.0", "203.0.113.255", contact));
    let number = contact(r#"["email", {}, "text", 7]"#);
    let null = contact(r#"["email", {}, "text", null]"#);
    let odd = contact(r#"{"email": "abuse"}, 7, [], ["email"]"#);
    let no_roles = desk().replace(r#"["abuse"]"#, "null");
    let none = "names no contact";
    check(&[
        ("a number for a mailbox", number, "unresolved", none),
        (
            "deeper than anybody",
            Answer::rdap(nested(500)),
            "unresolved",
            none,
        ),
        ("null for a mailbox", null, "unresolved", none),
        ("a card of wrong shape", odd, "unresolved", none),
        (
            "roles that are null",
            Answer::rdap(no_roles),
            "matched",
            "technical contact by",
        ),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_is_later() {
    let slow = || Answer::html("429 Too Many Requests");
    let limit = "limit reached (HTTP 429)";
    let notice = r#"{"rdapConformance": ["rdap_level_0"], "notices": [{"title": "Rate Limit Notice",
        "description": ["Query rate limit exceeded."]}]}"#;
    check(&[
        (
            "seconds",
            slow().with("Retry-After", "90"),
            "deferred",
            limit,
        ),
        (
            "a date",
            slow().with("Retry-After", "Fri, 16 Nov 2035 08:00:00 GMT"),
            "deferred",
            limit,
        ),
        ("no time", slow(), "deferred", limit),
        (
            "ten years",
            slow().with("Retry-After", "315360000"),
            "deferred",
            limit,
        ),
        (
            "an object",
            Answer::error("429 Too Many Requests"),
            "deferred",
            limit,
        ),
        ("a notice in a 200", Answer::rdap(notice), "deferred", ""),
        (
            "403",
            Answer::html("403 Forbidden"),
            "deferred",
            "refused to answer us (HTTP 403)",
        ),
        (
            "500",
            Answer::html("500 Oh"),
            "deferred",
            "fault of the server (HTTP 500)",
        ),
        (
            "502",
            Answer::html("502 Oh"),
            "deferred",
            "fault of the server (HTTP 502)",
        ),
        (
            "503",
            Answer::html("503 Oh"),
            "deferred",
            "out of service (HTTP 503)",
        ),
        (
            "a page for an answer",
            Answer::html("200 OK"),
            "deferred",
            "a web page instead",
        ),
    ])
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_faulty_answer_is_later_and_never_nothing() {
    let cases = [
        (
            "no answer",
            Answer::rdap(desk()).by(How::Never),
            "no answer in 1.5 s",
        ),
        (
            "half a head",
            Answer::rdap(desk()).by(How::HalfHead),
            "no answer in 1.5 s",
        ),
        (
            "a stall",
            Answer::rdap(desk()).by(How::Stalled),
            "half an answer in 1.5 s",
        ),
        (
            "a trickle",
            Answer::rdap(desk()).by(How::Trickled),
            "half an answer in 1.5 s",
        ),
        (
            "a cut",
            Answer::rdap(desk()).by(How::Cut),
            "the answer broke off",
        ),
        ("a reset", Answer::rdap(desk()).by(How::Reset), "broke"),
        (
            "a false length",
            Answer::rdap(desk()).by(How::Lie),
            "the answer broke off",
        ),
        ("20 MiB", Answer::rdap(bomb(20 << 20)), "longer than 1 MiB"),
        (
            "a bomb",
            Answer::rdap(bomb(20 << 20)).by(How::Gzipped),
            "longer than 1 MiB",
        ),
        (
            "no end",
            Answer::rdap(bomb(1 << 16)).by(How::Endless),
            "longer than 1 MiB",
        ),
        ("half an object", Answer::rdap(&desk()[..99]), ""),
        ("an array", Answer::rdap("[]"), ""),
        (
            "bytes",
            Answer::rdap([0, 159, 146, 150]),
            "something else than JSON",
        ),
        ("nothing", Answer::rdap(""), "an empty answer"),
        (
            "501",
            Answer::error("501 Not Implemented"),
            "no answer, but HTTP 501",
        ),
    ];
    for (name, answer, words) in cases {
        let (said, registry) = said_of(name, &[answer]).await;
        assert!(said.contains(words), "{name}: {said}");
        assert!(said.contains("\"verdict\":\"deferred\""), "{name}: {said}");
        assert!(!said.contains("knows no network"), "{name}: {said}");
        assert_eq!(registry.paths(), [PATH], "{name}");
    }
}

/// Entities in entities, the innermost with a contact.
fn nested(depth: usize) -> String {
    let open =
        r#"{"objectClassName": "entity", "roles": ["registrant"], "entities": ["#.repeat(depth);
    let network = desk();
    let (head, _) = network.split_once("\"entities\"").unwrap();
    format!("{head}\"entities\": [{open}{}]}}", "]}".repeat(depth))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redirect_is_followed_to_whom_it_may_concern() {
    let world = World::on_sqlite().await;
    let (registry, other) = (Registry::start(2).await, Registry::start(3).await);
    bootstrap(&world, &registry, &other);
    let there = other.url("/x/ip/203.0.113.5");
    registry.answers(PATH, Answer::redirect("302 Found", &there));
    other.answers(
        "/x/ip/203.0.113.5",
        Answer::redirect("307 There", "/rdap/y"),
    );
    other.answers("/y", Answer::rdap(desk()));
    let ran = look(&world, ASKED);
    assert!(ran.out.contains("abuse@isp.example"), "{ran:?}");
    assert_eq!(registry.paths(), [PATH]);
    assert_eq!(other.paths(), ["/x/ip/203.0.113.5", "/y"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redirect_leads_neither_in_circles_nor_inside() {
    for (to, words) in [
        (
            "http://192.0.2.1/rdap/ip/203.0.113.5",
            "which is no https URL",
        ),
        (
            "http://rdap.isp.example/ip/203.0.113.5",
            "which is no https URL",
        ),
        ("ftp://127.0.0.2/ip", "which is no https URL"),
        (
            "https://10.0.0.1/ip/203.0.113.5",
            "10.0.0.1, which is no public address",
        ),
        (
            "https://169.254.169.254/latest",
            "169.254.169.254, which is no public address",
        ),
        ("https://[fd00::1]/", "fd00::1, which is no public address"),
        ("https://", "sent on to"),
        ("/rdap/ip/203.0.113.5", "each server refers to another"),
    ] {
        let (said, registry) = said_of(to, &[Answer::redirect("301 Moved", to)]).await;
        assert!(said.contains(words), "{to}: {said}");
        assert!(said.contains("\"verdict\":\"deferred\""), "{to}: {said}");
        assert_eq!(registry.paths(), [PATH], "{to}");
    }
    let world = World::on_sqlite().await;
    let (registry, other) = (Registry::start(2).await, Registry::start(3).await);
    bootstrap(&world, &registry, &other);
    registry.answers(PATH, Answer::redirect("302 Found", &registry.url("/1")));
    for hop in 1..10 {
        let next = registry.url(&format!("/{}", hop + 1));
        registry.answers(&format!("/{hop}"), Answer::redirect("302 Found", &next));
    }
    let ran = look(&world, ASKED);
    assert!(ran.out.contains("each server refers to another"), "{ran:?}");
    assert_eq!(registry.paths(), [PATH, "/1", "/2", "/3", "/4", "/5"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_longest_match_of_the_lists_is_asked() {
    let world = World::on_sqlite().await;
    let (registry, other) = (Registry::start(2).await, Registry::start(3).await);
    bootstrap(&world, &registry, &other);
    for subject in ["203.0.113.5", "2001:db8::5", "AS64500"] {
        look(&world, subject);
    }
    for subject in ["198.51.100.5", "2001:db8:1::5", "AS64497"] {
        look(&world, subject);
    }
    let asked = ["/ip/203.0.113.5", "/ip/2001:db8::5", "/autnum/64500"];
    assert_eq!(registry.paths(), asked);
    let asked = ["/ip/198.51.100.5", "/ip/2001:db8:1::5", "/autnum/64497"];
    assert_eq!(other.paths(), asked);
    let head = &registry.asked()[0].head.to_ascii_lowercase();
    assert!(head.contains("accept: application/rdap+json"), "{head}");
    assert!(head.contains("user-agent: lapwing/"), "{head}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wider_than_a_block_or_elsewhere_is_no_network() {
    let all = "ffff:ffff:ffff:ffff:ffff:ffff:ffff";
    for (asked, first, last) in [
        (ASKED, "0.0.0.0", "255.255.255.255"),
        (ASKED, "202.0.0.0", "203.255.255.255"),
        (ASKED, "198.51.100.0", "198.51.100.255"),
        (ASKED, "2001:db8::", "2001:db8::ffff"),
        ("2001:db8::5", "::", &format!("ffff:{all}")),
        ("2001:db8::5", "2000::", &format!("2001:{all}")),
        ("2001:db8::5", "2001:db8:1::", "2001:db8:1::ffff"),
    ] {
        let world = World::on_sqlite().await;
        let (registry, other) = (Registry::start(2).await, Registry::start(3).await);
        bootstrap(&world, &registry, &other);
        let desk = mailbox("abuse@isp.example");
        let version = if first.contains(':') { "v6" } else { "v4" };
        let answer = network(first, last, &desk).replace("v4", version);
        registry.answers(&format!("/ip/{asked}"), Answer::rdap(answer));
        let ran = look(&world, asked);
        assert!(
            ran.out.contains("\"verdict\":\"unresolved\""),
            "{first}: {ran:?}"
        );
        assert!(!ran.out.contains("abuse@isp.example"), "{first}: {ran:?}");
        let stored = world.store.outlines(0, 10, |_| Ok(())).await.unwrap();
        assert_eq!(stored, None);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_has_named_a_limit_is_left_alone() {
    let world = World::on_sqlite().await;
    let (registry, other) = (Registry::start(2).await, Registry::start(3).await);
    bootstrap(&world, &registry, &other);
    let slow = Answer::html("429 Too Many Requests").with("Retry-After", "3600");
    registry.limit_after(2, slow);
    for (asked, verdict) in [
        ("203.0.113.5", "unresolved"),
        ("2001:db8:5::1", "unresolved"),
        ("AS64500", "deferred"),
        ("2001:db8:6::1", "deferred"),
        ("2001:db8:7::1", "deferred"),
    ] {
        let ran = look(&world, asked);
        let verdict = format!("\"verdict\":\"{verdict}\"");
        assert!(ran.out.contains(&verdict), "{asked}: {ran:?}");
    }
    assert_eq!((registry.asked().len(), registry.limited()), (3, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_are_few_and_used_again() {
    let world = World::on_sqlite().await;
    let (registry, other) = (Registry::start(2).await, Registry::start(3).await);
    bootstrap(&world, &registry, &other);
    // Sixteen networks of sixteen addresses.
    other.otherwise(|path| {
        let last: u8 = path.split('/').nth(2)?.rsplit('.').next()?.parse().ok()?;
        let (first, last) = (last & 0xf0, last | 0x0f);
        let ends = [first, last].map(|last| format!("198.51.100.{last}"));
        let desk = mailbox(&format!("abuse@net{first}.example"));
        Some(Answer::rdap(network(&ends[0], &ends[1], &desk)))
    });
    let feed: Vec<String> = (0..=255)
        .step_by(4)
        .map(|n| format!("198.51.100.{n}"))
        .collect();
    world.feed(&feed.join("\n")).await;
    let ran = run(&world, &["resolve", "trial"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    let connections = other.connections();
    assert_eq!(other.asked().len(), 16, "{:?}", other.paths());
    assert!(connections.total <= 2, "{connections:?}");
    assert!(other.most_within(Duration::from_millis(1)) <= 2);
    let places = world.places().await;
    assert_eq!(places.len(), 64);
    assert_eq!(places[5], "198.51.100.20 abuse@net16.example");
}
