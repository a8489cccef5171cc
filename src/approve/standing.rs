//! A second person's leave for what a schedule will write, given before it is written.

use super::is_same_person;
use crate::model::{Schedule, Standing};
use crate::store::{Error, Store};

/// Gives it. Whoever made the schedule as it is, or changed it last, cannot.
///
/// # Errors
/// [`Error::Refused`] when it is the same person, when nobody is said to give it, or when the schedule was
/// changed since it was looked at; the database's.
pub async fn give_standing(
    store: &Store,
    schedule: &Schedule,
    standing: &Standing,
) -> Result<(), Error> {
    may_give(schedule, &standing.by)?;
    store.give_standing(schedule, standing).await
}

/// Whether somebody may be the second person.
///
/// # Errors
/// [`Error::Refused`] when it is the schedule's author, or nobody.
pub fn may_give(schedule: &Schedule, by: &str) -> Result<(), Error> {
    if by.trim().is_empty() {
        return Err(Error::Refused(format!(
            "\"{}\" cannot be approved by nobody: say who you are, with --as",
            schedule.name
        )));
    }
    if is_same_person(&schedule.author, by) {
        return Err(Error::Refused(format!(
            "{by} answers for \"{}\" and cannot approve it: a second person must, with --as",
            schedule.name
        )));
    }
    Ok(())
}
