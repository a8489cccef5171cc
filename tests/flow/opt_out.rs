//! Who has a letter may say by its link that no more are wanted; staff decide.

use std::sync::Arc;

use lapwing::model::Progress;
use lapwing::web::Site;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::crash::within;
use crate::send::desk;
use crate::story;
use crate::track::sent;
use crate::world::World;

const PUBLIC: &str = "https://notices.agency.example";

/// What the service answers to one request, while it shows itself.
async fn asked(world: &World, requests: &[(&str, &str)]) -> Vec<String> {
    let mut config = world.config.clone();
    config.http.listen = "127.0.0.1:0".to_owned();
    let progress = Arc::new(Progress::default());
    let site = Site::open(&config, &world.store, world.clock(), &progress).await;
    let site = site.unwrap().unwrap();
    let address = site.address().unwrap();
    let asking = async {
        let mut answers = Vec::new();
        for (method, path) in requests {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let body = "List-Unsubscribe=One-Click";
            let request = format!(
                "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            answers.push(answer);
        }
        answers
    };
    within(site.beside(asking)).await
}

story!(a_link_proposes_and_staff_decide, world, {
    world.config.http.public = PUBLIC.to_owned();
    sent(&world, 1).await;
    let received = world.sink.received();
    let letter = String::from_utf8_lossy(&received[0].data).into_owned();
    let unfolded = letter.replace("\r\n ", " ");
    let header = |name: &str| {
        let line = unfolded.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("{name} {letter}"))
            .trim()
            .to_owned()
    };
    assert_eq!(
        header("List-Unsubscribe-Post:"),
        "List-Unsubscribe=One-Click"
    );
    let link = header("List-Unsubscribe:");
    let path = link.trim_matches(['<', '>']).strip_prefix(PUBLIC).unwrap();
    let mut forged = path.to_owned();
    forged.replace_range(
        path.len() - 1..,
        if path.ends_with('a') { "b" } else { "a" },
    );

    let answers = asked(
        &world,
        &[("GET", path), ("GET", &forged), ("POST", &forged)],
    )
    .await;
    assert!(
        answers[0].contains("200 OK") && answers[0].contains("<form"),
        "{}",
        answers[0]
    );
    assert!(
        answers[0].to_lowercase().contains("no-referrer"),
        "{}",
        answers[0]
    );
    for answer in &answers[1..] {
        assert!(answer.contains("404 Not Found"), "{answer}");
    }
    let proposed = async || world.store.suppressions(world.now).await.unwrap();
    assert!(proposed().await.is_empty(), "a look is no request");

    let answers = asked(&world, &[("POST", path), ("POST", path)]).await;
    assert!(
        answers.iter().all(|one| one.contains("200 OK")),
        "{answers:?}"
    );
    let known = proposed().await;
    assert_eq!(known.len(), 1, "{known:?}");
    assert_eq!(known[0].address.as_str(), desk(1));
    assert_eq!(known[0].approved_by, None);
    let ran = world.lapwing(&["suppression", "approve", "1", "--as", "anna"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(proposed().await[0].approved_by.is_some());
});

story!(without_a_public_address_there_is_no_link, world, {
    sent(&world, 1).await;
    let received = world.sink.received();
    let letter = String::from_utf8_lossy(&received[0].data).into_owned();
    assert!(!letter.contains("List-Unsubscribe"), "{letter}");
});
