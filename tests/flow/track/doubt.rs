//! What goes wrong with one message, and what people and rules see differently.

use lapwing::model::{Arrived, Mailbox, Suppression, Timestamp, WayIn};
use lapwing::track;

use super::{Report, all, answer, comes_back, hand_over, read, sent};
use crate::send::{desk, of, queue, states, story_of, tamper};
use crate::story;
use crate::world::World;

const FULL: &str = "552 5.2.2 mailbox full";

async fn suppressions(world: &World) -> Vec<Suppression> {
    world.store.suppressions(world.now).await.unwrap()
}

/// Reads all messages anew by the rules, at the world's time.
async fn reread(world: &World) -> track::Done {
    world.store.read_anew().await.unwrap();
    read(world).await
}

story!(a_message_that_breaks_the_program_stops_nobody, world, {
    sent(&world, 2).await;
    let (broken, letter) = (
        world.letter_to(&desk(1)).await,
        world.letter_to(&desk(2)).await,
    );
    tamper(
        &world,
        "UPDATE letter SET recipient = 'no address' WHERE id = 1",
    )
    .await;
    for letter in [&broken, &letter] {
        let report = Report::of(letter, "failed", "5.1.1", "550 5.1.1 No such user here");
        hand_over(&world, letter.envelope_from.as_str(), &report.text()).await;
    }
    let done = read(&world).await;
    assert_eq!(
        (done.read, done.failed, done.bounced),
        (2, 1, 1),
        "{done:?}"
    );
    assert_eq!(world.state_of(&desk(2)).await, "bounced-hard");
    let ran = world.lapwing(&["reply", "list", "--open"]);
    assert!(ran.out.contains("human"), "{}", ran.out);
    let ran = world.lapwing(&["reply", "show", "1"]);
    assert!(
        ran.out.contains("nothing could be done with it"),
        "{}",
        ran.out
    );
    // When somebody has seen to the cause, it is read as any other.
    tamper(&world, "UPDATE letter SET recipient = (SELECT recipient FROM delivery WHERE letter_id = 1) WHERE id = 1").await;
    let done = reread(&world).await;
    assert_eq!((done.failed, done.bounced), (0, 2), "{done:?}");
});

story!(what_the_database_keeps_no_sign_for_is_left_out, world, {
    sent(&world, 1).await;
    let letter = world.letter_to(&desk(1)).await;
    let report = Report::of(&letter, "failed", "5.1.1", "550 5.1.1 No \0such user");
    let done = comes_back(&world, letter.envelope_from.as_str(), &report.text()).await;
    assert_eq!((done.failed, done.bounced), (0, 1), "{done:?}");
    let accents = answer(
        "From: a@isp.example\r\nSubject: x\r\nReferences: <é.é@isp.example> <l.é>\r\n",
        "Hello?",
    );
    let done = comes_back(&world, "notices@coalition.example", &accents).await;
    assert_eq!((done.failed, done.people), (0, 1), "{done:?}");
});

story!(
    a_bounce_that_is_quicker_than_the_relay_waits_for_it,
    world,
    {
        sent(&world, 1).await;
        tamper(&world, "UPDATE delivery SET state = 'leased', worker = 'w'").await;
        let letter = world.letter_to(&desk(1)).await;
        let report = Report::of(&letter, "failed", "5.2.2", FULL);
        let done = comes_back(&world, letter.envelope_from.as_str(), &report.text()).await;
        assert_eq!((done.read, done.later), (0, 1), "{done:?}");
        tamper(
            &world,
            "UPDATE delivery SET state = 'accepted', worker = ''",
        )
        .await;
        let done = read(&world).await;
        assert_eq!((done.read, done.later), (1, 0), "{done:?}");
        assert_eq!(states(&world).await, of([("scheduled", 1)]));
    }
);

story!(staff_take_back_a_letter_that_was_to_be_sent_again, world, {
    sent(&world, 1).await;
    let letter = world.letter_to(&desk(1)).await;
    let report = Report::of(&letter, "failed", "5.2.2", FULL);
    comes_back(&world, letter.envelope_from.as_str(), &report.text()).await;
    assert_eq!(states(&world).await, of([("scheduled", 1)]));
    let ran = world.lapwing(&["reply", "class", "1", "bounce-hard", "--as", "anna"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(world.state_of(&desk(1)).await, "bounced-hard");
    assert_eq!(suppressions(&world).await.len(), 1);
    world.later("2d");
    world.send().await;
    let (_, attempts) = story_of(&world, &desk(1)).await;
    assert_eq!(attempts.len(), 1);
    assert_eq!(
        world.report().await.letters.campaign.state.as_str(),
        "settled"
    );
});

story!(reading_anew_sends_nothing_and_brings_back_nothing, world, {
    sent(&world, 2).await;
    let dead = world.letter_to(&desk(1)).await;
    let report = Report::of(&dead, "failed", "5.1.1", "550 5.1.1 No such user here");
    comes_back(&world, dead.envelope_from.as_str(), &report.text()).await;
    let full = world.letter_to(&desk(2)).await;
    let report = Report::of(&full, "failed", "5.2.2", FULL);
    comes_back(&world, full.envelope_from.as_str(), &report.text()).await;
    world.later("25h");
    assert_eq!(world.send().await.accepted, 1);
    let ran = world.lapwing(&["suppression", "remove", "1", "--as", "anna"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    world.later("1d");
    assert_eq!(reread(&world).await.bounced, 2);
    assert!(suppressions(&world).await.is_empty());
    assert_eq!(
        states(&world).await,
        of([("accepted", 1), ("bounced-hard", 1)])
    );
    // What one has said stands, whatever the rules would say.
    let ran = world.lapwing(&["reply", "set", "1", "closed", "--as", "anna"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    reread(&world).await;
    let kept = all(&world).await;
    let one = kept.iter().find(|one| one.id == 1).unwrap();
    assert_eq!(
        (one.state.as_str(), one.decided_by.as_str()),
        ("closed", "anna")
    );
});

story!(
    a_decision_of_staff_stands_beside_that_of_the_rules,
    world,
    {
        sent(&world, 1).await;
        let letter = world.letter_to(&desk(1)).await;
        let report = Report::of(&letter, "failed", "5.1.1", "550 5.1.1 No such user here");
        comes_back(&world, letter.envelope_from.as_str(), &report.text()).await;
        let to = desk(1);
        let add = [
            "suppression",
            "add",
            &to,
            "--reason",
            "by phone",
            "--as",
            "anna",
        ];
        let ran = world.lapwing(&add);
        assert!(ran.out.contains("by phone"), "{}{}", ran.out, ran.err);
        assert_eq!(suppressions(&world).await.len(), 2);
        let ran = world.lapwing(&["suppression", "remove", "1", "--as", "anna"]);
        assert!(
            ran.out.contains("still") && ran.out.contains('2'),
            "{}{}",
            ran.out,
            ran.err
        );
        let to: [Mailbox; 1] = [letter.recipient.clone()];
        let held = world.store.suppressed(&to, world.now).await.unwrap();
        assert_eq!(held[&to[0]].reason, "by phone");
    }
);

story!(
    what_was_accepted_sent_again_and_refused_can_be_tried_again,
    world,
    {
        sent(&world, 1).await;
        let letter = world.letter_to(&desk(1)).await;
        let report = Report::of(&letter, "failed", "5.2.2", FULL);
        comes_back(&world, letter.envelope_from.as_str(), &report.text()).await;
        world.later("25h");
        world.answers("RCPT * 550 5.7.1 blocked");
        assert_eq!(world.send().await.refused, 1);
        world.sink.rules().clear();
        let ran = world.lapwing(&["campaign", "retry", "trial", "--as", "anna"]);
        assert!(ran.out.contains("1 letter"), "{}{}", ran.out, ran.err);
    }
);

story!(what_staff_close_is_no_proof_of_whose_it_is, world, {
    sent(&world, 1).await;
    let letter = world.letter_to(&desk(1)).await;
    let headers = format!(
        "From: eve@x.example\r\nSubject: about {}\r\n",
        letter.ticket
    );
    comes_back(
        &world,
        "notices@coalition.example",
        &answer(&headers, "Genuine?"),
    )
    .await;
    let ran = world.lapwing(&["reply", "set", "1", "closed", "--as", "anna"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    reread(&world).await;
    assert_eq!(world.letters().await[0].answered.as_str(), "");
    // That it is an answer to this letter somebody has to say.
    let ran = world.lapwing(&["reply", "class", "1", "human", "--as", "anna"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(world.letters().await[0].answered.as_str(), "replied");
});

story!(
    mail_redirected_for_a_test_says_nothing_of_the_desk,
    world,
    {
        world.config.send.redirect_to = "staff@coalition.example".to_owned();
        sent(&world, 1).await;
        let letter = world.letter_to(&desk(1)).await;
        let mut report = Report::of(&letter, "failed", "5.1.1", "550 5.1.1 No such user here");
        report.recipient = "staff@coalition.example".to_owned();
        comes_back(&world, letter.envelope_from.as_str(), &report.text()).await;
        assert_eq!(world.state_of(&desk(1)).await, "bounced-hard");
        assert!(suppressions(&world).await.is_empty());
    }
);

story!(a_dead_member_of_an_alias_is_not_the_alias, world, {
    sent(&world, 1).await;
    let letter = world.letter_to(&desk(1)).await;
    let mut report = Report::of(&letter, "failed", "5.1.1", "550 5.1.1 No such user here");
    report.recipient = "bob@staff.example".to_owned();
    comes_back(&world, letter.envelope_from.as_str(), &report.text()).await;
    assert!(suppressions(&world).await.is_empty());
});

story!(who_sent_it_is_not_nobody_where_nobody_says, world, {
    queue(&world, 1).await;
    let plain = answer(
        "From: a@isp.example\r\nSubject: your letter\r\n",
        "You wrote to abuse@isp.example. No such user.",
    );
    let of = async |envelope_from: Option<&str>, n: i64| {
        let arrived = Arrived {
            via: WayIn::Imap,
            came_at: Timestamp(world.now.0 + n),
            envelope_from: envelope_from.map(str::to_owned),
            envelope_to: format!("b-{n}@coalition.example"),
            size: plain.len() as u64,
            message: plain.clone().into_bytes(),
        };
        world.store.put_incoming(&arrived).await.unwrap();
        read(&world).await
    };
    assert_eq!(of(None, 1).await.people, 1);
    assert_eq!(of(Some(""), 2).await.bounced, 1);
});

story!(what_a_machine_reports_is_no_complaint, world, {
    sent(&world, 3).await;
    let feedback = |kind: &str, id: &str| {
        format!(
            "From: fbl@isp.example\r\nSubject: report\r\nMIME-Version: 1.0\r\n\
             Content-Type: multipart/report; report-type=feedback-report; boundary=\"next\"\r\n\r\n\
             --next\r\nContent-Type: text/plain\r\n\r\nA report.\r\n\r\n\
             --next\r\nContent-Type: message/feedback-report\r\n\r\nFeedback-Type: {kind}\r\nUser-Agent: x/1\r\nVersion: 1\r\n\r\n\
             --next\r\nContent-Type: message/rfc822\r\n\r\nMessage-ID: <{id}>\r\nSubject: x\r\n\r\ntext\r\n--next--\r\n"
        )
    };
    let letter = world.letter_to(&desk(1)).await;
    for kind in ["not-spam", "auth-failure", "dmarc", "virus"] {
        comes_back(
            &world,
            "abuse@coalition.example",
            &feedback(kind, &letter.message_id),
        )
        .await;
        assert!(suppressions(&world).await.is_empty(), "{kind}");
    }
    let prose = answer(
        "From: dmarc@isp.example\r\nSubject: DMARC failure report\r\n",
        &format!(
            "This is an authentication failure report for a message from 192.0.2.1.\r\nIt failed the published DMARC policy.\r\nSource-IP: 192.0.2.1\r\nMessage-ID: <{}>\r\n",
            letter.message_id
        ),
    );
    comes_back(&world, "abuse@coalition.example", &prose).await;
    assert!(
        suppressions(&world).await.is_empty(),
        "{:?}",
        all(&world).await[0]
    );
    // A complaint that only knows the letter stops letters for a time, one to the letter's own address for good.
    comes_back(
        &world,
        "abuse@coalition.example",
        &feedback("abuse", &letter.message_id),
    )
    .await;
    let known = suppressions(&world).await;
    assert_eq!(known.len(), 1);
    assert!(known[0].until.is_some());
    let letter = world.letter_to(&desk(2)).await;
    comes_back(
        &world,
        letter.envelope_from.as_str(),
        &feedback("abuse", &letter.message_id),
    )
    .await;
    assert!(suppressions(&world).await[0].until.is_none());
});
