//! SPF (RFC 7208): whether the domain's record names the relay, and can be evaluated at all.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use mail_auth::SpfResult;
use mail_auth::common::parse::TxtRecordParser;
use mail_auth::spf::{Directive, Macro, Mechanism, Spf};

use super::names::{Names, Unanswered};
use super::{Area, Finding, Grade};

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
    if findings.iter().any(|one| one.check == BROKEN) {
        return findings;
    }
    // What our relay's addresses do not come to, others' may; and which they are may not be known.
    let (fault, by_nobody) = tokio::join!(fault(names, domain), names.spf(domain, NOBODY));
    let fault = match by_nobody {
        SpfResult::PermError => fault.or_else(|| Some(unexplained())),
        SpfResult::Pass => {
            findings.push(Area::Domain.warn(
                "spf-all",
                format!("the SPF record of {domain} lets everybody send in its name"),
                "end it by -all, and name those who do send",
            ));
            fault
        }
        _ => fault,
    };
    let passes = |one: &&Finding| one.check == VERDICT && one.grade == Grade::Ok;
    let passed = findings.iter().filter(passes).count();
    let is_passed_by = passed > 0 && passed == addresses.len();
    findings.extend(fault.map(|(why, remedy)| match is_passed_by {
        true => Area::Domain.warn(
            BROKEN,
            format!("behind the term that lets our relay pass, the SPF record of {domain} is an error: {why}"),
            remedy,
        ),
        false => broken(domain, &why, remedy),
    }));
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
    match misspelt(&record) {
        None => Ok(Some(record)),
        Some(term) => Err(Area::Domain.mend(
            BROKEN,
            format!("the SPF record of {domain} cannot be read at {term}: {record}"),
            "mend its spelling (RFC 7208 4.6.1)",
        )),
    }
}

/// What a record that counts as an error is filed under.
const BROKEN: &str = "spf-record";
/// What it says of one address of the relay.
const VERDICT: &str = "spf-relay";

async fn verdict(names: &Names, domain: &str, address: IpAddr) -> Finding {
    let said =
        |what: &str, so: &str| format!("SPF says {what} for mail of {domain} from {address}{so}");
    let name = format!("put{} into the SPF record of {domain}", terms(&[address]));
    match names.spf(domain, address).await {
        SpfResult::Pass => Area::Domain.ok(VERDICT, said("pass", "")),
        SpfResult::Fail => Area::Domain.mend(
            VERDICT,
            said("fail", ", and many receivers refuse it"),
            name,
        ),
        SpfResult::SoftFail => Area::Domain.warn(
            VERDICT,
            said("softfail", ", and many receivers take it for spam"),
            name,
        ),
        SpfResult::Neutral => {
            Area::Domain.warn(VERDICT, said("neutral", ", which is no pass"), name)
        }
        SpfResult::None => Area::Domain.mend(VERDICT, said("nothing", ""), name),
        SpfResult::PermError => {
            let (why, remedy) = fault(names, domain).await.unwrap_or_else(unexplained);
            broken(domain, &why, remedy)
        }
        SpfResult::TempError => {
            Area::Domain.unknown(VERDICT, format!("what SPF says for mail of {domain} from {address} is not known: a name in the record got no answer"))
        }
    }
}

/// A record that receivers give up on.
fn broken(domain: &str, why: &str, remedy: &str) -> Finding {
    Area::Domain.mend(
        BROKEN,
        format!("the SPF record of {domain} is an error to receivers: {why}"),
        remedy,
    )
}

fn unexplained() -> (String, &'static str) {
    (
        "something that it names leads to no record".to_owned(),
        "look at each include: and redirect= in it",
    )
}

/// What makes a record an error though it can be read, as far as the names in it are plain.
async fn fault(names: &Names, domain: &str) -> Option<(String, &'static str)> {
    let mut lookups = 0;
    // Each with those that led to it.
    let mut waiting = vec![vec![domain.to_owned()]];
    while let Some(path) = waiting.pop() {
        let Some(name) = path.last() else { continue };
        let texts = names.texts(name).await.ok()?;
        let records: Vec<&String> = texts.iter().filter(|text| is_spf(text)).collect();
        let record = match records.as_slice() {
            [one] => one,
            [] => {
                return Some((
                    format!("it includes {name}, which has no SPF record"),
                    "take it out, or name what is meant",
                ));
            }
            _ => {
                return Some((
                    format!("it includes {name}, which has more than one SPF record"),
                    "tell those who keep that domain, or take it out",
                ));
            }
        };
        let spf = Spf::parse(record.as_bytes());
        let (Ok(spf), None) = (spf, misspelt(record)) else {
            return Some((
                format!("it includes {name}, whose record cannot be read"),
                "tell those who keep that domain, or take it out",
            ));
        };
        // Behind `all` nothing counts, and no redirect either (RFC 7208 5.1).
        let is_all = |one: &&Directive| one.mechanism == Mechanism::All;
        let mut targets = Vec::new();
        for directive in spf.directives.iter().take_while(|one| !is_all(one)) {
            match &directive.mechanism {
                Mechanism::All | Mechanism::Ip4 { .. } | Mechanism::Ip6 { .. } => {}
                Mechanism::Include { macro_string } => targets.push(macro_string),
                _ => lookups += 1,
            }
        }
        if !spf.directives.iter().any(|one| is_all(&one)) {
            targets.extend(&spf.redirect);
        }
        lookups += targets.len();
        for target in targets {
            let Macro::Literal(target) = target else {
                continue;
            };
            let target = String::from_utf8_lossy(target).to_ascii_lowercase();
            let target = target.trim_end_matches('.').to_owned();
            if path.contains(&target) {
                return Some((
                    format!(
                        "{} includes {target} again, without end",
                        path.join(" includes ")
                    ),
                    "break the circle",
                ));
            }
            let mut path = path.clone();
            path.push(target);
            waiting.push(path);
        }
        if lookups > MOST_LOOKUPS {
            return Some((
                format!("it takes more than {MOST_LOOKUPS} lookups (RFC 7208 4.6.4)"),
                "name addresses (ip4:, ip6:) instead of include:, a and mx, until ten lookups are enough",
            ));
        }
    }
    None
}

/// RFC 7208 4.5: the version, and then a space or nothing.
fn is_spf(text: &str) -> bool {
    let version = text.split(' ').next().unwrap_or_default();
    version.eq_ignore_ascii_case("v=spf1")
}

/// The first term that is none: one misspelt term makes the whole record an error. The library lets
/// some pass that others do not.
fn misspelt(record: &str) -> Option<&str> {
    let is_error = |record: &str| Spf::parse(record.as_bytes()).is_err();
    let term = record.split_whitespace().skip(1).find(|term| {
        let bare = term.trim_start_matches(['+', '-', '~', '?']);
        let end = bare.find([':', '=', '/']).unwrap_or(bare.len());
        let (name, rest) = bare.split_at(end);
        let is_read = match name.to_ascii_lowercase().as_str() {
            "ip4" => is_network::<Ipv4Addr>(rest, 32),
            "ip6" => is_network::<Ipv6Addr>(rest, 128),
            "all" | "include" | "a" | "mx" | "ptr" | "exists" => !rest.starts_with('='),
            _ => rest.starts_with('='),
        };
        !is_read || is_error(&format!("v=spf1 {term}"))
    });
    term.or_else(|| is_error(record).then_some("its end"))
}

/// `:192.0.2.0/24`.
fn is_network<T: FromStr>(text: &str, longest: u8) -> bool {
    let text = text.strip_prefix(':').unwrap_or_default();
    let (address, length) = match text.split_once('/') {
        Some((address, length)) => (address, length.parse().ok()),
        None => (text, Some(longest)),
    };
    address.parse::<T>().is_ok() && length.is_some_and(|length: u8| length <= longest)
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

    #[test]
    fn a_misspelt_term_is_named() {
        for (terms, expected) in [
            ("ip4:192.0.2.0/24 ip6:2001:db8::/32 a mx/24 -all", ""),
            (
                "a:%{d}.x.example mx:x.example//64 ptr ?exists:%{i}.x.example",
                "",
            ),
            ("redirect=x.example exp=x.example ra=abuse x-new=1", ""),
            ("include:x.example ~ALL", ""),
            ("ip4:192.0.2.300 -all", "ip4:192.0.2.300"),
            ("ip4:192.0.2.0/33", "ip4:192.0.2.0/33"),
            ("ip6:192.0.2.1", "ip6:192.0.2.1"),
            ("ip4=192.0.2.1", "ip4=192.0.2.1"),
            ("ipv4:192.0.2.1 -all", "ipv4:192.0.2.1"),
            ("a include: -all", "include:"),
            ("mx -al", "-al"),
            ("mx --- all", "---"),
            ("redirect=x.example redirect=y.example", "its end"),
        ] {
            let record = format!("v=spf1 {terms}");
            assert_eq!(misspelt(&record).unwrap_or_default(), expected, "{terms}");
        }
    }
}
