//! What the doors have seen that mail comes in by, for whoever keeps the log.

use std::fmt;

/// What has happened since the start, or since an earlier look.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    /// Messages that were kept, once for each recipient.
    pub messages: u64,
    /// Those that were there already.
    pub again: u64,
    /// Recipients that are none of ours.
    pub refused: u64,
    /// Messages beyond the largest size.
    pub too_big: u64,
    /// Recipients whose message could not be kept now.
    pub put_off: u64,
    /// Looks into a mailbox that came to nothing.
    pub failed: u64,
    /// Why the last of these did.
    pub trouble: String,
    /// Connections of those who may not hand anything over, and of those who came when all seats were
    /// taken.
    pub foreign: u64,
    pub crowded: u64,
    /// Looks into a mailbox that came to their end.
    #[serde(skip)]
    pub looks: u64,
    /// Connections at this moment.
    #[serde(skip)]
    pub open: u64,
}

impl Counts {
    /// What is new since `earlier`.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let put_off = self.put_off - earlier.put_off;
        let failed = self.failed - earlier.failed;
        Self {
            messages: self.messages - earlier.messages,
            again: self.again - earlier.again,
            refused: self.refused - earlier.refused,
            too_big: self.too_big - earlier.too_big,
            put_off,
            failed,
            trouble: match put_off + failed {
                0 => String::new(),
                _ => self.trouble.clone(),
            },
            foreign: self.foreign - earlier.foreign,
            crowded: self.crowded - earlier.crowded,
            looks: 0,
            open: 0,
        }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let messages = match self.messages {
            1 => "message",
            _ => "messages",
        };
        write!(f, "{} {messages} kept", self.messages)?;
        for (n, what) in [
            (self.again, "handed over again"),
            (self.refused, "refused: no such mailbox"),
            (self.too_big, "refused: too big"),
            (
                self.foreign,
                "connections from addresses not in incoming.peers",
            ),
            (self.crowded, "connections beyond incoming.connections"),
        ] {
            if n > 0 {
                write!(f, ", {n} {what}")?;
            }
        }
        for (n, what) in [
            (self.put_off, "put off"),
            (self.failed, "looks into the mailbox failed"),
        ] {
            if n > 0 {
                write!(f, ", {n} {what} ({})", self.trouble)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_new_is_told_in_one_line() {
        let earlier = Counts {
            messages: 3,
            put_off: 1,
            trouble: "away".to_owned(),
            open: 2,
            ..Counts::default()
        };
        let now = Counts {
            messages: 4,
            foreign: 2,
            ..earlier.clone()
        };
        let line = "1 message kept, 2 connections from addresses not in incoming.peers";
        assert_eq!(now.since(&earlier).to_string(), line);
        assert_eq!(now.since(&now), Counts::default());
        let worse = Counts {
            put_off: 3,
            ..now.clone()
        };
        let line = "0 messages kept, 2 put off (away)";
        assert_eq!(worse.since(&now).to_string(), line);
    }
}
