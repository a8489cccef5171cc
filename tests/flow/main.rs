//! The stories, in one binary: one link, one throw-away PostgreSQL.

#![allow(
    clippy::unwrap_used,
    reason = "a story that cannot go on has failed, and the place says where"
)]

mod answers;
mod approve;
mod cli;
mod cluster;
mod compose;
mod crash;
mod demo;
mod desk;
mod fail_closed;
mod golden;
mod hostile;
mod intake;
mod overrides;
mod parts;
mod readme;
mod resolve;
mod schema;
mod send;
mod whole;
mod world;
