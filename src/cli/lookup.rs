//! The way from an address to the mailbox that answers for it, shown step by step.

use super::Ended;
use super::arguments::Lookup;
use super::context::{Context, Usage};
use crate::model::{AddressRange, Verdict};
use crate::resolve;

pub(super) async fn lookup(context: &Context, options: &Lookup) -> anyhow::Result<Ended> {
    let Some(address) = &options.address else {
        return super::parse::parse(context, &options.parse);
    };
    let range: AddressRange = address
        .parse()
        .map_err(|error: crate::model::RangeError| Usage(format!("{error}; {}", error.remedy)))?;
    let store = context.store().await?;
    let order = &context.config().resolve.sources;
    let found = resolve::lookup(&store, order, range, context.clock.now()).await?;
    let answered = found
        .iter()
        .any(|one| matches!(one.verdict, Verdict::Matched { .. } | Verdict::Withheld));
    for one in found {
        let mut text = format!("{}\n", one.range);
        for (rung, network) in one.chain.iter().enumerate() {
            let known = &network.network;
            let lead = if rung == 0 { "  in     " } else { "  within " };
            let mut about: Vec<String> =
                [&known.name, &known.holder, &known.country, &known.handle]
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
                "no contact".to_owned()
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
            text.push_str(&format!("  {}: {}\n", said.source, said.answer));
        }
        let answer = match &one.verdict {
            Verdict::Matched { mailbox, .. } => format!("write to {mailbox}"),
            Verdict::Withheld => "write to nobody".to_owned(),
            Verdict::Unresolved => "nobody to write to".to_owned(),
            Verdict::Deferred { until } => format!("ask again after {until}"),
        };
        text.push_str(&format!("  → {answer}\n"));
        context.out.line(&one, text)?;
    }
    if answered {
        return Ok(Ended::Well);
    }
    Err(crate::store::Error::NotFound {
        what: "contact for",
        name: range.to_string(),
    }
    .into())
}
