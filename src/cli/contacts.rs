//! Overrides and signatories: what staff decided about whom to write to, and who signs.

use clap::Subcommand;

use super::Ended;
use super::arguments::TableFile;
use super::context::{Context, Usage};
use super::feed::{feed_name, open, say_refusals};
use crate::compose;
use crate::model::{Format, Override, Progress, Refusal, SubjectError, Timestamp};
use crate::resolve::{self, NewOverride, OverrideRow};
use crate::store::Store;

#[derive(Debug, Subcommand)]
pub(super) enum Overrides {
    /// Add one; an earlier one of the same subject ends
    Add {
        /// A prefix or range, AS64500, a registry handle, or the domain of a mailbox (isp.example)
        subject: String,
        /// The mailbox to write to
        #[arg(long, required_unless_present = "never")]
        mailbox: Option<String>,
        /// Write to nobody about it
        #[arg(long, conflicts_with = "mailbox")]
        never: bool,
        /// Why; it is kept
        #[arg(long, default_value = "")]
        reason: String,
        /// The language to write in
        #[arg(long, default_value = "")]
        language: String,
        /// How it wants its letters: all observations attached as CSV, or in the text, or a letter with an
        /// XARF report for each address, or both CSV and XARF in one
        #[arg(long, value_parser = Format::ALL.map(Format::as_str))]
        format: Option<String>,
        /// The day it ends: YYYY-MM-DD
        #[arg(long)]
        until: Option<String>,
    },
    /// Add those of a CSV: subject, mailbox (or never), language, format, reason, owner, until
    Import(TableFile),
    /// Those that hold now
    List,
    /// End one; what it decided stands
    Remove {
        /// Its number
        id: i64,
    },
}

#[derive(Debug, Subcommand)]
pub(super) enum Signatories {
    /// Add those of a CSV: agency, local_name, name_ja (and so on), country, framework, mailbox,
    /// from, until, order
    Import(TableFile),
    /// The whole roll
    List,
}

pub(super) async fn overrides(context: &Context, action: &Overrides) -> anyhow::Result<Ended> {
    let store = context.store().await?;
    let now = context.clock.now();
    match action {
        Overrides::Add {
            subject,
            mailbox,
            never: _,
            reason,
            language,
            format,
            until,
        } => {
            let mailbox = mailbox.as_deref().map(str::parse).transpose();
            let new = NewOverride {
                subject: subject
                    .parse()
                    .map_err(|error: SubjectError| Usage(error.to_string()))?,
                mailbox: mailbox.map_err(|error: crate::model::MailboxError| {
                    Usage(format!("--mailbox: {error}"))
                })?,
                locale: language.clone(),
                format: format.as_deref().and_then(Format::from_text),
                reason: reason.clone(),
                owner: context.by.clone(),
                until: until.as_deref().map(day).transpose()?,
            };
            if new.until.is_some_and(|until| until <= now) {
                anyhow::bail!(Usage("--until: that day is over".to_owned()));
            }
            let added = add_override(context, &store, new, now).await?;
            context.out.say(
                &added,
                format!("Override {}: {}", added.id, describe(&added)),
            )?;
            Ok(Ended::Well)
        }
        Overrides::Import(from) => {
            let (mut added, mut refusals) = (0, Vec::new());
            let name = feed_name(&from.file);
            let text = open(&from.file, from.encoding)?.text;
            for row in resolve::read_overrides(text, &name, None, &from.map)? {
                match row {
                    OverrideRow::Override { entry, .. } => {
                        add_override(context, &store, entry, now).await?;
                        added += 1;
                    }
                    OverrideRow::Refused(refusal) => refusals.push(refusal),
                }
            }
            imported(context, &name, added, "override", &refusals)
        }
        Overrides::List => {
            let known = store.overrides(now).await?;
            context.out.none(known.is_empty(), "No override holds.")?;
            for one in known {
                context
                    .out
                    .line(&one, format!("{:>4}  {}", one.id, describe(&one)))?;
            }
            Ok(Ended::Well)
        }
        Overrides::Remove { id } => {
            if context.dry_run {
                let known = store.overrides(now).await?;
                if !known.iter().any(|one| one.id == *id) {
                    anyhow::bail!(crate::store::Error::NotFound {
                        what: "override",
                        name: id.to_string()
                    });
                }
            } else {
                store.remove_override(*id, &context.by, now).await?;
            }
            context.out.say(
                &serde_json::json!({ "removed": id }),
                format!("Override {id} no longer holds"),
            )?;
            Ok(Ended::Well)
        }
    }
}

pub(super) async fn add_override(
    context: &Context,
    store: &Store,
    new: NewOverride,
    now: Timestamp,
) -> anyhow::Result<Override> {
    let mut whole = new.entered(&context.by, now);
    if !context.dry_run {
        whole.id = store.add_override(&whole).await?;
    }
    Ok(whole)
}

fn day(text: &str) -> Result<Timestamp, Usage> {
    let wrong = || Usage(format!("--until: \"{text}\" is no date; write YYYY-MM-DD"));
    end_of_day(text).ok_or_else(wrong)
}

/// When a day ends in UTC, for what holds until then; `None` where it is no day.
pub(super) fn end_of_day(text: &str) -> Option<Timestamp> {
    let date: jiff::civil::Date = text.parse().ok()?;
    let next = date.tomorrow().ok()?.to_zoned(jiff::tz::TimeZone::UTC);
    Some(next.ok()?.timestamp().into())
}

fn describe(one: &Override) -> String {
    let to = one
        .mailbox
        .as_ref()
        .map_or("never".to_owned(), ToString::to_string);
    let mut text = format!("{} → {to}, by {}", one.subject, one.owner);
    if !one.locale.is_empty() {
        text.push_str(&format!(", in {}", one.locale));
    }
    if let Some(format) = one.format {
        text.push_str(&format!(", as {}", format.as_str()));
    }
    if let Some(until) = one.expires_at {
        // It holds to the end of the day before.
        let last = until.minus(crate::model::Span(1));
        text.push_str(&format!(", until {}", last.date()));
    }
    if !one.reason.is_empty() {
        text.push_str(&format!(": {}", one.reason));
    }
    text
}

pub(super) async fn signatories(context: &Context, action: &Signatories) -> anyhow::Result<Ended> {
    let store = context.store().await?;
    match action {
        Signatories::Import(from) => import_roll(context, &store, from).await,
        Signatories::List => {
            let now = context.clock.now();
            let known = store.signatories().await?;
            context.out.none(
                known.is_empty(),
                "Nobody signs yet: lapwing signatory import ROLL.csv",
            )?;
            for one in known {
                let signs = one.from.is_none_or(|from| from <= now)
                    && one.until.is_none_or(|until| now < until);
                let span = match (one.from, one.until) {
                    (None, None) => String::new(),
                    (from, until) => {
                        let date =
                            |at: Option<Timestamp>| at.map(Timestamp::date).unwrap_or_default();
                        let until = until.map(|until| until.minus(crate::model::Span(1)));
                        format!("  {} to {}", date(from), date(until))
                    }
                };
                let mark = if signs { "signs" } else { "-" };
                context.out.line(
                    &one,
                    format!("{mark:>5}  {}  {}{span}", one.country, one.agency),
                )?;
            }
            Ok(Ended::Well)
        }
    }
}

async fn import_roll(context: &Context, store: &Store, from: &TableFile) -> anyhow::Result<Ended> {
    let name = feed_name(&from.file);
    let (mut roll, mut refusals) = (Vec::new(), Vec::new());
    let text = open(&from.file, from.encoding)?.text;
    for row in compose::read_roll(text, &name, None, &from.map)? {
        match row {
            Ok(signatory) => roll.push(signatory),
            Err(refusal) => refusals.push(refusal),
        }
    }
    if !context.dry_run {
        store
            .put_signatories(&roll, &context.by, context.clock.now())
            .await?;
    }
    imported(context, &name, roll.len(), "signatory", &refusals)
}

fn imported(
    context: &Context,
    name: &str,
    added: usize,
    what: &str,
    refusals: &[Refusal],
) -> anyhow::Result<Ended> {
    say_refusals(context, name, refusals)?;
    let told = serde_json::json!({ "file": name, "added": added, "refused": refusals.len(), "refusals": refusals });
    let plural = match (added, what) {
        (1, what) => what.to_owned(),
        (_, "signatory") => "signatories".to_owned(),
        (_, what) => format!("{what}s"),
    };
    context.out.say(
        &told,
        format!("{name}: {added} {plural}, {} refused", refusals.len()),
    )?;
    Ok(if refusals.is_empty() {
        Ended::Well
    } else {
        Ended::Partly
    })
}

/// For the demo: the same loading, without a terminal.
pub(super) async fn load_demo_tables(
    store: &Store,
    files: [&str; 3],
    by: &str,
    now: Timestamp,
) -> anyhow::Result<u64> {
    let [networks, roll, overrides] = files;
    let text =
        |text: &str| crate::sheet::unwrap(std::io::Cursor::new(text.to_owned().into_bytes()));
    let rows = resolve::read_table(text(networks)?, "networks.csv", None, &[])?;
    let done = resolve::load_table(
        Some(store),
        rows,
        "networks.csv",
        by,
        now,
        &Progress::default(),
    )
    .await?;
    let roll = compose::read_roll(text(roll)?, "signatories.csv", None, &[])?;
    let roll: Vec<_> = roll.into_iter().filter_map(Result::ok).collect();
    store.put_signatories(&roll, by, now).await?;
    for row in resolve::read_overrides(text(overrides)?, "overrides.csv", None, &[])? {
        if let OverrideRow::Override { entry, .. } = row {
            store.add_override(&entry.entered(by, now)).await?;
        }
    }
    Ok(done.networks)
}
