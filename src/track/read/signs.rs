//! Words by which mail systems give themselves away, found in one pass.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, MatchKind};

use super::reasons::plain;

/// What words tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Something was not delivered, and will not be.
    Failed,
    /// Something was not delivered yet.
    Delayed,
    /// The returned letter begins below.
    Separator,
    /// Somebody is away.
    Away,
    /// A desk has received it; people say so, too.
    Received,
    /// What a desk's program says that it did.
    Logged,
    /// A machine says that it is one.
    Automatic,
    /// Prove that you are a person.
    Challenge,
    /// Nobody reads this any more.
    Retired,
    /// The name of a mail system.
    System,
}

#[derive(Clone, Debug)]
pub(super) struct Sign {
    pub(super) kind: Kind,
    /// What was found, in lower case.
    pub(super) words: &'static str,
}

/// All signs of a text, each once, in their order.
pub(super) fn signs(text: &str) -> Vec<Sign> {
    let Some((search, list)) = &*TABLE else {
        return Vec::new();
    };
    let text = plain(text);
    let mut seen: Vec<usize> = Vec::new();
    for hit in search.find_iter(&text) {
        let id = hit.pattern().as_usize();
        if !seen.contains(&id) {
            seen.push(id);
        }
    }
    seen.into_iter().map(|id| list[id].clone()).collect()
}

type Table = (AhoCorasick, Vec<Sign>);

static TABLE: LazyLock<Option<Table>> = LazyLock::new(|| {
    let list: Vec<Sign> = WORDS
        .iter()
        .flat_map(|(kind, words)| {
            words
                .lines()
                .map(str::trim)
                .filter(|one| !one.is_empty())
                .map(|words| Sign { kind: *kind, words })
        })
        .collect();
    let search = AhoCorasick::builder()
        .match_kind(MatchKind::LeftmostLongest)
        .build(list.iter().map(|sign| plain(sign.words)));
    Some((search.ok()?, list))
});

/// Whether a text ends with words that an address follows which the failure is about.
pub(super) fn leads(text: &str) -> bool {
    let text = plain(text);
    let text = text.trim_end_matches([' ', ':', '<', '"', '\'', '(', '[', ';', '=', ',']);
    LEADS.iter().any(|lead| text.ends_with(lead.as_str()))
}

static LEADS: LazyLock<Vec<String>> =
    LazyLock::new(|| include_str!("words/leads.txt").lines().map(plain).collect());

const WORDS: [(Kind, &str); 10] = [
    (Kind::Failed, include_str!("words/failed.txt")),
    (Kind::Delayed, include_str!("words/delayed.txt")),
    (Kind::Separator, include_str!("words/separators.txt")),
    (Kind::Away, include_str!("words/away.txt")),
    (Kind::Received, include_str!("words/received.txt")),
    (Kind::Logged, include_str!("words/logged.txt")),
    (Kind::Automatic, include_str!("words/automatic.txt")),
    (Kind::Challenge, include_str!("words/challenge.txt")),
    (Kind::Retired, include_str!("words/retired.txt")),
    (Kind::System, include_str!("words/systems.txt")),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_in_lower_case_and_each_stands_once() {
        let (_, list) = TABLE.as_ref().unwrap();
        for (at, sign) in list.iter().enumerate() {
            assert_eq!(sign.words.to_lowercase(), sign.words);
            let twice = list[..at]
                .iter()
                .any(|one| plain(one.words) == plain(sign.words));
            assert!(!twice, "{:?} {}", sign.kind, sign.words);
        }
    }

    /// Whoever answers may quote our letter without a mark.
    #[test]
    fn our_own_letters_do_not_speak_as_machines_that_answer() {
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("templates");
        let mut folders = ["letter", "part", "measure", "jurisdiction"]
            .map(|one| root.join(one))
            .to_vec();
        let mut read = 0;
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(&folder).into_iter().flatten() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                    continue;
                }
                let Ok(text) = std::fs::read_to_string(&path) else {
                    continue;
                };
                read += 1;
                let kinds = [Kind::Logged, Kind::Automatic, Kind::Challenge];
                let found = signs(&text)
                    .into_iter()
                    .find(|sign| kinds.contains(&sign.kind));
                assert!(found.is_none(), "{}: {found:?}", path.display());
            }
        }
        assert!(read > 100, "{read} files");
    }
}
