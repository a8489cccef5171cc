//! What a removed placeholder, half a translation or a slip of the pen is called.

use std::fs;
use std::path::{Path, PathBuf};

use super::*;

/// A folder laid over the shipped templates.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn write(&self, name: &str, text: &str) {
        let path: PathBuf = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// A shipped file with something replaced, which must be in it.
    fn change(&self, name: &str, from: &str, to: &str) {
        let text = shipped().text(name).unwrap().to_owned();
        assert!(text.contains(from), "{name} has no {from}");
        self.write(name, &text.replace(from, to));
    }

    fn templates(&self) -> Templates {
        Templates::load(self.0.path()).unwrap()
    }

    /// Of one language: a check of all takes its time.
    fn problems(&self, locale: &str) -> Vec<String> {
        let templates = self.templates();
        let files: Vec<&str> = english(&templates).collect();
        let problems = Bench::new(&templates).unwrap().examine(locale, &files);
        problems.iter().map(|problem| self.said(problem)).collect()
    }

    /// As it is shown, with the folder called `mine`.
    fn said(&self, problem: &Error) -> String {
        let folder = self.0.path().display().to_string();
        problem.to_string().replace(&folder, "mine")
    }
}

fn shipped() -> Templates {
    Templates::load(Path::new("")).unwrap()
}

#[test]
fn what_is_shipped_is_whole_in_every_language() {
    let checked = check(&shipped()).unwrap();
    assert_eq!(checked.problems, []);
    assert!(checked.languages.len() >= 2);
    for language in &checked.languages {
        assert_eq!(language.cells.len(), checked.parts.len());
        assert!(!language.name.is_empty(), "{}", language.locale);
        let whole = |cell: &Cell| matches!(cell, Cell::Complete | Cell::Reviewed);
        assert!(language.cells.iter().all(whole), "{language:?}");
    }
    for part in ["notice", "measures", "words"] {
        assert!(checked.parts.iter().any(|one| one == part), "{part}");
    }
}

/// One file changed, and what is said of it: the file, the line where it is known, the cause.
#[test]
fn each_slip_is_named_with_its_file() {
    let body = "letter/notice/ja/body.hbs";
    let subject = "letter/notice/ja/subject.hbs";
    let answer = "part/answer/ja.hbs";
    for (file, from, to, said) in [
        // A placeholder is gone, misspelt, or there is one more.
        (
            subject,
            "{{ticket}}",
            "",
            "must be one line, with {{ticket}}",
        ),
        // Its parts still say it; the sentence that asks to keep it does not.
        (
            "letter/notice/ja/body.hbs",
            "{{ticket}}",
            "",
            "mine/letter/notice/ja/body.hbs, line 8: does not say {{ticket}}, as the original does in \
             templates/letter/notice/en/body.hbs, line 8",
        ),
        (
            answer,
            "{{reply_to}}",
            "",
            "mine/part/answer/ja.hbs, line 3: does not say {{reply_to}}, as the original does in \
             templates/part/answer/en.hbs, line 3",
        ),
        (
            answer,
            "{{reply_to}}",
            "{{replyto}}",
            "part/answer/ja.hbs, line 3: no letter of this kind has {{replyto}}",
        ),
        (
            answer,
            "{{reply_to}}",
            "{{reply_to}}{{country}}",
            "part/answer/ja.hbs, line 3: says {{country}}",
        ),
        (
            answer,
            "{{reply_to}}",
            "{{{reply_to}}}",
            "{{{reply_to}}} must be {{reply_to}}",
        ),
        // It is said in another case than in the English.
        (
            "part/genuine/ja.hbs",
            "{{#if verify}}",
            "{{#if holder}}",
            "does not say {{verify}} without holder",
        ),
        (
            "part/signatories/ja.hbs",
            "{{#each signatories}}",
            "{{#each networks}}",
            "no letter of this kind has {{networks[].country}}",
        ),
        (
            "part/evidence/ja.hbs",
            "[[evidence]]",
            "",
            "0 [[evidence]] instead of 1",
        ),
        // It includes another language's text, or nobody's.
        (
            body,
            "{{> part/answer/ja.hbs}}",
            "{{> part/answer/en.hbs}}",
            "includes part/answer/en.hbs, which is in another language",
        ),
        (
            body,
            "{{> part/answer/ja.hbs}}",
            "{{> part/antwort/ja.hbs}}",
            "there is no \"part/antwort/ja.hbs\" to include",
        ),
        (
            body,
            "{{> part/answer/ja.hbs}}",
            "",
            "mine/letter/notice/ja/body.hbs, line 19: does not say {{reply_to}}",
        ),
        // A measure without words; words that are missing, empty, or nobody's.
        (
            "measure/advice/ja.hbs",
            "\n\n",
            "\n",
            "a title, an empty line, and a paragraph",
        ),
        (
            "part/words/ja.toml",
            "\nclass = ",
            "\nclazz = ",
            "mine/part/words/ja.toml: has no class, as templates/part/words/en.toml has in line 18",
        ),
        (
            "part/words/ja.toml",
            "\nclass = ",
            "\nclass_ = \"x\"\nclass = ",
            "class_ is a word that no letter uses",
        ),
        (
            "part/words/ja.toml",
            "\nnot_given = \"",
            "\nnot_given = \"{{parts}}",
            "must hold the same {{…}} as the English",
        ),
        (
            "part/words/ja.toml",
            "direction = \"ltr\"",
            "direction = \"up\"",
            "direction is ltr or rtl",
        ),
    ] {
        let folder = Folder::new();
        folder.change(file, from, to);
        let problems = folder.problems("ja");
        assert!(
            problems
                .iter()
                .any(|problem| problem.contains(file) && problem.contains(said)),
            "{said}\n{problems:#?}"
        );
        assert!(problems.len() <= 4, "one slip, few problems: {problems:#?}");
    }
}

#[test]
fn half_a_translation_is_no_translation() {
    let folder = Folder::new();
    let name = "part/genuine/ja.hbs";
    let text = shipped().text(name).unwrap().to_owned();
    // The last paragraph, which holds no value, is forgotten.
    let last = text.trim_end().rfind('\n').unwrap();
    folder.write(name, &text[..last]);
    let problems = folder.problems("ja");
    assert!(
        problems[0].contains("paragraphs instead of"),
        "{problems:?}"
    );

    let english = shipped().text("part/limits/en.hbs").unwrap().to_owned();
    folder.write(name, &text);
    folder.write("part/limits/ja.hbs", &english);
    let problems = folder.problems("ja");
    assert_eq!(
        problems,
        ["mine/part/limits/ja.hbs, line 3: is still in English"]
    );
}

#[test]
fn a_language_that_is_begun_is_shown_with_its_gaps() {
    let folder = Folder::new();
    folder.write("letter/notice/la/subject.hbs", "[{{ticket}}] Machinae");
    folder.write("measure/advice/la.hbs", "Titulus\n\nVerba.");
    folder.write("letter/epistula/la/body.hbs", "Salve");
    let checked = check(&folder.templates()).unwrap();
    let latin = checked
        .languages
        .iter()
        .find(|one| one.locale == "la")
        .unwrap();
    let cells = checked
        .parts
        .iter()
        .map(String::as_str)
        .zip(latin.cells.iter().copied());
    let cells: Vec<(&str, Cell)> = cells.collect();
    for cell in [
        ("notice", Cell::Incomplete),
        ("measures", Cell::Incomplete),
        ("words", Cell::Missing),
    ] {
        assert!(cells.contains(&cell), "{cells:?}");
    }
    let said = checked.problems.iter().map(|problem| folder.said(problem));
    let said: Vec<String> = said.collect();
    for said_of in [
        "mine/letter/notice/la/body.hbs: is missing; the English is templates/letter/notice/en/body.hbs",
        "mine/part/words/la.toml: is missing",
        "mine/measure/op25b/la.hbs: is missing",
        "mine/letter/notice/la/subject.hbs, line 1: does not say {{part}}",
        "mine/letter/epistula/la/body.hbs: has no English to be held against",
    ] {
        assert!(
            said.iter().any(|one| one.contains(said_of)),
            "{said_of}\n{said:#?}"
        );
    }
}

#[test]
fn an_installations_own_english_must_say_what_the_shipped_one_says() {
    let folder = Folder::new();
    folder.change("part/answer/en.hbs", "{{reply_to}}", "us");
    let problems = folder.problems("en");
    assert!(
        problems
            .iter()
            .any(|one| one
                .contains("mine/part/answer/en.hbs, line 3: does not say {{reply_to}} with everything given, as the original does in templates/part/")),
        "{problems:#?}"
    );
    // Other words are no fault.
    folder.change(
        "part/answer/en.hbs",
        "Reply to this message",
        "Answer this mail",
    );
    assert_eq!(folder.problems("en"), Vec::<String>::new());
}

#[test]
fn who_has_reviewed_is_read_from_the_words() {
    assert!(reviewed(&shipped()).len() <= locales(&shipped()).len());
    let folder = Folder::new();
    folder.change(
        "part/words/ja.toml",
        "reviewed_by = \"\"",
        "reviewed_by = \"A Reader, 2026-11-01\"",
    );
    let templates = folder.templates();
    assert!(reviewed(&templates).contains("ja"));
    let checked = check(&templates).unwrap();
    let japanese = checked
        .languages
        .iter()
        .find(|one| one.locale == "ja")
        .unwrap();
    assert_eq!(japanese.reviewed_by, "A Reader, 2026-11-01");
    assert!(
        japanese.cells.iter().all(|cell| *cell == Cell::Reviewed),
        "{japanese:?}"
    );
}

#[test]
fn a_letter_is_checked_with_what_it_includes_and_no_other() {
    let folder = Folder::new();
    folder.change("part/limits/ja.hbs", "# ", "## ");
    let templates = folder.templates();
    let error = check_letter(&templates, "notice", "ja").unwrap_err();
    assert_eq!(error.file, "part/limits/ja.hbs", "{error}");
    check_letter(&templates, "notice", "en").unwrap();
    // An advisory does not include it.
    check_letter(&templates, "advisory", "ja").unwrap();
}
