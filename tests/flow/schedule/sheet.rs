//! What staff hear of a run: all of it, also that there was nothing, and loudly that it failed.

use lapwing::model::{Policy, Progress, SheetMail};
use lapwing::scheduler::{self, headline, sheet_text};

use super::{FEED, dropped, folder, monday, one, run, weekly, work};
use crate::story;
use crate::world::World;

async fn mail(world: &World) -> Vec<String> {
    let (clock, progress) = (world.clock(), Progress::default());
    let work = work(world, "worker", &clock, &progress);
    let mailed = scheduler::mail_sheets(&work).await.unwrap();
    mailed.into_iter().map(|one| one.told).collect()
}

story!(a_sheet_is_mailed_until_it_is_out, world, {
    world.config.schedule.mail_to = vec!["desk@agency.example".to_owned()];
    weekly(&mut world, Policy::default()).await;
    dropped(&world, "zombies.csv", FEED);
    monday(&mut world, 0);
    let ran = one(run(&world).await);
    world.answers("RCPT desk@agency.example 451 4.7.1 later x1");
    let told = mail(&world).await;
    assert!(told[0].contains("451"), "{told:?}");
    let kept = world.store.run(ran.run.id).await.unwrap();
    assert_eq!(kept.mail, SheetMail::Due);
    assert!(kept.mail_told.contains("451"), "{}", kept.mail_told);
    assert_eq!(mail(&world).await, [""]);
    assert!(mail(&world).await.is_empty(), "once");
    let received = world.sink.received();
    assert_eq!(received.len(), 1);
    let message = String::from_utf8_lossy(&received[0].data).into_owned();
    for part in [
        "Auto-Submitted: auto-generated",
        "To: desk@agency.example",
        "Subject: [Lapwing] weekly: 2 letters wait",
        "weekly-2026-11-16T09:00Z",
        "US 2 (3)",
    ] {
        assert!(message.contains(part), "{part}\n{message}");
    }

    // Also that nothing was new, and louder that it went wrong.
    monday(&mut world, 0);
    run(&world).await;
    std::fs::remove_dir_all(folder(&world)).unwrap();
    monday(&mut world, 0);
    run(&world).await;
    assert_eq!(mail(&world).await, ["", ""]);
    let subjects: Vec<String> = world
        .sink
        .received()
        .iter()
        .map(|one| String::from_utf8_lossy(&one.data).into_owned())
        .filter_map(|text| {
            let line = text.lines().find(|line| line.starts_with("Subject: "))?;
            Some(line.to_owned())
        })
        .collect();
    assert!(subjects[1].contains("nothing was new"), "{subjects:?}");
    assert!(subjects[2].contains("weekly FAILED"), "{subjects:?}");
});

story!(letters_that_cannot_be_written_stop_the_run_loudly, world, {
    weekly(&mut world, Policy::default()).await;
    world.config.letter.templates = world.templates.clone();
    let body = world.templates.join("letter/notice/en");
    std::fs::create_dir_all(&body).unwrap();
    std::fs::write(body.join("subject.hbs"), "{{no_such_value}}").unwrap();
    dropped(&world, "zombies.csv", FEED);
    monday(&mut world, 0);
    let ran = one(run(&world).await);
    assert!(
        headline(&ran).starts_with("weekly FAILED: "),
        "{}",
        headline(&ran)
    );
    let text = sheet_text(&ran);
    assert!(text.contains("no_such_value"), "{text}");
    assert!(text.contains("2026-11-23T09:00:00Z"), "{text}");
});
