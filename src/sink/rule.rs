//! Rules: at which step, for whom and how often the sink answers badly, and what it says then.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::EnvelopeAddress;

/// One way to answer otherwise than a willing server does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    pub at: Step,
    /// Whom it is for: `abuse@isp.example`, `*@isp.example`, `abuse@*`, `*`, or `<>` for the empty
    /// sender, without regard to case; `None` is everybody. At MAIL it is compared with the sender,
    /// at RCPT with that recipient, at DATA and the dot with every recipient that was taken. The
    /// other steps know no address and do not look at it.
    pub matching: Option<String>,
    /// How often it applies before it is forgotten; `None` is always.
    pub times: Option<u32>,
    pub action: Action,
}

/// The moments of a conversation at which a rule can speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Before the greeting.
    Connect,
    /// EHLO and HELO.
    Ehlo,
    StartTls,
    /// When the credentials have come, before they are looked at.
    Auth,
    Mail,
    Rcpt,
    Data,
    /// After the final dot.
    Dot,
    Quit,
}

/// What happens in the place of the usual answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Exactly this, with `\n` between lines. A 2xx (at DATA a 3xx) only says the usual answer in
    /// other words, and the step counts as done; after anything else it does not.
    Reply(String),
    /// Drop the connection without a word.
    Close,
    ReplyThenClose(String),
    /// Do what was asked – at the dot: take and file the letter – and close without answering.
    AcceptThenClose,
    /// Never answer, until the client goes.
    Stall,
    /// These bytes and nothing more, not even a line end.
    Garbage(Vec<u8>),
    /// Wait, then answer as usual.
    Delay(Duration),
}

/// The rules in force. All clones are the same list, also while the sink runs.
#[derive(Clone, Debug, Default)]
pub struct Rules(Arc<Mutex<Vec<Rule>>>);

impl Rules {
    /// Adds a rule behind the others: the first that matches decides.
    pub fn push(&self, rule: Rule) {
        self.list().push(rule);
    }

    pub fn clear(&self) {
        self.list().clear();
    }

    /// What the first matching rule asks for; its count goes down by one, and at none it is gone.
    pub(super) fn pick(&self, at: Step, addresses: &[EnvelopeAddress]) -> Option<Action> {
        let mut list = self.list();
        let found = list
            .iter()
            .position(|rule| rule.at == at && rule.is_for(addresses))?;
        match &mut list[found].times {
            Some(0..=1) => Some(list.remove(found).action),
            Some(times) => {
                *times -= 1;
                Some(list[found].action.clone())
            }
            None => Some(list[found].action.clone()),
        }
    }

    // A panic elsewhere cannot leave the list half-changed.
    fn list(&self) -> MutexGuard<'_, Vec<Rule>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl From<Vec<Rule>> for Rules {
    fn from(rules: Vec<Rule>) -> Self {
        Self(Arc::new(Mutex::new(rules)))
    }
}

impl Rule {
    fn is_for(&self, addresses: &[EnvelopeAddress]) -> bool {
        match &self.matching {
            Some(pattern) if self.at.knows_an_address() => addresses
                .iter()
                .any(|party| matches(pattern, &party.address)),
            _ => true,
        }
    }
}

impl Step {
    pub(super) const ALL: [(&'static str, Self); 10] = [
        ("CONNECT", Self::Connect),
        ("EHLO", Self::Ehlo),
        ("HELO", Self::Ehlo),
        ("STARTTLS", Self::StartTls),
        ("AUTH", Self::Auth),
        ("MAIL", Self::Mail),
        ("RCPT", Self::Rcpt),
        ("DATA", Self::Data),
        ("DOT", Self::Dot),
        ("QUIT", Self::Quit),
    ];

    pub(super) fn knows_an_address(self) -> bool {
        matches!(self, Self::Mail | Self::Rcpt | Self::Data | Self::Dot)
    }
}

fn matches(pattern: &str, address: &str) -> bool {
    let fits = |pattern: &str, part: &str| pattern == "*" || pattern.eq_ignore_ascii_case(part);
    match (pattern.rsplit_once('@'), address.rsplit_once('@')) {
        (Some((local, domain)), Some((left, right))) => fits(local, left) && fits(domain, right),
        _ => fits(pattern, address) || (pattern == "<>" && address.is_empty()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_addresses() {
        for (pattern, address, fits) in [
            ("abuse@isp.example", "Abuse@ISP.example", true),
            ("abuse@isp.example", "abuse@isp.example.net", false),
            ("*@isp.example", "noc@isp.example", true),
            ("*@isp.example", "noc@sub.isp.example", false),
            ("abuse@*", "ABUSE@anywhere.example", true),
            ("abuse@*", "noc@anywhere.example", false),
            ("*", "", true),
            ("*@*", "", false),
            ("<>", "", true),
            ("<>", "abuse@isp.example", false),
            ("*@isp.example", "\"a@b\"@isp.example", true),
        ] {
            assert_eq!(matches(pattern, address), fits, "{pattern} {address}");
        }
    }

    #[test]
    fn the_first_that_matches_decides_until_it_is_used_up() {
        let rules = Rules::from(vec![
            "RCPT *@isp.example 450 one x2".parse().unwrap(),
            "RCPT * 550 two".parse().unwrap(),
        ]);
        let said = |address: &str| match rules.pick(Step::Rcpt, &[EnvelopeAddress::plain(address)])
        {
            Some(Action::Reply(text)) => text,
            other => panic!("{other:?}"),
        };
        assert_eq!(said("a@isp.example"), "450 one");
        assert_eq!(said("a@other.example"), "550 two");
        assert_eq!(said("b@isp.example"), "450 one");
        assert_eq!(said("c@isp.example"), "550 two");
        assert_eq!(rules.pick(Step::Mail, &[]), None);
        rules.clear();
        assert_eq!(rules.pick(Step::Rcpt, &[]), None);
    }
}
