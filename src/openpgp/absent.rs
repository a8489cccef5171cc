//! What stands in for OpenPGP where the program was built without it: every key is refused by name.

use std::convert::Infallible;
use std::path::Path;

use super::{Error, Facts, Made, Wanted};
use crate::model::Timestamp;

const ABSENT: &str =
    "this program was built without OpenPGP; build it with the cargo feature `openpgp`";

/// No key at all.
#[derive(Debug)]
pub struct Key(Infallible);

impl Key {
    /// # Errors
    /// Always.
    pub fn read(file: &Path, _: Timestamp) -> Result<Self, Error> {
        Err(Error::new(file, ABSENT))
    }

    #[must_use]
    pub fn facts(&self) -> &Facts {
        match self.0 {}
    }

    /// # Errors
    /// Never, for there is no key.
    pub fn unlock(self, _: &str) -> Result<Signer, Error> {
        match self.0 {}
    }
}

/// Nobody.
#[derive(Debug)]
pub struct Signer(Infallible);

impl Signer {
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        match self.0 {}
    }

    #[must_use]
    pub fn micalg(&self) -> &'static str {
        match self.0 {}
    }

    /// # Errors
    /// Never, for there is nobody to sign.
    pub fn check(&self, _: Timestamp) -> Result<(), Error> {
        match self.0 {}
    }

    /// # Errors
    /// Never, for there is nobody to sign.
    pub fn sign(&self, _: &[u8], _: Timestamp) -> Result<String, String> {
        match self.0 {}
    }
}

/// # Errors
/// Always.
pub fn make(_: &Wanted<'_>, _: Timestamp) -> Result<Made, String> {
    Err(ABSENT.to_owned())
}
