//! RFC 5321 by hand: order, syntax, limits, pipelining, and how a sink begins and ends.

use super::*;

const LETTER: &str = "MAIL FROM:<a@agency.example>\r\nRCPT TO:<b@isp.example>\r\nDATA\r\n\
    Subject: x\r\n\r\n..\r\n.\r\n";

#[tokio::test]
async fn every_command_has_its_answer() {
    let sink = sink(Options {
        max_size: 1000,
        ..Options::default()
    })
    .await;
    let mut client = Client::connect(&sink).await;
    assert_eq!(
        client.reply().await,
        "220 sink.localhost ESMTP Lapwing sink, passes nothing on"
    );
    for (command, answer) in [
        ("MAIL FROM:<a@agency.example>", "503 5.5.1 EHLO comes first"),
        ("EHLO", "501 5.5.4"),
        ("HELO client.example", "250 sink.localhost"),
        (
            "EHLO client.example",
            "250-sink.localhost\n250-PIPELINING\n250-8BITMIME\n250-SMTPUTF8\n\
             250-ENHANCEDSTATUSCODES\n250-DSN\n250 SIZE 1000",
        ),
        ("RCPT TO:<b@isp.example>", "503 5.5.1"),
        ("DATA", "503 5.5.1"),
        ("STARTTLS", "502 5.5.1"),
        ("AUTH PLAIN AHUAcA==", "502 5.5.1"),
        ("noop", "250 2.0.0 Ok"),
        ("VRFY b", "252 2.5.2"),
        ("HELP", "214 2.0.0"),
        ("BDAT 3 LAST", "500 5.5.2"),
        ("LHLO client.example", "500 5.5.2"),
        ("GET / HTTP/1.1", "500 5.5.2"),
        ("", "500 5.5.2"),
        ("MAIL FROM:a@agency.example", "501 5.5.4"),
        ("MAIL FROM:<a@agency.example> SIZE=1001", "552 5.3.4"),
        ("MAIL FROM:<a@agency.example> SIZE=1000", "250 2.1.0 Ok"),
        ("MAIL FROM:<a@agency.example>", "503 5.5.1"),
        ("DATA", "554 5.5.1 No valid recipients"),
        ("RCPT TO:<>", "501 5.1.3"),
        ("RCPT TO:<b@isp.example> NOTIFY=DELAY", "250 2.1.5 Ok"),
        ("DATA now", "501 5.5.4"),
        ("RSET", "250 2.0.0"),
        ("DATA", "503 5.5.1"),
        ("MAIL FROM:<>", "250 2.1.0"),
        ("EHLO again.example", "250-"),
        ("RCPT TO:<b@isp.example>", "503 5.5.1"),
    ] {
        client.expect(command, answer).await;
    }
    client.send(b"NOOP \xff\r\n").await;
    assert!(client.reply().await.starts_with("500 5.5.2 Not in UTF-8"));
    client.expect("QUIT", "221 2.0.0").await;
    assert_eq!(client.rest().await, b"");
    assert_eq!(sink.counts().letters, 0);
}

#[tokio::test]
async fn a_letter_pipelined_in_one_packet_or_byte_by_byte_arrives_the_same() {
    let sink = sink(Options::default()).await;
    let all = format!("EHLO client.example\r\n{LETTER}{LETTER}QUIT\r\n");
    let mut heard = Vec::new();
    for size in [all.len(), 1, 7] {
        let mut client = Client::connect(&sink).await;
        for piece in all.as_bytes().chunks(size) {
            client.send(piece).await;
        }
        let rest = String::from_utf8(client.rest().await).unwrap();
        let codes: Vec<_> = rest
            .lines()
            .map(|line| line[..4].to_owned())
            .filter(|code| code.ends_with(' '))
            .collect();
        let letter = ["250 ", "250 ", "354 ", "250 "];
        let expected = [&["220 ", "250 "][..], &letter, &letter, &["221 "]].concat();
        assert_eq!(codes, expected);
        heard.push(rest.split("queued as").count() - 1);
    }
    assert_eq!(heard, [2, 2, 2]);
    let received = sink.wait_for(6).await;
    assert_eq!(received.len(), 6);
    for letter in &received {
        assert_eq!(letter.text(), "Subject: x\r\n\r\n.\r\n");
        assert_eq!(letter.hello, "client.example");
    }
    let connections: Vec<_> = received.iter().map(|letter| letter.connection).collect();
    assert_eq!(connections, [1, 1, 2, 2, 3, 3]);
}

#[tokio::test]
async fn pipelining_that_was_not_offered_is_refused() {
    let extensions = Extensions {
        pipelining: false,
        enhanced_status_codes: false,
        ..Extensions::default()
    };
    let sink = sink(Options {
        extensions,
        ..Options::default()
    })
    .await;
    let mut client = Client::greeted(&sink).await;
    client.send("NOOP\r\nNOOP\r\n").await;
    assert!(client.reply().await.starts_with("503 Improper"));
    assert_eq!(client.reply().await, "250 Ok");
    client.expect("NOOP", "250 Ok").await;
}

#[tokio::test]
async fn lines_without_end_are_refused_and_not_kept() {
    let sink = sink(Options::default()).await;
    let mut client = Client::greeted(&sink).await;
    client.send(vec![b'x'; 1_000_000]).await;
    client.send("\r\nNOOP\r\n").await;
    assert_eq!(client.reply().await, "500 5.5.2 Line too long");
    assert_eq!(client.reply().await, "250 2.0.0 Ok");
}

#[tokio::test]
async fn a_letter_over_the_limit_is_refused_and_the_next_one_taken() {
    let sink = sink(Options {
        max_size: 100,
        ..Options::default()
    })
    .await;
    let mut client = Client::greeted(&sink).await;
    for (length, answer) in [
        (98, "250 2.0.0"),
        (99, "552 5.3.4"),
        (1_000_000, "552"),
        (98, "250"),
    ] {
        client.expect("MAIL FROM:<a@agency.example>", "250").await;
        client.expect("RCPT TO:<b@isp.example>", "250").await;
        client.expect("DATA", "354").await;
        let text = "x".repeat(length);
        client.expect(&format!("{text}\r\n."), answer).await;
    }
    assert_eq!(sink.received().len(), 2);
}

#[tokio::test]
async fn recipients_have_an_end() {
    let sink = sink(Options::default()).await;
    let mut client = Client::greeted(&sink).await;
    client.expect("MAIL FROM:<a@agency.example>", "250").await;
    client
        .send("RCPT TO:<b@isp.example>\r\n".repeat(1001))
        .await;
    for _ in 0..1000 {
        assert_eq!(client.reply().await, "250 2.1.5 Ok");
    }
    assert!(client.reply().await.starts_with("452 4.5.3"));
}

#[tokio::test]
async fn only_loopback_is_listened_on() {
    for listen in ["0.0.0.0:0", "[::]:0", "192.0.2.1:25"] {
        let listen = listen.parse().unwrap();
        let error = Sink::start(listen, Options::default()).await.unwrap_err();
        assert!(error.to_string().contains("127.0.0.1"), "{error}");
    }
    let anywhere = Options {
        anywhere: true,
        ..Options::default()
    };
    let sink = Sink::start("0.0.0.0:0".parse().unwrap(), anywhere).await;
    assert!(sink.unwrap().address().ip().is_unspecified());
    let secret = Options {
        implicit_tls: true,
        ..Options::default()
    };
    let error = Sink::start("127.0.0.1:0".parse().unwrap(), secret).await;
    assert!(error.unwrap_err().to_string().contains("certificate"));
}

#[tokio::test]
async fn stopping_lets_a_letter_under_way_arrive_and_says_goodbye() {
    let sink = sink(Options::default()).await;
    let mut idle = Client::greeted(&sink).await;
    let mut busy = Client::greeted(&sink).await;
    busy.expect("MAIL FROM:<a@agency.example>", "250").await;
    busy.expect("RCPT TO:<b@isp.example>", "250").await;
    busy.expect("DATA", "354").await;
    let client = async {
        assert!(idle.reply().await.starts_with("421 4.3.2"));
        assert_eq!(idle.rest().await, b"");
        busy.expect("Subject: x\r\n.", "250 2.0.0").await;
        assert!(busy.reply().await.starts_with("421 4.3.2"));
        assert_eq!(busy.rest().await, b"");
    };
    tokio::join!(within(sink.stop()), client);
    assert_eq!(sink.received().len(), 1);
    assert_eq!(sink.counts().open, 0);
    TcpStream::connect(sink.address()).await.unwrap_err();
    within(sink.stop()).await;
    // A relay that comes back does so at the same address.
    let again = Sink::start(sink.address(), Options::default())
        .await
        .unwrap();
    Client::greeted(&again).await.expect("QUIT", "221").await;
}

#[tokio::test]
async fn a_dropped_sink_drops_its_connections() {
    let sink = sink(Options::default()).await;
    let mut client = Client::greeted(&sink).await;
    drop(sink);
    // Cut off in whatever way, it ends.
    let mut rest = Vec::new();
    let _ = within(client.stream.read_to_end(&mut rest)).await;
}

#[tokio::test]
async fn fifty_at_once_are_counted() {
    let sink = sink(Options::default()).await;
    let mut clients = Vec::new();
    for _ in 0..50 {
        clients.push(Client::greeted(&sink).await);
    }
    assert_eq!(sink.counts().open, 50);
    for client in &mut clients {
        client.send(LETTER).await;
    }
    assert_eq!(within(sink.wait_for(50)).await.len(), 50);
    for client in &mut clients[..20] {
        for answer in ["250", "250", "354", "250"] {
            assert!(client.reply().await.starts_with(answer));
        }
        client.expect("QUIT", "221").await;
    }
    assert_eq!(sink.counts().open, 30);
    drop(clients);
    let counts = within(sink.wait_until(|counts| counts.open == 0)).await;
    assert_eq!((counts.connections, counts.peak), (50, 50));
    assert_eq!((counts.letters, counts.refused), (50, 0));
}
