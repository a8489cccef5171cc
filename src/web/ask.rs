//! The other side: whether a service that shows itself is ready, as a container asks it.

use std::error::Error;

use reqwest::{Client, redirect};

use super::PATIENCE;
use crate::tls;

/// The longest reason that is read.
const LONGEST: usize = 1_000;

/// What it says where it is ready.
///
/// # Errors
/// Why it is not, or cannot be asked.
pub async fn is_ready(url: &str) -> Result<String, String> {
    let told = |fault: &reqwest::Error| {
        let mut root: &dyn Error = fault;
        while let Some(cause) = root.source() {
            root = cause;
        }
        format!("{url}: {root}")
    };
    let tls = tls::settings("".as_ref()).map_err(|fault| format!("{url}: {fault}"))?;
    let client = Client::builder()
        .no_proxy()
        .redirect(redirect::Policy::none())
        .timeout(PATIENCE)
        .tls_backend_preconfigured(tls)
        .build()
        .map_err(|fault| told(&fault))?;
    let answer = client.get(url).send().await.map_err(|fault| told(&fault))?;
    let status = answer.status();
    let said = answer.text().await.map_err(|fault| told(&fault))?;
    let said: String = said.trim().chars().take(LONGEST).collect();
    match status.is_success() {
        true => Ok(said),
        false => Err(format!("{url}: {}: {said}", status.as_u16())),
    }
}
