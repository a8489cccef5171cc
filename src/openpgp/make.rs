//! A key made for signing letters: Ed25519, version 4, nothing else in it.

use pgp::composed::{
    ArmorOptions, KeyType, SecretKeyParamsBuilder, SignedKeyDetails, SignedSecretKey,
};
use pgp::errors::Error;
use pgp::packet::{
    KeyFlags, SecretKey, SignatureConfig, SignatureType, Subpacket, SubpacketData, UserId,
};
use pgp::types::{Duration, KeyDetails, Password, SignedUser, Tag};
use rand::rngs::OsRng;

use super::key::{in_groups, in_short, seconds};
use super::{Made, Wanted};
use crate::model::{Timestamp, plain_text};

/// The longest name in a user id.
const NAME: usize = 120;

/// Makes a key at `now`.
///
/// # Errors
/// In words, when the name cannot be one.
pub fn make(wanted: &Wanted<'_>, now: Timestamp) -> Result<Made, String> {
    let name = plain_text(wanted.name, NAME);
    if name.is_empty() || name.contains(['<', '>', '@']) {
        return Err(format!(
            "\"{name}\" cannot be the name in a key: no <, > or @"
        ));
    }
    let owner = format!("{name} <{}>", wanted.mailbox);
    let made = key(&owner, wanted, now).and_then(|key| {
        let public = key.to_public_key();
        Ok(Made {
            fingerprint: in_groups(&key.primary_key.fingerprint()),
            secret: key.to_armored_string(ArmorOptions::default())?,
            public: public.to_armored_string(ArmorOptions::default())?,
        })
    });
    made.map_err(|error| in_short(&error))
}

/// The library makes the pair; what it says of itself is written here, for the library would take
/// the machine's time for it and knows no end.
fn key(owner: &str, wanted: &Wanted<'_>, now: Timestamp) -> Result<SignedSecretKey, Error> {
    let pair = SecretKeyParamsBuilder::default()
        .key_type(KeyType::Ed25519Legacy)
        .created_at(seconds(now))
        .primary_user_id(owner.to_owned())
        .build()
        .map_err(|error| std::io::Error::other(error.to_string()))?
        .generate(OsRng)?;
    let mut secret = pair.primary_key;
    let owner = UserId::from_str(pgp::types::PacketHeaderVersion::New, owner)?;
    let user = vouched(&secret, owner, wanted.expires.map(in_seconds), now)?;
    if !wanted.passphrase.is_empty() {
        secret.set_password(OsRng, &wanted.passphrase.into())?;
    }
    let details = SignedKeyDetails::new(Vec::new(), Vec::new(), vec![user], Vec::new());
    Ok(SignedSecretKey::new(
        secret,
        details,
        Vec::new(),
        Vec::new(),
    ))
}

/// The user id with the key's word for it, and what the key is for.
fn vouched(
    secret: &SecretKey,
    owner: UserId,
    expires: Option<Duration>,
    now: Timestamp,
) -> Result<SignedUser, Error> {
    let mut flags = KeyFlags::default();
    flags.set_certify(true);
    flags.set_sign(true);
    let mut said = vec![
        SubpacketData::SignatureCreationTime(seconds(now)),
        SubpacketData::IssuerFingerprint(secret.fingerprint()),
        SubpacketData::KeyFlags(flags),
        SubpacketData::IsPrimary(true),
    ];
    said.extend(expires.map(SubpacketData::KeyExpirationTime));
    let hash = pgp::crypto::hash::HashAlgorithm::Sha512;
    let mut config = SignatureConfig::v4(SignatureType::CertPositive, secret.algorithm(), hash);
    config.hashed_subpackets = said
        .into_iter()
        .map(Subpacket::regular)
        .collect::<Result<_, _>>()?;
    config.unhashed_subpackets = vec![Subpacket::regular(SubpacketData::IssuerKeyId(
        secret.legacy_key_id(),
    ))?];
    let open = Password::empty();
    let word =
        config.sign_certification(secret, secret.public_key(), &open, Tag::UserId, &owner)?;
    Ok(SignedUser::new(owner, vec![word]))
}

fn in_seconds(span: crate::model::Span) -> Duration {
    let seconds = u32::try_from(span.0 / 1000).unwrap_or(u32::MAX);
    Duration::from_secs(seconds)
}
