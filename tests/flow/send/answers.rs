//! Each answer of a mail server, at each step, and what it makes of the letter.

use lapwing::config::OnUncertain;
use lapwing::model::{OutcomeKind, Span, Step};
use lapwing::sink::{Extensions, Options, Sink};

use super::{copies, desk, of, outcomes, queue, states, story_of};
use crate::story;
use crate::world::World;

/// What the server answers; state, outcome and step after it; what the timeline then shows: code,
/// enhanced code, and the reply.
type Case = (
    &'static str,
    &'static str,
    OutcomeKind,
    Step,
    i64,
    &'static str,
    &'static str,
);

use OutcomeKind::{Accepted, Deferred, Refused, Relay, Uncertain};

/// No more than four faults of the connection in a row: the fifth would be the end of the run.
#[rustfmt::skip]
const CASES: &[Case] = &[
    ("MAIL 451 4.3.0 busy", "scheduled", Deferred, Step::Mail, 451, "4.3.0", "4.3.0 busy"),
    ("MAIL 552 5.3.4 too large for us", "refused", Refused, Step::Mail, 552, "5.3.4", "5.3.4 too large for us"),
    ("MAIL 421 4.3.2 going down", "scheduled", Relay, Step::Mail, 421, "4.3.2", "4.3.2 going down"),
    ("MAIL close", "scheduled", Relay, Step::Mail, 0, "", ""),
    ("MAIL garbage what?\\n", "scheduled", Relay, Step::Mail, 0, "", ""),
    ("RCPT 450 4.2.1 mailbox is full", "scheduled", Deferred, Step::Rcpt, 450, "4.2.1", "4.2.1 mailbox is full"),
    ("RCPT 451 Greylisted, see https://mx.example/grey", "scheduled", Deferred, Step::Rcpt, 451, "", "Greylisted, see https://mx.example/grey"),
    ("RCPT 550 5.1.1 <abuse>: no such user; 100% sure", "refused", Refused, Step::Rcpt, 550, "5.1.1", "5.1.1 <abuse>: no such user; 100% sure"),
    ("RCPT 553-5.1.1 The mailbox\\n553 5.1.1 has moved", "refused", Refused, Step::Rcpt, 553, "5.1.1", "5.1.1 The mailbox has moved"),
    ("RCPT close 421 4.3.2 going down", "scheduled", Relay, Step::Rcpt, 421, "4.3.2", "4.3.2 going down"),
    ("RCPT close", "scheduled", Relay, Step::Rcpt, 0, "", ""),
    ("RCPT 354 what?", "scheduled", Relay, Step::Rcpt, 354, "", "out of step: what?"),
    ("DATA 452 4.3.1 disk full", "scheduled", Deferred, Step::Data, 452, "4.3.1", "4.3.1 disk full"),
    ("DATA 554 5.7.1 we have seen enough", "refused", Refused, Step::Data, 554, "5.7.1", "5.7.1 we have seen enough"),
    ("DATA 421 4.3.2 going down", "scheduled", Relay, Step::Data, 421, "4.3.2", "4.3.2 going down"),
    ("DATA close", "scheduled", Relay, Step::Data, 0, "", ""),
    ("DATA 250 what?", "scheduled", Relay, Step::Data, 250, "", "out of step: what?"),
    ("DOT 451 4.7.1 later", "scheduled", Deferred, Step::Dot, 451, "4.7.1", "4.7.1 later"),
    ("DOT 554 5.6.0 not this", "refused", Refused, Step::Dot, 554, "5.6.0", "5.6.0 not this"),
    ("DOT 421 4.3.2 going down", "scheduled", Relay, Step::Dot, 421, "4.3.2", "4.3.2 going down"),
    ("DOT close", "scheduled", Uncertain, Step::Dot, 0, "", ""),
    ("RCPT 252 2.1.5 cannot tell, will take it", "accepted", Accepted, Step::Dot, 250, "2.0.0", "2.0.0 Ok: queued as "),
    ("DOT accept-close", "scheduled", Uncertain, Step::Dot, 0, "", ""),
    ("DOT garbage what?\\n", "scheduled", Uncertain, Step::Dot, 0, "", ""),
    ("DOT 354 go on", "scheduled", Uncertain, Step::Dot, 354, "", "out of step: go on"),
    ("DOT 250 2.6.0 <x@mx.example> taken as 4Zq", "accepted", Accepted, Step::Dot, 250, "2.6.0", "2.6.0 <x@mx.example> taken as 4Zq"),
];

story!(every_answer_has_its_consequence, world, {
    each_answer(world).await;
});

story!(
    every_answer_has_its_consequence_where_one_waits_for_each,
    world,
    {
        let options = Options {
            extensions: Extensions {
                pipelining: false,
                dsn: false,
                size: false,
                ..Extensions::default()
            },
            ..Options::default()
        };
        world.sink = Sink::start(([127, 0, 0, 1], 0).into(), options)
            .await
            .unwrap();
        world.config.smtp.port = world.sink.address().port();
        each_answer(world).await;
    }
);

async fn each_answer(mut world: World) {
    queue(&world, CASES.len()).await;
    for (n, (answer, ..)) in CASES.iter().enumerate() {
        let (step, action) = answer.split_once(' ').unwrap();
        let line = &world.letters().await[n];
        assert_eq!(line.recipient, desk(n + 1));
        let (letter, _) = world.store.letter(line.id).await.unwrap();
        // At MAIL the server knows the letter by its envelope sender only.
        let party = if step == "MAIL" {
            letter.envelope_from
        } else {
            letter.recipient
        };
        world.answers(&format!("{step} {party} {action}"));
    }
    world.config.send.connections = 1;
    world.send().await;

    let relay = format!("127.0.0.1:{}", world.config.smtp.port);
    let mut broken = 0;
    for (n, (answer, state, kind, step, code, enhanced, reply)) in CASES.iter().enumerate() {
        let (delivery, attempts) = story_of(&world, &desk(n + 1)).await;
        assert_eq!(delivery.state.as_str(), *state, "{answer}");
        assert_eq!(attempts.len(), 1, "{answer}");
        let outcome = attempts[0].outcome.as_ref().unwrap();
        assert_eq!((outcome.kind, outcome.step), (*kind, *step), "{answer}");
        assert_eq!(
            (outcome.code, &*outcome.enhanced),
            (*code, *enhanced),
            "{answer}"
        );
        if answer.contains("RCPT 252") {
            assert!(outcome.reply.starts_with(reply), "{answer}: {outcome:?}");
        } else if !reply.is_empty() {
            assert_eq!(outcome.reply, *reply, "{answer}");
        }
        assert!(
            !outcome.reply.is_empty(),
            "{answer}: what went wrong is said"
        );
        assert_eq!(outcome.relay, relay, "{answer}");
        assert_eq!(
            outcome.sent_to,
            Some(delivery.recipient.clone()),
            "{answer}"
        );
        // The relay's own troubles are not held against the letter, and pass sooner.
        assert_eq!(delivery.attempts, i64::from(*kind != Relay), "{answer}");
        if *state == "scheduled" {
            let wait = delivery.due_at.since(attempts[0].finished_at.unwrap());
            let usual = if *kind == Relay { 60 } else { 300 };
            let fifth = Span::seconds(usual * 4 / 5)..=Span::seconds(usual * 6 / 5);
            assert!(fifth.contains(&wait), "{answer}: {wait:?}");
        }
        broken += u64::from(matches!(kind, Relay | Uncertain));
    }
    // No refusal of a letter costs the connection, and none that is out of step is used again.
    assert_eq!(world.sink.counts().connections, 1 + broken);

    world.sink.rules().clear();
    world.later("7m");
    let rest = world.send().await;
    for (n, (answer, state, kind, ..)) in CASES.iter().enumerate() {
        let (delivery, attempts) = story_of(&world, &desk(n + 1)).await;
        let (last, tries) = match *state {
            "scheduled" => ("accepted", 2),
            other => (other, 1),
        };
        assert_eq!(delivery.state.as_str(), last, "{answer}");
        assert_eq!(attempts.len(), tries, "{answer}");
        assert_eq!(
            outcomes(&attempts)[0],
            Some(*kind),
            "{answer}: history stays"
        );
    }
    let again = CASES.iter().filter(|case| case.1 == "scheduled").count();
    assert_eq!(rest.accepted, again as u64);

    let copies = copies(&world);
    for (n, (answer, _, kind, ..)) in CASES.iter().enumerate() {
        let arrived = match (*answer, kind) {
            ("DOT accept-close", _) => 2,
            (_, Refused) => 0,
            _ => 1,
        };
        assert_eq!(
            copies.get(&desk(n + 1)),
            Some(&arrived).filter(|n| **n > 0),
            "{answer}"
        );
    }
    assert_eq!(
        world.report().await.letters.campaign.state.as_str(),
        "settled"
    );
    world.later("30d");
    assert!(
        world.try_send().await.is_err(),
        "5xx is never tried again: the campaign is settled"
    );
}

story!(what_may_have_arrived_is_sent_once_more_as_it_was, world, {
    queue(&world, 1).await;
    world.answers("DOT * accept-close x1");
    assert_eq!(world.send().await.uncertain, 1);
    world.later("7m");
    assert_eq!(world.send().await.accepted, 1);

    let received = world.sink.received();
    assert_eq!(received.len(), 2);
    assert_eq!(received[0].data, received[1].data, "byte for byte");
    assert_eq!(received[0].from, received[1].from);
    assert!(received[0].header("Message-ID").is_some());
    let report = world.report().await;
    assert_eq!(
        report.letters.queue.uncertain_attempts, 1,
        "and it is named"
    );
    assert!(report.status().contains("may have arrived twice"));
});

story!(
    what_may_have_arrived_waits_for_a_person_where_the_setting_says_so,
    world,
    {
        world.config.send.on_uncertain = OnUncertain::Hold;
        queue(&world, 3).await;
        world.answers(&format!("DOT {} accept-close", desk(1)));
        world.answers(&format!("DOT {} close", desk(2)));
        let done = world.send().await;
        assert_eq!((done.uncertain, done.accepted), (2, 1));
        assert_eq!(
            states(&world).await,
            of([("accepted", 1), ("uncertain", 2)])
        );
        let report = world.report().await;
        assert!(report.letters.has_failures());
        assert_eq!(report.letters.campaign.state.as_str(), "settled");
        assert_eq!(copies(&world).len(), 2, "what had arrived came once");
        assert!(copies(&world).values().all(|n| *n == 1));
    }
);

story!(
    a_silent_server_is_waited_for_no_longer_than_the_settings_say,
    world,
    {
        world.config.smtp.command_timeout = Span::seconds(1);
        world.config.smtp.dot_timeout = Span::seconds(1);
        queue(&world, 2).await;
        world.answers(&format!("RCPT {} stall", desk(1)));
        world.answers(&format!("DOT {} stall", desk(2)));
        let done = world.send().await;
        assert_eq!((done.relay, done.uncertain), (1, 1));
        for n in [1, 2] {
            let (_, attempts) = story_of(&world, &desk(n)).await;
            let reply = &attempts[0].outcome.as_ref().unwrap().reply;
            assert_eq!(reply, "no answer within 1 s");
        }
    }
);
