//! The mail catcher by itself.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use super::Ended;
use super::context::Context;
use crate::sink::{self, Sink};

#[derive(Debug, Args)]
pub(super) struct Options {
    /// Where to listen; on this machine only, unless --anywhere
    #[arg(long, default_value = "127.0.0.1:2525")]
    listen: SocketAddr,
    /// Listen at any address, for a network of your own: whoever reaches it can fill the disk
    #[arg(long)]
    anywhere: bool,
    /// Where caught letters go as .eml files
    #[arg(long, default_value = "caught")]
    dir: PathBuf,
    /// Answer badly: "RCPT slow@isp.example 451 4.7.1 later x2", "DOT *@isp.example close"
    #[arg(long, value_name = "RULE")]
    answer: Vec<sink::Rule>,
}

pub(super) async fn run(context: &Context, options: &Options) -> anyhow::Result<Ended> {
    let settings = sink::Options {
        dir: Some(options.dir.clone()),
        rules: options.answer.clone(),
        keep: false,
        anywhere: options.anywhere,
        ..sink::Options::default()
    };
    let sink = Sink::start(options.listen, settings)
        .await
        .map_err(|error| {
            anyhow::Error::new(error).context(format!("cannot listen on {}", options.listen))
        })?;
    let told =
        serde_json::json!({ "listening": sink.address().to_string(), "folder": options.dir });
    context.out.line(
        &told,
        format!(
            "Catching all mail on {}; letters go to {}. Ctrl-C ends.",
            sink.address(),
            options.dir.display()
        ),
    )?;
    wait_for_signal().await?;
    let counts = sink.counts();
    sink.stop().await;
    context.out.remark(&format!(
        "{} letters caught, {} refused by rule",
        counts.letters, counts.refused
    ))?;
    Ok(Ended::Well)
}

pub(super) async fn wait_for_signal() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        done = tokio::signal::ctrl_c() => done,
        _ = terminate.recv() => Ok(()),
    }
}
