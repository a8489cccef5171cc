//! A message that came back to us, before anybody has read it.

use sha2::{Digest, Sha256};

use super::{Timestamp, hex};

/// Bytes of a message that are kept.
pub const KEPT: usize = 1 << 20;

/// How a message came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WayIn {
    /// RFC 2033, from the mail server that keeps the domain of bounces.
    Lmtp,
    /// Fetched out of a mailbox.
    Imap,
    /// Read from a file, or from standard input.
    File,
}

impl WayIn {
    pub const ALL: [Self; 3] = [Self::Lmtp, Self::Imap, Self::File];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Lmtp => "lmtp",
            Self::Imap => "imap",
            Self::File => "file",
        }
    }

    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|way| way.as_str() == text)
    }
}

/// A message for one recipient of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrived {
    pub via: WayIn,
    pub came_at: Timestamp,
    /// Empty for the null reverse-path; `None` where nobody has told it.
    pub envelope_from: Option<String>,
    /// Empty where nobody has told it.
    pub envelope_to: String,
    /// Bytes of the whole message.
    pub size: u64,
    /// At most [`KEPT`] of it.
    pub message: Vec<u8>,
}

impl Arrived {
    /// The same for the same message to the same recipient, however often it is handed over, and by whichever
    /// way: what mail servers on the way write above it (RFC 5321 4.4) is not looked at.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut digest = Sha256::new();
        for piece in [
            self.envelope_to.to_ascii_lowercase().as_bytes(),
            without_trace(&self.message),
        ] {
            digest.update((piece.len() as u64).to_be_bytes());
            digest.update(piece);
        }
        hex(&digest.finalize())
    }
}

/// Fields that are written above a message on its way.
const TRACE: [&[u8]; 5] = [
    b"received:",
    b"return-path:",
    b"delivered-to:",
    b"x-original-to:",
    b"x-received:",
];

/// From the first line on that its author has written.
fn without_trace(message: &[u8]) -> &[u8] {
    let mut rest = message;
    let mut is_trace = false;
    loop {
        let end = rest.iter().position(|byte| *byte == b'\n');
        let (line, next) = rest.split_at(end.map_or(rest.len(), |end| end + 1));
        // A line that begins with a space goes on with the field before it.
        if !line
            .first()
            .is_some_and(|byte| matches!(byte, b' ' | b'\t'))
        {
            is_trace = TRACE.iter().any(|field| {
                let name = line.get(..field.len());
                name.is_some_and(|name| name.eq_ignore_ascii_case(field))
            });
        }
        if !is_trace || line.is_empty() {
            return rest;
        }
        rest = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_on_the_way_makes_no_other_message() {
        let digest = |message: &str| {
            let arrived = Arrived {
                via: WayIn::Lmtp,
                came_at: Timestamp(0),
                envelope_from: None,
                envelope_to: "b@x.example".to_owned(),
                size: 0,
                message: message.as_bytes().to_vec(),
            };
            arrived.digest()
        };
        let plain = digest("Subject: x\r\n\r\ny");
        let same = "Return-Path: <>\r\nReceived: from a\r\n\tby b; now\r\nSubject: x\r\n\r\ny";
        assert_eq!(digest(same), plain);
        for other in [
            "Subject: z\r\n\r\ny",
            "X-Received-By: x\r\nSubject: x\r\n\r\ny",
            " Subject: x\r\n\r\ny",
            "",
            "Received: a",
        ] {
            assert_ne!(digest(other), plain, "{other:?}");
        }
    }
}
