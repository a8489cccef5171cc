//! Whoever writes the feed or the registry's text writes no part of the letter but the words in
//! their places.

use lapwing::model::{Format, Letter};
use lapwing::send;
use mail_parser::{MessageParser, MessagePart, MimeHeaders, PartType};
use serde_json::json;
use unicode_width::UnicodeWidthStr;

use crate::desk::{attached, rows_of};
use crate::story;
use crate::world::World;

/// What a stranger may put into any field.
fn poison() -> Vec<String> {
    let mut values: Vec<String> = [
        "x\r\nBcc: victim@evil.example\r\n\r\nbody",
        "x\nSubject: pay now",
        "</pre></td><script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "<!-- <h1>Pay</h1>",
        "&lt;b&gt; &amp; <b>",
        "{{ticket}} {{{body}}} {{> letter}} {{#if x}}",
        "[[evidence]]",
        "# Pay here",
        "- pay here",
        "1. pay here",
        "    pay here",
        "---",
        "=cmd|'/c calc'!A1",
        "@SUM(A1:A9)",
        "abc\u{202e}drowssap\u{2066}\u{200f}\u{2028}second line",
        "nul\0and\u{1b}[31mred\u{7f}",
        "=?utf-8?q?=0D=0ABcc:_victim@evil.example?=",
        ".\r\n.\r\nQUIT",
    ]
    .map(str::to_owned)
    .to_vec();
    values.push("A".repeat(10_000));
    values.push("many words ".repeat(1_000));
    values.push("漢字".repeat(2_500));
    values
}

/// The same story with the given words in every field: a network, an agency and three suspects
/// each, and a letter for each network.
async fn letters_with(world: &World, words: &[String], with_messages: bool) -> Vec<Letter> {
    let (mut table, mut feed, mut roll) = (String::new(), String::new(), String::new());
    for (place, word) in words.iter().enumerate() {
        let (first, mailbox) = (place * 4, format!("desk{place:02}@isp.example"));
        let network = json!({
            "range": format!("192.0.2.{first}/30"), "country": "JP", "abuse": mailbox, "asn": "64500",
            "name": word, "holder": word, "handle": word, "registry": word,
        });
        table += &format!("{network}\n");
        let agency = json!({
            "agency": format!("{word} {place}"), "country": "KR", "local_name": word, "framework": word,
        });
        roll += &format!("{agency}\n");
        for (host, field) in ["class", "source", "evidence"].into_iter().enumerate() {
            let mut suspect = json!({
                "ip": format!("192.0.2.{}", first + host), "seen": "2026-11-01T00:00:00Z",
                "class": "spam", "source": "trap", "evidence": "log", "port": 25, "terminal": word,
            });
            suspect[field] = json!(word);
            if field == "class" && with_messages {
                suspect["sample"] = json!(message_of(word));
            }
            feed += &format!("{suspect}\n");
        }
    }
    world.table(&table).await;
    world.roll(&roll).await;
    let done = world.feed(&feed).await;
    assert_eq!(
        done.counts.fresh as usize,
        words.len() * 3,
        "{:?}",
        done.refusals
    );
    world.resolve().await;
    world.compose().await;
    world.opened().await
}

story!(
    nothing_from_outside_becomes_part_of_a_letters_form,
    world,
    {
        let poison = poison();
        let letters = letters_with(&world, &poison, false).await;
        assert_eq!(letters.len(), poison.len());

        // The same letters with plain words are the measure.
        let plain_world = World::on_sqlite().await;
        let words: Vec<String> = (0..poison.len()).map(|n| format!("plain {n}")).collect();
        let plain_letters = letters_with(&plain_world, &words, false).await;
        for ((letter, plain), word) in letters.iter().zip(&plain_letters).zip(&poison) {
            let start: String = word.chars().take(40).collect();
            assert_eq!(tags(&letter.html), tags(&plain.html), "{start}");
            assert_eq!(headings(&letter.text), headings(&plain.text), "{start}");
            assert_eq!(headers(letter), headers(plain), "{start}");
            check_text(&letter.text);
            check_message(letter);
        }
    }
);

story!(what_strangers_wrote_is_shown_as_they_wrote_it, world, {
    let poison = poison();
    let letters = letters_with(&world, &poison, false).await;
    for (letter, word) in letters.iter().zip(&poison) {
        let is_shown_whole =
            word.len() < 60 && word.chars().all(|c| !c.is_control() && c != '\u{202e}');
        let word = word.trim();
        if is_shown_whole {
            assert!(letter.text.contains(word), "{word}\n{}", letter.text);
            let escaped = word
                .replace('&', "&amp;")
                .replace('<', "&lt;")
                .replace('>', "&gt;")
                .replace('"', "&quot;");
            assert!(letter.html.contains(&escaped), "{escaped}\n{}", letter.html);
        }
    }
});

/// A message with the same words in every place, after its header as well as in it.
fn message_of(word: &str) -> String {
    format!(
        "Delivered-To: patsy@trap.example\r\nReturn-Path: <a@shop.example>\r\nReceived: from {word} by mx.trap.example for <patsy@trap.example>; \
         {word}\r\nTo: {word} <patsy@trap.example>\r\nSubject: {word}\r\nMessage-ID: <{word}>\r\n\
         Content-Type: multipart/mixed; boundary=\"{word}\"\r\n\r\n{word}\r\n--{word}--\r\n.\r\npatsy\r\n"
    )
}

story!(
    no_message_becomes_part_of_a_letters_or_a_reports_form,
    world,
    {
        let poison = poison();
        for format in [Format::Csv, Format::Both, Format::Xarf] {
            let mut world = World::like(&world).await;
            world.config.letter.format = format;
            let letters = letters_with(&world, &poison, true).await;
            assert_eq!(
                letters.len(),
                if format == Format::Xarf {
                    poison.len() * 3
                } else {
                    poison.len()
                }
            );
            for letter in &letters {
                check_text(&letter.text);
                check_files(letter);
            }
        }
    }
);

/// As somebody else's parser reads them: each file is of one piece and of its form, and names nobody
/// who received the message.
fn check_files(letter: &Letter) {
    let bytes = send::message(letter).unwrap();
    assert!(bytes.is_ascii());
    for line in bytes.split(|byte| *byte == b'\n') {
        assert!(line.len() <= 999);
    }
    let message = MessageParser::default().parse(&bytes).unwrap();
    assert_eq!(
        message.attachment_count(),
        letter.attachments.len(),
        "{}",
        String::from_utf8_lossy(&bytes)
    );
    for (file, kept) in message.attachments().zip(&letter.attachments) {
        assert_eq!(file.attachment_name(), Some(kept.name.as_str()));
        match kept.media_type.as_str() {
            "message/rfc822" => check_report(file),
            "application/json" => {
                assert_eq!(file.contents(), kept.content);
                let report: serde_json::Value = serde_json::from_slice(&kept.content).unwrap();
                let told = serde_json::to_string(&report).unwrap();
                let is_unfit = |c: char| c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c);
                assert!(
                    !told.contains(is_unfit) && !told.contains("patsy"),
                    "{told}"
                );
                let known = ["infrastructure/botnet", "messaging/spam"];
                let kind = format!("{}/{}", report["category"], report["type"]).replace('"', "");
                assert!(known.contains(&kind.as_str()), "{kind}");
            }
            "text/csv; charset=utf-8; header=present" => {
                let rows = rows_of(file.contents());
                assert!(rows.len() as i64 == letter.rows && rows.iter().all(|row| row.len() == 11));
            }
            // The leaflet.
            other => assert!(other.starts_with("text/plain"), "{other}"),
        }
    }
}

fn check_report(file: &MessagePart<'_>) {
    let PartType::Message(report) = &file.body else {
        panic!("{file:?}");
    };
    let kinds: Vec<String> = report
        .parts
        .iter()
        .take(4)
        .map(|part| {
            let kind = part.content_type().unwrap();
            format!("{}/{}", kind.ctype(), kind.subtype().unwrap_or_default())
        })
        .collect();
    assert_eq!(
        kinds[..3],
        ["multipart/report", "text/plain", "message/feedback-report"]
    );
    assert!(["message/rfc822", "text/rfc822-headers"].contains(&kinds[3].as_str()));
    assert_eq!(report.parts.len(), 4);
    let to: Vec<_> = report
        .to()
        .unwrap()
        .iter()
        .filter_map(|one| one.address())
        .collect();
    assert_eq!(to.len(), 1);
    let fields = String::from_utf8_lossy(report.parts[2].contents()).into_owned();
    for line in fields.lines() {
        let name = line.split(':').next().unwrap();
        let known = [
            "Feedback-Type",
            "User-Agent",
            "Version",
            "Source-IP",
            "Source-Port",
            "Arrival-Date",
            "Original-Mail-From",
            "Original-Rcpt-To",
            "Incidents",
        ];
        assert!(line.is_empty() || known.contains(&name), "{fields}");
    }
    let whole = String::from_utf8_lossy(report.raw_message());
    assert!(!whole.contains("patsy"), "{whole}");
}

/// The tags of a page in order, after seeing that they are balanced and that there are none but
/// those of a letter.
fn tags(html: &str) -> Vec<String> {
    const KNOWN: [&str; 22] = [
        "!doctype", "html", "head", "meta", "title", "style", "body", "main", "section", "h2", "p",
        "ul", "ol", "li", "pre", "table", "thead", "tbody", "tr", "th", "td", "hr",
    ];
    let (mut tags, mut open) = (Vec::new(), Vec::new());
    for piece in html.split('<').skip(1) {
        let (tag, text) = piece.split_once('>').unwrap();
        let name = tag.trim_start_matches('/').split(' ').next().unwrap();
        assert!(KNOWN.contains(&name), "<{tag}>");
        assert!(!text.contains('>') || name == "style", "{text}");
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name));
        } else if !["!doctype", "meta", "hr"].contains(&name) {
            open.push(name);
        }
        tags.push(tag.to_owned());
    }
    assert!(open.is_empty(), "{open:?}");
    tags
}

/// The lines that are underlined.
fn headings(text: &str) -> Vec<&str> {
    let lines: Vec<&str> = text.lines().collect();
    // One of 76 is the rule between the languages.
    let is_line =
        |line: &str| (1..76).contains(&line.len()) && line.bytes().all(|byte| byte == b'-');
    lines
        .windows(2)
        .filter(|pair| is_line(pair[1]))
        .map(|pair| pair[0])
        // The table's: columns stand two spaces apart.
        .filter(|heading| !heading.contains("  "))
        .collect()
}

/// One line after the other, none wider than 78 columns that could be broken, without control or
/// direction-changing characters.
fn check_text(text: &str) {
    for line in text.lines() {
        let one_word = !line.trim().contains(' ') && !line.contains('。');
        assert!(line.width() <= 78 || one_word, "{line}");
        let is_unfit = |c: char| {
            c.is_control()
                || ('\u{202a}'..='\u{202e}').contains(&c)
                || ('\u{2066}'..='\u{2069}').contains(&c)
        };
        assert!(!line.contains(is_unfit), "{line:?}");
    }
}

fn headers(letter: &Letter) -> Vec<String> {
    let bytes = send::message(letter).unwrap();
    let message = MessageParser::default().parse(&bytes).unwrap();
    let headers = message.headers().iter();
    headers.map(|header| header.name().to_owned()).collect()
}

/// As somebody else's parser reads the message: for one recipient, with one attachment of as many
/// rows as were told, none of which is a formula.
fn check_message(letter: &Letter) {
    let bytes = send::message(letter).unwrap();
    assert!(bytes.is_ascii());
    let message = MessageParser::default().parse(&bytes).unwrap();
    let to: Vec<_> = message
        .to()
        .unwrap()
        .iter()
        .filter_map(|one| one.address())
        .collect();
    assert_eq!(to, [letter.recipient.as_str()]);
    assert!(message.cc().is_none() && message.bcc().is_none());
    assert_eq!(message.subject(), Some(letter.subject.as_str()));
    let text = message.body_text(0).unwrap().replace("\r\n", "\n");
    assert_eq!(text.trim_end(), letter.text.trim_end());
    // The rows, and the leaflet.
    assert_eq!(message.attachment_count(), 2);
    let attachment = message.attachment(0).unwrap();
    assert_eq!(
        attachment.attachment_name(),
        Some(letter.attachments[0].name.as_str())
    );
    let rows = rows_of(attachment.contents());
    assert_eq!(rows, attached(letter));
    assert_eq!(rows.len(), 3);
    for cell in rows.iter().flat_map(|row| row.values()) {
        assert!(
            !cell.starts_with(['=', '+', '-', '@', '\t', '\r']),
            "{cell}"
        );
        assert!(!cell.contains(['\r', '\n', '\0', '\u{202e}']), "{cell}");
    }
}
