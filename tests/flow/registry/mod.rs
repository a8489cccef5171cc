//! Registries asked live, one story file for each way of asking.

mod dns;
mod globe;
mod rdap;
mod whois;
mod whole;
