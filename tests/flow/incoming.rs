//! What comes back, read: our imitations one by one, real messages by their measures, broken ones without harm.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use lapwing::model::{AutoReply, Class, Reading};
use lapwing::track::read::{Envelope, Reasons, read};

/// Where real messages are, for whoever has them; they are not ours to ship.
const CORPUS: &str = "../shared/corpus/bounces";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The lines of a table of expectations, and the folder that it is about.
fn expected(folder: &Path) -> Vec<Vec<String>> {
    let table = fs::read_to_string(folder.join("expected.tsv")).unwrap_or_default();
    let lines = table.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| line.split('\t').map(str::to_owned).collect())
        .collect()
}

fn addresses(reading: &Reading) -> Vec<String> {
    let all = reading.recipients.iter().map(|one| &one.address);
    all.filter(|one| !one.is_empty()).cloned().collect()
}

#[test]
fn each_mail_system_is_understood() {
    let folder = root().join("tests/fixtures/incoming");
    let reasons = Reasons::shipped();
    let mut wrong = Vec::new();
    let rows = expected(&folder);
    assert!(rows.len() > 120, "{} fixtures", rows.len());
    for row in &rows {
        let reading = read(&fs::read(folder.join(&row[0])).unwrap(), None, &reasons);
        let dash = |text: &str| if text.is_empty() { "-" } else { text }.to_owned();
        let ticket = dash(reading.ticket.as_deref().unwrap_or_default());
        let reason = match reading.auto_reply {
            Some(kind) => format!("{}/{ticket}", kind.as_str()),
            None => dash(reading.reason().unwrap_or_default()),
        };
        let got = [
            reading.class.as_str().to_owned(),
            dash(&addresses(&reading).join(",")),
            dash(reading.statuses().first().copied().unwrap_or_default()),
            dash(reading.message_id.as_deref().unwrap_or_default()),
            reason,
        ];
        if got[..] != row[1..] {
            wrong.push(format!("{}: wanted {:?}, got {got:?}", row[0], &row[1..]));
        }
        assert!(!reading.evidence.is_empty(), "{} says not why", row[0]);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_envelope_tells_more_than_a_header_that_anybody_writes() {
    let message = b"From: a@isp.example\nSubject: Suspected machines\n\nYou wrote to abuse@isp.example. No such user.\n";
    let reasons = Reasons::shipped();
    let of = |sender| {
        let sender = Some(sender);
        let recipient = "b-1@bounces.agency.example";
        read(message, Some(Envelope { sender, recipient }), &reasons).class
    };
    assert_eq!(of("a@isp.example"), Class::Human);
    assert!(of("").is_bounce());
}

#[test]
fn what_a_vacation_or_a_receipt_says_is_kept() {
    let reasons = Reasons::shipped();
    let vacation = read(
        b"From: a@isp.example\nSubject: =?utf-8?Q?R=C3=A9ponse_automatique?=\nAuto-Submitted: auto-replied\n\nJe suis absent.\n",
        None,
        &reasons,
    );
    assert_eq!(vacation.auto_reply, Some(AutoReply::Vacation));
    assert_eq!(vacation.text, "Je suis absent.");
    assert_eq!(vacation.subject, "R\u{e9}ponse automatique");
}

/// How many of how many.
#[derive(Clone, Copy, Default)]
struct Share {
    right: u32,
    all: u32,
}

impl Share {
    fn count(&mut self, is_right: bool) {
        self.all += 1;
        self.right += u32::from(is_right);
    }

    fn percent(self) -> f64 {
        if self.all == 0 {
            return 100.0;
        }
        f64::from(self.right) * 100.0 / f64::from(self.all)
    }
}

/// What the corpus measures, and how much of each is wanted, in per cent.
const BARS: [(&str, f64); 14] = [
    ("failure found", 99.0),
    ("hard or soft", 98.5),
    ("delayed found", 95.0),
    ("delayed right", 95.0),
    ("auto-reply found", 90.0),
    ("auto-reply right", 95.0),
    ("feedback", 100.0),
    ("delivered", 100.0),
    ("people", 98.0),
    ("people left alone", 100.0),
    ("recipients", 98.5),
    ("recipients not wrong", 99.5),
    ("status", 99.0),
    ("message-id", 99.0),
];

#[derive(Default)]
struct Score {
    shares: BTreeMap<&'static str, Share>,
    engines: BTreeMap<String, Share>,
    misses: Vec<String>,
}

impl Score {
    fn count(&mut self, what: &'static str, is_right: bool, row: &[String], got: &str) {
        self.shares.entry(what).or_default().count(is_right);
        let engine = self.engines.entry(row[7].clone()).or_default();
        engine.count(is_right);
        if !is_right {
            self.misses.push(format!("{what}: {}: {got}", row[0]));
        }
    }

    fn add(&mut self, row: &[String], reading: &Reading) {
        let classes: Vec<&str> = row[1].split('|').collect();
        let class = reading.class.as_str();
        let (is_right, home) = (classes.contains(&class), classes[0]);
        let is_failure = classes.iter().all(|one| one.starts_with("bounce-"));
        if is_failure {
            self.count("failure found", reading.class.is_bounce(), row, class);
            if reading.class.is_bounce() {
                self.count("hard or soft", is_right, row, class);
            }
        }
        match home {
            "delayed" if classes.len() == 1 => self.count("delayed found", is_right, row, class),
            "auto-reply" => self.count("auto-reply found", is_right, row, class),
            "feedback" => self.count("feedback", is_right, row, class),
            "delivered" => self.count("delivered", is_right, row, class),
            "human" => {
                self.count("people", is_right, row, class);
                let is_left = is_right || matches!(class, "human" | "other");
                self.count("people left alone", is_left, row, class);
            }
            _ => {}
        }
        match class {
            "delayed" => self.count("delayed right", is_right, row, class),
            "auto-reply" => self.count("auto-reply right", is_right, row, class),
            _ => {}
        }
        let is_report = !matches!(home, "human" | "other" | "auto-reply");
        if is_report && row[2] != "-" {
            self.recipients(row, &addresses(reading));
        }
        if row[3] != "-" {
            let status = reading.statuses().first().copied().unwrap_or("-");
            let is_one = row[3].split(['|', ',']).any(|one| one == status);
            self.count("status", is_one, row, status);
        }
        if row[9] != "-" {
            let id = reading.message_id.as_deref().unwrap_or("-");
            self.count("message-id", id == row[9], row, id);
        }
    }

    /// Each group of spellings once, and nobody else.
    fn recipients(&mut self, row: &[String], got: &[String]) {
        let plain = |text: &str| text.replace('"', "").to_lowercase();
        let groups: Vec<Vec<String>> = row[2]
            .split(',')
            .map(|group| group.split('|').map(plain).collect())
            .collect();
        let got: Vec<String> = got.iter().map(|one| plain(one)).collect();
        let is_known = |one: &String| groups.iter().any(|group| group.contains(one));
        let all = groups
            .iter()
            .all(|group| group.iter().any(|one| got.contains(one)));
        let none_wrong = got.iter().all(is_known);
        let is_exact = all && none_wrong && got.len() == groups.len();
        let told = got.join(",");
        self.count("recipients", is_exact, row, &told);
        self.count("recipients not wrong", none_wrong, row, &told);
    }
}

#[test]
fn real_messages_are_read_as_their_labels_say() {
    let folder = root().join(CORPUS);
    let rows = expected(&folder);
    if rows.is_empty() {
        println!("skipped: no corpus at {CORPUS}");
        return;
    }
    let reasons = Reasons::shipped();
    let mut score = Score::default();
    for row in &rows {
        let message = fs::read(folder.join(&row[0])).unwrap();
        score.add(row, &read(&message, None, &reasons));
    }
    for (engine, share) in &score.engines {
        println!("{engine:24} {:5.1} % of {}", share.percent(), share.all);
    }
    println!("{}", score.misses.join("\n"));
    let mut missed = Vec::new();
    for (what, bar) in BARS {
        let share = score.shares.get(what).copied().unwrap_or_default();
        let told = format!(
            "{what:22} {}/{} {:.1} %",
            share.right,
            share.all,
            share.percent()
        );
        println!("{told}");
        if share.percent() < bar {
            missed.push(format!("{told}, {bar} wanted"));
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

/// Our fixtures, and the corpus where it is.
fn seeds() -> Vec<Vec<u8>> {
    let folders = [root().join("tests/fixtures/incoming"), root().join(CORPUS)];
    let entries = folders
        .iter()
        .filter_map(|folder| fs::read_dir(folder).ok());
    let mut files: Vec<PathBuf> = entries.flatten().flatten().map(|one| one.path()).collect();
    files.retain(|file| file.extension().is_some_and(|end| end == "eml"));
    files.sort();
    files.iter().map(|file| fs::read(file).unwrap()).collect()
}

/// The same numbers in every run (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % most.max(1)
    }
}

const NASTY: [&[u8]; 20] = [
    b"@",
    b"<",
    b"\n--=_b\n",
    b"Content-Type: message/rfc822\n\n",
    b"\0",
    b"=?utf-8?Q?",
    b"\nContent-Type: multipart/digest; boundary=\"=_b\"\n\n",
    b"\r",
    b"\n",
    b"Final-Recipient: rfc822; a@isp.example\n",
    b"To: a@isp.example, ",
    b"a@isp.example ",
    b"\"@",
    b"5.1.1 ",
    b"550 ",
    b"{\"notificationType\":",
    b"[",
    b"From: x\nTo: y\n",
    b"mailbox ",
    b"\xe3\x81\x82",
];

fn broken(dice: &mut Dice, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut message = seeds[dice.below(seeds.len())].clone();
    for _ in 0..=dice.below(6) {
        let at = dice.below(message.len() + 1);
        let end = (at + dice.below(2000)).min(message.len());
        match dice.below(6) {
            0 => message[at..end.min(at + 4)].fill(dice.below(256) as u8),
            1 => drop(message.drain(at..end)),
            2 => {
                let again = message[at..end].to_vec();
                message.splice(at..at, again);
            }
            3 => {
                let other = &seeds[dice.below(seeds.len())];
                let from = dice.below(other.len());
                let part = &other[from..(from + 4000).min(other.len())];
                message.splice(at..at, part.iter().copied());
            }
            4 => {
                let piece = NASTY[dice.below(NASTY.len())];
                let times = [3, 200, 20_000][dice.below(3).min(dice.below(3))];
                message.splice(at..at, piece.repeat(times));
            }
            _ => message.truncate(at),
        }
    }
    message
}

/// Reads broken messages for a while: nothing panics, nothing takes long, nothing grows without bound.
fn batter(time: Duration, most: u64) {
    // Without optimisation all is slower.
    let patience = Duration::from_secs(if cfg!(debug_assertions) { 10 } else { 1 });
    let (seeds, reasons) = (seeds(), Reasons::shipped());
    let (mut dice, mut read_so_far) = (Dice(88_172_645_463_325_252), 0);
    let began = Instant::now();
    while began.elapsed() < time && read_so_far < most {
        let message = broken(&mut dice, &seeds);
        let one = Instant::now();
        let reading = read(&message, None, &reasons);
        let took = one.elapsed();
        let place = format!("message {read_so_far}, {} bytes", message.len());
        assert!(took < patience, "{place}: {took:?}");
        assert!(reading.recipients.len() <= 1000, "{place}");
        assert!(
            reading.text.len() <= 16 * 1024 && reading.evidence.len() <= 40,
            "{place}"
        );
        read_so_far += 1;
    }
    println!(
        "{read_so_far} broken messages read in {:?}",
        began.elapsed()
    );
}

#[test]
fn broken_messages_do_no_harm() {
    batter(Duration::from_secs(5), 300);
}

#[test]
fn a_message_in_a_message_in_a_message_does_no_harm() {
    let reasons = Reasons::shipped();
    for piece in NASTY {
        let mut message = b"From: MAILER-DAEMON@isp.example\nSubject: failure notice\nContent-Type: multipart/digest; boundary=\"=_b\"\n\n--=_b\n\n".to_vec();
        message.extend(piece.repeat(1024 * 1024 / piece.len()));
        let _ = read(&message, None, &reasons);
    }
}

/// `LAPWING_FUZZ_SECONDS` of them; by itself, so that what it takes is what reading takes.
#[test]
#[ignore = "minutes: tests/run incoming"]
fn broken_messages_do_no_harm_for_long() {
    let seconds = std::env::var("LAPWING_FUZZ_SECONDS");
    let seconds = seconds
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(30);
    batter(Duration::from_secs(1), 200);
    let before = most_memory();
    batter(Duration::from_secs(seconds), u64::MAX);
    if let (Some(before), Some(after)) = (before, most_memory()) {
        let grown = after.saturating_sub(before) / 1024;
        assert!(grown < 64, "{grown} MiB more");
    }
}

/// In KiB, the most that this process ever had.
fn most_memory() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}
