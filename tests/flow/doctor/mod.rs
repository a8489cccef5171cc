//! Before a live campaign: what the doctor finds of settings, key, mail domain and relay.

#[cfg(feature = "openpgp")]
mod keys;
mod relay;
mod zones;

use std::net::UdpSocket;
use std::process::Command;

use lapwing::config::{Config, Mode, Transport};
use lapwing::doctor::{self, Area, Grade, Report};
use lapwing::model::Span;

use crate::fake::dns::Dns;
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
        .env("LAPWING_RESOLVE__SOURCES", "overrides,table")
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
        areas.is_sorted_by_key(|area| Area::ALL.iter().position(|one| one.as_str() == *area)),
        "{areas:?}"
    );
    // The registries are knocked at where resolving asks them.
    let looked_at: std::collections::BTreeSet<&str> = areas.into_iter().collect();
    assert_eq!(looked_at.len(), Area::ALL.len() - 1, "{looked_at:?}");
    assert!(!looked_at.contains("registries"), "{looked_at:?}");
    assert_eq!(files(&world), before, "nothing is written");

    let ran = lapwing(&world, &place, &["doctor", "--only", "domain,relay"]);
    let port = world.sink.address().port();
    let size = lapwing::sink::Options::default().max_size;
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
  ok    127.0.0.1:{port} takes letters of up to {size} bytes
  ok    127.0.0.1:{port} passes on what becomes of letters (DSN)

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
