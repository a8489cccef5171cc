//! Every action at every step, told at the start or while the sink runs.

use std::time::Instant;

use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use super::*;

const STEPS: [Step; 9] = [
    Step::Connect,
    Step::Ehlo,
    Step::StartTls,
    Step::Auth,
    Step::Mail,
    Step::Rcpt,
    Step::Data,
    Step::Dot,
    Step::Quit,
];

/// A sink with one rule, and a client that has just done what the rule waits for.
async fn met(at: Step, action: Action) -> (Sink, Client<TcpStream>) {
    let key = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let secret = PrivateKeyDer::from(key.signing_key);
    let tls = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![key.cert.into()], secret);
    let sink = sink(Options {
        tls: Some(Arc::new(tls.unwrap())),
        login: (at == Step::Auth).then(|| ("u".to_owned(), "p".to_owned())),
        rules: vec![Rule {
            at,
            matching: None,
            times: None,
            action,
        }],
        ..Options::default()
    })
    .await;
    let mut client = Client::connect(&sink).await;
    for (step, command) in [
        (Step::Ehlo, "EHLO client.example"),
        (Step::StartTls, "STARTTLS"),
        (Step::Auth, "AUTH PLAIN AHUAcA=="),
        (Step::Mail, "MAIL FROM:<a@agency.example>"),
        (Step::Rcpt, "RCPT TO:<b@isp.example>"),
        (Step::Data, "DATA"),
        (Step::Dot, "Subject: x\r\n\r\nx\r\n."),
        (Step::Quit, "QUIT"),
    ] {
        let is_beside = matches!(step, Step::StartTls | Step::Auth) && step != at;
        if at == Step::Connect || is_beside {
            continue;
        }
        assert!(client.reply().await.starts_with(['2', '3']), "{step:?}");
        client.send(format!("{command}\r\n")).await;
        if step == at {
            break;
        }
    }
    (sink, client)
}

#[tokio::test]
async fn a_reply_is_said_word_for_word_and_the_step_fails() {
    for at in STEPS {
        let text = "451-4.7.1 not\n451 4.7.1  yet\u{fc}";
        let (sink, mut client) = met(at, Action::Reply(text.to_owned())).await;
        assert_eq!(client.reply().await, text, "{at:?}");
        let after = match at {
            Step::Quit => ("NOOP", ""),
            Step::Connect => ("EHLO client.example", "503 5.5.1"),
            Step::Ehlo => ("MAIL FROM:<a@agency.example>", "503 5.5.1 EHLO"),
            Step::StartTls => ("NOOP", "250"),
            Step::Auth => ("MAIL FROM:<a@agency.example>", "530"),
            Step::Mail => ("RCPT TO:<b@isp.example>", "503 5.5.1 MAIL"),
            Step::Rcpt => ("DATA", "554 5.5.1"),
            Step::Data => ("RSET", "250"),
            Step::Dot => ("DATA", "503 5.5.1 MAIL"),
        };
        if at == Step::Quit {
            assert_eq!(client.rest().await, b"");
        } else {
            client.expect(after.0, after.1).await;
        }
        assert_eq!(sink.counts().refused, 1, "{at:?}");
        assert_eq!(sink.counts().letters, u64::from(at == Step::Quit), "{at:?}");
    }
}

#[tokio::test]
async fn a_willing_reply_only_changes_the_words() {
    for (at, text, next, answer) in [
        (Step::Connect, "220 hi", "EHLO client.example", "250"),
        (
            Step::Ehlo,
            "250-me\n250 X",
            "MAIL FROM:<a@agency.example>",
            "250",
        ),
        (
            Step::Auth,
            "235 fine",
            "MAIL FROM:<a@agency.example>",
            "250",
        ),
        (Step::Mail, "250 fine", "RCPT TO:<b@isp.example>", "250"),
        (Step::Rcpt, "251 fine", "DATA", "354"),
        (Step::Data, "354 fine", ".", "250 2.0.0 Ok"),
        (Step::Dot, "250 as Q1", "NOOP", "250"),
    ] {
        let (sink, mut client) = met(at, Action::Reply(text.to_owned())).await;
        assert_eq!(client.reply().await, text, "{at:?}");
        client.expect(next, answer).await;
        assert_eq!(sink.counts().refused, 0, "{at:?}");
    }
}

#[tokio::test]
async fn closing_says_nothing_more_than_it_was_told() {
    for at in STEPS {
        let (sink, mut client) = met(at, Action::Close).await;
        assert_eq!(client.rest().await, b"", "{at:?}");
        assert_eq!(sink.counts().letters, u64::from(at == Step::Quit));
        assert_eq!((sink.counts().refused, sink.counts().open), (1, 0));

        let farewell = Action::ReplyThenClose("421 4.3.2 bye".to_owned());
        let (_sink, mut client) = met(at, farewell).await;
        assert_eq!(client.rest().await, b"421 4.3.2 bye\r\n", "{at:?}");
    }
}

#[tokio::test]
async fn a_letter_can_be_taken_without_an_answer() {
    for at in STEPS {
        let (sink, mut client) = met(at, Action::AcceptThenClose).await;
        assert_eq!(client.rest().await, b"", "{at:?}");
        let is_taken = matches!(at, Step::Dot | Step::Quit);
        assert_eq!(sink.received().len(), usize::from(is_taken), "{at:?}");
        assert_eq!(sink.counts().refused, 0);
    }
}

#[tokio::test]
async fn a_stalled_client_hears_nothing_until_it_goes() {
    for at in STEPS {
        let (sink, mut client) = met(at, Action::Stall).await;
        client.send("NOOP\r\n".repeat(10_000)).await;
        let stalled = |counts: &Counts| (counts.refused, counts.open) == (1, 1);
        within(sink.wait_until(stalled)).await;
        client.stream.shutdown().await.unwrap();
        assert_eq!(client.rest().await, b"", "{at:?}");
        within(sink.wait_until(|counts| counts.open == 0)).await;
    }
    let (sink, mut client) = met(Step::Mail, Action::Stall).await;
    within(sink.wait_until(|counts| counts.refused == 1)).await;
    within(sink.stop()).await;
    assert_eq!(client.rest().await, b"");
}

#[tokio::test]
async fn garbage_is_sent_as_it_is() {
    for at in STEPS {
        let garbage = [&b"\0\xff\r"[..], &vec![b'x'; 100_000]].concat();
        let (_sink, mut client) = met(at, Action::Garbage(garbage.clone())).await;
        let mut heard = vec![0; garbage.len()];
        within(client.stream.read_exact(&mut heard)).await.unwrap();
        assert_eq!(heard, garbage, "{at:?}");
        client.stream.shutdown().await.unwrap();
        assert_eq!(client.rest().await, b"", "{at:?}");
    }
}

#[tokio::test]
async fn a_delayed_answer_is_the_usual_one() {
    let delay = Duration::from_millis(20);
    for at in STEPS {
        let begun = Instant::now();
        let (sink, mut client) = met(at, Action::Delay(delay)).await;
        assert!(client.reply().await.starts_with(['2', '3']), "{at:?}");
        assert!(begun.elapsed() >= delay, "{at:?}");
        assert_eq!(sink.counts().refused, 0);
    }
}

#[tokio::test]
async fn earlier_answers_of_a_batch_are_heard_before_the_connection_closes() {
    let sink = sink(Options {
        rules: vec!["DATA b@isp.example close".parse().unwrap()],
        ..Options::default()
    })
    .await;
    let mut client = Client::greeted(&sink).await;
    let batch = "MAIL FROM:<a@agency.example>\r\nRCPT TO:<b@isp.example>\r\nDATA\r\nNOOP\r\n";
    client.send(batch).await;
    let rest = String::from_utf8(client.rest().await).unwrap();
    assert_eq!(rest, "250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n");
}

#[tokio::test]
async fn rules_apply_to_their_address_as_often_as_told_and_change_at_run_time() {
    let sink = sink(Options {
        rules: vec![
            "RCPT slow@isp.example 451 4.7.1 later x2".parse().unwrap(),
            "DATA *@bad.example 554 5.6.0 no".parse().unwrap(),
            "DOT *@full.example 452 4.2.2 full x1".parse().unwrap(),
        ],
        ..Options::default()
    })
    .await;
    let mut client = Client::greeted(&sink).await;
    client.expect("MAIL FROM:<a@agency.example>", "250").await;
    for (recipient, answer) in [
        ("SLOW@isp.example", "451 4.7.1 later"),
        ("quick@isp.example", "250"),
        ("slow@isp.example", "451 4.7.1 later"),
        ("slow@isp.example", "250"),
        ("x@bad.example", "250"),
    ] {
        client
            .expect(&format!("RCPT TO:<{recipient}>"), answer)
            .await;
    }
    client.expect("DATA", "554 5.6.0 no").await;
    client.expect("RSET", "250").await;
    for answer in ["452 4.2.2", "250 2.0.0"] {
        client.expect("MAIL FROM:<a@agency.example>", "250").await;
        client.expect("RCPT TO:<x@full.example>", "250").await;
        client.expect("DATA", "354").await;
        client.expect(".", answer).await;
    }
    assert_eq!((sink.counts().refused, sink.counts().letters), (4, 1));

    sink.rules()
        .push("MAIL *@agency.example 550 5.7.1 no".parse().unwrap());
    client
        .expect("MAIL FROM:<a@agency.example>", "550 5.7.1")
        .await;
    client.expect("MAIL FROM:<>", "250").await;
    client.expect("RSET", "250").await;
    sink.rules().clear();
    client.expect("MAIL FROM:<a@agency.example>", "250").await;
}
