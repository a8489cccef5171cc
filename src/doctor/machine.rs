//! This machine: room on the disks that letters and results lie on, and whether its clock agrees with others'.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::{Area, Finding};
use crate::config::{Config, Transport};
use crate::model::{Span, Timestamp};
use crate::store::Store;

const MIB: u64 = 1 << 20;

/// Room that a campaign of a hundred thousand letters may take, with what comes back of it.
const ENOUGH: u64 = 2048 * MIB;
/// Room below which the next import may fill the disk.
const LITTLE: u64 = 200 * MIB;

/// Leases and due times are read by the clocks of several machines.
const AGREES: Span = Span(2_000);
const DISAGREES: Span = Span(60_000);

/// The disks of the database's file, the folder that letters go into, and the journal.
pub(super) fn disks(config: &Config) -> Vec<Finding> {
    let mut places: Vec<(&str, PathBuf)> = Vec::new();
    if let Some(file) = config.database.url.strip_prefix("sqlite:") {
        let file = file.trim_start_matches("//");
        let file = file.split('?').next().unwrap_or_default();
        places.push(("database", PathBuf::from(file)));
    }
    if config.send.transport == Transport::Folder {
        places.push(("send.folder", config.send.folder.clone()));
    }
    if !config.send.journal.as_os_str().is_empty() {
        places.push(("send.journal", config.send.journal.clone()));
    }
    // What lies on one disk is told once.
    let mut disks: BTreeMap<Result<(u64, u64), String>, Vec<String>> = BTreeMap::new();
    for (what, place) in places {
        let what = format!("{} ({what})", place.display());
        disks.entry(free(&place)).or_default().push(what);
    }
    let disks = disks.into_iter();
    disks
        .map(|(free, what)| disk(free, &what.join(", ")))
        .collect()
}

fn disk(free: Result<(u64, u64), String>, what: &str) -> Finding {
    let free = match free {
        Ok((_, free)) => free,
        Err(why) => {
            let remedy = "make the folder, or name another";
            return Area::Disk.mend("disk", format!("{what}: {why}"), remedy);
        }
    };
    let said = format!("{} free for {what}", size(free));
    let remedy = "make room, or name a folder on another disk: sending stops when it is full";
    match free {
        0..LITTLE => Area::Disk.mend("disk", said, remedy),
        LITTLE..ENOUGH => Area::Disk.warn("disk", said, remedy),
        _ => Area::Disk.ok("disk", said),
    }
}

/// Which disk a place lies on, or would, and the bytes that are free on it to whom we are.
fn free(place: &Path) -> Result<(u64, u64), String> {
    let mut there = std::path::absolute(place).map_err(|error| error.to_string())?;
    while !there.exists() {
        if !there.pop() {
            return Err("there is no such folder".to_owned());
        }
    }
    let disk = rustix::fs::statvfs(&there).map_err(|error| error.to_string())?;
    // Rounded: two looks at one disk must find the same.
    let free = disk.f_bavail.saturating_mul(disk.f_frsize) / MIB * MIB;
    Ok((disk.f_fsid, free))
}

fn size(bytes: u64) -> String {
    match bytes / MIB {
        mib @ 10_240.. => format!("{} GiB", mib / 1024),
        mib => format!("{mib} MiB"),
    }
}

/// `now` is this machine's time when the look began, which is not long ago: what passed since is added.
pub(super) async fn clock(config: &Config, now: Timestamp, began: Instant) -> Finding {
    let store = match Store::open(&config.database.url).await {
        Ok(store) => store,
        Err(error) => return Area::Clock.found_nobody("clock", error.to_string()),
    };
    let asked = began.elapsed();
    let told = store.time().await;
    let answered = began.elapsed();
    store.close().await;
    // It was told somewhere between question and answer, and nobody knows where.
    let span = |time: Duration| Span(time.as_millis() as i64);
    let here = now.plus(span((asked + answered) / 2));
    let doubt = span((answered - asked) / 2);
    match told {
        Ok(None) => Area::Clock.ok(
            "clock",
            "the database is a file here: no other clock counts",
        ),
        Ok(Some(there)) => compare(here, there, doubt),
        Err(error) => Area::Clock.found_nobody("clock", error.to_string()),
    }
}

/// They may lie so much nearer to each other as is in doubt.
fn compare(here: Timestamp, there: Timestamp, doubt: Span) -> Finding {
    let apart = here.since(there).max(there.since(here));
    let apart = Span((apart.0 - doubt.0).max(0));
    let way = if here > there { "ahead of" } else { "behind" };
    let said = format!("this machine's clock is {apart} {way} the database server's");
    let remedy = "let both keep time by NTP (timedatectl set-ntp true)";
    if apart <= AGREES {
        Area::Clock.ok(
            "clock",
            "this machine's clock agrees with the database server's",
        )
    } else if apart < DISAGREES {
        Area::Clock.warn("clock", said, remedy)
    } else {
        Area::Clock.mend("clock", said, remedy)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Grade;

    #[test]
    fn room_and_time_are_weighed() {
        for (free, grade) in [
            (10 * MIB, Grade::Mend),
            (LITTLE, Grade::Warn),
            (ENOUGH, Grade::Ok),
            (900 * 1024 * MIB, Grade::Ok),
        ] {
            assert_eq!(disk(Ok((1, free)), "x").grade, grade, "{free}");
        }
        for (apart, grade) in [
            (0, Grade::Ok),
            (-2_000, Grade::Ok),
            (5_000, Grade::Warn),
            (-59_000, Grade::Warn),
            (3_600_000, Grade::Mend),
        ] {
            let now = Timestamp(1_000_000_000);
            let finding = compare(now, now.plus(Span(apart)), Span(0));
            assert_eq!(finding.grade, grade, "{apart}: {}", finding.said);
        }
        let slow = compare(Timestamp(9_000), Timestamp(5_000), Span(3_000));
        assert_eq!(slow.grade, Grade::Ok, "{}", slow.said);
        let ahead = compare(Timestamp(3_600_000), Timestamp(0), Span(0)).said;
        assert!(ahead.contains("60 min ahead of"), "{ahead}");
    }

    #[test]
    fn a_folder_that_is_not_there_yet_lies_on_the_disk_that_it_will_lie_on() {
        let dir = tempfile::tempdir().unwrap();
        let here = free(dir.path()).unwrap();
        let there = free(&dir.path().join("not/yet")).unwrap();
        assert_eq!(here.0, there.0);
    }
}
