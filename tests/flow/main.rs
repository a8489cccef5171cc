//! The stories, in one binary: one link, one throw-away PostgreSQL.

#![allow(
    clippy::unwrap_used,
    reason = "a story that cannot go on has failed, and the place says where"
)]

mod advisory;
mod answers;
mod approve;
mod audit;
mod backup;
mod bench;
mod cli;
mod cluster;
mod compose;
mod cover;
mod crash;
mod demo;
mod desk;
mod doctor;
mod dovecot;
mod dump;
mod evidence;
mod fail_closed;
#[allow(dead_code, reason = "not every server misbehaves in every way")]
mod fake;
#[cfg(feature = "openpgp")]
mod follow_up;
mod golden;
mod gpg;
mod hostile;
mod imap;
mod incoming;
mod intake;
mod lmtp;
mod mailbox;
mod migrations;
mod opt_out;
mod outage;
mod overrides;
mod parts;
mod postfix;
mod prune;
mod readme;
mod registry;
mod reminder;
mod resolve;
mod schedule;
mod schema;
mod seen;
mod send;
mod serve;
mod signatories;
mod site;
mod track;
mod whole;
mod world;
