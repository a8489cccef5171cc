//! The words: templates compiled in, laid over by a folder, rendered strictly.

mod fault;
mod splice;
mod uses;
pub use uses::{How, Use};

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use handlebars::{Context, Handlebars, RenderError, RenderErrorReason};
use rust_embed::RustEmbed;
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::model::hex;

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
    /// Empty: none.
    folder: PathBuf,
}

/// What is wrong in which file and line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{place}{}: {problem}", .line.map(|line| format!(", line {line}")).unwrap_or_default())]
pub struct Error {
    /// Its name, below whichever folder.
    pub file: String,
    /// Where it is to be mended: in the installation's folder, or `templates/…` as shipped.
    pub place: String,
    pub line: Option<usize>,
    pub problem: String,
}

impl Error {
    /// What is wrong with something that is no template.
    pub fn about(what: &str, problem: impl ToString) -> Self {
        Self {
            file: what.to_owned(),
            place: what.to_owned(),
            line: None,
            problem: problem.to_string(),
        }
    }
}

impl Templates {
    /// The templates as shipped, then those in `folder` over them; an empty path is no folder.
    ///
    /// # Errors
    /// A file that cannot be read, is not UTF-8 or does not parse, with its line.
    pub fn load(folder: &Path) -> Result<Self, Error> {
        let mut templates = Self {
            written: Handlebars::new(),
            handlebars: Handlebars::new(),
            files: BTreeMap::new(),
            covered: BTreeMap::new(),
            own: BTreeSet::new(),
            folder: folder.to_owned(),
        };
        for name in Shipped::iter() {
            if let Some(file) = Shipped::get(&name) {
                let text = templates.utf8(&name, file.data.into_owned())?;
                templates.files.insert(name.into_owned(), text);
            }
        }
        if !folder.as_os_str().is_empty() {
            templates.read_folder(folder)?;
        }
        templates.compile()?;
        Ok(templates)
    }

    /// All files of the installation's folder over those that are there.
    fn read_folder(&mut self, folder: &Path) -> Result<(), Error> {
        let wrong = |path: &Path, error| Error::about(&path.display().to_string(), error);
        for entry in std::fs::read_dir(folder).map_err(|error| wrong(folder, error))? {
            let path = entry.map_err(|error| wrong(folder, error))?.path();
            if path.is_dir() {
                self.read_folder(&path)?;
            } else if path
                .extension()
                .is_some_and(|kind| kind == "hbs" || kind == "toml")
            {
                let name = path
                    .strip_prefix(&self.folder)
                    .unwrap_or(&path)
                    .to_string_lossy()
                    .replace('\\', "/");
                let bytes = std::fs::read(&path).map_err(|error| wrong(&path, error))?;
                self.own.insert(name.clone());
                let text = self.utf8(&name, bytes)?;
                if let Some(shipped) = self.files.insert(name.clone(), text) {
                    self.covered.insert(name, shipped);
                }
            }
        }
        Ok(())
    }

    fn compile(&mut self) -> Result<(), Error> {
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
        for (name, text) in self.files.iter().filter(|(name, _)| name.ends_with(".hbs")) {
            written
                .register_template_string(name, text)
                .map_err(|error| {
                    let (line, problem) = fault::fault(text, &error);
                    self.error(name, line, problem)
                })?;
        }
        for name in self.files.keys() {
            if let Some(circle) = splice::circle(&written, name) {
                let problem = format!("includes itself: {}", circle.join(" > "));
                return Err(self.error(name, None, problem));
            }
        }
        self.handlebars = splice::spliced(&written);
        self.written = written;
        Ok(())
    }

    /// What is wrong with a file, and where that lies.
    pub fn error(&self, file: &str, line: Option<usize>, problem: impl Into<String>) -> Error {
        Error {
            file: file.to_owned(),
            place: self.place(file),
            line,
            problem: problem.into(),
        }
    }

    /// Where a file lies. One that is missing belongs into the installation's folder.
    #[must_use]
    pub fn place(&self, name: &str) -> String {
        let has_folder = !self.folder.as_os_str().is_empty();
        match self.is_own(name) || (has_folder && !self.has(name)) {
            true => self.folder.join(name).display().to_string(),
            false => format!("templates/{name}"),
        }
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

    /// SHA-256 over the names and texts of all of them, the demo's tables left out: the words that letters
    /// are made of.
    #[must_use]
    pub fn digest(&self) -> String {
        let mut digest = Sha256::new();
        let files = self.files.iter();
        for (name, text) in files.filter(|(name, _)| !name.starts_with("demo/")) {
            for part in [name, text] {
                digest.update((part.len() as u64).to_be_bytes());
                digest.update(part);
            }
        }
        hex(&digest.finalize())
    }

    /// A file as it is.
    ///
    /// # Errors
    /// When there is none.
    pub fn text(&self, name: &str) -> Result<&str, Error> {
        self.files
            .get(name)
            .map(String::as_str)
            .ok_or_else(|| self.missing(name))
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
            return Err(self.missing(name));
        }
        let rendered = self.handlebars.render_with_context(name, &values.0);
        rendered.map_err(|error| self.wrong(name, &error))
    }

    /// A data file as the type it should be.
    ///
    /// # Errors
    /// When there is none, or it is not of that type.
    pub fn data<T: serde::de::DeserializeOwned>(&self, name: &str) -> Result<T, Error> {
        self.parse(name, self.text(name)?)
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
        texts.map(|text| self.parse(name, text)).collect()
    }

    fn parse<T: serde::de::DeserializeOwned>(&self, name: &str, text: &str) -> Result<T, Error> {
        toml::from_str(text).map_err(|error: toml::de::Error| {
            let before = error.span().and_then(|span| text.get(..span.start));
            let line = before.map(|before| 1 + before.matches('\n').count());
            self.error(name, line, error.message())
        })
    }

    fn wrong(&self, name: &str, error: &RenderError) -> Error {
        let file = error.template_name.as_deref().unwrap_or(name);
        let problem = match error.reason() {
            RenderErrorReason::MissingVariable(Some(value)) => {
                format!("there is no value {{{{{value}}}}}")
            }
            other => other.to_string(),
        };
        self.error(file, error.line_no, problem)
    }

    fn missing(&self, name: &str) -> Error {
        self.error(name, None, "there is no such file")
    }

    fn utf8(&self, name: &str, bytes: Vec<u8>) -> Result<String, Error> {
        String::from_utf8(bytes).map_err(|_| self.error(name, None, "is not UTF-8"))
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
            .map_err(|error| Error::about(name, error.reason()))
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
        assert_eq!(error.line, Some(2), "{error}");
        assert!(error.problem.contains("{{/if}} is missing"), "{error}");
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
            format!(
                "{}/a.hbs: includes itself: a.hbs > b.hbs > a.hbs",
                folder.path().display()
            )
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
    fn an_error_says_where_the_file_lies() {
        let folder = folder(&[("a.hbs", "{{gone}}"), ("b.toml", "x = \n")]);
        let templates = Templates::load(folder.path()).unwrap();
        let at = |name: &str| folder.path().join(name).display().to_string();
        let said = |error: Error| error.to_string();
        let error = said(templates.render("a.hbs", &()).unwrap_err());
        assert!(
            error.starts_with(&format!("{}, line 1: ", at("a.hbs"))),
            "{error}"
        );
        let error = templates.data::<toml::Table>("b.toml").unwrap_err();
        let error = said(error);
        assert!(
            error.starts_with(&format!("{}, line 1: ", at("b.toml"))),
            "{error}"
        );
        // What is missing is to be put there; what is shipped lies in no folder.
        let error = said(templates.text("part/x/la.hbs").unwrap_err());
        assert_eq!(
            error,
            format!("{}: there is no such file", at("part/x/la.hbs"))
        );
        let error = said(templates.render("part/answer/en.hbs", &()).unwrap_err());
        assert!(
            error.starts_with("templates/part/answer/en.hbs, line "),
            "{error}"
        );
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
