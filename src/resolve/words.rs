//! Texts that many networks have in common, each kept once and named by a number.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

/// All texts, one behind the other; a text of its own costs its bytes and 8 more.
#[derive(Debug, Default)]
pub(super) struct Words {
    text: String,
    ends: Vec<usize>,
    /// The first word of each hash, while words are added. The texts themselves stand in `text`.
    known: HashMap<u64, u32>,
    hasher: RandomState,
}

impl Words {
    /// The number of a text.
    pub(super) fn add(&mut self, text: &str) -> u32 {
        let hash = self.hasher.hash_one(text);
        let known = self.known.get(&hash).copied();
        if let Some(word) = known.filter(|word| self.get(*word) == text) {
            return word;
        }
        let word = self.ends.len() as u32;
        self.text.push_str(text);
        self.ends.push(self.text.len());
        self.known.entry(hash).or_insert(word);
        word
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
        words.finish();
        let back: Vec<&str> = numbers.iter().map(|word| words.get(*word)).collect();
        assert_eq!(back, texts);
    }
}
