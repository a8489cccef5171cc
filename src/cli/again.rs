//! Letters that ended badly, tried once more when their cause is seen to.

use clap::Args;

use super::Ended;
use super::context::{Context, Usage};
use super::output::count;
use crate::model::{Cause, Decision, DecisionKind, DeliveryState};
use crate::store::{Retried, Retry, Store};

/// What is tried again.
#[derive(Debug, Args)]
pub(super) struct Again {
    /// Its name
    name: String,
    /// Those that ended so: failed, refused, expired. Letters that may have arrived are left alone
    /// unless uncertain is named, too: they may then arrive twice
    #[arg(
        long,
        value_name = "STATES",
        value_delimiter = ',',
        default_value = "failed,refused,expired"
    )]
    state: Vec<String>,
    /// Only those whose last answer had this code (550), enhanced code (5.7.1, or 5.7 for all of them) or
    /// words; may be said several times
    #[arg(long)]
    cause: Vec<String>,
    /// Why; it is kept
    #[arg(long, default_value = "")]
    reason: String,
}

pub(super) async fn retry(
    context: &Context,
    store: &Store,
    options: &Again,
) -> anyhow::Result<Ended> {
    let states = options.state.iter().map(|word| state(word.trim()));
    let causes = options.cause.iter().flat_map(|text| text.parse::<Cause>());
    let which = Retry {
        states: states.collect::<Result<_, _>>()?,
        causes: causes.collect(),
    };
    // Whoever has letters tried again lets the campaign go on; what they come to is theirs to watch, and
    // no longer the brake's.
    let decision = Decision {
        kind: DecisionKind::Resumed,
        by: context.by.clone(),
        at: context.clock.now(),
        digest: String::new(),
        reason: options.reason.clone(),
        unreviewed: Vec::new(),
    };
    let name = options.name.as_str();
    let retried = store
        .retry(name, &which, &decision, context.dry_run)
        .await?;
    context
        .out
        .say(&retried, describe(context, name, &retried))?;
    Ok(Ended::Well)
}

fn state(word: &str) -> Result<DeliveryState, Usage> {
    match DeliveryState::from_text(word) {
        Some(
            state @ (DeliveryState::Failed
            | DeliveryState::Refused
            | DeliveryState::Expired
            | DeliveryState::Uncertain),
        ) => Ok(state),
        Some(DeliveryState::Accepted) => Err(Usage(
            "--state: what was accepted is never sent again".to_owned(),
        )),
        _ => Err(Usage(format!(
            "--state: \"{word}\" cannot be tried again; write failed, refused, expired or uncertain"
        ))),
    }
}

fn describe(context: &Context, name: &str, retried: &Retried) -> String {
    let mut text = format!(
        "{} back in the queue\n",
        count(retried.letters as i64, "letter")
    );
    for one in &retried.causes {
        let code = match one.code {
            0 => String::new(),
            code => format!("{code} "),
        };
        text.push_str(&format!(
            "{:>9}  {}: {code}{}\n",
            one.letters, one.state, one.reply
        ));
    }
    if retried.doubtful > 0 {
        text.push_str(&format!(
            "{:>9}  left alone, for they may have arrived: --state uncertain,… takes them in\n",
            retried.doubtful
        ));
    }
    if retried.letters > 0 && !context.dry_run {
        text.push_str(&format!("\nNext: lapwing send {name}\n"));
    }
    text
}
