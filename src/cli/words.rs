//! The words of the letters: whether they are whole in each language, and a copy to edit.

use std::path::{Path, PathBuf};

use clap::Subcommand;

use super::Ended;
use super::context::{Context, Usage};
use super::output::count;
use crate::compose::{self, Checked};
use crate::templates::Templates;

#[derive(Debug, Subcommand)]
pub(super) enum Template {
    /// Every language and part: missing, incomplete, complete or reviewed; and what is to be mended
    Check,
    /// The files, shipped or your own
    List {
        /// Only those that begin so: letter/notice/
        #[arg(default_value = "")]
        name: String,
    },
    /// Copy a file, or all of a folder, to edit it
    Copy {
        /// As in the list: letter/notice/ja/body.hbs, or letter/notice
        name: String,
        /// Your folder of templates; see letter.templates in the settings
        #[arg(long, value_name = "DIR")]
        to: PathBuf,
    },
}

pub(super) fn run(context: &Context, action: &Template) -> anyhow::Result<Ended> {
    match action {
        Template::Check => check(context),
        Template::List { name } => list(context, name),
        Template::Copy { name, to } => copy(context, name, to),
    }
}

/// Fails when anything is missing or wrong, so that a script can ask it before a campaign does.
fn check(context: &Context) -> anyhow::Result<Ended> {
    let checked = compose::check(&context.templates()?)?;
    context.out.say(&checked, describe(&checked))?;
    match checked.problems.len() {
        0 => Ok(Ended::Well),
        n => anyhow::bail!("{} in the templates", count(n as i64, "problem")),
    }
}

fn describe(checked: &Checked) -> String {
    let mut lines = vec![row("language", checked.parts.iter().map(String::as_str))];
    for language in &checked.languages {
        let cells = language.cells.iter().map(|cell| cell.as_str());
        lines.push(row(&language.locale, cells));
    }
    let mut text = lines.join("\n");
    text.push('\n');
    let unreviewed = |one: &&compose::Language| one.reviewed_by.is_empty();
    let unreviewed = checked.languages.iter().filter(unreviewed);
    let unreviewed: Vec<&str> = unreviewed.map(|one| one.locale.as_str()).collect();
    if !unreviewed.is_empty() {
        text.push_str(&format!(
            "\nReviewed by nobody yet: {}\n",
            unreviewed.join(", ")
        ));
    }
    for language in checked
        .languages
        .iter()
        .filter(|one| !one.reviewed_by.is_empty())
    {
        text.push_str(&format!(
            "\n{}: reviewed by {}",
            language.locale, language.reviewed_by
        ));
    }
    for problem in &checked.problems {
        text.push_str(&format!("\nproblem: {problem}"));
    }
    text
}

fn row<'a>(locale: &str, cells: impl Iterator<Item = &'a str>) -> String {
    let cells: Vec<String> = cells.map(|cell| format!("{cell:<10}")).collect();
    format!("{locale:<9} {}", cells.join("  "))
        .trim_end()
        .to_owned()
}

fn list(context: &Context, name: &str) -> anyhow::Result<Ended> {
    let templates = context.templates()?;
    let mut none = true;
    for file in templates.names(name) {
        none = false;
        let is_own = templates.is_own(file);
        let told = serde_json::json!({ "file": file, "own": is_own });
        let text = format!("{:<8} {file}", if is_own { "own" } else { "shipped" });
        context.out.line(&told, text)?;
    }
    if none {
        anyhow::bail!(Usage(nothing_of(name)));
    }
    Ok(Ended::Well)
}

/// A file or a whole folder, never over one that is there.
fn copy(context: &Context, name: &str, to: &Path) -> anyhow::Result<Ended> {
    // The folder of the settings may be the one that this is to make.
    let templates = match context.config().letter.templates.exists() {
        true => context.templates()?,
        false => Templates::load(Path::new(""))?,
    };
    let folder = format!("{}/", name.trim_end_matches('/'));
    let wanted = |file: &&str| *file == name || file.starts_with(&folder);
    let files: Vec<&str> = templates.names("").filter(wanted).collect();
    if files.is_empty() {
        anyhow::bail!(Usage(nothing_of(name)));
    }
    if let Some(there) = files
        .iter()
        .map(|file| to.join(file))
        .find(|path| path.exists())
    {
        anyhow::bail!(Usage(format!(
            "{} is there already, and stays as it is",
            there.display()
        )));
    }
    if !context.dry_run {
        for file in &files {
            let path = to.join(file);
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder)?;
            }
            std::fs::write(path, templates.text(file)?)?;
        }
    }
    let told = serde_json::json!({ "files": files, "folder": to });
    let number = count(files.len() as i64, "file");
    let shown = to.display();
    context.out.say(
        &told,
        format!("{number} in {shown}; they count once letter.templates = \"{shown}\" stands in the settings\n\nNext: lapwing template check"),
    )?;
    Ok(Ended::Well)
}

fn nothing_of(name: &str) -> String {
    format!("there is no template \"{name}\"; all there are: lapwing template list")
}
