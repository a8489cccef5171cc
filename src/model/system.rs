//! An autonomous system and its holder, and by whom such facts are told.

use serde::Serialize;

use super::{Mailbox, Network};

/// An AS as a registry told it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AutonomousSystem {
    pub asn: u32,
    /// The registry's short name: `EXAMPLE-AS`.
    pub name: String,
    pub holder: String,
    /// ISO 3166-1 alpha-2 in capitals, or empty where it is not known.
    pub country: String,
    /// The holder's handle in the registry, or empty.
    pub handle: String,
    pub registry: String,
    /// The mailboxes that answer for it, best first.
    pub contacts: Vec<Mailbox>,
}

/// A network as a file tells it, with what only a registry's own database knows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Registered {
    pub network: Network,
    /// Nobody of the ranges around it answers for it, whoever their contacts are.
    pub ends_ladder: bool,
}

/// Who tells of networks and systems, by what they can know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Teller {
    /// A registry's delegation statistics: country and holder, never a contact.
    Statistics,
    /// Anybody's table, or an answer of a registry asked live.
    Table,
    /// A registry's own database.
    Database,
}

impl Teller {
    pub const ALL: [Self; 3] = [Self::Statistics, Self::Table, Self::Database];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Statistics => "statistics",
            Self::Table => "table",
            Self::Database => "database",
        }
    }
}
