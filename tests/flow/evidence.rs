//! One record of each address, told to people and to machines in the form that each recipient wishes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use lapwing::model::{Format, Letter};
use lapwing::send;
use mail_parser::{MessageParser, MessagePart, MimeHeaders, PartType};
use serde_json::{Value, json};

use crate::desk::{attached, column};
use crate::story;
use crate::world::World;

const TABLE: &str = "range,country,abuse
192.0.2.0/24,US,abuse@isp.example
198.51.100.0/24,US,abuse@other.example
";

const SPAM: &str = "Return-Path: <pills@shop.example>\r\n\
Received: from pc7 (pc7.isp.example [192.0.2.7])\r\n\
\tby mx.trap.example with SMTP\r\n\
\tfor <jane.doe@trap.example>; Sun, 1 Nov 2026 04:05:06 +0000\r\n\
Delivered-To: jane.doe@trap.example\r\n\
To: Jane Doe <jane.doe@trap.example>\r\n\
Subject: Cheap pills\r\n\
MIME-Version: 1.0\r\n\
\r\n\
Dear Jane,\r\n\
From now on, jane.doe@trap.example buys here.\r\n\
.\r\n";

/// Three observations of .7, one of them with its message, one of .8 without a time, and one elsewhere.
fn feed() -> String {
    let row = |ip: &str, seen: &str, port: u16| json!({ "ip": ip, "seen": seen, "port": port, "source": "trap-1" });
    let mut rows = [
        row("192.0.2.7", "2026-11-01T00:00:00Z", 1_001),
        row("192.0.2.7", "2026-11-02T00:00:00Z", 1_002),
        row("192.0.2.7", "2026-11-03T00:00:00Z", 1_003),
        row("192.0.2.8", "", 1_004),
        row("198.51.100.9", "2026-11-04T00:00:00Z", 1_005),
    ];
    rows[1]["sample"] = json!(SPAM);
    rows.iter().map(|row| format!("{row}\n")).collect()
}

async fn letters_as(world: &World, format: &str) -> Vec<Letter> {
    world.table(TABLE).await;
    world
        .overrides(&format!(
            "subject,mailbox,format\n192.0.2.0/24,abuse@isp.example,{format}\n"
        ))
        .await;
    world.feed(&feed()).await;
    world.resolve().await;
    world.compose().await;
    let letters = world.opened().await.into_iter();
    letters
        .filter(|letter| letter.recipient.as_str() == "abuse@isp.example")
        .collect()
}

/// Its files, but for the leaflet.
fn names(letter: &Letter) -> Vec<&str> {
    let names = letter.attachments.iter().map(|one| one.name.as_str());
    names.filter(|name| !name.starts_with("leaflet")).collect()
}

fn reports(letter: &Letter) -> Vec<Value> {
    let files = letter
        .attachments
        .iter()
        .filter(|one| one.media_type == "application/json");
    files
        .map(|one| serde_json::from_slice(&one.content).unwrap())
        .collect()
}

fn base64(text: &Value) -> String {
    let mail = format!(
        "Content-Transfer-Encoding: base64\r\n\r\n{}",
        text.as_str().unwrap()
    );
    let mail = MessageParser::default().parse(mail.as_bytes()).unwrap();
    mail.body_text(0).unwrap().into_owned()
}

/// All that is readable in a message, whatever it is encoded in and however deep it stands.
fn readable(bytes: &[u8]) -> String {
    fn parts(all: &mut String, part: &[MessagePart<'_>]) {
        for part in part {
            match &part.body {
                PartType::Message(inner) => {
                    all.push_str(&String::from_utf8_lossy(inner.raw_message()));
                    parts(all, &inner.parts);
                }
                _ => all.push_str(&String::from_utf8_lossy(part.contents())),
            }
        }
    }
    let message = MessageParser::default().parse(bytes).unwrap();
    let mut all = String::from_utf8_lossy(bytes).into_owned();
    parts(&mut all, &message.parts);
    for report in message.attachments().filter(|one| {
        one.attachment_name()
            .is_some_and(|name| name.ends_with(".json"))
    }) {
        let report: Value = serde_json::from_slice(report.contents()).unwrap();
        for item in report["evidence"].as_array().unwrap() {
            all.push_str(&base64(&item["payload"]));
        }
    }
    all
}

story!(
    who_wishes_nothing_gets_the_list_and_the_message_it_was_seen_by,
    world,
    {
        let letters = letters_as(&world, "csv").await;
        let [letter] = letters.as_slice() else {
            panic!("{letters:?}")
        };
        let stem = letter.ticket.to_ascii_lowercase();
        assert_eq!(
            names(letter),
            [format!("{stem}.csv"), format!("{stem}-192.0.2.7.arf.eml")]
        );
        assert_eq!(
            column(&attached(letter), "port"),
            ["1001", "1002", "1003", "1004"]
        );

        // As somebody else's parser finds it: a whole feedback report inside the letter.
        let bytes = send::message(letter).unwrap();
        let message = MessageParser::default().parse(&bytes).unwrap();
        let eml = message.attachment(1).unwrap();
        let PartType::Message(report) = &eml.body else {
            panic!("{eml:?}")
        };
        assert_eq!(
            report.content_type().unwrap().attribute("report-type"),
            Some("feedback-report")
        );
        assert_eq!(
            report.subject().unwrap(),
            format!("[{}] Spam from 192.0.2.7", letter.ticket)
        );
        let fields = String::from_utf8_lossy(report.parts[2].contents());
        for field in [
            "Feedback-Type: abuse",
            "Source-IP: 192.0.2.7",
            "Source-Port: 1002",
            "Incidents: 3",
        ] {
            assert!(fields.lines().any(|line| line == field), "{fields}");
        }
        let PartType::Message(spam) = &report.parts[3].body else {
            panic!("{report:?}")
        };
        assert_eq!(spam.subject(), Some("Cheap pills"));
    }
);

story!(
    who_reads_by_machine_gets_a_letter_and_a_report_for_each_address,
    world,
    {
        let letters = letters_as(&world, "xarf").await;
        let [seven, eight] = letters.as_slice() else {
            panic!("{letters:?}")
        };
        assert_eq!(seven.ticket, eight.ticket);
        assert_eq!((seven.part, eight.part, eight.parts), (1, 2, 2));
        assert_eq!(names(seven), ["xarf.json"]);
        let report = &reports(seven)[0];
        assert_eq!(report["source_identifier"], "192.0.2.7");
        assert_eq!(
            (&report["category"], &report["type"]),
            (&json!("messaging"), &json!("spam"))
        );
        assert_eq!(
            (&report["timestamp"], &report["source_port"]),
            (&json!("2026-11-02T00:00:00Z"), &json!(1_002))
        );
        assert_eq!(base64(&report["evidence"][0]["payload"]).lines().count(), 4);
        // Its text has what the report has.
        let text = seven.text.split_whitespace().collect::<Vec<_>>().join(" ");
        for port in ["1001", "1002", "1003"] {
            assert!(text.contains(&format!("Port {port}")), "{}", seven.text);
        }
        // A report must have a time: what has none comes as a list.
        let name = format!("{}-part-2-of-2.csv", eight.ticket.to_ascii_lowercase());
        assert_eq!(names(eight), [name]);
        assert_eq!(attached(eight)[0]["address"], "192.0.2.8");
    }
);

story!(who_wishes_both_gets_one_letter, world, {
    let letters = letters_as(&world, "both").await;
    let [letter] = letters.as_slice() else {
        panic!("{letters:?}")
    };
    let stem = letter.ticket.to_ascii_lowercase();
    assert_eq!(
        names(letter),
        [format!("{stem}.csv"), format!("{stem}-192.0.2.7.xarf.json")]
    );
    assert_eq!(attached(letter).len(), 4);
    assert_eq!(reports(letter).len(), 1);
});

story!(the_setting_decides_for_those_who_wished_nothing, world, {
    world.config.letter.format = Format::Both;
    letters_as(&world, "text").await;
    assert!(
        world
            .letter_to("abuse@isp.example")
            .await
            .attachments
            .is_empty()
    );
    let letter = world.letter_to("abuse@other.example").await;
    assert_eq!(names(&letter).len(), 2);
    assert_eq!(reports(&letter)[0]["category"], "infrastructure");
});

story!(the_mark_stands_in_every_file, world, {
    // As every campaign of a new installation.
    world
        .behind_our_back("UPDATE campaign SET tlp = 'AMBER+STRICT'")
        .await;
    world.campaign().await;
    world
        .behind_our_back("UPDATE campaign SET tlp = 'AMBER+STRICT'")
        .await;
    let letters = letters_as(&world, "both").await;
    assert_eq!(
        column(&attached(&letters[0]), "tlp"),
        ["TLP:AMBER+STRICT"; 4]
    );
    assert_eq!(reports(&letters[0])[0]["tags"][0], "tlp:amber+strict");
    world.later("1m");
    let letters = letters_as(&world, "csv").await;
    let report = String::from_utf8_lossy(&letters[0].attachments[1].content).into_owned();
    assert!(report.contains("\r\nTLP:AMBER+STRICT\r\n"), "{report}");
});

story!(nobody_who_received_the_spam_is_named_in_a_letter, world, {
    for format in ["csv", "both", "xarf"] {
        world.later("1m");
        let letters = letters_as(&world, format).await;
        let all: String = letters
            .iter()
            .map(|one| readable(&send::message(one).unwrap()))
            .collect();
        assert!(
            all.contains("Cheap pills") && all.contains("by mx.trap.example"),
            "{format}"
        );
        let lower = all.to_lowercase();
        for trace in ["jane", "doe@", "for <", "@trap.example"] {
            assert!(!lower.contains(trace), "{format}: {trace}\n{all}");
        }
        assert!(all.contains("@redacted.invalid"), "{format}");
    }
    // The same person is the same token in every letter.
    let key = world.behind_our_back("UPDATE secret SET name = name").await;
    assert_eq!(key, 1);
});

story!(
    a_message_is_kept_from_tables_too_and_added_to_what_was_known,
    world,
    {
        world.table(TABLE).await;
        let known = "ip,seen\n192.0.2.7,2026-11-01T00:00:00Z\n192.0.2.8,2026-11-01T00:00:00Z\n";
        assert_eq!(world.feed(known).await.counts.fresh, 2);
        let quoted = SPAM.replace("\r\n", "\n").replace('"', "\"\"");
        let again = format!(
            "ip,seen,class,source,sample\n192.0.2.7,2026-11-01T00:00:00Z,spam,trap,\"{quoted}\"\n"
        );
        let done = world.feed(&again).await;
        assert_eq!(
            (done.counts.fresh, done.counts.repeated),
            (0, 1),
            "{:?}",
            done.refusals
        );
        // Sixty-four KiB are kept, also of one that JSON makes longer.
        let long = format!("{SPAM}{}", "<\"\t>\r\n".repeat(20_000));
        let long =
            json!({ "ip": "192.0.2.9", "seen": "2026-11-01T00:00:00Z", "sample": &long[..60_000] });
        assert_eq!(world.feed(&format!("{long}\n")).await.counts.fresh, 1);
        world.resolve().await;
        world.compose().await;
        let letter = world.letter_to("abuse@isp.example").await;
        let reports: Vec<&str> = names(&letter)
            .into_iter()
            .filter(|name| name.ends_with(".eml"))
            .collect();
        assert_eq!(reports.len(), 2, "{reports:?}");
        assert!(
            letter
                .attachments
                .iter()
                .any(|one| one.content.len() > 50_000)
        );
        send::message(&letter).unwrap();
    }
);

/// Numbers that look like chance, and are the same every time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

story!(
    every_address_is_in_one_letter_and_no_letter_is_too_heavy,
    world,
    {
        let mut dice = Dice(4);
        for format in ["csv", "both", "xarf"] {
            let mut feed = String::new();
            let mut fed: BTreeMap<String, usize> = BTreeMap::new();
            for n in 0..dice.below(150) + 50 {
                let host = dice.below(60);
                let address = match dice.below(10) {
                    0 => format!("192.0.2.{}/31", host * 2),
                    1 => format!("192.0.2.{}-192.0.2.{}", host, host + dice.below(4)),
                    _ => format!("192.0.2.{host}"),
                };
                let mut row = json!({
                    "ip": address, "seen": format!("2026-11-01T00:{:02}:{:02}Z", n / 60, n % 60),
                    "port": dice.below(60_000) + 1, "evidence": "\"e\" ".repeat(dice.below(200) as usize),
                });
                if dice.below(4) == 0 {
                    row["sample"] = json!(format!(
                        "{SPAM}{}",
                        "pills ".repeat(dice.below(4_000) as usize)
                    ));
                }
                writeln!(feed, "{row}").unwrap();
            }
            world.config.letter.part_rows = 20 + dice.below(40) as usize;
            world.config.letter.part_bytes = 128 << 10;
            world.config.letter.part_reports = 8;
            world.later("1m");
            world.behind_our_back("DELETE FROM sample").await;
            world
                .behind_our_back("UPDATE suspect SET cut_from = NULL")
                .await;
            for table in ["attachment", "letter", "notice", "suspect", "finding"] {
                world.behind_our_back(&format!("DELETE FROM {table}")).await;
            }
            world.table(TABLE).await;
            let done = world.feed(&feed).await;
            assert_eq!(done.counts.refused, 0, "{:?}", done.refusals);
            world
                .overrides(&format!(
                    "subject,mailbox,format\n192.0.2.0/24,abuse@isp.example,{format}\n"
                ))
                .await;
            world.resolve().await;
            world.compose().await;
            for place in world.places().await {
                *fed.entry(place.split(' ').next().unwrap().to_owned())
                    .or_default() += 1;
            }

            let letters = world.opened().await;
            let (mut placed, mut reported) = (BTreeSet::new(), BTreeSet::new());
            let mut rows = 0;
            for letter in &letters {
                let (listed, reports) = (attached(letter), reports(letter));
                let here: BTreeSet<String> =
                    listed.iter().map(|row| row["address"].clone()).collect();
                for address in &here {
                    assert!(
                        placed.insert(address.clone()),
                        "{format}: {address} is in two letters"
                    );
                    let count = listed
                        .iter()
                        .filter(|row| row["address"] == *address)
                        .count();
                    assert_eq!(count, fed[address], "{format}: {address}");
                }
                for report in &reports {
                    let id = report["report_id"].to_string();
                    assert!(
                        reported.insert(id),
                        "{format}: {} twice",
                        report["source_identifier"]
                    );
                    rows += if format == "xarf" {
                        report["observations"].as_u64().unwrap()
                    } else {
                        0
                    };
                }
                let bytes: usize = letter.attachments.iter().map(|one| one.content.len()).sum();
                assert!(
                    bytes <= 128 << 10,
                    "{format}: {bytes} bytes in {} files",
                    letter.attachments.len()
                );
                assert!(letter.rows as usize <= world.config.letter.part_rows);
                let parts: BTreeSet<_> = letters
                    .iter()
                    .map(|one| (one.parts, one.ticket.clone()))
                    .collect();
                assert_eq!(parts.len(), 1);
                send::message(letter).unwrap();
            }
            assert_eq!(letters.len() as i64, letters[0].parts);
            assert!(letters.len() > 3, "{format}: {}", letters.len());
            if format == "xarf" {
                assert!(placed.is_empty() && rows > 0);
            } else {
                assert_eq!(placed.len(), fed.len());
            }
            assert_eq!(reported.is_empty(), format == "csv");
            let all: i64 = letters.iter().map(|letter| letter.rows).sum();
            assert_eq!(all as usize, fed.values().sum::<usize>());
        }
    }
);
