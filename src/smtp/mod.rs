//! The server's side of SMTP (RFC 5321), as far as all servers share it: lines and letters in, answers out.
//!
//! The sink speaks it to our own sender, and `track` speaks its dialect LMTP to the mail server that keeps the
//! domain of bounces. What each of them makes of a command is its own affair.

mod command;
mod unstuff;
mod wire;

pub use command::EnvelopeAddress;
pub(crate) use command::{Known, Reply, check_parameters, path, reply, split};
pub(crate) use wire::{Gone, Line, Manner, Wire, stopped};
