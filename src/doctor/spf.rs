//! SPF (RFC 7208): whether the domain's record names the relay, and can be evaluated at all.

use std::net::{IpAddr, Ipv4Addr};

use mail_auth::SpfResult;
use mail_auth::common::parse::TxtRecordParser;
use mail_auth::spf::{Macro, Mechanism, Spf};

use super::names::{Names, Unanswered};
use super::{Area, Finding};

/// RFC 7208 4.6.4.
const MOST_LOOKUPS: usize = 10;

/// No mail comes from here: a record that names no such address is read to its end.
const NOBODY: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// The record of the envelope domain, the one that receivers look at, against every address of the
/// relay.
pub(super) async fn of_envelope(names: &Names, domain: &str, addresses: &[IpAddr]) -> Vec<Finding> {
    let record = match record(names, domain).await {
        Ok(Some(record)) => record,
        Ok(None) => {
            return vec![Area::Domain.mend(
                "spf",
                format!("{domain}, which bounces go to, has no SPF record"),
                format!(
                    "publish at {domain}: TXT \"v=spf1{} -all\"",
                    terms(addresses)
                ),
            )];
        }
        Err(finding) => return vec![finding],
    };
    let mut findings = vec![Area::Domain.ok("spf", format!("SPF of {domain}: {record}"))];
    for address in addresses {
        findings.push(verdict(names, domain, *address).await);
    }
    // Other receivers may read further than the term that let our relay pass.
    let is_said = findings.iter().any(|one| one.check == BROKEN);
    if !is_said && names.spf(domain, NOBODY).await == SpfResult::PermError {
        findings.push(broken(names, domain).await);
    }
    findings
}

/// The record of a From domain that is not the envelope's. Receivers do not look at it for our
/// letters; it keeps others from using the domain.
pub(super) async fn of_author(names: &Names, domain: &str) -> Finding {
    match record(names, domain).await {
        Ok(Some(record)) => Area::Domain.ok("spf", format!("SPF of {domain}: {record}")),
        Ok(None) => Area::Domain.warn(
            "spf",
            format!("{domain}, which letters come from, has no SPF record"),
            format!("publish at {domain}: TXT \"v=spf1 -all\", or what else sends in its name"),
        ),
        Err(finding) => finding,
    }
}

/// The one record that is there and can be read.
async fn record(names: &Names, domain: &str) -> Result<Option<String>, Finding> {
    let texts = match names.texts(domain).await {
        Ok(texts) => texts,
        Err(Unanswered(why)) => return Err(Area::Domain.unknown("spf", why)),
    };
    let mut records: Vec<String> = texts.into_iter().filter(|text| is_spf(text)).collect();
    if records.len() > 1 {
        return Err(Area::Domain.mend(
            BROKEN,
            format!(
                "{domain} has {} SPF records, and receivers take that for an error (RFC 7208 4.5): {}",
                records.len(),
                records.join("  |  ")
            ),
            "put what they say into one",
        ));
    }
    let Some(record) = records.pop() else {
        return Ok(None);
    };
    match Spf::parse(record.as_bytes()) {
        Ok(_) => Ok(Some(record)),
        Err(_) => Err(Area::Domain.mend(
            BROKEN,
            format!("the SPF record of {domain} cannot be read: {record}"),
            "mend its spelling (RFC 7208 4.6.1)",
        )),
    }
}

/// What a record that counts as an error is filed under.
const BROKEN: &str = "spf-record";

async fn verdict(names: &Names, domain: &str, address: IpAddr) -> Finding {
    let said = |what: &str| format!("{what} for mail of {domain} from {address}");
    let name = format!("put{} into the SPF record of {domain}", terms(&[address]));
    match names.spf(domain, address).await {
        SpfResult::Pass => Area::Domain.ok("spf-relay", said("SPF says pass")),
        SpfResult::Fail => Area::Domain.mend(
            "spf-relay",
            said("SPF says fail, which many receivers refuse,"),
            name,
        ),
        SpfResult::SoftFail => Area::Domain.warn(
            "spf-relay",
            said("SPF says softfail, which many receivers take for spam,"),
            name,
        ),
        SpfResult::Neutral => Area::Domain.warn(
            "spf-relay",
            said("SPF says neutral, which is no pass,"),
            name,
        ),
        SpfResult::None => Area::Domain.mend("spf-relay", said("SPF says nothing"), name),
        SpfResult::PermError => broken(names, domain).await,
        SpfResult::TempError => {
            Area::Domain.unknown("spf-relay", said("the DNS did not say all that SPF needs"))
        }
    }
}

/// A record that receivers give up on.
async fn broken(names: &Names, domain: &str) -> Finding {
    let (why, remedy) = fault(names, domain).await;
    Area::Domain.mend(
        BROKEN,
        format!("the SPF record of {domain} is an error to receivers: {why}"),
        remedy,
    )
}

/// What makes a record an error though it can be read, as far as the names in it are plain.
async fn fault(names: &Names, domain: &str) -> (String, &'static str) {
    let mut lookups = 0;
    // Each with those that led to it.
    let mut waiting = vec![vec![domain.to_owned()]];
    while let Some(path) = waiting.pop() {
        let Some(name) = path.last() else { continue };
        let Ok(texts) = names.texts(name).await else {
            break;
        };
        let records: Vec<&String> = texts.iter().filter(|text| is_spf(text)).collect();
        let spf = match records.as_slice() {
            [one] => Spf::parse(one.as_bytes()),
            [] => {
                return (
                    format!("it includes {name}, which has no SPF record"),
                    "take it out, or name what is meant",
                );
            }
            _ => {
                return (
                    format!("it includes {name}, which has more than one SPF record"),
                    "tell those who keep that domain, or take it out",
                );
            }
        };
        let Ok(spf) = spf else {
            return (
                format!("it includes {name}, whose record cannot be read"),
                "tell those who keep that domain, or take it out",
            );
        };
        let mut targets: Vec<&Macro> = spf.redirect.iter().collect();
        for directive in &spf.directives {
            match &directive.mechanism {
                Mechanism::All | Mechanism::Ip4 { .. } | Mechanism::Ip6 { .. } => {}
                Mechanism::Include { macro_string } => targets.push(macro_string),
                _ => lookups += 1,
            }
        }
        lookups += targets.len();
        for target in targets {
            let Macro::Literal(target) = target else {
                continue;
            };
            let target = String::from_utf8_lossy(target).to_ascii_lowercase();
            let target = target.trim_end_matches('.').to_owned();
            if path.contains(&target) {
                return (
                    format!(
                        "{} includes {target} again, without end",
                        path.join(" includes ")
                    ),
                    "break the circle",
                );
            }
            let mut path = path.clone();
            path.push(target);
            waiting.push(path);
        }
        if lookups > MOST_LOOKUPS {
            return (
                format!("it takes more than {MOST_LOOKUPS} lookups (RFC 7208 4.6.4)"),
                "name addresses (ip4:, ip6:) instead of include:, a and mx, until ten lookups are enough",
            );
        }
    }
    (
        "something that it names leads to no record".to_owned(),
        "look at each include: and redirect= in it",
    )
}

/// RFC 7208 4.5: the version, and then a space or nothing.
fn is_spf(text: &str) -> bool {
    let version = text.split(' ').next().unwrap_or_default();
    version.eq_ignore_ascii_case("v=spf1")
}

/// ` ip4:192.0.2.25 ip6:2001:db8::25`; a place for them where they are not known.
fn terms(addresses: &[IpAddr]) -> String {
    if addresses.is_empty() {
        return " ip4:ADDRESS-OF-THE-RELAY".to_owned();
    }
    let term = |address: &IpAddr| match address {
        IpAddr::V4(ip) => format!(" ip4:{ip}"),
        IpAddr::V6(ip) => format!(" ip6:{ip}"),
    };
    addresses.iter().map(term).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_known_by_its_version() {
        for (text, expected) in [
            ("v=spf1 -all", true),
            ("V=SPF1 -all", true),
            ("v=spf1", true),
            ("v=spf10 -all", false),
            ("v=spf2.0/pra -all", false),
            (" v=spf1 -all", false),
            ("google-site-verification=1", false),
            ("", false),
        ] {
            assert_eq!(is_spf(text), expected, "{text:?}");
        }
    }
}
