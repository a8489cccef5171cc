//! What is in order before a live campaign, what is doubtful, and what must be mended.

use clap::Args;

use super::Ended;
use super::context::Context;
use super::output::count;
use crate::doctor::{self, Area, Finding, Grade, Report};

#[derive(Debug, Args)]
pub(super) struct Options {
    /// Look at these alone, where one has just been mended: settings,key,letters,domain,relay,disk,clock,
    /// registries
    #[arg(long, value_name = "AREAS", value_delimiter = ',', value_parser = area)]
    only: Vec<Area>,
}

fn area(text: &str) -> Result<Area, String> {
    let known = Area::ALL.into_iter().find(|area| area.as_str() == text);
    known.ok_or_else(|| {
        let all = Area::ALL.map(Area::as_str).join(", ");
        format!("there are {all}")
    })
}

/// Fails where something must be mended, so that a script can ask it before a campaign does.
pub(super) async fn doctor(context: &Context, options: &Options) -> anyhow::Result<Ended> {
    let areas = match options.only.as_slice() {
        [] => Area::usual(context.config()),
        some => some.to_vec(),
    };
    let report = doctor::examine(context.config(), context.clock.now(), &areas).await;
    context.out.say(&report, describe(&report))?;
    match report.mend {
        0 => Ok(Ended::Well),
        1 => anyhow::bail!("1 thing must be mended"),
        n => anyhow::bail!("{n} things must be mended"),
    }
}

fn describe(report: &Report) -> String {
    let mut text = String::new();
    let mut area = None;
    for finding in &report.findings {
        if area.replace(finding.area) != Some(finding.area) {
            text.push_str(if text.is_empty() { "" } else { "\n" });
            text.push_str(title(finding.area));
            text.push('\n');
        }
        text.push_str(&line(finding));
    }
    text.push_str(&format!(
        "\n{} to be mended, {}, {} unknown\n",
        report.mend,
        count(report.warn, "warning"),
        report.unknown
    ));
    text
}

fn title(area: Area) -> &'static str {
    match area {
        Area::Settings => "Settings",
        Area::Key => "Key",
        Area::Letters => "Letters",
        Area::Domain => "Mail domain",
        Area::Relay => "Relay",
        Area::Disk => "Disk",
        Area::Clock => "Clock",
        Area::Registries => "Registries",
    }
}

fn line(finding: &Finding) -> String {
    let mark = match finding.grade {
        Grade::Ok => "ok",
        Grade::Unknown => "?",
        Grade::Warn => "warn",
        Grade::Mend => "MEND",
    };
    match finding.remedy.as_str() {
        "" => format!("  {mark:<4}  {}\n", finding.said),
        remedy => format!("  {mark:<4}  {}; {remedy}\n", finding.said),
    }
}
