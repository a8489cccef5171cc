//! Who holds the networks of one letter, where registries spell one name in several ways.

use std::collections::{BTreeMap, BTreeSet};

/// The words that say what kind of company it is, each with the one it stands for.
#[rustfmt::skip]
const FORMS: [(&str, &str); 38] = [
    ("ltd", "ltd"), ("limited", "ltd"), ("inc", "inc"), ("incorporated", "inc"), ("corp", "corp"),
    ("corporation", "corp"), ("co", "co"), ("company", "co"), ("llc", "llc"), ("plc", "plc"),
    ("pty", "pty"), ("pte", "pte"), ("pvt", "pvt"), ("gmbh", "gmbh"), ("ag", "ag"), ("kg", "kg"),
    ("se", "se"), ("ev", "ev"), ("eg", "eg"), ("sa", "sa"), ("sas", "sas"), ("sarl", "sarl"),
    ("srl", "srl"), ("spa", "spa"), ("sl", "sl"), ("slu", "slu"), ("lda", "lda"), ("ltda", "ltda"),
    ("bv", "bv"), ("nv", "nv"), ("ab", "ab"), ("as", "as"), ("aps", "aps"), ("oy", "oy"),
    ("oyj", "oyj"), ("kk", "kk"), ("ooo", "ooo"), ("sro", "sro"),
];

/// The spelling that most networks have, where all spell one name: in whatever case, with or without
/// punctuation and the form of the company. Empty where two are meant, or one has none.
pub(super) fn holder(spellings: &BTreeMap<String, u64>) -> String {
    let mut names = BTreeSet::new();
    let mut forms = BTreeSet::new();
    for spelling in spellings.keys() {
        let (name, form) = name_and_form(spelling);
        names.insert(name);
        forms.extend(form);
    }
    if names.len() != 1 || forms.len() > 1 {
        return String::new();
    }
    // Shouted or whispered, a name is less itself.
    let is_mixed =
        |name: &str| name.contains(char::is_uppercase) && name.contains(char::is_lowercase);
    let rank =
        |(name, networks): &(&String, &u64)| (**networks, name.chars().count(), is_mixed(name));
    let most = spellings.iter().max_by_key(rank);
    most.map(|(name, _)| name.clone()).unwrap_or_default()
}

/// What is left of a name in small letters without signs, and the form of the company behind it.
fn name_and_form(spelling: &str) -> (String, Option<&'static str>) {
    let small = spelling.to_lowercase().replace(['.', '\'', '’'], "");
    let words = small.split(|c: char| !c.is_alphanumeric());
    let mut words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    let mut form = None;
    while let [_, .., last] = words.as_slice() {
        let Some((_, known)) = FORMS.iter().find(|(word, _)| word == last) else {
            break;
        };
        form.get_or_insert(*known);
        words.pop();
    }
    (words.concat(), form)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(spellings: &[(&str, u64)]) -> String {
        holder(
            &spellings
                .iter()
                .map(|(name, n)| ((*name).to_owned(), *n))
                .collect(),
        )
    }

    #[test]
    fn one_name_in_several_spellings_is_said_in_the_commonest() {
        for (spellings, said) in [
            (&[("Linde Beispiel GmbH", 1)][..], "Linde Beispiel GmbH"),
            (
                &[("LINDE BEISPIEL GMBH", 1), ("Linde Beispiel GmbH", 3)],
                "Linde Beispiel GmbH",
            ),
            (
                &[("Sakura Example K.K.", 1), ("Sakura Example", 1)],
                "Sakura Example K.K.",
            ),
            (
                &[
                    ("Prairie Example, Inc.", 2),
                    ("Prairie-Example Incorporated", 1),
                ],
                "Prairie Example, Inc.",
            ),
            (
                &[("Maple Co., Ltd.", 1), ("Maple Limited", 2), ("maple", 1)],
                "Maple Limited",
            ),
            (
                &[("LINDE NET", 1), ("Linde Net", 1), ("linde net", 1)],
                "Linde Net",
            ),
            (&[("さくらネット", 1)], "さくらネット"),
        ] {
            assert_eq!(of(spellings), said);
        }
    }

    #[test]
    fn who_is_really_different_is_not_named() {
        for spellings in [
            &[("Linde GmbH", 5), ("Aue GmbH", 1)][..],
            &[("Linde GmbH", 5), ("Linde Ltd", 1)],
            &[("Linde GmbH", 5), ("", 1)],
            &[("さくら", 1), ("みどり", 1)],
            &[],
        ] {
            assert_eq!(of(spellings), "", "{spellings:?}");
        }
        // The form alone is a name.
        assert_eq!(of(&[("AG", 1)]), "AG");
    }
}
