//! How hard each registry has been asked, and which of them are closed to us.

use super::Ended;
use super::context::Context;
use super::output::count;

pub(super) async fn registries(context: &Context) -> anyhow::Result<Ended> {
    let store = context.store().await?;
    let lines = store.registries(context.clock.now()).await?;
    for line in &lines {
        // A gate, `ripe/whois`, counts nothing; it is shown while it is closed.
        let is_gate = line.name.contains('/');
        let limit = context.config().resolve.registry.get(&line.name);
        let text = match (&line.closed_until, limit.map_or(0, |limit| limit.a_day)) {
            (Some(until), _) => format!(
                "{:<16} closed until {until}: {}",
                line.name, line.closed_why
            ),
            (None, _) if is_gate => continue,
            (None, 0) => format!(
                "{:<16} {} today",
                line.name,
                count(line.asked_today, "question")
            ),
            (None, a_day) => format!(
                "{:<16} {} today, of {a_day}",
                line.name,
                count(line.asked_today, "question")
            ),
        };
        context.out.line(line, text)?;
    }
    context
        .out
        .none(lines.is_empty(), "No registry has been asked yet.")?;
    Ok(Ended::Well)
}
