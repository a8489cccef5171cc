//! The next round: whom letters did not reach, somebody else answers for.

use clap::Args;

use super::Ended;
use super::context::Context;
use super::output::count;
use crate::follow_up::{self, Act};

#[derive(Debug, Args)]
pub(super) struct Options {
    /// The campaign whose letters did not reach everybody
    first: String,
    /// The name of the new one
    name: String,
}

pub(super) async fn run(context: &Context, options: &Options) -> anyhow::Result<Ended> {
    let store = context.store().await?;
    let first = store.campaign(&options.first).await?;
    let act = Act {
        by: &context.by,
        now: context.clock.now(),
        is_trial: context.dry_run,
    };
    let name = &options.name;
    let round = follow_up::run_once(&store, &first, name, act).await?;
    let what = match round.addressees {
        0 => count(round.suspects.cast_signed(), "suspect"),
        n => count(n.cast_signed(), "operator"),
    };
    let told = serde_json::json!({ "campaign": name, "round": round });
    let addresses = count(round.mailboxes.cast_signed(), "address");
    context.out.say(
        &told,
        format!("{name}: {what} of {addresses} that letters do not reach\n\nNext: lapwing resolve {name}"),
    )?;
    Ok(Ended::Well)
}
