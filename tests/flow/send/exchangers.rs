//! Providers that are known by the hosts that take their customers' mail.

use std::time::Instant;

use lapwing::config::Pace;

use super::{copies, of, queue, states};
use crate::fake::dns::{Answer, Dns, SERVFAIL};
use crate::story;
use crate::world::World;

/// The hosts below `big.example` are those of one provider, which takes a letter in ten minutes.
fn knows_big(world: &mut World, dns: &Dns) {
    let big = Pace {
        domains: Vec::new(),
        mx: vec!["big.example".parse().unwrap()],
        every: "10m".parse().unwrap(),
        connections: 0,
    };
    world.config.pace.insert("big".to_owned(), big);
    world.config.resolve.dns.resolver = dns.place();
    world.config.resolve.dns.timeout = "300ms".parse().unwrap();
}

async fn hosts(world: &World, domain: &str) -> Option<Vec<String>> {
    let known = world.store.exchangers(&[domain]).await.unwrap();
    known.get(domain).map(|told| told.hosts.clone())
}

/// The desks 1 to 3, known whom they answer for and not yet written to.
async fn three_desks(world: &World) {
    world
        .table(
            "range,country,abuse\n192.0.2.1/32,DE,abuse@isp001.example\n\
             192.0.2.2/32,DE,abuse@isp002.example\n192.0.2.3/32,DE,abuse@isp003.example\n\
             192.0.2.4/32,DE,other@isp001.example\n",
        )
        .await;
    world
        .feed("192.0.2.1\n192.0.2.2\n192.0.2.3\n192.0.2.4\n")
        .await;
}

story!(customers_of_one_provider_share_its_pace, world, {
    let dns = Dns::at("127.0.0.1");
    dns.zone(
        "isp001.example MX 10 in1.big.example
         isp002.example MX 10 mx.isp002.example
         isp002.example MX 20 In2.Big.Example
         isp003.example MX 10 big.example
         isp004.example MX 10 mx.notbig.example
         isp005.example A 192.0.2.1
         isp007.example MX 0 .",
    );
    knows_big(&mut world, &dns);
    queue(&world, 8).await;
    let done = world.send().await;
    assert_eq!((done.accepted, done.kept_back), (6, 2), "one of three");
    for left in [1, 0] {
        world.later("10m");
        assert_eq!(world.send().await.accepted, 1);
        let waiting = states(&world).await.get("scheduled").copied();
        assert_eq!(waiting.unwrap_or(0), left);
    }
    assert_eq!(copies(&world).len(), 8);
});

story!(who_is_named_by_domain_is_not_asked_for_hosts, world, {
    let dns = Dns::at("127.0.0.1");
    for n in 1..=4 {
        dns.zone(&format!("isp00{n}.example MX 10 mx.big.example"));
    }
    knows_big(&mut world, &dns);
    let big = world.config.pace["big"].clone();
    let named = Pace {
        domains: vec![
            "isp001.example".parse().unwrap(),
            "isp002.example".parse().unwrap(),
        ],
        mx: Vec::new(),
        every: "0s".parse().unwrap(),
        ..big.clone()
    };
    // The nearest host counts, too: nobody is left to this one.
    let wide = Pace {
        mx: vec!["*.example".parse().unwrap()],
        every: "0s".parse().unwrap(),
        ..big
    };
    world.config.pace.insert("named".to_owned(), named);
    world.config.pace.insert("wide".to_owned(), wide);
    queue(&world, 4).await;
    let done = world.send().await;
    assert_eq!((done.accepted, done.kept_back), (3, 1));
});

story!(
    an_answer_is_kept_for_a_week_and_when_there_is_no_other,
    world,
    {
        let dns = Dns::at("127.0.0.1");
        dns.zone("isp001.example MX 10 old.big.example\nisp002.example MX 10 old.big.example");
        knows_big(&mut world, &dns);
        three_desks(&world).await;
        let done = world.resolve().await.exchangers;
        assert_eq!((done.domains, done.unanswered), (3, 0), "each domain once");
        let old = Some(vec!["old.big.example".to_owned()]);
        assert_eq!(hosts(&world, "isp001.example").await, old);
        assert_eq!(hosts(&world, "isp003.example").await, Some(Vec::new()));

        world.later("6d");
        assert_eq!(world.resolve().await.exchangers.domains, 0);
        world.later("2d");
        dns.on("isp001.example", Answer::Code(SERVFAIL));
        dns.on("isp002.example", Answer::NoData);
        let done = world.resolve().await.exchangers;
        assert_eq!((done.domains, done.unanswered), (3, 1));
        assert!(!done.given_up);
        assert_eq!(hosts(&world, "isp001.example").await, old);
        assert_eq!(hosts(&world, "isp002.example").await, Some(Vec::new()));
    }
);

story!(a_resolver_that_is_silent_delays_nothing, world, {
    const DESKS: usize = 100;
    let dns = Dns::at("127.0.0.1");
    for n in 1..=DESKS {
        dns.on(&format!("isp{n:03}.example"), Answer::Silence);
    }
    knows_big(&mut world, &dns);
    let began = Instant::now();
    queue(&world, DESKS).await;
    // Not all of them are waited for, one after the other or in turns.
    let asked = dns.questions();
    let names: std::collections::BTreeSet<&str> = asked
        .iter()
        .map(|question| question.name.as_str())
        .collect();
    assert!(names.len() < 60, "{} domains", names.len());
    assert!(began.elapsed().as_secs() < 30, "{:?}", began.elapsed());
    assert_eq!(world.send().await.accepted, DESKS as u64);
    assert_eq!(states(&world).await, of([("accepted", DESKS)]));
});

story!(staff_see_how_many_domains_were_asked_for, world, {
    let dns = Dns::at("127.0.0.1");
    dns.zone("isp001.example MX 10 mx.big.example");
    dns.on("isp002.example", Answer::Code(SERVFAIL));
    three_desks(&world).await;
    let ran = world.lapwing(&["resolve", "trial"]);
    assert!(!ran.out.contains("MX"), "nobody wants to know: {ran:?}");
    assert_eq!(dns.questions(), []);

    let settings = format!(
        "[pace.big]\nmx = [\"big.example\"]\nevery = \"1h\"\n[resolve.dns]\nresolver = \"{}\"\n",
        dns.place()
    );
    std::fs::write(world.dir().join("lapwing.toml"), settings).unwrap();
    let ran = world.lapwing(&["resolve", "trial"]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(
        ran.out
            .contains("3 domains asked for their MX, 1 without an answer\n"),
        "{ran:?}"
    );
    let ran = world.lapwing(&["resolve", "trial", "--json"]);
    let told: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    let asked = serde_json::json!({ "domains": 1, "unanswered": 1, "given_up": false });
    assert_eq!(told["done"]["exchangers"], asked, "only who did not answer");
});
