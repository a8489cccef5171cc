//! Registries asked live, one story file for each way of asking.

mod rdap;
