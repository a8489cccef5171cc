//! Complaints about mail of ours, and reports that it failed authentication (RFC 5965, 6591), with their dialects.

use super::address;
use super::fields::{Fields, name_of};
use super::frame::Frame;
use super::reasons::floor;

/// Bytes of a text in which a complaint says that it is one.
const PROSE: usize = 4096;

/// What a complaint is about.
#[derive(Debug, Default)]
pub(super) struct Feedback {
    /// Who complains, as far as it is told.
    pub(super) recipients: Vec<String>,
    pub(super) message_id: Option<String>,
    pub(super) envelope_id: Option<String>,
    /// Somebody wants no such mail.
    pub(super) is_complaint: bool,
    pub(super) says: String,
}

/// What a report is called that no person made: mail that failed authentication (RFC 6591), that
/// carried a virus, or that somebody took for good after all (RFC 5965 7.3).
const OF_MACHINES: [&str; 7] = [
    "auth-failure",
    "dmarc",
    "dkim",
    "spf",
    "virus",
    "not-spam",
    "authentication failure",
];

/// Whether it is one, by its parts or by how those that have none are written.
pub(super) fn read(
    frame: &Frame,
    header: &Fields,
    letter: Option<&Fields>,
    text: &str,
) -> Option<Feedback> {
    let part = frame
        .reports("/feedback-report")
        .find(|(part, _)| part.level == 0);
    if let Some((_, text)) = part {
        return Some(Feedback::of(&Fields::of_lines(
            text.lines().map(str::trim_start),
        )));
    }
    let subject = header.decoded("subject").to_ascii_lowercase();
    let from = header
        .address("from")
        .unwrap_or_default()
        .to_ascii_lowercase();
    let has_letter = frame
        .parts
        .iter()
        .any(|part| part.is_message() || part.is_header());
    // Hotmail's Junk Mail Reporting Program sends the letter, and says who by a field of its own.
    let marked = letter
        .map(|letter| letter.addresses("x-hmxmroriginalrecipient"))
        .unwrap_or_default();
    if !marked.is_empty()
        || subject
            .trim_start()
            .starts_with("complaint about message from")
        || (from.starts_with("staff@hotmail.") && has_letter)
    {
        let recipients = if marked.is_empty() {
            letter
                .map(|letter| letter.addresses("to"))
                .unwrap_or_default()
        } else {
            marked
        };
        return Some(Feedback {
            recipients,
            is_complaint: true,
            says: format!("subject: {subject}"),
            ..Feedback::default()
        });
    }
    if header.has("x-apple-unsubscribe") {
        return Some(Feedback {
            is_complaint: true,
            says: "a mail program asks to stop at a click".to_owned(),
            ..Feedback::default()
        });
    }
    let lower = text[..floor(text, PROSE)].to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|words| lower.contains(words));
    let is_of_machine = says(&[
        "authentication failure report",
        "dmarc failure report",
        "failed the published dmarc policy",
    ]);
    let is_told = is_of_machine || says(&["email abuse report", "this is a spam complaint"]);
    if is_told || lower.contains("feedback-type") {
        let lines = text
            .lines()
            .take(200)
            .map(|line| line.trim_start_matches([' ', '\t', '>']));
        let fields = Fields::of_lines(lines.filter(|line| name_of(line).is_some()));
        let is_written_out = fields.has("feedback-type")
            && (fields.has("user-agent") || fields.has("version") || fields.has("source-ip"));
        // Complaints and DMARC failure reports of some servers are prose, and the letter.
        if is_written_out || (is_told && (letter.is_some() || fields.has("source-ip"))) {
            let found = Feedback::of(&fields);
            return Some(Feedback {
                is_complaint: found.is_complaint && !is_of_machine,
                ..found
            });
        }
    }
    let is_titled = [
        "abuse report",
        "feedback report",
        "spam complaint",
        "fbl report",
        "dmarc failure report",
        "authentication failure report",
    ]
    .iter()
    .any(|words| subject.contains(words));
    (is_titled && frame.kind == "multipart/report").then(|| Feedback {
        is_complaint: !is_machines(&subject),
        says: format!("subject: {subject}"),
        ..Feedback::default()
    })
}

fn is_machines(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    OF_MACHINES.iter().any(|word| text.contains(word))
}

impl Feedback {
    fn of(fields: &Fields) -> Self {
        let kind = fields.get("feedback-type").unwrap_or("failure");
        let mut recipients: Vec<String> = Vec::new();
        for name in [
            "original-rcpt-to",
            "removal-recipient",
            "x-hmxmroriginalrecipient",
        ] {
            for one in fields.all(name).filter_map(address::first) {
                if !recipients.iter().any(|known| address::same(known, one)) {
                    recipients.push(one.to_owned());
                }
            }
        }
        Self {
            recipients,
            message_id: ["message-id", "original-message-id", "x-original-message-id"]
                .iter()
                .find_map(|name| fields.ids(name).into_iter().next()),
            envelope_id: fields.get("original-envelope-id").map(str::to_owned),
            is_complaint: !is_machines(kind),
            says: format!("feedback-type: {kind}"),
        }
    }
}
