//! What a registry said, read out of its text or JSON: network, holder, and who answers for abuse.

mod arin;
mod charset;
mod deny;
mod objects;
mod people;
mod placeholder;
mod range;
mod rdap;
mod remarks;
mod rwhois;
mod scan;
mod status;
mod tables;
mod tried;
mod vcard;

use serde::Serialize;

use crate::model::{AddressRange, Mailbox, Span, Subject, Tier};
pub(super) use charset::decode;
pub(super) use deny::is_placeholder;
pub(super) use rdap::read as rdap;
pub use tried::{Form, Tried, read as try_answer};

/// Contacts, handles and leads of one answer that are kept: one letter goes to one of them, the next
/// ones are for when it is dead, and an answer with more was made to keep us busy.
const MOST: usize = 50;

/// Contacts that are weighed.
const MOST_READ: usize = 500;

/// Networks around the nearest one that are asked for contacts.
const MOST_AROUND: usize = 8;

/// Reads what a WHOIS or rwhois server answered, whichever it was. With the question given, an
/// answer about something else is none.
pub(super) fn whois(bytes: &[u8], query: Option<Subject>) -> Reply {
    let text = charset::decode(bytes);
    let start = text.trim_start();
    if start.is_empty() {
        let words = "the answer is empty".to_owned();
        return Reply::without(Status::Broken { words });
    }
    if start.starts_with('<') {
        return Reply::without(status::of_page(start));
    }
    let asked = match query {
        Some(Subject::Range(range)) => Some(range),
        _ => None,
    };
    let parts = scan::parts(&text);
    let mut chosen = Reply::without(status::of(&scan::Part::default(), false));
    for reply in parts.iter().filter_map(|part| of_part(part, asked)) {
        chosen = chosen.followed_by(reply);
    }
    chosen.settle(query)
}

/// `None` where a part has only what clients print between two answers.
fn of_part(part: &scan::Part, asked: Option<AddressRange>) -> Option<Reply> {
    let found = arin::read(part, asked)
        .or_else(|| rwhois::read(part, asked))
        .or_else(|| tables::read(part, asked))
        .or_else(|| objects::read(part, asked));
    let has_network = found
        .as_ref()
        .is_some_and(|reply| reply.status == Status::Found);
    let said = status::of(part, has_network);
    let is_mute = part.blocks.is_empty() && matches!(said, Status::Broken { .. });
    if found.is_none() && is_mute && !status::is_cut(part) {
        return None;
    }
    let is_known = found.is_some();
    let mut reply = found.unwrap_or_default();
    if !is_known || matches!(said, Status::Later { .. }) {
        reply.status = said;
    }
    if status::is_cut(part) && !matches!(reply.status, Status::Later { .. }) {
        let words = "cut off: the line that ends the answer is missing".to_owned();
        reply.status = Status::Broken { words };
    }
    Some(reply)
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

impl Reply {
    pub(super) fn without(status: Status) -> Self {
        Self {
            status,
            ..Self::default()
        }
    }

    fn note(&mut self, tier: Tier, handle: &str, mailboxes: impl IntoIterator<Item = Mailbox>) {
        let contacts = mailboxes.into_iter().map(|mailbox| Contact {
            mailbox,
            tier,
            handle: handle.to_owned(),
            doubtful: false,
        });
        let room = MOST_READ.saturating_sub(self.contacts.len());
        self.contacts.extend(contacts.take(room));
    }

    /// Takes over what remarks say.
    fn heed(&mut self, handle: &str, remarks: remarks::Remarks) {
        self.note(Tier::Remarks, handle, remarks.mailboxes);
        if self.form.is_none() {
            self.form = remarks.form;
        }
    }

    fn add_handle(&mut self, handle: &str) {
        let handle = handle.trim();
        if !handle.is_empty()
            && self.handles.len() < MOST
            && !self
                .handles
                .iter()
                .any(|one| one.eq_ignore_ascii_case(handle))
        {
            self.handles.push(handle.to_owned());
        }
    }

    fn add_lead(&mut self, lead: Lead) {
        if self.leads.len() < MOST && !self.leads.contains(&lead) {
            self.leads.push(lead);
        }
    }

    /// Whether it names somebody for abuse who is not a national registry standing in.
    fn is_settled(&self) -> bool {
        let real = |one: &Contact| {
            one.tier < Tier::Contact && !self.is_denied(one) && !is_placeholder(&one.mailbox)
        };
        self.contacts.iter().any(real)
    }

    fn is_denied(&self, contact: &Contact) -> bool {
        deny::is_denied(&contact.mailbox, [self.name.as_str(), &self.holder])
    }

    /// Puts the contacts in order, and drops what is not to be written to.
    fn settle(mut self, query: Option<Subject>) -> Self {
        let covers = match query {
            Some(Subject::Range(asked)) => self.range.is_none_or(|range| range.contains(asked)),
            Some(Subject::As(asked)) => self.asn.is_none_or(|asn| asn == asked),
            None => true,
        };
        if matches!(self.status, Status::Found) && !covers {
            let leads = std::mem::take(&mut self.leads);
            return Self {
                leads,
                ..Self::default()
            };
        }
        let rank = |one: &Contact| match one.tier {
            Tier::Explicit if is_placeholder(&one.mailbox) => 2,
            Tier::Explicit => 0,
            Tier::Remarks => 1,
            Tier::Contact | Tier::None => 3,
        };
        let is_settled = self.is_settled() || self.form.is_some();
        let mut contacts = std::mem::take(&mut self.contacts);
        contacts.retain(|one| !self.is_denied(one) && (rank(one) < 3 || !is_settled));
        contacts.sort_by_key(rank);
        for contact in contacts {
            let mut known = self.contacts.iter_mut();
            match known.find(|one| one.mailbox == contact.mailbox) {
                Some(known) => known.doubtful |= contact.doubtful,
                None => self.contacts.push(contact),
            }
            self.contacts.truncate(MOST);
        }
        match self.status {
            Status::Found | Status::Broken { .. } => {}
            Status::NotFound => self.contacts.clear(),
            Status::Later { .. } => {
                self.contacts.clear();
                self.leads.clear();
            }
        }
        if self.contacts.is_empty() && self.status != Status::Found {
            self.form = None;
        }
        let handles: Vec<String> = self.contacts.iter().map(|one| one.handle.clone()).collect();
        handles.iter().for_each(|handle| self.add_handle(handle));
        self
    }

    /// The last server that knows a network is nearest to it; one that knows none, or asks us to come
    /// back later, does not undo what was said before.
    fn followed_by(mut self, mut next: Self) -> Self {
        let weight = |reply: &Self| match reply.status {
            Status::Found => 3,
            Status::Later { .. } => 2,
            Status::NotFound => 1,
            Status::Broken { .. } => 0,
        };
        if weight(&next) < weight(&self) {
            next.leads.into_iter().for_each(|lead| self.add_lead(lead));
            return self;
        }
        if next.status == Status::Found {
            // A provider's own server seldom repeats the mailbox that the registry has.
            let is_within = self
                .range
                .zip(next.range)
                .is_some_and(|(outer, inner)| outer.contains(inner));
            if is_within && next.contacts.is_empty() && next.registry.is_empty() {
                next.contacts = self.contacts;
                next.form = next.form.or(self.form);
            }
        } else {
            self.leads.into_iter().for_each(|lead| next.add_lead(lead));
        }
        next
    }
}

/// How far a network of an answer is from what was asked: those around it first, and the smallest of
/// them.
fn distance(range: Option<AddressRange>, asked: Option<AddressRange>) -> Option<(bool, u128)> {
    let range = range?;
    let is_beside = asked.is_some_and(|asked| !range.contains(asked));
    Some((is_beside, range.last().0 - range.first().0))
}

/// Whether an answer is one. What is no answer never counts as *no contact*. What was read before
/// an answer was cut off is kept in it, though it may not be all.
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
