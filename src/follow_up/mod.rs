//! Stage 7. Whom letters did not reach, somebody else answers for: the next round is opened.
//!
//! It is a campaign of its own, which goes the way of all others. `resolve` passes over the mailboxes that
//! nothing is written to, and finds the next on the ladder; a second person approves its letters.

use crate::model::{Campaign, Mailbox, Timestamp};
use crate::store::{Error, Round, Store};

/// Mailboxes looked at in one go.
const PAGE: i64 = 500;

/// Who acts, when, and whether it is only to be seen what would happen.
#[derive(Clone, Copy, Debug)]
pub struct Act<'a> {
    pub by: &'a str,
    pub now: Timestamp,
    pub is_trial: bool,
}

/// Opens the next round of a campaign under a name of its own, with what those were told who are
/// suppressed since, and of whom a letter came back, was refused or did not leave.
///
/// # Errors
/// [`Error::Refused`] where the campaign was not sent, or nobody is left; [`Error::Taken`]; the database's.
pub async fn run_once(
    store: &Store,
    first: &Campaign,
    name: &str,
    act: Act<'_>,
) -> Result<Round, Error> {
    let unreached = unreached(store, first, act.now).await?;
    store
        .open_round(first, name, &unreached, (act.by, act.now), act.is_trial)
        .await
}

/// Mailboxes that nothing more is written to and of which a letter did not arrive. Others may yet be
/// reached: a mailbox that was full, a relay that was blocked.
async fn unreached(store: &Store, first: &Campaign, now: Timestamp) -> Result<Vec<Mailbox>, Error> {
    let (mut unreached, mut after) = (Vec::new(), String::new());
    loop {
        let page = store.unreached(first.id, &after, PAGE).await?;
        let Some(last) = page.last() else {
            return Ok(unreached);
        };
        last.as_str().clone_into(&mut after);
        let suppressed = store.suppressed(&page, now).await?;
        unreached.extend(page.into_iter().filter(|one| suppressed.contains_key(one)));
    }
}
