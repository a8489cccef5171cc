//! Keys made, kept, read again and put to work, without GnuPG.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use super::{Error, Key, Wanted, keep, make, public_file};
use crate::model::{Mailbox, Span, Timestamp};

const NOW: Timestamp = Timestamp(1_794_816_000_000);
const DAY: Span = Span(86_400_000);

fn wanted(mailbox: &Mailbox) -> Wanted<'_> {
    Wanted {
        name: "Example Agency",
        mailbox,
        passphrase: "",
        expires: None,
    }
}

fn mailbox() -> Mailbox {
    "notices@agency.example".parse().unwrap()
}

/// A key file in a folder that goes with it.
fn kept(wanted: &Wanted<'_>) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key.asc");
    keep(&make(wanted, NOW).unwrap(), &file).unwrap();
    (folder, file)
}

#[test]
fn a_key_is_kept_for_its_owners_eyes_and_never_written_over() {
    let (_folder, file) = kept(&wanted(&mailbox()));
    let mode = |file: &PathBuf| std::fs::metadata(file).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&file), 0o600);
    let before = std::fs::read(&file).unwrap();
    let again = make(&wanted(&mailbox()), NOW).unwrap();
    let error = keep(&again, &file).unwrap_err().to_string();
    assert!(error.contains("key.asc: is there already"), "{error}");
    // Nor is a public key that somebody published.
    std::fs::remove_file(&file).unwrap();
    let error = keep(&again, &file).unwrap_err().to_string();
    assert!(error.contains("key.asc.pub: is there already"), "{error}");
    assert!(!file.exists());
    std::fs::remove_file(public_file(&file)).unwrap();
    keep(&again, &file).unwrap();
    assert_ne!(std::fs::read(&file).unwrap(), before);
}

#[test]
fn the_same_bytes_have_the_same_signature_and_others_another() {
    let (_folder, file) = kept(&wanted(&mailbox()));
    let signer = || Key::read(&file, NOW).unwrap().unlock("").unwrap();
    let sign = |bytes: &[u8], at| signer().sign(bytes, at).unwrap();
    let first = sign(b"one", NOW);
    assert!(first.starts_with("-----BEGIN PGP SIGNATURE-----\n"));
    assert_eq!(sign(b"one", NOW), first);
    assert_ne!(sign(b"two", NOW), first);
    assert_ne!(sign(b"one", NOW.plus(DAY)), first);
    let early = signer().sign(b"one", NOW.minus(DAY)).unwrap_err();
    assert!(early.contains("made only at 2026-11-16"), "{early}");
}

#[test]
fn the_fingerprint_stands_in_ten_groups_of_four() {
    let made = make(&wanted(&mailbox()), NOW).unwrap();
    let groups: Vec<&str> = made.fingerprint.split(' ').collect();
    assert_eq!(groups.len(), 10);
    let is_hex = |c: char| c.is_ascii_digit() || ('A'..='F').contains(&c);
    assert!(
        groups
            .iter()
            .all(|one| one.len() == 4 && one.chars().all(is_hex))
    );
}

#[test]
fn a_locked_key_opens_by_its_passphrase_alone() {
    let mailbox = mailbox();
    let wanted = Wanted {
        passphrase: "正しい馬",
        ..wanted(&mailbox)
    };
    let (_folder, file) = kept(&wanted);
    let unlock = |passphrase: &str| Key::read(&file, NOW).unwrap().unlock(passphrase);
    assert!(Key::read(&file, NOW).unwrap().facts().is_locked);
    for (passphrase, said) in [
        ("", "LAPWING_SIGN__PASSPHRASE"),
        ("wrong", "does not unlock it"),
    ] {
        let error = unlock(passphrase).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
        assert!(!error.contains("wrong") && !error.contains("正しい馬"));
    }
    unlock("正しい馬").unwrap().sign(b"", NOW).unwrap();
}

#[test]
fn a_key_counts_from_when_it_was_made_until_its_end() {
    let mailbox = mailbox();
    let wanted = Wanted {
        expires: Some(Span(DAY.0 * 40)),
        ..wanted(&mailbox)
    };
    let (_folder, file) = kept(&wanted);
    let read = |days: i64| Key::read(&file, Timestamp(NOW.0 + days * DAY.0));
    let warned = |days: i64| {
        let now = Timestamp(NOW.0 + days * DAY.0);
        let warnings = read(days).unwrap().facts().warnings(now);
        warnings
            .iter()
            .any(|one| one.contains("expires on 2026-12-26"))
    };
    assert_eq!((warned(9), warned(10), warned(39)), (false, true, true));
    for (days, said) in [(-1, "made in the future"), (40, "expired on 2026-12-26")] {
        let Error { problem, .. } = read(days).unwrap_err();
        assert!(problem.contains(said), "{problem}");
    }
}

#[test]
fn a_key_that_others_can_read_is_warned_of_unless_it_is_locked() {
    let mailbox = mailbox();
    for (passphrase, is_warned) in [("", true), ("secret", false)] {
        let (_folder, file) = kept(&Wanted {
            passphrase,
            ..wanted(&mailbox)
        });
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o644)).unwrap();
        let warnings = Key::read(&file, NOW).unwrap().facts().warnings(NOW);
        assert_eq!(
            warnings.iter().any(|one| one.contains("chmod 600")),
            is_warned
        );
    }
}

#[test]
fn names_that_would_forge_a_user_id_are_refused() {
    let mailbox = mailbox();
    for name in ["", "  ", "A <x@evil.example>", "x@evil.example"] {
        let wanted = Wanted {
            name,
            ..wanted(&mailbox)
        };
        assert!(make(&wanted, NOW).is_err(), "{name}");
    }
}

#[test]
fn what_is_no_key_is_said_in_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let armored = |body: &str| {
        format!(
            "-----BEGIN PGP PRIVATE KEY BLOCK-----\n\n{body}\n-----END PGP PRIVATE KEY BLOCK-----\n"
        )
    };
    let cut = make(&wanted(&mailbox()), NOW).unwrap().secret;
    for text in [
        String::new(),
        "key = 1\n".to_owned(),
        "\0".repeat(5_000),
        armored(""),
        armored("AAAA"),
        armored(&"/".repeat(4_000)),
        cut[..cut.len() / 2].to_owned(),
        cut.replacen("YJ", "ZK", 1),
    ] {
        let file = folder.path().join("key.asc");
        std::fs::write(&file, &text).unwrap();
        if let Err(error) = Key::read(&file, NOW) {
            let said = error.to_string();
            assert!(
                said.contains("key.asc: ") && said.lines().count() == 1,
                "{said}"
            );
            assert!(said.len() < 600, "{said}");
        } else {
            assert!(text.contains("PRIVATE"), "{text}");
        }
    }
}
