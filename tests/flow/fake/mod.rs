//! The outside of the stories: registries that answer, limit and misbehave, on this machine.

pub(crate) mod dns;
pub(crate) mod http;
pub(crate) mod imap;
pub(crate) mod whois;
