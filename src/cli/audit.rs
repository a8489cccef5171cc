//! The trail of decisions: listed, followed from its beginning, and written down for elsewhere.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::Ended;
use super::context::{Context, Usage};
use super::output::count;
use crate::model::{AuditRow, Timestamp};
use crate::store::{AuditFilter, Store};

/// Rows read at once.
const PAGE: i64 = 1_000;

#[derive(Debug, Subcommand)]
pub(super) enum Audit {
    /// Who decided what, when and from where, the newest last
    List(List),
    /// Follow the chain of all rows from the first on, and name the first that is not as it was written
    Verify {
        /// A digest that `audit list` or `audit verify` printed, and that was written down elsewhere: shows that
        /// nothing up to it was cut off or written anew
        #[arg(long, value_name = "DIGEST")]
        expect: Option<String>,
    },
    /// Write all rows down as JSON lines, with what their digests are worked out from
    Export {
        /// Where to write; - is standard output
        #[arg(long, default_value = "-")]
        to: PathBuf,
    },
}

#[derive(Debug, Args)]
#[group(skip)]
pub(super) struct List {
    /// Only what this person decided
    #[arg(long = "by", value_name = "WHO")]
    who: Option<String>,
    /// Only what was done by this command: campaign, or campaign approve
    #[arg(long, value_name = "COMMAND")]
    action: Option<String>,
    /// Only what was decided about this campaign, address, subject or file
    #[arg(long, value_name = "NAME")]
    about: Option<String>,
    /// Only what was decided from this day or moment on: 2026-11-01, 2026-11-01T08:00:00Z
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// The newest of them; 0 is all
    #[arg(long, value_name = "N", default_value_t = 50)]
    last: usize,
}

/// The trail is not as it was written.
#[derive(Debug, thiserror::Error)]
#[error(
    "the audit trail is broken: {0}. Compare with a copy that was written down elsewhere (lapwing audit export)"
)]
pub(super) struct Broken(String);

pub(super) async fn run(context: &Context, action: &Audit) -> anyhow::Result<Ended> {
    let store = context.store().await?;
    match action {
        Audit::List(options) => list(context, &store, options).await,
        Audit::Verify { expect } => verify(context, &store, expect.as_deref()).await,
        Audit::Export { to } => export(context, &store, to).await,
    }
}

async fn list(context: &Context, store: &Store, options: &List) -> anyhow::Result<Ended> {
    let filter = AuditFilter {
        by: options.who.clone(),
        action: options.action.clone(),
        about: options.about.clone(),
        since: options.since.as_deref().map(since).transpose()?,
    };
    let end = store.audit_end().await?;
    let mut newest = std::collections::VecDeque::new();
    let mut after = 0;
    loop {
        let page = store.audit(&filter, after, PAGE).await?;
        let Some(last) = page.last() else {
            break;
        };
        after = last.number;
        for row in page {
            if options.last > 0 && newest.len() == options.last {
                newest.pop_front();
            }
            newest.push_back(row);
        }
    }
    context
        .out
        .none(newest.is_empty(), "Nothing of the kind was decided.")?;
    for row in newest {
        context.out.line(&row, describe(&row))?;
    }
    context.out.remark(&format!(
        "\n{}, the last with digest {}\nWrite it down elsewhere; later: lapwing audit verify --expect {}",
        count(end.number, "row"),
        end.digest,
        end.digest
    ))?;
    Ok(Ended::Well)
}

async fn verify(context: &Context, store: &Store, expect: Option<&str>) -> anyhow::Result<Ended> {
    let expect = expect.map(|digest| digest.trim().to_ascii_lowercase());
    let is_digest = |text: &str| text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
    if let Some(text) = expect.as_deref().filter(|text| !is_digest(text)) {
        anyhow::bail!(Usage(format!(
            "--expect: \"{text}\" is no digest: 64 signs, as lapwing audit list prints them"
        )));
    }
    let watch = context.watch("rows");
    let verified = store
        .verify_audit(expect.as_deref(), &watch.progress)
        .await?;
    drop(watch);
    if let Some(why) = verified.broken {
        return Err(Broken(why).into());
    }
    let met = match expect {
        Some(_) => "The digest that was expected is among them.\n",
        None => {
            "Only a digest that was written down elsewhere shows that nothing was cut off at the end: --expect.\n"
        }
    };
    context.out.say(
        &verified,
        format!(
            "{}, each as it was written; the last with digest {}\n{met}",
            count(verified.end.number, "row"),
            verified.end.digest
        ),
    )?;
    Ok(Ended::Well)
}

async fn export(context: &Context, store: &Store, to: &Path) -> anyhow::Result<Ended> {
    use std::io::Write;
    let is_file = to != Path::new("-");
    let mut out: Box<dyn Write> = match is_file {
        true if context.dry_run => Box::new(std::io::sink()),
        true => Box::new(std::io::BufWriter::new(std::fs::File::create(to)?)),
        false => Box::new(std::io::BufWriter::new(std::io::stdout())),
    };
    let (mut rows, mut after) = (0_i64, 0);
    loop {
        let page = store.audit(&AuditFilter::default(), after, PAGE).await?;
        let Some(last) = page.last() else {
            break;
        };
        after = last.number;
        for row in &page {
            serde_json::to_writer(&mut out, row)?;
            out.write_all(b"\n")?;
            rows += 1;
        }
    }
    out.flush()?;
    if is_file {
        let told = serde_json::json!({ "file": to, "rows": rows });
        let text = format!("{} in {}", count(rows, "row"), to.display());
        context.out.say(&told, text)?;
    }
    Ok(Ended::Well)
}

/// `   12  2026-11-16T08:00:00Z  campaign approve  trial  by anna (anna@desk, command line)`, and below it what
/// changed.
fn describe(row: &AuditRow) -> String {
    let mut text = format!(
        "{:>6}  {}  {}  {}  by {} ({}@{}, {})",
        row.number,
        row.at,
        row.action,
        row.about,
        row.by,
        row.from.user,
        row.from.host,
        row.from.via
    );
    for (lead, what) in [("before", &row.before), ("after", &row.after)] {
        if what != "null" {
            text.push_str(&format!("\n        {lead:<6} {what}"));
        }
    }
    text
}

fn since(text: &str) -> Result<Timestamp, Usage> {
    let moment = text.parse::<jiff::Timestamp>().or_else(|_| {
        let day: jiff::civil::Date = text.parse()?;
        Ok::<_, jiff::Error>(day.to_zoned(jiff::tz::TimeZone::UTC)?.timestamp())
    });
    moment.map(Timestamp::from).map_err(|_| {
        Usage(format!(
            "--since: \"{text}\" is no time; write 2026-11-01 or 2026-11-01T08:00:00Z"
        ))
    })
}
