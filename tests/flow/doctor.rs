//! Before a live campaign: what the doctor finds of settings, key, mail domain and relay.

use std::net::UdpSocket;
use std::process::Command;

use lapwing::config::{Config, Mode, Security, Transport};
use lapwing::doctor::{self, Area, Grade, Report};
use lapwing::model::Span;
use lapwing::openpgp::{self, Wanted};
use lapwing::sink::{Options, Sink};

use crate::fake::dns::{Answer, Dns, SERVFAIL};
use crate::story;
use crate::world::{Ran, START, World};

/// All as it should be.
const ZONE: &str = "
coalition.example TXT v=spf1 ip4:192.0.2.25 -all
coalition.example TXT some-site-verification=1
coalition.example MX 10 mx.coalition.example
mx.coalition.example A 192.0.2.26
_dmarc.coalition.example TXT v=DMARC1; p=reject; rua=mailto:dmarc@coalition.example
mail._domainkey.coalition.example TXT v=DKIM1; k=rsa; p=KEY2048
25.2.0.192.in-addr.arpa PTR mail.coalition.example
mail.coalition.example A 192.0.2.25
";

/// The public halves of RSA keys.
const KEYS: [(&str, &str); 4] = [
    (
        "KEY512",
        "MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAKoGDL1R7qxgJQ/OlvGCCcbdpEw47F3XDvjp0nNd3d/YEbF+0mVJfuyivhlmwqM7xeMKSU/KsqWZQLFx4W51M4UCAwEAAQ==",
    ),
    (
        "KEY1024",
        "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQC1wKfhtanZ/ajr4+yB8cE2lnrTJVsxKXo4FwfLOSNiaAFY6OckrU01z7IQKJcO4i//GZUi5xPMNmPotiJ81Adl9wUXY7cXVI8t0plpcKr1zqR/UMlDiXklxMOXLOYxWT+Aea5J0mkbiao8OSENK4nu9QwqGPoEXU6n7K8lORYoVQIDAQAB",
    ),
    (
        "KEY2048",
        "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEArLeidS13GMiFY95tgYb0lkqVejauWN6rLqzN3unc/MNelLI1rljdHTXQm8pdSGktjwBa9zxorXaNfsfhZbVNqIN4VM3KMlPnBYo9iDzQkkBnfnshcs6qH0bb47WOx9ZeyBScr3Gsq+UJc5GCSvD8PN3Kg2tvpywhfU79NytcdWslUeDvGd4gRJz/KbjcXR+KeOfhq5cLy1XvwEXJBBpaRjXow02URGNbeoARule3zo/gZiI+G48ALc1tWdGa4fja3F2ODbDLedm2RFoXLbOY/qftCqykY+wmbrgWAhLZHDdgKEbQYAqG8y2rfM368SZXtFdPcAYxuXClxZ2zDodvnQIDAQAB",
    ),
    ("KEY25519", "Hg+W9czsja0tVOFbHoGpQhCIcMDqqxrBIKymSSH0eJQ="),
];

fn serve(zone: &str) -> Dns {
    let mut zone = zone.to_owned();
    for (name, key) in KEYS {
        zone = zone.replace(name, key);
    }
    let server = Dns::at("127.0.0.1");
    server.zone(&zone);
    server
}

/// The settings for a live campaign whose DNS this server tells.
fn live(world: &World, server: &str) -> Config {
    let mut config = world.config.clone();
    config.mode = Mode::Live;
    config.sender.verify = "https://coalition.example/letters".to_owned();
    config.doctor.resolver = server.to_owned();
    config.doctor.timeout = Span::seconds(4);
    config.doctor.relay_addresses = vec!["192.0.2.25".parse().unwrap()];
    config.doctor.dkim_selectors = vec!["mail".to_owned()];
    config
}

async fn outside(config: &Config) -> Report {
    doctor::examine(config, START, &[Area::Domain, Area::Relay]).await
}

/// What is not in order, a line each.
fn amiss(report: &Report) -> Vec<String> {
    let amiss = report.findings.iter();
    let amiss = amiss.filter(|one| one.grade != Grade::Ok);
    amiss
        .map(|one| {
            let grade = format!("{:?}", one.grade).to_lowercase();
            format!("{grade} {}: {}; {}", one.check, one.said, one.remedy)
        })
        .collect()
}

/// The one thing that is amiss begins and goes on so.
#[track_caller]
fn only(report: &Report, expected: &str, why: &str) {
    let amiss = amiss(report);
    let mut parts = expected.split(" … ");
    let begins = parts.next().unwrap_or_default();
    let is_so = amiss.len() == 1
        && amiss[0].starts_with(begins)
        && parts.all(|part| amiss[0].contains(part));
    assert!(is_so, "{why}\nexpected: {expected}\nfound: {amiss:#?}");
}

/// Each spoils one thing: what stands in the zone, what instead, and what is found.
const SPOILT: [(&str, &str, &str); 34] = [
    // SPF.
    (
        "coalition.example TXT v=spf1 ip4:192.0.2.25 -all",
        "",
        "mend spf: coalition.example … has no SPF record … v=spf1 ip4:192.0.2.25 -all",
    ),
    (
        "some-site-verification=1",
        "v=spf1 a -all",
        "mend spf-record: coalition.example has 2 SPF records",
    ),
    (
        "ip4:192.0.2.25 -all",
        "ip4:192.0.2.300 -all",
        "mend spf-record: the SPF record of coalition.example cannot be read at ip4:192.0.2.300",
    ),
    (
        "ip4:192.0.2.25 -all",
        "ip4:192.0.2.99 -all",
        "mend spf-relay: SPF says fail … from 192.0.2.25, … ; put ip4:192.0.2.25 into",
    ),
    (
        "ip4:192.0.2.25 -all",
        "~all",
        "warn spf-relay: SPF says softfail … put ip4:192.0.2.25 into",
    ),
    (
        "ip4:192.0.2.25 -all",
        "ip4:192.0.2.99",
        "warn spf-relay: SPF says neutral",
    ),
    ("ip4:192.0.2.25 -all", "a:mail.coalition.example -all", ""),
    (
        "ip4:192.0.2.25 -all",
        "include:coalition.example -all",
        "mend spf-record: … coalition.example includes coalition.example again",
    ),
    (
        "ip4:192.0.2.25 -all",
        "ip4:192.0.2.25 include:round.example -all\nround.example TXT v=spf1 redirect=coalition.example",
        "warn spf-record: … coalition.example includes round.example includes coalition.example again",
    ),
    (
        "ip4:192.0.2.25 -all",
        "include:gone.example -all",
        "mend spf-record: … it includes gone.example, which has no SPF record",
    ),
    (
        "ip4:192.0.2.25 -all",
        "ip4:192.0.2.25 include:odd.example -all\nodd.example TXT v=spf1 ip5:1 -all",
        "warn spf-record: … it includes odd.example, whose record cannot be read",
    ),
    (
        "ip4:192.0.2.25 -all",
        "a:a.example a:b.example a:c.example a:d.example a:e.example a:f.example mx:g.example mx:h.example exists:i.example ptr a:j.example -all",
        "mend spf-record: … more than 10 lookups … ip4:",
    ),
    (
        "ip4:192.0.2.25 -all",
        "ip4:192.0.2.25 include:%{d}.gone.example -all",
        "warn spf-record: … something that it names leads to no record",
    ),
    (
        "ip4:192.0.2.25 -all",
        "ip4:192.0.2.25 +all",
        "warn spf-all: the SPF record of coalition.example lets everybody send",
    ),
    // DMARC.
    (
        "_dmarc.coalition.example TXT v=DMARC1; p=reject; rua=mailto:dmarc@coalition.example",
        "",
        "warn dmarc: coalition.example has no DMARC record … _dmarc.coalition.example TXT",
    ),
    ("p=reject", "p=none", ""),
    (
        "p=reject",
        "p=shrug",
        "mend dmarc: the DMARC record of coalition.example cannot be read",
    ),
    (
        "mail._domainkey.coalition.example TXT",
        "_dmarc.coalition.example TXT v=DMARC1; p=none\nmail._domainkey.coalition.example TXT",
        "mend dmarc: _dmarc.coalition.example has more than one",
    ),
    // DKIM.
    (
        "p=KEY2048",
        "p=",
        "mend dkim: the DKIM key at mail._domainkey.coalition.example is revoked",
    ),
    (
        "mail._domainkey",
        "other._domainkey",
        "mend dkim: there is no DKIM key at mail._domainkey.coalition.example; publish",
    ),
    ("KEY2048", "KEY512", "mend dkim: … RSA of 512 bits"),
    ("KEY2048", "KEY1024", "warn dkim: … RSA of 1024 bits"),
    ("k=rsa; p=KEY2048", "k=ed25519; p=KEY25519", ""),
    (
        "k=rsa; p=KEY2048",
        "k=rsa; t=y; p=KEY2048",
        "warn dkim: … says t=y",
    ),
    ("p=KEY2048", "p=AAAA", "mend dkim: … cannot be read"),
    (
        "mail._domainkey.coalition.example TXT v=DKIM1; k=rsa; p=KEY2048",
        "mail._domainkey.coalition.example TXT v=DKIM1; p=KEY2048\nmail._domainkey.coalition.example TXT x",
        "mend dkim: … has 2 records",
    ),
    // PTR.
    (
        "25.2.0.192.in-addr.arpa PTR mail.coalition.example",
        "",
        "mend ptr: 192.0.2.25 has no name",
    ),
    (
        "mail.coalition.example A 192.0.2.25",
        "mail.coalition.example A 192.0.2.77",
        "mend ptr: 192.0.2.25 is called mail.coalition.example … does not lead back",
    ),
    (
        "mail.coalition.example A 192.0.2.25",
        "",
        "mend ptr: 192.0.2.25 is called mail.coalition.example … does not lead back",
    ),
    // MX.
    (
        "MX 10 mx.coalition.example",
        "MX 0 .",
        "mend mx: coalition.example … takes no mail (a null MX",
    ),
    (
        "mx.coalition.example A 192.0.2.26",
        "",
        "mend mx: bounces to coalition.example cannot arrive: mx.coalition.example has no address",
    ),
    (
        "coalition.example MX 10 mx.coalition.example",
        "",
        "mend mx: … neither MX record nor address",
    ),
    (
        "coalition.example MX 10 mx.coalition.example",
        "coalition.example A 192.0.2.26",
        "",
    ),
    (
        "mx.coalition.example A 192.0.2.26",
        "mx.coalition.example AAAA 2001:db8::26",
        "",
    ),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_fault_of_the_mail_domain_is_found_by_itself() {
    let world = World::on_sqlite().await;
    let server = serve(ZONE);
    let report = outside(&live(&world, &server.place())).await;
    assert_eq!(amiss(&report), Vec::<String>::new());
    assert!(report.findings.len() >= 7, "{report:#?}");
    for (from, to, expected) in SPOILT {
        assert_eq!(ZONE.matches(from).count(), 1, "{from}");
        let server = serve(&ZONE.replace(from, to));
        let report = outside(&live(&world, &server.place())).await;
        match expected {
            "" => assert_eq!(amiss(&report), Vec::<String>::new(), "{to}"),
            expected => only(&report, expected, to),
        }
    }
    assert!(world.sink.received().is_empty(), "no mail is sent");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_envelope_domain_of_its_own_is_looked_at_too() {
    let world = World::on_sqlite().await;
    let bounces = |domain: &str| {
        format!("{domain} TXT v=spf1 ip4:192.0.2.25 -all\n{domain} MX 10 mx.coalition.example\n")
    };
    let server = serve(
        &[
            ZONE,
            &bounces("b.coalition.example"),
            &bounces("sender.example"),
        ]
        .concat(),
    );
    let mut config = live(&world, &server.place());
    config.sender.bounce_domain = "b.coalition.example".to_owned();
    assert_eq!(amiss(&outside(&config).await), Vec::<String>::new());

    // A domain of somebody else's: nothing but DKIM speaks for the From address.
    config.sender.bounce_domain = "Sender.example".to_owned();
    only(
        &outside(&config).await,
        "warn alignment: the envelope domain sender.example does not align with coalition.example (aspf=r): DKIM alone … sign by DKIM as coalition.example",
        "unaligned under reject",
    );

    let strict = ZONE.replace("p=reject", "p=reject; aspf=s");
    let server = serve(&[&strict, &*bounces("b.coalition.example")].concat());
    config.doctor.resolver = server.place();
    config.sender.bounce_domain = "b.coalition.example".to_owned();
    only(
        &outside(&config).await,
        "warn alignment: … (aspf=s) … sender.bounce_domain = \"coalition.example\"",
        "below, but strict",
    );

    // Answers may go elsewhere, too.
    let server = serve(&[ZONE, "desk.example MX 0 .\n"].concat());
    let mut config = live(&world, &server.place());
    config.sender.reply_to = "desk@desk.example".to_owned();
    only(
        &outside(&config).await,
        "mend mx: desk.example, where answers go",
        "nobody can answer",
    );

    // Without a record of its own the From domain is nobody's to guard.
    let alone = ZONE.replace("coalition.example TXT v=spf1 ip4:192.0.2.25 -all", "");
    let server = serve(&[&alone, &*bounces("b.coalition.example")].concat());
    let mut config = live(&world, &server.place());
    config.sender.bounce_domain = "b.coalition.example".to_owned();
    only(
        &outside(&config).await,
        "warn spf: coalition.example, which letters come from, has no SPF record",
        "the envelope has one",
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_answers_is_unknown() {
    let world = World::on_sqlite().await;
    // It takes questions and says nothing.
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let mut config = live(&world, &silent.local_addr().unwrap().to_string());
    config.doctor.timeout = "300ms".parse().unwrap();
    let report = outside(&config).await;
    let found = amiss(&report);
    assert!(
        found.iter().all(|one| one.starts_with("unknown ")),
        "{found:#?}"
    );
    for check in ["spf", "dmarc", "dkim", "mx", "ptr"] {
        let of = report.findings.iter().filter(|one| one.check == check);
        assert_eq!(of.count(), 1, "{check}: {report:#?}");
    }
    assert_eq!((report.mend, report.unknown), (0, 5));

    // A server that fails is no better; what it does say counts.
    let server = serve(ZONE);
    server.on("_dmarc.coalition.example", Answer::Code(SERVFAIL));
    only(
        &outside(&live(&world, &server.place())).await,
        "unknown dmarc: … ask again",
        "SERVFAIL",
    );

    config.doctor.resolver = "one.example".to_owned();
    only(
        &outside(&config).await,
        "mend resolver: doctor.resolver is",
        "no resolver",
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_relays_addresses_are_those_that_the_world_sees() {
    let world = World::on_sqlite().await;
    let server = serve(ZONE);
    let mut config = live(&world, &server.place());
    config.doctor.relay_addresses.clear();
    only(
        &outside(&config).await,
        "warn addresses: … not known: smtp.host is 127.0.0.1, … set doctor.relay_addresses",
        "loopback",
    );
    config.doctor.relay_addresses =
        vec!["192.0.2.25".parse().unwrap(), "10.0.0.25".parse().unwrap()];
    only(
        &outside(&config).await,
        "warn addresses: doctor.relay_addresses names 10.0.0.25, which the world never sees",
        "private",
    );

    // By IPv6, too.
    let pointer = "5.2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa";
    let sixth =
        format!("{pointer} PTR mail.coalition.example\nmail.coalition.example AAAA 2001:db8::25\n");
    let zone = ZONE.replace(" -all", " ip6:2001:db8::/64 -all");
    let sixth = serve(&[zone, sixth].concat());
    config.doctor.resolver = sixth.place();
    config.doctor.relay_addresses = vec![
        "192.0.2.25".parse().unwrap(),
        "2001:db8::25".parse().unwrap(),
    ];
    let report = outside(&config).await;
    assert_eq!(amiss(&report), Vec::<String>::new());
    assert!(
        report
            .findings
            .iter()
            .any(|one| one.said.starts_with("2001:db8::25 is mail")),
        "{report:#?}"
    );
    config.doctor.resolver = server.place();

    // Named by its host, it has all that the host has; nothing answers there, and that is said as well.
    config.doctor.relay_addresses.clear();
    config.smtp.host = "mail.coalition.example".to_owned();
    config.doctor.timeout = "900ms".parse().unwrap();
    let report = outside(&config).await;
    let pointer = report
        .findings
        .iter()
        .find(|one| one.check == "ptr")
        .unwrap();
    assert!(
        pointer
            .said
            .starts_with("192.0.2.25 is mail.coalition.example"),
        "{pointer:?}"
    );
    only(
        &report,
        "mend relay: relay mail.coalition.example:",
        "it is not there",
    );

    // Into a folder nothing is relayed, but the domain is looked at.
    let mut config = live(&world, &server.place());
    config.doctor.relay_addresses.clear();
    config.send.transport = Transport::Folder;
    let report = outside(&config).await;
    assert_eq!(amiss(&report), Vec::<String>::new());
    assert!(
        !report.findings.iter().any(|one| one.check == "ptr"),
        "{report:#?}"
    );
    assert!(
        report.findings.iter().any(|one| one.check == "spf"),
        "{report:#?}"
    );

    let mut config = live(&world, &server.place());
    config.doctor.dkim_selectors.clear();
    only(
        &outside(&config).await,
        "warn dkim: … not checked; set doctor.dkim_selectors",
        "no selector",
    );
    config.sender.address = world.config.sender.address.replace("coalition", "lapwing");
    config.sender.bounce_domain.clear();
    let asked = server.questions().len();
    let report = doctor::examine(&config, START, &[Area::Domain]).await;
    only(
        &report,
        "warn domain: the DNS is not asked about lapwing.example",
        "as shipped",
    );
    let asked = &server.questions()[asked..];
    assert!(
        asked.iter().all(|one| !one.name.contains("lapwing")),
        "{asked:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_relay_must_let_letters_in_as_the_settings_say() {
    let mut world = World::on_sqlite().await;
    let server = serve(ZONE);
    let relay = async |config: &Config| doctor::examine(config, START, &[Area::Relay]).await;
    let mut config = live(&world, &server.place());
    config.smtp.security = Security::Starttls;
    only(
        &relay(&config).await,
        "mend relay: relay 127.0.0.1: … STARTTLS … smtp.security",
        "not offered",
    );

    config.smtp.security = Security::None;
    config.smtp.username = "lapwing".to_owned();
    config.smtp.password = "s3cret".to_owned();
    only(
        &relay(&config).await,
        "mend relay: … login: … smtp.username",
        "no login offered",
    );
    let login = Some(("lapwing".to_owned(), "s3cret".to_owned()));
    let options = Options {
        login,
        ..Options::default()
    };
    world.sink = Sink::start(([127, 0, 0, 1], 0).into(), options)
        .await
        .unwrap();
    config.smtp.port = world.sink.address().port();
    let report = relay(&config).await;
    assert_eq!(amiss(&report), Vec::<String>::new());
    assert!(
        report
            .findings
            .iter()
            .any(|one| one.said.ends_with("lets lapwing in")),
        "{report:#?}"
    );
    config.smtp.password = "other".to_owned();
    let report = relay(&config).await;
    only(
        &report,
        "mend relay: … login: … smtp.password_file",
        "wrong password",
    );
    assert!(
        !format!("{report:?}").contains("other"),
        "a password is shown"
    );

    let port = world.sink.address().port();
    world.sink.stop().await;
    only(
        &relay(&config).await,
        &format!("mend relay: relay 127.0.0.1:{port}: connect: … may this machine reach it?"),
        "nobody there",
    );
    assert!(world.sink.received().is_empty(), "no mail is sent");
}

#[cfg(feature = "openpgp")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_key_must_serve_for_the_weeks_to_come() {
    let world = World::on_sqlite().await;
    let make = |name: &str, mailbox: &str, passphrase: &str, expires: Option<&str>| {
        let wanted = Wanted {
            name: "Example Coalition",
            mailbox: &mailbox.parse().unwrap(),
            passphrase,
            expires: expires.map(|span| span.parse().unwrap()),
        };
        let made = openpgp::make(&wanted, START.minus(Span::seconds(86_400))).unwrap();
        let file = world.dir().join(name);
        openpgp::keep(&made, &file).unwrap();
        file
    };
    let ours = "notices@coalition.example";
    let mut config = live(&world, "127.0.0.1:9");
    for (name, mailbox, passphrase, expires, expected) in [
        ("good", ours, "", Some("400d"), ""),
        ("for ever", ours, "", None, ""),
        (
            "soon",
            ours,
            "",
            Some("31d"),
            "warn key: the signing key expires on 2026-12-16",
        ),
        ("late", ours, "", Some("62d"), ""),
        (
            "over",
            ours,
            "",
            Some("1h"),
            "mend key: sign.key: … expired on 2026-11-15",
        ),
        (
            "locked",
            ours,
            "riddle",
            None,
            "mend key: sign.key: … is locked … sign.passphrase_file",
        ),
        (
            "other",
            "desk@other.example",
            "",
            None,
            "warn owner: the key is of … desk@other.example",
        ),
    ] {
        config.sign.key = make(name, mailbox, passphrase, expires);
        let report = doctor::examine(&config, START, &[Area::Key]).await;
        match expected {
            "" => assert_eq!(amiss(&report), Vec::<String>::new(), "{name}"),
            expected => only(&report, expected, name),
        }
    }
    config.sign.key = world.dir().join("absent");
    let report = doctor::examine(&config, START, &[Area::Key]).await;
    only(&report, "mend key: sign.key: … absent", "no such file");
    config.sign.key = Default::default();
    let report = doctor::examine(&config, START, &[Area::Key]).await;
    only(&report, "warn key: sign.key names no key", "none named");
    config.sign.key = world.dir().join("good");
    config.sign.required = false;
    let report = doctor::examine(&config, START, &[Area::Key]).await;
    only(
        &report,
        "warn required: sign.required is false",
        "unsigned allowed",
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settings_as_they_were_shipped_are_no_live_settings() {
    let world = World::on_sqlite().await;
    let look = async |config: &Config| doctor::examine(config, START, &[Area::Settings]).await;
    let mut config = live(&world, "127.0.0.1:9");
    config.database.url = world.url.clone();
    let report = look(&config).await;
    assert_eq!(amiss(&report), Vec::<String>::new());
    let shipped = lapwing::config::shipped().unwrap().sender;
    config.sender.name = shipped.name;
    only(&look(&config).await, "mend sender: sender.name is", "name");
    config.sender = live(&world, "").sender;
    config.sender.address = "other@lapwing.example".to_owned();
    only(
        &look(&config).await,
        "mend sender: sender.address is other@lapwing.example",
        "address",
    );
    config.mode = Mode::Test;
    let found = amiss(&look(&config).await);
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(
        found[0].starts_with("warn mode: mode is test: letters go to 127.0.0.1:"),
        "{found:?}"
    );
    assert!(
        found[1].starts_with("warn sender: sender.address"),
        "{found:?}"
    );

    config = live(&world, "");
    config.database.url = world.url.clone();
    config.send.redirect_to = "me@staff.example".to_owned();
    only(
        &look(&config).await,
        "warn mode: mode is live: letters go all to me@staff.example",
        "redirected",
    );
    config.send.redirect_to.clear();
    config.mode = Mode::Test;
    config.smtp.host = "mx.example".to_owned();
    only(
        &look(&config).await,
        "warn mode: nothing can be sent: … mx.example",
        "out of reach",
    );
    config.mode = Mode::Live;
    config.send.transport = Transport::Folder;
    only(
        &look(&config).await,
        "warn mode: mode is live: letters go into the folder",
        "folder",
    );
    config.send.transport = Transport::Smtp;
    config.sender.verify.clear();
    only(
        &look(&config).await,
        "warn verify: sender.verify is empty",
        "verify",
    );
    config.sender.verify = "x".to_owned();
    let file = world.dir().join("none.db");
    config.database.url = format!("sqlite:{}", file.display());
    only(
        &look(&config).await,
        "mend store: there is no database … lapwing init",
        "no database",
    );
    assert!(!file.exists(), "nothing is made");
}

/// `lapwing doctor`, live, with a DNS of its own.
fn lapwing(world: &World, resolver: &str, arguments: &[&str]) -> Ran {
    let mut program = Command::new(env!("CARGO_BIN_EXE_lapwing"));
    program
        .args(arguments)
        .current_dir(world.dir())
        .env("LAPWING_DATABASE_URL", &world.url)
        .env("LAPWING_MODE", "live")
        .env("LAPWING_SENDER__NAME", "Example Coalition")
        .env("LAPWING_SENDER__ADDRESS", "notices@coalition.example")
        .env(
            "LAPWING_SENDER__VERIFY",
            "https://coalition.example/letters",
        )
        .env("LAPWING_SEND__TRANSPORT", "smtp")
        .env(
            "LAPWING_SMTP__PORT",
            world.sink.address().port().to_string(),
        )
        .env("LAPWING_DOCTOR__RESOLVER", resolver)
        .env("LAPWING_DOCTOR__RELAY_ADDRESSES", "192.0.2.25")
        .env("LAPWING_DOCTOR__DKIM_SELECTORS", "mail")
        .env("USER", "author");
    if world.dir().join("key.asc").exists() {
        program.env("LAPWING_SIGN__KEY", "key.asc");
    }
    tokio::task::block_in_place(|| program.output().unwrap()).into()
}

fn files(world: &World) -> Vec<String> {
    let mut files: Vec<String> = std::fs::read_dir(world.dir())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| !name.starts_with("lapwing.db"))
        .collect();
    files.sort();
    files
}

story!(a_script_may_ask_before_a_campaign_does, world, {
    let server = serve(ZONE);
    let place = server.place();
    std::fs::write(
        world.dir().join("roll.csv"),
        "agency,country\nExample Agency,JP\n",
    )
    .unwrap();
    let email = ["--email", "notices@coalition.example"];
    let key = [
        &["key", "new", "--name", "Example", "--to", "key.asc"],
        &email[..],
    ]
    .concat();
    for arguments in [&["signatory", "import", "roll.csv"][..], &key] {
        if arguments[0] != "key" || cfg!(feature = "openpgp") {
            assert_eq!(lapwing(&world, &place, arguments).code, 0, "{arguments:?}");
        }
    }
    let before = files(&world);
    let ran = lapwing(&world, &place, &["doctor", "--json"]);
    let told: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    let doubts = u64::from(!cfg!(feature = "openpgp"));
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(
        (&told["mend"], &told["warn"]),
        (&0.into(), &doubts.into()),
        "{told:#}"
    );
    let areas: Vec<&str> = told["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|one| one["area"].as_str())
        .collect();
    assert!(
        areas.is_sorted_by_key(|area| ["settings", "key", "letters", "domain", "relay"]
            .iter()
            .position(|one| one == area)),
        "{areas:?}"
    );
    assert_eq!(files(&world), before, "nothing is written");

    let ran = lapwing(&world, &place, &["doctor", "--only", "domain,relay"]);
    let port = world.sink.address().port();
    let expected = format!(
        "Mail domain
  ok    SPF of coalition.example: v=spf1 ip4:192.0.2.25 -all
  ok    SPF says pass for mail of coalition.example from 192.0.2.25
  ok    DKIM key at mail._domainkey.coalition.example: RSA of 2048 bits
  ok    DMARC of coalition.example asks receivers to reject what fails (adkim=r, aspf=r)
  ok    the envelope domain coalition.example aligns with coalition.example: SPF can carry DMARC
  ok    bounces to coalition.example go to mx.coalition.example

Relay
  ok    192.0.2.25 is mail.coalition.example, and mail.coalition.example is 192.0.2.25
  ok    127.0.0.1:{port} answers in the clear

0 to be mended, 0 warnings, 0 unknown
"
    );
    assert_eq!(
        (ran.code, ran.out.as_str(), ran.err.as_str()),
        (0, &*expected, "")
    );

    let server = serve(&ZONE.replace("v=spf1 ip4", "v=nothing ip4"));
    let ran = lapwing(&world, &server.place(), &["doctor", "--only", "domain"]);
    assert_eq!(
        (ran.code, ran.err.as_str()),
        (1, "error: 1 thing must be mended\n")
    );
    assert!(
        ran.out.contains(
            "\n  MEND  coalition.example, which bounces go to, has no SPF record; publish"
        ),
        "{}",
        ran.out
    );

    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    let silent = silent.local_addr().unwrap().to_string();
    let ran = lapwing(&world, &silent, &["doctor", "--only", "domain,relay"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{}", ran.out);
    assert!(ran.out.contains("\n  ?     no answer about"), "{}", ran.out);
    assert_eq!(
        lapwing(&world, &silent, &["doctor", "--only", "soul"]).code,
        2
    );
});
