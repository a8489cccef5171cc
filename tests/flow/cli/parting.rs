//! What a command leaves behind of the database: one whole file, to be looked at by whatever comes next.

use super::{Office, list};
use crate::story;

/// Journals beside the database.
fn journals(office: &Office) -> Vec<String> {
    let mut files = Vec::new();
    list(office.dir.path(), "", &mut files);
    files.retain(|name| name.starts_with("letters.db-"));
    files
}

story!(no_journal_stays_beside_the_database, world, {
    let mut office = Office::approved(&world);
    assert_eq!(journals(&office), [""; 0]);
    office.set("LAPWING_SEND__TRANSPORT", "smtp");
    office.set("LAPWING_SMTP__PORT", world.sink.address().port());
    // What wrote much, what only read, and what was refused.
    for (line, code) in [
        ("send trial", 0),
        ("status trial", 0),
        ("send trial", 5),
        ("status nowhere", 4),
    ] {
        let ran = office.run(line);
        assert_eq!(ran.code, code, "lapwing {line}: {ran:?}");
        assert_eq!(journals(&office), [""; 0], "lapwing {line}");
    }
});
