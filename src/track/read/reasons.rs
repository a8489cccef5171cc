//! Why a letter came back: words in ten languages and status codes, from a table that an installation may change.

use std::collections::HashMap;
use std::sync::Arc;

use aho_corasick::AhoCorasick;
use serde::Deserialize;

use super::status::Code;
use crate::model::Weight;

/// The table as shipped, with its comments.
pub const REASONS: &str = include_str!("reasons.toml");

/// Bytes that a `*` may stand for.
const GAP: usize = 100;
/// Bytes of what a server said that are compared.
const HEARD: usize = 4096;

/// All reasons, ready to be looked for in one pass.
#[derive(Clone, Debug)]
pub struct Reasons {
    list: Arc<Vec<Reason>>,
    phrases: Arc<Vec<Phrase>>,
    heads: AhoCorasick,
    by_status: HashMap<String, usize>,
}

/// One of the table.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reason {
    pub name: String,
    pub weight: Weight,
    /// In a sentence, for staff.
    pub about: String,
    #[serde(default)]
    status: Vec<String>,
    says: Vec<String>,
    #[serde(default)]
    when: When,
    #[serde(default)]
    while_temporary: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum When {
    First,
    #[default]
    InItsPlace,
    NothingElse,
}

#[derive(Clone, Debug)]
struct Phrase {
    reason: usize,
    /// What stands between the stars; the first is what is searched for.
    pieces: Vec<String>,
}

/// What was found, and by which words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found<'a> {
    pub(super) reason: &'a Reason,
    pub(super) by: String,
}

/// What is wrong with a table of reasons.
#[derive(Debug, thiserror::Error)]
pub enum ReasonsError {
    #[error("{0}")]
    Toml(#[from] toml::de::Error),
    #[error("reason \"{0}\": empty words would stand in every mail; write some, or take them out")]
    Empty(String),
    #[error("its words are too many: {0}")]
    TooMany(#[from] aho_corasick::BuildError),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    reason: Vec<Reason>,
}

impl Reasons {
    /// As shipped.
    #[must_use]
    pub fn shipped() -> Self {
        Self::with("").unwrap_or_else(|error| unreachable!("the shipped table: {error}"))
    }

    /// As shipped, but each reason that the other table names is as it says there; new ones come first.
    ///
    /// # Errors
    /// A table that does not parse, with its line, or that has empty words.
    pub fn with(own: &str) -> Result<Self, ReasonsError> {
        let mut list = toml::from_str::<Table>(REASONS)?.reason;
        let own = if own.trim().is_empty() {
            Vec::new()
        } else {
            toml::from_str::<Table>(own)?.reason
        };
        for reason in own.into_iter().rev() {
            match list.iter_mut().find(|one| one.name == reason.name) {
                Some(shipped) => *shipped = reason,
                None => list.insert(0, reason),
            }
        }
        let mut phrases = Vec::new();
        let mut by_status = HashMap::new();
        for (at, reason) in list.iter().enumerate() {
            for words in &reason.says {
                let pieces: Vec<String> = words
                    .split('*')
                    .map(|piece| plain(piece).trim().to_owned())
                    .collect();
                if pieces.iter().any(String::is_empty) {
                    return Err(ReasonsError::Empty(reason.name.clone()));
                }
                phrases.push(Phrase { reason: at, pieces });
            }
            for status in &reason.status {
                for class in status
                    .starts_with('x')
                    .then_some(['4', '5'])
                    .into_iter()
                    .flatten()
                {
                    by_status
                        .entry(status.replacen('x', &class.to_string(), 1))
                        .or_insert(at);
                }
                by_status.entry(status.clone()).or_insert(at);
            }
        }
        let heads = AhoCorasick::new(phrases.iter().map(|phrase| &phrase.pieces[0]))?;
        Ok(Self {
            list: Arc::new(list),
            phrases: Arc::new(phrases),
            heads,
            by_status,
        })
    }

    pub fn iter(&self) -> impl Iterator<Item = &Reason> {
        self.list.iter()
    }

    /// By what a server said, and by the code it gave.
    pub(super) fn find(&self, said: &str, code: Option<&Code>) -> Option<Found<'_>> {
        Some(self.for_now(self.find_final(said, code)?, code))
    }

    /// What a code that begins with 4 makes of it.
    fn for_now<'a>(&'a self, found: Found<'a>, code: Option<&Code>) -> Found<'a> {
        let instead = found
            .reason
            .while_temporary
            .as_ref()
            .filter(|_| code.is_some_and(|code| code.class() == 4));
        let instead = instead.and_then(|name| self.list.iter().find(|one| one.name == *name));
        match instead {
            Some(reason) => Found { reason, ..found },
            None => found,
        }
    }

    fn find_final(&self, said: &str, code: Option<&Code>) -> Option<Found<'_>> {
        let said = plain(&without_names(&said[..floor(said, HEARD)]));
        let by_words = self.by_words(&said);
        if let Some((when, at, words)) = &by_words
            && *when < When::NothingElse
        {
            return Some(self.found(*at, words));
        }
        if let Some(code) = code
            && let Some(at) = self.by_status.get(code.as_str())
        {
            return Some(self.found(*at, code.as_str()));
        }
        by_words.map(|(_, at, words)| self.found(at, &words))
    }

    /// By a text around what the server said, in which common words mean nothing.
    pub(super) fn find_around(&self, text: &str, code: Option<&Code>) -> Option<Found<'_>> {
        let (when, at, words) =
            self.by_words(&plain(&without_names(&text[..floor(text, HEARD)])))?;
        (when < When::NothingElse).then(|| self.for_now(self.found(at, &words), code))
    }

    fn found(&self, at: usize, by: &str) -> Found<'_> {
        Found {
            reason: &self.list[at],
            by: by.to_owned(),
        }
    }

    fn by_words(&self, said: &str) -> Option<(When, usize, String)> {
        let mut best: Option<(When, usize, &Phrase)> = None;
        for hit in self.heads.find_overlapping_iter(said) {
            let phrase = &self.phrases[hit.pattern().as_usize()];
            let rank = (self.list[phrase.reason].when, phrase.reason);
            let is_better = best.is_none_or(|(when, reason, _)| rank < (when, reason));
            if is_better && phrase.goes_on(&said[hit.end()..]) && begins_word(said, hit.start()) {
                best = Some((rank.0, rank.1, phrase));
            }
        }
        best.map(|(when, at, phrase)| (when, at, phrase.pieces.join(" * ")))
    }
}

impl Phrase {
    /// Whether the pieces after the first follow, each near the one before.
    fn goes_on(&self, mut rest: &str) -> bool {
        self.pieces[1..].iter().all(|piece| {
            let near = &rest[..floor(rest, GAP + piece.len())];
            match near.find(piece.as_str()) {
                // Behind the next reply it would be of something else.
                Some(at) if !near[..at].contains(" said") && !near[..at].contains(": 5") => {
                    rest = &rest[at + piece.len()..];
                    true
                }
                _ => false,
            }
        })
    }
}

/// A host is called `spam.isp.example`, and a mailbox `unknown.user@isp.example`.
fn without_names(said: &str) -> String {
    let is_name = |word: &str| {
        let is_host = word.contains('[') && word.contains(']') && word.contains('.');
        (word.contains('@') && !word.contains("://")) || is_host
    };
    let mut plain = String::with_capacity(said.len());
    let mut is_after_host = false;
    for word in said.split_inclusive(char::is_whitespace) {
        let bare = word.trim();
        let is_named = is_after_host && bare.contains('.') && !bare.contains("://");
        is_after_host = matches!(bare, "host" | "from" | "at" | "by" | "server");
        if is_named || is_name(bare) {
            // `FROM:<…>:` says more than a name.
            plain.push_str(word.split_once('<').map_or("", |(before, _)| before));
            plain.push_str(if bare.ends_with("...") { "... " } else { "_ " });
        } else {
            plain.push_str(word);
        }
    }
    plain
}

/// "rbl" stands in "herblist", too.
fn begins_word(said: &str, at: usize) -> bool {
    let is_letter = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
    !(is_letter(said[..at].chars().next_back()) && is_letter(said[at..].chars().next()))
}

/// Many mail systems that speak French or Polish know ASCII only.
fn unaccented(c: char) -> char {
    match c {
        'à'..='å' | 'ą' | 'ă' => 'a',
        'ç' | 'ć' | 'č' => 'c',
        'è'..='ë' | 'ę' | 'ě' => 'e',
        'ì'..='ï' => 'i',
        'ñ' | 'ń' | 'ň' => 'n',
        'ò'..='ö' | 'ø' | 'ő' => 'o',
        'ù'..='ü' | 'ů' | 'ű' => 'u',
        'ý' | 'ÿ' => 'y',
        'ś' | 'š' | 'ş' | 'ș' => 's',
        'ź' | 'ż' | 'ž' => 'z',
        'ł' => 'l',
        'ř' => 'r',
        'ť' | 'ț' => 't',
        'ď' | 'đ' => 'd',
        'ı' => 'i',
        'ğ' => 'g',
        c => c,
    }
}

/// In lower case without accents, with one blank for many, and one kind of apostrophe.
pub(super) fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            c if c.is_whitespace() => {
                if !plain.ends_with(' ') {
                    plain.push(' ');
                }
            }
            '\u{2018}' | '\u{2019}' | '`' | '\u{b4}' => plain.push('\''),
            c if c.is_ascii() => plain.push(c.to_ascii_lowercase()),
            c => plain.extend(c.to_lowercase().map(unaccented)),
        }
    }
    plain
}

/// The last place up to `most` where a letter begins.
pub(super) fn floor(text: &str, most: usize) -> usize {
    text.floor_char_boundary(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(said: &str, code: &str) -> String {
        let reasons = Reasons::shipped();
        let code = Code::find(code);
        reasons
            .find(said, code.as_ref())
            .map_or(String::new(), |found| found.reason.name.clone())
    }

    #[test]
    fn words_tell_more_than_codes() {
        for (said, code, expected) in [
            ("552 5.2.2 Mailbox not found", "5.2.2", "user-unknown"),
            ("550 5.1.1 Max message size exceeded", "5.1.1", "too-large"),
            ("550  User\n  Unknown", "", "user-unknown"),
            ("Das Postfach ist voll", "", "mailbox-full"),
            ("あて先不明", "", "user-unknown"),
            ("", "5.1.1", "user-unknown"),
            ("550 rejected", "5.1.1", "user-unknown"),
            ("550 rejected", "", "policy"),
            ("the herblist says so", "", ""),
            (
                "host spam.isp.example[192.0.2.2] said: 550 User unknown",
                "",
                "user-unknown",
            ),
            (
                "after MAIL FROM:<a@isp.example>: 550 No such domain",
                "",
                "sender-rejected",
            ),
            ("mailbox of the user named x is full", "", "mailbox-full"),
        ] {
            assert_eq!(name(said, code), expected, "{said}");
        }
    }

    #[test]
    fn a_table_of_ones_own_goes_over_the_shipped_one() {
        let own = "[[reason]]\nname = \"lunch\"\nweight = \"soft\"\nabout = \"Out\"\nsays = [\"user unknown until two\"]";
        let reasons = Reasons::with(own).unwrap();
        let found = reasons.find("550 User unknown until two", None).unwrap();
        assert_eq!(
            (found.reason.name.as_str(), found.reason.weight),
            ("lunch", Weight::Soft)
        );
        assert!(Reasons::with("[[reason]]\nname = \"x\"").is_err());
        let empty = own.replace("user unknown until two", " ");
        assert!(Reasons::with(&empty).is_err());
    }
}
