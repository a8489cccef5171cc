//! Makes networks and autonomous systems of the objects of a registry's database.

use super::desks::{Desks, source};
use super::objects::{Key, Object};
use super::{HOLDER_LEN, NAME_LEN};
use crate::model::{
    AddressRange, AutonomousSystem, Network, Refusal, Registered, parse_asn, plain_text,
};
use crate::resolve::table::country;

/// How registries name what lies in their database as another's or nobody's. Such an object says only
/// that its registry knows nothing; as a network it would stand before the one that does.
const PLACEHOLDERS: [&str; 6] = [
    "IANA-BL",
    "IANA-NETBLOCK",
    "NON-RIPE-NCC-MANAGED",
    "NON-AFRINIC",
    "ERX-NETBLOCK",
    "STUB-",
];

/// The classes that are made something of.
pub(super) const CLASSES: &[Key] = &[Key::Inetnum, Key::Inet6num, Key::AutNum];

/// What an object turned out to be, and whether it refers to objects that were not among the files.
#[derive(Debug)]
pub(super) enum Told {
    Network(Registered, bool),
    System(AutonomousSystem, bool),
    Placeholder,
}

pub(super) fn told(object: &Object, desks: &Desks) -> Result<Told, Refusal> {
    let (class, key) = object.class().unwrap_or((Key::Source, ""));
    let source = source(object);
    if class == Key::AutNum {
        let Some(asn) = parse_asn(key) else {
            let remedy = "see whether the file is whole; the object was left out";
            return Err(object.refuse(key, "this is no AS number", remedy));
        };
        let answer = desks.ask(&source, object);
        let about = About::new(object, desks, source);
        return Ok(Told::System(
            AutonomousSystem {
                asn,
                name: plain_text(object.first(Key::AsName), NAME_LEN),
                holder: about.holder,
                country: about.country,
                handle: about.handle,
                registry: about.registry,
                contacts: answer.contacts,
            },
            answer.lacks,
        ));
    }
    let range = key.parse::<AddressRange>().map_err(|error| {
        let reason = format!("{}; the object was left out", error.reason);
        object.refuse(key, &reason, error.remedy)
    })?;
    let name = object.first(Key::Netname);
    let is_placeholder = |of: &&str| {
        let head = name.get(..of.len());
        head.is_some_and(|head| head.eq_ignore_ascii_case(of))
    };
    if PLACEHOLDERS.iter().any(is_placeholder) {
        return Ok(Told::Placeholder);
    }
    let answer = desks.ask(&source, object);
    let about = About::new(object, desks, source);
    let network = Network {
        range,
        name: plain_text(name, NAME_LEN),
        holder: about.holder,
        country: about.country,
        asn: desks.origin(range),
        handle: about.handle,
        registry: about.registry,
        locale: String::new(),
        contacts: answer.contacts,
    };
    let registered = Registered {
        network,
        ends_ladder: answer.ends_ladder,
    };
    Ok(Told::Network(registered, answer.lacks))
}

/// What networks and systems have in common.
struct About {
    holder: String,
    country: String,
    handle: String,
    registry: String,
}

impl About {
    fn new(object: &Object, desks: &Desks, source: String) -> Self {
        let organisation = desks.holder(&source, object);
        let holder = match organisation {
            Some(organisation) => organisation.name.clone(),
            None => plain_text(object.first(Key::Descr), HOLDER_LEN),
        };
        let own = country(object.first(Key::Country));
        let country = match organisation {
            Some(organisation) if own.is_empty() => organisation.country.clone(),
            _ => own,
        };
        // Without organisation, a holder is known by who answers for it.
        let handle = [Key::Org, Key::AbuseC, Key::MntIrt]
            .into_iter()
            .find_map(|key| object.handles(key).next())
            .unwrap_or_default();
        Self {
            holder,
            country,
            handle: plain_text(&handle.to_ascii_uppercase(), NAME_LEN),
            registry: plain_text(&source, NAME_LEN),
        }
    }
}
