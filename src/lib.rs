//! Lapwing tells every network which of its machines send spam, and follows what happens.
//!
//! # The one idea
//!
//! *Nouns are data, verbs are rooms, and rooms meet only in the store.*
//!
//! ```text
//!  feeds      registries                                    SMTP        mailbox
//!    │            │                                           ▲            │
//!    ▼            ▼                                           │            ▼
//!  intake ──► resolve ──► compose ──► approve ─────────────► send        track ──► follow_up  report
//!    │  ▲         │          │           │                    │            │           │        ▲
//!    ▼  │         ▼          ▼           ▼                    ▼            ▼           ▼        │
//!  ══════════════════════════════ store (one database) ═══════════════════════════════════════════
//! ```
//!
//! Each stage is a verb and a room. It takes from the store what the stage before has left, works, and puts
//! down what the next one needs; it never calls another stage. So each runs alone from the command line, after
//! a crash, on another machine or in a test, by the same function, `run_once`, which is told the time.
//!
//! # One suspect, all the way
//!
//! A line of a feed, `192.0.2.7,2026-11-01 09:00,spam`, is read by [`sheet`], which finds out that the first column
//! is the address. [`intake`] makes a [`model::Suspect`] of it, or a [`model::Refusal`] that says what to mend, and
//! the store keeps it once, however often it is told.
//!
//! [`resolve`] walks the suspects in address order over nested ranges laid flat. The most specific network
//! around 192.0.2.7 has no contact, the one around it has: so it is one [`model::Finding`] for that network,
//! *matched, by the ladder*, with the reason in words, and the suspect points to it. Ten million suspects in one
//! network are still one finding. Had nobody known the network, its registry would have been asked over RDAP, and
//! then over WHOIS: within its limits, once for the network and not once for the suspect. The [`model::Answer`] is
//! kept under the network's own range for its time. A registry that does not want to be asked now makes the
//! finding *deferred*, never *without contact*.
//!
//! [`compose`] goes through the mailboxes of the findings. Ours gets a notice; its country is Japan, so the
//! letter is in Japanese with the English below, with the ministry's note, and Japan's agency signs first. Text and
//! HTML are set from one source. The rendered letter is frozen: from here on it is bytes with a digest.
//!
//! [`approve`] holds the digest of the whole set. One person submits it, another approves it, and with that
//! each letter becomes a [`model::Delivery`] in the queue.
//!
//! [`send`] claims it under a lease, writes down that the attempt begins, talks SMTP, and writes down how it ended
//! before the connection takes another. What an answer means is a table: `451` puts the letter back for later with
//! a stored time; `250` makes it *accepted*, which is never called delivered; `421` is the relay's trouble, which is
//! then left alone for a while and probed.
//!
//! [`track`] keeps whatever comes back before it looks at it. [`track::read`] makes a [`model::Reading`] of it, without
//! store or clock: a failed delivery to the desk in Japan, `550 5.1.1`. The address it came to bears the
//! [token](model::TokenKeys) of this very letter, so it counts: the letter's [`model::Fate`] is *bounced*, its address is
//! suppressed, and [`resolve`] will pass it over. A report without the token is kept, and changes nothing.
//! [`follow_up`] opens the next round, in which whoever is next on the ladder is told, and why.
//! [`report`] counts, so that every row is in one place.
//!
//! Where nobody is there to type these steps, the [`scheduler`] takes them: a due time of a schedule is claimed once,
//! by a key, and whoever finds a run without a worker goes on with it where it was. What leaves by itself does so by the
//! leave that a second person gave beforehand, within limits.
//!
//! # What holds everywhere
//!
//! - Time is an argument. Only the command line reads the clock.
//! - One store method is one fact in one transaction; none is open while SMTP or a registry talks.
//! - No registry is asked without leave from the store, which all workers share: so many at once, so many a second,
//!   so many a day, and never two questions in one block of addresses, whose answer might be the same network.
//! - No letter leaves before its turn: holds, office hours, paces and seats stand in the store, too. What may not leave
//!   yet goes back into the queue with the moment when it may, and that time is not counted against it.
//! - What goes wrong with one row, suspect or letter is data with its reason, and the stage goes on. `Err` means
//!   that *we* cannot go on.
//! - Attempts and decisions are only ever added. A store method that is told who decides begins with a deed, which
//!   ends in no other way than by a row on the trail: chained by digests, in the transaction that does it.
//! - What has not been asked for twice is not sent twice: a restored backup holds its letters, and an ended campaign
//!   whose evidence is gone is never sent again.
//! - What is counted lies in the database, and is cheap to ask for: every process shows the same. Nothing that is
//!   logged or counted names a mailbox.
//! - What is imported, rendered or exported streams; nothing holds a campaign in memory.
//! - A module uses only those above it in the list below, never its neighbours; `tests/architecture.rs` holds the
//!   law, and gives each dependency one home.
//!
//! # Architecture: where this house differs from its plan, and why
//!
//! - *Findings.* Suspects do not point to networks and contacts but to what resolve made of them in this
//!   campaign: overrides by prefix cut across networks, and a reason must not stand on ten million rows.
//! - *Answers* stand between registry and network: each source's word about a range by itself, with the time until
//!   which it counts. A table that staff load and what a registry told so never overwrite each other, and the
//!   order of the sources is a setting, not a history.
//! - *Rungs.* A finding keeps all who could be written to, best first, not only the one that is: when a mailbox
//!   proves dead, the next is there without asking again.
//! - *One body for each language.* A letter is written once, in a layout without inline markup, and set as text and
//!   as HTML by [`compose`]: two files for each of two dozen languages would drift apart, and a value from
//!   outside has no markup to become.
//! - *Most of a letter is in every letter.* Templates are rendered with what they include put in its place, the
//!   page around the HTML once for each language, and a line that comes again is set once; what is left for each
//!   letter are its values. [`compose`] alone knows of it: the words themselves are plain files.
//! - *The sink is part of the product*: the demo needs a mail server that misbehaves, and so do the tests; they are
//!   the same one.
//! - *The ledger.* `send` commits what all its connections have to say in one transaction at a time; each waits for
//!   its own facts. So a killed worker leaves at most one letter a connection in doubt, and one fsync serves all.
//! - *Haste comes after the beginning.* While the last letters of a batch leave, the next is claimed and built; but
//!   the first two hundred of a campaign are looked at by themselves, for then it may still have to be paused.
//! - *A letter's fate is not its place in the queue.* The queue ends where the next mail server takes a letter. What
//!   is heard after that is worked out anew from all reports at each change, so that a report that staff put right
//!   leaves no trace.
//! - *Signs of life are counted, not timed.* No two machines' clocks agree: a worker adds one to a number, and
//!   whoever watches it measures the silence by its own clock.

pub mod model;

// Settings: defaults, file, environment, flags.
pub mod config;

// What this process counts.
pub mod metrics;

// Short waits inside one process.
pub mod retry;

// What every mail server of ours says and hears.
mod smtp;

// The handshake with servers of others.
mod tls;

// Where questions may lead, and no farther.
mod reach;

// Tables of any shape, read by line.
pub mod sheet;

// The database, and all SQL.
pub mod store;

// The words, rendered strictly.
pub mod templates;

// The key that letters are signed with.
pub mod openpgp;

// 1. Feeds in, suspects out.
pub mod intake;

// 2. Suspects in, networks and contacts out.
pub mod resolve;

// 3. Contacts in, letters out.
pub mod compose;

// 4. A second person agrees to exactly what was rendered.
pub mod approve;

// 5. Deliveries in, attempts out.
pub mod send;

// 6. What comes back in; what became of letters, and who answered, out.
pub mod track;

// 7. Whom letters did not reach: somebody else answers for them.
pub mod follow_up;

// 8. What happened.
pub mod report;

// Whether all is ready for a live campaign, and what the world sees of our mail domain.
pub mod doctor;

// What falls due at a time: feeds into letters without anybody there.
pub mod scheduler;

// What a service shows of itself over HTTP.
pub mod web;

// The stages that run by themselves, until somebody ends them.
pub mod service;

// A mail catcher that answers badly when told to.
pub mod sink;

// The command line.
pub mod cli;
