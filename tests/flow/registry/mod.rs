//! Registries asked live, one story file for each way of asking.

mod dns;
mod rdap;
mod whois;
