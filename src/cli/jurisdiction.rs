//! Countries: what each changes in a letter, and what that rests on.

use clap::Subcommand;

use super::Ended;
use super::context::Context;
use crate::compose::{self, Jurisdiction};
use crate::store;

#[derive(Debug, Subcommand)]
pub(super) enum Action {
    /// All countries that have a file under templates/jurisdiction
    List,
    /// One country, and what its file rests on
    Show {
        /// Two letters: JP
        country: String,
    },
}

pub(super) fn run(context: &Context, action: &Action) -> anyhow::Result<Ended> {
    let templates = context.templates()?;
    match action {
        Action::List => {
            for one in compose::jurisdictions(&templates)? {
                context.out.line(&one, in_a_line(&one))?;
            }
        }
        Action::Show { country } => {
            let country = country.to_ascii_uppercase();
            let one = Jurisdiction::of(&templates, &country)?;
            if one.country.is_empty() {
                anyhow::bail!(store::Error::NotFound {
                    what: "jurisdiction",
                    name: country
                });
            }
            context.out.say(&one, in_full(&one))?;
        }
    }
    Ok(Ended::Well)
}

fn in_a_line(one: &Jurisdiction) -> String {
    let mut line = format!(
        "{}  {}  {}",
        one.country,
        one.languages.join(", "),
        one.name
    );
    for (what, measures) in [("reserved", &one.reserved), ("withheld", &one.withheld)] {
        if !measures.is_empty() {
            line.push_str(&format!("; {what}: {}", measures.join(", ")));
        }
    }
    line
}

fn in_full(one: &Jurisdiction) -> String {
    let mut text = format!("{}  {}\n", one.country, one.name);
    for (what, said) in [
        ("languages", one.languages.join(", ")),
        ("agency", one.agency.clone()),
        ("CSIRT", one.csirt.clone()),
        ("reserved", one.reserved.join(", ")),
        ("withheld", one.withheld.join(", ")),
        ("source", one.source.clone()),
    ] {
        let said = if said.is_empty() { "-" } else { &said };
        text.push_str(&format!("{what:>10}  {said}\n"));
    }
    for (language, note) in &one.note {
        text.push_str(&format!("\nnote ({language}):\n{note}\n"));
    }
    text
}
