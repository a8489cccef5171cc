//! When a relay in trouble is left alone, and with how many connections it is tried again.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::answer::Fault;
use super::relay::Trouble;
use crate::model::{Span, Timestamp};
use crate::retry::Pauses;

/// Faults of the connection in a row, after which no more is tried.
const FAULTS: u32 = 5;
/// Letters in a row that were refused for their sender's sake.
const REFUSALS: u32 = 3;

/// Between one probe and the next; each is twice the one before.
const PAUSES: [Duration; 2] = [Duration::from_secs(10), Duration::from_secs(300)];

/// Counts the connections to one relay, and closes the way to it when it is in trouble. Then one
/// connection probes; when that carries a letter, two may, four, and so on to the limit.
#[derive(Debug)]
pub(super) struct Breaker {
    /// Connections at once.
    limit: usize,
    state: Mutex<State>,
    changed: Notify,
}

#[derive(Debug)]
struct State {
    /// In a row.
    faults: u32,
    refusals: u32,
    /// While it is left alone, or probed: why, and when it is tried again.
    shut: Option<Trouble>,
    pauses: Pauses,
    allowed: usize,
    taken: usize,
}

/// The right to one connection, as long as it lives.
#[derive(Debug)]
pub(super) struct Pass<'a>(&'a Breaker);

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        self.0.state().taken -= 1;
        self.0.changed.notify_waiters();
    }
}

impl Breaker {
    pub(super) fn new(limit: usize) -> Self {
        let [first, longest] = PAUSES;
        Self {
            limit,
            state: Mutex::new(State {
                faults: 0,
                refusals: 0,
                shut: None,
                pauses: Pauses::growing(first, longest),
                allowed: limit,
                taken: 0,
            }),
            changed: Notify::new(),
        }
    }

    /// Waits until one more connection may be open.
    ///
    /// # Errors
    /// The relay is left alone, or comes to be while this waits.
    pub(super) async fn enter(&self, now: Timestamp) -> Result<Pass<'_>, Trouble> {
        loop {
            let mut changed = std::pin::pin!(self.changed.notified());
            // Before looking, or a change between looking and waiting would be missed.
            changed.as_mut().enable();
            {
                let mut state = self.state();
                if let Some(trouble) = state.shut(now) {
                    return Err(trouble.clone());
                }
                if state.taken < state.allowed {
                    state.taken += 1;
                    return Ok(Pass(self));
                }
            }
            changed.await;
        }
    }

    /// Why it is left alone at this moment, if it is.
    pub(super) fn shut(&self, now: Timestamp) -> Option<Trouble> {
        self.state().shut(now).cloned()
    }

    /// Whether this is the only one who has a pass.
    pub(super) fn is_alone(&self) -> bool {
        self.state().taken <= 1
    }

    /// A letter came through, or was answered as a letter.
    pub(super) fn went_well(&self) {
        let mut state = self.state();
        state.faults = 0;
        state.refusals = 0;
        if state.shut.take().is_some() {
            state.pauses.reset();
        }
        if state.allowed < self.limit {
            state.allowed = (state.allowed * 2).min(self.limit);
            self.changed.notify_waiters();
        }
    }

    pub(super) fn went_wrong(&self, fault: Fault, trouble: Trouble, now: Timestamp) {
        let mut state = self.state();
        let was_probed = state.shut.is_some();
        let is_enough = match fault {
            Fault::None => false,
            Fault::Connection => {
                state.faults += 1;
                state.faults >= FAULTS
            }
            Fault::Sender => {
                state.refusals += 1;
                state.refusals >= REFUSALS
            }
            Fault::Lasting => true,
        };
        // Others that were under way when it was shut say nothing new.
        if state.shut(now).is_none() && (is_enough || was_probed) {
            let pause = i64::try_from(state.pauses.take().as_millis()).unwrap_or(i64::MAX);
            state.shut = Some(Trouble {
                again_at: Some(now.plus(Span(pause))),
                ..trouble
            });
            state.allowed = 1;
            self.changed.notify_waiters();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn shut(&self, now: Timestamp) -> Option<&Trouble> {
        let trouble = self.shut.as_ref();
        trouble.filter(|trouble| trouble.again_at.is_some_and(|at| now < at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Step;

    const START: Timestamp = Timestamp(1_000_000);

    fn trouble() -> Trouble {
        Trouble {
            relay: "mx.example:25".to_owned(),
            step: Step::Connect,
            cause: "refused".to_owned(),
            is_lasting: false,
            again_at: None,
        }
    }

    fn fail(breaker: &Breaker, fault: Fault, times: u32, now: Timestamp) {
        for _ in 0..times {
            breaker.went_wrong(fault, trouble(), now);
        }
    }

    #[test]
    fn only_faults_in_a_row_shut_it() {
        for (fault, enough) in [
            (Fault::Connection, 5),
            (Fault::Sender, 3),
            (Fault::Lasting, 1),
        ] {
            let breaker = Breaker::new(4);
            for _ in 0..3 {
                fail(&breaker, fault, enough - 1, START);
                assert!(breaker.shut(START).is_none(), "{fault:?}");
                breaker.went_well();
            }
            fail(&breaker, fault, enough, START);
            assert!(breaker.shut(START).is_some(), "{fault:?}");
        }
    }

    #[tokio::test]
    async fn probes_come_seldomer_and_with_one_connection() {
        let breaker = Breaker::new(4);
        fail(&breaker, Fault::Connection, 5, START);
        let mut now = START;
        for wanted in [10, 20, 40, 80, 160, 300, 300, 300] {
            let again_at = breaker.enter(now).await.unwrap_err().again_at.unwrap();
            let pause = again_at.since(now).0;
            let around = wanted * 800..=wanted * 1_200;
            assert!(around.contains(&pause), "{wanted} s: {pause} ms");
            now = again_at;
            let probe = breaker.enter(now).await.unwrap();
            assert_eq!(breaker.state().allowed, 1);
            drop(probe);
            // One is enough now.
            fail(&breaker, Fault::Connection, 1, now);
        }
    }

    #[tokio::test]
    async fn what_goes_well_opens_it_by_and_by() {
        let breaker = Breaker::new(6);
        fail(&breaker, Fault::Lasting, 1, START);
        let later = START.plus(Span::seconds(60));
        for allowed in [1, 2, 4, 6, 6] {
            assert_eq!(breaker.state().allowed, allowed);
            breaker.went_well();
        }
        assert!(breaker.shut(START).is_none());
        let passes = [breaker.enter(later).await, breaker.enter(later).await];
        assert!(passes.iter().all(Result::is_ok));
        assert_eq!(breaker.state().taken, 2);
        drop(passes);
        assert_eq!(breaker.state().taken, 0);
    }

    #[tokio::test]
    async fn who_waits_for_room_gets_it_or_hears_why_not() {
        let breaker = Breaker::new(1);
        let pass = breaker.enter(START).await.unwrap();
        let waiting = breaker.enter(START);
        let giving = async { drop(pass) };
        let (waited, ()) = tokio::join!(waiting, giving);
        let pass = waited.unwrap();
        let waiting = breaker.enter(START);
        let shutting = async { fail(&breaker, Fault::Lasting, 1, START) };
        let (waited, ()) = tokio::join!(waiting, shutting);
        assert!(waited.unwrap_err().cause.contains("refused"));
        drop(pass);
    }
}
