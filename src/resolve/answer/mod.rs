//! What a registry said, read out of its text or JSON: network, holder, and who answers for abuse.

use serde::Serialize;

use crate::model::{AddressRange, Mailbox, Span, Subject, Tier};

/// Reads an RDAP answer (RFC 9083) to a question about `subject`.
pub(super) fn rdap(_bytes: &[u8], subject: Subject) -> Reply {
    let words = format!("nothing reads an answer about {subject} yet");
    Reply {
        status: Status::Broken { words },
        ..Reply::default()
    }
}

/// One answer of one server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Reply {
    pub(super) status: Status,
    /// The most specific network that the answer holds.
    pub(super) range: Option<AddressRange>,
    /// Its origin AS, or the AS that was asked about.
    pub(super) asn: Option<u32>,
    pub(super) name: String,
    pub(super) holder: String,
    /// ISO 3166-1 alpha-2 in capitals, or empty.
    pub(super) country: String,
    /// Whose answer it is: a name of `[resolve.registry]`, or empty.
    pub(super) registry: String,
    /// The network's own handle, then its organisation's and those of its abuse contacts.
    pub(super) handles: Vec<String>,
    /// Best first, each mailbox once, without registries' own.
    pub(super) contacts: Vec<Contact>,
    /// The web form by which it wants to be told.
    pub(super) form: Option<String>,
    /// Where, or for what, to ask on.
    pub(super) leads: Vec<Lead>,
}

/// A mailbox as an answer gives it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Contact {
    pub(super) mailbox: Mailbox,
    pub(super) tier: Tier,
    /// The role, person or organisation it stands at, or empty.
    pub(super) handle: String,
    /// The registry says that its validation failed.
    pub(super) doubtful: bool,
}

/// Whether an answer is one. What is no answer never counts as *no contact*.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "status")]
pub(super) enum Status {
    Found,
    #[default]
    NotFound,
    /// A limit, a refusal to serve us, a fault on their side; with the wait they name.
    Later {
        wait: Option<Span>,
        words: String,
    },
    /// Cut off, or nothing that can be read.
    Broken {
        words: String,
    },
}

/// Where an answer says that more is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub(super) enum Lead {
    /// Another WHOIS server.
    Whois { host: String, port: u16 },
    /// An rwhois server: a second opinion at best.
    Rwhois { host: String, port: u16 },
    /// Ask the same server for this handle.
    Handle { handle: String },
}
