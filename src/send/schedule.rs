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

impl Schedule {
    /// The next time to try a delivery after `attempts` counted ones (this one included), or
    /// `None` when its time is up. The wait varies by a fifth either way, so that letters deferred
    /// together do not come back together; by what is fixed in the delivery and not by chance, so
    /// that it can be told afterwards why.
    #[must_use]
    pub fn next(
        &self,
        kind: OutcomeKind,
        delivery: i64,
        attempts: i64,
        queued_at: Timestamp,
        now: Timestamp,
    ) -> Option<Timestamp> {
        let wait = match kind {
            OutcomeKind::Relay => self.relay_pause,
            _ => {
                let place = usize::try_from(attempts - 1).unwrap_or(0);
                *self.waits.get(place).or(self.waits.last())?
            }
        };
        let at = now.plus(Span(wait.0 + wait.0 * fifth(delivery, attempts) / 1000));
        let end = queued_at.plus(self.give_up);
        // The last attempt is made when the time is up, not given up before it.
        if now >= end { None } else { Some(at.min(end)) }
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

    #[test]
    fn waits_grow_with_a_fifth_either_way() {
        for (attempts, wait) in [(1, 300), (2, 900), (3, 3600), (4, 3600), (9, 3600)] {
            for delivery in 0..50 {
                let at = schedule()
                    .next(
                        OutcomeKind::Deferred,
                        delivery,
                        attempts,
                        Timestamp(0),
                        Timestamp(0),
                    )
                    .unwrap();
                assert!(
                    (wait * 800..=wait * 1200).contains(&at.0),
                    "{attempts}: {at:?}"
                );
            }
        }
        let spread: std::collections::BTreeSet<i64> = (0..50)
            .filter_map(|delivery| {
                schedule().next(
                    OutcomeKind::Deferred,
                    delivery,
                    1,
                    Timestamp(0),
                    Timestamp(0),
                )
            })
            .map(|at| at.0)
            .collect();
        assert!(spread.len() > 40);
    }

    #[test]
    fn nothing_is_tried_for_ever() {
        let end = 5 * 3_600_000;
        let next = |now| schedule().next(OutcomeKind::Deferred, 1, 9, Timestamp(0), Timestamp(now));
        assert_eq!(next(end - 60_000), Some(Timestamp(end)));
        assert_eq!(next(end), None);
        assert_eq!(
            schedule().next(OutcomeKind::Relay, 1, 0, Timestamp(0), Timestamp(end)),
            None
        );
    }
}
