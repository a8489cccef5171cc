//! What has been kept long enough is shown, and on request taken away.

use clap::Args;

use super::Ended;
use super::context::Context;
use super::output::count;
use crate::store::{Amount, Prunable, Retention};

#[derive(Debug, Args)]
#[command(
    after_help = "How long what stays is set under [keep]. What proves a letter always stays: ticket, digest, to whom, when, each attempt, each approval and the audit trail."
)]
pub(super) struct Prune {
    /// Take it away; without this it is only shown
    #[arg(long)]
    yes: bool,
    /// Then write the tables anew: the room is given back to the disk, and no trace of what was removed is left.
    /// Whoever writes waits meanwhile, and a second copy must have room
    #[arg(long, requires = "yes")]
    compact: bool,
}

pub(super) async fn run(context: &Context, options: &Prune) -> anyhow::Result<Ended> {
    let store = context.store().await?;
    let now = context.clock.now();
    let [evidence, letters, incoming] = context.config().keep.until(now);
    let before = Retention {
        evidence,
        letters,
        incoming,
    };
    let prunable = store.foresee_prune(before).await?;
    let is_idle = prunable.is_nothing() && !options.compact;
    if !options.yes || context.dry_run || is_idle {
        let told = serde_json::json!({ "prunable": prunable, "done": false });
        context.out.say(&told, show(&prunable))?;
        return Ok(Ended::Well);
    }
    let watch = context.watch("rows");
    let gone = store
        .prune(before, &context.by, now, &watch.progress)
        .await?;
    let stopped = watch.stopped_by();
    drop(watch);
    let compacts = options.compact && stopped.is_none();
    if compacts {
        store.compact().await?;
    }
    let told = serde_json::json!({
        "removed": gone, "done": stopped.is_none(), "compacted": compacts,
    });
    let mut text = match list(&gone).as_str() {
        "" => "Nothing was removed.\n".to_owned(),
        list => format!("Removed:\n{list}"),
    };
    if stopped.is_some() {
        text.push_str("Stopped; run it again to go on.\n");
    }
    if compacts {
        text.push_str("The tables are written anew; no trace of it is left in them.\n");
    }
    context.out.say(&told, text)?;
    Ok(stopped.map_or(Ended::Well, Ended::Stopped))
}

fn show(prunable: &Prunable) -> String {
    let before = &prunable.before;
    let mut text = String::new();
    for (what, at, campaigns) in [
        ("Evidence of campaigns", before.evidence, &prunable.evidence),
        (
            "Words of letters of campaigns",
            before.letters,
            &prunable.letters,
        ),
    ] {
        match at {
            Some(at) => text.push_str(&format!(
                "{what} that ended before {at}: {}\n",
                count(campaigns.len() as i64, "campaign")
            )),
            None => text.push_str(&format!("{what}: stays for ever\n")),
        }
        for one in campaigns {
            text.push_str(&format!(
                "           {}, ended {}\n",
                one.campaign, one.ended_at
            ));
        }
    }
    text.push_str(&match before.incoming {
        Some(at) => format!("Mail that came before {at} and was seen to\n"),
        None => "Mail that came in: stays for ever\n".to_owned(),
    });
    if prunable.is_nothing() {
        text.push_str("\nNothing to remove.\n");
        return text;
    }
    text.push_str(&format!(
        "\nThis would be removed, and cannot be had back:\n{}",
        list(&prunable.amount)
    ));
    text.push_str("\nNext: lapwing backup FILE, then lapwing prune --yes\n");
    text
}

fn list(amount: &Amount) -> String {
    let mut text = String::new();
    for (n, what) in [
        (
            amount.suspects,
            "suspects' evidence and port; address, time, class and source stay",
        ),
        (amount.samples, "samples of what suspects sent"),
        (
            amount.refusals,
            "refused rows' raw lines; line, column and reason stay",
        ),
        (amount.attachments, "attachments of letters; names stay"),
        (
            amount.letters,
            "letters' words; subject, ticket, digest and all that happened stay",
        ),
        (
            amount.incoming,
            "messages that came in; what was made of them stays",
        ),
    ] {
        if n > 0 {
            text.push_str(&format!("{n:>9}  {what}\n"));
        }
    }
    text
}
