//! Whether a service is well, in an exit code and a line, as a container asks it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use clap::Args;

use super::Ended;
use super::context::{Context, Usage};
use crate::web;

#[derive(Debug, Args)]
pub(super) struct Options {
    /// Ask there instead of at http.listen
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Look at the database itself, for a process that does not listen
    #[arg(long, conflicts_with = "url")]
    worker: bool,
}

pub(super) async fn healthcheck(context: &Context, options: &Options) -> anyhow::Result<Ended> {
    let (asked, said) = match &options.url {
        _ if options.worker => database(context).await,
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

async fn database(context: &Context) -> (String, Result<String, String>) {
    let said = match context.store().await {
        Ok(store) => {
            store.close().await;
            Ok("the database answers and is of this version".to_owned())
        }
        Err(error) => Err(format!("{error:#}")),
    };
    ("database".to_owned(), said)
}

/// Who listens at all addresses is asked at this machine's own.
fn own_url(context: &Context) -> Result<String, String> {
    let Some(mut address) = context.config().http.listen()? else {
        return Err("http.listen is empty: look at the database itself with --worker".to_owned());
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
