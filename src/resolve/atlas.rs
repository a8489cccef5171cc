//! The local table in memory: networks, one inside the other, and who answers for them.

use super::segments::Segments;
use crate::model::{Rung, Via};
use crate::store::{Error, Store, StoredNetwork};

/// Networks read from the store at a time.
const PAGE: i64 = 5_000;

/// The local table in memory.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) networks: Vec<StoredNetwork>,
    pub(super) segments: Segments,
}

impl Table {
    pub(super) async fn read(store: &Store) -> Result<Self, Error> {
        let mut networks: Vec<StoredNetwork> = Vec::new();
        loop {
            let page = store
                .networks(networks.last().map_or(0, |last| last.id), PAGE)
                .await?;
            if page.is_empty() {
                break;
            }
            networks.extend(page);
        }
        let segments = Segments::build(networks.iter().map(|one| one.network.range));
        Ok(Self { networks, segments })
    }
}

pub(super) fn rungs<'a>(
    one: &'a StoredNetwork,
    innermost: &'a StoredNetwork,
) -> impl Iterator<Item = Rung> + 'a {
    let is_own = one.id == innermost.id;
    let (via, whose) = if is_own {
        (Via::Own, format!("contact of {}", describe(one)))
    } else if innermost.network.contacts.is_empty() {
        let inner = describe(innermost);
        (
            Via::Parent,
            format!(
                "contact of {}, for {inner} inside it has none",
                describe(one)
            ),
        )
    } else {
        let inner = describe(innermost);
        (
            Via::Parent,
            format!("contact of {} around {inner}", describe(one)),
        )
    };
    let reason = format!("{whose}, by {} of {}", one.source, one.told_at.date());
    one.network.contacts.iter().map(move |mailbox| Rung {
        via,
        mailbox: mailbox.clone(),
        locale: one.network.locale.clone(),
        format: None,
        answers_for: if is_own {
            String::new()
        } else {
            one.network.range.to_string()
        },
        reason: reason.clone(),
    })
}

/// The networks that may answer for the innermost, itself the first: up to the first one whose
/// surroundings do not answer for it.
pub(super) fn reach<'a, 'b>(chain: &'a [&'b StoredNetwork]) -> &'a [&'b StoredNetwork] {
    let reach = chain.iter().position(|one| one.ends_ladder);
    &chain[..reach.map_or(chain.len(), |last| last + 1)]
}

pub(super) fn describe(one: &StoredNetwork) -> String {
    match one.network.name.as_str() {
        "" => one.network.range.to_string(),
        name => format!("{} ({name})", one.network.range),
    }
}
