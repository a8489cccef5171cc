//! Letters as they stand, over the line and nowhere written down: what a relay and the way to it are
//! good for, beside which the whole of sending is measured.

use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::try_join_all;

use super::courier::Courier;
use super::ready::Built;
use super::relay::Trouble;
use crate::model::{Clock, OutcomeKind};

/// Sends each once to its recipient, over so many connections; how many were accepted.
///
/// # Errors
/// The relay cannot be spoken to.
pub async fn send_bare(
    courier: &Courier,
    connections: usize,
    letters: &[Built],
    clock: &Clock,
) -> Result<usize, Trouble> {
    let next = AtomicUsize::new(0);
    let lane = |_| async {
        let mut accepted = 0;
        let mut rested = None;
        while let Some(built) = letters.get(next.fetch_add(1, Ordering::Relaxed)) {
            let way = match rested.take() {
                Some(way) => way,
                None => {
                    let entry = courier.enter(clock.now()).await?;
                    let opened = entry.open(clock.now()).await;
                    opened.map_err(|refused| refused.trouble)?
                }
            };
            let (letter, message) = (&built.letter, built.message.clone());
            let (outcome, way) = way.send(letter, &letter.recipient, message, clock).await;
            accepted += usize::from(outcome.kind == OutcomeKind::Accepted);
            rested = way;
        }
        if let Some(way) = rested {
            way.rest(clock.now());
        }
        Ok(accepted)
    };
    let accepted = try_join_all((0..connections).map(lane)).await?;
    courier.close().await;
    Ok(accepted.into_iter().sum())
}
