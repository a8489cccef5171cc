//! Who answers for an object of a registry's database, by the objects that it refers to.
//!
//! RIPE computes abuse contacts (`AbuseCFinder` in its server) as *f(o)*:
//!
//! 1. the object's `abuse-c`, a role with an `abuse-mailbox`;
//! 2. else the `abuse-c` of its `org`, a role with an `abuse-mailbox`;
//! 3. else, for inetnum and inet6num alone, *f* of the nearest less specific object, unless this one
//!    is maintained (`mnt-by` or `mnt-lower`) by an end-user, legacy or allocation maintainer.
//!
//! An object of another registry's database (a mirror, `ARIN-GRS`) has none; RIPE-NONAUTH is RIPE's own.
//! Steps 1 and 2 are done here. Step 3 is the ladder that resolve climbs in the local table anyway: so
//! a network is stored with its own contacts alone and, where the maintainer forbids it, with the mark
//! that the ladder ends. When an allocation's contact changes, one row does, and the reason in a letter
//! can say that it comes by the larger range.
//!
//! RIPE also marks a contact *suspect* whose mailbox failed its validation, and then names the LIR for
//! reports. That mark stands in no dump, only in live answers; from a file nothing can be said of it.

use std::collections::HashMap;

use super::objects::{Key, Object};
use crate::model::{AddressRange, Mailbox, parse_asn, plain_text};
use crate::resolve::table::country;

/// Whoever is maintained by these has his space from the registry itself: nobody around him answers.
const REGISTRY_MAINTAINERS: [&str; 3] =
    ["RIPE-NCC-END-MNT", "RIPE-NCC-LEGACY-MNT", "RIPE-NCC-HM-MNT"];

/// Databases that registries keep themselves; national ones feed APNIC's and LACNIC's. TEST is RIPE's
/// test database.
const OWN_DATABASES: [&str; 14] = [
    "RIPE",
    "RIPE-NONAUTH",
    "APNIC",
    "AFRINIC",
    "ARIN",
    "LACNIC",
    "CNNIC",
    "IDNIC",
    "IRINN",
    "JPNIC",
    "KRNIC",
    "TWNIC",
    "VNNIC",
    "TEST",
];

/// Registries' own domains: who has a machine there answers for no customer's network.
const REGISTRIES: [&str; 7] = [
    "ripe.net",
    "apnic.net",
    "afrinic.net",
    "lacnic.net",
    "arin.net",
    "iana.org",
    "icann.org",
];

/// The national ones, whose mailboxes stand for every member that has none.
const NATIONAL: [&str; 14] = [
    "nic.ad.jp",
    "nic.or.kr",
    "krnic.or.kr",
    "kisa.or.kr",
    "vnnic.vn",
    "cnnic.cn",
    "cnnic.net.cn",
    "twnic.tw",
    "twnic.net.tw",
    "idnic.net",
    "irinn.in",
    "nic.br",
    "registro.br",
    "cert.br",
];

/// More mailboxes than this do not answer for one network.
const MOST_CONTACTS: usize = 20;

/// An object's own contacts, and how it stands to the ranges around it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) contacts: Vec<Mailbox>,
    /// Step 3 does not apply.
    pub(super) ends_ladder: bool,
    /// It refers to an object that no file held.
    pub(super) lacks: bool,
}

/// An organisation that networks refer to.
#[derive(Debug, Default)]
pub(super) struct Organisation {
    pub(super) name: String,
    pub(super) country: String,
    abuse_c: String,
}

/// The roles, organisations and incident teams of all files of a loading.
#[derive(Debug, Default)]
pub(super) struct Desks {
    /// By database and handle. A role without mailbox is known to be there.
    roles: HashMap<String, Box<[Mailbox]>>,
    organisations: HashMap<String, Organisation>,
    teams: HashMap<String, Box<[Mailbox]>>,
    /// The origin of each route; `None` where several announce it.
    routes: HashMap<AddressRange, Option<u32>>,
}

/// Handles are compared without regard to case, and only within one database.
fn known_as(source: &str, handle: &str) -> String {
    let database = source.strip_suffix("-NONAUTH").unwrap_or(source);
    format!("{database} {}", handle.to_ascii_uppercase())
}

/// `RIPE` of `source: RIPE # Filtered`.
pub(super) fn source(object: &Object) -> String {
    object.first(Key::Source).to_ascii_uppercase()
}

/// The mailboxes of an attribute; masked ones (`********@isp.example`) are none.
fn mailboxes(object: &Object, key: Key) -> Box<[Mailbox]> {
    let mut found: Vec<Mailbox> = Vec::new();
    for mailbox in object.handles(key).filter_map(|word| word.parse().ok()) {
        let mailbox: Mailbox = mailbox;
        if !mailbox.as_str().contains('*')
            && !found.contains(&mailbox)
            && found.len() < MOST_CONTACTS
        {
            found.push(mailbox);
        }
    }
    found.into()
}

impl Desks {
    /// The classes that it learns from.
    pub(super) const CLASSES: &'static [Key] = &[
        Key::Organisation,
        Key::Role,
        Key::Person,
        Key::Irt,
        Key::Route,
        Key::Route6,
    ];

    /// Takes in an object, where it is one that others refer to. False where it says nothing.
    pub(super) fn learn(&mut self, object: &Object) -> bool {
        let Some((class, key)) = object.class() else {
            return false;
        };
        let source = source(object);
        match class {
            Key::Role | Key::Person => {
                let mailboxes = mailboxes(object, Key::AbuseMailbox);
                let handle = object.first(Key::NicHdl);
                // Persons are many, and only some registries let them answer for abuse.
                if handle.is_empty() || class == Key::Person && mailboxes.is_empty() {
                    return false;
                }
                self.roles.insert(known_as(&source, handle), mailboxes);
            }
            Key::Organisation => {
                let organisation = Organisation {
                    name: plain_text(object.first(Key::OrgName), super::HOLDER_LEN),
                    country: country(object.first(Key::Country)),
                    abuse_c: object.first(Key::AbuseC).to_ascii_uppercase(),
                };
                self.organisations
                    .insert(known_as(&source, key), organisation);
            }
            Key::Irt => {
                let mut mailboxes_of = mailboxes(object, Key::AbuseMailbox);
                if mailboxes_of.is_empty() {
                    mailboxes_of = mailboxes(object, Key::Email);
                }
                self.teams.insert(known_as(&source, key), mailboxes_of);
            }
            Key::Route | Key::Route6 => {
                let origin = parse_asn(object.first(Key::Origin));
                if let (Ok(range), Some(origin)) = (key.parse(), origin.filter(|asn| *asn > 0)) {
                    self.routes
                        .entry(range)
                        .and_modify(|known| *known = known.filter(|known| *known == origin))
                        .or_insert(Some(origin));
                }
            }
            _ => return false,
        }
        true
    }

    /// The AS that announces exactly this range.
    pub(super) fn origin(&self, range: AddressRange) -> Option<u32> {
        self.routes.get(&range).copied().flatten()
    }

    /// The organisation that an object names.
    pub(super) fn holder(&self, source: &str, object: &Object) -> Option<&Organisation> {
        let handle = object.first(Key::Org);
        let known = (!handle.is_empty()).then(|| known_as(source, handle))?;
        self.organisations.get(&known)
    }

    /// Who answers for a network or a system.
    pub(super) fn ask(&self, source: &str, object: &Object) -> Answer {
        if !source.is_empty() && !OWN_DATABASES.contains(&source) {
            return Answer {
                ends_ladder: true,
                ..Answer::default()
            };
        }
        let is_registry_maintainer = |by: &str| {
            REGISTRY_MAINTAINERS
                .iter()
                .any(|one| one.eq_ignore_ascii_case(by))
        };
        let ends_ladder = [Key::MntBy, Key::MntLower]
            .into_iter()
            .any(|key| object.handles(key).any(is_registry_maintainer));
        let mut answer = Answer {
            ends_ladder,
            ..Answer::default()
        };
        let holder = self.holder(source, object);
        answer.lacks = holder.is_none() && !object.first(Key::Org).is_empty();
        let is_own = holder.is_some_and(|holder| is_registry(&holder.name))
            && object.first(Key::Status).starts_with("ASSIGNED");
        let mut take = |known: &HashMap<String, Box<[Mailbox]>>, handle: &str| {
            let found = known.get(&known_as(source, handle));
            answer.lacks |= found.is_none();
            let mailboxes = found.map_or(&[][..], |found| found);
            answer.contacts = mailboxes
                .iter()
                .filter(|one| !is_registrys(one, is_own))
                .cloned()
                .collect();
            !answer.contacts.is_empty()
        };
        let own = object.first(Key::AbuseC);
        let of_holder = holder.map_or("", |holder| &holder.abuse_c);
        for handle in [own, of_holder] {
            if !handle.is_empty() && take(&self.roles, handle) {
                return answer;
            }
        }
        if matches!(source, "RIPE" | "RIPE-NONAUTH" | "TEST") {
            return answer;
        }
        // The others' databases have incident teams, or a role's mailbox, or a remark.
        for handle in object.handles(Key::MntIrt) {
            if take(&self.teams, handle) {
                return answer;
            }
        }
        for handle in object
            .handles(Key::AdminC)
            .chain(object.handles(Key::TechC))
        {
            if self.roles.contains_key(&known_as(source, handle)) && take(&self.roles, handle) {
                return answer;
            }
        }
        answer.contacts = remarked(object)
            .into_iter()
            .filter(|one| !is_registrys(one, is_own))
            .collect();
        answer
    }
}

/// Whether a mailbox is a registry's, and not asked for the registry's own machines.
fn is_registrys(mailbox: &Mailbox, is_own: bool) -> bool {
    let domain = mailbox.domain();
    NATIONAL.contains(&domain) || REGISTRIES.contains(&domain) && !is_own
}

fn is_registry(holder: &str) -> bool {
    let holder = holder.to_ascii_lowercase();
    [
        "ripe ncc",
        "ripe network coordination",
        "asia pacific network information",
        "african network information",
        "latin american and caribbean ip address regional registry",
    ]
    .iter()
    .any(|name| holder.contains(name))
}

/// The mailboxes of a remark that speaks of abuse or spam, or of the line behind it.
fn remarked(object: &Object) -> Vec<Mailbox> {
    let mut found: Vec<Mailbox> = Vec::new();
    let mut speaks_before = false;
    for remark in object.all(Key::Remarks) {
        let lower = remark.to_ascii_lowercase();
        let speaks = ["abuse", "spam"].iter().any(|word| lower.contains(word));
        // A blocklist's way out, a peering desk or a validation is not where to report.
        let is_other = ["delist", "peering", "validated", "changed"]
            .iter()
            .any(|word| lower.contains(word));
        let before = found.len();
        if (speaks || speaks_before) && !is_other {
            let words = lower.split(|c: char| c.is_whitespace() || "<>()[],;:\"'*=".contains(c));
            let mailboxes = words.filter_map(|word| word.trim_matches('.').parse().ok());
            for mailbox in mailboxes {
                if !found.contains(&mailbox) && found.len() < MOST_CONTACTS {
                    found.push(mailbox);
                }
            }
        }
        speaks_before = speaks && !is_other && found.len() == before;
    }
    found
}
