//! The languages of one campaign, checked before its first letter is written.

use crate::compose::jurisdiction::ENGLISH;
use crate::compose::{Composition, Error, letter_error, reminder};
use crate::model::Notice;

impl Composition<'_> {
    /// Every language that may be needed is whole before the first letter is written.
    pub(in crate::compose) async fn check_languages(&mut self) -> Result<(), Error> {
        let own = self.campaign.letter.clone();
        // Whom a reminder reaches for the first time gets a notice.
        let first = self.memory.as_ref().map(|_| reminder::NOTICE.to_owned());
        for (country, wished, mailbox) in self.work.store.languages(self.campaign.id).await? {
            let wished: Vec<&str> = [wished.as_str()]
                .into_iter()
                .filter(|tag| !tag.is_empty())
                .collect();
            let campaign = self.campaign;
            let wished = campaign.terms.wished(wished);
            for letter in [Some(&own), first.as_ref()].into_iter().flatten() {
                let jurisdiction = self.jurisdiction(&country);
                let jurisdiction = jurisdiction
                    .map_err(|cause| letter_error(&mailbox, &country, "any language", cause))?;
                let notice = Notice {
                    id: 0,
                    round: 1,
                    locale: jurisdiction.locale(self.work.templates, letter, &wished),
                    mailbox: mailbox.clone(),
                    country: country.clone(),
                    suspects: 0,
                    networks: 0,
                };
                self.check_letter(letter, &notice)?;
            }
        }
        Ok(())
    }

    /// Half a translation must not leave: whatever is missing in one stops all letters. The English
    /// stands below every other language.
    pub(in crate::compose) fn check_letter(
        &mut self,
        letter: &str,
        notice: &Notice,
    ) -> Result<(), Error> {
        for locale in [notice.locale.as_str(), ENGLISH] {
            let key = (letter.to_owned(), locale.to_owned());
            if !self.checked.contains(&key) {
                super::check_letter(self.work.templates, letter, locale).map_err(|cause| {
                    letter_error(&notice.mailbox, &notice.country, locale, cause)
                })?;
                self.checked.insert(key);
            }
            // The country's note, in this language.
            self.translation(notice, locale)?;
        }
        Ok(())
    }
}
