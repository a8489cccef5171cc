//! Where the value of a setting was said.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

/// In order: what stands below goes before what stands above.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "from", rename_all = "snake_case")]
pub enum Origin {
    /// As it is shipped.
    Default,
    File {
        path: PathBuf,
        line: usize,
    },
    /// Of the environment.
    Variable {
        name: String,
    },
    /// Of the command line.
    Flag {
        name: String,
    },
    /// A secret in a file of its own, which something else named.
    Secret {
        file: PathBuf,
        named_by: Box<Origin>,
    },
}

impl Origin {
    /// Which of two goes before the other.
    pub(super) fn rank(&self) -> u8 {
        match self {
            Self::Default => 0,
            Self::File { .. } => 1,
            Self::Variable { .. } => 2,
            Self::Flag { .. } => 3,
            Self::Secret { named_by, .. } => named_by.rank(),
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Variable { name } | Self::Flag { name } => f.write_str(name),
            Self::Secret { file, named_by } => write!(f, "{}, by {named_by}", file.display()),
        }
    }
}
