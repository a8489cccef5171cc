//! Signs of life: one's own, and those of the others.

use std::collections::HashMap;
use std::time::Duration;

use tokio::sync::Notify;

use super::Event;
use crate::model::{Clock, Span, Timestamp};
use crate::store::{self, Store};

/// Silence after which a worker is taken for dead, shorter than any lease, which covers those who do not
/// say so at all: so long, or this part of a short lease.
const SILENCE: Span = Span(60_000);
const PART: i64 = 4;
/// A machine that is busy may not say anything for so long.
const SHORTEST: Span = Span(1_000);

/// How often it says in that time that it lives.
const BEATS: u32 = 6;

/// A service that says it lives, and notices who no longer does.
pub struct Life<'a> {
    pub store: &'a Store,
    /// Under which name it holds what it holds.
    pub worker: &'a str,
    /// For how long letters are held.
    pub lease: Span,
    pub clock: &'a Clock,
    pub tell: &'a (dyn Fn(Event) + Sync),
}

impl Life<'_> {
    /// Beats and watches until the work has ended, and then takes its leave: who is asked to end still has letters
    /// in hand, and must not be taken for dead before they have come to their end.
    pub async fn beside<T>(&self, work: impl Future<Output = T>) -> T {
        let over = Notify::new();
        let working = async {
            let worked = work.await;
            over.notify_one();
            worked
        };
        let (worked, ()) = tokio::join!(working, self.watch(&over));
        // Where the database is away, the others find out by themselves.
        let _ = self.store.dismiss(self.worker).await;
        worked
    }

    async fn watch(&self, over: &Notify) {
        let silence = silence(self.lease);
        let mut others = Others::who_live(silence);
        loop {
            // A database that is away is no sign of anything.
            if self.look(&mut others).await.is_err() {
                others = Others::who_live(silence);
            }
            tokio::select! {
                () = over.notified() => return,
                () = tokio::time::sleep(between_beats(silence)) => {}
            }
        }
    }

    async fn look(&self, others: &mut Others) -> Result<(), store::Error> {
        let now = self.clock.now();
        self.store.beat(self.worker).await?;
        let beats = self.store.beats().await?;
        for worker in others.silent(beats, now) {
            // Of all who have noticed, one tells it.
            if self.store.dismiss(&worker).await? {
                let letters = self.store.end_leases(&worker, now).await?;
                (self.tell)(Event::Vanished { worker, letters });
            }
        }
        Ok(())
    }
}

fn silence(lease: Span) -> Span {
    Span(lease.0 / PART).clamp(SHORTEST, SILENCE)
}

fn between_beats(silence: Span) -> Duration {
    silence.to_std() / BEATS
}

/// What is known of the others.
struct Others {
    /// After so long they are dead.
    silence: Span,
    /// The last sign of each, and since when there was no other, by our own clock.
    signs: HashMap<String, (i64, Timestamp)>,
    looked_at: Option<Timestamp>,
}

impl Others {
    fn who_live(silence: Span) -> Self {
        Self {
            silence,
            signs: HashMap::new(),
            looked_at: None,
        }
    }

    /// Who has been silent for too long. Who has not looked for long itself, as when the machine slept,
    /// knows nothing of the others' silence.
    fn silent(&mut self, beats: Vec<(String, i64)>, now: Timestamp) -> Vec<String> {
        let looked_at = self.looked_at.replace(now);
        if looked_at.is_some_and(|at| now.since(at).0.abs() > self.silence.0 / 2) {
            self.signs.clear();
        }
        self.signs
            .retain(|worker, _| beats.iter().any(|(name, _)| name == worker));
        let mut silent = Vec::new();
        for (worker, beat) in beats {
            let (last, since) = self.signs.entry(worker.clone()).or_insert((beat, now));
            if *last != beat {
                (*last, *since) = (beat, now);
            } else if now.since(*since) > self.silence {
                silent.push(worker);
            }
        }
        silent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each look: the second, the beats of two workers, and who is found silent.
    #[test]
    fn silence_is_measured_by_ones_own_clock() {
        let mut others = Others::who_live(silence(Span(20 * 60_000)));
        for (second, one, two, silent) in [
            (0, 7, 100, ""),
            (30, 8, 100, ""),
            (60, 9, 100, ""),
            (70, 10, 100, "two"),
            // It is back: that it was silent before does not count.
            (80, 11, 101, ""),
            (110, 12, 101, ""),
            // We slept, and so may they have.
            (900, 12, 101, ""),
            (930, 13, 101, ""),
            (960, 14, 101, ""),
            (970, 15, 101, "two"),
            // The clock was set back.
            (-5_000, 15, 102, ""),
            (-4_990, 16, 103, ""),
        ] {
            let beats = vec![("one".to_owned(), one), ("two".to_owned(), two)];
            let found = others.silent(beats, Timestamp(second * 1_000));
            assert_eq!(found.join(" "), silent, "at {second}");
        }
    }
}
