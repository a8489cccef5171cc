//! Lapwing.

pub mod model;

pub mod config;
pub mod retry;
pub mod sheet;

pub mod store;
pub mod templates;

pub mod approve;
pub mod compose;
pub mod intake;
pub mod report;
pub mod resolve;
pub mod send;
pub mod sink;

pub mod cli;
