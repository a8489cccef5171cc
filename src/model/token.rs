//! Tokens: words in addresses and Message-IDs that only we can have written.
//!
//! 30 characters of lower-case base32, for mail servers on the way change the case of local parts: one names
//! the key, 13 the letter, and 16 are the first 80 bits of an HMAC-SHA-256 over the purpose and both. So a
//! token that was seen in one place is worth nothing in another, and tells nothing of the recipient.

use std::fmt;

use hmac::{Hmac, Mac};
use sha2::Sha256;

/// RFC 4648 6, in lower case.
const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

const NUMBER: usize = 13;
const PROOF: usize = 16;
const LENGTH: usize = 1 + NUMBER + PROOF;

/// Bits of a letter's number that say which part under its ticket it is.
const PART: u32 = 20;

/// As many as one character can tell apart.
pub const TOKEN_KEYS: i64 = 32;

/// Which letter, before it is frozen: a notice's number is never given twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LetterNumber {
    pub notice: i64,
    pub part: i64,
}

/// Where a token stands, and so who has seen it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// The envelope sender, and the ENVID of RFC 3461: for mail servers.
    Envelope,
    /// The Message-ID: travels with every forward.
    Message,
    /// The address that answers go to.
    Reply,
    /// The address of a page (RFC 8058): whoever has the letter may say that it is not wanted.
    OptOut,
}

impl Purpose {
    /// Leads the token in an address or a Message-ID.
    #[must_use]
    pub fn prefix(self) -> &'static str {
        match self {
            Self::Envelope => "b-",
            Self::Message => "l.",
            Self::Reply => "r-",
            Self::OptOut => "",
        }
    }
}

/// What tokens are written with, and read for as long as reports may still come.
#[derive(Clone)]
pub struct TokenKey {
    /// Below [`TOKEN_KEYS`].
    pub id: i64,
    pub value: Vec<u8>,
}

impl TokenKey {
    /// What its tokens begin with.
    #[must_use]
    pub fn sign(&self) -> char {
        char::from(ALPHABET[(self.id & 31) as usize])
    }
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenKey")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// The key in use first, then those that are only read with.
#[derive(Clone, Debug, Default)]
pub struct TokenKeys(pub Vec<TokenKey>);

/// Why a word is no token of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Untrue {
    #[error("it has not the form of a token")]
    Shapeless,
    #[error("its key is not known, or no longer")]
    UnknownKey,
    #[error("it was not written with our key")]
    Forged,
}

impl TokenKeys {
    /// The token of a letter, by the key in use; without any key, by one that everybody knows: for letters
    /// that nobody keeps.
    #[must_use]
    pub fn write(&self, purpose: Purpose, letter: LetterNumber) -> String {
        let nobodys = TokenKey {
            id: 0,
            value: Vec::new(),
        };
        let key = self.0.first().unwrap_or(&nobodys);
        let number = (letter.notice << PART | letter.part).cast_unsigned();
        let mut token = String::with_capacity(LENGTH);
        token.push(key.sign());
        put(&mut token, u128::from(number), NUMBER);
        let proof = proof(key, purpose, number).finalize().into_bytes();
        let first = proof[..10]
            .iter()
            .fold(0, |bits, byte| bits << 8 | u128::from(*byte));
        put(&mut token, first, PROOF);
        token
    }

    /// The letter that an address or Message-ID names by its token, or why that counts for nothing; `None`
    /// where it bears none for this purpose.
    #[must_use]
    pub fn letter_in(&self, purpose: Purpose, text: &str) -> Option<Result<LetterNumber, Untrue>> {
        let (_, token) = token_in(text).filter(|(told, _)| *told == purpose)?;
        Some(self.read(purpose, token))
    }

    /// The letter that a token names, in whatever case.
    ///
    /// # Errors
    /// Why it counts for nothing.
    pub fn read(&self, purpose: Purpose, token: &str) -> Result<LetterNumber, Untrue> {
        if token.len() != LENGTH || !token.is_ascii() {
            return Err(Untrue::Shapeless);
        }
        let (key, rest) = token.split_at(1);
        let (number, told) = rest.split_at(NUMBER);
        let id = i64::try_from(bits(key)?).map_err(|_| Untrue::Shapeless)?;
        let number = u64::try_from(bits(number)?).map_err(|_| Untrue::Shapeless)?;
        let told = bits(told)?.to_be_bytes();
        let key = self.0.iter().find(|key| key.id == id);
        proof(key.ok_or(Untrue::UnknownKey)?, purpose, number)
            .verify_truncated_left(&told[6..])
            .map_err(|_| Untrue::Forged)?;
        let number = number.cast_signed();
        Ok(LetterNumber {
            notice: number >> PART,
            part: number & ((1 << PART) - 1),
        })
    }
}

/// A token and its purpose, where an address or Message-ID begins with one.
#[must_use]
pub fn token_in(text: &str) -> Option<(Purpose, &str)> {
    let local = text.split('@').next()?;
    [Purpose::Envelope, Purpose::Message, Purpose::Reply]
        .into_iter()
        .find_map(|purpose| {
            let (prefix, token) = local.split_at_checked(purpose.prefix().len())?;
            let is_token = prefix.eq_ignore_ascii_case(purpose.prefix()) && token.len() == LENGTH;
            is_token.then_some((purpose, token))
        })
}

fn proof(key: &TokenKey, purpose: Purpose, number: u64) -> Hmac<Sha256> {
    // HMAC takes keys of any length.
    let mut mac = Hmac::<Sha256>::new_from_slice(&key.value).unwrap_or_else(|_| unreachable!());
    mac.update(purpose.prefix().as_bytes());
    mac.update(&key.id.to_be_bytes());
    mac.update(&number.to_be_bytes());
    mac
}

fn put(token: &mut String, bits: u128, characters: usize) {
    for place in (0..characters).rev() {
        token.push(char::from(ALPHABET[(bits >> (5 * place) & 31) as usize]));
    }
}

fn bits(text: &str) -> Result<u128, Untrue> {
    text.bytes().try_fold(0, |bits, byte| {
        let byte = byte.to_ascii_lowercase();
        let digit = ALPHABET.iter().position(|one| *one == byte);
        Ok(bits << 5 | digit.ok_or(Untrue::Shapeless)? as u128)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LETTER: LetterNumber = LetterNumber {
        notice: 42,
        part: 3,
    };

    fn keys(ids: &[i64]) -> TokenKeys {
        let key = |id: &i64| TokenKey {
            id: *id,
            value: vec![*id as u8; 32],
        };
        TokenKeys(ids.iter().map(key).collect())
    }

    #[test]
    fn a_token_names_its_letter_in_any_case_and_is_worth_nothing_elsewhere() {
        let keys = keys(&[7]);
        let token = keys.write(Purpose::Envelope, LETTER);
        assert_eq!(token.len(), 30);
        assert!(token.starts_with('h'), "{token}");
        assert_eq!(keys.read(Purpose::Envelope, &token), Ok(LETTER));
        let loud = token.to_ascii_uppercase();
        assert_eq!(keys.read(Purpose::Envelope, &loud), Ok(LETTER));
        for purpose in [Purpose::Message, Purpose::Reply] {
            assert_eq!(keys.read(purpose, &token), Err(Untrue::Forged));
        }
    }

    #[test]
    fn what_is_changed_anywhere_is_forged() {
        let keys = keys(&[1, 2]);
        let token = keys.write(Purpose::Envelope, LETTER);
        for place in 0..token.len() {
            let mut changed = token.clone().into_bytes();
            changed[place] = if changed[place] == b'c' { b'd' } else { b'c' };
            let changed = String::from_utf8(changed).unwrap();
            assert!(keys.read(Purpose::Envelope, &changed).is_err(), "{changed}");
        }
        for shapeless in ["", "a", "b-lw-000042-5-1", &"1".repeat(30), &"é".repeat(15)] {
            let read = keys.read(Purpose::Envelope, shapeless);
            assert_eq!(read, Err(Untrue::Shapeless), "{shapeless}");
        }
    }

    #[test]
    fn old_keys_are_read_and_others_are_not() {
        let token = keys(&[1]).write(Purpose::Reply, LETTER);
        assert_eq!(keys(&[2, 1]).read(Purpose::Reply, &token), Ok(LETTER));
        assert_eq!(
            keys(&[2]).read(Purpose::Reply, &token),
            Err(Untrue::UnknownKey)
        );
        let of_others = TokenKeys(vec![TokenKey {
            id: 1,
            value: vec![9; 32],
        }]);
        assert_eq!(of_others.read(Purpose::Reply, &token), Err(Untrue::Forged));
    }

    #[test]
    fn tokens_are_found_where_they_stand() {
        let token = keys(&[0]).write(Purpose::Envelope, LETTER);
        let address = format!("B-{}@bounces.example", token.to_ascii_uppercase());
        let (purpose, found) = token_in(&address).unwrap();
        assert_eq!(purpose, Purpose::Envelope);
        assert!(found.eq_ignore_ascii_case(&token));
        for other in ["", "@", "b-short@x.example", "é-aaaa@x.example", "desk@x"] {
            assert_eq!(token_in(other), None, "{other}");
        }
    }
}
