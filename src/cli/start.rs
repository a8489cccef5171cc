//! The first steps: settings and database.

use super::Ended;
use super::arguments::{Init, Migrate};
use super::context::Context;
use crate::config::{DEFAULT, masked};
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
        let mut settings = context.loaded.settings.iter();
        let said = settings.find(|setting| setting.key == "database.url");
        let said = said.and_then(|setting| setting.value.as_str());
        let shown = match said {
            Some(said) if masked(said) == said && !said.contains(":***@") => said,
            _ => "sqlite:lapwing.db",
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

pub(super) async fn migrate(context: &Context, options: &Migrate) -> anyhow::Result<Ended> {
    let url = &context.config().database.url;
    let only_looks = options.check || context.dry_run;
    let upgrade = match only_looks {
        true => Store::foresee_upgrade(url).await?,
        false => {
            let (store, upgrade) = Store::upgrade(url).await?;
            store.close().await;
            upgrade
        }
    };
    let name = masked(url);
    let (from, to) = (upgrade.from, upgrade.to);
    let what = match (upgrade.steps.is_empty(), from, only_looks) {
        (true, _, _) => format!("The database {name} is up to date, at step {to}; nothing to do."),
        (_, 0, true) => format!("The database {name} is to be made: lapwing migrate"),
        (_, 0, false) => format!("Made the database {name}, at step {to}."),
        (_, _, true) => format!(
            "The database {name} is to be brought from step {from} to step {to}; take a copy first: lapwing backup \
             FILE, with the version that made it; then lapwing migrate"
        ),
        (..) => format!("Brought the database {name} from step {from} to step {to}."),
    };
    let steps = upgrade.steps.iter().map(|step| format!("\n  {step}"));
    let steps: String = steps.filter(|_| from > 0).collect();
    let told = serde_json::json!({
        "database": name, "from": from, "to": to, "steps": upgrade.steps, "done": !only_looks,
    });
    context.out.say(&told, format!("{what}{steps}"))?;
    Ok(match options.check && !upgrade.steps.is_empty() {
        true => Ended::ToDo,
        false => Ended::Well,
    })
}
