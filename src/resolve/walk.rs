//! Which WHOIS server is asked next: from the first over its referrals to the one that knows.

use std::collections::VecDeque;

use super::answer::{Contact, Lead, Reply, Status};
use super::registries::{Registries, Server};
use super::whois::{Ask, is_handle, line};
use crate::model::{AddressRange, Subject, Tier};
use crate::reach::Reach;

/// Questions about one subject after the first. Real chains have two.
const HOPS: usize = 5;
/// Leads of one answer that are looked at.
const LEADS: usize = 8;

/// A question to put, and to whom. `registry` is whose limits count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) server: Server,
    pub(super) registry: String,
    pub(super) line: String,
}

/// The way of one question through the servers, without speaking to any: whoever walks takes a
/// [`step`](Self::step), asks, says what was [`told`](Self::told), and so on until no step is left.
///
/// Who counts for how much: registries of the configuration speak for all addresses. Everybody else
/// (rwhois, servers of providers) gives a second opinion, which counts only when it covers the
/// subject, stays within the network of the one who referred to it, and names a contact.
#[derive(Debug)]
pub(super) struct Walk<'a> {
    registries: &'a Registries,
    reach: &'a Reach,
    subject: Subject,
    ahead: VecDeque<Hop>,
    under_way: Option<Hop>,
    asked: Vec<Hop>,
    best: Option<Reply>,
    /// Why one who should know has not answered; counts as long as nobody named a contact.
    open: Option<Status>,
    /// Whose answers `best` and `open` are, as places in `asked`.
    best_by: usize,
    open_by: usize,
    /// The network of the answers so far, which a second opinion has to stay within.
    within: Option<AddressRange>,
    /// Somebody said that another registry knows, and nobody else has spoken since.
    sent_on: bool,
}

#[derive(Clone, Debug)]
struct Hop {
    server: Server,
    registry: String,
    ask: Ask,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// The first, and referrals from one to the next.
    Main,
    Rwhois,
    /// The same server for what its answer left out.
    Handle,
}

impl<'a> Walk<'a> {
    /// Begins at `registry` (a name of `[resolve.registry]`, as the RDAP bootstrap has it), or else
    /// at IANA's server. Without either there is no step.
    pub(super) fn begin(
        registries: &'a Registries,
        reach: &'a Reach,
        registry: Option<&str>,
        subject: Subject,
    ) -> Self {
        let first = registry
            .into_iter()
            .chain(["iana"])
            .find_map(|name| Some((name.to_owned(), registries.whois(name)?)));
        let ahead = first.map(|(registry, server)| Hop {
            server,
            registry,
            ask: Ask::Subject(subject),
            kind: Kind::Main,
        });
        Self {
            registries,
            reach,
            subject,
            ahead: ahead.into_iter().collect(),
            under_way: None,
            asked: Vec::new(),
            best: None,
            open: None,
            best_by: 0,
            open_by: 0,
            within: None,
            sent_on: false,
        }
    }

    /// The next question, or none when all is said that will be.
    pub(super) fn step(&mut self) -> Option<Step> {
        let hop = loop {
            let hop = self.ahead.pop_front()?;
            let is_needed = hop.kind != Kind::Handle || !self.names_abuse();
            if is_needed && self.asked.len() <= HOPS && !self.was_asked(&hop) {
                break hop;
            }
        };
        let step = Step {
            server: hop.server.clone(),
            registry: hop.registry.clone(),
            line: line(&hop.registry, &hop.ask),
        };
        self.asked.push(hop.clone());
        self.under_way = Some(hop);
        Some(step)
    }

    /// What the step's server answered.
    pub(super) fn told(&mut self, reply: Reply) {
        let Some(hop) = self.under_way.take() else {
            return;
        };
        let is_authority =
            hop.kind != Kind::Rwhois && (self.asked.len() == 1 || self.is_registry(&hop));
        match &reply.status {
            Status::Later { .. } | Status::Broken { .. } => {
                self.failed(&hop, is_authority, reply.status);
            }
            _ if hop.kind == Kind::Handle => self.told_more(&hop, reply),
            _ if is_authority => self.told_by_registry(&hop, reply),
            _ => self.told_besides(&hop, reply),
        }
    }

    /// The answer that counts, and whose it is. While one who should know has not answered, and
    /// nobody has named a contact, that is [`Status::Later`] or [`Status::Broken`], never *no contact*.
    /// `None` where nobody was asked.
    pub(super) fn best(mut self) -> Option<(Reply, Server, String)> {
        let best = self.best.unwrap_or_default();
        let (reply, by) = match self.open {
            _ if !best.contacts.is_empty() => (best, self.best_by),
            Some(status) => (Reply { status, ..best }, self.open_by),
            None if self.sent_on => {
                let words = "each server refers to another".to_owned();
                let status = Status::Broken { words };
                (Reply { status, ..best }, self.asked.len().checked_sub(1)?)
            }
            None => (best, self.best_by),
        };
        let by = (by < self.asked.len()).then(|| self.asked.swap_remove(by))?;
        Some((reply, by.server, by.registry))
    }

    /// Takes the last answer for the one that counts.
    fn choose(&mut self, reply: Reply) {
        self.best = Some(reply);
        self.best_by = self.asked.len().saturating_sub(1);
    }

    fn failed(&mut self, hop: &Hop, is_authority: bool, status: Status) {
        // What JPNIC says of a technician has no network in it, and is not read.
        let is_unread = hop.registry == "jpnic"
            && matches!(&status, Status::Broken { words } if words.starts_with("no network"));
        if hop.kind == Kind::Handle && is_unread {
            return;
        }
        // The server answered a moment ago, so it will again; what it left out names the right
        // desk. A technical contact meanwhile would be the wrong one.
        if hop.kind == Kind::Handle
            && !self.names_abuse()
            && let Some(best) = &mut self.best
        {
            best.contacts.clear();
        }
        // A second opinion that cannot be had changes nothing, unless it would be the first one.
        let would_be_first = self.best.is_none() && hop.kind == Kind::Main;
        if (is_authority || would_be_first) && self.open.is_none() {
            self.open = Some(status);
            self.open_by = self.asked.len().saturating_sub(1);
        }
    }

    fn told_by_registry(&mut self, hop: &Hop, reply: Reply) {
        if let Some(range) = reply.range.filter(|_| !self.covers(&reply)) {
            let words = format!(
                "{} answered for {range} when asked for {}",
                hop.server.host, self.subject
            );
            return self.failed(hop, true, Status::Broken { words });
        }
        self.open = None;
        self.narrow(reply.range);
        let leads = self.leads(hop, &reply.leads);
        self.sent_on = self.is_signpost(hop, &reply);
        let is_better = !reply.contacts.is_empty() || !self.has_contacts();
        if is_better && !self.sent_on {
            self.choose(reply);
        }
        self.ahead = leads;
    }

    fn told_besides(&mut self, hop: &Hop, reply: Reply) {
        let refers = reply
            .leads
            .iter()
            .any(|lead| matches!(lead, Lead::Whois { .. }));
        let is_all_there_is = self.best.is_none() && hop.kind == Kind::Main && !refers;
        let is_inside = reply.range.map_or(is_all_there_is, |range| {
            self.within.is_none_or(|within| within.contains(range))
        });
        let is_explicit = |contact: &Contact| contact.tier == Tier::Explicit;
        let says_more = match hop.kind {
            Kind::Rwhois => reply.contacts.iter().any(is_explicit),
            _ if self.has_contacts() => reply.contacts.iter().any(is_for_abuse),
            _ => is_all_there_is || !reply.contacts.is_empty(),
        };
        if hop.kind == Kind::Main {
            let leads = self.leads(hop, &reply.leads);
            self.ahead
                .extend(leads.into_iter().filter(|lead| lead.kind == Kind::Main));
        }
        if is_inside && self.covers(&reply) && says_more {
            self.narrow(reply.range);
            self.sent_on = false;
            self.choose(reply);
        }
    }

    /// The answer to a handle: a network of its own, or the person behind one.
    fn told_more(&mut self, hop: &Hop, reply: Reply) {
        if reply.range.is_some() {
            return self.told_by_registry(hop, reply);
        }
        let Ask::Handle(handle) = &hop.ask else {
            return;
        };
        let stands_there = |contact: &Contact| contact.handle.eq_ignore_ascii_case(handle);
        let all = !reply.contacts.iter().any(stands_there);
        let contacts = reply.contacts.into_iter();
        // The network's own entry names it as its abuse contact, whatever the person's says; JPNIC
        // has only handles of technicians.
        let is_for_abuse = hop.registry != "jpnic";
        let mut contacts: Vec<Contact> = contacts
            .filter(|contact| all || stands_there(contact))
            .map(|contact| Contact {
                tier: if is_for_abuse {
                    Tier::Explicit
                } else {
                    contact.tier
                },
                ..contact
            })
            .collect();
        let best = self.best.get_or_insert_default();
        for contact in best.contacts.drain(..) {
            if contacts.iter().all(|new| new.mailbox != contact.mailbox) {
                contacts.push(contact);
            }
        }
        best.contacts = contacts;
        if !best.contacts.is_empty() {
            best.status = Status::Found;
            self.sent_on = false;
        }
    }

    /// Whether an answer only says who knows. Its network is the registry's whole space, and must
    /// not be remembered as one without a contact.
    fn is_signpost(&self, hop: &Hop, reply: &Reply) -> bool {
        reply.contacts.is_empty()
            && reply.leads.iter().any(|lead| match lead {
                Lead::Whois { host, port } => {
                    let registry = self.registries.of(host, *port);
                    registry != hop.registry
                        && (hop.registry == "iana" || self.registries.is_known(&registry))
                }
                Lead::Handle { .. } => reply.range.is_none(),
                Lead::Rwhois { .. } => false,
            })
    }

    /// What of an answer's leads can be followed, the surest first.
    fn leads(&self, from: &Hop, leads: &[Lead]) -> VecDeque<Hop> {
        let mut hops: Vec<Hop> = leads
            .iter()
            .take(LEADS)
            .filter_map(|lead| self.hop(from, lead))
            .collect();
        hops.sort_by_key(|hop| match hop.kind {
            Kind::Main if self.is_registry(hop) => 0,
            Kind::Handle => 1,
            Kind::Main => 2,
            Kind::Rwhois => 3,
        });
        hops.into()
    }

    fn hop(&self, from: &Hop, lead: &Lead) -> Option<Hop> {
        let (host, port, kind) = match lead {
            Lead::Whois { host, port } => (host, *port, Kind::Main),
            Lead::Rwhois { host, port } => (host, *port, Kind::Rwhois),
            Lead::Handle { handle } => {
                return is_handle(handle).then(|| Hop {
                    ask: Ask::Handle(handle.clone()),
                    kind: Kind::Handle,
                    ..from.clone()
                });
            }
        };
        let host = host
            .trim_matches(['[', ']'])
            .trim_end_matches('.')
            .to_ascii_lowercase();
        let registry = self.registries.of(&host, port);
        let server = Server { host, port };
        let is_configured = self.registries.whois(&registry).as_ref() == Some(&server);
        if !is_configured {
            self.reach.admits(&server.host, server.port).ok()?;
        }
        Some(Hop {
            server,
            registry,
            ask: Ask::Subject(self.subject),
            kind,
        })
    }

    /// A registry has one answer, whichever of its servers is asked, and gives one handle besides.
    fn was_asked(&self, hop: &Hop) -> bool {
        self.asked.iter().any(|asked| {
            let is_same = asked.server == hop.server
                || (self.is_registry(hop) && asked.registry == hop.registry);
            is_same && (asked.kind == Kind::Handle) == (hop.kind == Kind::Handle)
        })
    }

    fn is_registry(&self, hop: &Hop) -> bool {
        self.registries.is_known(&hop.registry)
    }

    fn covers(&self, reply: &Reply) -> bool {
        match self.subject {
            Subject::Range(subject) => reply
                .range
                .is_none_or(|range| range.contains(AddressRange::single(subject.first()))),
            Subject::As(asn) => reply.asn.is_none_or(|told| told == asn),
        }
    }

    fn narrow(&mut self, range: Option<AddressRange>) {
        self.within = range.or(self.within);
    }

    fn has_contacts(&self) -> bool {
        self.best
            .as_ref()
            .is_some_and(|best| !best.contacts.is_empty())
    }

    fn names_abuse(&self) -> bool {
        self.best
            .as_ref()
            .is_some_and(|best| best.contacts.iter().any(is_for_abuse))
    }
}

fn is_for_abuse(contact: &Contact) -> bool {
    matches!(contact.tier, Tier::Explicit | Tier::Remarks)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::config::Registry;
    use crate::model::Span;
    use crate::resolve::registries::server;

    const SUBJECT: &str = "203.0.113.5";

    /// `arin` is at `whois.arin.example`, and so on; a server not named here is unknown.
    const KNOWN: [&str; 6] = ["arin", "ripe", "apnic", "lacnic", "jpnic", "iana"];

    fn registries() -> Registries {
        let known = KNOWN.iter().map(|name| {
            let registry = Registry {
                whois: format!("whois.{name}.example"),
                hosts: Vec::new(),
                at_once: 1,
                every: Span::seconds(0),
                a_day: 0,
            };
            ((*name).to_owned(), registry)
        });
        Registries::new(&known.collect::<BTreeMap<_, _>>())
    }

    /// Walks from `first` through a world of `SERVER[ HANDLE]: ANSWER | …`; who is not in it is dead.
    /// Gives who was asked, and what was found.
    fn walk(first: &str, world: &str) -> (Vec<String>, String) {
        let (registries, reach) = (registries(), Reach::default());
        let subject = SUBJECT.parse().unwrap();
        let mut walk = Walk::begin(&registries, &reach, Some(first), subject);
        let mut asked = Vec::new();
        while let Some(step) = walk.step() {
            assert!(asked.len() <= HOPS, "it does not end: {asked:?}");
            let handle = match step.line.rsplit_once(' ') {
                _ if step.line.contains(SUBJECT) => String::new(),
                Some((_, handle)) => format!(" {handle}"),
                None => format!(" {}", step.line),
            };
            let asks = format!("{}{handle}", step.registry);
            let answers = |part: &str| Some(reply(part.trim().strip_prefix(&format!("{asks}: "))?));
            walk.told(world.split('|').find_map(answers).unwrap_or_else(dead));
            asked.push(asks);
        }
        (
            asked,
            shown(&walk.best().map(|(reply, ..)| reply).unwrap_or_default()),
        )
    }

    fn dead() -> Reply {
        let words = "dead".to_owned();
        Reply {
            status: Status::Later { wait: None, words },
            ..Reply::default()
        }
    }

    /// `none`, `dead`, or `203.0.113.0/24 a@x.example contact:b@x.example`, each with leads:
    /// `>arin`, `>whois.isp.example:25`, `>rwhois://rwhois.isp.example:4321`, `>!HANDLE`.
    fn reply(text: &str) -> Reply {
        let mut reply = Reply {
            status: Status::Found,
            ..Reply::default()
        };
        for word in text.split_whitespace() {
            if word == "none" {
                reply.status = Status::NotFound;
            } else if word == "broken" {
                let words = "no network in it".to_owned();
                reply.status = Status::Broken { words };
            } else if word == "dead" {
                return dead();
            } else if let Some(lead) = word.strip_prefix('>') {
                reply.leads.push(self::lead(&lead.replace('_', "\r\n")));
            } else if word.contains('@') {
                let (tier, mailbox) = word.split_once(':').unwrap_or(("explicit", word));
                reply.contacts.push(Contact {
                    mailbox: mailbox.parse().unwrap(),
                    tier: Tier::from_text(tier).unwrap(),
                    handle: String::new(),
                    doubtful: false,
                });
            } else {
                reply.range = Some(word.parse().unwrap());
            }
        }
        reply
    }

    fn lead(text: &str) -> Lead {
        if let Some(handle) = text.strip_prefix('!') {
            let handle = handle.to_owned();
            return Lead::Handle { handle };
        }
        if KNOWN.contains(&text) {
            return lead(&format!("whois.{text}.example"));
        }
        if let Some(text) = text.strip_prefix("rwhois://") {
            let Server { host, port } = server(text);
            return Lead::Rwhois { host, port };
        }
        let Server { host, port } = server(text);
        Lead::Whois { host, port }
    }

    fn shown(reply: &Reply) -> String {
        let mut shown = match &reply.status {
            Status::Found => "found",
            Status::NotFound => "none",
            Status::Later { .. } => "later",
            Status::Broken { .. } => "broken",
        }
        .to_owned();
        if let Some(range) = reply.range {
            shown = format!("{shown} {range}");
        }
        for contact in &reply.contacts {
            shown = format!("{shown} {}:{}", contact.tier.as_str(), contact.mailbox);
        }
        shown
    }

    #[test]
    #[rustfmt::skip]
    fn referrals_lead_to_the_one_who_knows() {
        let found = "found 203.0.113.0/24 explicit:a@x.example";
        for (world, asked, result) in [
            // no way round
            ("ripe: 203.0.113.0/24 a@x.example", "ripe", found),
            ("ripe: 203.0.113.0/24", "ripe", "found 203.0.113.0/24"),
            ("ripe: none", "ripe", "none"),
            ("ripe: dead", "ripe", "later"),
            // a registry that answers for something else has not answered
            ("ripe: 198.51.100.0/24 a@x.example", "ripe", "broken"),
            // who has no server in the configuration is asked for at IANA's
            ("nobody: | iana: none", "iana", "none"),
            ("iana: 203.0.0.0/8 >ripe | ripe: 203.0.113.0/24 a@x.example", "iana ripe", found),
            ("iana: 203.0.0.0/8 >ripe | ripe: none", "iana ripe", "none"),
            ("iana: 203.0.0.0/8 >ripe | ripe: dead", "iana ripe", "later"),
            // which may know servers that the configuration does not
            ("iana: 203.0.0.0/8 >w.new.example | w.new.example: 203.0.113.0/24 a@x.example", "iana w.new.example", found),
            ("iana: 203.0.0.0/8 >w.new.example | w.new.example: none", "iana w.new.example", "none"),
            ("iana: 203.0.0.0/8 >w.new.example", "iana w.new.example", "later"),
            // ARIN has passed it on: its own part is none
            ("arin: 203.0.0.0/8 >ripe | ripe: 203.0.113.0/24 a@x.example", "arin ripe", found),
            ("arin: 203.0.0.0/8 >WHOIS.RIPE.example.:43 | ripe: 203.0.113.0/24", "arin ripe", "found 203.0.113.0/24"),
            ("arin: 203.0.0.0/8 >ripe", "arin ripe", "later"),
            // what it says itself stays when nobody knows better
            ("arin: 203.0.113.0/24 a@x.example >ripe", "arin ripe", found),
            ("arin: 203.0.113.0/24 a@x.example >ripe | ripe: 203.0.0.0/16", "arin ripe", found),
            ("arin: 203.0.113.0/24 a@x.example >w.isp.example", "arin w.isp.example", found),
            ("arin: 203.0.113.0/24 >w.isp.example", "arin w.isp.example", "found 203.0.113.0/24"),
            // one that refers to itself says nothing by it
            ("arin: 203.0.113.0/24 >WHOIS.arin.example", "arin", "found 203.0.113.0/24"),
        ] {
            let first = world.split(':').next().unwrap();
            let (went, told) = walk(first, world);
            assert_eq!((went.join(" ").as_str(), told.as_str()), (asked, result), "{world}");
        }
    }

    #[test]
    #[rustfmt::skip]
    fn a_second_opinion_counts_only_inside_and_with_a_contact() {
        let kept = "found 203.0.113.0/24 explicit:a@x.example";
        for (opinion, result) in [
            ("203.0.113.0/28 b@x.example", "found 203.0.113.0/28 explicit:b@x.example"),
            ("203.0.113.0/28 contact:b@x.example", kept),
            ("203.0.113.0/28 remarks:b@x.example", kept),
            ("203.0.113.64/28 b@x.example", kept),
            ("203.0.112.0/20 b@x.example", kept),
            ("0.0.0.0/0 b@x.example", kept),
            ("b@x.example", kept),
            ("203.0.113.0/28 >w.evil.example", kept),
            ("none", kept),
            ("dead", kept),
        ] {
            let arin = "arin: 203.0.113.0/24 a@x.example >rwhois://r.isp.example:4321";
            let (asked, told) = walk("arin", &format!("{arin} | r.isp.example: {opinion}"));
            assert_eq!((asked.len(), told.as_str()), (2, result), "{opinion}");
        }
        let kept = "found 203.0.113.0/24 contact:a@x.example";
        for (opinion, result) in [
            ("203.0.113.0/28 remarks:b@x.example", "found 203.0.113.0/28 remarks:b@x.example"),
            ("203.0.113.0/28 contact:b@x.example", kept),
            ("203.0.112.0/20 b@x.example", kept),
        ] {
            let arin = "arin: 203.0.113.0/24 contact:a@x.example >w.isp.example";
            let (_, told) = walk("arin", &format!("{arin} | w.isp.example: {opinion}"));
            assert_eq!(told, result, "{opinion}");
        }
    }

    #[test]
    fn circles_and_long_chains_end() {
        let there = "203.0.113.0/24 a@x.example";
        let found = "found 203.0.113.0/24 explicit:a@x.example";
        for (world, result) in [
            (
                "arin: 203.0.0.0/8 >ripe | ripe: 203.0.0.0/8 >arin",
                "broken",
            ),
            (&format!("arin: {there} >ripe | ripe: none >arin"), found),
        ] {
            let (asked, told) = walk("arin", world);
            assert_eq!((asked.len(), told.as_str()), (2, result), "{world}");
        }
        let mut chain = format!("arin: {there} >w0.example");
        let mut fan = format!("arin: {there}");
        for n in 0..10 {
            chain = format!("{chain} | w{n}.example: none >w{}.example", n + 1);
            fan = format!("{fan} >w{n}.example");
        }
        for world in [chain, fan] {
            let (asked, told) = walk("arin", &world);
            assert_eq!((asked.len(), told.as_str()), (1 + HOPS, found), "{world}");
        }
    }

    #[test]
    fn nothing_leads_inside() {
        let there = "arin: 203.0.113.0/24 a@x.example";
        for lead in [
            "169.254.169.254",
            "10.0.0.1",
            "127.0.0.1",
            "[::1]",
            "0.0.0.0",
            "[::ffff:10.0.0.1]",
            "198.51.100.1",
            "w.isp.example:25",
            "w.isp.example:0",
            "whois.ripe.example:25",
            "w.isp_-B.example",
            "",
        ] {
            for kind in ["", "rwhois://"] {
                let (asked, told) = walk("arin", &format!("{there} >{kind}{lead}"));
                assert_eq!(asked, ["arin"], "{lead}");
                assert_eq!(told, "found 203.0.113.0/24 explicit:a@x.example", "{lead}");
            }
        }
    }

    #[test]
    fn the_configuration_may_reach_further() {
        let (registries, reach) = (registries(), Reach::new(&["127.0.0.0/8".parse().unwrap()]));
        let subject = SUBJECT.parse().unwrap();
        let mut walk = Walk::begin(&registries, &reach, Some("arin"), subject);
        walk.step().unwrap();
        walk.told(reply("203.0.113.0/24 >127.0.0.2:40000 >10.0.0.1"));
        assert_eq!(walk.step().unwrap().server, server("127.0.0.2:40000"));
        walk.told(dead());
        assert_eq!(walk.step(), None);
    }

    #[test]
    #[rustfmt::skip]
    fn a_handle_is_asked_for_once() {
        for (network, person, asked, result) in [
            ("contact:t@x.example >!ABC", "contact:a@x.example", 2, "found 203.0.113.0/24 explicit:a@x.example contact:t@x.example"),
            (">!ABC", "none a@x.example", 2, "found 203.0.113.0/24 explicit:a@x.example"),
            ("contact:t@x.example >!ABC", "none", 2, "found 203.0.113.0/24 contact:t@x.example"),
            (">!ABC >!DEF", "none >!DEF", 2, "found 203.0.113.0/24"),
            // not to know yet is no reason to write to somebody else
            ("contact:t@x.example >!ABC", "dead", 2, "later 203.0.113.0/24"),
            ("remarks:t@x.example >!ABC", "dead", 1, "found 203.0.113.0/24 remarks:t@x.example"),
            (">!ABC", "broken", 2, "broken 203.0.113.0/24"),
            (">!A_B >!-B", "dead", 1, "found 203.0.113.0/24"),
        ] {
            let world = format!("lacnic: 203.0.113.0/24 {network} | lacnic ABC: {person}");
            let (went, told) = walk("lacnic", &world);
            assert_eq!((went.len(), told.as_str()), (asked, result), "{world}");
        }
        for (technician, result) in [
            ("203.0.113.0/24 contact:t@x.example", "found 203.0.113.0/24 contact:t@x.example"),
            ("contact:t@x.example", "found 203.0.113.0/24 contact:t@x.example"),
            ("broken", "found 203.0.113.0/24"),
        ] {
            let world = format!("jpnic: 203.0.113.0/24 >!AB1JP | jpnic AB1JP/e: {technician}");
            assert_eq!(walk("jpnic", &world).1, result, "{world}");
        }
        let list = "arin: none >!NET-203-0-113-0-1 >!NET-203-0-112-0-1";
        for (network, result) in [
            ("203.0.113.0/24 a@x.example", "found 203.0.113.0/24 explicit:a@x.example"),
            ("dead", "later"),
        ] {
            let (asked, told) = walk("arin", &format!("{list} | arin NET-203-0-113-0-1: {network}"));
            assert_eq!((asked.len(), told.as_str()), (2, result), "{network}");
        }
    }
}
