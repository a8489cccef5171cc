//! What a reply comes to: an answer that is kept for its time, or a registry that is left alone.

use super::answer::{Contact, Reply, Status, is_placeholder};
use super::desk::{Desk, Inquiry};
use crate::config::SourceName;
use crate::model::{
    Address, AddressRange, Answer, AnswerOutcome, Mailbox, Span, Subject, Tier, Timestamp,
};
use crate::store::Error;

/// Faults in a row after which a registry is left alone for a while.
const FAULTS: i64 = 3;

/// The first time away after a limit that names no time; it doubles up to the longest.
const AWAY: Span = Span(120_000);
const LONGEST_AWAY: Span = Span(3_600_000);
/// LACNIC blocks for about five minutes and counts from the last question.
const LACNIC_AWAY: Span = Span(360_000);

const DAY: i64 = 86_400_000;

/// A reply, and who gave it to which question.
pub(super) struct Given {
    pub(super) source: SourceName,
    pub(super) asked: Subject,
    pub(super) reply: Reply,
    pub(super) server: String,
    pub(super) registry: String,
    /// How long it may be remembered, where the server says so.
    pub(super) keep: Option<Span>,
}

impl Desk {
    /// Keeps what a reply says, for as long as it counts.
    pub(super) async fn keep(&self, given: Given) -> Result<Inquiry, Error> {
        let (now, registry) = (self.now(), &given.registry);
        let gate = gate(registry, given.source);
        match &given.reply.status {
            Status::Later { wait, words } => {
                let faults = self.store.registry_failed(&gate).await?;
                let why = format!("{}: {words}", given.server);
                let wait = wait.unwrap_or_else(|| time_away(registry, words, faults, now));
                let until = self.store.close_registry(&gate, now, wait, &why).await?;
                return Ok(Inquiry::Later {
                    registry: registry.clone(),
                    until,
                    why,
                });
            }
            Status::Broken { words } => {
                let faults = self.store.registry_failed(&gate).await?;
                if faults >= FAULTS {
                    let wait = doubled(faults - FAULTS);
                    self.store.close_registry(&gate, now, wait, words).await?;
                }
            }
            Status::Found | Status::NotFound => self.store.registry_answered(&gate).await?,
        }
        let answer = self.answer(given);
        self.store.put_answer(&answer).await?;
        Ok(Inquiry::Known(Box::new(answer)))
    }

    fn answer(&self, given: Given) -> Answer {
        // An answer that reaches beyond a block is a registry's whole stock, not a network.
        let is_network = |told: &AddressRange| match given.asked {
            Subject::Range(asked) => {
                told.contains(AddressRange::single(asked.first()))
                    && block_around(asked.first(), BLOCK).contains(*told)
            }
            Subject::As(_) => false,
        };
        let is_found = given.reply.status == Status::Found;
        let range = given.reply.range.filter(is_network).filter(|_| is_found);
        let subject = match (given.asked, range) {
            (Subject::As(asn), _) => Subject::As(asn),
            (_, Some(range)) => Subject::Range(range),
            (Subject::Range(asked), None) => Subject::Range(block_around(asked.first(), SMALL)),
        };
        // A zone has contacts for an address and names no network: they count for what is around it.
        let is_zone = given.source == SourceName::Dns;
        let is_told = range.is_some() || is_zone || matches!(given.asked, Subject::As(_));
        let (outcome, reason, counts_for) = self.outcome(&given.reply, &given.server, is_told);
        // What is said of another network is not said of this one.
        let reply = if is_told {
            given.reply
        } else {
            Reply::default()
        };
        // Not shorter than after a fault, or a run would ask again what it has just been told.
        let keep = given.keep.map(|keep| keep.max(self.settings.fault_for));
        let counts_for = keep.map_or(counts_for, |keep| counts_for.min(keep));
        let now = self.now();
        Answer {
            source: given.source.as_str().to_owned(),
            subject,
            server: given.server,
            outcome,
            name: reply.name,
            holder: reply.holder,
            country: reply.country,
            origin: reply.asn,
            registry: reply.registry,
            handles: reply.handles,
            reason,
            asked_at: now,
            counts_until: now.plus(counts_for),
        }
    }

    /// What a reply comes to, in words and as a fact, and how long that counts.
    fn outcome(&self, reply: &Reply, server: &str, is_told: bool) -> (AnswerOutcome, String, Span) {
        let settings = &self.settings;
        // The placeholder of a national registry answers for nobody.
        let contacts = reply.contacts.iter();
        let contacts: Vec<&Contact> = contacts
            .filter(|contact| !is_placeholder(&contact.mailbox))
            .collect();
        let tier = contacts.first().map_or(Tier::None, |first| first.tier);
        match &reply.status {
            Status::Broken { words } | Status::Later { words, .. } => (
                AnswerOutcome::Fault,
                format!("{server}: {words}"),
                settings.fault_for,
            ),
            Status::Found if is_told && tier != Tier::None => {
                let mailboxes: Vec<Mailbox> = contacts
                    .iter()
                    .map(|contact| contact.mailbox.clone())
                    .collect();
                let how = match tier {
                    Tier::Explicit => "abuse contact",
                    Tier::Remarks => "address for abuse in a remark",
                    Tier::Contact | Tier::None => "technical contact",
                };
                let doubt = match contacts.first().is_some_and(|first| first.doubtful) {
                    true => ", which the registry could not validate",
                    false => "",
                };
                let reason = format!("{how} by {server}{doubt}");
                (
                    AnswerOutcome::Contact(tier, mailboxes),
                    reason,
                    settings.explicit_for,
                )
            }
            Status::Found if is_told && reply.form.is_some() => {
                let form = reply.form.clone().unwrap_or_default();
                let reason = format!("{server} names a web form and no mailbox: {form}");
                (AnswerOutcome::Form(form), reason, settings.explicit_for)
            }
            Status::Found if is_told => {
                let reason = format!("{server} names no contact");
                (AnswerOutcome::None, reason, settings.none_for)
            }
            Status::Found | Status::NotFound => {
                let reason = format!("{server} knows no network there");
                (AnswerOutcome::None, reason, settings.none_for)
            }
        }
    }
}

/// Prefix lengths, IPv4's and IPv6's.
pub(super) type Lengths = (u32, u32);
/// As [`block_of`] has it.
pub(super) const BLOCK: Lengths = (8, 16);
/// What *nothing there* is taken to speak of: hardly anything smaller is registered on its own.
pub(super) const SMALL: Lengths = (24, 48);

/// The CIDR block of a length around an address.
pub(super) fn block_around(address: Address, (ipv4, ipv6): Lengths) -> AddressRange {
    let host_bits = if address.is_ipv4() {
        32 - ipv4
    } else {
        128 - ipv6
    };
    let span = (1_u128 << host_bits) - 1;
    let ends = (Address(address.0 & !span), Address(address.0 | span));
    AddressRange::new(ends.0, ends.1).unwrap_or_else(|_| AddressRange::single(address))
}

/// What is closed after a fault: a registry's WHOIS may be down while its RDAP is well.
pub(super) fn gate(registry: &str, source: SourceName) -> String {
    format!("{registry}/{}", source.as_str())
}

/// How long to stay away from a registry that has said so without saying how long.
fn time_away(registry: &str, words: &str, faults: i64, now: Timestamp) -> Span {
    // RIPE's family counts by the day: 201 lasts until it is over.
    if words.to_ascii_lowercase().contains("error:201") {
        let midnight = (now.0.div_euclid(DAY) + 1) * DAY;
        return Span(midnight - now.0 + 60_000 * (1 + now.0 % 10));
    }
    let away = doubled(faults - 1);
    match registry {
        "lacnic" | "nicbr" => away.max(LACNIC_AWAY),
        _ => away,
    }
}

fn doubled(times: i64) -> Span {
    let times = times.clamp(0, 10) as u32;
    Span(AWAY.0 << times).min(LONGEST_AWAY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_away_grows_and_ends() {
        let now = Timestamp(1_794_816_000_000 + 3_600_000);
        for (registry, words, faults, away) in [
            ("arin", "slow down", 1, "2 min"),
            ("arin", "slow down", 2, "4 min"),
            ("arin", "slow down", 99, "60 min"),
            ("lacnic", "rate limit", 1, "6 min"),
            ("lacnic", "rate limit", 4, "16 min"),
            ("ripe", "%ERROR:201: access denied", 1, "15 h"),
            ("ripe", "error:201: access denied", 1, "15 h"),
        ] {
            assert_eq!(time_away(registry, words, faults, now).to_string(), away);
        }
    }

    #[test]
    fn blocks_stay_within_their_family() {
        let around = |text: &str, lengths| block_around(text.parse().unwrap(), lengths).to_string();
        assert_eq!(around("198.51.100.7", SMALL), "198.51.100.0/29");
        assert_eq!(around("198.51.100.7", BLOCK), "198.0.0.0/8");
        assert_eq!(around("2001:db8::1", SMALL), "2001:db8::/56");
        assert_eq!(around("2001:db8::1", BLOCK), "2001::/16");
    }
}
