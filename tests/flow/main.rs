//! The stories, in one binary: one link, one throw-away PostgreSQL.

mod cluster;
mod readme;
mod whole;
mod world;
