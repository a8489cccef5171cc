//! Answers: of machines, of desks and of people, and who wants no more of it.

use super::{all, answer, comes_back, sent};
use crate::send::desk;
use crate::story;

story!(
    people_and_machines_are_told_apart_and_find_their_letter,
    world,
    {
        sent(&world, 3).await;
        let letter = world.letter_to(&desk(1)).await;
        let (id, ticket) = (&letter.message_id, &letter.ticket);
        let away = answer(
            &format!(
                "From: {}\r\nSubject: Out of office: Re: {}\r\nAuto-Submitted: auto-replied\r\nIn-Reply-To: <{id}>\r\n",
                desk(1),
                letter.subject
            ),
            "I am on vacation until 1 December.",
        );
        let done = comes_back(&world, letter.envelope_from.as_str(), &away).await;
        assert_eq!(done.automatic, 1, "{done:?}");
        let case = answer(
            &format!(
                "From: {}\r\nSubject: [ISP #4711] {}\r\nAuto-Submitted: auto-replied\r\nIn-Reply-To: <{id}>\r\n",
                desk(1),
                letter.subject
            ),
            "We have received your report. It has been assigned ticket number 4711.",
        );
        comes_back(&world, "notices@coalition.example", &case).await;
        let person = answer(
            &format!(
                "From: Bob <bob@isp001.example>\r\nSubject: Re: {}\r\nIn-Reply-To: <{id}>\r\nReferences: <{id}>\r\n",
                letter.subject
            ),
            "Thanks, the customer has cleaned the machine.\r\n\r\nBob",
        );
        let done = comes_back(&world, "notices@coalition.example", &person).await;
        assert_eq!((done.people, done.unmatched), (1, 0), "{done:?}");
        let by_ticket = answer(
            &format!("From: eve@elsewhere.example\r\nSubject: about {ticket}\r\n"),
            "Is this letter genuine?",
        );
        comes_back(&world, "notices@coalition.example", &by_ticket).await;
        let nobodys = answer("From: x@y.example\r\nSubject: hello\r\n", "Hello?");
        let done = comes_back(&world, "notices@coalition.example", &nobodys).await;
        assert_eq!(done.unmatched, 1);

        let kept = all(&world).await;
        let told: Vec<(&str, &str, &str, bool)> = kept
            .iter()
            .rev()
            .map(|one| {
                (
                    one.class.as_str(),
                    one.found_by.as_str(),
                    one.state.as_str(),
                    one.about.is_some(),
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                ("auto-reply", "token", "", true),
                ("auto-reply", "message-id", "", true),
                ("human", "message-id", "open", true),
                ("human", "ticket", "open", true),
                ("human", "", "open", false),
            ]
        );
        assert_eq!(kept[3].ticket, "ISP #4711", "{:?}", kept[3]);
        let letters = world.letters().await;
        let answered: Vec<&str> = letters.iter().map(|line| line.answered.as_str()).collect();
        assert_eq!(answered, ["replied", "", ""]);

        // The inbox: what is dealt with is no longer open.
        let ran = world.lapwing(&["reply", "list", "--open"]);
        assert_eq!(ran.out.lines().count(), 3, "{}", ran.out);
        let ran = world.lapwing(&["reply", "set", "3", "fixed", "--as", "anna"]);
        assert_eq!(ran.code, 0, "{}", ran.err);
        let ran = world.lapwing(&["reply", "list", "--open", "--json"]);
        assert_eq!(ran.out.lines().count(), 2, "{}", ran.out);
        let ran = world.lapwing(&["reply", "show", "3"]);
        assert!(ran.out.contains("the customer has cleaned"), "{}", ran.out);
        let ran = world.lapwing(&["status", "trial"]);
        assert!(ran.out.contains("1  answered by a person"), "{}", ran.out);
    }
);

story!(
    who_complains_gets_no_more_at_once_and_who_asks_after_approval,
    world,
    {
        sent(&world, 2).await;
        let letter = world.letter_to(&desk(1)).await;
        let complaint = format!(
            "From: fbl@isp001.example\r\nSubject: complaint\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/report; report-type=feedback-report; boundary=\"next\"\r\n\r\n\
         --next\r\nContent-Type: text/plain\r\n\r\nThis is an email abuse report.\r\n\r\n\
         --next\r\nContent-Type: message/feedback-report\r\n\r\nFeedback-Type: abuse\r\nUser-Agent: x/1\r\nVersion: 1\r\n\r\n\
         --next\r\nContent-Type: message/rfc822\r\n\r\nMessage-ID: <{}>\r\nSubject: x\r\n\r\ntext\r\n--next--\r\n",
            letter.message_id
        );
        let done = comes_back(&world, "abuse@coalition.example", &complaint).await;
        assert_eq!(done.complaints, 1, "{done:?}");
        let held = world
            .store
            .suppressed(std::slice::from_ref(&letter.recipient), world.now)
            .await
            .unwrap();
        assert_eq!(held.len(), 1);
        assert_eq!(all(&world).await[0].state.as_str(), "open");

        let letter = world.letter_to(&desk(2)).await;
        let request = answer(
            &format!(
                "From: {}\r\nSubject: unsubscribe\r\nIn-Reply-To: <{}>\r\n",
                desk(2),
                letter.message_id
            ),
            "Please remove us from your list.",
        );
        comes_back(&world, "notices@coalition.example", &request).await;
        let to = [letter.recipient.clone()];
        assert!(
            world
                .store
                .suppressed(&to, world.now)
                .await
                .unwrap()
                .is_empty()
        );
        let ran = world.lapwing(&["suppression", "list"]);
        assert!(ran.out.contains("proposed"), "{}", ran.out);
        let ran = world.lapwing(&["suppression", "approve", "2", "--as", "anna"]);
        assert_eq!(ran.code, 0, "{}", ran.err);
        assert_eq!(
            world.store.suppressed(&to, world.now).await.unwrap().len(),
            1
        );
        let ran = world.lapwing(&["suppression", "remove", "2"]);
        assert_eq!(ran.code, 0, "{}", ran.err);
        assert!(
            world
                .store
                .suppressed(&to, world.now)
                .await
                .unwrap()
                .is_empty()
        );
    }
);

story!(a_letter_of_ours_that_comes_back_is_nobodys_word, world, {
    sent(&world, 1).await;
    let letter = world.letter_to(&desk(1)).await;
    let own = lapwing::send::message(&letter).unwrap();
    let own = String::from_utf8(own).unwrap();
    let done = comes_back(&world, letter.envelope_from.as_str(), &own).await;
    assert_eq!((done.people, done.other), (0, 1), "{done:?}");
});

story!(addresses_are_suppressed_by_their_base_form, world, {
    // Approved already, and on its way.
    crate::send::queue(&world, 2).await;
    std::fs::write(
        world.dir().join("list.txt"),
        "# ours\nAbuse+tag@ISP001.example\nnonsense\n",
    )
    .unwrap();
    let ran = world.lapwing(&[
        "suppression",
        "import",
        "list.txt",
        "--reason",
        "asked by phone",
    ]);
    assert_eq!(ran.code, 3, "{}", ran.out);
    assert!(ran.err.contains("list.txt:3"), "{}", ran.err);
    assert_eq!(world.send().await.accepted, 1);
    assert_eq!(world.state_of(&desk(1)).await, "cancelled");
    assert_eq!(
        world.report().await.letters.campaign.state.as_str(),
        "settled"
    );
    let ticket = world.letter_to(&desk(1)).await.ticket;
    let ran = world.lapwing(&["letter", "show", &ticket]);
    assert!(ran.out.contains("(suppression 1)"), "{}", ran.out);
});

story!(a_wrong_contact_is_put_right_for_all_its_networks, world, {
    sent(&world, 1).await;
    let letter = world.letter_to(&desk(1)).await;
    for text in ["Not ours.", "Write to soc@right.example."] {
        let headers = format!(
            "From: {}\r\nSubject: {text}\r\nIn-Reply-To: <{}>\r\n",
            desk(1),
            letter.message_id
        );
        comes_back(&world, "notices@coalition.example", &answer(&headers, text)).await;
    }
    // One conversation, of which the newest message stands for all.
    let ran = world.lapwing(&["reply", "list", "--threads"]);
    assert_eq!(ran.out.lines().count(), 1, "{}", ran.out);
    assert!(ran.out.contains("2 messages"), "{}", ran.out);
    let ran = world.lapwing(&["reply", "show", "1"]);
    assert!(
        ran.out.contains("All that came about this letter"),
        "{}",
        ran.out
    );

    let ran = world.lapwing(&["reply", "set", "1", "wrong-contact"]);
    let command = "lapwing override add 192.0.2.1 --mailbox MAILBOX";
    assert!(ran.out.contains(command), "{}{}", ran.out, ran.err);
    let set = [
        "reply",
        "set",
        "1",
        "wrong-contact",
        "--mailbox",
        "soc@right.example",
        "--as",
        "anna",
    ];
    let ran = world.lapwing(&set);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let ran = world.lapwing(&["lookup", "192.0.2.1"]);
    assert!(ran.out.contains("soc@right.example"), "{}", ran.out);
    let ran = world.lapwing(&["reply", "set", "1", "fixed", "--mailbox", "x@y.example"]);
    assert_eq!(ran.code, 2, "{}", ran.out);
});
