//! Who has a letter may say that no more are wanted: a proposal, on which staff decide.
//!
//! RFC 8058: looking at the page changes nothing, for mail programs and virus scanners look at every link;
//! only what is sent back does.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use axum::extract::{Path as UrlPath, State};
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::House;
use crate::model::{Purpose, Suppression, SuppressionCause};
use crate::store::{Addressed, Error};
use crate::templates::{self, Templates};

/// Who proposes, where nobody says who he is.
const BY: &str = "opt-out link";

const ENGLISH: &str = "en";

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

/// What the page says in each of the letters' languages.
#[derive(Debug)]
pub(super) struct Pages(BTreeMap<String, Words>);

/// Its words in one of them.
#[derive(Debug, Deserialize)]
struct Words {
    direction: String,
    #[serde(rename = "opt_out_title")]
    title: String,
    #[serde(rename = "opt_out_ask")]
    ask: String,
    #[serde(rename = "opt_out_button")]
    button: String,
    #[serde(rename = "opt_out_thanks")]
    thanks: String,
}

const WORDS: &str = "part/words/";

impl Pages {
    /// Those of `folder` over the shipped ones, word by word. A language that lacks one has no page, and its
    /// letters' page is in English: what is missing, `lapwing template check` says.
    ///
    /// # Errors
    /// Which template cannot be read.
    pub(super) fn load(folder: &Path) -> Result<Self, templates::Error> {
        let templates = Templates::load(folder)?;
        let mut pages = BTreeMap::new();
        for name in templates.names(WORDS) {
            let locale = name.strip_prefix(WORDS).unwrap_or_default();
            let layers: Vec<toml::Table> = templates.layers(name)?;
            let words: toml::Table = layers.into_iter().flatten().collect();
            if let Ok(words) = words.try_into() {
                pages.insert(locale.trim_end_matches(".toml").to_owned(), words);
            }
        }
        Ok(Self(pages))
    }

    /// In the letter's language, and below it in English, as the letter is.
    fn told(&self, status: StatusCode, locale: &str, say: impl Fn(&Words) -> String) -> Response {
        let own = self.0.get_key_value(locale).filter(|_| locale != ENGLISH);
        let spoken: Vec<(&String, &Words)> = own
            .into_iter()
            .chain(self.0.get_key_value(ENGLISH))
            .collect();
        let said = spoken.iter().map(|(locale, words)| {
            let Words {
                direction, title, ..
            } = words;
            let said = say(words);
            format!(
                "<section lang=\"{}\" dir=\"{}\"><h1>{}</h1>{said}</section>",
                escaped(locale),
                escaped(direction),
                escaped(title)
            )
        });
        let said: String = said.collect();
        let (lang, title) = spoken
            .first()
            .map_or(("", ""), |(locale, words)| (locale, &words.title));
        told(status, lang, title, &said)
    }
}

pub(super) async fn page(
    State(house): State<Arc<House>>,
    UrlPath(token): UrlPath<String>,
) -> Response {
    match letter(&house, &token).await {
        Ok(Some(letter)) => house.pages.told(StatusCode::OK, &letter.locale, |words| {
            let (ask, button) = (escaped(&words.ask), escaped(&words.button));
            format!("<p>{ask}</p><form method=\"post\"><button>{button}</button></form>")
        }),
        Ok(None) => unknown(),
        Err(error) => later(&error),
    }
}

pub(super) async fn propose(
    State(house): State<Arc<House>>,
    UrlPath(token): UrlPath<String>,
) -> Response {
    match try_propose(&house, &token).await {
        Ok(Some(locale)) => house.pages.told(StatusCode::OK, &locale, |words| {
            format!("<p>{}</p>", escaped(&words.thanks))
        }),
        Ok(None) => unknown(),
        Err(error) => later(&error),
    }
}

/// The letter's language, where there is one.
async fn try_propose(house: &House, token: &str) -> Result<Option<String>, Error> {
    let Some(letter) = letter(house, token).await? else {
        return Ok(None);
    };
    let Some(address) = letter.recipients.first() else {
        return Ok(None);
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
    Ok(Some(letter.locale))
}

async fn letter(house: &House, token: &str) -> Result<Option<Addressed>, Error> {
    let keys = house.store.token_keys(house.clock.now()).await?;
    match keys.read(Purpose::OptOut, token) {
        Ok(number) => house.store.addressed(number).await,
        Err(_) => Ok(None),
    }
}

/// In English: which letter it is, nobody knows.
fn unknown() -> Response {
    plainly(
        StatusCode::NOT_FOUND,
        "<p>This link is not known, or no longer. Please answer the letter instead.</p>",
    )
}

fn later(error: &Error) -> Response {
    tracing::warn!(%error, "an opt-out could not be looked at");
    plainly(
        StatusCode::SERVICE_UNAVAILABLE,
        "<p>This cannot be done now. Please try again later, or answer the letter.</p>",
    )
}

fn plainly(status: StatusCode, said: &str) -> Response {
    const TITLE: &str = "Letters about suspected machines";
    told(status, ENGLISH, TITLE, &format!("<h1>{TITLE}</h1>{said}"))
}

fn told(status: StatusCode, lang: &str, title: &str, said: &str) -> Response {
    let (lang, title) = (escaped(lang), escaped(title));
    let page = format!(
        "<!DOCTYPE html><html lang=\"{lang}\"><head><meta charset=\"utf-8\"><title>{title}</title>\
         <meta name=\"viewport\" content=\"width=device-width\">\
         <style>body{{font:1.1em/1.5 sans-serif;max-width:36em;margin:3em auto;padding:0 1em}}\
         button{{font:inherit;padding:.5em 1em}}section+section{{border-top:1px solid;margin-top:3em}}</style></head>\
         <body><main>{said}</main></body></html>\n"
    );
    (status, HEADERS, page).into_response()
}

fn escaped(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;");
    text.replace('>', "&gt;").replace('"', "&quot;")
}
