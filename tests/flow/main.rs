//! The stories, in one binary: one link, one throw-away PostgreSQL.

#![allow(
    clippy::unwrap_used,
    reason = "a story that cannot go on has failed, and the place says where"
)]

mod cluster;
mod crash;
mod readme;
mod send;
mod whole;
mod world;
