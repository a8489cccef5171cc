//! How a service ends: it takes nothing new, and ends what it has in hand, for so long at most.

use std::cell::Cell;
use std::time::Duration;

use super::Event;
use crate::model::{Progress, Span};
use crate::retry::rest;

/// Works until it is done. Once the progress is stopped it has only so much time; `None` where that was not
/// enough. What was in hand then is as after a crash: others take it up, and it is named where it is uncertain.
pub async fn within_grace<T>(
    progress: &Progress,
    grace: Span,
    tell: &(dyn Fn(Event) + Sync),
    work: impl Future<Output = T>,
) -> Option<T> {
    let is_told = Cell::new(false);
    let tell_once = || {
        if !is_told.replace(true) {
            tell(Event::Draining { grace });
        }
    };
    let time_is_up = async {
        while !progress.is_stopped() {
            rest(progress, Duration::from_secs(60 * 60)).await;
        }
        tell_once();
        tokio::time::sleep(grace.to_std()).await;
    };
    tokio::select! {
        biased;
        done = work => {
            // It may have had nothing in hand, and have been the first to notice.
            tell_once();
            tell(Event::Ended);
            Some(done)
        }
        () = time_is_up => {
            tell(Event::CutOff { grace });
            None
        }
    }
}
