//! A DNS server on loopback, by UDP and TCP at one port: zones as they are written, TXT records, and what
//! can go wrong with them.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

const A: u16 = 1;
const CNAME: u16 = 5;
const SOA: u16 = 6;
const PTR: u16 = 12;
const MX: u16 = 15;
const TXT: u16 = 16;
const AAAA: u16 = 28;
const NXDOMAIN: u8 = 3;
pub(crate) const SERVFAIL: u8 = 2;
pub(crate) const REFUSED: u8 = 5;

/// What comes back for a name.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// One record for each, of one string or several.
    Records {
        ttl: u32,
        texts: Vec<Vec<Vec<u8>>>,
    },
    /// Records of whatever type was asked for, as they stand behind name and type.
    Data(Vec<Vec<u8>>),
    /// Another name stands for this one.
    Alias(String),
    /// The name is there, TXT records are not.
    NoData,
    /// A response code alone.
    Code(u8),
    Silence,
    /// Nothing at first; the answer comes when the question is repeated.
    Late(Box<Answer>),
    /// Twice the same.
    Twice(Box<Answer>),
    /// By UDP only that it does not fit (TC); the answer by TCP.
    TooLong(Box<Answer>),
    /// Before the answer comes one that somebody else has made up: under another id, or for another name.
    Forged(Forgery, Box<Answer>),
    /// Only the one made up.
    OnlyForged(Forgery, Box<Answer>),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Forgery {
    Id,
    Question,
}

impl Answer {
    /// One record of one string, for an hour.
    pub(crate) fn txt(text: &str) -> Self {
        Self::texts(&[&[text]])
    }

    pub(crate) fn texts(texts: &[&[&str]]) -> Self {
        let texts = texts.iter().map(|strings| {
            let strings = strings.iter();
            strings.map(|text| text.as_bytes().to_vec()).collect()
        });
        Self::Records {
            ttl: 3600,
            texts: texts.collect(),
        }
    }

    pub(crate) fn boxed(self) -> Box<Self> {
        Box::new(self)
    }
}

/// Listens until the tests end. Names without an answer do not exist.
#[derive(Debug)]
pub(crate) struct Dns {
    address: SocketAddr,
    book: Arc<Book>,
}

/// What stands behind each name and type.
type Zone = HashMap<(String, u16), Vec<Vec<u8>>>;

#[derive(Debug, Default)]
struct Book {
    answers: Mutex<HashMap<String, Answer>>,
    zone: Mutex<Zone>,
    questions: Mutex<Vec<Question>>,
    /// Answers that are held back, and where they belong.
    late: Mutex<Vec<(String, Vec<u8>, SocketAddr)>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Question {
    /// In lower case, without the dot at the end.
    pub(crate) name: String,
    pub(crate) is_tcp: bool,
}

impl Dns {
    pub(crate) fn at(ip: &str) -> Self {
        let ip: IpAddr = ip.parse().unwrap();
        // A port that is free for one may be taken for the other.
        let (udp, tcp) = (0..100)
            .find_map(|_| {
                let udp = UdpSocket::bind((ip, 0)).unwrap();
                let tcp = TcpListener::bind(udp.local_addr().unwrap()).ok()?;
                Some((udp, tcp))
            })
            .unwrap();
        let address = udp.local_addr().unwrap();
        let book = Arc::new(Book::default());
        let (by_udp, by_tcp) = (Arc::clone(&book), Arc::clone(&book));
        thread::spawn(move || {
            let mut packet = [0; 4096];
            while let Ok((n, peer)) = udp.recv_from(&mut packet) {
                by_udp.datagram(&udp, &packet[..n], peer);
            }
        });
        thread::spawn(move || {
            for stream in tcp.incoming().flatten() {
                let book = Arc::clone(&by_tcp);
                thread::spawn(move || book.connection(stream));
            }
        });
        Self { address, book }
    }

    /// `IP:PORT`, as the configuration has it.
    pub(crate) fn place(&self) -> String {
        self.address.to_string()
    }

    pub(crate) fn on(&self, name: &str, answer: Answer) -> &Self {
        let mut answers = self.book.answers.lock().unwrap();
        answers.insert(name.to_ascii_lowercase(), answer);
        self
    }

    /// Adds lines of `name TYPE data`: A, AAAA, PTR, MX, TXT (the rest of the line, without quotes).
    pub(crate) fn zone(&self, lines: &str) -> &Self {
        let mut zone = self.book.zone.lock().unwrap();
        for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let mut parts = line.splitn(3, ' ');
            let mut part = || parts.next().unwrap_or_else(|| panic!("{line}"));
            let (owner, kind, data) = (part(), part(), part());
            let (kind, data) = match kind {
                "A" => (
                    A,
                    data.parse::<std::net::Ipv4Addr>()
                        .unwrap()
                        .octets()
                        .to_vec(),
                ),
                "AAAA" => (
                    AAAA,
                    data.parse::<std::net::Ipv6Addr>()
                        .unwrap()
                        .octets()
                        .to_vec(),
                ),
                "PTR" => (PTR, name(data)),
                "MX" => {
                    let (preference, host) = data.split_once(' ').unwrap();
                    let preference: u16 = preference.parse().unwrap();
                    (MX, [&preference.to_be_bytes()[..], &name(host)].concat())
                }
                "TXT" => (TXT, character_strings(&[data.as_bytes().to_vec()])),
                other => panic!("{other}: {line}"),
            };
            zone.entry((owner.to_ascii_lowercase(), kind))
                .or_default()
                .push(data);
        }
        drop(zone);
        self
    }

    pub(crate) fn questions(&self) -> Vec<Question> {
        self.book.questions.lock().unwrap().clone()
    }
}

impl Book {
    fn datagram(&self, udp: &UdpSocket, packet: &[u8], peer: SocketAddr) {
        let Some(asked) = Asked::read(packet) else {
            return;
        };
        let answer = self.asked(&asked, false);
        let late = std::mem::take(&mut *self.late.lock().unwrap());
        let (due, kept): (Vec<_>, Vec<_>) =
            late.into_iter().partition(|(name, ..)| *name == asked.name);
        self.late.lock().unwrap().extend(kept);
        let is_repeated = !due.is_empty();
        for (_, packet, peer) in due {
            let _gone = udp.send_to(&packet, peer);
        }
        if let Answer::Late(answer) = &answer
            && !is_repeated
        {
            for packet in asked.packets(answer, false) {
                let late = (asked.name.clone(), packet, peer);
                self.late.lock().unwrap().push(late);
            }
            return;
        }
        for packet in asked.packets(&answer, false) {
            let _gone = udp.send_to(&packet, peer);
        }
    }

    fn connection(&self, mut stream: TcpStream) {
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        let mut length = [0; 2];
        while stream.read_exact(&mut length).is_ok() {
            let mut packet = vec![0; usize::from(u16::from_be_bytes(length))];
            if stream.read_exact(&mut packet).is_err() {
                return;
            }
            let Some(asked) = Asked::read(&packet) else {
                return;
            };
            let answer = self.asked(&asked, true);
            for packet in asked.packets(&answer, true) {
                let length = u16::try_from(packet.len()).unwrap().to_be_bytes();
                if stream
                    .write_all(&[&length, packet.as_slice()].concat())
                    .is_err()
                {
                    return;
                }
            }
        }
    }

    fn asked(&self, asked: &Asked, is_tcp: bool) -> Answer {
        let name = asked.name.clone();
        let answer = self.answers.lock().unwrap().get(&name).cloned();
        let zone = self.zone.lock().unwrap();
        let data = zone.get(&(name.clone(), asked.kind)).cloned();
        let is_there = || zone.keys().any(|(owner, _)| *owner == name);
        let answer = answer
            .or_else(|| data.map(Answer::Data))
            .or_else(|| is_there().then_some(Answer::NoData));
        drop(zone);
        self.questions
            .lock()
            .unwrap()
            .push(Question { name, is_tcp });
        answer.unwrap_or(Answer::Code(NXDOMAIN))
    }
}

/// A question as it stands in a packet (RFC 1035 4.1).
#[derive(Debug)]
struct Asked {
    id: [u8; 2],
    name: String,
    kind: u16,
}

impl Asked {
    fn read(packet: &[u8]) -> Option<Self> {
        let id = packet.get(..2)?.try_into().ok()?;
        let mut labels = Vec::new();
        let mut at = 12;
        loop {
            let length = usize::from(*packet.get(at)?);
            if length == 0 {
                break;
            }
            let label = packet.get(at + 1..at + 1 + length)?;
            labels.push(String::from_utf8_lossy(label).to_ascii_lowercase());
            at += 1 + length;
        }
        let name = labels.join(".");
        let kind = u16::from_be_bytes(packet.get(at + 1..at + 3)?.try_into().ok()?);
        Some(Self { id, name, kind })
    }

    fn packets(&self, answer: &Answer, is_tcp: bool) -> Vec<Vec<u8>> {
        match answer {
            Answer::Silence => Vec::new(),
            Answer::Late(answer) => self.packets(answer, is_tcp),
            Answer::Twice(answer) => {
                [self.packets(answer, is_tcp), self.packets(answer, is_tcp)].concat()
            }
            Answer::TooLong(answer) if is_tcp => self.packets(answer, true),
            Answer::TooLong(_) => vec![self.packet(0, 0b10, &[], &[])],
            Answer::Forged(forgery, answer) => {
                let mut packets = self.forged(*forgery);
                packets.extend(self.packets(answer, is_tcp));
                packets
            }
            Answer::OnlyForged(forgery, _) => self.forged(*forgery),
            Answer::Code(code) if *code == NXDOMAIN => {
                vec![self.packet(*code, 0, &[], &[self.soa()])]
            }
            Answer::Code(code) => vec![self.packet(*code, 0, &[], &[])],
            Answer::NoData => vec![self.packet(0, 0, &[], &[self.soa()])],
            Answer::Alias(to) => {
                vec![self.packet(0, 0, &[record(&self.name, CNAME, 3600, &name(to))], &[])]
            }
            Answer::Data(data) => {
                let records = data
                    .iter()
                    .map(|one| record(&self.name, self.kind, 3600, one));
                vec![self.packet(0, 0, &records.collect::<Vec<_>>(), &[])]
            }
            Answer::Records { ttl, texts } => {
                let records: Vec<Vec<u8>> = texts
                    .iter()
                    .map(|strings| record(&self.name, TXT, *ttl, &character_strings(strings)))
                    .collect();
                vec![self.packet(0, 0, &records, &[])]
            }
        }
    }

    /// As somebody would make it up who wants to be written to instead.
    fn forged(&self, forgery: Forgery) -> Vec<Vec<u8>> {
        let mut other = Self {
            id: self.id,
            name: self.name.clone(),
            kind: self.kind,
        };
        match forgery {
            Forgery::Id => other.id[0] ^= 0xff,
            Forgery::Question => other.name = format!("x{}", &self.name[1..]),
        }
        other.packets(&Answer::txt("forged@evil.example"), false)
    }

    /// `flags`: the low bits of the third byte, of which 0b10 is TC.
    fn packet(&self, code: u8, flags: u8, answers: &[Vec<u8>], authorities: &[Vec<u8>]) -> Vec<u8> {
        let mut packet = self.id.to_vec();
        packet.extend([0x81 | flags, 0x80 | code]);
        for count in [1, answers.len(), authorities.len(), 0] {
            packet.extend(u16::try_from(count).unwrap().to_be_bytes());
        }
        packet.extend(name(&self.name));
        packet.extend(self.kind.to_be_bytes());
        packet.extend([0, 1]);
        packet.extend(answers.concat());
        packet.extend(authorities.concat());
        packet
    }

    /// What says how long *nothing* may be remembered (RFC 2308).
    fn soa(&self) -> Vec<u8> {
        let mut data = [name("ns.example"), name("hostmaster.example")].concat();
        for number in [1_u32, 3600, 600, 86400, 900] {
            data.extend(number.to_be_bytes());
        }
        record("example", SOA, 900, &data)
    }
}

fn record(owner: &str, kind: u16, ttl: u32, data: &[u8]) -> Vec<u8> {
    let mut record = name(owner);
    record.extend(kind.to_be_bytes());
    record.extend([0, 1]);
    record.extend(ttl.to_be_bytes());
    record.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
    record.extend(data);
    record
}

fn name(text: &str) -> Vec<u8> {
    let mut name = Vec::new();
    for label in text.split('.').filter(|label| !label.is_empty()) {
        name.push(u8::try_from(label.len()).unwrap());
        name.extend(label.as_bytes());
    }
    name.push(0);
    name
}

/// Strings of at most 255 bytes each; longer ones are cut into several.
fn character_strings(strings: &[Vec<u8>]) -> Vec<u8> {
    let mut data = Vec::new();
    for text in strings {
        let pieces = text.chunks(255).chain(text.is_empty().then_some(&[][..]));
        for piece in pieces {
            data.push(u8::try_from(piece.len()).unwrap());
            data.extend(piece);
        }
    }
    data
}
