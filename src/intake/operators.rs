//! Makes addressees of a list of operators: rows of AS, prefix or mailbox.

use super::screen::{Limits, screen};
use super::{Wrong, rows};
use crate::model::{
    Address, AddressRange, Addressee, KnownBy, Mailbox, Subject, parse_asn, plain_text,
};
use crate::sheet::{Meaning, Plan, Record};

const HOLDER_LEN: usize = 256;

const NOBODY: &str = "neither an AS nor a prefix nor a mailbox";
const REMEDY: &str =
    "write an AS (AS64500), a prefix (192.0.2.0/24) or a mailbox (abuse@isp.example)";
const MAILBOX: &str = "write one mailbox: abuse@isp.example, a domain with other letters as xn--…";

/// How such lists name their columns.
#[rustfmt::skip]
pub(super) static PLAN: Plan = Plan {
    meanings: &[
        Meaning { key: "operator", looks: Some(looks), names: &[
            "operator", "addressee", "subject", "resource", "known_by", "who", "whom"] },
        Meaning { key: "asn", looks: None, names: &[
            "asn", "as", "as_number", "aut_num", "autonomous_system", "origin", "origin_as", "AS番号"] },
        Meaning { key: "range", looks: None, names: &[
            "prefix", "range", "network", "cidr", "inetnum", "inet6num", "netblock", "route",
            "ip_range", "subnet", "block", "ip", "ネットワーク", "IPネットワークアドレス"] },
        Meaning { key: "first", looks: None, names: &[
            "first", "first_ip", "first_address", "start", "start_ip", "start_address"] },
        Meaning { key: "last", looks: None, names: &[
            "last", "last_ip", "last_address", "end", "end_ip", "end_address"] },
        Meaning { key: "mailbox", looks: None, names: &[
            "mailbox", "mail", "email", "e_mail", "abuse", "abuse_contact", "abuse_mailbox",
            "abuse_email", "abuse_mail", "abuse_address", "contact", "連絡先", "メールアドレス"] },
        Meaning { key: "holder", looks: None, names: &[
            "holder", "name", "isp", "org", "org_name", "organisation", "organization", "company",
            "owner", "as_name", "netname", "組織名", "事業者名"] },
        Meaning { key: "country", looks: None, names: &["country", "cc", "country_code", "国"] },
        Meaning { key: "language", looks: None, names: &["language", "lang", "locale", "言語"] },
    ],
    required: &[&["operator"], &["asn"], &["range"], &["mailbox"], &["first", "last"]],
};

/// The addressee of a row. An AS goes before a prefix, and a mailbox beside either is the one that
/// the list names for it.
pub(super) fn addressee(
    record: &Record<'_>,
    allow_documentation: bool,
) -> Result<Addressee, (&'static str, Wrong)> {
    let mailbox = match record.get("mailbox") {
        text if rows::is_nothing(text) => None,
        text => Some(one_mailbox(text).map_err(|wrong| ("mailbox", wrong))?),
    };
    let (key, known_by) = known_by(record, mailbox.as_ref())?;
    may_stand(&known_by, allow_documentation).map_err(|wrong| (key, wrong))?;
    let country = record.get("country").to_ascii_uppercase();
    let is_country = country.len() == 2 && country.bytes().all(|byte| byte.is_ascii_uppercase());
    let holder = match record.get("holder") {
        text if rows::is_nothing(text) => String::new(),
        text => plain_text(text, HOLDER_LEN),
    };
    let language = record.get("language");
    let is_tag = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    Ok(Addressee {
        mailbox: mailbox.filter(|_| known_by.subject().is_some()),
        known_by,
        holder,
        country: if is_country { country } else { String::new() },
        locale: match language {
            tag if (2..=35).contains(&tag.len()) && is_tag(tag) => tag.to_owned(),
            _ => String::new(),
        },
    })
}

fn known_by(
    record: &Record<'_>,
    mailbox: Option<&Mailbox>,
) -> Result<(&'static str, KnownBy), (&'static str, Wrong)> {
    let has = |key| !rows::is_nothing(record.get(key));
    if has("asn") {
        let text = record.get("asn");
        let asn = parse_asn(text).filter(|asn| *asn > 0).ok_or_else(|| {
            let reason = format!("\"{}\" is no AS number", plain_text(text, 60));
            ("asn", Wrong::new(reason, "write AS64500 or 64500"))
        })?;
        return Ok(("asn", KnownBy::As(asn)));
    }
    if has("range") {
        let range: AddressRange =
            (record.get("range").parse()).map_err(|error: crate::model::RangeError| {
                ("range", Wrong::new(error.reason, error.remedy))
            })?;
        return Ok(("range", KnownBy::Range(range)));
    }
    if has("first") && has("last") {
        let end = |key: &'static str| {
            let address = record.get(key).parse::<Address>();
            address.map_err(|error| (key, Wrong::new(error.reason, error.remedy)))
        };
        let range = AddressRange::new(end("first")?, end("last")?);
        let range = range.map_err(|error| ("last", Wrong::new(error.reason, error.remedy)))?;
        return Ok(("first", KnownBy::Range(range)));
    }
    if has("operator") {
        let text = record.get("operator");
        if let Some(asn) = bare_asn(record, text) {
            return Ok(("operator", KnownBy::As(asn)));
        }
        if text.contains('@') {
            let mailbox = one_mailbox(text).map_err(|wrong| ("operator", wrong))?;
            return Ok(("operator", KnownBy::Mailbox(mailbox)));
        }
        let subject = text.parse::<Subject>().map_err(|error| {
            let reason = match text.starts_with(|first: char| first.is_ascii_digit()) {
                true => error.reason,
                false => format!("\"{}\" is {NOBODY}", plain_text(text, 60)),
            };
            ("operator", Wrong::new(reason, REMEDY))
        })?;
        return Ok(("operator", subject.into()));
    }
    match mailbox {
        Some(mailbox) => Ok(("mailbox", KnownBy::Mailbox(mailbox.clone()))),
        None => Err(("operator", Wrong::new(format!("there is {NOBODY}"), REMEDY))),
    }
}

/// An AS as lists of nothing else write it: `64500`, or `AS 64500` in a line.
fn bare_asn(record: &Record<'_>, text: &str) -> Option<u32> {
    let is_sign = ["as", "asn"]
        .iter()
        .any(|sign| text.eq_ignore_ascii_case(sign));
    let number = match is_sign {
        true => record.as_line()?.split_whitespace().nth(1)?,
        false => text,
    };
    number.parse().ok().filter(|asn| *asn > 0)
}

/// One mailbox, with or without a name before it. Who writes several means several operators, or a
/// choice that staff has to make.
fn one_mailbox(text: &str) -> Result<Mailbox, Wrong> {
    let bare = match text
        .trim()
        .strip_suffix('>')
        .and_then(|text| text.split_once('<'))
    {
        Some((name, mailbox)) if !name.contains(['@', ':', '<']) => mailbox,
        _ => text,
    };
    let mailbox = bare.trim().parse::<Mailbox>();
    mailbox.map_err(|error| Wrong::new(error.to_string(), MAILBOX))
}

/// Nobody runs what is set apart for other uses.
fn may_stand(known_by: &KnownBy, allow_documentation: bool) -> Result<(), Wrong> {
    match known_by {
        KnownBy::Mailbox(_) => Ok(()),
        // An operator may hold space of any size.
        KnownBy::Range(range) => screen(
            *range,
            Limits {
                allow_documentation,
                widest_ipv4: 0,
                widest_ipv6: 0,
            },
        ),
        KnownBy::As(asn) => {
            let (what, is_test) = match asn {
                23_456 => ("kept for the change to longer numbers (RFC 6793)", false),
                64_496..=64_511 | 65_536..=65_551 => ("documentation (RFC 5398)", true),
                64_512..=65_534 | 4_200_000_000..=4_294_967_294 => ("private (RFC 6996)", false),
                65_535 | 4_294_967_295 => ("reserved (RFC 7300)", false),
                _ => return Ok(()),
            };
            if is_test && allow_documentation {
                return Ok(());
            }
            Err(Wrong::new(
                format!("AS{asn} is nobody's: {what}"),
                match is_test {
                    true => "for a test say --allow-documentation; else see who wrote it",
                    false => "give the number by which others reach the operator",
                },
            ))
        }
    }
}

fn looks(text: &str) -> bool {
    text.parse::<KnownBy>().is_ok()
}
