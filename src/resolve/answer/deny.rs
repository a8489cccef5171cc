//! Mailboxes that registries put where an operator's should stand: never written to, or only shown.

use crate::model::Mailbox;

/// Domains of registries with the words by which a network of their own is known. Without words no
/// network counts as their own: a national registry is named on every block that it hands out.
const REGISTRIES: [(&str, &[&str]); 10] = [
    (
        "ripe.net",
        &["ripe ncc", "ripe-ncc", "ripe network coordination"],
    ),
    (
        "arin.net",
        &["arin", "american registry for internet numbers"],
    ),
    ("apnic.net", &["apnic", "asia pacific network information"]),
    ("lacnic.net", &["lacnic"]),
    ("afrinic.net", &["afrinic", "african network information"]),
    ("iana.org", &["iana", "internet assigned numbers"]),
    (
        "icann.org",
        &["iana", "icann", "internet corporation for assigned"],
    ),
    ("cert.br", &["cert.br", "nic.br"]),
    ("nic.ad.jp", &[]),
    ("abuse.net", &[]),
];

/// National registries that stand as the abuse contact for networks of their members.
const NATIONAL: [&str; 12] = [
    "nic.or.kr",
    "krnic.or.kr",
    "krnic.net",
    "kisa.or.kr",
    "vnnic.vn",
    "vnnic.net.vn",
    "cnnic.cn",
    "cnnic.net.cn",
    "idnic.net",
    "apjii.or.id",
    "twnic.tw",
    "twnic.net.tw",
];

/// Whether this is a registry's own mailbox, on a network that is not the registry's own.
pub(super) fn is_denied<'a>(mailbox: &Mailbox, network: impl IntoIterator<Item = &'a str>) -> bool {
    let Some((_, words)) = REGISTRIES.iter().find(|(domain, _)| is_at(mailbox, domain)) else {
        return false;
    };
    let mut about = network
        .into_iter()
        .filter(|name| !name.to_lowercase().starts_with("org-"));
    !about.any(|name| {
        let name = name.to_lowercase();
        words.iter().any(|words| stands_alone(&name, words))
    })
}

/// Whether a national registry stands in for an operator that it does not name. It is read, for the
/// registry says so, but comes behind all that names the operator.
pub(in crate::resolve) fn is_placeholder(mailbox: &Mailbox) -> bool {
    NATIONAL.iter().any(|domain| is_at(mailbox, domain))
}

/// Whether a text names a registry of the world.
pub(super) fn is_registry(text: &str) -> bool {
    let text = text.to_lowercase();
    let words = REGISTRIES.iter().take(5).flat_map(|(_, words)| *words);
    words.into_iter().any(|words| stands_alone(&text, words))
}

fn is_at(mailbox: &Mailbox, domain: &str) -> bool {
    let at = mailbox.domain();
    at.strip_suffix(domain)
        .is_some_and(|head| head.is_empty() || head.ends_with('.'))
}

fn stands_alone(text: &str, words: &str) -> bool {
    text.match_indices(words).any(|(at, _)| {
        let is_edge = |c: Option<char>| !c.is_some_and(char::is_alphanumeric);
        is_edge(text[..at].chars().next_back()) && is_edge(text[at + words.len()..].chars().next())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_answers_for_its_own_networks_only() {
        for (mailbox, network, denied) in [
            ("abuse@ripe.net", "EXAMPLE-NET", true),
            ("abuse@ripe.net", "RIPE-NCC", false),
            ("search-apnic-not-arin@apnic.net", "EXAMPLE", true),
            ("helpdesk@apnic.net", "APNIC-LABS", false),
            ("helpdesk@apnic.net", "HAPNICO", true),
            (
                "hostmaster@nic.ad.jp",
                "Japan Network Information Center",
                true,
            ),
            (
                "abuse@iana.org",
                "Internet Assigned Numbers Authority",
                false,
            ),
            ("abusepoc@afrinic.net", "ORG-EX1-AFRINIC", true),
            ("cert@cert.br", "Exemplo", true),
            ("abuse@grape.net", "Grape", false),
            ("abuse@isp.example", "Example", false),
        ] {
            assert_eq!(
                is_denied(&mailbox.parse().unwrap(), [network]),
                denied,
                "{mailbox} {network}"
            );
        }
    }
}
