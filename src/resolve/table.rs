//! Reads a table of networks and the mailboxes that answer for them.

use std::collections::VecDeque;

use crate::model::{
    Address, AddressRange, Mailbox, Network, Refusal, language_tag, parse_asn, plain_text,
};
use crate::sheet::{Format, Mapping, Meaning, Plan, Record, Sheet, SheetError, Text};

pub(super) const NAME_LEN: usize = 128;
pub(super) const HOLDER_LEN: usize = 256;

/// More mailboxes than this do not answer for one network; a row has no room to fill memory with.
const MOST_CONTACTS: usize = 20;

/// How such tables are named: by the registries' dumps, by geolocation tables, and by hand.
#[rustfmt::skip]
static PLAN: Plan = Plan {
    meanings: &[
        Meaning { key: "range", looks: Some(looks_like_range), names: &[
            "range", "network", "prefix", "cidr", "inetnum", "inet6num", "netblock", "route",
            "route6", "ip_range", "subnet", "block", "ip", "ネットワーク", "IPネットワークアドレス"] },
        Meaning { key: "first", looks: None, names: &[
            "first", "first_ip", "first_address", "start", "start_ip", "start_address",
            "range_start", "ip_start", "ip_from"] },
        Meaning { key: "last", looks: None, names: &[
            "last", "last_ip", "last_address", "end", "end_ip", "end_address", "range_end",
            "ip_end", "ip_to"] },
        Meaning { key: "name", looks: None, names: &[
            "name", "netname", "net_name", "network_name", "ネットワーク名"] },
        Meaning { key: "holder", looks: None, names: &[
            "holder", "org", "org_name", "organisation", "organization", "owner", "company",
            "isp", "descr", "description", "as_name", "as_description", "組織名"] },
        Meaning { key: "country", looks: None, names: &["country", "cc", "country_code", "国"] },
        Meaning { key: "asn", looks: None, names: &["asn", "as", "origin", "origin_as", "as_number"] },
        Meaning { key: "handle", looks: None, names: &["handle", "org_handle", "nic_hdl", "abuse_c"] },
        Meaning { key: "registry", looks: None, names: &["registry", "rir", "source"] },
        Meaning { key: "abuse", looks: Some(looks_like_mailbox), names: &[
            "abuse", "abuse_contact", "abuse_mailbox", "abuse_email", "abuse_e_mail", "contact",
            "contacts", "email", "e_mail", "mailbox", "mail", "連絡先", "メールアドレス"] },
        Meaning { key: "language", looks: None, names: &["language", "lang", "locale", "言語"] },
    ],
    required: &[&["range"], &["first", "last"]],
};

/// What became of a row. A network may come together with refusals of single cells of its row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Row {
    /// `line` counts from 1, the header included.
    Network {
        line: u64,
        network: Network,
    },
    Refused(Refusal),
}

/// Begins to read a table; `name` is what messages call it.
///
/// # Errors
/// When it cannot be read at all, or no column holds ranges.
pub fn read(
    input: Text,
    name: &str,
    format: Option<Format>,
    map: &[Mapping],
) -> Result<Rows, SheetError> {
    Ok(Rows {
        sheet: Sheet::read(input, name, format, &PLAN, map)?,
        ready: VecDeque::new(),
    })
}

/// The rows of a table, one after the other.
pub struct Rows {
    sheet: Sheet,
    ready: VecDeque<Row>,
}

impl Iterator for Rows {
    type Item = Row;

    fn next(&mut self) -> Option<Row> {
        if let Some(row) = self.ready.pop_front() {
            return Some(row);
        }
        match self.sheet.next_row()? {
            Err(refusal) => Some(Row::Refused(refusal)),
            Ok(record) => {
                let mut refusals = Vec::new();
                let network = network(&record, &mut refusals);
                let line = record.line();
                self.ready.extend(refusals.into_iter().map(Row::Refused));
                self.ready
                    .extend(network.map(|network| Row::Network { line, network }));
                self.ready.pop_front()
            }
        }
    }
}

/// The row's network, unless its range is bad. Whatever else is bad is left out and named.
fn network(record: &Record<'_>, refusals: &mut Vec<Refusal>) -> Option<Network> {
    let range = match range(record) {
        Ok(range) => range,
        Err(refusal) => {
            refusals.push(*refusal);
            return None;
        }
    };
    let contacts = contacts(record, refusals);
    let text = |key, limit| match record.get(key) {
        text if is_nothing(text) => String::new(),
        text => plain_text(text, limit),
    };
    Some(Network {
        range,
        name: text("name", NAME_LEN),
        holder: text("holder", HOLDER_LEN),
        country: country(record.get("country")),
        asn: asn(record, refusals),
        handle: text("handle", NAME_LEN),
        registry: text("registry", NAME_LEN),
        locale: locale(record, refusals),
        contacts,
    })
}

fn is_nothing(text: &str) -> bool {
    matches!(text, "" | "-" | "null" | "NULL" | "None" | "\\N")
}

fn looks_like_range(text: &str) -> bool {
    text.parse::<AddressRange>().is_ok()
}

fn looks_like_mailbox(text: &str) -> bool {
    text.parse::<Mailbox>().is_ok()
}

fn range(record: &Record<'_>) -> Result<AddressRange, Box<Refusal>> {
    let refuse = |key, reason: &str, remedy| Box::new(record.refuse(key, reason, remedy));
    if !is_nothing(record.get("range")) {
        let range = record.get("range").parse::<AddressRange>();
        return range.map_err(|error| refuse("range", &error.reason, error.remedy));
    }
    if is_nothing(record.get("first")) {
        let remedy = "write a prefix, 192.0.2.0/24, or a first and a last address";
        return Err(refuse("range", "there is no range", remedy));
    }
    let end = |key| {
        let address = record.get(key).parse::<Address>();
        address.map_err(|error| refuse(key, &error.reason, error.remedy))
    };
    let (first, last) = (end("first")?, end("last")?);
    let range = AddressRange::new(first, last);
    range.map_err(|error| refuse("last", &error.reason, error.remedy))
}

/// The good mailboxes, each once. A bad one costs the network nothing but itself; a cell that holds
/// more than mailboxes gives none, for who wrote `a@isp.example Bcc: b@isp.example` meant something
/// else than two desks.
/// `abuse@isp.example` of `Abuse Desk <abuse@isp.example>`.
fn without_name(piece: &str) -> &str {
    match piece
        .trim()
        .strip_suffix('>')
        .and_then(|named| named.split_once('<'))
    {
        Some((name, mailbox)) if !name.contains(['@', ':', '<']) => mailbox,
        _ => piece,
    }
}

fn contacts(record: &Record<'_>, refusals: &mut Vec<Refusal>) -> Vec<Mailbox> {
    let text = record.get("abuse");
    if is_nothing(text) {
        return Vec::new();
    }
    let shown = plain_text(text, 80);
    if text.contains(|c: char| c.is_control() && c != '\t') {
        let reason = format!(
            "\"{shown}\" holds a line break or a control character; the network was kept without contact"
        );
        let remedy = "write the mailboxes in one line: abuse@isp.example; noc@isp.example";
        refusals.push(record.refuse("abuse", &reason, remedy));
        return Vec::new();
    }
    let parts = || {
        let pieces = text.split([';', ',']).map(without_name);
        pieces.flat_map(str::split_whitespace)
    };
    if let Some(word) = parts().find(|part| !is_like_mailbox(part)) {
        let word = plain_text(word, 60);
        let reason = format!("\"{word}\" is no mail address; the network was kept without contact");
        let remedy = "write nothing but mailboxes: abuse@isp.example; noc@isp.example";
        refusals.push(record.refuse("abuse", &reason, remedy));
        return Vec::new();
    }
    let (mut good, mut bad) = (Vec::new(), None);
    for part in parts() {
        match part.parse::<Mailbox>() {
            Ok(mailbox) if good.contains(&mailbox) || good.len() == MOST_CONTACTS => {}
            Ok(mailbox) => good.push(mailbox),
            Err(error) => bad = bad.or(Some(error)),
        }
    }
    if let Some(error) = bad {
        let (kept, remedy) = if good.is_empty() {
            (
                "without contact",
                "write abuse@isp.example, a domain with other letters as xn--…, and load again",
            )
        } else {
            (
                "with its other mailboxes",
                "mend it, a domain with other letters as xn--…, and load again",
            )
        };
        let reason = format!("{error}; the network was kept {kept}");
        refusals.push(record.refuse("abuse", &reason, remedy));
    }
    good
}

/// Whether a word was meant as a mailbox, well written or not.
fn is_like_mailbox(word: &str) -> bool {
    let word = word.to_ascii_lowercase();
    let (local, _) = word
        .split_once('@')
        .or_else(|| word.split_once("(at)"))
        .or_else(|| word.split_once("[at]"))
        .unwrap_or_default();
    !local.is_empty()
}

/// Registries write EU and AP for regions, ZZ and others for nowhere (ISO 3166-1 leaves AA, QM–QZ,
/// XA–XZ and ZZ to users).
pub(super) fn country(text: &str) -> String {
    let code = text.to_ascii_uppercase();
    let is_code = code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_uppercase());
    let is_none = matches!(code.as_str(), "EU" | "AP" | "AA" | "ZZ")
        || code.starts_with('X')
        || ("QM"..="QZ").contains(&code.as_str());
    if is_code && !is_none {
        code
    } else {
        String::new()
    }
}

fn asn(record: &Record<'_>, refusals: &mut Vec<Refusal>) -> Option<u32> {
    let text = record.get("asn");
    if is_nothing(text) || text.eq_ignore_ascii_case("na") {
        return None;
    }
    let asn = parse_asn(text);
    if asn.is_none() {
        let reason = format!("\"{}\" is no AS number", plain_text(text, 60));
        let remedy = "write AS64500; the row counts without it";
        refusals.push(record.refuse("asn", &reason, remedy));
    }
    // 0 is no origin (RFC 7607).
    asn.filter(|asn| *asn > 0)
}

/// A language tag of the shape of BCP 47.
fn locale(record: &Record<'_>, refusals: &mut Vec<Refusal>) -> String {
    let text = record.get("language");
    if is_nothing(text) {
        return String::new();
    }
    if let Some(tag) = language_tag(text) {
        return tag;
    }
    let reason = format!("\"{}\" is no language tag", plain_text(text, 60));
    let remedy = "write en, ja or pt-BR; the row counts without it";
    refusals.push(record.refuse("language", &reason, remedy));
    String::new()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sheet;

    fn told(text: &str, map: &[&str]) -> Vec<String> {
        let map: Vec<Mapping> = map.iter().map(|m| m.parse().unwrap()).collect();
        let input = sheet::unwrap(std::io::Cursor::new(text.as_bytes().to_vec())).unwrap();
        let rows = match read(input, "networks.csv", None, &map) {
            Ok(rows) => rows,
            Err(error) => return vec![error.to_string()],
        };
        rows.map(|row| match row {
            Row::Refused(r) => format!("{} {}: {}", r.line, r.column, r.reason),
            Row::Network { line, network: n } => {
                let contacts: Vec<&str> = n.contacts.iter().map(Mailbox::as_str).collect();
                let asn = n.asn.map_or_else(|| "-".to_owned(), |asn| asn.to_string());
                format!(
                    "{line} {} name={} holder={} cc={} as={asn} handle={} by={} in={} to={}",
                    n.range,
                    n.name,
                    n.holder,
                    n.country,
                    n.handle,
                    n.registry,
                    n.locale,
                    contacts.join("+")
                )
            }
        })
        .collect()
    }

    #[test]
    fn networks_are_read_under_their_usual_names() {
        let text = "inetnum,netname,descr,country,origin,org-handle,source,abuse-mailbox,lang\n\
             192.0.2.0 - 192.0.2.255,EX-NET,\"Example, Ltd.\",jp,AS64500,ORG-EX1-TEST,APNIC,Abuse@isp.example,ja\n\
             2001:db8::/32,EX6,Example,EU,,,RIPE,<a@isp.example>; b@isp.example a@isp.example,pt_BR\n\
             10.0.0.0/8,,,ZZ,0,,,,\n";
        assert_eq!(
            told(text, &[]),
            [
                "2 192.0.2.0/24 name=EX-NET holder=Example, Ltd. cc=JP as=64500 handle=ORG-EX1-TEST by=APNIC in=ja to=abuse@isp.example",
                "3 2001:db8::/32 name=EX6 holder=Example cc= as=- handle= by=RIPE in=pt-BR to=a@isp.example+b@isp.example",
                "4 10.0.0.0/8 name= holder= cc= as=- handle= by= in= to=",
            ]
        );
    }

    #[test]
    fn what_is_bad_is_named_and_the_rest_kept() {
        let text = "start_ip;end_ip;holder;asn;email;language\n\
             192.0.2.0;192.0.2.127;A;x;abuse@isp.example;english please\n\
             192.0.2.128;192.0.2.0;B;;;\n\
             198.51.100.0;;C;;;\n\
             198.51.100.0;198.51.100.255;D\r\nX: y;;abuse(at)isp.example;\n\
             203.0.113.0;203.0.113.255;\"E\n\u{202e}=F\";;nobody, noc@isp.example;\n\
             ;;G;;;\n";
        assert_eq!(
            told(text, &[]),
            [
                "2 asn: \"x\" is no AS number",
                "2 language: \"english please\" is no language tag",
                "2 192.0.2.0/25 name= holder=A cc= as=- handle= by= in= to=abuse@isp.example",
                "3 end_ip: 192.0.2.128 lies behind 192.0.2.0",
                "4 end_ip: \"\" is not an address",
                "5 198.51.100.0/24 name= holder=D cc= as=- handle= by= in= to=",
                "6 start_ip: \"X: y\" is not an address",
                "7 email: \"nobody\" is no mail address; the network was kept without contact",
                "7 203.0.113.0/24 name= holder=E =F cc= as=- handle= by= in= to=",
                "9 : there is no range",
            ]
        );
    }

    #[test]
    fn a_bad_mailbox_costs_no_network_and_makes_no_contact() {
        let kept = "the network was kept";
        for (cell, reason, contacts) in [
            (
                "abuse(at)isp.example",
                format!("\"abuse(at)isp.example\" is not a mail address; {kept} without contact"),
                "",
            ),
            (
                "abuse@münchen.test",
                format!("\"abuse@münchen.test\" is not a mail address; {kept} without contact"),
                "",
            ),
            (
                "abuse@münchen.test; noc@isp.example",
                format!(
                    "\"abuse@münchen.test\" is not a mail address; {kept} with its other mailboxes"
                ),
                "noc@isp.example",
            ),
            (
                "a@b.example\r\nBcc: c@d.example",
                format!(
                    "\"a@b.example  Bcc: c@d.example\" holds a line break or a control character; {kept} without contact"
                ),
                "",
            ),
            (
                "a@b.example Bcc: c@d.example",
                format!("\"Bcc:\" is no mail address; {kept} without contact"),
                "",
            ),
            (
                "nobody, noc@isp.example",
                format!("\"nobody\" is no mail address; {kept} without contact"),
                "",
            ),
        ] {
            let text = format!("range,abuse\n192.0.2.0/24,\"{cell}\"\n");
            let network =
                format!("2 192.0.2.0/24 name= holder= cc= as=- handle= by= in= to={contacts}");
            assert_eq!(told(&text, &[]), [format!("2 abuse: {reason}"), network]);
        }
    }

    #[test]
    fn a_name_before_a_mailbox_is_no_harm() {
        let text = "range,abuse\n192.0.2.0/24,Abuse Desk <abuse@isp.example>\n";
        let told = told(text, &[]);
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].ends_with("to=abuse@isp.example"), "{told:?}");
    }

    #[test]
    fn two_columns_of_addresses_without_header_are_not_guessed_at() {
        let text = "192.0.2.0\t192.0.2.255\t64500\tJP\tEXAMPLE\n";
        assert_eq!(
            told(text, &[]),
            [
                "there is no header, and several columns may hold the range: col1, col2. \
             Name one with --map range=col1"
            ]
        );
        assert_eq!(
            told(
                text,
                &[
                    "first=col1",
                    "last=col2",
                    "asn=col3",
                    "country=col4",
                    "holder=col5"
                ]
            ),
            ["1 192.0.2.0/24 name= holder=EXAMPLE cc=JP as=64500 handle= by= in= to="]
        );
        let text = "192.0.2.0/24,abuse@isp.example\n198.51.100.0/24,noc@isp.example\n";
        assert_eq!(told(text, &[]).len(), 2);
        assert!(told(text, &[])[1].ends_with("to=noc@isp.example"));
    }
}
