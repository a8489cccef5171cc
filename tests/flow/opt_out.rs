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
async fn asked_of(world: &World, requests: &[(&str, &str)]) -> Vec<String> {
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

/// The paths of the links in what was sent, in the order of the mailboxes it went to.
fn links(world: &World) -> Vec<String> {
    let mut received = world.sink.received();
    received.sort_by_key(|one| one.recipients[0].address.to_string());
    let links = received.iter().map(|one| {
        let letter = String::from_utf8_lossy(&one.data).into_owned();
        let unfolded = letter.replace("\r\n ", " ");
        let header = |name: &str| {
            let line = unfolded.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap_or_else(|| panic!("{name} {letter}"))
                .trim()
                .to_owned()
        };
        let post = header("List-Unsubscribe-Post:");
        assert_eq!(post, "List-Unsubscribe=One-Click");
        let link = header("List-Unsubscribe:");
        let path = link.trim_matches(['<', '>']).strip_prefix(PUBLIC).unwrap();
        path.to_owned()
    });
    links.collect()
}

story!(the_page_speaks_as_the_letter_does, world, {
    world.config.http.public = PUBLIC.to_owned();
    let table = "range,country,language,abuse
192.0.2.0/26,US,ar,1-ar@isp.example
192.0.2.64/26,JP,,2-ja@isp.example
192.0.2.128/26,US,,3-en@isp.example
";
    let feed = "ip,class,evidence\n192.0.2.1,spam,HELO a\n192.0.2.65,spam,HELO b\n192.0.2.129,spam,HELO c\n";
    world.queue(table, feed).await;
    assert_eq!(world.send().await.accepted, 3);
    let links = links(&world);
    let asked: Vec<(&str, &str)> = links.iter().map(|link| ("GET", link.as_str())).collect();
    let pages = asked_of(&world, &asked).await;
    let english = "We want no more of these letters</button>";
    for (page, language, button) in [
        (
            &pages[0],
            "<section lang=\"ar\" dir=\"rtl\">",
            "لا نريد المزيد من هذه الرسائل</button>",
        ),
        (
            &pages[1],
            "<section lang=\"ja\" dir=\"ltr\">",
            "今後このような通知を希望しません</button>",
        ),
    ] {
        let at = |text: &str| page.find(text).unwrap_or_else(|| panic!("{text} {page}"));
        assert!(
            at(language) < at(button) && at(button) < at(english),
            "{page}"
        );
        assert!(
            at("<section lang=\"en\" dir=\"ltr\">") > at(button),
            "{page}"
        );
    }
    assert_eq!(pages[2].matches("<section").count(), 1, "{}", pages[2]);
    assert!(pages[2].contains(english), "{}", pages[2]);
    let thanks = asked_of(&world, &[("POST", &links[1])]).await;
    assert!(thanks[0].contains("ありがとうございます"), "{}", thanks[0]);
});

story!(a_link_proposes_and_staff_decide, world, {
    world.config.http.public = PUBLIC.to_owned();
    sent(&world, 1).await;
    let path = &links(&world)[0];
    let mut forged = path.clone();
    forged.replace_range(
        path.len() - 1..,
        if path.ends_with('a') { "b" } else { "a" },
    );

    let answers = asked_of(
        &world,
        &[("GET", path.as_str()), ("GET", &forged), ("POST", &forged)],
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

    let answers = asked_of(&world, &[("POST", path), ("POST", path)]).await;
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
