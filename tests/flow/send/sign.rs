//! Signed letters: what a recipient's GnuPG says of them, and that none leaves without.

use std::path::PathBuf;
use std::sync::Arc;

use lapwing::config::Secret;
use lapwing::model::{Clock, Letter, Progress, Span};
use lapwing::openpgp::{self, Key, Wanted};
use lapwing::send::{self, Courier};
use sqlx::{AnyConnection, Connection};

use super::{desk, of, outcomes, queue, states, story_of};
use crate::gpg::Gpg;
use crate::story;
use crate::world::{START, World};

/// A new key under a name in the world's folder.
fn key(world: &World, name: &str, expires: Option<&str>) -> PathBuf {
    let wanted = Wanted {
        name: "総務省 Example",
        mailbox: &"notices@coalition.example".parse().unwrap(),
        passphrase: "",
        expires: expires.map(|span| span.parse().unwrap()),
    };
    let file = world.dir().join(name);
    let made = openpgp::make(&wanted, START.minus(Span::seconds(3600))).unwrap();
    openpgp::keep(&made, &file).unwrap();
    file
}

fn fingerprint(file: &std::path::Path) -> String {
    let key = Key::read(file, START).unwrap();
    key.facts().fingerprint.clone()
}

/// The world signs from now on.
fn sign(world: &mut World, expires: Option<&str>) -> PathBuf {
    let file = key(world, "key.asc", expires);
    world.config.sign.key = file.clone();
    file
}

/// What no stage would write, but a template or a feed might lead to: the letters as `changed`.
async fn rewrite(world: &World, changed: impl Fn(&mut Letter)) {
    let campaign = world.campaign().await;
    let mut letters = world.store.letters(campaign.id, 0, 100).await.unwrap();
    sqlx::any::install_default_drivers();
    let mut database = AnyConnection::connect(&world.url).await.unwrap();
    for letter in &mut letters {
        changed(letter);
        let update = sqlx::query(
            "UPDATE letter SET body_text = $1, body_html = $2, sender_name = $3, digest = $4 WHERE id = $5",
        );
        update
            .bind(letter.text.as_str())
            .bind(letter.html.as_str())
            .bind(letter.sender_name.as_str())
            .bind(letter.digest())
            .bind(letter.id)
            .execute(&mut database)
            .await
            .unwrap();
    }
    database.close().await.unwrap();
}

const TABLE: &str = "range,country,abuse,language
192.0.2.0/24,JP,abuse@sakura.example,ja
198.51.100.0/24,DE,abuse@linde.example,
";

const FEED: &str = "ip,seen,class,evidence
192.0.2.7,2026-11-01T00:00:00Z,spam,件名「迷惑」
198.51.100.9,2026-11-02T00:00:00Z,spam,From here:
";

story!(gnupg_says_good_of_every_letter_that_leaves, world, {
    let file = sign(&mut world, None);
    let of_ours = fingerprint(&file).replace(' ', "");
    world.config.sender.name = "Behörde für 迷惑メール, \"Example\"".to_owned();
    world.table(TABLE).await;
    world.feed(FEED).await;
    world.resolve().await;
    world.compose().await;
    rewrite(&world, |letter| {
        letter.text = format!(
            "{}\nFrom the start\n.\n..\nFrom \nspaces \t \n \nBäume, 木\n>From\nFrom {}\n{}\n-- \n--lapwing\n\n\n",
            letter.text,
            "F".repeat(71),
            "From 12345".repeat(1_000)
        );
        letter.html = format!("{}\nFrom {}\n.\n", letter.html, "x ".repeat(5_000));
    })
    .await;
    world.approve().await;
    assert_eq!(world.send().await.accepted, 2);

    let (Some(gpg), Some(strangers)) = (Gpg::new(), Gpg::new()) else {
        return;
    };
    gpg.import(&openpgp::public_file(&file));
    strangers.import(&openpgp::public_file(&key(&world, "other.asc", None)));
    for letter in world.sink.received() {
        let told = gpg.verify(&letter.data);
        // The signature is dated as the letter is.
        let valid = format!(
            "VALIDSIG {of_ours} 2026-11-16 {} 0 4 0 22 10 00",
            START.0 / 1000
        );
        assert!(told.contains("GOODSIG") && told.contains(&valid), "{told}");

        // What the next servers do to it: a header more each.
        let mut hopped =
            b"Received: from a.example by b.example;\r\n Mon, 16 Nov 2026 08:00:01 +0000\r\n"
                .to_vec();
        hopped.extend_from_slice(&letter.data);
        assert!(gpg.verify(&hopped).contains("GOODSIG"));

        let told = strangers.verify(&letter.data);
        assert!(
            told.contains("NO_PUBKEY") && !told.contains("GOODSIG"),
            "{told}"
        );

        let text = letter.text();
        let at = text.find("Content-Type: text/plain").unwrap();
        for (from, to) in [("plain", "Plain"), ("utf-8", "UTF-8")] {
            let (head, tail) = text.split_at(at);
            let forged = format!("{head}{}", tail.replacen(from, to, 1));
            assert!(gpg.verify(forged.as_bytes()).contains("BADSIG"), "{from}");
        }

        // Nothing that a server on the way would change.
        assert!(letter.data.is_ascii());
        for line in text.split("\r\n") {
            assert!(line.len() <= 78 && !line.starts_with("From "), "{line:?}");
            assert!(!line.ends_with([' ', '\t']), "{line:?}");
        }
    }
});

story!(a_reader_sees_the_same_letter_under_the_signature, world, {
    sign(&mut world, None);
    queue(&world, 1).await;
    world.send().await;
    let received = world.sink.received();
    let message = mail_parser::MessageParser::default()
        .parse(&*received[0].data)
        .unwrap();
    let campaign = world.campaign().await;
    let letters = world.store.letters(campaign.id, 0, 10).await.unwrap();
    let text = message.body_text(0).unwrap().replace("\r\n", "\n");
    assert_eq!(text.trim_end(), letters[0].text.trim_end());
    let names: Vec<_> = message
        .attachments()
        .filter_map(|part| mail_parser::MimeHeaders::attachment_name(part))
        .collect();
    assert_eq!(
        names,
        [letters[0].attachments[0].name.as_str(), "signature.asc"]
    );
});

story!(every_attempt_has_the_same_signature, world, {
    sign(&mut world, None);
    queue(&world, 1).await;
    world.answers("DOT * 451 4.7.1 later x1");
    for _ in 0..2 {
        world.answers("DOT * accept-close x1");
    }
    for _ in 0..4 {
        world.send().await;
        world.now = story_of(&world, &desk(1)).await.0.due_at;
    }
    let received = world.sink.received();
    assert_eq!(received.len(), 3);
    for letter in &received {
        assert_eq!(letter.data, received[0].data);
        assert!(letter.text().contains("BEGIN PGP SIGNATURE"));
    }
});

story!(
    a_letter_written_to_be_signed_never_leaves_unsigned,
    world,
    {
        let file = sign(&mut world, None);
        let ours = fingerprint(&file);
        queue(&world, 2).await;
        let other = key(&world, "other.asc", None);
        let theirs = fingerprint(&other);

        world.config.sign.key = PathBuf::new();
        let refused = world.try_send().await.unwrap_err().to_string();
        assert!(
            refused.contains(&ours) && refused.contains("sign.key"),
            "{refused}"
        );
        world.config.sign.key = other.clone();
        let refused = world.try_send().await.unwrap_err().to_string();
        assert!(
            refused.contains(&ours) && refused.contains(&theirs),
            "{refused}"
        );
        assert_eq!(states(&world).await, of([("ready", 2)]));

        // Not even where nobody has looked before.
        for signer in [
            None,
            Some(Key::read(&other, START).unwrap().unlock("").unwrap()),
        ] {
            let mut settings = send::Settings::from_config(&world.config, "worker").unwrap();
            settings.signing.signer = signer.map(Arc::new);
            settings.batch = 1;
            let done = send::run_once(
                &world.store,
                &Courier::new(&world.config),
                &settings,
                &world.campaign().await,
                &Clock::starting_at(world.now),
                &Progress::default(),
            );
            assert_eq!(done.await.unwrap().failed, 1);
        }
        assert_eq!(states(&world).await, of([("failed", 2)]));
        for (desk, said) in [(desk(1), "there is no key"), (desk(2), theirs.as_str())] {
            let (_, attempts) = story_of(&world, &desk).await;
            let outcome = attempts[0].outcome.as_ref().unwrap();
            assert!(outcome.reply.contains("must be signed by"), "{outcome:?}");
            assert!(outcome.reply.contains(said), "{outcome:?}");
            assert_eq!(outcomes(&attempts).len(), 1, "it is not tried again");
        }
        assert!(world.sink.received().is_empty());
    }
);

story!(letters_leave_without_where_the_settings_say_so, world, {
    sign(&mut world, None);
    queue(&world, 1).await;
    world.config.sign.key = PathBuf::new();
    world.config.sign.required = false;
    assert_eq!(world.send().await.accepted, 1);
    assert!(!world.sink.received()[0].text().contains("PGP"));
});

story!(
    letters_written_before_there_was_a_key_are_not_signed_by_surprise,
    world,
    {
        queue(&world, 1).await;
        sign(&mut world, None);
        let refused = world.try_send().await.unwrap_err().to_string();
        assert!(refused.contains("lapwing compose trial"), "{refused}");
        world.config.sign.required = false;
        assert_eq!(world.send().await.accepted, 1);
        assert!(!world.sink.received()[0].text().contains("PGP"));
    }
);

story!(a_key_that_ends_while_letters_wait_signs_no_more, world, {
    let file = sign(&mut world, Some("2d"));
    queue(&world, 1).await;
    let mut settings = send::Settings::from_config(&world.config, "worker").unwrap();
    let key = Key::read(&file, START).unwrap();
    settings.signing.signer = Some(Arc::new(key.unlock("").unwrap()));
    world.later("2d");
    let campaign = world.campaign().await;
    let courier = Courier::new(&world.config);
    let (clock, progress) = (world.clock(), Progress::default());
    let ended = send::drain(
        &world.store,
        &courier,
        &settings,
        &campaign,
        &clock,
        &progress,
    )
    .await;
    let Err(send::Error::Key(error)) = ended else {
        panic!("{ended:?}");
    };
    assert!(
        error.to_string().contains("expired on 2026-11-18"),
        "{error}"
    );
    assert_eq!(states(&world).await, of([("ready", 1)]));
    let error = Key::read(&file, world.now).unwrap_err().to_string();
    assert!(error.contains("key.asc: expired on 2026-11-18"), "{error}");
});

story!(the_settings_key_must_be_there_and_open, world, {
    let wanted = Wanted {
        name: "Example",
        mailbox: &"notices@coalition.example".parse().unwrap(),
        passphrase: "correct horse",
        expires: Some("20d".parse().unwrap()),
    };
    let file = world.dir().join("locked.asc");
    openpgp::keep(&openpgp::make(&wanted, START).unwrap(), &file).unwrap();
    world.config.sign.key = file.clone();
    world.config.sign.passphrase = Secret("correct horse".to_owned());
    queue(&world, 1).await;
    assert_eq!(world.send().await.accepted, 1);

    let settings = |key: &str| {
        let text = format!("[sign]\nkey = \"{key}\"\n[send]\ntransport = \"smtp\"\n");
        std::fs::write(world.dir().join("lapwing.toml"), text).unwrap();
    };
    for (key, said) in [
        ("gone.asc", "sign.key: gone.asc: No such file"),
        ("locked.asc.pub", "locked.asc.pub: holds a public key"),
        (
            "locked.asc",
            "locked.asc: is locked; give its passphrase by",
        ),
        ("lapwing.toml", "lapwing.toml: is no armored secret key"),
    ] {
        settings(key);
        let ran = world.lapwing(&["send", "trial"]);
        assert_eq!(ran.code, 2, "{ran:?}");
        assert!(ran.err.contains(said), "{said}: {ran:?}");
    }
    let printed = format!("{:?} {}", world.config, world.lapwing(&["config"]).out);
    assert!(!printed.contains("correct horse"));
});
