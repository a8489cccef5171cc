//! Mail that came back, out of files: kept and acted on, or only looked at.

use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;

use super::Ended;
use super::context::{Context, Usage};
use super::output::print_raw;
use super::replies::Desk;
use crate::model::Reading;
use crate::track;
use crate::track::mailbox::{self, Broken, Messages, Taken};
use crate::track::read::{REASONS, read};

/// Bytes of a file that are looked at: the reader heeds no more of a message.
const READ: u64 = 1024 * 1024 + 1;

#[derive(Debug, Args)]
pub(super) struct Options {
    /// Messages (.eml), mbox files, Maildirs, folders of messages; - is standard input. With --dry-run
    /// each file is one message
    #[arg(required_unless_present = "reasons")]
    files: Vec<PathBuf>,
    /// Say which words made it so
    #[arg(long)]
    explain: bool,
    /// A line a file, by tabs: file, class, recipient, status, message-id, reason, and what explains it
    #[arg(long, conflicts_with = "json")]
    tsv: bool,
    /// Print the shipped table of reasons, to be changed and named by incoming.reasons
    #[arg(long)]
    reasons: bool,
}

/// One file, as JSON tells it.
#[derive(Serialize)]
struct Told<'a> {
    file: &'a Path,
    #[serde(flatten)]
    reading: &'a Reading,
}

pub(super) async fn run(context: &Context, options: &Options) -> anyhow::Result<Ended> {
    if options.reasons {
        print_raw(REASONS.as_bytes())?;
        return Ok(Ended::Well);
    }
    if !context.dry_run {
        if options.tsv || options.explain {
            let told =
                "--tsv and --explain say what a message is taken for: write them with --dry-run";
            return Err(Usage(told.to_owned()).into());
        }
        return take(context, &options.files).await;
    }
    let reasons = track::reasons(&context.config().incoming.reasons).map_err(Usage)?;
    let mut failed = 0;
    for file in &options.files {
        // One that cannot be read does not stop the rest.
        let message = match bytes(file) {
            Ok(message) => message,
            Err(error) => {
                eprintln!("error: {}: {error}", file.display());
                failed += 1;
                continue;
            }
        };
        let reading = read(&message, None, &reasons);
        let told = Told {
            file,
            reading: &reading,
        };
        let text = if options.tsv {
            row(file, &reading, options.explain)
        } else {
            shown(file, &reading, options.explain)
        };
        if options.tsv && !context.out.json {
            print_raw(format!("{text}\n").as_bytes())?;
        } else {
            context.out.line(&told, text)?;
        }
    }
    Ok(if failed == 0 {
        Ended::Well
    } else {
        Ended::Partly
    })
}

/// What was kept, and what was made of it.
#[derive(Serialize)]
struct Did {
    #[serde(flatten)]
    taken: Taken,
    read: track::Done,
}

/// Keeps all messages, and then reads what is kept and acts on it.
async fn take(context: &Context, files: &[PathBuf]) -> anyhow::Result<Ended> {
    let desk = Desk::of(context)?;
    let store = context.store().await?;
    let watch = context.watch("messages");
    let mut taken = Taken::default();
    for file in files {
        let now = context.clock.now();
        let opened = if file == Path::new("-") {
            Ok(Messages::read(
                Box::new(BufReader::new(std::io::stdin())),
                now,
            ))
        } else {
            Messages::open(file, now)
        };
        // One that cannot be read does not stop the rest.
        match opened {
            Ok(mut messages) => {
                let tell = |broken: Broken| eprintln!("error: {broken}");
                taken += mailbox::take(&store, &mut messages, &watch.progress, tell).await?;
            }
            Err(broken) => {
                eprintln!("error: {broken}");
                taken.broken += 1;
            }
        }
    }
    let work = desk.work(&store, &watch.progress);
    let read = track::run_once(&work, context.clock.now()).await?;
    let stopped = watch.stopped_by();
    drop(watch);
    context
        .out
        .say(&Did { taken, read }, format!("{taken}; {read}"))?;
    Ok(match stopped {
        Some(code) => Ended::Stopped(code),
        None if taken.broken > 0 => Ended::Partly,
        None => Ended::Well,
    })
}

fn bytes(file: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if file == Path::new("-") {
        std::io::stdin().lock().take(READ).read_to_end(&mut bytes)?;
    } else {
        std::fs::File::open(file)?
            .take(READ)
            .read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

/// What stands in a cell never ends it, and never speaks to the terminal.
fn cell(text: &str) -> String {
    let plain = text.replace(char::is_control, " ");
    if plain.trim().is_empty() {
        "-".to_owned()
    } else {
        plain
    }
}

fn row(file: &Path, reading: &Reading, explain: bool) -> String {
    let addresses: Vec<&str> = reading
        .recipients
        .iter()
        .map(|one| one.address.as_str())
        .filter(|one| !one.is_empty())
        .collect();
    let status = reading.statuses().first().copied().unwrap_or_default();
    let reason = reading
        .reason()
        .or(reading.auto_reply.map(|kind| kind.as_str()));
    let mut cells = vec![
        cell(&file.to_string_lossy()),
        reading.class.as_str().to_owned(),
        cell(&addresses.join(",")),
        cell(status),
        cell(reading.message_id.as_deref().unwrap_or_default()),
        cell(reason.unwrap_or_default()),
    ];
    if explain {
        cells.push(cell(&why(reading).join("; ")));
    }
    cells.join("\t")
}

fn why(reading: &Reading) -> Vec<String> {
    reading.evidence.iter().map(ToString::to_string).collect()
}

fn shown(file: &Path, reading: &Reading, explain: bool) -> String {
    let kind = reading
        .auto_reply
        .map_or(String::new(), |kind| format!(" ({})", kind.as_str()));
    let mut lines = vec![format!(
        "{}: {}{kind}",
        file.display(),
        reading.class.as_str()
    )];
    let mut tell = |name: &str, value: &str| {
        if !value.is_empty() {
            lines.push(format!("  {name:<10} {value}"));
        }
    };
    for one in &reading.recipients {
        let reason = one.reason.as_deref().unwrap_or("no reason told");
        let status = one.status.as_deref().unwrap_or("no status");
        tell(
            "recipient",
            &format!(
                "{}  {}, {status}, {reason}",
                one.address,
                one.action.as_str()
            ),
        );
        tell("said", &one.diagnostic);
    }
    tell("letter", reading.message_id.as_deref().unwrap_or_default());
    tell(
        "envelope",
        reading.envelope_id.as_deref().unwrap_or_default(),
    );
    tell("ticket", reading.ticket.as_deref().unwrap_or_default());
    tell("from", reading.from.as_deref().unwrap_or_default());
    tell("subject", &reading.subject);
    if explain {
        for line in why(reading) {
            tell("because", &line);
        }
    }
    lines.join("\n")
}
