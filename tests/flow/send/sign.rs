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
        let (_, body) = text.split_once("\r\n\r\n").unwrap();
        for line in body.split("\r\n") {
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
    let attached = letters[0].attachments.iter().map(|one| one.name.as_str());
    assert_eq!(names, Vec::from_iter(attached.chain(["signature.asc"])));
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
            let (campaign, courier) = (world.campaign().await, Courier::new(&world.config));
            let (clock, progress) = (Clock::starting_at(world.now), Arc::new(Progress::default()));
            let work = send::Work {
                store: &world.store,
                courier: &courier,
                settings: &settings,
                clock: &clock,
                progress: &progress,
            };
            let done = send::run_once(&work, &campaign);
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

story!(no_letter_speaks_of_a_signature_that_it_has_not, world, {
    let file = sign(&mut world, None);
    queue(&world, 1).await;
    world.config.sign.key = PathBuf::new();
    world.config.sign.required = false;
    let refused = world.try_send().await.unwrap_err().to_string();
    assert!(refused.contains("name that key by sign.key"), "{refused}");
    assert!(world.sink.received().is_empty());
    world.config.sign.key = file;
    assert_eq!(world.send().await.accepted, 1);
    assert!(world.sink.received()[0].text().contains("PGP SIGNATURE"));
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
        assert!(!world.sink.received()[0].text().contains("PGP SIGNATURE"));
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
    let (clock, progress) = (world.clock(), Arc::new(Progress::default()));
    let work = send::Work {
        store: &world.store,
        courier: &courier,
        settings: &settings,
        clock: &clock,
        progress: &progress,
    };
    let ended = send::drain(&work, &campaign, &mut send::Done::default()).await;
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

// Those that an agency has already: made by GnuPG, of any shape.
story!(keys_of_gnupgs_making_sign_as_well, world, {
    let Some(gpg) = Gpg::new() else {
        return;
    };
    let early = ["--faked-system-time", "20261116T070000!"];
    let make = |arguments: &[&str]| gpg.must(&[&early[..], arguments].concat());
    let of = |owner: &str| {
        let listed = gpg.must(&["--with-colons", "--list-keys", owner]);
        let line = listed.lines().find(|line| line.starts_with("fpr")).unwrap();
        line.split(':').nth(9).unwrap().to_owned()
    };
    for (owner, algorithm, use_) in [
        ("rsa@coalition.example", "rsa2048", "sign,cert"),
        ("safe@coalition.example", "ed25519", "cert"),
        ("nist@coalition.example", "nistp256", "sign"),
        ("gone@coalition.example", "ed25519", "sign"),
    ] {
        make(&["--quick-generate-key", owner, algorithm, use_, "never"]);
    }
    // The key itself stays in the safe; what signs is a subkey, the newer of two.
    let safe = of("safe@coalition.example");
    make(&["--quick-add-key", &safe, "ed25519", "sign", "1d"]);
    make(&["--quick-add-key", &safe, "cv25519", "encr", "never"]);
    gpg.must(&[
        "--faked-system-time",
        "20261116T073000!",
        "--quick-add-key",
        &safe,
        "ed25519",
        "sign",
        "20d",
    ]);
    gpg.revoke(&of("gone@coalition.example"));
    let export = |how: &str, owner: &str, name: &str| {
        let file = world.dir().join(name);
        gpg.must(&["--armor", "--output", file.to_str().unwrap(), how, owner]);
        file
    };
    for (how, owner, said) in [
        (
            "--export-secret-keys",
            "nist@",
            "neither Ed25519 as GnuPG has it nor RSA",
        ),
        ("--export-secret-keys", "gone@", "is revoked"),
        ("--export-secret-keys", "coalition", "more than one key"),
        ("--export", "rsa@", "a public key"),
    ] {
        let file = export(how, owner, &format!("not-{owner}{how}.asc"));
        let error = Key::read(&file, START).unwrap_err().to_string();
        assert!(error.contains(said), "{owner}: {error}");
    }

    let rsa = export("--export-secret-keys", "rsa@", "rsa.asc");
    let subkeys = export("--export-secret-subkeys", "safe@", "subkeys.asc");
    for (file, owner, algorithm, end) in [
        (&rsa, "rsa@coalition.example", "RSA 2048", None),
        (
            &subkeys,
            "safe@coalition.example",
            "Ed25519",
            Some("2026-12-06"),
        ),
    ] {
        let key = Key::read(file, START).unwrap();
        let facts = key.facts();
        assert_eq!(
            (facts.owner.as_str(), facts.algorithm.as_str()),
            (owner, algorithm)
        );
        assert_eq!(facts.expires_at.map(|end| end.date()).as_deref(), end);
        assert_eq!(facts.fingerprint.replace(' ', ""), of(owner));
        let warnings = facts.warnings(START).join("\n");
        assert_eq!(warnings.contains("expires on"), end.is_some(), "{warnings}");
        assert_eq!(warnings.contains("RSA"), end.is_none(), "{warnings}");
    }
    world.config.sign.key = subkeys;
    queue(&world, 1).await;
    assert_eq!(world.send().await.accepted, 1);
    let told = gpg.verify(&world.sink.received()[0].data);
    let whole_key = format!(" 00 {safe}\n");
    assert!(
        told.contains("GOODSIG") && told.contains(&whole_key),
        "{told}"
    );
    let signer = Key::read(&rsa, START).unwrap().unlock("").unwrap();
    let sign = || signer.sign(b"the same", START).unwrap();
    assert_eq!(sign(), sign());
});

story!(the_letter_shows_the_fingerprint_of_its_key, world, {
    let file = sign(&mut world, None);
    queue(&world, 1).await;
    let campaign = world.campaign().await;
    let letters = world.store.letters(campaign.id, 0, 10).await.unwrap();
    for letter in &letters {
        let words: Vec<&str> = letter.text.split_whitespace().collect();
        assert!(
            words.join(" ").contains(&fingerprint(&file)),
            "{}",
            letter.text
        );
    }
    assert_eq!(letters[0].signed_by, fingerprint(&file));
});

story!(from_a_new_key_to_a_signed_letter_by_commands, world, {
    let made = world.lapwing(&[
        "key",
        "new",
        "--name",
        "Example",
        "--email",
        "notices@coalition.example",
        "--to",
        "key.asc",
        "--expires",
        "20d",
    ]);
    assert_eq!(made.code, 0, "{made:?}");
    let shown = world.lapwing(&["key", "show", "key.asc"]);
    let public = std::fs::read_to_string(world.dir().join("key.asc.pub")).unwrap();
    assert!(made.out.contains(&public) && shown.out.contains(&public));
    assert!(
        shown.out.contains("note: the signing key expires on"),
        "{shown:?}"
    );
    let again = world.lapwing(&[
        "key",
        "new",
        "--name",
        "Example",
        "--email",
        "a@b.example",
        "--to",
        "key.asc",
    ]);
    assert_eq!(again.code, 2, "{again:?}");
    assert!(again.err.contains("is there already"), "{again:?}");

    let settings = "[sign]\nkey = \"key.asc\"\n[send]\ntransport = \"smtp\"\n";
    std::fs::write(world.dir().join("lapwing.toml"), settings).unwrap();
    world.table(TABLE).await;
    world.feed(FEED).await;
    world.resolve().await;
    for (arguments, said) in [
        (&["compose", "trial"][..], "2 letters"),
        (&["preview", "trial"], "Signed: when it leaves, by the key "),
        (
            &["preview", "trial", "--html"],
            "<th scope=\"row\">Signed</th><td><bdi>when it leaves, by the key ",
        ),
        (
            &["preview", "trial", "--to", "letters"],
            "2 letters in letters, not signed yet: each is when it leaves, by the key ",
        ),
        (
            &["campaign", "submit", "trial", "--as", "author"],
            "note: the signing key expires on",
        ),
        (
            &["campaign", "approve", "trial", "--as", "reviewer"],
            "note: the signing key expires on",
        ),
        (&["send", "trial"], "2 accepted"),
    ] {
        let ran = world.lapwing(arguments);
        assert_eq!(ran.code, 0, "{ran:?}");
        assert!(ran.out.contains(said), "{said}: {ran:?}");
    }
    for letter in world.sink.received() {
        assert!(letter.text().contains("-----BEGIN PGP SIGNATURE-----"));
    }
});
