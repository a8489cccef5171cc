//! Lapwing.

pub mod model;
