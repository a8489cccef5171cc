//! The way from an address to the mailbox that answers for it, shown step by step.

use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value::Error as Unknown;

use super::Ended;
use super::context::{Context, Usage};
use super::worker::{bury_askers, worker};
use crate::config::SourceName;
use crate::model::{RangeError, Subject, Use, Verdict, use_of};
use crate::resolve::{self, Lookup, Wish};

#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// An address, CIDR block, first-last range, or AS64500
    #[arg(required_unless_present = "parse")]
    pub(super) subject: Option<String>,
    /// Ask only these, in this order: overrides,table,rdap,whois,dns
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(super) source: Vec<String>,
    /// Ask registries even where their answer is remembered
    #[arg(long)]
    pub(super) no_cache: bool,
    /// Show what the servers answered, word for word
    #[arg(long)]
    pub(super) raw: bool,
    #[command(flatten)]
    pub(super) parse: super::parse::Parse,
}

pub(super) async fn lookup(context: &Context, options: &Options) -> anyhow::Result<Ended> {
    let Some(subject) = &options.subject else {
        return super::parse::parse(context, &options.parse);
    };
    let subject: Subject = subject
        .parse()
        .map_err(|error: RangeError| Usage(format!("{error}; {}", error.remedy)))?;
    let wish = Wish {
        sources: sources(&options.source)?,
        no_cache: options.no_cache,
        asks_nobody: context.dry_run,
    };
    if let Subject::Range(range) = subject
        && use_of(range.first()) == Use::Special
    {
        let told = format!("{range} is no public address space: nobody answers for it");
        return Err(Usage(told).into());
    }
    let (store, templates, worker) = (context.store().await?, context.templates()?, worker());
    let work = context.resolving(&store, &templates, &worker);
    for complaint in resolve::complaints(work.settings) {
        eprintln!("warning: {complaint}");
    }
    bury_askers(context, &store, None).await?;
    let watch = context.watch("asking");
    let found = resolve::lookup(&work, subject, &wish, &watch.progress).await?;
    drop(watch);
    let answered = found
        .iter()
        .any(|one| matches!(one.verdict, Verdict::Matched { .. } | Verdict::Withheld));
    let later = found.iter().find_map(|one| match one.verdict {
        Verdict::Deferred { until } => Some(format!("{}; ask again after {until}", one.reason)),
        _ => None,
    });
    for mut one in found {
        let text = shown(&one, options.raw);
        if !options.raw {
            one.heard.clear();
        }
        context.out.line(&one, text)?;
    }
    match later {
        Some(_) if answered => Ok(Ended::Partly),
        _ if answered => Ok(Ended::Well),
        Some(later) => Err(resolve::Error::Later(later).into()),
        None => Err(crate::store::Error::NotFound {
            what: "contact for",
            name: subject.to_string(),
        }
        .into()),
    }
}

fn sources(names: &[String]) -> Result<Option<Vec<SourceName>>, Usage> {
    if names.is_empty() {
        return Ok(None);
    }
    let source = |name: &String| SourceName::deserialize(name.as_str().into_deserializer());
    let sources: Result<Vec<SourceName>, Unknown> = names.iter().map(source).collect();
    sources
        .map(Some)
        .map_err(|unknown| Usage(format!("--source: {unknown}")))
}

fn shown(one: &Lookup, raw: bool) -> String {
    let mut text = format!("{}\n", one.subject);
    for (rung, network) in one.chain.iter().enumerate() {
        let known = &network.network;
        let lead = if rung == 0 { "  in     " } else { "  within " };
        let mut about: Vec<String> = [&known.name, &known.holder, &known.country, &known.handle]
            .into_iter()
            .filter(|word| !word.is_empty())
            .cloned()
            .collect();
        about.extend(known.asn.map(|asn| format!("AS{asn}")));
        text.push_str(&format!("{lead}{}  {}\n", known.range, about.join(", ")));
        let mailboxes: Vec<&str> = known
            .contacts
            .iter()
            .map(|mailbox| mailbox.as_str())
            .collect();
        let mailboxes = if mailboxes.is_empty() {
            "no contact in the table".to_owned()
        } else {
            mailboxes.join(", ")
        };
        text.push_str(&format!(
            "           {mailboxes}  (by {} of {})\n",
            network.source,
            network.told_at.date()
        ));
    }
    for said in &one.said {
        text.push_str(&format!("  {}: {}\n", said.source.as_str(), said.answer));
    }
    for passed in &one.passed_over {
        text.push_str(&format!("  {passed}\n"));
    }
    for rung in one.rungs.iter().skip(1) {
        text.push_str(&format!("  else {} ({})\n", rung.mailbox, rung.reason));
    }
    if raw {
        for heard in &one.heard {
            text.push_str(&format!(
                "\n--- {} at {}: {}\n{}\n---\n",
                heard.source.as_str(),
                heard.server,
                heard.question,
                heard.raw.trim_end()
            ));
        }
    }
    let answer = match &one.verdict {
        Verdict::Matched { mailbox, .. } => format!("write to {mailbox}"),
        Verdict::Withheld => "write to nobody".to_owned(),
        Verdict::Unresolved if !one.form.is_empty() => {
            format!("nobody to write to; they want to be told at {}", one.form)
        }
        Verdict::Unresolved => "nobody to write to".to_owned(),
        Verdict::Deferred { until } => format!("ask again after {until}"),
    };
    text.push_str(&format!("  → {answer}\n"));
    text
}
