//! The door: how a mail server hands over what came back, and what it is told when that cannot be kept.

use std::io::{BufRead as _, Read as _};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use lapwing::model::{KEPT, Progress};
use lapwing::store::{Kept, Store};
use lapwing::track::Counts;
use lapwing::track::lmtp::{self, Settings, Work};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::crash::within;
use crate::story;
use crate::world::World;

const BOUNCE: &str = "b-baaaaaaaaaabk27777777777777777@coalition.example";
const ANSWER: &str = "r-baaaaaaaaaabk27777777777777777@coalition.example";

/// What came from whom to whom: `from > to: text`.
async fn came(world: &World) -> Vec<String> {
    let kept = world.store.unread(0, 1_000).await.unwrap();
    let line = |kept: Kept| {
        let arrived = kept.arrived;
        let text = String::from_utf8_lossy(&arrived.message).into_owned();
        let (from, to) = (arrived.envelope_from, arrived.envelope_to);
        let from = from.as_deref().unwrap_or("?");
        format!("{from} > {to}: {}", text.replace("\r\n", "|"))
    };
    kept.into_iter().map(line).collect()
}

fn settings(world: &World) -> Settings {
    Settings::from_config(&world.config)
}

/// The door, while it is open.
struct Door<'a> {
    address: std::net::SocketAddr,
    progress: &'a Progress,
    counts: &'a watch::Sender<Counts>,
}

impl Door<'_> {
    async fn knock(&self) -> Peer {
        Peer::at(self.address).await
    }

    /// A peer that has said who it is.
    async fn enter(&self) -> Peer {
        let mut peer = self.knock().await;
        peer.hears("220 ").await;
        peer.says("LHLO mx.coalition.example\r\n").await;
        for _ in 0..5 {
            peer.hears("250-").await;
        }
        peer.hears("250 SIZE 26214400").await;
        peer
    }
}

/// Whoever has come to the door.
pub(crate) struct Peer(BufReader<TcpStream>);

impl Peer {
    pub(crate) async fn at(address: std::net::SocketAddr) -> Self {
        Self(BufReader::new(TcpStream::connect(address).await.unwrap()))
    }

    pub(crate) async fn says(&mut self, words: impl AsRef<[u8]>) {
        self.0.write_all(words.as_ref()).await.unwrap();
    }

    /// The next line, or nothing where the door is closed.
    async fn line(&mut self) -> String {
        let mut line = String::new();
        within(self.0.read_line(&mut line)).await.unwrap();
        line.trim_end().to_owned()
    }

    #[track_caller]
    pub(crate) fn hears(&mut self, beginning: &str) -> impl Future<Output = ()> {
        let place = std::panic::Location::caller();
        async move {
            let line = self.line().await;
            assert!(line.starts_with(beginning), "{place}: {beginning}: {line}");
        }
    }

    /// One command, and what is answered.
    async fn asks(&mut self, command: &str) -> String {
        self.says(format!("{command}\r\n")).await;
        self.line().await
    }

    async fn begins(&mut self, recipients: &[&str]) {
        self.says("MAIL FROM:<>\r\n").await;
        self.hears("250 2.1.0").await;
        for recipient in recipients {
            self.says(format!("RCPT TO:<{recipient}>\r\n")).await;
            self.hears("250 2.1.5").await;
        }
        self.says("DATA\r\n").await;
        self.hears("354 ").await;
    }
}

/// Opens the door for as long as the story takes; gives back what was seen there.
async fn at_the_door(
    world: &World,
    settings: &Settings,
    store: &Store,
    story: impl AsyncFnOnce(&Door<'_>),
) -> Counts {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let (progress, clock) = (Progress::default(), world.clock());
    let counts = watch::Sender::new(Counts::default());
    let door = Door {
        address: listener.local_addr().unwrap(),
        progress: &progress,
        counts: &counts,
    };
    let work = Work {
        store,
        settings,
        clock: &clock,
        progress: &progress,
        counts: &counts,
    };
    let told = async {
        story(&door).await;
        progress.stop();
    };
    within(async { tokio::join!(lmtp::serve(listener, work), told) }).await;
    counts.borrow().clone()
}

story!(each_command_has_its_answer_in_any_order, world, {
    let settings = settings(&world);
    let counts = at_the_door(&world, &settings, &world.store, async |door| {
        let mut peer = door.knock().await;
        peer.hears("220 coalition.example LMTP").await;
        for (command, answer) in [
            ("MAIL FROM:<>", "503 5.5.1 LHLO comes first"),
            ("EHLO mx.example", "500 5.5.1 This is LMTP: say LHLO"),
            ("HELO mx.example", "500 5.5.1 "),
            ("LHLO", "501 5.5.4 "),
            ("noop", "250 2.0.0 "),
        ] {
            let said = peer.asks(command).await;
            assert!(said.starts_with(answer), "{command}: {said}");
        }
        let mut peer = door.enter().await;
        let long = "x".repeat(5_000);
        for (command, answer) in [
            ("RCPT TO:<postmaster@coalition.example>", "503 5.5.1 MAIL"),
            ("DATA", "503 5.5.1 No valid recipients"),
            ("RSET", "250 2.0.0 "),
            ("VRFY postmaster", "252 2.5.2 "),
            ("HELP", "214 2.0.0 "),
            ("EXPN list", "500 5.5.2 "),
            (&long, "500 5.5.2 Line too long"),
            ("MAIL FROM:desk@isp.example", "501 5.5.4 "),
            ("MAIL FROM:<> BODY=BINARYMIME", "501 5.5.4 "),
            ("MAIL FROM:<> RET=HDRS", "555 5.5.4 "),
            ("MAIL FROM:<desk@isp\u{1}.example>", "501 5.5.4 "),
            ("MAIL FROM:<dësk@isp.example>", "553 5.6.7 "),
            // No true address, and yet what some systems bounce from.
            ("MAIL FROM:<MAILER-DAEMON>", "250 2.1.0 "),
            ("RSET", "250 2.0.0 "),
            (
                "MAIL FROM:<dësk@isp.example> SMTPUTF8 BODY=8BITMIME SIZE=700",
                "250 2.1.0 ",
            ),
            ("MAIL FROM:<>", "503 5.5.1 A message is begun"),
            ("DATA", "503 5.5.1 No valid recipients"),
            ("RCPT FROM:<>", "501 5.5.4 "),
            (
                "RCPT TO:<postmaster@coalition.example> NOTIFY=NEVER",
                "555 5.5.4 ",
            ),
            ("RCPT TO:<postmaster@coalition.example>", "250 2.1.5 "),
            ("DATA now", "501 5.5.4 "),
            ("DATA", "354 "),
            ("Subject: fixed\r\n\r\nIt is mended.\r\n.", "250 2.0.0 "),
            ("RCPT TO:<postmaster@coalition.example>", "503 5.5.1 MAIL"),
            ("QUIT", "221 2.0.0 "),
        ] {
            let said = peer.asks(command).await;
            assert!(said.starts_with(answer), "{command}: {said}");
        }
        assert_eq!(peer.line().await, "", "closed");
    });
    assert_eq!(
        (counts.await.messages, came(&world).await),
        (
            1,
            vec![
                "dësk@isp.example > postmaster@coalition.example: Subject: fixed||It is mended.|"
                    .to_owned(),
            ]
        )
    );
});

story!(
    each_recipient_of_a_pipelined_message_has_a_fate_of_its_own,
    world,
    {
        let settings = settings(&world);
        let counts = at_the_door(&world, &settings, &world.store, async |door| {
            let mut peer = door.enter().await;
            peer.says(format!(
                "MAIL FROM:<>\r\nRCPT TO:<{BOUNCE}>\r\nRCPT TO:<nobody@coalition.example>\r\n\
             RCPT TO:<{ANSWER}>\r\nRCPT TO:<postmaster@isp.example>\r\nRCPT TO:<{BOUNCE}>\r\n\
             DATA\r\n"
            ))
            .await;
            for answer in [
                "250 ",
                "250 ",
                "550 5.1.1",
                "250 ",
                "550 5.1.1",
                "250 ",
                "354",
            ] {
                peer.hears(answer).await;
            }
            // Dots that were stuffed are taken out, and a line feed alone ends nothing.
            peer.says("Subject: a\r\n\r\n..\r\n.b\n.\nc\r\n.\r\nMAIL FROM:<>\r\n")
                .await;
            let first = peer.line().await;
            peer.hears("250 2.0.0").await;
            assert_eq!(first, peer.line().await, "the same recipient twice is one");
            peer.hears("250 2.1.0").await;
        })
        .await;
        let text = "Subject: a||.|b\n.\nc|";
        let expected = [
            format!(" > {BOUNCE}: {text}"),
            format!(" > {ANSWER}: {text}"),
        ];
        assert_eq!(came(&world).await, expected);
        assert_eq!((counts.messages, counts.again, counts.refused), (2, 1, 2));
    }
);

story!(
    what_cannot_be_kept_now_is_handed_over_again_and_is_one,
    world,
    {
        let settings = settings(&world);
        let away = Store::open(&world.url).await.unwrap();
        away.close().await;
        let hands_over = async |door: &Door<'_>, answer: &str| {
            let mut peer = door.enter().await;
            peer.begins(&[BOUNCE, ANSWER]).await;
            peer.says("Subject: failure notice\r\n\r\n.\r\n").await;
            peer.hears(answer).await;
            peer.hears(answer).await;
            assert!(peer.asks("QUIT").await.starts_with("221"));
        };
        let counts = at_the_door(&world, &settings, &away, async |door| {
            hands_over(door, "451 4.3.0").await;
        })
        .await;
        assert_eq!((counts.messages, counts.put_off), (0, 2));
        assert!(counts.trouble.contains("database"), "{counts:?}");
        assert_eq!(came(&world).await.len(), 0);

        let counts = at_the_door(&world, &settings, &world.store, async |door| {
            hands_over(door, "250 2.0.0").await;
            // The answer may have been lost on its way.
            hands_over(door, "250 2.0.0").await;
        })
        .await;
        assert_eq!((counts.messages, counts.again), (2, 2));
        assert_eq!(came(&world).await.len(), 2);
    }
);

story!(of_a_big_message_the_beginning_is_kept, world, {
    let mut settings = settings(&world);
    settings.max_size = 3 << 20;
    let of = |mib: usize| {
        let line = [&[b'x'; 1_022][..], b"\r\n"].concat();
        line.repeat(mib << 10)
    };
    let counts = at_the_door(&world, &settings, &world.store, async |door| {
        let mut peer = door.knock().await;
        peer.hears("220 ").await;
        peer.says("LHLO mx.example\r\n").await;
        while peer.line().await.starts_with("250-") {}
        assert!(
            peer.asks("MAIL FROM:<> SIZE=3145729")
                .await
                .starts_with("552 5.3.4")
        );
        peer.begins(&[BOUNCE]).await;
        peer.says(of(2)).await;
        peer.says(".\r\n").await;
        peer.hears("250 2.0.0").await;
        // Who does not know beforehand is heard to the end, and told for each recipient.
        peer.begins(&[BOUNCE, ANSWER]).await;
        peer.says(of(4)).await;
        peer.says(".\r\n").await;
        peer.hears("552 5.3.4").await;
        peer.hears("552 5.3.4").await;
        assert!(peer.asks("NOOP").await.starts_with("250"));
    })
    .await;
    assert_eq!((counts.messages, counts.too_big), (1, 2));
    let kept = world.store.unread(0, 10).await.unwrap();
    let [kept] = kept.as_slice() else {
        panic!("{} messages", kept.len());
    };
    assert_eq!(kept.arrived.size, 2 << 20);
    assert_eq!(kept.arrived.message, &of(2)[..KEPT]);
});

story!(strangers_and_crowds_are_sent_away, world, {
    let mut settings = settings(&world);
    settings.connections = 1;
    let counts = at_the_door(&world, &settings, &world.store, async |door| {
        let first = door.enter().await;
        let mut second = door.knock().await;
        second.hears("421 4.3.2 Too many connections").await;
        assert_eq!(second.line().await, "", "closed");
        drop(first);
        let mut counts = door.counts.subscribe();
        within(counts.wait_for(|counts| counts.open == 0))
            .await
            .unwrap();
        door.enter().await;
    })
    .await;
    assert_eq!((counts.crowded, counts.open), (1, 0));

    settings.peers = vec!["192.0.2.0/24".parse().unwrap()];
    let counts = at_the_door(&world, &settings, &world.store, async |door| {
        let mut peer = door.knock().await;
        peer.hears("421 4.7.1").await;
        assert_eq!(peer.line().await, "", "closed");
    })
    .await;
    assert_eq!((counts.foreign, counts.crowded), (1, 0));
});

story!(a_stop_lets_the_message_in_hand_arrive, world, {
    let settings = settings(&world);
    let counts = at_the_door(&world, &settings, &world.store, async |door| {
        let mut idle = door.enter().await;
        let mut busy = door.enter().await;
        let mut begun = door.enter().await;
        busy.begins(&[BOUNCE]).await;
        busy.says("Subject: half").await;
        assert!(begun.asks("MAIL FROM:<>").await.starts_with("250"));
        door.progress.stop();
        idle.hears("421 4.3.2").await;
        assert_eq!(idle.line().await, "", "closed");
        busy.says(" and half\r\n.\r\n").await;
        busy.hears("250 2.0.0").await;
        busy.hears("421 4.3.2").await;
        begun
            .says(format!("RCPT TO:<{ANSWER}>\r\nDATA\r\nSubject: b\r\n.\r\n"))
            .await;
        for answer in ["250 2.1.5", "354", "250 2.0.0", "421 4.3.2"] {
            begun.hears(answer).await;
        }
        assert!(TcpStream::connect(door.address).await.is_err());
    })
    .await;
    assert_eq!(counts.messages, 2);
    let expected = [
        format!(" > {BOUNCE}: Subject: half and half|"),
        format!(" > {ANSWER}: Subject: b|"),
    ];
    assert_eq!(came(&world).await, expected);
});

/// On one engine, for it is the peer that takes its time.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a slow peer takes twelve seconds: tests/run crash"]
async fn a_stop_waits_for_a_slow_message_as_long_as_the_service_does() {
    let world = World::on_sqlite().await;
    let mut service = Service::start(&world, &["--only", "track"], "127.0.0.1:0");
    let mut peer = service.enter().await;
    peer.begins(&[BOUNCE]).await;
    let process = service.0.id().to_string();
    let told = Command::new("kill").args(["-TERM", &process]).status();
    assert!(told.unwrap().success());
    let mut seconds = tokio::time::interval(Duration::from_secs(1));
    for n in 0..13 {
        seconds.tick().await;
        peer.says(format!("Subject: {n}\r\n")).await;
    }
    peer.says("\r\n.\r\n").await;
    peer.hears("250 2.0.0").await;
    peer.hears("421 4.3.2").await;
    let code = tokio::task::block_in_place(|| service.0.wait()).unwrap();
    assert_eq!(code.code(), Some(0));
    assert_eq!(came(&world).await.len(), 1);
}

story!(
    what_does_not_arrive_in_time_is_cut_off_and_not_kept,
    world,
    {
        let mut service = Service::start_with(
            &world,
            &["--only", "track"],
            "127.0.0.1:0",
            &[("LAPWING_SERVE__GRACE", "300ms")],
        );
        let mut peer = service.enter().await;
        peer.begins(&[BOUNCE]).await;
        peer.says("Subject: half").await;
        let (code, said) = service.end();
        assert_eq!(code, Some(143), "{said}");
        assert!(said.contains("what was in hand has not ended"), "{said}");
        assert_eq!(peer.line().await, "", "closed");
        assert!(came(&world).await.is_empty());
    }
);

story!(who_says_nothing_or_nonsense_is_sent_away, world, {
    let mut settings = settings(&world);
    settings.idle = Duration::from_millis(200);
    at_the_door(&world, &settings, &world.store, async |door| {
        let mut silent = door.enter().await;
        silent.hears("421 4.4.2").await;
        assert_eq!(silent.line().await, "", "closed");
        // A web browser, say.
        let mut lost = door.enter().await;
        lost.says("GET / HTTP/1.1\r\n".repeat(100)).await;
        for _ in 0..21 {
            lost.hears("500 5.5.2").await;
        }
        lost.hears("421 4.7.0").await;
        assert_eq!(lost.line().await, "", "closed");
        // Half a message is none.
        let mut cut_off = door.enter().await;
        cut_off.begins(&[BOUNCE]).await;
        cut_off.says("Subject: lost\r\n.").await;
        drop(cut_off);
    })
    .await;
    assert_eq!(came(&world).await.len(), 0);
});

story!(
    more_recipients_than_one_message_may_have_are_for_the_next,
    world,
    {
        let settings = settings(&world);
        let counts = at_the_door(&world, &settings, &world.store, async |door| {
            let mut peer = door.enter().await;
            assert!(peer.asks("MAIL FROM:<>").await.starts_with("250"));
            for n in 0..50 {
                let rcpt = format!("RCPT TO:<postmaster+{n}@coalition.example>");
                assert!(peer.asks(&rcpt).await.starts_with("250"));
            }
            let rcpt = "RCPT TO:<postmaster+50@coalition.example>";
            assert!(peer.asks(rcpt).await.starts_with("452 4.5.3"));
            assert!(peer.asks("DATA").await.starts_with("354"));
            peer.says("Subject: to all\r\n.\r\n").await;
            for _ in 0..50 {
                peer.hears("250 2.0.0").await;
            }
        })
        .await;
        assert_eq!(counts.messages, 50);
    }
);

/// `lapwing serve`, with a door where the system likes; what it says of itself, line by line.
struct Service(Child, std::io::BufReader<std::process::ChildStdout>);

impl Service {
    fn start(world: &World, arguments: &[&str], listen: &str) -> Self {
        Self::start_with(world, arguments, listen, &[])
    }

    fn start_with(
        world: &World,
        arguments: &[&str],
        listen: &str,
        settings: &[(&str, &str)],
    ) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_lapwing"))
            .arg("serve")
            .args(arguments)
            .current_dir(world.dir())
            .env("LAPWING_DATABASE_URL", &world.url)
            .env("LAPWING_SENDER__ADDRESS", "notices@coalition.example")
            .env("LAPWING_INCOMING__LISTEN", listen)
            .env("LAPWING_HTTP__LISTEN", "")
            .env("LAPWING_LOG__FORMAT", "text")
            .envs(settings.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let out = std::io::BufReader::new(child.stdout.take().unwrap());
        Self(child, out)
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        tokio::task::block_in_place(|| self.1.read_line(&mut line)).unwrap();
        line.trim_end().to_owned()
    }

    /// A peer at its door that has said who it is.
    async fn enter(&mut self) -> Peer {
        let line = self.line();
        let (_, address) = line
            .rsplit_once("taking in bounces and answers by LMTP at ")
            .expect(&line);
        let mut peer = Peer::at(address.parse().unwrap()).await;
        peer.hears("220 coalition.example LMTP").await;
        peer.says("LHLO mx.example\r\n").await;
        while peer.line().await.starts_with("250-") {}
        peer
    }

    /// Asks it to end, and gives back its code and what it said since.
    fn end(mut self) -> (Option<i32>, String) {
        let process = self.0.id().to_string();
        let killed = Command::new("kill").args(["-TERM", &process]).status();
        assert!(killed.unwrap().success());
        let code = tokio::task::block_in_place(|| self.0.wait())
            .unwrap()
            .code();
        let mut rest = String::new();
        self.1.read_to_string(&mut rest).unwrap();
        (code, rest)
    }
}

story!(the_service_says_where_it_listens_and_what_came, world, {
    let mut service = Service::start(&world, &["--only", "track"], "127.0.0.1:0");
    let mut peer = service.enter().await;
    peer.begins(&[BOUNCE]).await;
    peer.says("Subject: failure notice\r\n\r\n.\r\n").await;
    peer.hears("250 2.0.0").await;
    let (code, said) = service.end();
    assert_eq!(code, Some(0));
    assert!(said.contains("incoming: 1 message kept\n"), "{said}");
    peer.hears("421 4.3.2").await;
    assert_eq!(
        world.store.incoming(1).await.unwrap().arrived.envelope_to,
        BOUNCE
    );

    // Beside the other stage, and for programs.
    let taken = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let service = Service::start(&world, &["--json"], &address);
    let ended = tokio::task::block_in_place(|| service.0.wait_with_output()).unwrap();
    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(2), "{said}");
    assert!(
        said.contains("incoming.listen") && said.contains("listens there"),
        "{said}"
    );
    drop(taken);
    let mut service = Service::start(&world, &["--json"], &address);
    let lines = [service.line(), service.line()];
    let listening = format!(r#""event":"listening","lmtp":"{address}""#);
    assert!(
        lines.iter().any(|line| line.contains(&listening)),
        "{lines:?}"
    );
    assert_eq!(service.end().0, Some(0));
});
