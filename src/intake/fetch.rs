//! A feed by URL: fetched whole or not at all, from public addresses, and only when it has changed.

use std::net::IpAddr;
use std::sync::Arc;

use reqwest::header::{ETAG, HeaderMap, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED, LOCATION};
use reqwest::{Client, Response, StatusCode, Url};
use sha2::{Digest, Sha256};
use tokio::time::timeout;

use crate::config;
use crate::model::{hex, plain_text};
use crate::reach::{self, Reach, Refused, chain};
use crate::sheet::{self, Text};

/// Redirects that are followed.
const MOVES: usize = 5;

/// Bytes of a validator; a longer one is none.
const VALIDATOR: usize = 500;

/// What a URL gave.
#[derive(Debug)]
pub enum Fetched {
    /// It is what it was (RFC 9110 15.4.5).
    Unchanged,
    New(Page),
}

/// A feed as it was fetched.
#[derive(Clone, Debug)]
pub struct Page {
    bytes: Arc<[u8]>,
    /// SHA-256 over it.
    pub digest: String,
    /// What its server says of it, for the next time (RFC 9110 8.8).
    pub etag: String,
    pub modified: String,
}

impl Page {
    #[must_use]
    pub fn size(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// Its text, unpacked.
    ///
    /// # Errors
    /// When its packing is broken.
    pub fn text(&self) -> std::io::Result<Text> {
        sheet::unwrap(std::io::Cursor::new(Arc::clone(&self.bytes)))
    }
}

/// Fetches a feed, unless its server says that it is still what `etag` and `modified` speak of (both empty:
/// nothing is known of it).
///
/// # Errors
/// In words: where it may not be fetched from, what went wrong, or that it is too large.
pub async fn fetch(
    settings: &config::Intake,
    url: &str,
    (etag, modified): (&str, &str),
) -> Result<Fetched, String> {
    let reach = Reach::new(&settings.reach);
    let limit = settings.url_timeout;
    let client = reach::client(&reach, limit.to_std()).map_err(|fault| root(fault.as_ref()))?;
    let fetching = follow(settings, &reach, &client, url, (etag, modified));
    let fetched = timeout(limit.to_std(), fetching).await;
    fetched.unwrap_or_else(|_| Err(format!("it was not there within {limit}")))
}

async fn follow(
    settings: &config::Intake,
    reach: &Reach,
    client: &Client,
    url: &str,
    (etag, modified): (&str, &str),
) -> Result<Fetched, String> {
    let mut url = Url::parse(url).map_err(|error| format!("it is no URL: {error}"))?;
    for _ in 0..=MOVES {
        check(settings, reach, &url)?;
        let mut request = client.get(url.clone());
        for (name, value) in [(IF_NONE_MATCH, etag), (IF_MODIFIED_SINCE, modified)] {
            if !value.is_empty() {
                request = request.header(name, value);
            }
        }
        let response = request.send().await.map_err(|fault| told(&fault))?;
        let status = response.status();
        match status {
            StatusCode::NOT_MODIFIED => return Ok(Fetched::Unchanged),
            StatusCode::OK => return read(response, settings.url_size).await.map(Fetched::New),
            _ if status.is_redirection() => url = moved(&url, response.headers())?,
            _ => return Err(format!("the server answered HTTP {}", status.as_u16())),
        }
    }
    Err(format!("it was sent on more than {MOVES} times"))
}

/// Addresses are checked here, and names when they are resolved.
fn check(settings: &config::Intake, reach: &Reach, url: &Url) -> Result<(), String> {
    let shown = plain_text(url.as_str(), 120);
    match url.scheme() {
        "https" => {}
        "http" if settings.http => {}
        "http" => {
            return Err(format!(
                "{shown} is not https; intake.http = true allows http, which anybody on the way can change"
            ));
        }
        _ => return Err(format!("{shown} is no https URL")),
    }
    let host = url.host_str().unwrap_or_default();
    let literal = host.trim_start_matches('[').trim_end_matches(']');
    match literal.parse::<IpAddr>() {
        Ok(ip) if !reach.allows(ip) => Err(format!(
            "{shown} leads to {ip}, which is no public address; intake.reach allows others"
        )),
        _ => Ok(()),
    }
}

fn moved(from: &Url, headers: &HeaderMap) -> Result<Url, String> {
    let location = headers.get(LOCATION).and_then(|value| value.to_str().ok());
    let to = location.and_then(|location| from.join(location).ok());
    let to = to.ok_or("it was sent on without saying where")?;
    // What came encrypted must not go on in the clear.
    match (from.scheme(), to.scheme()) {
        ("https", "http") => Err("it was sent on from https to http".to_owned()),
        _ => Ok(to),
    }
}

/// The body, unpacked from its transfer as it comes: neither a long one nor one that unfolds is ever held.
async fn read(mut response: Response, most: u64) -> Result<Page, String> {
    let too_large = || format!("it is larger than {most} bytes (intake.url_size)");
    if response.content_length() > Some(most) {
        return Err(too_large());
    }
    let validator = |name| {
        let value = response.headers().get(name);
        let text = value
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        match text.len() {
            0..=VALIDATOR => text.to_owned(),
            _ => String::new(),
        }
    };
    let (etag, modified) = (validator(ETAG), validator(LAST_MODIFIED));
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|fault| told(&fault))? {
        if (bytes.len() + chunk.len()) as u64 > most {
            return Err(too_large());
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(Page {
        digest: hex(&Sha256::digest(&bytes)),
        bytes: bytes.into(),
        etag,
        modified,
    })
}

fn told(fault: &reqwest::Error) -> String {
    let refused = chain(fault).find_map(|cause| cause.downcast_ref::<Refused>());
    match refused {
        Some(Refused(words)) => words.clone(),
        None => root(fault),
    }
}

/// The cause at the bottom: those above it only say where it was met.
fn root(fault: &(dyn std::error::Error + 'static)) -> String {
    let root = chain(fault).last().map(ToString::to_string);
    plain_text(&root.unwrap_or_default(), 200)
}
