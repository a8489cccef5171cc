//! A made-up world of nine registries: its networks, the servers that know them, and what is right.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use lapwing::model::{Address, AddressRange};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

use crate::fake::whois::{NOTHING, nobody};

/// Name, questions at once, milliseconds between two.
pub(super) const HOUSES: [(&str, usize, u64); 9] = [
    ("ripe", 2, 5),
    ("arin", 2, 5),
    ("apnic", 2, 8),
    ("afrinic", 1, 10),
    ("lacnic", 1, 20),
    ("nicbr", 1, 15),
    ("jpnic", 1, 10),
    ("krnic", 1, 10),
    ("twnic", 2, 5),
];
pub(super) const RIPE: usize = 0;
pub(super) const ARIN: usize = 1;
pub(super) const APNIC: usize = 2;

/// How long a server thinks before it answers.
const THINKS: Duration = Duration::from_millis(3);

/// Numbers by chance, the same in every run.
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Below `n`.
    pub(super) fn below(&mut self, n: u64) -> u64 {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }

    pub(super) fn shuffle<T>(&mut self, all: &mut [T]) {
        for last in (1..all.len()).rev() {
            all.swap(last, self.below(last as u64 + 1) as usize);
        }
    }
}

/// What there is to know about a network, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// RDAP names its desk.
    Rdap,
    /// RDAP names nobody, WHOIS does.
    Whois,
    /// WHOIS names a web form.
    Form,
    Nobody,
    /// RDAP sends on to this house, which knows its desk.
    Moved(usize),
    /// RDAP names nobody, and WHOIS refers to this house, which knows its desk.
    Referred(usize),
    /// Not registered at all.
    Hole,
}

#[derive(Clone, Debug)]
struct Net {
    range: AddressRange,
    home: usize,
    kind: Kind,
    mailbox: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Way {
    Rdap,
    Whois,
}

/// One question as a house got it.
#[derive(Clone, Copy, Debug)]
struct Asked {
    at: Instant,
    way: Way,
    net: usize,
    was_refused: bool,
}

#[derive(Default)]
struct Book {
    asked: Vec<Asked>,
    under_way: usize,
    most: usize,
    /// Questions over RDAP that are still answered, and for how many seconds none is after them.
    limit: Option<(usize, u64)>,
}

struct House {
    rdap: SocketAddr,
    whois: SocketAddr,
    book: Mutex<Book>,
}

struct Atlas {
    nets: Mutex<Vec<Net>>,
    houses: Vec<House>,
}

/// The networks and their registries; the servers go with it.
pub(super) struct Globe {
    atlas: Arc<Atlas>,
    serving: Vec<AbortHandle>,
    dead: String,
}

impl Drop for Globe {
    fn drop(&mut self) {
        for task in &self.serving {
            task.abort();
        }
    }
}

/// Where each suspect belongs, and what had to be asked to know it.
#[derive(Debug, Default)]
pub(super) struct Truth {
    /// The mailbox, or `unresolved`.
    pub(super) place: BTreeMap<Address, String>,
    /// Networks under each mailbox.
    pub(super) findings: BTreeMap<String, usize>,
    /// House, way, network.
    pub(super) questions: BTreeSet<(usize, Way, usize)>,
}

impl Globe {
    pub(super) async fn new(seed: u64) -> Self {
        let (mut doors, mut houses) = (Vec::new(), Vec::new());
        for house in 0..HOUSES.len() {
            let ip = Ipv4Addr::new(127, 0, 0, house as u8 % 6 + 1);
            let rdap = TcpListener::bind((ip, 0)).await.unwrap();
            let whois = TcpListener::bind((ip, 0)).await.unwrap();
            houses.push(House {
                rdap: rdap.local_addr().unwrap(),
                whois: whois.local_addr().unwrap(),
                book: Mutex::default(),
            });
            doors.push((house, Way::Rdap, rdap));
            doors.push((house, Way::Whois, whois));
        }
        let atlas = Arc::new(Atlas {
            nets: Mutex::new(nets(&mut Dice::new(seed))),
            houses,
        });
        let serve = |(house, way, door): (usize, Way, TcpListener)| {
            let atlas = Arc::clone(&atlas);
            let serving = tokio::spawn(async move {
                while let Ok((socket, _)) = door.accept().await {
                    let atlas = Arc::clone(&atlas);
                    tokio::spawn(async move {
                        // One that is killed leaves early.
                        let _ = atlas.converse(house, way, socket).await;
                    });
                }
            });
            serving.abort_handle()
        };
        Self {
            serving: doors.into_iter().map(serve).collect(),
            atlas,
            dead: nobody("127.0.0.1"),
        }
    }

    pub(super) fn networks(&self) -> usize {
        self.atlas.nets.lock().unwrap().len()
    }

    /// So many different observations: the address, and the line of a feed for it.
    pub(super) fn suspects(&self, count: u64, dice: &mut Dice) -> Vec<(Address, String)> {
        let nets = self.atlas.nets.lock().unwrap();
        let suspect = |n: u64| {
            let range = nets[dice.below(nets.len() as u64) as usize].range;
            let size = u64::try_from(range.last().0 - range.first().0).unwrap_or(u64::MAX - 1) + 1;
            let address = Address(range.first().0 + u128::from(dice.below(size)));
            let (hour, minute, second) = (n / 3600, n / 60 % 60, n % 60);
            let seen = format!("2026-11-01T{hour:02}:{minute:02}:{second:02}Z");
            (address, format!("{address},{seen},spam\n"))
        };
        (0..count).map(suspect).collect()
    }

    /// What must come out: they are asked about in the order of their addresses, and an answer
    /// counts for its whole range, so that a network inside one that was asked about before it
    /// stays unseen.
    pub(super) fn truth(&self, suspects: &[(Address, String)]) -> Truth {
        let nets = self.atlas.nets.lock().unwrap();
        let addresses: BTreeSet<Address> = suspects.iter().map(|(address, _)| *address).collect();
        let mut truth = Truth::default();
        let mut known: Vec<usize> = Vec::new();
        for address in addresses {
            let holds = |net: &usize| nets[*net].range.contains(AddressRange::single(address));
            let known_one = known.iter().rev().copied().find(holds);
            let net = known_one.unwrap_or_else(|| {
                let net = innermost(&nets, address).unwrap();
                known.push(net);
                net
            });
            let Net {
                kind,
                mailbox,
                home,
                ..
            } = &nets[net];
            let place = match kind {
                Kind::Form | Kind::Nobody | Kind::Hole => "unresolved",
                _ => mailbox.as_str(),
            };
            truth.place.insert(address, place.to_owned());
            if known_one.is_some() {
                continue;
            }
            if place != "unresolved" {
                *truth.findings.entry(place.to_owned()).or_default() += 1;
            }
            truth.questions.insert((*home, Way::Rdap, net));
            match kind {
                Kind::Rdap => {}
                Kind::Moved(to) => drop(truth.questions.insert((*to, Way::Rdap, net))),
                Kind::Whois | Kind::Form | Kind::Nobody | Kind::Hole => {
                    truth.questions.insert((*home, Way::Whois, net));
                }
                Kind::Referred(to) => {
                    truth.questions.insert((*home, Way::Whois, net));
                    truth.questions.insert((*to, Way::Whois, net));
                }
            }
        }
        truth
    }

    /// The program's settings and IANA's lists, in its folder.
    pub(super) fn configure(&self, folder: &Path, patience: &str, ripes_day: usize) {
        let mut toml = format!(
            "[intake]\nallow_documentation = true\n\
             [resolve]\nsources = [\"rdap\", \"whois\"]\nladder = []\npatience = \"{patience}\"\n\
             reach = [\"127.0.0.0/8\"]\n\
             [resolve.rdap]\nbootstrap = \"{}\"\ntimeout = \"10s\"\n\
             [resolve.whois]\ntimeout = \"10s\"\n\
             [resolve.registry.iana]\nwhois = \"{}\"\nhosts = []\n",
            folder.display(),
            self.dead
        );
        for (house, (name, at_once, every)) in HOUSES.iter().enumerate() {
            let House { rdap, whois, .. } = &self.atlas.houses[house];
            let a_day = if house == RIPE { ripes_day } else { 0 };
            writeln!(
                toml,
                "[resolve.registry.{name}]\nwhois = \"{whois}\"\nhosts = [\"{rdap}\"]\n\
                 at_once = {at_once}\nevery = \"{every}ms\"\na_day = {a_day}"
            )
            .unwrap();
        }
        std::fs::write(folder.join("lapwing.toml"), toml).unwrap();
        for (file, is_v4) in [("ipv4.json", true), ("ipv6.json", false)] {
            let service = |(n, house): (usize, &House)| {
                let spaces = spaces(n).into_iter();
                let spaces = spaces.filter(|space| space.first().is_ipv4() == is_v4);
                let spaces: Vec<String> = spaces.map(|space| space.to_string()).collect();
                serde_json::json!([spaces, [format!("http://{}/rdap/", house.rdap)]])
            };
            let services = self.atlas.houses.iter().enumerate().map(service);
            let list = serde_json::json!({
                "version": "1.0",
                "publication": "2026-11-01T00:00:00Z",
                "services": services.collect::<Vec<_>>(),
            });
            std::fs::write(folder.join(file), list.to_string()).unwrap();
        }
    }

    /// After so many more questions over RDAP a house says for so many seconds that it is too much.
    pub(super) fn limit(&self, house: usize, questions: usize, seconds: u64) {
        self.book(house).limit = Some((questions, seconds));
    }

    pub(super) fn lift(&self, house: usize) {
        self.book(house).limit = None;
    }

    /// Another desk for one network of each registry whose RDAP names one; gives how many.
    pub(super) fn move_desks(&self) -> usize {
        let mut nets = self.atlas.nets.lock().unwrap();
        let mut moved = 0;
        for (home, (name, ..)) in HOUSES.iter().enumerate() {
            let desk = |net: &&mut Net| net.home == home && net.kind == Kind::Rdap;
            if let Some(net) = nets.iter_mut().find(desk) {
                net.mailbox = format!("new-desk@{name}.example");
                moved += 1;
            }
        }
        moved
    }

    /// How often each network was asked about, by house and way; `refused`: those questions that
    /// ran into a limit.
    pub(super) fn counted(&self, refused: bool) -> BTreeMap<(usize, Way, usize), usize> {
        let mut counted = BTreeMap::new();
        for house in 0..HOUSES.len() {
            for asked in &self.book(house).asked {
                if asked.was_refused == refused {
                    *counted.entry((house, asked.way, asked.net)).or_default() += 1;
                }
            }
        }
        counted
    }

    pub(super) fn questions(&self) -> usize {
        (0..HOUSES.len()).map(|house| self.asked(house)).sum()
    }

    /// Until so many questions have come to all houses together.
    pub(super) async fn wait_for(&self, questions: usize) {
        let guard = tokio::time::timeout(Duration::from_secs(30), async {
            let mut look = tokio::time::interval(Duration::from_millis(2));
            while self.questions() < questions {
                look.tick().await;
            }
        });
        guard.await.expect("questions within half a minute");
    }

    pub(super) fn asked(&self, house: usize) -> usize {
        self.book(house).asked.len()
    }

    /// Sees that no house was asked faster than it may, whatever the window, nor more at once.
    pub(super) fn check_limits(&self) {
        for (house, (name, at_once, every)) in HOUSES.iter().enumerate() {
            let book = self.book(house);
            assert!(book.most <= *at_once, "{name}: {} at once", book.most);
            let times: Vec<Instant> = book.asked.iter().map(|asked| asked.at).collect();
            // Leave is given every so often; those who had it before the window began and came into
            // it late were under way, so there are no more of them than may be at once.
            for first in 0..times.len() {
                for last in first + 2 + at_once..times.len() {
                    let spaces = (last - first - 1 - at_once) as u64;
                    let window = times[last] - times[first];
                    let least = Duration::from_millis(spaces * every - 1);
                    assert!(
                        window >= least,
                        "{name}: {} in {window:?}",
                        last - first + 1
                    );
                }
            }
        }
    }

    pub(super) fn forget(&self) {
        for house in 0..HOUSES.len() {
            *self.book(house) = Book::default();
        }
    }

    fn book(&self, house: usize) -> std::sync::MutexGuard<'_, Book> {
        self.atlas.houses[house].book.lock().unwrap()
    }
}

impl Atlas {
    async fn converse(&self, house: usize, way: Way, mut socket: TcpStream) -> std::io::Result<()> {
        let end: &[u8] = match way {
            Way::Rdap => b"\r\n\r\n",
            Way::Whois => b"\r\n",
        };
        let mut question = Vec::new();
        while !question.ends_with(end) {
            if socket.read_buf(&mut question).await? == 0 {
                return Ok(());
            }
        }
        let line = String::from_utf8_lossy(&question);
        let line = line.lines().next().unwrap_or_default();
        let mut words = line.split([' ', '/']);
        let address: Address = words.find_map(|word| word.parse().ok()).unwrap();
        let net = innermost(&self.nets.lock().unwrap(), address).unwrap();
        let refusal = self.begin(house, way, net);
        tokio::time::sleep(THINKS).await;
        let answer = match (way, refusal) {
            (_, Some(seconds)) => http(
                "429 Too Many Requests",
                &format!("Retry-After: {seconds}\r\n"),
                "",
            ),
            (Way::Rdap, None) => self.over_rdap(house, net, address),
            (Way::Whois, None) => self.over_whois(house, net),
        };
        self.houses[house].book.lock().unwrap().under_way -= 1;
        socket.write_all(answer.as_bytes()).await?;
        socket.shutdown().await?;
        while socket.read(&mut [0; 256]).await? > 0 {}
        Ok(())
    }

    /// Writes a question down; for how many seconds it is refused, if it is.
    fn begin(&self, house: usize, way: Way, net: usize) -> Option<u64> {
        let mut book = self.houses[house].book.lock().unwrap();
        book.under_way += 1;
        book.most = book.most.max(book.under_way);
        let refusal = match &mut book.limit {
            Some((0, seconds)) if way == Way::Rdap => Some(*seconds),
            Some((left, _)) if way == Way::Rdap => {
                *left -= 1;
                None
            }
            _ => None,
        };
        book.asked.push(Asked {
            at: Instant::now(),
            way,
            net,
            was_refused: refusal.is_some(),
        });
        refusal
    }

    fn over_rdap(&self, house: usize, net: usize, address: Address) -> String {
        let net = self.nets.lock().unwrap()[net].clone();
        let entity = match net.kind {
            Kind::Hole => return http("404 Not Found", "", "{\"errorCode\": 404}"),
            Kind::Moved(to) if to != house => {
                let there = self.houses[to].rdap;
                let to = format!("Location: http://{there}/rdap/ip/{address}\r\n");
                return http("302 Found", &to, "");
            }
            Kind::Rdap | Kind::Moved(_) => format!(
                r#"{{"objectClassName": "entity", "handle": "AB-TEST", "roles": ["abuse"], "vcardArray":
                   ["vcard", [["version", {{}}, "text", "4.0"], ["email", {{}}, "text", "{}"]]]}}"#,
                net.mailbox
            ),
            _ => String::new(),
        };
        let version = if address.is_ipv4() { "v4" } else { "v6" };
        let network = format!(
            r#"{{"objectClassName": "ip network", "handle": "NET-TEST", "name": "TEST-NET",
               "startAddress": "{}", "endAddress": "{}", "ipVersion": "{version}", "country": "JP",
               "entities": [{entity}]}}"#,
            net.range.first(),
            net.range.last(),
        );
        http("200 OK", "", &network)
    }

    fn over_whois(&self, house: usize, net: usize) -> String {
        let net = self.nets.lock().unwrap()[net].clone();
        let (first, last) = (net.range.first(), net.range.last());
        let (lead, line) = match net.kind {
            Kind::Hole => return NOTHING.to_owned(),
            Kind::Referred(to) if to != house => {
                let there = self.houses[to].whois;
                return format!(
                    "# ARIN WHOIS data and services are subject to the Terms of Use\n\n\
                     NetRange:       {first} - {last}\nNetName:        ELSEWHERE\n\
                     NetHandle:      NET-TEST-1\nNetType:        Early Registrations, Transferred\n\
                     ReferralServer: whois://{there}\n\n"
                );
            }
            Kind::Form => {
                let form = "remarks:      Abuse reports are taken by web only: https://isp.example/abuse.\n";
                (String::new(), form)
            }
            Kind::Nobody => (String::new(), ""),
            _ => (
                format!(
                    "% Abuse contact for '{first} - {last}' is '{}'\n\n",
                    net.mailbox
                ),
                "",
            ),
        };
        let (class, range) = match first.is_ipv4() {
            true => ("inetnum", format!("{first} - {last}")),
            false => ("inet6num", net.range.to_string()),
        };
        format!(
            "% This is the Test Database query service.\n\n{lead}{class}:      {range}\n\
             netname:      TEST-NET\ncountry:      JP\n{line}source:       TEST\n\n\
             % This query was served by the Test Database Query Service version 1.0\n\n"
        )
    }
}

fn http(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/rdap+json\r\nConnection: close\r\n\
         Content-Length: {length}\r\n{headers}\r\n{body}"
    )
}

/// Of all networks around an address the one inside all others.
fn innermost(nets: &[Net], address: Address) -> Option<usize> {
    let holds = |net: &usize| nets[*net].range.contains(AddressRange::single(address));
    let size = |net: &usize| nets[*net].range.last().0 - nets[*net].range.first().0;
    (0..nets.len()).filter(holds).min_by_key(size)
}

/// The part of the documentation's addresses that a house hands out.
fn spaces(house: usize) -> Vec<AddressRange> {
    let texts = [
        format!("192.0.2.{}/28", house * 16),
        format!("198.51.100.{}/28", house * 16),
        format!("203.0.113.{}/28", house * 16),
        format!("2001:db8:{house:x}000::/36"),
        format!("3fff:{house:x}00::/24"),
    ];
    texts.map(|text| text.parse().unwrap()).to_vec()
}

/// Some 300 networks, nested up to three deep.
fn nets(dice: &mut Dice) -> Vec<Net> {
    let mut nets = Vec::new();
    let mut add = |home, range: AddressRange, kind| {
        let mailbox = format!("abuse@holder{}.example", nets.len() % 170);
        nets.push(Net {
            range,
            home,
            kind,
            mailbox,
        });
    };
    for home in 0..HOUSES.len() {
        for (space, trees) in spaces(home).into_iter().zip([1, 1, 1, 3, 2]) {
            let (base, is_v4) = (space.first().0, space.first().is_ipv4());
            // Host bits of the outer networks, of those inside, and of those inside these.
            let bits = if is_v4 { (4, 2, 0) } else { (88, 84, 80) };
            let part = |within: u128, nth: u64, bits: u32| {
                let first = within + (u128::from(nth) << bits);
                AddressRange::new(Address(first), Address(first + ((1 << bits) - 1))).unwrap()
            };
            for tree in 0..trees {
                let outer = part(base, tree, bits.0);
                add(home, outer, kind(dice));
                let fan = 1 << (bits.0 - bits.1);
                let inner = dice.below(fan);
                let other = (inner + 1 + dice.below(fan - 1)) % fan;
                let inner = part(outer.first().0, inner, bits.1);
                add(home, inner, kind(dice));
                add(home, part(outer.first().0, other, bits.1), kind(dice));
                if !is_v4 {
                    let leaf = part(inner.first().0, dice.below(16), bits.2);
                    add(home, leaf, kind(dice));
                }
            }
            if !is_v4 {
                add(home, part(base, 8 << 8, 80), Kind::Hole);
                let to = (home + 1 + dice.below(8) as usize) % HOUSES.len();
                add(home, part(base, 9 << 8, 80), Kind::Moved(to));
            }
            if !is_v4 && home == ARIN {
                add(home, part(base, 10 << 8, 80), Kind::Referred(RIPE));
                add(home, part(base, 11 << 8, 80), Kind::Moved(RIPE));
            }
            if !is_v4 && home == RIPE {
                add(home, part(base, 11 << 8, 80), Kind::Moved(ARIN));
            }
        }
    }
    nets
}

fn kind(dice: &mut Dice) -> Kind {
    match dice.below(10) {
        0..6 => Kind::Rdap,
        6 | 7 => Kind::Whois,
        8 => Kind::Form,
        _ => Kind::Nobody,
    }
}
