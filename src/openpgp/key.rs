//! The secret key in its file: read, unlocked, and put to work under a letter.

use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};

use pgp::composed::{ArmorOptions, Deserializable, DetachedSignature, SignedSecretKey};
use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{
    SecretKey, SecretSubkey, Signature, SignatureConfig, SignatureType, Subpacket, SubpacketData,
};
use pgp::ser::Serialize;
use pgp::types::{
    EddsaLegacyPublicParams, Fingerprint, KeyDetails, KeyVersion, Password, PublicParams,
    SecretParams, SigningKey,
};

use super::certificate::{Certificate, certificate};
use super::{Error, Facts};
use crate::model::Timestamp;

/// A key file is a few kilobytes; somebody else's photograph on it makes it some dozen.
const LARGEST: u64 = 1 << 20;

/// RFC 3156 5 has this name for it; RFC 9580 9.5 recommends it.
const HASH: HashAlgorithm = HashAlgorithm::Sha512;
const MICALG: &str = "pgp-sha512";

/// The shortest RSA key to be taken, in bits.
const SHORTEST: u16 = 2048;

/// A secret key that may sign at the time it was read, locked or not.
pub struct Key {
    facts: Facts,
    hand: Hand,
}

/// The part of a key that signs.
pub(super) enum Hand {
    Primary(Box<SecretKey>),
    Subkey(Box<SecretSubkey>),
}

impl Key {
    /// Reads an armored secret key and judges it as GnuPG would, for what GnuPG does not accept is
    /// no signature to its reader.
    ///
    /// # Errors
    /// When it cannot be read, is no key that may sign at `now`, or one that cannot be verified
    /// everywhere; with a remedy.
    pub fn read(file: &Path, now: Timestamp) -> Result<Self, Error> {
        let wrong = |problem: String| Error::new(file, problem);
        let text = read(file).map_err(|error| {
            wrong(format!(
                "{error}; `lapwing key new` makes a key, and `gpg --armor --export-secret-keys` writes one down"
            ))
        })?;
        let key = parse(&text).map_err(wrong)?;
        Self::judge(file, &key, now).map_err(wrong)
    }

    fn judge(file: &Path, key: &SignedSecretKey, now: Timestamp) -> Result<Self, String> {
        if key.primary_key.version() != KeyVersion::V4 {
            return Err(
                "is not a key of version 4, the only one that every recipient can verify; make one \
                 with `lapwing key new`"
                    .to_owned(),
            );
        }
        let Certificate {
            owner,
            expires_at,
            hand,
        } = certificate(key, now)?;
        let public = key
            .to_public_key()
            .to_armored_string(ArmorOptions::default())
            .map_err(|error| in_short(&error))?;
        let facts = Facts {
            file: PathBuf::from(file),
            fingerprint: in_groups(&key.primary_key.fingerprint()),
            owner,
            algorithm: algorithm(hand.public_params())?,
            created_at: moment(key.primary_key.created_at()),
            expires_at,
            is_locked: hand.is_locked(),
            public,
        };
        Ok(Self { facts, hand })
    }

    #[must_use]
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Unlocks it once for all letters, for that takes a tenth of a second by design.
    ///
    /// # Errors
    /// When the passphrase is missing or wrong.
    pub fn unlock(self, passphrase: &str) -> Result<Signer, Error> {
        let Self { facts, mut hand } = self;
        let locked = hand.is_locked();
        if locked && passphrase.is_empty() {
            return Err(Error::new(
                &facts.file,
                "is locked; give its passphrase by sign.passphrase_file or LAPWING_SIGN__PASSPHRASE",
            ));
        }
        let unlocked = match &mut hand {
            Hand::Primary(key) => key.remove_password(&passphrase.into()),
            Hand::Subkey(key) => key.remove_password(&passphrase.into()),
        };
        match unlocked {
            Ok(()) => Ok(Signer { facts, hand }),
            Err(_) => Err(Error::new(
                &facts.file,
                "the passphrase does not unlock it; see sign.passphrase, sign.passphrase_file and \
                 LAPWING_SIGN__PASSPHRASE",
            )),
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.facts.fingerprint)
    }
}

/// A key that is unlocked.
pub struct Signer {
    facts: Facts,
    hand: Hand,
}

impl Signer {
    /// Of the whole key, in groups of four.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        &self.facts.fingerprint
    }

    /// The hash, by its name in `multipart/signed` (RFC 3156 5).
    #[must_use]
    pub fn micalg(&self) -> &'static str {
        MICALG
    }

    /// # Errors
    /// When it has expired since it was read.
    pub fn check(&self, now: Timestamp) -> Result<(), Error> {
        match self.facts.expires_at.filter(|end| *end <= now) {
            Some(end) => Err(Error::new(
                &self.facts.file,
                format!("expired on {}", end.date()),
            )),
            None => Ok(()),
        }
    }

    /// A detached signature, armored, made at `at`. The same bytes at the same time have the same
    /// signature: version 4 takes no salt, and neither Ed25519 nor RSA (PKCS #1 1.5) takes chance.
    ///
    /// # Errors
    /// When the key was made after `at`, which no reader accepts.
    pub fn sign(&self, bytes: &[u8], at: Timestamp) -> Result<String, String> {
        let made = moment(self.hand.details().created_at());
        if at.0 < made.0 {
            return Err(format!(
                "it is dated {at}, and the key that was to sign it was made only at {made}"
            ));
        }
        let signature = match &self.hand {
            Hand::Primary(key) => signature(key.as_ref(), bytes, at),
            Hand::Subkey(key) => signature(key.as_ref(), bytes, at),
        };
        signature
            .and_then(|one| DetachedSignature::new(one).to_armored_string(ArmorOptions::default()))
            .map_err(|error| format!("it could not be signed: {}", in_short(&error)))
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({})", self.facts.fingerprint)
    }
}

impl Hand {
    fn details(&self) -> &dyn KeyDetails {
        match self {
            Self::Primary(key) => key.as_ref(),
            Self::Subkey(key) => key.as_ref(),
        }
    }

    fn public_params(&self) -> &PublicParams {
        self.details().public_params()
    }

    fn is_locked(&self) -> bool {
        let secret = match self {
            Self::Primary(key) => key.secret_params(),
            Self::Subkey(key) => key.secret_params(),
        };
        matches!(secret, SecretParams::Encrypted(_))
    }
}

fn signature(
    key: &impl SigningKey,
    bytes: &[u8],
    at: Timestamp,
) -> Result<Signature, pgp::errors::Error> {
    let mut config = SignatureConfig::v4(SignatureType::Binary, key.algorithm(), HASH);
    config.hashed_subpackets = vec![
        Subpacket::regular(SubpacketData::SignatureCreationTime(seconds(at)))?,
        Subpacket::regular(SubpacketData::IssuerFingerprint(key.fingerprint()))?,
    ];
    config.unhashed_subpackets = vec![Subpacket::regular(SubpacketData::IssuerKeyId(
        key.legacy_key_id(),
    ))?];
    config.sign(key, &Password::empty(), bytes)
}

fn read(file: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    std::fs::File::open(file)?
        .take(LARGEST)
        .read_to_string(&mut text)?;
    Ok(text)
}

/// The one key in a text.
fn parse(text: &str) -> Result<SignedSecretKey, String> {
    if text.contains("BEGIN PGP PUBLIC KEY BLOCK") {
        return Err(
            "holds a public key, which signs nothing; export the secret one: \
             gpg --armor --export-secret-keys"
                .to_owned(),
        );
    }
    let unread = |error| {
        format!(
            "is no armored secret key (-----BEGIN PGP PRIVATE KEY BLOCK-----): {}",
            in_short(&error)
        )
    };
    let (mut keys, _) = SignedSecretKey::from_string_many(text).map_err(unread)?;
    let key = keys
        .next()
        .ok_or("holds no secret key; make one with `lapwing key new`")?
        .map_err(unread)?;
    match keys.next() {
        None => Ok(key),
        Some(_) => Err("holds more than one key; export the one that is to sign".to_owned()),
    }
}

/// Those that GnuPG 2.2, still what most have, can verify, and that sign without chance.
fn algorithm(params: &PublicParams) -> Result<String, String> {
    match params {
        PublicParams::EdDSALegacy(EddsaLegacyPublicParams::Ed25519 { .. }) => {
            Ok("Ed25519".to_owned())
        }
        PublicParams::RSA(_) => {
            // The modulus comes first, led by its length in bits (RFC 9580 3.2).
            let written = params.to_bytes().unwrap_or_default();
            let bits = written
                .first_chunk()
                .map_or(0, |two| u16::from_be_bytes(*two));
            if bits < SHORTEST {
                return Err(format!(
                    "is RSA of {bits} bits, which can be broken; make one with `lapwing key new`"
                ));
            }
            Ok(format!("RSA {bits}"))
        }
        _ => Err(
            "signs by neither Ed25519 as GnuPG has it nor RSA, which every recipient can verify; \
             make one with `lapwing key new`"
                .to_owned(),
        ),
    }
}

/// The library's errors may end in all calls that led there.
pub(super) fn in_short(error: &pgp::errors::Error) -> String {
    let said = error.to_string();
    let end = said.find(['{', '\n']).unwrap_or(said.len());
    said[..end].trim_end().to_owned()
}

/// `0123 4567 …`: for people to compare.
pub(super) fn in_groups(fingerprint: &Fingerprint) -> String {
    let groups = fingerprint.as_bytes().chunks(2);
    let groups: Vec<String> = groups
        .map(|two| two.iter().map(|byte| format!("{byte:02X}")).collect())
        .collect();
    groups.join(" ")
}

pub(super) fn moment(at: pgp::types::Timestamp) -> Timestamp {
    Timestamp(i64::from(at.as_secs()) * 1000)
}

/// OpenPGP counts seconds, from 1970 to 2106.
pub(super) fn seconds(at: Timestamp) -> pgp::types::Timestamp {
    let seconds = at.0.div_euclid(1000).max(0);
    pgp::types::Timestamp::from_secs(u32::try_from(seconds).unwrap_or(u32::MAX))
}
