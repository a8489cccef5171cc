//! Signs of life: one's own, and those of the others.

use std::collections::HashMap;

use super::{Event, Sender};
use crate::model::{Span, Timestamp};
use crate::retry::rest;
use crate::store;

/// Silence after which a worker is taken for dead, shorter than any lease, which covers those who do not
/// say so at all: so long, or this part of a short lease.
const SILENCE: Span = Span(60_000);
const PART: i64 = 4;
/// A machine that is busy may not say anything for so long.
const SHORTEST: Span = Span(1_000);

/// How often it says in that time that it lives.
const BEATS: u32 = 6;

/// Beats and watches until the service ends. A database that is away is no sign of anything.
pub(super) async fn watch(sender: &Sender<'_>) {
    let silence = silence(sender.work.settings.lease);
    let mut others = Others::who_live(silence);
    while !sender.work.progress.is_stopped() {
        if look(sender, &mut others).await.is_err() {
            others = Others::who_live(silence);
        }
        rest(sender.work.progress, silence.to_std() / BEATS).await;
    }
}

fn silence(lease: Span) -> Span {
    Span(lease.0 / PART).clamp(SHORTEST, SILENCE)
}

async fn look(sender: &Sender<'_>, others: &mut Others) -> Result<(), store::Error> {
    let (store, now) = (sender.work.store, sender.work.clock.now());
    store.beat(&sender.work.settings.worker).await?;
    let beats = store.beats().await?;
    for worker in others.silent(beats, now) {
        // Of all who have noticed, one tells it.
        if store.dismiss(&worker).await? {
            let letters = store.end_leases(&worker, now).await?;
            (sender.tell)(Event::Vanished { worker, letters });
        }
    }
    Ok(())
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
