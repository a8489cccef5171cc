//! Abuse contacts and origin AS numbers out of DNS zones that third parties keep.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig, ResolverOpts};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::rr::{Name, RData, RecordType};

use super::answer::{Contact, Reply, Status};
use crate::config;
use crate::model::{Address, AddressRange, Mailbox, Span, Subject, Tier, parse_asn};

/// Mailboxes taken from one answer.
const MAILBOXES: usize = 8;
/// Strings looked at in one answer.
const STRINGS: usize = 64;

/// Asks the zones of `[resolve.dns]`: Abusix for contacts, Team Cymru for origins.
#[derive(Debug)]
pub(super) struct Dns {
    resolver: TokioResolver,
    timeout: Duration,
    contacts: Option<Name>,
    origins: Option<Name>,
    origins6: Option<Name>,
}

/// What the zones said of one address.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) reply: Reply,
    /// The records as they came, for people to read.
    pub(super) raw: String,
    /// How long the zones themselves let it be remembered, where they say so.
    pub(super) keep: Option<Span>,
}

impl Dns {
    /// # Errors
    /// A setting that cannot be used, with what to write instead.
    pub(super) fn new(settings: &config::Dns) -> Result<Self, String> {
        let zone = |key: &str, text: &str| match text.trim_matches('.') {
            "" => Ok(None),
            text => Name::from_ascii(format!("{text}."))
                .map(Some)
                .map_err(|fault| format!("resolve.dns.{key} is \"{text}\": {fault}")),
        };
        Ok(Self {
            resolver: resolver(settings)?,
            timeout: settings.timeout.to_std(),
            contacts: zone("contacts", &settings.contacts)?,
            origins: zone("origins", &settings.origins)?,
            origins6: zone("origins6", &settings.origins6)?,
        })
    }

    /// Asks about the first address of the subject; of an AS the zones know nothing.
    ///
    /// The range is the routed prefix around the address, where the origins tell it. Mailboxes are
    /// of [`Tier::Contact`]: Abusix falls back to technical contacts and does not say when it does,
    /// and knows the largest allocations only, so that what a registry names goes before it.
    pub(super) async fn ask(&self, subject: Subject) -> Told {
        let Subject::Range(range) = subject else {
            return Told {
                reply: Reply::default(),
                raw: String::new(),
                keep: None,
            };
        };
        let address = range.first();
        let origins = if address.is_ipv4() {
            &self.origins
        } else {
            &self.origins6
        };
        let (contacts, origins) = tokio::join!(
            self.look_up(self.contacts.as_ref(), address),
            self.look_up(origins.as_ref(), address),
        );
        let mut raw = contacts.raw;
        raw.push_str(&origins.raw);
        let keep = match (contacts.keep, origins.keep) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        Told {
            reply: weigh(address, contacts.result, origins.result),
            raw,
            keep,
        }
    }

    async fn look_up(&self, zone: Option<&Name>, address: Address) -> Records {
        let Some(zone) = zone else {
            return Records::none();
        };
        let name = Name::from_ascii(backwards(address))
            .and_then(|name| name.append_domain(zone))
            .map_err(|fault| format!("{zone} is no zone to ask about addresses: {fault}"));
        let name = match name {
            Ok(name) => name,
            Err(words) => return Records::later(words),
        };
        let answer = self.resolver.lookup(name.clone(), RecordType::TXT);
        match tokio::time::timeout(self.timeout, answer).await {
            Err(_) => Records::later(format!("no answer for {name} within {:?}", self.timeout)),
            Ok(Err(NetError::Dns(DnsError::NoRecordsFound(none)))) => Records {
                keep: none
                    .negative_ttl
                    .map(|seconds| Span::seconds(seconds.into())),
                ..Records::none()
            },
            Ok(Err(fault)) => Records::later(format!("no answer for {name}: {fault}")),
            Ok(Ok(lookup)) => {
                let records = lookup.answers();
                let keep = records.iter().map(|record| record.ttl).min();
                let strings: Vec<String> = records
                    .iter()
                    .filter_map(|record| match &record.data {
                        RData::TXT(text) => Some(text.txt_data.concat()),
                        _ => None,
                    })
                    .take(STRINGS)
                    .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
                    .collect();
                let line = |text: &String| format!("{name} TXT {text:?}\n");
                Records {
                    raw: strings.iter().map(line).collect(),
                    result: Ok(strings),
                    keep: keep.map(|seconds| Span::seconds(seconds.into())),
                }
            }
        }
    }
}

/// The resolver of `[resolve.dns]`.
///
/// # Errors
/// A setting that cannot be used, with what to write instead.
pub(super) fn resolver(settings: &config::Dns) -> Result<TokioResolver, String> {
    let timeout = settings.timeout.to_std();
    let (config, options) = asking("resolve.dns.resolver", &settings.resolver, timeout)?;
    TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
        .with_options(options)
        .build()
        .map_err(|fault| format!("no DNS resolver can be made: {fault}"))
}

/// Which resolver is asked and how: the one at `place`, as the setting `key` has it, or the system's
/// where it is empty; `timeout` is for one question.
///
/// # Errors
/// When `place` is no `ADDRESS:PORT`.
pub fn asking(
    key: &str,
    place: &str,
    timeout: Duration,
) -> Result<(ResolverConfig, ResolverOpts), String> {
    let servers = match place {
        "" => system(),
        text => vec![text.parse::<SocketAddr>().map_err(|_| {
            format!("{key} is \"{text}\": write ADDRESS:PORT, such as 127.0.0.1:53")
        })?],
    };
    let servers = servers.into_iter().map(name_server).collect();
    let mut options = ResolverOpts::default();
    // A datagram may be lost: each question is put twice, and both fit into its time.
    options.timeout = timeout / 2;
    options.attempts = 1;
    options.num_concurrent_reqs = 1;
    Ok((
        ResolverConfig::from_parts(None, Vec::new(), servers),
        options,
    ))
}

/// The TXT records of one name, each joined to one string. An error is no answer, in words.
#[derive(Debug)]
struct Records {
    result: Result<Vec<String>, String>,
    raw: String,
    keep: Option<Span>,
}

impl Records {
    fn none() -> Self {
        Self {
            result: Ok(Vec::new()),
            raw: String::new(),
            keep: None,
        }
    }

    fn later(words: String) -> Self {
        Self {
            result: Err(words),
            ..Self::none()
        }
    }
}

/// One reply out of both zones. Without the contacts there is no answer; without the origins there
/// is, for they only say where it belongs.
fn weigh(
    address: Address,
    contacts: Result<Vec<String>, String>,
    origins: Result<Vec<String>, String>,
) -> Reply {
    let contacts = match contacts {
        Ok(strings) => mailboxes(&strings),
        Err(words) => {
            return Reply {
                status: Status::Later { wait: None, words },
                ..Reply::default()
            };
        }
    };
    let origin = origin(address, &origins.unwrap_or_default());
    let mut reply = Reply {
        contacts,
        ..Reply::default()
    };
    if !reply.contacts.is_empty() || origin.is_some() {
        reply.status = Status::Found;
    }
    if let Some(origin) = origin {
        reply.range = Some(origin.prefix);
        reply.asn = origin.asn;
        reply.country = origin.country;
        reply.registry = origin.registry;
    }
    reply
}

/// `abuse@isp.example,abuse@upstream.example`; what is no full address is left out.
fn mailboxes(strings: &[String]) -> Vec<Contact> {
    let mut seen = BTreeSet::new();
    strings
        .iter()
        .flat_map(|text| text.split(','))
        .filter_map(|text| Mailbox::from_str(text).ok())
        .filter(|mailbox| seen.insert(mailbox.clone()))
        .take(MAILBOXES)
        .map(|mailbox| Contact {
            mailbox,
            tier: Tier::Contact,
            handle: String::new(),
            doubtful: false,
        })
        .collect()
}

#[derive(Debug, PartialEq, Eq)]
struct Origin {
    asn: Option<u32>,
    prefix: AddressRange,
    country: String,
    registry: String,
}

/// The narrowest prefix around the address, of several that are announced.
fn origin(address: Address, strings: &[String]) -> Option<Origin> {
    strings
        .iter()
        .filter_map(|text| read_origin(text))
        .filter(|origin| origin.prefix.contains(AddressRange::single(address)))
        .max_by_key(|origin| origin.prefix.prefix_len())
}

/// `64500 64501 | 203.0.113.0/24 | JP | apnic | 2001-01-01`: AS, prefix, country, registry, date.
fn read_origin(text: &str) -> Option<Origin> {
    let mut fields = text.split('|').map(str::trim);
    // Several networks may announce a prefix; the first is the one most are seen to.
    let asn = fields.next()?.split_whitespace().next().and_then(parse_asn);
    let prefix: AddressRange = fields.next()?.parse().ok()?;
    let country = fields.next().unwrap_or_default().to_ascii_uppercase();
    let is_country = country.len() == 2 && country.bytes().all(|byte| byte.is_ascii_uppercase());
    let registry = match fields.next().unwrap_or_default() {
        "ripencc" => "ripe",
        name @ ("arin" | "apnic" | "afrinic" | "lacnic") => name,
        _ => "",
    };
    // Nobody announces more; a wider one would swallow its neighbours.
    let shortest = if prefix.first().is_ipv4() { 8 } else { 16 };
    (prefix.prefix_len() >= shortest).then(|| Origin {
        asn,
        prefix,
        country: if is_country { country } else { String::new() },
        registry: registry.to_owned(),
    })
}

/// The address as such zones have it: octets or nibbles from the last to the first.
fn backwards(address: Address) -> String {
    match address.ip() {
        IpAddr::V4(ip) => {
            let [a, b, c, d] = ip.octets();
            format!("{d}.{c}.{b}.{a}")
        }
        IpAddr::V6(ip) => {
            let digits = format!("{:032x}", u128::from(ip));
            let nibbles: Vec<String> = digits.chars().rev().map(String::from).collect();
            nibbles.join(".")
        }
    }
}

fn name_server(address: SocketAddr) -> NameServerConfig {
    let mut connections = vec![ConnectionConfig::udp(), ConnectionConfig::tcp()];
    for connection in &mut connections {
        connection.port = address.port();
    }
    NameServerConfig::new(address.ip(), true, connections)
}

/// The system's resolvers; where none is named, one on this machine (resolv.conf(5)).
fn system() -> Vec<SocketAddr> {
    let text = std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default();
    let mut servers = read_system(&text);
    if servers.is_empty() {
        servers.push(SocketAddr::from(([127, 0, 0, 1], 53)));
    }
    servers
}

fn read_system(text: &str) -> Vec<SocketAddr> {
    text.lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let ip = words
                .next()
                .filter(|word| *word == "nameserver")
                .and(words.next());
            Some(SocketAddr::new(ip?.parse().ok()?, 53))
        })
        .take(3)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_spelt_backwards() {
        for (address, name) in [
            ("203.0.113.5", "5.113.0.203"),
            ("::ffff:203.0.113.5", "5.113.0.203"),
            (
                "2001:db8::1f",
                "f.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2",
            ),
        ] {
            assert_eq!(backwards(address.parse().unwrap()), name);
        }
    }

    #[test]
    fn origins_are_read_by_field() {
        let address = "203.0.113.5".parse().unwrap();
        for (texts, expected) in [
            (
                &["64500 | 203.0.113.0/24 | JP | apnic | 2001-01-01"][..],
                "64500 203.0.113.0/24 JP apnic",
            ),
            (
                &["64500 64501 | 203.0.113.0/24 | gb | ripencc |"],
                "64500 203.0.113.0/24 GB ripe",
            ),
            (
                &["64501|203.0.112.0/20", "64500|203.0.113.0/24||other"],
                "64500 203.0.113.0/24  ",
            ),
            (&["NA | 203.0.113.0/24 | JPN | x"], "0 203.0.113.0/24  "),
            (&["64500 | 0.0.0.0/0 | JP | apnic"], "none"),
            (&["64500 | 198.51.100.0/24 | JP | apnic"], "none"),
            (&["64500 | 2001:db8::/32 | JP | apnic"], "none"),
            (&["64500 | 203.0.113.0/240"], "none"),
            (&["64500", "", "|||||"], "none"),
        ] {
            let texts: Vec<String> = texts.iter().map(ToString::to_string).collect();
            let shown = origin(address, &texts).map_or("none".to_owned(), |told| {
                format!(
                    "{} {} {} {}",
                    told.asn.unwrap_or_default(),
                    told.prefix,
                    told.country,
                    told.registry
                )
            });
            assert_eq!(shown, expected, "{texts:?}");
        }
    }

    #[test]
    fn only_full_addresses_are_taken() {
        for (text, expected) in [
            ("abuse@isp.example", "abuse@isp.example"),
            (
                "Abuse@ISP.example, b@isp.example,abuse@isp.example",
                "abuse@isp.example b@isp.example",
            ),
            ("n/a", ""),
            ("a@isp.example\r\nBcc: c@isp.example", ""),
            ("", ""),
        ] {
            let told: Vec<String> = mailboxes(&[text.to_owned()])
                .iter()
                .map(|contact| contact.mailbox.to_string())
                .collect();
            assert_eq!(told.join(" "), expected, "{text:?}");
        }
        let many: String = (0..1000).map(|n| format!("a{n}@isp.example,")).collect();
        assert_eq!(mailboxes(&[many]).len(), MAILBOXES);
    }

    #[test]
    fn the_systems_resolvers_are_its_nameserver_lines() {
        let text = "# nameserver 192.0.2.9\nsearch isp.example\nnameserver 192.0.2.1\nnameserver\t2001:db8::1 \nnameserver x\n";
        let told: Vec<String> = read_system(text).iter().map(ToString::to_string).collect();
        assert_eq!(told, ["192.0.2.1:53", "[2001:db8::1]:53"]);
    }
}
