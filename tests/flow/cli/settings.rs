//! Where each setting comes from, as the program shows it.

use super::Office;
use crate::story;

story!(
    every_value_says_where_it_was_said_and_no_secret_is_shown,
    world,
    {
        let mut office = Office::furnished(&world);
        office.file("word", "s3cret\n");
        office.file(
        "own.toml",
        "mode = \"test\"\n\n[smtp]\nhost = \"localhost\"\n\n[relay.second]\npassword = \"s3cret\"\n",
    );
        office.set("LAPWING_SMTP__PORT", 2525);
        office.set("LAPWING_SMTP__PASSWORD_FILE", "word");
        office.set("LAPWING_CONFIG", "own.toml");
        let shown = office.well("config show --changed");
        for (key, value, origin) in [
            ("smtp.host", "\"localhost\"", "own.toml:4"),
            ("smtp.port", "2525", "LAPWING_SMTP__PORT"),
            (
                "smtp.password",
                "\"***\"",
                "word, by LAPWING_SMTP__PASSWORD_FILE",
            ),
            ("relay.second.password", "\"***\"", "own.toml:7"),
        ] {
            let lead = format!("{key} = {value} ");
            let line = shown.lines().find(|line| line.starts_with(&lead));
            let line = line.unwrap_or_else(|| panic!("{lead}\n{shown}"));
            assert!(line.ends_with(&format!("# {origin}")), "{line}");
        }
        assert!(!shown.contains("s3cret") && !shown.contains("send.retry"));
        assert!(
            !shown.contains("mode ="),
            "it is said, and is as shipped: {shown}"
        );
        let mode = office.well("config show mode");
        assert!(mode.ends_with("# own.toml:1\n"), "{mode}");
        assert!(shown.contains("# --database"), "{shown}");

        let (lines, code) = office.json("config show smtp.port send.retry");
        assert_eq!((lines.len(), code), (2, 0), "{lines:?}");
        assert_eq!(lines[0]["key"], "send.retry");
        assert_eq!(lines[0]["origin"]["from"], "default");
        assert_eq!(lines[1]["value"], 2525);
        assert_eq!(lines[1]["origin"]["name"], "LAPWING_SMTP__PORT");
    }
);
