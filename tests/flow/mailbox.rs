//! Mail out of files: nothing is put away before it is kept, and what is taken twice is one.

use std::fs;
use std::path::Path;

use lapwing::model::{Progress, WayIn};
use lapwing::store::{Error, Store};
use lapwing::track::mailbox::{Messages, Taken, take};

use crate::story;
use crate::world::World;

/// What was taken, and what was said of the rest.
async fn taken(world: &World, store: &Store, path: &Path) -> Result<(Taken, String), Error> {
    let mut messages = Messages::open(path, world.now).unwrap();
    let mut told = Vec::new();
    let tell = |broken: lapwing::track::mailbox::Broken| told.push(broken.to_string());
    let taken = take(store, &mut messages, &Progress::default(), tell).await?;
    Ok((taken, told.join("\n")))
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let name = |entry: fs::DirEntry| entry.file_name().into_string().unwrap();
    let mut names: Vec<String> = entries.map(|entry| name(entry.unwrap())).collect();
    names.sort();
    names
}

story!(a_maildir_is_emptied_when_its_messages_are_kept, world, {
    let maildir = world.dir().join("Maildir");
    let (new, cur) = (maildir.join("new"), maildir.join("cur"));
    for (folder, name, text) in [
        (
            &new,
            "1.M1.mx",
            "Return-Path: <>\nDelivered-To: postmaster@coalition.example\n\na",
        ),
        (&new, "2.M2.mx", ""),
        (&new, "3.M3.mx", "Subject: c\n"),
        (&cur, "4.M4.mx:2,R", "Subject: d\n"),
        (&cur, "5.M5.mx:2,S", "Subject: e\n"),
        (&maildir.join("tmp"), "6.M6.mx", "Subject: half"),
    ] {
        fs::create_dir_all(folder).unwrap();
        fs::write(folder.join(name), text).unwrap();
    }
    let before = (names(&new), names(&cur));
    let away = Store::open(&world.url).await.unwrap();
    away.close().await;
    let error = taken(&world, &away, &maildir).await.unwrap_err();
    assert!(error.is_passing(), "{error}");
    assert_eq!((names(&new), names(&cur)), before);

    let (done, told) = taken(&world, &world.store, &maildir).await.unwrap();
    assert_eq!((done.new, done.again, done.broken, done.left), (3, 0, 1, 1));
    assert!(told.contains("2.M2.mx:1: there is no message"), "{told}");
    assert_eq!(names(&new), ["2.M2.mx"]);
    let seen = ["1.M1.mx:2,S", "3.M3.mx:2,S", "4.M4.mx:2,RS", "5.M5.mx:2,S"];
    assert_eq!(names(&cur), seen);
    let kept = world.store.unread(0, 10).await.unwrap();
    let first = &kept[0].arrived;
    assert_eq!((first.via, first.came_at), (WayIn::File, world.now));
    assert_eq!(first.envelope_to, "postmaster@coalition.example");

    let (done, _) = taken(&world, &world.store, &maildir).await.unwrap();
    assert_eq!((done.new, done.again, done.broken, done.left), (0, 0, 1, 4));
    // Whoever wants all of them names the folder.
    let (done, _) = taken(&world, &world.store, &cur).await.unwrap();
    assert_eq!((done.new, done.again, done.left), (1, 3, 0));
});

story!(an_mbox_taken_twice_is_one, world, {
    let mbox = world.dir().join("reports");
    let message = |n| format!("From MAILER-DAEMON Mon Nov 16 08:00:00 2026\nSubject: {n}\n\nx\n\n");
    fs::write(&mbox, (0..300).map(message).collect::<String>()).unwrap();
    let (done, told) = taken(&world, &world.store, &mbox).await.unwrap();
    assert_eq!((done.new, done.again, told.as_str()), (300, 0, ""));
    let (done, _) = taken(&world, &world.store, &mbox).await.unwrap();
    assert_eq!((done.new, done.again), (0, 300));
});
