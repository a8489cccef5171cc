//! RDAP (RFC 9083), read without trust in its shape: what is missing, of another type or nested
//! without end costs only itself.

use serde_json::Value;

use super::{Lead, Reply, Status, charset, objects, placeholder, range, remarks, status, vcard};
use crate::model::Subject;
use crate::model::Tier;
use crate::resolve::registries::WHOIS_PORT;

/// Entities within entities.
const DEEPEST: usize = 8;

/// Brackets within brackets, which leaves room for cards in the deepest entity.
const BRACKETS: usize = 64;

/// Servers named by `port43`, and whose they are.
const PORT43: [(&str, &str); 10] = [
    ("ripe", "ripe"),
    ("arin", "arin"),
    ("apnic", "apnic"),
    ("afrinic", "afrinic"),
    ("lacnic", "lacnic"),
    ("registro.br", "nicbr"),
    ("nic.ad.jp", "jpnic"),
    ("kisa.or.kr", "krnic"),
    ("twnic", "twnic"),
    ("idnic", "idnic"),
];

/// Reads the body of an answer, whatever the status of HTTP was. With the question given, an answer
/// about something else is none.
pub(in crate::resolve) fn read(bytes: &[u8], query: Option<Subject>) -> Reply {
    let text = charset::decode(bytes);
    let start = text.trim_start();
    if start.starts_with('<') {
        return Reply::without(status::of_page(start));
    }
    let broken = |words: &str| {
        Reply::without(Status::Broken {
            words: words.to_owned(),
        })
    };
    if start.is_empty() {
        return broken("the answer is empty");
    }
    let Ok(body) = serde_json::from_slice::<Value>(&shallow(start.as_bytes())) else {
        return broken("the answer is no JSON, or was cut off");
    };
    if let Some(status) = refusal(&body) {
        return Reply::without(status);
    }
    describe(&body).map_or_else(
        || broken("the answer holds no network, AS or entity"),
        |reply| reply.settle(query),
    )
}

/// The JSON with `null` for all that is nested too deep to be read safely.
fn shallow(json: &[u8]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(json.len());
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in json {
        let is_inside = depth <= BRACKETS;
        match byte {
            _ if in_string => {
                in_string = escaped || *byte != b'"';
                escaped = !escaped && *byte == b'\\';
            }
            b'"' => in_string = true,
            b'[' | b'{' => {
                depth += 1;
                if depth == BRACKETS + 1 {
                    kept.extend(b"null");
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if is_inside && depth <= BRACKETS {
            kept.push(*byte);
        }
    }
    kept
}

/// Errors (RFC 9083 6), and limits that come as an answer.
fn refusal(body: &Value) -> Option<Status> {
    let text = |value: &Value| match value {
        Value::Array(lines) => lines
            .iter()
            .filter_map(Value::as_str)
            .collect::<Vec<_>>()
            .join(" "),
        other => other.as_str().unwrap_or_default().to_owned(),
    };
    let notices = body["notices"].as_array().into_iter().flatten();
    let mut titles = notices.map(|notice| text(&notice["title"]));
    if let Some(limit) = titles.find(|title| title.to_lowercase().contains("rate limit")) {
        return Some(status::later(&limit));
    }
    let code = &body["errorCode"];
    let code = code.as_u64().or_else(|| code.as_str()?.parse().ok())?;
    let words = format!(
        "{code} {} {}",
        text(&body["title"]),
        text(&body["description"])
    );
    Some(match code {
        404 => Status::NotFound,
        401 | 403 | 429 | 500.. => status::later(&words),
        _ => Status::Broken {
            words: words.trim().chars().take(120).collect(),
        },
    })
}

fn describe(body: &Value) -> Option<Reply> {
    let text = |key: &str| body[key].as_str().unwrap_or_default().trim();
    let range = range::between(text("startAddress"), text("endAddress"))
        .or_else(|| range::parse(text("handle")).filter(|_| !text("startAddress").is_empty()));
    let asn = body["startAutnum"]
        .as_u64()
        .and_then(|asn| u32::try_from(asn).ok());
    let is_entity = text("objectClassName") == "entity" || body.get("vcardArray").is_some();
    if range.is_none() && asn.is_none() && !is_entity {
        return None;
    }
    let mut entities = Vec::new();
    if is_entity {
        entities.push(body);
    }
    let within = level_by_level(body);
    entities.extend(within);
    let has_role = |entity: &Value, role: &str| {
        let roles = entity["roles"].as_array().into_iter().flatten();
        roles
            .filter_map(Value::as_str)
            .any(|one| one.eq_ignore_ascii_case(role))
    };
    let holder = entities
        .iter()
        .copied()
        .filter(|one| has_role(one, "registrant") || is_entity && std::ptr::eq(*one, body));
    let holder: Vec<&Value> = holder.collect();
    let description = described(body).next().unwrap_or_default();
    let full_name = holder
        .iter()
        .map(|one| vcard::full_name(one))
        .find(|name| !name.is_empty());
    let origin = body["arin_originas0_originautnums"]
        .get(0)
        .and_then(Value::as_u64);
    let mut reply = Reply {
        status: Status::Found,
        range,
        asn: asn.or_else(|| u32::try_from(origin?).ok()),
        name: text("name").to_owned(),
        holder: full_name.unwrap_or(description).to_owned(),
        country: objects::country(text("country")),
        registry: PORT43
            .iter()
            .find(|(host, _)| text("port43").contains(host))
            .map_or("", |(_, name)| name)
            .to_owned(),
        ..Reply::default()
    };
    if reply.country.is_empty() {
        let countries = holder.iter().map(|one| vcard::country(one));
        reply.country = countries
            .into_iter()
            .find(|code| !code.is_empty())
            .unwrap_or_default();
    }
    let handle = |entity: &Value| entity["handle"].as_str().unwrap_or_default().to_owned();
    for one in [text("handle"), text("name")] {
        reply.add_handle(one);
    }
    holder.iter().for_each(|one| reply.add_handle(&handle(one)));

    for entity in entities.iter().filter(|one| has_role(one, "abuse")) {
        reply.add_handle(&handle(entity));
        reply.note(Tier::Explicit, &handle(entity), vcard::for_abuse(entity));
    }
    for said in std::iter::once(body).chain(entities.iter().copied()) {
        reply.heed(&handle(said), remarks::read(lines(said)));
    }
    for entity in &entities {
        reply.note(Tier::Contact, &handle(entity), vcard::named_abuse(entity));
    }
    mark_doubtful(&entities, &mut reply);
    let all = lines(body).collect::<Vec<_>>().join(" ").to_lowercase();
    for host in objects::HINTS.into_iter().filter(|host| all.contains(host)) {
        reply.add_lead(Lead::Whois {
            host: host.to_owned(),
            port: WHOIS_PORT,
        });
    }
    Some(if placeholder::is_one(&reply.name, &all, range) {
        Reply {
            registry: reply.registry,
            leads: placeholder::leads(&all),
            ..Reply::default()
        }
    } else {
        reply
    })
}

/// All entities, those of a level before those within them.
fn level_by_level(body: &Value) -> Vec<&Value> {
    let mut all: Vec<&Value> = Vec::new();
    let mut level = vec![body];
    for _ in 0..DEEPEST {
        let within = level.iter().filter_map(|one| one["entities"].as_array());
        level = within.flatten().collect();
        all.extend(&level);
    }
    all
}

/// The lines of remarks, with an empty one between two of them.
fn lines(of: &Value) -> impl Iterator<Item = &str> {
    let remarks = of["remarks"].as_array().into_iter().flatten();
    remarks.flat_map(|remark| description(remark).chain([""]))
}

/// What RPSL has as `descr`: remarks that are not instructions.
fn described(of: &Value) -> impl Iterator<Item = &str> {
    let remarks = of["remarks"].as_array().into_iter().flatten();
    let described = remarks.filter(|remark| {
        remark["title"]
            .as_str()
            .is_none_or(|one| one == "description")
    });
    let is_instruction = |line: &str| {
        ["@", "http", "abuse"]
            .iter()
            .any(|sign| line.to_lowercase().contains(sign))
    };
    described
        .flat_map(description)
        .take(1)
        .filter(move |line| !is_instruction(line))
}

fn description(remark: &Value) -> impl Iterator<Item = &str> {
    let text = &remark["description"];
    let lines = text
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str);
    lines.chain(text.as_str()).flat_map(str::lines)
}

/// ARIN's and APNIC's words for contacts that did not answer their registry.
fn mark_doubtful(entities: &[&Value], reply: &mut Reply) {
    for entity in entities {
        let remarks = entity["remarks"].as_array().into_iter().flatten();
        let titles = remarks.filter_map(|one| one["title"].as_str());
        let is_unvalidated = titles
            .into_iter()
            .any(|title| title.eq_ignore_ascii_case("Unvalidated POC"));
        let invalid = remarks::read(lines(entity)).invalid;
        let handle = entity["handle"].as_str().unwrap_or_default();
        for contact in &mut reply.contacts {
            contact.doubtful |=
                is_unvalidated && contact.handle == handle || invalid.contains(&contact.mailbox);
        }
    }
}
