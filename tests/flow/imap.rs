//! Mail fetched out of a mailbox: kept before it is put away, once, whatever happens in between.

use std::time::Duration;

use lapwing::config;
use lapwing::model::{KEPT, Progress};
use lapwing::store::Store;
use lapwing::track::Counts;
use lapwing::track::imap::{Work, watch};
use tokio::sync::watch as channel;

use crate::crash::within;
use crate::dovecot::{self, Dovecot};
use crate::fake::imap::Imap;
use crate::send::tls::identity;
use crate::story;
use crate::world::World;

const BOUNCE: &str = "b-baaaaaaaaaabk27777777777777777@coalition.example";

fn settings(server: &Imap) -> config::Imap {
    let mut imap = config::shipped().unwrap().incoming.imap;
    imap.host = "127.0.0.1".to_owned();
    imap.port = server.address.port();
    imap.security = config::Security::None;
    imap.username = "bounces@coalition.example".to_owned();
    imap.password = "s3cret".to_owned();
    imap
}

/// Fetches for as long as the story takes.
async fn fetching(
    world: &World,
    store: &Store,
    settings: &config::Imap,
    story: impl AsyncFnOnce(&channel::Sender<Counts>),
) -> Counts {
    let (progress, clock) = (Progress::default(), world.clock());
    let counts = channel::Sender::new(Counts::default());
    let work = Work {
        store,
        settings,
        look_every: Duration::from_secs(60),
        after_trouble: Duration::from_millis(1),
        clock: &clock,
        progress: &progress,
        counts: &counts,
    };
    let told = async {
        story(&counts).await;
        progress.stop();
    };
    within(async { tokio::join!(watch(work), told) }).await;
    counts.borrow().clone()
}

async fn looked(counts: &channel::Sender<Counts>, looks: u64) {
    let mut seen = counts.subscribe();
    let seen = seen.wait_for(|counts| counts.looks >= looks);
    within(seen).await.unwrap();
}

async fn kept(world: &World) -> Vec<String> {
    let kept = world.store.unread(0, 100).await.unwrap();
    let line = |kept: lapwing::store::Kept| {
        let subject = String::from_utf8_lossy(&kept.arrived.message).into_owned();
        let subject = subject
            .rsplit("Subject: ")
            .next()
            .unwrap()
            .trim()
            .to_owned();
        format!(
            "{} {}: {subject}",
            kept.arrived.via.as_str(),
            kept.arrived.envelope_to
        )
    };
    kept.into_iter().map(line).collect()
}

story!(
    what_comes_is_kept_and_moved_and_the_next_is_waited_for,
    world,
    {
        let server = Imap::start("IDLE MOVE UIDPLUS").await;
        let mut settings = settings(&server);
        settings.done_folder = "Lapwing".to_owned();
        server.receives(3, format!("X-Original-To: {BOUNCE}\r\nSubject: a\r\n"));
        server.receives(8, "Subject: b\r\n");
        let counts = fetching(&world, &world.store, &settings, async |counts| {
            looked(counts, 1).await;
            within(server.wait_until(|mailbox| mailbox.said.iter().any(|one| one == "IDLE"))).await;
            server.receives(9, "Subject: c\r\n");
            looked(counts, 2).await;
        })
        .await;
        assert_eq!((counts.messages, counts.again, counts.failed), (3, 0, 0));
        let expected = [&format!("imap {BOUNCE}: a"), "imap : b", "imap : c"];
        assert_eq!(kept(&world).await, expected);
        assert_eq!(server.fates(), ["moved to \"Lapwing\""; 3]);
        assert_eq!(server.mailbox().said.last().unwrap(), "LOGOUT");

        // What was there before is not asked for again.
        server.mailbox().said.clear();
        let counts = fetching(&world, &world.store, &settings, async |counts| {
            looked(counts, 1).await;
        })
        .await;
        assert_eq!((counts.messages, counts.again), (0, 0));
        let said = server.mailbox().said.join("|");
        assert!(
            said.contains("UID SEARCH UID 10:*") && !said.contains("FETCH"),
            "{said}"
        );
    }
);

story!(a_server_that_offers_little_serves_too, world, {
    let server = Imap::start("").await;
    let mut settings = settings(&server);
    server.receives(1, "Subject: a\r\n");
    let looks_once = async |counts: &channel::Sender<Counts>| looked(counts, 1).await;
    fetching(&world, &world.store, &settings, looks_once).await;
    assert_eq!(server.fates(), [r"(\Seen)"]);

    // Its numbers begin anew: all is asked for again, and what is kept is known.
    server.mailbox().validity = 8;
    server.receives(2, "Subject: b\r\n");
    settings.done_folder = "Lapwing".to_owned();
    let counts = fetching(&world, &world.store, &settings, looks_once).await;
    assert_eq!((counts.messages, counts.again, counts.failed), (1, 1, 0));
    assert_eq!(kept(&world).await, ["imap : a", "imap : b"]);
    assert_eq!(server.fates()[1], r#"copied to "Lapwing"(\Seen \Deleted)"#);
});

story!(of_a_big_message_the_beginning_is_fetched, world, {
    let server = Imap::start("IDLE").await;
    let settings = settings(&server);
    let big = [b"Subject: big\r\n\r\n".as_slice(), &vec![b'x'; 3 * KEPT]].concat();
    server.receives(1, big.clone());
    let looks_once = async |counts: &channel::Sender<Counts>| looked(counts, 1).await;
    fetching(&world, &world.store, &settings, looks_once).await;
    let kept = world.store.unread(0, 10).await.unwrap();
    assert_eq!(kept[0].arrived.size, big.len() as u64);
    assert_eq!(kept[0].arrived.message, &big[..KEPT]);
});

story!(nothing_is_put_away_that_is_not_kept, world, {
    let server = Imap::start("IDLE MOVE").await;
    let mut settings = settings(&server);
    server.receives(1, "Subject: a\r\n");
    let fails = async |counts: &channel::Sender<Counts>| {
        let mut seen = counts.subscribe();
        within(seen.wait_for(|counts| counts.failed > 0))
            .await
            .unwrap();
    };
    let away = Store::open(&world.url).await.unwrap();
    away.close().await;
    let counts = fetching(&world, &away, &settings, fails).await;
    assert!(counts.trouble.contains("database"), "{counts:?}");
    assert_eq!(server.fates(), [""]);

    settings.password = "guess".to_owned();
    let counts = fetching(&world, &world.store, &settings, fails).await;
    assert!(counts.trouble.contains("wrong password"), "{counts:?}");
    assert!(counts.trouble.starts_with("incoming.imap: "), "{counts:?}");

    settings.password = "s3cret".to_owned();
    let looks_once = async |counts: &channel::Sender<Counts>| looked(counts, 1).await;
    fetching(&world, &world.store, &settings, looks_once).await;
    assert_eq!(kept(&world).await, ["imap : a"]);
    assert_eq!(server.fates(), [r"(\Seen)"]);
});

story!(a_message_that_is_not_given_keeps_no_other_from_us, world, {
    let server = Imap::start("IDLE MOVE").await;
    let settings = settings(&server);
    server.receives(1, "Subject: a\r\n");
    server.receives(2, "Subject: b\r\n");
    server.mailbox().refused = 1;
    let looks_once = async |counts: &channel::Sender<Counts>| looked(counts, 1).await;
    let counts = fetching(&world, &world.store, &settings, looks_once).await;
    assert_eq!((counts.messages, counts.failed), (1, 11));
    let told = "incoming.imap: message 1 cannot be fetched; it stays in INBOX: look at it there";
    assert_eq!(counts.trouble, told);
    assert_eq!(kept(&world).await, ["imap : b"]);
    assert_eq!(server.fates(), ["", r"(\Seen)"]);
});

story!(a_connection_cut_off_loses_no_message, world, {
    let server = Imap::start("IDLE MOVE").await;
    let settings = settings(&server);
    server.receives(1, "Subject: a\r\n");
    server.mailbox().cuts = 1;
    let looks_once = async |counts: &channel::Sender<Counts>| looked(counts, 1).await;
    let counts = fetching(&world, &world.store, &settings, looks_once).await;
    assert_eq!((counts.messages, counts.failed), (1, 1));
    assert_eq!(kept(&world).await, ["imap : a"]);
});

story!(a_password_travels_under_tls, world, {
    let (tls, pem) = identity(&["localhost"]);
    let file = world.dir().join("server.pem");
    std::fs::write(&file, pem).unwrap();
    let looks_once = async |counts: &channel::Sender<Counts>| looked(counts, 1).await;
    for (security, starts) in [
        (config::Security::Tls, false),
        (config::Security::Starttls, true),
    ] {
        let server = Imap::secure("IDLE", std::sync::Arc::clone(&tls), starts).await;
        let mut settings = settings(&server);
        settings.host = "localhost".to_owned();
        settings.security = security;
        settings.ca_file = file.clone();
        server.receives(1, format!("Subject: {security:?}\r\n"));
        let counts = fetching(&world, &world.store, &settings, looks_once).await;
        assert_eq!((counts.messages, counts.failed), (1, 0), "{counts:?}");

        // Who shows another's certificate does not hear it.
        server.mailbox().said.clear();
        settings.ca_file = std::path::PathBuf::new();
        let counts = fetching(&world, &world.store, &settings, async |counts| {
            let mut seen = counts.subscribe();
            within(seen.wait_for(|counts| counts.failed > 0))
                .await
                .unwrap();
        })
        .await;
        assert!(counts.trouble.contains("certificate"), "{counts:?}");
        let said = server.mailbox().said.join(" ");
        assert!(!said.contains("s3cret"), "{said}");
    }
    assert_eq!(kept(&world).await, ["imap : Tls", "imap : Starttls"]);
});

story!(a_true_server_gives_all_it_gets, world, {
    let names = vec!["127.0.0.1".to_owned()];
    let identity = rcgen::generate_simple_self_signed(names).unwrap();
    let (certificate, key) = (identity.cert.pem(), identity.signing_key.serialize_pem());
    let Some(server) = Dovecot::start(&certificate, &key) else {
        return;
    };
    let ca_file = world.dir().join("ca.pem");
    std::fs::write(&ca_file, &certificate).unwrap();
    let mut imap = config::shipped().unwrap().incoming.imap;
    imap.host = "127.0.0.1".to_owned();
    imap.port = server.port;
    imap.ca_file = ca_file;
    imap.username = dovecot::USER.to_owned();
    imap.password = dovecot::PASSWORD.to_owned();
    imap.done_folder = "Lapwing".to_owned();
    server.receives("1", &format!("Delivered-To: {BOUNCE}\nSubject: a\n\nx\n"));
    server.receives("2", "Subject: b\n\ny\n");
    let counts = fetching(&world, &world.store, &imap, async |counts| {
        let has = async |n: u64| {
            let mut seen = counts.subscribe();
            let seen = seen.wait_for(|counts| counts.messages >= n);
            within(seen).await.unwrap();
        };
        has(2).await;
        // It is said at once: the next look would come in a minute.
        server.receives("3", "Subject: c\n\nz\n");
        has(3).await;
    })
    .await;
    assert_eq!((counts.messages, counts.failed), (3, 0), "{counts:?}");
    let mut kept = kept(&world).await;
    kept.sort();
    assert_eq!(kept.len(), 3, "{kept:?}");
    assert!(
        kept[2].starts_with(&format!("imap {BOUNCE}: a")),
        "{kept:?}"
    );
    assert_eq!((server.holds(""), server.holds(".Lapwing")), (0, 3));
    // A wrong password is said, and tried again later.
    imap.password = "wrong".to_owned();
    let counts = fetching(&world, &world.store, &imap, async |counts| {
        let mut seen = counts.subscribe();
        let seen = seen.wait_for(|counts| !counts.trouble.is_empty());
        within(seen).await.unwrap();
    })
    .await;
    assert_eq!(counts.messages, 0);
});
