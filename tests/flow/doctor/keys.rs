//! The key that letters are signed with.

use lapwing::doctor::{self, Area};
use lapwing::model::Span;
use lapwing::openpgp::{self, Wanted};

use super::{amiss, live, only};
use crate::world::{START, World};

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
