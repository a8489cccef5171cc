//! A language: the tag that asks for it, and which of the languages there are it means.

/// Tags that have been given up, and groups of which one member is written: what replaces them
/// (IANA's registry of language subtags; for Norwegian, CLDR).
const REPLACED: [(&str, &str); 8] = [
    ("in", "id"),
    ("iw", "he"),
    ("ji", "yi"),
    ("mo", "ro"),
    ("no", "nb"),
    ("nn", "nb"),
    ("cmn", "zh"),
    ("zsm", "ms"),
];

/// `pt_BR` as `pt-BR`; `None` where the shape is not that of a tag of BCP 47.
#[must_use]
pub fn language_tag(text: &str) -> Option<String> {
    let tag = text.replace('_', "-");
    let mut parts = tag.split('-');
    let language = parts.next().unwrap_or_default();
    let is_language =
        (2..=3).contains(&language.len()) && language.bytes().all(|b| b.is_ascii_alphabetic());
    let is_part = |part: &str| {
        (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
    };
    (is_language && tag.len() <= 35 && parts.all(is_part)).then_some(tag)
}

/// Which of the languages that are there a tag asks for: itself, else what is left when it is cut
/// from the end (lookup, RFC 4647 3.4), so `pt-BR` finds `pt`; else the same under its newer tag, so
/// `in` finds `id`, and Nynorsk finds Bokmål before it finds English. Chinese is told apart by script
/// or, where no script is named, by region: `zh-TW` finds `zh-Hant`, `zh` finds `zh-Hans`.
#[must_use]
pub fn nearest_language<'t>(tag: &str, there: &[&'t str]) -> Option<&'t str> {
    let tag = tag.replace('_', "-").to_ascii_lowercase();
    let language = tag.split('-').next().unwrap_or_default();
    let newer = REPLACED.iter().find(|(old, _)| *old == language);
    let newer = newer.map(|(old, new)| format!("{new}{}", &tag[old.len()..]));
    let script = [Some(&tag), newer.as_ref()]
        .into_iter()
        .flatten()
        .find_map(|tag| chinese(tag));
    // A region tells the script, so that it goes before what is left without the region.
    let whole = [Some(tag.as_str()), newer.as_deref(), script];
    let cut = [Some(tag.as_str()), newer.as_deref()];
    let cut = cut.into_iter().flatten().flat_map(|tag| {
        std::iter::successors(Some(tag), |tag| Some(tag.rsplit_once('-')?.0)).skip(1)
    });
    whole.into_iter().flatten().chain(cut).find_map(|tag| {
        let is = |language: &&&str| language.eq_ignore_ascii_case(tag);
        there.iter().find(is).copied()
    })
}

/// The script of Chinese that a tag in small letters asks for.
fn chinese(tag: &str) -> Option<&'static str> {
    let mut parts = tag.split('-');
    let language = parts.next()?;
    if !["zh", "yue"].contains(&language) {
        return None;
    }
    let parts: Vec<&str> = parts.collect();
    let names = |words: &[&str]| words.iter().any(|word| parts.contains(word));
    let is_simplified = names(&["hans", "chs"]);
    let is_traditional = names(&["hant", "cht", "tw", "hk", "mo"]);
    let is_cantonese = language == "yue" && !names(&["cn"]);
    Some(match is_traditional || is_cantonese {
        true if !is_simplified => "zh-Hant",
        _ => "zh-Hans",
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_finds_its_language() {
        let there = [
            "en", "ja", "zh-Hans", "zh-Hant", "pt", "nb", "id", "ms", "de",
        ];
        for (tag, found) in [
            ("ja", "ja"),
            ("JA", "ja"),
            ("en-GB", "en"),
            ("pt_BR", "pt"),
            ("pt-Latn-BR", "pt"),
            ("de-CH-1996", "de"),
            ("zh", "zh-Hans"),
            ("zh-CN", "zh-Hans"),
            ("zh-SG", "zh-Hans"),
            ("zh_TW", "zh-Hant"),
            ("zh-HK", "zh-Hant"),
            ("zh-MO", "zh-Hant"),
            ("zh-hant", "zh-Hant"),
            ("zh-Hans-HK", "zh-Hans"),
            ("zh-Hant-CN", "zh-Hant"),
            ("cmn-TW", "zh-Hant"),
            ("cmn", "zh-Hans"),
            ("yue", "zh-Hant"),
            ("no", "nb"),
            ("no-NO", "nb"),
            ("nn-NO", "nb"),
            ("nb-NO", "nb"),
            ("in", "id"),
            ("in_ID", "id"),
            ("id-ID", "id"),
            ("zsm", "ms"),
        ] {
            assert_eq!(nearest_language(tag, &there), Some(found), "{tag}");
        }
        for tag in ["", "tlh", "iw", "e", "j", "jap", "-", "en.UTF-8", "日本語"] {
            assert_eq!(nearest_language(tag, &there), None, "{tag}");
        }
    }

    #[test]
    fn a_language_of_ones_own_goes_before_its_neighbour() {
        assert_eq!(nearest_language("nn", &["nb", "nn"]), Some("nn"));
        assert_eq!(nearest_language("pt-BR", &["pt", "pt-BR"]), Some("pt-BR"));
        assert_eq!(nearest_language("no", &["no", "nb"]), Some("no"));
        let there = ["zh", "zh-Hant"];
        assert_eq!(nearest_language("zh-TW", &there), Some("zh-Hant"));
        assert_eq!(nearest_language("zh-CN", &there), Some("zh"));
    }

    #[test]
    fn what_is_no_tag_is_none() {
        assert_eq!(language_tag("pt_BR").as_deref(), Some("pt-BR"));
        for text in ["", "j", "english", "en US", "en-", "../en", "en-\u{202e}x"] {
            assert_eq!(language_tag(text), None, "{text}");
        }
    }
}
