//! The first steps: settings and database.

use super::Ended;
use super::arguments::Init;
use super::context::Context;
use super::output::print;
use crate::config::DEFAULT;
use crate::store::Store;

pub(super) async fn init(context: &Context, _: &Init) -> anyhow::Result<Ended> {
    let url = &context.config().database.url;
    let file = std::path::Path::new("lapwing.toml");
    let wrote = context.loaded.file.is_none();
    if context.dry_run {
        let told =
            serde_json::json!({ "settings": file, "would_write": wrote, "database": masked(url) });
        let settings = if wrote {
            "lapwing.toml would be written"
        } else {
            "the settings stay as they are"
        };
        context.out.say(
            &told,
            format!(
                "{settings}; the database {} would be made or brought up to date",
                masked(url)
            ),
        )?;
        return Ok(Ended::Well);
    }
    if wrote {
        // A password in the URL stays where it was given.
        let shown = if url.contains('@') && masked(url) != *url {
            "sqlite:lapwing.db"
        } else {
            url.as_str()
        };
        let text = DEFAULT.replacen(
            "url = \"sqlite:lapwing.db\"",
            &format!("url = {}", toml::Value::from(shown)),
            1,
        );
        std::fs::write(file, text)?;
    }
    let store = Store::create(url).await?;
    store.close().await;
    let told =
        serde_json::json!({ "settings": file, "wrote_settings": wrote, "database": masked(url) });
    let settings = if wrote {
        "Wrote lapwing.toml: every setting with its default and what it does.".to_owned()
    } else {
        let path = context.loaded.file.as_deref().unwrap_or(file);
        format!("Kept {} as it is.", path.display())
    };
    context.out.say(
        &told,
        format!(
            "{settings}\nThe database {} is ready.\n\nNext: lapwing table load NETWORKS.csv\n      lapwing signatory import ROLL.csv\n      lapwing campaign new NAME --letter notice",
            masked(url)
        ),
    )?;
    Ok(Ended::Well)
}

pub(super) fn config(context: &Context) -> anyhow::Result<Ended> {
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

/// A database URL without its password.
fn masked(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    match rest.split_once('@') {
        Some((login, host)) => match login.split_once(':') {
            Some((user, _)) => format!("{scheme}://{user}:***@{host}"),
            None => url.to_owned(),
        },
        None => url.to_owned(),
    }
}
