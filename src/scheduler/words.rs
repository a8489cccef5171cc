//! A run's sheet in words, for staff: on the screen and by mail.

use std::fmt::Write;

use super::Ran;
use crate::model::{Occasion, RunState};

/// Lines of countries and languages that are shown.
const SHOWN: usize = 12;

/// In one line: which schedule, and what came of it; what needs somebody is loud.
#[must_use]
pub fn headline(ran: &Ran) -> String {
    let name = &ran.schedule;
    match ran.run.state {
        RunState::Failed => format!("{name} FAILED: {}", ran.run.told),
        RunState::Late => format!("{name} WAS NOT RUN: {}", ran.run.told),
        _ => format!("{name}: {}", ran.run.told),
    }
}

/// The whole sheet.
#[must_use]
pub fn sheet_text(ran: &Ran) -> String {
    let (run, sheet) = (&ran.run, &ran.run.sheet);
    let mut text = format!("{}\n\n", headline(ran));
    let mut line = |name: &str, words: String| {
        let _ = writeln!(text, "{name:<11}{words}");
    };
    line("schedule", format!("{} ({})", ran.schedule, ran.about.plan));
    if let Occasion::Reminder { day, .. } = run.occasion {
        line("reminder", format!("on day {day}"));
    }
    line("due", run.due_at.to_string());
    if sheet.missed > 0 {
        line(
            "missed",
            format!("{} due times before it, which it stands for", sheet.missed),
        );
    }
    if run.taken_over > 0 {
        line(
            "taken up",
            format!(
                "{} times, for its worker had died or was ended",
                run.taken_over
            ),
        );
    }
    line("feed", ran.about.feed.to_string());
    for file in &sheet.files {
        let told = match file.told.as_str() {
            "" => String::new(),
            told => format!(": {told}"),
        };
        line("", format!("{} {}{told}", file.name, file.fate.as_str()));
    }
    if let Some(campaign) = &ran.campaign {
        line("campaign", campaign.clone());
        line(
            "rows",
            format!(
                "{}: {} observations, {} repeated, {} refused",
                sheet.rows, sheet.fresh, sheet.repeated, sheet.refused
            ),
        );
        let compared = match sheet.before.as_str() {
            "" => format!("{} new; there is no run before", sheet.new),
            before => format!(
                "{} new, {} seen again, {} no longer seen, beside {before}",
                sheet.new, sheet.again, sheet.gone
            ),
        };
        line("addresses", compared);
        line(
            "suspects",
            format!(
                "{} with a contact, {} unknown, {} withheld, {} deferred",
                sheet.with_contact, sheet.unknown, sheet.withheld, sheet.deferred
            ),
        );
        let before = match sheet.letters_before {
            0 => String::new(),
            _ => format!("; {} in the run before", sheet.letters_before),
        };
        line(
            "letters",
            format!(
                "{} to {} contacts, {} of them never written to before{before}",
                sheet.letters, sheet.contacts, sheet.new_contacts
            ),
        );
    }
    let countries = sheet.countries.iter().map(|(country, letters, suspects)| {
        let country = if country.is_empty() {
            "no country"
        } else {
            country
        };
        format!("{country} {letters} ({suspects})")
    });
    if !sheet.countries.is_empty() {
        line("countries", listed(countries, "letters (observations): "));
    }
    let languages = sheet.languages.iter();
    let languages = languages.map(|(language, letters)| format!("{language} {letters}"));
    if !sheet.languages.is_empty() {
        line("languages", listed(languages, ""));
    }
    for note in &sheet.notes {
        line("note", note.clone());
    }
    if !run.mail_told.is_empty() {
        line(
            "mail",
            format!("this sheet could not be mailed: {}", run.mail_told),
        );
    }
    let next: Vec<String> = ran.next.iter().map(ToString::to_string).collect();
    line(
        "next",
        match &ran.about.paused {
            Some(paused) => format!("paused by {} since {}", paused.by, paused.at),
            None => next.join(", "),
        },
    );
    text
}

fn listed(words: impl ExactSizeIterator<Item = String>, lead: &str) -> String {
    let more = words.len().saturating_sub(SHOWN);
    let shown: Vec<String> = words.take(SHOWN).collect();
    let more = match more {
        0 => String::new(),
        n => format!(" and {n} more"),
    };
    format!("{lead}{}{more}", shown.join(", "))
}
