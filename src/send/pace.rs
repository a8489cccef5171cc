//! Whether what was claimed may leave now; what may not goes back, with the moment when it may.

use super::{Settings, Window};
use crate::config::Config;
use crate::model::{FOREVER, Hold, HoldSubject, Timestamp, Wait};
use crate::store::{self, Claimed, PutBack, Store};

/// What the settings ask of letters before they leave.
#[derive(Clone, Debug, Default)]
pub struct Pacing {
    pub window: Option<Window>,
}

impl Pacing {
    /// # Errors
    /// The setting that is wrong and why.
    pub fn from_config(config: &Config) -> Result<Self, String> {
        Ok(Self {
            window: config.send.window.open_hours()?.map(Window::new),
        })
    }
}

/// Those of the claimed letters that may leave now. The others are back in the queue. Where nothing
/// paces, holds or limits, all may.
///
/// # Errors
/// The database's; then the worker still holds them all.
pub(super) async fn admit(
    store: &Store,
    settings: &Settings,
    mut claimed: Vec<Claimed>,
    now: Timestamp,
) -> Result<Vec<Claimed>, store::Error> {
    let mut back = Vec::new();
    let holds = store.open_holds(now).await?;
    if !holds.is_empty() {
        hold_back(store, &holds, &mut claimed, &mut back).await?;
    }
    if let Some(window) = &settings.pacing.window {
        claimed.retain(|one| {
            let due_at = window.opens(&one.country, now);
            if due_at > now {
                back.push(PutBack::until(one, due_at, Wait::Window));
            }
            due_at <= now
        });
    }
    store.put_back(&settings.worker, &back, now).await?;
    Ok(claimed)
}

/// Of several holds the one that lasts longest counts.
async fn hold_back(
    store: &Store,
    holds: &[Hold],
    claimed: &mut Vec<Claimed>,
    back: &mut Vec<PutBack>,
) -> Result<(), store::Error> {
    let mut lasting = Vec::with_capacity(holds.len());
    for hold in holds {
        let letters = match &hold.subject {
            HoldSubject::Ticket(ticket) => store.letters_of_ticket(ticket).await?,
            HoldSubject::Domain(_) | HoldSubject::Address(_) => Vec::new(),
        };
        lasting.push((hold.until.unwrap_or(FOREVER), hold, letters));
    }
    lasting.sort_by_key(|(until, _, _)| std::cmp::Reverse(*until));
    claimed.retain(|one| {
        let held = lasting
            .iter()
            .find(|(_, hold, letters)| match &hold.subject {
                HoldSubject::Ticket(_) => letters.contains(&one.letter),
                HoldSubject::Domain(domain) => domain.covers(&one.recipient),
                HoldSubject::Address(mailbox) => mailbox.as_str() == one.recipient,
            });
        if let Some((until, hold, _)) = held {
            back.push(PutBack {
                hold: Some(hold.id),
                ..PutBack::until(one, *until, Wait::Hold)
            });
        }
        held.is_none()
    });
    Ok(())
}
