//! How letters are signed, and a secret that is not shown.

use std::fmt;
use std::path::PathBuf;

use serde::Deserialize;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sign {
    pub key: PathBuf,
    pub passphrase: Secret,
    pub passphrase_file: PathBuf,
    pub required: bool,
}

/// What no error, log or debugger's line may show.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct Secret(pub String);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}
