//! Whether a service is well, in an exit code and a line, as a container asks it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use clap::Args;
use tokio::time::{sleep, timeout};

use super::Ended;
use super::context::{Context, Usage};
use super::output::count;
use super::worker::{Signs, signs_here};
use crate::model::Span;
use crate::store::Store;
use crate::web;

/// How often it is looked for a sign.
const LOOK: Duration = Duration::from_millis(200);

#[derive(Debug, Args)]
pub(super) struct Options {
    /// Ask there instead of at http.listen
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Look into the database for a sign of life, for a service that does not listen
    #[arg(long, conflicts_with = "url")]
    worker: bool,
    /// Wait so long for that sign, of which there is one every 10 seconds or more often
    #[arg(long, value_name = "TIME", default_value = "25s", requires = "worker")]
    within: Span,
}

pub(super) async fn healthcheck(context: &Context, options: &Options) -> anyhow::Result<Ended> {
    let (asked, said) = match &options.url {
        _ if options.worker => worker(context, options.within).await,
        Some(url) => (url.clone(), web::is_ready(url).await),
        None => {
            let url = own_url(context).map_err(Usage)?;
            let said = web::is_ready(&url).await;
            (url, said)
        }
    };
    let is_ready = said.is_ok();
    let said = said.unwrap_or_else(|why| why);
    let told = serde_json::json!({ "ready": is_ready, "asked": asked, "said": said });
    let word = if is_ready { "" } else { "not ready: " };
    context.out.line(&told, format!("{word}{said}"))?;
    // Docker knows no other code than these.
    Ok(match is_ready {
        true => Ended::Well,
        false => Ended::Unwell,
    })
}

async fn worker(context: &Context, within: Span) -> (String, Result<String, String>) {
    let said = match context.store().await {
        Ok(store) => {
            let said = signs(&store, within).await;
            store.close().await;
            said
        }
        Err(error) => Err(format!("{error:#}")),
    };
    ("database".to_owned(), said)
}

/// Waits for a sign of every service of this place: one that hangs stands in the database as well as the others,
/// and only stops counting.
async fn signs(store: &Store, within: Span) -> Result<String, String> {
    let look = async || signs_here(store).await.map_err(|error| error.to_string());
    let before = look().await?;
    let mut silent = Vec::new();
    let waiting = async {
        loop {
            let now = look().await?;
            let is_silent = |process: &u32| {
                let old = before.get(process);
                old.is_some_and(|old| !has_more(&now[process], old))
            };
            silent = now.keys().copied().filter(is_silent).collect();
            // One that is just starting has not said so yet.
            if silent.is_empty() && !now.is_empty() {
                let services = count(now.len(), "service");
                return Ok(format!(
                    "the database answers, and a sign of life came from {services} here"
                ));
            }
            sleep(LOOK).await;
        }
    };
    let waited = timeout(within.to_std(), waiting).await;
    waited.unwrap_or_else(|_| {
        Err(match silent.as_slice() {
            [] => "no service here says that it lives: start one with `lapwing serve`".to_owned(),
            [process, ..] => format!(
                "process {process} has given no sign of life for {within} and was not asked to end: look into its log, and \
                 start it again"
            ),
        })
    })
}

/// Whether one of its names was said again, or is new.
fn has_more(now: &Signs, before: &Signs) -> bool {
    let is_more = |(name, beats): (&String, &i64)| before.get(name).is_none_or(|old| beats > old);
    now.iter().any(is_more)
}

/// Who listens at all addresses is asked at this machine's own.
fn own_url(context: &Context) -> Result<String, String> {
    let Some(mut address) = context.config().http.listen()? else {
        return Err("http.listen is empty: look for its sign of life with --worker".to_owned());
    };
    if address.ip().is_unspecified() {
        let here = match address {
            SocketAddr::V4(_) => IpAddr::from(Ipv4Addr::LOCALHOST),
            SocketAddr::V6(_) => IpAddr::from(Ipv6Addr::LOCALHOST),
        };
        address.set_ip(here);
    }
    Ok(format!("http://{address}/readyz"))
}
