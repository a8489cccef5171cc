//! What is compared with and is not ours: brought from its registries, each time a measurement wants it.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

/// Runs the script beside this file; an error is a reason to go on without.
pub(crate) fn fetch(what: &str, folder: &Path) -> Result<()> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bench/fetch");
    let ran = Command::new("sh")
        .arg(script)
        .arg(what)
        .arg(folder)
        .output()
        .context("there is no shell")?;
    let said = String::from_utf8_lossy(&ran.stderr);
    ensure!(
        ran.status.success(),
        "{}",
        said.trim().lines().last().unwrap_or("fetch failed")
    );
    Ok(())
}
