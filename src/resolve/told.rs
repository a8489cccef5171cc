//! The registries' answers that count, in memory, each source's by itself.

use std::collections::HashMap;

use super::segments::Segments;
use crate::config::SourceName;
use crate::model::{Answer, AnswerOutcome, Subject, Tier, Timestamp};
use crate::store::{Error, Store, StoredAnswer};

/// Answers read from the store at a time.
const PAGE: i64 = 5_000;

/// The sources that are asked live.
pub(super) const LIVE: [SourceName; 3] = [SourceName::Rdap, SourceName::Whois, SourceName::Dns];

#[derive(Debug, Default)]
pub(super) struct Told {
    answers: Vec<StoredAnswer>,
    /// One for each of [`LIVE`].
    layers: [Layer; LIVE.len()],
    about_as: HashMap<u32, Vec<usize>>,
}

#[derive(Debug, Default)]
struct Layer {
    segments: Segments,
    /// Which answer each of its ranges is.
    places: Vec<usize>,
}

impl Told {
    pub(super) async fn read(
        store: &Store,
        now: Timestamp,
        since: Option<Timestamp>,
    ) -> Result<Self, Error> {
        let mut answers: Vec<StoredAnswer> = Vec::new();
        loop {
            let after = answers.last().map_or(0, |last| last.id);
            let page = store.answers(after, now, PAGE).await?;
            if page.is_empty() {
                break;
            }
            answers.extend(page);
        }
        answers.retain(|one| since.is_none_or(|since| one.answer.asked_at >= since));
        let mut told = Self::default();
        for (layer, source) in told.layers.iter_mut().zip(LIVE) {
            let mut ranges = Vec::new();
            for (place, one) in answers.iter().enumerate() {
                if one.answer.source == source.as_str()
                    && let Some(range) = one.answer.range()
                {
                    ranges.push(range);
                    layer.places.push(place);
                }
            }
            layer.segments = Segments::build(ranges);
        }
        for (place, one) in answers.iter().enumerate() {
            if let Subject::As(asn) = one.answer.subject {
                told.about_as.entry(asn).or_default().push(place);
            }
        }
        told.answers = answers;
        Ok(told)
    }

    pub(super) fn is_empty(&self, layer: usize) -> bool {
        self.layers[layer].places.is_empty()
    }

    pub(super) fn segments(&self, layer: usize) -> &Segments {
        &self.layers[layer].segments
    }

    /// The answer that a range of a layer's segments stands for.
    pub(super) fn place(&self, layer: usize, range: usize) -> usize {
        self.layers[layer].places[range]
    }

    pub(super) fn answer(&self, place: usize) -> &StoredAnswer {
        &self.answers[place]
    }

    /// The origins that answers told.
    pub(super) fn origins(&self) -> impl Iterator<Item = u32> {
        self.answers.iter().filter_map(|one| one.answer.origin)
    }

    /// What was answered about an AS, with a contact before without.
    pub(super) fn about(&self, asn: u32) -> impl Iterator<Item = &Answer> {
        let places = self.about_as.get(&asn).into_iter().flatten();
        places.map(|place| &self.answers[*place].answer)
    }
}

/// Whether one may stop asking: somebody is named who answers for abuse, or a form. A technical
/// contact serves only when no other source knows better.
pub(super) fn is_enough(answer: &Answer) -> bool {
    match &answer.outcome {
        AnswerOutcome::Contact(tier, _) => *tier < Tier::Contact,
        AnswerOutcome::Form(_) => true,
        AnswerOutcome::None | AnswerOutcome::Fault => false,
    }
}
