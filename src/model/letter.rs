//! A notice and its letters: what one contact is told, rendered and frozen.

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{Mailbox, Timestamp};

/// What one contact is told in one round of one campaign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Notice {
    #[serde(skip)]
    pub id: i64,
    pub round: i64,
    pub mailbox: Mailbox,
    /// The country most of its suspects are in; it decides language, note and first signatory.
    pub country: String,
    pub locale: String,
    pub suspects: i64,
    pub networks: i64,
}

/// One letter as it will leave. Everything a reader or a mail server sees of it stands here or
/// follows from it, so that each attempt sends the same bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Letter {
    #[serde(skip)]
    pub id: i64,
    pub ticket: String,
    pub part: i64,
    pub parts: i64,
    pub locale: String,
    pub country: String,
    pub sender_name: String,
    pub sender: Mailbox,
    pub reply_to: Mailbox,
    pub recipient: Mailbox,
    /// MAIL FROM: where bounces of this very letter come back to.
    pub envelope_from: Mailbox,
    /// Without angle brackets; the same at every attempt.
    pub message_id: String,
    pub dated_at: Timestamp,
    pub subject: String,
    pub text: String,
    pub html: String,
    /// Observations listed in its attachment.
    pub rows: i64,
    /// Where a click says that no more letters are wanted; empty: nowhere.
    pub opt_out: String,
    /// The fingerprint of the key that must sign it, as the letter shows it; empty: it is not signed.
    pub signed_by: String,
    pub attachments: Vec<Attachment>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Attachment {
    pub name: String,
    pub media_type: String,
    #[serde(skip)]
    pub content: Vec<u8>,
}

impl Letter {
    /// SHA-256 over all that leaves, each piece led by its length so that no two letters can
    /// share a digest by shifting text from one piece to the next.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut digest = Sha256::new();
        let mut add = |piece: &[u8]| {
            digest.update((piece.len() as u64).to_be_bytes());
            digest.update(piece);
        };
        for text in [
            self.ticket.as_str(),
            &self.locale,
            &self.sender_name,
            self.sender.as_str(),
            self.reply_to.as_str(),
            self.recipient.as_str(),
            self.envelope_from.as_str(),
            &self.message_id,
            &self.dated_at.0.to_string(),
            &format!("{}/{}", self.part, self.parts),
            &self.subject,
            &self.text,
            &self.html,
        ] {
            add(text.as_bytes());
        }
        for attachment in &self.attachments {
            add(attachment.name.as_bytes());
            add(attachment.media_type.as_bytes());
            add(&attachment.content);
        }
        // Letters from before there were signatures keep their digests.
        if !self.signed_by.is_empty() {
            add(format!("signed by {}", self.signed_by).as_bytes());
        }
        if !self.opt_out.is_empty() {
            add(self.opt_out.as_bytes());
        }
        hex(&digest.finalize())
    }
}

/// The digest of a whole rendered set: over the letters' digests in the order of their ids.
#[must_use]
pub fn digest_of_set<'a>(digests: impl Iterator<Item = &'a str>) -> String {
    let mut digest = Sha256::new();
    for one in digests {
        digest.update(one.as_bytes());
        digest.update(b"\n");
    }
    hex(&digest.finalize())
}

/// Lower-case hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

/// `LW-000042-5`: prefix, number of the notice, check digit (ISO 7064 MOD 11,10 over the number),
/// so that a ticket read out over the telephone or mistyped is noticed.
#[must_use]
pub fn ticket(prefix: &str, notice: i64) -> String {
    let number = format!("{notice:06}");
    let check = check_digit(&number);
    format!("{prefix}-{number}-{check}")
}

/// Whether a text is a ticket with the right check digit.
#[must_use]
pub fn is_ticket(text: &str) -> bool {
    let mut pieces = text.trim().rsplitn(3, '-');
    let (Some(check), Some(number), Some(prefix)) = (pieces.next(), pieces.next(), pieces.next())
    else {
        return false;
    };
    !prefix.is_empty()
        && number.len() >= 6
        && number.chars().all(|c| c.is_ascii_digit())
        && check == check_digit(number).to_string()
}

/// A ticket as people type it or copy it from a subject, in the form that letters show: with other dashes
/// or none, in brackets, in lower case, full-width. What cannot be made one is given back as it is.
#[must_use]
pub fn typed_ticket(text: &str, prefix: &str) -> String {
    let narrow = |c: char| match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(c as u32 - 0xfee0).unwrap_or(c),
        _ => c,
    };
    let upper: String = text.trim().chars().map(narrow).collect();
    let upper = upper.to_ascii_uppercase();
    let inside = upper
        .strip_prefix('[')
        .and_then(|text| text.split_once(']'));
    let inside = inside.map_or(upper.as_str(), |(inside, _)| inside);
    let signs: String = inside.chars().filter(char::is_ascii_alphanumeric).collect();
    let letters = inside.chars().filter(|c| c.is_alphanumeric());
    // Signs that no ticket has are no slip of the pen. Katakana's long sound passes for a dash.
    let is_strange = letters.filter(|c| *c != 'ー').count() != signs.len();
    let prefix = prefix.to_ascii_uppercase();
    let digits = match signs.strip_prefix(&prefix) {
        Some(digits) => digits,
        // Of another installation, or of earlier settings.
        None => signs.trim_start_matches(|c: char| c.is_ascii_alphabetic()),
    };
    let lead = &signs[..signs.len() - digits.len()];
    let is_number = !lead.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    match digits
        .len()
        .checked_sub(1)
        .map(|last| digits.split_at(last))
    {
        Some((number, check)) if is_number && !is_strange && is_canonical(number) => {
            format!("{lead}-{number}-{check}")
        }
        _ => upper,
    }
}

/// Six digits, and more only where six do not do.
fn is_canonical(number: &str) -> bool {
    number.len() == 6 || number.len() > 6 && !number.starts_with('0')
}

fn check_digit(number: &str) -> u32 {
    let product = number
        .chars()
        .filter_map(|c| c.to_digit(10))
        .fold(10, |product, digit| {
            let sum = match (product + digit) % 10 {
                0 => 10,
                sum => sum,
            };
            (sum * 2) % 11
        });
    (11 - product) % 10
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_is_understood_as_people_type_it() {
        for typed in [
            "LW-000001-7",
            " lw 000001 7 ",
            "[LW-000001-7]",
            "[lw-000001-7] Suspected spam-sending machines in your network",
            "LW0000017",
            "LW–000001—7",
            "LW‑000001‑7",
            "ＬＷ－０００００１－７",
            "LWー000001ー7",
            "LW_000001/7.",
        ] {
            assert_eq!(typed_ticket(typed, "LW"), "LW-000001-7", "{typed}");
        }
        assert_eq!(typed_ticket("n60 000001-7", "N60"), "N60-000001-7");
        assert_eq!(typed_ticket("XY 1000001 3", "LW"), "XY-1000001-3");
        // Not made up into one.
        for typed in [
            "HELLO",
            "",
            "[]",
            "LW-0000001-7",
            "LW-1-7",
            "000001-7",
            "ЛW-000001-7",
        ] {
            assert_eq!(typed_ticket(typed, "LW"), typed);
        }
    }

    #[test]
    fn the_check_digit_is_the_standards() {
        // ISO 7064's own example for MOD 11,10: 0794 has the check digit 5.
        assert_eq!(check_digit("0794"), 5);
    }

    #[test]
    fn a_mistyped_ticket_is_noticed() {
        let good = ticket("LW", 42);
        assert!(is_ticket(&good), "{good}");
        for position in 3..9 {
            for digit in '0'..='9' {
                let mut typed: Vec<char> = good.chars().collect();
                if typed[position] != digit {
                    typed[position] = digit;
                    assert!(!is_ticket(&typed.iter().collect::<String>()));
                }
            }
        }
        for text in ["", "LW", "LW-42-1", "-000042-5", "LW-00004x-5"] {
            assert!(!is_ticket(text), "{text}");
        }
    }
}
