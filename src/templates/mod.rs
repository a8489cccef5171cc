//! The words: templates compiled in, laid over by a folder, rendered strictly.

mod splice;
mod uses;
pub use uses::{How, Use};

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use handlebars::{Context, Handlebars, RenderError};
use rust_embed::RustEmbed;
use serde::Serialize;

/// Stand before and behind each value in a [marked](Templates::render_marked) text (STX and ETX;
/// words from outside hold no control characters).
pub const MARKS: [char; 2] = ['\u{2}', '\u{3}'];

#[derive(RustEmbed)]
#[folder = "templates/"]
struct Shipped;

/// All templates and data files, by their path below `templates/`. What is missing in a template's
/// values is an error, never an empty place; nothing is escaped, for the same words become text
/// and HTML later.
pub struct Templates {
    /// As they are written.
    written: Handlebars<'static>,
    /// As they are rendered.
    handlebars: Handlebars<'static>,
    /// Files that are read as they are: words, jurisdictions, the demo's tables.
    files: BTreeMap<String, String>,
    /// Shipped files that the folder's stand over, for those who read both.
    covered: BTreeMap<String, String>,
    /// Those of the folder.
    own: BTreeSet<String>,
}

/// What is wrong in which file and line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("templates/{file}{}: {problem}", .line.map(|line| format!(", line {line}")).unwrap_or_default())]
pub struct Error {
    pub file: String,
    pub line: Option<usize>,
    pub problem: String,
}

impl Templates {
    /// The templates as shipped, then those in `folder` over them; an empty path is no folder.
    ///
    /// # Errors
    /// A file that cannot be read, is not UTF-8 or does not parse, with its line.
    pub fn load(folder: &Path) -> Result<Self, Error> {
        let mut files = BTreeMap::new();
        for name in Shipped::iter() {
            if let Some(file) = Shipped::get(&name) {
                files.insert(name.to_string(), utf8(&name, file.data.into_owned())?);
            }
        }
        let mut read = BTreeMap::new();
        if !folder.as_os_str().is_empty() {
            read_folder(folder, folder, &mut read)?;
        }
        let own = read.keys().cloned().collect();
        let mut covered = BTreeMap::new();
        for (name, text) in read {
            if let Some(shipped) = files.insert(name.clone(), text) {
                covered.insert(name, shipped);
            }
        }
        let mut written = Handlebars::new();
        written.set_strict_mode(true);
        written.register_escape_fn(|value| {
            let [begin, end] = MARKS;
            let mut marked = String::with_capacity(value.len() + 2);
            marked.push(begin);
            match without_marks(value) {
                Some(plain) => marked.push_str(&plain),
                None => marked.push_str(value),
            }
            marked.push(end);
            marked
        });
        for (name, text) in files.iter().filter(|(name, _)| name.ends_with(".hbs")) {
            written
                .register_template_string(name, text)
                .map_err(|error| Error {
                    file: name.clone(),
                    line: error.pos().map(|(line, _)| line),
                    problem: error.reason().to_string(),
                })?;
        }
        for name in files.keys() {
            if let Some(circle) = splice::circle(&written, name) {
                return Err(Error {
                    file: name.clone(),
                    line: None,
                    problem: format!("includes itself: {}", circle.join(" > ")),
                });
            }
        }
        let handlebars = splice::spliced(&written);
        Ok(Self {
            written,
            handlebars,
            files,
            covered,
            own,
        })
    }

    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.files.contains_key(name)
    }

    /// Whether a file of the folder stands over the shipped one, or none is shipped.
    #[must_use]
    pub fn is_own(&self, name: &str) -> bool {
        self.own.contains(name)
    }

    /// Whether some of the shipped files have another text here.
    #[must_use]
    pub fn covers(&self) -> bool {
        !self.covered.is_empty()
    }

    /// The names of all files that begin so.
    pub fn names(&self, prefix: &str) -> impl Iterator<Item = &str> {
        self.files
            .range(prefix.to_owned()..)
            .map(|(name, _)| name.as_str())
            .take_while(move |name| name.starts_with(prefix))
    }

    /// A file as it is.
    ///
    /// # Errors
    /// When there is none.
    pub fn text(&self, name: &str) -> Result<&str, Error> {
        self.files
            .get(name)
            .map(String::as_str)
            .ok_or_else(|| missing(name))
    }

    /// # Errors
    /// When there is no such template, or a value it needs is missing.
    pub fn render(&self, name: &str, values: &impl Serialize) -> Result<String, Error> {
        let marked = self.render_marked(name, values)?;
        Ok(without_marks(&marked).unwrap_or(marked))
    }

    /// With [`MARKS`] around each value, so that the template's own words can be told from those
    /// that came with a value.
    ///
    /// # Errors
    /// As [`render`](Self::render).
    pub fn render_marked(&self, name: &str, values: &impl Serialize) -> Result<String, Error> {
        self.render_given(name, &Given::of(name, values)?)
    }

    /// As [`render_marked`](Self::render_marked), of values that several templates share.
    ///
    /// # Errors
    /// As [`render`](Self::render).
    pub fn render_given(&self, name: &str, values: &Given) -> Result<String, Error> {
        if !self.has(name) {
            return Err(missing(name));
        }
        let rendered = self.handlebars.render_with_context(name, &values.0);
        rendered.map_err(|error| wrong(name, &error))
    }

    /// A data file as the type it should be.
    ///
    /// # Errors
    /// When there is none, or it is not of that type.
    pub fn data<T: serde::de::DeserializeOwned>(&self, name: &str) -> Result<T, Error> {
        parse(name, self.text(name)?)
    }

    /// A data file of which the folder's goes before the shipped one piece by piece: both, in the
    /// order in which they are to be laid over each other.
    ///
    /// # Errors
    /// As [`data`](Self::data).
    pub fn layers<T: serde::de::DeserializeOwned>(&self, name: &str) -> Result<Vec<T>, Error> {
        let texts = [
            self.covered.get(name).map(String::as_str),
            Some(self.text(name)?),
        ];
        let texts = texts.into_iter().flatten();
        texts.map(|text| parse(name, text)).collect()
    }
}

/// Values made ready for templates.
pub struct Given(Context);

impl Given {
    /// # Errors
    /// What cannot be a value of the template named `name`.
    pub fn of(name: &str, values: &impl Serialize) -> Result<Self, Error> {
        Context::wraps(values)
            .map(Self)
            .map_err(|error| wrong(name, &error))
    }
}

fn wrong(name: &str, error: &RenderError) -> Error {
    Error {
        file: error
            .template_name
            .clone()
            .unwrap_or_else(|| name.to_owned()),
        line: error.line_no,
        problem: error.reason().to_string(),
    }
}

/// The text without [`MARKS`], where it has any. One is looked for at a time: that is many times as
/// fast as to look for either.
#[must_use]
pub fn without_marks(text: &str) -> Option<String> {
    let [begin, end] = MARKS;
    let is_marked = text.contains(begin) || text.contains(end);
    is_marked.then(|| {
        let pieces = text.split(begin).flat_map(|piece| piece.split(end));
        pieces.collect()
    })
}

fn parse<T: serde::de::DeserializeOwned>(name: &str, text: &str) -> Result<T, Error> {
    toml::from_str(text).map_err(|error: toml::de::Error| Error {
        file: name.to_owned(),
        line: error
            .span()
            .and_then(|span| Some(1 + text.get(..span.start)?.matches('\n').count())),
        problem: error.message().to_owned(),
    })
}

fn missing(name: &str) -> Error {
    Error {
        file: name.to_owned(),
        line: None,
        problem: "there is no such file".to_owned(),
    }
}

fn utf8(name: &str, bytes: Vec<u8>) -> Result<String, Error> {
    String::from_utf8(bytes).map_err(|_| Error {
        file: name.to_owned(),
        line: None,
        problem: "is not UTF-8".to_owned(),
    })
}

fn read_folder(
    root: &Path,
    folder: &Path,
    files: &mut BTreeMap<String, String>,
) -> Result<(), Error> {
    let wrong = |path: &Path, error: std::io::Error| Error {
        file: path.display().to_string(),
        line: None,
        problem: error.to_string(),
    };
    for entry in std::fs::read_dir(folder).map_err(|error| wrong(folder, error))? {
        let path = entry.map_err(|error| wrong(folder, error))?.path();
        if path.is_dir() {
            read_folder(root, &path, files)?;
        } else if path
            .extension()
            .is_some_and(|kind| kind == "hbs" || kind == "toml")
        {
            let name = path
                .strip_prefix(root)
                .unwrap_or(&path)
                .to_string_lossy()
                .replace('\\', "/");
            let bytes = std::fs::read(&path).map_err(|error| wrong(&path, error))?;
            let text = utf8(&name, bytes)?;
            files.insert(name, text);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        folder
    }

    #[test]
    fn a_missing_value_is_named_with_file_and_line() {
        let folder = folder(&[("letter/x/body.hbs", "one\ntwo {{here}}\nthree {{gone}}\n")]);
        let templates = Templates::load(folder.path()).unwrap();
        let values = BTreeMap::from([("here", "here")]);
        let error = templates.render("letter/x/body.hbs", &values).unwrap_err();
        assert_eq!(
            (error.file.as_str(), error.line),
            ("letter/x/body.hbs", Some(3))
        );
        assert!(error.to_string().contains("gone"), "{error}");
    }

    #[test]
    fn a_broken_template_is_named_before_anything_is_rendered() {
        let folder = folder(&[("letter/x/body.hbs", "one\n{{#if a}}\n")]);
        let error = Templates::load(folder.path()).err().unwrap();
        assert_eq!(error.file, "letter/x/body.hbs");
        assert!(error.line.is_some(), "{error}");
    }

    #[test]
    fn what_includes_itself_is_named_before_anything_is_rendered() {
        let folder = folder(&[
            ("0.hbs", "{{> a.hbs}}"),
            ("a.hbs", "{{#if x}}{{else}}{{> b.hbs}}{{/if}}"),
            ("b.hbs", "{{#each y}}{{> a.hbs}}{{/each}}"),
        ]);
        let error = Templates::load(folder.path()).err().unwrap();
        assert_eq!(
            error.to_string(),
            "templates/a.hbs: includes itself: a.hbs > b.hbs > a.hbs"
        );
    }

    #[test]
    fn an_error_names_the_file_that_is_included() {
        let folder = folder(&[
            ("a.hbs", "{{#if x}}\n{{> b.hbs}}\n{{/if}}\n"),
            ("b.hbs", "one\n{{> c.hbs}}\n"),
            ("c.hbs", "one\ntwo\nthree {{gone}}\n"),
        ]);
        let templates = Templates::load(folder.path()).unwrap();
        let error = templates.render("a.hbs", &BTreeMap::from([("x", true)]));
        let error = error.unwrap_err();
        assert_eq!((error.file.as_str(), error.line), ("c.hbs", Some(3)));
    }

    #[test]
    fn a_folder_goes_before_what_is_shipped() {
        let folder = folder(&[("letter/notice/en/subject.hbs", "Other words")]);
        let templates = Templates::load(folder.path()).unwrap();
        assert_eq!(
            templates
                .render("letter/notice/en/subject.hbs", &())
                .unwrap(),
            "Other words"
        );
        assert!(templates.has("letter/notice/en/body.hbs"));
    }

    #[test]
    fn nothing_in_a_value_is_run_or_escaped() {
        let folder = folder(&[("x.hbs", "{{value}}")]);
        let templates = Templates::load(folder.path()).unwrap();
        let values = BTreeMap::from([("value", "{{other}} & <b>")]);
        assert_eq!(
            templates.render("x.hbs", &values).unwrap(),
            "{{other}} & <b>"
        );
        assert_eq!(
            templates.render_marked("x.hbs", &values).unwrap(),
            "\u{2}{{other}} & <b>\u{3}"
        );
        let forged = BTreeMap::from([("value", "\u{3}# x\u{2}")]);
        assert_eq!(
            templates.render_marked("x.hbs", &forged).unwrap(),
            "\u{2}# x\u{3}"
        );
    }
}
