//! What commands print: text for people, JSON for programs.

use std::io::{self, Write};

use serde::Serialize;

#[derive(Clone, Copy, Debug)]
pub(super) struct Output {
    pub(super) json: bool,
    pub(super) dry_run: bool,
}

impl Output {
    /// One answer.
    pub(super) fn say(&self, value: &impl Serialize, text: impl AsRef<str>) -> anyhow::Result<()> {
        let mut line = if self.json {
            serde_json::to_string(value)?
        } else {
            text.as_ref().trim_end().to_owned()
        };
        if self.dry_run && !self.json {
            line.push_str("\nNothing was written (--dry-run).");
        }
        print(&format!("{line}\n"))
    }

    /// One line of a list.
    pub(super) fn line(&self, value: &impl Serialize, text: impl AsRef<str>) -> anyhow::Result<()> {
        let line = if self.json {
            serde_json::to_string(value)?
        } else {
            text.as_ref().trim_end().to_owned()
        };
        print(&format!("{line}\n"))
    }

    /// For people only: what to do where a list is empty.
    pub(super) fn none(&self, is_empty: bool, text: &str) -> anyhow::Result<()> {
        if is_empty { self.remark(text) } else { Ok(()) }
    }

    /// For people only: headings, what to do next.
    pub(super) fn remark(&self, text: &str) -> anyhow::Result<()> {
        if self.json {
            Ok(())
        } else {
            print(&format!("{text}\n"))
        }
    }
}

/// A mail server's reply or a feed's cell must not speak to the terminal: no control character
/// but the line's end gets there. A reader that has gone away (`| head`) is no error of ours.
pub(super) fn print(text: &str) -> anyhow::Result<()> {
    let speaks = |c: char| c.is_control() && c != '\n';
    let harmless: std::borrow::Cow<'_, str> = if text.contains(speaks) {
        text.replace(speaks, "\u{fffd}").into()
    } else {
        text.into()
    };
    print_raw(harmless.as_bytes())
}

/// What the program itself says to the terminal.
pub(super) fn print_raw(bytes: &[u8]) -> anyhow::Result<()> {
    match io::stdout().lock().write_all(bytes) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
        other => Ok(other?),
    }
}

/// `1 letter`, `2 letters`.
pub(super) fn count(n: impl TryInto<i64>, what: &str) -> String {
    let n = n.try_into().unwrap_or(i64::MAX);
    let ending = match (n, what.ends_with('s')) {
        (1, _) => "",
        (_, true) => "es",
        (_, false) => "s",
    };
    format!("{n} {what}{ending}")
}
