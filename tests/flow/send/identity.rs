//! What a letter is on the wire, whichever way it takes: the same bytes, under a name of its own.

use std::collections::BTreeSet;
use std::path::Path;

use lapwing::config::Transport;
use lapwing::send;

use super::{copies, desk, of, queue, states, story_of, tamper};
use crate::story;
use crate::world::World;

/// All letters as they would leave, with file name and envelope sender.
async fn messages(world: &World) -> Vec<(String, Vec<u8>, String)> {
    let campaign = world.campaign().await;
    let letters = world.store.letters(campaign.id, 0, 1_000).await.unwrap();
    let message = |letter| {
        let bytes = send::message(letter).unwrap();
        let from = letter.envelope_from.as_str().to_owned();
        (send::file_name(letter), bytes, from)
    };
    letters.iter().map(message).collect()
}

const TABLE: &str = "range,country,abuse,language
192.0.2.0/24,JP,abuse@sakura.example,ja
198.51.100.0/24,DE,abuse@linde.example,
203.0.113.0/24,US,abuse+zombies@prairie.example,en
";

/// Long, foreign and awkward evidence.
fn feed() -> String {
    format!(
        "ip,seen,class,evidence\n\
         192.0.2.7,2026-11-01T00:00:00Z,spam,件名「迷惑」{}\n\
         198.51.100.9,2026-11-01T00:00:00Z,spam,\".\"\n\
         198.51.100.9,2026-11-02T00:00:00Z,spam,\"From here: {}\"\n\
         203.0.113.9,2026-11-03T00:00:00Z,botnet,=HYPERLINK(1)\n",
        "長".repeat(900),
        "x".repeat(990),
    )
}

story!(each_letter_leaves_as_it_was_frozen, world, {
    world.queue(TABLE, &feed()).await;
    world.config.sender.bounce_domain = "elsewhere.example".to_owned();
    world.config.sender.name = "Changed after approval".to_owned();
    let messages = messages(&world).await;
    assert_eq!(world.send().await.accepted, 3);

    let received = world.sink.received();
    let (mut senders, mut ids) = (BTreeSet::new(), BTreeSet::new());
    for (_, bytes, from) in &messages {
        let letter = received.iter().find(|letter| letter.from.address == *from);
        let letter = letter.expect("each has an envelope sender of its own");
        assert_eq!(*letter.data, **bytes);
        assert!(from.ends_with("@coalition.example"), "{from}");
        senders.insert(from);

        assert!(letter.data.is_ascii(), "7 bits");
        let text = letter.text();
        assert!(text.ends_with("\r\n"));
        for line in text.split("\r\n") {
            assert!(line.len() <= 998, "RFC 5322 2.1.1: {}", line.len());
            assert!(!line.contains(['\r', '\n', '\0']), "{line:?}");
        }
        let id = letter.header("Message-ID").unwrap();
        assert!(
            id.starts_with('<') && id.ends_with("@coalition.example>"),
            "{id}"
        );
        ids.insert(id);
        assert_eq!(
            letter.header("Auto-Submitted").as_deref(),
            Some("auto-generated")
        );
        assert_eq!(letter.hello, "coalition.example");
        // RFC 3461: whatever comes back carries our own word for the letter.
        let word = from.split('@').next().unwrap();
        let said = [
            format!("SIZE={}", bytes.len()),
            "RET=HDRS".to_owned(),
            format!("ENVID={word}"),
        ];
        assert_eq!(letter.from.parameters, said);
        let recipient = &letter.recipients[0];
        let original = recipient.address.replace('+', "+2B");
        let said = [
            "NOTIFY=FAILURE,DELAY".to_owned(),
            format!("ORCPT=rfc822;{original}"),
        ];
        assert_eq!(recipient.parameters, said);
    }
    assert_eq!((senders.len(), ids.len()), (3, 3));
});

story!(every_attempt_is_the_same_letter, world, {
    queue(&world, 1).await;
    // Twice taken by the relay and unanswered, once refused for now, then taken.
    for rule in [
        "DOT * accept-close x1",
        "DOT * 451 4.7.1 later x1",
        "DOT * accept-close x1",
    ] {
        world.answers(rule);
    }
    for _ in 0..4 {
        world.send().await;
        world.now = story_of(&world, &desk(1)).await.0.due_at;
    }
    let received = world.sink.received();
    assert_eq!(received.len(), 3);
    for letter in &received {
        assert_eq!(letter.data, received[0].data);
        assert_eq!(letter.from, received[0].from);
        assert_eq!(letter.recipients, received[0].recipients);
    }
    assert_eq!(states(&world).await, of([("accepted", 1)]));
});

story!(
    all_letters_go_to_one_mailbox_where_the_setting_says_so,
    world,
    {
        queue(&world, 3).await;
        let messages = messages(&world).await;
        world.config.send.redirect_to = "staff@coalition.example".to_owned();
        assert_eq!(world.send().await.accepted, 3);
        assert_eq!(
            copies(&world).into_iter().collect::<Vec<_>>(),
            [("staff@coalition.example".to_owned(), 3)]
        );
        // They show whom they were written to.
        for letter in world.sink.received() {
            assert!(messages.iter().any(|(_, bytes, _)| **bytes == *letter.data));
            assert!(
                letter
                    .header("To")
                    .is_some_and(|to| to.starts_with("abuse@isp"))
            );
        }
    }
);

fn files(folder: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

story!(a_folder_gets_the_bytes_that_a_relay_would, world, {
    world.queue(TABLE, &feed()).await;
    let messages = messages(&world).await;
    world.config.send.transport = Transport::Folder;
    assert_eq!(world.send().await.accepted, 3);
    assert_eq!(world.sink.counts().connections, 0);

    let folder = &world.config.send.folder;
    let names: BTreeSet<String> = messages.iter().map(|(name, ..)| name.clone()).collect();
    assert_eq!(files(folder), names, "and no half-written one");
    for (name, bytes, _) in &messages {
        assert_eq!(std::fs::read(folder.join(name)).unwrap(), *bytes);
    }
    let (_, attempts) = story_of(&world, "abuse@linde.example").await;
    let outcome = attempts[0].outcome.as_ref().unwrap();
    assert!(
        outcome.reply.contains("abuse@linde.example.eml"),
        "{outcome:?}"
    );
});

story!(a_folder_that_cannot_be_written_to_costs_no_letter, world, {
    queue(&world, 2).await;
    world.config.send.transport = Transport::Folder;
    std::fs::write(&world.config.send.folder, "a file in its place").unwrap();
    let Err(send::Error::Relay(trouble)) = world.try_send().await else {
        panic!("it went through");
    };
    assert!(trouble.to_string().contains("outbox"), "{trouble}");
    assert_eq!(states(&world).await, of([("ready", 2)]));
    std::fs::remove_file(&world.config.send.folder).unwrap();
    assert_eq!(world.send().await.accepted, 2);
});

story!(
    a_letter_changed_behind_the_approval_does_not_leave,
    world,
    {
        queue(&world, 2).await;
        tamper(
            &world,
            "UPDATE letter SET body_text = 'Pay here' WHERE recipient = 'abuse@isp001.example'",
        )
        .await;
        let done = world.send().await;
        assert_eq!((done.accepted, done.failed), (1, 1));
        assert_eq!(states(&world).await, of([("accepted", 1), ("failed", 1)]));
        let (_, attempts) = story_of(&world, &desk(1)).await;
        let outcome = attempts[0].outcome.as_ref().unwrap();
        assert!(
            outcome.reply.contains("changed after it was approved"),
            "{outcome:?}"
        );
        assert_eq!(copies(&world).into_keys().collect::<Vec<_>>(), [desk(2)]);
    }
);

story!(a_set_changed_behind_the_approval_does_not_leave, world, {
    queue(&world, 2).await;
    tamper(
        &world,
        "UPDATE letter SET digest = 'ff' WHERE recipient = 'abuse@isp001.example'",
    )
    .await;
    let refused = world.try_send().await.unwrap_err().to_string();
    assert!(
        refused.contains("not those that were approved"),
        "{refused}"
    );
    assert!(world.sink.received().is_empty());
});
