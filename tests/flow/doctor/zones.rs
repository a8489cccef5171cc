//! What the DNS says of the mail domain, spoilt one thing at a time.

use std::net::UdpSocket;

use super::{ZONE, amiss, live, only, outside, serve};
use crate::fake::dns::{Answer, SERVFAIL};
use crate::world::World;

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
