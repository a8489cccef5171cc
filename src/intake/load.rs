//! A feed's rows into the store, chunk by chunk, whatever its length.

use serde::Serialize;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use super::notes::Notes;
use super::{Row, Rows};
use crate::metrics::{Stage, timed};
use crate::model::{Addressee, Campaign, CampaignKind, Progress, Refusal, Suspect, Timestamp};
use crate::store::{Error, ImportCounts, Store};

/// Rows read before they are sorted and stored, some 30 MB. Sorted by address they keep the index's
/// pages warm: six times the speed at ten million rows.
const CHUNK: usize = 100_000;

/// Bytes of samples that end a chunk early.
const SAMPLES: usize = 32 << 20;

/// Refusals shown at once; all are kept.
const SHOWN: usize = 20;

/// What a feed brought.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Done {
    #[serde(flatten)]
    pub counts: ImportCounts,
    #[serde(flatten)]
    pub notes: Notes,
    /// The first refused rows.
    pub refusals: Vec<Refusal>,
}

/// One chunk of a feed, ready for the store.
#[derive(Default)]
struct Chunk {
    rows: u64,
    suspects: Vec<(u64, Suspect)>,
    /// In a list of operators, instead of suspects.
    addressees: Vec<(u64, Addressee)>,
    refusals: Vec<Refusal>,
    /// Of the feed up to here.
    notes: Notes,
}

/// Reads a feed into a campaign. Rows that are no suspects are kept with their reasons and never
/// stop the rest; an observation that is known already is counted and not added again, so that a
/// reading that was cut off can simply be done again.
///
/// # Errors
/// [`Error::Refused`] once the campaign is approved; the database's. Chunks stored by then stay.
pub async fn run_once(
    store: &Store,
    campaign: &Campaign,
    feed: &str,
    rows: Rows,
    by: &str,
    now: Timestamp,
    progress: &Progress,
) -> Result<Done, Error> {
    let _timed = timed(Stage::Intake);
    store
        .reopen(&campaign.name, by, added(campaign.kind), now)
        .await?;
    let import = store.begin_import(campaign.id, feed, by, now).await?;
    let (sender, mut chunks) = mpsc::channel(1);
    let reading = spawn_blocking(move || read_ahead(rows, &sender));
    let mut done = Done::default();
    while let Some(chunk) = chunks.recv().await {
        let (suspects, addressees) = (&chunk.suspects, &chunk.addressees);
        let (refusals, rows) = (&chunk.refusals, chunk.rows);
        match campaign.kind {
            CampaignKind::Advisory => {
                store
                    .add_addressees(campaign.id, import, addressees, refusals, rows)
                    .await?
            }
            CampaignKind::Notice | CampaignKind::Reminder => {
                store
                    .add_to_import(campaign.id, import, suspects, refusals, rows)
                    .await?
            }
        };
        let room = SHOWN.saturating_sub(done.refusals.len());
        done.refusals.extend(chunk.refusals.into_iter().take(room));
        done.notes = chunk.notes;
        if progress.is_stopped() {
            break;
        }
    }
    drop(chunks);
    reading
        .await
        .map_err(|error| Error::Database(format!("reading the feed: {error}")))?;
    let finished_at = Some(now).filter(|_| !progress.is_stopped());
    done.counts = store.finish_import(import, finished_at).await?;
    Ok(done)
}

/// What a voided submission says of it.
pub(super) fn added(kind: CampaignKind) -> &'static str {
    match kind {
        CampaignKind::Advisory => "addressees were added",
        CampaignKind::Notice | CampaignKind::Reminder => "suspects were added",
    }
}

/// What an import would bring, without a database: duplicates within the feed are found chunk by
/// chunk only.
pub async fn foresee(rows: Rows) -> Done {
    let (sender, mut chunks) = mpsc::channel(1);
    let reading = spawn_blocking(move || read_ahead(rows, &sender));
    let mut done = Done::default();
    while let Some(chunk) = chunks.recv().await {
        let fresh = (chunk.suspects.len() + chunk.addressees.len()) as i64;
        let refused = chunk.refusals.len() as i64;
        let rows = chunk.rows as i64;
        done.counts.rows += rows;
        done.counts.fresh += fresh;
        done.counts.refused += refused;
        done.counts.repeated += rows - fresh - refused;
        let room = SHOWN.saturating_sub(done.refusals.len());
        done.refusals.extend(chunk.refusals.into_iter().take(room));
        done.notes = chunk.notes;
    }
    // A panic there would have been a bug; what came before it has been counted.
    let _ = reading.await;
    done
}

/// Parses the next chunk while the store writes the one before.
fn read_ahead(mut rows: Rows, sender: &mpsc::Sender<Chunk>) {
    loop {
        let mut chunk = Chunk::default();
        let mut samples = 0;
        for row in rows.by_ref().take(CHUNK) {
            chunk.rows += 1;
            match row {
                Row::Suspect { line, suspect } => {
                    samples += suspect.sample.as_ref().map_or(0, String::len);
                    chunk.suspects.push((line, suspect));
                }
                Row::Addressee { line, addressee } => chunk.addressees.push((line, addressee)),
                Row::Refused(refusal) => chunk.refusals.push(refusal),
            }
            if samples > SAMPLES {
                break;
            }
        }
        if chunk.rows == 0 {
            return;
        }
        chunk.notes = rows.notes();
        let key = |suspect: &Suspect| (suspect.range.first(), suspect.fingerprint());
        chunk
            .suspects
            .sort_by_cached_key(|(line, suspect)| (key(suspect), *line));
        chunk.suspects.dedup_by(|(_, again), (_, kept)| {
            let is_again = key(again) == key(kept);
            if is_again {
                kept.begin_with(again);
            }
            is_again
        });
        if sender.blocking_send(chunk).is_err() {
            return;
        }
    }
}
