//! Stage 6. What comes back is read, finds its letter, and is acted upon.

mod counts;
mod find;
pub mod imap;
mod judge;
pub mod lmtp;
pub mod mailbox;
pub mod read;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use futures_util::FutureExt as _;
use serde::Serialize;
use tracing::info;

use crate::config::Config;
use crate::metrics::{Stage, timed};
use crate::model::{
    Class, Evidence, FoundBy, Progress, Purpose, Reading, ReplyState, Timestamp, TokenKeys,
};
use crate::store::{self, Judgement, Kept, Store};
pub use counts::Counts;
use find::Finder;
pub use judge::Settings;
use read::{Envelope, Reasons};

/// Messages taken from the store at a time.
const PAGE: i64 = 50;

impl Settings {
    #[must_use]
    pub fn from_config(config: &Config) -> Self {
        Self {
            dead_for: config.incoming.dead_for,
            again_after: config.incoming.again_after,
            ticket_prefix: config.sender.ticket_prefix.clone(),
        }
    }
}

/// What the stage works with.
#[derive(Clone, Copy)]
pub struct Work<'a> {
    pub store: &'a Store,
    pub reasons: &'a Reasons,
    pub settings: &'a Settings,
    pub progress: &'a Progress,
}

/// What one run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Done {
    pub read: u64,
    pub bounced: u64,
    pub delayed: u64,
    pub delivered: u64,
    pub automatic: u64,
    pub complaints: u64,
    /// Written by people.
    pub people: u64,
    pub other: u64,
    /// Of all these, those of which no letter is known.
    pub unmatched: u64,
    /// Of all these, those that look like ours and are not believed.
    pub untrue: u64,
    /// Of all these, those with which something went wrong: people have to look.
    pub failed: u64,
    /// Not read yet, for their letters are just being sent.
    pub later: u64,
}

/// Reads what nobody has read yet, in the order in which it came, and acts upon it, until that is done or
/// the progress is stopped.
///
/// # Errors
/// The database's, when it may pass; what was read by then stays.
pub async fn run_once(work: &Work<'_>, now: Timestamp) -> Result<Done, store::Error> {
    let mut done = Done::default();
    let timed = timed(Stage::Track);
    let mut after = 0;
    loop {
        // Each time: there may be a new key, and letters with it.
        let keys = work.store.token_keys(now).await?;
        let unread = work.store.unread(after, PAGE).await?;
        let Some(last) = unread.last() else {
            if done.read == 0 {
                timed.forget();
            }
            return Ok(done);
        };
        after = last.id;
        for kept in &unread {
            if work.progress.is_stopped() {
                return Ok(done);
            }
            let taken = AssertUnwindSafe(take(work, &keys, kept, now)).catch_unwind();
            let judged = match taken.await {
                Ok(Err(error)) if error.is_passing() => return Err(error),
                Ok(Ok(judged)) => judged,
                // Those behind it must not wait for it.
                Ok(Err(error)) => set_aside(work, kept, &error.to_string(), now).await?,
                Err(_) => set_aside(work, kept, "the program broke off", now).await?,
            };
            done.count(judged);
        }
    }
}

/// Somebody decides what a message is; what followed from it before is undone.
///
/// # Errors
/// [`store::Error::NotFound`]; the database's.
pub async fn decide(
    work: &Work<'_>,
    incoming: i64,
    class: Class,
    by: &str,
    now: Timestamp,
) -> Result<(), store::Error> {
    let keys = work.store.token_keys(now).await?;
    let kept = work.store.incoming(incoming).await?;
    let mut reading = read_safely(&kept, work.reasons);
    reading.class = class;
    reading.is_complaint = class == Class::Feedback;
    for one in &mut reading.recipients {
        one.class = class;
    }
    reading.evidence.push(Evidence {
        layer: "staff",
        says: format!("{by} says that it is {}", class.as_str()),
    });
    judge(work, &keys, &kept, reading, (by, now)).await?;
    Ok(())
}

/// The built-in reasons, with those of a file before them where one is named.
///
/// # Errors
/// What is wrong in which file.
pub fn reasons(own: &Path) -> Result<Reasons, String> {
    if own.as_os_str().is_empty() {
        return Ok(Reasons::shipped());
    }
    let told = |error: &dyn fmt::Display| format!("incoming.reasons: {}: {error}", own.display());
    let text = std::fs::read_to_string(own).map_err(|error| told(&error))?;
    Reasons::with(&text).map_err(|error| told(&error))
}

async fn take(
    work: &Work<'_>,
    keys: &TokenKeys,
    kept: &Kept,
    now: Timestamp,
) -> Result<Option<Judged>, store::Error> {
    let mut reading = read_safely(kept, work.reasons);
    let is_ours = |id: &str| matches!(keys.letter_in(Purpose::Message, id), Some(Ok(_)));
    judge::know_ours(&mut reading, &kept.arrived.message, is_ours);
    judge(work, keys, kept, reading, ("", now)).await
}

/// With what nothing can be done is for people to look at.
async fn set_aside(
    work: &Work<'_>,
    kept: &Kept,
    why: &str,
    now: Timestamp,
) -> Result<Option<Judged>, store::Error> {
    let judgement = Judgement {
        incoming: kept.id,
        reading: &unreadable(format!("nothing could be done with it: {why}")),
        letter: None,
        found_by: FoundBy::Nothing,
        untrue: "",
        counts: &[],
        state: ReplyState::Open,
        by: "",
        at: now,
        suppress: &[],
        again_at: None,
    };
    work.store.judge(&judgement).await?;
    Ok(Some(Judged {
        class: Class::Human,
        is_unmatched: true,
        is_untrue: false,
        is_failed: true,
    }))
}

/// What a message turned out to be.
struct Judged {
    class: Class,
    is_unmatched: bool,
    is_untrue: bool,
    is_failed: bool,
}

/// `None` where it has to wait until its letter is out of hand: only then can that be sent once more.
async fn judge(
    work: &Work<'_>,
    keys: &TokenKeys,
    kept: &Kept,
    mut reading: Reading,
    (by, at): (&str, Timestamp),
) -> Result<Option<Judged>, store::Error> {
    let finder = Finder {
        store: work.store,
        keys,
        ticket_prefix: &work.settings.ticket_prefix,
    };
    let found = finder.find(&kept.arrived.envelope_to, &reading).await?;
    judge::complete(&mut reading, &found);
    judge::forget_our_ticket(&mut reading, finder.ticket_prefix);
    let came_at = kept.arrived.came_at;
    let follows = judge::consequence(work.settings, kept.id, &reading, &found, came_at);
    let is_in_hand = found.letter.as_ref().is_some_and(|one| one.is_in_hand);
    if follows.again_at.is_some() && is_in_hand && by.is_empty() {
        return Ok(None);
    }
    let judgement = Judgement {
        incoming: kept.id,
        reading: &reading,
        letter: found.letter.as_ref().map(|letter| letter.letter),
        found_by: found.by,
        untrue: &follows.untrue,
        counts: &follows.counts,
        state: follows.state,
        by,
        at,
        suppress: &follows.suppress,
        again_at: follows.again_at,
    };
    work.store.judge(&judgement).await?;
    let (class, letter) = (reading.class.as_str(), judgement.letter);
    let message_id = found.letter.as_ref().map(|letter| &letter.message_id);
    let about = match message_id {
        Some(id) => format!("about letter <{id}>"),
        None => "about no letter that is known".to_owned(),
    };
    info!(
        event = "incoming",
        incoming = kept.id,
        class,
        letter,
        message_id,
        untrue = judgement.untrue,
        "message {} is {class}, {about}",
        kept.id
    );
    Ok(Some(Judged {
        class: reading.class,
        is_unmatched: found.letter.is_none(),
        is_untrue: !follows.untrue.is_empty(),
        is_failed: false,
    }))
}

/// A message that makes the reader panic is one for people.
fn read_safely(kept: &Kept, reasons: &Reasons) -> Reading {
    let envelope = Envelope {
        sender: kept.arrived.envelope_from.as_deref(),
        recipient: &kept.arrived.envelope_to,
    };
    let read = || read::read(&kept.arrived.message, Some(envelope), reasons);
    catch_unwind(AssertUnwindSafe(read))
        .unwrap_or_else(|_| unreadable("it could not be read by rules".to_owned()))
}

fn unreadable(why: String) -> Reading {
    Reading {
        class: Class::Human,
        auto_reply: None,
        is_complaint: false,
        recipients: Vec::new(),
        message_id: None,
        envelope_id: None,
        ticket: None,
        subject: String::new(),
        from: None,
        in_reply_to: Vec::new(),
        references: Vec::new(),
        text: String::new(),
        evidence: vec![Evidence {
            layer: "frame",
            says: why,
        }],
    }
}

impl Done {
    fn count(&mut self, judged: Option<Judged>) {
        let Some(judged) = judged else {
            self.later += 1;
            return;
        };
        self.read += 1;
        *match judged.class {
            Class::BounceHard | Class::BounceSoft => &mut self.bounced,
            Class::Delayed => &mut self.delayed,
            Class::Delivered => &mut self.delivered,
            Class::AutoReply => &mut self.automatic,
            Class::Feedback => &mut self.complaints,
            Class::Human => &mut self.people,
            Class::Other => &mut self.other,
        } += 1;
        self.unmatched += u64::from(judged.is_unmatched);
        self.untrue += u64::from(judged.is_untrue);
        self.failed += u64::from(judged.is_failed);
    }
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} read", self.read)?;
        for (n, what) in [
            (self.bounced, "came back"),
            (self.delayed, "delayed"),
            (self.delivered, "delivered"),
            (self.automatic, "from machines"),
            (self.complaints, "complaints"),
            (self.people, "from people"),
            (self.other, "of no concern"),
            (self.unmatched, "about no letter that is known"),
            (self.untrue, "not believed"),
            (
                self.failed,
                "with which nothing could be done: lapwing reply list --open",
            ),
            (self.later, "left until their letters are out of hand"),
        ] {
            if n > 0 {
                write!(f, ", {n} {what}")?;
            }
        }
        Ok(())
    }
}
