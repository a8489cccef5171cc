//! The relay: which addresses the world sees of it, and whether it lets us in.

use lapwing::config::{Config, Security, Transport};
use lapwing::doctor::{self, Area};
use lapwing::sink::{Options, Sink};

use super::{ZONE, amiss, live, only, outside, serve};
use crate::world::{START, World};

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
