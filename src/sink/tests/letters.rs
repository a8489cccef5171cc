//! Letters as lettre sends them: envelope, text and file are what was meant.

use lettre::message::header::ContentType;
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::commands::{Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, MailParameter, RcptParameter};

use super::*;

async fn connection(sink: &Sink) -> AsyncSmtpConnection {
    let tcp = TcpStream::connect(sink.address()).await.unwrap();
    tcp.set_nodelay(true).unwrap();
    let hello = ClientId::Domain("client.example".to_owned());
    within(AsyncSmtpConnection::connect_with_transport(
        Box::new(tcp),
        &hello,
    ))
    .await
    .unwrap()
}

fn letter(recipient: &str, body: &str) -> lettre::Message {
    lettre::Message::builder()
        .from("Agency <notices@agency.example>".parse().unwrap())
        .to(recipient.parse().unwrap())
        .subject("Zombies in 192.0.2.0/24 \u{2013} please act")
        .message_id(Some("<n1@agency.example>".to_owned()))
        .header(ContentType::TEXT_PLAIN)
        .body(body.to_owned())
        .unwrap()
}

#[tokio::test]
async fn letters_are_filed_as_they_were_sent() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("caught");
    let options = || Options {
        dir: Some(dir.clone()),
        keep: false,
        ..Options::default()
    };
    let first = sink(options()).await;
    let mut client = connection(&first).await;
    let dots = ".\r\n..\r\n.one\r\nFrom here\r\n\r\n.";
    let texts = [
        letter("abuse@isp.example", dots),
        letter("noc@isp.example", "x"),
    ];
    for text in &texts {
        within(client.send(text.envelope(), &text.formatted()))
            .await
            .unwrap();
    }
    assert_eq!(within(first.wait_for(2)).await, [], "nothing is kept");
    within(first.stop()).await;

    let again = sink(options()).await;
    let mut client = connection(&again).await;
    within(client.send(texts[0].envelope(), &texts[0].formatted()))
        .await
        .unwrap();

    let mut names: Vec<_> = std::fs::read_dir(&dir)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(
        names,
        [
            "0001-abuse@isp.example.eml",
            "0002-noc@isp.example.eml",
            "0003-abuse@isp.example.eml"
        ]
    );
    for (name, text) in names.iter().zip([&texts[0], &texts[1], &texts[0]]) {
        // lettre adds a line end of its own.
        let sent = [&text.formatted()[..], b"\r\n"].concat();
        assert_eq!(std::fs::read(dir.join(name)).unwrap(), sent, "{name}");
    }
}

#[tokio::test]
async fn a_full_or_lost_folder_is_a_temporary_error() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("caught");
    let sink = sink(Options {
        dir: Some(dir.clone()),
        ..Options::default()
    })
    .await;
    std::fs::remove_dir(&dir).unwrap();
    let mut client = connection(&sink).await;
    let text = letter("abuse@isp.example", "x");
    let error = within(client.send(text.envelope(), &text.formatted()))
        .await
        .unwrap_err();
    assert!(error.is_transient(), "{error}");
    assert_eq!((sink.counts().letters, sink.received().len()), (0, 0));
}

#[tokio::test]
async fn a_pipelined_letter_with_delivery_status_parameters_is_kept_whole() {
    let sink = sink(Options::default()).await;
    let mut client = connection(&sink).await;
    let mail = |keyword: &str, value: &str| MailParameter::Other {
        keyword: keyword.to_owned(),
        value: Some(value.to_owned()),
    };
    let rcpt = |keyword: &str, value: &str| RcptParameter::Other {
        keyword: keyword.to_owned(),
        value: Some(value.to_owned()),
    };
    sink.rules()
        .push("RCPT gone@isp.example 550 5.1.1 unknown".parse().unwrap());
    for round in 1..=2 {
        let from = Some("bounce+1@agency.example".parse().unwrap());
        let parameters = vec![mail("RET", "HDRS"), mail("ENVID", "case+1=x")];
        let mut batch = Mail::new(from, parameters).to_string();
        for recipient in ["abuse@isp.example", "gone@isp.example", "noc@isp.example"] {
            let original = rcpt("ORCPT", &format!("rfc822;{recipient}"));
            let parameters = vec![rcpt("NOTIFY", "FAILURE,DELAY"), original];
            batch += &Rcpt::new(recipient.parse().unwrap(), parameters).to_string();
        }
        batch += "DATA\r\n";
        let text = letter("abuse@isp.example", "x").formatted();
        assert!(within(client.command(batch)).await.is_ok());
        for is_taken in [true, false, true, true] {
            let answer = within(client.read_response()).await;
            assert_eq!(answer.is_ok(), is_taken, "round {round}: {answer:?}");
        }
        let text = String::from_utf8(text).unwrap();
        within(client.command(format!("{text}\r\n.\r\n")))
            .await
            .unwrap();
    }
    let received = sink.received();
    assert_eq!(received.len(), 2);
    for letter in &received {
        assert_eq!(letter.connection, 1);
        assert_eq!(letter.from.address, "bounce+1@agency.example");
        assert_eq!(letter.from.parameter("ENVID"), Some("case+2B1+3Dx"));
        let taken: Vec<_> = letter
            .recipients
            .iter()
            .map(|r| r.address.as_str())
            .collect();
        assert_eq!(taken, ["abuse@isp.example", "noc@isp.example"]);
        let notify = letter.recipients[1].parameters.clone();
        assert_eq!(
            notify,
            ["NOTIFY=FAILURE,DELAY", "ORCPT=rfc822;noc@isp.example"]
        );
        assert_eq!(
            letter.header("message-id").as_deref(),
            Some("<n1@agency.example>")
        );
        assert!(letter.header("Subject").unwrap().contains("192.0.2.0/24"));
    }
}

#[tokio::test]
async fn fifty_connections_deliver_at_once() {
    let sink = Arc::new(sink(Options::default()).await);
    let mut senders = tokio::task::JoinSet::new();
    for sender in 0..50 {
        let sink = Arc::clone(&sink);
        senders.spawn(async move {
            let mut client = connection(&sink).await;
            for number in 0..4 {
                let text = letter(&format!("a{sender}.{number}@isp.example"), "x");
                within(client.send(text.envelope(), &text.formatted()))
                    .await
                    .unwrap();
            }
            within(client.quit()).await.unwrap();
        });
    }
    senders.join_all().await;
    let received = sink.received();
    let mut recipients: Vec<_> = received.iter().map(|l| &l.recipients[0].address).collect();
    recipients.sort();
    recipients.dedup();
    assert_eq!(recipients.len(), 200);
    let counts = sink.counts();
    assert_eq!(
        (counts.connections, counts.open, counts.letters),
        (50, 0, 200)
    );
}
