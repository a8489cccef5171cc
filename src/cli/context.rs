//! What every command needs: settings, database, who is acting, the clock, the signals.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::sync::OnceCell;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::arguments::Global;
use super::output::Output;
use super::worker;
use crate::config::{self, Config, Loaded};
use crate::model::{Clock, Origin, Progress, plain_text};
use crate::openpgp::{self, Key, Signer};
use crate::resolve;
use crate::store::Store;
use crate::templates::Templates;

/// What a watch counts when it is no number of things.
pub(super) const BYTES: &str = "bytes";

/// How long a command waits at its end for the database to be left.
const PARTING: Duration = Duration::from_secs(5);

/// A wrong argument that clap could not know of.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Usage(pub(super) String);

#[derive(Debug)]
pub(super) struct Context {
    pub(super) loaded: Loaded,
    pub(super) by: String,
    pub(super) dry_run: bool,
    pub(super) clock: Clock,
    pub(super) out: Output,
    draws: bool,
    opened: OnceCell<Store>,
}

impl Context {
    pub(super) fn new(global: Global) -> anyhow::Result<Self> {
        let mut flags = Vec::new();
        // What the environment says is read with the rest of it.
        let by_environment = std::env::var("LAPWING_DATABASE_URL").ok();
        if let Some(url) = global
            .database
            .filter(|url| by_environment.as_ref() != Some(url))
        {
            flags.push(("database.url", url, "--database"));
        }
        let environment = std::env::vars_os()
            .filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)));
        let loaded = config::load(global.config.as_deref(), environment, &flags)?;
        Ok(Self {
            loaded,
            by: person(global.by)?,
            dry_run: global.dry_run,
            clock: true_clock(),
            out: Output {
                json: global.json,
                dry_run: global.dry_run,
            },
            draws: !global.json
                && !global.quiet
                && std::io::IsTerminal::is_terminal(&std::io::stderr()),
            opened: OnceCell::new(),
        })
    }

    pub(super) fn config(&self) -> &Config {
        &self.loaded.config
    }

    /// Who acts, where two persons must be told apart: not a number, which one person has who is named another time.
    ///
    /// # Errors
    /// How to say who it is.
    pub(super) fn decider(&self) -> Result<&str, Usage> {
        match self.by.starts_with(NUMBERED) {
            true => Err(unknown_person()),
            false => Ok(&self.by),
        }
    }

    pub(super) async fn store(&self) -> anyhow::Result<Store> {
        let open = || async {
            let store = Store::open(&self.config().database.url).await?;
            Ok::<_, anyhow::Error>(store.acting_from(here()))
        };
        Ok(self.opened.get_or_try_init(open).await?.clone())
    }

    /// Leaves the database, if it was opened: an SQLite file is whole then, with no journal beside it that each
    /// further command would have to read through.
    pub(super) async fn close(&self) {
        if let Some(store) = self.opened.get() {
            // What hangs stays as a kill leaves it.
            let _ = timeout(PARTING, store.close()).await;
        }
    }

    /// What resolving works with.
    pub(super) fn resolving<'a>(
        &'a self,
        store: &'a Store,
        templates: &'a Templates,
        worker: &'a str,
    ) -> resolve::Work<'a> {
        resolve::Work {
            store,
            templates,
            settings: &self.config().resolve,
            allow_documentation: self.config().intake.allow_documentation,
            by: &self.by,
            worker,
            clock: &self.clock,
            wants_exchangers: self.config().knows_by_mx(),
        }
    }

    /// The key that letters are signed with, locked as it is; none where they are not signed. One that
    /// does not serve stops the command, unless letters may leave without.
    pub(super) fn key(&self) -> anyhow::Result<Option<Key>> {
        let sign = &self.config().sign;
        self.or_without(openpgp::key(sign, self.clock.now()))
    }

    /// The same, unlocked.
    pub(super) fn signer(&self) -> anyhow::Result<Option<Arc<Signer>>> {
        let passphrase = &self.config().sign.passphrase.0;
        let signer = match self.key()? {
            Some(key) => self.or_without(key.unlock(passphrase).map(Some))?,
            None => None,
        };
        Ok(signer.map(Arc::new))
    }

    fn or_without<T>(&self, key: Result<Option<T>, openpgp::Error>) -> anyhow::Result<Option<T>> {
        match key {
            Err(error) if !self.config().sign.required => {
                eprintln!("warning: sign.key: {error}; letters are not signed");
                Ok(None)
            }
            other => other.context("sign.key"),
        }
    }

    pub(super) fn templates(&self) -> anyhow::Result<Templates> {
        Ok(Templates::load(&self.config().letter.templates)?)
    }

    /// A progress that is asked to stop by SIGINT or SIGTERM, and not drawn; whoever asked is told by the work.
    pub(super) fn listen(&self) -> Watch {
        self.watched(None, false)
    }

    /// A progress that is drawn on a terminal, and asked to stop by SIGINT or SIGTERM.
    pub(super) fn watch(&self, what: &'static str) -> Watch {
        self.watched(Some(what).filter(|_| self.draws), true)
    }

    fn watched(&self, what: Option<&'static str>, tells: bool) -> Watch {
        let progress = Arc::new(Progress::default());
        let signal = Arc::new(AtomicU8::new(0));
        let listening = listen(Arc::clone(&progress), Arc::clone(&signal), tells);
        let listening = tokio::spawn(listening);
        let drawing = what.map(|what| tokio::spawn(draw(Arc::clone(&progress), what)));
        Watch {
            progress,
            signal,
            tasks: drawing.into_iter().chain([listening]).collect(),
        }
    }
}

/// Who is acting: named, or the user of the operating system. A name that nobody can see is none.
fn person(named: Option<String>) -> Result<String, Usage> {
    let name = match named {
        Some(name) => name,
        None => system_user().ok_or_else(unknown_person)?,
    };
    let name = plain_text(&name, 64);
    if !name.chars().any(char::is_alphanumeric) {
        return Err(Usage(format!("--as: \"{name}\" is no name")));
    }
    Ok(name)
}

fn unknown_person() -> Usage {
    Usage("nobody knows who is acting: say it with --as WHO".to_owned())
}

/// What stands before the number of a user without a name.
const NUMBERED: &str = "uid ";

/// The name of the user that this process runs as: by the environment, else by the kernel.
fn system_user() -> Option<String> {
    let named = ["USER", "LOGNAME"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok());
    let named = named.filter(|name| !name.is_empty());
    named.or_else(process_user)
}

/// By the kernel alone, which nobody talks into another name; `uid 10001` where it has none.
fn process_user() -> Option<String> {
    use std::os::unix::fs::MetadataExt;
    let uid = std::fs::metadata("/proc/self").ok()?.uid();
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    Some(name_of(uid, &users))
}

/// Under what name `users`, as in /etc/passwd, have this one; containers run under numbers that have none.
fn name_of(uid: u32, users: &str) -> String {
    let uid = uid.to_string();
    let line = users
        .lines()
        .find(|line| line.split(':').nth(2) == Some(&uid));
    let name = line.and_then(|line| line.split(':').next());
    name.map_or_else(|| format!("{NUMBERED}{uid}"), str::to_owned)
}

/// This machine, and whom it knows as running this process, whatever they call themselves.
pub(super) fn here() -> Origin {
    Origin {
        host: worker::host(),
        user: process_user().unwrap_or_else(|| "unknown".to_owned()),
        via: "command line".to_owned(),
    }
}

/// The one place that asks the machine for the time; everything below is told.
#[expect(
    clippy::disallowed_methods,
    reason = "the command line is where time comes in"
)]
fn true_clock() -> Clock {
    Clock::starting_at(jiff::Timestamp::now().into())
}

/// A piece of work under way: its progress, and whether a signal asked it to end.
pub(super) struct Watch {
    pub(super) progress: Arc<Progress>,
    signal: Arc<AtomicU8>,
    tasks: Vec<JoinHandle<()>>,
}

impl Watch {
    /// The exit code for the signal that came, if one did.
    pub(super) fn stopped_by(&self) -> Option<u8> {
        match self.signal.load(Ordering::Relaxed) {
            0 => None,
            code => Some(code),
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// The first signal asks the work to end after the piece in hand; a second one ends it now.
async fn listen(progress: Arc<Progress>, signal: Arc<AtomicU8>, tells: bool) {
    use tokio::signal::unix::{SignalKind, signal as on};
    let (Ok(mut interrupt), Ok(mut terminate)) =
        (on(SignalKind::interrupt()), on(SignalKind::terminate()))
    else {
        return;
    };
    loop {
        let code = tokio::select! {
            _ = interrupt.recv() => 130,
            _ = terminate.recv() => 143,
        };
        if progress.is_stopped() {
            std::process::exit(i32::from(code));
        }
        signal.store(code, Ordering::Relaxed);
        progress.stop();
        if tells {
            eprintln!("ending after what is in hand; once more to end now");
        }
    }
}

async fn draw(progress: Arc<Progress>, what: &'static str) {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(8));
    bar.set_message(what);
    let clear = Clear(bar);
    let mut tick = tokio::time::interval(Duration::from_millis(125));
    loop {
        tick.tick().await;
        let (done, total) = (progress.done(), progress.total());
        let words = progress.words();
        if !words.is_empty() {
            clear.0.set_prefix(format!("; {words}"));
        }
        let template = match (what, total) {
            (_, _) if !words.is_empty() => "{msg} [{bar:30}] {human_pos} of {human_len}{prefix}",
            (_, 0) => "{msg} {human_pos}",
            (BYTES, _) => "reading [{bar:30}] {bytes} of {total_bytes}, {eta} to go",
            _ => "{msg} [{bar:30}] {human_pos} of {human_len}, {eta} to go",
        };
        if let Ok(style) = ProgressStyle::with_template(template) {
            clear.0.set_style(style);
        }
        if total > 0 {
            clear.0.set_length(total);
        }
        if done > 0 {
            clear.0.set_position(done);
        }
    }
}

/// Leaves no half bar behind when the work is done.
struct Clear(ProgressBar);

impl Drop for Clear {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_has_no_name_is_a_number() {
        let users = "root:x:0:0:root:/root:/bin/bash\nann:x:1001:1001::/srv/ann:/bin/sh\n";
        assert_eq!(name_of(1001, users), "ann");
        assert_eq!(name_of(10001, users), "uid 10001");
        assert_eq!(person(Some(name_of(10001, ""))).unwrap(), "uid 10001");
    }
}
