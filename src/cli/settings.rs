//! The settings: what there is, and where each value comes from.

use clap::{Args, Subcommand};

use super::Ended;
use super::context::Context;
use super::output::print;
use crate::config::DEFAULT;

#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Each setting as it holds here, and where that was said; secrets are not shown
    Show(Show),
}

#[derive(Debug, Args)]
struct Show {
    /// Only what is not as shipped, whether it stands in the file or not
    #[arg(long)]
    changed: bool,
    /// Only these sections or settings: smtp, database.url
    #[arg(value_name = "KEY")]
    keys: Vec<String>,
}

pub(super) fn run(context: &Context, options: &Options) -> anyhow::Result<Ended> {
    match &options.action {
        None => config(context),
        Some(Action::Show(options)) => show(context, options),
    }
}

fn config(context: &Context) -> anyhow::Result<Ended> {
    let file = context.loaded.file.as_ref();
    context.out.remark(&match file {
        Some(path) => format!("# Settings are read from {}; these are all there are, with their defaults:\n", path.display()),
        None => "# No settings file is read (./lapwing.toml); these are all there are, with their defaults:\n".to_owned(),
    })?;
    if context.out.json {
        let defaults: toml::Table = DEFAULT.parse()?;
        context.out.line(&defaults, "")?;
    } else {
        print(DEFAULT)?;
    }
    Ok(Ended::Well)
}

fn show(context: &Context, options: &Show) -> anyhow::Result<Ended> {
    let is_asked = |key: &str| {
        let mut asked = options.keys.iter();
        options.keys.is_empty()
            || asked.any(|one| {
                key.strip_prefix(one.as_str())
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            })
    };
    let settings = context.loaded.settings.iter();
    let settings = settings.filter(|one| is_asked(&one.key));
    let settings = settings.filter(|one| !options.changed || one.changed);
    let mut is_empty = true;
    for setting in settings {
        is_empty = false;
        let said = format!("{} = {}", setting.key, setting.value);
        context
            .out
            .line(setting, format!("{said:<50}  # {}", setting.origin))?;
    }
    let why = match options.keys.is_empty() {
        true => "Everything is as shipped.",
        false => "There is none of that name that differs; all there are: lapwing config",
    };
    context.out.none(is_empty, why)?;
    Ok(Ended::Well)
}
