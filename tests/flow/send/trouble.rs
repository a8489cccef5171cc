//! A relay that cannot be spoken to: no letter is to blame, and none is lost.

use lapwing::model::{OutcomeKind, Span, Step};
use lapwing::send;
use lapwing::sink::{Options, Sink};

use super::{copies, desk, of, outcomes, queue, states, story_of};
use crate::crash::under_way;
use crate::story;
use crate::world::World;

/// What the relay does before a letter can begin; the step and the words that name it.
const OPENINGS: &[(&str, Step, &str)] = &[
    (
        "CONNECT close 421 4.3.2 too busy",
        Step::Connect,
        "too busy",
    ),
    ("CONNECT 554 5.7.1 not you", Step::Connect, "not you"),
    ("CONNECT close", Step::Connect, ""),
    (
        "CONNECT garbage HTTP/1.1 400 Bad Request\\r\\n",
        Step::Connect,
        "",
    ),
    ("EHLO 451 4.3.0 later", Step::Connect, "later"),
    ("EHLO close", Step::Connect, ""),
    (
        "AUTH 535 5.7.8 wrong password",
        Step::Login,
        "wrong password",
    ),
    ("AUTH 454 4.7.0 no database", Step::Login, "no database"),
    ("AUTH close", Step::Login, ""),
];

/// Sends, and gives back for what fault it stopped.
async fn fault(world: &World) -> send::Trouble {
    match world.try_send().await {
        Err(send::Error::Relay(trouble)) => trouble,
        other => panic!("{other:?}"),
    }
}

async fn with_login(world: &mut World) {
    let options = Options {
        login: Some(("lapwing".to_owned(), "s3cret".to_owned())),
        ..Options::default()
    };
    let sink = Sink::start(([127, 0, 0, 1], 0).into(), options).await;
    world.sink = sink.unwrap();
    world.config.smtp.port = world.sink.address().port();
    world.config.smtp.username = "lapwing".to_owned();
    world.config.smtp.password = "s3cret".to_owned();
}

story!(a_relay_that_does_not_open_costs_no_letter, world, {
    with_login(&mut world).await;
    queue(&world, 6).await;
    for (rule, step, said) in OPENINGS {
        world.sink.rules().clear();
        world.answers(rule);
        let trouble = fault(&world).await;
        assert_eq!(trouble.step, *step, "{rule}: {trouble}");
        assert!(trouble.cause.contains(said), "{rule}: {trouble}");
        assert!(!trouble.cause.is_empty(), "{rule}");
        assert_eq!(
            trouble.relay,
            format!("127.0.0.1:{}", world.config.smtp.port)
        );
        assert_eq!(states(&world).await, of([("ready", 6)]), "{rule}");
    }
    let (delivery, attempts) = story_of(&world, &desk(1)).await;
    assert!(attempts.is_empty() && delivery.attempts == 0);
    assert!(world.sink.received().is_empty());

    world.sink.rules().clear();
    assert_eq!(world.send().await.accepted, 6);
    assert_eq!(copies(&world).len(), 6);
});

story!(a_relay_that_says_nothing_is_left, world, {
    queue(&world, 1).await;
    world.answers("CONNECT stall");
    world.config.smtp.command_timeout = Span(200);
    let trouble = fault(&world).await;
    assert_eq!(trouble.step, Step::Connect);
    assert!(trouble.cause.starts_with("no answer within"), "{trouble}");
    assert_eq!(states(&world).await, of([("ready", 1)]));
});

story!(a_relay_that_is_not_there_costs_no_letter, world, {
    queue(&world, 6).await;
    world.sink.stop().await;
    let trouble = fault(&world).await;
    assert_eq!(trouble.step, Step::Connect);
    assert!(trouble.to_string().contains("refused"), "{trouble}");
    assert_eq!(states(&world).await, of([("ready", 6)]));

    let sink = Sink::start(world.sink.address(), Options::default()).await;
    world.sink = sink.unwrap();
    assert_eq!(world.send().await.accepted, 6);
    assert_eq!(copies(&world).len(), 6);
});

/// Of a sender that is not taken no recipient is to blame: a wrong setting must not use up a
/// campaign. `tried` letters are told so before the relay is left alone.
async fn will_not_have_us(mut world: World, answer: &str, tried: usize) {
    queue(&world, 6).await;
    world.config.send.connections = 1;
    world.answers(&format!("MAIL * {answer}"));
    let trouble = fault(&world).await;
    assert_eq!(trouble.step, Step::Mail);
    assert!(trouble.to_string().contains(answer), "{trouble}");
    // Those tried have their attempt on record, uncounted; the others were not begun.
    assert_eq!(
        states(&world).await,
        of([("ready", 6 - tried), ("scheduled", tried)])
    );
    for n in 1..=tried {
        let (delivery, attempts) = story_of(&world, &desk(n)).await;
        assert_eq!(outcomes(&attempts), [Some(OutcomeKind::Relay)]);
        assert_eq!(delivery.attempts, 0);
    }

    world.sink.rules().clear();
    world.later("2m");
    assert_eq!(world.send().await.accepted, 6);
}

story!(a_relay_that_wants_a_login_stops_the_run, world, {
    will_not_have_us(world, "530 5.7.0 Authentication required", 1).await;
});

story!(
    a_relay_that_will_not_take_our_sender_is_left_alone_after_three,
    world,
    {
        will_not_have_us(world, "550 5.7.1 not from you", 3).await;
    }
);

story!(
    a_wrong_password_stops_the_run_and_the_right_one_lets_it_go,
    world,
    {
        with_login(&mut world).await;
        queue(&world, 2).await;
        world.config.smtp.password = "guess".to_owned();
        let trouble = fault(&world).await;
        assert_eq!(trouble.step, Step::Login);
        assert!(trouble.to_string().contains("login: "), "{trouble}");
        assert!(!trouble.to_string().contains("guess"), "{trouble}");
        assert_eq!(states(&world).await, of([("ready", 2)]));

        world.config.smtp.password = "s3cret".to_owned();
        assert_eq!(world.send().await.accepted, 2);
        let received = world.sink.received();
        assert!(
            received
                .iter()
                .all(|letter| letter.login.as_deref() == Some("lapwing"))
        );
    }
);

story!(
    a_relay_that_offers_no_login_gets_no_letter_without_one,
    world,
    {
        queue(&world, 1).await;
        world.config.smtp.username = "lapwing".to_owned();
        world.config.smtp.password = "s3cret".to_owned();
        let trouble = fault(&world).await;
        assert_eq!(trouble.step, Step::Login);
        assert!(world.sink.received().is_empty());
        assert_eq!(states(&world).await, of([("ready", 1)]));
    }
);

story!(the_next_relay_takes_over_from_one_in_trouble, world, {
    let second = Sink::start(([127, 0, 0, 1], 0).into(), Options::default()).await;
    let second = second.unwrap();
    let mut smtp = world.config.smtp.clone();
    smtp.port = second.address().port();
    smtp.priority = 20;
    world.config.relay.insert("second".to_owned(), smtp);
    queue(&world, 6).await;
    world.answers("CONNECT close 421 4.3.2 too busy");
    assert_eq!(world.send().await.accepted, 6);
    assert_eq!((copies(&world).len(), second.counts().letters), (0, 6));
    let (_, attempts) = story_of(&world, &desk(1)).await;
    let outcome = attempts[0].outcome.as_ref().unwrap();
    assert_eq!(outcome.relay, second.address().to_string());
});

story!(the_first_relay_is_the_first_while_it_is_well, world, {
    let second = Sink::start(([127, 0, 0, 1], 0).into(), Options::default()).await;
    let second = second.unwrap();
    let mut smtp = world.config.smtp.clone();
    smtp.port = second.address().port();
    smtp.priority = 20;
    world.config.relay.insert("second".to_owned(), smtp);
    queue(&world, 6).await;
    assert_eq!(world.send().await.accepted, 6);
    assert_eq!((copies(&world).len(), second.counts().connections), (6, 0));
});

story!(a_reply_without_end_is_not_listened_to, world, {
    queue(&world, 2).await;
    world.config.send.connections = 1;
    let endless = "x".repeat(600_000);
    world.answers(&format!("RCPT {} garbage {endless}", desk(1)));
    let done = world.send().await;
    assert_eq!((done.relay, done.accepted), (1, 1));
    let (_, attempts) = story_of(&world, &desk(1)).await;
    let outcome = attempts[0].outcome.as_ref().unwrap();
    assert_eq!(outcome.reply, "the reply is longer than 256 kB");
});

story!(what_left_before_the_trouble_is_told, world, {
    under_way(&mut world, 10).await;
    // Over one connection, so that three are through before five in a row are cut off.
    let settings = "[send]\ntransport = \"smtp\"\nconnections = 1\n";
    std::fs::write(world.dir().join("lapwing.toml"), settings).unwrap();
    for n in 4..=8 {
        world.answers(&format!("RCPT {} close", desk(n)));
    }
    let run = ["send", "trial"];
    let ran = world.lapwing(&run);
    let counted = "This run: 3 accepted, 5 held up by the relay\n";
    assert!(ran.out.starts_with(counted), "{ran:?}");
    assert!(ran.err.contains("127.0.0.1:"), "{ran:?}");
    assert_ne!(ran.code, 0);
    assert_eq!(
        states(&world).await,
        of([("accepted", 3), ("ready", 2), ("scheduled", 5)])
    );

    // Nothing left, and nothing is told of it.
    world.sink.rules().clear();
    world.answers("CONNECT close");
    let ran = world.lapwing(&run);
    assert_eq!((ran.out.as_str(), ran.code), ("", 6), "{ran:?}");
});
