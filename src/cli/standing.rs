//! A second person's standing approval of what a schedule writes, and its end.

use clap::Args;

use super::Ended;
use super::context::{Context, Usage};
use super::holds::until;
use super::output::count;
use super::schedules;
use crate::approve;
use crate::compose;
use crate::model::{Schedule, Span, Standing};
use crate::store::Store;

/// How long one holds that says nothing else.
const HOLDS: Span = Span(92 * 86_400_000);

#[derive(Debug, Args)]
pub(super) struct Approve {
    /// Its name
    name: String,
    /// Letters of one run; with more it waits for a person
    #[arg(long, value_name = "LETTERS", default_value_t = 100, value_parser = clap::value_parser!(i64).range(1..=1_000_000))]
    most: i64,
    /// Of a run's contacts, how many in a hundred may be ones that were never written to
    #[arg(long, value_name = "PERCENT", default_value_t = 20, value_parser = clap::value_parser!(i64).range(0..=100))]
    most_new: i64,
    /// How long it holds: 2027-02-16 or 2027-02-16T12:00:00Z; without it 92 days
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// In live mode: the languages to send though nobody who reads them has reviewed them: ja,de
    #[arg(long, value_name = "LANGUAGES", value_delimiter = ',')]
    unreviewed: Vec<String>,
    /// Why; it is kept
    #[arg(long, default_value = "")]
    reason: String,
    /// Take the standing approval back: from now on each run waits for a person
    #[arg(long, conflicts_with_all = ["most", "most_new", "until", "unreviewed"])]
    end: bool,
}

pub(super) async fn approve(
    context: &Context,
    store: &Store,
    options: &Approve,
) -> anyhow::Result<Ended> {
    let one = store.schedule(&options.name).await?;
    if options.end {
        return end(context, store, &one, &options.reason).await;
    }
    let by = context.decider()?;
    approve::may_give(&one, by)?;
    let templates = context.templates()?;
    let now = context.clock.now();
    let expires_at = match &options.until {
        Some(text) => until(text)?,
        None => now.plus(HOLDS),
    };
    if expires_at <= now {
        anyhow::bail!(Usage("--until: that time is over".to_owned()));
    }
    let languages = compose::languages(&templates);
    let unreviewed = options.unreviewed.iter().map(|typed| {
        let known = languages
            .iter()
            .find(|known| known.eq_ignore_ascii_case(typed.trim()));
        known.cloned().ok_or_else(|| {
            Usage(format!(
                "--unreviewed: no letter can be written in \"{typed}\""
            ))
        })
    });
    let standing = Standing {
        id: 0,
        by: by.to_owned(),
        at: now,
        reason: options.reason.clone(),
        most_letters: options.most,
        most_new: options.most_new,
        templates: templates.digest(),
        unreviewed: unreviewed.collect::<Result<_, _>>()?,
        expires_at,
    };
    if !context.dry_run {
        approve::give_standing(store, &one, &standing).await?;
    }
    let text = schedules::describe(context, &one, Some(&standing));
    context
        .out
        .say(&schedules::told(context, &one, Some(&standing)), text)?;
    Ok(Ended::Well)
}

async fn end(
    context: &Context,
    store: &Store,
    one: &Schedule,
    reason: &str,
) -> anyhow::Result<Ended> {
    let why = match reason {
        "" => format!("ended by {}", context.by),
        reason => format!("ended by {}: {reason}", context.by),
    };
    let had = match context.dry_run {
        true => store.standing(one.id).await?.is_some(),
        false => {
            store
                .end_standing(one, &why, &context.by, context.clock.now())
                .await?
        }
    };
    if !had {
        anyhow::bail!(crate::store::Error::Refused(format!(
            "\"{}\" has no standing approval",
            one.name
        )));
    }
    let told = serde_json::json!({ "schedule": one.name, "ended": true });
    let text = format!(
        "From now on each run of {} waits for a second person",
        one.name
    );
    context.out.say(&told, text)?;
    Ok(Ended::Well)
}

pub(super) fn describe(standing: &Standing) -> String {
    let unreviewed = match standing.unreviewed.is_empty() {
        true => String::new(),
        false => format!(", also in {} unreviewed", standing.unreviewed.join(", ")),
    };
    format!(
        "standing, by {} until {}: up to {} a run, up to {} % new contacts, these templates{unreviewed}",
        standing.by,
        standing.expires_at,
        count(standing.most_letters, "letter"),
        standing.most_new
    )
}
