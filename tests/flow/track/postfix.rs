//! Letters through a real Postfix, whose own reports come back by LMTP: each delivery ends as it should.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use lapwing::model::{Letter, Progress};
use lapwing::service::{Event, Tracker};
use lapwing::sink::{self, Sink};
use lapwing::track::{self, Settings, lmtp, read::Reasons};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;
use tokio::time::timeout;

use super::{Report, all, forged::changed};
use crate::lmtp::Peer;
use crate::postfix::{Postfix, Ways};
use crate::send::{desk, queue, story_of};
use crate::story;
use crate::world::World;

/// For what takes Postfix a few seconds.
const PATIENCE: Duration = Duration::from_secs(60);

const BOUNCES: &str = "bounces.coalition.example";

/// The desks, by what becomes of mail to them.
const LIVES: usize = 1;
const UNKNOWN: usize = 2;
const UNKNOWN_ELSEWHERE: usize = 3;
const FULL: usize = 4;
const FULL_ELSEWHERE: usize = 5;
const FORWARDS: usize = 6;
const FORWARDS_TO_NOBODY: usize = 7;
const DOWN: usize = 8;
const FULL_FOR_NOW: usize = 9;
const SLOW: usize = 10;
const MOVED: usize = 11;
const TOO_LARGE: usize = 12;
const BLOCKED: usize = 13;
const ALL: usize = 13;

/// What other mail servers say.
const SAID: [(usize, &str, &str); 6] = [
    (UNKNOWN_ELSEWHERE, "RCPT", "550 5.1.1 No such user here"),
    (FULL_ELSEWHERE, "DOT", "552 5.2.2 The mailbox is full"),
    (FULL_FOR_NOW, "RCPT", "452 4.2.2 Over quota for now"),
    (
        TOO_LARGE,
        "DOT",
        "552 5.3.4 Message size exceeds fixed limit",
    ),
    (BLOCKED, "DOT", "554 5.7.1 Rejected: this looks like spam"),
    (SLOW, "RCPT", "451 4.7.1 Greylisted, come again"),
];
/// After a day and once more, when some mailboxes have been emptied.
const AT_LAST: [(&str, &[usize]); 4] = [
    ("accepted", &[LIVES, FORWARDS, FULL_ELSEWHERE, FULL_FOR_NOW]),
    (
        "bounced-hard",
        &[UNKNOWN, UNKNOWN_ELSEWHERE, FORWARDS_TO_NOBODY, MOVED],
    ),
    ("bounced-soft", &[TOO_LARGE, BLOCKED, FULL, DOWN]),
    ("delayed", &[SLOW]),
];
const GONE: &str = "550 5.1.1 Nobody of that name";

story!(each_ends_as_postfix_says, world, {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let door = listener.local_addr().unwrap();
    // Bound, and never listened at: nobody else takes the port, and nobody answers.
    let down = TcpSocket::new_v4().unwrap();
    down.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
    let slow = Sink::start(([127, 0, 0, 1], 0).into(), sink::Options::default())
        .await
        .unwrap();
    for (n, step, said) in SAID {
        let rules = if n == SLOW {
            slow.rules()
        } else {
            world.sink.rules()
        };
        rules.push(format!("{step} {} {said}", desk(n)).parse().unwrap());
    }
    world.answers(&format!("RCPT gone@else.example {GONE}"));
    let ways = ways(
        door,
        world.sink.address(),
        slow.address(),
        down.local_addr().unwrap(),
    );
    let Some(postfix) = Postfix::start(&ways) else {
        return;
    };
    world.config.sender.bounce_domain = BOUNCES.to_owned();
    world.config.smtp.port = postfix.address.port();
    queue(&world, ALL).await;
    while_tracking(&world, &postfix, listener, async |watch| {
        assert_eq!(world.send().await.accepted, ALL as u64);
        watch.the_first_time(&slow).await;
    })
    .await;

    world.sink.rules().clear();
    world.later("25h");
    let listener = TcpListener::bind(door).await.unwrap();
    let heard = while_tracking(&world, &postfix, listener, async |watch| {
        assert_eq!(world.send().await.accepted, 4);
        watch.once_more().await;
        watch.forged().await;
    })
    .await;
    assert_eq!(heard.refused, 1);
});

/// What the service has said so far.
#[derive(Clone, Debug, Default)]
struct Heard {
    untrue: u64,
    refused: u64,
}

/// Who waits for what comes back.
struct Watch<'a> {
    world: &'a World,
    postfix: &'a Postfix,
    heard: watch::Receiver<Heard>,
}

/// How the desks are, each state with those who are in it.
type States<'a> = [(&'a str, &'a [usize])];

/// Mail comes in and is read for as long as the story takes; gives back what was said of it.
async fn while_tracking(
    world: &World,
    postfix: &Postfix,
    listener: TcpListener,
    story: impl AsyncFnOnce(&mut Watch<'_>),
) -> Heard {
    let (progress, heard) = (Progress::default(), watch::Sender::new(Heard::default()));
    let tell = |event| {
        heard.send_modify(|heard| match event {
            Event::Read(done) => heard.untrue += done.untrue,
            Event::Received(counts) => heard.refused += counts.refused,
            _ => {}
        });
    };
    let tracker = Tracker {
        desk: track::Work {
            store: &world.store,
            reasons: &Reasons::shipped(),
            settings: &Settings::from_config(&world.config),
            progress: &progress,
        },
        door: &lmtp::Settings::from_config(&world.config),
        imap: &world.config.incoming.imap,
        clock: &world.clock(),
        tell: &tell,
    };
    let mut watch = Watch {
        world,
        postfix,
        heard: heard.subscribe(),
    };
    let story = async {
        story(&mut watch).await;
        progress.stop();
    };
    tokio::join!(tracker.run(Some(listener)), story);
    heard.borrow().clone()
}

impl Watch<'_> {
    async fn the_first_time(&mut self, slow: &Sink) {
        let dead = [UNKNOWN, UNKNOWN_ELSEWHERE, FORWARDS_TO_NOBODY, MOVED];
        self.until(&[
            ("accepted", &[LIVES, FORWARDS]),
            ("bounced-hard", &dead),
            ("scheduled", &[FULL, FULL_ELSEWHERE]),
            ("bounced-soft", &[TOO_LARGE, BLOCKED]),
            ("delayed", &[DOWN, FULL_FOR_NOW, SLOW]),
        ])
        .await;

        // The slow one takes it after all; of the others Postfix has had enough.
        slow.rules().clear();
        slow.wait_for(1).await;
        self.postfix.lose_patience();
        let again = [FULL, FULL_ELSEWHERE, DOWN, FULL_FOR_NOW];
        self.until(&[
            ("accepted", &[LIVES, FORWARDS]),
            ("bounced-hard", &dead),
            ("scheduled", &again),
            ("bounced-soft", &[TOO_LARGE, BLOCKED]),
            ("delayed", &[SLOW]),
        ])
        .await;
        assert_eq!(self.suppressed().await, dead.map(desk));
        for n in again {
            let (delivery, _) = story_of(self.world, &desk(n)).await;
            let waits = delivery.due_at.since(self.world.now);
            assert!(waits >= "1d".parse().unwrap(), "{n}: {waits:?}");
        }

        let letter = self.world.letter_to(&desk(LIVES)).await;
        let [kept] = &self.postfix.mailbox("lives")[..] else {
            panic!("{}", self.postfix.log());
        };
        assert!(kept.contains(&letter.message_id), "{kept}");
        let taken = self.world.sink.received();
        let taken = taken.iter().flat_map(|one| &one.recipients);
        let taken: Vec<&str> = taken.map(|one| one.address.as_str()).collect();
        assert_eq!(taken, ["somebody@else.example"]);

        for (n, _, said) in SAID {
            self.shows(n, said).await;
        }
        for (n, said) in [
            (
                UNKNOWN,
                r#"5.1.1 X-Postfix; unknown user: "abuse@isp002.example""#,
            ),
            (FULL, "5.2.2 x-unix; Quota exceeded, the mailbox is full"),
            (FORWARDS_TO_NOBODY, GONE),
            (DOWN, "4.4.1 X-Postfix; connect to 127.0.0.1"),
            (DOWN, "Connection refused"),
            (MOVED, "5.1.6 X-Postfix; User has moved to noc@new.example"),
            (TOO_LARGE, ", open"),
            (BLOCKED, ", open"),
        ] {
            self.shows(n, said).await;
        }
    }

    async fn once_more(&mut self) {
        self.until(&AT_LAST).await;
        assert_eq!(
            self.world.report().await.letters.campaign.state.as_str(),
            "settled"
        );
    }

    /// Whoever can reach Postfix can write to the addresses of bounces.
    async fn forged(&mut self) {
        let world = self.world;
        let lives = world.letter_to(&desk(LIVES)).await;
        let other = world.letter_to(&desk(FORWARDS)).await;
        let to = lives.envelope_from.as_str();
        let bounce = |of: &Letter| Report::of(of, "failed", "5.1.1", "550 5.1.1 No such user");
        let stray = Report {
            returned: "x@else.example".to_owned(),
            ..bounce(&other)
        };
        let whole = bounce(&lives).text();
        let true_one = all(world).await.pop().unwrap();
        let replayed = world.store.incoming(true_one.id).await.unwrap().arrived;
        assert_eq!(replayed.envelope_from.as_deref(), Some(""));
        let replayed = String::from_utf8(replayed.message).unwrap();
        let before = self.suppressed().await;
        for (to, message) in [
            (changed(to), &whole),
            (to.to_owned(), &bounce(&other).text()),
            (to.to_owned(), &stray.text()),
            (to.to_owned(), &replayed),
            (format!("anybody@{BOUNCES}"), &whole),
        ] {
            let mut peer = Peer::at(self.postfix.address).await;
            peer.hears("220 ").await;
            for (words, answer) in [
                ("HELO mx.isp.example".to_owned(), "250"),
                ("MAIL FROM:<>".to_owned(), "250"),
                (format!("RCPT TO:<{to}>"), "250"),
                ("DATA".to_owned(), "354"),
                (message.replace("\r\n.", "\r\n..") + "\r\n.", "250"),
                ("QUIT".to_owned(), "221"),
            ] {
                peer.says(words + "\r\n").await;
                peer.hears(answer).await;
            }
        }
        let come = self.heard.wait_for(|heard| heard.untrue == 4);
        assert!(
            timeout(PATIENCE, come).await.is_ok(),
            "{}",
            self.so_far().await
        );
        self.until(&AT_LAST).await;
        assert_eq!(self.suppressed().await, before);
    }

    /// Looks whenever something came back.
    async fn until(&mut self, expected: &States<'_>) {
        let each = |(state, desks): &(&str, &[usize])| -> Vec<(String, String)> {
            let state = (*state).to_owned();
            desks.iter().map(|n| (desk(*n), state.clone())).collect()
        };
        let expected: BTreeMap<String, String> = expected.iter().flat_map(each).collect();
        let mut heard = self.heard.clone();
        let waiting = async {
            while self.states().await != expected {
                heard.changed().await.unwrap();
            }
        };
        if timeout(PATIENCE, waiting).await.is_err() {
            let so_far = self.so_far().await;
            assert_eq!(self.states().await, expected, "{so_far}");
        }
    }

    async fn states(&self) -> BTreeMap<String, String> {
        let letters = self.world.letters().await;
        let state = |line: lapwing::store::LetterLine| (line.recipient, line.state);
        letters.into_iter().map(state).collect()
    }

    async fn suppressed(&self) -> Vec<String> {
        let all = self.world.store.suppressions(self.world.now).await.unwrap();
        let mut all: Vec<String> = all.iter().map(|one| one.address.to_string()).collect();
        all.sort();
        all
    }

    async fn shows(&self, n: usize, said: &str) {
        let ticket = self.world.letter_to(&desk(n)).await.ticket;
        let ran = self.world.lapwing(&["letter", "show", &ticket]);
        let (_, story) = ran.out.split_once("What happened").expect(&ran.err);
        assert!(story.contains(said), "{n}: {said}: {story}");
    }

    /// For those who have to find out why something did not come.
    async fn so_far(&self) -> String {
        let mut text = self.postfix.log();
        for line in all(self.world).await {
            let _ = writeln!(text, "{line:?}");
        }
        text
    }
}

/// Where Postfix takes what: to mailboxes of its own, to other servers, to nobody.
fn ways(door: SocketAddr, others: SocketAddr, slow: SocketAddr, down: SocketAddr) -> Ways {
    let domain = |n: usize| desk(n).split_off("abuse@".len());
    let at = |address: SocketAddr| format!("smtp:[{}]:{}", address.ip(), address.port());
    let elsewhere = [
        UNKNOWN_ELSEWHERE,
        FULL_ELSEWHERE,
        FULL_FOR_NOW,
        TOO_LARGE,
        BLOCKED,
    ];
    let mut transports: Vec<_> = elsewhere.map(|n| (domain(n), at(others))).into();
    transports.extend([
        (BOUNCES.to_owned(), format!("lmtp:inet:{door}")),
        (domain(FULL), "agent:".to_owned()),
        ("else.example".to_owned(), at(others)),
        (domain(SLOW), at(slow)),
        (domain(DOWN), at(down)),
    ]);
    Ways {
        mailboxes: vec![(desk(LIVES), "lives/")],
        domains: [LIVES, UNKNOWN].map(domain).into(),
        transports,
        forwards: vec![
            (desk(FORWARDS), "somebody@else.example"),
            (desk(FORWARDS_TO_NOBODY), "gone@else.example"),
        ],
        moved: vec![(desk(MOVED), "noc@new.example")],
    }
}
