//! STARTTLS, implicit TLS and AUTH, with a certificate made on the spot.

use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::*;

fn identity() -> (Arc<ServerConfig>, CertificateDer<'static>) {
    let identity = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let certificate = CertificateDer::from(identity.cert);
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.clone()],
            PrivateKeyDer::from(identity.signing_key),
        )
        .unwrap();
    (Arc::new(config), certificate)
}

async fn handshake(
    tcp: TcpStream,
    certificate: &CertificateDer<'static>,
) -> Client<tokio_rustls::client::TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    let config = ClientConfig::builder()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = TlsConnector::from(Arc::new(config));
    let name = ServerName::try_from("localhost").unwrap();
    Client::over(within(connector.connect(name, tcp)).await.unwrap())
}

fn trusting(certificate: &CertificateDer<'static>) -> TlsParameters {
    let certificate = Certificate::from_der(certificate.to_vec()).unwrap();
    TlsParameters::builder("localhost".to_owned())
        .add_root_certificate(certificate)
        .build()
        .unwrap()
}

fn login() -> Option<(String, String)> {
    Some(("lapwing".to_owned(), "s3cret \u{fc}".to_owned()))
}

#[tokio::test]
async fn starttls_forgets_all_that_was_said_in_the_clear() {
    let (tls, certificate) = identity();
    let sink = sink(Options {
        tls: Some(tls),
        ..Options::default()
    })
    .await;
    let mut client = Client::connect(&sink).await;
    client.reply().await;
    let offer = client.ask("EHLO client.example").await;
    assert!(offer.contains("STARTTLS"), "{offer}");
    client.expect("MAIL FROM:<a@agency.example>", "250").await;
    client.expect("STARTTLS now", "501").await;
    // A man in the middle puts a command of his own behind ours (CVE-2011-0411).
    client
        .send("STARTTLS\r\nMAIL FROM:<evil@else.example>\r\n")
        .await;
    assert_eq!(client.reply().await, "220 2.0.0 Ready to start TLS");

    let mut client = handshake(client.stream.into_inner(), &certificate).await;
    client
        .expect("RCPT TO:<b@isp.example>", "503 5.5.1 MAIL")
        .await;
    client
        .expect("MAIL FROM:<a@agency.example>", "503 5.5.1 EHLO")
        .await;
    let offer = client.ask("EHLO client.example").await;
    assert!(!offer.contains("STARTTLS"), "{offer}");
    client.expect("STARTTLS", "503 5.5.1").await;
    client.expect("MAIL FROM:<a@agency.example>", "250").await;
    client.expect("RCPT TO:<b@isp.example>", "250").await;
    client.expect("DATA", "354").await;
    client.expect("Subject: x\r\n\r\nx\r\n.", "250").await;
    client.expect("QUIT", "221").await;
    assert_eq!(client.rest().await, b"");
    let received = sink.received();
    assert!(received[0].tls && received[0].from.address == "a@agency.example");
    assert_eq!(sink.counts().connections, 1);
}

#[tokio::test]
async fn lettre_gets_through_by_starttls_and_by_implicit_tls() {
    for implicit_tls in [false, true] {
        let (tls, certificate) = identity();
        let sink = sink(Options {
            tls: Some(tls),
            implicit_tls,
            login: login(),
            ..Options::default()
        })
        .await;
        let hello = ClientId::Domain("client.example".to_owned());
        let parameters = trusting(&certificate);
        let first = implicit_tls.then(|| parameters.clone());
        let connect =
            AsyncSmtpConnection::connect_tokio1(sink.address(), None, &hello, first, None);
        let mut connection = within(connect).await.unwrap();
        assert_eq!(connection.can_starttls(), !implicit_tls);
        if !implicit_tls {
            within(connection.starttls(parameters, &hello))
                .await
                .unwrap();
        }
        let (name, password) = login().unwrap();
        let credentials = Credentials::new(name, password);
        within(connection.auth(&[Mechanism::Plain], &credentials))
            .await
            .unwrap();
        let envelope = lettre::address::Envelope::new(
            Some("a@agency.example".parse().unwrap()),
            vec!["b@isp.example".parse().unwrap()],
        )
        .unwrap();
        let sent = connection.send(&envelope, b"Subject: x\r\n\r\n.\r\n");
        let answer = within(sent).await.unwrap();
        assert_eq!(answer.first_line(), Some("2.0.0 Ok: queued as 0000000001"));
        let received = &sink.received()[0];
        assert!(received.tls);
        assert_eq!(received.login.as_deref(), Some("lapwing"));
    }
}

#[tokio::test]
async fn implicit_tls_greets_once_and_a_failed_handshake_ends_it() {
    let (tls, certificate) = identity();
    let sink = sink(Options {
        tls: Some(tls),
        implicit_tls: true,
        ..Options::default()
    })
    .await;
    let mut clear = Client::connect(&sink).await;
    clear.send("EHLO client.example\r\n").await;
    let _alert = within(clear.stream.read_to_end(&mut Vec::new())).await;
    within(sink.wait_until(|counts| counts.open == 0)).await;

    let tcp = TcpStream::connect(sink.address()).await.unwrap();
    let mut client = handshake(tcp, &certificate).await;
    assert!(client.reply().await.starts_with("220 sink.localhost"));
    client.expect("EHLO client.example", "250-").await;
    client.expect("QUIT", "221").await;
}

#[tokio::test]
async fn without_the_right_login_no_letter_begins() {
    let sink = sink(Options {
        login: login(),
        ..Options::default()
    })
    .await;
    let mut client = Client::connect(&sink).await;
    client.reply().await;
    client.expect("AUTH PLAIN", "503 5.5.1").await;
    let offer = client.ask("EHLO client.example").await;
    assert!(offer.ends_with("250 AUTH PLAIN LOGIN"), "{offer}");
    for (command, answer) in [
        ("MAIL FROM:<a@agency.example>", "530 5.7.0"),
        ("AUTH", "504 5.5.4"),
        ("AUTH CRAM-MD5", "504 5.5.4"),
        ("AUTH PLAIN !", "501 5.5.2"),
        ("AUTH PLAIN bGFwd2luZw==", "501 5.5.2"),
        // lapwing, with the password "wrong"
        ("AUTH PLAIN AGxhcHdpbmcAd3Jvbmc=", "535 5.7.8"),
        ("AUTH PLAIN", "334 "),
        ("*", "501 5.5.2"),
        ("AUTH LOGIN", "334 VXNlcm5hbWU6"),
        ("bGFwd2luZw==", "334 UGFzc3dvcmQ6"),
        ("d3Jvbmc=", "535 5.7.8"),
        ("MAIL FROM:<a@agency.example>", "530 5.7.0"),
    ] {
        client.expect(command, answer).await;
    }
    let right = "AGxhcHdpbmcAczNjcmV0IMO8";
    let ways: [&[(&str, &str)]; 4] = [
        &[(&format!("AUTH PLAIN {right}"), "235 2.7.0")],
        &[("auth plain", "334 "), (right, "235")],
        &[
            ("AUTH LOGIN", "334 "),
            ("bGFwd2luZw==", "334 "),
            ("czNjcmV0IMO8", "235"),
        ],
        &[
            ("AUTH LOGIN bGFwd2luZw==", "334 UGFz"),
            ("czNjcmV0IMO8", "235"),
        ],
    ];
    for way in ways {
        let mut client = Client::greeted(&sink).await;
        for (command, answer) in way {
            client.expect(command, answer).await;
        }
        client.expect("AUTH PLAIN", "503 5.5.1").await;
        client.expect("MAIL FROM:<a@agency.example>", "250").await;
    }
}
