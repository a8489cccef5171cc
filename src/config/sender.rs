//! `[sender]`: who the letters come from.

use serde::Deserialize;

use super::mailbox;
use crate::model::Mailbox;

#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sender {
    pub name: String,
    pub address: String,
    pub reply_to: String,
    pub bounce_domain: String,
    pub reply_tokens: bool,
    pub verify: String,
    pub ticket_prefix: String,
}

impl Sender {
    /// # Errors
    /// When it is no mail address.
    pub fn mailbox(&self) -> Result<Mailbox, String> {
        mailbox("sender.address", &self.address)
    }

    /// # Errors
    /// When it is set and no mail address.
    pub fn reply_to(&self) -> Result<Mailbox, String> {
        if self.reply_to.is_empty() {
            return self.mailbox();
        }
        mailbox("sender.reply_to", &self.reply_to)
    }

    #[must_use]
    pub fn bounce_domain(&self) -> &str {
        if self.bounce_domain.is_empty() {
            domain_of(&self.address)
        } else {
            &self.bounce_domain
        }
    }

    /// The settings, with their values, that still stand as they were shipped: nobody's name, and
    /// addresses at nobody's domain.
    #[must_use]
    pub fn examples(&self) -> Vec<(&'static str, &str)> {
        let Ok(shipped) = super::shipped().map(|shipped| shipped.sender) else {
            return Vec::new();
        };
        let nobodys = domain_of(&shipped.address);
        let is_nobodys = |value: &str| domain_of(value).eq_ignore_ascii_case(nobodys);
        let settings = [
            ("sender.name", &self.name, self.name == shipped.name),
            ("sender.address", &self.address, is_nobodys(&self.address)),
            (
                "sender.reply_to",
                &self.reply_to,
                is_nobodys(&self.reply_to),
            ),
            (
                "sender.bounce_domain",
                &self.bounce_domain,
                is_nobodys(&self.bounce_domain),
            ),
        ];
        let unset = settings
            .into_iter()
            .filter(|(_, _, is_example)| *is_example);
        unset
            .map(|(setting, value, _)| (setting, value.as_str()))
            .collect()
    }
}

fn domain_of(address: &str) -> &str {
    address.rsplit('@').next().unwrap_or_default()
}
