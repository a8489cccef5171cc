//! When a letter is tried again, and when no more.

use sha2::{Digest, Sha256};

use crate::model::{OutcomeKind, Span, Timestamp};

/// The waits of RFC 5321 4.5.4.1, as the configuration lists them.
#[derive(Clone, Debug)]
pub struct Schedule {
    /// After each attempt that was deferred; the last repeats.
    pub waits: Vec<Span>,
    /// Counted from when the letter came into the queue.
    pub give_up: Span,
    /// After a fault of the relay.
    pub relay_pause: Span,
}

/// The longest wait that a reply can ask for; who wants more is asked again until then.
const LONGEST_ASKED: Span = Span(3_600_000);

/// An attempt that was not the last, and when it was made.
#[derive(Clone, Copy, Debug)]
pub struct Tried<'a> {
    pub kind: OutcomeKind,
    /// What was answered: it may name a time to wait.
    pub reply: &'a str,
    pub delivery: i64,
    /// Counted attempts, this one included.
    pub attempts: i64,
    pub queued_at: Timestamp,
    pub at: Timestamp,
}

impl Schedule {
    /// The next time to try a delivery, or `None` when its time is up. The wait varies by a fifth
    /// either way, so that letters deferred together do not come back together; by what is fixed in the
    /// delivery and not by chance, so that it can be told afterwards why. It is never shorter than the
    /// other side asked for.
    #[must_use]
    pub fn next(&self, tried: Tried<'_>) -> Option<Timestamp> {
        let (now, queued_at) = (tried.at, tried.queued_at);
        let (wait, asked) = match tried.kind {
            OutcomeKind::Relay => (self.relay_pause, None),
            kind => {
                let place = usize::try_from(tried.attempts - 1).unwrap_or(0);
                let wait = *self.waits.get(place).or(self.waits.last())?;
                let asked = (kind == OutcomeKind::Deferred).then(|| asked_wait(tried.reply));
                (wait, asked.flatten())
            }
        };
        let varied = wait.0 + wait.0 * fifth(tried.delivery, tried.attempts) / 1000;
        let at = now.plus(Span(varied).max(asked.unwrap_or_default()));
        let end = queued_at.plus(self.give_up);
        // The last attempt is made when the time is up, not given up before it.
        if now >= end { None } else { Some(at.min(end)) }
    }
}

/// The time to wait that a reply names, as greylisting does: `try again in 300 seconds`, `5 min`,
/// `00:05:00`; at most [`LONGEST_ASKED`].
fn asked_wait(reply: &str) -> Option<Span> {
    let lower = reply.to_ascii_lowercase();
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == ':';
    let words: Vec<&str> = lower
        .split_whitespace()
        .filter(|word| !word.contains("://"))
        .flat_map(|word| word.split(|c| !is_part(c)))
        .filter(|word| !word.is_empty())
        .collect();
    let named = words.iter().enumerate().find_map(|(place, word)| {
        if word.contains(':') {
            return clock_face(word);
        }
        let digits = word.len() - word.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, glued) = word.split_at(digits);
        let number: i64 = number.parse().ok()?;
        let unit = match glued {
            "" => words.get(place + 1).copied().unwrap_or_default(),
            glued => glued,
        };
        let unit = match unit {
            "s" | "sec" | "secs" | "second" | "seconds" => 1_000,
            "m" | "min" | "mins" | "minute" | "minutes" => 60_000,
            "h" | "hr" | "hrs" | "hour" | "hours" => 3_600_000,
            _ => return None,
        };
        number.checked_mul(unit).map(Span)
    });
    named.map(|span| span.min(LONGEST_ASKED))
}

/// `00:05:00`, hours first.
fn clock_face(word: &str) -> Option<Span> {
    let parts: Vec<i64> = word
        .split(':')
        .map(|part| part.parse().ok().filter(|_| part.len() == 2))
        .collect::<Option<_>>()?;
    match parts[..] {
        [hours, minutes, seconds] if minutes < 60 && seconds < 60 => {
            Some(Span::seconds(hours * 3_600 + minutes * 60 + seconds))
        }
        _ => None,
    }
}

/// Thousandths from -200 to 200.
fn fifth(delivery: i64, attempts: i64) -> i64 {
    let digest = Sha256::digest(format!("{delivery}/{attempts}"));
    i64::from(u16::from_be_bytes([digest[0], digest[1]])) % 401 - 200
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule() -> Schedule {
        Schedule {
            waits: ["5m", "15m", "1h"]
                .map(|text| text.parse().unwrap())
                .to_vec(),
            give_up: "5h".parse().unwrap(),
            relay_pause: "1m".parse().unwrap(),
        }
    }

    fn tried(kind: OutcomeKind, delivery: i64, attempts: i64, now: i64) -> Tried<'static> {
        Tried {
            kind,
            reply: "4.2.1 mailbox is full",
            delivery,
            attempts,
            queued_at: Timestamp(0),
            at: Timestamp(now),
        }
    }

    #[test]
    fn waits_grow_with_a_fifth_either_way() {
        for (attempts, wait) in [(1, 300), (2, 900), (3, 3600), (4, 3600), (9, 3600)] {
            for delivery in 0..50 {
                let tried = tried(OutcomeKind::Deferred, delivery, attempts, 0);
                let at = schedule().next(tried).unwrap();
                assert!(
                    (wait * 800..=wait * 1200).contains(&at.0),
                    "{attempts}: {at:?}"
                );
            }
        }
        let spread: std::collections::BTreeSet<i64> = (0..50)
            .filter_map(|delivery| schedule().next(tried(OutcomeKind::Deferred, delivery, 1, 0)))
            .map(|at| at.0)
            .collect();
        assert!(spread.len() > 40);
    }

    #[test]
    fn nothing_is_tried_for_ever() {
        let end = 5 * 3_600_000;
        let next = |now| schedule().next(tried(OutcomeKind::Deferred, 1, 9, now));
        assert_eq!(next(end - 60_000), Some(Timestamp(end)));
        assert_eq!(next(end), None);
        assert_eq!(schedule().next(tried(OutcomeKind::Relay, 1, 0, end)), None);
    }

    #[test]
    fn a_wait_that_is_asked_for_is_kept() {
        let next = |kind, reply| {
            let tried = Tried {
                reply,
                ..tried(kind, 1, 1, 0)
            };
            schedule().next(tried).unwrap().0
        };
        let asked = "4.7.1 greylisted, come back in 20 minutes";
        assert_eq!(next(OutcomeKind::Deferred, asked), 1_200_000);
        assert!(next(OutcomeKind::Deferred, "4.7.1 wait 5 s") >= 240_000);
        assert!(next(OutcomeKind::Relay, asked) <= 72_000);
    }

    #[test]
    fn waits_are_read_as_servers_write_them() {
        for (reply, seconds) in [
            ("4.7.1 greylisted, see https://mx.example/300s.html", None),
            (
                "4.2.0 Greylisted, please try again in 297 seconds",
                Some(297),
            ),
            ("Greylisting in action, please come back later", None),
            (
                "4.7.1 Greylisting in effect, try again in 00:05:00",
                Some(300),
            ),
            ("4.3.2 try again in 10min.", Some(600)),
            ("4.7.0 wait (15 minutes) and retry", Some(900)),
            ("retry in 2 hours", Some(3_600)),
            ("try in 99999999999999999999 hours", None),
            ("4.7.1 from 192.0.2.1, 300 messages so far", None),
            ("at 12:30", None),
            ("", None),
        ] {
            assert_eq!(asked_wait(reply), seconds.map(Span::seconds), "{reply}");
        }
    }
}
