//! Lapwing.

pub mod config;
pub mod model;
pub mod retry;
pub mod sheet;

pub mod store;

pub mod templates;

pub mod intake;
pub mod resolve;

pub mod compose;

pub mod approve;

pub mod send;

pub mod sink;
