//! The languages of one campaign, checked before its first letter is written.

use crate::compose::jurisdiction::ENGLISH;
use crate::compose::{Composition, Error, letter_error};
use crate::model::Notice;
use crate::templates;

impl Composition<'_> {
    /// Every language that may be needed is whole before the first letter is written.
    pub(in crate::compose) async fn check_languages(&mut self) -> Result<(), Error> {
        for (country, wished, mailbox) in self.work.store.languages(self.campaign.id).await? {
            let jurisdiction = self.jurisdiction(&country);
            let jurisdiction = jurisdiction
                .map_err(|cause| letter_error(&mailbox, &country, "any language", cause))?;
            let notice = Notice {
                id: 0,
                round: 1,
                locale: jurisdiction.locale(
                    self.work.templates,
                    &self.campaign.letter,
                    &[wished.as_str()],
                ),
                mailbox,
                country,
                suspects: 0,
                networks: 0,
            };
            for locale in [&notice.locale, ENGLISH] {
                self.translation(&notice, locale)?;
            }
        }
        Ok(())
    }

    /// Half a translation must not leave: whatever is missing in one stops all letters.
    pub(in crate::compose) fn check_language(
        &mut self,
        locale: &str,
    ) -> Result<(), templates::Error> {
        if !self.checked.contains(locale) {
            super::check_letter(self.work.templates, &self.campaign.letter, locale)?;
            self.checked.insert(locale.to_owned());
        }
        Ok(())
    }
}
