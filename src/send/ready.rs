//! Letters read and built ahead of the connections that will send them.

use std::collections::HashMap;
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use tokio::sync::{Mutex, mpsc};

use super::signing::Signing;
use crate::model::Letter;
use crate::store::{self, Claimed, Store};

/// Letters that are read and built at a time, and as many more that lie ready: enough to keep the
/// connections busy, and no more memory than the longest of letters can take that often.
const AT_ONCE: usize = 20;

/// The first of them are fewer, for all connections wait for those.
const AT_FIRST: usize = 5;

/// A letter and the bytes that leave.
#[derive(Debug)]
pub struct Built {
    pub letter: Letter,
    pub message: Vec<u8>,
}

/// A delivery with its letter, or why that is not fit to be sent.
type Ready = (Claimed, Result<Built, String>);

/// Where the connections take them from.
#[derive(Debug)]
pub(super) struct Shelf(Mutex<mpsc::Receiver<Ready>>);

/// Where they are put by [`Supply::build`].
#[derive(Debug)]
pub(super) struct Supply(mpsc::Sender<Ready>);

pub(super) fn shelf() -> (Shelf, Supply) {
    let (sender, receiver) = mpsc::channel(AT_ONCE);
    (Shelf(Mutex::new(receiver)), Supply(sender))
}

impl Shelf {
    /// The next; `None` when there will be no more.
    pub(super) async fn take(&self) -> Option<Ready> {
        self.0.lock().await.recv().await
    }

    /// Nobody takes any more.
    pub(super) async fn close(&self) {
        self.0.lock().await.close();
    }
}

impl Supply {
    /// Reads and builds the letters of `claimed`, in that order, until all are and no more will come, or the
    /// shelf is closed.
    ///
    /// # Errors
    /// The database's.
    pub(super) async fn build(
        self,
        store: Store,
        signing: Signing,
        mut claimed: mpsc::Receiver<Vec<Claimed>>,
    ) -> Result<(), store::Error> {
        let mut first = AT_FIRST;
        // While some are built, the next are read.
        let mut ready = stream::poll_fn(|context| claimed.poll_recv(context))
            .flat_map(|letters| {
                let (some, rest) = letters.split_at(letters.len().min(mem::take(&mut first)));
                let some = [some].into_iter().chain(rest.chunks(AT_ONCE));
                let some = some.filter(|some| !some.is_empty()).map(<[_]>::to_vec);
                stream::iter(some.collect::<Vec<_>>())
            })
            .map(|some| make_ready(store.clone(), signing.clone(), some))
            .buffered(2);
        while let Some(some) = ready.try_next().await? {
            for one in some {
                if self.0.send(one).await.is_err() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}

async fn make_ready(
    store: Store,
    signing: Signing,
    claimed: Vec<Claimed>,
) -> Result<Vec<Ready>, store::Error> {
    let ids: Vec<i64> = claimed.iter().map(|one| one.letter).collect();
    let letters = store.letters_with_digests(&ids).await?;
    let built = tokio::task::spawn_blocking(move || {
        let built =
            |(letter, digest): (Letter, String)| (letter.id, build(letter, &digest, &signing));
        letters.into_iter().map(built).collect::<HashMap<_, _>>()
    });
    let mut built = built.await.unwrap_or_default();
    let ready = claimed.into_iter().map(|claimed| {
        let letter = built.remove(&claimed.letter);
        let letter = letter.unwrap_or_else(|| Err("there is no such letter".to_owned()));
        (claimed, letter)
    });
    Ok(ready.collect())
}

/// A letter that makes the builder panic must not take the others with it.
fn build(letter: Letter, digest: &str, signing: &Signing) -> Result<Built, String> {
    if letter.digest() != digest {
        return Err("the letter was changed after it was approved".to_owned());
    }
    let message = catch_unwind(AssertUnwindSafe(|| signing.message(&letter)));
    let message = message.unwrap_or_else(|_| Err("the message could not be built".to_owned()))?;
    Ok(Built { letter, message })
}
