//! The stages as a service.

use clap::{Args, ValueEnum};

use super::Ended;
use super::context::{Context, Usage};
use super::worker::worker;
use crate::send::{Courier, Settings};
use crate::service::{Event, Sender};

#[derive(Debug, Args)]
pub(super) struct Options {
    /// Only these stages, as many workers on as many machines as you like
    #[arg(
        long,
        value_name = "STAGES",
        value_delimiter = ',',
        default_value = "send"
    )]
    only: Vec<Stage>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Stage {
    /// Letters of all approved campaigns, as they come due
    Send,
}

pub(super) async fn run(context: &Context, options: &Options) -> anyhow::Result<Ended> {
    context.config().check_reach()?;
    let store = context.store().await?;
    let mut settings = Settings::from_config(context.config(), &worker()).map_err(Usage)?;
    settings.signing.signer = context.signer()?;
    settings.stays = false;
    let courier = Courier::new(context.config());
    let watch = context.listen();
    let out = context.out;
    let tell = move |event: Event| {
        // Whoever read along has gone: the letters go on.
        let _ = out.line(&event, event.to_string());
    };
    let sender = Sender {
        store: &store,
        courier: &courier,
        settings: &settings,
        clock: &context.clock,
        progress: &watch.progress,
        tell: &tell,
    };
    debug_assert!(options.only.contains(&Stage::Send));
    sender.run().await?;
    Ok(Ended::Well)
}
