//! The page around a letter's HTML: the same for all letters of a language but for three places, and so
//! rendered once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;

use super::jurisdiction::{ENGLISH, Translation};
use super::layout::escape;
use crate::templates::{Error, Templates};

const TEMPLATE: &str = "part/letter.html.hbs";

/// Stands around the name of a place. No template and no value holds it: what comes from outside has
/// no control characters, and a letter's own pieces are put in behind.
const PLACE: char = '\u{1}';

/// By language, the page in pieces: text, the name of a place, text, and so on.
#[derive(Debug, Default)]
pub(super) struct Frames(Mutex<HashMap<String, Arc<[String]>>>);

#[derive(Serialize)]
struct Page<'a> {
    locale: &'a str,
    direction: &'a str,
    title: &'a str,
    content: &'a str,
    bilingual: bool,
    /// Says, in the letter's own language, that English follows.
    second_lead: String,
    second_locale: &'a str,
    second_content: &'a str,
}

impl Frames {
    /// The whole page of a letter; `content` and `second` are HTML, `title` is not. English has no second
    /// language.
    ///
    /// # Errors
    /// What is missing in the template.
    pub(super) fn around(
        &self,
        templates: &Templates,
        language: &Translation,
        title: &str,
        content: &str,
        second: &str,
    ) -> Result<String, Error> {
        let frame = self.of(templates, language)?;
        let title = escape(title);
        let mut page = String::with_capacity((8 << 10) + content.len() + second.len());
        for (at, piece) in frame.iter().enumerate() {
            page.push_str(match piece.as_str() {
                text if at % 2 == 0 => text,
                "title" => &title,
                "content" => content,
                _ => second,
            });
        }
        Ok(page)
    }

    fn of(&self, templates: &Templates, language: &Translation) -> Result<Arc<[String]>, Error> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(frame) = known.get(&language.locale) {
            return Ok(Arc::clone(frame));
        }
        let place = |name: &str| format!("{PLACE}{name}{PLACE}");
        let page = Page {
            locale: &language.locale,
            direction: &language.words.direction,
            title: &place("title"),
            content: &place("content"),
            bilingual: language.locale != ENGLISH,
            second_lead: escape(&language.words.english_below).into_owned(),
            second_locale: ENGLISH,
            second_content: &place("second"),
        };
        let rendered = templates.render(TEMPLATE, &page)?;
        let frame: Arc<[String]> = rendered.split(PLACE).map(str::to_owned).collect();
        known.insert(language.locale.clone(), Arc::clone(&frame));
        Ok(frame)
    }
}
