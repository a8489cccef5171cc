//! What a service says, written line by line: for people on a terminal, else as JSON.

use std::io::IsTerminal as _;
use std::panic::PanicHookInfo;
use std::sync::atomic::{AtomicBool, Ordering};

use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::format::debug_fn;
use tracing_subscriber::layer::SubscriberExt as _;

use super::context::Context;
use crate::config::{LogFormat, LogLevel};
use crate::model::masked;

/// Whether whoever reads this process's words reads JSON.
static IS_JSON: AtomicBool = AtomicBool::new(false);

/// From here on whatever is told with `tracing` is written to standard output, and so is a panic, wherever it
/// comes from.
pub(super) fn begin(context: &Context) {
    let log = &context.config().log;
    let is_terminal = std::io::stdout().is_terminal();
    let is_json = match log.format {
        _ if context.out.json => true,
        LogFormat::Auto => !is_terminal,
        LogFormat::Json => true,
        LogFormat::Text => false,
    };
    let level = match log.level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
    };
    // What libraries tell of their work may name addresses.
    let ours = Targets::new().with_target("lapwing", level);
    // Whoever read along may be gone: the work goes on.
    let lines = tracing_subscriber::fmt::layer()
        .with_target(false)
        .log_internal_errors(false);
    let lines = match is_json {
        true => lines
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_span_list(false)
            .with_filter(ours)
            .boxed(),
        // The words say it all; the fields are for programs.
        false => lines
            .with_ansi(is_terminal && std::env::var_os("NO_COLOR").is_none())
            .fmt_fields(debug_fn(|line, field, value| match field.name() {
                "message" => write!(line, "{value:?}"),
                _ => Ok(()),
            }))
            .with_filter(ours)
            .boxed(),
    };
    let subscriber = tracing_subscriber::registry().with(lines);
    if tracing::subscriber::set_global_default(subscriber).is_ok() {
        std::panic::set_hook(Box::new(panicked));
        IS_JSON.store(is_json, Ordering::Relaxed);
    }
}

/// The error that ends the process, as the last line; false where no log is written as JSON.
pub(super) fn end(said: &str, code: u8) -> bool {
    let is_json = IS_JSON.load(Ordering::Relaxed);
    if is_json {
        tracing::error!(event = "failed", code, "{}", masked(said));
    }
    is_json
}

fn panicked(panic: &PanicHookInfo<'_>) {
    let said = masked(panic.payload_as_str().unwrap_or("without a word"));
    let place = panic.location().map(ToString::to_string);
    let place = place.unwrap_or_default();
    tracing::error!(event = "panicked", place, "panicked at {place}: {said}");
}
