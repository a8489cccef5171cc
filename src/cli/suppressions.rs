//! Addresses that nothing is written to, by whom and why.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::Ended;
use super::context::{Context, Usage};
use super::holds::until;
use super::output::count;
use crate::model::{Mailbox, MailboxError, Suppression, SuppressionCause};
use crate::store::{Error, Store};

#[derive(Debug, Subcommand)]
pub(super) enum Suppress {
    /// Write nothing to an address any more
    Add(Add),
    /// The same for a file of addresses, one a line
    Import(Import),
    /// Those that hold, and those that are proposed
    List,
    /// Make a proposed one hold: somebody else than who proposed it
    Approve {
        /// Its number
        id: i64,
    },
    /// Write to the address again
    Remove {
        /// Its number
        id: i64,
    },
}

#[derive(Debug, Args)]
pub(super) struct Add {
    /// abuse@isp.example; with "+tag" or without is the same
    address: String,
    #[command(flatten)]
    why: Why,
}

#[derive(Debug, Args)]
pub(super) struct Import {
    /// One address a line; empty lines and lines that begin with # are passed over
    file: PathBuf,
    #[command(flatten)]
    why: Why,
}

#[derive(Debug, Args)]
struct Why {
    /// Why; it is kept
    #[arg(long, value_name = "WHY")]
    reason: String,
    /// When it ends by itself: 2026-12-24 or 2026-12-24T12:00:00Z
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
}

pub(super) async fn run(context: &Context, action: &Suppress) -> anyhow::Result<Ended> {
    match action {
        Suppress::Add(options) => add(context, options).await,
        Suppress::Import(options) => import(context, options).await,
        Suppress::List => list(context).await,
        Suppress::Approve { id } => approve(context, *id).await,
        Suppress::Remove { id } => remove(context, *id).await,
    }
}

impl Why {
    fn suppression(&self, context: &Context, address: Mailbox) -> anyhow::Result<Suppression> {
        let now = context.clock.now();
        let until = self.until.as_deref().map(until).transpose()?;
        if until.is_some_and(|until| until <= now) {
            anyhow::bail!(Usage("--until: that time is over".to_owned()));
        }
        Ok(Suppression {
            id: 0,
            address: address.base(),
            cause: SuppressionCause::Staff,
            reason: self.reason.clone(),
            incoming: None,
            by: context.by.clone(),
            at: now,
            approved_by: Some(context.by.clone()),
            until,
        })
    }
}

async fn add(context: &Context, options: &Add) -> anyhow::Result<Ended> {
    let address = options.address.parse();
    let address = address.map_err(|error: MailboxError| Usage(error.to_string()))?;
    let new = options.why.suppression(context, address)?;
    let store = context.store().await?;
    let id = match context.dry_run {
        true => 0,
        false => store.suppress(&new).await?,
    };
    let new = Suppression { id, ..new };
    context.out.say(&new, describe(&new))?;
    Ok(Ended::Well)
}

async fn import(context: &Context, options: &Import) -> anyhow::Result<Ended> {
    let store = context.store().await?;
    let text = std::fs::read_to_string(&options.file)
        .map_err(|error| Usage(format!("{}: {error}", options.file.display())))?;
    let (mut added, mut wrong) = (0, 0);
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim_start_matches('\u{feff}').trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match line.parse::<Mailbox>() {
            Ok(address) => {
                let new = options.why.suppression(context, address)?;
                if !context.dry_run {
                    store.suppress(&new).await?;
                }
                added += 1;
            }
            Err(error) => {
                wrong += 1;
                eprintln!("{}:{number}: {error}", options.file.display());
            }
        }
    }
    let told = serde_json::json!({ "added": added, "refused": wrong });
    let mut said = format!("{} added or there already", count(added, "address"));
    if wrong > 0 {
        said.push_str(&format!(", {wrong} refused"));
    }
    context.out.say(&told, said)?;
    Ok(match wrong {
        0 => Ended::Well,
        _ => Ended::Partly,
    })
}

async fn list(context: &Context) -> anyhow::Result<Ended> {
    let store = context.store().await?;
    let all = store.suppressions(context.clock.now()).await?;
    context
        .out
        .none(all.is_empty(), "No address is suppressed.")?;
    for one in &all {
        context
            .out
            .line(one, format!("{:>5}  {}", one.id, describe(one)))?;
    }
    Ok(Ended::Well)
}

async fn approve(context: &Context, id: i64) -> anyhow::Result<Ended> {
    let by = context.decider()?;
    let store = context.store().await?;
    let one = match context.dry_run {
        true => known(context, &store, id).await?,
        false => {
            store
                .approve_suppression(id, by, context.clock.now())
                .await?
        }
    };
    let text = format!("Nothing is written to {} any more", one.address);
    context.out.say(&one, text)?;
    Ok(Ended::Well)
}

async fn remove(context: &Context, id: i64) -> anyhow::Result<Ended> {
    let store = context.store().await?;
    let now = context.clock.now();
    let one = match context.dry_run {
        true => known(context, &store, id).await?,
        false => store.remove_suppression(id, &context.by, now).await?,
    };
    let all = store.suppressions(now).await?;
    let still = all.iter().find(|other| {
        other.id != id && other.address == one.address && other.approved_by.is_some()
    });
    let text = match still {
        Some(other) => format!(
            "Suppression {id} is gone; still nothing is written to {}, for suppression {}: {}",
            one.address, other.id, other.reason
        ),
        None => format!("Letters are written to {} again", one.address),
    };
    context.out.say(&one, text)?;
    Ok(Ended::Well)
}

async fn known(context: &Context, store: &Store, id: i64) -> Result<Suppression, Error> {
    let all = store.suppressions(context.clock.now()).await?;
    let known = all.into_iter().find(|one| one.id == id);
    known.ok_or_else(|| Error::NotFound {
        what: "suppression",
        name: id.to_string(),
    })
}

fn describe(one: &Suppression) -> String {
    let until = match one.until {
        Some(until) => format!(" until {until}"),
        None => String::new(),
    };
    let standing = match one.approved_by {
        Some(_) => String::new(),
        None => format!(
            ", proposed: lapwing suppression approve {} --as SOMEBODY",
            one.id
        ),
    };
    format!(
        "{}{until}: {} ({}, by {} at {}){standing}",
        one.address,
        one.reason,
        one.cause.as_str(),
        one.by,
        one.at
    )
}
