//! A campaign made by rule, as large as one likes, and the program that works on it.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, ensure};

/// `table.csv` and `feed.csv`: so many networks, in these countries by turns, each with so many
/// observations.
pub(crate) fn furnish(
    folder: &Path,
    networks: usize,
    rows: usize,
    countries: &[&str],
) -> Result<()> {
    let mut table = "range,abuse,name,country,asn\n".to_owned();
    let mut feed = "ip,time,class,source,evidence,port\n".to_owned();
    for number in 0..networks {
        let (high, low) = (number / 256, number % 256);
        writeln!(
            table,
            "60.{high}.{low}.0/24,abuse@isp{number}.example,NET-{number},{},{}",
            countries[number % countries.len()],
            64_496 + number % 16
        )?;
        for row in 0..rows {
            writeln!(
                feed,
                "60.{high}.{low}.{},2026-10-20T{:02}:{:02}:00Z,spam,trap-{},\"HELO pc{row}.example, 3 recipients refused\",{}",
                row * 7 + 1,
                row % 24,
                number % 60,
                row % 3,
                1_024 + number + row
            )?;
        }
    }
    fs::write(folder.join("table.csv"), table)?;
    fs::write(folder.join("feed.csv"), feed)?;
    Ok(())
}

/// The program in this folder, with nothing asked of the net.
pub(crate) fn lapwing(folder: &Path, line: &str, settings: &[(&str, &str)]) -> Result<()> {
    let ran = Command::new(env!("CARGO_BIN_EXE_lapwing"))
        .current_dir(folder)
        .args(line.split(' '))
        .env("LAPWING_RESOLVE__SOURCES", "overrides,table")
        .envs(settings.iter().copied())
        .output()?;
    let said = String::from_utf8_lossy(&ran.stderr);
    ensure!(ran.status.success(), "lapwing {line}: {said}");
    Ok(())
}
