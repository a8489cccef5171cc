//! What came back: bounces, answers of machines, and people.

use clap::Subcommand;
use clap::builder::PossibleValuesParser;

use super::Ended;
use super::contacts::add_override;
use super::context::{Context, Usage};
use super::output::{count, print_raw};
use crate::model::{
    Class, Delivery, Fate, FoundBy, Mailbox, OverrideSubject, Progress, ReplyState,
};
use crate::resolve::NewOverride;
use crate::store::{Error, ReplyFilter, ReplyLine, Store};
use crate::track;

const PAGE: i64 = 200;

/// Networks of one letter that somebody else may answer for.
const NETWORKS: i64 = 500;

#[derive(Debug, Subcommand)]
pub(super) enum Reply {
    /// What came back, the newest first
    List {
        /// Only what somebody has to look at
        #[arg(long)]
        open: bool,
        /// Only one kind
        #[arg(long, value_parser = PossibleValuesParser::new(classes()))]
        class: Option<String>,
        /// Of all that came about one letter only the newest
        #[arg(long)]
        threads: bool,
    },
    /// One message: what it says, what was made of it and why
    Show {
        /// Its number
        id: i64,
        /// As it came, byte for byte
        #[arg(long)]
        raw: bool,
    },
    /// Say what has become of it
    Set {
        /// Its number
        id: i64,
        #[arg(value_parser = PossibleValuesParser::new(states()))]
        state: String,
        /// Of wrong-contact: who is right; overrides for the letter's networks name this mailbox from now on
        #[arg(long)]
        mailbox: Option<Mailbox>,
    },
    /// Say what it is, where the rules took it for something else; all that followed from it is undone
    Class {
        /// Its number
        id: i64,
        #[arg(value_parser = PossibleValuesParser::new(classes()))]
        class: String,
    },
    /// Read all messages anew by the rules as they are now, but for those that somebody has decided on
    Reread,
}

pub(super) async fn run(context: &Context, action: &Reply) -> anyhow::Result<Ended> {
    match action {
        Reply::List {
            open,
            class,
            threads,
        } => {
            let class = class.as_deref().and_then(Class::from_text);
            let filter = ReplyFilter {
                open: *open,
                class,
                threads: *threads,
                ..ReplyFilter::default()
            };
            list(context, filter).await
        }
        Reply::Show { id, raw } => show(context, *id, *raw).await,
        Reply::Set { id, state, mailbox } => set(context, *id, state, mailbox.as_ref()).await,
        Reply::Class { id, class } => reclassify(context, *id, class).await,
        Reply::Reread => reread(context).await,
    }
}

async fn list(context: &Context, filter: ReplyFilter) -> anyhow::Result<Ended> {
    let store = context.store().await?;
    let mut before = i64::MAX;
    loop {
        let page = store.came_back(filter, before, PAGE).await?;
        context
            .out
            .none(page.is_empty() && before == i64::MAX, "Nothing came back.")?;
        let Some(last) = page.last() else {
            return Ok(Ended::Well);
        };
        before = last.id;
        for line in &page {
            let about = line.about.as_deref().unwrap_or("-");
            let mut text = format!(
                "{:>6}  {}  {about:<14} {}",
                line.id,
                describe(line),
                line.sender
            );
            if filter.threads && line.in_thread > 1 {
                text.push_str(&format!(
                    ", {} about this letter",
                    count(line.in_thread, "message")
                ));
            }
            context.out.line(line, text)?;
        }
    }
}

async fn show(context: &Context, id: i64, raw: bool) -> anyhow::Result<Ended> {
    let store = context.store().await?;
    if raw {
        print_raw(&store.incoming(id).await?.arrived.message)?;
        return Ok(Ended::Well);
    }
    let line = one(&store, id).await?;
    let body = match line.gone_at {
        Some(at) => format!("(The message was removed at {at}, as keep.incoming says.)"),
        None => line.body.clone(),
    };
    let mut text = format!(
        "From: {}\nSubject: {}\nAbout: {}\n\n{body}\n\nWhat was made of it\n  {}\n{}",
        line.sender,
        line.subject,
        line.about.as_deref().unwrap_or("no letter that is known"),
        describe(&line),
        said(&line)
    );
    for why in line.evidence.lines() {
        text.push_str(&format!("  {why}\n"));
    }
    if line.in_thread > 1 {
        text.push_str("\nAll that came about this letter\n");
        for other in thread(&store, id).await?.iter().rev() {
            let here = if other.id == id { "→" } else { " " };
            let told = format!(
                "{here} {:>5}  {}  {}\n",
                other.id,
                describe(other),
                other.sender
            );
            text.push_str(&told);
        }
    }
    context.out.say(&line, text)?;
    Ok(Ended::Well)
}

async fn set(
    context: &Context,
    id: i64,
    state: &str,
    right: Option<&Mailbox>,
) -> anyhow::Result<Ended> {
    let store = context.store().await?;
    let line = one(&store, id).await?;
    let state = ReplyState::from_text(state)
        .filter(|state| *state != ReplyState::Nothing)
        .ok_or_else(|| Usage(format!("\"{state}\" is no state")))?;
    if right.is_some() && state != ReplyState::WrongContact {
        anyhow::bail!(Usage(
            "--mailbox says who is right where the contact is wrong: lapwing reply set ID wrong-contact"
                .to_owned()
        ));
    }
    if !context.dry_run {
        store
            .set_reply_state(id, state, &context.by, context.clock.now())
            .await?;
    }
    let told = serde_json::json!({ "id": id, "state": state });
    let mut text = format!("Message {id} is {}", state.as_str());
    if state == ReplyState::WrongContact {
        text.push_str(&correct(context, &store, &line, right).await?);
    }
    context.out.say(&told, text)?;
    Ok(Ended::Well)
}

/// Who answers for the letter's networks from now on, or how that is said once it is known.
async fn correct(
    context: &Context,
    store: &Store,
    line: &ReplyLine,
    right: Option<&Mailbox>,
) -> anyhow::Result<String> {
    let networks = store.networks_about(line.id, NETWORKS).await?;
    let reason = format!("message {} from {}", line.id, line.sender);
    let now = context.clock.now();
    let mut text = String::new();
    for network in networks {
        let Some(right) = right else {
            text.push_str(&format!(
                "\n  lapwing override add {network} --mailbox MAILBOX --reason \"{reason}\""
            ));
            continue;
        };
        let new = NewOverride {
            subject: OverrideSubject::Prefix(network),
            mailbox: Some(right.clone()),
            locale: String::new(),
            format: None,
            reason: reason.clone(),
            owner: context.by.clone(),
            until: None,
        };
        add_override(context, store, new, now).await?;
        text.push_str(&format!("\n  {network} answers at {right} from now on"));
    }
    let lead = match (text.is_empty(), right) {
        (true, Some(_)) => {
            anyhow::bail!(Usage(format!(
                "no network is known that message {} is about: lapwing override add NETWORK --mailbox {}",
                line.id,
                right.map_or("MAILBOX", Mailbox::as_str)
            )))
        }
        (true, None) => "; no network is known that it is about",
        (false, Some(_)) => "",
        (false, None) => {
            ". Once you know who is right, add --mailbox MAILBOX, or for some of its networks:"
        }
    };
    Ok(format!("{lead}{text}"))
}

async fn reclassify(context: &Context, id: i64, class: &str) -> anyhow::Result<Ended> {
    let store = context.store().await?;
    one(&store, id).await?;
    let class = Class::from_text(class).ok_or_else(|| Usage(format!("\"{class}\" is no class")))?;
    let desk = Desk::of(context)?;
    let progress = Progress::default();
    if !context.dry_run {
        let work = desk.work(&store, &progress);
        track::decide(&work, id, class, &context.by, context.clock.now()).await?;
    }
    let told = serde_json::json!({ "id": id, "class": class.as_str() });
    let text = format!("Message {id} counts as {} now", class.as_str());
    context.out.say(&told, text)?;
    Ok(Ended::Well)
}

async fn reread(context: &Context) -> anyhow::Result<Ended> {
    let store = context.store().await?;
    let desk = Desk::of(context)?;
    let watch = context.listen();
    let done = match context.dry_run {
        true => track::Done::default(),
        false => {
            store.read_anew().await?;
            track::run_once(&desk.work(&store, &watch.progress), context.clock.now()).await?
        }
    };
    context.out.say(&done, done.to_string())?;
    Ok(Ended::Well)
}

/// What messages are judged by.
pub(super) struct Desk {
    settings: track::Settings,
    reasons: track::read::Reasons,
}

impl Desk {
    pub(super) fn of(context: &Context) -> anyhow::Result<Self> {
        let config = context.config();
        Ok(Self {
            settings: track::Settings::from_config(config),
            reasons: track::reasons(&config.incoming.reasons).map_err(Usage)?,
        })
    }

    pub(super) fn work<'a>(&'a self, store: &'a Store, progress: &'a Progress) -> track::Work<'a> {
        track::Work {
            store,
            reasons: &self.reasons,
            settings: &self.settings,
            progress,
        }
    }
}

async fn one(store: &Store, id: i64) -> Result<ReplyLine, Error> {
    let filter = ReplyFilter {
        id: Some(id),
        ..ReplyFilter::default()
    };
    let mut found = store.came_back(filter, i64::MAX, 1).await?;
    found.pop().ok_or_else(|| Error::NotFound {
        what: "message",
        name: id.to_string(),
    })
}

/// All that came about the letter that a message is about, the newest first.
async fn thread(store: &Store, id: i64) -> Result<Vec<ReplyLine>, Error> {
    match store.letter_about(id).await? {
        Some(letter) => about(store, letter).await,
        None => Ok(Vec::new()),
    }
}

/// All that came back about a letter, the newest first.
pub(super) async fn about(store: &Store, letter: i64) -> Result<Vec<ReplyLine>, Error> {
    let filter = ReplyFilter {
        letter: Some(letter),
        ..ReplyFilter::default()
    };
    store.came_back(filter, i64::MAX, PAGE).await
}

/// One line for a timeline: when, what, and how sure that is.
pub(super) fn describe(line: &ReplyLine) -> String {
    let mut text = format!("{}  {}", line.came_at, line.class.as_str());
    for (lead, word) in [
        (" as said by ", line.classed_by.as_str()),
        (": ", line.kind.as_str()),
        (": ", line.reason.as_str()),
        (", their case ", line.ticket.as_str()),
        (", not believed: ", line.untrue.as_str()),
        (", ", line.state.as_str()),
        (" by ", line.decided_by.as_str()),
    ] {
        if !word.is_empty() {
            text.push_str(lead);
            text.push_str(word);
        }
    }
    if line.found_by == FoundBy::Ticket {
        text.push_str(" (by the ticket in its subject, which proves nothing)");
    }
    text
}

/// What the mail server said, on a line of its own: where it said something.
pub(super) fn said(line: &ReplyLine) -> String {
    let words = line
        .said
        .split(|c: char| c.is_whitespace() || c.is_control());
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    match words.is_empty() {
        true => String::new(),
        false => format!("    said: {}\n", words.join(" ")),
    }
}

/// How a delivery stands, in words.
pub(super) fn standing(delivery: &Delivery) -> String {
    let mut text = delivery.state.to_string();
    if delivery.fate != Fate::Unknown {
        text.push_str(&format!(", {}", delivery.fate.as_str()));
    }
    let answered = delivery.answered.as_str();
    if !answered.is_empty() {
        text.push_str(&format!(", {answered}"));
    }
    if let Some(suppression) = delivery.suppression {
        text.push_str(&format!(
            ": nothing is written to this address (suppression {suppression})"
        ));
    }
    text
}

fn classes() -> Vec<&'static str> {
    Class::ALL.into_iter().map(Class::as_str).collect()
}

fn states() -> Vec<&'static str> {
    let states = ReplyState::ALL.into_iter().map(ReplyState::as_str);
    states.filter(|state| !state.is_empty()).collect()
}
