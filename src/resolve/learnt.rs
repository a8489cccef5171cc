//! What one round of asking has learnt about ranges, found without the database.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::keep::{BLOCK, block_around};
use crate::config::SourceName;
use crate::model::{AddressRange, Subject};

/// Shared by all who ask in a round.
#[derive(Debug)]
pub(super) struct Learnt<T>(Mutex<Vec<OfSource<T>>>);

/// By first address; inner ranges stand behind those around them.
type OfSource<T> = (SourceName, BTreeMap<(u128, Reverse<u128>), T>);

impl<T> Default for Learnt<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Clone> Learnt<T> {
    /// Keeps what a source told of a range, if it is one.
    pub(super) fn add(&self, source: SourceName, range: Option<AddressRange>, one: T) {
        let Some(range) = range else {
            return;
        };
        let place = (range.first().0, Reverse(range.last().0));
        let mut all = self.all();
        match all.iter_mut().find(|(of, _)| *of == source) {
            Some((_, told)) => drop(told.insert(place, one)),
            None => all.push((source, BTreeMap::from([(place, one)]))),
        }
    }

    /// What a source told of the innermost range around a subject's first address.
    pub(super) fn find(&self, source: SourceName, subject: Subject) -> Option<T> {
        let Subject::Range(range) = subject else {
            return None;
        };
        let first = range.first();
        // No answer reaches beyond a block.
        let block = block_around(first, BLOCK).first();
        let all = self.all();
        let (_, told) = all.iter().find(|(of, _)| *of == source)?;
        let before = told.range((block.0, Reverse(u128::MAX))..=(first.0, Reverse(0)));
        let mut around = before.rev().filter(|((_, last), _)| last.0 >= first.0);
        around.next().map(|(_, one)| one.clone())
    }

    fn all(&self) -> MutexGuard<'_, Vec<OfSource<T>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_innermost_range_is_found() {
        let known = Learnt::default();
        for range in [
            "198.51.0.0/16",
            "198.51.100.0/24",
            "198.51.100.64/26",
            "203.0.113.0/24",
        ] {
            known.add(SourceName::Rdap, Some(range.parse().unwrap()), range);
        }
        known.add(SourceName::Rdap, None, "an AS");
        for (asked, found) in [
            ("198.51.100.70", Some("198.51.100.64/26")),
            ("198.51.100.7", Some("198.51.100.0/24")),
            ("198.51.100.200", Some("198.51.100.0/24")),
            ("198.51.7.1", Some("198.51.0.0/16")),
            ("198.52.0.1", None),
            ("203.0.113.9", Some("203.0.113.0/24")),
            ("2001:db8::1", None),
            ("AS64500", None),
        ] {
            let told = known.find(SourceName::Rdap, asked.parse().unwrap());
            assert_eq!(told, found, "{asked}");
        }
        let other = known.find(SourceName::Whois, "198.51.7.1".parse().unwrap());
        assert_eq!(other, None);
    }
}
