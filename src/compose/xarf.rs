//! One host as XARF reports (eXtended Abuse Reporting Format, version 4.2.0), for machines.
//!
//! What the specification asks for, and how it is answered here: `infrastructure/botnet` needs
//! `compromise_evidence`, and spam is one of the capabilities it knows. `messaging/spam` over SMTP needs
//! the sender of the spam and the source port; where a message is kept but one of the two is not known,
//! the report stays a botnet's, with the message as evidence, for none is made up. There is no field for
//! the sharing mark: it is a tag, like the ticket. A source is one identifier: a range becomes one
//! report for each CIDR block.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::Settings;
use super::evidence::Evidence;
use super::hosts::{Host, Line};
use super::redact::Redacted;
use crate::model::{AddressRange, Mailbox, Timestamp, hex, plain_text};

const VERSION: &str = "4.2.0";

/// The latest observations of a host that a report holds. (An item may have 5 MiB.)
const ROWS: usize = 1_000;

/// Bytes of a report beside its evidence, at most.
const FRAME: usize = 8_192;

/// What all reports of one letter have in common.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reports<'a> {
    pub(super) settings: &'a Settings,
    pub(super) ticket: &'a str,
    pub(super) evidence: Evidence<'a>,
}

#[derive(Debug, Serialize)]
struct Report {
    xarf_version: &'static str,
    report_id: String,
    /// When the source was seen last.
    timestamp: Timestamp,
    /// Whose complaint it is, and who files it: here the same, each with the address that is read.
    reporter: Party,
    sender: Party,
    source_identifier: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_port: Option<u16>,
    category: &'static str,
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    evidence_source: Option<&'static str>,
    evidence: Vec<Item>,
    tags: Vec<String>,
    description: String,
    #[serde(flatten)]
    about: About,
    // Beyond the specification, which lets every report have more.
    #[serde(skip_serializing_if = "Option::is_none")]
    first_seen: Option<Timestamp>,
    last_seen: Timestamp,
    observations: usize,
}

#[derive(Debug, Serialize)]
struct Party {
    org: String,
    contact: Mailbox,
    domain: String,
}

impl Party {
    fn new(org: &str, contact: &Mailbox) -> Self {
        Self {
            org: plain_text(org, 200),
            contact: contact.clone(),
            domain: contact.domain().to_owned(),
        }
    }
}

#[derive(Debug, Serialize)]
struct Item {
    content_type: &'static str,
    description: String,
    payload: String,
    hash: String,
    size: usize,
}

impl Item {
    fn new(content_type: &'static str, description: String, content: &[u8]) -> Self {
        Self {
            content_type,
            description,
            payload: STANDARD.encode(content),
            hash: format!("sha256:{}", hex(&Sha256::digest(content))),
            size: content.len(),
        }
    }
}

/// What only one type of report has.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum About {
    Botnet {
        bot_capabilities: [&'static str; 1],
        compromise_evidence: String,
    },
    Spam {
        protocol: &'static str,
        smtp_from: Mailbox,
        #[serde(skip_serializing_if = "Option::is_none")]
        smtp_to: Option<String>,
        subject: String,
        #[serde(skip_serializing_if = "String::is_empty")]
        message_id: String,
    },
}

impl Reports<'_> {
    /// The reports of one host, each with the block it is about; none where nobody said when it was
    /// seen, for a report must.
    ///
    /// # Errors
    /// When a report cannot be written down.
    pub(super) fn of(
        &self,
        host: Host<'_>,
        message: Option<&Redacted>,
    ) -> Result<Vec<(AddressRange, Vec<u8>)>, String> {
        let (Some(range), Some(last_seen)) = (host.range(), host.last_seen()) else {
            return Ok(Vec::new());
        };
        let blocks = range.blocks().into_iter();
        let reports = blocks.map(|block| {
            let report = self.report(host, block, last_seen, message)?;
            let json = serde_json::to_vec_pretty(&report).map_err(|error| error.to_string())?;
            Ok((block, json))
        });
        reports.collect()
    }

    fn report(
        &self,
        host: Host<'_>,
        block: AddressRange,
        last_seen: Timestamp,
        message: Option<&Redacted>,
    ) -> Result<Report, String> {
        let line = Line::of(block, vec![host]);
        let kept = &host.rows[host.rows.len().saturating_sub(ROWS)..];
        let rows = Evidence {
            rows: kept,
            ..self.evidence
        };
        let rows = rows.csv().map_err(|error| error.to_string())?;
        let told = match host.rows.len() > kept.len() {
            true => format!(
                "The latest {} of {} observations",
                kept.len(),
                host.rows.len()
            ),
            false => "All observations".to_owned(),
        };
        let mut evidence = vec![Item::new("text/csv", told + ", times in UTC", &rows)];
        // The report of a message is about that observation: its time and its port.
        let sampled = host.sampled().filter(|_| message.is_some());
        let spam = message.zip(sampled).and_then(|(message, row)| {
            let known = (message.mail_from.clone()?, row.port?, row.seen_at?);
            (!message.header.is_empty()).then_some((message, known))
        });
        if let Some(message) = message {
            let content = format!("{}\r\n{}", message.header, message.body);
            let (kind, what) = match message.header.is_empty() {
                true => ("text/plain", "What was sent"),
                false => ("message/rfc822", "The message"),
            };
            let what = format!("{what}; its recipients have been made unrecognisable (RFC 6590)");
            evidence.push(Item::new(kind, what, content.as_bytes()));
        }
        let (category, kind, timestamp, port, about) = match spam {
            Some((message, (from, port, seen_at))) => (
                "messaging",
                "spam",
                seen_at,
                Some(port),
                About::Spam {
                    protocol: "smtp",
                    smtp_from: from,
                    smtp_to: message.recipient.clone(),
                    subject: message.subject.clone(),
                    message_id: message.message_id.clone(),
                },
            ),
            None => (
                "infrastructure",
                "botnet",
                last_seen,
                port_at(host, last_seen),
                About::Botnet {
                    bot_capabilities: ["spam"],
                    compromise_evidence: how_known(&line),
                },
            ),
        };
        Ok(Report {
            xarf_version: VERSION,
            report_id: self.report_id(block, timestamp),
            timestamp,
            reporter: Party::new(&self.settings.sender_name, &self.settings.reply_to),
            sender: Party::new(&self.settings.sender_name, &self.settings.sender),
            source_identifier: block.to_string(),
            source_port: port,
            category,
            kind,
            evidence_source: evidence_source(&line, category),
            evidence,
            tags: self.tags(&line),
            description: format!(
                "This source is suspected of sending spam, perhaps without the knowledge of its user. \
                 Please see {} for the letter, and answer to {}.",
                self.ticket, self.settings.reply_to
            ),
            about,
            first_seen: host.first_seen(),
            last_seen,
            observations: host.rows.len(),
        })
    }

    /// Made of what the report is about, so that the same letter has the same report at each attempt.
    /// It looks like one of chance (version 4, RFC 9562 5.4), for that is what the specification names.
    fn report_id(&self, block: AddressRange, seen_at: Timestamp) -> String {
        let sender = &self.settings.sender;
        let about = format!("{sender}\n{}\n{block}\n{seen_at}", self.ticket);
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&Sha256::digest(about)[..16]);
        bytes[6] = bytes[6] & 0x0f | 0x40;
        bytes[8] = bytes[8] & 0x3f | 0x80;
        let digits = hex(&bytes);
        let (a, b, c) = (&digits[..8], &digits[8..12], &digits[12..16]);
        format!("{a}-{b}-{c}-{}-{}", &digits[16..20], &digits[20..])
    }

    fn tags(&self, line: &Line<'_>) -> Vec<String> {
        let mark = self
            .evidence
            .tlp
            .map(|mark| format!("tlp:{}", mark.as_str()));
        let class = line.rows().last().map_or("", |row| &row.class);
        let class = Some(tag_word(class)).filter(|word| !word.is_empty());
        let terminal = line.rows().last().map(|row| row.terminal.as_str());
        mark.map(|tag| tag.to_ascii_lowercase())
            .into_iter()
            .chain(Some(format!("ticket:{}", tag_word(self.ticket))))
            .chain(class.map(|word| format!("class:{word}")))
            .chain(terminal.map(|word| format!("terminal:{word}")))
            .collect()
    }
}

/// The most bytes that a report can take, where the rows take `csv` bytes as CSV and the message has
/// `message` bytes.
pub(super) fn most_bytes(csv: usize, message: usize) -> usize {
    let base64 = |bytes: usize| bytes.div_ceil(3) * 4;
    FRAME + base64(csv + 512) + base64(message)
}

/// Whether the reports of a host tell all that is known of it.
pub(super) fn tells_all(host: Host<'_>) -> bool {
    host.last_seen().is_some() && host.rows.len() <= ROWS
}

/// The port that belongs to this moment, not to another: it tells one customer from the next only
/// together with its time.
fn port_at(host: Host<'_>, seen_at: Timestamp) -> Option<u16> {
    let rows = host.rows.iter().rev();
    rows.take_while(|row| row.seen_at == Some(seen_at))
        .find_map(|row| row.port)
}

fn how_known(line: &Line<'_>) -> String {
    let mut text = format!(
        "Observations: {}; class: {}; source: {}",
        line.times,
        line.values(|row| &row.class),
        line.values(|row| &row.source)
    );
    if let Some(row) = line.latest_told() {
        text.push_str("; latest evidence: ");
        text.push_str(&row.evidence);
    }
    plain_text(&text, 1_000)
}

/// The specification's word for what saw it, where the feed's own words have one.
fn evidence_source(line: &Line<'_>, category: &str) -> Option<&'static str> {
    const WORDS: [(&str, &str); 9] = [
        ("honeypot", "honeypot"),
        ("trap", "spamtrap"),
        ("complain", "user_complaint"),
        ("fbl", "user_complaint"),
        ("filter", "automated_filter"),
        ("dnsbl", "reputation_feed"),
        ("blocklist", "reputation_feed"),
        ("flow", "flow_analysis"),
        ("sinkhole", "traffic_analysis"),
    ];
    let source = line.rows().last()?.source.to_ascii_lowercase();
    let (_, word) = WORDS.into_iter().find(|(part, _)| source.contains(part))?;
    // Reports of messages know fewer words.
    let is_known = category != "messaging" || !word.ends_with("_analysis");
    is_known.then_some(word)
}

/// Letters, digits, `-` and `+`, as a tag's value may have them.
fn tag_word(text: &str) -> String {
    let signs = text.chars().map(|c| match c.to_ascii_lowercase() {
        c if c.is_ascii_alphanumeric() => c,
        _ => '-',
    });
    let word: String = signs.take(64).collect();
    word.trim_matches('-').to_owned()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use serde_json::Value;

    use super::super::hosts::{hosts, tests::rows};
    use super::super::redact::Redactor;
    use super::*;
    use crate::model::Tlp;
    use crate::store::{SampleKey, SuspectRow};

    fn reports(rows: &[SuspectRow], message: Option<&str>) -> Vec<Value> {
        let networks = HashMap::new();
        let nothing = std::path::Path::new("/dev/null");
        let read = crate::config::load(Some(nothing), std::iter::empty(), &[]);
        let settings = Settings::from_config(&read.unwrap().config).unwrap();
        let reports = Reports {
            settings: &settings,
            ticket: "LW-000042-5",
            evidence: Evidence {
                rows,
                networks: &networks,
                tlp: Some(Tlp::AmberStrict),
            },
        };
        let message = message.map(|message| Redactor::new(b"key".to_vec()).redact(message));
        let all = hosts(rows).flat_map(|host| reports.of(host, message.as_ref()).unwrap());
        all.map(|(_, json)| serde_json::from_slice(&json).unwrap())
            .collect()
    }

    /// The facts of the published schema, core and type: what a report must have, and of what form.
    fn check(report: &Value) {
        let text = |key: &str| {
            report[key]
                .as_str()
                .unwrap_or_else(|| panic!("{key}: {report}"))
        };
        assert_eq!(text("xarf_version"), "4.2.0");
        let id: Vec<&str> = text("report_id").split('-').collect();
        assert_eq!(
            id.iter().map(|part| part.len()).collect::<Vec<_>>(),
            [8, 4, 4, 4, 12]
        );
        assert!(id.concat().bytes().all(|b| b.is_ascii_hexdigit()));
        assert!(id[2].starts_with('4') && id[3].starts_with(['8', '9', 'a', 'b']));
        assert!(
            text("timestamp").parse::<jiff::Timestamp>().is_ok()
                && text("timestamp").ends_with('Z')
        );
        for party in ["reporter", "sender"] {
            let party = report[party].as_object().unwrap();
            assert_eq!(
                party.keys().collect::<Vec<_>>(),
                ["org", "contact", "domain"]
            );
            assert!(
                party["contact"]
                    .as_str()
                    .unwrap()
                    .parse::<Mailbox>()
                    .is_ok()
            );
            assert!(party["org"].as_str().unwrap().chars().count() <= 200);
        }
        assert!(
            text("source_identifier")
                .parse::<AddressRange>()
                .unwrap()
                .cidr()
                .is_some()
        );
        if let Some(port) = report.get("source_port") {
            assert!((1..=65_535).contains(&port.as_u64().unwrap()));
        }
        let items = report["evidence"].as_array().unwrap();
        assert!((1..=50).contains(&items.len()));
        for item in items {
            assert!(item.as_object().unwrap().keys().all(|key| {
                ["content_type", "description", "payload", "hash", "size"].contains(&key.as_str())
            }));
            let content = STANDARD.decode(item["payload"].as_str().unwrap()).unwrap();
            assert_eq!(item["size"], content.len());
            assert!(content.len() <= 5_242_880);
            assert_eq!(
                item["hash"],
                format!("sha256:{}", hex(&Sha256::digest(&content)))
            );
            assert!(item["description"].as_str().unwrap().chars().count() <= 500);
        }
        let tags = report["tags"].as_array().unwrap();
        assert!(tags.len() <= 20);
        for tag in tags {
            let (space, word) = tag.as_str().unwrap().split_once(':').unwrap();
            let is_inner =
                |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_+-".contains(c);
            let is_first = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
            for part in [space, word] {
                assert!(
                    part.starts_with(is_first) && part.chars().all(is_inner),
                    "{tag}"
                );
            }
        }
        assert!(text("description").chars().count() <= 1_000);
        assert!(report.get("_internal").is_none());
        let source = report.get("evidence_source").and_then(Value::as_str);
        match (text("category"), text("type")) {
            ("infrastructure", "botnet") => {
                assert!(!text("compromise_evidence").is_empty());
                assert_eq!(report["bot_capabilities"], serde_json::json!(["spam"]));
            }
            ("messaging", "spam") => {
                assert_eq!(text("protocol"), "smtp");
                assert!(text("smtp_from").parse::<Mailbox>().is_ok());
                assert!(report.get("source_port").is_some());
                assert!(text("subject").chars().count() <= 500);
                let words = [
                    "spamtrap",
                    "user_complaint",
                    "automated_filter",
                    "honeypot",
                    "content_analysis",
                    "reputation_feed",
                ];
                assert!(source.is_none_or(|source| words.contains(&source)));
            }
            other => panic!("{other:?}"),
        }
    }

    const SAMPLE: &str = "Return-Path: <pills@shop.example>\r\nReceived: from pc ([192.0.2.1]) by mx.trap.example \
                          for <victim@trap.example>; Sun, 1 Nov 2026 04:05:06 +0000\r\nTo: Vic Tim <victim@trap.example>\r\n\
                          Subject: Cheap pills\r\nMessage-ID: <1@shop.example>\r\n\r\nDear victim,\r\nbuy.\r\n";

    #[test]
    fn a_host_without_a_message_is_a_bot_that_sends_spam() {
        let mut rows = rows("192.0.2.1@10 192.0.2.1@20");
        rows[0].port = Some(4_711);
        rows[1].class = "Spam: Bot \"A\"".to_owned();
        let told = reports(&rows, None);
        let [report] = told.as_slice() else {
            panic!("{told:?}")
        };
        check(report);
        assert_eq!(report["category"], "infrastructure");
        assert_eq!(report["timestamp"], "1970-01-01T00:00:20Z");
        // The port was another moment's.
        assert!(report.get("source_port").is_none());
        assert_eq!(report["evidence_source"], "spamtrap");
        assert_eq!(
            report["tags"],
            serde_json::json!([
                "tlp:amber+strict",
                "ticket:lw-000042-5",
                "class:spam--bot--a",
                "terminal:unknown"
            ])
        );
        let csv = STANDARD
            .decode(report["evidence"][0]["payload"].as_str().unwrap())
            .unwrap();
        assert_eq!(String::from_utf8(csv).unwrap().lines().count(), 3);
        assert_eq!(
            reports(&rows, None),
            told,
            "the same letter, the same report"
        );
    }

    #[test]
    fn a_host_with_a_message_is_reported_with_it() {
        let mut rows = rows("192.0.2.1@10 192.0.2.1@20");
        rows[0].port = Some(4_711);
        rows[0].sample = Some(SampleKey {
            suspect: 1,
            size: 9,
        });
        let told = reports(&rows, Some(SAMPLE));
        check(&told[0]);
        assert_eq!(told[0]["type"], "spam");
        assert_eq!(told[0]["source_port"], 4_711);
        assert_eq!(told[0]["timestamp"], "1970-01-01T00:00:10Z");
        assert_eq!(told[0]["smtp_from"], "pills@shop.example");
        assert_eq!(told[0]["subject"], "Cheap pills");
        let whole = told[0].to_string();
        let message = STANDARD
            .decode(told[0]["evidence"][1]["payload"].as_str().unwrap())
            .unwrap();
        let message = String::from_utf8(message).unwrap();
        for text in [&whole, &message] {
            assert!(!text.to_lowercase().contains("victim"), "{text}");
        }
        assert!(
            message.contains("by mx.trap.example; Sun, 1 Nov"),
            "{message}"
        );
        // Without a port, or without a sender, it cannot be a report of spam.
        rows[0].port = None;
        let no_port = reports(&rows, Some(SAMPLE));
        rows[0].port = Some(25);
        let no_sender = reports(&rows, Some("Subject: x\r\n\r\nbuy\r\n"));
        let no_header = reports(&rows, Some("buy now\r\n"));
        for (told, kind) in [
            (no_port, "message/rfc822"),
            (no_sender, "message/rfc822"),
            (no_header, "text/plain"),
        ] {
            check(&told[0]);
            assert_eq!(told[0]["type"], "botnet");
            assert_eq!(told[0]["evidence"][1]["content_type"], kind);
        }
    }

    #[test]
    fn a_range_is_reported_by_block_and_what_has_no_time_not_at_all() {
        let told = reports(
            &rows("192.0.2.0/28@1 192.0.2.127-192.0.2.128@2 2001:db8::9@3 192.0.2.200"),
            None,
        );
        let sources: Vec<&str> = told
            .iter()
            .map(|one| one["source_identifier"].as_str().unwrap())
            .collect();
        assert_eq!(
            sources,
            ["192.0.2.0/28", "192.0.2.127", "192.0.2.128", "2001:db8::9"]
        );
        let mut ids: Vec<String> = told
            .iter()
            .map(|one| one["report_id"].to_string())
            .collect();
        told.iter().for_each(check);
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 4);
    }

    #[test]
    fn whatever_is_told_the_report_keeps_its_form_and_size() {
        for word in [
            "\"},{\"",
            "\u{202e}x",
            "=1+1",
            "\\",
            "",
            "....",
            &"\"".repeat(64),
        ] {
            let mut rows = rows("192.0.2.1@1 192.0.2.1@2");
            for row in &mut rows {
                word.clone_into(&mut row.class);
                word.clone_into(&mut row.source);
                row.evidence = word.repeat(15);
            }
            let told = reports(&rows, None);
            check(&told[0]);
            let csv = rows.iter().map(super::super::evidence::csv_bytes).sum();
            let most = most_bytes(csv, 0);
            assert!(serde_json::to_vec_pretty(&told[0]).unwrap().len() <= most);
        }
    }
}
