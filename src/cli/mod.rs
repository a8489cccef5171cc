//! The command line: it parses, calls a stage or one store method, and shows the answer.

mod again;
mod arguments;
mod audit;
mod backup;
mod bench;
mod campaign;
mod contacts;
mod context;
mod demo;
mod doctor;
mod draw;
mod feed;
mod follow_up;
mod health;
mod holds;
mod ingest;
mod jurisdiction;
mod key;
mod letters;
mod log;
mod lookup;
mod output;
mod parse;
mod planning;
mod prune;
mod registries;
mod replies;
mod run;
mod schedules;
mod serve;
mod settings;
mod sink;
mod stages;
mod standing;
mod start;
mod suppressions;
mod tables;
mod verify;
mod waves;
mod words;
mod worker;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;

use crate::{compose, config, openpgp, report, resolve, send, sheet, store, templates};
use arguments::{Arguments, Command};
use context::Context;

/// How a command ended that did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    Well,
    /// Done, but some rows or letters failed.
    Partly,
    /// It only looked, and found something to do.
    ToDo,
    /// Looked, and what was looked at is not well.
    Unwell,
    /// There was nothing to do, and that was to be told.
    Empty,
    /// By SIGINT (130) or SIGTERM (143), after the work in hand.
    Stopped(u8),
}

/// Runs one command and says how it went: 0 done, 1 failed, 2 usage or settings, 3 some rows or
/// letters failed, 4 not found, 5 refused by state, 6 temporary, 7 not permitted to whoever acts, 8 nothing to
/// do, 9 there is no database of this version, or something is to be done for one, 130 and 143 stopped by a
/// signal.
#[must_use]
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let wants_json = arguments.iter().any(|argument| argument == "--json");
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) if error.use_stderr() && wants_json => {
            let told = error.to_string();
            return fail(&context::Usage(told.trim_end().to_owned()).into(), true);
        }
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    let json = arguments.global.json;
    let runtime = match threads(&arguments.command).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error.into(), json),
    };
    match runtime.block_on(command(arguments)) {
        Ok(Ended::Well) => ExitCode::SUCCESS,
        Ok(Ended::Unwell) => ExitCode::FAILURE,
        Ok(Ended::Partly) => ExitCode::from(3),
        Ok(Ended::ToDo) => ExitCode::from(9),
        Ok(Ended::Empty) => ExitCode::from(8),
        Ok(Ended::Stopped(code)) => ExitCode::from(code),
        // Whoever read our output has seen enough: `lapwing refused trial | head`.
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => fail(&error, json),
    }
}

/// Sending is short turns on connections: on the thread that reads them they take a sixth less of the processor than
/// where another is woken for each. What may compute for long beside a listener has all threads.
fn threads(command: &Command) -> tokio::runtime::Builder {
    let only_sends = match command {
        Command::Send(_) => true,
        Command::Serve(options) => options.only_sends(),
        _ => false,
    };
    match only_sends {
        true => tokio::runtime::Builder::new_current_thread(),
        false => tokio::runtime::Builder::new_multi_thread(),
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause
            .downcast_ref::<std::io::Error>()
            .is_some_and(|error| error.kind() == std::io::ErrorKind::BrokenPipe)
    })
}

async fn command(arguments: Arguments) -> anyhow::Result<Ended> {
    let context = Context::new(arguments.global)?;
    let ended = carry_out(&context, arguments.command).await;
    context.close().await;
    ended
}

async fn carry_out(context: &Context, command: Command) -> anyhow::Result<Ended> {
    match command {
        Command::Demo(options) => demo::run(context, &options).await,
        Command::Init(options) => start::init(context, &options).await,
        Command::Migrate(options) => start::migrate(context, &options).await,
        Command::Config(options) => settings::run(context, &options),
        Command::Doctor(options) => doctor::doctor(context, &options).await,
        Command::Sink(options) => sink::run(context, &options).await,
        Command::Import(options) => feed::import(context, &options).await,
        Command::Refused(options) => feed::refused(context, &options).await,
        Command::Unplaced(options) => feed::unplaced(context, &options).await,
        Command::Table(action) => tables::run(context, &action).await,
        Command::Override(action) => contacts::overrides(context, &action).await,
        Command::Signatory(action) => contacts::signatories(context, &action).await,
        Command::Hold(action) => holds::run(context, &action).await,
        Command::Reply(action) => replies::run(context, &action).await,
        Command::Suppression(action) => suppressions::run(context, &action).await,
        Command::Jurisdiction(action) => jurisdiction::run(context, &action),
        Command::Lookup(options) => lookup::lookup(context, &options).await,
        Command::Registries => registries::registries(context).await,
        Command::Campaign(action) => campaign::run(context, &action).await,
        Command::Resolve(options) => stages::resolve(context, &options).await,
        Command::Compose(options) => stages::compose(context, &options).await,
        Command::Send(options) => stages::send(context, &options).await,
        Command::FollowUp(options) => follow_up::run(context, &options).await,
        Command::Ingest(options) => ingest::run(context, &options).await,
        Command::Bench(bench) => bench::run(context, &bench),
        Command::Schedule(action) => schedules::run(context, &action).await,
        Command::Run(options) => run::run(context, &options).await,
        Command::Serve(options) => serve::run(context, &options).await,
        Command::Healthcheck(options) => health::healthcheck(context, &options).await,
        Command::Status(options) => stages::status(context, &options).await,
        Command::Report(options) => stages::report(context, &options).await,
        Command::Preview(options) => letters::preview(context, &options).await,
        Command::Key(action) => key::run(context, &action).await,
        Command::Letter(action) => letters::run(context, &action).await,
        Command::Template(action) => words::run(context, &action),
        Command::Backup(options) => backup::backup(context, &options).await,
        Command::Restore(options) => backup::restore(context, &options).await,
        Command::Prune(options) => prune::run(context, &options).await,
        Command::Audit(action) => audit::run(context, &action).await,
    }
}

/// Says what went wrong on standard error, and hands back the exit code for it.
fn fail(error: &anyhow::Error, json: bool) -> ExitCode {
    let code = code_of(error);
    let mut said = format!("{error:#}");
    if let Some(next) = next_step(error) {
        said.push_str("; ");
        said.push_str(next);
    }
    if json {
        let told = serde_json::json!({ "error": said, "code": code });
        eprintln!("{told}");
    } else if !log::end(&said, code) {
        eprintln!("error: {said}");
    }
    ExitCode::from(code)
}

/// Which command helps where something is missing or there already; other errors say it themselves.
fn next_step(error: &anyhow::Error) -> Option<&'static str> {
    let error = error.chain().find_map(|cause| cause.downcast_ref())?;
    Some(match error {
        store::Error::Taken { what, .. } if *what != "schedule" => {
            "choose another name, or see how far it is: lapwing status"
        }
        store::Error::NotFound { what, .. } if what.contains("letter") => {
            "all there are: lapwing letter list CAMPAIGN"
        }
        store::Error::NotFound { what, .. } if what.contains("contact") => {
            "enter one: lapwing override add, or load a table: lapwing table load"
        }
        store::Error::NotFound {
            what: "override", ..
        } => "those that hold: lapwing override list",
        store::Error::NotFound { what: "hold", .. } => "those that hold: lapwing hold list",
        store::Error::NotFound {
            what: "jurisdiction",
            ..
        } => {
            "letters there are in English, without a note; those there are: lapwing jurisdiction list"
        }
        store::Error::NotFound { what: "file", .. } => "name what lapwing backup has written",
        store::Error::NotFound {
            what: "schedule", ..
        } => "those there are: lapwing schedule list",
        store::Error::Taken {
            what: "schedule", ..
        } => "choose another name, or change it: lapwing schedule change",
        store::Error::NotFound { .. } => "those there are: lapwing campaign list",
        _ => return None,
    })
}

fn code_of(error: &anyhow::Error) -> u8 {
    let store = |error: &store::Error| match error {
        store::Error::NotFound { .. } => 4,
        store::Error::Refused(_) | store::Error::Taken { .. } => 5,
        store::Error::Forbidden(_) => 7,
        store::Error::NotReady(_) => 9,
        store::Error::Unavailable(_) => 6,
        store::Error::Url(_) => 2,
        store::Error::Database(_) => 1,
    };
    for cause in error.chain() {
        if let Some(error) = cause.downcast_ref::<store::Error>() {
            return store(error);
        }
        match cause.downcast_ref::<send::Error>() {
            Some(send::Error::Store(error)) => return store(error),
            Some(send::Error::Relay(_)) => return 6,
            Some(send::Error::Braked(_)) => return 3,
            Some(send::Error::Journal(_) | send::Error::Key(_)) => return 2,
            None => {}
        }
        if let Some(report::export::Error::Store(error)) = cause.downcast_ref() {
            return store(error);
        }
        if let Some(resolve::TableError::Piped { .. } | resolve::TableError::Unmapped { .. }) =
            cause.downcast_ref()
        {
            return 2;
        }
        match cause.downcast_ref::<compose::Error>() {
            Some(compose::Error::Store(error)) => return store(error),
            Some(compose::Error::Letter { .. }) => return 5,
            None => {}
        }
        match cause.downcast_ref::<resolve::Error>() {
            Some(resolve::Error::Store(error)) => return store(error),
            Some(resolve::Error::Templates(_) | resolve::Error::Settings(_)) => return 2,
            Some(resolve::Error::Later(_)) => return 6,
            None => {}
        }
        let is_usage = cause.is::<config::Error>()
            || cause.is::<templates::Error>()
            || cause.is::<openpgp::Error>()
            || cause.is::<sheet::SheetError>()
            || cause.is::<context::Usage>();
        if is_usage {
            return 2;
        }
        if cause.is::<verify::NotOurs>() {
            return 4;
        }
        if let Some(error) = cause.downcast_ref::<std::io::Error>() {
            return if error.kind() == std::io::ErrorKind::NotFound {
                4
            } else {
                1
            };
        }
    }
    1
}
