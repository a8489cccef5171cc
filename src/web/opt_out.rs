//! Who has a letter may say that no more are wanted: a proposal, on which staff decide.
//!
//! RFC 8058: looking at the page changes nothing, for mail programs and virus scanners look at every link;
//! only what is sent back does.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::House;
use crate::model::{Purpose, Suppression, SuppressionCause};
use crate::store::{Addressed, Error};

/// Who proposes, where nobody says who he is.
const BY: &str = "opt-out link";

/// No script, no frame, no referrer: the address of the page is a secret of the letter's.
const HEADERS: [(HeaderName, &str); 5] = [
    (header::CONTENT_TYPE, "text/html; charset=utf-8"),
    (header::CACHE_CONTROL, "no-store"),
    (header::REFERRER_POLICY, "no-referrer"),
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; form-action 'self'; frame-ancestors 'none'; style-src 'unsafe-inline'",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
];

pub(super) async fn page(State(house): State<Arc<House>>, Path(token): Path<String>) -> Response {
    match letter(&house, &token).await {
        Ok(Some(_)) => told(
            StatusCode::OK,
            "<p>You can tell the sender that you do not want letters like the one this link stands in. \
             Its staff will look at it. The machines that the letter names are not cleaned by that.</p>\
             <form method=\"post\"><button>We want no more of these letters</button></form>",
        ),
        Ok(None) => unknown(),
        Err(error) => later(&error),
    }
}

pub(super) async fn propose(
    State(house): State<Arc<House>>,
    Path(token): Path<String>,
) -> Response {
    match try_propose(&house, &token).await {
        Ok(true) => told(
            StatusCode::OK,
            "<p>Thank you. The sender's staff have been told.</p>",
        ),
        Ok(false) => unknown(),
        Err(error) => later(&error),
    }
}

async fn try_propose(house: &House, token: &str) -> Result<bool, Error> {
    let Some(letter) = letter(house, token).await? else {
        return Ok(false);
    };
    let Some(address) = letter.recipients.first() else {
        return Ok(false);
    };
    let proposed = Suppression {
        id: 0,
        address: address.base(),
        cause: SuppressionCause::OptOut,
        reason: "they asked for no more letters, by the link in one".to_owned(),
        incoming: None,
        by: BY.to_owned(),
        at: house.clock.now(),
        approved_by: None,
        until: None,
    };
    house.store.suppress(&proposed).await?;
    Ok(true)
}

async fn letter(house: &House, token: &str) -> Result<Option<Addressed>, Error> {
    let keys = house.store.token_keys(house.clock.now()).await?;
    match keys.read(Purpose::OptOut, token) {
        Ok(number) => house.store.addressed(number).await,
        Err(_) => Ok(None),
    }
}

fn unknown() -> Response {
    told(
        StatusCode::NOT_FOUND,
        "<p>This link is not known, or no longer. Please answer the letter instead.</p>",
    )
}

fn later(error: &Error) -> Response {
    tracing::warn!(%error, "an opt-out could not be looked at");
    told(
        StatusCode::SERVICE_UNAVAILABLE,
        "<p>This cannot be done now. Please try again later, or answer the letter.</p>",
    )
}

fn told(status: StatusCode, said: &str) -> Response {
    let page = format!(
        "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Letters about suspected machines</title>\
         <meta name=\"viewport\" content=\"width=device-width\">\
         <style>body{{font:1.1em/1.5 sans-serif;max-width:36em;margin:3em auto;padding:0 1em}}\
         button{{font:inherit;padding:.5em 1em}}</style></head>\
         <body><main><h1>Letters about suspected machines</h1>{said}</main></body></html>\n"
    );
    (status, HEADERS, page).into_response()
}
