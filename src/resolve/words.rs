//! Many short texts in little memory, each named by a number.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

/// All texts, one behind the other; each costs its bytes and 8 more.
#[derive(Debug, Default)]
pub(super) struct Words {
    text: String,
    ends: Vec<usize>,
    /// The first word of each hash, while words are added. The texts themselves stand in `text`.
    known: HashMap<u64, u32>,
    hasher: RandomState,
}

impl Words {
    /// The number of a text that others may have, too: it is kept once.
    pub(super) fn add(&mut self, text: &str) -> u32 {
        let hash = self.hasher.hash_one(text);
        let known = self.known.get(&hash).copied();
        if let Some(word) = known.filter(|word| self.get(*word) == text) {
            return word;
        }
        let word = self.add_own(text);
        self.known.entry(hash).or_insert(word);
        word
    }

    /// The number of a text that hardly any other has: looking for it costs more than it saves.
    pub(super) fn add_own(&mut self, text: &str) -> u32 {
        self.text.push_str(text);
        self.ends.push(self.text.len());
        self.ends.len() as u32 - 1
    }

    /// Gives back the memory that only adding needs.
    pub(super) fn finish(&mut self) {
        self.known = HashMap::new();
        self.text.shrink_to_fit();
        self.ends.shrink_to_fit();
    }

    pub(super) fn get(&self, word: u32) -> &str {
        let word = word as usize;
        let start = word.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.text[start..self.ends[word]]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_kept_once_and_comes_back_whole() {
        let mut words = Words::default();
        let texts = ["", "JP", "Café 日本", "JP", "", "DE"];
        let numbers: Vec<u32> = texts.iter().map(|text| words.add(text)).collect();
        assert_eq!(numbers, [0, 1, 2, 1, 0, 3]);
        assert_eq!([words.add_own("JP"), words.add("JP")], [4, 1]);
        words.finish();
        assert_eq!(words.get(4), "JP");
        let back: Vec<&str> = numbers.iter().map(|word| words.get(*word)).collect();
        assert_eq!(back, texts);
    }
}
