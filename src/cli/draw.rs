//! An advisory's operators, drawn from the local table.

use super::Ended;
use super::context::{Context, Usage};
use super::output::count;
use crate::intake::{self, Drawing};
use crate::model::CampaignKind;
use crate::store::Store;

pub(super) async fn draw(
    context: &Context,
    store: &Store,
    name: &str,
    countries: &[String],
    systems_only: bool,
) -> anyhow::Result<Ended> {
    let campaign = store.campaign(name).await?;
    if campaign.kind != CampaignKind::Advisory {
        anyhow::bail!(Usage(format!(
            "\"{name}\" writes a {}, which takes suspects: lapwing import {name} FILE; operators are drawn for an \
             advisory (campaign new NAME --letter advisory)",
            campaign.letter
        )));
    }
    let mut drawing = Drawing {
        countries: Vec::new(),
        systems_only,
    };
    for code in countries {
        let code = code.trim().to_ascii_uppercase();
        if code.len() != 2 || !code.bytes().all(|byte| byte.is_ascii_uppercase()) {
            anyhow::bail!(Usage(format!(
                "--country: \"{code}\" is no country; write two letters of ISO 3166: DE,JP"
            )));
        }
        if !drawing.countries.contains(&code) {
            drawing.countries.push(code);
        }
    }
    let watch = context.watch("operators");
    let (now, progress) = (context.clock.now(), &watch.progress);
    let done = match context.dry_run {
        true => intake::foresee_drawing(store, &drawing, progress).await?,
        false => intake::draw(store, &campaign, &drawing, &context.by, now, progress).await?,
    };
    let stopped = watch.stopped_by();
    drop(watch);
    let counts = done.counts;
    let mut text = format!(
        "{} in {}: {}, {} listed already\n",
        count(counts.rows, "holder"),
        drawing.countries.join(", "),
        count(counts.fresh, "new addressee"),
        counts.repeated
    );
    if let Some(code) = stopped {
        text.push_str("Stopped before the end; draw again to go on.\n");
        context.out.say(&done, text)?;
        return Ok(Ended::Stopped(code));
    }
    if counts.rows == 0 {
        let whom = match systems_only {
            true => "no holder of an AS",
            false => "nobody",
        };
        text.push_str(&format!(
            "The table knows {whom} there; load one: lapwing table load FILE\n"
        ));
    } else if !context.dry_run {
        text.push_str(&match counts.fresh {
            0 => format!("Nobody was added: {name} stays as it was.\n"),
            _ => format!("\nNext: lapwing resolve {name}\n"),
        });
    }
    context.out.say(&done, text)?;
    Ok(Ended::Well)
}
