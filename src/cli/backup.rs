//! A copy of the database in one file, and the way back from it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;

use super::Ended;
use super::context::{Context, here};
use super::output::count;
use crate::config::OnUncertain;
use crate::config::masked;
use crate::store::{Error, Held, Restored, Restoring, Store};

/// Tables whose rows are told; the others go with them.
const TOLD: [(&str, &str); 6] = [
    ("campaign", "campaign"),
    ("suspect", "suspect"),
    ("letter", "letter"),
    ("attempt", "attempt"),
    ("incoming", "message that came back"),
    ("audit", "decision on the trail"),
];

#[derive(Debug, Args)]
pub(super) struct Backup {
    /// Where it goes; only its owner may read it, for keys lie in it
    file: PathBuf,
    /// Write over a file that is there, once the new one is whole
    #[arg(long)]
    replace: bool,
}

#[derive(Debug, Args)]
#[command(
    after_help = "A backup cannot know what was sent after it was taken. So nothing of its campaigns leaves, until somebody has looked into the mail server's log and says: lapwing restore --release"
)]
pub(super) struct Restore {
    /// What lapwing backup has written
    #[arg(required_unless_present = "release", conflicts_with = "release")]
    file: Option<PathBuf>,
    /// Where a database is there already: keep it under another name, and put the backup in its place
    #[arg(long, conflicts_with = "release")]
    replace: bool,
    /// Let the letters leave that a restored backup holds, for it is known that they were not sent
    #[arg(long)]
    release: bool,
    /// Only those of this campaign
    #[arg(long, value_name = "NAME", requires = "release")]
    campaign: Option<String>,
}

pub(super) async fn backup(context: &Context, options: &Backup) -> anyhow::Result<Ended> {
    let url = &context.config().database.url;
    let store = context.store().await?;
    if context.dry_run {
        if options.file.exists() && !options.replace {
            return Err(Error::Refused(format!(
                "{} is there already; name another file, or say --replace",
                options.file.display()
            ))
            .into());
        }
        let rows = store.rows().await?;
        let told = serde_json::json!({ "file": options.file, "rows": rows });
        let text = format!("{} would hold {}", options.file.display(), describe(&rows));
        context.out.say(&told, text)?;
        return Ok(Ended::Well);
    }
    let copied = store.backup(url, &options.file, options.replace).await?;
    let text = format!(
        "{}: {} bytes, looked through and whole: {}\n\nIt holds the keys of this installation: keep it where nobody else \
         reads.\nThe way back: lapwing restore {}",
        copied.file.display(),
        copied.bytes,
        describe(&copied.rows),
        copied.file.display(),
    );
    context.out.say(&copied, text)?;
    Ok(Ended::Well)
}

pub(super) async fn restore(context: &Context, options: &Restore) -> anyhow::Result<Ended> {
    let Some(file) = &options.file else {
        return release(context, options.campaign.as_deref()).await;
    };
    let config = context.config();
    let restoring = Restoring {
        url: &config.database.url,
        file,
        replace: options.replace,
        by: &context.by,
        from: here(),
        now: context.clock.now(),
        hold_uncertain: config.send.on_uncertain == OnUncertain::Hold,
    };
    let place = masked(restoring.url);
    if context.dry_run {
        Store::foresee_restore(&restoring).await?;
        let told = serde_json::json!({ "file": file, "database": place });
        let text = format!("{} could be restored to {place}", file.display());
        context.out.say(&told, text)?;
        return Ok(Ended::Well);
    }
    let restored = Store::restore(&restoring).await?;
    let text = tell(&restored, &place);
    context.out.say(&restored, text)?;
    Ok(Ended::Well)
}

fn tell(restored: &Restored, place: &str) -> String {
    let mut text = format!(
        "Restored {} to {place}: {}\n",
        restored.file.display(),
        describe(&restored.rows)
    );
    if let Some(old) = &restored.kept_as {
        text.push_str(&format!("What was there before is kept as {old}.\n"));
    }
    if !restored.upgrade.steps.is_empty() {
        text.push_str(&format!(
            "Brought from step {} to step {}.\n",
            restored.upgrade.from, restored.upgrade.to
        ));
    }
    if restored.given_back > 0 {
        text.push_str(&format!(
            "{} in hand when the backup was taken, back in the queue.\n",
            count(restored.given_back as i64, "letter")
        ));
    }
    let letters: i64 = restored.held.iter().map(|one| one.letters).sum();
    text.push_str(&format!(
        "\nNothing of its {} leaves: what was sent after the backup was taken is not known here, and would be sent\n\
         again. {} unsent in it are held.\n",
        count(restored.held.len() as i64, "campaign"),
        count(letters, "letter")
    ));
    for one in restored.held.iter().filter(|one| one.letters > 0) {
        text.push_str(&format!("{}\n", describe_held(one)));
    }
    text.push_str(
        "\nNext: look into the mail server's log for what was sent since\n      \
         lapwing hold add --ticket T --reason WHY, for a letter that was\n      \
         lapwing restore --release --campaign NAME, or lapwing restore --release for all\n",
    );
    text
}

async fn release(context: &Context, campaign: Option<&str>) -> anyhow::Result<Ended> {
    let store = context.store().await?;
    let held = match context.dry_run {
        true => {
            let mut held = store.held_since_restore().await?;
            held.retain(|one| campaign.is_none_or(|name| name == one.campaign));
            held
        }
        false => {
            store
                .release_restored(campaign, &context.by, context.clock.now())
                .await?
        }
    };
    let mut text = match held.len() {
        0 => "Nothing is held for a restored backup.".to_owned(),
        n => format!("{} may be sent again\n", count(n as i64, "campaign")),
    };
    for one in held.iter().filter(|one| one.letters > 0) {
        text.push_str(&format!("{}\n", describe_held(one)));
    }
    context
        .out
        .say(&serde_json::json!({ "released": held }), text)?;
    Ok(Ended::Well)
}

fn describe_held(one: &Held) -> String {
    format!("{:>9}  {}", one.letters, one.campaign)
}

fn describe(rows: &BTreeMap<&'static str, i64>) -> String {
    let told = TOLD.iter().map(|(table, what)| {
        let n = rows.get(table).copied().unwrap_or_default();
        match what.split_once(' ') {
            Some((what, rest)) => format!("{} {rest}", count(n, what)),
            None => count(n, what),
        }
    });
    told.collect::<Vec<_>>().join(", ")
}
