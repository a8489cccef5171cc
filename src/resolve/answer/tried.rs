//! One answer tried on the parser by hand, and what came of it.

use serde::Serialize;

use super::{Lead, Reply, Status};
use crate::model::{AddressRange, Mailbox, Span, Subject, Tier};

/// How an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Whois,
    Rdap,
}

/// What the parser makes of an answer.
#[derive(Clone, Debug, Serialize)]
pub struct Tried {
    /// `found`, `not_found`, `later` or `broken`.
    pub status: &'static str,
    /// Why it is no answer, in the server's words.
    pub words: String,
    /// How long it asks to wait, in seconds.
    pub wait: Option<Span>,
    /// Best first.
    pub emails: Vec<Mailbox>,
    /// Of the best one.
    pub tier: Tier,
    pub doubtful: bool,
    pub network: Option<AddressRange>,
    pub name: String,
    pub holder: String,
    pub country: String,
    pub asn: Option<u32>,
    pub registry: String,
    pub handles: Vec<String>,
    /// The web page by which it wants to be told.
    pub form: Option<String>,
    /// Where, or for what, to ask on: `whois://…`, `rwhois://…`, or a handle.
    pub leads: Vec<String>,
}

/// Reads an answer as the sources that ask registries do. Without a database, without a network.
#[must_use]
pub fn read(form: Form, bytes: &[u8], query: Option<Subject>) -> Tried {
    let reply = match form {
        Form::Whois => super::whois(bytes, query),
        Form::Rdap => super::rdap(bytes, query),
    };
    Tried::from(reply)
}

impl From<Reply> for Tried {
    fn from(reply: Reply) -> Self {
        let (status, wait, words) = match reply.status {
            Status::Found => ("found", None, String::new()),
            Status::NotFound => ("not_found", None, String::new()),
            Status::Later { wait, words } => ("later", wait, words),
            Status::Broken { words } => ("broken", None, words),
        };
        let leads = reply.leads.into_iter().map(|lead| match lead {
            Lead::Whois { host, port } => format!("whois://{host}:{port}"),
            Lead::Rwhois { host, port } => format!("rwhois://{host}:{port}"),
            Lead::Handle { handle } => handle,
        });
        let best = reply.contacts.first();
        Self {
            status,
            words,
            wait,
            tier: best.map_or(Tier::None, |one| one.tier),
            doubtful: best.is_some_and(|one| one.doubtful),
            emails: reply
                .contacts
                .iter()
                .map(|one| one.mailbox.clone())
                .collect(),
            network: reply.range,
            name: reply.name,
            holder: reply.holder,
            country: reply.country,
            asn: reply.asn,
            registry: reply.registry,
            handles: reply.handles,
            form: reply.form,
            leads: leads.collect(),
        }
    }
}
