//! Stage 4. A second person agrees to exactly what was rendered, and it goes into the queue.

mod review;
pub use review::Review;

mod standing;
pub use standing::{give_standing, may_give};

use std::collections::BTreeSet;

use serde::Serialize;

use crate::metrics::{Stage, timed};
use crate::model::{
    Campaign, CampaignKind, CampaignState, Decision, DecisionKind, Progress, Timestamp, Wave,
    digest_of_set, roll_digest, signing,
};
use crate::store::{Error, Store};
use review::{sender_of, unset};

/// Letters read at a time while their digests are checked.
const PAGE: i64 = 50;

/// What the second person has to know, and what has to be so before anything can be submitted.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Preflight {
    pub kind: CampaignKind,
    pub notices: i64,
    pub letters: i64,
    pub suspects: i64,
    /// SHA-256 over the rendered set: the thing that is approved.
    pub digest: String,
    /// When which of its letters may begin to leave, where it does not begin at once, and how many those are.
    pub waves: Vec<(Wave, i64)>,
    /// With one of these nothing can be submitted.
    pub problems: Vec<String>,
    /// These must be known, but are for people to weigh.
    pub warnings: Vec<String>,
    /// The languages of the letters that no reader of theirs has vouched for.
    pub unreviewed: Vec<String>,
}

/// Reads the whole rendered set once more, as it lies in the store.
///
/// # Errors
/// The database's.
pub async fn preflight(
    store: &Store,
    campaign: &Campaign,
    review: &Review,
    now: Timestamp,
    progress: &Progress,
) -> Result<Preflight, Error> {
    let totals = store.totals(campaign.id).await?;
    progress.expect(totals.letters.unsigned_abs());
    let mut preflight = Preflight {
        kind: campaign.kind,
        notices: totals.notices,
        letters: totals.letters,
        suspects: totals.letter_rows,
        ..Preflight::default()
    };
    let mut digests = Vec::new();
    let mut after = 0;
    let mut empty = 0;
    let mut locales = BTreeSet::new();
    let mut senders = BTreeSet::new();
    let waves = store.waves(campaign.id).await?;
    let mut sizes = vec![0_i64; waves.len()];
    loop {
        let page = store.letters(campaign.id, after, PAGE).await?;
        let Some(last) = page.last() else {
            break;
        };
        after = last.id;
        progress.add(page.len() as u64);
        for letter in &page {
            empty += i64::from(letter.text.trim().is_empty() || letter.subject.is_empty());
            digests.push(letter.digest());
            // The English stands below each other language.
            locales.extend([letter.locale.clone(), "en".to_owned()]);
            senders.insert(sender_of(letter));
            let wave = Wave::place_of(
                &waves,
                campaign.id,
                &letter.country,
                letter.recipient.as_str(),
            );
            if let Some(size) = wave.and_then(|place| sizes.get_mut(place)) {
                *size += 1;
            }
        }
    }
    preflight.waves = waves.into_iter().zip(sizes).collect();
    if digests != store.letter_digests(campaign.id).await? {
        preflight
            .problems
            .push("letters were changed after they were rendered; compose again".to_owned());
    }
    if empty > 0 {
        preflight
            .problems
            .push(format!("{empty} letters are empty; compose again"));
    }
    if review.is_live {
        let unset = senders.iter().filter_map(|sender| unset(sender, campaign));
        preflight.problems.extend(unset);
    }
    if campaign.composed_at.is_none() {
        preflight.problems.push(format!(
            "the letters are not rendered, or not since suspects or contacts changed; run `lapwing compose {}`",
            campaign.name
        ));
    } else if totals.letters == 0 {
        preflight.problems.push(format!(
            "there is no letter: no {} has a contact",
            campaign.kind.rows()
        ));
    }
    let changed = store.contacts_changed_at(now).await?;
    if campaign.resolved_at < changed && campaign.composed_at.is_some() {
        preflight.problems.push(format!(
            "contacts or overrides have changed since the suspects were resolved; run `lapwing resolve {0}` and `lapwing compose {0}`",
            campaign.name
        ));
    }
    if totals.letter_rows != totals.of("matched") {
        preflight.problems.push(format!(
            "the letters list {} {}s, but {} have a contact; compose again",
            totals.letter_rows,
            campaign.kind.rows(),
            totals.of("matched")
        ));
    }
    for (verdict, said) in [
        ("unresolved", "have no contact and are in no letter"),
        ("withheld", "are withheld by an override"),
        ("deferred", "wait for a registry and are in no letter"),
    ] {
        match totals.of(verdict) {
            0 => {}
            n => preflight
                .warnings
                .push(format!("{n} {}s {said}", campaign.kind.rows())),
        }
    }
    match store.count_unfounded(campaign.id).await? {
        0 => {}
        n => preflight.warnings.push(format!(
            "{n} listed suspects have no time, or neither source nor evidence; --require-evidence refuses such"
        )),
    }
    match totals.import.refused {
        0 => {}
        n => preflight.warnings.push(format!(
            "{n} row{} of the feeds refused; see `lapwing refused {}`",
            if n == 1 { "" } else { "s" },
            campaign.name
        )),
    }
    let roll = store.signatories().await?;
    if signing(&roll, now, "").is_empty() {
        preflight
            .warnings
            .push("no agency signs; see `lapwing signatory import`".to_owned());
    }
    let signed = store.composed_roll(campaign.id).await?;
    if campaign.composed_at.is_some() && signed != Some(roll_digest(&roll, now)) {
        preflight.problems.push(format!(
            "those who sign today, or their names, are others than when the letters were written; run `lapwing compose {}`",
            campaign.name
        ));
    }
    preflight.unreviewed = locales.difference(&review.reviewed).cloned().collect();
    if !preflight.unreviewed.is_empty() {
        preflight.warnings.push(format!(
            "nobody who reads them has reviewed the letters in {}",
            preflight.unreviewed.join(", ")
        ));
    }
    preflight.warnings.extend(review.needless(&locales));
    preflight.digest = digest_of_set(digests.iter().map(String::as_str));
    Ok(preflight)
}

/// Vouches for the rendered set and asks a second person.
///
/// # Errors
/// [`Error::Refused`] when preflight finds a problem or the campaign's state does not allow it.
pub async fn submit(
    store: &Store,
    campaign: &Campaign,
    by: &str,
    review: &Review,
    now: Timestamp,
    progress: &Progress,
) -> Result<Preflight, Error> {
    if campaign.state == CampaignState::Draft {
        let preflight = preflight(store, campaign, review, now, progress).await?;
        if let Some(problem) = preflight.problems.first() {
            return Err(Error::Refused(format!(
                "\"{}\" cannot be submitted: {problem}",
                campaign.name
            )));
        }
        decide(
            store,
            campaign,
            DecisionKind::Submitted,
            by,
            &preflight.digest,
            "",
            now,
        )
        .await?;
        return Ok(preflight);
    }
    decide(store, campaign, DecisionKind::Submitted, by, "", "", now).await?;
    Ok(Preflight::default())
}

/// The second person agrees: the letters go into the queue. The digest is computed anew from what
/// lies in the store, so that what leaves is what was submitted.
///
/// # Errors
/// [`Error::Refused`] when it is the same person, when a letter has changed, when a language is
/// not [accepted](Review::accepts), or when the campaign's state does not allow it.
pub async fn approve(
    store: &Store,
    campaign: &Campaign,
    by: &str,
    reason: &str,
    review: &Review,
    now: Timestamp,
    progress: &Progress,
) -> Result<Preflight, Error> {
    let _timed = timed(Stage::Approve);
    may_approve(store, campaign, by).await?;
    let preflight = preflight(store, campaign, review, now, progress).await?;
    if let (CampaignState::Submitted, Some(problem)) = (campaign.state, preflight.problems.first())
    {
        return Err(Error::Refused(format!(
            "\"{}\" cannot be approved: {problem}",
            campaign.name
        )));
    }
    if campaign.state == CampaignState::Submitted {
        review.accepts(&campaign.name, &preflight)?;
    }
    let known = preflight.unreviewed.iter();
    let decision = Decision {
        kind: DecisionKind::Approved,
        by: by.to_owned(),
        at: now,
        digest: preflight.digest.clone(),
        reason: reason.to_owned(),
        unreviewed: known
            .filter(|locale| review.accepted.contains(*locale))
            .cloned()
            .collect(),
    };
    write_down(store, campaign, decision).await?;
    Ok(preflight)
}

/// Whether somebody may be the second person.
///
/// # Errors
/// [`Error::Forbidden`] when it is the one who submitted.
pub async fn may_approve(store: &Store, campaign: &Campaign, by: &str) -> Result<(), Error> {
    let decisions = store.decisions(campaign.id).await?;
    let submitted = decisions
        .iter()
        .rev()
        .find(|one| one.kind == DecisionKind::Submitted);
    if submitted.is_some_and(|one| is_same_person(&one.by, by)) {
        return Err(Error::Forbidden(format!(
            "{by} submitted \"{}\" and cannot approve it: a second person must, with --as",
            campaign.name
        )));
    }
    Ok(())
}

/// Where a decision would lead.
///
/// # Errors
/// [`Error::Refused`] when the campaign's state does not allow it.
pub fn foresee(campaign: &Campaign, kind: DecisionKind) -> Result<CampaignState, Error> {
    campaign.state.after(kind).ok_or_else(|| {
        Error::Refused(format!(
            "\"{}\" is {} and cannot be {}",
            campaign.name,
            campaign.state,
            kind.as_str()
        ))
    })
}

/// Any other decision: return, pause, resume, cancel.
///
/// # Errors
/// [`Error::Refused`] when the campaign's state does not allow it, or nobody is said to decide.
pub async fn decide(
    store: &Store,
    campaign: &Campaign,
    kind: DecisionKind,
    by: &str,
    digest: &str,
    reason: &str,
    now: Timestamp,
) -> Result<CampaignState, Error> {
    let decision = Decision {
        kind,
        by: by.to_owned(),
        at: now,
        digest: digest.to_owned(),
        reason: reason.to_owned(),
        unreviewed: Vec::new(),
    };
    write_down(store, campaign, decision).await
}

async fn write_down(
    store: &Store,
    campaign: &Campaign,
    decision: Decision,
) -> Result<CampaignState, Error> {
    if decision.by.trim().is_empty() {
        return Err(Error::Refused(format!(
            "\"{}\" cannot be {} by nobody: say who you are, with --as",
            campaign.name,
            decision.kind.as_str()
        )));
    }
    store.decide(&campaign.name, &decision).await
}

/// Spaces, case and signs nobody sees make nobody a second person.
fn is_same_person(a: &str, b: &str) -> bool {
    let plain = |name: &str| -> String {
        name.chars()
            .filter(|c| c.is_alphanumeric())
            .flat_map(char::to_lowercase)
            .collect()
    };
    plain(a) == plain(b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_person_in_two_spellings_is_one() {
        for (a, b, same) in [
            ("alice", "Alice ", true),
            ("alice", "al\u{200b}ice", true),
            ("a.lice", "alice", true),
            ("alice", "bob", false),
        ] {
            assert_eq!(is_same_person(a, b), same, "{a} {b}");
        }
    }
}
