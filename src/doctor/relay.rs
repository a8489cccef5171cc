//! The relay: whether it lets us in as the settings say, and what the world calls its addresses.

use std::net::IpAddr;

use super::names::{Names, Unanswered, without_dot};
use super::{Area, Finding};
use crate::config::{Config, Security, Smtp, Transport};
use crate::model::{Address, Step, Use, use_of};
use crate::send;

/// Text, HTML and headers of a letter, in bytes.
const AROUND: u64 = 200_000;

/// Where mail reaches the world from: those that staff name, else the public addresses of smtp.host.
pub(super) async fn addresses(names: &Names, config: &Config) -> (Vec<Finding>, Vec<IpAddr>) {
    let host = &config.smtp.host;
    let named = &config.doctor.relay_addresses;
    let mut findings = Vec::new();
    let candidates = if !named.is_empty() {
        named.clone()
    } else if config.send.transport == Transport::Folder {
        return (findings, Vec::new());
    } else if let Ok(address) = host.parse() {
        vec![address]
    } else if host == "localhost" {
        Vec::new()
    } else {
        match names.addresses(host).await {
            Ok(addresses) => addresses,
            Err(Unanswered(why)) => {
                findings.push(Area::Relay.unknown("addresses", why));
                return (findings, Vec::new());
            }
        }
    };
    let (public, inside): (Vec<IpAddr>, Vec<IpAddr>) = candidates.into_iter().partition(is_public);
    let inside: Vec<String> = inside.iter().map(ToString::to_string).collect();
    let inside = inside.join(", ");
    if !named.is_empty() && !inside.is_empty() {
        findings.push(Area::Relay.warn(
            "addresses",
            format!("doctor.relay_addresses names {inside}, which the world never sees"),
            "name the public addresses that the relay's mail leaves from",
        ));
    } else if public.is_empty() {
        let why = match inside.as_str() {
            "" => host.clone(),
            inside if inside == host => format!("{host}, which the world never sees"),
            inside => format!("{host} ({inside}), which the world never sees"),
        };
        findings.push(Area::Relay.warn(
            "addresses",
            format!(
                "from which addresses our mail reaches the world is not known: smtp.host is {why}"
            ),
            "set doctor.relay_addresses",
        ));
    }
    (findings, public)
}

/// Documentation's addresses are nobody's, too, but they are not behind anybody's door.
fn is_public(address: &IpAddr) -> bool {
    use_of(Address::from(*address)) != Use::Special
}

/// The name of each address, which must lead back to it.
pub(super) async fn pointers(names: &Names, addresses: &[IpAddr]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for address in addresses {
        findings.push(pointer(names, *address).await);
    }
    findings
}

async fn pointer(names: &Names, address: IpAddr) -> Finding {
    let told = match names.pointer(address).await {
        Ok(told) => told,
        Err(Unanswered(why)) => {
            return Area::Relay
                .unknown("ptr", format!("the name of {address} is not known: {why}"));
        }
    };
    let found = told.ptr.iter().flat_map(|names| names.iter());
    let found: Vec<String> = found.map(|name| without_dot(name)).collect();
    if found.is_empty() {
        return Area::Relay.mend(
            "ptr",
            format!("{address} has no name (PTR), and large receivers refuse its mail"),
            "let whoever provides the address set its PTR to the relay's name",
        );
    }
    let name = found.join(", ");
    match told.result() {
        mail_auth::IprevResult::Pass => Area::Relay.ok(
            "ptr",
            format!("{address} is {name}, and {name} is {address}"),
        ),
        _ => Area::Relay.mend(
            "ptr",
            format!("{address} is called {name} (PTR), but that name does not lead back to it"),
            format!("give {name} the address {address}, or let the PTR name another"),
        ),
    }
}

/// Whether letters could be handed over; nothing where no relay takes them.
pub(super) async fn knock(config: &Config) -> Vec<Finding> {
    if config.send.transport == Transport::Folder {
        let folder = config.send.folder.display();
        let said = format!("letters go into the folder {folder}: no relay is looked at");
        return vec![Area::Relay.ok("relay", said)];
    }
    let mut findings = Vec::new();
    for (section, smtp) in config.relays() {
        findings.extend(knock_at(config, &section, smtp).await);
    }
    findings
}

/// Whether the largest letter that the settings allow passes: base64 makes a third more of what is attached.
fn size(config: &Config, relay: &str, max_size: Option<u64>) -> Finding {
    let attached = config.letter.part_bytes as u64;
    let needed = attached * 138 / 100 + AROUND;
    let Some(max_size) = max_size else {
        return Area::Relay.ok("size", format!("{relay} sets no limit to a letter's size"));
    };
    let said = format!("{relay} takes letters of up to {max_size} bytes");
    match max_size >= needed {
        true => Area::Relay.ok("size", said),
        false => Area::Relay.warn(
            "size",
            format!("{said}; with letter.part_bytes = {attached} one may have {needed}"),
            "lower letter.part_bytes, or raise the relay's limit",
        ),
    }
}

async fn knock_at(config: &Config, section: &str, smtp: &Smtp) -> Vec<Finding> {
    let relay = smtp.name();
    let knocked = match send::knock(config, smtp, config.doctor.timeout).await {
        Ok(knocked) => knocked,
        Err(trouble) => {
            let remedy = match trouble.step {
                Step::Tls => {
                    format!("see {section}.security, {section}.host and {section}.ca_file")
                }
                Step::Login => format!("see {section}.username and {section}.password_file"),
                _ => format!(
                    "is it running, and may this machine reach it? see {section}.host and {section}.port"
                ),
            };
            return vec![Area::Relay.mend("relay", trouble.to_string(), remedy)];
        }
    };
    let login = if knocked.is_logged_in {
        format!(", and lets {} in", smtp.username)
    } else {
        String::new()
    };
    let way = match smtp.security {
        Security::None => "in the clear",
        Security::Starttls => "under TLS (STARTTLS)",
        Security::Tls => "under TLS from the first byte",
    };
    let mut findings = vec![Area::Relay.ok("relay", format!("{relay} answers {way}{login}"))];
    findings.push(size(config, &relay, knocked.max_size));
    findings.push(match knocked.offers_dsn {
        true => Area::Relay.ok("dsn", format!("{relay} passes on what becomes of letters (DSN)")),
        false => Area::Relay.warn(
            "dsn",
            format!("{relay} offers no DSN: bounces then carry the whole letter, and are less surely matched"),
            "let it offer DSN (RFC 3461), where it can",
        ),
    });
    if smtp.security == Security::None && !smtp.is_here() {
        let remedy = match knocked.offers_starttls {
            true => format!("it offers STARTTLS: set {section}.security = \"starttls\""),
            false => {
                format!("let it offer STARTTLS, and set {section}.security = \"starttls\"")
            }
        };
        let said = format!("letters cross the network to {relay} in the clear");
        findings.push(Area::Relay.warn("tls", said, remedy));
    }
    findings
}
