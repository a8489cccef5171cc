//! Holds: staff let nothing leave to somebody for a while, and say why.

use clap::{Args, Subcommand};

use super::Ended;
use super::contacts::end_of_day;
use super::context::{Context, Usage};
use super::output::count;
use crate::model::{self, HoldSubject, Timestamp, typed_ticket};
use crate::store::Error;

#[derive(Debug, Subcommand)]
pub(super) enum Hold {
    /// Hold letters back; what is in hand still leaves
    Add(Add),
    /// Those that hold now, with how many letters each keeps back
    List,
    /// End one; what it kept back leaves with the next `lapwing send`
    Remove {
        /// Its number
        id: i64,
    },
}

#[derive(Debug, Args)]
#[group(skip)]
pub(super) struct Add {
    #[command(flatten)]
    subject: Subject,
    /// Why; it is kept
    #[arg(long, value_name = "WHY")]
    reason: String,
    /// When it ends by itself: 2026-12-24 (to the end of that day, in UTC) or 2026-12-24T12:00:00Z
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct Subject {
    /// One letter, all its parts: LW-000042-5
    #[arg(long, value_name = "ID")]
    ticket: Option<String>,
    /// All mailboxes at a domain or below it, in all campaigns; "*.isp.example": below it only
    #[arg(long, value_name = "NAME")]
    domain: Option<String>,
    /// One mailbox, in all campaigns
    #[arg(long, value_name = "MAIL")]
    address: Option<String>,
}

pub(super) async fn run(context: &Context, action: &Hold) -> anyhow::Result<Ended> {
    match action {
        Hold::Add(options) => add(context, options).await,
        Hold::List => list(context).await,
        Hold::Remove { id } => remove(context, *id).await,
    }
}

async fn add(context: &Context, options: &Add) -> anyhow::Result<Ended> {
    let now = context.clock.now();
    let new = model::Hold {
        id: 0,
        subject: subject(context, &options.subject)?,
        reason: options.reason.clone(),
        by: context.by.clone(),
        at: now,
        until: options.until.as_deref().map(until).transpose()?,
    };
    if new.until.is_some_and(|until| until <= now) {
        anyhow::bail!(Usage("--until: that time is over".to_owned()));
    }
    let store = context.store().await?;
    let (id, kept) = match context.dry_run {
        true => (0, store.foresee_hold(&new.subject).await?),
        false => store.add_hold(&new).await?,
    };
    let hold = model::Hold { id, ..new };
    let told = serde_json::json!({ "hold": hold, "kept": kept });
    let text = format!(
        "Hold {}: {}\n{} kept back now; others when they come due",
        hold.id,
        describe(&hold),
        count(kept as i64, "letter")
    );
    context.out.say(&told, text)?;
    Ok(Ended::Well)
}

fn subject(context: &Context, named: &Subject) -> anyhow::Result<HoldSubject> {
    if let Some(ticket) = &named.ticket {
        let prefix = &context.config().sender.ticket_prefix;
        return Ok(HoldSubject::Ticket(typed_ticket(ticket, prefix)));
    }
    if let Some(domain) = &named.domain {
        let domain = domain.parse();
        let domain =
            domain.map_err(|error: model::DomainError| Usage(format!("--domain: {error}")))?;
        return Ok(HoldSubject::Domain(domain));
    }
    let address = named.address.as_deref().unwrap_or_default().parse();
    let address =
        address.map_err(|error: model::MailboxError| Usage(format!("--address: {error}")))?;
    Ok(HoldSubject::Address(address))
}

async fn list(context: &Context) -> anyhow::Result<Ended> {
    let store = context.store().await?;
    let holds = store.holds(context.clock.now()).await?;
    context.out.none(holds.is_empty(), "Nothing is held.")?;
    for (hold, kept) in holds {
        let text = format!(
            "{:>4}  {}  ({})",
            hold.id,
            describe(&hold),
            count(kept, "letter")
        );
        let told = serde_json::json!({ "hold": hold, "kept": kept });
        context.out.line(&told, text)?;
    }
    Ok(Ended::Well)
}

async fn remove(context: &Context, id: i64) -> anyhow::Result<Ended> {
    let store = context.store().await?;
    let now = context.clock.now();
    let freed = if context.dry_run {
        let holds = store.holds(now).await?;
        let known = holds.iter().find(|(hold, _)| hold.id == id);
        let (_, kept) = known.ok_or_else(|| Error::NotFound {
            what: "hold",
            name: id.to_string(),
        })?;
        kept.unsigned_abs()
    } else {
        store.remove_hold(id, &context.by, now).await?
    };
    let told = serde_json::json!({ "removed": id, "freed": freed });
    let text = format!(
        "Hold {id} no longer holds; {} may leave",
        count(freed as i64, "letter")
    );
    context.out.say(&told, text)?;
    Ok(Ended::Well)
}

/// A moment, or the end of a day.
pub(super) fn until(text: &str) -> Result<Timestamp, Usage> {
    let wrong = || {
        Usage(format!(
            "--until: \"{text}\" is no time; write 2026-12-24 or 2026-12-24T12:00:00Z"
        ))
    };
    if let Ok(moment) = text.parse::<jiff::Timestamp>() {
        return Ok(moment.into());
    }
    end_of_day(text).ok_or_else(wrong)
}

/// `@isp.example, by anna, until 2026-12-25T00:00:00Z: they asked for time`.
pub(super) fn describe(hold: &model::Hold) -> String {
    let until = match hold.until {
        Some(until) => format!(", until {until}"),
        None => String::new(),
    };
    format!("{}, by {}{until}: {}", hold.subject, hold.by, hold.reason)
}
