//! National registries with tables of their own: Korea, Japan, Taiwan.

use super::scan::{Block, Part};
use super::{Lead, Reply, Status, distance, range, remarks};
use crate::model::{AddressRange, Mailbox, Tier, parse_asn};

pub(super) fn read(part: &Part, asked: Option<AddressRange>) -> Option<Reply> {
    korea(part)
        .or_else(|| japan(part, asked))
        .or_else(|| taiwan(part))
}

fn of(registry: &str, country: &str, range: Option<AddressRange>) -> Reply {
    Reply {
        status: Status::Found,
        range,
        country: country.to_owned(),
        registry: registry.to_owned(),
        ..Reply::default()
    }
}

fn first<'a>(blocks: &[&'a Block], keys: &[&str]) -> &'a str {
    let values = keys
        .iter()
        .flat_map(|key| blocks.iter().map(move |block| block.get(key)));
    values
        .into_iter()
        .find(|value| !value.is_empty())
        .unwrap_or_default()
}

fn mailboxes<'a>(block: &'a Block, keys: &'a [&str]) -> impl Iterator<Item = Mailbox> + 'a {
    keys.iter()
        .flat_map(|key| block.values(key))
        .flat_map(remarks::mailboxes)
}

const KOREAN_MAIL: [&str; 3] = ["e-mail", "전자우편", "전자우편주소"];

const ENGLISH: [&str; 3] = ["ipv4 address", "ipv6 address", "as number"];
const KOREAN: [&str; 3] = ["ipv4주소", "ipv6주소", "as번호"];

/// What was asked about as it stands in one language, and the blocks below it.
type Entry<'a> = (Option<AddressRange>, Option<u32>, Vec<&'a Block>);

/// KRNIC shows the provider's block and then the customer's, each in Korean and in English; the
/// provider is who can do something.
fn korea(part: &Part) -> Option<Reply> {
    let entries = entries(part, &ENGLISH, &KOREAN);
    let entries = if entries.is_empty() {
        self::entries(part, &KOREAN, &ENGLISH)
    } else {
        entries
    };
    let is_customer = |blocks: &[&Block]| {
        first(blocks, &["network type", "네트워크 구분"]).eq_ignore_ascii_case("customer")
    };
    let provider = entries.iter().find(|(_, _, blocks)| !is_customer(blocks));
    let (range, asn, blocks) = provider.or(entries.first())?;
    let mut reply = of("krnic", "KR", *range);
    reply.asn = *asn;
    let names = [
        "service name",
        "network name",
        "as name",
        "서비스명",
        "네트워크 이름",
        "as이름",
    ];
    reply.name = first(blocks, &names).to_owned();
    reply.holder = first(blocks, &["organization name", "org name", "기관명"]).to_owned();
    reply.add_handle(&reply.name.clone());
    let all = entries.iter().flat_map(|(_, _, blocks)| blocks);
    for block in all.filter(|block| block.section.contains("abuse")) {
        reply.note(Tier::Explicit, "", mailboxes(block, &KOREAN_MAIL));
    }
    let is_providers = |block: &&&Block| block.section.contains("isp");
    let (providers, others): (Vec<&&Block>, Vec<&&Block>) = blocks.iter().partition(is_providers);
    for block in providers.into_iter().chain(others) {
        reply.note(Tier::Contact, "", mailboxes(block, &KOREAN_MAIL));
    }
    Some(reply)
}

fn entries<'a>(part: &'a Part, keys: &[&str], other_language: &[&str]) -> Vec<Entry<'a>> {
    // JPNIC writes `AS Number`, too.
    let says = |line: &str| line.contains("krnic") || line.contains("kisa");
    let mut lines = part.comments.iter().map(String::as_str).chain(part.loose());
    let is_korean = lines.any(|line| says(&line.to_lowercase()));
    let mut entries: Vec<Entry<'_>> = Vec::new();
    for block in &part.blocks {
        let value = first(&[block], keys);
        let range = range::parse(value);
        let asn = parse_asn(value).filter(|_| is_korean && range.is_none());
        if range.is_some() || asn.is_some() {
            entries.push((range, asn, vec![block]));
        } else if let Some((_, _, blocks)) = entries.last_mut()
            && first(&[block], other_language).is_empty()
        {
            blocks.push(block);
        }
    }
    entries
}

/// JPNIC's fields are lettered; their names are Japanese, or English where `/e` was asked for.
fn japan(part: &Part, asked: Option<AddressRange>) -> Option<Reply> {
    const NETWORK: [&str; 3] = ["network number", "ipネットワークアドレス", "ipアドレス"];
    const SYSTEM: [&str; 2] = ["as number", "as番号"];
    let networks = part.blocks.iter().filter_map(|block| {
        let range = range::parse(first(&[block], &NETWORK));
        let asn = parse_asn(first(&[block], &SYSTEM));
        (range.is_some() || asn.is_some()).then_some((range, asn, block))
    });
    let networks: Vec<_> = networks.collect();
    let nearest = networks
        .into_iter()
        .rev()
        .min_by_key(|(range, _, _)| distance(*range, asked));
    let (range, asn, block) = nearest?;
    let mut reply = of("jpnic", "JP", range);
    reply.asn = asn;
    reply.name = first(
        &[block],
        &["network name", "ネットワーク名", "as name", "as名"],
    )
    .to_owned();
    reply.holder = first(&[block], &["organization", "組織名"]).to_owned();
    reply.add_handle(&reply.name.clone());
    reply.note(Tier::Explicit, "", mailboxes(block, &["abuse"]));
    reply.heed("", remarks::read(block.lines(&["remarks", "備考"])));

    let technical = [
        "technical contact",
        "技術連絡担当者",
        "administrative contact",
        "管理者連絡窓口",
    ];
    let handles: Vec<&str> = technical
        .iter()
        .flat_map(|key| block.values(key))
        .filter(|handle| !handle.is_empty())
        .collect();
    let is_person = |block: &&Block| {
        !first(
            &[block],
            &[
                "jpnic handle",
                "jpnicハンドル",
                "group handle",
                "グループハンドル",
            ],
        )
        .is_empty()
    };
    for person in part.blocks.iter().filter(is_person) {
        reply.note(
            Tier::Contact,
            "",
            mailboxes(person, &["e-mail", "電子メール"]),
        );
    }
    if let Some(handle) = handles.first().filter(|_| reply.contacts.is_empty()) {
        reply.add_lead(Lead::Handle {
            handle: (*handle).to_owned(),
        });
    }
    Some(reply)
}

fn taiwan(part: &Part) -> Option<Reply> {
    let block = part.blocks.iter().find(|block| block.has("netblock"))?;
    let range = range::parse(block.get("netblock"))?;
    let mut reply = of("twnic", "TW", Some(range));
    reply.name = block.get("netname").to_owned();
    reply.holder = part.loose().next().unwrap_or_default().trim().to_owned();
    reply.add_handle(&reply.name.clone());
    for one in part
        .blocks
        .iter()
        .flat_map(|block| &block.attributes)
        .filter(|one| one.key.contains("contact"))
    {
        let is_abuse = ["abuse", "spam"].iter().any(|word| one.key.contains(word));
        let tier = if is_abuse {
            Tier::Explicit
        } else {
            Tier::Contact
        };
        reply.note(tier, "", remarks::mailboxes(&one.value));
    }
    Some(reply)
}
