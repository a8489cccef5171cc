//! Letters and passwords under TLS, and what happens where it is not as it should be.

use std::sync::Arc;

use lapwing::config::{self, Security};
use lapwing::model::Step;
use lapwing::send;
use lapwing::sink::{Extensions, Options, Sink};
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::{of, queue, states};
use crate::story;
use crate::world::World;

/// A server's key and certificate for `names`, and the certificate in PEM.
pub(crate) fn identity(names: &[&str]) -> (Arc<ServerConfig>, String) {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let identity = rcgen::generate_simple_self_signed(names).unwrap();
    let pem = identity.cert.pem();
    let certificate = CertificateDer::from(identity.cert);
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], PrivateKeyDer::from(identity.signing_key))
        .unwrap();
    (Arc::new(config), pem)
}

/// A relay with TLS and login, and settings that fit it.
async fn secure(world: &mut World, security: Security, names: &[&str]) {
    let (tls, pem) = identity(names);
    relay(
        world,
        Options {
            tls: Some(tls),
            implicit_tls: security == Security::Tls,
            login: Some(("lapwing".to_owned(), "s3cret".to_owned())),
            ..Options::default()
        },
    )
    .await;
    let file = world.dir().join("relay.pem");
    std::fs::write(&file, pem).unwrap();
    let smtp = &mut world.config.smtp;
    smtp.host = "localhost".to_owned();
    smtp.security = security;
    smtp.ca_file = file;
    smtp.username = "lapwing".to_owned();
    smtp.password = "s3cret".to_owned();
}

async fn relay(world: &mut World, options: Options) {
    let sink = Sink::start(([127, 0, 0, 1], 0).into(), options).await;
    world.sink = sink.unwrap();
    world.config.smtp.port = world.sink.address().port();
}

/// Sends, and gives back for what fault nothing left.
async fn fault(world: &World, why: &str) -> send::Trouble {
    let trouble = match world.try_send().await {
        Err(send::Error::Relay(trouble)) => trouble,
        other => panic!("{why}: {other:?}"),
    };
    assert!(world.sink.received().is_empty(), "{why}");
    assert_eq!(states(world).await, of([("ready", 3)]), "{why}");
    trouble
}

story!(letters_travel_under_tls_with_a_login, world, {
    queue(&world, 3).await;
    secure(&mut world, Security::Starttls, &["localhost"]).await;
    assert_eq!(world.send().await.accepted, 3);
    let received = world.sink.received();
    assert_eq!(received.len(), 3);
    for letter in received {
        assert!(letter.tls);
        assert_eq!(letter.login.as_deref(), Some("lapwing"));
    }
});

story!(letters_travel_under_tls_from_the_first_byte, world, {
    queue(&world, 3).await;
    secure(&mut world, Security::Tls, &["localhost"]).await;
    assert_eq!(world.send().await.accepted, 3);
    let received = world.sink.received();
    assert!(
        received
            .iter()
            .all(|letter| letter.tls && letter.login.is_some())
    );
    assert_eq!(received.len(), 3);
});

story!(a_relay_may_be_named_by_its_address, world, {
    queue(&world, 1).await;
    secure(&mut world, Security::Starttls, &["127.0.0.1"]).await;
    world.config.smtp.host = "127.0.0.1".to_owned();
    world.answers("RCPT * 451 4.7.1 later x1");
    assert_eq!(world.send().await.deferred, 1);

    world.later("7m");
    secure(&mut world, Security::Tls, &["127.0.0.1"]).await;
    world.config.smtp.host = "127.0.0.1".to_owned();
    assert_eq!(world.send().await.accepted, 1);
    assert!(world.sink.received()[0].tls);
});

story!(a_certificate_that_is_not_the_relays_stops_the_run, world, {
    queue(&world, 3).await;
    for security in [Security::Starttls, Security::Tls] {
        secure(&mut world, security, &["localhost"]).await;
        let good = world.config.smtp.ca_file.clone();

        world.config.smtp.ca_file = Default::default();
        let trouble = fault(&world, "signed by nobody we know").await;
        assert_eq!(trouble.step, Step::Tls, "{trouble}");

        let other = world.dir().join("other.pem");
        std::fs::write(&other, identity(&["localhost"]).1).unwrap();
        world.config.smtp.ca_file = other;
        let trouble = fault(&world, "another's certificate").await;
        assert_eq!(trouble.step, Step::Tls, "{trouble}");
        assert!(trouble.to_string().contains("tls: "), "{trouble}");

        for (text, why) in [("", "no certificate in it"), ("-----BEGIN", "no PEM")] {
            let broken = world.dir().join("broken.pem");
            std::fs::write(&broken, text).unwrap();
            world.config.smtp.ca_file = broken;
            assert_eq!(fault(&world, why).await.step, Step::Tls, "{why}");
        }
        world.config.smtp.ca_file = world.dir().join("absent.pem");
        let trouble = fault(&world, "no such file").await;
        assert_eq!(trouble.step, Step::Tls);
        assert!(
            trouble.to_string().contains("absent.pem"),
            "which: {trouble}"
        );

        world.config.smtp.ca_file = good;
        world.config.smtp.host = "127.0.0.1".to_owned();
        let trouble = fault(&world, "for another name").await;
        assert_eq!(trouble.step, Step::Tls, "{trouble}");
    }
});

story!(starttls_that_was_asked_for_is_not_done_without, world, {
    queue(&world, 3).await;
    secure(&mut world, Security::Starttls, &["localhost"]).await;
    let (tls, _) = identity(&["localhost"]);
    // As when a man in the middle strikes it from the offer.
    let extensions = Extensions {
        starttls: false,
        ..Extensions::default()
    };
    let login = Some(("lapwing".to_owned(), "s3cret".to_owned()));
    let options = Options {
        tls: Some(tls),
        extensions,
        login,
        ..Options::default()
    };
    relay(&mut world, options).await;
    let trouble = fault(&world, "not offered").await;
    assert_eq!(trouble.step, Step::Tls);
    assert!(trouble.to_string().contains("STARTTLS"), "{trouble}");

    secure(&mut world, Security::Starttls, &["localhost"]).await;
    for rule in [
        "STARTTLS 454 4.7.0 not now",
        "STARTTLS close",
        "STARTTLS garbage what?\\n",
    ] {
        world.sink.rules().clear();
        world.answers(rule);
        assert_eq!(fault(&world, rule).await.step, Step::Tls, "{rule}");
    }
});

story!(
    a_relay_without_tls_where_it_should_speak_it_first_gets_nothing,
    world,
    {
        queue(&world, 3).await;
        secure(&mut world, Security::Tls, &["localhost"]).await;
        relay(&mut world, Options::default()).await;
        world.config.smtp.connect_timeout = lapwing::model::Span::seconds(2);
        assert_eq!(
            fault(&world, "it greets in the clear").await.step,
            Step::Tls
        );
    }
);

/// What the settings alone rule out.
#[test]
fn a_password_does_not_cross_the_network_in_the_clear() {
    let check = |host: &str, security: &str| {
        let environment = [
            ("LAPWING_SMTP__HOST", host),
            ("LAPWING_SMTP__SECURITY", security),
            ("LAPWING_SMTP__USERNAME", "lapwing"),
            ("LAPWING_SMTP__PASSWORD", "s3cret"),
        ];
        let environment = environment.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let nothing = std::path::Path::new("/dev/null");
        config::load(Some(nothing), environment.into_iter(), &[]).map_err(|error| error.to_string())
    };
    for (host, security, good) in [
        ("mx.example", "none", false),
        ("192.0.2.1", "none", false),
        ("localhost.example", "none", false),
        ("mx.example", "starttls", true),
        ("mx.example", "tls", true),
        ("127.0.0.1", "none", true),
        ("::1", "none", true),
        ("localhost", "none", true),
    ] {
        match check(host, security) {
            Ok(_) => assert!(good, "{host} {security}"),
            Err(error) => {
                assert!(!good, "{host} {security}: {error}");
                assert!(
                    error.contains("smtp.security") && error.contains("starttls"),
                    "{error}"
                );
                assert!(!error.contains("s3cret"));
            }
        }
    }
}
