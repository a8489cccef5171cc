//! Whether an answer is one: limits, refusals, "no match", and what was cut off.

use super::Status;
use super::scan::Part;
use crate::model::Span;

/// Limits, refusals and faults of the server. They go before every word that says *no match*.
const LATER: [&str; 29] = [
    "error:2",
    "error:3",
    "rate limit",
    "connection limit",
    "maximum query rate",
    "query rate reached",
    "blacklisted",
    "rate-limit",
    "limit exceeded",
    "limit reached",
    "exceeded the",
    "exceeded your",
    "exceeded maximum",
    "quota",
    "too many",
    "have permission",
    "permission denied",
    "access denied",
    "been blocked",
    "is blocked",
    "access control limit",
    "reduced information",
    "try again later",
    "temporarily",
    "service unavailable",
    "connection refused",
    "timed out",
    "unable to connect",
    "not authorized",
];

const NOT_FOUND: [&str; 19] = [
    "error:101",
    "no match",
    "not found",
    "no entries",
    "no object",
    "no data found",
    "no record",
    "not allocated",
    "unallocated",
    "not assigned",
    "not registered",
    "returned 0 objects",
    "error 230",
    "no information",
    "free in lac",
    "does not exist",
    "has not been",
    "該当するデータがありません",
    "찾을 수 없",
];

/// What the words of one server say. With a network in the part, only limits still count.
pub(super) fn of(part: &Part, has_network: bool) -> Status {
    let spoken: Vec<String> = words(part, has_network).collect();
    let find = |words: &[&str]| {
        spoken.iter().find(|line| {
            let line = line.to_lowercase();
            words.iter().any(|word| line.contains(word))
        })
    };
    if let Some(words) = find(&LATER) {
        return later(words);
    }
    if has_network {
        return Status::Found;
    }
    if find(&NOT_FOUND).is_some() || is_finished(part) {
        return Status::NotFound;
    }
    let broken = find(&["error"]).map_or("no network is in the answer", String::as_str);
    Status::Broken {
        words: short(broken),
    }
}

pub(super) fn later(words: &str) -> Status {
    Status::Later {
        wait: wait(words),
        words: short(words),
    }
}

/// Servers of RIPE's make say at the end who served the query.
pub(super) fn is_cut(part: &Part) -> bool {
    let says = |words: &str| {
        part.comments
            .iter()
            .any(|line| line.to_lowercase().contains(words))
    };
    let signs = says("this is the ripe database query service")
        || part.comments.iter().any(|line| line == "[whois.apnic.net]");
    signs && !says("this query was served by")
}

/// An end without objects: rwhois' `%ok`, and the signature of RIPE's make.
fn is_finished(part: &Part) -> bool {
    part.comments
        .iter()
        .any(|line| line == "ok" || line.contains("This query was served by"))
}

/// What an HTML page or a line of text says that stands where an answer should.
pub(super) fn of_page(text: &str) -> Status {
    let page = text.to_ascii_lowercase();
    let title = page.find("<title>").map_or(text, |at| &text[at + 7..]);
    let words = title
        .split('<')
        .find(|words| !words.trim().is_empty())
        .unwrap_or("HTML");
    let says = |signs: &[&str]| signs.iter().any(|sign| words.contains(sign));
    let is_limit = says(&["429", "502", "503", "504"])
        || LATER
            .iter()
            .chain(&["denied", "unavailable"])
            .any(|sign| page.contains(sign));
    if is_limit {
        later(words.trim())
    } else {
        Status::Broken {
            words: short(&format!("an HTML page: {}", words.trim())),
        }
    }
}

/// Lines that a server speaks itself.
fn words(part: &Part, has_network: bool) -> impl Iterator<Item = String> {
    let keyed = part.blocks.iter().flat_map(|block| &block.attributes);
    let keyed = keyed.filter(move |one| !has_network && !one.key.is_empty());
    let keyed = keyed.map(|one| format!("{}: {}", one.key, one.value));
    let spoken = part.comments.iter().map(String::as_str).chain(part.loose());
    spoken.map(str::to_owned).chain(keyed)
}

/// The wait that is named: "in 30 seconds", "after 5 minutes".
fn wait(words: &str) -> Option<Span> {
    let words = words.to_ascii_lowercase();
    let words: Vec<&str> = words
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    words.windows(2).find_map(|pair| {
        let units = [("second", 1), ("minute", 60), ("hour", 3600)];
        let (_, unit) = units
            .into_iter()
            .find(|(name, _)| pair[1].starts_with(name))?;
        let count: i64 = pair[0].parse().ok()?;
        (1..=86_400)
            .contains(&count)
            .then(|| Span::seconds(i64::min(count * unit, 86_400)))
    })
}

fn short(words: &str) -> String {
    words
        .chars()
        .filter(|c| !c.is_control())
        .take(120)
        .collect::<String>()
        .trim()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str, has_network: bool) -> String {
        let parts = super::super::scan::parts(text);
        match of(&parts[0], has_network) {
            Status::Later { wait, words } => {
                format!("later {:?} {words}", wait.map(|span| span.to_string()))
            }
            Status::Broken { words } => format!("broken {words}"),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn limits_go_before_no_match() {
        for (text, begins) in [
            ("%ERROR:101: no entries found", "NotFound"),
            ("No match found for n + 192.0.2.1.", "NotFound"),
            ("%rwhois V-1.5\n%error 230 No Objects Found", "NotFound"),
            ("%rwhois V-1.5\n%ok", "NotFound"),
            ("%ERROR:201: access denied for 192.0.2.1", "later None"),
            ("%ERROR:306: connections exceeded", "later None"),
            (
                "% Query rate limit exceeded. Reduced information.",
                "later None",
            ),
            ("No match, for you exceeded the limit", "later None"),
            (
                "Too many queries: try again in 5 minutes",
                "later Some(\"5 min\")",
            ),
            (
                "% You don't have permission to use this service",
                "later None",
            ),
            ("%ERROR:108: bad character in input", "broken ERROR:108"),
            ("Hello", "broken no network"),
        ] {
            assert!(
                told(text, false).starts_with(begins),
                "{text}: {}",
                told(text, false)
            );
        }
        assert_eq!(told("No match!!", true), "Found");
        assert_eq!(told("descr: Rate limit exceeded Ltd", true), "Found");
        assert!(
            told("% Query rate limit exceeded. Reduced information.", true).starts_with("later")
        );
    }

    #[test]
    fn a_page_is_a_limit_or_nothing() {
        for (page, is_later) in [
            ("<html><title>429 Too Many Requests</title>", true),
            ("<HTML><body>Service unavailable</body>", true),
            ("<html><title>Welcome</title>", false),
        ] {
            assert_eq!(
                matches!(of_page(page), Status::Later { .. }),
                is_later,
                "{page}"
            );
        }
    }
}
