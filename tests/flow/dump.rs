//! Registries' dumps become the local table, and suspects find the mailboxes they tell.

use std::fs;
use std::path::{Path, PathBuf};

use lapwing::config::RungName;
use lapwing::model::{AddressRange, Mailbox, Progress};
use lapwing::resolve::{self, TableDone, TableError, TableFiles};
use lapwing::store::{Outline, StoredNetwork};

use crate::story;
use crate::world::World;

fn folder(case: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/dump")
        .join(case)
}

/// All files of a case but what is expected of it.
fn files(case: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder(case))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| !path.ends_with("expect"))
        .collect();
    files.sort();
    files
}

impl World {
    async fn try_load(&self, files: &[PathBuf]) -> Result<Vec<TableDone>, TableError> {
        let from = TableFiles {
            files,
            charset: None,
            map: &[],
        };
        let progress = Progress::default();
        resolve::load_tables(Some(&self.store), &from, "author", self.now, &progress).await
    }

    async fn load(&self, files: &[PathBuf]) -> Vec<TableDone> {
        self.try_load(files).await.unwrap()
    }

    /// Writes a file of this text and loads it.
    async fn load_text(&self, name: &str, text: &str) -> TableDone {
        let file = self.dir().join(name);
        fs::write(&file, text).unwrap();
        self.load(&[file]).await.remove(0)
    }

    async fn networks(&self) -> Vec<StoredNetwork> {
        let mut ids = Vec::new();
        let each = |one: Outline<'_>| {
            ids.push(one.id);
            Ok(())
        };
        self.store.outlines(0, 10_000, each).await.unwrap();
        let mut networks = self.store.networks(&ids).await.unwrap();
        networks.sort_by_key(|one| one.network.range);
        networks
    }

    async fn network(&self, range: &str) -> StoredNetwork {
        let range: AddressRange = range.parse().unwrap();
        let all = self.networks().await;
        let found = all.into_iter().find(|one| one.network.range == range);
        found.unwrap()
    }

    /// All that is in the table, a line each.
    async fn table_lines(&self) -> Vec<String> {
        let joined = |contacts: &[Mailbox]| {
            let contacts: Vec<&str> = contacts.iter().map(Mailbox::as_str).collect();
            contacts.join("+")
        };
        let mut lines = Vec::new();
        for one in self.networks().await {
            let n = one.network;
            let asn = n.asn.map_or_else(|| "-".to_owned(), |asn| asn.to_string());
            let end = if one.ends_ladder { " END" } else { "" };
            lines.push(format!(
                "{} {} | {} | {} | AS {asn} | {} | {} | {}{end}",
                n.range,
                n.name,
                n.holder,
                n.country,
                n.handle,
                n.registry,
                joined(&n.contacts)
            ));
        }
        let numbers: Vec<u32> = (64_496..=64_511).collect();
        for one in self.store.systems(&numbers).await.unwrap() {
            let s = one.system;
            lines.push(format!(
                "AS{} {} | {} | {} | {} | {} | {}",
                s.asn,
                s.name,
                s.holder,
                s.country,
                s.handle,
                s.registry,
                joined(&s.contacts)
            ));
        }
        lines
    }

    async fn is_as_expected(&self, case: &str) {
        let mut files = files(case);
        let mut done = self.load(&files).await;
        let mut lines = self.table_lines().await;
        // The order of the files is nothing.
        files.reverse();
        self.load(&files).await;
        assert_eq!(self.table_lines().await, lines);
        done.sort_by(|a, b| a.name.cmp(&b.name));
        for one in done {
            lines.push(format!(
                "{}: {} networks, {} with contact, {} systems, {} references, {} lacking, {} passed, {} refused",
                one.name,
                one.networks,
                one.with_contact,
                one.systems,
                one.references,
                one.lacking,
                one.passed,
                one.refused
            ));
            let refusals = one.refusals.into_iter();
            lines.extend(refusals.map(|r| format!("  {}: {}; {}", r.line, r.reason, r.remedy)));
        }
        let told = lines.join("\n") + "\n";
        let path = folder(case).join("expect");
        if std::env::var_os("BLESS").is_some() {
            fs::write(&path, &told).unwrap();
        }
        let expected = fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(
            told, expected,
            "{case}; if it should: BLESS=1 cargo test dump, and read what changed"
        );
    }
}

story!(a_database_of_ripes_kind_is_read, world, {
    world.is_as_expected("ripe").await;
});

story!(a_database_of_apnics_kind_is_read, world, {
    world.is_as_expected("apnic").await;
});

story!(a_database_in_one_file_is_read, world, {
    world.is_as_expected("afrinic").await;
});

story!(statistics_of_all_registries_are_read, world, {
    world.is_as_expected("delegated").await;
});

story!(suspects_find_the_desks_that_a_database_names, world, {
    world.load(&files("delegated")).await;
    world.load(&files("ripe")).await;
    world
        .feed(
            "192.0.2.1\n192.0.2.70\n192.0.2.101\n192.0.2.110\n192.0.2.129\n192.0.2.140\n192.0.2.161\n\
             192.0.2.193\n192.0.2.225\n192.0.2.233\n198.51.100.1\n198.51.100.129\n198.51.100.200\n203.0.113.1\n2001:db8:1::1\n",
        )
        .await;
    // First by what the database says of the networks alone.
    world.config.resolve.ladder = vec![RungName::Parent];
    world.resolve().await;
    assert_eq!(
        world.places().await,
        [
            // By the allocation around the shop.
            "192.0.2.1 abuse@carrier.example",
            "192.0.2.70 abuse@customer.example",
            "192.0.2.101 abuse@customer.example",
            "192.0.2.110 abuse@carrier.example",
            // An end user's own space, and what lies in it.
            "192.0.2.129 unresolved",
            "192.0.2.140 unresolved",
            "192.0.2.161 unresolved",
            "192.0.2.193 abuse@customer.example",
            // A mirrored object.
            "192.0.2.225 unresolved",
            "192.0.2.233 abuse@customer.example",
            "198.51.100.1 unresolved",
            // The registry's own machines, and space that it only keeps.
            "198.51.100.129 abuse@ripe.net",
            "198.51.100.200 unresolved",
            "203.0.113.1 unresolved",
            "2001:db8:1::1 abuse@carrier.example",
        ]
    );
    let end_user = world.lookup("192.0.2.129").await;
    assert_eq!(
        end_user[0].reason,
        "192.0.2.128/27 (END-USER) has no contact, and the ranges around it do not answer for it: \
         it is an end user's own, or mirrored from elsewhere"
    );
    // Then with the AS that it is reached by, where the space around it does not answer for it.
    world.config.resolve.ladder = vec![RungName::Parent, RungName::As];
    world.resolve().await;
    let places = world.places().await;
    for by_as in [
        "192.0.2.129 abuse@carrier.example",
        "192.0.2.225 abuse@carrier.example",
        "198.51.100.200 unresolved",
    ] {
        assert!(places.iter().any(|place| place == by_as), "{places:?}");
    }
});

story!(
    all_registries_together_lead_to_the_right_mailboxes,
    world,
    {
        let mut all = files("delegated");
        all.extend(files("apnic"));
        all.extend(files("afrinic"));
        world.load(&all).await;
        world
        .feed("198.51.100.1\n198.51.100.130\n198.51.100.161\n198.51.100.193\n198.51.100.225\n203.0.113.1\n203.0.113.129\n")
        .await;
        world.resolve().await;
        assert_eq!(
            world.places().await,
            [
                "198.51.100.1 abuse@broadband.example",
                "198.51.100.130 cert@mail.example",
                "198.51.100.161 abuse@desk.example",
                "198.51.100.193 abuse@isp.example",
                "198.51.100.225 unresolved",
                "203.0.113.1 abuse@safari.example",
                "203.0.113.129 abuse@remark.example",
            ]
        );
    }
);

story!(who_knows_less_takes_nothing_away, world, {
    world.load(&files("ripe")).await;
    world.load(&files("delegated")).await;
    // Statistics gave 192.0.2.0/24 and AS64500 a country and an opaque handle.
    let kept = world.network("192.0.2.0/24").await;
    assert_eq!(kept.network.handle, "ORG-LIR1-TEST");
    assert_eq!(kept.network.contacts.len(), 1);
    assert_eq!(kept.source, "inetnum.db");
    assert_eq!(
        world.store.systems(&[64_500]).await.unwrap()[0].source,
        "aut-num.db"
    );
    let filled = world.store.systems(&[64_503, 64_504]).await.unwrap();
    assert_eq!(filled[1].system.handle, "RIPE-bbbb-2");

    // A table of origins has neither names nor contacts.
    world.table("range,asn\n192.0.2.0/24,64511\n").await;
    let kept = world.network("192.0.2.0/24").await;
    assert_eq!(kept.network.name, "NL-CARRIER");
    assert_eq!(kept.network.contacts.len(), 1);
    assert_eq!(kept.source, "inetnum.db");

    // A mailbox is news, whoever tells it, and the database without one does not take it back.
    world
        .table("range,abuse\n192.0.2.0/26,desk@shop.example\n")
        .await;
    let renewed = world.network("192.0.2.0/26").await;
    assert_eq!(renewed.source, "networks.csv");
    assert_eq!(renewed.network.name, "SHOP");
    world.load(&files("ripe")).await;
    let kept = world.network("192.0.2.0/26").await;
    assert_eq!(kept.network.contacts[0].as_str(), "desk@shop.example");

    // The same database, later, without the contact: it is gone.
    let gone = "inetnum: 192.0.2.64 - 192.0.2.99\nnetname: NEWS\nmnt-by: LIR1-MNT\nsource: RIPE\n";
    world.load_text("later.db", gone).await;
    let renewed = world.network("192.0.2.64-192.0.2.99").await;
    assert_eq!(renewed.network.name, "NEWS");
    assert!(renewed.network.contacts.is_empty());
    assert_eq!(renewed.network.country, "");
});

story!(what_is_broken_costs_no_more_than_itself, world, {
    let long = "x".repeat(200_000);
    let text = format!(
        "inetnum: 192.0.2.0 - 192.0.2.255\nnetname: FIRST\nsource: RIPE\n\n\
         no colon at all\nnetname: LOST\n\n\
         inetnum: 198.51.100.0 - 198.51.100.255\nnetname: LONG\ndescr: {long}\nsource: RIPE\n\n\
         inetnum: 203.0.113.255 - 203.0.113.0\nsource: RIPE\n\n\
         {long}: {long}\n\n\
         inetnum: 203.0.113.0 - 203.0.113.255\nnetname: LAST\nsource: RIPE"
    );
    let done = world.load_text("broken.db", &text).await;
    let names: Vec<String> = world
        .networks()
        .await
        .into_iter()
        .map(|one| one.network.name)
        .collect();
    assert_eq!(names, ["FIRST", "LAST"]);
    let refusals: Vec<(u64, &str)> = done
        .refusals
        .iter()
        .map(|refusal| (refusal.line, refusal.reason.as_str()))
        .collect();
    assert_eq!(
        refusals,
        [
            (5, "this is no attribute: value"),
            (10, "a line is longer than 64 KiB"),
            (
                13,
                "203.0.113.255 lies behind 203.0.113.0; the object was left out"
            ),
            (16, "a line is longer than 64 KiB"),
        ]
    );
    assert_eq!(done.refused, 4);

    // A packed file that was cut off.
    let whole = fs::read(folder("ripe").join("inet6num.db.gz")).unwrap();
    let cut = world.dir().join("cut.db.gz");
    fs::write(&cut, &whole[..whole.len() - 20]).unwrap();
    let done = world.load(&[cut]).await;
    assert_eq!(done[0].refused, 1, "{done:?}");
    assert!(done[0].refusals[0].reason.contains("cannot be read beyond"));
});

story!(what_is_no_dump_is_said_before_anything_is_stored, world, {
    let letter = world.dir().join("letter.txt");
    fs::write(&letter, "Dear abuse desk,\nplease find attached\n").unwrap();
    let mut all = files("ripe");
    all.push(letter);
    let error = world.try_load(&all).await.unwrap_err();
    assert!(
        error.to_string().starts_with("letter.txt is neither"),
        "{error}"
    );
    assert!(world.networks().await.is_empty());
    let missing = world.try_load(&[world.dir().join("missing")]).await;
    assert!(matches!(missing, Err(TableError::Unreadable { .. })));
});

story!(the_program_says_what_each_file_gave, world, {
    let inetnum = folder("apnic").join("inetnum.db");
    let irt = folder("apnic").join("irt.db");
    let role = folder("apnic").join("role.db");
    let [inetnum, irt, role] = [&inetnum, &irt, &role].map(|path| path.to_str().unwrap());
    let ran = world.lapwing(&["--dry-run", "table", "load", inetnum, irt, role]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert_eq!(
        ran.out,
        "inetnum.db: 5 networks, 4 with a contact of their own, 1 given to nobody or held elsewhere, 0 refused\n\
         irt.db: 0 networks, 0 with a contact of their own, 4 objects to refer to, 0 refused\n\
         role.db: 0 networks, 0 with a contact of their own, 2 objects to refer to, 0 refused\n\
         Nothing was written (--dry-run).\n"
    );
    assert!(world.networks().await.is_empty());
    let alone = world.lapwing(&["table", "load", inetnum]);
    assert!(
        alone.out.contains("refer to objects that no file held"),
        "{}",
        alone.out
    );
    let listed = world.lapwing(&["--json", "table", "load", inetnum, irt]);
    assert_eq!(listed.out.lines().count(), 2);
    assert!(
        listed.out.starts_with("{\"name\":\"inetnum.db\""),
        "{}",
        listed.out
    );
    let ran = world.lapwing(&["table", "load", inetnum, "--map", "range=col1"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("is a registry's database"), "{}", ran.err);
});
