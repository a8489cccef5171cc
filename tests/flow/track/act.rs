//! Reports that prove themselves, and what they change.

use std::fmt::Write as _;

use lapwing::model::{Suppression, SuppressionCause};

use super::{Report, all, comes_back, hand_over, read, sent};
use crate::send::{copies, desk, of, queue, states, story_of, tamper};
use crate::story;

story!(a_dead_address_is_not_written_to_any_more, world, {
    sent(&world, 3).await;
    let letter = world.letter_to(&desk(2)).await;
    let report = Report::of(&letter, "failed", "5.1.1", "550 5.1.1 No such user here");
    let done = comes_back(&world, letter.envelope_from.as_str(), &report.text()).await;
    assert_eq!(
        (done.read, done.bounced, done.untrue),
        (1, 1, 0),
        "{done:?}"
    );
    assert_eq!(
        states(&world).await,
        of([("accepted", 2), ("bounced-hard", 1)])
    );
    let suppressed = world.store.suppressions(world.now).await.unwrap();
    let [one] = suppressed.as_slice() else {
        panic!("{suppressed:?}");
    };
    assert_eq!(one.address.as_str(), desk(2));
    assert!(one.reason.contains("No such user here"), "{}", one.reason);

    // Another campaign passes it over, and says so.
    tamper(&world, "UPDATE campaign SET name = 'first'").await;
    queue(&world, 3).await;
    assert_eq!(world.send().await.accepted, 2);
    assert_eq!(copies(&world)[&desk(2)], 1);
    let ran = world.lapwing(&["unplaced", "trial"]);
    assert!(ran.out.contains("No such user here"), "{}", ran.out);

    // After half a year somebody may have mended it.
    world.later("181d");
    assert!(
        world
            .store
            .suppressions(world.now)
            .await
            .unwrap()
            .is_empty()
    );
});

story!(reports_are_put_together_and_what_is_certain_stays, world, {
    sent(&world, 4).await;
    let steps = [
        (1, "delayed", "4.4.1", "delayed"),
        (1, "delivered", "2.0.0", "delivered"),
        (1, "delayed", "4.4.7", "delivered"),
        (2, "relayed", "2.0.0", "relayed"),
        (2, "failed", "5.1.2", "bounced-hard"),
        (3, "expanded", "2.0.0", "expanded"),
        (3, "failed", "5.1.1", "expanded"),
        (4, "delayed", "4.2.2", "delayed"),
    ];
    for (n, action, status, state) in steps {
        let letter = world.letter_to(&desk(n)).await;
        let report = Report::of(&letter, action, status, "said so");
        comes_back(&world, letter.envelope_from.as_str(), &report.text()).await;
        assert_eq!(world.state_of(&desk(n)).await, state, "{n} {action}");
    }
    let report = world.report().await;
    assert_eq!(
        report
            .letters
            .queue
            .fates
            .iter()
            .map(|fate| fate.count)
            .sum::<i64>(),
        4
    );
});

story!(what_may_pass_is_sent_once_more, world, {
    sent(&world, 2).await;
    let letter = world.letter_to(&desk(1)).await;
    let full = |n: usize| {
        let said = ["452 4.2.2 mailbox full", "552 5.2.2 mailbox full"][n];
        Report::of(&letter, "failed", "5.2.2", said).text()
    };
    comes_back(&world, letter.envelope_from.as_str(), &full(0)).await;
    let (delivery, _) = story_of(&world, &desk(1)).await;
    assert_eq!(delivery.state.as_str(), "scheduled");
    assert_eq!(delivery.due_at, world.now.plus("1d".parse().unwrap()));
    assert_eq!(
        world.report().await.letters.campaign.state.as_str(),
        "approved"
    );
    assert!(
        world
            .store
            .suppressions(world.now)
            .await
            .unwrap()
            .is_empty()
    );
    world.later("25h");
    assert_eq!(world.send().await.accepted, 1);
    // The same bytes as before.
    let received = world.sink.received();
    let to_desk = received
        .iter()
        .filter(|one| one.recipients[0].address == desk(1));
    let messages: Vec<&[u8]> = to_desk.map(|one| &one.data[..]).collect();
    assert_eq!(messages.len(), 2);
    assert_eq!(messages[0], messages[1]);
    assert_eq!(world.state_of(&desk(1)).await, "accepted");
    comes_back(&world, letter.envelope_from.as_str(), &full(1)).await;
    assert_eq!(world.state_of(&desk(1)).await, "bounced-soft");
    assert_eq!(
        world.report().await.letters.campaign.state.as_str(),
        "settled"
    );
});

story!(what_is_our_fault_is_shown_and_not_sent_again, world, {
    sent(&world, 1).await;
    let letter = world.letter_to(&desk(1)).await;
    let said = "554 5.7.1 Message rejected due to content restrictions, spam detected";
    let report = Report::of(&letter, "failed", "5.7.1", said);
    comes_back(&world, letter.envelope_from.as_str(), &report.text()).await;
    assert_eq!(world.state_of(&desk(1)).await, "bounced-soft");
    let all = all(&world).await;
    assert_eq!(all[0].state.as_str(), "open", "{all:?}");
    assert!(
        world
            .store
            .suppressions(world.now)
            .await
            .unwrap()
            .is_empty()
    );
});

story!(what_is_handed_over_twice_counts_once, world, {
    sent(&world, 1).await;
    let letter = world.letter_to(&desk(1)).await;
    let report = Report::of(&letter, "failed", "5.2.2", "552 mailbox full").text();
    let to = letter.envelope_from.as_str();
    let (first, is_new) = hand_over(&world, to, &report).await;
    assert!(is_new);
    assert_eq!(hand_over(&world, to, &report).await, (first, false));
    assert_eq!(read(&world).await.read, 1);
    assert_eq!(read(&world).await.read, 0);
});

story!(staff_undo_what_the_rules_took_for_something_else, world, {
    sent(&world, 1).await;
    let letter = world.letter_to(&desk(1)).await;
    let report = Report::of(&letter, "failed", "5.1.1", "550 5.1.1 No such user here");
    comes_back(&world, letter.envelope_from.as_str(), &report.text()).await;
    assert_eq!(world.state_of(&desk(1)).await, "bounced-hard");
    let ran = world.lapwing(&["reply", "class", "1", "other", "--as", "anna"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(world.state_of(&desk(1)).await, "accepted");
    let ran = world.lapwing(&["suppression", "list"]);
    assert!(ran.out.contains("No address is suppressed"), "{}", ran.out);
    let ran = world.lapwing(&["letter", "show", &letter.ticket]);
    assert!(ran.out.contains("other"), "{}", ran.out);
    assert!(ran.out.contains("other as said by anna"), "{}", ran.out);
    // Rules that are better now do not go over what a person has decided.
    let ran = world.lapwing(&["reply", "reread"]);
    assert!(ran.out.starts_with("0 read"), "{}", ran.out);
});

story!(the_next_contact_is_written_to_and_it_is_said_why, world, {
    let table = "range,country,abuse\n192.0.2.0/24,JP,noc@carrier.example\n192.0.2.8/29,JP,abuse@small.example\n";
    world.queue(table, "ip,class\n192.0.2.9,spam\n").await;
    assert_eq!(world.send().await.accepted, 1);
    let letter = world.letter_to("abuse@small.example").await;
    let report = Report::of(&letter, "failed", "5.1.1", "550 5.1.1 No such user here");
    comes_back(&world, letter.envelope_from.as_str(), &report.text()).await;
    let ran = world.lapwing(&["lookup", "192.0.2.9"]);
    assert!(
        ran.out
            .contains("nothing is written to abuse@small.example"),
        "{}",
        ran.out
    );
    tamper(&world, "UPDATE campaign SET name = 'first'").await;
    world.queue(table, "ip,class\n192.0.2.9,spam\n").await;
    assert_eq!(world.send().await.accepted, 1);
    assert_eq!(copies(&world)["noc@carrier.example"], 1);
    let letter = world.letter_to("noc@carrier.example").await;
    for (language, says) in [
        (
            "ja",
            "宛先の理由：abuse@small.example宛ての通知が届かないため、192.0.2.8/29",
        ),
        ("en", "Our letters do not reach abuse@small.example"),
    ] {
        let said = letter.text.replace("\n", "").replace("  ", "");
        assert!(said.contains(says), "{language}: {}", letter.text);
    }
});

story!(each_language_says_whom_our_letters_do_not_reach, world, {
    let languages = [
        "ar", "bg", "de", "el", "en", "es", "fr", "id", "it", "ja", "ko", "lt", "ms", "nb", "nl",
        "pl", "pt", "ru", "sq", "th", "tr", "vi", "zh-Hans", "zh-Hant",
    ];
    let (mut table, mut feed) = (
        String::from("range,country,language,abuse\n"),
        String::from("ip,class\n"),
    );
    for (n, language) in (1..).zip(languages) {
        let _ = writeln!(
            table,
            "2001:db8:{n:x}00::/40,,{language},noc@carrier{n}.example"
        );
        let _ = writeln!(
            table,
            "2001:db8:{n:x}00::/48,,{language},abuse@small{n}.example"
        );
        let _ = writeln!(feed, "2001:db8:{n:x}00::9,spam");
        let dead = Suppression {
            id: 0,
            address: format!("abuse@small{n}.example").parse().unwrap(),
            cause: SuppressionCause::Dead,
            reason: "550 5.1.1 No such user".to_owned(),
            incoming: None,
            by: "lapwing".to_owned(),
            at: world.now,
            approved_by: Some("lapwing".to_owned()),
            until: None,
        };
        world.store.suppress(&dead).await.unwrap();
    }
    world.queue(&table, &feed).await;
    for (n, language) in (1..).zip(languages) {
        let letter = world.letter_to(&format!("noc@carrier{n}.example")).await;
        assert_eq!(letter.locale, language);
        let past = format!("abuse@small{n}.example");
        assert!(letter.text.contains(&past), "{language}: {}", letter.text);
    }
});
