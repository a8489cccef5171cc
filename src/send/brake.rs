//! A campaign that goes wrong is paused by itself, before all of its letters have.

use crate::model::{Campaign, Decision, DecisionKind, Timestamp};
use crate::store::{self, EndedView, Store};

/// Who decides it, in the campaign's history.
const BY: &str = "lapwing";

/// Letters after which the beginning is over: what is refused later is told, and stops nothing.
const BEGINNING: i64 = 200;
/// Fewer prove nothing.
const FEW: i64 = 50;

/// One in so many, and no more, may be refused for good in the beginning.
const REFUSED: i64 = 10;
/// One in so many may fail to be built, as far as is counted.
const UNBUILT: i64 = 50;
const COUNTED: i64 = 10_000;

/// Watches one campaign while it may still have to be paused.
#[derive(Debug, Default)]
pub(super) struct Brake {
    /// Nothing that is still to come can change it: nobody counts any more.
    is_released: bool,
    is_past_beginning: bool,
}

impl Brake {
    /// Whether letters may leave while it is counted what came of those before, as seen when it was last pulled.
    pub(super) fn is_past_beginning(&self) -> bool {
        self.is_past_beginning || self.is_released
    }

    /// Pauses the campaign where too much went wrong, and says why. Once staff have let it go on, it
    /// is theirs to stop.
    ///
    /// # Errors
    /// The database's; [`store::Error::Refused`] where somebody has just decided otherwise.
    pub(super) async fn pull(
        &mut self,
        store: &Store,
        campaign: &Campaign,
        now: Timestamp,
    ) -> Result<Option<String>, store::Error> {
        if self.is_released {
            return Ok(None);
        }
        let ended = store.ended_view(campaign.id, COUNTED).await?;
        self.is_released = ended.accepted >= COUNTED;
        self.is_past_beginning = ended.accepted >= BEGINNING;
        let Some(why) = too_much(ended) else {
            return Ok(None);
        };
        let decisions = store.decisions(campaign.id).await?;
        if decisions
            .iter()
            .any(|one| one.kind == DecisionKind::Resumed)
        {
            self.is_released = true;
            return Ok(None);
        }
        let decision = Decision {
            kind: DecisionKind::Paused,
            by: BY.to_owned(),
            at: now,
            digest: String::new(),
            reason: why.clone(),
            unreviewed: Vec::new(),
        };
        store.decide(&campaign.name, &decision).await?;
        Ok(Some(why))
    }
}

fn too_much(ended: EndedView) -> Option<String> {
    let EndedView {
        accepted,
        refused,
        unbuilt,
        is_whole,
    } = ended;
    let all = accepted + refused + unbuilt;
    if all < FEW || is_whole {
        return None;
    }
    if accepted < COUNTED && unbuilt * UNBUILT > all {
        return Some(format!(
            "{unbuilt} of the first {all} letters could not be built, more than one in {UNBUILT}"
        ));
    }
    (accepted < BEGINNING && refused * REFUSED > all).then(|| {
        format!(
            "{refused} of the first {all} letters were refused for good, more than one in {REFUSED}"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_too_much_stops_a_campaign() {
        for (accepted, refused, unbuilt, stops) in [
            (0, 49, 0, false),
            (0, 50, 0, true),
            (45, 5, 0, false),
            (45, 6, 0, true),
            (180, 20, 0, false),
            (179, 21, 0, true),
            (200, 200, 0, false),
            (49, 0, 1, false),
            (48, 0, 2, true),
            (196, 0, 4, false),
            (195, 0, 5, true),
            (9_000, 0, 200, true),
            (10_000, 0, 300, false),
        ] {
            let ended = EndedView {
                accepted,
                refused,
                unbuilt,
                is_whole: false,
            };
            assert_eq!(too_much(ended).is_some(), stops, "{ended:?}");
            // There is nothing left to be stopped.
            let is_whole = true;
            assert_eq!(too_much(EndedView { is_whole, ..ended }), None);
        }
    }
}
