//! What a schedule is to do, as somebody says it or says it anew.

use clap::Args;

use super::Ended;
use super::context::{Context, Usage};
use super::schedules::{describe, told};
use crate::compose;
use crate::model::{CampaignKind, Feed, Plan, Policy, Schedule, Span, Tlp, language_tag};
use crate::store::{Error, Store};

/// A run's campaign bears its name and a moment, and fits into 64.
const LONGEST_NAME: usize = 40;

#[derive(Debug, Args)]
pub(super) struct Add {
    /// Its name; its campaigns are called NAME-2026-11-23T09:00Z
    name: String,
    /// When: minute, hour, day, month, weekday: "0 9 * * 1" for Mondays at nine
    #[arg(long, value_name = "CRON")]
    cron: String,
    /// By which clock: UTC, Europe/Berlin …
    #[arg(long, value_name = "ZONE", default_value = "UTC")]
    zone: String,
    /// A folder whose new files are read and moved to done/ or failed/ below it, or an https:// URL
    #[arg(long, value_name = "FOLDER|URL")]
    feed: String,
    /// Which letter it writes
    #[arg(long, default_value = "notice")]
    letter: String,
    /// What is found due later than this is not run, and needs attention
    #[arg(long, value_name = "SPAN", default_value = "2h")]
    max_lateness: Span,
    #[command(flatten)]
    policy: PolicyOptions,
}

#[derive(Debug, Args)]
pub(super) struct Change {
    /// Its name
    name: String,
    /// When: minute, hour, day, month, weekday
    #[arg(long, value_name = "CRON")]
    cron: Option<String>,
    /// By which clock
    #[arg(long, value_name = "ZONE")]
    zone: Option<String>,
    /// A folder or an https:// URL
    #[arg(long, value_name = "FOLDER|URL")]
    feed: Option<String>,
    /// Which letter it writes
    #[arg(long)]
    letter: Option<String>,
    /// What is found due later than this is not run
    #[arg(long, value_name = "SPAN")]
    max_lateness: Option<Span>,
    #[command(flatten)]
    policy: PolicyOptions,
}

/// How rows are read, and what the campaigns keep to.
#[derive(Debug, Args)]
struct PolicyOptions {
    /// Write all letters in this language; "own": each recipient's (the default)
    #[arg(long, value_name = "LANGUAGE")]
    language: Option<String>,
    /// Refuse rows without a time, or without source and evidence: true or false
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    require_evidence: Option<bool>,
    /// Write to nobody about fewer observations than so many
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(i64).range(0..1_000_000))]
    least: Option<i64>,
    /// Tell nobody again within so many days, unless there are new addresses; 0: at every run
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(i64).range(0..=3650))]
    again_after: Option<i64>,
    /// Remind on these days of what is still seen, until somebody answers: 7,21; "never"
    #[arg(long, value_name = "DAYS")]
    remind: Option<String>,
    /// With whom its letters may be shared (TLP 2.0), or none; "default": as letter.tlp says
    #[arg(long, value_name = "MARK")]
    tlp: Option<String>,
    /// Write each country's agencies which operators were written to: true or false
    #[arg(long, value_name = "BOOL", num_args = 0..=1, default_missing_value = "true")]
    cover: Option<bool>,
    /// Source of rows that name none, as the letters will print it
    #[arg(long)]
    source: Option<String>,
    /// Class of rows that name none
    #[arg(long)]
    class: Option<String>,
    /// Zone of times in the feed that name none
    #[arg(long, value_name = "ZONE")]
    time_zone: Option<String>,
    /// Say which column holds what: ip=Source_IP; may be given several times
    #[arg(long, value_name = "WHAT=COLUMN")]
    map: Vec<crate::sheet::Mapping>,
}

pub(super) async fn add(context: &Context, store: &Store, options: &Add) -> anyhow::Result<Ended> {
    let name = options.name.as_str();
    let is_plain = |c: char| c.is_alphanumeric() || "-_.".contains(c);
    let length = name.chars().count();
    if !(1..=LONGEST_NAME).contains(&length) || !name.chars().all(is_plain) || name.starts_with('-')
    {
        anyhow::bail!(Usage(format!(
            "\"{name}\" cannot be a schedule's name: up to {LONGEST_NAME} letters, digits, dots, hyphens and underscores"
        )));
    }
    let now = context.clock.now();
    let new = Schedule {
        id: 0,
        name: name.to_owned(),
        plan: Plan::new(&options.cron, &options.zone).map_err(Usage)?,
        feed: feed(&options.feed)?,
        letter: options.letter.clone(),
        policy: options.policy.onto(Policy::default())?,
        max_lateness: options.max_lateness,
        author: context.decider()?.to_owned(),
        created_at: now,
        changed_at: now,
        paused: None,
        seen_to: now,
        etag: String::new(),
        modified: String::new(),
    };
    check(context, store, &new).await?;
    make_folder(context, &new.feed)?;
    match context.dry_run {
        true if store.schedule(name).await.is_ok() => anyhow::bail!(Error::Taken {
            what: "schedule",
            name: name.to_owned()
        }),
        true => {}
        false => store.add_schedule(&new).await?,
    }
    let mut text = describe(context, &new, None);
    if !context.dry_run {
        text.push_str(&format!(
            "\nIts letters wait for a second person each time. Who runs it: lapwing serve, or lapwing run by cron.\n\
             Next, to see it work: lapwing run --schedule {name} --now\n      \
             or, somebody else, once for all: lapwing schedule approve {name} --as WHO\n"
        ));
    }
    context.out.say(&told(context, &new, None), text)?;
    Ok(Ended::Well)
}

pub(super) async fn change(
    context: &Context,
    store: &Store,
    options: &Change,
) -> anyhow::Result<Ended> {
    let old = store.schedule(&options.name).await?;
    let cron = options.cron.as_deref().unwrap_or(old.plan.cron());
    let zone = options.zone.as_deref().unwrap_or(old.plan.zone());
    let new = Schedule {
        plan: Plan::new(cron, zone).map_err(Usage)?,
        feed: match &options.feed {
            Some(text) => feed(text)?,
            None => old.feed.clone(),
        },
        letter: options.letter.clone().unwrap_or(old.letter.clone()),
        policy: options.policy.onto(old.policy.clone())?,
        max_lateness: options.max_lateness.unwrap_or(old.max_lateness),
        ..old.clone()
    };
    if new == old {
        anyhow::bail!(Usage(
            "nothing is to be changed: name what, as --cron \"0 9 * * 1\"".to_owned()
        ));
    }
    let new = Schedule {
        author: context.decider()?.to_owned(),
        changed_at: context.clock.now(),
        ..new
    };
    check(context, store, &new).await?;
    make_folder(context, &new.feed)?;
    let had_standing = match context.dry_run {
        true => store.standing(old.id).await?.is_some(),
        false => store.change_schedule(&new).await?,
    };
    let mut text = describe(context, &new, None);
    if had_standing {
        text.push_str(&format!(
            "Its standing approval was for what it was, and has ended: lapwing schedule approve {} --as WHO\n",
            new.name
        ));
    }
    context.out.say(&told(context, &new, None), text)?;
    Ok(Ended::Well)
}

/// What parsing alone cannot know: that there is such a letter, such a language, such a folder, and a time.
async fn check(context: &Context, store: &Store, new: &Schedule) -> anyhow::Result<()> {
    if new.plan.next(context.clock.now()).is_none() {
        anyhow::bail!(Usage(format!(
            "--cron: \"{}\" is not due once in five years",
            new.plan.cron()
        )));
    }
    if CampaignKind::of_letter(&new.letter) == CampaignKind::Reminder {
        anyhow::bail!(Usage(
            "a schedule writes notices or advisories; what it reminds of says --remind 7,21"
                .to_owned()
        ));
    }
    let templates = context.templates()?;
    if !templates.has(&format!("letter/{}/en/body.hbs", new.letter)) {
        anyhow::bail!(Usage(format!(
            "there is no letter \"{}\"; see lapwing template check",
            new.letter
        )));
    }
    let language = &new.policy.language;
    if !language.is_empty() && !templates.has(&format!("letter/{}/{language}/body.hbs", new.letter))
    {
        let languages = Vec::from_iter(compose::languages(&templates));
        anyhow::bail!(Usage(format!(
            "--language: there is no letter \"{}\" in \"{language}\"; there are: {}",
            new.letter,
            languages.join(", ")
        )));
    }
    if let Feed::Folder(folder) = &new.feed {
        let path = std::path::Path::new(folder);
        if path.exists() && !path.is_dir() {
            anyhow::bail!(Usage(format!(
                "--feed: {folder} is a file; name the folder that it lies in, or an https:// URL"
            )));
        }
        let all = store.schedules().await?;
        let other = all
            .iter()
            .find(|one| one.feed == new.feed && one.name != new.name);
        if let Some(other) = other {
            anyhow::bail!(Usage(format!(
                "--feed: {folder} is read by the schedule {} already, and each file goes to one of them only",
                other.name
            )));
        }
    }
    Ok(())
}

impl PolicyOptions {
    fn onto(&self, mut policy: Policy) -> anyhow::Result<Policy> {
        if let Some(language) = &self.language {
            policy.language = match language.as_str() {
                "own" => String::new(),
                tag => language_tag(tag).ok_or_else(|| {
                    Usage(format!(
                        "--language: \"{tag}\" is no language; write ja or pt-BR"
                    ))
                })?,
            };
        }
        policy.require_evidence = self.require_evidence.unwrap_or(policy.require_evidence);
        policy.least = self.least.unwrap_or(policy.least);
        policy.again_after = self.again_after.unwrap_or(policy.again_after);
        if let Some(days) = &self.remind {
            policy.remind = remind(days)?;
        }
        match self.tlp.as_deref() {
            None => {}
            Some("default") => policy.tlp = String::new(),
            Some("none") => policy.tlp = "none".to_owned(),
            Some(mark) => {
                let mark: Tlp = mark
                    .parse()
                    .map_err(|error| Usage(format!("--tlp: {error}")))?;
                mark.as_str().clone_into(&mut policy.tlp);
            }
        }
        policy.cover = self.cover.unwrap_or(policy.cover);
        for (onto, said) in [
            (&mut policy.source, &self.source),
            (&mut policy.class, &self.class),
            (&mut policy.time_zone, &self.time_zone),
        ] {
            if let Some(said) = said {
                said.clone_into(onto);
            }
        }
        if !policy.time_zone.is_empty() && jiff::tz::TimeZone::get(&policy.time_zone).is_err() {
            anyhow::bail!(Usage(format!(
                "--time-zone: \"{}\" is not known; write one as Asia/Tokyo or UTC",
                policy.time_zone
            )));
        }
        if !self.map.is_empty() {
            let spelt = self.map.iter();
            let spelt = spelt.map(|one| format!("{}={}", one.key, one.column));
            policy.map = spelt.collect();
        }
        Ok(policy)
    }
}

fn remind(text: &str) -> Result<Vec<i64>, Usage> {
    if text == "never" {
        return Ok(Vec::new());
    }
    let days = text.split(',').map(|day| {
        let day: Option<i64> = day.trim().parse().ok();
        day.filter(|day| (1..=365).contains(day)).ok_or_else(|| {
            Usage(format!(
                "--remind: \"{text}\" are no days; write 7,21 or never"
            ))
        })
    });
    let mut days = days.collect::<Result<Vec<_>, _>>()?;
    days.sort_unstable();
    days.dedup();
    Ok(days)
}

/// Makes the feed's folder where there is none: a new volume is empty.
fn make_folder(context: &Context, feed: &Feed) -> anyhow::Result<()> {
    if let Feed::Folder(folder) = feed
        && !context.dry_run
    {
        std::fs::create_dir_all(folder)
            .map_err(|error| anyhow::Error::new(error).context(format!("cannot make {folder}")))?;
    }
    Ok(())
}

/// A folder is kept as its whole path: who runs it may stand elsewhere.
fn feed(text: &str) -> anyhow::Result<Feed> {
    let feed: Feed = text
        .parse()
        .map_err(|told| Usage(format!("--feed: {told}")))?;
    Ok(match feed {
        Feed::Folder(folder) => {
            let whole = std::path::absolute(folder)?;
            Feed::Folder(whole.to_string_lossy().into_owned())
        }
        url @ Feed::Url(_) => url,
    })
}
