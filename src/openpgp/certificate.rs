//! What the holder of a key has said of it by signatures of its own: owner, end, and which part signs.

use pgp::composed::{SignedSecretKey, SignedSecretSubKey};
use pgp::packet::{Signature, SignatureType, SubpacketData};
use pgp::types::{KeyDetails, S2kParams, SecretParams, StringToKey, Tag};

use super::key::{Hand, moment};
use crate::model::Timestamp;

/// A key as its holder means it to be used.
pub(super) struct Certificate {
    pub(super) owner: String,
    pub(super) expires_at: Option<Timestamp>,
    pub(super) hand: Hand,
}

/// The part of the key that may sign now: the newest subkey for it, else the key itself, as GnuPG
/// chooses. Only what the key's own signatures say counts.
///
/// # Errors
/// Why it must not be used, with a remedy.
pub(super) fn certificate(key: &SignedSecretKey, now: Timestamp) -> Result<Certificate, String> {
    // By whomsoever: one that a designated revoker made, whose key is not here, counts as well.
    if !key.details.revocation_signatures.is_empty() {
        return Err("is revoked; name another key".to_owned());
    }
    if moment(key.primary_key.created_at()) > now {
        return Err("was made in the future; look at this machine's clock".to_owned());
    }
    let (owner, said) = holder(key).ok_or(
        "has no user id that it vouches for itself; give it one, and with SHA-256 or better: \
         gpg --quick-add-uid",
    )?;
    let expires_at = end(key.primary_key.created_at(), said);
    if let Some(end) = expires_at.filter(|end| *end <= now) {
        return Err(expired(end));
    }
    let subkeys = key.secret_subkeys.iter();
    let newest = subkeys
        .filter(|one| !is_elsewhere(one.key.secret_params()))
        .filter_map(|one| signing(key, one))
        .filter(|(one, _)| moment(one.key.created_at()) <= now)
        .max_by_key(|(one, _)| one.key.created_at());
    let primary = may_sign(said) && !is_elsewhere(key.primary_key.secret_params());
    let (hand, expires_at) = match newest {
        Some((one, end)) if end.is_none_or(|end| end > now) => {
            let hand = Hand::Subkey(Box::new(one.key.clone()));
            (hand, [expires_at, end].into_iter().flatten().min())
        }
        _ if primary => (Hand::Primary(Box::new(key.primary_key.clone())), expires_at),
        Some((_, Some(end))) => return Err(expired(end)),
        _ => {
            return Err("holds no secret part that may sign; export one that has: \
                        gpg --armor --export-secret-keys"
                .to_owned());
        }
    };
    Ok(Certificate {
        owner,
        expires_at,
        hand,
    })
}

fn expired(end: Timestamp) -> String {
    format!(
        "expired on {}; extend it (gpg --quick-set-expire, then export it again) or name another key",
        end.date()
    )
}

/// The owner's name, and the newest signature in which the key speaks of itself.
fn holder(key: &SignedSecretKey) -> Option<(String, &Signature)> {
    let primary = key.primary_key.public_key();
    let mut said = Vec::new();
    for user in &key.details.users {
        let own = user.signatures.iter().filter(|signature| {
            signature
                .verify_certification(primary, Tag::UserId, &user.id)
                .is_ok()
        });
        let newest = own.max_by_key(|signature| signature.created());
        let holds = |one: &&Signature| one.typ() != Some(SignatureType::CertRevocation);
        said.extend(newest.filter(holds).map(|one| (user, one)));
    }
    let (owner, _) = said
        .iter()
        .max_by_key(|(_, one)| (one.is_primary(), one.created()))?;
    let owner = owner.id.as_str().unwrap_or_default().to_owned();
    let of_the_whole = key.details.direct_signatures.iter();
    let of_the_whole = of_the_whole.filter(|one| one.verify_key(primary).is_ok());
    let newest = said
        .iter()
        .map(|(_, one)| *one)
        .chain(of_the_whole.filter(|one| speaks_of_use(one)))
        .max_by_key(|one| one.created())?;
    Some((owner, newest))
}

/// A direct signature may be there only to name a revoker.
fn speaks_of_use(signature: &Signature) -> bool {
    signature.key_expiration_time().is_some() || has_flags(signature)
}

/// A subkey that the key calls its own and lets sign, that itself agrees, and its end.
fn signing<'a>(
    key: &SignedSecretKey,
    subkey: &'a SignedSecretSubKey,
) -> Option<(&'a SignedSecretSubKey, Option<Timestamp>)> {
    let (primary, own) = (key.primary_key.public_key(), subkey.key.public_key());
    let mut said: Vec<&Signature> = subkey
        .signatures
        .iter()
        .filter(|one| one.verify_subkey_binding(primary, own).is_ok())
        .collect();
    if said
        .iter()
        .any(|one| one.typ() == Some(SignatureType::SubkeyRevocation))
    {
        return None;
    }
    said.sort_by_key(|one| one.created());
    let newest = said.pop()?;
    // RFC 9580 5.2.1.9: without it anybody could claim somebody's subkey as his own.
    let agreed = newest.embedded_signature()?;
    let agrees = agreed.verify_primary_key_binding(own, primary).is_ok();
    (agrees && newest.key_flags().sign()).then(|| (subkey, end(subkey.key.created_at(), newest)))
}

/// Without flags a key is for all that its algorithm can do.
fn may_sign(said: &Signature) -> bool {
    !has_flags(said) || said.key_flags().sign()
}

fn has_flags(said: &Signature) -> bool {
    said.config().is_some_and(|config| {
        config
            .hashed_subpackets()
            .any(|one| matches!(one.data, SubpacketData::KeyFlags(_)))
    })
}

/// Zero means for ever.
fn end(created_at: pgp::types::Timestamp, said: &Signature) -> Option<Timestamp> {
    let seconds = said.key_expiration_time()?.as_secs();
    let made = i64::from(created_at.as_secs());
    (seconds > 0).then(|| Timestamp((made + i64::from(seconds)) * 1000))
}

/// GnuPG leaves a stub of a key that lies on a card or was left out of the export.
fn is_elsewhere(secret: &SecretParams) -> bool {
    match secret {
        SecretParams::Plain(_) => false,
        SecretParams::Encrypted(locked) => {
            matches!(
                locked.string_to_key_params(),
                S2kParams::Cfb { s2k, .. } | S2kParams::MalleableCfb { s2k, .. }
                    if matches!(s2k, StringToKey::Private { .. })
            )
        }
    }
}
