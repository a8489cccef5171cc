//! The phased start of a campaign, shown and set.

use clap::Args;

use super::Ended;
use super::context::{Context, Usage};
use crate::model::Wave;
use crate::store::{Store, expect_unapproved};

/// Who is written to first.
#[derive(Debug, Args)]
pub(super) struct Waves {
    /// Its name
    name: String,
    /// From when on whom, of those whom the waves before have left: "2026-05-24 JP,KR", "2026-05-25
    /// share=20%", and at last "2026-05-26 *"; a day begins in UTC, 2026-05-24T08:00[Asia/Tokyo] there.
    /// They stand once the campaign is approved. Without any, those set are shown
    #[arg(long, value_name = "WAVE")]
    wave: Vec<String>,
    /// Let all of it begin at once again
    #[arg(long, conflicts_with = "wave")]
    none: bool,
}

pub(super) async fn run(
    context: &Context,
    store: &Store,
    options: &Waves,
) -> anyhow::Result<Ended> {
    let campaign = store.campaign(&options.name).await?;
    if options.wave.is_empty() && !options.none {
        let waves = store.waves(campaign.id).await?;
        context
            .out
            .none(waves.is_empty(), "All of it begins at once.")?;
        for wave in waves {
            let text = format!("{}  {}", wave.starts_at, wave.takes);
            context.out.line(&wave, text)?;
        }
        return Ok(Ended::Well);
    }
    let waves = options.wave.iter().map(|text| text.parse());
    let waves: Vec<Wave> = waves
        .collect::<Result<_, _>>()
        .map_err(|error: String| Usage(format!("--wave: {error}")))?;
    if !options.none {
        Wave::check(&waves).map_err(|error| Usage(format!("--wave: {error}")))?;
    }
    if context.dry_run {
        expect_unapproved(&campaign.name, campaign.state)?;
    } else {
        let now = context.clock.now();
        store
            .set_waves(&campaign.name, &waves, &context.by, now)
            .await?;
    }
    let told = serde_json::json!({ "campaign": campaign.name, "waves": waves });
    let text = match waves.as_slice() {
        [] => format!("{} begins at once", campaign.name),
        waves => waves
            .iter()
            .map(|wave| format!("{}  {}\n", wave.starts_at, wave.takes))
            .collect(),
    };
    context.out.say(&told, text)?;
    Ok(Ended::Well)
}
