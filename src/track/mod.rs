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

use serde::Serialize;
use tracing::info;

use crate::config::Config;
use crate::metrics::{Stage, timed};
use crate::model::{Class, Evidence, Purpose, Reading, Timestamp, TokenKeys};
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
}

/// Reads what nobody has read yet, in the order in which it came, and acts upon it.
///
/// # Errors
/// The database's; what was read by then stays.
pub async fn run_once(work: &Work<'_>, now: Timestamp) -> Result<Done, store::Error> {
    let mut done = Done::default();
    let timed = timed(Stage::Track);
    let keys = work.store.token_keys(now).await?;
    loop {
        let unread = work.store.unread(PAGE).await?;
        if unread.is_empty() {
            if done.read == 0 {
                timed.forget();
            }
            return Ok(done);
        }
        for kept in &unread {
            take(work, &keys, kept, now, &mut done).await?;
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
    done: &mut Done,
) -> Result<(), store::Error> {
    let mut reading = read_safely(kept, work.reasons);
    let is_ours = |id: &str| matches!(keys.letter_in(Purpose::Message, id), Some(Ok(_)));
    judge::know_ours(&mut reading, &kept.arrived.message, is_ours);
    let judged = judge(work, keys, kept, reading, ("", now)).await?;
    done.count(judged);
    Ok(())
}

/// What a message turned out to be.
struct Judged {
    class: Class,
    is_unmatched: bool,
    is_untrue: bool,
}

async fn judge(
    work: &Work<'_>,
    keys: &TokenKeys,
    kept: &Kept,
    mut reading: Reading,
    (by, at): (&str, Timestamp),
) -> Result<Judged, store::Error> {
    let finder = Finder {
        store: work.store,
        keys,
        ticket_prefix: &work.settings.ticket_prefix,
    };
    let found = finder.find(&kept.arrived.envelope_to, &reading).await?;
    judge::complete(&mut reading, &found);
    judge::forget_our_ticket(&mut reading, finder.ticket_prefix);
    let follows = judge::consequence(work.settings, kept.id, &reading, &found, at);
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
    Ok(Judged {
        class: reading.class,
        is_unmatched: found.letter.is_none(),
        is_untrue: !follows.untrue.is_empty(),
    })
}

/// A message that makes the reader panic is one for people.
fn read_safely(kept: &Kept, reasons: &Reasons) -> Reading {
    let envelope = Envelope {
        sender: &kept.arrived.envelope_from,
        recipient: &kept.arrived.envelope_to,
    };
    // Of a file nobody may have told the envelope.
    let envelope = (!kept.arrived.envelope_to.is_empty()).then_some(envelope);
    let read = || read::read(&kept.arrived.message, envelope, reasons);
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| Reading {
        class: Class::Human,
        auto_reply: None,
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
            says: "it could not be read by rules".to_owned(),
        }],
    })
}

impl Done {
    fn count(&mut self, judged: Judged) {
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
        ] {
            if n > 0 {
                write!(f, ", {n} {what}")?;
            }
        }
        Ok(())
    }
}
