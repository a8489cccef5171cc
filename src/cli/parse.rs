//! An answer of a registry, from a file, tried on the parser: what would become of it.

use std::io::Read;

use anyhow::Context as _;
use clap::Args;

use super::Ended;
use super::context::{Context, Usage};
use crate::model::Subject;
use crate::resolve::{Form, Tried, try_answer};

/// One answer to try the parser on.
#[derive(Debug, Args)]
pub(super) struct Parse {
    /// Read a registry's answer from a file instead of asking; - is standard input
    #[arg(long, num_args = 2, value_names = ["whois|rdap", "FILE"], conflicts_with = "subject")]
    pub(super) parse: Option<Vec<String>>,
    /// What was asked, so that an answer about something else counts as none
    #[arg(long, value_name = "IP|CIDR|AS", requires = "parse")]
    pub(super) query: Option<String>,
}

pub(super) fn parse(context: &Context, options: &Parse) -> anyhow::Result<Ended> {
    let Some([form, file]) = options.parse.as_deref() else {
        return Err(Usage("give an address, or --parse whois|rdap FILE".to_owned()).into());
    };
    let form = match form.as_str() {
        "whois" => Form::Whois,
        "rdap" => Form::Rdap,
        other => {
            let told = format!("\"{other}\" is no form of answers; write whois or rdap");
            return Err(Usage(told).into());
        }
    };
    // Whoever asked for a handle cannot be told from the answer whether it is about it.
    let asked = options.query.as_deref();
    let query: Option<Subject> = asked.and_then(|text| text.parse().ok());
    let mut bytes = Vec::new();
    if file == "-" {
        std::io::stdin().lock().read_to_end(&mut bytes)?;
    } else {
        bytes = std::fs::read(file).with_context(|| file.clone())?;
    }
    let tried = try_answer(form, &bytes, query);
    context.out.say(&tried, told(&tried))?;
    Ok(Ended::Well)
}

fn told(tried: &Tried) -> String {
    let mut lines = vec![match tried.words.as_str() {
        "" => tried.status.replace('_', " "),
        words => format!("{}: {words}", tried.status),
    }];
    if let Some(wait) = tried.wait {
        lines.push(format!("  wait     {wait}"));
    }
    let mailboxes: Vec<&str> = tried.emails.iter().map(|one| one.as_str()).collect();
    let mailboxes = match (mailboxes.as_slice(), tried.doubtful) {
        ([], _) => "none".to_owned(),
        (some, doubtful) => format!(
            "{}  ({}{})",
            some.join(", "),
            tried.tier.as_str(),
            if doubtful { ", doubtful" } else { "" }
        ),
    };
    for (name, value) in [
        ("contact", mailboxes),
        ("form", tried.form.clone().unwrap_or_default()),
        (
            "network",
            tried.network.map_or(String::new(), |one| one.to_string()),
        ),
        (
            "asn",
            tried.asn.map_or(String::new(), |asn| format!("AS{asn}")),
        ),
        ("name", tried.name.clone()),
        ("holder", tried.holder.clone()),
        ("country", tried.country.clone()),
        ("registry", tried.registry.clone()),
        ("handles", tried.handles.join(", ")),
        ("ask on", tried.leads.join(", ")),
    ] {
        if !value.is_empty() {
            lines.push(format!("  {name:<8} {value}"));
        }
    }
    lines.join("\n")
}
