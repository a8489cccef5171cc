//! `[schedule]`: who hears of what runs of themselves.

use serde::Deserialize;

use crate::model::Mailbox;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    pub mail_to: Vec<String>,
}

impl Schedule {
    /// # Errors
    /// When one of them is no mail address.
    pub fn mail_to(&self) -> Result<Vec<Mailbox>, String> {
        let mailboxes = self.mail_to.iter();
        mailboxes
            .map(|text| super::mailbox("schedule.mail_to", text))
            .collect()
    }
}
