//! The whole job on made-up data: every stage by the same functions as the commands, into a mail
//! catcher that also answers badly.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Ended;
use super::arguments::Demo as Options;
use super::contacts::load_demo_tables;
use super::context::{Context, Usage, here};
use super::output::print;
use super::sink::wait_for_signal;
use super::stages::settle;
use super::worker::worker;
use crate::config::{Config, RungName, SourceName, Transport};
use crate::intake::{self, Reading};
use crate::model::{Clock, NewCampaign, Progress, Span, Terminal, Timestamp};
use crate::report::Report;
use crate::send::{Courier, Done};
use crate::sink::{self, Sink};
use crate::store::Store;
use crate::templates::Templates;
use crate::{approve, compose, resolve, send};

const CAMPAIGN: &str = "demo";

/// 2026-11-16T08:00:00Z: the example list is of the weeks before, and a demo that is told the time
/// counts the same on every day.
const NOW: Timestamp = Timestamp(1_794_816_000_000);

/// Two servers that ask to come back later, and one that does not know the mailbox.
const ANSWERS: [&str; 3] = [
    "RCPT abuse@sakura-net.example 451 4.7.1 greylisted, try again later x1",
    "DATA abuse@maple-net.example 450 4.3.2 system busy, try again later x1",
    "RCPT abuse@kowhai-net.example 550 5.1.1 no such mailbox",
];

pub(super) async fn run(context: &Context, options: &Options) -> anyhow::Result<Ended> {
    if context.dry_run {
        let dir = options.dir.display();
        let told = serde_json::json!({ "dir": options.dir });
        context.out.say(
            &told,
            format!("The demo would make {dir} with its database and its letters."),
        )?;
        return Ok(Ended::Well);
    }
    let outbox = options.dir.join("outbox");
    std::fs::create_dir_all(&outbox)?;
    let url = format!("sqlite:{}", options.dir.join("lapwing.db").display());
    let store = Store::create(&url).await?.acting_from(here());
    let clock = Clock::starting_at(NOW);
    if store.campaign(CAMPAIGN).await.is_ok() {
        return found(context, options, &store).await;
    }
    let say = |text: &str| context.out.remark(text);
    let rules = ANSWERS
        .iter()
        .map(|rule| rule.parse())
        .collect::<Result<Vec<_>, sink::RuleError>>()?;
    let caught = sink::Options {
        dir: Some(outbox.clone()),
        rules,
        ..sink::Options::default()
    };
    let sink = Sink::start(([127, 0, 0, 1], 0).into(), caught).await?;
    let config = settings(&context.loaded.config, &options.dir, sink.address().port());
    let templates = Templates::load(&PathBuf::new())?;
    say("Lapwing's demo: made-up suspects in documentation space; nothing leaves this machine.\n")?;

    let tables = [
        "demo/networks.csv",
        "demo/signatories.csv",
        "demo/overrides.csv",
    ];
    let tables = [
        templates.text(tables[0])?,
        templates.text(tables[1])?,
        templates.text(tables[2])?,
    ];
    let networks = load_demo_tables(&store, tables, "author", clock.now()).await?;
    say(&format!(
        "table    {networks} networks with their contacts, the roll of agencies, three overrides"
    ))?;
    let campaign = NewCampaign {
        tlp: config.letter.tlp().map_err(Usage)?,
        ..NewCampaign::new(CAMPAIGN, "notice")
    };
    let campaign = store.add_campaign(&campaign, "author", clock.now()).await?;

    let list = crate::sheet::unwrap(std::io::Cursor::new(
        templates.text("demo/suspects.csv")?.to_owned().into_bytes(),
    ))?;
    let rows = intake::read(list, "suspects.csv", &reading(clock.now()))?;
    let done = intake::run_once(
        &store,
        &campaign,
        "suspects.csv",
        rows,
        "author",
        clock.now(),
        &Progress::default(),
    )
    .await?;
    let counts = done.counts;
    say(&format!(
        "intake   {} rows: {} suspects, {} repeated, {} refused, as",
        counts.rows, counts.fresh, counts.repeated, counts.refused
    ))?;
    for refusal in done.refusals.iter().take(3) {
        say(&format!(
            "           line {}: {}; {}",
            refusal.line, refusal.reason, refusal.remedy
        ))?;
    }
    let work = resolve::Work {
        store: &store,
        templates: &templates,
        settings: &config.resolve,
        allow_documentation: true,
        by: "author",
        worker: "demo",
        clock: &clock,
        wants_exchangers: false,
    };
    resolve::run_once(&work, &campaign, &Arc::default()).await?;
    let report = Report::gather(&store, CAMPAIGN, clock.now()).await?;
    let totals = &report.totals;
    say(&format!(
        "resolve  {} suspects have a contact, {} have none, {} are withheld; {} range was cut into {} pieces",
        totals.of("matched"),
        totals.of("unresolved"),
        totals.of("withheld"),
        totals.cut,
        totals.pieces
    ))?;
    for line in &report.not_written {
        say(&format!("           {}: {}", line.suspects, line.reason))?;
    }
    let campaign = store.campaign(CAMPAIGN).await?;
    let settings = compose::Settings::from_config(&config).map_err(super::context::Usage)?;
    let work = compose::Work {
        store: &store,
        templates: &templates,
        settings: &settings,
        dry_run: false,
    };
    let written = compose::run_once(
        &work,
        &campaign,
        "author",
        clock.now(),
        &Progress::default(),
    )
    .await?;
    say(&format!(
        "compose  {} letters, each to one contact, in its language",
        written.letters
    ))?;

    let campaign = store.campaign(CAMPAIGN).await?;
    let review = approve::Review {
        languages: compose::languages(&templates),
        reviewed: compose::reviewed(&templates),
        ..approve::Review::default()
    };
    let preflight = approve::submit(
        &store,
        &campaign,
        "author",
        &review,
        clock.now(),
        &Progress::default(),
    )
    .await?;
    let campaign = store.campaign(CAMPAIGN).await?;
    if let Err(refused) = approve::approve(
        &store,
        &campaign,
        "author",
        "",
        &review,
        clock.now(),
        &Progress::default(),
    )
    .await
    {
        say(&format!("approve  refused: {refused}"))?;
    }
    approve::approve(
        &store,
        &campaign,
        "reviewer",
        "read them",
        &review,
        clock.now(),
        &Progress::default(),
    )
    .await?;
    say(&format!(
        "         by reviewer, over the set {}…",
        preflight.digest.get(..16).unwrap_or_default()
    ))?;

    let settings =
        send::Settings::from_config(&config, &worker()).map_err(super::context::Usage)?;
    let courier = Courier::new(&config);
    let campaign = store.campaign(CAMPAIGN).await?;
    let watch = context.watch("letters");
    let work = send::Work {
        store: &store,
        courier: &courier,
        settings: &settings,
        clock: &clock,
        progress: &watch.progress,
    };
    let mut first = Done::default();
    send::drain(&work, &campaign, &mut first).await?;
    say(&format!(
        "send     first round: {} accepted, {} deferred, {} refused",
        first.accepted, first.deferred, first.refused
    ))?;
    let mut rest = Done::default();
    settle(&work, &campaign, &mut rest).await?;
    let stopped = watch.stopped_by();
    drop(watch);
    say(&format!(
        "         after the waits (seconds here, minutes in life): {} accepted",
        rest.accepted
    ))?;
    summary(context, options, &store).await?;
    if stopped.is_none() && !options.once && std::io::IsTerminal::is_terminal(&std::io::stdout()) {
        print(&format!(
            "\nThe mail catcher goes on listening on {}; Ctrl-C ends it.\n",
            sink.address()
        ))?;
        wait_for_signal().await?;
    }
    sink.stop().await;
    Ok(stopped.map_or(Ended::Well, Ended::Stopped))
}

/// A second run looks at what the first one left.
async fn found(context: &Context, options: &Options, store: &Store) -> anyhow::Result<Ended> {
    context.out.remark(&format!(
        "{} holds a demo already; this is what is in it. Remove the folder to begin anew.",
        options.dir.display()
    ))?;
    summary(context, options, store).await?;
    Ok(Ended::Well)
}

async fn summary(context: &Context, options: &Options, store: &Store) -> anyhow::Result<()> {
    let report = Report::gather(store, CAMPAIGN, NOW).await?;
    let dir = options.dir.display();
    let text = format!(
        "\n{}\nThe letters lie in {dir}/outbox as .eml files; a mail program opens them.\n\nTry next, with --database sqlite:{dir}/lapwing.db behind each:\n  lapwing letter list {CAMPAIGN}\n  lapwing letter show TICKET       one letter, and all that happened to it\n  lapwing lookup 192.0.2.14        whose it is, and how that is known\n  lapwing refused {CAMPAIGN}             the bad rows, each with its remedy\n  lapwing unplaced {CAMPAIGN}            suspects in no letter, each with its reason\n",
        report.to_text()
    );
    context.out.say(&report, text)
}

/// The user's settings do not count here, but for none: a demo is the same everywhere.
fn settings(defaults: &Config, dir: &Path, port: u16) -> Config {
    let mut config = defaults.clone();
    config.sender.name = "Demo Coalition against Spam Zombies".to_owned();
    config.sender.address = "notices@coalition.example".to_owned();
    config.sender.reply_to = "desk@coalition.example".to_owned();
    config.sender.bounce_domain = "bounces.coalition.example".to_owned();
    config.sender.verify = "https://coalition.example/letters".to_owned();
    // Made-up networks are in no registry, and their countries' CSIRTs are not to hear of them.
    config.resolve.sources = vec![SourceName::Overrides, SourceName::Table];
    config.resolve.ladder = vec![RungName::Parent];
    config.send.transport = Transport::Smtp;
    config.send.folder = dir.join("outbox");
    config.send.journal = dir.join("journal");
    config.send.retry = vec![Span::seconds(1), Span::seconds(2)];
    config.smtp.host = "127.0.0.1".to_owned();
    config.smtp.port = port;
    config
}

fn reading(now: Timestamp) -> Reading {
    Reading {
        map: Vec::new(),
        format: None,
        time_zone: jiff::tz::TimeZone::UTC,
        class: "spam".to_owned(),
        source: "suspects.csv".to_owned(),
        seen_at: None,
        terminal: Terminal::Unknown,
        now,
        future: Span::seconds(600),
        allow_documentation: true,
        widest_ipv4: 16,
        widest_ipv6: 32,
        tlp: None,
        kind: crate::model::CampaignKind::Notice,
        require_evidence: false,
        since: None,
    }
}
