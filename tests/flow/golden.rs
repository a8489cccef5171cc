//! The letters as their readers see them, word for word.
//!
//! They stand in `tests/golden/letters`; `BLESS=1 cargo test golden` writes them anew, to be read
//! with care, for thousands of abuse desks will.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use lapwing::model::Letter;
use lapwing::send;
use sqlx::{AnyConnection, Connection as _};

use crate::story;
use crate::world::World;

const TABLE: &str = "range,name,holder,country,asn,abuse
192.0.2.0/25,PRAIRIE-CABLE,Prairie Example Cable Inc.,US,64501,abuse@prairie.example
192.0.2.128/25,SAKURA-NET,さくら例示通信株式会社,JP,64496,abuse@sakura.example
";

const ROLL: &str = "agency,local_name,name_ja,country,framework,from,order
Demo Consumer Commission of the United States,,デモ消費者委員会（米国）,US,Demo Action Plan,2026-01-15,1
Demo Communications Agency of Japan,デモ通信庁,,JP,Demo Action Plan,2026-01-15,2
Demo Internet Safety Institute of Korea,데모인터넷안전원,デモインターネット安全院（韓国）,KR,Demo Memorandum,2026-01-15,3
";

fn feed(rows: u32) -> String {
    let mut feed = String::from("ip,seen,class,source,evidence,port,terminal\n");
    for (row, host) in (0..rows).flat_map(|row| [(row, 7 + row), (row, 135 + row)]) {
        let day = 1 + row * 2;
        writeln!(
            feed,
            "192.0.2.{host},2026-11-{day:02}T04:05:06Z,spam,trap-tokyo,\
             \"HELO user-pc, {row} messages in 5 min to trap, first of them to a mailbox that never existed\",\
             {},{}",
            49_152 + row,
            ["pc", "mobile", ""][(row % 3) as usize],
        )
        .unwrap();
    }
    feed
}

async fn compose(world: &mut World, feed: &str) {
    world.config.sender.name = "Example Coalition".to_owned();
    world.config.sender.reply_to = "desk@coalition.example".to_owned();
    world.config.sender.verify = "https://coalition.example/letters".to_owned();
    world.table(TABLE).await;
    world.feed(feed).await;
    world.resolve().await;
    know_the_key(&world.url).await;
    world.compose().await;
}

/// Chance would make other Message-IDs each time.
async fn know_the_key(url: &str) {
    sqlx::any::install_default_drivers();
    let mut connection = AnyConnection::connect(url).await.unwrap();
    sqlx::query("INSERT INTO token_key (id, value, made_at) VALUES (0, $1, 0)")
        .bind(vec![1_u8; 32])
        .execute(&mut connection)
        .await
        .unwrap();
    connection.close().await.unwrap();
}

/// Compares with the file, or writes it.
fn expect(name: &str, letter: &[u8]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden/letters")
        .join(name);
    if std::env::var_os("BLESS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        // Both engines may write at once: each sees the file whole.
        let draft = path.with_extension(format!("{:?}", std::thread::current().id()));
        fs::write(&draft, letter).unwrap();
        fs::rename(draft, path).unwrap();
        return;
    }
    let expected = fs::read(&path).unwrap_or_default();
    let (is, should) = (
        String::from_utf8_lossy(letter),
        String::from_utf8_lossy(&expected),
    );
    let differing = (1..)
        .zip(is.lines().zip(should.lines()))
        .find(|(_, (is, should))| is != should);
    assert!(
        is == should,
        "{name} reads otherwise, first here (line, now, before): {differing:#?}\n\
         If it should: BLESS=1 cargo test golden, and read what changed"
    );
}

fn expect_letter(name: &str, letter: &Letter) {
    let whole = format!("Subject: {}\n\n{}", letter.subject, letter.text);
    expect(&format!("{name}.txt"), whole.as_bytes());
    expect(&format!("{name}.html"), letter.html.as_bytes());
}

/// A message with the first line of each base64 body: what the others say stands beside, readable.
fn shortened(message: &[u8]) -> Vec<u8> {
    let is_base64 = |line: &&str| {
        !line.is_empty()
            && line
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"+/=".contains(&b))
    };
    let lines: Vec<&str> = std::str::from_utf8(message)
        .unwrap()
        .split("\r\n")
        .collect();
    let kept = lines.iter().enumerate().filter(|(at, line)| {
        let before = at.checked_sub(1).map(|before| lines[before]);
        !(is_base64(line) && before.as_ref().is_some_and(is_base64))
    });
    kept.map(|(_, line)| *line)
        .collect::<Vec<_>>()
        .join("\r\n")
        .into_bytes()
}

story!(golden_letters_about_one_network, world, {
    world.roll(ROLL).await;
    compose(&mut world, &feed(3)).await;
    for (mailbox, language) in [
        ("abuse@prairie.example", "en"),
        ("abuse@sakura.example", "ja"),
    ] {
        let letter = world.letter_to(mailbox).await;
        expect_letter(&format!("one-network.{language}"), &letter);
        let message = send::message(&letter).unwrap();
        expect(&format!("one-network.{language}.eml"), &shortened(&message));
        expect(
            &format!("one-network.{language}.csv"),
            &letter.attachments[0].content,
        );
    }
});

story!(golden_letters_in_parts, world, {
    world.roll(ROLL).await;
    world.config.letter.part_rows = 3;
    world.config.letter.table_rows = 2;
    compose(&mut world, &feed(8)).await;
    assert_eq!(world.opened().await.len(), 6);
    for letter in world
        .opened()
        .await
        .iter()
        .filter(|letter| letter.part == 2)
    {
        expect_letter(&format!("part-2-of-3.{}", letter.locale), letter);
    }
});

/// Networks whose contact is not their own: of the range around them, of their AS, their country's CSIRT.
const LADDER: &str = "range,name,holder,country,asn,abuse
192.0.2.0/24,PRAIRIE-CABLE,Prairie Example Cable Inc.,US,64501,abuse@prairie.example
192.0.2.64/26,PRAIRIE-SHOPS,Prairie Example Shops,US,64501,
198.51.100.0/25,MESA-DATA,Mesa Example Data,US,64502,noc@as-mesa.example
198.51.100.128/25,FUJI-NET,富士例示株式会社,JP,64503,noc@as-fuji.example
203.0.113.0/26,DELTA-1,Delta Example One,US,64504,cert@csirt-us.example
203.0.113.64/26,DELTA-2,Delta Example Two,US,64505,cert@csirt-us.example
203.0.113.128/25,MORI-NET,森例示株式会社,JP,64506,cert@csirt-jp.example
";

story!(golden_letters_say_why_they_come_to_their_mailbox, world, {
    world.roll(ROLL).await;
    world.config.sender.name = "Example Coalition".to_owned();
    world.table(LADDER).await;
    world
        .feed(
            "192.0.2.70\n198.51.100.9\n198.51.100.139\n203.0.113.9\n203.0.113.69\n203.0.113.139\n",
        )
        .await;
    world.resolve().await;
    for sql in [
        "UPDATE finding SET via = 'as', answers_for = 'AS64502' WHERE mailbox = 'noc@as-mesa.example'",
        "UPDATE finding SET via = 'as', answers_for = 'AS64503' WHERE mailbox = 'noc@as-fuji.example'",
        "UPDATE finding SET via = 'csirt', answers_for = country WHERE mailbox LIKE 'cert@csirt-%'",
    ] {
        world.behind_our_back(sql).await;
    }
    world.compose().await;
    for (mailbox, name) in [
        ("abuse@prairie.example", "range-around.en"),
        ("noc@as-mesa.example", "origin-as.en"),
        ("noc@as-fuji.example", "origin-as.ja"),
        ("cert@csirt-us.example", "national-csirt.en"),
        ("cert@csirt-jp.example", "national-csirt.ja"),
    ] {
        expect_letter(name, &world.letter_to(mailbox).await);
    }
});

story!(
    golden_letters_for_several_reasons_without_attachment,
    world,
    {
        compose(&mut world, "").await;
        world
            .table(
                "range,name,holder,country,asn,abuse
192.0.2.128/27,SAKURA-SHOP,例示商店,JP,64496,
198.51.100.0/26,SAKURA-2,例示二,JP,64496,abuse@sakura.example
",
            )
            .await;
        world
        .overrides("subject,mailbox,format\n198.51.100.0/26,abuse@sakura.example,text\n203.0.113.7,abuse@sakura.example,\n")
        .await;
        world.later("1m");
        world
            .feed("192.0.2.135\n192.0.2.199\n198.51.100.9\n203.0.113.7\n")
            .await;
        world.resolve().await;
        world.compose().await;
        let letter = world.letter_to("abuse@sakura.example").await;
        assert!(letter.attachments.is_empty());
        expect_letter("several-reasons.ja", &letter);
    }
);

story!(golden_letters_without_signatories_and_times, world, {
    compose(
        &mut world,
        "192.0.2.7\n192.0.2.9-192.0.2.11\n192.0.2.135\n192.0.2.137-192.0.2.139\n",
    )
    .await;
    for letter in world.opened().await {
        expect_letter(&format!("nobody-signs.{}", letter.locale), &letter);
    }
});
