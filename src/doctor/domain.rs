//! What the DNS says of our mail domains: SPF, DKIM, DMARC, and where bounces and answers go.

use std::net::IpAddr;

use mail_auth::common::parse::TxtRecordParser;
use mail_auth::common::verify::DomainKey;
use mail_auth::dkim::DkimError;
use mail_auth::dmarc::{Alignment, Policy};
use mail_auth::{DmarcOutput, DmarcResult, Error};

use super::names::{Names, Unanswered};
use super::{Area, Finding, spf};
use crate::config::{self, Config};

/// RFC 8301 3.2: verifiers take no RSA key below this as a signature, in bits …
const SHORTEST: usize = 1024;
/// … and signers should have this.
const LONG_ENOUGH: usize = 2048;

/// Mail exchanges of a domain that are looked at.
const EXCHANGES: usize = 5;

/// Nothing is asked about the domain that the settings were shipped with: it is nobody's.
pub(super) async fn look(names: &Names, config: &Config, relay: &[IpAddr]) -> Vec<Finding> {
    let (Ok(author), Ok(answers)) = (config.sender.mailbox(), config.sender.reply_to()) else {
        return Vec::new();
    };
    let envelope = config.sender.bounce_domain().to_ascii_lowercase();
    let (from, answers) = (author.domain(), answers.domain());
    let shipped = config::shipped().map(|one| one.sender.address);
    if shipped.is_ok_and(|address| address.ends_with(&format!("@{from}"))) {
        return vec![Area::Domain.warn(
            "domain",
            format!("the DNS is not asked about {from}, which the settings were shipped with"),
            "set sender.address",
        )];
    }
    let author = async {
        match from == envelope {
            true => None,
            false => Some(spf::of_author(names, from).await),
        }
    };
    let (by_envelope, by_author, policy, keys, bounces, replies) = tokio::join!(
        spf::of_envelope(names, &envelope, relay),
        author,
        dmarc(names, from, &envelope),
        dkim(names, from, &config.doctor.dkim_selectors),
        arrival(names, &envelope, "bounces"),
        async {
            match answers == envelope {
                true => None,
                false => Some(arrival(names, answers, "answers").await),
            }
        },
    );
    let mut findings = by_envelope;
    findings.extend(by_author);
    findings.extend(keys);
    findings.extend(policy);
    findings.push(bounces);
    findings.extend(replies);
    findings
}

async fn dmarc(names: &Names, from: &str, envelope: &str) -> Vec<Finding> {
    let place = format!("_dmarc.{from}");
    let told = match tokio::join!(names.texts(&place), names.dmarc(from, envelope)) {
        (Err(Unanswered(why)), _) | (_, Err(Unanswered(why))) => {
            return vec![Area::Domain.unknown("dmarc", why)];
        }
        (Ok(texts), Ok(_)) if texts.iter().filter(|text| is_dmarc(text)).count() > 1 => {
            return vec![Area::Domain.mend(
                "dmarc",
                format!(
                    "{place} has more than one DMARC record, and so none counts (RFC 9989 4.7)"
                ),
                "keep one of them",
            )];
        }
        (Ok(_), Ok(told)) => told,
    };
    if let DmarcResult::PermError(_) = told.spf_result() {
        return vec![Area::Domain.mend(
            "dmarc",
            format!("the DMARC record of {from} cannot be read"),
            format!("mend its spelling: {place} TXT \"v=DMARC1; p=none; rua=mailto:MAILBOX\""),
        )];
    }
    let Some(record) = told.dmarc_record() else {
        return vec![Area::Domain.warn(
            "dmarc",
            format!(
                "{from} has no DMARC record, which large receivers ask of those who write to many"
            ),
            format!("publish {place} TXT \"v=DMARC1; p=none; rua=mailto:MAILBOX\""),
        )];
    };
    let aspf = mode(record.aspf);
    let policy = format!(
        "DMARC of {from} asks receivers to {} what fails (adkim={}, aspf={aspf})",
        wish(&told),
        mode(record.adkim),
    );
    let aligned = match told.spf_result() {
        DmarcResult::Pass => Area::Domain.ok(
            "alignment",
            format!("the envelope domain {envelope} aligns with {from}: SPF can carry DMARC"),
        ),
        _ => Area::Domain.warn(
            "alignment",
            format!("the envelope domain {envelope} does not align with {from} (aspf={aspf}): DKIM alone must carry DMARC"),
            match record.aspf {
                Alignment::Strict => format!("let the relay sign by DKIM as {from}, or set sender.bounce_domain = \"{from}\""),
                Alignment::Relaxed => format!("let the relay sign by DKIM as {from}, or take a sender.bounce_domain below the same domain"),
            },
        ),
    };
    vec![Area::Domain.ok("dmarc", policy), aligned]
}

fn is_dmarc(text: &str) -> bool {
    let version = text.split(';').next().unwrap_or_default();
    version.split_whitespace().collect::<String>() == "v=DMARC1"
}

fn mode(alignment: Alignment) -> &'static str {
    match alignment {
        Alignment::Relaxed => "r",
        Alignment::Strict => "s",
    }
}

fn wish(told: &DmarcOutput) -> &'static str {
    match told.policy() {
        Policy::Reject => "reject",
        Policy::Quarantine => "quarantine",
        Policy::None | Policy::Unspecified => "deliver and report",
    }
}

/// The keys that the relay signs by, as far as the settings name them.
async fn dkim(names: &Names, from: &str, selectors: &[String]) -> Vec<Finding> {
    if selectors.is_empty() {
        return vec![Area::Domain.warn(
            "dkim",
            format!("whether the relay's DKIM keys are published for {from} is not checked"),
            "set doctor.dkim_selectors to the names that the relay signs by",
        )];
    }
    let mut findings = Vec::new();
    for selector in selectors {
        findings.push(key(names, &format!("{selector}._domainkey.{from}")).await);
    }
    findings
}

async fn key(names: &Names, place: &str) -> Finding {
    let texts = match names.texts(place).await {
        Ok(texts) => texts,
        Err(Unanswered(why)) => return Area::Domain.unknown("dkim", why),
    };
    let publish = "publish the key that the relay signs by, or change doctor.dkim_selectors";
    let text = match texts.as_slice() {
        [] => {
            return Area::Domain.mend("dkim", format!("there is no DKIM key at {place}"), publish);
        }
        [one] => one,
        _ => {
            return Area::Domain.mend(
                "dkim",
                format!("{place} has {} records, and it is anybody's guess which counts (RFC 6376 3.6.2.2)", texts.len()),
                "keep one of them",
            );
        }
    };
    let key = match DomainKey::parse(text.as_bytes()) {
        Ok(key) => key,
        Err(Error::Dkim(DkimError::RevokedPublicKey)) => {
            return Area::Domain.mend(
                "dkim",
                format!("the DKIM key at {place} is revoked (its p= is empty)"),
                publish,
            );
        }
        Err(_) => {
            return Area::Domain.mend(
                "dkim",
                format!("the DKIM key at {place} cannot be read: {text}"),
                publish,
            );
        }
    };
    let longer = "make the relay a key of 2048 bits, and publish it";
    match key.p.public_key_bits() {
        bits @ ..SHORTEST => Area::Domain.mend(
            "dkim",
            format!("the DKIM key at {place} is RSA of {bits} bits, which receivers do not take (RFC 8301 3.2)"),
            longer,
        ),
        bits @ ..LONG_ENOUGH => Area::Domain.warn(
            "dkim",
            format!("the DKIM key at {place} is RSA of {bits} bits, which is short (RFC 8301 3.2)"),
            longer,
        ),
        _ if is_testing(text) => Area::Domain.warn(
            "dkim",
            format!("the DKIM key at {place} says t=y: receivers treat what it signs as unsigned"),
            "take t=y out when the relay signs well",
        ),
        usize::MAX => Area::Domain.ok("dkim", format!("DKIM key at {place}: Ed25519")),
        bits => Area::Domain.ok("dkim", format!("DKIM key at {place}: RSA of {bits} bits")),
    }
}

/// The flag y (RFC 6376 3.6.1).
fn is_testing(record: &str) -> bool {
    let tags = record.split(';').filter_map(|tag| tag.split_once('='));
    let mut flags = tags.filter(|(tag, _)| tag.trim() == "t");
    flags.any(|(_, flags)| flags.split(':').any(|flag| flag.trim() == "y"))
}

/// Whether mail to a domain can arrive (RFC 5321 5.1).
async fn arrival(names: &Names, domain: &str, what: &str) -> Finding {
    let hosts = match names.exchanges(domain).await {
        Ok(hosts) => hosts,
        Err(Unanswered(why)) => return Area::Domain.unknown("mx", why),
    };
    if hosts.iter().any(|host| host == ".") {
        return Area::Domain.mend(
            "mx",
            format!("{domain}, where {what} go, says that it takes no mail (a null MX, RFC 7505)"),
            "give it an MX record, or name another domain in the settings",
        );
    }
    // Without MX, the domain's own address takes its mail.
    let implicit = [domain.to_owned()];
    let candidates = if hosts.is_empty() {
        &implicit[..]
    } else {
        &hosts[..]
    };
    let mut unanswered = None;
    for host in candidates.iter().take(EXCHANGES) {
        match names.addresses(host).await {
            Ok(addresses) if addresses.is_empty() => {}
            Ok(_) if hosts.is_empty() => {
                return Area::Domain.ok(
                    "mx",
                    format!("{what} to {domain} go to its own address, for it has no MX record"),
                );
            }
            Ok(_) => return Area::Domain.ok("mx", format!("{what} to {domain} go to {host}")),
            Err(Unanswered(why)) => unanswered = Some(why),
        }
    }
    match unanswered {
        Some(why) => Area::Domain.unknown("mx", why),
        None if hosts.is_empty() => Area::Domain.mend(
            "mx",
            format!("{what} to {domain} cannot arrive: it has neither MX record nor address"),
            "give it an MX record, or name another domain in the settings",
        ),
        None => Area::Domain.mend(
            "mx",
            format!(
                "{what} to {domain} cannot arrive: {} has no address",
                hosts.join(", ")
            ),
            "give the mail exchange an address, or the domain another one",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dmarc_record_is_known_by_its_version() {
        for (text, expected) in [
            ("v=DMARC1; p=none", true),
            ("v = DMARC1 ;p=none", true),
            ("v=DMARC1", true),
            ("v=DMARC2; p=none", false),
            ("v=spf1 -all", false),
        ] {
            assert_eq!(is_dmarc(text), expected, "{text}");
        }
    }

    #[test]
    fn a_key_says_that_it_is_being_tested() {
        for (text, expected) in [
            ("v=DKIM1; t=y; p=MIGf", true),
            ("v=DKIM1;p=MIGf; t = s : y ", true),
            ("v=DKIM1; t=s; p=y", false),
            ("v=DKIM1; n=t=y; p=MIGf", false),
        ] {
            assert_eq!(is_testing(text), expected, "{text}");
        }
    }
}
