//! Who signs a letter: the key that was named when it was written, or nobody.

use std::sync::Arc;

use super::{Error, message};
use crate::model::{Campaign, Letter, Timestamp};
use crate::openpgp::Signer;
use crate::store::{self, Store};

/// The key at hand, and whether a letter that was written without one may go while there is one.
#[derive(Clone, Debug)]
pub struct Signing {
    pub signer: Option<Arc<Signer>>,
    pub required: bool,
}

impl Signing {
    fn fingerprint(&self) -> &str {
        self.signer.as_ref().map_or("", |one| one.fingerprint())
    }

    /// Before a run: it is better to stop than to fail ten thousand letters one by one.
    pub(super) async fn check(
        &self,
        store: &Store,
        campaign: &Campaign,
        now: Timestamp,
    ) -> Result<(), Error> {
        check_signers(store, campaign, self.fingerprint(), self.required).await?;
        if let Some(signer) = &self.signer {
            signer.check(now)?;
        }
        Ok(())
    }

    /// The bytes that leave; the same at every attempt, for the signature is dated as the letter is.
    ///
    /// # Errors
    /// In words, when it cannot be built, or must be signed and cannot.
    pub(super) fn message(&self, letter: &Letter) -> Result<Vec<u8>, String> {
        message::build(letter, self.signer_of(letter)?)
    }

    fn signer_of(&self, letter: &Letter) -> Result<Option<&Signer>, String> {
        let by = letter.signed_by.as_str();
        match self.signer.as_deref() {
            _ if by.is_empty() => Ok(None),
            Some(signer) if signer.fingerprint() == by => Ok(Some(signer)),
            Some(other) => Err(format!(
                "it must be signed by {by}, and the key at hand is {}",
                other.fingerprint()
            )),
            None => Err(format!("it must be signed by {by}, and there is no key")),
        }
    }
}

/// Whether the letters of a campaign want the key of this fingerprint; an empty one is no key. A letter
/// that says who signs it never leaves without; with `required`, nor does one that says nothing of a
/// signature, where there is a key.
///
/// # Errors
/// [`store::Error::Refused`] when they want another, or none although there is one; the database's.
pub async fn check_signers(
    store: &Store,
    campaign: &Campaign,
    fingerprint: &str,
    required: bool,
) -> Result<(), store::Error> {
    let name = &campaign.name;
    for by in store.letter_signers(campaign.id).await? {
        let refusal = match (by.as_str(), fingerprint) {
            (by, at_hand) if by == at_hand => continue,
            ("", _) if !required => continue,
            ("", _) => format!(
                "letters of \"{name}\" were written to leave unsigned, and sign.key names a key: write them again (lapwing compose {name}), or say LAPWING_SIGN__REQUIRED=false"
            ),
            (by, "") => format!(
                "letters of \"{name}\" say that {by} signs them: name that key by sign.key, or write them again (lapwing compose {name})"
            ),
            (by, other) => format!(
                "letters of \"{name}\" say that {by} signs them, but sign.key is {other}: name the other key, or write them again (lapwing compose {name})"
            ),
        };
        return Err(store::Error::Refused(refusal));
    }
    Ok(())
}
