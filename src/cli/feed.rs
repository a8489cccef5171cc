//! Suspects in, and the rows and suspects that went nowhere out again.

use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::tz::TimeZone;

use super::Ended;
use super::arguments::{Export, Import};
use super::context::{BYTES, Context, Usage};
use super::output::count;
use crate::intake::{self, Reading};
use crate::model::{Campaign, CampaignKind, CampaignState, Progress, Refusal, Terminal, Timestamp};
use crate::report::export;
use crate::sheet::{self as sheets, Charset};

/// Refusals printed at once.
const SHOWN: usize = 10;

pub(super) async fn import(context: &Context, options: &Import) -> anyhow::Result<Ended> {
    let name = feed_name(&options.file);
    let store = context.store().await?;
    let campaign = store.campaign(&options.campaign).await?;
    let since = intake::since(&store, &campaign).await?;
    let reading = reading(context, options, &campaign, since)?;
    if !matches!(
        campaign.state,
        CampaignState::Draft | CampaignState::Submitted
    ) {
        anyhow::bail!(crate::store::Error::Refused(format!(
            "\"{}\" is {}: it takes no more {}s; make a new campaign",
            campaign.name,
            campaign.state,
            campaign.kind.rows()
        )));
    }
    let opened = open(&options.file, options.encoding)?;
    let rows = intake::read(opened.text, &name, &reading)?;
    if !context.out.json {
        say_columns(context, &rows)?;
    }
    let watch = context.watch(BYTES);
    let done = if context.dry_run {
        intake::foresee(rows).await
    } else {
        let told = tell_bytes(&watch.progress, &opened.consumed, opened.size);
        let now = context.clock.now();
        let import = intake::run_once(
            &store,
            &campaign,
            &name,
            rows,
            &context.by,
            now,
            &watch.progress,
        );
        tokio::select! {
            done = import => done?,
            () = told => unreachable!("it only ends with the import"),
        }
    };
    let stopped = watch.stopped_by();
    drop(watch);
    let counts = done.counts;
    let mut text = format!(
        "{}: {}, {}, {} repeated, {} refused\n",
        name,
        count(counts.rows, "row"),
        count(counts.fresh, &format!("new {}", campaign.kind.rows())),
        counts.repeated,
        counts.refused
    );
    let zoneless = done.notes.zoneless;
    if zoneless > 0 && options.time_zone.is_none() {
        text.push_str(&format!(
            "{} named no zone and {} taken as {}; --time-zone ZONE says otherwise\n",
            count(zoneless as i64, "time"),
            if zoneless == 1 { "was" } else { "were" },
            context.config().intake.time_zone
        ));
    }
    for (tally, what, said) in [
        (
            done.notes.cut,
            "value",
            "longer than is kept: cut there, with […] at the end",
        ),
        (
            done.notes.headless,
            "message",
            "without header, which no letter can pass on as a report (ARF): give the message as it \
             was received, from its first Received: line on",
        ),
    ] {
        if let Some(line) = tally.line {
            let number = count(tally.count as i64, what);
            text.push_str(&format!("{number} (the first in line {line}) {said}\n"));
        }
    }
    for refusal in done.refusals.iter().take(SHOWN) {
        text.push_str(&format!("  {}\n", one_line(refusal)));
    }
    let more = counts.refused - done.refusals.len().min(SHOWN) as i64;
    if more > 0 {
        text.push_str(&format!("  and {more} more\n"));
    }
    if counts.refused > 0 && !context.dry_run {
        text.push_str(&format!(
            "All refused rows as CSV: lapwing refused {} --to FILE\n",
            campaign.name
        ));
    }
    if let Some(code) = stopped {
        text.push_str("Stopped before the end; import the same file again to go on.\n");
        context.out.say(&done, text)?;
        return Ok(Ended::Stopped(code));
    }
    if !context.dry_run {
        text.push_str(&format!("\nNext: lapwing resolve {}\n", campaign.name));
    }
    context.out.say(&done, text)?;
    Ok(if counts.refused > 0 {
        Ended::Partly
    } else {
        Ended::Well
    })
}

fn reading(
    context: &Context,
    options: &Import,
    campaign: &Campaign,
    since: Option<Timestamp>,
) -> anyhow::Result<Reading> {
    let settings = &context.config().intake;
    let zone = options.time_zone.as_deref().unwrap_or(&settings.time_zone);
    let time_zone = TimeZone::get(zone).map_err(|_| {
        Usage(format!(
            "--time-zone: \"{zone}\" is not known; write one as Asia/Tokyo or UTC"
        ))
    })?;
    let seen_at = options.seen.as_deref().map(|text| {
        let moment: jiff::Timestamp = text.parse().map_err(|_| {
            Usage(format!(
                "--seen: \"{text}\" is no time; write 2026-11-01T00:00:00Z"
            ))
        })?;
        Ok::<Timestamp, Usage>(moment.into())
    });
    Ok(Reading {
        map: options.map.clone(),
        format: options.format,
        time_zone,
        class: options.class.clone(),
        source: options.source.clone().unwrap_or_default(),
        seen_at: seen_at.transpose()?,
        terminal: Terminal::Unknown,
        now: context.clock.now(),
        future: settings.future,
        allow_documentation: settings.allow_documentation || options.allow_documentation,
        widest_ipv4: options.widest_ipv4.unwrap_or(settings.widest_ipv4),
        widest_ipv6: options.widest_ipv6.unwrap_or(settings.widest_ipv6),
        tlp: campaign.tlp,
        kind: campaign.kind,
        require_evidence: campaign.require_evidence,
        since,
    })
}

pub(super) fn open(file: &Path, charset: Option<Charset>) -> anyhow::Result<sheets::Opened> {
    sheets::open(file, charset).map_err(|error| {
        anyhow::Error::new(error).context(format!("cannot read {}", file.display()))
    })
}

pub(super) fn feed_name(file: &Path) -> String {
    if file.as_os_str() == "-" {
        return "standard input".to_owned();
    }
    file.file_name()
        .unwrap_or(file.as_os_str())
        .to_string_lossy()
        .into_owned()
}

fn say_columns(context: &Context, rows: &intake::Rows) -> anyhow::Result<()> {
    let taken: Vec<String> = rows
        .taken()
        .into_iter()
        .map(|(key, columns)| format!("{key} from {}", columns.join(", ")))
        .collect();
    if !taken.is_empty() {
        context
            .out
            .remark(&format!("Columns: {}", taken.join("; ")))?;
    }
    let ignored = rows.ignored_columns();
    if !ignored.is_empty() {
        context
            .out
            .remark(&format!("Not used: {}", ignored.join(", ")))?;
    }
    Ok(())
}

/// How far a feed is read shows in its bytes; nobody knows its rows beforehand.
async fn tell_bytes(progress: &Progress, consumed: &AtomicU64, size: Option<u64>) {
    progress.expect(size.unwrap_or(0));
    let mut tick = tokio::time::interval(Duration::from_millis(125));
    loop {
        tick.tick().await;
        progress.reach(consumed.load(Ordering::Relaxed));
    }
}

fn one_line(refusal: &Refusal) -> String {
    let column = if refusal.column.is_empty() {
        String::new()
    } else {
        format!(", {}", refusal.column)
    };
    let value = if refusal.value.is_empty() {
        String::new()
    } else {
        format!(" \"{}\"", refusal.value)
    };
    format!(
        "line {}{column}{value}: {}; {}",
        refusal.line, refusal.reason, refusal.remedy
    )
}

pub(super) fn say_refusals(
    context: &Context,
    name: &str,
    refusals: &[Refusal],
) -> anyhow::Result<()> {
    for refusal in refusals.iter().take(SHOWN) {
        context
            .out
            .remark(&format!("  {name}, {}", one_line(refusal)))?;
    }
    if refusals.len() > SHOWN {
        context
            .out
            .remark(&format!("  and {} more", refusals.len() - SHOWN))?;
    }
    Ok(())
}

pub(super) async fn refused(context: &Context, options: &Export) -> anyhow::Result<Ended> {
    let store = context.store().await?;
    let campaign = store.campaign(&options.campaign).await?;
    let rows = export::refused(&store, campaign.id, sheet(context, &options.to)?).await?;
    say_exported(context, options, rows, "refused row")
}

pub(super) async fn unplaced(context: &Context, options: &Export) -> anyhow::Result<Ended> {
    let store = context.store().await?;
    let campaign = store.campaign(&options.campaign).await?;
    let sheet = sheet(context, &options.to)?;
    let rows = match campaign.kind {
        CampaignKind::Advisory => export::unplaced_operators(&store, campaign.id, sheet).await?,
        CampaignKind::Notice | CampaignKind::Reminder => {
            export::unplaced(&store, campaign.id, sheet).await?
        }
    };
    say_exported(context, options, rows, campaign.kind.rows())
}

fn sheet(context: &Context, to: &Path) -> anyhow::Result<export::Sheet<Box<dyn Write>>> {
    Ok(export::Sheet::new(writer(context, to)?, context.out.json))
}

fn writer(context: &Context, to: &Path) -> anyhow::Result<Box<dyn Write>> {
    if to.as_os_str() == "-" {
        return Ok(Box::new(std::io::stdout().lock()));
    }
    if context.dry_run {
        return Ok(Box::new(std::io::sink()));
    }
    let file = std::fs::File::create(to).map_err(|error| {
        anyhow::Error::new(error).context(format!("cannot write {}", to.display()))
    })?;
    Ok(Box::new(std::io::BufWriter::new(file)))
}

fn say_exported(
    context: &Context,
    options: &Export,
    rows: i64,
    what: &str,
) -> anyhow::Result<Ended> {
    if options.to.as_os_str() != "-" {
        let told = serde_json::json!({ "rows": rows, "file": options.to });
        context.out.say(
            &told,
            format!("{} in {}", count(rows, what), options.to.display()),
        )?;
    }
    Ok(Ended::Well)
}
