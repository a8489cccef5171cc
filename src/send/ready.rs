//! Letters read and built ahead of the connections that will send them.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use tokio::sync::{Mutex, mpsc};

use super::signing::Signing;
use crate::model::Letter;
use crate::store::{self, Claimed, Store};

/// Letters that are read and built at a time, and as many more that lie ready: enough to keep the
/// connections busy, and no more memory than the longest of letters can take that often.
const AT_ONCE: usize = 8;

/// A letter and the bytes that leave.
#[derive(Debug)]
pub(super) struct Built {
    pub(super) letter: Letter,
    pub(super) message: Vec<u8>,
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
    /// Reads and builds the letters of `claimed`, in that order, until all are or the shelf is closed.
    ///
    /// # Errors
    /// The database's.
    pub(super) async fn build(
        self,
        store: &Store,
        signing: &Signing,
        claimed: Vec<Claimed>,
    ) -> Result<(), store::Error> {
        for some in claimed.chunks(AT_ONCE) {
            let ids: Vec<i64> = some.iter().map(|one| one.letter).collect();
            let letters = store.letters_with_digests(&ids).await?;
            let signing = signing.clone();
            let built = tokio::task::spawn_blocking(move || {
                let built = |(letter, digest): (Letter, String)| {
                    (letter.id, build(letter, &digest, &signing))
                };
                letters.into_iter().map(built).collect::<HashMap<_, _>>()
            });
            let mut built = built.await.unwrap_or_default();
            for claimed in some {
                let letter = built.remove(&claimed.letter);
                let letter = letter.unwrap_or_else(|| Err("there is no such letter".to_owned()));
                if self.0.send((claimed.clone(), letter)).await.is_err() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }
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
