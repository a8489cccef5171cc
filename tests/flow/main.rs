//! The stories, in one binary: one link, one throw-away PostgreSQL.

mod cluster;
mod compose;
mod desk;
mod hostile;
mod intake;
mod overrides;
mod parts;
mod readme;
mod resolve;
mod whole;
mod world;
