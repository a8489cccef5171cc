//! Asking over WHOIS, told through the program: what servers answer, and what staff see of it.

use std::process::Command;
use std::time::Duration;

use crate::fake::whois::{NOTHING, Script, Whois, nobody};
use crate::world::{Ran, World};

/// Where each registry's space lies in these stories.
const RIPES: &str = "203.0.113.5";
const ARINS: &str = "192.0.2.5";
const LACNICS: &str = "198.51.100.5";

/// A world with registries, each on an address of its own.
struct Globe {
    world: World,
    iana: Whois,
    ripe: Whois,
    arin: Whois,
    lacnic: Whois,
    /// A provider's, which no configuration names.
    isp: Whois,
}

impl Globe {
    async fn new() -> Self {
        let globe = Self {
            world: World::on_sqlite().await,
            iana: Whois::at("127.0.0.1"),
            ripe: Whois::at("127.0.0.2"),
            arin: Whois::at("127.0.0.3"),
            lacnic: Whois::at("127.0.0.4"),
            isp: Whois::at("127.0.0.5"),
        };
        for (name, ours) in [
            (
                "ipv4.json",
                ["203.0.113.0/24", "192.0.2.0/24", "198.51.100.0/24"],
            ),
            (
                "ipv6.json",
                ["2001:db8::/32", "3fff::/20", "2001:db8:1::/48"],
            ),
            ("asn.json", ["64496-64499", "64500-64505", "64506-64511"]),
        ] {
            let lists = serde_json::json!({
                "version": "1.0",
                "publication": "2026-11-01T00:00:00Z",
                "services": [
                    [[ours[0]], ["https://rdap.db.ripe.net/"]],
                    [[ours[1]], ["https://rdap.arin.net/registry/"]],
                    [[ours[2]], ["https://rdap.lacnic.net/rdap/"]],
                ],
            });
            std::fs::write(globe.world.dir().join(name), lists.to_string()).unwrap();
        }
        globe
    }

    fn lookup(&self, subject: &str) -> Ran {
        self.lookup_within(subject, "127.0.0.0/8")
    }

    fn lookup_within(&self, subject: &str, reach: &str) -> Ran {
        let mut program = Command::new(env!("CARGO_BIN_EXE_lapwing"));
        program
            .args(["lookup", subject, "--source", "whois", "--raw", "--json"])
            .current_dir(self.world.dir())
            .env("LAPWING_DATABASE_URL", &self.world.url)
            .env("LAPWING_RESOLVE__LADDER", "")
            .env("LAPWING_RESOLVE__REACH", reach)
            .env("LAPWING_RESOLVE__RDAP__BOOTSTRAP", self.world.dir())
            .env("LAPWING_RESOLVE__PATIENCE", "0s")
            .env("LAPWING_RESOLVE__WHOIS__TIMEOUT", "700ms")
            .env("LAPWING_RESOLVE__REGISTRY__OTHER__EVERY", "0s")
            .env("LAPWING_INTAKE__ALLOW_DOCUMENTATION", "true")
            .env("USER", "author");
        for (name, server) in [
            ("IANA", &self.iana),
            ("RIPE", &self.ripe),
            ("ARIN", &self.arin),
            ("LACNIC", &self.lacnic),
        ] {
            program
                .env(
                    format!("LAPWING_RESOLVE__REGISTRY__{name}__WHOIS"),
                    server.place(),
                )
                .env(format!("LAPWING_RESOLVE__REGISTRY__{name}__EVERY"), "0s");
        }
        tokio::task::block_in_place(|| program.output().unwrap()).into()
    }

    /// Everything that anybody was asked, in that order.
    fn asked(&self) -> Vec<String> {
        let all = [&self.iana, &self.ripe, &self.arin, &self.lacnic, &self.isp];
        let mut all: Vec<_> = all.iter().flat_map(|server| server.questions()).collect();
        all.sort_by_key(|question| question.order);
        all.iter().map(|question| question.line()).collect()
    }
}

/// The verdict, and whom it may be written to.
fn shown(name: &str, ran: &Ran) -> String {
    assert!([0, 4, 6].contains(&ran.code), "{name}: {ran:?}");
    let line = ran.out.lines().next().unwrap_or_default();
    let one: serde_json::Value = serde_json::from_str(line).unwrap_or_default();
    let mut shown = one["verdict"].as_str().unwrap_or_default().to_owned();
    for rung in one["rungs"].as_array().into_iter().flatten() {
        shown = format!("{shown} {}", rung["mailbox"].as_str().unwrap_or_default());
    }
    shown
}

/// A network of RIPE's with its desk, and the line that ends the answer.
fn ripe(desk: &str) -> String {
    format!(
        "% This is the RIPE Database query service.\n\n\
         % Abuse contact for '203.0.113.0 - 203.0.113.255' is '{desk}'\n\n\
         inetnum:        203.0.113.0 - 203.0.113.255\n\
         netname:        TEST-NET\n\
         country:        FR\n\
         source:         RIPE\n\n\
         % This query was served by the Test Database Query Service version 1.0\n\n"
    )
}

/// A network of ARIN's: its size, its lines about contacts and referrals.
fn arin(lines: &str) -> String {
    format!(
        "\n# ARIN WHOIS data and services are subject to the Terms of Use\n\n\
         NetRange:       192.0.2.0 - 192.0.2.255\n\
         CIDR:           192.0.2.0/24\n\
         NetName:        TEST-NET\n\
         NetHandle:      NET-192-0-2-0-1\n\
         NetType:        Direct Allocation\n\
         Organization:   Example Carrier (EX-1)\n\
         {lines}\n\n\
         OrgName:        Example Carrier\n\
         OrgId:          EX-1\n\
         Country:        US\n\n"
    )
}

const ARINS_DESK: &str = "\n\nOrgAbuseHandle: ABUSE1-ARIN\nOrgAbuseEmail:  abuse@carrier.example\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_is_an_answer_and_all_else_is_later() {
    let desk = ripe("abuse@isp.example");
    let bytes = desk.as_bytes().to_vec();
    let half = bytes[..bytes.len() / 2].to_vec();
    let long = |n: usize| {
        let line = format!("remarks:        {}\n", "x".repeat(n));
        desk.replace("source:", &format!("{line}source:"))
            .into_bytes()
    };
    let mut seed = 7_u32;
    let noise: Vec<u8> = std::iter::repeat_with(|| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 24) as u8
    })
    .take(4096)
    .collect();
    let found = "matched abuse@isp.example";
    let limited = |line: &str| {
        Script::says(&format!(
            "% This is the RIPE Database query service.\n\n{line}\n\n% This query was served by the Test Database Query Service\n"
        ))
    };
    for (name, script, expected) in [
        ("plain", Script::Says(bytes.clone()), found),
        ("CR LF", Script::says(&desk.replace('\n', "\r\n")), found),
        (
            "CR CR LF",
            Script::says(&desk.replace('\n', "\r\r\n")),
            found,
        ),
        (
            "a mark of UTF-8",
            Script::says(&format!("\u{feff}{desk}")),
            found,
        ),
        (
            "NUL between",
            Script::says(&desk.replace("netname", "\0\0netname")),
            found,
        ),
        ("a long line that fits", Script::Says(long(900_000)), found),
        ("nothing found", Script::says(NOTHING), "unresolved"),
        (
            "no contact",
            Script::says(&ripe("x").replace("is 'x'", "is none")),
            "unresolved",
        ),
        (
            "another mailbox by a line break",
            Script::says(&ripe("abuse@isp.example\r\nBcc: b@evil.example")),
            found,
        ),
        (
            "limit 201",
            limited("%ERROR:201: access denied for 192.0.2.9"),
            "deferred",
        ),
        (
            "limit 305",
            limited("%ERROR:305: connection has been closed"),
            "deferred",
        ),
        (
            "limit 306",
            limited("%ERROR:306: connections exceeded"),
            "deferred",
        ),
        (
            "limit with a no match",
            limited("No match found\nQuery rate limit exceeded"),
            "deferred",
        ),
        ("never a word", Script::Stalls(Vec::new()), "deferred"),
        (
            "half, then silence",
            Script::Stalls(half.clone()),
            "deferred",
        ),
        (
            "all, then silence",
            Script::Stalls(bytes.clone()),
            "deferred",
        ),
        ("half, then closed", Script::Says(half.clone()), "deferred"),
        ("half, then reset", Script::Resets(half), "deferred"),
        ("reset", Script::Resets(Vec::new()), "deferred"),
        ("hung up", Script::HangsUp, "deferred"),
        (
            "a byte at a time",
            Script::Trickles(bytes, Duration::from_millis(50)),
            "deferred",
        ),
        ("empty", Script::Says(Vec::new()), "deferred"),
        ("only line ends", Script::says("\r\n\r\n"), "deferred"),
        ("5 MiB on a line", Script::Says(long(5 << 20)), "deferred"),
        (
            "16 MiB",
            Script::Says(desk.repeat((16 << 20) / desk.len()).into_bytes()),
            "deferred",
        ),
        (
            "without end",
            Script::Forever(desk.clone().into_bytes()),
            "deferred",
        ),
        ("NULs", Script::Says(vec![0; 4096]), "deferred"),
        ("noise", Script::Says(noise), "deferred"),
    ] {
        let globe = Globe::new().await;
        globe.ripe.on(&format!("-r {RIPES}"), script);
        let ran = globe.lookup(RIPES);
        assert_eq!(shown(name, &ran), expected, "{name}: {}", ran.err);
        assert_eq!(
            globe.ripe.questions()[0].raw,
            b"-r 203.0.113.5\r\n",
            "{name}"
        );
        assert_eq!(globe.asked().len(), 1, "{name}");
        // Nothing is asked again before its time, whatever the answer was.
        assert_eq!(shown(name, &globe.lookup(RIPES)), expected, "{name}");
        assert_eq!(globe.asked().len(), 1, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_registry_is_asked_in_its_own_words() {
    let globe = Globe::new().await;
    for subject in [
        RIPES,
        ARINS,
        LACNICS,
        "AS64496",
        "AS64500",
        "2001:DB8::5",
        "AS64512",
    ] {
        globe.lookup(subject);
    }
    assert_eq!(
        globe.asked(),
        [
            "-r 203.0.113.5",
            "n + 192.0.2.5",
            "198.51.100.5",
            "-r AS64496",
            "a + 64500",
            "-r 2001:db8::5",
            "AS64512",
        ]
    );
    assert_eq!(globe.iana.lines(), ["AS64512"], "whose it is nobody says");
    let all = [&globe.iana, &globe.ripe, &globe.arin, &globe.lacnic];
    for question in all.iter().flat_map(|server| server.questions()) {
        assert!(question.raw.ends_with(b"\r\n"));
        assert_eq!(
            question.raw.iter().filter(|byte| **byte == b'\n').count(),
            1
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn referrals_are_followed_and_cost_nothing() {
    let kept = "matched abuse@carrier.example";
    let desk = |mailbox: &str| ripe(mailbox).replace("203.0.113", "192.0.2");
    // In ARIN's answer, {ripe}, {arin}, {isp} and {dead} stand for servers.
    for (name, arins, ripes, isps, expected, questions) in [
        (
            "elsewhere",
            "ReferralServer: whois://{ripe}",
            &*desk("abuse@isp.example"),
            "",
            "matched abuse@isp.example",
            2,
        ),
        (
            "by its bare name",
            "ReferralServer: {ripe}",
            &*desk("abuse@isp.example"),
            "",
            "matched abuse@isp.example",
            2,
        ),
        (
            "elsewhere knows nothing",
            "ReferralServer: whois://{ripe}",
            NOTHING,
            "",
            "unresolved",
            2,
        ),
        (
            "elsewhere is limited",
            "ReferralServer: whois://{ripe}",
            "%ERROR:201: access denied",
            "",
            "deferred",
            2,
        ),
        (
            "and back",
            "ReferralServer: whois://{ripe}",
            "refer: {arin}\n",
            "",
            "deferred",
            2,
        ),
        (
            "to itself",
            "ReferralServer: whois://{arin}{desk}",
            "",
            "",
            kept,
            1,
        ),
        (
            "dead port",
            "ReferralServer: whois://{dead}{desk}",
            "",
            "",
            kept,
            1,
        ),
        (
            "dead rwhois",
            "ReferralServer: rwhois://{dead}{desk}",
            "",
            "",
            kept,
            1,
        ),
        (
            "empty rwhois",
            "ReferralServer: rwhois://{isp}{desk}",
            "",
            "%rwhois V-1.5:003fff:00 test\n%ok\n",
            kept,
            2,
        ),
        (
            "rwhois of something else",
            "ReferralServer: rwhois://{isp}{desk}",
            "",
            "%rwhois V-1.5:003fff:00 test\nnetwork:IP-Network:198.51.100.0/29\nnetwork:Abuse-Contact;I:b@customer.example\n%ok\n",
            kept,
            2,
        ),
        (
            "rwhois with a handle",
            "ReferralServer: rwhois://{isp}{desk}",
            "",
            "%rwhois V-1.5:003fff:00 test\nnetwork:IP-Network:192.0.2.0/29\nnetwork:Abuse-Contact;I:ABUSE2-ARIN\n%ok\n",
            kept,
            2,
        ),
        (
            "rwhois with a desk",
            "ReferralServer: rwhois://{isp}{desk}",
            "",
            "%rwhois V-1.5:003fff:00 test\nnetwork:IP-Network:192.0.2.0/29\nnetwork:Abuse-Contact;I:b@customer.example\n%ok\n",
            "matched b@customer.example",
            2,
        ),
        (
            "inside",
            "ReferralServer: whois://10.0.0.1{desk}",
            "",
            "",
            kept,
            1,
        ),
        (
            "link-local",
            "ReferralServer: whois://169.254.169.254:43{desk}",
            "",
            "",
            kept,
            1,
        ),
        (
            "port 25",
            "ReferralServer: whois://mail.isp.example:25{desk}",
            "",
            "",
            kept,
            1,
        ),
        (
            "port 0",
            "ReferralServer: whois://whois.isp.example:0{desk}",
            "",
            "",
            kept,
            1,
        ),
        (
            "a line break in it",
            "ReferralServer: whois://whois.isp.example\r-B{desk}",
            "",
            "",
            kept,
            1,
        ),
    ] {
        let globe = Globe::new().await;
        let dead = nobody("127.0.0.6");
        let fill = |text: &str| {
            text.replace("{ripe}", &globe.ripe.place())
                .replace("{arin}", &globe.arin.place())
                .replace("{isp}", &globe.isp.place())
                .replace("{dead}", &dead)
                .replace("{desk}", ARINS_DESK)
        };
        let arins = fill(&arin(arins));
        globe.arin.otherwise(Script::says(&arins));
        globe.ripe.otherwise(Script::says(&fill(ripes)));
        globe.isp.otherwise(Script::says(isps));
        let ran = globe.lookup(ARINS);
        assert_eq!(shown(name, &ran), expected, "{name}: {}", ran.out);
        assert_eq!(
            globe.asked().len(),
            questions,
            "{name}: {:?}",
            globe.asked()
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn iana_says_who_knows() {
    let globe = Globe::new().await;
    globe.iana.otherwise(Script::says(&format!(
        "% IANA WHOIS server\n\nrefer:        {}\n\ninetnum:      203.0.0.0 - 203.255.255.255\norganisation: RIPE NCC\nstatus:       ALLOCATED\n\nsource:       IANA\n",
        globe.ripe.place()
    )));
    let desk = ripe("abuse@isp.example");
    globe.ripe.on("-r 203.0.113.5", Script::says(&desk));
    // No list names its registry.
    std::fs::write(
        globe.world.dir().join("ipv4.json"),
        r#"{"version": "1.0", "publication": "2026-11-01T00:00:00Z", "services": [[["192.0.2.0/24"], ["https://rdap.arin.net/registry/"]]]}"#,
    )
    .unwrap();
    assert_eq!(
        shown("iana", &globe.lookup(RIPES)),
        "matched abuse@isp.example"
    );
    assert_eq!(globe.asked(), ["203.0.113.5", "-r 203.0.113.5"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lacnics_desk_is_asked_for_by_its_handle() {
    let network = "% LACNIC resource: whois.lacnic.net\n\ninetnum:     198.51.100.0/24\nstatus:      allocated\nowner:       Example SA\nownerid:     AR-EXSA-LACNIC\ncountry:     AR\nowner-c:     OWN\ntech-c:      TEC\nabuse-c:     ABC\n\nnic-hdl:     TEC\nperson:      Technician\ne-mail:      tech@isp.example\n\n";
    let desk = "% LACNIC resource: whois.lacnic.net\n\nnic-hdl:     ABC\nperson:      Abuse Desk\ne-mail:      abuse@isp.example\ncountry:     AR\n\n";
    for (name, person, expected) in [
        ("a desk", Script::says(desk), "matched abuse@isp.example"),
        (
            "limited",
            Script::says("% Query rate limit exceeded. Reduced information.\n"),
            "deferred",
        ),
        ("cut off", Script::Resets(Vec::new()), "deferred"),
    ] {
        let globe = Globe::new().await;
        globe
            .lacnic
            .on(LACNICS, Script::says(network))
            .on("ABC", person);
        let said = shown(name, &globe.lookup(LACNICS));
        assert!(said.starts_with(expected), "{name}: {said}");
        assert_eq!(globe.asked(), [LACNICS, "ABC"], "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_on_this_machine_is_asked_unless_configured() {
    let globe = Globe::new().await;
    globe
        .ripe
        .otherwise(Script::says(&ripe("abuse@isp.example")));
    let ran = globe.lookup_within(RIPES, "");
    assert_eq!(shown("loopback", &ran), "deferred", "{ran:?}");
    assert_eq!(globe.asked(), [""; 0]);
}
