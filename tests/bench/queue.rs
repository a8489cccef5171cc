//! What a batch costs to take out of a queue, by how many letters stand in it.

use std::time::Instant;

use anyhow::Result;
use lapwing::model::{
    Decision, DecisionKind, Letter, Mailbox, NewCampaign, Notice, Span, Timestamp, digest_of_set,
};
use lapwing::store::Store;
use tokio::runtime::Runtime;

pub(crate) const FEW: usize = 10_000;
pub(crate) const MANY: usize = 1_000_000;

const BATCH: usize = 200;
/// Enough for a quiet moment, and half of the small queue.
const ROUNDS: usize = 25;

const NOW: Timestamp = Timestamp(1_795_250_096_000);

/// Seconds for a batch out of few and out of many, on SQLite.
pub(crate) fn costs() -> Result<[f64; 2]> {
    let runtime = Runtime::new()?;
    let few = runtime.block_on(cost(FEW))?;
    let many = runtime.block_on(cost(MANY))?;
    Ok([few, many])
}

/// A batch is what is rescued, what comes due, and the claim. The best of all rounds.
async fn cost(letters: usize) -> Result<f64> {
    let folder = tempfile::tempdir()?;
    let url = format!("sqlite:{}", folder.path().join("lapwing.db").display());
    let store = Store::create(&url).await?;
    let campaign = fill(&store, letters).await?;
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        let began = Instant::now();
        store.rescue(NOW, false).await?;
        store.promote(NOW).await?;
        let until = NOW.plus(Span::seconds(600));
        let claimed = store.claim(campaign, "bench", BATCH, until).await?;
        best = best.min(began.elapsed().as_secs_f64());
        anyhow::ensure!(claimed.len() == BATCH, "{} claimed", claimed.len());
    }
    Ok(best)
}

/// Approved letters without a text: the queue knows them by number only.
async fn fill(store: &Store, letters: usize) -> Result<i64> {
    let new = NewCampaign::new("bench", "notice");
    let campaign = store.add_campaign(&new, "author", NOW).await?.id;
    let mailbox: Mailbox = "abuse@isp.example".parse()?;
    let notice = Notice {
        id: 0,
        round: 1,
        mailbox: mailbox.clone(),
        country: "US".to_owned(),
        locale: "en".to_owned(),
        suspects: 1,
        networks: 1,
    };
    let notice = store.add_notices(campaign, &[notice]).await?[0];
    let letter = |number: usize| Letter {
        id: 0,
        ticket: format!("LW-{number}"),
        part: number as i64 + 1,
        parts: letters as i64,
        locale: "en".to_owned(),
        country: "US".to_owned(),
        sender_name: String::new(),
        sender: mailbox.clone(),
        reply_to: mailbox.clone(),
        recipient: mailbox.clone(),
        envelope_from: mailbox.clone(),
        message_id: format!("{number}@agency.example"),
        dated_at: NOW,
        subject: String::new(),
        text: String::new(),
        html: String::new(),
        rows: 1,
        opt_out: String::new(),
        signed_by: String::new(),
        attachments: Vec::new(),
    };
    for first in (0..letters).step_by(10_000) {
        let last = letters.min(first + 10_000);
        let page: Vec<(i64, Letter)> = (first..last).map(|n| (notice, letter(n))).collect();
        store.add_letters(campaign, &page).await?;
    }
    let digests = store.letter_digests(campaign).await?;
    let digest = digest_of_set(digests.iter().map(String::as_str));
    for (kind, by) in [
        (DecisionKind::Submitted, "author"),
        (DecisionKind::Approved, "reviewer"),
    ] {
        let decision = Decision {
            kind,
            by: by.to_owned(),
            at: NOW,
            digest: digest.clone(),
            reason: String::new(),
            unreviewed: Vec::new(),
        };
        store.decide("bench", &decision).await?;
    }
    Ok(campaign)
}
