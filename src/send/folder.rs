//! The folder that stands for a relay: how letters are looked at before anybody gets one.

use std::io::{self, Write};
use std::path::Path;

use super::relay::Trouble;
use crate::model::{Letter, Outcome, OutcomeKind, Step};

/// `LW-000042-5-1-abuse@isp.example.eml`, safe on every file system.
#[must_use]
pub fn file_name(letter: &Letter) -> String {
    let stem = format!("{}-{}-{}", letter.ticket, letter.part, letter.recipient);
    let fit = |c: char| {
        if c.is_ascii_alphanumeric() || "-@._+".contains(c) {
            c
        } else {
            '_'
        }
    };
    format!("{}.eml", stem.chars().map(fit).collect::<String>())
}

/// # Errors
/// When there is no such folder and none can be made.
pub(super) async fn make_ready(folder: &Path) -> Result<(), Trouble> {
    let made = tokio::fs::create_dir_all(folder).await;
    made.map_err(|error: io::Error| Trouble {
        relay: folder.display().to_string(),
        step: Step::Connect,
        cause: error.to_string(),
        is_lasting: false,
        again_at: None,
    })
}

/// Writes the message under a name of its own, and moves it into place when it is on the disk. A
/// full disk is the folder's trouble, not the letter's.
pub(super) async fn put_down(folder: &Path, letter: &Letter, message: Vec<u8>) -> Outcome {
    let name = file_name(letter);
    let (path, unfinished) = (folder.join(&name), folder.join(format!(".{name}.part")));
    let place = path.clone();
    // The standard library's file says at the write what went wrong; tokio's may say it later.
    let written = tokio::task::spawn_blocking(move || {
        let mut file = std::fs::File::create(&unfinished)?;
        let whole = file.write_all(&message).and_then(|()| file.sync_all());
        whole
            .and_then(|()| std::fs::rename(&unfinished, &place))
            .inspect_err(|_| {
                // What is half there must not be taken for a letter; the error is what counts.
                let _ = std::fs::remove_file(&unfinished);
            })
    });
    let written = written
        .await
        .unwrap_or_else(|error| Err(io::Error::other(error)));
    let (kind, step, reply) = match written {
        Ok(()) => (
            OutcomeKind::Accepted,
            Step::Dot,
            format!("written to {}", path.display()),
        ),
        Err(error) => (
            OutcomeKind::Relay,
            Step::Connect,
            format!("{}: {error}", path.display()),
        ),
    };
    Outcome {
        kind,
        relay: format!("the folder {}", folder.display()),
        sent_to: None,
        step,
        code: 0,
        enhanced: String::new(),
        reply,
    }
}
