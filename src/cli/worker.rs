//! Who a worker is, and whether one that holds letters, questions or a campaign is still alive.

use std::collections::BTreeMap;
use std::path::Path;

use super::context::Context;
use super::output::count;
use crate::model::Campaign;
use crate::store::{self, Store};

/// Who this worker is, unique among all that ever ran: host, process, place, chance.
pub(super) fn worker() -> String {
    use std::hash::{BuildHasher, Hasher};
    let chance = std::collections::hash_map::RandomState::new()
        .build_hasher()
        .finish();
    let place = place().unwrap_or_default();
    format!("{}/{}/{place}/{chance:016x}", host(), std::process::id())
}

/// What this machine is called.
pub(super) fn host() -> String {
    read("/proc/sys/kernel/hostname").unwrap_or_else(|| "localhost".to_owned())
}

/// What a process of this place held that is no more goes back into the queue at once, instead of
/// when its lease ends.
pub(super) async fn bury_the_dead(
    context: &Context,
    store: &Store,
    campaign: &Campaign,
) -> anyhow::Result<()> {
    for worker in store.holders(campaign.id).await? {
        let Some(process) = dead(&worker, place().as_deref()) else {
            continue;
        };
        let ended = store.end_leases(&worker, context.clock.now()).await?;
        context.out.remark(&format!(
            "{} held by process {process}, which is no more; back in the queue",
            count(ended as i64, "letter")
        ))?;
    }
    Ok(())
}

/// A run of a process that is no more is taken up at once, instead of when its lease ends.
pub(super) async fn bury_runners(context: &Context, store: &Store) -> anyhow::Result<()> {
    let here = place();
    for (run, worker) in store.runners().await? {
        if let Some(process) = dead(&worker, here.as_deref()) {
            store.hold_run(run, &worker, context.clock.now()).await?;
            context.out.remark(&format!(
                "a run was left by process {process}, which is no more; going on from there"
            ))?;
        }
    }
    Ok(())
}

/// Questions of a process that is no more are given back at once, and so is the campaign that it was
/// resolving, instead of when their leases end.
pub(super) async fn bury_askers(
    context: &Context,
    store: &Store,
    campaign: Option<&Campaign>,
) -> anyhow::Result<()> {
    let here = place();
    for asker in store.askers().await? {
        if let Some(process) = dead(&asker, here.as_deref()) {
            let ended = store.end_questions(&asker).await?;
            context.out.remark(&format!(
                "{} by process {process}, which is no more; it may be put again",
                count(ended as i64, "question")
            ))?;
        }
    }
    let Some(campaign) = campaign else {
        return Ok(());
    };
    let resolver = store.resolver(campaign.id).await?;
    let process = resolver
        .as_deref()
        .and_then(|one| dead(one, here.as_deref()));
    if let (Some(resolver), Some(process)) = (resolver, process) {
        // Somebody else may just have taken it: then it is theirs.
        if store.end_resolving(campaign.id, &resolver).await.is_ok() {
            context.out.remark(&format!(
                "process {process}, which resolved it, is no more; going on from there"
            ))?;
        }
    }
    Ok(())
}

/// The process of a worker that is certainly no more; what stands behind the worker's own name, as
/// with questions, does not matter.
fn dead(worker: &str, here: Option<&str>) -> Option<u32> {
    process_here(worker, here).filter(|process| !lives(*process))
}

/// The processes of this place that say they live, each with its last signs under every name that it has.
pub(super) async fn signs_here(store: &Store) -> Result<BTreeMap<u32, Signs>, store::Error> {
    let here = place();
    let mut signs: BTreeMap<u32, Signs> = BTreeMap::new();
    for (worker, beats) in store.beats().await? {
        if let Some(process) = process_here(&worker, here.as_deref())
            && lives(process)
        {
            signs.entry(process).or_default().insert(worker, beats);
        }
    }
    Ok(signs)
}

/// By the worker's name, how often it has said so.
pub(super) type Signs = BTreeMap<String, i64>;

/// The process of a worker, where its number means something here.
fn process_here(worker: &str, here: Option<&str>) -> Option<u32> {
    let mut parts = worker.split('/').skip(1);
    let (process, place) = (parts.next()?, parts.next()?);
    let process = process.parse().ok()?;
    (Some(place) == here).then_some(process)
}

fn lives(process: u32) -> bool {
    Path::new("/proc").join(process.to_string()).exists()
}

/// Where the number of a process means that process: one run of one machine's kernel, and one
/// container on it. The host's name does not say it, for containers on the host's network share
/// it, and so do machines that were never named.
fn place() -> Option<String> {
    let boot = read("/proc/sys/kernel/random/boot_id")?;
    let namespace = std::fs::read_link("/proc/self/ns/pid").ok()?;
    let namespace: String = namespace
        .to_string_lossy()
        .chars()
        .filter(char::is_ascii_digit)
        .collect();
    Some(format!("{}-{namespace}", boot.get(..8)?))
}

fn read(path: &str) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_would_be_seen_here_is_taken_for_dead() {
        let own = std::process::id();
        // Beyond what Linux numbers: nobody is that process.
        let nobody = u32::MAX;
        for (worker, here, is_dead) in [
            (format!("mail/{own}/b00t-1/abc"), Some("b00t-1"), false),
            (format!("mail/{nobody}/b00t-1/abc"), Some("b00t-1"), true),
            (format!("other/{nobody}/b00t-1/abc"), Some("b00t-1"), true),
            (
                format!("mail/{nobody}/b00t-1/abc/Rdap/2001:db8::/32"),
                Some("b00t-1"),
                true,
            ),
            (
                format!("mail/{own}/b00t-1/abc/Rdap/2001:db8::/32"),
                Some("b00t-1"),
                false,
            ),
            (format!("mail/{nobody}/b00t-2/abc"), Some("b00t-1"), false),
            (format!("mail/{nobody}/b11t-1/abc"), Some("b00t-1"), false),
            (format!("mail/{nobody}//abc"), None, false),
            (format!("mail/{nobody}/abc"), Some("b00t-1"), false),
            ("worker".to_owned(), Some("b00t-1"), false),
            (String::new(), Some("b00t-1"), false),
        ] {
            assert_eq!(dead(&worker, here).is_some(), is_dead, "{worker}");
        }
        assert_eq!(dead(&worker(), place().as_deref()), None);
    }
}
